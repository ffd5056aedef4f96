//! Locks and state documents, on an emulator with clocks that are set; the text of a secret.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

mod common;

use common::{MOTO_RACES, aws};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use walkaround_aws::{
    Acquired, Aws, DynamoState, FleetLock, PutIfAbsent, Released, create_table, secret_text,
};
use walkaround_conformance::{Capabilities, ManualClock, ManualTime, StateUnderTest, state_suite};
use walkaround_emulators::{Ministack, Moto};
use walkaround_ports::{Clock, PortErrorKind, STATE_BYTES_MAX, StateStore};

const TABLE: &str = "walkaround";
static NUMBER: AtomicU32 = AtomicU32::new(0);
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_ministack() {
    let ministack = Ministack::start();
    let aws = aws(ministack.endpoint()).await;
    create_table(&aws.dynamodb, TABLE).await.unwrap();
    of_twenty_contenders_one_holds_the_lock(&aws).await;
    cases(&aws).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_moto() {
    let moto = Moto::start();
    let aws = aws(moto.endpoint()).await;
    println!("skipped of_twenty_contenders_one_holds_the_lock: {MOTO_RACES}");
    create_table(&aws.dynamodb, TABLE).await.unwrap();
    cases(&aws).await;
}

/// The port's cases, each in a table of its own.
#[expect(clippy::print_stdout, reason = "what was skipped, and why, is shown")]
async fn state_port(aws: &Aws) {
    let make = || async {
        let clock = Arc::new(ManualClock::new());
        let table = format!("states-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        create_table(&aws.dynamodb, &table).await.unwrap();
        StateUnderTest {
            state: Arc::new(DynamoState::new(aws.dynamodb.clone(), table, clock.clone())),
            time: Arc::new(ManualTime(clock)),
            keep: Box::new(()),
        }
    };
    println!("{}", state_suite(make, &Capabilities::all()).await.require());
}

async fn cases(aws: &Aws) {
    state_port(aws).await;
    an_expired_lock_lets_the_next_in(aws).await;
    a_release_lets_the_next_in(aws).await;
    a_lock_has_its_bounds(aws).await;
    the_first_of_a_cause_is_created(aws).await;
    the_last_writer_of_a_document_stands(aws).await;
    a_document_has_its_bounds(aws).await;
    a_secret_is_read_and_never_told(aws).await;
}

fn lock(aws: &Aws, clock: &Arc<ManualClock>) -> FleetLock {
    FleetLock::new(aws.dynamodb.clone(), TABLE, clock.clone())
}

fn state(aws: &Aws, clock: &Arc<ManualClock>) -> DynamoState {
    DynamoState::new(aws.dynamodb.clone(), TABLE, clock.clone())
}

async fn of_twenty_contenders_one_holds_the_lock(aws: &Aws) {
    let clock = Arc::new(ManualClock::new());
    let contenders: Vec<_> = (0..20)
        .map(|number| {
            let lock = lock(aws, &clock);
            // Two scalers may well go by the same name.
            let owner = format!("scaler-{}", number % 2);
            tokio::spawn(async move { lock.acquire("race", &owner, MINUTE).await.unwrap() })
        })
        .collect();
    let (mut held, mut taken) = (0, 0);
    for contender in contenders {
        match contender.await.unwrap() {
            Acquired::Held(hold) => {
                assert_eq!(hold.until, clock.now() + MINUTE);
                held += 1;
            }
            Acquired::Taken { until, owner } => {
                assert_eq!(until, clock.now() + MINUTE);
                assert!(owner.starts_with("scaler-"), "{owner}");
                taken += 1;
            }
        }
    }
    assert_eq!((held, taken), (1, 19));
}

async fn an_expired_lock_lets_the_next_in(aws: &Aws) {
    let clock = Arc::new(ManualClock::new());
    let lock = lock(aws, &clock);
    let Acquired::Held(first) = lock.acquire("expiry", "a", MINUTE).await.unwrap() else {
        panic!("a free lock was taken");
    };
    clock.advance(MINUTE - Duration::from_millis(1));
    let early = lock.acquire("expiry", "b", MINUTE).await.unwrap();
    assert!(matches!(early, Acquired::Taken { until, .. } if until == first.until));
    clock.advance(Duration::from_millis(1));
    let Acquired::Held(second) = lock.acquire("expiry", "b", MINUTE).await.unwrap() else {
        panic!("the deadline did not free the lock");
    };
    // The first holder comes back late: it must not free what is the second's.
    assert_eq!(lock.release(&first).await.unwrap(), Released::Lost);
    let third = lock.acquire("expiry", "c", MINUTE).await.unwrap();
    assert!(matches!(third, Acquired::Taken { owner, .. } if owner == "b"));
    assert_eq!(lock.release(&second).await.unwrap(), Released::Freed);
}

async fn a_release_lets_the_next_in(aws: &Aws) {
    let clock = Arc::new(ManualClock::new());
    let lock = lock(aws, &clock);
    let Acquired::Held(hold) = lock.acquire("release", "a", MINUTE).await.unwrap() else {
        panic!("a free lock was taken");
    };
    assert_eq!(lock.release(&hold).await.unwrap(), Released::Freed);
    assert_eq!(lock.release(&hold).await.unwrap(), Released::Lost);
    let next = lock.acquire("release", "b", MINUTE).await.unwrap();
    assert!(matches!(next, Acquired::Held(_)), "{next:?}");
    let other = lock.acquire("another", "c", MINUTE).await.unwrap();
    assert!(matches!(other, Acquired::Held(_)), "{other:?}");
}

async fn a_lock_has_its_bounds(aws: &Aws) {
    let lock = lock(aws, &Arc::new(ManualClock::new()));
    for hold_for in [Duration::ZERO, MINUTE * 16] {
        let error = lock.acquire("bounds", "a", hold_for).await.unwrap_err();
        assert_eq!(error.kind, PortErrorKind::Invalid);
    }
}

async fn the_first_of_a_cause_is_created(aws: &Aws) {
    let clock = Arc::new(ManualClock::new());
    let state = state(aws, &clock);
    let put = |body: &'static str| state.put_if_absent("cause/1", body, MINUTE);
    assert_eq!(put("first").await.unwrap(), PutIfAbsent::Created);
    assert_eq!(
        put("second").await.unwrap(),
        PutIfAbsent::Exists("first".to_owned())
    );
    clock.advance(MINUTE);
    // The item is still there: DynamoDB takes days to remove it.
    assert_eq!(state.read("cause/1").await.unwrap(), None);
    assert_eq!(put("third").await.unwrap(), PutIfAbsent::Created);
    assert_eq!(state.read("cause/1").await.unwrap().as_deref(), Some("third"));
    assert_eq!(state.read("cause/2").await.unwrap(), None);
}

async fn the_last_writer_of_a_document_stands(aws: &Aws) {
    let clock = Arc::new(ManualClock::new());
    let state = state(aws, &clock);
    state.write("needs", "[1]", MINUTE).await.unwrap();
    clock.advance(MINUTE / 2);
    state.write("needs", "[1,2]", MINUTE).await.unwrap();
    clock.advance(MINUTE / 2);
    assert_eq!(state.read("needs").await.unwrap().as_deref(), Some("[1,2]"));
    clock.advance(MINUTE / 2);
    assert_eq!(state.read("needs").await.unwrap(), None);
}

async fn a_document_has_its_bounds(aws: &Aws) {
    let state = state(aws, &Arc::new(ManualClock::new()));
    let long = "x".repeat(STATE_BYTES_MAX + 1);
    let error = state.write("long", &long, MINUTE).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "state.write: state long: 102401 bytes, at most 102400"
    );
}

async fn a_secret_is_read_and_never_told(aws: &Aws) {
    let secret = |name: &str| aws.secrets.create_secret().name(name);
    let text = "https://hooks.example/T0/B0/do-not-tell";
    secret("hook").secret_string(text).send().await.unwrap();
    assert_eq!(secret_text(&aws.secrets, "hook").await.unwrap(), text);
    let bytes = aws_sdk_dynamodb::primitives::Blob::new(text);
    secret("bytes").secret_binary(bytes).send().await.unwrap();
    let error = secret_text(&aws.secrets, "bytes").await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Invalid);
    assert!(!format!("{error:?} {error}").contains("do-not-tell"), "{error:?}");
    let error = secret_text(&aws.secrets, "none").await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::NotFound);
    assert!(
        error.to_string().starts_with("secrets.read: secret none: "),
        "{error}"
    );
}
