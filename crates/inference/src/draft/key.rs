//! The parts of a manifest that is being drafted.

use crate::manifest::Role;
use toml::Value;

/// 1/255: samples from 0 to 1.
pub(super) const TO_ONE: f64 = 1.0 / 255.0;
/// Mean of ImageNet's colours, red first, which most networks subtract.
const MEAN: [f64; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of ImageNet's colours.
const DEVIATION: [f64; 3] = [0.229, 0.224, 0.225];

/// One line of a table: a key, its value, and why the value is a guess where it is one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub name: String,
    pub value: Value,
    pub assumed: Option<String>,
}

impl Key {
    /// What the file says or the family fixes.
    pub(super) fn known(name: &str, value: impl Into<Value>) -> Self {
        Self {
            name: name.to_owned(),
            value: value.into(),
            assumed: None,
        }
    }

    /// A guess, and what to compare it with.
    pub(super) fn assumed(name: &str, value: impl Into<Value>, why: impl Into<String>) -> Self {
        Self {
            assumed: Some(why.into()),
            ..Self::known(name, value)
        }
    }

    /// Known where there is no reason to doubt it.
    pub(super) fn maybe(name: &str, value: impl Into<Value>, why: Option<String>) -> Self {
        Self {
            assumed: why,
            ..Self::known(name, value)
        }
    }
}

/// A value of the draft that neither the graph nor its family fixes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assumption {
    /// Line in the manifest, from 1.
    pub line: usize,
    /// Key.
    pub key: String,
    /// The value that was chosen.
    pub value: String,
    /// What it rests on, and what to compare it with.
    pub why: String,
}

/// One `[[networks]]` table, but for the file.
#[derive(Debug)]
pub(super) struct NetworkDraft {
    /// What it was recognised as, in words.
    pub family: String,
    pub role: Role,
    /// How pixels become samples: the keys of `[networks.input]` after the tensor and its size.
    pub pixels: Vec<Key>,
    /// `[networks.output]`.
    pub output: Vec<Key>,
    /// `[networks.output.rows]`: tensor and its columns.
    pub rows: Vec<Key>,
    /// `[networks.output.masks]`; empty for none.
    pub masks: Vec<Key>,
    /// Classes that it finds, in its order; empty where it is not wanted. Of segmenters only.
    pub classes: Vec<String>,
    /// How masks of its classes are made.
    pub masking: Masking,
}

/// What decides where a mask is, from the weakest need to the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Masking {
    /// There are none, only boxes.
    None,
    /// Cut where the family cuts them, or by the best class of each place: the grid has to be fine to agree with it.
    Outlines,
    /// Probabilities are cut at a threshold that somebody has to choose.
    Cut,
}

impl NetworkDraft {
    pub(super) fn new(family: impl Into<String>, role: Role) -> Self {
        Self {
            family: family.into(),
            role,
            pixels: Vec::new(),
            output: Vec::new(),
            rows: Vec::new(),
            masks: Vec::new(),
            classes: Vec::new(),
            masking: Masking::Cut,
        }
    }
}

/// Samples from 0 to 1, and nothing subtracted.
pub(super) fn to_one(why: Option<&str>) -> Vec<Key> {
    vec![Key::maybe("scale", TO_ONE, why.map(str::to_owned))]
}

/// Samples from 0 to 1, normalised by ImageNet's mean and deviation.
pub(super) fn imagenet(why: &str) -> Vec<Key> {
    let list = |values: [f64; 3]| Value::Array(values.map(Value::Float).to_vec());
    vec![
        Key::assumed("scale", TO_ONE, why),
        Key::assumed("mean", list(MEAN), why),
        Key::assumed("std", list(DEVIATION), why),
    ]
}

pub(super) fn strings<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> Value {
    let words = words.into_iter();
    Value::Array(
        words
            .map(|word| Value::String(word.as_ref().to_owned()))
            .collect(),
    )
}

pub(super) fn numbers(values: impl IntoIterator<Item = usize>) -> Value {
    let values = values.into_iter();
    Value::Array(values.map(|v| Value::Integer(v as i64)).collect())
}
