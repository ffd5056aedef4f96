//! Which ends of workers are failures, and the words in which they are reported.

use walkaround_bootstrap::blocked::Blocked;
use walkaround_bootstrap::exit_diagnosis::diagnose as diagnose_exit;
use walkaround_ports::EndCause;

/// A failed end.
pub(super) struct JobDiagnosis {
    /// What completes "the last worker ended".
    pub what: String,
    /// What to do about it.
    pub fix: &'static str,
}

/// What a failed end means; none for one that is as it should be, or that somebody wanted.
pub(super) fn diagnose(exit: Option<i32>, reason: &str) -> Option<JobDiagnosis> {
    // A worker that is asked to end may still exit with 0; that the scaler had to ask is a failure whatever the code.
    let cause = EndCause::of(reason);
    let silent = cause == Some(EndCause::Unresponsive);
    if exit == Some(0) && !silent {
        return None;
    }
    if let Some((what, fix)) = batch_problem(reason) {
        let what = format!("because {what}");
        return Some(JobDiagnosis { what, fix });
    }
    // An end without a code of its own: the reason has to tell whether somebody wanted it.
    let killed = matches!(exit, None | Some(137 | 143));
    if killed && cause.is_some_and(EndCause::is_nobodys_fault) {
        return None;
    }
    let meant = diagnose_exit(exit, reason);
    let code = exit.map_or("without an exit code".to_owned(), |code| {
        format!("with code {code}")
    });
    let said = match reason {
        _ if !killed => String::new(),
        "" => " (no reason given)".to_owned(),
        said => format!(" ({said})"),
    };
    Some(JobDiagnosis {
        what: format!("{code}: {}{said}", meant.meaning),
        fix: meant.first_step,
    })
}

/// What Batch's words mean: cause and fix.
pub(crate) fn batch_problem(reason: &str) -> Option<(&'static str, &'static str)> {
    if let Some(EndCause::DriverTooOld | EndCause::ContainerNotStarted) = EndCause::of(reason) {
        let diagnosis = diagnose_exit(None, reason);
        return Some((diagnosis.meaning, diagnosis.first_step));
    }
    Blocked::of(reason).map(|blocked| (blocked.meaning(), blocked.first_step()))
}
