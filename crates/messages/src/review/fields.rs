//! Fields that the documents of reviews and tasks share.

use crate::Unreadable;
use crate::moment::parse_rfc3339;
use walkaround_domain::{InspectionId, Reviewer, Timestamp};

pub(crate) fn one_of<const N: usize>(field: &str, words: [&str; N]) -> Unreadable {
    Unreadable::new(format!("{field}: expected {}", words.join(", ")))
}

pub(crate) fn inspection_id(text: String) -> Result<InspectionId, Unreadable> {
    InspectionId::new(text).map_err(|_| Unreadable::new("inspection_id: expected an inspection id"))
}

pub(crate) fn reviewer(field: &str, name: String) -> Result<Reviewer, Unreadable> {
    Reviewer::new(name).map_err(|e| Unreadable::new(e.to_string()).within(field))
}

pub(crate) fn at(field: &str, text: &str) -> Result<Timestamp, Unreadable> {
    parse_rfc3339(text).map_err(|e| e.within(field))
}

/// Reads a SHA-256 from 64 hexadecimal digits.
///
/// # Errors
/// When it is none.
pub fn parse_digest(text: &str) -> Result<[u8; 32], Unreadable> {
    let wrong = || Unreadable::new("expected 64 hexadecimal digits");
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return Err(wrong());
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16).ok_or_else(wrong)?;
        let low = char::from(pair[1]).to_digit(16).ok_or_else(wrong)?;
        *byte = u8::try_from(high * 16 + low).map_err(|_| wrong())?;
    }
    Ok(digest)
}
