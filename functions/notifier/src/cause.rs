//! What people are notified of: a [`Cause`], and what an event says of one.
//!
//! Texts are made of names, numbers and AWS's own reasons, cut short and without the queries of URLs; the body of a message
//! never gets into one.

/// Longest text of one part, in characters: five times that, fully escaped, still fits Slack's 3,000.
const TEXT_CHARS_MAX: usize = 580;
/// Longest key and title.
pub(crate) const NAME_CHARS_MAX: usize = 120;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// Photos wait, or fail.
    Fault,
    /// Nothing is broken yet.
    Warning,
    /// It is over.
    Resolved,
}

/// Something that people should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    /// Names what it is about: sent once in a window.
    pub(crate) key: String,
    /// In a few words.
    pub(crate) title: String,
    /// What happened.
    pub(crate) what: String,
    /// Where to look.
    pub(crate) link: String,
    /// What to try first.
    pub(crate) first_step: String,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// Whether its end is an event of its own.
    pub(crate) ends: bool,
}

/// What one record of an event means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notification {
    /// Send it.
    Raise(Cause),
    /// `of` is over: send this if the beginning was sent.
    Resolve {
        /// Key of the cause.
        of: String,
        /// What to send.
        cause: Cause,
    },
    /// Not for people, and why.
    Ignore(&'static str),
}

impl Cause {
    /// Cuts every text to what may be shown.
    pub(crate) fn tidy(self) -> Self {
        Self {
            key: cut(&self.key, NAME_CHARS_MAX * 2),
            title: cut(&self.title, NAME_CHARS_MAX),
            what: cut(&self.what, TEXT_CHARS_MAX),
            link: self.link,
            first_step: cut(&self.first_step, TEXT_CHARS_MAX),
            severity: self.severity,
            ends: self.ends,
        }
    }
}

impl Notification {
    /// Cuts every text to what may be shown.
    pub(crate) fn tidy(self) -> Self {
        match self {
            Self::Raise(cause) => Self::Raise(cause.tidy()),
            Self::Resolve { of, cause } => Self::Resolve {
                of: cut(&of, NAME_CHARS_MAX * 2),
                cause: cause.tidy(),
            },
            Self::Ignore(why) => Self::Ignore(why),
        }
    }
}

/// A text on one line, without the queries of URLs (they may be signed), cut to `max` characters.
fn cut(text: &str, max: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().map(without_query).collect();
    let line = words.join(" ");
    if line.chars().count() <= max {
        return line;
    }
    line.chars().take(max - 1).chain(['…']).collect()
}

fn without_query(word: &str) -> &str {
    match word
        .find("://")
        .and_then(|scheme| word[scheme..].find('?').map(|query| scheme + query))
    {
        Some(query) => &word[..query],
        None => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_short_single_lines_without_queries() {
        assert_eq!(cut("a\n b\tc ", 10), "a b c");
        assert_eq!(
            cut("photo https://photos.example/1.jpg?sig=abc gone", 99),
            "photo https://photos.example/1.jpg gone"
        );
        let long = cut(&"ü".repeat(1000), 20);
        assert_eq!(long.chars().count(), 20);
        assert!(long.ends_with("ü…"), "{long}");
    }
}
