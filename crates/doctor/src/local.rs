//! Looking at the local stack.

use super::finding::{CheckResult, port_error};
use super::lane::LaneBounds;
use super::queues::{Reasons, gather, queue};
use super::workers::{WorkerFacts, exits, workers};
use super::{bundle, lane, port, up};
use crate::failure::Failure;
use std::path::Path;
use walkaround_bootstrap::library::device;
use walkaround_client::{LocalClient, Stack, StackChoice, StackClient};
use walkaround_domain::Timestamp;
use walkaround_local::{INTAKE, RunningUp, SEGMENTATION};
use walkaround_ports::{PortErrorKind, QueueName};
use walkaround_settings::{Settings, SettingsError, UnknownSetting};

const TAKERS: &str = "start `walkaround up`; if it runs, its log says what fails in triage and workers";
const STARTER: &str =
    "start `walkaround up`: it adopts or ends its workers, and starts those that the lane needs";

const KEEPER: &str = "`walkaround up` runs: it ends workers without a heartbeat and starts those that the lane \
                      needs; if it does not, its log and the lines on GPU lane and worker exits say why";
const SCALER_HANGS: &str = "`walkaround up` runs, but its scaler makes no progress: its log says why; end it and \
                            start it again, nothing is lost";
const UP_FIRST: &str = "the line on up says what to do first";

/// What to do about workers, and about a scaler that does not tick: who starts them may run already.
fn starters(running: Option<&RunningUp>, now: Timestamp) -> (&'static str, &'static str) {
    match running {
        None => (STARTER, STARTER),
        Some(running) if walkaround_client::up_problem(running, now).is_some() => (UP_FIRST, UP_FIRST),
        Some(_) => (KEEPER, SCALER_HANGS),
    }
}

/// The settings, with the root of the command line.
pub(super) fn settings(args: &StackChoice) -> Result<Settings, SettingsError> {
    let mut settings = Settings::from_env()?;
    if let Some(root) = &args.root {
        settings.root.clone_from(root);
    }
    Ok(settings)
}

/// All checks.
pub(super) async fn checks(args: &StackChoice) -> Result<Vec<CheckResult>, Failure> {
    let settings = match settings(args) {
        Ok(settings) => settings,
        Err(error) => {
            return Ok(vec![CheckResult::fail(
                "settings",
                error.to_string(),
                "correct the variable; docs/settings.md lists all of them",
            )]);
        }
    };
    let mut results = vec![CheckResult::ok("settings", "all values are valid")];
    results.extend(unknown(&walkaround_settings::unknown_settings()));
    let (verified, loaded) = bundle::verified(&settings.bundle);
    results.push(verified);
    let (library, running) = bundle::library(settings.onnxruntime.as_deref(), device(settings.device));
    results.extend(library);
    if let (Some(loaded), Some(running)) = (&loaded, &running) {
        results.push(bundle::self_test(loaded, &running.0, running.1));
    }
    let listening = port::ask(settings.listen.as_deref()).await;
    let root = root(&settings.root);
    let running = root
        .as_ref()
        .ok()
        .and_then(|stack| stack.local.running_up().ok()?);
    let address = settings.listen.as_deref().unwrap_or_default();
    results.push(port::listening(&listening, address, running.as_ref()));
    if running.is_none() {
        results.extend(drop_folder(settings.drop_folder.as_deref()));
    }
    match root {
        Err(finding) => results.push(finding),
        Ok(stack) => {
            results.push(CheckResult::ok(
                "root",
                format!("{}, the database opens", settings.root.display()),
            ));
            results.extend(inside(&LocalClient(stack)).await);
        }
    }
    Ok(results)
}

/// A drop folder that `up` would refuse to start with.
fn drop_folder(folder: Option<&Path>) -> Option<CheckResult> {
    let folder = folder.filter(|folder| !folder.is_dir())?;
    Some(CheckResult::fail(
        "drop folder",
        format!(
            "{} is no folder, and `walkaround up` refuses to start",
            folder.display()
        ),
        "make or mount it, or correct WALKAROUND_DROP_FOLDER",
    ))
}

/// Variables that are named like settings and are none.
pub(super) fn unknown(variables: &[UnknownSetting]) -> Option<CheckResult> {
    let names: Vec<String> = variables.iter().map(ToString::to_string).collect();
    (!names.is_empty()).then(|| {
        CheckResult::warn(
            "environment",
            names.join("; "),
            "correct the names, or take them out of the environment",
        )
    })
}

/// Opens the root, where there is one: looking makes none.
fn root(root: &Path) -> Result<Stack, CheckResult> {
    if !Stack::is_there(root) {
        return Err(CheckResult::fail(
            "root",
            format!("no stack in `{}`", root.display()),
            "start `walkaround up`, which creates one, or name another folder with --root or WALKAROUND_ROOT",
        ));
    }
    Stack::open(Some(root)).map_err(|failure| {
        CheckResult::fail(
            "root",
            failure.to_string(),
            "fix the folder or its database, or name another with --root or WALKAROUND_ROOT",
        )
    })
}

async fn inside(stack: &LocalClient) -> Vec<CheckResult> {
    let mut results = Vec::new();
    let (mut waiting, mut intake) = (0, 0);
    for name in QueueName::ALL {
        match gather(stack, name, Reasons::Read).await {
            Ok(facts) => {
                match name {
                    QueueName::Segmentation => waiting = facts.depth.ready,
                    QueueName::Intake => intake = facts.depth.ready,
                }
                results.extend(queue(&facts, TAKERS));
            }
            Err(failure) => results.push(broken(format!("{} queue", name.as_str()), &failure)),
        }
    }
    let running = stack.0.local.running_up();
    let up = running.as_ref().ok().and_then(Option::as_ref);
    let (starter, scaler) = starters(up, stack.clock().now());
    let bounds = LaneBounds {
        tick: stack.settings().scale_every,
        cold_start: stack.settings().cold_start,
        scaler_expected: waiting > 0 || !matches!(running, Ok(None)),
        scaler,
    };
    match lane::check(stack, bounds).await {
        Ok(finding) => results.push(finding),
        Err(failure) => results.push(broken("gpu lane".to_owned(), &failure)),
    }
    results.push(hidden(stack).await);
    results.push(folders(stack).await);
    results.extend(up::concerns(up));
    results.push(match running {
        Ok(running) => up::up(running.as_ref(), intake, stack.clock().now()),
        Err(error) => CheckResult::warn(
            "up",
            format!("cannot be checked: {error}"),
            "let this user read the root and everything in it",
        ),
    });
    match stack.operations().jobs().await.map_err(Failure::of_port) {
        Ok(jobs) => match WorkerFacts::gather(stack, jobs.clone(), waiting, starter).await {
            Ok(facts) => results.extend(workers(&facts)),
            Err(failure) => {
                results.push(broken("workers".to_owned(), &failure));
                results.push(exits(&jobs, stack.clock().now()));
            }
        },
        Err(failure) => results.push(broken("workers".to_owned(), &failure)),
    }
    results
}

/// The folders of photos and results.
async fn folders(stack: &LocalClient) -> CheckResult {
    let (check, settings) = ("blobs", stack.settings());
    let mut troubles = Vec::new();
    let mut buckets = vec![&settings.photos_bucket, &settings.results_bucket];
    buckets.dedup();
    for bucket in buckets {
        match stack.operations().bucket_trouble(bucket).await {
            Ok(trouble) => troubles.extend(trouble),
            Err(error) => return broken(check.to_owned(), &Failure::from(error)),
        }
    }
    if troubles.is_empty() {
        return CheckResult::ok(check, "the folders of photos and results can be written");
    }
    CheckResult::fail(
        check,
        troubles.join("; "),
        "remove what lies in a folder's place, mount or restore a missing folder, free space on a full disk, and \
         let this user write to it; waiting photos are then tried again (docs/operations.md says what to do about results \
         that are lost for good)",
    )
}

/// Messages that a clock has hidden which was ahead.
async fn hidden(stack: &LocalClient) -> CheckResult {
    let mut all = 0;
    for queue in [INTAKE, SEGMENTATION] {
        match stack.0.local.hidden_ahead(queue).await {
            Ok(hidden) => all += hidden,
            Err(error) => return broken("clock".to_owned(), &Failure::from(error)),
        }
    }
    match all {
        0 => CheckResult::ok("clock", "no message was hidden by a clock that was ahead"),
        hidden => CheckResult::warn(
            "clock",
            format!(
                "{hidden} messages are hidden for too long: the clock was ahead when they were sent or leased"
            ),
            "start `walkaround up`, which corrects them as it receives; keep the clock synchronised (NTP)",
        ),
    }
}

/// What the database did not answer.
fn broken(check: String, failure: &Failure) -> CheckResult {
    let fix = match port_error(failure).map(|error| error.kind) {
        Some(PortErrorKind::Corrupt) => {
            "the database is damaged: stop `walkaround up`, move the root away, and submit again"
        }
        Some(PortErrorKind::Denied) => "let this user read and write the root and everything in it",
        Some(PortErrorKind::Unavailable | PortErrorKind::Throttled) => {
            "run doctor again: the database is busy, or its disk is full or failing (`df`, the system's log)"
        }
        Some(PortErrorKind::NotFound | PortErrorKind::Invalid | PortErrorKind::TooLarge) | None => {
            "fix what the line names, or name another folder with --root or WALKAROUND_ROOT"
        }
    };
    CheckResult::fail(check, failure.to_string(), fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Level;
    use std::fs;
    use walkaround_ports::PortCall;
    use walkaround_ports::PortError;

    #[tokio::test]
    async fn a_folder_of_blobs_that_cannot_be_written_is_named() {
        let root = tempfile::tempdir().unwrap();
        let stack = LocalClient(Stack::open(Some(root.path())).unwrap());
        let check = async || folders(&stack).await;
        assert_eq!(check().await.level, Level::Ok, "{:?}", check().await);
        let results = root.path().join("blobs").join(&stack.settings().results_bucket);
        fs::write(&results, "a file").unwrap();
        let found = check().await;
        assert_eq!(found.level, Level::Fail);
        assert!(
            found
                .what
                .contains(&format!("{} is not a folder", results.display())),
            "{found:?}"
        );
        fs::remove_file(&results).unwrap();
        // Photos were there, and are not any more.
        let photo = root.path().join("a.jpg");
        let photos = stack.0.photo_store();
        photos.take_in_bytes(&photo, b"a photo").await.unwrap();
        assert_eq!(check().await.level, Level::Ok);
        fs::rename(
            root.path().join("blobs").join(&photos.bucket),
            root.path().join("elsewhere"),
        )
        .unwrap();
        assert!(check().await.what.contains("is away"), "{:?}", check().await);
    }

    #[test]
    fn a_drop_folder_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(drop_folder(None), None);
        assert_eq!(drop_folder(Some(folder.path())), None);
        let misspelt = folder.path().join("dorp");
        let found = drop_folder(Some(&misspelt)).unwrap();
        assert_eq!(found.level, Level::Fail);
        assert!(found.what.contains("dorp is no folder"), "{found:?}");
    }

    #[test]
    fn nobody_is_told_to_start_an_up_that_runs() {
        let now = Timestamp(1_000_000);
        let mut running = RunningUp {
            process: Some(4711),
            is_stopped: false,
            report: None,
        };
        assert_eq!(starters(None, now), (STARTER, STARTER));
        assert_eq!(starters(Some(&running), now), (KEEPER, SCALER_HANGS));
        running.is_stopped = true;
        assert_eq!(starters(Some(&running), now), (UP_FIRST, UP_FIRST));
    }

    #[test]
    fn only_a_damaged_database_is_to_be_moved_away() {
        let fix = |kind| {
            let failure = Failure::from(PortError::new(PortCall::new("queue", "depth"), kind, "said"));
            broken("intake queue".to_owned(), &failure)
                .fix
                .unwrap_or_default()
        };
        assert!(fix(PortErrorKind::Corrupt).contains("move the root away"));
        for kind in [
            PortErrorKind::Denied,
            PortErrorKind::Unavailable,
            PortErrorKind::Invalid,
        ] {
            assert!(!fix(kind).contains("away"), "{kind:?}: {}", fix(kind));
        }
        let other = broken("workers".to_owned(), &Failure::usage("said"));
        assert!(other.what == "said" && !other.fix.unwrap_or_default().contains("away"));
    }
}
