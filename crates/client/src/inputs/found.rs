//! The list of photos while it is made.

use super::left_out::LeftOut;
use std::path::PathBuf;

/// Most photos of one run: bounds the list held in memory.
pub(crate) const PHOTOS_MAX: usize = 1_000_000;

/// Photos, and what was left out.
#[derive(Default)]
pub(super) struct Found {
    pub(super) photos: Vec<PathBuf>,
    pub(super) left_out: LeftOut,
}
