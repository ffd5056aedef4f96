//! Dead letters: why they are there, and how they come back.

use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use walkaround_conformance::ManualClock;
use walkaround_local::{DeadLetter, INTAKE, INTAKE_DEAD, LocalStack, Options, Redrive, SEGMENTATION};
use walkaround_ports::{Delivery, OutMessage, PARKED_FROM, PARKED_REASON, PortErrorKind, REDRIVEN};

const LEASE: Duration = Duration::from_secs(30);
/// Deliveries until a queue of these tests parks a message itself: far fewer than the pipeline's 1,000.
const DELIVERIES: u32 = 5;

struct Root {
    local: LocalStack,
    clock: Arc<ManualClock>,
    _folder: TempDir,
}

impl Root {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = Arc::new(ManualClock::new());
        let opened = LocalStack::open(folder.path(), options(), clock.clone());
        Self {
            local: opened.expect("it opens"),
            clock,
            _folder: folder,
        }
    }

    async fn send(&self, queue: &str, message: OutMessage) {
        let queue = self.local.queue(queue).expect("a queue");
        for answer in queue.send(vec![message]).await.expect("an answer") {
            answer.expect("it is accepted");
        }
    }

    async fn receive(&self, queue: &str) -> Vec<Delivery> {
        let queue = self.local.queue(queue).expect("a queue");
        let came = queue.receive(10, LEASE, Duration::ZERO).await;
        came.expect("deliveries")
    }

    /// Lets a message of intake be delivered [`DELIVERIES`] times and once more.
    async fn park(&self, body: &str) {
        self.send(INTAKE, message(body, &[("kind", "photo")])).await;
        for _ in 0..DELIVERIES {
            assert_eq!(self.receive(INTAKE).await.len(), 1);
            self.clock.advance(LEASE);
        }
        assert_eq!(self.receive(INTAKE).await.len(), 0);
    }

    async fn redrive(&self, which: Redrive) -> u64 {
        let moved = self.local.redrive(INTAKE_DEAD, which).await;
        moved.expect("a redrive")
    }
}

fn options() -> Options {
    let mut options = Options::default();
    let parking = |dead: &mut DeadLetter| dead.receives_max = DELIVERIES;
    let dead = options.queues.iter_mut().filter_map(|q| q.dead_letter.as_mut());
    dead.for_each(parking);
    options
}

fn message(body: &str, attributes: &[(&str, &str)]) -> OutMessage {
    OutMessage {
        body: body.to_owned(),
        attributes: attributes
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        delay: Duration::ZERO,
    }
}

#[tokio::test]
async fn a_parked_message_tells_its_story() {
    let root = Root::new();
    root.park("poison").await;
    assert_eq!(root.local.parked_count(INTAKE_DEAD).await.unwrap(), 1);
    let parked = root.local.parked(INTAKE_DEAD, None, 10).await.unwrap();
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].body, "poison");
    assert_eq!(parked[0].from.as_deref(), Some(INTAKE));
    assert_eq!(
        parked[0].reason.as_deref(),
        Some("delivered 5 times without being acknowledged")
    );
    assert_eq!(parked[0].parked_at.since(parked[0].sent_at), LEASE * DELIVERIES);
    assert_eq!(parked[0].attributes.len(), 1);
    // Who receives from the dead-letter queue sees it too.
    let delivery = root.receive(INTAKE_DEAD).await.remove(0);
    assert_eq!(delivery.attributes[PARKED_FROM], INTAKE);
    assert!(delivery.attributes[PARKED_REASON].contains("5 times"));
}

#[tokio::test]
async fn redrive_starts_afresh() {
    let root = Root::new();
    root.park("poison").await;
    assert_eq!(root.redrive(Redrive::All).await, 1);
    assert_eq!(root.local.parked_count(INTAKE_DEAD).await.unwrap(), 0);
    let delivery = root.receive(INTAKE).await.remove(0);
    assert_eq!((delivery.body.as_str(), delivery.receive_count), ("poison", 1));
    assert_eq!(delivery.attributes.len(), 2, "{:?}", delivery.attributes);
    assert!(delivery.attributes.contains_key(REDRIVEN), "triage has to know");
    assert_eq!(root.redrive(Redrive::All).await, 0);
}

#[tokio::test]
async fn a_message_parked_by_sending_it_comes_back_without_its_reason() {
    let root = Root::new();
    let attributes = [
        (PARKED_REASON, "not JSON"),
        (PARKED_FROM, INTAKE),
        ("kind", "photo"),
    ];
    root.send(INTAKE_DEAD, message("???", &attributes)).await;
    let parked = root.local.parked(INTAKE_DEAD, None, 10).await.unwrap();
    assert_eq!(parked[0].reason.as_deref(), Some("not JSON"));
    assert_eq!(root.redrive(Redrive::All).await, 1);
    let delivery = root.receive(INTAKE).await.remove(0);
    let names: Vec<&String> = delivery.attributes.keys().collect();
    assert_eq!(names, ["kind", REDRIVEN]);
}

#[tokio::test]
async fn one_message_can_be_redriven() {
    let root = Root::new();
    for body in ["a", "b", "c"] {
        root.send(INTAKE_DEAD, message(body, &[])).await;
    }
    let parked = root.local.parked(INTAKE_DEAD, None, 2).await.unwrap();
    let bodies: Vec<&str> = parked.iter().map(|p| p.body.as_str()).collect();
    assert_eq!(bodies, ["a", "b"]);
    let id = parked[1].message_id.clone();
    assert_eq!(root.redrive(Redrive::One(id.clone())).await, 1);
    assert_eq!(root.redrive(Redrive::One(id)).await, 0);
    assert_eq!(root.receive(INTAKE).await.remove(0).body, "b");
    let first = parked[0].message_id.as_str();
    let rest = root.local.parked(INTAKE_DEAD, Some(first), 10).await.unwrap();
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].body, "c");
}

#[tokio::test]
async fn a_dead_letter_that_someone_holds_stays() {
    let root = Root::new();
    root.send(INTAKE_DEAD, message("held", &[])).await;
    assert_eq!(root.receive(INTAKE_DEAD).await.len(), 1);
    assert_eq!(root.redrive(Redrive::All).await, 0);
    root.clock.advance(LEASE);
    assert_eq!(root.redrive(Redrive::All).await, 1);
}

#[tokio::test]
async fn only_dead_letter_queues_are_redriven() {
    let root = Root::new();
    for (queue, which) in [
        (SEGMENTATION, Redrive::All),
        ("nobody", Redrive::All),
        (INTAKE_DEAD, Redrive::One("x".to_owned())),
    ] {
        let refused = root.local.redrive(queue, which).await;
        assert_eq!(
            refused.err().map(|e| e.kind),
            Some(PortErrorKind::Invalid),
            "{queue}"
        );
    }
}

#[tokio::test]
async fn a_receipt_from_before_the_parking_is_stale() {
    let root = Root::new();
    root.send(INTAKE, message("poison", &[])).await;
    let mut last = Vec::new();
    for _ in 0..DELIVERIES {
        last = root.receive(INTAKE).await;
        root.clock.advance(LEASE);
    }
    assert_eq!(root.receive(INTAKE).await.len(), 0);
    root.redrive(Redrive::All).await;
    let queue = root.local.queue(INTAKE).unwrap();
    queue.ack(&[last.remove(0).receipt]).await.unwrap();
    assert_eq!(root.receive(INTAKE).await.len(), 1, "it was deleted");
}
