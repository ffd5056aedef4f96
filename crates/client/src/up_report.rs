//! What a running `up` says of itself, judged by who only sees its root.

use crate::format::duration;
use std::time::Duration;
use walkaround_domain::Timestamp;
use walkaround_local::RunningUp;
use walkaround_settings::Settings;

/// An `up` whose last report is older hangs, or cannot write to its root.
const REPORT_AGE_MAX: Duration = Duration::from_secs(60);

/// Without progress for this long, whoever works is not healthy; at twice that it ends as stalled.
pub fn stalled_after(settings: &Settings) -> Duration {
    settings.stall_exit / 2
}

/// What a running `up` cannot get at, a line each: its drop folder, photo hosts. It gets on without.
pub fn up_concerns(running: &RunningUp) -> Vec<String> {
    let Some(report) = &running.report else {
        return Vec::new();
    };
    let hosts = (!report.unresponsive_hosts.is_empty()).then(|| {
        format!(
            "photo hosts that do not answer: {}",
            report.unresponsive_hosts.join(", ")
        )
    });
    report.drop_folder.iter().cloned().chain(hosts).collect()
}

/// What is wrong with a running `up`, as a clause with it as the subject; none where it gets on, or has just begun.
pub fn up_problem(running: &RunningUp, now: Timestamp) -> Option<String> {
    if running.is_stopped {
        return Some("is stopped (by a signal, a terminal or a debugger)".to_owned());
    }
    let report = running.report.as_ref()?;
    let silent = now.since(report.at);
    if silent > REPORT_AGE_MAX {
        return Some(format!("has reported nothing for {}: it hangs", duration(silent)));
    }
    let without = report.at.since(report.progressed_at);
    (without > report.stalled_after).then(|| {
        format!(
            "has finished no photo for {}, with {} in flight in triage",
            duration(without),
            report.in_flight
        )
    })
}
