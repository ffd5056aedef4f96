//! Small numeric tools: a seeded generator, noise, curves. How: only `+ - * /` and square roots, which
//! IEEE 754 fixes to the bit, and `libm` for the rest, so that a seed gives the same bytes on every machine.

/// Linear-light colour, red, green, blue; 1 is a white card in full sky light.
pub(crate) type Rgb = [f32; 3];

/// SplitMix64 (Steele, Lea, Flood 2014). Written out rather than taken from a crate: published pictures
/// hang on its exact sequence, and generator crates change their sampling between major versions.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    /// A stream of its own for each `purpose`, so that a change to one part of a picture leaves the others.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        let mut rng = Self(seed ^ purpose.wrapping_mul(0xA076_1D64_78BD_642F));
        rng.next();
        rng
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in `lo..hi`.
    pub(crate) fn range(&mut self, lo: f32, hi: f32) -> f32 {
        lo + (hi - lo) * ((self.next() >> 40) as f32 / 16_777_216.0)
    }

    /// Uniform in `0..count`.
    pub(crate) fn index(&mut self, count: usize) -> usize {
        (self.next() >> 33) as usize % count
    }

    pub(crate) fn chance(&mut self, share: f32) -> bool {
        self.range(0.0, 1.0) < share
    }

    pub(crate) fn seed(&mut self) -> u32 {
        (self.next() >> 32) as u32
    }
}

/// 32 well-mixed bits for a lattice point.
pub(crate) fn hash(seed: u32, x: i32, y: i32) -> u32 {
    let mut h = seed ^ (x as u32).wrapping_mul(0x9E37_79B1) ^ (y as u32).wrapping_mul(0x85EB_CA77);
    h = (h ^ (h >> 15)).wrapping_mul(0x2C1B_3C6D);
    h = (h ^ (h >> 12)).wrapping_mul(0x297A_2D39);
    h ^ (h >> 15)
}

fn lattice(seed: u32, x: i32, y: i32) -> f32 {
    (hash(seed, x, y) >> 8) as f32 / 8_388_608.0 - 1.0
}

/// Smooth noise in -1..1 with features about one unit wide.
pub(crate) fn noise(seed: u32, x: f32, y: f32) -> f32 {
    let (ix, iy) = (floor(x), floor(y));
    let (tx, ty) = (fade(x - ix as f32), fade(y - iy as f32));
    let top = mix(lattice(seed, ix, iy), lattice(seed, ix + 1, iy), tx);
    let bottom = mix(lattice(seed, ix, iy + 1), lattice(seed, ix + 1, iy + 1), tx);
    mix(top, bottom, ty)
}

/// `octaves` layers of [`noise`], each twice as fine and half as strong; about -1..1.
pub(crate) fn fractal(seed: u32, x: f32, y: f32, octaves: u32) -> f32 {
    let (mut sum, mut size, mut scale) = (0.0, 0.5, 1.0);
    for octave in 0..octaves {
        sum += size * noise(seed.wrapping_add(octave), x * scale, y * scale);
        size *= 0.5;
        scale *= 2.0;
    }
    sum * 1.4
}

/// `f32::floor` is a function call on plain x86-64, and noise asks it millions of times.
fn floor(x: f32) -> i32 {
    let whole = x as i32;
    whole - i32::from(x < whole as f32)
}

fn fade(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

pub(crate) fn mix(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

pub(crate) fn blend(a: Rgb, b: Rgb, t: f32) -> Rgb {
    [mix(a[0], b[0], t), mix(a[1], b[1], t), mix(a[2], b[2], t)]
}

pub(crate) fn scale(a: Rgb, k: f32) -> Rgb {
    [a[0] * k, a[1] * k, a[2] * k]
}

pub(crate) fn multiply(a: Rgb, b: Rgb) -> Rgb {
    [a[0] * b[0], a[1] * b[1], a[2] * b[2]]
}

pub(crate) fn add(a: Rgb, b: Rgb) -> Rgb {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

/// 0 up to `lo`, 1 from `hi`, an S between; `lo > hi` turns it round.
pub(crate) fn smooth(lo: f32, hi: f32, x: f32) -> f32 {
    fade(((x - lo) / (hi - lo)).clamp(0.0, 1.0))
}

/// A sum of squares' root: `f32::hypot` is a platform call, the square root is exact everywhere.
pub(crate) fn length(x: f32, y: f32) -> f32 {
    (x * x + y * y).sqrt()
}

/// A smooth function through points, tabulated.
#[derive(Debug, Clone)]
pub(crate) struct Curve {
    lo: f32,
    per_unit: f32,
    values: Vec<f32>,
}

impl Curve {
    /// Catmull-Rom through `points` (ascending first coordinate), constant beyond both ends.
    pub(crate) fn through(points: &[(f32, f32)]) -> Self {
        const STEPS: usize = 1024;
        let (lo, hi) = (points[0].0, points[points.len() - 1].0);
        let values = (0..=STEPS)
            .map(|step| interpolate(points, lo + (hi - lo) * step as f32 / STEPS as f32))
            .collect();
        Self {
            lo,
            per_unit: STEPS as f32 / (hi - lo),
            values,
        }
    }

    /// Value and slope at `x`.
    pub(crate) fn at(&self, x: f32) -> (f32, f32) {
        let last = self.values.len() - 1;
        let position = (x - self.lo) * self.per_unit;
        if position <= 0.0 {
            return (self.values[0], 0.0);
        }
        if position >= last as f32 {
            return (self.values[last], 0.0);
        }
        let index = (position as usize).min(last - 1);
        let step = self.values[index + 1] - self.values[index];
        (
            self.values[index] + step * (position - index as f32),
            step * self.per_unit,
        )
    }

    /// Signed distance from the curve, near it: positive where `y` lies above the curve.
    pub(crate) fn above(&self, x: f32, y: f32) -> f32 {
        let (value, slope) = self.at(x);
        (y - value) / (1.0 + slope * slope).sqrt()
    }
}

fn interpolate(points: &[(f32, f32)], x: f32) -> f32 {
    let last = points.len() - 1;
    let right = points
        .iter()
        .position(|point| point.0 >= x)
        .unwrap_or(last)
        .max(1);
    let (a, b) = (points[right - 1], points[right]);
    let slope = |p: (f32, f32), q: (f32, f32)| (q.1 - p.1) / (q.0 - p.0).max(1e-6);
    let before = slope(points[right.saturating_sub(2)], b);
    let after = slope(a, points[(right + 1).min(last)]);
    let (width, t) = (b.0 - a.0, (x - a.0) / (b.0 - a.0).max(1e-6));
    let (t2, t3) = (t * t, t * t * t);
    (2.0 * t3 - 3.0 * t2 + 1.0) * a.1
        + (t3 - 2.0 * t2 + t) * width * before
        + (3.0 * t2 - 2.0 * t3) * b.1
        + (t3 - t2) * width * after
}
