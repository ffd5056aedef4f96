//! What a day's usage costs.

use crate::assumptions::{Assumptions, DAYS_OF_MONTH};
use crate::usage::Usage;

/// Throughput of a gp3 disk that its price includes, in MiB/s.
const DISK_MIBS_INCLUDED: f64 = 125.0;
/// Interface endpoints of gpu.yaml without a secret and a customer key, in three zones.
const ENDPOINTS: f64 = 8.0 * 3.0;
const HOURS_OF_DAY: f64 = 24.0;
/// Days for which [`Bill::photo_storage`] keeps the photos.
pub const PHOTO_DAYS: f64 = 30.0;
const MB_OF_GB: f64 = 1e3;

/// One part of the bill.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// What is paid for.
    pub name: &'static str,
    /// US dollars a day.
    pub usd: f64,
}

/// Costs of one day, in US dollars. What is billed by the month is divided by its days; what is kept costs what it will
/// cost once as much expires as is added.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bill {
    /// The parts.
    pub parts: Vec<Part>,
    /// All parts together.
    pub total: f64,
    /// Per thousand photos.
    pub per_thousand: f64,
    /// In addition, per month: photos kept for 30 days.
    pub photo_storage: f64,
    /// In addition, per month: Network=Endpoints.
    pub endpoints: f64,
}

impl Bill {
    pub(crate) fn of(usage: &Usage, assumptions: &Assumptions) -> Self {
        let parts = vec![
            part("functions (Lambda)", functions(usage, assumptions)),
            part("GPU workers (EC2 by AWS Batch)", workers(usage, assumptions)),
            part("queues (SQS)", usage.sqs_calls * assumptions.prices.sqs_call),
            part("records (DynamoDB), two years of them", table(usage, assumptions)),
            part("results (S3), two years of them", results(usage, assumptions)),
            part("logs, metrics, alarms, traces", watching(usage, assumptions)),
            part("events (SNS), images (ECR)", rest(usage, assumptions)),
        ];
        let total = parts.iter().map(|part| part.usd).sum();
        let prices = &assumptions.prices;
        let photo_gb = usage.photos * PHOTO_DAYS * assumptions.fleet.photo_mb / MB_OF_GB;
        Self {
            parts,
            total,
            per_thousand: total / usage.photos * 1000.0,
            photo_storage: photo_gb * prices.s3_gb,
            endpoints: ENDPOINTS * prices.endpoint_hour * HOURS_OF_DAY * DAYS_OF_MONTH,
        }
    }
}

fn part(name: &'static str, usd: f64) -> Part {
    Part { name, usd }
}

fn functions(usage: &Usage, assumptions: &Assumptions) -> f64 {
    usage.lambda_gb_s * assumptions.prices.lambda_gb_s + usage.lambda_calls * assumptions.prices.lambda_call
}

fn workers(usage: &Usage, assumptions: &Assumptions) -> f64 {
    let (prices, deployment) = (&assumptions.prices, &assumptions.deployment);
    let throughput = (deployment.volume_mibs - DISK_MIBS_INCLUDED).max(0.0);
    let besides =
        deployment.volume_gib * prices.disk_gb_hour + throughput * prices.disk_mibs_hour + prices.ip_hour;
    usage.spot_hours * (prices.spot_hour + besides) + usage.ondemand_hours * (prices.ondemand_hour + besides)
}

fn table(usage: &Usage, assumptions: &Assumptions) -> f64 {
    let prices = &assumptions.prices;
    let stored = usage.record_gb * assumptions.fleet.record_days;
    usage.write_units * prices.write_unit
        + usage.read_units * prices.read_unit
        + stored * (prices.table_gb + prices.pitr_gb) / DAYS_OF_MONTH
}

fn results(usage: &Usage, assumptions: &Assumptions) -> f64 {
    let prices = &assumptions.prices;
    let stored = usage.result_gb * assumptions.fleet.result_days;
    usage.s3_puts * prices.s3_put + usage.s3_gets * prices.s3_get + stored * prices.s3_gb / DAYS_OF_MONTH
}

fn watching(usage: &Usage, assumptions: &Assumptions) -> f64 {
    let (prices, fleet) = (&assumptions.prices, &assumptions.fleet);
    let monthly = fleet.metrics * prices.metric + fleet.alarms * prices.alarm + prices.dashboard;
    usage.log_gb * (prices.log_gb + prices.firehose_gb)
        + usage.traces * prices.trace
        + monthly / DAYS_OF_MONTH
}

fn rest(usage: &Usage, assumptions: &Assumptions) -> f64 {
    let images = assumptions.fleet.registry_gb * assumptions.prices.registry_gb_month;
    usage.events * assumptions.prices.sns_call + images / DAYS_OF_MONTH
}
