//! The parts of an `up`: what ends by itself ends all of them.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tracing::{error, warn};
use walkaround_bootstrap::exit::{Watched, end_when_stalled};
use walkaround_pipeline::consumer::{Consumer, Exit};
use walkaround_pipeline::shutdown::ShutdownSignal;

/// Longest time of the parts beside triage from the signal to their end: an answer under way, a file being taken in.
const REST_MAX: Duration = Duration::from_secs(10);

/// Tasks that run for as long as `up` does.
pub(crate) struct Parts {
    /// Each gives what was wrong with its end.
    tasks: JoinSet<Option<String>>,
    pub(crate) stop: ShutdownSignal,
    budget: Duration,
}

impl Parts {
    /// None yet; they are to end when `stop` says so.
    pub(crate) fn new(stop: ShutdownSignal) -> Self {
        Self {
            tasks: JoinSet::new(),
            stop,
            budget: Duration::ZERO,
        }
    }

    /// Runs a part.
    pub(crate) fn add(&mut self, name: &'static str, part: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            part.await;
            (!stop.is_set()).then(|| format!("{name} ended unexpectedly"))
        });
    }

    /// Runs triage, which is also watched from outside of the runtime.
    pub(crate) fn add_triage(&mut self, triage: Consumer) {
        self.budget = triage.settings.drain_budget;
        let watched = Watched {
            progress: Arc::clone(&triage.progress),
            clock: Arc::clone(&triage.clock),
            ends_within: triage.settings.stall_exit + self.budget,
        };
        end_when_stalled(watched, ExitCode::FAILURE);
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            match triage.run(stop).await {
                Exit::Stopped | Exit::BudgetSpent => None,
                Exit::Stalled => {
                    Some("triage stalled, nothing finished for WALKAROUND_STALL_EXIT_S".to_owned())
                }
                exit => Some(format!("triage ended unexpectedly ({exit:?})")),
            }
        });
    }

    /// Waits for the signal to stop, and gives it through `ending` when a part ends before. The exit code that follows.
    pub(crate) async fn until_end(&mut self, ending: oneshot::Sender<String>) -> ExitCode {
        let mut stop = self.stop.clone();
        let fault = loop {
            tokio::select! {
                biased;
                () = stop.wait() => return ExitCode::SUCCESS,
                Some(ended) = self.tasks.join_next() => {
                    if let Some(fault) = fault(ended) {
                        break fault;
                    }
                }
            }
        };
        error!("{fault}: up exits");
        // It is dropped where the signal has come meanwhile.
        let _ = ending.send(fault);
        stop.wait().await;
        ExitCode::FAILURE
    }

    /// Waits for the end of all parts, but not for ever.
    pub(crate) async fn rest(&mut self) {
        let all = async {
            while let Some(ended) = self.tasks.join_next().await {
                if let Some(fault) = fault(ended) {
                    warn!("{fault}");
                }
            }
        };
        if tokio::time::timeout(self.budget + REST_MAX, all).await.is_err() {
            warn!("parts of up did not end in time");
        }
    }
}

fn fault(ended: Result<Option<String>, JoinError>) -> Option<String> {
    match ended {
        Ok(fault) => fault,
        Err(error) => Some(format!("a part of up panicked ({error})")),
    }
}
