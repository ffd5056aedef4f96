//! Worker processes: how they end, what they leave, and who looks after orphans.
//!
//! The dead predecessor is this test program itself, asked for its ignored test, and killed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use walkaround_local::{LocalCapacity, LocalStack, Options, Orphans, SystemClock, WorkerOptions};
use walkaround_ports::{Clock, GpuCapacity, WorkerJob, WorkerJobState};

const ROOT: &str = "WALKAROUND_TEST_ROOT";

fn open(root: &Path) -> LocalStack {
    LocalStack::open(root, Options::default(), Arc::new(SystemClock::new())).expect("it opens")
}

fn shell(script: &str) -> WorkerOptions {
    WorkerOptions {
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
        workers_max: 5,
        end_budget: Duration::from_millis(300),
        ..WorkerOptions::default()
    }
}

async fn capacity(folder: &TempDir, options: WorkerOptions) -> LocalCapacity {
    let capacity = open(folder.path()).capacity(options).await;
    capacity.expect("capacity")
}

async fn job(capacity: &LocalCapacity, id: &str) -> Option<WorkerJob> {
    let fleet = capacity.fleet().await.expect("a fleet");
    fleet.into_iter().find(|job| job.id == id)
}

async fn ended(capacity: &LocalCapacity, id: &str) -> (Option<i32>, String) {
    loop {
        let job = job(capacity, id).await.expect("the job");
        if let WorkerJobState::Ended { exit } = job.state {
            return (exit, job.reason.unwrap_or_default());
        }
        pause().await;
    }
}

async fn pause() {
    SystemClock::new().sleep(Duration::from_millis(10)).await;
}

#[tokio::test]
async fn exit_code_and_output_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let capacity = capacity(
        &folder,
        shell("echo I am $WALKAROUND_WORKER; echo oh >&2; exit 7"),
    )
    .await;
    let id = capacity.start(1).await.unwrap().remove(0);
    assert_eq!(ended(&capacity, &id).await, (Some(7), "exit code 7".to_owned()));
    let log = fs::read_to_string(folder.path().join(format!("logs/{id}.log"))).unwrap();
    assert_eq!(log, format!("I am {id}\noh\n"));
}

#[tokio::test]
async fn a_worker_may_finish_within_its_budget() {
    let folder = tempfile::tempdir().unwrap();
    let script = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done";
    let mut options = shell(script);
    options.end_budget = Duration::from_secs(600);
    let capacity = capacity(&folder, options).await;
    let id = capacity.start(1).await.unwrap().remove(0);
    let log = folder.path().join(format!("logs/{id}.log"));
    while fs::read_to_string(&log).unwrap() != "ready\n" {
        pause().await;
    }
    capacity.end(&id, "no backlog").await.unwrap();
    assert_eq!(
        ended(&capacity, &id).await,
        (Some(0), "no backlog; exit code 0".to_owned())
    );
    assert_eq!(fs::read_to_string(&log).unwrap(), "ready\nbye\n");
}

#[tokio::test]
async fn a_worker_past_its_budget_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let capacity = capacity(&folder, shell("trap '' TERM; while :; do sleep 0.01; done")).await;
    let id = capacity.start(1).await.unwrap().remove(0);
    assert_eq!(capacity.end_all("shutting down").await.unwrap(), 0);
    let (exit, reason) = ended(&capacity, &id).await;
    assert_eq!(exit, None);
    assert!(reason.starts_with("shutting down; ended by signal"), "{reason}");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_an_error_and_on_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = shell("");
    options.command = vec!["/nowhere/walkaround".to_owned()];
    let capacity = capacity(&folder, options).await;
    let error = capacity.start(2).await.unwrap_err();
    assert!(error.to_string().contains("/nowhere/walkaround"), "{error}");
    for job in capacity.fleet().await.unwrap() {
        assert_eq!(job.state, WorkerJobState::Ended { exit: None });
        assert!(job.reason.unwrap().contains("cannot start"));
    }
}

#[tokio::test]
async fn ended_jobs_and_logs_are_few() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = shell("exit 0");
    options.ended_kept_max = 3;
    let capacity = capacity(&folder, options).await;
    for _ in 0..8 {
        let id = capacity.start(1).await.unwrap().remove(0);
        ended(&capacity, &id).await;
    }
    capacity.fleet().await.unwrap();
    assert_eq!(capacity.fleet().await.unwrap().len(), 3);
    assert_eq!(fs::read_dir(folder.path().join("logs")).unwrap().count(), 3);
}

#[tokio::test]
async fn a_log_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let script = "i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done; echo end; exec sleep 600";
    let mut options = shell(script);
    options.log_bytes_max = 1000;
    let capacity = capacity(&folder, options).await;
    let id = capacity.start(1).await.unwrap().remove(0);
    let log = folder.path().join(format!("logs/{id}.log"));
    while !fs::read_to_string(&log).unwrap().ends_with("end\n") {
        pause().await;
    }
    capacity.fleet().await.unwrap();
    assert_eq!(fs::metadata(&log).unwrap().len(), 0);
    let kept = fs::read_to_string(log.with_extension("log.1")).unwrap();
    assert_eq!(kept.len(), 1000);
    assert!(kept.ends_with("line 499\nend\n"));
    capacity.end_all("the test is over").await.unwrap();
}

fn orphan_options(orphans: Orphans) -> WorkerOptions {
    WorkerOptions {
        orphans,
        ..shell("exec sleep 600")
    }
}

#[tokio::test]
#[ignore = "the dead predecessor of the tests below"]
async fn predecessor() {
    let root = std::env::var(ROOT).expect("started by another test");
    let options = orphan_options(Orphans::Adopt);
    let capacity = open(Path::new(&root)).capacity(options).await.unwrap();
    let ids = capacity.start(2).await.unwrap();
    println!("started {}", ids.join(" "));
    loop {
        pause().await;
    }
}

/// Two workers whose starter was killed.
fn orphans(root: &Path) -> Vec<String> {
    let mut starter = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "predecessor", "--ignored", "--nocapture"])
        .env(ROOT, root)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a predecessor");
    let output = BufReader::new(starter.stdout.take().expect("its output"));
    let line = output.lines().find_map(|line| {
        let line = line.expect("a line");
        // The harness may print the name of the test on the same line.
        line.split_once("started ").map(|(_, ids)| ids.to_owned())
    });
    starter.kill().expect("killed");
    starter.wait().expect("waited");
    let line = line.expect("it started workers");
    line.split(' ').map(str::to_owned).collect()
}

#[tokio::test]
async fn orphans_are_adopted_and_count() {
    let folder = tempfile::tempdir().unwrap();
    let ids = orphans(folder.path());
    let mut options = orphan_options(Orphans::Adopt);
    options.workers_max = 3;
    let capacity = capacity(&folder, options).await;
    for id in &ids {
        assert_eq!(
            job(&capacity, id).await.unwrap().state,
            WorkerJobState::Running,
            "{id}"
        );
    }
    assert_eq!(capacity.start(3).await.unwrap().len(), 1);
    capacity.end(&ids[0], "no backlog").await.unwrap();
    let (exit, reason) = ended(&capacity, &ids[0]).await;
    assert_eq!(exit, None);
    assert!(reason.contains("no backlog; exit code unknown"), "{reason}");
    assert_eq!(capacity.end_all("the test is over").await.unwrap(), 0);
}

#[tokio::test]
async fn orphans_are_ended_where_asked() {
    let folder = tempfile::tempdir().unwrap();
    let ids = orphans(folder.path());
    let capacity = capacity(&folder, orphan_options(Orphans::End)).await;
    for id in &ids {
        let (_, reason) = ended(&capacity, id).await;
        assert!(reason.contains("its starter is gone"), "{reason}");
    }
}

fn edit(root: &Path, sql: &str) {
    let database = rusqlite::Connection::open(root.join("walkaround.db")).expect("a database");
    database.execute_batch(sql).expect("an edit");
}

/// The starter died after it started a worker, before it noted which process that is.
#[tokio::test]
async fn an_orphan_without_a_noted_process_is_found() {
    let folder = tempfile::tempdir().unwrap();
    // Names its root, as a worker does: other tests have a worker of the same number.
    let options = shell(&format!(
        "while :; do sleep 0.05; done # {}",
        folder.path().display()
    ));
    let first = capacity(&folder, options.clone()).await;
    let id = first.start(1).await.unwrap().remove(0);
    edit(
        folder.path(),
        "UPDATE jobs SET process = NULL, owner = '1-7-00000000'",
    );
    let second = capacity(&folder, options).await;
    assert_eq!(job(&second, &id).await.unwrap().state, WorkerJobState::Running);
    assert_eq!(second.end_all("the test is over").await.unwrap(), 0);
}

/// Its pid belongs to someone else now.
#[tokio::test]
async fn a_pid_that_is_used_again_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = Command::new("sleep").arg("600").spawn().unwrap();
    let capacity_before = capacity(&folder, shell("exit 0")).await;
    let id = capacity_before.start(1).await.unwrap().remove(0);
    ended(&capacity_before, &id).await;
    let process = format!("{}-7-00000000", other.id());
    let sql = format!("UPDATE jobs SET ended_at = NULL, process = '{process}', owner = '1-7-00000000'");
    edit(folder.path(), &sql);
    let capacity = capacity(&folder, orphan_options(Orphans::End)).await;
    let (exit, reason) = ended(&capacity, &id).await;
    assert_eq!(exit, Some(0), "as it was");
    assert!(reason.contains("nobody watched"), "{reason}");
    assert!(other.try_wait().unwrap().is_none(), "the other process was ended");
    other.kill().unwrap();
    other.wait().unwrap();
}
