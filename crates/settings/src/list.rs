//! The one list of settings.

use crate::aws::{
    ALERT_SECRET, INTAKE_DEAD_QUEUE, INTAKE_QUEUE, JOB_DEFINITION, JOB_PREFIX, JOB_QUEUE, METRICS_NAMESPACE,
    OIDC_CLIENT_SECRET_ID, PHOTO_HEADER_SECRET, SEGMENTATION_DEAD_QUEUE, SEGMENTATION_QUEUE, SESSION_KEY_ID,
    TABLE, TOPIC,
};

/// One setting, for documentation.
#[derive(Debug, Clone, Copy)]
pub struct SettingDoc {
    /// Variable.
    pub name: &'static str,
    /// Default, as one would write it.
    pub default: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

const fn doc(name: &'static str, default: &'static str, meaning: &'static str) -> SettingDoc {
    SettingDoc {
        name,
        default,
        meaning,
    }
}

/// All settings of the pipeline.
pub const SETTINGS: &[SettingDoc] = &[
    doc(
        "WALKAROUND_ROOT",
        ".walkaround",
        "folder of the local stack: database, blobs, logs",
    ),
    doc(
        "WALKAROUND_BUNDLE",
        "bundles/demo",
        "folder of the model bundle, or s3://BUCKET/NAME for the active version in a registry",
    ),
    doc(
        "WALKAROUND_BUNDLE_CACHE",
        "",
        "folder for bundles loaded from a registry; empty for the system's temporary folder",
    ),
    doc(
        "WALKAROUND_BUNDLE_POLL_S",
        "60",
        "seconds between two checks for a newly activated bundle; 0 for never",
    ),
    doc(
        "WALKAROUND_ONNXRUNTIME",
        "",
        "ONNX Runtime library; if empty, it is searched for beside the program and in .tools/onnxruntime",
    ),
    doc(
        "WALKAROUND_DEVICE",
        "cpu",
        "where workers run networks: cpu, cuda or auto",
    ),
    doc("WALKAROUND_THREADS", "1", "threads inside one network run"),
    doc(
        "WALKAROUND_TRIAGE_JOBS",
        "0",
        "photos that triage inspects at a time; 0 for one per core",
    ),
    doc(
        "WALKAROUND_TRIAGE_PROCESSES",
        "1",
        "triage processes that may run at once; on Lambda the maximum concurrency of triage",
    ),
    doc(
        "WALKAROUND_LANE_CACHE_S",
        "2",
        "seconds for which triage uses a reading of queues and workers",
    ),
    doc(
        "WALKAROUND_TRIAGE_IN_FLIGHT",
        "16",
        "messages that triage holds at once",
    ),
    doc(
        "WALKAROUND_WORKER_IN_FLIGHT",
        "32",
        "messages that a worker holds at once",
    ),
    doc(
        "WALKAROUND_BATCH_PHOTOS",
        "4",
        "largest number of photos in one batch for the networks, up to 16",
    ),
    doc(
        "WALKAROUND_BATCH_WAIT_MS",
        "0",
        "milliseconds that a batch waits for more photos",
    ),
    doc(
        "WALKAROUND_WORKERS_MIN",
        "0",
        "smallest number of workers of the GPU lane; they stay up without work",
    ),
    doc(
        "WALKAROUND_WORKERS_MAX",
        "2",
        "largest number of workers of the GPU lane; 0 closes the lane",
    ),
    doc(
        "WALKAROUND_WORKER_RATE",
        "5",
        "photos per second of one worker, until the rate is measured",
    ),
    doc(
        "WALKAROUND_COLD_START_S",
        "5",
        "seconds from asking for a worker to its first photo",
    ),
    doc(
        "WALKAROUND_DRAIN_TARGET_S",
        "60",
        "seconds within which workers should empty the lane",
    ),
    doc(
        "WALKAROUND_INLINE_DRAIN_S",
        "20",
        "longest time in seconds that inline segmentation may need for a burst; a longer one goes to the GPU lane",
    ),
    doc(
        "WALKAROUND_SCALE_EVERY_S",
        "2",
        "seconds between two passes of the scaler",
    ),
    doc(
        "WALKAROUND_START_GRACE_S",
        "60",
        "seconds that a worker may take from the start of its process to its first heartbeat",
    ),
    doc(
        "WALKAROUND_LEASE_S",
        "60",
        "seconds of a lease; it is extended each time a third of them has passed",
    ),
    doc(
        "WALKAROUND_IDLE_EXIT_S",
        "60",
        "seconds without work after which a worker exits, except for WALKAROUND_WORKERS_MIN of them; 0 for never",
    ),
    doc(
        "WALKAROUND_STALL_EXIT_S",
        "300",
        "seconds without a finished photo after which a worker exits with code 75; must be greater than `WALKAROUND_PHOTO_TIMEOUT_S`",
    ),
    doc(
        "WALKAROUND_DRAIN_BUDGET_S",
        "25",
        "seconds that a process has after SIGTERM to finish the work in flight",
    ),
    doc(
        "WALKAROUND_JOB_TIMEOUT_S",
        "0",
        "seconds after which a worker is ended from outside (the time-out of its AWS Batch job); it exits with code 0 before that; 0 for none",
    ),
    doc("WALKAROUND_HEARTBEAT_S", "15", "seconds between two heartbeats"),
    doc(
        "WALKAROUND_ATTEMPTS",
        "6",
        "attempts at a photo, 1 to 20, before it is recorded as failed; failures of stores, crashes and stops do not count",
    ),
    doc(
        "WALKAROUND_RETRY_FIRST_S",
        "5",
        "seconds of delay after the first failure; the delay doubles each time, with jitter; it is six times as long if a photo's host fails",
    ),
    doc(
        "WALKAROUND_HOST_RETRY_MAX_S",
        "10800",
        "longest delay in seconds before a photo's host is asked again, up to 10 hours; the delay grows sixfold each time",
    ),
    doc("WALKAROUND_PHOTO_MIB", "64", "largest photo in MiB"),
    doc(
        "WALKAROUND_PHOTO_ROOTS",
        "",
        "folders that photos may be read from, separated by `:`",
    ),
    doc(
        "WALKAROUND_PHOTO_BUCKETS",
        "photos",
        "buckets that photos may be read from, separated by `,`",
    ),
    doc(
        "WALKAROUND_PHOTO_HOSTS",
        "",
        "hosts that photos may be fetched from, separated by `,`; `*.example.com` for all hosts below it, `host:port` for a port other than 80 and 443",
    ),
    doc("WALKAROUND_PHOTO_HTTP", "false", "also fetch over plain http"),
    doc(
        "WALKAROUND_PHOTO_PRIVATE",
        "false",
        "also fetch from private and loopback addresses; for test set-ups only",
    ),
    doc(
        "WALKAROUND_PHOTO_TIMEOUT_S",
        "30",
        "seconds to fetch one photo from the web, from the name look-up to the last byte, redirects included",
    ),
    doc(
        "WALKAROUND_PHOTO_HEADER",
        "",
        "secret header for a host, as `host header: value`",
    ),
    doc(
        "WALKAROUND_DROP_FOLDER",
        "",
        "folder that `up` watches for photos, with the folders below it",
    ),
    doc(
        "WALKAROUND_DROP_SETTLE_S",
        "5",
        "seconds that a dropped file must stay unchanged before it is taken; a file that is cut short waits twelve times as long",
    ),
    doc(
        "WALKAROUND_LISTEN",
        "127.0.0.1:8377",
        "address of the HTTP server; empty for none",
    ),
    doc(
        "WALKAROUND_REVIEWER",
        "",
        "name written beside every decision that is made through the HTTP server; if empty, each browser asks for one; whoever signs in decides under their own name",
    ),
    doc(
        "WALKAROUND_CONSOLE_URL",
        "",
        "where browsers reach the console, as https://console.example.com; requests under another name are refused",
    ),
    doc(
        "WALKAROUND_OIDC_ISSUER",
        "",
        "provider of identities (OpenID Connect) that people sign in at; needed to listen beyond loopback; empty for no sign-in",
    ),
    doc(
        "WALKAROUND_OIDC_CLIENT",
        "",
        "client id at the provider; its redirect address is WALKAROUND_CONSOLE_URL with /sign-in/callback",
    ),
    doc(
        "WALKAROUND_OIDC_CLIENT_SECRET",
        "",
        "secret of that client; empty for a public client, which has PKCE alone",
    ),
    doc(
        "WALKAROUND_OIDC_SCOPES",
        "openid email profile",
        "scopes that the provider is asked for, separated by spaces",
    ),
    doc(
        "WALKAROUND_OIDC_NAME_CLAIM",
        "email",
        "claim with the name that is written beside decisions; without it, or unverified, the subject",
    ),
    doc(
        "WALKAROUND_OIDC_ROLE_CLAIM",
        "roles",
        "claim with the words for roles, a text or a list; a dot leads into it, as in realm_access.roles",
    ),
    doc(
        "WALKAROUND_OIDC_VIEWERS",
        "viewer",
        "words of that claim for people who may read, separated by `,`",
    ),
    doc(
        "WALKAROUND_OIDC_REVIEWERS",
        "reviewer",
        "words of that claim for people who may also decide, separated by `,`",
    ),
    doc(
        "WALKAROUND_OIDC_OPERATORS",
        "operator",
        "words of that claim for people who may also redrive and retry, separated by `,`",
    ),
    doc(
        "WALKAROUND_SESSION_KEY",
        "",
        "secret that seals sessions: 32 random characters or more, the same on every instance",
    ),
    doc(
        "WALKAROUND_SESSION_MIN",
        "60",
        "minutes from one sign-in to the next; fewer where the provider's access token ends earlier",
    ),
    doc(
        "WALKAROUND_METRICS_TOKEN",
        "",
        "secret bearer token that reads /metrics where people sign in; empty for sessions only",
    ),
    doc(
        "WALKAROUND_OVERLAY",
        "findings",
        "which photos get an overlay: `findings` (those with findings), `always` or `never`",
    ),
    doc(
        "WALKAROUND_DECODE_MIB",
        "384",
        "memory in MiB for all decoding together",
    ),
    doc(
        "WALKAROUND_PHOTOS_BUCKET",
        "photos",
        "bucket for submitted photos",
    ),
    doc(
        "WALKAROUND_RESULTS_BUCKET",
        "results",
        "bucket for reports and overlays",
    ),
    doc(
        "WALKAROUND_STACK",
        "local",
        "which stack the client commands talk to: local or aws",
    ),
    doc(
        "WALKAROUND_HEARTBEAT_FILE",
        "",
        "aws: file that the Batch worker writes each heartbeat to, for a container's health check",
    ),
    doc(INTAKE_QUEUE, "", "aws: URL of the intake queue"),
    doc(INTAKE_DEAD_QUEUE, "", "aws: URL of its dead-letter queue"),
    doc(
        SEGMENTATION_QUEUE,
        "",
        "aws: URL of the segmentation queue (the GPU lane)",
    ),
    doc(SEGMENTATION_DEAD_QUEUE, "", "aws: URL of its dead-letter queue"),
    doc(TABLE, "", "aws: name of the table of records"),
    doc(
        "WALKAROUND_RECORD_DAYS",
        "0",
        "days that a record is kept after its last change (on the local stack: final records, and events); 0 for ever",
    ),
    doc(
        "WALKAROUND_PHOTO_DAYS",
        "0",
        "local: days that photos are kept in the stack after they were last put there; 0 for ever (on AWS: `PhotoDays`)",
    ),
    doc(
        "WALKAROUND_RESULT_DAYS",
        "0",
        "local: days that reports and overlays are kept; 0 for ever (on AWS: `ResultDays`)",
    ),
    doc(
        "WALKAROUND_DEAD_LETTER_DAYS",
        "14",
        "local: days that parked messages are kept, as SQS keeps them; 0 for ever",
    ),
    doc(
        "WALKAROUND_DURABILITY",
        "process",
        "local: what an accepted request survives: `process` (the death of any process) or `power` (also a power failure; each write waits for the disk)",
    ),
    doc(TOPIC, "", "aws: ARN of the topic that events are published to"),
    doc(JOB_QUEUE, "", "aws: AWS Batch job queue of the workers"),
    doc(JOB_DEFINITION, "", "aws: AWS Batch job definition of the workers"),
    doc(
        JOB_PREFIX,
        "walkaround-worker",
        "aws: prefix of the names of worker jobs; distinguishes the fleets of two stages",
    ),
    doc(
        PHOTO_HEADER_SECRET,
        "",
        "aws: secret that holds the value of WALKAROUND_PHOTO_HEADER",
    ),
    doc(
        ALERT_SECRET,
        "",
        "aws: secret that holds the URL of the Slack incoming webhook",
    ),
    doc(
        OIDC_CLIENT_SECRET_ID,
        "",
        "aws: secret that holds the value of WALKAROUND_OIDC_CLIENT_SECRET",
    ),
    doc(
        SESSION_KEY_ID,
        "",
        "aws: secret that holds the value of WALKAROUND_SESSION_KEY",
    ),
    doc(
        "WALKAROUND_ALERT_WINDOW_S",
        "900",
        "aws: seconds within which an alert about one cause is sent only once",
    ),
    doc(
        "WALKAROUND_TRIAGE_STORAGE_MIB",
        "1024",
        "aws: disk of the triage function in MiB, which `bundle activate` compares a version with",
    ),
    doc(
        METRICS_NAMESPACE,
        "Walkaround",
        "aws: CloudWatch namespace of the metrics",
    ),
];
