//! What AWS bills for a simulated day, in its units.

use crate::assumptions::Assumptions;
use crate::counts::Counts;

const HOUR_MS: f64 = 3_600_000.0;
const DAY_S: f64 = 86_400.0;

/// SQS requests per photo of the GPU lane besides its own send: received, extended and deleted, mostly in tens.
const LANE_REQUESTS: f64 = 0.2 + 0.2 + 0.1;
/// SQS requests per photo that is taken back: received, sent and deleted in tens.
const TAKE_BACK_REQUESTS: f64 = 0.3;
/// Lambda polls a queue without messages with so many long polls at once, of 20 s.
const POLLS_AT_ONCE: f64 = 5.0;
const POLL_S: f64 = 20.0;
/// Writes of a record: the final one and `published_at`. A photo of the GPU lane has one more for each route.
const WRITES: u64 = 2;
/// Write units of the small item that names the result of a photo's bytes (docs/decisions/0016).
const RESULT_ITEM: f64 = 1.0;
/// Indexes of keys only that a record is in, a write unit each; by vehicle and reservation only where the message names them.
const INDEXES: f64 = 4.0;
/// One small item.
const SMALL_READ: f64 = 0.5;
/// The scaler: billed seconds and memory of a run.
const SCALER_S: f64 = 0.3;
const SCALER_GB: f64 = 0.25;
const KB_OF_GB: f64 = 1e6;
const MB_OF_GB: f64 = 1e3;

/// Units of one day.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Usage {
    /// Photos.
    pub photos: f64,
    /// Suspect photos with a verdict or on their way to one.
    pub suspects: f64,
    /// Billed seconds of triage.
    pub lambda_s: f64,
    /// GB-seconds of triage and scaler.
    pub lambda_gb_s: f64,
    /// Invocations of triage and scaler.
    pub lambda_calls: f64,
    /// Hours in which workers' devices were busy.
    pub busy_hours: f64,
    /// Instance hours on Spot.
    pub spot_hours: f64,
    /// Instance hours on demand.
    pub ondemand_hours: f64,
    /// SQS requests.
    pub sqs_calls: f64,
    /// S3 PUTs.
    pub s3_puts: f64,
    /// S3 GETs.
    pub s3_gets: f64,
    /// GB of results that one day adds.
    pub result_gb: f64,
    /// DynamoDB write units.
    pub write_units: f64,
    /// DynamoDB read units.
    pub read_units: f64,
    /// GB of records that one day adds.
    pub record_gb: f64,
    /// SNS events.
    pub events: f64,
    /// GB of CloudWatch logs.
    pub log_gb: f64,
    /// X-Ray traces.
    pub traces: f64,
}

impl Usage {
    pub(crate) fn of(photos: u64, counts: &Counts, assumptions: &Assumptions) -> Self {
        let fleet = &assumptions.fleet;
        let gb = assumptions.deployment.triage_mib / 1024.0;
        let [settled, invocations, ticks, sent] = [
            counts.settled,
            counts.invocations,
            counts.ticks,
            counts.sent_to_lane,
        ]
        .map(|n| n as f64);
        let on_gpu = counts.on_gpu as f64;
        let suspects = (counts.inline + counts.gpu) as f64;
        let lambda_s = counts.billed_ms as f64 / 1000.0;
        let writes = settled * WRITES as f64 + sent;
        // Intake: sent by S3, or by the taking back; received and deleted by the batch.
        let intake = photos as f64 + 2.0 * invocations + counts.taken_back as f64 * TAKE_BACK_REQUESTS;
        let polls = DAY_S / POLL_S * POLLS_AT_ONCE;
        let small_writes = (counts.heartbeats + counts.ticks) as f64;
        Self {
            photos: photos as f64,
            suspects,
            lambda_s,
            lambda_gb_s: lambda_s * gb + ticks * SCALER_S * SCALER_GB,
            lambda_calls: invocations + ticks,
            busy_hours: on_gpu / fleet.gpu_rate / 3600.0,
            spot_hours: counts.spot_ms as f64 / HOUR_MS,
            ondemand_hours: counts.ondemand_ms as f64 / HOUR_MS,
            sqs_calls: intake + sent + on_gpu * LANE_REQUESTS + polls + (counts.lane_reads as f64),
            // A report for each photo, an overlay for each suspect one.
            s3_puts: settled + suspects,
            s3_gets: counts.screenings as f64 + on_gpu,
            result_gb: suspects * fleet.result_mb / MB_OF_GB,
            write_units: writes * (fleet.record_kb + INDEXES) + settled * RESULT_ITEM + small_writes,
            read_units: photos as f64 * fleet.reads + counts.lane_reads as f64 * SMALL_READ,
            // Keys in the indexes.
            record_gb: settled * (fleet.record_kb + 1.0) / KB_OF_GB,
            events: settled,
            log_gb: photos as f64 * fleet.log_kb / KB_OF_GB,
            traces: invocations * fleet.traced,
        }
    }
}
