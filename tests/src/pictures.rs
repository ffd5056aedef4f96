//! Drawn pictures that the seven-network bundle understands, after the recipe of tests/bundles/make_seven.py,
//! and how a camera would store them turned.

use image::{GenericImageView, Pixel, Rgb, RgbImage};
use std::collections::BTreeMap;
use walkaround_domain::{Rle, Size};
use walkaround_messages::{PhotoReport, RleDocument};
use walkaround_vision::rle;

/// Width of the recipe, in pixels.
pub const WIDTH: u32 = 960;
/// Height of the recipe, in pixels.
pub const HEIGHT: u32 = 640;
/// Surroundings of the vehicle.
pub const BACKGROUND: [u8; 3] = [240, 240, 240];

/// A filled rectangle: colour; left, top, right and lower edge, the last two excluded.
#[derive(Debug, Clone, Copy)]
pub struct Mark(pub [u8; 3], pub [u32; 4]);

/// The vehicle.
pub const VEHICLE: Mark = Mark([60, 60, 70], [120, 110, 840, 560]);
/// Seen by `scratch_unet`.
pub const SCRATCH: Mark = Mark([220, 30, 30], [180, 180, 300, 220]);
/// Seen by `scratch_tiled` only.
pub const THIN_SCRATCH: Mark = Mark([220, 30, 30], [200, 450, 460, 454]);
/// Seen by `deeplab` and `dent_bgr`.
pub const DENT: Mark = Mark([30, 200, 30], [400, 180, 520, 300]);
/// Seen by `deeplab`.
pub const SPACING: Mark = Mark([30, 30, 220], [600, 200, 632, 440]);
/// Seen by `glass_f16`; no gate minds it.
pub const GLASS: Mark = Mark([230, 220, 20], [400, 350, 500, 420]);
/// Seen by `dent_bgr`, reported on request; no gate minds it.
pub const WEAR: Mark = Mark([20, 210, 220], [680, 460, 780, 520]);
/// All of them.
pub const MARKS: [Mark; 6] = [SCRATCH, THIN_SCRATCH, DENT, SPACING, GLASS, WEAR];

/// A vehicle with marks on it.
pub fn vehicle_with(marks: &[Mark]) -> RgbImage {
    let mut all = vec![VEHICLE];
    all.extend(marks);
    draw(&all)
}

/// Marks on the background, 960 x 640 pixels.
pub fn draw(marks: &[Mark]) -> RgbImage {
    let scene = Scene::new(marks, 1);
    RgbImage::from_fn(WIDTH, HEIGHT, |x, y| scene.get_pixel(x, y))
}

/// The recipe at any whole scale, without pixels in memory: encoders ask for them one by one.
#[derive(Debug, Clone)]
pub struct Scene {
    marks: Vec<Mark>,
    numerator: u32,
    denominator: u32,
}

impl Scene {
    /// Marks on the background, enlarged `scale` times.
    pub fn new(marks: &[Mark], scale: u32) -> Self {
        Self::scaled(marks, scale, 1)
    }

    /// Marks on the background, enlarged `numerator / denominator` times.
    pub fn scaled(marks: &[Mark], numerator: u32, denominator: u32) -> Self {
        Self {
            marks: marks.to_vec(),
            numerator,
            denominator,
        }
    }
}

impl GenericImageView for Scene {
    type Pixel = Rgb<u8>;

    fn dimensions(&self) -> (u32, u32) {
        let side = |length: u32| length * self.numerator / self.denominator;
        (side(WIDTH), side(HEIGHT))
    }

    fn get_pixel(&self, x: u32, y: u32) -> Rgb<u8> {
        let (x, y) = (
            x * self.denominator / self.numerator,
            y * self.denominator / self.numerator,
        );
        let inside = |Mark(_, [x0, y0, x1, y1]): &&Mark| (*x0..*x1).contains(&x) && (*y0..*y1).contains(&y);
        let colour = self.marks.iter().rev().find(inside).map_or(BACKGROUND, |m| m.0);
        *Rgb::from_slice(&colour)
    }
}

/// The pixels that a camera stores for an upright picture under an EXIF orientation, 1 to 8.
///
/// Written from the EXIF standard's words ("the 0th row is at the visual right-hand side, the 0th column at
/// the visual top" for 6), and not by inverting what the program does.
///
/// # Panics
/// When `orientation` is not 1 to 8.
pub fn stored(upright: &RgbImage, orientation: u8) -> RgbImage {
    let (width, height) = upright.dimensions();
    let (right, bottom) = (width - 1, height - 1);
    let place: fn(u32, u32, u32, u32) -> (u32, u32) = match orientation {
        1 => |c, r, _, _| (c, r),
        2 => |c, r, right, _| (right - c, r),
        3 => |c, r, right, bottom| (right - c, bottom - r),
        4 => |c, r, _, bottom| (c, bottom - r),
        5 => |c, r, _, _| (r, c),
        6 => |c, r, right, _| (right - r, c),
        7 => |c, r, right, bottom| (right - r, bottom - c),
        8 => |c, r, _, bottom| (r, bottom - c),
        other => panic!("no orientation {other}"),
    };
    let (columns, rows) = if orientation < 5 {
        (width, height)
    } else {
        (height, width)
    };
    RgbImage::from_fn(columns, rows, |column, row| {
        let (x, y) = place(column, row, right, bottom);
        *upright.get_pixel(x, y)
    })
}

/// The region of a finding.
///
/// # Panics
/// When its text is malformed.
pub fn region(document: &RleDocument) -> Rle {
    let [height, width] = document.size;
    rle::from_string(Size::new(width, height), &document.counts).expect("the program writes valid codes")
}

/// All findings of each class in one mask.
///
/// # Panics
/// When a report has no size or a malformed code.
pub fn masks(report: &PhotoReport) -> BTreeMap<String, Rle> {
    let size = Size::new(
        report.width.expect("a decoded photo has a width"),
        report.height.expect("a decoded photo has a height"),
    );
    let mut regions: BTreeMap<String, Vec<Rle>> = BTreeMap::new();
    for finding in &report.findings {
        regions
            .entry(finding.class.clone())
            .or_default()
            .push(region(&finding.rle));
    }
    let union = |list: Vec<Rle>| {
        let list: Vec<&Rle> = list.iter().collect();
        rle::union(size, &list).expect("findings have the size of their photo")
    };
    regions
        .into_iter()
        .map(|(class, list)| (class, union(list)))
        .collect()
}

/// Lowest intersection over union of any class between two reports; 0 when the classes differ.
///
/// # Panics
/// When a report has no size or a malformed code.
pub fn agreement(left: &PhotoReport, right: &PhotoReport) -> f64 {
    let (left, right) = (masks(left), masks(right));
    if !left.keys().eq(right.keys())
        || (left.values().next().map(|m| m.size)) != right.values().next().map(|m| m.size)
    {
        return 0.0;
    }
    let worst = |(a, b)| rle::iou(a, b).expect("both have the size of their photo");
    left.values().zip(right.values()).map(worst).fold(1.0, f64::min)
}
