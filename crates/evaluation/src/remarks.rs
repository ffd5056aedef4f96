//! Annotations that were not read as they are written, and why. Their photos are scored all the same.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Most annotations named as examples of a remark.
const EXAMPLES_MAX: usize = 5;

/// What there is to say about an annotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remark {
    /// It is of an image that is not listed.
    NoSuchImage,
    /// It has a ring without area beside others.
    RingIgnored,
    /// Its id is that of another, too.
    IdTwice,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchImage => "of an image that is not listed: left out",
            Self::RingIgnored => "with a ring without area beside others: that ring is ignored",
            Self::IdTwice => "with the id of another: both are read",
        })
    }
}

/// Annotations with the same remark.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RemarkedAnnotations {
    /// What there is to say about them.
    pub remark: String,
    /// How many.
    pub annotations: usize,
    /// Some of them: file, annotation and image.
    pub examples: Vec<String>,
}

/// Annotations by remark.
#[derive(Debug, Clone, Default)]
pub struct Remarks(BTreeMap<Remark, RemarkedAnnotations>);

impl Remarks {
    /// Counts an annotation.
    pub fn add(&mut self, remark: Remark, example: String) {
        let remarked = self.0.entry(remark).or_insert_with(|| RemarkedAnnotations {
            remark: remark.to_string(),
            ..RemarkedAnnotations::default()
        });
        remarked.annotations += 1;
        if remarked.examples.len() < EXAMPLES_MAX {
            remarked.examples.push(example);
        }
    }

    /// Adds the remarks about another file.
    pub fn join(&mut self, other: Self) {
        for (remark, more) in other.0 {
            let remarked = self.0.entry(remark).or_insert_with(|| RemarkedAnnotations {
                remark: more.remark,
                ..RemarkedAnnotations::default()
            });
            remarked.annotations += more.annotations;
            let left = EXAMPLES_MAX - remarked.examples.len();
            remarked.examples.extend(more.examples.into_iter().take(left));
        }
    }

    /// All of them, in the order of [`Remark`].
    pub fn by_kind(&self) -> Vec<RemarkedAnnotations> {
        self.0.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_of_several_files_are_counted_together() {
        let of = |name: &str| {
            let mut remarks = Remarks::default();
            for at in 0..3 {
                remarks.add(Remark::IdTwice, format!("{name}{at}"));
            }
            remarks
        };
        let mut all = of("a");
        all.join(of("b"));
        let [ids] = &all.by_kind()[..] else {
            panic!("one kind: {all:?}");
        };
        assert_eq!(ids.annotations, 6);
        assert_eq!(ids.examples, ["a0", "a1", "a2", "b0", "b1"]);
    }
}
