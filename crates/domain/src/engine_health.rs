//! Whether an engine is faulty, as far as its runs show.
//!
//! A network that fails on a photo says nothing about who is at fault. So the engine is asked again with a picture of
//! its own, a known-good one: if that passes, the photo is at fault; if not, the engine is.

/// Failures of the engine one after the other, whatever the photos, after which the process should end: another
/// process, perhaps on another machine, may do better. One may be a hiccup of the driver.
pub const ENGINE_FAILURES_MAX: u32 = 3;

/// What is known of the engines of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EngineHealth {
    failures: u32,
}

impl EngineHealth {
    /// A network ran, on a photo or on the engine's own picture.
    pub const fn succeeded(&mut self) {
        // Once faulty, always faulty: the process is about to end, and a single success must not call it off.
        if !self.is_sick() {
            self.failures = 0;
        }
    }

    /// A network failed on the engine's own picture.
    pub const fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// Whether the process should end.
    pub const fn is_sick(&self) -> bool {
        self.failures >= ENGINE_FAILURES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_failures_make_an_engine_unhealthy_for_good() {
        let mut health = EngineHealth::default();
        for _ in 0..10 {
            health.failed();
            health.failed();
            assert!(!health.is_sick());
            health.succeeded();
        }
        for _ in 0..ENGINE_FAILURES_MAX {
            assert!(!health.is_sick());
            health.failed();
        }
        assert!(health.is_sick());
        health.succeeded();
        assert!(health.is_sick());
    }
}
