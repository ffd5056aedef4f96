//! The provider of identities, as the server sees it.

use crate::access::Role;
use async_trait::async_trait;
use std::time::Duration;
use walkaround_domain::Timestamp;

/// One attempt to sign in. All three are random and used once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Ties the provider's answer to this browser.
    pub state: String,
    /// Ties the token to this attempt.
    pub nonce: String,
    /// The secret of PKCE: only its digest is in the address.
    pub verifier: String,
}

/// Who somebody is, in the provider's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Never given to anybody else by this provider.
    pub subject: String,
    /// Written beside each decision: an e-mail address, or else the subject.
    pub name: String,
    /// What they may do; none where no claim gives them a role.
    pub role: Option<Role>,
}

/// A person whom the provider has vouched for.
#[derive(Clone)]
pub struct Identity {
    /// Who.
    pub person: Person,
    /// With it the provider is asked again whether they still are. A secret.
    pub token: String,
    /// For how long that token is good, where the provider says so.
    pub token_lasts: Option<Duration>,
    /// Whether it names their roles when it is asked again: then roles that it does not name any more are lost.
    pub names_roles: bool,
}

/// What the provider says when it is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They have this role now; none where they have lost every one.
    Role(Option<Role>),
    /// They are still signed in there; it does not say which roles they have.
    SignedIn,
    /// It no longer vouches for them.
    Ended,
}

/// Why the provider is no help.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// It did not vouch for anybody, or what it sent is not what was asked for. One line, without tokens.
    #[error("{0}")]
    Refused(String),
    /// It does not answer: try again later.
    #[error("{0}")]
    Unavailable(String),
}

/// Longest word of a provider's that is in a log.
const WORD_CHARS_MAX: usize = 64;

/// A provider's word for an error (RFC 6749, section 4.1.2.1), as a log may have it: short, and printable ASCII without
/// spaces.
pub fn error_word(said: &str) -> String {
    said.chars()
        .filter(char::is_ascii_graphic)
        .take(WORD_CHARS_MAX)
        .collect()
}

/// A provider of identities (OpenID Connect).
#[async_trait]
pub trait IdentityProvider: Send + Sync {
    /// Its name for itself, in its answers too.
    fn issuer(&self) -> &str;

    /// Where a browser signs in.
    async fn begin(&self, attempt: &Attempt) -> Result<String, ProviderError>;

    /// Who came back with this code. A code serves once.
    async fn redeem(&self, code: &str, attempt: &Attempt, now: Timestamp) -> Result<Identity, ProviderError>;

    /// Whether whoever had this token and subject still is who they were; `named_roles`, whether it has named their roles
    /// when it was asked before.
    ///
    /// # Errors
    /// Any error says nothing of them: their session goes on, for a while.
    async fn standing(
        &self,
        token: &str,
        subject: &str,
        named_roles: bool,
    ) -> Result<Standing, ProviderError>;
}

#[cfg(test)]
mod tests {
    use super::error_word;

    #[test]
    fn a_word_from_outside_is_short_and_printable() {
        assert_eq!(error_word("access_denied"), "access_denied");
        assert_eq!(error_word("a\r\nb \u{1b}[31m\u{202e}c"), "ab[31mc");
        assert_eq!(error_word(&"x".repeat(100)).len(), 64);
    }
}
