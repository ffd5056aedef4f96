//! One picture's contents, chosen from a seed: car, paint, light, stand, damage. How: each choice has its
//! own random stream, so that two kinds of one seed show the same car.

use crate::backdrop::backdrop;
use crate::car::Car;
use crate::dent::Dent;
use crate::gap::Gap;
use crate::light::Light;
use crate::math::{Rgb, Rng, blend, fractal, smooth};
use crate::paint::{Paint, body, cover};
use crate::scratch::Scuff;
use crate::view::{PlanePoint, View};
use crate::wheel::{Rim, wheel};
use crate::{Kind, SampleSpec};

/// Everything that can be seen.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) view: View,
    pub(crate) car: Car,
    pub(crate) light: Light,
    pub(crate) paint: Paint,
    pub(crate) rim: Rim,
    pub(crate) dents: Vec<Dent>,
    pub(crate) gap: Option<Gap>,
    pub(crate) scuffs: Vec<Scuff>,
    pub(crate) dust: f32,
    pub(crate) chrome: f32,
    pub(crate) grain: f32,
    /// Side of paving tiles, metres; 0 for asphalt.
    pub(crate) tile: f32,
    /// Something outside the picture throws its shadow on the car.
    cast: Option<(f32, f32, f32)>,
    pub(crate) seed: u32,
}

/// Where on the car's side a picture is centred: (x, y) in metres.
const STANDS: [(f32, f32); 5] = [(1.15, 0.66), (0.75, 0.6), (2.0, 0.7), (2.8, 0.68), (3.35, 0.66)];

impl Scene {
    /// `vehicle` decides the car, its paint and its wheels; the seed of `spec` all else.
    pub(crate) fn new(spec: &SampleSpec, vehicle: u64) -> Self {
        let mut rng = Rng::new(spec.seed, 1);
        let stand = STANDS[rng.index(STANDS.len())];
        let centre = (stand.0 + rng.range(-0.2, 0.2), stand.1 + rng.range(-0.08, 0.08));
        let span = rng.range(1.1, 2.1);
        let view = View::new(&mut rng, (spec.width, spec.height), centre, span);
        let mut scene = Self {
            view,
            car: Car::new(&mut Rng::new(vehicle, 2)),
            light: Light::new(&mut Rng::new(spec.seed, 3)),
            paint: Paint::new(&mut Rng::new(vehicle, 4)),
            rim: Rim::new(&mut Rng::new(vehicle, 5)),
            dents: Vec::new(),
            gap: None,
            scuffs: Vec::new(),
            dust: rng.range(0.0, 0.45),
            chrome: if rng.chance(0.3) { 1.0 } else { 0.0 },
            grain: rng.range(0.3, 1.0),
            tile: if rng.chance(0.3) {
                rng.range(0.12, 0.45)
            } else {
                0.0
            },
            cast: rng
                .chance(0.2)
                .then(|| (rng.range(-0.8, 0.8), rng.range(-0.6, 0.6), rng.range(0.45, 0.75))),
            seed: rng.seed(),
        };
        scene.damage(spec);
        scene
    }

    fn damage(&mut self, spec: &SampleSpec) {
        let mut rng = Rng::new(spec.seed, 6);
        match spec.kind {
            Kind::Clean | Kind::Dark | Kind::Blurred => {}
            Kind::Scratch => self.scratch(&mut rng),
            Kind::Dent => self.dent(&mut rng),
            Kind::Spacing => self.open_seam(&mut rng),
            Kind::Mixed => {
                self.dent(&mut rng);
                self.scratch(&mut rng);
                if rng.chance(0.5) {
                    self.open_seam(&mut rng);
                }
            }
        }
    }

    fn scratch(&mut self, rng: &mut Rng) {
        let size = self.view.span * rng.range(0.17, 0.28);
        let at = match self.dents.first() {
            Some(dent) => (dent.x + rng.range(-0.1, 0.1), dent.y + rng.range(-0.08, 0.08)),
            None => self.place(rng, 0.07),
        };
        self.scuffs.push(Scuff::new(rng, at, size, self.paint.is_dark()));
        // A second touch is common: the other car moved on.
        let beside = (at.0 + rng.range(-0.9, 0.9) * size, at.1 + rng.range(-0.2, 0.2));
        if rng.chance(0.5) && self.car.is_painted(beside.0, beside.1, 0.04) {
            let lesser = size * rng.range(0.3, 0.6);
            self.scuffs
                .push(Scuff::new(rng, beside, lesser, self.paint.is_dark()));
        }
    }

    fn dent(&mut self, rng: &mut Rng) {
        let size = (self.view.span * rng.range(0.15, 0.22)).min(0.42);
        let at = self.place(rng, size * 0.45);
        self.dents.push(Dent::new(rng, at, size));
    }

    /// Opens the seam that runs nearest to the picture's middle.
    fn open_seam(&mut self, rng: &mut Rng) {
        let middle = self.view.centre;
        let distance = |index: usize| {
            let seam = &self.car.seams[index];
            let along = if seam.upright {
                (seam.from + seam.to.min(0.9)) * 0.5
            } else {
                (seam.from + seam.to) * 0.5
            };
            let at = seam.curve.at(along).0;
            let (x, y) = if seam.upright { (at, along) } else { (along, at) };
            crate::math::length(x - middle.0, y - middle.1)
        };
        // The sill's seam (3) does not open in real life.
        let nearest = (0..self.car.seams.len())
            .filter(|&index| index != 3)
            .min_by(|&a, &b| distance(a).total_cmp(&distance(b)))
            .unwrap_or(0);
        self.gap = Some(Gap::new(rng, &self.car, nearest));
    }

    /// A painted place near the picture's middle, `reach` metres clear of edges if one is found.
    fn place(&self, rng: &mut Rng, reach: f32) -> (f32, f32) {
        let (cx, _) = self.view.centre;
        for attempt in 0..60 {
            let x = cx + self.view.span * rng.range(-0.27, 0.27);
            let y = rng.range(0.36, 0.86);
            if self.car.is_painted(x, y, reach * (1.0 - attempt as f32 / 80.0)) {
                return (x, y);
            }
        }
        // The doors' middle is always painted.
        (self.car.pillar, 0.62)
    }

    /// Share of the light that reaches a point of the side past things outside the picture.
    pub(crate) fn shade(&self, x: f32, y: f32) -> f32 {
        let Some((offset, slant, dark)) = self.cast else {
            return 1.0;
        };
        let ragged = 0.08 * fractal(self.seed ^ 91, x * 2.5, y * 2.5, 3);
        let across = x - self.view.centre.0 - offset + slant * (y - 0.6) + ragged;
        1.0 - dark * smooth(-0.015, 0.015, across)
    }

    /// Linear colour at a picture point, and whether it is painted sheet metal.
    pub(crate) fn colour(&self, px: f32, py: f32) -> (Rgb, bool) {
        let point = self.view.plane(px, py);
        let inside = cover(self.car.outside(point.x, point.y), point.pixel);
        let mut colour = if inside < 1.0 {
            backdrop(self, point)
        } else {
            [0.0; 3]
        };
        let arch = self.car.arch_gap(point.x, point.y).0;
        let hollow = cover(arch, point.pixel);
        if inside > 0.0 && hollow < 1.0 {
            colour = blend(colour, body(self, point), inside);
        }
        if arch < point.pixel {
            let which = self.car.wheels[usize::from(point.x >= 2.1)];
            let (seen, share) = wheel(self, which, point, inside);
            colour = blend(colour, seen, share);
        }
        (colour, inside > 0.5 && hollow < 0.5 && self.is_panel(point))
    }

    fn is_panel(&self, point: PlanePoint) -> bool {
        self.car.outside_glass(point.x, point.y) > 0.006 && !self.car.is_lamp(point.x, point.y, 0.0)
    }
}
