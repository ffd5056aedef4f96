//! Every figure that a plan assumes, by name: the fleet and the program, the deployment, prices.
//!
//! This is the only place where they stand: the command prints them, `--set NAME=VALUE` changes one, and
//! `docs/operations.md` shows them.

use crate::error::PlanError;
use std::ops::RangeInclusive;
use std::time::Duration;
use walkaround_domain::routing::RoutingPolicy;
use walkaround_domain::scaling::ScalingPolicy;

/// When the prices were written down, and how.
pub const PRICES_OF: &str =
    "22 November 2026, from memory; compare them with the price pages before making a budget";
/// Where they apply.
pub const REGION: &str =
    "eu-central-1 (Frankfurt), US dollars, on demand, without free tier, discounts or tax";
/// Days of a month.
pub const DAYS_OF_MONTH: f64 = 30.4;

const MILLION: f64 = 1e6;

/// One assumption.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// What `--set` calls it.
    pub name: &'static str,
    /// The figure.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// What it is, and where it comes from.
    pub about: &'static str,
    /// Values that `--set` accepts.
    pub accepted: RangeInclusive<f64>,
}

/// A table of assumptions: a field for each, its default, accepted values, unit and meaning.
macro_rules! assumptions {
    ($(#[$doc:meta])* $table:ident { $($field:ident = $value:expr, $accepted:expr, $unit:literal, $about:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct $table {
            $(#[doc = concat!($about, " [", $unit, "]")] pub $field: f64,)*
        }

        impl Default for $table {
            fn default() -> Self {
                Self { $($field: $value,)* }
            }
        }

        impl $table {
            /// The table, row by row.
            pub fn rows(&self) -> Vec<Given> {
                vec![$(Given {
                    name: stringify!($field),
                    value: self.$field,
                    unit: $unit,
                    about: $about,
                    accepted: $accepted,
                },)*]
            }

            fn value_mut(&mut self, name: &str) -> Option<&mut f64> {
                match name {
                    $(stringify!($field) => Some(&mut self.$field),)*
                    _ => None,
                }
            }
        }
    };
}

/// A share.
const SHARE: RangeInclusive<f64> = 0.0..=1.0;
/// Seconds, up to a day.
const SECONDS: RangeInclusive<f64> = 0.0..=86_400.0;
/// Seconds of something that takes time.
const WORK_SECONDS: RangeInclusive<f64> = 0.001..=3_600.0;
/// A quantity.
const AMOUNT: RangeInclusive<f64> = 0.0..=1e6;
/// Units that are counted.
const COUNTED: &[&str] = &["workers", "photos", "processes", "jobs", "metrics"];

assumptions! {
    /// How the fleet and the program behave.
    Fleet {
        photo_mb = 3.0, AMOUNT, "MB", "size of a photo";
        suspects = 0.30, SHARE, "of all photos",
            "share that the gate suspects; the fleet's own figure decides most of the bill";
        screening_s = 0.9, WORK_SECONDS, "s",
            "time of a photo in triage until it is settled or routed, fetching and storing included, with two at once in 3,008 MiB (0.45 s billed)";
        inline_s = 2.4, WORK_SECONDS, "s",
            "additional time of an inline segmentation, with two at once (1.2 s billed)";
        inline_cost_s = 2.4, WORK_SECONDS, "s",
            "time of one inline segmentation that routing counts with, which triage measures at its start";
        gpu_rate = 10.0, 0.01..=10_000.0, "photos/s",
            "rate of one GPU worker; not measured: there was no GPU";
        gpu_latency_s = 2.0, SECONDS, "s",
            "from the end of the networks to the published verdict on a worker, and from receiving a photo to its networks";
        placement_s = 60.0, SECONDS, "s", "from submitting a worker's job to its instance, where there is capacity; not billed";
        boot_s = 300.0, SECONDS, "s", "of a new instance: boot, and an image of gigabytes to unpack; billed";
        load_s = 60.0, SECONDS, "s", "of a worker: its networks, until its first heartbeat; billed";
        spot = 0.90, SHARE, "of new instances", "share that Spot serves; the rest is on demand";
        reclaims = 0.02, 0.0..=60.0, "per hour", "how often a Spot instance is reclaimed; a guess, AWS publishes bands by month only";
        result_mb = 0.35, AMOUNT, "MB", "report and overlay of a suspect photo";
        result_days = 730.0, AMOUNT, "days", "how long results are kept (ResultDays of production)";
        record_kb = 3.0, AMOUNT, "KB", "record in the table, one write unit per KB";
        record_days = 730.0, AMOUNT, "days", "how long records are kept (RecordDays of production)";
        reads = 1.5, AMOUNT, "read units", "reads of the table per photo";
        log_kb = 1.5, AMOUNT, "KB", "log lines and embedded metrics per photo";
        metrics = 80.0, AMOUNT, "metrics", "custom metrics in CloudWatch";
        alarms = 53.0, AMOUNT, "metrics",
            "metrics that the 23 alarms of infra/ watch; the query for failed photos covers at most twelve";
        traced = 0.05, SHARE, "of invocations", "share of invocations whose trace is recorded";
        registry_gb = 25.0, AMOUNT, "GB", "images in the registry: ten versions of both";
    }
}

assumptions! {
    /// What a deployment sets; the defaults are those of infra/ (a test compares them).
    Deployment {
        triage_processes = 50.0, 1.0..=1_000.0, "processes", "TriageConcurrency: invocations of triage at once";
        triage_jobs = 2.0, 1.0..=64.0, "jobs", "photos that one process of triage inspects at once";
        triage_batch = 10.0, 1.0..=10.0, "photos", "BatchSize: most photos of one invocation";
        batch_window_s = 1.0, 0.0..=300.0, "s", "BatchWindowS: how long an invocation waits for more photos";
        triage_mib = 3_008.0, 128.0..=10_240.0, "MiB", "TriageMemoryMiB: memory of triage";
        triage_timeout_s = 120.0, 1.0..=86_400.0, "s", "time-out of an invocation of triage";
        lane_cache_s = 20.0, SECONDS, "s", "WALKAROUND_LANE_CACHE_S: how long triage uses a reading of queues and workers";
        scale_every_s = 60.0, 1.0..=3_600.0, "s", "time between two runs of the scaler";
        workers_min = 0.0, 0.0..=100.0, "workers", "WorkersMin: fewest workers, which stay without work";
        workers_max = 14.0, 0.0..=100.0, "workers", "WorkersMax: most workers; 0 closes the GPU lane";
        worker_rate = 10.0, 0.01..=10_000.0, "photos/s", "WorkerRate: rate of one worker until it is measured";
        cold_start_s = 420.0, SECONDS, "s", "ColdStartS: from asking for a worker to its first photo until it is measured";
        drain_target_s = 300.0, SECONDS, "s", "DrainTargetS: time within which workers should empty the lane";
        inline_drain_s = 20.0, SECONDS, "s", "InlineDrainS: longest time that inline segmentation may need for a burst";
        idle_exit_s = 120.0, 1.0..=86_400.0, "s", "IdleExitS: time without work after which a worker exits";
        heartbeat_s = 15.0, 1.0..=3_600.0, "s", "time between two heartbeats of a worker";
        scale_down_s = 1_200.0, SECONDS, "s", "ScaleDownDelayMinutes: how long an instance without work is kept";
        volume_gib = 60.0, AMOUNT, "GiB", "VolumeGiB: disk of an instance";
        volume_mibs = 500.0, AMOUNT, "MiB/s", "VolumeMiBs: throughput of this disk";
    }
}

assumptions! {
    /// What AWS charges.
    Prices {
        lambda_gb_s = 0.000_016_666_7, AMOUNT, "USD per GB-s", "Lambda, x86";
        lambda_call = 0.20 / MILLION, AMOUNT, "USD", "Lambda, a call";
        sqs_call = 0.40 / MILLION, AMOUNT, "USD", "SQS, a request";
        s3_put = 5.4 / MILLION, AMOUNT, "USD", "S3, a PUT";
        s3_get = 0.43 / MILLION, AMOUNT, "USD", "S3, a GET";
        s3_gb = 0.0245, AMOUNT, "USD per GB-month", "S3, standard storage";
        write_unit = 0.7625 / MILLION, AMOUNT, "USD", "DynamoDB, a write unit on demand (1 KB)";
        read_unit = 0.1525 / MILLION, AMOUNT, "USD", "DynamoDB, a read unit on demand";
        table_gb = 0.306, AMOUNT, "USD per GB-month",
            "DynamoDB, storage; backups by point-in-time recovery come on top";
        pitr_gb = 0.24, AMOUNT, "USD per GB-month", "DynamoDB, point-in-time recovery";
        spot_hour = 0.26, AMOUNT, "USD per hour", "g4dn.xlarge on Spot, moves with the market";
        ondemand_hour = 0.658, AMOUNT, "USD per hour", "g4dn.xlarge on demand";
        disk_gb_hour = 0.0952 / 730.0, AMOUNT, "USD per GB-hour", "EBS gp3";
        disk_mibs_hour = 0.048 / 730.0, AMOUNT, "USD per MiB/s and hour",
            "EBS gp3, throughput beyond the 125 MiB/s that are included";
        endpoint_hour = 0.012, AMOUNT, "USD per hour", "an interface endpoint in one zone (Network=Endpoints)";
        ip_hour = 0.005, AMOUNT, "USD per hour", "public IPv4 address of an instance (Network=Public)";
        sns_call = 0.50 / MILLION, AMOUNT, "USD", "SNS, a published event; deliveries to SQS are free";
        log_gb = 0.63, AMOUNT, "USD per GB", "CloudWatch Logs, ingestion";
        firehose_gb = 0.041, AMOUNT, "USD per GB",
            "Firehose to S3, with a year of storage of the compressed logs";
        metric = 0.30, AMOUNT, "USD per month", "CloudWatch, a custom metric";
        alarm = 0.10, AMOUNT, "USD per month", "CloudWatch, a metric that an alarm watches";
        dashboard = 3.0, AMOUNT, "USD per month", "CloudWatch, a dashboard";
        trace = 5.0 / MILLION, AMOUNT, "USD", "X-Ray, a recorded trace";
        registry_gb_month = 0.10, AMOUNT, "USD per GB-month", "ECR, storage";
    }
}

/// All of them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Assumptions {
    /// Fleet and program.
    pub fleet: Fleet,
    /// Deployment.
    pub deployment: Deployment,
    /// Prices.
    pub prices: Prices,
}

impl Assumptions {
    /// Every row of every table.
    pub fn rows(&self) -> Vec<Given> {
        let mut rows = self.fleet.rows();
        rows.extend(self.deployment.rows());
        rows.extend(self.prices.rows());
        rows
    }

    /// Changes one, as `NAME=VALUE` says.
    ///
    /// # Errors
    /// Usage: an unknown name, or a value that is not accepted.
    pub fn set(&mut self, assignment: &str) -> Result<(), PlanError> {
        let (name, text) = assignment
            .split_once('=')
            .ok_or_else(|| PlanError::Assignment(assignment.to_owned()))?;
        let (name, text) = (name.trim(), text.trim());
        let rows = self.rows();
        let row = rows
            .iter()
            .find(|row| row.name == name)
            .ok_or_else(|| PlanError::UnknownName(name.to_owned()))?;
        let whole = COUNTED.contains(&row.unit);
        let value = text
            .parse::<f64>()
            .ok()
            .filter(|value| row.accepted.contains(value) && (!whole || value.fract() == 0.0))
            .ok_or_else(|| PlanError::Value {
                name: row.name,
                text: text.to_owned(),
                least: *row.accepted.start(),
                most: *row.accepted.end(),
                unit: row.unit,
            })?;
        let field = self
            .fleet
            .value_mut(name)
            .or(self.deployment.value_mut(name))
            .or(self.prices.value_mut(name));
        if let Some(field) = field {
            *field = value;
        }
        Ok(())
    }
}

impl Deployment {
    /// Photos that triage inspects at once, over all processes.
    pub fn triage_parallel(&self) -> u32 {
        (self.triage_jobs * self.triage_processes) as u32
    }

    /// The policy of routing, as `bootstrap` builds it from these settings.
    pub fn routing(&self) -> RoutingPolicy {
        RoutingPolicy {
            cold_start: Duration::from_secs_f64(self.cold_start_s),
            inline_parallel: self.triage_parallel(),
            inline_drain_max: Duration::from_secs_f64(self.inline_drain_s),
            ..RoutingPolicy::default()
        }
    }

    /// The policy of scaling, as `bootstrap` builds it from these settings.
    pub fn scaling(&self) -> ScalingPolicy {
        let drain_target = Duration::from_secs_f64(self.drain_target_s);
        ScalingPolicy {
            workers_min: self.workers_min as u32,
            workers_max: self.workers_max as u32,
            drain_target,
            age_max: drain_target * 2,
            rate_guess: self.worker_rate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_defaults_are_accepted() {
        let rows = Assumptions::default().rows();
        for (at, row) in rows.iter().enumerate() {
            assert!(row.accepted.contains(&row.value), "{}", row.name);
            assert!(
                !rows[..at].iter().any(|other| other.name == row.name),
                "{}",
                row.name
            );
        }
    }

    #[test]
    fn every_name_can_be_set_and_a_fault_is_one_line() {
        for row in Assumptions::default().rows() {
            let mut assumptions = Assumptions::default();
            let least = row.accepted.start();
            assumptions.set(&format!("{}={least}", row.name)).unwrap();
            let set = assumptions
                .rows()
                .into_iter()
                .find(|other| other.name == row.name);
            assert_eq!(set.map(|set| set.value), Some(*least), "{}", row.name);
        }
        for (given, expected) in [
            ("suspects", "suspects: expected NAME=VALUE"),
            (
                "suspect=1",
                "suspect: no such assumption; `--list` prints their names",
            ),
            ("suspects=1.5", "suspects: 1.5, expected 0 to 1 (of all photos)"),
            ("suspects=NaN", "suspects: NaN, expected 0 to 1 (of all photos)"),
            ("workers_max=1.5", "workers_max: 1.5, expected 0 to 100 (workers)"),
            ("suspects=", "suspects: , expected 0 to 1 (of all photos)"),
        ] {
            let error = Assumptions::default().set(given).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }
}
