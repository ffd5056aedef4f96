//! From the bytes of an annotation file to its parts.

use super::raw::Document;
use crate::fault::AnnotationFault;

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";
const UTF16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];
const ZIP_MARK: &[u8] = b"PK\x03\x04";

/// Words that Python's `json` writes for numbers, although JSON does not have them; the longer ones first.
const NOT_JSON: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];

/// Reads the parts of a file.
pub(crate) fn parse(mut bytes: Vec<u8>) -> Result<Document, AnnotationFault> {
    if bytes.starts_with(ZIP_MARK) {
        return Err(AnnotationFault::Zip);
    }
    if UTF16_MARKS.iter().any(|mark| bytes.starts_with(mark)) {
        return Err(AnnotationFault::Utf16);
    }
    let text = if bytes.starts_with(UTF8_MARK) {
        UTF8_MARK.len()
    } else {
        0
    };
    let text = &mut bytes[text..];
    match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => return Err(AnnotationFault::Empty),
        Some(b'{') => {}
        Some(_) => return Err(AnnotationFault::NoObject),
    }
    match serde_json::from_slice(text) {
        Err(error) if error.is_syntax() && quote_python_words(text) => {
            serde_json::from_slice(text).map_err(fault)
        }
        parsed => parsed.map_err(fault),
    }
}

fn fault(error: serde_json::Error) -> AnnotationFault {
    if error.is_data() {
        AnnotationFault::BadForm(error)
    } else {
        AnnotationFault::NotJson(error)
    }
}

/// Turns the words of [`NOT_JSON`] into text that is no number, so that only the entry with it is affected. Whether there
/// were any.
fn quote_python_words(text: &mut [u8]) -> bool {
    let (mut at, mut found) = (0, false);
    while at < text.len() {
        if text[at] == b'"' {
            at = after_string(text, at + 1);
            continue;
        }
        match NOT_JSON.iter().find(|word| text[at..].starts_with(word)) {
            Some(word) => {
                let end = at + word.len();
                text[at..end].fill(b'?');
                text[at] = b'"';
                text[end - 1] = b'"';
                found = true;
                at = end;
            }
            None => at += 1,
        }
    }
    found
}

/// The position after the quote that ends a string.
fn after_string(text: &[u8], mut at: usize) -> usize {
    while at < text.len() && text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

#[cfg(test)]
mod tests {
    use super::super::raw::Section;
    use super::*;

    #[test]
    fn what_is_no_annotation_file_is_refused_in_plain_words() {
        for (bytes, line) in [
            (&b""[..], "an empty file"),
            (b" \n", "an empty file"),
            (b"\xef\xbb\xbf", "an empty file"),
            (
                b"PK\x03\x04..",
                "a zip archive; unpack it and name the JSON file inside",
            ),
            (b"\xff\xfe{\0}\0", "UTF-16 text; save it as UTF-8"),
            (
                b"[]",
                "not a COCO annotation file: expected an object with the lists `images`, `annotations` and `categories`",
            ),
            (
                b"{\"images\": [], \"images\": []}",
                "not a COCO annotation file: duplicate field `images` at line 1 column 23",
            ),
            (
                b"{\"images\": [",
                "not JSON: EOF while parsing a list at line 1 column 12",
            ),
        ] {
            assert_eq!(parse(bytes.to_vec()).unwrap_err().to_string(), line);
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        let document = parse(b"\xef\xbb\xbf {\"images\": []}".to_vec()).unwrap();
        assert!(matches!(document.images, Section::List(images) if images.is_empty()));
        assert!(matches!(document.annotations, Section::Missing));
    }

    #[test]
    fn words_of_python_are_quoted_outside_of_text_only() {
        let mut text = br#"{"NaN \" NaN": [NaN, -Infinity, Infinity, 1]}"#.to_vec();
        assert!(quote_python_words(&mut text));
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text, r#"{"NaN \" NaN": ["?", "???????", "??????", 1]}"#);
        assert!(!quote_python_words(&mut br#"{"a": "NaN"}"#.to_vec()));
    }
}
