//! Cookies: which there are, and what a browser may do with them.
//!
//! Both are `HttpOnly`, and under https `Secure` with the prefix `__Host-`, so that no other host sets them. That of a session
//! goes only to requests of this site's own pages (`Strict`); that of an attempt also comes along when the provider sends
//! the browser back (`Lax`).

use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::header::COOKIE;
use std::time::Duration;

/// Cookies of one request that are looked at.
const COOKIES_MAX: usize = 100;

/// Longest cookie, with its name and all that is said of it: what every browser keeps (RFC 6265, section 6.1). Longer ones are
/// dropped without a word.
const COOKIE_BYTES_MAX: usize = 4096;

/// A cookie of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cookie {
    /// Whoever has it is signed in.
    Session,
    /// An attempt to sign in, until the provider's answer.
    Attempt,
}

impl Cookie {
    /// What its text is sealed for.
    pub(super) const fn purpose(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Attempt => "attempt",
        }
    }

    fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, true) => "__Host-walkaround-session",
            (Self::Session, false) => "walkaround-session",
            (Self::Attempt, true) => "__Host-walkaround-attempt",
            (Self::Attempt, false) => "walkaround-attempt",
        }
    }

    /// Its value in a request; none where it is missing, or there twice.
    pub(super) fn of(self, headers: &HeaderMap, secure: bool) -> Option<&str> {
        let name = self.name(secure);
        let lines = headers.get_all(COOKIE).into_iter();
        let lines = lines.filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).take(COOKIES_MAX);
        let mut values = pairs
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(found, _)| *found == name)
            .map(|(_, value)| value);
        let value = values.next()?;
        values.next().is_none().then_some(value)
    }

    /// The header that sets it, for so long; none where no browser would keep it. Sealed texts have no character that a cookie
    /// may not have.
    pub(super) fn set(self, value: &str, lasts: Duration, secure: bool) -> Option<HeaderValue> {
        let name = self.name(secure);
        let seconds = lasts.as_secs();
        let same_site = match self {
            Self::Session => "Strict",
            Self::Attempt => "Lax",
        };
        let secure = if secure { "; Secure" } else { "" };
        let text =
            format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}");
        (text.len() <= COOKIE_BYTES_MAX)
            .then_some(text)
            .and_then(|text| HeaderValue::try_from(text).ok())
    }

    /// The header that removes it.
    pub(super) fn remove(self, secure: bool) -> Option<HeaderValue> {
        self.set("", Duration::ZERO, secure)
    }
}

#[cfg(test)]
mod tests {
    use super::{COOKIE_BYTES_MAX, Cookie};
    use axum::http::HeaderMap;
    use axum::http::header::COOKIE;
    use std::time::Duration;

    #[test]
    fn a_cookie_is_found_among_others_and_never_guessed() {
        let cases = [
            ("walkaround-session=abc", Some("abc")),
            ("a=b; walkaround-session=abc; c=d", Some("abc")),
            ("walkaround-session=abc; walkaround-session=def", None),
            ("walkaround-sessions=abc", None),
            ("__Host-walkaround-session=abc", None),
            ("", None),
        ];
        for (line, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, line.parse().unwrap());
            assert_eq!(Cookie::Session.of(&headers, false), expected, "{line}");
        }
    }

    #[test]
    fn a_browser_keeps_it_to_itself() {
        let set = Cookie::Session.set("abc", Duration::from_secs(60), true).unwrap();
        assert_eq!(
            set.to_str().unwrap(),
            "__Host-walkaround-session=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure"
        );
        let set = Cookie::Attempt
            .set("abc", Duration::from_secs(60), false)
            .unwrap();
        assert!(set.to_str().unwrap().ends_with("HttpOnly; SameSite=Lax"));
    }

    #[test]
    fn no_cookie_is_longer_than_a_browser_keeps() {
        let set = |value: &str| Cookie::Attempt.set(value, Duration::from_secs(600), true);
        let around = set("").unwrap().len();
        let longest = "x".repeat(COOKIE_BYTES_MAX - around);
        assert_eq!(set(&longest).unwrap().len(), COOKIE_BYTES_MAX);
        assert!(set(&format!("{longest}x")).is_none());
    }
}
