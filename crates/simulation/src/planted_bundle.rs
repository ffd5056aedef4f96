//! What is planted as the canary of a world.

/// What is planted as the canary of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlantedBundle {
    /// It answers as the bundle before.
    Same,
    /// It finds no damage.
    AllClean,
    /// It finds damage everywhere.
    AllDamaged,
    /// Its networks fail on every photo.
    Failing,
    /// It ends the process that runs it.
    Crashing,
}

impl PlantedBundle {
    /// Whether it answers, and wrongly.
    pub(crate) const fn is_wrong(self) -> bool {
        matches!(self, Self::AllClean | Self::AllDamaged)
    }
}
