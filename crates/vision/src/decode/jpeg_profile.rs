//! The colour profile of a JPEG, which comes in pieces of up to 64 KiB (ICC.1:2022, B.4).

use super::colours::{PROFILE_BYTES_MAX, Profile};
use std::ops::Range;

/// What the APP2 segments of a profile begin with; the number of the piece, from 1, and their count follow.
const NAME: &[u8] = b"ICC_PROFILE\0";

/// Where the pieces of a profile are. There are 255 at most.
#[derive(Debug, Clone, Default)]
pub(super) struct Pieces {
    found: Vec<Piece>,
}

#[derive(Debug, Clone)]
struct Piece {
    number: u8,
    count: u8,
    bytes: Range<usize>,
}

impl Pieces {
    /// Takes note of an APP2 segment whose body begins at `at`. One piece too many shows that they do not belong together.
    pub(super) fn add(&mut self, body: &[u8], at: usize) {
        if let Some(&[number, count, ref content @ ..]) = body.strip_prefix(NAME)
            && self.found.len() <= usize::from(u8::MAX)
        {
            let from = at + NAME.len() + 2;
            let bytes = from..from + content.len();
            self.found.push(Piece { number, count, bytes });
        }
    }

    /// The profile, put together.
    pub(super) fn profile(&self, file: &[u8]) -> Profile {
        if self.found.is_empty() {
            return Profile::None;
        }
        self.joined(file)
            .map_or(Profile::Broken, |bytes| Profile::found(Some(bytes)))
    }

    /// None where a piece is missing, stands twice, or all are too long.
    fn joined(&self, file: &[u8]) -> Option<Vec<u8>> {
        let count = self.found.len();
        let length: usize = self.found.iter().map(|piece| piece.bytes.len()).sum();
        if length > PROFILE_BYTES_MAX {
            return None;
        }
        let mut joined = Vec::with_capacity(length);
        for number in 1..=count {
            let is_it =
                |piece: &&Piece| usize::from(piece.number) == number && usize::from(piece.count) == count;
            let piece = self.found.iter().find(is_it)?;
            joined.extend(file.get(piece.bytes.clone())?);
        }
        Some(joined)
    }
}
