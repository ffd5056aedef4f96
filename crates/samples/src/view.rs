//! The camera's stand: where a picture point lies on the car's side, and back. How: the side is a plane
//! (metres; x along the car from its nose, y up from the ground) seen under a turn about the upright axis.

use crate::math::Rng;

/// A stand of the camera.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) width: f32,
    pub(crate) height: f32,
    /// Metres of car side across the picture's middle row.
    pub(crate) span: f32,
    pub(crate) centre: (f32, f32),
    /// Height of the eye over the ground, metres: the horizon's place.
    pub(crate) eye: f32,
    /// Distance to the car's side, metres.
    pub(crate) distance: f32,
    turn: f32,
    roll: (f32, f32),
    mirrored: bool,
}

/// A point of the car's side plane under a pixel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlanePoint {
    pub(crate) x: f32,
    pub(crate) y: f32,
    /// Metres per pixel here.
    pub(crate) pixel: f32,
}

impl View {
    /// A random stand that looks at `centre` and sees `span` metres.
    pub(crate) fn new(rng: &mut Rng, size: (u32, u32), centre: (f32, f32), span: f32) -> Self {
        let angle = rng.range(-0.05, 0.05);
        Self {
            width: size.0 as f32,
            height: size.1 as f32,
            span,
            centre,
            eye: rng.range(1.25, 1.6),
            distance: span * rng.range(1.0, 1.3),
            turn: rng.range(-0.55, 0.55),
            roll: (libm::cosf(angle), libm::sinf(angle)),
            mirrored: rng.chance(0.5),
        }
    }

    fn drop(&self) -> f32 {
        (self.eye - self.centre.1) / self.span
    }

    /// The plane point under the picture point (pixels).
    pub(crate) fn plane(&self, px: f32, py: f32) -> PlanePoint {
        let across = (px - self.width * 0.5) / self.width;
        let across = if self.mirrored { -across } else { across };
        let up = (self.height * 0.5 - py) / self.width;
        let u = across * self.roll.0 + up * self.roll.1;
        let v = up * self.roll.0 - across * self.roll.1;
        let depth = 1.0 / (1.0 + self.turn * u);
        PlanePoint {
            x: self.centre.0 + self.span * u * depth,
            y: self.eye + self.span * (v - self.drop()) * depth,
            pixel: self.span * depth / self.width,
        }
    }

    /// The picture point (pixels) of a plane point, and pixels per metre there.
    pub(crate) fn picture(&self, x: f32, y: f32) -> (f32, f32, f32) {
        let a = (x - self.centre.0) / self.span;
        let u = a / (1.0 - self.turn * a);
        let depth = 1.0 + self.turn * u;
        let v = self.drop() + (y - self.eye) * depth / self.span;
        let across = u * self.roll.0 - v * self.roll.1;
        let up = v * self.roll.0 + u * self.roll.1;
        let across = if self.mirrored { -across } else { across };
        let px = self.width * (0.5 + across);
        (
            px,
            self.height * 0.5 - up * self.width,
            self.width * depth / self.span,
        )
    }
}
