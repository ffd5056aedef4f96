//! Which photos get an overlay: the photo with its findings drawn in.

use crate::Verdict;
use std::fmt;
use std::str::FromStr;

/// Which photos get an overlay. It never changes a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overlays {
    /// Photos with findings. Elsewhere there is nothing to see but the photo itself.
    #[default]
    Findings,
    /// Every photo that can be decoded.
    Always,
    /// None.
    Never,
}

impl Overlays {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Findings, Self::Always, Self::Never];

    /// As settings and arguments spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Findings => "findings",
            Self::Always => "always",
            Self::Never => "never",
        }
    }

    /// Whether a decoded photo of this verdict gets one. A photo is damaged exactly when it has findings.
    pub const fn wants(self, verdict: Verdict) -> bool {
        match self {
            Self::Findings => matches!(verdict, Verdict::Damaged),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

impl fmt::Display for Overlays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Overlays {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| "must be findings, always or never".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_read_as_it_is_written_and_wants_what_it_says() {
        for (one, damaged, others) in [
            (Overlays::Findings, true, false),
            (Overlays::Always, true, true),
            (Overlays::Never, false, false),
        ] {
            assert_eq!(one.to_string().parse(), Ok(one));
            assert_eq!(one.wants(Verdict::Damaged), damaged);
            assert_eq!(one.wants(Verdict::Clean), others);
            assert_eq!(one.wants(Verdict::Unusable), others);
        }
        let error = "true".parse::<Overlays>().unwrap_err();
        assert!(error.contains("findings, always or never"), "{error}");
    }
}
