//! Queue, blobs and topic hold what the ports promise, on both emulators.
//!
//! What an emulator gets wrong is skipped by name, with what it does instead; the other one, or the recorded answers
//! of `recorded.rs`, show it. Time is real: a lease of SQS has whole seconds.

mod common;

use async_trait::async_trait;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use walkaround_aws::{Aws, EVENT_ID_ATTRIBUTE, S3Blobs, SnsTopic, SqsQueue};
use walkaround_conformance::{
    BlobsUnderTest, Capabilities, Observe, PublisherUnderTest, QueueUnderTest, RECEIVES_MAX, RealTime,
    Report, blobs_suite, publisher_suite, queue_suite,
};
use walkaround_emulators::{Ministack, Moto, REGION};
use walkaround_ports::{BlobAddress, Blobs as _, OutEvent, Queue as _, TRACE_ATTRIBUTE};

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
    trace_header_comes_as_an_attribute(&aws).await;
    signed_address_is_read_by_anyone(&aws).await;
    Box::pin(run(&aws, &Capabilities::all(), &Capabilities::all())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_moto() {
    let moto = Moto::start();
    let aws = common::aws(moto.endpoint()).await;
    let every = "moto takes every receipt that a message ever had for its latest";
    let queue = Capabilities::all()
        .without("ack_of_a_stale_receipt_deletes_nothing", every)
        .without("ack_of_a_stale_receipt_is_reported", every)
        .without("extend_of_a_stale_receipt_is_lost", every)
        .without("release_of_a_stale_receipt_is_lost", every)
        .without(
            "eight_receivers_share_nothing",
            "moto answers in threads that share a queue without a lock: now and then two get the same message",
        );
    let blobs = Capabilities::all()
        .without("twenty_writers_have_one_winner", common::MOTO_RACES)
        .without("twenty_writers_of_the_same_agree", common::MOTO_RACES);
    Box::pin(run(&aws, &queue, &blobs)).await;
}

/// Both emulators carry the header of a single send only and lose it in a batch, so the sending half is a unit test of
/// `queue::wire`.
async fn trace_header_comes_as_an_attribute(aws: &Aws) {
    use aws_sdk_sqs::types::{MessageSystemAttributeNameForSends, MessageSystemAttributeValue};
    let (url, _) = new_queue(aws, HashMap::new()).await;
    let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    let value = MessageSystemAttributeValue::builder()
        .data_type("String")
        .string_value(header);
    let value = value.build().expect("the data type is set");
    let call = aws.sqs.send_message().queue_url(&url).message_body("{}");
    let call = call.message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, value);
    call.send().await.expect("a message");
    let queue = SqsQueue::new(aws.sqs.clone(), url);
    let came = queue
        .receive(1, Duration::from_secs(30), Duration::from_secs(5))
        .await;
    let attributes = came.expect("a delivery").remove(0).attributes;
    assert_eq!(
        attributes,
        BTreeMap::from([(TRACE_ATTRIBUTE.to_owned(), header.to_owned())])
    );
}

/// Whoever has the address can read the blob, without credentials.
async fn signed_address_is_read_by_anyone(aws: &Aws) {
    use std::io::{Read as _, Write as _};
    let blobs = S3Blobs::new(aws.s3.clone());
    let at = BlobAddress {
        bucket: new_bucket(aws).await,
        key: "i/4f/overlay ü.txt".to_owned(),
    };
    blobs
        .put_if_absent(&at, b"the overlay", "text/plain")
        .await
        .expect("an outcome");
    let url = blobs
        .presigned_get(&at, Duration::from_secs(60))
        .await
        .expect("an address");
    let (host, path) = url
        .trim_start_matches("http://")
        .split_once('/')
        .expect("host and path");
    let mut stream = std::net::TcpStream::connect(host).expect("the emulator");
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    )
    .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("the overlay"),
        "{answer}"
    );
}

/// Runs all suites, side by side: the one of the queue waits most of the time.
#[expect(clippy::print_stdout, reason = "what was skipped, and why, is shown")]
async fn run(aws: &Aws, queue: &Capabilities, blobs: &Capabilities) {
    let all = Capabilities::all();
    let suites: (Report, Report, Report) = tokio::join!(
        queue_suite(|| queue_under_test(aws), queue),
        blobs_suite(|| blobs_under_test(aws), blobs),
        publisher_suite(|| publisher_under_test(aws), &all),
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

/// A queue that is subscribed to the topic, read whenever a test asks.
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
