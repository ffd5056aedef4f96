//! What an inspector runs on: the engines of one bundle, and threads for CPU work.

use walkaround_inference::Engine;

/// Where CPU work runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compute {
    /// On blocking threads, at most this many at once.
    Pool(usize),
    /// On the calling task.
    Inline,
}

/// Engines of one bundle, at least one.
pub struct EngineSet {
    pub(super) first: Box<dyn Engine>,
    pub(super) others: Vec<Box<dyn Engine>>,
}

impl EngineSet {
    /// One engine.
    pub fn of(first: Box<dyn Engine>) -> Self {
        Self {
            first,
            others: Vec::new(),
        }
    }

    /// Adds an engine of the same bundle.
    pub fn push(&mut self, engine: Box<dyn Engine>) {
        self.others.push(engine);
    }

    pub(super) fn len(&self) -> usize {
        1 + self.others.len()
    }
}
