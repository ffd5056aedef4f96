//! How much of a Lambda invocation's time is left.

use std::time::Duration;
use walkaround_domain::Timestamp;

/// Lambda gives an invocation 15 minutes at most: a smaller number of milliseconds is no moment after 1970.
const NO_MOMENT_MS: u64 = 24 * 3600 * 1000;

/// Time until the deadline of an invocation, as the runtime API's header gave it: milliseconds since 1970.
///
/// `cargo lambda` (1.9) puts a duration there, `600000`. Taken as a moment it would be long over, and nothing would ever
/// be begun; so a number that can be no moment is the time left.
pub fn time_left(deadline_ms: u64, now: Timestamp) -> Duration {
    if deadline_ms < NO_MOMENT_MS {
        return Duration::from_millis(deadline_ms);
    }
    Timestamp(deadline_ms).since(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_a_moment_or_as_cargo_lambda_has_it_a_duration() {
        let now = Timestamp(1_795_363_446_000);
        let left = |deadline| time_left(deadline, now);
        assert_eq!(left(now.0 + 1500), Duration::from_millis(1500));
        assert_eq!(left(now.0 - 1), Duration::ZERO);
        assert_eq!(left(600_000), Duration::from_secs(600));
        assert_eq!(left(0), Duration::ZERO);
    }
}
