//! Retry: exponential, jittered delays and their bounds.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
#[cfg(test)]
use walkaround_domain::ATTEMPTS_MAX;

/// Random numbers for jitter, seeded by the binary: nothing else below it is random.
#[derive(Debug)]
pub struct Jitter(Mutex<fastrand::Rng>);

impl Jitter {
    /// Jitter that is the same for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    /// A number from 0 up to, not including, 1.
    pub fn share(&self) -> f64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).f64()
    }
}

/// Longest delay of any message: SQS hides one for at most 12 hours after its delivery. An hour less, for the time
/// that the delivery itself took.
pub const DELAY_MAX: Duration = Duration::from_secs(11 * 3600);

/// Growth factor of the delay for a photo's host: from seconds to hours within a few attempts.
const HOST_GROWTH: u32 = 6;

/// Bounds of retrying one message.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// Attempts at a photo after which its failure is permanent; at most [`ATTEMPTS_MAX`](walkaround_domain::ATTEMPTS_MAX).
    pub attempts_max: u32,
    /// Delay after the first failure, before jitter.
    pub delay_first: Duration,
    /// Longest delay for failures of this system (store, engine), before jitter.
    pub delay_max: Duration,
    /// Longest delay for failures of a photo's host, before jitter: people have to fix those.
    pub host_delay_max: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts_max: 6,
            delay_first: Duration::from_secs(5),
            delay_max: Duration::from_secs(600),
            host_delay_max: Duration::from_secs(3 * 3600),
        }
    }
}

impl RetryPolicy {
    /// Delay after the `failures`-th failure (1 the first time): doubles each time and is spread over half to one and
    /// a half of it, so that what failed together does not return together.
    pub fn delay(&self, failures: u32, jitter: &Jitter) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        let full = self.delay_first.saturating_mul(1 << doublings);
        spread(full.min(self.delay_max), jitter)
    }

    /// Delay after the `failures`-th time that a photo's host failed: by default half a minute, three, eighteen, then
    /// hours, so that six attempts take about five hours.
    pub fn host_delay(&self, failures: u32, jitter: &Jitter) -> Duration {
        let steps = failures.clamp(1, 12);
        let full = self.delay_first.saturating_mul(HOST_GROWTH.saturating_pow(steps));
        spread(full.min(self.host_delay_max), jitter)
    }

    /// Whether this attempt is the last.
    pub fn exhausted(&self, attempts: u32) -> bool {
        attempts >= self.attempts_max
    }
}

fn spread(full: Duration, jitter: &Jitter) -> Duration {
    full.mul_f64(0.5 + jitter.share()).min(DELAY_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_within_their_jitter_and_end() {
        let (policy, jitter) = (RetryPolicy::default(), Jitter::seeded(7));
        for attempt in 1..40 {
            let full = (5.0 * f64::from(1u32 << (attempt - 1).min(20))).min(600.0);
            let delay = policy.delay(attempt, &jitter).as_secs_f64();
            assert!(
                delay >= full * 0.5 && delay < full * 1.5,
                "attempt {attempt}: {delay}"
            );
        }
        assert!(!policy.exhausted(5) && policy.exhausted(6));
    }

    /// How long a queue keeps a message (`MessageRetentionPeriod` of infra/storage.yaml).
    const KEPT: Duration = Duration::from_secs(4 * 24 * 3600);
    /// SQS hides a message for at most this long after its delivery.
    const HIDDEN_MAX: Duration = Duration::from_secs(12 * 3600);

    #[test]
    fn retries_of_a_host_are_spread_over_hours_and_end_before_the_message_expires() {
        let (policy, jitter) = (RetryPolicy::default(), Jitter::seeded(7));
        let total =
            |attempts: u32| -> Duration { (1..attempts).map(|n| policy.host_delay(n, &jitter)).sum() };
        assert!(
            policy.host_delay(1, &jitter) < Duration::from_secs(60),
            "the first delay is short"
        );
        assert!(total(policy.attempts_max) > Duration::from_secs(2 * 3600));
        for _ in 0..200 {
            assert!(total(ATTEMPTS_MAX) < KEPT);
        }
    }

    #[test]
    fn no_delay_is_longer_than_a_queue_can_hide_a_message() {
        let policy = RetryPolicy {
            delay_first: Duration::from_secs(3600),
            delay_max: Duration::MAX,
            host_delay_max: Duration::from_secs(12 * 3600),
            ..RetryPolicy::default()
        };
        let jitter = Jitter::seeded(7);
        for failures in 0..50 {
            assert!(
                policy.delay(failures, &jitter) <= DELAY_MAX
                    && policy.host_delay(failures, &jitter) <= DELAY_MAX
            );
        }
        assert!(DELAY_MAX < HIDDEN_MAX);
    }
}
