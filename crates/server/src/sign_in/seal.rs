//! Sealed texts: encrypted and authenticated, readable by the instances of one deployment only.
//!
//! AES-256-GCM by ring, under a key derived from the deployment's own, with a random nonce of 96 bits each: at most 2³²
//! texts under one key, by NIST SP 800-38D, section 8.3. What a text is for is authenticated with it, so that one kind is
//! never taken for another.

use base64::Engine as _;
use base64::encoded_len;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::rand::{SecureRandom, SystemRandom};
use std::sync::Arc;

/// Fewest characters of the deployment's key.
pub const KEY_CHARS_MIN: usize = 32;
/// Longest sealed text, in characters: of one that is made, and of one that is opened.
const SEALED_CHARS_MAX: usize = 16 << 10;

/// Why nothing is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealError {
    /// The system.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// It could not be opened again. A provider's token, most likely: nothing else has a length of others' choosing.
    #[error("a text of {0} bytes is too long to be sealed: is the provider's access token that long?")]
    TooLong(usize),
}

/// Seals and opens texts.
#[derive(Clone)]
pub(crate) struct Sealer {
    key: Arc<LessSafeKey>,
    random: SystemRandom,
}

impl Sealer {
    /// One under this key; none for a key that is too short.
    pub(crate) fn new(key: &str) -> Option<Self> {
        if key.chars().count() < KEY_CHARS_MIN {
            return None;
        }
        let derived = Salt::new(HKDF_SHA256, b"walkaround console 1").extract(key.as_bytes());
        let derived = derived.expand(&[b"seal"], &AES_256_GCM).ok()?;
        Some(Self {
            key: Arc::new(LessSafeKey::new(UnboundKey::from(derived))),
            random: SystemRandom::new(),
        })
    }

    /// A text as only [`Sealer::open`] for the same purpose reads it.
    pub(crate) fn seal(&self, purpose: &str, text: &str) -> Result<String, SealError> {
        let sealed = encoded_len(NONCE_LEN + text.len() + AES_256_GCM.tag_len(), false);
        if sealed.is_none_or(|chars| chars > SEALED_CHARS_MAX) {
            return Err(SealError::TooLong(text.len()));
        }
        let mut nonce = [0; NONCE_LEN];
        self.fill(&mut nonce)?;
        let mut bytes = text.as_bytes().to_vec();
        let unique = Nonce::assume_unique_for_key(nonce);
        let about = Aad::from(purpose.as_bytes());
        self.key
            .seal_in_place_append_tag(unique, about, &mut bytes)
            .map_err(|_| SealError::TooLong(text.len()))?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &bytes].concat()))
    }

    /// The text; none unless it was sealed here, for this purpose.
    pub(crate) fn open(&self, purpose: &str, sealed: &str) -> Option<String> {
        if sealed.len() > SEALED_CHARS_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = sealed.to_vec();
        let about = Aad::from(purpose.as_bytes());
        let opened = self
            .key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), about, &mut sealed)
            .ok()?;
        String::from_utf8(opened.to_vec()).ok()
    }

    /// A random text that nobody guesses: 256 bits.
    pub(crate) fn secret(&self) -> Result<String, SealError> {
        let mut bytes = [0; 32];
        self.fill(&mut bytes)?;
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), SealError> {
        self.random.fill(bytes).map_err(|_| SealError::NoRandomness)
    }
}

#[cfg(test)]
mod tests {
    use super::{SEALED_CHARS_MAX, SealError, Sealer};

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn only_the_same_key_and_purpose_open_it() {
        let sealer = Sealer::new(KEY).unwrap();
        let sealed = sealer.seal("session", "a text").unwrap();
        assert_eq!(sealer.open("session", &sealed).as_deref(), Some("a text"));
        assert_eq!(sealer.open("attempt", &sealed), None);
        let other = Sealer::new("fedcba9876543210fedcba9876543210").unwrap();
        assert_eq!(other.open("session", &sealed), None);
        assert_ne!(sealer.seal("session", "a text").unwrap(), sealed);
        assert!(!sealed.contains("text"));
    }

    #[test]
    fn whatever_was_changed_is_not_opened() {
        let sealer = Sealer::new(KEY).unwrap();
        let sealed = sealer.seal("session", "a text").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            // The last character has bits that stand for nothing: a strict decoder refuses those.
            assert_eq!(sealer.open("session", &changed), None, "{at}");
        }
        for odd in ["", "A", "....", &sealed[..sealed.len() - 2]] {
            assert_eq!(sealer.open("session", odd), None, "{odd}");
        }
    }

    #[test]
    fn what_could_not_be_opened_again_is_not_sealed() {
        let sealer = Sealer::new(KEY).unwrap();
        // Twelve bytes of nonce, sixteen of tag, and four characters for three bytes.
        let longest = "x".repeat(SEALED_CHARS_MAX / 4 * 3 - 28);
        let sealed = sealer.seal("token", &longest).unwrap();
        assert_eq!(sealed.len(), SEALED_CHARS_MAX);
        assert_eq!(sealer.open("token", &sealed).as_deref(), Some(longest.as_str()));
        let longer = format!("{longest}x");
        let refused = sealer.seal("token", &longer).unwrap_err();
        assert_eq!(refused, SealError::TooLong(longer.len()));
        assert!(!refused.to_string().contains('\n'));
    }

    #[test]
    fn a_short_key_is_none() {
        assert!(Sealer::new("short").is_none());
        assert_ne!(
            Sealer::new(KEY).unwrap().secret(),
            Sealer::new(KEY).unwrap().secret()
        );
    }
}
