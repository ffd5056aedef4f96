//! Photos from the disk: regular files, within the limit.

use anyhow::{Context, anyhow};
use std::io::Read;
use std::path::Path;
use walkaround_client::inputs::open_regular;
use walkaround_domain::{Reason, ReasonCode};
use walkaround_vision::decode::Limits;

/// The bytes of a photo, or why they are too many.
pub(crate) fn read_photo(photo: &Path, bytes_max: u64) -> anyhow::Result<Result<Vec<u8>, Reason>> {
    let context = || format!("cannot read {}", photo.display());
    let file = open_regular(photo).with_context(context)?;
    let length = file.metadata().with_context(context)?.len();
    let too_large = || {
        let detail = format!("over the limit of {} MiB", bytes_max >> 20);
        Reason::new(ReasonCode::TooLarge, detail)
    };
    if length > bytes_max {
        return Ok(Err(too_large()));
    }
    let mut bytes = Vec::with_capacity(length as usize + 1);
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .with_context(context)?;
    if bytes.len() as u64 > bytes_max {
        return Ok(Err(too_large()));
    }
    Ok(Ok(bytes))
}

/// The bytes of the one picture that a command is given.
pub(crate) fn read_picture(picture: &Path) -> anyhow::Result<Vec<u8>> {
    let read = read_photo(picture, Limits::default().bytes_max)?;
    read.map_err(|reason| anyhow!("{}: {}", picture.display(), reason.detail))
}
