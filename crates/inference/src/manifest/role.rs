//! What networks are for.

/// What a network is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Finds the vehicle.
    Locator,
    /// Is there any damage at all?
    Gate,
    /// Where exactly?
    Segmenter,
}

impl Role {
    /// As the manifest spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Locator => "locator",
            Self::Gate => "gate",
            Self::Segmenter => "segmenter",
        }
    }
}
