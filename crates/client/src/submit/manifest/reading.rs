//! How a manifest is read.

use crate::Notice;
use crate::submit::item::{About, Naming};
use std::path::Path;
use walkaround_domain::Timestamp;

/// How a manifest is read.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    /// The file, for messages.
    pub file: &'a Path,
    pub naming: Naming<'a>,
    pub about: &'a About,
    pub now: Timestamp,
    /// Told of what is guessed.
    pub notice: Notice<'a>,
}
