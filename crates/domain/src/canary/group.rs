//! The groups of a comparison.

/// The part of a photo in the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CanaryGroup {
    /// The canary answers for it.
    Canary,
    /// The bundle before answers for it, and what it says is compared with what the canary says of its own.
    Control,
}
