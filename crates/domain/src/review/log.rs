//! The reviews of one inspection, in order.

use super::{REVISIONS_MAX, Review};
use std::fmt;

/// The reviews of one inspection; revision `n` is at place `n - 1`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReviewLog(Vec<Review>);

/// A review that cannot be appended: another revision is the last. Whoever decided sees it and decides again.
#[derive(Debug, Clone, PartialEq)]
pub struct ReviewConflict {
    /// The last revision; none when there is no review.
    pub last: Option<Box<Review>>,
}

impl fmt::Display for ReviewConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.last {
            None => f.write_str("there is no review yet, expected revision 1"),
            Some(last) => write!(
                f,
                "revision {} is the last, by {}: read it and decide again",
                last.revision, last.by
            ),
        }
    }
}

impl std::error::Error for ReviewConflict {}

impl ReviewLog {
    /// Appends a review if its revision is the next one.
    ///
    /// # Errors
    /// [`ReviewConflict`] with the last review; nothing was appended.
    pub fn append(&mut self, review: Review) -> Result<(), ReviewConflict> {
        let last = self.last_revision();
        if review.revision != last.saturating_add(1) || review.revision > REVISIONS_MAX {
            return Err(ReviewConflict {
                last: self.0.last().cloned().map(Box::new),
            });
        }
        self.0.push(review);
        Ok(())
    }

    /// The number of the last revision; 0 when there is none.
    pub fn last_revision(&self) -> u32 {
        self.0.last().map_or(0, |review| review.revision)
    }

    /// All of them, the first one first.
    pub fn reviews(&self) -> &[Review] {
        &self.0
    }
}
