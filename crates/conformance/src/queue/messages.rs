//! What a queue does to a message.

use super::under_test::{QueueUnderTest, message};
use crate::suite::{Broken, Outcome, ensure};
use std::time::Duration;
use walkaround_ports::{BODY_BYTES_MAX, OutMessage, PortErrorKind};

pub(super) async fn message_arrives_whole(t: QueueUnderTest) -> Outcome {
    let sent = OutMessage {
        attributes: [("content_type", "application/json"), ("trace.id", "4f-1 ü")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
        ..message("{\"photo\":\"s3://photos/4f.jpg\"}")
    };
    t.queue.send(vec![sent.clone()]).await?.remove(0)?;
    let got = t.take_one(t.lease()).await?;
    ensure!(got.body == sent.body, "body: {:?}", got.body);
    ensure!(
        got.attributes == sent.attributes,
        "attributes: {:?}",
        got.attributes
    );
    ensure!(got.receive_count == 1, "receive count {}", got.receive_count);
    ensure!(!got.message_id.is_empty(), "no message id");
    ensure!(got.sent_at.0 > 0, "no time of sending");
    Ok(())
}

pub(super) async fn odd_bodies_arrive_whole(t: QueueUnderTest) -> Outcome {
    let large = "x".repeat(BODY_BYTES_MAX);
    let bodies = [
        "not json",
        "写真 \u{1F697} \"'<>&\\",
        "a\tb\nc",
        " ",
        large.as_str(),
    ];
    for body in bodies {
        t.send(&[body]).await?;
        let got = t.take_one(t.lease()).await?;
        let shown: String = body.chars().take(20).collect();
        ensure!(got.body == body, "`{shown}` came as {} bytes", got.body.len());
        t.queue.ack(&[got.receipt]).await?.remove(0)?;
    }
    Ok(())
}

pub(super) async fn delayed_message_comes_late(t: QueueUnderTest) -> Outcome {
    let late = OutMessage {
        delay: t.time.unit() * 2,
        ..message("late")
    };
    t.queue.send(vec![late]).await?.remove(0)?;
    t.expect_nothing("before its delay").await?;
    t.time.pass(t.time.unit() * 2).await;
    let got = t.take_one(t.lease()).await?;
    ensure!(got.body == "late", "another message: {}", got.body);
    Ok(())
}

pub(super) async fn too_large_is_refused_alone(t: QueueUnderTest) -> Outcome {
    let batch = vec![
        message("first"),
        message(&"x".repeat(BODY_BYTES_MAX + 1)),
        message("third"),
    ];
    let answers = t.queue.send(batch).await?;
    ensure!(answers.len() == 3, "{} answers", answers.len());
    ensure!(
        answers[0].is_ok() && answers[2].is_ok(),
        "the others: {answers:?}"
    );
    let kind = answers[1].as_ref().err().map(|e| e.kind);
    ensure!(
        kind == Some(PortErrorKind::Invalid),
        "the large one: {:?}",
        answers[1]
    );
    let mut bodies: Vec<String> = t.take(2, t.lease()).await?.into_iter().map(|d| d.body).collect();
    bodies.sort();
    ensure!(bodies == ["first", "third"], "came: {bodies:?}");
    t.expect_nothing("after both").await
}

pub(super) async fn too_many_attributes_are_refused(t: QueueUnderTest) -> Outcome {
    let many = OutMessage {
        attributes: (0..11).map(|i| (format!("a{i}"), "v".to_owned())).collect(),
        ..message("many")
    };
    let answer = t.queue.send(vec![many, message("fine")]).await?;
    let kind = answer[0].as_ref().err().map(|e| e.kind);
    ensure!(kind == Some(PortErrorKind::Invalid), "eleven: {:?}", answer[0]);
    ensure!(answer[1].is_ok(), "the other: {:?}", answer[1]);
    Ok(())
}

pub(super) async fn wrong_arguments_are_invalid(t: QueueUnderTest) -> Outcome {
    let second = Duration::from_secs(1);
    let long = Duration::from_secs(12 * 3600 + 1);
    let wrong = [
        (0, second, Duration::ZERO),
        (11, second, Duration::ZERO),
        (1, long, Duration::ZERO),
        (1, second, Duration::from_secs(21)),
    ];
    for (max, lease, wait) in wrong {
        let kind = t.queue.receive(max, lease, wait).await.err().map(|e| e.kind);
        ensure!(
            kind == Some(PortErrorKind::Invalid),
            "receive({max}, {lease:?}, {wait:?}): {kind:?}"
        );
    }
    t.send(&["one"]).await?;
    let one = t.take_one(t.lease()).await?;
    match t.queue.extend(&one.receipt, long).await {
        Err(error) if error.kind == PortErrorKind::Invalid => Ok(()),
        other => Err(Broken(format!("a lease of {long:?}: {other:?}"))),
    }
}
