//! Pages of open tasks, and counts.

use super::under_test::{NOW, ReviewsUnderTest, id, reviewer, task};
use crate::suite::{Broken, Outcome, ensure};
use std::time::Duration;
use walkaround_domain::review::{IfDone, TaskEvent};
use walkaround_domain::{ReviewTask, TaskReason, TaskState, Timestamp};
use walkaround_ports::{PortErrorKind, TASKS_PAGE_MAX, TaskCount};

/// Pages of a listing before a case says that it never ends.
const PAGES_MAX: usize = 100;
/// Small enough for several pages of few tasks.
const PAGE: usize = 7;

/// Puts 60 tasks of all reasons, with ages that are not in the order of their ids; every fifth is closed. Those that are
/// open, in the order of a listing.
async fn put_some(t: &ReviewsUnderTest) -> Result<Vec<ReviewTask>, Broken> {
    let mut open = Vec::new();
    for number in 0..60_u64 {
        let reason = TaskReason::ALL[usize::try_from(number).unwrap_or(0) % TaskReason::ALL.len()];
        let mut next = task(&format!("i-{number}"), reason)?;
        // Two of an age in each reason.
        next.created_at = Timestamp(NOW.0 + (number * 37 % 30) * 1000);
        t.reviews.put_task(&next, IfDone::Keep, NOW).await?;
        if number % 5 == 0 {
            t.reviews
                .step_task(&next.inspection, &TaskEvent::Close, NOW)
                .await?;
        } else {
            open.push(next);
        }
    }
    open.sort_by_key(|task| {
        let age = (task.created_at, task.inspection.clone());
        (std::cmp::Reverse(task.priority), age)
    });
    Ok(open)
}

/// All pages; an error when a task comes twice, or a page is too long.
async fn list_all(t: &ReviewsUnderTest, reason: Option<TaskReason>) -> Result<Vec<ReviewTask>, Broken> {
    let (mut all, mut after): (Vec<ReviewTask>, Option<String>) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let page = t.reviews.open_tasks(reason, after.as_deref(), PAGE).await?;
        ensure!(page.tasks.len() <= PAGE, "a page of {}", page.tasks.len());
        for task in page.tasks {
            let twice = all.iter().any(|listed| listed.inspection == task.inspection);
            ensure!(!twice, "`{}` was listed twice", task.inspection);
            all.push(task);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
    Err(Broken("the listing does not end".to_owned()))
}

fn names(tasks: &[ReviewTask]) -> Vec<&str> {
    tasks.iter().map(|task| task.inspection.as_str()).collect()
}

pub(super) async fn open_tasks_come_by_priority_and_age(t: ReviewsUnderTest) -> Outcome {
    let none = list_all(&t, None).await?;
    ensure!(none.is_empty(), "before any task: {none:?}");
    let expected = put_some(&t).await?;
    let listed = list_all(&t, None).await?;
    ensure!(
        listed == expected,
        "listed {:?} instead of {:?}",
        names(&listed),
        names(&expected)
    );
    Ok(())
}

pub(super) async fn tasks_of_one_reason_are_listed(t: ReviewsUnderTest) -> Outcome {
    let all = put_some(&t).await?;
    for reason in TaskReason::ALL {
        let listed = list_all(&t, Some(reason)).await?;
        let expected: Vec<ReviewTask> = all.iter().filter(|task| task.reason == reason).cloned().collect();
        ensure!(listed == expected, "{reason}: {:?}", names(&listed));
    }
    // Another reason that presses more moves it to that one's list.
    let moved = task("i-11", TaskReason::Asked)?;
    t.reviews.put_task(&moved, IfDone::Keep, NOW).await?;
    let listed = list_all(&t, Some(TaskReason::Asked)).await?;
    ensure!(
        names(&listed).contains(&"i-11"),
        "not moved: {:?}",
        names(&listed)
    );
    let listed = list_all(&t, Some(TaskReason::Audit)).await?;
    ensure!(
        !names(&listed).contains(&"i-11"),
        "still there: {:?}",
        names(&listed)
    );
    Ok(())
}

pub(super) async fn pages_stay_complete_while_tasks_change(t: ReviewsUnderTest) -> Outcome {
    let expected = put_some(&t).await?;
    let ann = reviewer("ann")?;
    let (mut listed, mut after): (Vec<String>, Option<String>) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let page = t.reviews.open_tasks(None, after.as_deref(), PAGE).await?;
        let last = page.tasks.last().cloned();
        listed.extend(page.tasks.iter().map(|task| task.inspection.to_string()));
        // Between two pages the last listed one is closed, the first one claimed, and a younger one comes.
        if let Some(task) = last {
            t.reviews
                .step_task(&task.inspection, &TaskEvent::Close, NOW)
                .await?;
        }
        let claim = TaskEvent::Claim {
            by: ann.clone(),
            until: NOW + Duration::from_secs(60),
        };
        let first = id(&listed[0])?;
        t.reviews.step_task(&first, &claim, NOW).await?;
        let mut new = task(&format!("new-{}", listed.len()), TaskReason::Audit)?;
        new.created_at = NOW + Duration::from_secs(3600);
        t.reviews.put_task(&new, IfDone::Keep, NOW).await?;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    ensure!(after.is_none(), "the listing does not end");
    for task in &expected {
        let times = listed
            .iter()
            .filter(|name| *name == task.inspection.as_str())
            .count();
        ensure!(times == 1, "`{}` was listed {times} times", task.inspection);
    }
    // A claimed task is listed, with who has it.
    let page = t.reviews.open_tasks(None, None, 1).await?;
    let claimed = page.tasks.first().map(|task| &task.state);
    ensure!(
        matches!(claimed, Some(TaskState::Claimed { by, .. }) if *by == ann),
        "the first one: {claimed:?}"
    );
    Ok(())
}

pub(super) async fn a_page_of_tasks_has_its_bounds(t: ReviewsUnderTest) -> Outcome {
    for number in 0..3 {
        let next = task(&format!("i-{number}"), TaskReason::Audit)?;
        t.reviews.put_task(&next, IfDone::Keep, NOW).await?;
    }
    for max in [0, TASKS_PAGE_MAX + 1] {
        let kind = t.reviews.open_tasks(None, None, max).await.err().map(|e| e.kind);
        ensure!(kind == Some(PortErrorKind::Invalid), "a page of {max}: {kind:?}");
    }
    let page = t.reviews.open_tasks(None, None, TASKS_PAGE_MAX).await?;
    ensure!(
        page.tasks.len() == 3 && page.next.is_none(),
        "the longest page: {page:?}"
    );
    // A full page that was the last says so.
    let page = t.reviews.open_tasks(None, None, 3).await?;
    ensure!(
        page.tasks.len() == 3 && page.next.is_none(),
        "a full page: {page:?}"
    );
    Ok(())
}

pub(super) async fn a_token_from_nowhere_is_invalid(t: ReviewsUnderTest) -> Outcome {
    for token in ["", "x", "1 2", "# # #"] {
        let kind = t
            .reviews
            .open_tasks(None, Some(token), PAGE)
            .await
            .err()
            .map(|e| e.kind);
        ensure!(kind == Some(PortErrorKind::Invalid), "`{token}`: {kind:?}");
    }
    Ok(())
}

pub(super) async fn tasks_are_counted_by_reason(t: ReviewsUnderTest) -> Outcome {
    let none = t.reviews.task_counts().await?;
    ensure!(none.is_empty(), "before any task: {none:?}");
    let open = put_some(&t).await?;
    let counts = t.reviews.task_counts().await?;
    let expected: Vec<TaskCount> = TaskReason::ALL
        .into_iter()
        .map(|reason| TaskCount {
            reason,
            tasks: open.iter().filter(|task| task.reason == reason).count() as u64,
            more: false,
        })
        .collect();
    ensure!(counts == expected, "counts: {counts:?}");
    Ok(())
}
