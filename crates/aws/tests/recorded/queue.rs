//! What SQS does and no emulator shows: throttling, batches that fail in part, and its own words for stale receipts.

use crate::answers::{self, Answer};
use serde_json::{Value, json};
use std::time::Duration;
use walkaround_aws::SqsQueue;
use walkaround_ports::{AckOutcome, LeaseOutcome, OutMessage, PortErrorKind, Queue, Receipt};

fn ok(body: &Value) -> Answer {
    (200, Vec::new(), body.to_string())
}

/// As SQS refuses: the modelled name in the body, the older one in a header.
fn refused(status: u16, code: &str, message: &str) -> Answer {
    let header = ("x-amzn-query-error", format!("{code};Sender"));
    let name = code.rsplit('.').next().unwrap_or(code);
    let body = json!({"__type": format!("com.amazonaws.sqs#{name}"), "message": message});
    (status, vec![header], body.to_string())
}

fn sent(ids: std::ops::Range<usize>) -> Answer {
    let entries: Vec<Value> = ids
        .map(|id| json!({"Id": id.to_string(), "MessageId": "m", "MD5OfMessageBody": "0"}))
        .collect();
    ok(&json!({"Successful": entries}))
}

fn messages(count: usize) -> Vec<OutMessage> {
    let body = "{}".to_owned();
    vec![
        OutMessage {
            body,
            ..OutMessage::default()
        };
        count
    ]
}

#[tokio::test]
async fn batch_that_fails_in_part_is_answered_by_message() {
    let answer = json!({
        "Successful": [{"Id": "3", "MessageId": "m", "MD5OfMessageBody": "0"}],
        "Failed": [
            {"Id": "1", "Code": "InternalError", "SenderFault": false, "Message": "try again"},
            {"Id": "0", "Code": "KMS.ThrottlingException", "SenderFault": true},
            {"Id": "77", "Code": "InternalError", "SenderFault": false},
        ],
    });
    let (aws, _) = answers::aws([ok(&answer)]).await;
    let queue = SqsQueue::new(aws.sqs, "http://recorded/1/q");
    let answers = queue.send(messages(4)).await.expect("the batch is answered");
    let kinds: Vec<_> = answers.iter().map(|a| a.as_ref().err().map(|e| e.kind)).collect();
    let unavailable = Some(PortErrorKind::Unavailable);
    assert_eq!(
        kinds,
        [Some(PortErrorKind::Throttled), unavailable, unavailable, None]
    );
}

#[tokio::test]
async fn after_a_failed_batch_the_rest_is_not_tried() {
    let throttled = refused(403, "RequestThrottled", "slow down");
    let (aws, asked) = answers::aws([sent(0..10), throttled.clone()]).await;
    let queue = SqsQueue::new(aws.sqs, "http://recorded/1/q");
    let answers = queue
        .send(messages(25))
        .await
        .expect("the first batch is answered");
    assert_eq!(answers.iter().take_while(|a| a.is_ok()).count(), 10);
    let kinds = answers[10..].iter().map(|a| a.as_ref().err().map(|e| e.kind));
    assert!(
        kinds.clone().all(|kind| kind == Some(PortErrorKind::Throttled)),
        "{answers:?}"
    );
    assert_eq!((kinds.count(), asked.lock().expect("no panic").len()), (15, 2));

    let (aws, _) = answers::aws([throttled]).await;
    let queue = SqsQueue::new(aws.sqs, "http://recorded/1/q");
    let error = queue
        .send(messages(25))
        .await
        .expect_err("nothing is known of any");
    assert_eq!(error.kind, PortErrorKind::Throttled);
    let shown = format!("{error} {error:?}");
    assert!(
        !shown.contains("AKIDRECORDED") && !shown.contains("recorded-secret"),
        "{shown}"
    );
}

#[tokio::test]
async fn stale_receipts_are_outcomes_in_the_words_of_aws() {
    let expired =
        "Value AQEB for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.";
    let failed = json!({"Successful": [{"Id": "0"}], "Failed": [
        {"Id": "1", "Code": "InvalidParameterValue", "SenderFault": true, "Message": expired},
        {"Id": "2", "Code": "ReceiptHandleIsInvalid", "SenderFault": true},
        {"Id": "3", "Code": "AccessDenied", "SenderFault": true},
    ]});
    let gone = "Value AQEB for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available \
                for visibility timeout change.";
    let limit = "Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the \
                 message is beyond the limit [43200 seconds]";
    let (aws, _) = answers::aws([
        ok(&failed),
        refused(400, "AWS.SimpleQueueService.MessageNotInflight", "not in flight"),
        refused(400, "InvalidParameterValue", gone),
        refused(400, "InvalidParameterValue", limit),
        refused(400, "AWS.SimpleQueueService.NonExistentQueue", "no such queue"),
    ])
    .await;
    let queue = SqsQueue::new(aws.sqs, "http://recorded/1/q");
    let receipts: Vec<Receipt> = (0..4).map(|i| Receipt(format!("AQEB{i}"))).collect();
    let answers = queue.ack(&receipts).await.expect("the batch is answered");
    let outcomes: Vec<_> = answers.into_iter().map(|a| a.map_err(|e| e.kind)).collect();
    let stale = Ok(AckOutcome::Stale);
    assert_eq!(
        outcomes,
        [Ok(AckOutcome::Gone), stale, stale, Err(PortErrorKind::Denied)]
    );

    let lease = Duration::from_secs(30);
    for what in ["no longer in flight", "deleted"] {
        let outcome = queue.extend(&receipts[0], lease).await;
        assert_eq!(outcome.expect("an outcome"), LeaseOutcome::Lost, "{what}");
    }
    let kind = queue
        .extend(&receipts[0], lease)
        .await
        .expect_err("beyond the limit")
        .kind;
    assert_eq!(kind, PortErrorKind::Invalid);
    let kind = queue
        .release(&receipts[0], lease)
        .await
        .expect_err("no such queue")
        .kind;
    assert_eq!(kind, PortErrorKind::NotFound);
}
