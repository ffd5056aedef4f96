//! What the tests of the command line on AWS share: names made by hand in an emulator, the program run on them.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]
#![allow(dead_code, reason = "each test file uses a part")]

use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use aws_sdk_sqs::config::Credentials;
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use walkaround_aws::{Aws, Connection, create_table};
use walkaround_emulators::REGION;
use walkaround_tests::places;
use walkaround_tests::program::Ran;

/// The secret key that the program signs with: it must stand in no output.
pub(crate) const SECRET: &str = "sekrit-4711";
pub(crate) const TABLE: &str = "records";

/// Clients of an emulator, whatever the environment says.
pub(crate) async fn clients(endpoint: &str) -> Aws {
    let connection = Connection {
        region: Some(REGION.to_owned()),
        endpoint_url: Some(endpoint.to_owned()),
        ..Connection::default()
    };
    let credentials = Credentials::new("test", SECRET, None, None, "emulator");
    Aws::new(&connection.loader().credentials_provider(credentials).load().await)
}

pub(crate) async fn make_bucket(aws: &Aws, name: &str) {
    let place =
        CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::from(REGION));
    let create = aws.s3.create_bucket().bucket(name);
    create
        .create_bucket_configuration(place.build())
        .send()
        .await
        .unwrap();
}

/// Queues, table and buckets of a stack in an emulator.
pub(crate) struct Names {
    /// Settings that name them, and the way to the emulator.
    pub variables: BTreeMap<String, String>,
}

impl Names {
    /// Makes them all.
    pub(crate) async fn make(aws: &Aws, endpoint: &str) -> Self {
        let mut variables = BTreeMap::from(
            [
                ("AWS_ENDPOINT_URL", endpoint),
                ("AWS_REGION", REGION),
                ("AWS_ACCESS_KEY_ID", "test"),
                ("AWS_SECRET_ACCESS_KEY", SECRET),
                ("AWS_CONFIG_FILE", "/dev/null"),
                ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
                ("AWS_EC2_METADATA_DISABLED", "true"),
                ("WALKAROUND_STACK", "aws"),
                ("WALKAROUND_TABLE", TABLE),
                ("WALKAROUND_BUNDLE", "s3://bundles/seven"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        for (variable, name) in [
            ("INTAKE_QUEUE", "intake"),
            ("INTAKE_DEAD_QUEUE", "intake-dead"),
            ("SEGMENTATION_QUEUE", "segmentation"),
            ("SEGMENTATION_DEAD_QUEUE", "segmentation-dead"),
        ] {
            let made = aws.sqs.create_queue().queue_name(name).send().await.unwrap();
            variables.insert(format!("WALKAROUND_{variable}"), made.queue_url.unwrap());
        }
        for bucket in ["photos", "results", "bundles"] {
            make_bucket(aws, bucket).await;
        }
        create_table(&aws.dynamodb, TABLE).await.unwrap();
        Self { variables }
    }

    pub(crate) fn url(&self, variable: &str) -> &str {
        &self.variables[&format!("WALKAROUND_{variable}")]
    }

    /// The same with one variable set, or taken away by an empty value.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut variables = self.variables.clone();
        variables.insert(name.to_owned(), value.to_owned());
        variables.retain(|_, value| !value.is_empty());
        Self { variables }
    }

    /// Runs the program, outside the reach of the caller's own settings.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_walkaround-under-test"));
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("WALKAROUND_") || name.starts_with("AWS_") {
                command.env_remove(name.as_ref());
            }
        }
        let output = command
            .args(arguments)
            .env("WALKAROUND_ONNXRUNTIME", places::onnxruntime())
            .envs(&self.variables)
            .stdin(Stdio::null())
            .output()
            .expect("the program starts");
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The documents that a command prints.
    pub(crate) fn documents(&self, arguments: &[&str]) -> Vec<serde_json::Value> {
        let ran = self.run(&[arguments, &["--format", "json"]].concat());
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        ran.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}
