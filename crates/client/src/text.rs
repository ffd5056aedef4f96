//! Text files as editors and Excel write them: UTF-8 with or without a mark, UTF-16, UTF-32, Windows-1252; lines that end
//! with LF, CR LF or CR.

use std::borrow::Cow;

/// What Windows-1252 has in place of the C1 control characters 0x80 to 0x9F; `\0` where it has nothing.
/// <https://www.unicode.org/Public/MAPPINGS/VENDORS/MICSFT/WINDOWS/CP1252.TXT>
const WINDOWS_1252: [char; 32] = [
    '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘', '’', '“',
    '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
];
/// The byte-order mark.
const MARK: char = '\u{feff}';

/// A text with lines that end with `\n`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub text: String,
    /// Lines that were no UTF-8 and were read as Windows-1252; the first one's number.
    pub guessed: Option<usize>,
}

impl Text {
    /// The lines that are not empty, trimmed, without quotes around them (as Windows copies paths).
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.numbered().map(|(_, line)| line)
    }

    /// The same with their numbers.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (u64, &str)> {
        let lines = (1..).zip(self.text.lines());
        lines
            .map(|(number, line)| (number, unquoted(line.trim_matches(is_blank))))
            .filter(|(_, line)| !line.is_empty())
    }
}

/// White space, and marks that nobody sees.
pub(crate) fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, MARK | '\u{200b}' | '\u{1a}' | '\0')
}

fn unquoted(line: &str) -> &str {
    let inner = line.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.filter(|inner| !inner.contains('"')).map_or(line, str::trim)
}

/// Reads a text.
///
/// # Errors
/// A clause that says what the file is instead.
pub(crate) fn decode(bytes: &[u8]) -> Result<Text, String> {
    let (text, guessed) = characters(bytes)?;
    let text = text.trim_start_matches(MARK).trim_end_matches(['\0', '\u{1a}']);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    if let Some((number, _)) = (1..).zip(text.split('\n')).find(|(_, line)| line.contains('\0')) {
        return Err(format!("line {number} holds a NUL character: not a text file"));
    }
    Ok(Text { text, guessed })
}

fn characters(bytes: &[u8]) -> Result<(Cow<'_, str>, Option<usize>), String> {
    const KNOWN: [(&[u8], &str); 5] = [
        (
            b"PK\x03\x04",
            "an Excel or LibreOffice workbook, or another ZIP archive; save it as CSV UTF-8",
        ),
        (b"\xd0\xcf\x11\xe0", "an old Excel workbook; save it as CSV UTF-8"),
        (b"\x1f\x8b", "compressed with gzip; unpack it first"),
        (b"%PDF", "a PDF document"),
        (b"{\\rtf", "an RTF document; save it as plain text"),
    ];
    if let Some((_, what)) = KNOWN.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err((*what).to_owned());
    }
    // UTF-32 first: in little-endian order its mark begins as that of UTF-16 does.
    let text = match bytes {
        [0xff, 0xfe, 0, 0, rest @ ..] => utf_32(rest, u32::from_le_bytes)?,
        [0, 0, 0xfe, 0xff, rest @ ..] => utf_32(rest, u32::from_be_bytes)?,
        [0xff, 0xfe, rest @ ..] => utf_16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => utf_16(rest, u16::from_be_bytes)?,
        // Without a mark: a list begins with letters, of which UTF-16 has one half empty.
        [a, 0, b, 0, ..] if *a != 0 && *b != 0 => utf_16(bytes, u16::from_le_bytes)?,
        [0, a, 0, b, ..] if *a != 0 && *b != 0 => utf_16(bytes, u16::from_be_bytes)?,
        _ => return utf_8_or_1252(bytes),
    };
    Ok((Cow::Owned(text), None))
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    let text: Result<String, _> = char::decode_utf16(units).collect();
    match text {
        Ok(text) if rest.is_empty() => Ok(text),
        _ => Err("damaged UTF-16; save it as UTF-8".to_owned()),
    }
}

fn utf_32(bytes: &[u8], unit: fn([u8; 4]) -> u32) -> Result<String, String> {
    let (quads, rest) = bytes.as_chunks::<4>();
    let text: Option<String> = quads.iter().map(|quad| char::from_u32(unit(*quad))).collect();
    text.filter(|_| rest.is_empty())
        .ok_or_else(|| "damaged UTF-32; save it as UTF-8".to_owned())
}

/// UTF-8; a line that is none is read as Windows-1252, which Excel writes for plain "CSV".
fn utf_8_or_1252(bytes: &[u8]) -> Result<(Cow<'_, str>, Option<usize>), String> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok((Cow::Borrowed(text), None));
    }
    let mut text = String::with_capacity(bytes.len());
    let mut guessed = None;
    let lines = bytes.split_inclusive(|b| matches!(b, b'\n' | b'\r'));
    let mut number = 1;
    for line in lines {
        match std::str::from_utf8(line) {
            Ok(line) => text.push_str(line),
            Err(_) => {
                guessed.get_or_insert(number);
                for byte in line {
                    text.push(windows_1252(*byte).ok_or_else(|| {
                        format!("line {number} is neither UTF-8 nor Windows-1252; save the file as UTF-8")
                    })?);
                }
            }
        }
        // `\r\n` is cut in two: its second half is no line.
        number += usize::from(line != b"\n" || !text.ends_with("\r\n"));
    }
    Ok((Cow::Owned(text), guessed))
}

fn windows_1252(byte: u8) -> Option<char> {
    match byte {
        0x80..=0x9f => Some(WINDOWS_1252[usize::from(byte - 0x80)]).filter(|c| *c != '\0'),
        0 => None,
        _ => Some(char::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> String {
        decode(bytes).unwrap().text
    }

    fn units(text: &str, big: bool) -> Vec<u8> {
        let bytes = |unit: u16| {
            if big {
                unit.to_be_bytes()
            } else {
                unit.to_le_bytes()
            }
        };
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn every_encoding_that_editors_write_is_read() {
        let text = "photo\nKotflügel 😀.jpg\n";
        assert_eq!(read(text.as_bytes()), text);
        assert_eq!(read(format!("\u{feff}\u{feff}{text}").as_bytes()), text);
        for mark in ["\u{feff}", ""] {
            for big in [false, true] {
                assert_eq!(read(&units(&format!("{mark}{text}"), big)), text);
            }
        }
        let wide = |bytes: fn(u32) -> [u8; 4]| -> Vec<u8> {
            let marked = format!("\u{feff}{text}");
            marked.chars().flat_map(|c| bytes(u32::from(c))).collect()
        };
        assert_eq!(read(&wide(u32::to_le_bytes)), text);
        assert_eq!(read(&wide(u32::to_be_bytes)), text);
        assert_eq!(read(b"a\rb\r\nc\nd\x1a"), "a\nb\nc\nd");
    }

    #[test]
    fn windows_1252_is_read_line_by_line_and_said() {
        let read = decode(b"photo\r\nT\xfcr \x80.jpg\r\nT\xc3\xbcr.jpg\r\n").unwrap();
        assert_eq!(read.text, "photo\nTür €.jpg\nTür.jpg\n");
        assert_eq!(read.guessed, Some(2));
        assert_eq!(decode(b"a\rb\r\xfc\r").unwrap().guessed, Some(3));
        let error = decode(b"photo\r\n\r\n\x81\x8d.jpg").unwrap_err();
        assert!(error.starts_with("line 3 is neither UTF-8"), "{error}");
    }

    #[test]
    fn what_is_no_text_is_named() {
        for (bytes, words) in [
            (&b"PK\x03\x04\x14\0"[..], "workbook"),
            (b"\xd0\xcf\x11\xe0\xa1", "old Excel"),
            (b"\xff\xfe\x00", "damaged UTF-16"),
            (b"\xff\xfea\0\x00\xd8", "damaged UTF-16"),
            (b"photo\na\0b\n", "line 2 holds a NUL"),
        ] {
            let error = decode(bytes).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn lines_lose_what_is_around_them() {
        let text = decode(b"\xef\xbb\xbf\n \"C:\\a b.jpg\" \r\n\xef\xbb\xbfb\"c\".jpg\n\n").unwrap();
        let lines: Vec<_> = text.numbered().collect();
        assert_eq!(lines, [(2, "C:\\a b.jpg"), (3, "b\"c\".jpg")]);
    }
}
