//! Variables that are named like settings and are none: a misspelt name would be ignored, and the default be used.

use crate::list::SETTINGS;
use std::ffi::OsString;
use std::fmt;

/// Changes of one letter between a misspelt name and the setting that is meant, at most.
const CHANGES_MAX: usize = 4;
/// Characters of a name that are compared and shown, at most.
const NAME_CHARS_MAX: usize = 80;
/// Unknown variables that are named, at most.
const UNKNOWN_MAX: usize = 20;

/// Names that begin like a setting's and are none: what logs, processes of a stack, scripts, tests and benches read. Nobody is
/// warned of them.
pub const OTHER_NAMES: &[&str] = &[
    // The log filter of every program, and a worker's name, which `up` gives it.
    "WALKAROUND_LOG",
    "WALKAROUND_WORKER",
    // Who reviews, for `walkaround review`.
    "WALKAROUND_REVIEWER",
    // Scripts.
    "WALKAROUND_INVOKE_PROFILE",
    "WALKAROUND_SMOKE_POLL_S",
    "WALKAROUND_SMOKE_S",
    "WALKAROUND_STACK_POLL_S",
    // Tests and benches.
    "WALKAROUND_ALL_PHOTOS",
    "WALKAROUND_BENCH_DRAIN_ONLY",
    "WALKAROUND_BENCH_PHOTOS",
    "WALKAROUND_BIN",
    "WALKAROUND_EMULATOR_VICTIM",
    "WALKAROUND_LAB",
    "WALKAROUND_PHOTOS",
    "WALKAROUND_RAPIDOCR",
    "WALKAROUND_TEST_PROXIED",
    "WALKAROUND_TEST_ROOT",
];

/// A variable of the environment that is named like a setting and is none. Its value is not kept: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownSetting {
    /// Its name.
    pub name: String,
    /// The setting whose name is nearest, where one is near.
    pub nearest: Option<&'static str>,
}

impl fmt::Display for UnknownSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no setting and is ignored; ", self.name.escape_debug())?;
        match self.nearest {
            Some(nearest) => write!(f, "did you mean {nearest}?"),
            None => f.write_str("docs/settings.md lists the settings"),
        }
    }
}

/// Unknown variables of this process's environment, in order.
pub fn unknown_settings() -> Vec<UnknownSetting> {
    unknown_among(std::env::vars_os().map(|(name, _)| name))
}

/// Those of these variables that are named like settings, whatever the case, and that no program of this project reads.
pub fn unknown_among(names: impl Iterator<Item = OsString>) -> Vec<UnknownSetting> {
    let mut unknown: Vec<UnknownSetting> = names.filter_map(|name| judge(&name.to_string_lossy())).collect();
    unknown.sort_by(|a, b| a.name.cmp(&b.name));
    unknown.truncate(UNKNOWN_MAX);
    unknown
}

fn judge(name: &str) -> Option<UnknownSetting> {
    let is_known = |known: &str| known == name;
    if SETTINGS.iter().any(|setting| is_known(setting.name))
        || OTHER_NAMES.iter().any(|other| is_known(other))
    {
        return None;
    }
    let upper: String = name
        .chars()
        .take(NAME_CHARS_MAX)
        .collect::<String>()
        .to_uppercase();
    // The name of the project itself may be misspelt; anything farther off is somebody else's.
    if !upper.starts_with("WALK") || !upper.contains('_') {
        return None;
    }
    let near = SETTINGS
        .iter()
        .map(|setting| (changes(&upper, setting.name), setting.name))
        .min();
    let nearest = near
        .filter(|(changes, _)| *changes <= CHANGES_MAX)
        .map(|(_, name)| name);
    (nearest.is_some() || upper.starts_with(crate::PREFIX)).then(|| UnknownSetting {
        name: name.chars().take(NAME_CHARS_MAX).collect(),
        nearest,
    })
}

/// Letters to insert, remove or replace to make one name of the other (Levenshtein 1966), by rows.
fn changes(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_found_with_the_setting_that_is_meant() {
        for (name, nearest) in [
            ("WALKAROUND_ATEMPTS", Some("WALKAROUND_ATTEMPTS")),
            ("WALKAROUND_WORKER_MAX", Some("WALKAROUND_WORKERS_MAX")),
            ("WALKAROUND_DROPFOLDER", Some("WALKAROUND_DROP_FOLDER")),
            ("walkaround_root", Some("WALKAROUND_ROOT")),
            ("WALKROUND_LISTEN", Some("WALKAROUND_LISTEN")),
            ("WALKAROUND_SOMETHING_ELSE_ALTOGETHER", None),
        ] {
            let found = unknown_among(std::iter::once(OsString::from(name)));
            let expected = UnknownSetting {
                name: name.to_owned(),
                nearest,
            };
            assert_eq!(found, [expected]);
            let words = found[0].to_string();
            assert!(words.starts_with(name) && !words.contains('\n'), "{words}");
        }
    }

    #[test]
    fn names_that_are_known_or_somebody_elses_are_left_alone() {
        let known = SETTINGS
            .iter()
            .map(|setting| setting.name)
            .chain(OTHER_NAMES.iter().copied());
        let others = ["PATH", "WALKMAN", "WALKING_SPEED", "AWS_REGION"];
        let found = unknown_among(known.chain(others).map(OsString::from));
        assert_eq!(found, []);
    }
}
