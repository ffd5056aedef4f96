//! Lambda function `scaler`: once a minute (EventBridge schedule), and when an alarm says that the lane's oldest
//! message grows old, the difference between the workers there should be and those there are.
//!
//! Any event starts one pass; what it says does not matter, so that schedule, alarm and a person's test event all
//! do. The pass happens under a lock in the table: `SubmitJob` of AWS Batch has no idempotency token, and two
//! passes at once would both start what is missing. What a pass leaves for the next one stands in the state of the lane,
//! since Lambda may run each in another process.

use lambda_runtime::{Context, LambdaEvent, service_fn};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;
use tracing::{Instrument, info, info_span, warn};
use walkaround_aws::{Acquired, Connection, FleetLock};
use walkaround_bootstrap::aws::AwsStack;
use walkaround_bootstrap::aws::metrics::Metrics;
use walkaround_bootstrap::{Failure, exit, process};
use walkaround_pipeline::scaler::{Scaler, Tick};
use walkaround_ports::PortError;

/// Name of the lock.
const LOCK: &str = "fleet";
/// A pass takes seconds; a process that died holding the lock blocks the others for this long.
const LOCK_HOLD: Duration = Duration::from_secs(50);

/// Runs until Lambda ends the process.
pub fn main() -> ! {
    process::start_json_log();
    exit::end(process::runtime().and_then(|runtime| runtime.block_on(run())))
}

/// A started function.
struct Function {
    scaler: Scaler,
    lock: FleetLock,
    metrics: Metrics,
}

async fn run() -> Result<ExitCode, Failure> {
    let function = Function::start().await?;
    let function = &function;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let answer = function.handle(&event.context).await;
        answer.map_err(lambda_runtime::Error::from)
    }))
    .await
    .map_err(|error| anyhow::anyhow!("the runtime API failed: {error}"))?;
    Ok(ExitCode::SUCCESS)
}

impl Function {
    async fn start() -> Result<Self, Failure> {
        let stack = AwsStack::open(&Connection::default()).await?;
        let metrics = stack.metrics("scaler")?;
        let builder = stack.builder(Some(&metrics))?;
        Ok(Self {
            scaler: builder.scaler(stack.capacity()?),
            lock: stack.lock()?,
            metrics,
        })
    }

    async fn handle(&self, context: &Context) -> Result<Value, PortError> {
        let span = info_span!("invocation", request_id = context.request_id);
        let answer = self.scale(&context.request_id).instrument(span.clone()).await;
        self.metrics.property("RequestId", context.request_id.clone());
        self.metrics.flush();
        if let Err(error) = &answer {
            span.in_scope(|| warn!(%error, "scaling failed, the next invocation makes up for it"));
        }
        answer
    }

    /// One pass under the lock, and what it did.
    async fn scale(&self, owner: &str) -> Result<Value, PortError> {
        let hold = match self.lock.acquire(LOCK, owner, LOCK_HOLD).await? {
            Acquired::Held(hold) => hold,
            Acquired::Taken { .. } => {
                info!("another scaler runs");
                return Ok(json!({"ran": false, "reason": "another scaler runs"}));
            }
        };
        let tick = self.scaler.tick().await;
        // Freed also after a failed pass; a lock that cannot be freed ends by itself.
        if let Err(error) = self.lock.release(&hold).await {
            warn!(%error, "the lock could not be released; it expires on its own");
        }
        let tick = tick?;
        let backlog = tick.backlog.waiting + tick.backlog.in_flight;
        self.metrics
            .fleet(backlog, tick.backlog.oldest_age, tick.live, tick.desired);
        self.metrics.lane(start_failures(&tick), tick.taken_back);
        info!(
            backlog,
            live = tick.live,
            desired = tick.desired,
            started = tick.started,
            ended = tick.ended.len(),
            taken_back = tick.taken_back,
            start_failures = start_failures(&tick),
            "ran"
        );
        match tick.failed {
            None => Ok(answer(&tick)),
            Some(error) => Err(error),
        }
    }
}

/// Starts that failed in a row; 0 while starts are not held back.
fn start_failures(tick: &Tick) -> u32 {
    tick.back_off.map_or(0, |b| b.failures)
}

fn answer(tick: &Tick) -> Value {
    json!({
        "ran": true,
        "waiting": tick.backlog.waiting,
        "in_flight": tick.backlog.in_flight,
        "oldest_age_s": tick.backlog.oldest_age.map(|age| age.as_secs_f64()),
        "live": tick.live,
        "desired": tick.desired,
        "started": tick.started,
        "ended": tick.ended,
        "start_failures": start_failures(tick),
        "taken_back": tick.taken_back,
    })
}
