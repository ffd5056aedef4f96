//! The promises that a world checks.

/// A promise that a world checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Invariant {
    /// Exactly one final state an inspection, never changed once final.
    J1,
    /// A done record's blobs exist and match their digests when the record becomes final.
    J2,
    /// No acknowledgement before what the message asked for is durable.
    J3,
    /// Every accepted photo ends: final, or parked.
    J4,
    /// At least one event a final state, and all events of an inspection carry one id.
    J5,
    /// The outcome is that of the photo.
    J6,
    /// A final record that the review policy selects has its task, from the moment on that it is final.
    J7,
    /// A faulty engine makes no photo fail.
    E1,
    /// An unavailable store makes no photo fail.
    A1,
    /// An id is of one photo and one purpose: what a record says of them is completed, never changed.
    I1,
    /// Every request is answered for its own purpose, by an inspection of its photo.
    I2,
    /// The bytes that a request means are inspected: those that its photo had when it was sent, or later ones.
    I3,
    /// Bounds hold: messages in flight, sizes of batches.
    Q1,
    /// Never more workers than the maximum.
    S1,
    /// A stop ends the process within its budget.
    T1,
    /// Because of a stop, only photos in flight past the budget are inspected again.
    T2,
    /// A process that has work and finishes nothing ends by itself, whatever its device does.
    T3,
    /// The world drains within its bounds of time and calls.
    L1,
    /// A worker whose heartbeats arrive is not ended for want of them, whatever the clocks do.
    C1,
    /// No photo waits for a lane that does not come.
    R1,
    /// Workers that die at their start are started seldom.
    S2,
    /// With a shadow everything goes as without it: every call, every moment.
    B1,
    /// A decision that was acknowledged is stored, once, under its revision.
    V1,
    /// Every review task is done in the end: none is lost, none stays claimed.
    V2,
    /// Every review that is stored is published.
    V3,
    /// A canary that fails or ends its processes costs no photo: each has the outcome that it has without it.
    K1,
    /// A bad canary is rolled back by its policy.
    K2,
    /// A good canary is not rolled back where no process ends by itself.
    K3,
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// How, in words.
    pub detail: String,
}
