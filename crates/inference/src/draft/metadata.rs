//! The metadata that Ultralytics writes into its exports.
//!
//! Keys: <https://docs.ultralytics.com/modes/export/>; `names` is the text of a Python dictionary.

use std::collections::BTreeMap;

/// What an Ultralytics export says of itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ultralytics {
    /// Names of the classes, by number.
    pub names: Vec<String>,
    /// `segment`, `detect`, `classify`, `pose`, `obb`; YOLOv5 does not say.
    pub task: Option<String>,
    /// Height and width of the input it was exported for, in pixels.
    pub size: Option<[u32; 2]>,
    /// The model in words.
    pub description: Option<String>,
    /// Licence of the weights, in words.
    pub license: Option<String>,
}

/// Reads the metadata of an export; none where it is not from Ultralytics.
///
/// # Errors
/// When it is, and the names of its classes cannot be read.
pub(super) fn ultralytics(metadata: &BTreeMap<String, String>) -> Result<Option<Ultralytics>, String> {
    let (Some(names), Some(_)) = (metadata.get("names"), metadata.get("stride")) else {
        return Ok(None);
    };
    let names = class_names(names).ok_or_else(|| {
        format!("the names of its classes cannot be read: `{names}`; name them with --classes")
    })?;
    let text = |key: &str| metadata.get(key).map(|value| value.trim().to_owned());
    Ok(Some(Ultralytics {
        names,
        task: text("task"),
        size: text("imgsz").and_then(|size| sizes(&size)),
        description: text("description"),
        license: text("license"),
    }))
}

/// `[height, width]`.
fn sizes(text: &str) -> Option<[u32; 2]> {
    let numbers = text.trim_start_matches('[').trim_end_matches(']').split(',');
    let numbers: Vec<u32> = numbers.map(|n| n.trim().parse().ok()).collect::<Option<_>>()?;
    numbers.try_into().ok()
}

/// Names from the text of a Python or JSON dictionary of numbers, or of a list: `{0: 'dent', 1: "driver's door"}`.
fn class_names(text: &str) -> Option<Vec<String>> {
    let text = text.trim();
    let (inner, numbered) = match text.as_bytes() {
        [b'{', .., b'}'] => (&text[1..text.len() - 1], true),
        [b'[', .., b']'] => (&text[1..text.len() - 1], false),
        _ => return None,
    };
    let mut names = Vec::new();
    let mut rest = inner.trim_start();
    while !rest.is_empty() {
        if numbered {
            let (number, after) = rest.split_once(':')?;
            let number: usize = number.trim().trim_matches(['\'', '"']).parse().ok()?;
            if number != names.len() {
                return None;
            }
            rest = after.trim_start();
        }
        let (name, after) = quoted(rest)?;
        names.push(name);
        rest = after.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(after) => after.trim_start(),
            None if rest.is_empty() => rest,
            None => return None,
        };
    }
    (!names.is_empty()).then_some(names)
}

/// A quoted text and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut out = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => out.push(characters.next()?.1),
            c if c == quote => return Some((out, &text[at + 1..])),
            c => out.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{class_names, sizes, ultralytics};
    use std::collections::BTreeMap;

    #[test]
    fn names_of_classes_as_exports_write_them() {
        for (text, expected) in [
            ("{0: 'scratch', 1: 'dent'}", Some(vec!["scratch", "dent"])),
            (
                r#"{0: "driver's door", 1: 'a, b: c'}"#,
                Some(vec!["driver's door", "a, b: c"]),
            ),
            (r#"{"0": "x", "1": "y"}"#, Some(vec!["x", "y"])),
            ("['car', 'van',]", Some(vec!["car", "van"])),
            (r"{0: 'it\'s'}", Some(vec!["it's"])),
            ("{1: 'x'}", None),
            ("{0: 'x' 1: 'y'}", None),
            ("{0: 'x", None),
            ("{}", None),
            ("scratch", None),
            ("", None),
        ] {
            let expected = expected.map(|names| names.iter().map(ToString::to_string).collect());
            assert_eq!(class_names(text), expected, "{text}");
        }
    }

    #[test]
    fn only_exports_of_ultralytics_are_taken_for_one() {
        let of = |pairs: &[(&str, &str)]| {
            let map: BTreeMap<String, String> = pairs
                .iter()
                .map(|(k, v)| (k.to_string(), v.to_string()))
                .collect();
            ultralytics(&map)
        };
        assert_eq!(of(&[("names", "{0: 'x'}")]), Ok(None));
        let found = of(&[("names", "{0: 'x'}"), ("stride", "32"), ("imgsz", "[640, 480]")]);
        assert_eq!(found.unwrap().unwrap().size, Some([640, 480]));
        let line = of(&[("names", "x"), ("stride", "32")]).unwrap_err();
        assert!(line.contains("--classes"), "{line}");
        assert_eq!(sizes("640"), None);
    }
}
