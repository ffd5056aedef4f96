//! The faults that can be planted into a world.

/// A planted fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InjectedFault {
    /// A message is acknowledged as it is received.
    AckOnReceive,
    /// A record is written whatever stands there.
    UnconditionalWrite,
    /// A message that is given back counts as settled.
    ReleaseIsSuccess,
    /// A lease that runs out counts as success.
    ExpiryIsSuccess,
    /// Some events are taken and never published.
    EventLost,
    /// A final record says that its event is out, before it is.
    PublishedTooEarly,
    /// Some blobs are reported written, and are not.
    BlobLost,
    /// Some review tasks are reported written, and are not.
    TaskLost,
    /// A worker is ended as soon as its last heartbeat looks old.
    SilenceEndsAtOnce,
    /// A lane is never late: its photos are never taken back.
    LaneNeverLate,
    /// Workers that die at their start are started again at once.
    NoBackOff,
    /// A faulty engine works on its own picture.
    ProbeAlwaysPasses,
    /// An unavailable store says that it will never take what it was given.
    StoreTroubleIsFinal,
    /// A consumer whose work never ends goes on.
    StallIgnored,
    /// Requests are taken as if they named no other vehicle.
    PurposeIgnored,
    /// A stored inspection says that it was compared with every later request.
    ContentIgnored,
    /// A record that is written again is of another photo.
    PhotoReplaced,
    /// A message is finished only when the shadow has had its time.
    ShadowIsWaitedFor,
    /// Some decisions are reported stored, and are not. Found where people review.
    DecisionLost,
}

impl InjectedFault {
    /// Every one.
    pub const ALL: [Self; 18] = [
        Self::AckOnReceive,
        Self::UnconditionalWrite,
        Self::ReleaseIsSuccess,
        Self::ExpiryIsSuccess,
        Self::EventLost,
        Self::PublishedTooEarly,
        Self::BlobLost,
        Self::TaskLost,
        Self::SilenceEndsAtOnce,
        Self::LaneNeverLate,
        Self::NoBackOff,
        Self::ProbeAlwaysPasses,
        Self::StoreTroubleIsFinal,
        Self::StallIgnored,
        Self::PurposeIgnored,
        Self::ContentIgnored,
        Self::PhotoReplaced,
        Self::ShadowIsWaitedFor,
    ];
}
