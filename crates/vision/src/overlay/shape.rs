//! One finding on the overlay: its rings in overlay pixels, tinted inside and outlined.

use walkaround_domain::{Finding, PixelBox, Point, Size};

use crate::mask::CANVAS_SIDE;

use super::paint::{Ink, Rect, Surface};

/// Width of the dark edge on either side of an outline, as a share of the outline's width.
const EDGE_WIDTH: f32 = 0.45;
const EDGE: Ink = Ink {
    colour: [12, 13, 15],
    share: 0.7,
};

/// Long segments are measured in pieces of this many pixels, so that slanted ones do not cost the area of the
/// box around them.
const PIECE: f32 = 16.0;

/// Steps a pixel in which distances to the outline are kept (a byte reaches 7.9 pixels).
const DISTANCE_STEPS: f32 = 32.0;

/// Pixels that are tested together where most are empty.
const PART: usize = 16;

/// How much of an edge is cut off at a corner to smooth it, at most, in canvas pixels: takes the steps of the
/// canvas out of the outline and leaves its course.
const BEVEL: f32 = 2.5;

/// Longer rings are noise rather than shapes: drawn as they are, since smoothing makes four points of one.
const SMOOTHED_MAX: usize = 4000;

/// A finding, ready to be drawn.
pub(super) struct Shape {
    pub(super) class: String,
    pub(super) label: String,
    pub(super) colour: [u8; 3],
    /// Box around the rings.
    pub(super) bounds: Rect,
    /// All outlines and holes.
    rings: Vec<Vec<(f32, f32)>>,
    /// Whether the inside is known; of a box only its edge is drawn.
    filled: bool,
}

fn corners(bbox: PixelBox) -> Vec<Point> {
    let (x0, y0) = (bbox.x as f32, bbox.y as f32);
    let (x1, y1) = (x0 + bbox.width as f32, y0 + bbox.height as f32);
    [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
        .map(|(x, y)| Point { x, y })
        .to_vec()
}

impl Shape {
    /// `finding` refers to pixels of `original`; the shape to pixels of an overlay photo of `size`.
    pub(super) fn new(finding: &Finding, original: Size, size: Size, colour: [u8; 3]) -> Self {
        let scale_x = size.width as f32 / original.width.max(1) as f32;
        let scale_y = size.height as f32 / original.height.max(1) as f32;
        // Held inside the photo: coordinates from elsewhere must not make drawing slow.
        let ring = |points: &Vec<Point>| -> Vec<(f32, f32)> {
            let limit = |p: f32, side: u32| {
                if p.is_nan() {
                    0.0
                } else {
                    p.clamp(0.0, side as f32)
                }
            };
            points
                .iter()
                .map(|p| {
                    (
                        limit(p.x * scale_x, size.width),
                        limit(p.y * scale_y, size.height),
                    )
                })
                .collect()
        };
        let canvas_pixel = size.long_side() as f32 / original.long_side().clamp(1, CANVAS_SIDE) as f32;
        let bevel = BEVEL * canvas_pixel;
        let rings: Vec<Vec<(f32, f32)>> = if finding.outlined {
            finding
                .polygons
                .iter()
                .flat_map(|polygon| std::iter::once(&polygon.outer).chain(&polygon.holes))
                .filter(|points| !points.is_empty())
                .map(|points| smooth(smooth(ring(points), bevel), bevel))
                .collect()
        } else {
            vec![ring(&corners(finding.bbox))]
        };
        let bounds = bounds(&rings);
        let label = format!("{} {:.2}", finding.class, finding.probability);
        Self {
            class: finding.class.clone(),
            label,
            colour,
            bounds,
            rings,
            filled: finding.outlined,
        }
    }

    /// Outermost points: topmost, bottommost, leftmost, rightmost; none for a finding without polygons.
    pub(super) fn extremes(&self) -> Option<[(f32, f32); 4]> {
        let points = || self.rings.iter().flatten().copied();
        Some([
            points().min_by(|a, b| a.1.total_cmp(&b.1))?,
            points().max_by(|a, b| a.1.total_cmp(&b.1))?,
            points().min_by(|a, b| a.0.total_cmp(&b.0))?,
            points().max_by(|a, b| a.0.total_cmp(&b.0))?,
        ])
    }

    /// Lays `share` of the class colour over the inside (even-odd rule, so holes stay clear).
    pub(super) fn tint(&self, surface: &mut Surface<'_>, share: f32) {
        if !self.filled {
            return;
        }
        let ink = Ink {
            colour: self.colour,
            share,
        };
        let mut crossings: Vec<(u32, f32)> = vec![];
        for (a, b) in self.segments() {
            let (a, b) = if a.1 <= b.1 { (a, b) } else { (b, a) };
            let (first, end) = (first_centre(a.1), first_centre(b.1));
            let slope = (b.0 - a.0) / (b.1 - a.1);
            crossings.extend((first..end).map(|row| (row, a.0 + (row as f32 + 0.5 - a.1) * slope)));
        }
        crossings.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        for pair in crossings.chunks_exact(2) {
            surface.blend_span(pair[0].0, first_centre(pair[0].1)..first_centre(pair[1].1), ink);
        }
    }

    /// Draws all rings, `width` pixels wide in the class colour between dark edges, smoothed.
    pub(super) fn outline(&self, surface: &mut Surface<'_>, width: f32) {
        let (core, edge) = (width / 2.0, width * (0.5 + EDGE_WIDTH));
        let reach = edge + 0.5;
        let (columns, rows) = surface.clip(&self.bounds.grow(reach + 1.0));
        let (origin, stride) = ((columns.start, rows.start), columns.len());
        let mut near = Nearness {
            values: vec![u8::MAX; stride * rows.len()],
            origin,
            stride,
            reach,
        };
        for (a, b) in self.segments() {
            near.add_segment(a, b);
        }
        let ink = Ink::opaque(self.colour);
        for (line, y) in near.values.chunks_exact(stride.max(1)).zip(rows) {
            for (i, part) in line.chunks(PART).enumerate() {
                // Most of the box is out of reach: passed over many pixels at a time.
                if part == &[u8::MAX; PART][..part.len()] {
                    continue;
                }
                for (&value, x) in part.iter().zip(columns.start + (i * PART) as u32..) {
                    if value == u8::MAX {
                        continue;
                    }
                    let distance = f32::from(value) / DISTANCE_STEPS;
                    let coloured = (core - distance + 0.5).clamp(0.0, 1.0);
                    let dark = (edge - distance + 0.5).clamp(0.0, 1.0);
                    if coloured < 1.0 {
                        surface.blend((x, y), EDGE.covering(dark));
                    }
                    if coloured > 0.0 {
                        surface.blend((x, y), ink.covering(coloured));
                    }
                }
            }
        }
    }

    fn segments(&self) -> impl Iterator<Item = ((f32, f32), (f32, f32))> + '_ {
        self.rings.iter().flat_map(|ring| {
            let next = ring.iter().cycle().skip(1);
            ring.iter().copied().zip(next.copied())
        })
    }
}

/// Cuts every corner: off a quarter of the edges on either side, `bevel` pixels at most.
fn smooth(ring: Vec<(f32, f32)>, bevel: f32) -> Vec<(f32, f32)> {
    if ring.len() < 5 || ring.len() > SMOOTHED_MAX {
        return ring;
    }
    let mut smoothed = Vec::with_capacity(ring.len() * 2);
    for (&a, &b) in ring.iter().zip(ring.iter().cycle().skip(1)) {
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let share = (bevel / dx.hypot(dy)).min(0.25);
        smoothed.push((a.0 + dx * share, a.1 + dy * share));
        smoothed.push((b.0 - dx * share, b.1 - dy * share));
    }
    smoothed
}

/// Index of the first pixel whose centre is at or after a position.
fn first_centre(position: f32) -> u32 {
    (position - 0.5).ceil().max(0.0) as u32
}

fn bounds(rings: &[Vec<(f32, f32)>]) -> Rect {
    let mut bounds = Rect {
        x0: f32::MAX,
        y0: f32::MAX,
        x1: f32::MIN,
        y1: f32::MIN,
    };
    for &(x, y) in rings.iter().flatten() {
        bounds.x0 = bounds.x0.min(x);
        bounds.y0 = bounds.y0.min(y);
        bounds.x1 = bounds.x1.max(x);
        bounds.y1 = bounds.y1.max(y);
    }
    if bounds.x0 <= bounds.x1 {
        bounds
    } else {
        Rect::at(0.0, 0.0, (0.0, 0.0))
    }
}

/// Distance of each pixel centre to the nearest outline, in steps; `u8::MAX` out of reach. One field for all
/// segments, so that joints are not painted twice.
struct Nearness {
    values: Vec<u8>,
    origin: (u32, u32),
    stride: usize,
    reach: f32,
}

impl Nearness {
    fn add_segment(&mut self, a: (f32, f32), b: (f32, f32)) {
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let pieces = (dx.hypot(dy) / PIECE).ceil().max(1.0);
        let point = |piece: f32| (a.0 + dx * piece / pieces, a.1 + dy * piece / pieces);
        for piece in 0..pieces as u32 {
            self.add_piece(point(piece as f32), point(piece as f32 + 1.0));
        }
    }

    fn add_piece(&mut self, a: (f32, f32), b: (f32, f32)) {
        let along = (b.0 - a.0, b.1 - a.1);
        let per_square = 1.0 / (along.0 * along.0 + along.1 * along.1).max(f32::MIN_POSITIVE);
        let (along_x, along_y) = (along.0 * per_square, along.1 * per_square);
        let reach_square = self.reach * self.reach;
        let height = self.values.len() / self.stride.max(1);
        let span = |from: f32, to: f32, origin: u32, side: usize| {
            let limit = |position: f32| position.clamp(0.0, side as f32) as usize;
            limit((from - self.reach).floor() - origin as f32)
                ..limit((to + self.reach).ceil() - origin as f32)
        };
        let columns = span(a.0.min(b.0), a.0.max(b.0), self.origin.0, self.stride);
        for row in span(a.1.min(b.1), a.1.max(b.1), self.origin.1, height) {
            let py = (self.origin.1 as usize + row) as f32 + 0.5 - a.1;
            let line = &mut self.values[row * self.stride..][columns.clone()];
            for (value, column) in line.iter_mut().zip(columns.clone()) {
                let px = (self.origin.0 as usize + column) as f32 + 0.5 - a.0;
                let share = (px * along_x + py * along_y).clamp(0.0, 1.0);
                let (x, y) = (px - share * along.0, py - share * along.1);
                let square = x * x + y * y;
                if square < reach_square {
                    let distance = square.sqrt();
                    *value = (*value).min((distance * DISTANCE_STEPS).min(254.0) as u8);
                }
            }
        }
    }
}
