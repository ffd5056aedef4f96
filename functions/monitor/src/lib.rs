//! Lambda function `monitor`: once an hour (EventBridge schedule), what was finished since becomes windows, and the latest
//! are compared with the first ones under the bundle.
//!
//! Any event starts one pass; what it says does not matter. Two passes at once do no harm: both write the same. What drifts
//! is a metric, `DriftingFigures`, which an alarm watches.

use lambda_runtime::{Context, LambdaEvent, service_fn};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::sync::Arc;
use tracing::{Instrument, info, info_span, warn};
use walkaround_aws::Connection;
use walkaround_bootstrap::aws::AwsStack;
use walkaround_bootstrap::aws::metrics::Metrics;
use walkaround_bootstrap::{Failure, MonitorPorts, exit, monitor, process};
use walkaround_pipeline::monitor::{Monitor, MonitorPass};
use walkaround_ports::PortError;

/// Runs until Lambda ends the process.
pub fn main() -> ! {
    process::start_json_log();
    exit::end(process::runtime().and_then(|runtime| runtime.block_on(run())))
}

/// A started function.
struct Function {
    monitor: Monitor,
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
    /// The monitor needs the table and reports: no queue, no topic.
    async fn start() -> Result<Self, Failure> {
        let stack = AwsStack::open(&Connection::default()).await?;
        let ports = MonitorPorts {
            records: Arc::new(stack.records()?),
            reviews: Arc::new(stack.reviews()?),
            blobs: Arc::new(stack.blobs()),
            state: Arc::new(stack.state()?),
        };
        Ok(Self {
            monitor: monitor(&stack.settings, ports, Arc::clone(&stack.clock)),
            metrics: stack.metrics("monitor")?,
        })
    }

    async fn handle(&self, context: &Context) -> Result<Value, PortError> {
        let span = info_span!("invocation", request_id = context.request_id);
        let pass = self.monitor.pass().instrument(span.clone()).await;
        match &pass {
            Ok(pass) => {
                self.metrics.model(&pass.model);
                let _in = span.enter();
                info!(
                    days = pass.days,
                    records = pass.records,
                    windows = pass.windows,
                    state = pass.model.state.as_str(),
                    "ran"
                );
            }
            Err(error) => {
                span.in_scope(|| warn!(%error, "the monitor failed, the next invocation makes up for it"));
            }
        }
        self.metrics.property("RequestId", context.request_id.clone());
        self.metrics.flush();
        pass.map(|pass| answer(&pass))
    }
}

fn answer(pass: &MonitorPass) -> Value {
    let drift: Vec<&str> = pass.model.drifting().map(|f| f.figure.as_str()).collect();
    json!({
        "days": pass.days,
        "records": pass.records,
        "windows": pass.windows,
        "state": pass.model.state.as_str(),
        "drift": drift,
    })
}
