//! From the canvas of one class to that of another, of the same photo.

use super::canvas::{Canvas, Window};
use super::components::Run;

/// The pixels of the canvas `to` that share original pixels with a run of the canvas `from`.
pub(crate) fn window_across(from: &Canvas, run: &Run, to: &Canvas) -> Window {
    let span = |starts: &[u32], first: u32, end: u32| {
        // The pixel that `first` falls into, and the one after that of the last original pixel.
        let at = starts.partition_point(|&start| start <= first).saturating_sub(1);
        (at, starts.partition_point(|&start| start < end).max(at))
    };
    let (columns, rows) = (from.column_starts(), from.row_starts());
    let (x0, x1) = span(to.column_starts(), columns[run.x0], columns[run.x1]);
    let (y0, y1) = span(to.row_starts(), rows[run.y], rows[run.y + 1]);
    let size = to.size();
    Window {
        x0,
        y0,
        x1: x1.min(size.width as usize),
        y1: y1.min(size.height as usize),
    }
}
