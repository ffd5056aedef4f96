//! A region of the canvas as run-length code at the size of the original photo.

use walkaround_domain::{Rle, Size};

use super::RunWriter;
use crate::mask::{Canvas, Patch};

/// The region at original size: every original pixel belongs to the canvas pixel its centre falls on. Runs
/// are found once a canvas column and repeated for the original columns it stands for.
pub fn from_canvas(patch: &Patch, canvas: &Canvas) -> Rle {
    let mut writer = RunWriter::new(canvas.original());
    let (columns, rows) = (canvas.column_starts(), canvas.row_starts());
    let mut runs: Vec<(usize, usize)> = vec![];
    for x in 0..patch.width {
        runs.clear();
        vertical_runs(patch, x, |from, to| {
            runs.push((rows[patch.y + from] as usize, rows[patch.y + to] as usize));
        });
        for column in columns[patch.x + x]..columns[patch.x + x + 1] {
            for &(from, to) in &runs {
                writer.push_in_column(column as usize, from, to);
            }
        }
    }
    writer.finish()
}

/// The region of a photo of this size.
///
/// # Panics
/// When it reaches outside.
pub fn from_patch(size: Size, patch: &Patch) -> Rle {
    let inside = |start: usize, length: usize, side: u32| start + length <= side as usize;
    assert!(
        inside(patch.x, patch.width, size.width) && inside(patch.y, patch.height, size.height),
        "the region is inside the photo"
    );
    let mut writer = RunWriter::new(size);
    for x in 0..patch.width {
        vertical_runs(patch, x, |from, to| {
            writer.push_in_column(patch.x + x, patch.y + from, patch.y + to);
        });
    }
    writer.finish()
}

/// Calls `emit(from, to)` for every run of set pixels in column `x` of the patch.
fn vertical_runs(patch: &Patch, x: usize, mut emit: impl FnMut(usize, usize)) {
    let mut start = None;
    for y in 0..patch.height {
        match (patch.pixels[y * patch.width + x] != 0, start) {
            (true, None) => start = Some(y),
            (false, Some(from)) => {
                emit(from, y);
                start = None;
            }
            _ => {}
        }
    }
    if let Some(from) = start {
        emit(from, patch.height);
    }
}
