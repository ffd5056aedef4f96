//! Every setting in one typed place: read from `WALKAROUND_*` variables once at start, checked, then data.
//!
//! [`SETTINGS`] is the one list: names, defaults and what they mean. The loader takes its defaults from there,
//! and a test holds that it reads each of them and nothing else.
//!
//! ```
//! use walkaround_settings::Settings;
//!
//! let given = |name: &str| (name == "WALKAROUND_ATTEMPTS").then(|| "forty".to_owned());
//! let refused = Settings::from_lookup(&given).expect_err("it is no number");
//! assert!(refused.to_string().contains("WALKAROUND_ATTEMPTS"), "{refused}");
//! ```

pub mod aws;
mod list;
mod read;
mod secret;
mod sign_in;
mod unknown;

pub use aws::AwsSettings;
pub use list::{SETTINGS, SettingDoc};
use read::Reader;
pub use read::SettingsError;
pub use secret::Secret;
pub use sign_in::SignInSettings;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
pub use unknown::{OTHER_NAMES, UnknownSetting, unknown_among, unknown_settings};

/// What names of our variables begin with.
const PREFIX: &str = "WALKAROUND_";
use walkaround_domain::{ATTEMPTS_MAX, Overlays};

/// Settings of the pipeline. Field by field as [`SETTINGS`] says.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "SETTINGS documents each field under its variable")]
pub struct Settings {
    pub root: PathBuf,
    pub bundle: PathBuf,
    pub onnxruntime: Option<PathBuf>,
    pub device: DeviceKind,
    pub threads: usize,
    pub triage_jobs: usize,
    pub triage_processes: u32,
    pub lane_cache: Duration,
    pub triage_in_flight: usize,
    pub worker_in_flight: usize,
    pub batch_photos: usize,
    pub batch_wait: Duration,
    pub workers_min: u32,
    pub workers_max: u32,
    pub worker_rate: f64,
    pub cold_start: Duration,
    pub drain_target: Duration,
    pub inline_drain: Duration,
    pub scale_every: Duration,
    pub start_grace: Duration,
    pub lease: Duration,
    pub idle_exit: Option<Duration>,
    pub stall_exit: Duration,
    pub drain_budget: Duration,
    pub job_timeout: Option<Duration>,
    pub monitor_every: Option<Duration>,
    pub monitor_photos: u64,
    pub monitor_label: String,
    pub heartbeat: Duration,
    pub attempts: u32,
    pub retry_first: Duration,
    pub host_retry_max: Duration,
    pub photo_bytes_max: u64,
    pub photo_roots: Vec<PathBuf>,
    pub photo_buckets: Vec<String>,
    pub photo_hosts: Vec<String>,
    pub photo_http: bool,
    pub photo_private: bool,
    pub photo_timeout: Duration,
    pub photo_header: Option<Secret>,
    pub drop_folder: Option<PathBuf>,
    pub drop_settle: Duration,
    pub listen: Option<String>,
    pub reviewer: Option<String>,
    pub sign_in: Option<SignInSettings>,
    pub overlays: Overlays,
    pub bundle_cache: PathBuf,
    pub bundle_poll: Option<Duration>,
    pub decode_bytes_max: u64,
    pub photos_bucket: String,
    pub results_bucket: String,
    pub stack: StackKind,
    pub heartbeat_file: Option<PathBuf>,
    pub record_days: Option<u32>,
    pub photo_days: Option<u32>,
    pub result_days: Option<u32>,
    pub dead_letter_days: Option<u32>,
    pub durable: bool,
    pub alert_window: Duration,
    pub triage_storage_bytes: u64,
    pub aws: AwsSettings,
}

/// Where workers run networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    /// The processor.
    Cpu,
    /// A GPU by CUDA; nothing else will do.
    Cuda,
    /// A GPU where there is one.
    Auto,
}

impl DeviceKind {
    /// The word for it in settings and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Auto => "auto",
        }
    }

    /// The device that a word names.
    pub fn parse(word: &str) -> Option<Self> {
        DEVICES
            .iter()
            .find(|(name, _)| *name == word)
            .map(|(_, kind)| *kind)
    }
}

/// Which stack a client talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StackKind {
    /// The one on this machine.
    Local,
    /// The one on AWS.
    Aws,
}

const DEVICES: [(&str, DeviceKind); 3] = [
    (DeviceKind::Cpu.as_str(), DeviceKind::Cpu),
    (DeviceKind::Cuda.as_str(), DeviceKind::Cuda),
    (DeviceKind::Auto.as_str(), DeviceKind::Auto),
];
const STACKS: [(&str, StackKind); 2] = [("local", StackKind::Local), ("aws", StackKind::Aws)];

impl Settings {
    /// Reads all settings from the environment of this process.
    ///
    /// # Errors
    /// [`SettingsError`] naming the first variable whose value is bad.
    pub fn from_env() -> Result<Self, SettingsError> {
        all_are_text(std::env::vars_os())?;
        Self::from_lookup(&|name| std::env::var(name).ok())
    }

    /// Reads all settings from anything that has values by name.
    ///
    /// # Errors
    /// As [`Settings::from_env`].
    #[allow(clippy::too_many_lines, reason = "a line a setting")]
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let r = Reader { lookup };
        let settings = Self {
            root: r.path("WALKAROUND_ROOT")?.unwrap_or_default(),
            bundle: r.path("WALKAROUND_BUNDLE")?.unwrap_or_default(),
            onnxruntime: r.path("WALKAROUND_ONNXRUNTIME")?,
            device: r.one_of("WALKAROUND_DEVICE", &DEVICES)?,
            threads: r.number("WALKAROUND_THREADS", 1, 256)?,
            triage_jobs: r.number("WALKAROUND_TRIAGE_JOBS", 0, 256)?,
            triage_processes: r.number("WALKAROUND_TRIAGE_PROCESSES", 1, 10_000)?,
            lane_cache: r.seconds("WALKAROUND_LANE_CACHE_S", 0.0, 3600.0)?,
            triage_in_flight: r.number("WALKAROUND_TRIAGE_IN_FLIGHT", 1, 1000)?,
            worker_in_flight: r.number("WALKAROUND_WORKER_IN_FLIGHT", 1, 1000)?,
            batch_photos: r.number("WALKAROUND_BATCH_PHOTOS", 1, 16)?,
            batch_wait: Duration::from_millis(r.number("WALKAROUND_BATCH_WAIT_MS", 0, 60_000)?),
            workers_min: r.number("WALKAROUND_WORKERS_MIN", 0, 1000)?,
            workers_max: r.number("WALKAROUND_WORKERS_MAX", 0, 1000)?,
            worker_rate: r.real("WALKAROUND_WORKER_RATE", 0.001, 100_000.0)?,
            cold_start: r.seconds("WALKAROUND_COLD_START_S", 0.0, 3600.0)?,
            drain_target: r.seconds("WALKAROUND_DRAIN_TARGET_S", 1.0, 86_400.0)?,
            inline_drain: r.seconds("WALKAROUND_INLINE_DRAIN_S", 0.0, 86_400.0)?,
            scale_every: r.seconds("WALKAROUND_SCALE_EVERY_S", 0.05, 3600.0)?,
            start_grace: r.seconds("WALKAROUND_START_GRACE_S", 1.0, 86_400.0)?,
            lease: r.seconds("WALKAROUND_LEASE_S", 0.5, 43_200.0)?,
            idle_exit: Some(r.seconds("WALKAROUND_IDLE_EXIT_S", 0.0, 86_400.0)?).filter(|d| !d.is_zero()),
            stall_exit: r.seconds("WALKAROUND_STALL_EXIT_S", 1.0, 86_400.0)?,
            drain_budget: r.seconds("WALKAROUND_DRAIN_BUDGET_S", 0.0, 3600.0)?,
            job_timeout: Some(r.seconds("WALKAROUND_JOB_TIMEOUT_S", 0.0, 31_536_000.0)?)
                .filter(|d| !d.is_zero()),
            monitor_every: Some(r.seconds("WALKAROUND_MONITOR_EVERY_S", 0.0, 86_400.0)?)
                .filter(|d| !d.is_zero()),
            monitor_photos: r.number("WALKAROUND_MONITOR_PHOTOS", 500, 1_000_000)?,
            monitor_label: r.text("WALKAROUND_MONITOR_LABEL")?.unwrap_or_default(),
            heartbeat: r.seconds("WALKAROUND_HEARTBEAT_S", 0.1, 3600.0)?,
            attempts: r.number("WALKAROUND_ATTEMPTS", 1, ATTEMPTS_MAX)?,
            retry_first: r.seconds("WALKAROUND_RETRY_FIRST_S", 0.0, 3600.0)?,
            host_retry_max: r.seconds("WALKAROUND_HOST_RETRY_MAX_S", 0.0, 36_000.0)?,
            photo_bytes_max: r.number::<u64>("WALKAROUND_PHOTO_MIB", 1, 1024)? << 20,
            photo_roots: r
                .list("WALKAROUND_PHOTO_ROOTS", ':')?
                .into_iter()
                .map(PathBuf::from)
                .collect(),
            photo_buckets: r.list("WALKAROUND_PHOTO_BUCKETS", ',')?,
            photo_hosts: r.list("WALKAROUND_PHOTO_HOSTS", ',')?,
            photo_http: r.yes_no("WALKAROUND_PHOTO_HTTP")?,
            photo_private: r.yes_no("WALKAROUND_PHOTO_PRIVATE")?,
            photo_timeout: r.seconds("WALKAROUND_PHOTO_TIMEOUT_S", 0.1, 900.0)?,
            photo_header: r.text("WALKAROUND_PHOTO_HEADER")?.map(Secret::new),
            drop_folder: r.path("WALKAROUND_DROP_FOLDER")?,
            drop_settle: r.seconds("WALKAROUND_DROP_SETTLE_S", 0.0, 3600.0)?,
            listen: r.text("WALKAROUND_LISTEN")?,
            reviewer: r.text("WALKAROUND_REVIEWER")?,
            sign_in: SignInSettings::read(&r)?,
            overlays: r.word("WALKAROUND_OVERLAY")?,
            bundle_cache: r
                .path("WALKAROUND_BUNDLE_CACHE")?
                .unwrap_or_else(|| std::env::temp_dir().join("walkaround-bundles")),
            bundle_poll: Some(r.seconds("WALKAROUND_BUNDLE_POLL_S", 0.0, 86_400.0)?).filter(|d| !d.is_zero()),
            decode_bytes_max: r.number::<u64>("WALKAROUND_DECODE_MIB", 16, 65_536)? << 20,
            photos_bucket: r.text("WALKAROUND_PHOTOS_BUCKET")?.unwrap_or_default(),
            results_bucket: r.text("WALKAROUND_RESULTS_BUCKET")?.unwrap_or_default(),
            stack: r.one_of("WALKAROUND_STACK", &STACKS)?,
            heartbeat_file: r.path("WALKAROUND_HEARTBEAT_FILE")?,
            record_days: Some(r.number("WALKAROUND_RECORD_DAYS", 0, 36_500)?).filter(|d| *d > 0),
            photo_days: Some(r.number("WALKAROUND_PHOTO_DAYS", 0, 36_500)?).filter(|d| *d > 0),
            result_days: Some(r.number("WALKAROUND_RESULT_DAYS", 0, 36_500)?).filter(|d| *d > 0),
            dead_letter_days: Some(r.number("WALKAROUND_DEAD_LETTER_DAYS", 0, 36_500)?).filter(|d| *d > 0),
            durable: r.one_of("WALKAROUND_DURABILITY", &[("process", false), ("power", true)])?,
            alert_window: r.seconds("WALKAROUND_ALERT_WINDOW_S", 1.0, 86_400.0)?,
            triage_storage_bytes: r.number::<u64>("WALKAROUND_TRIAGE_STORAGE_MIB", 512, 10_240)? << 20,
            aws: AwsSettings::read(&r)?,
        };
        if settings.workers_min > settings.workers_max {
            return Err(SettingsError::new(
                "WALKAROUND_WORKERS_MIN",
                "is greater than WALKAROUND_WORKERS_MAX",
            ));
        }
        // While all photos in flight wait for a slow host nothing finishes, and that is no stall.
        if settings.stall_exit <= settings.photo_timeout {
            return Err(SettingsError::new(
                "WALKAROUND_STALL_EXIT_S",
                format!(
                    "is {} s: it must be more than WALKAROUND_PHOTO_TIMEOUT_S, {} s, the longest wait for one photo",
                    settings.stall_exit.as_secs_f64(),
                    settings.photo_timeout.as_secs_f64()
                ),
            ));
        }
        Ok(settings)
    }
}

/// A value that is no UTF-8 would read as one that is not set, and its default be used: refused instead. All variables of
/// ours, those too that are read elsewhere.
fn all_are_text(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<(), SettingsError> {
    for (name, value) in variables {
        let name = name.to_string_lossy();
        if name.starts_with(PREFIX) && value.to_str().is_none() {
            return Err(SettingsError::new(
                name.into_owned(),
                "is not UTF-8; give a value that is UTF-8",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_that_is_not_utf_8_is_refused() {
        use std::os::unix::ffi::OsStringExt;
        let wrong = || OsString::from_vec(b"/data/caf\xe9".to_vec());
        for name in SETTINGS
            .iter()
            .map(|d| d.name)
            .chain(["WALKAROUND_LOG", "WALKAROUND_WORKER"])
        {
            let error = all_are_text(std::iter::once((OsString::from(name), wrong()))).unwrap_err();
            assert!(
                error.to_string().starts_with(&format!("{name} is not UTF-8")),
                "{error}"
            );
        }
        let others = [
            (OsString::from("LS_COLORS"), wrong()),
            ("WALKAROUND_ROOT".into(), "/data/café".into()),
        ];
        assert!(all_are_text(others.into_iter()).is_ok());
    }
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    #[test]
    fn defaults_load_and_every_documented_setting_is_read() {
        let asked = RefCell::new(BTreeSet::new());
        let settings = Settings::from_lookup(&|name| {
            asked.borrow_mut().insert(name.to_owned());
            None
        })
        .unwrap();
        let documented: BTreeSet<String> = SETTINGS.iter().map(|d| d.name.to_owned()).collect();
        assert_eq!(*asked.borrow(), documented);
        assert_eq!((settings.workers_max, settings.photo_bytes_max), (2, 64 << 20));
        assert!(settings.overlays == Overlays::Findings && settings.photo_roots.is_empty());
    }

    #[test]
    fn bad_values_name_their_variable() {
        let cases = [
            ("WALKAROUND_DEVICE", "gpu", "cpu, cuda, auto"),
            ("WALKAROUND_THREADS", "many", "whole number"),
            ("WALKAROUND_THREADS", "0", "1 to 256"),
            ("WALKAROUND_LEASE_S", "-1", "0.5 to 43200"),
            ("WALKAROUND_LEASE_S", "NaN", "0.5 to 43200"),
            ("WALKAROUND_ATTEMPTS", "0", "1 to 20"),
            ("WALKAROUND_ATTEMPTS", "21", "1 to 20"),
            ("WALKAROUND_PHOTO_HTTP", "maybe", "true or false"),
            ("WALKAROUND_WORKERS_MIN", "3", "WALKAROUND_WORKERS_MAX"),
            (
                "WALKAROUND_STALL_EXIT_S",
                "30",
                "more than WALKAROUND_PHOTO_TIMEOUT_S, 30 s",
            ),
        ];
        for (name, value, words) in cases {
            let error = Settings::from_lookup(&|n| (n == name).then(|| value.to_owned()))
                .unwrap_err()
                .to_string();
            assert!(error.contains(name) && error.contains(words), "{error}");
            assert!(!error.contains('\n'));
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let settings =
            Settings::from_lookup(&|n| (n == "WALKAROUND_PHOTO_HEADER").then(|| "cdn x-key: hush".into()))
                .unwrap();
        assert!(!format!("{settings:?}").contains("hush"));
        assert_eq!(settings.photo_header.unwrap().reveal(), "cdn x-key: hush");
    }
}
