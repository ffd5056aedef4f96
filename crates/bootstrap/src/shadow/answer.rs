//! What the shadow's process answers, a line each.

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is ready for photos.
    Ready,
    /// The report is stored, and the verdict is the one that stands.
    Agrees,
    /// The report is stored, and the verdict is another one.
    Disagrees,
    /// There was nothing to compare with.
    Skipped,
    /// The photo could not be fetched, or a store did not answer.
    Failed(String),
    /// The bundle failed.
    BundleFailed(String),
}

impl Answer {
    /// As a line, without its end.
    pub fn line(&self) -> String {
        // A reason is one line, whatever it quotes.
        let plain = |why: &str| why.replace(['\n', '\r'], " ");
        match self {
            Self::Ready => "ready".to_owned(),
            Self::Agrees => "agrees".to_owned(),
            Self::Disagrees => "disagrees".to_owned(),
            Self::Skipped => "skipped".to_owned(),
            Self::Failed(why) => format!("failed: {}", plain(why)),
            Self::BundleFailed(why) => format!("bundle failed: {}", plain(why)),
        }
    }

    /// The answer of a line; none of any other line.
    pub fn parse(line: &str) -> Option<Self> {
        let answer = match line {
            "ready" => Self::Ready,
            "agrees" => Self::Agrees,
            "disagrees" => Self::Disagrees,
            "skipped" => Self::Skipped,
            _ => {
                let failed = line
                    .strip_prefix("failed: ")
                    .map(|why| Self::Failed(why.to_owned()));
                let bundle = line.strip_prefix("bundle failed: ");
                return failed.or_else(|| bundle.map(|why| Self::BundleFailed(why.to_owned())));
            }
        };
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let why = || "no memory".to_owned();
        for answer in [
            Answer::Ready,
            Answer::Agrees,
            Answer::Disagrees,
            Answer::Skipped,
            Answer::Failed(why()),
            Answer::BundleFailed(why()),
        ] {
            assert_eq!(Answer::parse(&answer.line()), Some(answer));
        }
        assert_eq!(Answer::parse("Segmentation fault"), None);
        assert_eq!(Answer::Failed("a\nb".to_owned()).line(), "failed: a b");
    }
}
