//! Probability maps onto the canvas: bilinear, over the part of the photo that each map covers.

use super::{Canvas, ProbabilityMap, Run, Window};

/// Probabilities over a window of the canvas.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Where on the canvas.
    pub window: Window,
    /// One probability a canvas pixel, row by row.
    pub values: Vec<f32>,
}

impl Field {
    /// The probabilities under a run, which lies inside the window.
    pub(crate) fn row(&self, run: &Run) -> &[f32] {
        let row = (run.y - self.window.y0) * self.window.width();
        &self.values[row + run.x0 - self.window.x0..row + run.x1 - self.window.x0]
    }
}

/// Samples the maps at the centres of the window's canvas pixels: the highest where several cover a pixel,
/// 0 where none does. Values that are not numbers count as 0.
pub fn sample(maps: &[&ProbabilityMap], canvas: &Canvas, window: Window) -> Field {
    sample_from(maps, canvas, window, 0.0)
}

/// As [`sample`], with another value where no map covers a pixel: for grids whose values may be below 0 (logits).
pub(crate) fn sample_from(maps: &[&ProbabilityMap], canvas: &Canvas, window: Window, nothing: f32) -> Field {
    let mut field = Field {
        window,
        values: vec![nothing; window.width() * window.height()],
    };
    for map in maps.iter().filter(|map| is_usable(map)) {
        add_map(map, canvas, &mut field);
    }
    field
}

fn add_map(map: &ProbabilityMap, canvas: &Canvas, field: &mut Field) {
    let window = field.window;
    let columns = Axis::horizontal(map, canvas).taps(window.x0, window.x1);
    let rows = Axis::vertical(map, canvas).taps(window.y0, window.y1);
    let (Some(first), Some(last)) = (columns.first(), columns.last()) else {
        return;
    };
    // Only the map columns that are needed are blended from row to row.
    let (from, to) = (first.low, last.high + 1);
    let mut blended = vec![0.0f32; to - from];
    for row in &rows {
        let upper = &map.values[row.low * map.width..][from..to];
        let lower = &map.values[row.high * map.width..][from..to];
        for ((out, &a), &b) in blended.iter_mut().zip(upper).zip(lower) {
            *out = a + (b - a) * row.share;
        }
        let line = &mut field.values[(row.at - window.y0) * window.width()..][..window.width()];
        let line = &mut line[first.at - window.x0..];
        for (out, tap) in line.iter_mut().zip(&columns) {
            let (a, b) = (blended[tap.low - from], blended[tap.high - from]);
            let p = a + (b - a) * tap.share;
            // Written so that NaN never wins.
            if p > *out {
                *out = p;
            }
        }
    }
}

/// One canvas column (or row) and the two map columns (rows) it lies between.
#[derive(Debug, Clone, Copy)]
struct Tap {
    at: usize,
    low: usize,
    high: usize,
    share: f32,
}

/// How one side of the canvas lies over one side of a map.
struct Axis {
    canvas_side: f64,
    map_side: f64,
    start: f64,
    end: f64,
}

impl Axis {
    fn horizontal(map: &ProbabilityMap, canvas: &Canvas) -> Self {
        Self {
            canvas_side: f64::from(canvas.size().width),
            map_side: map.width as f64,
            start: map.covers.x0.into(),
            end: map.covers.x1.into(),
        }
    }

    fn vertical(map: &ProbabilityMap, canvas: &Canvas) -> Self {
        Self {
            canvas_side: f64::from(canvas.size().height),
            map_side: map.height as f64,
            start: map.covers.y0.into(),
            end: map.covers.y1.into(),
        }
    }

    /// The canvas positions `from..to` that the map covers; they are consecutive.
    fn taps(&self, from: usize, to: usize) -> Vec<Tap> {
        let last = self.map_side - 1.0;
        (from..to)
            .filter_map(|at| {
                let unit = (at as f64 + 0.5) / self.canvas_side;
                if unit < self.start || unit > self.end {
                    return None;
                }
                let position = (unit - self.start) / (self.end - self.start) * self.map_side - 0.5;
                let position = position.clamp(0.0, last);
                let low = position.floor();
                let high = (low + 1.0).min(last);
                Some(Tap {
                    at,
                    low: low as usize,
                    high: high as usize,
                    share: (position - low) as f32,
                })
            })
            .collect()
    }

    /// Canvas positions that the map cells `first..=last` can have a part in.
    fn reach(&self, first: usize, last: usize) -> (usize, usize) {
        let to_canvas =
            |cell: f64| (self.start + cell / self.map_side * (self.end - self.start)) * self.canvas_side;
        // A cell's share ends at the centres of its neighbours; at the map's edge it goes on to the edge. One
        // pixel more on either side absorbs rounding.
        let from = if first == 0 {
            to_canvas(0.0)
        } else {
            to_canvas(first as f64 - 0.5)
        };
        let to = if last as f64 + 1.0 >= self.map_side {
            to_canvas(self.map_side)
        } else {
            to_canvas(last as f64 + 1.5)
        };
        let clip = |position: f64| position.clamp(0.0, self.canvas_side) as usize;
        (clip(from.floor() - 1.0), clip(to.ceil() + 1.0))
    }
}

/// Whether the map holds what it says and covers something.
fn is_usable(map: &ProbabilityMap) -> bool {
    let covers = [map.covers.x0, map.covers.y0, map.covers.x1, map.covers.y1];
    !map.values.is_empty()
        && map.width.checked_mul(map.height) == Some(map.values.len())
        && covers.iter().all(|edge| edge.is_finite())
        && map.covers.width() > 0.0
        && map.covers.height() > 0.0
}

/// The highest probability of a map; negative infinity when it is unusable.
pub(super) fn maximum(map: &ProbabilityMap) -> f32 {
    if is_usable(map) {
        highest(&map.values)
    } else {
        f32::NEG_INFINITY
    }
}

fn highest(values: &[f32]) -> f32 {
    // Eight independent maxima, so that the compiler may use vector instructions; NaN never wins.
    let mut lanes = [f32::NEG_INFINITY; 8];
    let (chunks, rest) = values.as_chunks::<8>();
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane = if value > *lane { value } else { *lane };
        }
    }
    lanes.iter().chain(rest).fold(
        f32::NEG_INFINITY,
        |most, &value| if value > most { value } else { most },
    )
}

/// A window of the canvas outside which the sampled map is nowhere above `low`.
pub(crate) fn window_above(map: &ProbabilityMap, low: f32, canvas: &Canvas) -> Window {
    if !is_usable(map) {
        return Window::EMPTY;
    }
    let (mut left, mut right, mut top, mut bottom) = (usize::MAX, 0, usize::MAX, 0);
    for (y, row) in map.values.chunks_exact(map.width).enumerate() {
        if highest(row) <= low {
            continue;
        }
        top = top.min(y);
        bottom = y;
        left = left.min(row.iter().position(|&p| p > low).unwrap_or(usize::MAX));
        right = right.max(row.iter().rposition(|&p| p > low).unwrap_or(0));
    }
    if top == usize::MAX {
        return Window::EMPTY;
    }
    let (x0, x1) = Axis::horizontal(map, canvas).reach(left, right);
    let (y0, y1) = Axis::vertical(map, canvas).reach(top, bottom);
    Window { x0, y0, x1, y1 }
}
