//! One client a service, built once per process.
//!
//! Time-outs and retries are set on purpose, for calls that a lease of tens of seconds waits for:
//!
//! | bound | value | why |
//! | --- | --- | --- |
//! | connect | 3 s | a service in the same region answers in milliseconds |
//! | first byte of an answer | 25 s | longer than a long poll of SQS (20 s) |
//! | one attempt | 60 s | as above, and a slow look-up of credentials |
//! | all attempts of one call | 120 s | a stuck call must not outlast its lease by far |
//! | attempts | 5, standard | exponential, jittered, up to 20 s between two; a quota of retries for each client |
//! | stalled stream | 20 s under 1 byte/s | a dead connection is given up |
//!
//! The body of an answer has bounds of its own (`blobs::reading`), and so has the sending of one (`blobs::put_if_absent`).
//!
//! Not the SDK's *adaptive* mode: its rate limit is one for all calls of a client and takes every throttled answer for a
//! sign that all of them are too many. With one call in ten throttled, whoever's fault that is, 2,000 photos went at one
//! a second (tests/tests/aws_chaos.rs). What adapts here is the work: a call that fails after its attempts gives its
//! message back with a growing, jittered delay, and nothing is received meanwhile beyond what is in flight.
//!
//! See <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>.

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use std::time::Duration;

const CONNECT_MAX: Duration = Duration::from_secs(3);
const READ_MAX: Duration = Duration::from_secs(25);
const ATTEMPT_MAX: Duration = Duration::from_secs(60);
const OPERATION_MAX: Duration = Duration::from_secs(120);
const STREAM_GRACE: Duration = Duration::from_secs(20);
/// Tries of a call, the first included.
pub const ATTEMPTS_MAX: u32 = 5;

/// How to reach AWS, beyond what the standard environment and profile files say.
#[derive(Debug, Clone, Default)]
pub struct Connection {
    /// Named profile of the shared configuration files.
    pub profile: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Endpoint of all services: an emulator.
    pub endpoint_url: Option<String>,
}

/// Clients of all services. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Aws {
    /// AWS Batch.
    pub batch: aws_sdk_batch::Client,
    /// DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// S3. Addresses buckets by path where an endpoint of one's own is set: emulators have no wildcard DNS.
    pub s3: aws_sdk_s3::Client,
    /// Secrets Manager.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// SNS.
    pub sns: aws_sdk_sns::Client,
    /// SQS.
    pub sqs: aws_sdk_sqs::Client,
}

impl Connection {
    /// The standard settings (environment, profile, container or instance role) with the bounds above, for whoever
    /// has more to say: credentials of its own, an HTTP client that replays.
    pub fn loader(&self) -> ConfigLoader {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_MAX)
            .read_timeout(READ_MAX)
            .operation_attempt_timeout(ATTEMPT_MAX)
            .operation_timeout(OPERATION_MAX)
            .build();
        let stalled = StalledStreamProtectionConfig::enabled()
            .grace_period(STREAM_GRACE)
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .timeout_config(timeouts)
            .stalled_stream_protection(stalled)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX));
        if let Some(profile) = &self.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = &self.region {
            loader = loader.region(aws_config::Region::new(region.clone()));
        }
        if let Some(endpoint) = &self.endpoint_url {
            loader = loader.endpoint_url(endpoint);
        }
        loader
    }
}

impl Aws {
    /// Reads the standard settings and builds the clients. Does not talk to any service yet.
    pub async fn connect(connection: &Connection) -> Self {
        Self::new(&connection.loader().load().await)
    }

    /// Clients with these settings.
    pub fn new(config: &SdkConfig) -> Self {
        let s3 = aws_sdk_s3::config::Builder::from(config)
            .force_path_style(config.endpoint_url().is_some())
            .build();
        Self {
            batch: aws_sdk_batch::Client::new(config),
            dynamodb: aws_sdk_dynamodb::Client::new(config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            secrets: aws_sdk_secretsmanager::Client::new(config),
            sns: aws_sdk_sns::Client::new(config),
            sqs: aws_sdk_sqs::Client::new(config),
        }
    }
}
