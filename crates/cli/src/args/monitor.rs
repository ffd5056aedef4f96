//! The command line of `walkaround monitor`.

use super::client::WhichStackArgs;
use clap::{Args as ClapArgs, ValueEnum};
use std::time::Duration;

/// Longest time back: windows are kept no longer.
const SINCE_DAYS_MAX: u64 = 40;

/// How the monitor is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shown {
    /// A table for people
    Table,
    /// A page with charts, which works from disk
    Html,
    /// One JSON document
    Json,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct MonitorArgs {
    /// How far back: hours or days, as 24h or 14d, at most 40d
    #[arg(long, value_name = "TIME", default_value = "14d", value_parser = since)]
    pub since: Duration,
    /// First read what was finished until now, as the hourly pass does
    #[arg(long)]
    pub now: bool,
    /// Exit with 1 when something has drifted
    #[arg(long)]
    pub fail_on_drift: bool,
    /// What to print
    #[arg(long, value_enum, default_value_t = Shown::Table)]
    pub format: Shown,
    #[command(flatten)]
    pub stack: WhichStackArgs,
}

fn since(text: &str) -> Result<Duration, String> {
    let wrong = || format!("expected hours or days, as 24h or 14d, at most {SINCE_DAYS_MAX}d");
    let hours_of = |unit| match unit {
        'h' => Some(1),
        'd' => Some(24),
        _ => None,
    };
    let unit = text.chars().last().ok_or_else(wrong)?;
    let hours = hours_of(unit).ok_or_else(wrong)?;
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    let hours = number
        .checked_mul(hours)
        .filter(|h| (1..=SINCE_DAYS_MAX * 24).contains(h));
    hours
        .map(|hours| Duration::from_secs(hours * 3600))
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::since;

    #[test]
    fn a_time_back_is_hours_or_days() {
        let hours = |text| since(text).map(|time| time.as_secs() / 3600).ok();
        assert_eq!(
            [hours("24h"), hours("14d"), hours("40d")],
            [Some(24), Some(336), Some(960)]
        );
        for wrong in [
            "",
            "h",
            "0h",
            "41d",
            "5",
            "5m",
            "-1d",
            "1.5d",
            "99999999999999999999d",
            "5é",
        ] {
            assert_eq!(hours(wrong), None, "{wrong}");
        }
    }
}
