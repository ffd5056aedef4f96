//! `walkaround console`: it serves on loopback, on one machine and on AWS, prints where, and refuses to be reached from elsewhere
//! without sign-in.

#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

#[path = "aws_client/mod.rs"]
mod aws_client;

use aws_client::{Names, clients};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use walkaround_emulators::Ministack;
use walkaround_local::{LocalStack, Options};
use walkaround_ports::SystemClock;

/// A console that runs until it is dropped, and what it printed.
struct Console {
    child: Child,
    address: String,
}

impl Console {
    fn start(arguments: &[&str], variables: &BTreeMap<String, String>) -> Self {
        let mut child = command(arguments, variables)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut address = String::new();
        let stdout = child.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut address).unwrap();
        Self {
            child,
            address: address.trim().to_owned(),
        }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let address = self
            .address
            .strip_suffix("/console/")
            .expect("a console's address");
        let answer = reqwest::get(format!("{address}{path}")).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command, outside the reach of the caller's own settings.
fn command(arguments: &[&str], variables: &BTreeMap<String, String>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_walkaround-under-test"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("WALKAROUND_") || name.starts_with("AWS_") {
            command.env_remove(name.as_ref());
        }
    }
    command
        .arg("console")
        .args(arguments)
        .envs(variables)
        .stdin(Stdio::null());
    command
}

/// A root that no `up` runs on.
fn root(folder: &Path) -> String {
    let root = folder.join("root");
    LocalStack::open(&root, Options::default(), Arc::new(SystemClock::new())).unwrap();
    root.display().to_string()
}

#[tokio::test]
async fn it_serves_a_local_stack() {
    let folder = tempfile::tempdir().unwrap();
    let root = root(folder.path());
    let console = Console::start(&["--root", &root, "--listen", "127.0.0.1:0"], &BTreeMap::new());
    assert!(
        console.address.starts_with("http://127.0.0.1:"),
        "{}",
        console.address
    );
    let (status, session) = console.get("/api/session").await;
    assert_eq!(status, 200, "{session}");
    assert!(session.contains(r#""role":"operator""#), "{session}");
    // A second one beside it, as beside an `up`.
    let second = Console::start(&["--root", &root, "--listen", "127.0.0.1:0"], &BTreeMap::new());
    assert_eq!(second.get("/api/tasks").await.0, 200);
    assert_eq!(console.get("/api/tasks").await.0, 200);
}

#[tokio::test]
async fn it_serves_the_stack_on_aws() {
    let emulator = Ministack::start();
    let aws = clients(&emulator.endpoint()).await;
    let names = Names::make(&aws, &emulator.endpoint()).await;
    let console = Console::start(&["--stack", "aws", "--listen", "127.0.0.1:0"], &names.variables);
    for path in ["/api/session", "/api/inspections", "/api/tasks", "/api/system"] {
        let (status, answer) = console.get(path).await;
        assert_eq!(status, 200, "{path}: {answer}");
    }
}

#[test]
fn beyond_loopback_it_does_not_start_without_sign_in() {
    let folder = tempfile::tempdir().unwrap();
    let root = root(folder.path());
    let arguments = ["--root", &root, "--listen", "0.0.0.0:0"];
    let refused = command(&arguments, &BTreeMap::new()).output().unwrap();
    let line = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{line}");
    for setting in [
        "WALKAROUND_OIDC_ISSUER",
        "WALKAROUND_OIDC_CLIENT",
        "WALKAROUND_CONSOLE_URL",
        "WALKAROUND_SESSION_KEY",
    ] {
        assert!(line.contains(setting), "{line}");
    }
    assert_eq!(line.trim_end().lines().count(), 1, "{line}");
    assert!(refused.stdout.is_empty());
}

#[test]
fn sign_in_that_is_half_set_up_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let root = root(folder.path());
    let whole = [
        ("WALKAROUND_OIDC_ISSUER", "https://id.example.com"),
        ("WALKAROUND_OIDC_CLIENT", "walkaround"),
        ("WALKAROUND_CONSOLE_URL", "https://console.example.com"),
        ("WALKAROUND_SESSION_KEY", "0123456789abcdef0123456789abcdef"),
    ];
    for (missing, _) in whole {
        let given = whole.iter().filter(|(name, _)| *name != missing);
        let given = given.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let variables: BTreeMap<String, String> = given.collect();
        let arguments = ["--root", &root, "--listen", "127.0.0.1:0"];
        let refused = command(&arguments, &variables).output().unwrap();
        let line = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{missing}: {line}");
        assert!(line.contains(missing), "{missing}: {line}");
    }
}
