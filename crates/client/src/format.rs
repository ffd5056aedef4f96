//! Times and sizes in words, and back.

use std::path::Path;
use std::time::Duration;
use walkaround_bootstrap::Failure;
use walkaround_domain::Timestamp;
use walkaround_messages::{parse_rfc3339, rfc3339};

/// Units of a duration in seconds, largest first, with the letter that the command line takes.
const UNITS: [(u64, &str, char); 4] = [
    (86_400, "d", 'd'),
    (3600, "h", 'h'),
    (60, "min", 'm'),
    (1, "s", 's'),
];

/// The two largest units: `850 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`.
pub fn duration(d: Duration) -> String {
    let seconds = d.as_secs();
    if seconds == 0 {
        return format!("{} ms", d.as_millis());
    }
    let at = UNITS
        .iter()
        .position(|(unit, ..)| seconds >= *unit)
        .unwrap_or(UNITS.len() - 1);
    let (unit, name, _) = UNITS[at];
    let mut text = format!("{} {name}", seconds / unit);
    if let Some((smaller, name, _)) = UNITS.get(at + 1) {
        let rest = seconds % unit / smaller;
        if rest > 0 {
            text.push_str(&format!(" {rest} {name}"));
        }
    }
    text
}

/// Reads `90s`, `5m`, `2h` or `1d`.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let letter = text.chars().last()?;
    let (unit, ..) = UNITS.iter().find(|(.., l)| *l == letter)?;
    let count: u64 = text.strip_suffix(letter)?.trim_end().parse().ok()?;
    Some(Duration::from_secs(count.checked_mul(*unit)?))
}

/// Reads a moment: RFC 3339, or a duration from now.
///
/// # Errors
/// What was expected, as a clause.
pub fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Some(duration) = parse_duration(text) {
        return Ok(now + duration);
    }
    parse_rfc3339(text)
        .map_err(|_| "expected RFC 3339 such as 2026-11-22T17:04:05Z, or 90s, 5m, 2h, 1d from now".to_owned())
}

/// Reads a moment of the past: RFC 3339, or a duration before now.
///
/// # Errors
/// What was expected, as a clause.
pub fn past_moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Some(duration) = parse_duration(text) {
        return Ok(now - duration);
    }
    parse_rfc3339(text).map_err(|_| {
        "expected RFC 3339 such as 2026-11-22T17:04:05Z, or 90s, 5m, 2h, 1d before now".to_owned()
    })
}

/// The moment to the second: `2026-11-22 17:04:05`.
pub fn clock_time(at: Timestamp) -> String {
    let text = rfc3339(Timestamp(at.0 / 1000 * 1000));
    text.trim_end_matches('Z').replace('T', " ")
}

/// `412 MiB`.
pub fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

/// A count and its noun: `1 photo`, `2 photos`.
pub fn counted(n: usize, noun: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{n} {noun}{s}")
}

/// A usage failure that names a line of a file.
pub(crate) fn bad_line(file: &Path, line: u64, why: impl std::fmt::Display) -> Failure {
    Failure::usage(format!("{}, line {line}: {why}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_say_their_two_largest_units() {
        let cases = [
            (0, "0 ms"),
            (850, "850 ms"),
            (12_400, "12 s"),
            (60_000, "1 min"),
            (200_000, "3 min 20 s"),
            (7_500_000, "2 h 5 min"),
            (7_201_000, "2 h"),
            (273_600_000, "3 d 4 h"),
        ];
        for (ms, words) in cases {
            assert_eq!(duration(Duration::from_millis(ms)), words);
        }
    }

    #[test]
    fn durations_are_read_with_their_unit_only() {
        let read = |text| parse_duration(text).map(|d| d.as_secs());
        assert_eq!(read("90s"), Some(90));
        assert_eq!(read("5m"), Some(300));
        assert_eq!(read("2 h"), Some(7200));
        assert_eq!(read("1d"), Some(86_400));
        for wrong in [
            "",
            "s",
            "5",
            "-5s",
            "1.5h",
            "5 min",
            "99999999999999999999d",
            "300000000000000000d",
            "5ä",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn moments_are_rfc_3339_or_from_now() {
        let now = Timestamp(1_000_000);
        assert_eq!(moment("5m", now), Ok(Timestamp(1_300_000)));
        assert_eq!(moment("1970-01-01T00:00:07Z", now), Ok(Timestamp(7000)));
        assert_eq!(past_moment("5m", now), Ok(Timestamp(700_000)));
        assert!(past_moment("yesterday", now).is_err());
        assert!(moment("tomorrow", now).unwrap_err().contains("RFC 3339"));
        assert_eq!(clock_time(Timestamp(7001)), "1970-01-01 00:00:07");
    }
}
