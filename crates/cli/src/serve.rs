//! `walkaround serve`: the HTTP server on a stack, without triage or workers.

use crate::args::ServeArgs;
use crate::client::open;
use crate::failure::Failure;
use std::process::ExitCode;
use std::sync::Arc;
use tracing::warn;
use walkaround_bootstrap::process::{resident_bytes, runtime, start_log, stop_on_signal};
use walkaround_bootstrap::{BEATS_MISSED_MAX, photo_source};
use walkaround_client::{IfMissing, StackClient};
use walkaround_ports::{PhotoSource, QueueName};
use walkaround_server::{People, Site, serve};

/// Where it listens when nobody says.
const LISTEN: &str = "127.0.0.1:8600";

pub(crate) fn run(args: &ServeArgs) -> Result<ExitCode, Failure> {
    start_log();
    runtime()?.block_on(async {
        let stack = open(&args.stack, IfMissing::Fail).await?;
        let listen = args.listen.as_deref().or(stack.settings().listen.as_deref());
        let address = listen.unwrap_or(LISTEN).to_owned();
        let photos = photo_source(stack.settings(), stack.blobs())?;
        let server = serve(&address, site(&*stack, photos)?, stop_on_signal()?);
        server.await.map_err(Failure::usage)?.await;
        Ok(ExitCode::SUCCESS)
    })
}

/// What the server answers from, on a stack; `photos` is where its photos come from.
pub(crate) fn site(stack: &dyn StackClient, photos: Arc<dyn PhotoSource>) -> Result<Site, Failure> {
    let settings = stack.settings();
    let people = match stack.reviews() {
        Ok(service) => {
            let people = People::new(service, photos, settings.photo_bytes_max);
            Some(people.with_reviewer(settings.reviewer.clone()))
        }
        // A stack whose topic is not named is still read.
        Err(error) => {
            warn!(%error, "the console is not offered");
            None
        }
    };
    let queue = |name| Ok::<_, Failure>((name, stack.queue(name)?));
    Ok(Site {
        records: stack.records()?,
        blobs: stack.blobs(),
        results_bucket: settings.results_bucket.clone(),
        state: stack.state()?,
        queues: QueueName::ALL.into_iter().map(queue).collect::<Result<_, _>>()?,
        operations: stack.operations(),
        clock: stack.clock(),
        heartbeat_age_max: settings.heartbeat * BEATS_MISSED_MAX,
        version: env!("CARGO_PKG_VERSION"),
        resident_bytes,
        stalled_for: None,
        concerns: None,
        people,
        loopback_only: true,
    })
}
