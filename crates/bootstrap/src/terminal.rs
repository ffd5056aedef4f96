//! Text for terminals and logs: what a stranger wrote is shown, never obeyed.
//!
//! Every line that a program prints or logs passes [`printable`]; documents pass [`printable_json`], which keeps them
//! readable as JSON.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Whether a terminal might obey this character instead of showing it, or a reader be misled by it: control characters
/// (C0, DEL, C1), line and paragraph separators, and marks that change the direction of what follows
/// (<https://trojansource.codes>).
const fn acts_on_a_terminal(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}')
}

fn escaped<'a>(text: &'a str, escape: fn(char, &mut String)) -> Cow<'a, str> {
    if !text.contains(acts_on_a_terminal) {
        return Cow::Borrowed(text);
    }
    let mut all = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts_on_a_terminal(c) {
            escape(c, &mut all);
        } else {
            all.push(c);
        }
    }
    Cow::Owned(all)
}

/// The text with each such character as its escape, `\u{1b}` or `\n`: one line, whatever it holds.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, |c, all| all.extend(c.escape_default()))
}

/// The same for a JSON document of one line: escapes as JSON writes them, so that it reads as the same document.
pub fn printable_json(text: &str) -> Cow<'_, str> {
    // Writing to a String cannot fail; all of these are in the basic plane, so one escape each.
    escaped(text, |c, all| {
        let _ = write!(all, "\\u{:04x}", u32::from(c));
    })
}

/// A path as a printable text.
pub fn printable_path(path: &std::path::Path) -> String {
    printable(&path.display().to_string()).into_owned()
}

/// A writer of text of many lines: line ends stay, everything else that a terminal might obey is escaped.
pub struct Text<W>(pub W);

impl<W: Write> Write for Text<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let text_shown = String::from_utf8_lossy(text);
        let lines: Vec<_> = text_shown.split('\n').map(printable).collect();
        self.0.write_all(lines.join("\n").as_bytes())?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A writer of log lines. Each call of `write` is one event, as the formatter hands it over: only its last line end
/// stays one.
pub(crate) struct LogLines<W> {
    to: W,
    /// Whether colours (escape sequences of the formatter's own) are kept; the formatter escapes those of others.
    coloured: bool,
}

impl<W> LogLines<W> {
    pub(crate) const fn new(to: W, coloured: bool) -> Self {
        Self { to, coloured }
    }
}

impl<W: Write> Write for LogLines<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let (line, end) = match text.strip_suffix('\n') {
            Some(line) => (line, "\n"),
            None => (&*text, ""),
        };
        let line = if self.coloured {
            line.split('\u{1b}')
                .map(printable)
                .collect::<Vec<_>>()
                .join("\u{1b}")
        } else {
            printable(line).into_owned()
        };
        self.to.write_all((line + end).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let cases = [
            ("plain text, ü, 車, \u{1f697}", "plain text, ü, 車, \u{1f697}"),
            ("A\u{1b}[31mB", "A\\u{1b}[31mB"),
            ("two\nlines\r", "two\\nlines\\r"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}"),
            ("gpj.\u{202e}exe", "gpj.\\u{202e}exe"),
        ];
        for (text, shown) in cases {
            assert_eq!(printable(text), shown);
        }
        let all: String = (0..=0x30_00).filter_map(char::from_u32).collect();
        assert!(!printable(&all).contains(char::is_control));
    }

    #[test]
    fn a_document_stays_the_same_document() {
        let document = "{\"vehicle\":\"A\u{7f}\u{9b}\u{202e}ü\"}";
        let shown = "{\"vehicle\":\"A\\u007f\\u009b\\u202eü\"}";
        assert_eq!(printable_json(document), shown);
        assert_eq!(printable_json(shown), shown);
    }

    #[test]
    fn an_event_of_the_log_is_one_line() {
        let mut out = Vec::new();
        let event = b"INFO taken file=/drop/a\nERROR forged\x1b[2J.jpg\n";
        LogLines::new(&mut out, false).write_all(event).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "INFO taken file=/drop/a\\nERROR forged\\u{1b}[2J.jpg\n"
        );
    }
}
