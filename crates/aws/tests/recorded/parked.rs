//! What a queue does with messages that are sent back and no emulator shows: it refuses one of ten.

use crate::answers::{self, Answer};
use serde_json::{Value, json};
use walkaround_aws::{DeadLetters, Refused};

fn ok(body: &Value) -> Answer {
    (200, Vec::new(), body.to_string())
}

fn delivered(ids: &[&str]) -> Answer {
    let message = |id: &&str| json!({"MessageId": id, "ReceiptHandle": format!("AQEB{id}"), "Body": "{}"});
    ok(&json!({"Messages": ids.iter().map(message).collect::<Vec<_>>()}))
}

/// The first goes through, the second does not.
fn half_sent() -> Answer {
    ok(&json!({
        "Successful": [{"Id": "0", "MessageId": "n", "MD5OfMessageBody": "0"}],
        "Failed": [{"Id": "1", "Code": "InvalidMessageContents", "SenderFault": true, "Message": "a bad character"}],
    }))
}

fn gone() -> Answer {
    ok(&json!({"Successful": [{"Id": "0"}]}))
}

#[tokio::test]
async fn a_message_that_its_queue_refuses_is_told_and_stays() {
    let released = ok(&json!({}));
    let (aws, asked) = answers::aws([delivered(&["a", "b"]), half_sent(), gone(), released.clone()]).await;
    let letters = DeadLetters::new(aws.sqs, "http://recorded/1/dead", "http://recorded/1/q");
    let ids = ["a", "b"].map(str::to_owned);
    let sent = letters.send_back(&ids).await.expect("it is answered");
    let [Refused { id, why }] = sent.refused.as_slice() else {
        panic!("one refusal: {sent:?}");
    };
    assert!(id == "b" && why.contains("a bad character"), "{sent:?}");
    assert_eq!((sent.moved, sent.missing.len(), sent.more), (1, 0, false));
    let calls = |asked: &std::sync::Mutex<Vec<answers::Asked>>| -> Vec<String> {
        let asked = asked.lock().expect("no panic");
        asked
            .iter()
            .map(|a| a.header("x-amz-target").replace("AmazonSQS.", ""))
            .collect()
    };
    let all = [
        "ReceiveMessage",
        "SendMessageBatch",
        "DeleteMessageBatch",
        // The refused one can be read again at once.
        "ChangeMessageVisibility",
    ];
    assert_eq!(calls(&asked), all);

    // All of them: the same, until nothing is left.
    let counts = json!({"Attributes": {"ApproximateNumberOfMessages": "2",
        "ApproximateNumberOfMessagesNotVisible": "0", "ApproximateNumberOfMessagesDelayed": "0"}});
    let answers = [
        ok(&counts),
        delivered(&["a", "b"]),
        half_sent(),
        gone(),
        delivered(&[]),
        released,
    ];
    let (aws, _) = answers::aws(answers).await;
    let letters = DeadLetters::new(aws.sqs, "http://recorded/1/dead", "http://recorded/1/q");
    let sent = letters.send_back_all().await.expect("it is answered");
    assert_eq!((sent.moved, sent.refused.len(), sent.more), (1, 1, false));
}
