//! When to try again: exponential, jittered delay.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A source of chance, seeded by the binary: nothing below it draws random numbers by itself.
#[derive(Debug)]
pub struct Dice(Mutex<fastrand::Rng>);

impl Dice {
    /// Dice that always fall the same way for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    /// A number from 0 up to, not including, 1.
    pub fn share(&self) -> f64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).f64()
    }
}

/// Bounds of retrying one message.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// Deliveries after which trouble counts as permanent.
    pub attempts_max: u32,
    /// Delay after the first failed delivery, before jitter.
    pub delay_first: Duration,
    /// Longest delay, before jitter.
    pub delay_max: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts_max: 6,
            delay_first: Duration::from_secs(5),
            delay_max: Duration::from_secs(600),
        }
    }
}

impl RetryPolicy {
    /// Delay before the next delivery, after `attempt` deliveries (1 the first time): doubles each time and
    /// is spread over half to one and a half of it, so that what failed together does not return together.
    pub fn delay(&self, attempt: u32, dice: &Dice) -> Duration {
        let doublings = attempt.saturating_sub(1).min(20);
        let full = self
            .delay_first
            .saturating_mul(1 << doublings)
            .min(self.delay_max);
        full.mul_f64(0.5 + dice.share())
    }

    /// Whether this delivery is the last that trouble is forgiven for.
    pub fn exhausted(&self, attempt: u32) -> bool {
        attempt >= self.attempts_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_within_their_jitter_and_end() {
        let (policy, dice) = (RetryPolicy::default(), Dice::seeded(7));
        for attempt in 1..40 {
            let full = (5.0 * f64::from(1u32 << (attempt - 1).min(20))).min(600.0);
            let delay = policy.delay(attempt, &dice).as_secs_f64();
            assert!(
                delay >= full * 0.5 && delay < full * 1.5,
                "attempt {attempt}: {delay}"
            );
        }
        assert!(!policy.exhausted(5) && policy.exhausted(6));
    }
}
