//! Untrusted text in messages: one line, bounded, without what may be secret.

use url::Url;

/// Characters shown of a path, key or URL; enough to find the photo.
const SHOWN_CHARS_MAX: usize = 300;

/// Text on one line: control characters escaped, the end cut off.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars().take(SHOWN_CHARS_MAX) {
        // Line and paragraph separators, and marks that turn the writing direction, mislead a reader too.
        if c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        line.push('…');
    }
    line
}

/// A URL without user info, query and fragment: those may carry a signature.
pub(crate) fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    one_line(&format!("{}://{host}{port}{}", url.scheme(), url.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_on_one_line_and_bounded() {
        assert_eq!(one_line("a\nb\u{1b}[31m\u{202e}"), "a\\nb\\u{1b}[31m\\u{202e}");
        assert_eq!(one_line(&"x".repeat(300)), "x".repeat(300));
        assert_eq!(one_line(&"x".repeat(301)), format!("{}…", "x".repeat(300)));
    }

    #[test]
    fn a_url_is_shown_without_secrets() {
        let url = Url::parse("https://me:pass@h.example:8443/a/b.jpg?sig=1#frag").unwrap();
        assert_eq!(shown(&url), "https://h.example:8443/a/b.jpg");
    }
}
