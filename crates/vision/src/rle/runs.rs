//! Run-length codes as sorted intervals of column-major positions: writing them, and set operations.

use walkaround_domain::{PixelBox, Rle, Size};

use super::{RleError, check};

/// Collects the inside runs of a mask in column-major order and turns them into counts.
pub(crate) struct RunWriter {
    size: Size,
    counts: Vec<u32>,
    /// Column-major position after the last run.
    at: u64,
}

impl RunWriter {
    pub(crate) fn new(size: Size) -> Self {
        Self {
            size,
            counts: vec![],
            at: 0,
        }
    }

    /// Adds the run `start..end`; runs must come in order. One that touches the last is joined to it.
    pub(crate) fn push(&mut self, start: u64, end: u64) {
        debug_assert!(
            self.at <= start && end <= self.size.pixels(),
            "runs come in order, inside the mask"
        );
        if start == end {
            return;
        }
        if start == self.at && !self.counts.is_empty() {
            if let Some(last) = self.counts.last_mut() {
                *last += (end - start) as u32;
            }
        } else {
            self.counts.push((start - self.at) as u32);
            self.counts.push((end - start) as u32);
        }
        self.at = end;
    }

    /// Adds rows `from..to` of column `x`.
    pub(crate) fn push_in_column(&mut self, x: usize, from: usize, to: usize) {
        let column = x as u64 * u64::from(self.size.height);
        self.push(column + from as u64, column + to as u64);
    }

    /// Closes the code with the background that is left.
    pub(crate) fn finish(mut self) -> Rle {
        let rest = self.size.pixels() - self.at;
        if rest > 0 || self.counts.is_empty() {
            self.counts.push(rest as u32);
        }
        Rle {
            size: self.size,
            counts: self.counts,
        }
    }
}

/// The inside runs as `(start, end)` column-major positions, in order, empty ones left out.
pub(crate) fn intervals(rle: &Rle) -> impl Iterator<Item = (u64, u64)> + '_ {
    let mut at = 0u64;
    rle.counts.iter().enumerate().filter_map(move |(index, &count)| {
        let start = at;
        at += u64::from(count);
        (index % 2 == 1 && count > 0).then_some((start, at))
    })
}

/// The pixels inside at least one of the masks, which all have the given size.
///
/// # Errors
/// [`RleError::SizeMismatch`], [`RleError::Sum`], [`RleError::TooLarge`].
pub fn union(size: Size, masks: &[&Rle]) -> Result<Rle, RleError> {
    let mut all: Vec<(u64, u64)> = vec![];
    for mask in masks {
        check_pair(size, mask)?;
        all.extend(intervals(mask));
    }
    // Pre-sorted stretches: the standard sort merges them in near linear time.
    all.sort();
    Ok(write_merged(size, &all))
}

/// Writes sorted intervals that may overlap.
pub(crate) fn write_merged(size: Size, sorted: &[(u64, u64)]) -> Rle {
    let mut writer = RunWriter::new(size);
    let mut pending: Option<(u64, u64)> = None;
    for &(start, end) in sorted {
        match &mut pending {
            Some(run) if start <= run.1 => run.1 = run.1.max(end),
            _ => {
                if let Some((start, end)) = pending.replace((start, end)) {
                    writer.push(start, end);
                }
            }
        }
    }
    if let Some((start, end)) = pending {
        writer.push(start, end);
    }
    writer.finish()
}

/// Pixels inside both masks.
///
/// # Errors
/// [`RleError::SizeMismatch`], [`RleError::Sum`], [`RleError::TooLarge`].
pub fn intersection_area(left: &Rle, right: &Rle) -> Result<u64, RleError> {
    check(left)?;
    check_pair(left.size, right)?;
    let (mut lefts, mut rights) = (intervals(left), intervals(right));
    let (mut a, mut b) = (lefts.next(), rights.next());
    let mut area = 0;
    while let (Some(l), Some(r)) = (a, b) {
        area += l.1.min(r.1).saturating_sub(l.0.max(r.0));
        if l.1 <= r.1 {
            a = lefts.next();
        } else {
            b = rights.next();
        }
    }
    Ok(area)
}

/// Intersection over union, 0 to 1; 0 for two empty masks, as pycocotools has it.
///
/// # Errors
/// [`RleError::SizeMismatch`], [`RleError::Sum`], [`RleError::TooLarge`].
pub fn iou(left: &Rle, right: &Rle) -> Result<f64, RleError> {
    let both = intersection_area(left, right)?;
    let either = left.area() + right.area() - both;
    Ok(if either == 0 {
        0.0
    } else {
        both as f64 / either as f64
    })
}

/// Smallest box around the mask; none when it is empty.
///
/// # Errors
/// [`RleError::Sum`], [`RleError::TooLarge`].
pub fn bounding_box(rle: &Rle) -> Result<Option<PixelBox>, RleError> {
    check(rle)?;
    let height = u64::from(rle.size.height);
    let (mut left, mut right, mut top, mut bottom) = (u64::MAX, 0, u64::MAX, 0);
    for (start, end) in intervals(rle) {
        let (first, last) = (start / height, (end - 1) / height);
        left = left.min(first);
        right = right.max(last);
        // A run over several columns goes through the bottom of one and the top of the next.
        let (from, to) = if first == last {
            (start % height, (end - 1) % height)
        } else {
            (0, height - 1)
        };
        top = top.min(from);
        bottom = bottom.max(to);
    }
    Ok((left <= right).then(|| PixelBox {
        x: left as u32,
        y: top as u32,
        width: (right - left + 1) as u32,
        height: (bottom - top + 1) as u32,
    }))
}

fn check_pair(size: Size, other: &Rle) -> Result<(), RleError> {
    if size != other.size {
        return Err(RleError::SizeMismatch {
            left: size,
            right: other.size,
        });
    }
    check(other)
}
