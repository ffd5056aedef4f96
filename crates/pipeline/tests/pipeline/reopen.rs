//! Failed inspections opened again: which, in what order of writes, within what bounds.

mod lost;

use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use walkaround_conformance::ManualClock;
use walkaround_domain::{
    BundleId, Event, FailureCode, Inspection, InspectionId, InspectionRequest, Phase, PhotoRef, Timestamp,
    Verdict,
};
use walkaround_messages::{Intake, derived_id, parse_intake, parse_record, record_body};
use walkaround_pipeline::reopen::{
    LeftWhy, Obstacle, Purpose, ReopenPass, ReopenSummary, Reopened, Reopener, Which,
};
use walkaround_pipeline::store::InspectionStore;
use walkaround_ports::{
    AckOutcome, Delivery, Depth, Heartbeat, IndexKeys, LeaseOutcome, OutMessage, Page, PortCall, PortError,
    PortErrorKind, Precondition, Queue, Receipt, RecordQuery, Records, ResultKey, StoredRecord, WriteOutcome,
};

const DAY: &str = "2026-11-22";
const AT: PortCall = PortCall::new("fake", "fake");

/// Records, and messages in the order of both.
#[derive(Default)]
struct Stack {
    records: Mutex<BTreeMap<String, StoredRecord>>,
    sent: Mutex<Vec<OutMessage>>,
    /// `send ID`, `open ID`.
    order: Mutex<Vec<String>>,
    clock: ManualClock,
    refuses_messages: bool,
    /// How long a write takes.
    write_takes: Duration,
}

#[async_trait]
impl Records for Stack {
    async fn read(&self, id: &InspectionId) -> Result<Option<StoredRecord>, PortError> {
        Ok(self.records.lock().unwrap().get(id.as_str()).cloned())
    }

    async fn write(&self, next: &StoredRecord, expect: Precondition) -> Result<WriteOutcome, PortError> {
        self.clock.advance(self.write_takes);
        let mut records = self.records.lock().unwrap();
        let current = records.get(next.id.as_str()).cloned();
        let version = current.as_ref().map_or(0, |c| c.version);
        if expect != Precondition::Version(version) {
            return Ok(WriteOutcome::Conflict(current));
        }
        self.order.lock().unwrap().push(format!("open {}", next.id));
        let next = StoredRecord {
            version: version + 1,
            ..next.clone()
        };
        records.insert(next.id.to_string(), next);
        Ok(WriteOutcome::Committed(version + 1))
    }

    /// Pages of two.
    async fn list(&self, query: &RecordQuery, after: Option<&str>, _: usize) -> Result<Page, PortError> {
        let (RecordQuery::FailedOnDay(day) | RecordQuery::Day(day)) = query else {
            panic!("only days are listed")
        };
        let phase = matches!(query, RecordQuery::FailedOnDay(_)).then_some("failed");
        let records = self.records.lock().unwrap();
        let mut fits = records.values().filter(|r| {
            phase.is_none_or(|phase| r.keys.phase == phase)
                && r.keys.day == *day
                && after.is_none_or(|after| r.id.as_str() > after)
        });
        let page: Vec<StoredRecord> = fits.by_ref().take(2).cloned().collect();
        let next = page
            .last()
            .map(|r| r.id.to_string())
            .filter(|_| fits.next().is_some());
        Ok(Page { records: page, next })
    }

    async fn result_of(&self, _: &ResultKey) -> Result<Option<InspectionId>, PortError> {
        panic!("not used here")
    }

    async fn keep_result(&self, _: &ResultKey, _: &InspectionId, _: Timestamp) -> Result<(), PortError> {
        panic!("not used here")
    }

    async fn put_heartbeat(&self, _: &Heartbeat) -> Result<(), PortError> {
        panic!("not used here")
    }

    async fn heartbeats(&self, _: Timestamp) -> Result<Vec<Heartbeat>, PortError> {
        panic!("not used here")
    }
}

#[async_trait]
impl Queue for Stack {
    async fn send(&self, messages: Vec<OutMessage>) -> Result<Vec<Result<(), PortError>>, PortError> {
        assert!(messages.len() <= 10, "SQS takes ten");
        if self.refuses_messages {
            let refused = |_| Err(PortError::new(AT, PortErrorKind::Denied, "no"));
            return Ok(messages.into_iter().map(refused).collect());
        }
        for message in &messages {
            self.order
                .lock()
                .unwrap()
                .push(format!("send {}", asked(message).id));
        }
        let answers = messages.iter().map(|_| Ok(())).collect();
        self.sent.lock().unwrap().extend(messages);
        Ok(answers)
    }
    async fn receive(&self, _: usize, _: Duration, _: Duration) -> Result<Vec<Delivery>, PortError> {
        panic!("nothing is received")
    }
    async fn extend(&self, _: &Receipt, _: Duration) -> Result<LeaseOutcome, PortError> {
        panic!("nothing is extended")
    }
    async fn release(&self, _: &Receipt, _: Duration) -> Result<LeaseOutcome, PortError> {
        panic!("nothing is released")
    }
    async fn ack(&self, _: &[Receipt]) -> Result<Vec<Result<AckOutcome, PortError>>, PortError> {
        panic!("nothing is acknowledged")
    }
    async fn depth(&self) -> Result<Depth, PortError> {
        panic!("not used here")
    }
}

fn asked(message: &OutMessage) -> InspectionRequest {
    match parse_intake(&message.body, &message.attributes).unwrap().pop() {
        Some(Intake::Inspect(request)) => request,
        other => panic!("no request: {other:?}"),
    }
}

fn file(name: &str) -> InspectionRequest {
    InspectionRequest::of(
        InspectionId::new(name).unwrap(),
        PhotoRef::File(format!("/{name}.jpg")),
    )
}

fn fail(code: FailureCode) -> Option<Event> {
    Some(Event::Fail {
        code,
        detail: "it did".to_owned(),
    })
}

impl Stack {
    fn add(&self, request: InspectionRequest, event: Option<Event>, bundle: &str) {
        let mut inspection = Inspection::accepted(request, Timestamp(1_795_305_600_000));
        if let Some(event) = event {
            let advanced = inspection.advance(&event, Timestamp(1_795_305_700_000)).unwrap();
            inspection = advanced.unwrap();
        }
        if matches!(inspection.phase, Phase::Failed { .. }) {
            inspection.history.failed_with = Some(BundleId {
                name: bundle.to_owned(),
                version: "1".to_owned(),
            });
        }
        let record = StoredRecord {
            id: inspection.request.id.clone(),
            version: 1,
            updated_at: Timestamp(0),
            keys: IndexKeys {
                phase: inspection.phase.as_str().to_owned(),
                day: DAY.to_owned(),
                ..IndexKeys::default()
            },
            body: record_body(&inspection),
        };
        self.records.lock().unwrap().insert(record.id.to_string(), record);
    }

    fn phase(&self, id: &str) -> String {
        let body = self.records.lock().unwrap()[id].body.clone();
        parse_record(&body).unwrap().phase.as_str().to_owned()
    }
}

const ALL: ReopenPass = ReopenPass {
    limit: 1000,
    dry_run: false,
    purpose: Purpose::Retry,
    url: None,
};

fn failed(code: Option<FailureCode>, bundle: Option<&str>) -> Which {
    Which::Failed {
        days: vec![DAY.to_owned()],
        code,
        bundle: bundle.map(str::to_owned),
    }
}

fn ids(names: &[&str]) -> Which {
    Which::Ids(names.iter().map(|n| InspectionId::new(*n).unwrap()).collect())
}

/// What became of each inspection, in order, and the summary.
async fn run(
    stack: Stack,
    which: &Which,
    pass: &ReopenPass,
) -> (Arc<Stack>, Vec<(String, Reopened)>, ReopenSummary) {
    let stack = Arc::new(stack);
    let (results, summary) = again(&stack, which, pass).await;
    (stack, results, summary)
}

async fn again(
    stack: &Arc<Stack>,
    which: &Which,
    pass: &ReopenPass,
) -> (Vec<(String, Reopened)>, ReopenSummary) {
    let records: Arc<dyn Records> = stack.clone();
    let reopener = Reopener {
        store: InspectionStore::new(records.clone()),
        records,
        blobs: stack.clone(),
        intake: stack.clone(),
        clock: Arc::new(SharedClock(stack.clone())),
    };
    let mut results = Vec::new();
    let summary = reopener
        .run(which, pass, &mut |one| {
            results.push((one.id.to_string(), one.what));
            Ok(())
        })
        .await
        .unwrap();
    (results, summary)
}

/// The stack's clock: its writes take time.
struct SharedClock(Arc<Stack>);

#[async_trait]
impl walkaround_ports::Clock for SharedClock {
    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }
    fn ticks(&self) -> Duration {
        self.0.clock.ticks()
    }
    async fn sleep(&self, _: Duration) {
        panic!("not used here")
    }
}

#[tokio::test]
async fn failed_ones_are_chosen_by_code_bundle_and_id() {
    let cases: [(Which, &[&str]); 6] = [
        (failed(None, None), &["a", "b", "c"]),
        (failed(Some(FailureCode::EngineFailed), None), &["a", "c"]),
        (failed(None, Some("new")), &["c"]),
        (failed(Some(FailureCode::PhotoUnreachable), Some("new")), &[]),
        (ids(&["b"]), &["b"]),
        (ids(&["c", "a"]), &["c", "a"]),
    ];
    for (which, expected) in cases {
        let stack = Stack::default();
        stack.add(file("a"), fail(FailureCode::EngineFailed), "old");
        stack.add(file("b"), fail(FailureCode::PhotoUnreachable), "old");
        stack.add(file("c"), fail(FailureCode::EngineFailed), "new");
        stack.add(file("open"), None, "");
        let (stack, results, summary) = run(stack, &which, &ALL).await;
        let opened: Vec<&str> = results.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(opened, expected, "{which:?}");
        assert!(results.iter().all(|(_, what)| *what == Reopened::Yes));
        assert_eq!(
            (
                summary.opened,
                summary.left.values().sum::<usize>(),
                summary.errors
            ),
            (expected.len(), 0, 0)
        );
        let sent: Vec<String> = stack
            .sent
            .lock()
            .unwrap()
            .iter()
            .map(|m| asked(m).id.to_string())
            .collect();
        assert_eq!(sent, expected);
        for id in ["a", "b", "c"] {
            let phase = if expected.contains(&id) {
                "accepted"
            } else {
                "failed"
            };
            assert_eq!(stack.phase(id), phase, "{id} of {which:?}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_retried_is_said_with_its_reason() {
    let stack = Stack::default();
    let signed = PhotoRef::Url("https://cdn/a.jpg?signature=1".to_owned());
    let plain = PhotoRef::Url("https://cdn/b.jpg".to_owned());
    let done = Event::Complete {
        verdict: Verdict::Clean,
    };
    stack.add(file("done"), Some(done), "");
    stack.add(file("open"), None, "");
    let given = InspectionId::new("given").unwrap();
    stack.add(
        InspectionRequest::of(given, signed.clone()),
        fail(FailureCode::PhotoForbidden),
        "",
    );
    let bare = derived_id(&plain);
    stack.add(
        InspectionRequest::of(bare.clone(), plain),
        fail(FailureCode::PhotoUnreachable),
        "",
    );
    let which = ids(&["done", "open", "given", bare.as_str(), "unknown"]);
    let (stack, results, summary) = run(stack, &which, &ALL).await;
    let said: BTreeMap<String, Reopened> = results.into_iter().collect();
    assert_eq!(said["done"], Reopened::NotFailed("done"));
    assert_eq!(said["open"], Reopened::NotFailed("accepted"));
    assert_eq!(said["unknown"], Reopened::Unknown);
    assert_eq!(said[bare.as_str()], Reopened::Yes, "its URL had no query");
    assert!(
        matches!(&said["given"], Reopened::Cannot(Obstacle::SignedUrl)),
        "{said:?}"
    );
    let left = BTreeMap::from([
        (LeftWhy::NotFailed, 2),
        (LeftWhy::Unknown, 1),
        (LeftWhy::SignedUrl, 1),
    ]);
    assert_eq!((summary.opened, summary.left), (1, left));
    assert_eq!(stack.phase("given"), "failed");
    // Given again, it goes as it is given, and only if it is of that photo.
    for (url, opened) in [
        ("https://cdn/other.jpg?signature=2", 0),
        ("https://cdn/a.jpg?signature=2", 1),
    ] {
        let pass = ReopenPass {
            url: Some(url.to_owned()),
            ..ALL
        };
        let (_, summary) = again(&stack, &ids(&["given"]), &pass).await;
        assert_eq!(summary.opened, opened, "{url}");
    }
    let last = stack.sent.lock().unwrap().last().map(asked).unwrap();
    assert_eq!(
        last.photo,
        PhotoRef::Url("https://cdn/a.jpg?signature=2".to_owned())
    );
    let body = stack.records.lock().unwrap()["given"].body.clone();
    assert!(!body.contains("signature"), "records have no query");
}

#[tokio::test]
async fn a_pass_is_bounded_and_the_next_goes_on() {
    let stack = Stack::default();
    for n in 0..25 {
        stack.add(file(&format!("i-{n:02}")), fail(FailureCode::EngineFailed), "");
    }
    let pass = ReopenPass { limit: 12, ..ALL };
    let dry = ReopenPass {
        dry_run: true,
        ..pass.clone()
    };
    let (stack, results, summary) = run(stack, &failed(None, None), &dry).await;
    assert_eq!((results.len(), summary.opened, summary.more), (12, 12, true));
    assert!(
        stack.order.lock().unwrap().is_empty(),
        "a dry run writes and sends nothing"
    );
    for (opened, more) in [(12, true), (12, true), (1, false), (0, false)] {
        let (_, summary) = again(&stack, &failed(None, None), &pass).await;
        assert_eq!((summary.opened, summary.more), (opened, more));
    }
    assert_eq!(stack.sent.lock().unwrap().len(), 25, "each once");
}

#[tokio::test]
async fn the_message_goes_first_and_delayed_so_that_a_crash_between_loses_nothing() {
    let stack = Stack::default();
    stack.add(file("a"), fail(FailureCode::EngineFailed), "");
    let (stack, ..) = run(stack, &ids(&["a"]), &ALL).await;
    assert_eq!(*stack.order.lock().unwrap(), ["send a", "open a"]);
    assert!(stack.sent.lock().unwrap()[0].delay >= Duration::from_secs(5));

    // A queue that takes nothing: the inspection stays failed, and is found again.
    let stack = Stack {
        refuses_messages: true,
        ..Stack::default()
    };
    stack.add(file("a"), fail(FailureCode::EngineFailed), "");
    let (stack, results, summary) = run(stack, &ids(&["a"]), &ALL).await;
    assert!(matches!(&results[0].1, Reopened::Error(_)));
    assert_eq!((summary.errors, stack.phase("a").as_str()), (1, "failed"));

    // Opened so late that its message may have found it failed: sent once more.
    let stack = Stack {
        write_takes: Duration::from_secs(20),
        ..Stack::default()
    };
    stack.add(file("a"), fail(FailureCode::EngineFailed), "");
    let (stack, ..) = run(stack, &ids(&["a"]), &ALL).await;
    assert_eq!(*stack.order.lock().unwrap(), ["send a", "open a", "send a"]);
}
