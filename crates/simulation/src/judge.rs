//! The promises that hold at the end of a world.

use crate::context::Context;
use crate::invariant::Invariant;
use crate::photos::{Kind, Photo};
use crate::planted_bundle::PlantedBundle;
use crate::submit::Submission;
use crate::trace::CoverageEvent;
use walkaround_domain::{FailureCode, Phase, Verdict};

/// Every photo has ended as it must.
pub(crate) fn judge(context: &Context, submissions: &[Submission], canary: Option<PlantedBundle>) {
    let whole = context.facts().all_whole();
    if let Err((invariant, detail)) = whole {
        context.violate(invariant, detail);
    }
    for submission in submissions {
        for photo in &submission.photos {
            match judge_photo(context, photo, submission) {
                // What a canary answers wrongly is its own.
                Err((Invariant::J6, _)) if canary.is_some_and(PlantedBundle::is_wrong) => {}
                Err((Invariant::J6 | Invariant::E1, detail)) if canary.is_some() => {
                    context.violate(Invariant::K1, detail);
                }
                Err((invariant, detail)) => context.violate(invariant, detail),
                Ok(()) => {}
            }
        }
        let parked = context.facts().is_parked_body(&submission.message.body);
        if submission.unreadable && !parked {
            context.violate(Invariant::J4, "an unreadable message is not parked".into());
        }
    }
}

fn judge_photo(context: &Context, photo: &Photo, submission: &Submission) -> Result<(), (Invariant, String)> {
    let facts = context.facts();
    let (id, asked) = (&photo.id, photo.asked());
    if photo.id_is_shared && facts.is_parked(id) {
        context.count(CoverageEvent::IdConflict);
        return Ok(());
    }
    let Some(inspection) = facts.answered(&asked).filter(|i| i.published_at.is_some()) else {
        return Err(match facts.final_of(id) {
            None => (Invariant::J4, format!("{id} has not ended")),
            Some(i) if i.published_at.is_none() || !facts.is_told(i) => {
                (Invariant::J5, format!("{id} is final, and nobody was told"))
            }
            Some(_) => (
                Invariant::I2,
                format!(
                    "nothing answers the request for {:?} under {id}",
                    asked.vehicle_id
                ),
            ),
        });
    };
    if photo.changes {
        if facts.judge_bytes(photo)? {
            context.count(CoverageEvent::PhotoChanged);
        }
        return Ok(());
    }
    if inspection.request.id != *id {
        context.count(CoverageEvent::OtherPurpose);
    }
    context.count(happening(&inspection.phase));
    judge_failure(photo, &inspection.phase)?;
    let expected = photo.kind.expected();
    let fits = match (&inspection.phase, expected) {
        (Phase::Done { verdict }, Ok(wanted)) => *verdict == wanted,
        (Phase::Failed { code, .. }, Err(wanted)) if *code == wanted => true,
        (Phase::Failed { code, .. }, _) if is_trouble(*code) => {
            context.count(CoverageEvent::FailedByTrouble);
            // Two attempts at a flaky photo fail by themselves; a few deliveries given back use up the rest.
            !context.plan.calm || matches!(photo.kind, Kind::Flaky | Kind::Wobbly)
        }
        _ => false,
    };
    if !fits {
        let detail = format!("{id}, {:?}, became {:?}", photo.kind, inspection.phase);
        return Err((Invariant::J6, detail));
    }
    // An unavailable store is another cause of a second inspection.
    if !context.plan.calm || context.plan.store_away.is_some() {
        return Ok(());
    }
    // A message that comes back because one of its photos was cut off in triage has the others sent once more.
    let beside = submission.photos.iter().filter(|other| other.id != *id);
    let beside: u32 = beside.map(|other| facts.cuts(&other.id, "triage")).sum();
    for (role, beside) in [("triage", 0), ("worker", beside)] {
        let (inspected, cuts) = (facts.inspected(photo.number, role), facts.cuts(id, role) + beside);
        if photo.inspections_are_counted() && inspected > 1 + cuts {
            let detail = format!("{id}: inspected {inspected} times in a {role}, cut off {cuts} times");
            return Err((Invariant::T2, detail));
        }
    }
    Ok(())
}

/// E1 and A1: what is not the photo's fault makes no photo fail.
fn judge_failure(photo: &Photo, phase: &Phase) -> Result<(), (Invariant, String)> {
    let Phase::Failed { code, detail } = phase else {
        return Ok(());
    };
    let fails = matches!(photo.kind, Kind::FailsFirst | Kind::FailsHeavy | Kind::Flaky);
    let broken = match code {
        FailureCode::EngineFailed if !fails => Invariant::E1,
        FailureCode::StoreFailed => Invariant::A1,
        _ => return Ok(()),
    };
    Err((
        broken,
        format!("{}, {:?}, failed: {detail}", photo.id, photo.kind),
    ))
}

/// Codes of trouble that used up all attempts.
fn is_trouble(code: FailureCode) -> bool {
    matches!(
        code,
        FailureCode::PhotoUnreachable | FailureCode::EngineFailed | FailureCode::ProcessDied
    )
}

fn happening(phase: &Phase) -> CoverageEvent {
    match phase {
        Phase::Done {
            verdict: Verdict::Clean,
        } => CoverageEvent::Clean,
        Phase::Done {
            verdict: Verdict::Damaged,
        } => CoverageEvent::Damaged,
        Phase::Done {
            verdict: Verdict::Unusable,
        } => CoverageEvent::Unusable,
        _ => CoverageEvent::Failed,
    }
}
