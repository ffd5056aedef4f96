//! Lambda function `monitor`: once an hour (EventBridge schedule), what was finished since becomes windows, and the latest
//! are compared with the first ones under the bundle; and once a minute, a pass of the judge of a canary.
//!
//! The event `{"pass": "canary"}` starts a pass of the judge. Any other starts one of the monitor; what it says does not
//! matter. Two passes at once do no harm: both write the same. What drifts is a metric, `DriftingFigures`, and so is how a
//! canary ended, `Canaries`; alarms watch both.

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::sync::Arc;
use tracing::{Instrument, info, info_span, warn};
use walkaround_aws::Connection;
use walkaround_bootstrap::aws::AwsStack;
use walkaround_bootstrap::aws::metrics::Metrics;
use walkaround_bootstrap::{Failure, MonitorPorts, canary_judge, exit, monitor, process};
use walkaround_domain::canary::{Canary, CanaryEnd};
use walkaround_pipeline::canary::{CanaryJudge, CanaryPass};
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
    /// What decides about a canary; none where the bundle is a folder, which no function could exchange for another.
    judge: Option<CanaryJudge>,
    metrics: Metrics,
}

async fn run() -> Result<ExitCode, Failure> {
    let function = Function::start().await?;
    let function = &function;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let answer = function.handle(&event).await;
        answer.map_err(lambda_runtime::Error::from)
    }))
    .await
    .map_err(|error| anyhow::anyhow!("the runtime API failed: {error}"))?;
    Ok(ExitCode::SUCCESS)
}

impl Function {
    /// Both need the table and results, and the judge the registry of bundles: no queue, no topic.
    async fn start() -> Result<Self, Failure> {
        let stack = AwsStack::open(&Connection::default()).await?;
        let ports = MonitorPorts {
            records: Arc::new(stack.records()?),
            reviews: Arc::new(stack.reviews()?),
            blobs: Arc::new(stack.blobs()),
            state: Arc::new(stack.state()?),
        };
        let judge = if stack.has_registry()? {
            let activation = Arc::new(stack.registry_activation()?);
            let clock = Arc::clone(&stack.clock);
            Some(canary_judge(&stack.settings, ports.clone(), clock, activation))
        } else {
            None
        };
        Ok(Self {
            monitor: monitor(&stack.settings, ports, Arc::clone(&stack.clock)),
            judge,
            metrics: stack.metrics("monitor")?,
        })
    }

    async fn handle(&self, event: &LambdaEvent<Value>) -> Result<Value, PortError> {
        let request_id = &event.context.request_id;
        let span = info_span!("invocation", request_id = request_id.as_str());
        let answer = if asks_for_judge(&event.payload) {
            self.judge_canary().instrument(span).await
        } else {
            self.compare().instrument(span).await
        };
        self.metrics.property("RequestId", request_id.clone());
        self.metrics.flush();
        answer
    }

    /// A pass of the monitor.
    async fn compare(&self) -> Result<Value, PortError> {
        let pass = self.monitor.pass().await.inspect_err(|error| {
            warn!(%error, "the monitor failed, the next invocation makes up for it");
        })?;
        self.metrics.model(&pass.model);
        info!(
            days = pass.days,
            records = pass.records,
            windows = pass.windows,
            state = pass.model.state.as_str(),
            "ran"
        );
        Ok(answer(&pass))
    }

    /// A pass of the judge.
    async fn judge_canary(&self) -> Result<Value, PortError> {
        let Some(judge) = &self.judge else {
            return Ok(canary_answer(&CanaryPass::None));
        };
        let pass = judge.pass().await.inspect_err(|error| {
            warn!(%error, "nothing was decided about the canary, the next invocation makes up for it");
        })?;
        self.metrics.canary(ended(&pass).map(|end| end.how));
        if let CanaryPass::Goes(canary, evidence, why) = &pass {
            let answered = evidence.canary.answered();
            info!(bundle = %canary.bundle, answered, why, "the canary goes on");
        }
        Ok(canary_answer(&pass))
    }
}

/// Whether an event is exactly the one of the judge's rule (infra/pipeline.yaml).
fn asks_for_judge(event: &Value) -> bool {
    *event == json!({"pass": "canary"})
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

/// How a pass ended a canary.
fn ended(pass: &CanaryPass) -> Option<&CanaryEnd> {
    match pass {
        CanaryPass::Ended(canary, _) => canary.end.as_ref(),
        CanaryPass::None | CanaryPass::Goes(..) => None,
    }
}

fn canary_answer(pass: &CanaryPass) -> Value {
    let told = |what: &str, canary: &Canary, why: &str| json!({"canary": what, "bundle": canary.bundle.to_string(), "why": why});
    match (pass, ended(pass)) {
        (CanaryPass::Goes(canary, _, why), _) => told("goes", canary, why),
        (CanaryPass::Ended(canary, _), Some(end)) => told(end.how.as_str(), canary, &end.why),
        (CanaryPass::None | CanaryPass::Ended(..), _) => json!({"canary": "none"}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use walkaround_domain::canary::{CanaryOutcome, CanaryPolicy, Evidence};
    use walkaround_domain::{BundleId, Timestamp};

    fn canary(end: Option<CanaryOutcome>) -> Canary {
        Canary {
            bundle: BundleId::new("demo", "2"),
            folder: None,
            instead_of: BundleId::new("demo", "1"),
            instead_of_folder: None,
            share: 0.1,
            since: Timestamp(1),
            policy: CanaryPolicy::default(),
            end: end.map(|how| CanaryEnd {
                at: Timestamp(2),
                how,
                why: "it failed".to_owned(),
            }),
        }
    }

    #[test]
    fn only_the_event_of_its_rule_asks_for_the_judge() {
        assert!(asks_for_judge(&json!({"pass": "canary"})));
        for other in [
            json!({}),
            json!(null),
            json!("canary"),
            json!({"pass": "monitor"}),
            json!({"pass": "canary", "detail": {}}),
            json!({"detail": {"pass": "canary"}}),
        ] {
            assert!(!asks_for_judge(&other), "{other}");
        }
    }

    #[test]
    fn the_answer_says_what_came_of_a_pass() {
        let evidence = Evidence::default;
        for (pass, expected) in [
            (CanaryPass::None, json!({"canary": "none"})),
            (
                CanaryPass::Goes(canary(None), evidence(), "1 of 500".to_owned()),
                json!({"canary": "goes", "bundle": "demo 2", "why": "1 of 500"}),
            ),
            (
                CanaryPass::Ended(canary(Some(CanaryOutcome::Promoted)), evidence()),
                json!({"canary": "promoted", "bundle": "demo 2", "why": "it failed"}),
            ),
            (
                CanaryPass::Ended(canary(Some(CanaryOutcome::RolledBack)), evidence()),
                json!({"canary": "rolled_back", "bundle": "demo 2", "why": "it failed"}),
            ),
        ] {
            assert_eq!(canary_answer(&pass), expected);
        }
    }
}
