//! Lambda function `console`: the server's router behind an HTTP API of API Gateway (payload format 2.0).
//!
//! It does not start without sign-in: behind API Gateway it is beyond loopback. Pictures do not pass through it: a browser is
//! sent to S3, under an address that is signed for a quarter of an hour and stands in no log.

mod event;

pub use event::answer;

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use tracing::{Instrument, info_span};
use url::Url;
use walkaround_aws::Connection;
use walkaround_bootstrap::aws::AwsStack;
use walkaround_bootstrap::{BEATS_MISSED_MAX, Failure, exit, photo_source, process};
use walkaround_pipeline::review::ReviewService;
use walkaround_pipeline::store::InspectionStore;
use walkaround_pipeline::telemetry::Telemetry;
use walkaround_ports::{AddressKind, BlobAddress, Operations, QueueName};
use walkaround_server::{People, Pictures, Site, router};
use walkaround_sign_in::sign_in;

/// Largest photo from the web that passes through: an answer of Lambda has at most 6 MiB, a third of them for base64.
const PHOTO_BYTES_MAX: u64 = 4 << 20;

/// Runs until Lambda ends the process.
pub fn main() -> ! {
    process::start_json_log();
    exit::end(process::runtime().and_then(|runtime| runtime.block_on(run())))
}

async fn run() -> Result<ExitCode, Failure> {
    let stack = AwsStack::open(&Connection::default()).await?;
    let metrics = stack.metrics("console")?;
    let router = router(site(&stack, Arc::new(metrics)).await?);
    metrics.cold_start();
    let router = &router;
    let handle = |event: LambdaEvent<Value>| async move {
        let span = info_span!("invocation", request_id = event.context.request_id);
        metrics.property("RequestId", event.context.request_id.clone());
        let answered = answer(router.clone(), &event.payload).instrument(span).await;
        metrics.flush();
        answered
    };
    lambda_runtime::run(service_fn(handle))
        .await
        .map_err(|error| anyhow::anyhow!("the runtime API failed: {error}"))?;
    Ok(ExitCode::SUCCESS)
}

/// What the server answers from.
///
/// # Errors
/// Usage: a name or a setting that is missing, those of signing in among them.
pub async fn site(stack: &AwsStack, telemetry: Arc<dyn Telemetry>) -> Result<Site, Failure> {
    let (settings, ports) = (&stack.settings, stack.ports()?);
    let provider = settings.sign_in.as_ref().ok_or_else(|| {
        Failure::usage(
            "WALKAROUND_OIDC_ISSUER is not set: behind API Gateway people have to sign in (docs/console.md)",
        )
    })?;
    let service = ReviewService {
        store: InspectionStore::new(Arc::clone(&ports.records)),
        blobs: Arc::clone(&ports.blobs),
        reviews: Arc::clone(&ports.reviews),
        publisher: Arc::clone(&ports.publisher),
        clock: Arc::clone(&stack.clock),
    };
    let photos = photo_source(settings, Arc::clone(&ports.blobs))?;
    let bytes_max = settings.photo_bytes_max.min(PHOTO_BYTES_MAX);
    Ok(Site {
        records: ports.records,
        blobs: ports.blobs,
        results_bucket: settings.results_bucket.clone(),
        state: ports.state,
        queues: vec![
            (QueueName::Intake, ports.intake.queue),
            (QueueName::Segmentation, ports.segmentation.queue),
        ],
        operations: Arc::new(stack.clone()),
        clock: Arc::clone(&stack.clock),
        heartbeat_age_max: settings.heartbeat * BEATS_MISSED_MAX,
        version: env!("CARGO_PKG_VERSION"),
        resident_bytes: process::resident_bytes,
        stalled_for: None,
        concerns: None,
        people: Some(People::new(service, photos, bytes_max).with_telemetry(telemetry)),
        sign_in: Some(Arc::new(sign_in(provider).map_err(Failure::usage)?)),
        pictures: Pictures::Links(origins(stack).await?),
        loopback_only: false,
    })
}

/// Where pictures come from, as a browser has it: asked of what signs their addresses, which knows the region's.
async fn origins(stack: &AwsStack) -> Result<Vec<String>, Failure> {
    let settings = &stack.settings;
    let buckets: BTreeSet<&String> = settings
        .photo_buckets
        .iter()
        .chain([&settings.results_bucket])
        .collect();
    let mut origins = BTreeSet::new();
    for bucket in buckets.into_iter().filter(|bucket| !bucket.is_empty()) {
        let any = BlobAddress {
            bucket: bucket.clone(),
            key: "any".to_owned(),
        };
        let address = stack.locate(&any, AddressKind::Link).await?;
        let address =
            Url::parse(&address).map_err(|_| anyhow::anyhow!("an address of {bucket} is no URL"))?;
        origins.insert(address.origin().ascii_serialization());
    }
    Ok(origins.into_iter().collect())
}
