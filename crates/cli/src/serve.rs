//! `walkaround serve` and `walkaround console`: the HTTP server on a stack, without triage or workers.

use crate::args::{ConsoleArgs, ServeArgs, StackArgs};
use crate::client::open;
use crate::failure::Failure;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use tracing::warn;
use walkaround_bootstrap::process::{resident_bytes, runtime, start_log, stop_on_signal};
use walkaround_bootstrap::{BEATS_MISSED_MAX, photo_source};
use walkaround_client::{IfMissing, StackClient};
use walkaround_ports::{PhotoSource, QueueName};
use walkaround_server::{People, Pictures, SignIn, Site, serve};
use walkaround_settings::Settings;

/// Where it listens when nobody says.
const LISTEN: &str = "127.0.0.1:8600";

pub(crate) fn run(args: &ServeArgs) -> Result<ExitCode, Failure> {
    start_log();
    runtime()?.block_on(async {
        let stack = open(&args.stack, IfMissing::Fail).await?;
        let listen = args.listen.as_deref().or(stack.settings().listen.as_deref());
        let address = listen.unwrap_or(LISTEN).to_owned();
        let server = serve(&address, of(&*stack)?, stop_on_signal()?);
        server.await.map_err(Failure::usage)?.1.await;
        Ok(ExitCode::SUCCESS)
    })
}

/// The same for a person at this machine: it prints where the console is, and logs only what is wrong.
pub(crate) fn console(args: &ConsoleArgs) -> Result<ExitCode, Failure> {
    runtime()?.block_on(async {
        let (stack, listen) = (&args.stack, args.listen.as_deref().unwrap_or(LISTEN));
        serve_console(stack, listen).await
    })
}

async fn serve_console(stack: &StackArgs, listen: &str) -> Result<ExitCode, Failure> {
    let stack = open(stack, IfMissing::Fail).await?;
    let site = of(&*stack)?;
    let people_sign_in = site.sign_in.is_some();
    if site.people.is_none() {
        return Err(Failure::usage(
            "the console cannot be offered on this stack: its events have no topic",
        ));
    }
    let (address, serving) = serve(listen, site, stop_on_signal()?)
        .await
        .map_err(Failure::usage)?;
    let settings = stack.settings();
    let console = match &settings.sign_in {
        Some(sign_in) if people_sign_in => format!("{}/console/", sign_in.console_url),
        _ => format!("http://{address}/console/"),
    };
    writeln!(std::io::stdout(), "{console}")?;
    std::io::stdout().flush()?;
    serving.await;
    Ok(ExitCode::SUCCESS)
}

fn of(stack: &dyn StackClient) -> Result<Site, Failure> {
    let photos = photo_source(stack.settings(), stack.blobs())?;
    site(stack, photos)
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
        sign_in: sign_in(settings)?,
        pictures: Pictures::Bytes,
        loopback_only: true,
    })
}

/// How people sign in, where the settings name a provider.
#[cfg(feature = "sign-in")]
fn sign_in(settings: &Settings) -> Result<Option<Arc<SignIn>>, Failure> {
    let sign_in = settings.sign_in.as_ref().map(walkaround_sign_in::sign_in);
    Ok(sign_in.transpose().map_err(Failure::usage)?.map(Arc::new))
}

/// Whoever names a provider wants nobody let in without.
#[cfg(not(feature = "sign-in"))]
fn sign_in(settings: &Settings) -> Result<Option<Arc<SignIn>>, Failure> {
    match settings.sign_in {
        None => Ok(None),
        Some(_) => Err(Failure::usage(
            "WALKAROUND_OIDC_ISSUER is set, and this program was built without sign-in (as `make demo` builds it): `cargo build \
             --release --locked --package walkaround-cli` builds all of it",
        )),
    }
}
