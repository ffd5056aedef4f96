//! What is going to happen, in order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Milliseconds from midnight of the simulated day.
pub(crate) type Ms = u32;

/// What happens. Numbers are places in the lists of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// The next photo arrives.
    Arrival,
    /// A photo that was returned to the intake queue becomes visible there.
    Visible { photo: u32 },
    /// The batch window of the oldest photo in the intake queue ends.
    WindowEnd,
    /// Triage has screened a photo.
    Screened { process: u32, photo: u32 },
    /// Triage has segmented a photo.
    Segmented { process: u32, photo: u32 },
    /// AWS Batch looks for an instance for a worker.
    Placement { worker: u32 },
    /// A worker has loaded its networks; of its attempts to start, this one.
    Ready { worker: u32, attempt: u32 },
    /// A worker has segmented its photo.
    Finished { worker: u32 },
    /// A worker sends a heartbeat.
    Heartbeat { worker: u32 },
    /// A worker has had nothing to do since this moment.
    Idle { worker: u32, since: Ms },
    /// A Spot instance is reclaimed.
    Reclaim { instance: u32 },
    /// An instance has had no worker since this moment.
    Unused { instance: u32, since: Ms },
    /// No capacity from now on.
    DroughtBegins,
    /// Capacity again.
    DroughtEnds,
    /// The scaler runs.
    Tick,
    /// A minute of the record.
    Sample,
}

/// Events to come. Of two at the same time the one that was entered first comes first.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    heap: BinaryHeap<Reverse<Entry>>,
    entered: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: Ms,
    order: u64,
    event: Event,
}

impl Agenda {
    pub(crate) fn enter(&mut self, at: Ms, event: Event) {
        self.entered += 1;
        self.heap.push(Reverse(Entry {
            at,
            order: self.entered,
            event,
        }));
    }

    pub(crate) fn next(&mut self) -> Option<(Ms, Event)> {
        self.heap.pop().map(|Reverse(entry)| (entry.at, entry.event))
    }
}
