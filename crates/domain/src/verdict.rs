//! What Walkaround says about one photo, and why.

use std::fmt;

/// The outcome of looking at a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Looked at, no damage found.
    Clean,
    /// At least one finding.
    Damaged,
    /// Cannot be judged; the reasons say why.
    Unusable,
}

impl Verdict {
    /// Every verdict, in the order reports list them.
    pub const ALL: [Self; 3] = [Self::Damaged, Self::Clean, Self::Unusable];

    /// The verdict that a document names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.as_str() == word)
    }

    /// The word used in documents, tables and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Damaged => "damaged",
            Self::Unusable => "unusable",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a photo is unusable, as a stable code for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReasonCode {
    /// Too little fine detail: out of focus or shaken.
    Blurred,
    /// Mean brightness too low.
    TooDark,
    /// Mean brightness too high.
    TooBright,
    /// Too many pixels at the very ends of the range.
    Clipped,
    /// The locator found no vehicle.
    NoVehicle,
    /// The file claims a supported format and cannot be decoded.
    Unreadable,
    /// The file ends before the picture does.
    CutShort,
    /// Not a picture format that is read here.
    UnsupportedFormat,
    /// More bytes or pixels than the limits allow.
    TooLarge,
    /// Too few pixels to judge.
    TooSmall,
    /// Far too wide or too tall.
    OddAspect,
}

impl ReasonCode {
    /// Every code.
    pub const ALL: [Self; 11] = [
        Self::Blurred,
        Self::TooDark,
        Self::TooBright,
        Self::Clipped,
        Self::NoVehicle,
        Self::Unreadable,
        Self::CutShort,
        Self::UnsupportedFormat,
        Self::TooLarge,
        Self::TooSmall,
        Self::OddAspect,
    ];

    /// The code that a document names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.as_str() == word)
    }

    /// The word used in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blurred => "blurred",
            Self::TooDark => "too_dark",
            Self::TooBright => "too_bright",
            Self::Clipped => "clipped",
            Self::NoVehicle => "no_vehicle",
            Self::Unreadable => "unreadable",
            Self::CutShort => "cut_short",
            Self::UnsupportedFormat => "unsupported_format",
            Self::TooLarge => "too_large",
            Self::TooSmall => "too_small",
            Self::OddAspect => "odd_aspect",
        }
    }
}

/// One reason with its figures in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// For machines.
    pub code: ReasonCode,
    /// For people: one line, what was measured and what the limit is.
    pub detail: String,
}

impl Reason {
    /// A reason from its code and one line of detail.
    pub fn new(code: ReasonCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}
