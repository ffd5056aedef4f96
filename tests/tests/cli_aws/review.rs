//! `walkaround review` on AWS: a decision is in the table, and its event on the topic.

use crate::Bench;
use crate::aws_client::TABLE;
use aws_sdk_sqs::types::QueueAttributeName;
use walkaround_aws::{DynamoRecords, DynamoReviews};
use walkaround_domain::InspectionId;
use walkaround_ports::{Clock, Precondition, Records, Reviews, SystemClock};
use walkaround_tests::reviews::{inspection, record};

/// The ARN of a topic that the intake queue is subscribed to.
pub(crate) async fn topic(bench: &Bench) -> String {
    let topic = bench.aws.sns.create_topic().name("events").send().await.unwrap();
    let topic = topic.topic_arn.unwrap();
    let queue = bench
        .aws
        .sqs
        .get_queue_attributes()
        .queue_url(bench.names.url("INTAKE_QUEUE"));
    let queue = queue
        .attribute_names(QueueAttributeName::QueueArn)
        .send()
        .await
        .unwrap();
    let arn = queue.attributes.unwrap()[&QueueAttributeName::QueueArn].clone();
    let subscribe = bench
        .aws
        .sns
        .subscribe()
        .topic_arn(&topic)
        .protocol("sqs")
        .endpoint(arn);
    subscribe
        .attributes("RawMessageDelivery", "true")
        .send()
        .await
        .unwrap();
    topic
}

#[test]
fn a_decision_is_stored_and_published() {
    let bench = Bench::new();
    let record = record(&inspection("i-1", SystemClock::new().now()));
    let records = DynamoRecords::new(bench.aws.dynamodb.clone(), TABLE);
    let written = records.write(&record, Precondition::Absent);
    bench.runtime.block_on(written).unwrap();
    // Reading needs no topic, deciding does.
    let task = &bench.names.documents(&["review", "ask", "i-1"])[0];
    assert_eq!(task["reason"], "asked");
    let decide = ["review", "decide", "i-1", "--by", "ann", "--confirm"];
    let line = bench.names.run(&decide);
    assert!(line.one_line(2).contains("WALKAROUND_TOPIC"), "{line:?}");
    let topic = bench.runtime.block_on(topic(&bench));
    let names = bench.names.with("WALKAROUND_TOPIC", &topic);
    let claimed = &names.documents(&["review", "claim", "--by", "ann"])[0];
    assert_eq!(claimed["claimed_by"], "ann");
    let decided = &names.documents(&decide)[0];
    assert_eq!(decided["task"]["state"], "done");
    assert!(names.documents(&["review", "list"]).is_empty());
    let reviews = DynamoReviews::new(bench.aws.dynamodb.clone(), TABLE);
    let id = InspectionId::new("i-1").unwrap();
    assert_eq!(bench.runtime.block_on(reviews.history(&id)).unwrap().len(), 1);
    let received = bench.take("INTAKE_QUEUE");
    let event = received.keys().find(|body| body.contains("inspection.reviewed"));
    assert!(
        event.is_some_and(|body| body.contains("i-1.reviewed.1")),
        "{received:?}"
    );
}
