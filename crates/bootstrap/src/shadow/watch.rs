//! Beside the process that settles photos: reads the rollout, and keeps the shadow's process.

use super::answer::Answer;
use crate::builder::PipelineBuilder;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tracing::{info, warn};
use walkaround_domain::InspectionRequest;
use walkaround_domain::rollout::Shadow;
use walkaround_messages::request_json;
use walkaround_pipeline::rollout::read_rollout;
use walkaround_pipeline::shadow::{ShadowQueue, shadow_feed};
use walkaround_pipeline::shutdown::ShutdownSignal;
use walkaround_ports::{Clock, StateStore};

/// After so many ends of its process, or failures of its bundle in a row, a shadow gets no more photos.
const ENDS_MAX: u32 = 3;
/// Longest answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 16 << 10;

/// How long things take at most.
#[derive(Debug, Clone, Copy)]
pub struct ShadowTimes {
    /// Between two readings of the rollout.
    pub poll: Duration,
    /// From the start of the process until it is ready.
    pub start: Duration,
    /// One photo.
    pub photo: Duration,
}

impl ShadowTimes {
    /// With this time between two readings.
    pub const fn polling(poll: Duration) -> Self {
        Self {
            poll,
            start: Duration::from_secs(300),
            photo: Duration::from_secs(60),
        }
    }
}

/// Keeps the shadow's process.
pub struct ShadowWatch {
    /// Where settled photos are named.
    pub queue: ShadowQueue,
    /// Where the rollout is.
    pub state: Arc<dyn StateStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// How long things take at most.
    pub times: ShadowTimes,
    /// How its process is started; its input and output are set here.
    pub command: Box<dyn Fn() -> Command + Send + Sync>,
}

/// The shadow's process, and its two ends.
struct Running {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// What is known of a shadow since it was started.
#[derive(Debug, Default, Clone, Copy)]
struct Conduct {
    ends: u32,
    failures_in_a_row: u32,
    agrees: u64,
    disagrees: u64,
    failed: u64,
}

impl ShadowWatch {
    /// From now on, processors of this builder name settled photos for a shadow, whose process `command` starts.
    pub fn of(builder: &mut PipelineBuilder, command: Box<dyn Fn() -> Command + Send + Sync>) -> Self {
        let (feed, queue) = shadow_feed();
        builder.shadow = Some(feed);
        Self {
            queue,
            state: Arc::clone(&builder.ports.state),
            clock: Arc::clone(&builder.clock),
            times: ShadowTimes::polling(builder.lane_cache()),
            command,
        }
    }

    /// Runs until asked to stop. Whatever the shadow does, this does not end before.
    pub async fn run(mut self, mut stop: ShutdownSignal) {
        let mut shadow: Option<Shadow> = None;
        let mut running: Option<Running> = None;
        let mut conduct = Conduct::default();
        while !stop.is_set() {
            if let Some(next) = self.changed(shadow.as_ref()).await {
                self.report(shadow.as_ref(), conduct);
                running = None;
                conduct = Conduct::default();
                self.queue.set_shadow(None);
                self.queue.clear();
                self.queue.set_shadow(next.as_ref());
                shadow = next;
                match &shadow {
                    Some(shadow) => {
                        info!(bundle = %shadow.bundle, share = shadow.share, "a shadow sees settled photos");
                    }
                    None => info!("no shadow sees settled photos any more"),
                }
            }
            let photos = self.photos(shadow.as_ref(), &mut running, &mut conduct);
            tokio::select! {
                biased;
                () = stop.wait() => break,
                () = photos => {}
            }
        }
        self.report(shadow.as_ref(), conduct);
    }

    /// The shadow that the rollout names, if that is another one than before.
    async fn changed(&self, before: Option<&Shadow>) -> Option<Option<Shadow>> {
        match read_rollout(&*self.state).await {
            Ok(rollout) => {
                let now = rollout.shadow_in_use();
                (now.as_ref() != before).then_some(now)
            }
            Err(error) => {
                warn!(%error, "the rollout cannot be read, the last one is kept");
                None
            }
        }
    }

    /// Hands photos to the shadow until the rollout is to be read again.
    async fn photos(
        &mut self,
        shadow: Option<&Shadow>,
        running: &mut Option<Running>,
        conduct: &mut Conduct,
    ) {
        let clock = Arc::clone(&self.clock);
        let poll = clock.sleep(self.times.poll);
        tokio::pin!(poll);
        loop {
            let request = tokio::select! {
                biased;
                () = &mut poll => return,
                Some(request) = self.queue.next() => request,
            };
            let Some(shadow) = shadow.filter(|_| conduct.is_fit()) else {
                continue;
            };
            if let Err(why) = self.one(running, &request, conduct).await {
                *running = None;
                conduct.ends += 1;
                warn!(bundle = %shadow.bundle, why, "the shadow's process ended or was ended");
            }
            if !conduct.is_fit() {
                *running = None;
                self.queue.set_shadow(None);
                self.queue.clear();
                warn!(
                    bundle = %shadow.bundle,
                    "the shadow gets no more photos until it is ended and started again, or its share is changed"
                );
            }
        }
    }

    /// One photo; an error is an end of the process.
    async fn one(
        &self,
        running: &mut Option<Running>,
        request: &InspectionRequest,
        conduct: &mut Conduct,
    ) -> Result<(), String> {
        let process = match running {
            Some(process) => process,
            None => running.insert(self.start().await?),
        };
        let answer = self.within(self.times.photo, process.ask(request)).await?;
        match answer {
            Answer::Agrees => conduct.agrees += 1,
            Answer::Disagrees => conduct.disagrees += 1,
            Answer::Skipped | Answer::Ready => return Ok(()),
            Answer::Failed(why) => {
                conduct.failed += 1;
                info!(inspection = %request.id, why, "the shadow could not see a photo");
                return Ok(());
            }
            Answer::BundleFailed(why) => {
                conduct.failed += 1;
                conduct.failures_in_a_row += 1;
                warn!(inspection = %request.id, why, "the shadow failed on a photo");
                return Ok(());
            }
        }
        conduct.failures_in_a_row = 0;
        Ok(())
    }

    async fn start(&self) -> Result<Running, String> {
        let mut command = (self.command)();
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut child = child.map_err(|error| format!("it cannot be started: {error}"))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("it has no input or output".to_owned());
        };
        let mut running = Running {
            child,
            input,
            output: BufReader::new(output),
        };
        match self.within(self.times.start, running.answer()).await? {
            Answer::Ready => Ok(running),
            other => Err(format!("it is not ready: {}", other.line())),
        }
    }

    async fn within(
        &self,
        time: Duration,
        work: impl Future<Output = Result<Answer, String>>,
    ) -> Result<Answer, String> {
        tokio::select! {
            biased;
            answer = work => answer,
            () = self.clock.sleep(time) => Err(format!("it hangs: no answer for {} s", time.as_secs_f64())),
        }
    }

    fn report(&self, shadow: Option<&Shadow>, conduct: Conduct) {
        let Some(shadow) = shadow else { return };
        let counts = self.queue.counts();
        info!(
            bundle = %shadow.bundle,
            agrees = conduct.agrees,
            disagrees = conduct.disagrees,
            failed = conduct.failed,
            taken = counts.taken,
            dropped = counts.dropped,
            "what the shadow has seen"
        );
    }
}

impl Conduct {
    const fn is_fit(self) -> bool {
        self.ends < ENDS_MAX && self.failures_in_a_row < ENDS_MAX
    }
}

impl Running {
    async fn ask(&mut self, request: &InspectionRequest) -> Result<Answer, String> {
        let line = format!("{}\n", request_json(request));
        let sent = async {
            self.input.write_all(line.as_bytes()).await?;
            self.input.flush().await
        };
        if sent.await.is_err() {
            return Err(self.end().await);
        }
        self.answer().await
    }

    async fn answer(&mut self) -> Result<Answer, String> {
        let mut line = String::new();
        let mut output = tokio::io::AsyncReadExt::take(&mut self.output, ANSWER_BYTES_MAX);
        let read = output.read_line(&mut line).await;
        match read {
            Ok(0) | Err(_) => Err(self.end().await),
            Ok(_) => Answer::parse(line.trim_end()).ok_or_else(|| "its answer cannot be read".to_owned()),
        }
    }

    /// How it ended: its output is closed.
    async fn end(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => format!("it ended: {status}"),
            Err(error) => format!("it ended: {error}"),
        }
    }
}

#[cfg(test)]
mod tests;
