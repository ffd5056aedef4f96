//! Properties of the inspection's state machine, for any sequence of events.

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
