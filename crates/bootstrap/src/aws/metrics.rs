//! CloudWatch metrics in embedded metric format: lines of JSON on standard output, which Lambda and the Batch log
//! driver bring to CloudWatch Logs, and CloudWatch makes metrics of.
//!
//! See <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.
//!
//! | metric | unit | dimensions beside `Program` |
//! | --- | --- | --- |
//! | `Photos` | count | `Verdict`, `Lane` (`none` where no segmentation was needed) |
//! | `PhotosUnusable` | count | `Reason` (a photo may have several) |
//! | `PhotosFailed` | count | `Code` |
//! | `SentToGpu`, `Returned`, `Parked` | count | |
//! | `NoPhoto` | count | `Reason`: an event of S3 that is acknowledged without a record, such as `empty_object` |
//! | `StageTime` | milliseconds | `Stage` |
//! | `PhotoBytes` | bytes | |
//! | `Reviews` | count | `Decision`: a person's decision was stored through the console function |
//! | `ReviewWait` | seconds | from a review task to the decision |
//! | `ColdStart` | count | |
//! | `Backlog`, `LiveWorkers`, `DesiredWorkers`, `OldestAge` | count, seconds | |
//! | `StartFailures` | count | workers that died at their start, one try after the other; 0 when starts are not held back |
//! | `TakenBack` | count | photos of a GPU lane that does not come, sent back to be routed again |
//! | `GpuMemoryUsed`, `GpuMemoryShare` | bytes, percent | |
//! | `DriftingFigures` | count | figures that have drifted from the reference of the bundle; 0 where nothing was compared |
//! | `Psi` | none | `Figure`: population stability index |
//! | `Canaries` | count | `Outcome`: the judge `promoted` a canary, or it was `rolled_back`; 0 of these where a pass ended none |
//! | `Alerts` | count | `Outcome`: a message to people was `sent`, `failed` to be, or only `counted`, as its cause was sent already |
//!
//! What is measured now and then, not counted, is written once: no flush repeats a measurement, so that after a failed pass
//! nothing stands for it. It is a histogram here for that reason: this collector writes a gauge at every flush.
//!
//! Name and version of the bundle and the request id are properties: to be found in the log, not counted apart.

use crate::Failure;
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use metrics_cloudwatch_embedded::{Builder, Collector};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tracing::warn;
use walkaround_domain::canary::CanaryOutcome;
use walkaround_messages::monitor::ModelDocument;
use walkaround_pipeline::telemetry::{PipelineEvent, Settled, Telemetry};

/// Values of one histogram that the collector keeps between two flushes are 100: written out before.
const SETTLED_UNFLUSHED_MAX: u64 = 80;

/// The metrics of this process.
#[derive(Clone, Copy)]
pub struct Metrics(&'static Inner);

struct Inner {
    collector: &'static Collector,
    unflushed: AtomicU64,
}

impl Metrics {
    pub(crate) fn start(namespace: &str, program: &'static str) -> Result<Self, Failure> {
        let collector = Builder::new()
            .cloudwatch_namespace(namespace.to_owned())
            .with_dimension("Program", program)
            .init()
            .map_err(|error| anyhow::anyhow!("metrics cannot be started: {error}"))?;
        describe();
        let inner = Inner {
            collector,
            unflushed: AtomicU64::new(0),
        };
        // One for the life of the process, like the recorder itself.
        Ok(Self(Box::leak(Box::new(inner))))
    }

    /// A property that stands on every line from now on.
    pub fn property(&self, name: &'static str, value: impl Into<String>) {
        self.0.collector.set_property(name, value.into());
    }

    /// Counts the start of a process.
    pub fn cold_start(&self) {
        counter!("ColdStart").increment(1);
    }

    /// What the scaler saw: photos waiting and in flight, age of the oldest, workers there are and should be.
    pub fn fleet(&self, backlog: u64, oldest_age: Option<Duration>, live: u32, desired: u32) {
        histogram!("Backlog").record(backlog as f64);
        histogram!("LiveWorkers").record(f64::from(live));
        histogram!("DesiredWorkers").record(f64::from(desired));
        if let Some(age) = oldest_age {
            histogram!("OldestAge").record(age.as_secs_f64());
        }
    }

    /// How the GPU lane is: starts that failed in a row, and photos that were taken back from it.
    pub fn lane(&self, start_failures: u32, taken_back: u32) {
        histogram!("StartFailures").record(f64::from(start_failures));
        counter!("TakenBack").increment(u64::from(taken_back));
    }

    /// What a pass of the monitor came to. Where there was nothing to compare, under another bundle for one, nothing drifts.
    pub fn model(&self, model: &ModelDocument) {
        histogram!("DriftingFigures").record(model.drifting().count() as f64);
        for figure in &model.figures {
            histogram!("Psi", "Figure" => figure.figure.clone()).record(figure.psi);
        }
    }

    /// What a pass of the judge came to: how it ended a canary, none where it did not. That none was rolled back is told as 0, so
    /// that its alarm has data; a counter of this collector does not write one.
    pub fn canary(&self, ended: Option<CanaryOutcome>) {
        let rolled_back = CanaryOutcome::RolledBack;
        let count = if ended == Some(rolled_back) { 1.0 } else { 0.0 };
        histogram!("Canaries", "Outcome" => rolled_back.as_str()).record(count);
        if let Some(other) = ended.filter(|how| *how != rolled_back) {
            histogram!("Canaries", "Outcome" => other.as_str()).record(1.0);
        }
    }

    /// Memory of the GPU: bytes in use, and bytes there are.
    pub fn gpu_memory(&self, used: u64, total: u64) {
        histogram!("GpuMemoryUsed").record(used as f64);
        histogram!("GpuMemoryShare").record(100.0 * used as f64 / total.max(1) as f64);
    }

    /// Counts an alert.
    pub fn alert(&self, outcome: AlertOutcome) {
        counter!("Alerts", "Outcome" => outcome.as_str()).increment(1);
    }

    /// Writes what was gathered since the last time.
    pub fn flush(&self) {
        self.flush_to(std::io::stdout().lock());
    }

    fn flush_to(&self, out: impl Write) {
        self.0.unflushed.store(0, Ordering::Relaxed);
        if let Err(error) = self.0.collector.flush(out) {
            warn!(%error, "metrics cannot be written");
        }
    }

    fn settled(&self, photo: &Settled) {
        if self.0.unflushed.fetch_add(1, Ordering::Relaxed) >= SETTLED_UNFLUSHED_MAX {
            self.flush();
        }
        self.property("BundleName", photo.bundle.name.clone());
        self.property("BundleVersion", photo.bundle.version.clone());
        let lane = photo.lane.map_or("none", |lane| lane.as_str());
        counter!("Photos", "Verdict" => photo.verdict.as_str(), "Lane" => lane).increment(1);
        for reason in &photo.reasons {
            counter!("PhotosUnusable", "Reason" => reason.as_str()).increment(1);
        }
        histogram!("PhotoBytes").record(photo.photo_bytes as f64);
        for (stage, ms) in &photo.timings_ms {
            histogram!("StageTime", "Stage" => stage.clone()).record(*ms);
        }
    }
}

/// What became of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertOutcome {
    /// It was sent.
    Sent,
    /// It could not be sent.
    Failed,
}

impl AlertOutcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }
}

impl Telemetry for Metrics {
    fn record(&self, happened: PipelineEvent<'_>) {
        match happened {
            PipelineEvent::Settled(photo) => self.settled(photo),
            PipelineEvent::Failed(code) => counter!("PhotosFailed", "Code" => code.as_str()).increment(1),
            PipelineEvent::SentToGpu => counter!("SentToGpu").increment(1),
            PipelineEvent::Returned => counter!("Returned").increment(1),
            PipelineEvent::Parked => counter!("Parked").increment(1),
            PipelineEvent::NoPhoto(why) => counter!("NoPhoto", "Reason" => why.as_str()).increment(1),
            PipelineEvent::Reviewed { decision, waited } => {
                counter!("Reviews", "Decision" => decision).increment(1);
                if let Some(waited) = waited {
                    histogram!("ReviewWait").record(waited.as_secs_f64());
                }
            }
        }
    }
}

fn describe() {
    for name in [
        "Photos",
        "PhotosUnusable",
        "PhotosFailed",
        "SentToGpu",
        "Returned",
        "Parked",
        "NoPhoto",
        "ColdStart",
        "Alerts",
        "TakenBack",
        "Reviews",
    ] {
        describe_counter!(name, Unit::Count, "");
    }
    for name in [
        "Backlog",
        "LiveWorkers",
        "DesiredWorkers",
        "StartFailures",
        "DriftingFigures",
        "Canaries",
    ] {
        describe_histogram!(name, Unit::Count, "");
    }
    describe_histogram!("OldestAge", Unit::Seconds, "");
    describe_histogram!("GpuMemoryUsed", Unit::Bytes, "");
    describe_histogram!("GpuMemoryShare", Unit::Percent, "");
    describe_histogram!("StageTime", Unit::Milliseconds, "");
    describe_histogram!("ReviewWait", Unit::Seconds, "");
    describe_histogram!("PhotoBytes", Unit::Bytes, "");
}

#[cfg(test)]
mod tests {
    use super::Metrics;
    use std::time::Duration;
    use walkaround_domain::canary::CanaryOutcome;
    use walkaround_messages::monitor::{ModelDocument, ShiftDocument};

    fn shift(figure: &str, state: &str) -> ShiftDocument {
        ShiftDocument {
            figure: figure.to_owned(),
            state: state.to_owned(),
            since: None,
            psi: 0.5,
            chance: 0.1,
            chance_95: 0.2,
            limit: 0.25,
            reference: 500,
            now: 500,
            bins: Vec::new(),
        }
    }

    /// (outcome, values) of each line that tells of canaries, in order.
    fn canaries(text: &str) -> Vec<(&str, &str)> {
        fn after<'a>(line: &'a str, words: &str) -> &'a str {
            let (_, rest) = line.split_once(words).unwrap_or_default();
            rest.split(['"', ']']).next().unwrap_or_default()
        }
        let values = r#""Canaries":["#;
        let lines = text.lines().filter(|line| line.contains(values));
        lines
            .map(|line| (after(line, r#""Outcome":""#), after(line, values)))
            .collect()
    }

    /// All in one test: a process has one collector.
    #[test]
    fn a_measurement_is_written_once_and_never_for_a_failed_pass() {
        let metrics = Metrics::start("Walkaround/test", "test").unwrap();
        let flushed = || {
            let mut out = Vec::new();
            metrics.flush_to(&mut out);
            String::from_utf8(out).unwrap()
        };
        let drifting = ModelDocument {
            figures: vec![shift("luma", "drift"), shift("size", "steady")],
            ..ModelDocument::default()
        };
        metrics.model(&drifting);
        metrics.fleet(3, Some(Duration::from_secs(60)), 1, 2);
        metrics.lane(1, 0);
        metrics.gpu_memory(1, 4);
        metrics.canary(None);
        let text = flushed();
        for word in [
            r#""DriftingFigures":[1.0]"#,
            r#""Psi":[0.5]"#,
            r#""Backlog":[3.0]"#,
            r#""OldestAge":[60.0]"#,
            r#""StartFailures":[1.0]"#,
            r#""GpuMemoryShare":[25.0]"#,
            r#""Canaries":[0.0]"#,
        ] {
            assert!(text.contains(word), "{word}: {text}");
        }
        // A pass that failed has told nothing.
        assert_eq!(flushed(), "");
        // Another bundle, with nothing to compare, and a queue without a message.
        metrics.model(&ModelDocument::default());
        metrics.fleet(0, None, 1, 0);
        let text = flushed();
        assert!(text.contains(r#""DriftingFigures":[0.0]"#), "{text}");
        assert!(!text.contains("Psi") && !text.contains("OldestAge"), "{text}");
        // How a canary ended; a roll-back is told of every pass.
        for (how, expected) in [
            (None, vec![("rolled_back", "0.0")]),
            (Some(CanaryOutcome::RolledBack), vec![("rolled_back", "1.0")]),
            (
                Some(CanaryOutcome::Promoted),
                vec![("promoted", "1.0"), ("rolled_back", "0.0")],
            ),
        ] {
            metrics.canary(how);
            assert_eq!(canaries(&flushed()), expected, "{how:?}");
        }
    }
}
