//! What happened in a world: its last lines, a digest of all of them, and counts.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::time::Duration;

macro_rules! happenings {
    ($($name:ident => $words:literal,)*) => {
        /// Something that a world can do; a kind that never happens over many worlds is not tested.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs, reason = "words() says it")]
        pub enum CoverageEvent { $($name,)* }

        impl CoverageEvent {
            /// Every kind, in the order of the summary.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// In words, for the summary.
            pub const fn words(self) -> &'static str {
                match self { $(Self::$name => $words,)* }
            }
        }
    };
}

happenings! {
    Refused => "calls refused before their effect",
    AnswerLost => "calls timed out after their effect",
    EffectLate => "calls whose effect came after their error",
    Slow => "slow calls",
    OutlivedLease => "calls longer than a lease",
    PartlyRefused => "batches of which one entry failed",
    CrashAtCall => "crashes at a call",
    CrashAnytime => "crashes out of the blue",
    Hung => "fetches that never returned",
    Froze => "workers that froze",
    DeviceHung => "devices that hung",
    ClockJumped => "clock jumps",
    ClockJumpedFar => "jumps of all clocks, by minutes or hours",
    TakenBack => "photos taken back from a lane that does not come",
    StartsHeldBack => "scaler ticks that held starts back",
    MessageDuplicated => "messages duplicated",
    DeliveredTwice => "deliveries that stayed visible",
    GhostAfterAck => "acknowledged messages that came back",
    ShownLate => "messages shown late",
    Reordered => "receives out of order",
    LeaseExpired => "leases that ran out",
    LeaseLost => "extensions of a lost lease",
    StaleAck => "stale acknowledgements",
    Redelivered => "redeliveries",
    Returned => "messages given back",
    ParkedWithReason => "messages parked with a reason",
    ParkedByQueue => "messages parked by their queue",
    Redriven => "messages redriven",
    RecordConflict => "conditional writes that lost",
    IdConflict => "requests parked because their id stands for another photo",
    PhotoChanged => "photos that changed, inspected again",
    OtherPurpose => "photos inspected for a second purpose",
    ResultFound => "results of the same bytes found",
    BlobSame => "blobs that were there already",
    BlobOther => "blobs with other bytes there",
    TaskPut => "review tasks put",
    EventRepeated => "events published again",
    StopGiven => "SIGTERM",
    StopInBudget => "stops with everything settled or given back",
    BudgetSpent => "stops that spent their budget",
    CutOff => "photos in flight past the budget or at a crash",
    StallExit => "stall exits",
    IdleExit => "idle exits",
    ScalerTick => "scaler ticks",
    ScalerTickFailed => "scaler ticks that failed",
    ScalersMet => "scalers that found the lock taken",
    WorkerStarted => "workers started",
    WorkerEndedByScaler => "workers ended for sending no heartbeat",
    WorkerKilled => "workers killed after their budget",
    LookInline => "segmentations in triage",
    LookGpu => "segmentations in a worker",
    EngineFailed => "network failures",
    EngineUnhealthy => "processes that ended because their engine was faulty",
    StoreAway => "calls while a store was away",
    Clean => "inspections: clean",
    Damaged => "inspections: damaged",
    Unusable => "inspections: unusable",
    Failed => "inspections: failed",
    FailedByTrouble => "inspections: failed because failures used up their attempts",
}

/// Lines kept for a failure: most worlds whole.
const LINES_KEPT: usize = 2000;

/// The trace of one world.
pub(crate) struct Trace {
    lines: VecDeque<String>,
    digest: u64,
    calls: u64,
    counts: Counts,
}

/// How often everything happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts(Vec<u64>);

impl Default for Counts {
    fn default() -> Self {
        Self(vec![0; CoverageEvent::ALL.len()])
    }
}

impl Counts {
    /// How often something happened.
    pub fn of(&self, happening: CoverageEvent) -> u64 {
        self.0[happening as usize]
    }

    /// Adds those of another world.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine += theirs;
        }
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self {
            lines: VecDeque::with_capacity(LINES_KEPT),
            // FNV-1a.
            digest: 0xcbf2_9ce4_8422_2325,
            calls: 0,
            counts: Counts::default(),
        }
    }
}

impl Trace {
    pub(crate) fn line(&mut self, at: Duration, who: &str, what: fmt::Arguments<'_>) {
        let mut line = if self.lines.len() == LINES_KEPT {
            self.lines.pop_front().unwrap_or_default()
        } else {
            String::new()
        };
        line.clear();
        // Writing to a String cannot fail.
        let _ = write!(line, "{:9.3} s  {who:<12} {what}", at.as_secs_f64());
        for byte in line.bytes() {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.lines.push_back(line);
    }

    pub(crate) fn count(&mut self, happening: CoverageEvent) {
        self.counts.0[happening as usize] += 1;
    }

    pub(crate) fn call(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts.clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }
}
