//! Appending reviews.

use super::under_test::{NOW, ReviewsUnderTest, id, review, reviewer};
use crate::suite::{Broken, Outcome, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use walkaround_domain::review::{
    AddedFinding, Correction, FindingsDecision, REVISIONS_MAX, RejectReason, UnusableReason,
};
use walkaround_domain::{Decision, Point, Polygon, Review, Timestamp};
use walkaround_ports::{AppendOutcome, PortErrorKind};

/// Tries of a reviewer before a case says that nobody gets through.
const TRIES_MAX: usize = 200;

fn square() -> Vec<Polygon> {
    let ring = |a: f32, b: f32| [(a, a), (b, a), (b, b)].map(|(x, y)| Point { x, y }).to_vec();
    vec![Polygon {
        outer: ring(0.1, 400.7),
        holes: vec![ring(10.0, 20.25)],
    }]
}

pub(super) async fn reviews_read_back_whole(t: ReviewsUnderTest) -> Outcome {
    let none = t.reviews.history(&id("i-1")?).await?;
    ensure!(none.is_empty(), "before any review: {none:?}");
    let corrections = Decision::Findings(FindingsDecision {
        findings: BTreeMap::from([
            (0, Correction::Accept),
            (1, Correction::Reject(RejectReason::PartOfCar)),
            (2, Correction::Reclassify("dent".to_owned())),
            (12, Correction::Reshape(square())),
        ]),
        added: vec![AddedFinding {
            class: "scratch".to_owned(),
            polygons: square(),
        }],
    });
    let decisions = [
        Decision::Confirm,
        corrections,
        Decision::Unusable(UnusableReason::Obstructed),
        Decision::Escalate,
        Decision::Undo(2),
    ];
    let mut expected = Vec::new();
    for (place, decision) in decisions.into_iter().enumerate() {
        let next = Review {
            at: Timestamp(NOW.0 + place as u64),
            decision,
            note: (place == 1).then(|| "ü写 \u{1F697}\nsecond line".to_owned()),
            ..review(
                "i-1",
                u32::try_from(place).unwrap_or(0) + 1,
                "김민수 <a@b.example>",
            )?
        };
        let appended = t.reviews.append(&next).await?;
        ensure!(
            appended == AppendOutcome::Appended,
            "revision {}: {appended:?}",
            next.revision
        );
        expected.push(next);
    }
    let read = t.reviews.history(&id("i-1")?).await?;
    ensure!(read == expected, "history: {read:?}");
    Ok(())
}

pub(super) async fn a_revision_is_written_once(t: ReviewsUnderTest) -> Outcome {
    let first = review("i-1", 1, "ann")?;
    t.reviews.append(&first).await?;
    for next in [review("i-1", 1, "bob")?, first.clone()] {
        let appended = t.reviews.append(&next).await?;
        let conflict = AppendOutcome::Conflict(Some(first.clone()));
        ensure!(appended == conflict, "revision 1 by {}: {appended:?}", next.by);
    }
    let second = review("i-1", 2, "bob")?;
    t.reviews.append(&second).await?;
    // What has the revision is shown, not what came later.
    let appended = t.reviews.append(&review("i-1", 1, "eve")?).await?;
    ensure!(
        appended == AppendOutcome::Conflict(Some(first.clone())),
        "late: {appended:?}"
    );
    let read = t.reviews.history(&first.inspection).await?;
    ensure!(read == [first, second], "history: {read:?}");
    Ok(())
}

pub(super) async fn a_gap_conflicts(t: ReviewsUnderTest) -> Outcome {
    let appended = t.reviews.append(&review("i-1", 2, "ann")?).await?;
    ensure!(
        appended == AppendOutcome::Conflict(None),
        "without a first one: {appended:?}"
    );
    let first = review("i-1", 1, "ann")?;
    t.reviews.append(&first).await?;
    let appended = t.reviews.append(&review("i-1", 3, "ann")?).await?;
    let expected = AppendOutcome::Conflict(Some(first.clone()));
    ensure!(appended == expected, "3 after 1: {appended:?}");
    let read = t.reviews.history(&first.inspection).await?;
    ensure!(read == [first], "history: {read:?}");
    Ok(())
}

pub(super) async fn a_revision_out_of_bounds_is_invalid(t: ReviewsUnderTest) -> Outcome {
    for revision in [0, REVISIONS_MAX + 1, u32::MAX] {
        let error = t.reviews.append(&review("i-1", revision, "ann")?).await.err();
        let kind = error.map(|e| e.kind);
        ensure!(
            kind == Some(PortErrorKind::Invalid),
            "revision {revision}: {kind:?}"
        );
    }
    Ok(())
}

pub(super) async fn histories_are_apart(t: ReviewsUnderTest) -> Outcome {
    for name in ["i-1", "i-10", "i"] {
        t.reviews.append(&review(name, 1, "ann")?).await?;
    }
    // More than ten, so that an order of texts would show.
    for revision in 2..=12 {
        t.reviews.append(&review("i-1", revision, "bob")?).await?;
    }
    let read = t.reviews.history(&id("i-1")?).await?;
    let revisions: Vec<u32> = read.iter().map(|r| r.revision).collect();
    ensure!(
        revisions == (1..=12).collect::<Vec<_>>(),
        "revisions: {revisions:?}"
    );
    ensure!(
        read.iter().all(|r| r.inspection.as_str() == "i-1"),
        "of others: {read:?}"
    );
    let other = t.reviews.history(&id("i-10")?).await?;
    ensure!(other.len() == 1, "of i-10: {other:?}");
    Ok(())
}

pub(super) async fn twenty_reviewers_of_one_revision_have_one_winner(t: ReviewsUnderTest) -> Outcome {
    let mut reviewers = Vec::new();
    for number in 0..20 {
        let reviews = Arc::clone(&t.reviews);
        let next = review("i-1", 1, &format!("reviewer {number}"))?;
        reviewers.push(tokio::spawn(async move {
            Ok::<_, Broken>((next.by.clone(), reviews.append(&next).await?))
        }));
    }
    let (mut winners, mut seen) = (Vec::new(), Vec::new());
    for one in reviewers {
        match one.await?? {
            (by, AppendOutcome::Appended) => winners.push(by),
            (_, AppendOutcome::Conflict(Some(stored))) => seen.push(stored.by),
            (by, AppendOutcome::Conflict(None)) => return Err(Broken(format!("{by} saw nothing"))),
        }
    }
    ensure!(winners.len() == 1, "winners: {winners:?}");
    ensure!(seen.iter().all(|by| *by == winners[0]), "the others saw {seen:?}");
    Ok(())
}

pub(super) async fn twenty_reviewers_lose_no_decision(t: ReviewsUnderTest) -> Outcome {
    let mut reviewers = Vec::new();
    for number in 0..20 {
        let reviews = Arc::clone(&t.reviews);
        let mut next = review("i-1", 1, &format!("reviewer {number}"))?;
        reviewers.push(tokio::spawn(async move {
            for _ in 0..TRIES_MAX {
                match reviews.append(&next).await? {
                    AppendOutcome::Appended => return Ok(()),
                    AppendOutcome::Conflict(stored) => {
                        next.revision = stored.map_or(0, |r| r.revision) + 1;
                    }
                }
            }
            Err(Broken(format!("{} never got through", next.by)))
        }));
    }
    for one in reviewers {
        one.await??;
    }
    let read = t.reviews.history(&id("i-1")?).await?;
    let by: BTreeSet<_> = read.iter().map(|r| r.by.clone()).collect();
    ensure!(
        read.len() == 20 && by.len() == 20,
        "{} reviews of {} people",
        read.len(),
        by.len()
    );
    ensure!(by.contains(&reviewer("reviewer 7")?), "of others: {by:?}");
    Ok(())
}
