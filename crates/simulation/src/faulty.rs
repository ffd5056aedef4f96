//! Faults of every port call of one process: errors before the effect, lost answers after it, slow calls, calls that
//! outlive a lease, hangs, and a crash of the process between effect and answer.

mod ports;

use crate::context::Context;
use crate::injected_fault::InjectedFault;
use crate::trace::CoverageEvent;
use crate::work::Work;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use walkaround_pipeline::inspector::EngineMonitor;
use walkaround_ports::{PortCall, PortError, PortErrorKind};

/// One life of one process, as its ports see it.
pub(crate) struct Process {
    pub(crate) context: Arc<Context>,
    /// Slot and life: `triage-0.3`.
    pub(crate) name: String,
    /// Notified when the process dies at a call.
    pub(crate) died: Notify,
    /// Set when the process hangs as a whole.
    pub(crate) frozen: AtomicBool,
    /// The health of its engine.
    pub(crate) engine: Arc<EngineMonitor>,
    /// What it has in flight.
    pub(crate) work: Work,
}

/// What becomes of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Passes,
    Refused(PortErrorKind),
    AnswerLost,
    DiesBefore,
    DiesAfter,
}

impl Process {
    pub(crate) fn new(context: &Arc<Context>, name: String) -> Arc<Self> {
        Arc::new(Self {
            context: Arc::clone(context),
            name,
            died: Notify::new(),
            frozen: AtomicBool::new(false),
            engine: EngineMonitor::new(),
            work: Work::default(),
        })
    }

    pub(crate) fn log(&self, what: std::fmt::Arguments<'_>) {
        self.context.log(&self.name, what);
    }

    fn fate(&self) -> Fate {
        let (context, rates) = (&self.context, &self.context.plan.rates);
        if context.chance(rates.crash) {
            context.count(CoverageEvent::CrashAtCall);
            return if context.rng().bool() {
                Fate::DiesBefore
            } else {
                Fate::DiesAfter
            };
        }
        if context.chance(rates.refused) {
            context.count(CoverageEvent::Refused);
            return Fate::Refused(if context.rng().bool() {
                PortErrorKind::Unavailable
            } else {
                PortErrorKind::Throttled
            });
        }
        if context.chance(rates.answer_lost) {
            context.count(CoverageEvent::AnswerLost);
            return Fate::AnswerLost;
        }
        Fate::Passes
    }

    fn latency(&self) -> Duration {
        let (context, rates) = (&self.context, &self.context.plan.rates);
        if !context.plan.calm && context.chance(rates.slow) {
            context.count(CoverageEvent::Slow);
            return context.between(1_000, 30_000);
        }
        if context.chance(rates.outlives_lease) {
            context.count(CoverageEvent::OutlivedLease);
            return context.plan.lease + context.between(1, 20_000);
        }
        context.between(0, 30)
    }

    async fn pass(&self, time: Duration) {
        if !time.is_zero() {
            tokio::time::sleep(time).await;
        }
    }

    async fn die(&self, operation: &str, when: &str) -> ! {
        self.log(format_args!("dies {when} {operation}"));
        self.died.notify_one();
        std::future::pending().await
    }

    /// The error of a call whose effect comes only later, perhaps after the process has died; `effect` is then
    /// on its way. None when this call is not one of them.
    fn late<T: Send>(
        &self,
        port: &'static str,
        operation: &'static str,
        effect: impl Future<Output = T> + Send + 'static,
    ) -> Option<PortError> {
        let context = &self.context;
        if self.frozen.load(Ordering::Relaxed) || !context.chance(context.plan.rates.late) {
            return None;
        }
        context.count(CoverageEvent::EffectLate);
        self.log(format_args!("{port}.{operation} times out and comes late"));
        let (context, time) = (Arc::clone(context), context.between(10, 20_000));
        let name = self.name.clone();
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            context.log(&name, format_args!("{port}.{operation} comes late"));
            drop(effect.await);
        });
        Some(PortError::new(
            PortCall::new(port, operation),
            PortErrorKind::Unavailable,
            "timed out",
        ))
    }

    /// The error of a call to an unavailable store.
    async fn away(&self, port: &'static str, operation: &'static str) -> PortError {
        self.context.count(CoverageEvent::StoreAway);
        self.pass(Duration::from_millis(10)).await;
        let kind = match self.context.plant {
            Some(InjectedFault::StoreTroubleIsFinal) if port == "blobs" => PortErrorKind::TooLarge,
            _ => PortErrorKind::Unavailable,
        };
        PortError::new(PortCall::new(port, operation), kind, "away")
    }

    /// One call: `effect` happens at one moment in the middle of it.
    pub(crate) async fn call<T>(
        &self,
        port: &'static str,
        operation: &'static str,
        about: impl Display,
        effect: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        self.context.call();
        if self.context.violation().is_some() || self.frozen.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        if self.context.is_away(port) {
            return Err(self.away(port, operation).await);
        }
        let fate = self.fate();
        // A slow call is slow on its way there or on its way back.
        let (time, there) = (self.latency(), self.context.rng().bool());
        self.pass(if there { time } else { Duration::ZERO }).await;
        let fails = |kind, detail: &str| Err(PortError::new(PortCall::new(port, operation), kind, detail));
        match fate {
            Fate::Refused(kind) => {
                self.log(format_args!("{port}.{operation} {about}: refused"));
                return fails(kind, "refused");
            }
            Fate::DiesBefore => self.die(operation, "before").await,
            Fate::Passes | Fate::AnswerLost | Fate::DiesAfter => {}
        }
        let outcome = effect.await;
        match &outcome {
            Ok(_) => self.log(format_args!("{port}.{operation} {about}")),
            Err(error) => self.log(format_args!("{port}.{operation} {about}: {}", error.detail)),
        }
        self.pass(if there { Duration::ZERO } else { time }).await;
        match fate {
            Fate::DiesAfter => self.die(operation, "after").await,
            Fate::AnswerLost => {
                self.log(format_args!("{port}.{operation} {about}: answer lost"));
                fails(PortErrorKind::Unavailable, "timed out")
            }
            _ => outcome,
        }
    }
}

/// A port of a process, with faults.
pub(crate) struct Faulty<P: ?Sized> {
    pub(crate) process: Arc<Process>,
    pub(crate) port: Arc<P>,
    /// For the trace, where a world has several such ports.
    pub(crate) name: &'static str,
}

/// A port as one process sees it.
pub(crate) fn around<P: ?Sized>(process: &Arc<Process>, port: &Arc<P>, name: &'static str) -> Arc<Faulty<P>> {
    Arc::new(Faulty {
        process: Arc::clone(process),
        port: Arc::clone(port),
        name,
    })
}
