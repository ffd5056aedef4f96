//! Tasks: put, claimed, given back, done.

use super::under_test::{NOW, ReviewsUnderTest, id, reviewer, task};
use crate::suite::{Broken, Outcome, ensure};
use std::sync::Arc;
use std::time::Duration;
use walkaround_domain::review::{AfterReview, IfDone, TaskEvent, TaskRefusal};
use walkaround_domain::{ReviewTask, Reviewer, TaskReason, TaskState, Timestamp};
use walkaround_ports::{StepOutcome, TaskPut};

const LEASE: Duration = Duration::from_secs(300);

fn claim(by: &Reviewer, now: Timestamp) -> TaskEvent {
    TaskEvent::Claim {
        by: by.clone(),
        until: now + LEASE,
    }
}

fn done(revision: u32) -> TaskEvent {
    TaskEvent::Reviewed {
        revision,
        then: AfterReview::Done,
    }
}

/// Makes a step that has to succeed.
async fn step(
    t: &ReviewsUnderTest,
    name: &str,
    event: &TaskEvent,
    now: Timestamp,
) -> Result<ReviewTask, Broken> {
    match t.reviews.step_task(&id(name)?, event, now).await? {
        StepOutcome::Stepped(task) => Ok(task),
        other => Err(Broken(format!("{event:?}: {other:?}"))),
    }
}

pub(super) async fn a_task_reads_back_whole(t: ReviewsUnderTest) -> Outcome {
    let none = t.reviews.task(&id("i-1")?).await?;
    ensure!(none.is_none(), "before any task: {none:?}");
    let mut next = task("i-1", TaskReason::NearThreshold)?;
    next.also.insert(TaskReason::Audit);
    next.inclusion = 0.013;
    next.round = 2;
    next.reviewed = 3;
    next.escalated_by = Some(reviewer("김민수")?);
    next.vehicle_id = Some("B-MW 1234/ü".to_owned());
    next.classes = ["dent", "scratch"].map(str::to_owned).into();
    let put = t.reviews.put_task(&next, IfDone::Keep, NOW).await?;
    ensure!(put == TaskPut::Created, "put: {put:?}");
    let read = t.reviews.task(&next.inspection).await?;
    ensure!(read.as_ref() == Some(&next), "read: {read:?}");
    let bob = reviewer("bob")?;
    let claimed = step(&t, "i-1", &claim(&bob, NOW), NOW).await?;
    let state = TaskState::Claimed {
        by: bob,
        until: NOW + LEASE,
    };
    ensure!(
        claimed
            == ReviewTask {
                state,
                ..next.clone()
            },
        "claimed: {claimed:?}"
    );
    let read = t.reviews.task(&next.inspection).await?;
    ensure!(read.as_ref() == Some(&claimed), "read: {read:?}");
    Ok(())
}

pub(super) async fn a_task_put_again_is_unchanged(t: ReviewsUnderTest) -> Outcome {
    let audit = task("i-1", TaskReason::Audit)?;
    t.reviews.put_task(&audit, IfDone::Keep, NOW).await?;
    let later = ReviewTask {
        created_at: NOW + LEASE,
        ..audit.clone()
    };
    let put = t.reviews.put_task(&later, IfDone::Keep, NOW + LEASE).await?;
    ensure!(put == TaskPut::Unchanged(audit.clone()), "again: {put:?}");
    let asked = task("i-1", TaskReason::Asked)?;
    let put = t.reviews.put_task(&asked, IfDone::Keep, NOW).await?;
    let TaskPut::Merged(merged) = put else {
        return Err(Broken(format!("another reason: {put:?}")));
    };
    let reasons: Vec<TaskReason> = merged.reasons().collect();
    ensure!(
        reasons == [TaskReason::Asked, TaskReason::Audit],
        "reasons: {reasons:?}"
    );
    let read = t.reviews.task(&audit.inspection).await?;
    ensure!(read == Some(merged), "read: {read:?}");
    Ok(())
}

pub(super) async fn a_done_task_opens_only_when_asked(t: ReviewsUnderTest) -> Outcome {
    let audit = task("i-1", TaskReason::Audit)?;
    t.reviews.put_task(&audit, IfDone::Keep, NOW).await?;
    let finished = step(&t, "i-1", &done(1), NOW).await?;
    ensure!(
        finished.state == TaskState::Done && finished.reviewed == 1,
        "done: {finished:?}"
    );
    let again = step(&t, "i-1", &done(1), NOW).await?;
    ensure!(again == finished, "twice: {again:?}");
    let put = t.reviews.put_task(&audit, IfDone::Keep, NOW).await?;
    ensure!(put == TaskPut::Unchanged(finished), "settled again: {put:?}");
    let refused = t
        .reviews
        .step_task(&audit.inspection, &claim(&reviewer("ann")?, NOW), NOW)
        .await?;
    ensure!(
        refused == StepOutcome::Refused(TaskRefusal::Done),
        "claim: {refused:?}"
    );
    let put = t
        .reviews
        .put_task(&task("i-1", TaskReason::Asked)?, IfDone::Reopen, NOW)
        .await?;
    let opened = matches!(&put, TaskPut::Merged(task) if task.state == TaskState::Open);
    ensure!(opened, "asked for: {put:?}");
    Ok(())
}

pub(super) async fn twenty_puts_leave_one_task(t: ReviewsUnderTest) -> Outcome {
    let mut puts = Vec::new();
    for number in 0..20 {
        let reviews = Arc::clone(&t.reviews);
        let next = task("i-1", TaskReason::ALL[number % TaskReason::ALL.len()])?;
        puts.push(tokio::spawn(async move {
            reviews.put_task(&next, IfDone::Keep, NOW).await
        }));
    }
    let mut created = 0;
    for put in puts {
        created += usize::from(put.await?? == TaskPut::Created);
    }
    ensure!(created == 1, "{created} of 20 created it");
    let stored = t.reviews.task(&id("i-1")?).await?;
    let reasons: Vec<TaskReason> = stored.iter().flat_map(ReviewTask::reasons).collect();
    ensure!(reasons == TaskReason::ALL, "a reason is lost: {reasons:?}");
    Ok(())
}

pub(super) async fn the_second_claimer_is_told_who_has_it(t: ReviewsUnderTest) -> Outcome {
    t.reviews
        .put_task(&task("i-1", TaskReason::Audit)?, IfDone::Keep, NOW)
        .await?;
    let (ann, bob) = (reviewer("ann")?, reviewer("bob")?);
    step(&t, "i-1", &claim(&ann, NOW), NOW).await?;
    let held = StepOutcome::Refused(TaskRefusal::HeldBy {
        by: ann.clone(),
        until: NOW + LEASE,
    });
    let i = id("i-1")?;
    let (release, extend) = (
        TaskEvent::Release { by: bob.clone() },
        TaskEvent::Extend {
            by: bob.clone(),
            until: NOW + LEASE * 2,
        },
    );
    for event in [claim(&bob, NOW), release, extend] {
        let refused = t.reviews.step_task(&i, &event, NOW).await?;
        ensure!(refused == held, "{event:?}: {refused:?}");
    }
    let longer = TaskEvent::Extend {
        by: ann.clone(),
        until: NOW + LEASE * 2,
    };
    step(&t, "i-1", &longer, NOW).await?;
    let refused = t.reviews.step_task(&i, &claim(&bob, NOW), NOW + LEASE).await?;
    ensure!(
        matches!(refused, StepOutcome::Refused(_)),
        "extended: {refused:?}"
    );
    step(&t, "i-1", &TaskEvent::Release { by: ann }, NOW).await?;
    step(&t, "i-1", &claim(&bob, NOW), NOW).await?;
    Ok(())
}

pub(super) async fn a_claim_ends(t: ReviewsUnderTest) -> Outcome {
    t.reviews
        .put_task(&task("i-1", TaskReason::Audit)?, IfDone::Keep, NOW)
        .await?;
    let (ann, bob) = (reviewer("ann")?, reviewer("bob")?);
    step(&t, "i-1", &claim(&ann, NOW), NOW).await?;
    let later = NOW + LEASE;
    let claimed = step(&t, "i-1", &claim(&bob, later), later).await?;
    let holder = matches!(&claimed.state, TaskState::Claimed { by, .. } if *by == bob);
    ensure!(holder, "after its end: {claimed:?}");
    Ok(())
}

pub(super) async fn steps_without_a_task_are_missing(t: ReviewsUnderTest) -> Outcome {
    let ann = reviewer("ann")?;
    for event in [
        claim(&ann, NOW),
        TaskEvent::Release { by: ann },
        done(1),
        TaskEvent::Close,
    ] {
        let outcome = t.reviews.step_task(&id("i-1")?, &event, NOW).await?;
        ensure!(outcome == StepOutcome::Missing, "{event:?}: {outcome:?}");
    }
    let none = t.reviews.task(&id("i-1")?).await?;
    ensure!(none.is_none(), "one was made: {none:?}");
    Ok(())
}

pub(super) async fn twenty_claimers_have_one_winner(t: ReviewsUnderTest) -> Outcome {
    t.reviews
        .put_task(&task("i-1", TaskReason::Audit)?, IfDone::Keep, NOW)
        .await?;
    let mut claimers = Vec::new();
    for number in 0..20 {
        let (reviews, inspection) = (Arc::clone(&t.reviews), id("i-1")?);
        let by = reviewer(&format!("reviewer {number}"))?;
        claimers.push(tokio::spawn(async move {
            Ok::<_, Broken>((
                by.clone(),
                reviews.step_task(&inspection, &claim(&by, NOW), NOW).await?,
            ))
        }));
    }
    let (mut winners, mut holders) = (Vec::new(), Vec::new());
    for one in claimers {
        match one.await?? {
            (by, StepOutcome::Stepped(_)) => winners.push(by),
            (_, StepOutcome::Refused(TaskRefusal::HeldBy { by, .. })) => holders.push(by),
            (by, other) => return Err(Broken(format!("{by}: {other:?}"))),
        }
    }
    ensure!(winners.len() == 1, "winners: {winners:?}");
    ensure!(
        holders.iter().all(|by| *by == winners[0]),
        "the others saw {holders:?}"
    );
    Ok(())
}
