//! Lambda function `triage`: screening of the photos of the intake queue, with partial batch responses.
//!
//! At start (Lambda's init): settings, clients, and the networks of the screening; the segmenters are fetched, loaded,
//! tested and timed when the first suspect photo has to be routed. An invocation hands its batch to
//! [`pipeline::invocation`](walkaround_pipeline::invocation); what it answers as failed comes back after the delay
//! that its visibility was changed to.
//!
//! A library with one binary, so that tests run the same program.

mod batch;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use batch::at_once;
use lambda_runtime::{Context, LambdaEvent, service_fn};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tracing::{Instrument, error, info, info_span};
use walkaround_aws::Connection;
use walkaround_bootstrap::aws::metrics::Metrics;
use walkaround_bootstrap::aws::{AwsStack, RegistryBundles};
use walkaround_bootstrap::canary::CanaryWatch;
use walkaround_bootstrap::exit_diagnosis::EXIT_ENGINE;
use walkaround_bootstrap::{Failure, TriageParts, exit, process};
use walkaround_domain::Timestamp;
use walkaround_pipeline::consumer::Progress;
use walkaround_pipeline::inspector::{ActiveInspector, EngineMonitor};
use walkaround_pipeline::invocation::{Invocation, InvocationDeadline, InvocationSettings};
use walkaround_pipeline::triage::InlineSegmentationCost;
use walkaround_ports::{Clock, Delivery};

/// Runs until Lambda ends the process. A failure at start is one line, and Lambda tries again.
pub fn main() -> ! {
    process::start_json_log();
    exit::end(process::runtime().and_then(|runtime| runtime.block_on(run())))
}

/// A started function.
struct Function {
    invocation: Invocation,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    engine: Arc<EngineMonitor>,
    canary: CanaryWatch,
    /// When the rollout was read last.
    canary_read: Mutex<Option<Timestamp>>,
}

async fn run() -> Result<ExitCode, Failure> {
    let function = Function::start().await?;
    let function = &function;
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| async move {
        let LambdaEvent { payload, context, .. } = event;
        Ok::<_, lambda_runtime::Error>(function.handle(payload, &context).await)
    }))
    .await
    .map_err(|error| anyhow::anyhow!("the runtime API failed: {error}"))?;
    Ok(ExitCode::SUCCESS)
}

impl Function {
    async fn start() -> Result<Self, Failure> {
        let stack = AwsStack::open(&Connection::default()).await?;
        let metrics = stack.metrics("triage")?;
        metrics.cold_start();
        let builder = stack.builder(Some(&metrics))?;
        let engines = match stack.bundle_without_segmenters().await? {
            (folder, Some(fetch)) => builder.engines_without_segmenters(&folder, fetch)?,
            (folder, None) => builder.engines(&folder)?,
        };
        let jobs = builder.triage_jobs();
        let inspector = ActiveInspector::new(builder.lazy_inspector(&engines, jobs)?);
        info!(bundle = engines.label(), jobs, "triage ready");
        let end = InvocationDeadline::never();
        let bundles = Arc::new(RegistryBundles {
            stack: stack.clone(),
            engines: jobs,
        });
        let canary = CanaryWatch::new(&builder, &inspector, bundles, None);
        let handler = builder.triage(TriageParts {
            inspector,
            jobs,
            inline_segmentation: InlineSegmentationCost::when_asked(),
            end: Arc::clone(&end),
            progress: Arc::new(Progress::default()),
        })?;
        let settings = InvocationSettings {
            at_once_max: at_once(&builder.settings),
            ..InvocationSettings::default()
        };
        Ok(Self {
            clock: Arc::clone(&builder.clock),
            invocation: Invocation {
                queue: Arc::clone(&builder.ports.intake.queue),
                handler: Arc::new(handler),
                clock: Arc::clone(&builder.clock),
                end,
                settings,
            },
            metrics,
            engine: Arc::clone(&builder.engine),
            canary,
            canary_read: Mutex::new(None),
        })
    }

    async fn handle(&self, event: SqsEvent, context: &Context) -> SqsBatchResponse {
        let trace = context.xray_trace_id.as_deref();
        let span = info_span!("invocation", request_id = context.request_id, trace);
        let messages = event.records.len();
        let (deliveries, unnamed): (Vec<_>, usize) = batch::deliveries(event, trace, self.clock.now());
        if self.engine.is_sick() {
            self.end_sick(deliveries).await;
        }
        self.refresh_canary().await;
        let back = self
            .invocation
            .run(deliveries, self.time_left(context))
            .instrument(span.clone())
            .await;
        span.in_scope(|| info!(messages, back = back.len(), unnamed, "batch done"));
        self.metrics.property("RequestId", context.request_id.clone());
        self.metrics.flush();
        let mut response = SqsBatchResponse::default();
        for message_id in back {
            response.add_failure(message_id);
        }
        if unnamed > 0 {
            // An empty name fails the whole batch: what cannot be named is not lost.
            response.add_failure("");
        }
        response
    }

    /// Reads the rollout, as often as its time between two readings says: between two batches this process stands still.
    /// A canary is loaded before the batch, whose photos wait for it once.
    async fn refresh_canary(&self) {
        let now = self.clock.now();
        let mut read = self.canary_read.lock().await;
        if read.is_some_and(|read| now.since(read) < self.canary.every()) {
            return;
        }
        self.canary.refresh().await;
        *read = Some(now);
    }

    /// Ends a process whose engine is faulty, so that Lambda starts another one. It was asked for once more: an
    /// answer cannot be followed by an end, as the process is frozen behind it. The batch goes back at once.
    async fn end_sick(&self, deliveries: Vec<Delivery>) -> ! {
        error!(
            messages = deliveries.len(),
            "the engine is faulty: the process exits, the batch is returned"
        );
        self.invocation.refuse(deliveries).await;
        self.metrics.flush();
        std::process::exit(i32::from(EXIT_ENGINE))
    }

    fn time_left(&self, context: &Context) -> Duration {
        walkaround_bootstrap::aws::time_left(context.deadline, self.clock.now())
    }
}
