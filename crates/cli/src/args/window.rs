//! The options that name a stretch of time.

use super::client::day;
use clap::Args as ClapArgs;
use walkaround_client::format::past_moment;
use walkaround_domain::Timestamp;
use walkaround_messages::parse_rfc3339;
use walkaround_pipeline::past::{PAST_DAYS_MAX, Window};

const DAY_MS: u64 = 86_400_000;
/// How far back, where nobody says.
const SINCE: &str = "7d";

/// Photos of a stretch of time.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct WindowArgs {
    /// Photos accepted from then on: a day (UTC, 2026-11-22), RFC 3339, or a time ago (90s, 5m, 12h, 7d) [default: 7d]
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Photos accepted before then; a day is part of it [default: now]
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,
}

impl WindowArgs {
    /// The moments, as things stand now.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub(crate) fn window(&self, now: Timestamp) -> Result<Window, String> {
        let since = moment(self.since_words(), now, Edge::Start).map_err(|why| format!("--since: {why}"))?;
        let until = match &self.until {
            Some(text) => moment(text, now, Edge::End).map_err(|why| format!("--until: {why}"))?,
            // What is accepted in this very millisecond is of the past.
            None => Timestamp(now.0 + 1),
        };
        if until <= since {
            return Err("--until: expected a moment after --since".to_owned());
        }
        if (until.0 - since.0) / DAY_MS >= PAST_DAYS_MAX {
            return Err(format!(
                "--since: at most {PAST_DAYS_MAX} days before --until are read"
            ));
        }
        Ok(Window { since, until })
    }

    /// What was typed after `--since`, or stands for it.
    pub(crate) fn since_words(&self) -> &str {
        self.since.as_deref().unwrap_or(SINCE)
    }
}

/// Which edge of a day is meant.
#[derive(Clone, Copy)]
enum Edge {
    Start,
    End,
}

fn moment(text: &str, now: Timestamp, edge: Edge) -> Result<Timestamp, String> {
    if let Ok(day) = day(text) {
        let midnight = parse_rfc3339(&format!("{day}T00:00:00Z")).map_err(|e| e.to_string())?;
        return Ok(match edge {
            Edge::Start => midnight,
            Edge::End => Timestamp(midnight.0 + DAY_MS),
        });
    }
    past_moment(text, now)
        .map_err(|_| "expected a day such as 2026-11-22, RFC 3339, or 90s, 5m, 2h, 1d before now".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp(1_764_331_200_000);

    fn window(since: &str, until: Option<&str>) -> Result<Window, String> {
        let args = WindowArgs {
            since: Some(since.to_owned()),
            until: until.map(str::to_owned),
        };
        args.window(NOON)
    }

    #[test]
    fn a_day_is_whole_and_a_time_is_ago() {
        let days = window("2025-11-27", Some("2025-11-27")).unwrap();
        assert_eq!(days.until.0 - days.since.0, DAY_MS);
        let hours = window("12h", None).unwrap();
        assert_eq!((hours.since.0, hours.until.0), (NOON.0 - DAY_MS / 2, NOON.0 + 1));
        assert_eq!(
            window("2025-11-27T12:00:00Z", None).unwrap().since.0,
            NOON.0 - DAY_MS
        );
        assert!(
            window("yesterday", None)
                .unwrap_err()
                .starts_with("--since: expected")
        );
        assert!(window("1h", Some("2h")).unwrap_err().contains("after --since"));
        assert!(window("1900-01-01", None).is_err());
        let long = window("1970-01-01", None).unwrap_err();
        assert!(long.contains("3660 days"), "{long}");
    }

    #[test]
    fn a_week_is_what_is_left_open() {
        let open = WindowArgs {
            since: None,
            until: None,
        };
        assert_eq!(open.window(NOON).unwrap().since.0, NOON.0 - 7 * DAY_MS);
    }
}
