//! Lambda's runtime API, and functions as processes behind it: what Lambda, `cargo lambda watch` and the emulator do,
//! small enough to see into.
//!
//! [`Function::start`] starts a program with an API of its own; [`Function::invoke`] hands it an event and gives its
//! answer. The API serves `next`, `response`, `error` and `init/error` of
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>, on a free port of the loopback interface.

use crate::running::{Running, tail};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::Value;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path as FilePath, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// Lambda's bound of an answer.
const ANSWER_BYTES_MAX: usize = 6 << 20;
/// Invocations that wait for the function.
const WAITING_MAX: usize = 64;
/// Time of an invocation, unless the caller names one.
const INVOCATION: Duration = Duration::from_secs(60);
/// Beyond the deadline an answer still counts for this long: a loaded machine is no fault of the function.
const GRACE: Duration = Duration::from_secs(30);
/// Between two checks whether the process lives.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Lines of its log that a failure shows.
const LOG_LINES_SHOWN: usize = 60;

/// What a function answers: a document, or the document of its error.
pub type Answer = Result<Value, Value>;

/// The runtime API of one function.
pub struct RuntimeApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    events: mpsc::Sender<Invocation>,
    answers: Receiver<(String, Answer)>,
    invoked: u64,
    /// Ends with the API.
    _runtime: tokio::runtime::Runtime,
}

struct Shared {
    waiting: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    answers: Mutex<Sender<(String, Answer)>>,
    first_poll: OnceLock<Instant>,
    init_error: OnceLock<Value>,
}

struct Invocation {
    id: String,
    event: Value,
    deadline_ms: u128,
}

impl RuntimeApi {
    /// Serves on a free port until it is dropped.
    ///
    /// # Panics
    /// When it cannot be served.
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let (events, waiting) = mpsc::channel(WAITING_MAX);
        let (answering, answers) = channel();
        let shared = Arc::new(Shared {
            waiting: tokio::sync::Mutex::new(waiting),
            answers: Mutex::new(answering),
            first_poll: OnceLock::new(),
            init_error: OnceLock::new(),
        });
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0)))
            .expect("a free port of the loopback interface");
        let address = listener.local_addr().expect("a bound listener has an address");
        let app = router(Arc::clone(&shared));
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self {
            address,
            shared,
            events,
            answers,
            invoked: 0,
            _runtime: runtime,
        }
    }

    /// Variables that Lambda gives a function of that name and memory.
    pub fn environment(&self, name: &str, memory_mib: u32) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_LAMBDA_RUNTIME_API", self.address.to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", name.to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory_mib.to_string()),
        ]
    }

    /// When the function first asked for an event.
    pub fn first_poll(&self) -> Option<Instant> {
        self.shared.first_poll.get().copied()
    }

    /// What the function reported about its failed start.
    pub fn init_error(&self) -> Option<&Value> {
        self.shared.init_error.get()
    }

    /// Hands an event over; the id to await its answer by.
    ///
    /// # Panics
    /// When too many wait.
    pub fn hand_over(&mut self, event: &Value, time: Duration) -> String {
        self.invoked += 1;
        let id = format!("00000000-0000-4000-8000-{:012}", self.invoked);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let invocation = Invocation {
            id: id.clone(),
            event: event.clone(),
            deadline_ms: (now.expect("it is later than 1970") + time).as_millis(),
        };
        let sent = self.events.try_send(invocation);
        assert!(sent.is_ok(), "over {WAITING_MAX} invocations wait");
        id
    }

    /// The next answer, of whichever invocation, if there is one within `bound`.
    ///
    /// # Panics
    /// When the API is gone.
    pub fn answer(&self, bound: Duration) -> Option<(String, Answer)> {
        match self.answers.recv_timeout(bound) {
            Ok(answer) => Some(answer),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("the runtime API has ended"),
        }
    }
}

fn router(shared: Arc<Shared>) -> Router {
    let at = |path: &str| format!("/2018-06-01/runtime/{path}");
    Router::new()
        .route(&at("invocation/next"), get(next))
        .route(&at("invocation/{id}/response"), post(response))
        .route(&at("invocation/{id}/error"), post(error))
        .route(&at("init/error"), post(init_error))
        .layer(DefaultBodyLimit::max(ANSWER_BYTES_MAX))
        .with_state(shared)
}

async fn next(State(shared): State<Arc<Shared>>) -> Response {
    let _ = shared.first_poll.set(Instant::now());
    // A function that goes away while it waits drops this future; no event is lost with it.
    let Some(invocation) = shared.waiting.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let headers = [
        ("lambda-runtime-aws-request-id", invocation.id),
        ("lambda-runtime-deadline-ms", invocation.deadline_ms.to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-central-1:000000000000:function:under-test".to_owned(),
        ),
        (
            "lambda-runtime-trace-id",
            "Root=1-69234e00-0123456789abcdef01234567;Parent=53995c3f42cd8ad8;Sampled=1".to_owned(),
        ),
    ];
    (headers_of(headers), Json(invocation.event)).into_response()
}

fn headers_of<const N: usize>(headers: [(&'static str, String); N]) -> HeaderMap {
    let parsed = headers.into_iter().filter_map(|(name, value)| {
        let value = value.parse().ok()?;
        Some((name.parse().ok()?, value))
    });
    parsed.collect()
}

async fn response(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    answered(&shared, id, Ok(document(&body)))
}

async fn error(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    answered(&shared, id, Err(document(&body)))
}

async fn init_error(State(shared): State<Arc<Shared>>, body: Bytes) -> StatusCode {
    let _ = shared.init_error.set(document(&body));
    StatusCode::ACCEPTED
}

fn answered(shared: &Shared, id: String, answer: Answer) -> StatusCode {
    let answers = shared.answers.lock().expect("nobody panics while sending");
    // Nobody listens any more when the test is over.
    let _ = answers.send((id, answer));
    StatusCode::ACCEPTED
}

/// A body as JSON; as text where it is none.
fn document(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(body)))
}

/// A function as a process of its own; killed when it is dropped.
pub struct Function {
    api: RuntimeApi,
    process: Running,
    started: Instant,
    stdout: PathBuf,
    /// Its log and output.
    _folder: TempDir,
}

/// What a function is started with.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Variables beside those of Lambda. `WALKAROUND_*` and `AWS_PROFILE` of the caller are not handed on.
    pub variables: Vec<(String, String)>,
    /// Memory that Lambda reports to it, in MiB; 0 for 3008.
    pub memory_mib: u32,
}

impl Function {
    /// Starts `program`, the file of a function, in a folder of its own.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(program: impl AsRef<FilePath>, setup: &Setup) -> Self {
        let program = program.as_ref();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (log, stdout) = (folder.path().join("log"), folder.path().join("stdout"));
        let file = |path: &FilePath| File::create(path).expect("a file in a new folder");
        let api = RuntimeApi::start();
        let name = program.file_stem().unwrap_or_default().to_string_lossy();
        let memory = if setup.memory_mib == 0 {
            3008
        } else {
            setup.memory_mib
        };
        let mut command = Command::new(program);
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("WALKAROUND_") {
                command.env_remove(variable);
            }
        }
        command
            .env_remove("AWS_PROFILE")
            .envs(api.environment(&name, memory))
            .envs(setup.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(file(&stdout))
            .stderr(file(&log));
        let started = Instant::now();
        let child = command
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", program.display()));
        Self {
            api,
            process: Running { child, log },
            started,
            stdout,
            _folder: folder,
        }
    }

    /// Time from the start of the process to its first poll for an event: what Lambda calls init.
    ///
    /// # Panics
    /// When it ends before, or does not poll within `bound`.
    pub fn until_ready(&mut self, bound: Duration) -> Duration {
        let end = Instant::now() + bound;
        while Instant::now() < end {
            if let Some(polled) = self.api.first_poll() {
                return polled - self.started;
            }
            self.assert_running();
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("no poll within {bound:?}:\n{}", self.shown());
    }

    /// Hands it an event, with a minute until the deadline, and waits for the answer.
    ///
    /// # Panics
    /// When it ends, or gives none.
    pub fn invoke(&mut self, event: &Value) -> Answer {
        self.invoke_within(event, INVOCATION)
    }

    /// Hands it an event with this much time until the deadline, and waits for the answer.
    ///
    /// # Panics
    /// When it ends, or gives none.
    pub fn invoke_within(&mut self, event: &Value, time: Duration) -> Answer {
        let id = self.api.hand_over(event, time);
        let end = Instant::now() + time + GRACE;
        while Instant::now() < end {
            match self.api.answer(LOOK_EVERY) {
                Some((answered, answer)) if answered == id => return answer,
                Some((other, _)) => panic!("an answer to {other} instead of {id}"),
                None => self.assert_running(),
            }
        }
        panic!("no answer within {time:?}:\n{}", self.shown());
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// What it has written to standard output so far: metrics.
    pub fn stdout(&self) -> String {
        std::fs::read_to_string(&self.stdout).unwrap_or_default()
    }

    /// Its process, to stop it, or to wait for its end.
    pub fn process(&mut self) -> &mut Running {
        &mut self.process
    }

    /// Its resident memory in bytes; 0 once it has ended.
    pub fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.process.child.id());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kib.map_or(0, |kib| kib << 10)
    }

    fn assert_running(&mut self) {
        assert!(
            self.process.is_running(),
            "the function has ended:\n{}",
            self.shown()
        );
    }

    fn shown(&self) -> String {
        let told = self.api.init_error().map(|e| format!("init error: {e}\n"));
        told.unwrap_or_default() + &tail(&self.log(), LOG_LINES_SHOWN)
    }
}
