//! Numbers, sizes and ids in the forms in which tools write them.

use serde_json::Value;
use std::fmt;

/// Beyond it not every whole number is a float.
const WHOLE_MAX: f64 = (1_u64 << 53) as f64;

/// An id: COCO uses numbers, some tools write text or 1.0.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Id {
    /// A whole number.
    Number(i64),
    /// Anything else.
    Text(String),
}

impl Id {
    /// None for what is neither a number nor text.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => {
                let float = number
                    .as_f64()
                    .filter(|it| it.fract() == 0.0 && it.abs() < WHOLE_MAX);
                let whole = number.as_i64().or(float.map(|it| it as i64));
                Some(whole.map_or_else(|| Self::Text(number.to_string()), Self::Number))
            }
            Value::String(text) => Some(Self::Text(text.clone())),
            _ => None,
        }
    }

    /// The same id in its other form: 1 and "1".
    pub(crate) fn other_form(&self) -> Option<Self> {
        match self {
            Self::Number(number) => Some(Self::Text(number.to_string())),
            Self::Text(text) => {
                let number: i64 = text.parse().ok()?;
                (number.to_string() == *text).then_some(Self::Number(number))
            }
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.escape_debug().fmt(f),
        }
    }
}

/// A finite number, as such or as text.
pub(crate) fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|it| it.is_finite())
}

/// A whole number from 0 on: 1600, 1600.0 or "1600".
pub(crate) fn whole(value: &Value) -> Option<u32> {
    let number = number(value)?;
    (number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number)).then_some(number as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ids_and_numbers_are_read_in_every_form() {
        for (value, id) in [
            (json!(7), Some(Id::Number(7))),
            (json!(7.0), Some(Id::Number(7))),
            (json!(-1), Some(Id::Number(-1))),
            (json!(7.5), Some(Id::Text("7.5".to_owned()))),
            (json!("a"), Some(Id::Text("a".to_owned()))),
            (json!(null), None),
            (json!([7]), None),
        ] {
            assert_eq!(Id::of(&value), id, "{value}");
        }
        for (value, expected) in [
            (json!(1600.0), Some(1600)),
            (json!("1600"), Some(1600)),
            (json!(0), Some(0)),
            (json!(-1600), None),
            (json!(1600.5), None),
            (json!(5e9), None),
            (json!("NaN"), None),
            (json!(null), None),
        ] {
            assert_eq!(whole(&value), expected, "{value}");
        }
    }

    #[test]
    fn only_the_text_of_a_number_is_that_number() {
        let text = |text: &str| Id::Text(text.to_owned()).other_form();
        assert_eq!(text("7"), Some(Id::Number(7)));
        assert_eq!(text("07"), None);
        assert_eq!(text("a"), None);
        assert_eq!(Id::Number(7).other_form(), Some(Id::Text("7".to_owned())));
    }
}
