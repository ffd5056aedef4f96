//! Emulators of AWS for tests: [`Ministack`], which runs by default, and [`Moto`], the second opinion, which also
//! speaks AWS Batch. Never shipped.
//!
//! Each is a Python program that `make setup` puts under `.tools/`. Starting one finds a free port of the loopback
//! interface, starts a process group of its own, and waits until that process answers; dropping it kills the group. The
//! group also ends when the test is killed: its standard input is a pipe that closes with the test. What an
//! emulator writes goes to a file of its own, whose end is shown when it does not start or a test fails.
//!
//! nextest runs each test in a process of its own, so each that needs an emulator starts one: 0.4 to 4 s. Group cases.

mod http;
mod process;

use process::Program;
use std::process::Command;

/// Region that [`environment`](Ministack::environment) names.
pub const REGION: &str = "eu-central-1";
/// Account of everything in an emulator.
pub const ACCOUNT: &str = "000000000000";
/// Key id and secret that both emulators take. They are nobody's.
pub const CREDENTIALS: (&str, &str) = ("test", "test");

/// ministack: SQS, S3, DynamoDB, SNS, EventBridge, CloudWatch, CloudFormation, and Lambda functions that really run.
#[derive(Debug)]
pub struct Ministack {
    program: Program,
}

impl Ministack {
    /// Starts an empty one.
    ///
    /// # Panics
    /// When it is not installed (`make setup`), or does not answer within a minute.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts an empty one with more variables in its environment, such as `PERSIST_STATE`.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn start_with(variables: &[(&str, &str)]) -> Self {
        let program = Program::start("ministack", "/_ministack/ready", |port, command| {
            command
                .args(["ministack.app", "main"])
                .env("BIND_HOST", "127.0.0.1")
                .env("GATEWAY_PORT", port.to_string())
                .env("MINISTACK_REGION", REGION)
                .env("AWS_DEFAULT_REGION", REGION)
                .envs(variables.iter().copied());
        });
        Self { program }
    }

    /// Forgets everything in it: queues, buckets, tables, functions.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn reset(&self) {
        self.program.post("/_ministack/reset", "");
    }
}

/// moto: the independent cross-check, and AWS Batch, whose jobs succeed at once without running anything.
#[derive(Debug)]
pub struct Moto {
    program: Program,
}

impl Moto {
    /// Starts an empty one.
    ///
    /// # Panics
    /// When it is not installed (`make setup`), or does not answer within a minute.
    pub fn start() -> Self {
        let program = Program::start("moto", "/moto-api/", |port, command| {
            command
                .args(["moto.server", "main", "-H", "127.0.0.1", "-p"])
                .arg(port.to_string())
                .env("MOTO_ACCOUNT_ID", ACCOUNT);
        });
        let moto = Self { program };
        moto.configure("{\"batch\":{\"use_docker\":false},\"lambda\":{\"use_docker\":false}}");
        moto
    }

    /// Changes moto's settings by a JSON document, as its `/moto-api/config` takes it.
    ///
    /// # Panics
    /// When it does not take it.
    pub fn configure(&self, settings: &str) {
        self.program.post("/moto-api/config", settings);
    }

    /// Forgets everything in it; settings stay.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn reset(&self) {
        self.program.post("/moto-api/reset", "");
    }
}

macro_rules! reach {
    ($emulator:ident) => {
        impl $emulator {
            /// Where it answers: `http://127.0.0.1:PORT`.
            pub fn endpoint(&self) -> String {
                self.program.endpoint()
            }

            /// Variables that lead the AWS SDKs and command line here, and away from whoever's real account.
            pub fn environment(&self) -> Vec<(&'static str, String)> {
                environment(self.endpoint())
            }

            /// Gives a program that environment, and takes the named profile away from it.
            pub fn apply(&self, command: &mut Command) {
                command.env_remove("AWS_PROFILE").envs(self.environment());
            }

            /// What it has written so far.
            pub fn log(&self) -> String {
                self.program.log()
            }
        }
    };
}
reach!(Ministack);
reach!(Moto);

fn environment(endpoint: String) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", CREDENTIALS.0.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", CREDENTIALS.1.to_owned()),
        ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ]
}
