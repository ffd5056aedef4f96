//! Reading one value: from its variable or its documented default, within bounds.

use crate::list::SETTINGS;
use std::borrow::Cow;
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// A bad setting. The value is not repeated: it may be a secret.
#[derive(Debug, thiserror::Error)]
#[error("{name} {problem}")]
pub struct SettingsError {
    name: Cow<'static, str>,
    problem: String,
}

impl SettingsError {
    pub(crate) fn new(name: impl Into<Cow<'static, str>>, problem: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            problem: problem.into(),
        }
    }
}

type Read<T> = Result<T, SettingsError>;

pub(crate) struct Reader<'a> {
    pub(crate) lookup: &'a dyn Fn(&str) -> Option<String>,
}

impl Reader<'_> {
    /// The given value, else the default; an empty one counts as none.
    pub(crate) fn text(&self, name: &'static str) -> Read<Option<String>> {
        let default = SETTINGS
            .iter()
            .find(|d| d.name == name)
            .map(|d| d.default.to_owned());
        let value = (self.lookup)(name).or(default);
        Ok(value.map(|v| v.trim().to_owned()).filter(|v| !v.is_empty()))
    }

    pub(crate) fn path(&self, name: &'static str) -> Read<Option<PathBuf>> {
        Ok(self.text(name)?.map(PathBuf::from))
    }

    pub(crate) fn list(&self, name: &'static str, separator: char) -> Read<Vec<String>> {
        let text = self.text(name)?.unwrap_or_default();
        Ok(text
            .split(separator)
            .map(str::trim)
            .filter(|p| !p.is_empty())
            .map(str::to_owned)
            .collect())
    }

    pub(crate) fn one_of<T: Copy>(&self, name: &'static str, allowed: &[(&str, T)]) -> Read<T> {
        let text = self.text(name)?.unwrap_or_default();
        let found = allowed.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<&str> = allowed.iter().map(|(word, _)| *word).collect();
            SettingsError::new(name, format!("is not one of {}", words.join(", ")))
        })
    }

    pub(crate) fn yes_no(&self, name: &'static str) -> Read<bool> {
        match self.text(name)?.as_deref() {
            Some("true" | "1" | "yes" | "on") => Ok(true),
            Some("false" | "0" | "no" | "off") => Ok(false),
            _ => Err(SettingsError::new(name, "must be true or false")),
        }
    }

    /// One of a few words, which the type itself reads.
    pub(crate) fn word<T: FromStr<Err = String>>(&self, name: &'static str) -> Read<T> {
        let text = self.text(name)?.unwrap_or_default();
        text.parse()
            .map_err(|error: String| SettingsError::new(name, error))
    }

    pub(crate) fn number<T: FromStr + PartialOrd + Display + Copy>(
        &self,
        name: &'static str,
        min: T,
        max: T,
    ) -> Read<T> {
        let text = self.text(name)?.unwrap_or_default();
        let value: T = text
            .parse()
            .map_err(|_| SettingsError::new(name, format!("is not a whole number from {min} to {max}")))?;
        if value < min || value > max {
            return Err(SettingsError::new(name, format!("is outside {min} to {max}")));
        }
        Ok(value)
    }

    pub(crate) fn real(&self, name: &'static str, min: f64, max: f64) -> Read<f64> {
        let text = self.text(name)?.unwrap_or_default();
        match text.parse::<f64>() {
            // Written so that "not a number" fails.
            Ok(value) if value >= min && value <= max => Ok(value),
            _ => Err(SettingsError::new(
                name,
                format!("is not a number from {min} to {max}"),
            )),
        }
    }

    pub(crate) fn seconds(&self, name: &'static str, min: f64, max: f64) -> Read<Duration> {
        Ok(Duration::from_secs_f64(self.real(name, min, max)?))
    }
}
