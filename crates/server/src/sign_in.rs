//! Sign-in: beyond loopback, who may use the console is the word of a provider of identities (OpenID Connect).
//!
//! The provider vouches for a [`Person`] and says which roles they have; a sealed cookie and a small item in the state
//! store remember it for a while ([`sessions`]). How the provider is spoken to is the [`IdentityProvider`]'s part.

mod cache;
mod cookies;
mod pages;
mod provider;
mod seal;
mod sessions;

pub(super) use cache::Session;
pub(super) use pages::{begin, callback, sign_out};
pub use provider::{Attempt, Identity, IdentityProvider, Person, ProviderError, Standing, error_word};
pub use seal::KEY_CHARS_MIN;

use crate::loopback::is_loopback_host;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::uri::Uri;
use cache::Sessions;
use seal::Sealer;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// The settings of signing in.
#[derive(Clone)]
pub struct SignInOptions {
    /// Where browsers reach the console: `https://console.example.com`, without a path.
    pub console: String,
    /// Seals cookies; the same on every instance, at least [`KEY_CHARS_MIN`] characters.
    pub key: String,
    /// Longest time from one sign-in to the next.
    pub session: Duration,
    /// Whoever sends this as a bearer token may read the metrics.
    pub metrics_token: Option<String>,
}

/// What is wrong with [`SignInOptions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignInOptionsError {
    /// The address of the console.
    #[error("expected https://HOST or https://HOST:PORT, without a path (http only for a loopback host)")]
    Console,
    /// The key.
    #[error("expected at least {KEY_CHARS_MIN} random characters, as `openssl rand -hex 32` prints them")]
    Key,
}

/// Sign-in by a provider.
pub struct SignIn {
    provider: Arc<dyn IdentityProvider>,
    sealer: Sealer,
    sessions: Sessions,
    options: SignInOptions,
    /// Host and port of the console, as a browser's `Host` header has them.
    authority: String,
}

impl SignIn {
    /// Sign-in by this provider.
    ///
    /// # Errors
    /// [`SignInOptionsError`].
    pub fn new(
        provider: Arc<dyn IdentityProvider>,
        options: SignInOptions,
    ) -> Result<Self, SignInOptionsError> {
        let authority = authority_of(&options.console).ok_or(SignInOptionsError::Console)?;
        let sealer = Sealer::new(&options.key).ok_or(SignInOptionsError::Key)?;
        Ok(Self {
            provider,
            sealer,
            sessions: Sessions::default(),
            options,
            authority,
        })
    }

    /// Whether browsers reach the console over TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.options.console.starts_with("https://")
    }

    /// Whether a `Host` header names the console.
    pub(super) fn is_host(&self, host: &str) -> bool {
        host.eq_ignore_ascii_case(&self.authority)
    }

    /// Whether an `Origin` header is that of the console's pages.
    pub(super) fn is_origin(&self, origin: &str) -> bool {
        origin.eq_ignore_ascii_case(&self.options.console)
    }

    /// Whether a request has the token of the metrics.
    pub(super) fn may_read_metrics(&self, headers: &HeaderMap) -> bool {
        let given = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        match (&self.options.metrics_token, given) {
            // By digests, so that the time says nothing about where they differ.
            (Some(token), Some(given)) => Sha256::digest(token) == Sha256::digest(given),
            _ => false,
        }
    }
}

/// Host and port of an origin; none for anything else than an origin that cookies are safe on.
fn authority_of(console: &str) -> Option<String> {
    let uri: Uri = console.parse().ok()?;
    let authority = uri.authority()?.as_str();
    let scheme = uri.scheme_str()?;
    let is_safe = scheme == "https" || (scheme == "http" && is_loopback_host(uri.host()?));
    // As a browser writes an origin: no path, no user, no port that the scheme implies.
    let whole = console.eq_ignore_ascii_case(&format!("{scheme}://{authority}"));
    let implied = matches!(
        (scheme, uri.port_u16()),
        ("https", Some(443)) | ("http", Some(80))
    );
    (is_safe && whole && !implied && !authority.contains('@')).then(|| authority.to_owned())
}

#[cfg(test)]
mod tests {
    use super::authority_of;

    #[test]
    fn the_console_has_an_origin_that_cookies_are_safe_on() {
        for (console, authority) in [
            ("https://console.example.com", "console.example.com"),
            ("https://console.example.com:8443", "console.example.com:8443"),
            ("http://127.0.0.1:8377", "127.0.0.1:8377"),
            ("http://[::1]:8377", "[::1]:8377"),
        ] {
            assert_eq!(authority_of(console).as_deref(), Some(authority));
        }
        for odd in [
            "",
            "console.example.com",
            "http://console.example.com",
            "https://console.example.com/",
            "https://console.example.com/console",
            "https://console.example.com:443",
            "https://me@console.example.com",
            "ftp://127.0.0.1",
        ] {
            assert_eq!(authority_of(odd), None, "{odd}");
        }
    }
}
