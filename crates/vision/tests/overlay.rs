//! Overlays: a golden picture by tolerance, and what must hold for odd pictures and findings.
//!
//! `UPDATE_GOLDEN=1 cargo test -p walkaround-vision --test overlay` redraws the golden picture.

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{Rgb, RgbImage};
use walkaround_domain::{Finding, PixelBox, Point, Polygon, Rle, Size};
use walkaround_vision::mask::{ClassSpec, MaskPolicy, Report};
use walkaround_vision::overlay::{Marks, OverlayStyle, encode_jpeg, render};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/overlay.png");

/// Mean difference of a channel, of 255, that the golden picture may show: room for other arithmetic.
const GOLDEN_TOLERANCE: f64 = 0.5;

fn classes() -> Vec<ClassSpec> {
    let policy = MaskPolicy {
        threshold: 0.5,
        hysteresis: None,
        closing: 0.0,
        area_min: 0.0,
        grid: 512,
    };
    [
        ("scratch", [255, 190, 11]),
        ("dent", [58, 134, 255]),
        ("spacing", [255, 0, 110]),
    ]
    .map(|(name, colour)| ClassSpec {
        name: name.into(),
        colour,
        report: Report::Always,
        policy,
    })
    .to_vec()
}

/// A smooth grey picture.
fn photo(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let shade = 90 + (x * 80 / width + y * 50 / height) as u8;
        Rgb([shade, shade, shade])
    })
}

fn ring(points: &[(f32, f32)]) -> Vec<Point> {
    points.iter().map(|&(x, y)| Point { x, y }).collect()
}

fn square(x: f32, y: f32, side: f32) -> Vec<Point> {
    ring(&[(x, y), (x + side, y), (x + side, y + side), (x, y + side)])
}

/// A finding as drawing sees it: class, probability, polygons.
fn finding(class: &str, polygons: Vec<Polygon>) -> Finding {
    Finding {
        class: class.into(),
        probability: 0.87,
        area_px: 1,
        area_share: 0.0,
        bbox: PixelBox {
            x: 0,
            y: 0,
            width: 1,
            height: 1,
        },
        outlined: true,
        polygons,
        rle: Rle {
            size: Size::new(1, 1),
            counts: vec![0, 1],
        },
    }
}

fn square_finding(class: &str, x: f32, y: f32, side: f32) -> Finding {
    finding(
        class,
        vec![Polygon {
            outer: square(x, y, side),
            holes: vec![],
        }],
    )
}

fn draw(pixels: &RgbImage, original: Size, findings: &[Finding]) -> RgbImage {
    let headline = "damaged · 3 findings · demo 2026.11.0 (demonstration)";
    let classes = classes();
    render(
        pixels,
        Marks {
            original,
            findings,
            classes: &classes,
            headline,
        },
        &OverlayStyle::default(),
    )
}

#[test]
fn the_overlay_looks_as_it_did() {
    let hole = vec![ring(&[
        (500.0, 380.0),
        (500.0, 520.0),
        (700.0, 520.0),
        (700.0, 380.0),
    ])];
    let outer = ring(&[
        (340.0, 300.0),
        (900.0, 280.0),
        (980.0, 460.0),
        (860.0, 640.0),
        (380.0, 600.0),
    ]);
    let findings = [
        finding("scratch", vec![Polygon { outer, holes: hole }]),
        finding(
            "dent",
            vec![Polygon {
                outer: ring(&[(60.0, 60.0), (300.0, 40.0), (200.0, 160.0)]),
                holes: vec![],
            }],
        ),
        square_finding("spacing", 1100.0, 760.0, 90.0),
    ];
    // One colour, so that the file stays small.
    let plain = RgbImage::from_pixel(320, 240, Rgb([128, 132, 138]));
    let drawn = draw(&plain, Size::new(1280, 960), &findings);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let file = std::fs::File::create(GOLDEN).unwrap();
        let encoder = PngEncoder::new_with_quality(file, CompressionType::Best, FilterType::Adaptive);
        drawn.write_with_encoder(encoder).unwrap();
    }
    let golden = image::open(GOLDEN)
        .expect("run once with UPDATE_GOLDEN=1")
        .to_rgb8();
    assert_eq!(drawn.dimensions(), golden.dimensions());
    let difference: u64 = drawn
        .iter()
        .zip(golden.iter())
        .map(|(a, b)| u64::from(a.abs_diff(*b)))
        .sum();
    let mean = difference as f64 / drawn.len() as f64;
    assert!(mean <= GOLDEN_TOLERANCE, "mean difference {mean:.3}");
}

#[test]
fn regions_are_tinted_and_holes_are_not() {
    let hole = vec![ring(&[
        (350.0, 350.0),
        (350.0, 450.0),
        (450.0, 450.0),
        (450.0, 350.0),
    ])];
    let region = finding(
        "spacing",
        vec![Polygon {
            outer: square(200.0, 200.0, 400.0),
            holes: hole,
        }],
    );
    let plain = photo(800, 800);
    let drawn = draw(&plain, Size::new(800, 800), &[region]);
    assert_eq!(drawn.get_pixel(400, 400), plain.get_pixel(400, 400), "hole");
    assert_eq!(drawn.get_pixel(400, 700), plain.get_pixel(400, 700), "outside");
    let (from, tinted) = (plain.get_pixel(270, 300), drawn.get_pixel(270, 300));
    let expected = [255.0, 0.0, 110.0].map(|c: f32| f32::from(from[0]) * 0.65 + c * 0.35);
    for (channel, expected) in tinted.0.into_iter().zip(expected) {
        assert!((f32::from(channel) - expected).abs() <= 2.5, "{tinted:?}");
    }
    assert_eq!(drawn.get_pixel(400, 599).0, [255, 0, 110], "outline");
}

#[test]
fn without_findings_only_the_bar_is_added() {
    let plain = photo(900, 700);
    let drawn = draw(&plain, Size::new(4000, 3111), &[]);
    assert_eq!(drawn.width(), 900);
    assert!((720..760).contains(&drawn.height()));
    let photo_part = image::imageops::crop_imm(&drawn, 0, 0, 900, 700).to_image();
    assert_eq!(photo_part, plain);
    let bar = image::imageops::crop_imm(&drawn, 0, 700, 900, drawn.height() - 700).to_image();
    assert!(bar.pixels().any(|pixel| pixel[0] > 200), "headline");
}

#[test]
fn pictures_end_up_between_the_two_sizes() {
    let photo_size = |width, height| {
        let drawn = draw(
            &photo(width, height),
            Size::new(width, height),
            &[square_finding("dent", 0.0, 0.0, 9.0)],
        );
        // The bar is the same share of the picture everywhere, 1.9 lines.
        (drawn.width(), drawn.height())
    };
    assert_eq!(photo_size(3200, 2400), (1600, 1200 + 42));
    assert_eq!(photo_size(1200, 1600), (1200, 1600 + 42));
    assert_eq!(photo_size(1, 1), (640, 640 + 26));
    assert_eq!(photo_size(1600, 3), (1600, 3 + 42));
    assert_eq!(photo_size(3, 5000), (1, 1600 + 42));
}

#[test]
fn odd_findings_draw_what_they_can() {
    let wild = ring(&[
        (f32::NAN, 1.0),
        (f32::INFINITY, -1e30),
        (-1e30, f32::NEG_INFINITY),
        (5.0, 5.0),
    ]);
    let findings = [
        finding("dent", vec![]),
        finding(
            "no such class",
            vec![Polygon {
                outer: vec![],
                holes: vec![vec![]],
            }],
        ),
        finding(
            "scratch",
            vec![Polygon {
                outer: ring(&[(3.0, 3.0)]),
                holes: vec![],
            }],
        ),
        finding(
            "scratch",
            vec![Polygon {
                outer: wild,
                holes: vec![],
            }],
        ),
        square_finding("Spaltmaß 損傷", 10.0, 10.0, 20.0),
    ];
    let drawn = draw(&photo(50, 40), Size::new(50, 40), &findings);
    assert_eq!(drawn.width(), 640);
    assert_eq!(draw(&photo(50, 40), Size::new(0, 0), &findings).width(), 640);
}

#[test]
fn labels_stay_apart() {
    // Regions in a corner: their tags must go elsewhere, none over another. Yellow (tags) over grey is
    // counted: two tags on one place would cover less.
    let tags = |findings: &[Finding]| {
        let drawn = draw(&photo(800, 600), Size::new(800, 600), findings);
        drawn.pixels().filter(|pixel| pixel.0 == [255, 190, 11]).count()
    };
    let one = tags(&[square_finding("scratch", 0.0, 0.0, 12.0)]);
    let three: Vec<Finding> = (0..3)
        .map(|i| square_finding("scratch", 16.0 * i as f32, 0.0, 12.0))
        .collect();
    let share = tags(&three) as f64 / one as f64;
    assert!(share > 2.4, "three labels cover {share:.2} times what one does");
}

#[test]
fn jpeg_files_decode_to_the_picture() {
    let drawn = draw(
        &photo(800, 600),
        Size::new(800, 600),
        &[square_finding("dent", 100.0, 100.0, 300.0)],
    );
    let bytes = encode_jpeg(&drawn, 85).unwrap();
    let back = image::load_from_memory_with_format(&bytes, image::ImageFormat::Jpeg)
        .unwrap()
        .to_rgb8();
    assert_eq!(back.dimensions(), drawn.dimensions());
    let difference: u64 = drawn
        .iter()
        .zip(back.iter())
        .map(|(a, b)| u64::from(a.abs_diff(*b)))
        .sum();
    assert!((difference as f64 / drawn.len() as f64) < 3.0);
    assert!(encode_jpeg(&RgbImage::new(0, 0), 85).is_err());
}
