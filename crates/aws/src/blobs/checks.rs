//! Keys and digests of objects.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use walkaround_ports::{BlobAddress, PortCall, PortError, PortErrorKind};

const KEY_BYTES_MAX: usize = 1024;
/// Key of our own metadata (`x-amz-meta-sha256`) with the digest in hexadecimal.
pub(super) const META_SHA256: &str = "sha256";
/// Keys have 1 to 1,024 bytes; the rest is for S3 to say.
pub(super) fn check_key(at: &BlobAddress, call: PortCall) -> Result<(), PortError> {
    if (1..=KEY_BYTES_MAX).contains(&at.key.len()) {
        return Ok(());
    }
    let detail = format!("a key of {} bytes: 1 to {KEY_BYTES_MAX}", at.key.len());
    Err(call.error(PortErrorKind::Invalid, detail))
}

pub(super) fn sha256_of(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The digest of a whole object: S3's own, else the one in our metadata. The checksum of a multipart upload
/// (`<base64>-<parts>`) is not one of the object's bytes.
pub(super) fn known_sha256(
    checksum: Option<&str>,
    metadata: Option<&HashMap<String, String>>,
) -> Option<[u8; 32]> {
    let own = checksum.and_then(|text| STANDARD.decode(text).ok()?.try_into().ok());
    own.or_else(|| from_hex(metadata?.get(META_SHA256)?))
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, place) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(text.get(place..place + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_comes_from_s3_or_else_from_metadata() {
        let digest = sha256_of(b"weights");
        let base64 = STANDARD.encode(digest);
        let metadata = HashMap::from([(META_SHA256.to_owned(), walkaround_domain::hex(&digest))]);
        assert_eq!(known_sha256(Some(&base64), None), Some(digest));
        assert_eq!(known_sha256(None, Some(&metadata)), Some(digest));
        assert_eq!(known_sha256(Some(&format!("{base64}-3")), None), None);
        assert_eq!(
            known_sha256(Some(&format!("{base64}-3")), Some(&metadata)),
            Some(digest)
        );
        for broken in ["", "abc", &"x".repeat(64), &"é".repeat(32)] {
            let metadata = HashMap::from([(META_SHA256.to_owned(), broken.to_owned())]);
            assert_eq!(known_sha256(None, Some(&metadata)), None, "{broken}");
        }
    }
}
