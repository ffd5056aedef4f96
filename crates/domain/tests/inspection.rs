//! Properties of the inspection's state machine, for any sequence of events.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

use proptest::prelude::*;
use walkaround_domain::{Event, FailureCode, Lane, Phase, Step, Verdict};

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        prop_oneof![Just(Lane::Inline), Just(Lane::Gpu)].prop_map(|lane| Event::Route {
            lane,
            reason: "because".into()
        }),
        prop_oneof![
            Just(Verdict::Clean),
            Just(Verdict::Damaged),
            Just(Verdict::Unusable)
        ]
        .prop_map(|verdict| Event::Complete { verdict }),
        prop_oneof![Just(FailureCode::PhotoNotFound), Just(FailureCode::EngineFailed)].prop_map(|code| {
            Event::Fail {
                code,
                detail: "gone".into(),
            }
        }),
    ]
}

fn apply(phase: &mut Phase, event: &Event) -> bool {
    match phase.step(event) {
        Ok(Step::Advance(next)) => {
            *phase = next;
            true
        }
        Ok(Step::AlreadyApplied) | Err(_) => false,
    }
}

proptest! {
    #[test]
    fn a_final_phase_never_changes(events in prop::collection::vec(event(), 0..30)) {
        let mut phase = Phase::Accepted;
        let mut settled: Option<Phase> = None;
        for event in &events {
            apply(&mut phase, event);
            if let Some(first) = &settled {
                prop_assert_eq!(&phase, first);
            } else if phase.is_final() {
                settled = Some(phase.clone());
            }
        }
    }

    #[test]
    fn an_event_applied_twice_is_applied_once(events in prop::collection::vec(event(), 0..30)) {
        let (mut once, mut twice) = (Phase::Accepted, Phase::Accepted);
        for event in &events {
            apply(&mut once, event);
            apply(&mut twice, event);
            prop_assert!(!apply(&mut twice, event), "{event:?} advanced twice");
        }
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn every_inspection_can_still_end(events in prop::collection::vec(event(), 0..30)) {
        let mut phase = Phase::Accepted;
        for event in &events {
            apply(&mut phase, event);
        }
        apply(&mut phase, &Event::Complete { verdict: Verdict::Clean });
        prop_assert!(phase.is_final());
    }

    #[test]
    fn only_contradictions_are_errors(events in prop::collection::vec(event(), 0..30)) {
        let mut phase = Phase::Accepted;
        for event in &events {
            if phase.step(event).is_err() {
                let contradiction = matches!(
                    (&phase, event),
                    (Phase::Done { .. }, Event::Fail { .. }) | (Phase::Failed { .. }, Event::Complete { .. })
                );
                prop_assert!(contradiction, "{phase:?} {event:?}");
            }
            apply(&mut phase, event);
        }
    }
}

#[test]
fn a_route_can_be_revised_until_the_end() {
    let mut phase = Phase::Accepted;
    let to = |lane| Event::Route {
        lane,
        reason: "r".into(),
    };
    assert!(apply(&mut phase, &to(Lane::Gpu)));
    assert!(!apply(&mut phase, &to(Lane::Gpu)));
    assert!(apply(&mut phase, &to(Lane::Inline)));
    assert!(apply(
        &mut phase,
        &Event::Complete {
            verdict: Verdict::Damaged
        }
    ));
    assert!(!apply(&mut phase, &to(Lane::Gpu)));
}

mod attempts {
    use std::collections::BTreeMap;
    use walkaround_domain::{
        Event, FailureCode, Inspection, InspectionId, InspectionRequest, Lane, Phase, PhotoRef, Timestamp,
        Verdict,
    };

    fn accepted() -> Inspection {
        let request = InspectionRequest {
            id: InspectionId::new("one").unwrap(),
            photo: PhotoRef::File("one.jpg".into()),
            content: None,
            vehicle_id: None,
            reservation_id: None,
            occasion: None,
            viewpoint: None,
            taken_at: None,
            deadline: None,
            labels: BTreeMap::new(),
        };
        Inspection::accepted(request, Timestamp(1))
    }

    fn after(inspection: &Inspection, event: &Event) -> Inspection {
        let next = inspection.advance(event, Timestamp(9)).unwrap();
        next.unwrap_or_else(|| inspection.clone())
    }

    fn attempt_failed() -> Event {
        Event::AttemptFailed {
            code: FailureCode::PhotoUnreachable,
            detail: "no answer".into(),
        }
    }

    fn fail() -> Event {
        Event::Fail {
            code: FailureCode::PhotoUnreachable,
            detail: "no answer".into(),
        }
    }

    const CLEAN: Event = Event::Complete {
        verdict: Verdict::Clean,
    };

    #[test]
    fn failures_of_the_photo_are_attempts_and_starts_and_returns_are_none() {
        let mut one = accepted();
        for _ in 0..5 {
            one = after(&one, &Event::Start { alone: false });
        }
        assert_eq!((one.attempts, one.history.unfinished_starts), (0, 5));
        one = after(&one, &Event::Start { alone: true });
        assert_eq!(one.history.unfinished_starts_alone, 1);
        one = after(&one, &Event::GiveBack);
        assert_eq!((one.attempts, one.history.unfinished_starts), (0, 0));
        one = after(&one, &attempt_failed());
        assert_eq!(one.attempts, 1);
        let last = one.history.last_failure.clone().unwrap();
        assert_eq!(
            (last.code, last.at),
            (FailureCode::PhotoUnreachable, Timestamp(9))
        );
        one = after(&one, &CLEAN);
        assert_eq!(one.attempts, 2);
        assert!(
            one.history.last_failure.is_some(),
            "what went wrong stays on the record"
        );
    }

    #[test]
    fn a_route_ends_what_was_begun() {
        let begun = after(&accepted(), &Event::Start { alone: true });
        let to_gpu = Event::Route {
            lane: Lane::Gpu,
            reason: "backlog".into(),
        };
        assert_eq!(after(&begun, &to_gpu).history.unfinished_starts_alone, 0);
    }

    #[test]
    fn giving_back_what_was_never_announced_changes_nothing() {
        assert_eq!(accepted().advance(&Event::GiveBack, Timestamp(9)), Ok(None));
    }

    #[test]
    fn a_failed_inspection_is_reopened_as_a_new_round_with_an_event_of_its_own() {
        let failed = after(&after(&accepted(), &attempt_failed()), &fail());
        assert_eq!(failed.attempts, 2);
        assert_eq!(failed.event_id().as_deref(), Some("one.failed"));
        let open = after(&failed, &Event::Reopen);
        assert_eq!(
            (&open.phase, open.attempts, open.finished_at),
            (&Phase::Accepted, 0, None)
        );
        assert_eq!((open.published_at, open.history.reopened), (None, 1));
        let before = open.history.last_failure.clone().unwrap();
        assert_eq!(
            before.code,
            FailureCode::PhotoUnreachable,
            "why the round before failed"
        );
        assert_eq!(after(&open, &fail()).event_id().as_deref(), Some("one.failed.1"));
        assert_eq!(after(&open, &CLEAN).event_id().as_deref(), Some("one.done.1"));
    }

    #[test]
    fn only_a_failed_inspection_is_reopened() {
        assert_eq!(accepted().advance(&Event::Reopen, Timestamp(9)), Ok(None));
        let done = after(&accepted(), &CLEAN);
        assert!(done.advance(&Event::Reopen, Timestamp(9)).is_err());
        for late in [attempt_failed(), Event::Start { alone: true }, Event::GiveBack] {
            assert_eq!(done.advance(&late, Timestamp(9)), Ok(None), "{late:?}");
        }
    }
}
