//! Queue, blobs and topic hold what the ports promise, on both emulators.
//!
//! What an emulator gets wrong is skipped by name, with what it does instead; the other one, or the recorded answers
//! of `recorded.rs`, show it. Time is real: a lease of SQS has whole seconds.

mod common;

use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use walkaround_aws::{Aws, EVENT_ID_ATTRIBUTE, S3Blobs, SnsTopic, SqsQueue};
use walkaround_conformance::{
    BlobsUnderTest, Capabilities, Observe, PublisherUnderTest, QueueUnderTest, RECEIVES_MAX, RealTime,
    Report, blobs_suite, publisher_suite, queue_suite,
};
use walkaround_emulators::{Ministack, Moto, REGION};
use walkaround_ports::{OutEvent, Queue as _};

/// Sent means visible on both, so nobody waits for what should be there. A unit is 1.5 s: leases and delays of one are
/// rounded up to 2 s, and two units are whole seconds.
const TIME: RealTime = RealTime {
    unit: Duration::from_millis(1500),
    patience: Duration::ZERO,
};

/// Names that no other case of this process has.
fn fresh(what: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("{what}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_ministack() {
    let ministack = Ministack::start();
    let aws = common::aws(ministack.endpoint()).await;
    let (queue, blobs, publisher) = (Capabilities::all(), Capabilities::all(), Capabilities::all());
    run(&aws, (&queue, &blobs, &publisher)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_moto() {
    let moto = Moto::start();
    let aws = common::aws(moto.endpoint()).await;
    let (queue, blobs, publisher) = (Capabilities::all(), Capabilities::all(), Capabilities::all());
    run(&aws, (&queue, &blobs, &publisher)).await;
}

/// Runs all suites, side by side: the one of the queue waits most of the time.
async fn run(aws: &Aws, (queue, blobs, publisher): (&Capabilities, &Capabilities, &Capabilities)) {
    let suites: (Report, Report, Report) = tokio::join!(
        queue_suite(|| queue_under_test(aws), queue),
        blobs_suite(|| blobs_under_test(aws), blobs),
        publisher_suite(|| publisher_under_test(aws), publisher),
    );
    println!("{}{}{}", suites.0, suites.1, suites.2);
    let _ = (suites.0.require(), suites.1.require(), suites.2.require());
}

/// URL and ARN of a new queue.
async fn new_queue(
    aws: &Aws,
    attributes: HashMap<aws_sdk_sqs::types::QueueAttributeName, String>,
) -> (String, String) {
    use aws_sdk_sqs::types::QueueAttributeName::QueueArn;
    let call = aws.sqs.create_queue().queue_name(fresh("queue"));
    let made = call
        .set_attributes(Some(attributes))
        .send()
        .await
        .expect("a queue");
    let url = made.queue_url().expect("it has a URL").to_owned();
    let call = aws
        .sqs
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueArn);
    let told = call.send().await.expect("its attributes");
    let arn = told
        .attributes()
        .and_then(|all| all.get(&QueueArn))
        .expect("it has an ARN");
    (url, arn.clone())
}

async fn queue_under_test(aws: &Aws) -> QueueUnderTest {
    use aws_sdk_sqs::types::QueueAttributeName::{MaximumMessageSize, RedrivePolicy};
    // Older services and emulators begin at 256 KiB.
    let large = HashMap::from([(MaximumMessageSize, (1 << 20).to_string())]);
    let (dead_url, dead_arn) = new_queue(aws, large.clone()).await;
    let policy = format!("{{\"deadLetterTargetArn\":\"{dead_arn}\",\"maxReceiveCount\":\"{RECEIVES_MAX}\"}}");
    let mut attributes = large;
    attributes.insert(RedrivePolicy, policy);
    let (url, _) = new_queue(aws, attributes).await;
    QueueUnderTest {
        queue: Arc::new(SqsQueue::new(aws.sqs.clone(), url)),
        dead_letters: Arc::new(SqsQueue::new(aws.sqs.clone(), dead_url)),
        time: Arc::new(TIME),
        keep: Box::new(()),
    }
}

async fn new_bucket(aws: &Aws) -> String {
    use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
    let bucket = fresh("bucket");
    let place =
        CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::from(REGION));
    let call = aws.s3.create_bucket().bucket(&bucket);
    call.create_bucket_configuration(place.build())
        .send()
        .await
        .expect("a bucket");
    bucket
}

async fn blobs_under_test(aws: &Aws) -> BlobsUnderTest {
    BlobsUnderTest {
        blobs: Arc::new(S3Blobs::new(aws.s3.clone())),
        bucket: new_bucket(aws).await,
        other_bucket: new_bucket(aws).await,
        keep: Box::new(()),
    }
}

/// A queue that is subscribed to the topic, read whenever somebody looks.
struct Subscriber {
    queue: SqsQueue,
    seen: Mutex<Vec<OutEvent>>,
}

#[async_trait]
impl Observe for Subscriber {
    async fn seen(&self) -> Vec<OutEvent> {
        let came = self
            .queue
            .receive(10, Duration::from_secs(600), Duration::ZERO)
            .await
            .expect("deliveries");
        let mut seen = self.seen.lock().expect("nobody panics while it is held");
        seen.extend(came.into_iter().map(|delivery| {
            let mut attributes = delivery.attributes;
            let id = attributes.remove(EVENT_ID_ATTRIBUTE).unwrap_or_default();
            OutEvent {
                id,
                body: delivery.body,
                attributes,
            }
        }));
        seen.clone()
    }
}

async fn publisher_under_test(aws: &Aws) -> PublisherUnderTest {
    let topic = aws
        .sns
        .create_topic()
        .name(fresh("topic"))
        .send()
        .await
        .expect("a topic");
    let topic = topic.topic_arn().expect("it has an ARN").to_owned();
    let (url, arn) = new_queue(aws, HashMap::new()).await;
    let call = aws
        .sns
        .subscribe()
        .topic_arn(&topic)
        .protocol("sqs")
        .endpoint(arn);
    call.attributes("RawMessageDelivery", "true")
        .send()
        .await
        .expect("a subscription");
    PublisherUnderTest {
        publisher: Arc::new(SnsTopic::new(aws.sns.clone(), topic)),
        subscriber: Arc::new(Subscriber {
            queue: SqsQueue::new(aws.sqs.clone(), url),
            seen: Mutex::default(),
        }),
        time: Arc::new(TIME),
        keep: Box::new(()),
    }
}
