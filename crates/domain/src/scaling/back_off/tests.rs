//! Cases of the back-off, and a scaler that ticks for hours over workers that die.

use super::*;

const T0: Timestamp = Timestamp(1_795_305_600_000);
const MINUTE: Duration = Duration::from_secs(60);

fn ends(end: WorkerEnd, count: u64) -> Vec<EndedWorker> {
    let at = |n: u64| T0 - Duration::from_secs(n);
    (0..count).map(|n| EndedWorker { at: at(n), end }).collect()
}

fn judge(ended: &[EndedWorker], ready: &[ReadyWorker]) -> Option<BackOff> {
    back_off(None, ended, ready, T0, &BackOffPolicy::default())
}

#[test]
fn an_exit_code_that_no_worker_can_pass_holds_starts_back_at_once() {
    let b = judge(&ends(WorkerEnd::CannotStart, 1), &[]).unwrap();
    assert_eq!((b.failures, b.until), (1, T0 + 2 * MINUTE));
    assert_eq!(starts_allowed(Some(&b), 14, 0, T0), 0);
    assert_eq!(starts_allowed(Some(&b), 14, 0, b.until), 1, "one probe");
    assert_eq!(
        starts_allowed(Some(&b), 14, 1, b.until),
        0,
        "and no second beside it"
    );
    assert_eq!(starts_allowed(None, 14, 3, T0), 14);
}

#[test]
fn ends_without_an_exit_code_count_when_there_are_several_and_expected_ones_never() {
    assert_eq!(judge(&ends(WorkerEnd::NeverReady, 2), &[]), None);
    assert!(judge(&ends(WorkerEnd::NeverReady, 3), &[]).is_some());
    assert_eq!(judge(&ends(WorkerEnd::Expected, 50), &[]), None);
    assert_eq!(judge(&ends(WorkerEnd::Other, 50), &[]), None);
}

#[test]
fn sick_engines_count_when_most_workers_end_so() {
    let mut some = ends(WorkerEnd::SickEngine, 2);
    assert!(judge(&some, &[]).is_some());
    let idle = ReadyWorker {
        ready_at: T0,
        has_worked: false,
    };
    assert!(
        judge(&some, &[idle]).is_some(),
        "a faulty worker has heartbeats, too"
    );
    let works = ReadyWorker {
        ready_at: T0 - MINUTE * 60,
        has_worked: true,
    };
    assert_eq!(judge(&some, &[works; 4]), None, "two of six");
    some.extend(ends(WorkerEnd::Expected, 3));
    assert_eq!(judge(&some, &[]), None, "two of five");
}

#[test]
fn a_worker_that_gets_ready_after_the_last_bad_end_ends_the_back_off_and_an_old_one_does_not() {
    let policy = BackOffPolicy::default();
    let bad = ends(WorkerEnd::CannotStart, 1);
    let b = judge(&bad, &[]).unwrap();
    let worker = |ready_at| ReadyWorker {
        ready_at,
        has_worked: true,
    };
    let later = T0 + 3 * MINUTE;
    assert_eq!(
        back_off(Some(&b), &bad, &[worker(T0 + MINUTE)], later, &policy),
        None
    );
    // One bad machine beside thirteen good ones: starts stay held back.
    let kept = back_off(Some(&b), &bad, &[worker(T0 - MINUTE); 13], later, &policy);
    assert_eq!(kept, Some(b));
    let old = T0 + 2 * MINUTE + Duration::from_secs(3601);
    assert_eq!(
        back_off(Some(&b), &[], &[], old, &policy),
        None,
        "forgotten after an hour"
    );
}

#[test]
fn a_clock_that_was_ahead_holds_starts_back_no_longer_than_the_bound() {
    let policy = BackOffPolicy::default();
    let ahead = T0 + Duration::from_secs(3600);
    let b = BackOff {
        failures: 3,
        last_end: ahead,
        until: ahead + 8 * MINUTE,
    };
    let b = back_off(Some(&b), &[], &[], T0, &policy).unwrap();
    assert!(b.until <= T0 + policy.most, "{b:?}");
}

/// Ticks of two seconds, 14 workers wanted, each dies five seconds after its start: the starts of six hours.
#[test]
fn workers_that_die_at_start_are_started_a_few_times_an_hour_not_twenty_times_in_forty_seconds() {
    let policy = BackOffPolicy::default();
    let (mut state, mut starts, mut running, mut ended) = (None, Vec::new(), Vec::new(), Vec::new());
    for second in (0..6 * 3600).step_by(2) {
        let now = T0 + Duration::from_secs(second);
        running.retain(|started: &Timestamp| {
            let dead = now.since(*started) >= Duration::from_secs(5);
            if dead {
                ended.push(EndedWorker {
                    at: now,
                    end: WorkerEnd::CannotStart,
                });
            }
            !dead
        });
        state = back_off(state.as_ref(), &ended, &[], now, &policy);
        let not_ready = u32::try_from(running.len()).unwrap();
        let missing = 14 - not_ready;
        for _ in 0..starts_allowed(state.as_ref(), missing, not_ready, now) {
            running.push(now);
            starts.push(now.since(T0));
        }
    }
    let within = |until: Duration| starts.iter().filter(|at| **at <= until).count();
    assert_eq!(within(MINUTE), 14, "the first volley alone");
    assert!(within(MINUTE * 60) <= 14 + 6, "{}", within(MINUTE * 60));
    assert!((30..=14 + 28).contains(&starts.len()), "{}", starts.len());
}
