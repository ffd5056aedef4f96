//! ID tokens: who signed one, for whom, until when, and for which attempt.
//!
//! The rules are those of OpenID Connect Core 1.0, section 3.1.3.7, on a signed token in compact form (RFC 7515). What is not
//! understood is refused: another algorithm, a critical header, an encrypted token.

use crate::claims::Claims;
use crate::keys::{Algorithm, Keys};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use walkaround_domain::Timestamp;

/// Longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 64 << 10;
/// How far the provider's clock may be ahead of ours, or behind.
const SKEW_S: u64 = 60;

/// What a token must say.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) now: Timestamp,
}

/// What a token that was checked says.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) subject: String,
    pub(crate) claims: Claims,
}

#[derive(Debug, Clone, Deserialize)]
struct Checked {
    iss: String,
    sub: String,
    exp: u64,
    iat: Option<u64>,
    nbf: Option<u64>,
    nonce: Option<String>,
    aud: Value,
    azp: Option<String>,
    #[serde(flatten)]
    others: Claims,
}

/// Why a token is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Untrusted {
    /// None of these keys signed it: the provider may have others by now.
    UnknownKey,
    /// It never will be. One line, without the token.
    Never(String),
}

impl Untrusted {
    fn never(why: impl Into<String>) -> Self {
        Self::Never(why.into())
    }
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

/// Checks a token.
pub(crate) fn check(token: &str, keys: &Keys, expected: &Expected<'_>) -> Result<Token, Untrusted> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Untrusted::never("the ID token is too long"));
    }
    let malformed = || Untrusted::never("the ID token is malformed");
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else {
        return Err(malformed());
    };
    let said: Header = part(header).ok_or_else(malformed)?;
    if said.crit.is_some() {
        return Err(Untrusted::never(
            "the ID token needs something that is not known here",
        ));
    }
    let algorithm = Algorithm::parse(&said.alg).ok_or_else(|| {
        Untrusted::never("the ID token is unsigned, or not signed by a key of the provider's own")
    })?;
    let key = keys.find(said.kid.as_deref()).ok_or(Untrusted::UnknownKey)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed())?;
    let message = &token[..header.len() + 1 + payload.len()];
    if !key.signed(algorithm, message.as_bytes(), &signature) {
        return Err(Untrusted::never("the ID token is not signed by the provider"));
    }
    let claims: Checked = part(payload).ok_or_else(malformed)?;
    check_claims(&claims, expected)?;
    let Checked { sub, others, .. } = claims;
    Ok(Token {
        subject: sub,
        claims: others,
    })
}

/// A part of a token: JSON in base64.
fn part<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

fn check_claims(said: &Checked, expected: &Expected<'_>) -> Result<(), Untrusted> {
    if said.iss != expected.issuer {
        return Err(Untrusted::never("the ID token is of another issuer"));
    }
    let audience: Vec<&str> = match &said.aud {
        Value::String(one) => vec![one.as_str()],
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !audience.contains(&expected.client) {
        return Err(Untrusted::never("the ID token was made for another client"));
    }
    let now_s = expected.now.0 / 1000;
    if said.exp.saturating_add(SKEW_S) <= now_s {
        return Err(Untrusted::never("the ID token has expired"));
    }
    let ahead = now_s.saturating_add(SKEW_S);
    if said.nbf.is_some_and(|nbf| nbf > ahead) || said.iat.is_some_and(|iat| iat > ahead) {
        return Err(Untrusted::never(
            "the ID token is of the future: one of the clocks is wrong",
        ));
    }
    if said.nonce.as_deref() != Some(expected.nonce) {
        return Err(Untrusted::never("the ID token is of another attempt to sign in"));
    }
    // Made for others too: then it must have been asked for by us.
    let several = audience.len() > 1;
    let by_us = said.azp.as_deref() == Some(expected.client);
    if (several || said.azp.is_some()) && !by_us {
        return Err(Untrusted::never("the ID token was made for another client"));
    }
    if said.sub.is_empty() {
        return Err(Untrusted::never("the ID token names nobody"));
    }
    Ok(())
}
