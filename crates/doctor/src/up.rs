//! The `up` of a local root: whether one runs, and whether it gets on.

use super::finding::CheckResult;
use walkaround_client::format::counted;
use walkaround_client::up_problem;
use walkaround_domain::Timestamp;
use walkaround_local::RunningUp;

/// Judges it. `waiting` messages of the intake queue are ready to be taken.
pub(super) fn up(running: Option<&RunningUp>, waiting: u64, now: Timestamp) -> CheckResult {
    let check = "up";
    let Some(running) = running else {
        let waiting = usize::try_from(waiting).unwrap_or(usize::MAX);
        return match waiting {
            0 => CheckResult::ok(check, "does not run, and no photo waits for it"),
            n => CheckResult::fail(
                check,
                format!("does not run, and {} for triage", waits(n)),
                "start `walkaround up`",
            ),
        };
    };
    let process = process(running);
    match up_problem(running, now) {
        Some(error) => CheckResult::fail(check, format!("{process} {error}"), fix(running)),
        None => CheckResult::ok(check, format!("{process} runs and makes progress")),
    }
}

/// What it cannot get at, as it reported last.
pub(super) fn concerns(running: Option<&RunningUp>) -> Vec<CheckResult> {
    let Some(report) = running.and_then(|running| running.report.as_ref()) else {
        return Vec::new();
    };
    let folder = report.drop_folder.as_ref().map(|why| {
        let fix = "mount it or put it back: its photos are taken as soon as it is there";
        CheckResult::fail("drop folder", why.clone(), fix)
    });
    let hosts = (!report.unresponsive_hosts.is_empty()).then(|| {
        CheckResult::warn(
            "photo hosts",
            format!("do not answer: {}", report.unresponsive_hosts.join(", ")),
            "look at these hosts and the way to them (name look-up, firewall); their photos are tried again until then",
        )
    });
    folder.into_iter().chain(hosts).collect()
}

/// A running `up`, in words.
pub(super) fn process(running: &RunningUp) -> String {
    running
        .process
        .map_or("another process".to_owned(), |id| format!("process {id}"))
}

/// What to do with one that does not get on.
pub(super) fn fix(running: &RunningUp) -> String {
    match running.process.filter(|_| running.is_stopped) {
        Some(id) => {
            format!("continue it with `kill -CONT {id}`, or end it and start it again: nothing is lost")
        }
        None => "its log says what it waits for; end it and start it again: nothing is lost".to_owned(),
    }
}

fn waits(photos: usize) -> String {
    let verb = if photos == 1 { "waits" } else { "wait" };
    format!("{} {verb}", counted(photos, "message"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Level;
    use std::time::Duration;
    use walkaround_local::UpReport;

    const NOW: Timestamp = Timestamp(1_000_000_000);

    fn running(reported_s: u64, progressed_s: u64) -> RunningUp {
        RunningUp {
            process: Some(4711),
            is_stopped: false,
            report: Some(UpReport {
                at: NOW - Duration::from_secs(reported_s),
                progressed_at: NOW - Duration::from_secs(progressed_s),
                stalled_after: Duration::from_secs(150),
                in_flight: 3,
                drop_folder: None,
                unresponsive_hosts: Vec::new(),
            }),
        }
    }

    #[test]
    fn what_an_up_cannot_get_at_is_named() {
        assert_eq!(concerns(Some(&running(2, 2))), []);
        let mut running = running(2, 2);
        if let Some(report) = &mut running.report {
            report.drop_folder = Some("the drop folder /nas/in is away".to_owned());
            report.unresponsive_hosts = vec!["a.example".to_owned(), "b.example:8443".to_owned()];
        }
        let found = concerns(Some(&running));
        assert_eq!(found[0].level, Level::Fail);
        assert!(found[0].what.contains("/nas/in"), "{found:?}");
        assert_eq!(found[1].level, Level::Warn);
        assert!(found[1].what.contains("a.example, b.example:8443"), "{found:?}");
    }

    #[test]
    fn an_up_is_judged_by_its_progress_and_not_by_its_process() {
        let starting = RunningUp {
            process: None,
            is_stopped: false,
            report: None,
        };
        let stopped = RunningUp {
            is_stopped: true,
            ..running(2, 2)
        };
        assert!(fix(&stopped).contains("kill -CONT 4711"), "{}", fix(&stopped));
        let cases = [
            (None, 0, Level::Ok, "does not run"),
            (None, 2, Level::Fail, "2 messages wait"),
            (Some(starting), 2, Level::Ok, "makes progress"),
            (Some(stopped), 0, Level::Fail, "process 4711 is stopped"),
            (Some(running(2, 100)), 2, Level::Ok, "process 4711 runs"),
            (
                Some(running(2, 200)),
                2,
                Level::Fail,
                "no photo for 3 min 18 s, with 3 in flight",
            ),
            (
                Some(running(61, 61)),
                0,
                Level::Fail,
                "reported nothing for 1 min 1 s",
            ),
        ];
        for (running, waiting, level, words) in cases {
            let found = up(running.as_ref(), waiting, NOW);
            assert_eq!(found.level, level, "{found:?}");
            assert!(found.what.contains(words), "{words}: {found:?}");
        }
    }
}
