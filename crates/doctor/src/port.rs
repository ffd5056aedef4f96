//! The address that `up` listens on: whether `up` answers there, or somebody else does, or nobody.

use super::finding::CheckResult;
use super::up::{fix, process};
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use walkaround_local::RunningUp;

/// Longest wait for whoever answers.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 4096;

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Listening {
    /// WALKAROUND_LISTEN is empty.
    NotAsked,
    Nobody,
    /// `up`, and whether its database answers.
    Up {
        healthy: bool,
    },
    /// Another program.
    Other,
    /// Somebody who takes connections, and does not answer in time.
    Silent,
    /// Nobody can listen there.
    Impossible(String),
}

/// Looks by listening there, and where that fails by asking for the health of `up`.
pub(super) async fn ask(address: Option<&str>) -> Listening {
    let Some(address) = address else {
        return Listening::NotAsked;
    };
    match TcpListener::bind(address).await {
        Ok(_) => Listening::Nobody,
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let Ok(answer) = timeout(ANSWER_MAX, health(address)).await else {
                return Listening::Silent;
            };
            match answer.unwrap_or_default() {
                text if text.contains(r#"{"status":"ok"}"#) => Listening::Up { healthy: true },
                text if text.contains(r#"{"status":"unavailable"}"#) => Listening::Up { healthy: false },
                _ => Listening::Other,
            }
        }
        Err(error) => Listening::Impossible(error.to_string()),
    }
}

async fn health(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Judges it. `running` is the `up` of the root: where it runs, it is what holds its port and does not answer.
pub(super) fn listening(is: &Listening, address: &str, running: Option<&RunningUp>) -> CheckResult {
    let check = "HTTP address";
    match (is, running) {
        (Listening::Silent, Some(up)) => {
            return CheckResult::fail(
                check,
                format!("`walkaround up` ({}) does not answer on {address}", process(up)),
                fix(up),
            );
        }
        (Listening::Nobody, Some(up)) => {
            let runs = format!("`walkaround up` ({}) runs", process(up));
            return CheckResult::ok(
                check,
                format!("{runs}, but does not listen on {address}, or not yet"),
            );
        }
        _ => {}
    }
    match is {
        Listening::NotAsked => CheckResult::ok(check, "none configured"),
        Listening::Up { healthy: true } => {
            CheckResult::ok(check, format!("`walkaround up` answers on {address}"))
        }
        Listening::Up { healthy: false } => CheckResult::fail(
            check,
            format!("`walkaround up` answers on {address}, but its database does not"),
            "read its log; the lines on root and database say more",
        ),
        Listening::Nobody => CheckResult::warn(
            check,
            format!("nothing listens on {address}: `walkaround up` does not run"),
            "start `walkaround up`",
        ),
        Listening::Other | Listening::Silent => CheckResult::fail(
            check,
            format!("{address} is used by another program: `walkaround up` cannot start"),
            "stop that program, or set WALKAROUND_LISTEN to another address",
        ),
        Listening::Impossible(why) => CheckResult::fail(
            check,
            format!("no program can listen on {address}: {why}"),
            "set WALKAROUND_LISTEN to host:port of this machine, as in 127.0.0.1:8377",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Level;

    #[test]
    fn each_case_has_its_level() {
        let cases = [
            (Listening::NotAsked, Level::Ok),
            (Listening::Nobody, Level::Warn),
            (Listening::Up { healthy: true }, Level::Ok),
            (Listening::Up { healthy: false }, Level::Fail),
            (Listening::Other, Level::Fail),
            (Listening::Silent, Level::Fail),
            (Listening::Impossible("no".into()), Level::Fail),
        ];
        for (is, level) in cases {
            assert_eq!(listening(&is, "127.0.0.1:1", None).level, level, "{is:?}");
        }
    }

    #[tokio::test]
    async fn our_own_up_that_does_not_answer_is_no_other_program() {
        let up = RunningUp {
            process: Some(4711),
            is_stopped: true,
            report: None,
        };
        // Connections are taken by the system, and nobody answers: as of a process that is stopped.
        let held = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = held.local_addr().unwrap().to_string();
        let silent = ask(Some(&address)).await;
        assert_eq!(silent, Listening::Silent);
        let found = listening(&silent, &address, Some(&up));
        assert!(
            found
                .what
                .contains("`walkaround up` (process 4711) does not answer"),
            "{found:?}"
        );
        assert!(found.fix.unwrap().contains("kill -CONT 4711"));
        let elsewhere = listening(&Listening::Nobody, &address, Some(&up));
        assert_eq!(elsewhere.level, Level::Ok, "{elsewhere:?}");
    }
}
