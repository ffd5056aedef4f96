//! ID tokens: who signed one, for whom, until when, and for which attempt.
//!
//! The rules are those of OpenID Connect Core 1.0, section 3.1.3.7. jsonwebtoken checks signature, issuer and audience; time is
//! checked here, by the clock of the caller.

use crate::claims::Claims;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;
use walkaround_domain::Timestamp;

/// Signatures of keys that only the provider has. None without a signature, and none by a secret that is shared.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];
/// Longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 64 << 10;
/// Keys of a provider that are looked at.
const KEYS_MAX: usize = 100;
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

/// A provider's keys. One of a kind that is not known here is left out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys(Vec<Jwk>);

impl Keys {
    /// The keys of a JSON Web Key Set.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, String> {
        let document: Value = serde_json::from_slice(body).map_err(|_| "its keys are not JSON".to_owned())?;
        let keys = document["keys"].as_array().ok_or("it has no list of keys")?;
        let keys = keys.iter().take(KEYS_MAX);
        Ok(Self(
            keys.filter_map(|key| serde_json::from_value(key.clone()).ok()).collect(),
        ))
    }

    /// The key that a token names; without a name, the only one.
    fn find(&self, id: Option<&str>) -> Option<&Jwk> {
        match (id, self.0.as_slice()) {
            (Some(id), keys) => keys.iter().find(|key| key.common.key_id.as_deref() == Some(id)),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }
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

/// Checks a token.
pub(crate) fn check(token: &str, keys: &Keys, expected: &Expected<'_>) -> Result<Token, Untrusted> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Untrusted::never("the ID token is too long"));
    }
    // `none`, and whatever is not known, is no algorithm to jsonwebtoken.
    let header = decode_header(token)
        .map_err(|_| Untrusted::never("the ID token is unsigned, or signed in a way that is not known"))?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(Untrusted::never("the ID token is not signed by a key of the provider's own"));
    }
    let key = keys.find(header.kid.as_deref()).ok_or(Untrusted::UnknownKey)?;
    let key = DecodingKey::from_jwk(key).map_err(|_| Untrusted::never("the provider's key cannot be used"))?;
    let mut rules = Validation::new(header.alg);
    rules.set_issuer(&[expected.issuer]);
    rules.set_audience(&[expected.client]);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    rules.validate_exp = false;
    let decoded = decode::<Checked>(token, &key, &rules);
    let said = decoded.map_err(|error| Untrusted::never(format!("the ID token is refused: {error}")))?;
    check_claims(&said.claims, expected)?;
    let Checked { sub, others, .. } = said.claims;
    Ok(Token {
        subject: sub,
        claims: others,
    })
}

fn check_claims(said: &Checked, expected: &Expected<'_>) -> Result<(), Untrusted> {
    let now_s = expected.now.0 / 1000;
    if said.exp.saturating_add(SKEW_S) <= now_s {
        return Err(Untrusted::never("the ID token has expired"));
    }
    let ahead = now_s.saturating_add(SKEW_S);
    if said.nbf.is_some_and(|nbf| nbf > ahead) || said.iat.is_some_and(|iat| iat > ahead) {
        return Err(Untrusted::never("the ID token is of the future: one of the clocks is wrong"));
    }
    if said.nonce.as_deref() != Some(expected.nonce) {
        return Err(Untrusted::never("the ID token is of another attempt to sign in"));
    }
    // Made for others too: then it must have been asked for by us.
    let several = said.aud.as_array().is_some_and(|all| all.len() > 1);
    let by_us = said.azp.as_deref() == Some(expected.client);
    if (several || said.azp.is_some()) && !by_us {
        return Err(Untrusted::never("the ID token was made for another client"));
    }
    if said.sub.is_empty() {
        return Err(Untrusted::never("the ID token names nobody"));
    }
    Ok(())
}
