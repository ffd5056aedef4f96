//! Tensors: exact values on drawn pictures, what they cover, and agreement with a plain reference.

use half::f16;
use image::{Rgb, RgbImage};
use walkaround_domain::{Size, UnitRect};
use walkaround_vision::tensor::{
    ChannelOrder, Element, Filter, InputSpec, Layout, Resize, TensorData, TensorSlice, prepare,
};

const SPEC: InputSpec = InputSpec {
    size: Size::new(4, 2),
    resize: Resize::Stretch,
    filter: Filter::Bilinear,
    channels: ChannelOrder::Rgb,
    layout: Layout::Nchw,
    element: Element::F32,
    scale: 1.0,
    mean: [0.0; 3],
    std: [1.0; 3],
};

/// Red encodes the column, green the row.
fn numbered(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, 100 + y as u8, 200]))
}

fn noise(width: u32, height: u32) -> RgbImage {
    let mut state = 1_u32;
    RgbImage::from_fn(width, height, |_, _| {
        Rgb([0; 3].map(|_: u8| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        }))
    })
}

fn floats(pixels: &RgbImage, region: UnitRect, spec: &InputSpec) -> (Vec<f32>, UnitRect) {
    let mut values = vec![f32::NAN; spec.slot_len()];
    let covers = prepare(pixels, region, spec, TensorSlice::F32(&mut values));
    (values, covers)
}

#[track_caller]
fn assert_covers(covers: UnitRect, expected: [f32; 4]) {
    let found = [covers.x0, covers.y0, covers.x1, covers.y1];
    for (found_edge, edge) in found.iter().zip(expected) {
        assert!(
            (found_edge - edge).abs() < 1e-5,
            "{found:?}, expected {expected:?}"
        );
    }
}

#[test]
fn planes_and_interleaved_pixels_in_both_channel_orders() {
    let picture = numbered(4, 2);
    let columns = [0.0, 1.0, 2.0, 3.0, 0.0, 1.0, 2.0, 3.0];
    let rows = [100.0, 100.0, 100.0, 100.0, 101.0, 101.0, 101.0, 101.0];
    let planes = |order: [&[f32; 8]; 3]| order.into_iter().flatten().copied().collect::<Vec<f32>>();
    assert_eq!(
        floats(&picture, UnitRect::WHOLE, &SPEC).0,
        planes([&columns, &rows, &[200.0; 8]])
    );
    let bgr = InputSpec {
        channels: ChannelOrder::Bgr,
        ..SPEC
    };
    assert_eq!(
        floats(&picture, UnitRect::WHOLE, &bgr).0,
        planes([&[200.0; 8], &rows, &columns])
    );

    let together: Vec<f32> = picture.as_raw().iter().map(|sample| f32::from(*sample)).collect();
    let nhwc = InputSpec {
        layout: Layout::Nhwc,
        ..SPEC
    };
    assert_eq!(floats(&picture, UnitRect::WHOLE, &nhwc).0, together);
    let reversed: Vec<f32> = together
        .chunks(3)
        .flat_map(|pixel| [pixel[2], pixel[1], pixel[0]])
        .collect();
    let nhwc_bgr = InputSpec {
        layout: Layout::Nhwc,
        channels: ChannelOrder::Bgr,
        ..SPEC
    };
    assert_eq!(floats(&picture, UnitRect::WHOLE, &nhwc_bgr).0, reversed);
}

#[test]
fn normalisation_follows_the_channels_of_the_tensor() {
    let picture = RgbImage::from_pixel(8, 8, Rgb([51, 102, 255]));
    let spec = InputSpec {
        size: Size::new(1, 1),
        channels: ChannelOrder::Bgr,
        scale: 1.0 / 255.0,
        mean: [0.5, 0.1, 0.2],
        std: [0.25, 0.5, 1.0],
        ..SPEC
    };
    let expected = [(1.0 - 0.5) / 0.25, (0.4 - 0.1) / 0.5, 0.0];
    for (found, expected) in floats(&picture, UnitRect::WHOLE, &spec)
        .0
        .into_iter()
        .zip(expected)
    {
        assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
    }
}

#[test]
fn halves_and_bytes() {
    let picture = RgbImage::from_pixel(8, 8, Rgb([10, 100, 250]));
    let spec = InputSpec {
        size: Size::new(2, 1),
        layout: Layout::Nhwc,
        scale: 1.25,
        mean: [20.0, 0.0, 0.0],
        ..SPEC
    };
    let exact = [-7.5, 125.0, 312.5, -7.5, 125.0, 312.5];
    assert_eq!(floats(&picture, UnitRect::WHOLE, &spec).0, exact);
    let mut halves = TensorData::new(Element::F16, 12);
    prepare(
        &picture,
        UnitRect::WHOLE,
        &InputSpec {
            element: Element::F16,
            ..spec
        },
        halves.slot(1, 6),
    );
    let TensorData::F16(halves) = halves else {
        panic!("asked for halves")
    };
    assert_eq!(halves[..6], [f16::ZERO; 6]);
    assert_eq!(halves[6..], exact.map(f16::from_f32));
    let mut bytes = TensorData::new(Element::U8, 6);
    let spec = InputSpec {
        element: Element::U8,
        mean: [20.0, 0.4, 0.0],
        ..spec
    };
    prepare(&picture, UnitRect::WHOLE, &spec, bytes.slot(0, 6));
    assert_eq!(bytes, TensorData::U8(vec![0, 125, 255, 0, 125, 255]));
}

#[test]
fn a_batch_keeps_its_photos_apart() {
    let mut batch = TensorData::new(Element::F32, 3 * SPEC.slot_len());
    assert_eq!((batch.len(), batch.is_empty()), (72, false));
    for (index, value) in [(2, 30), (0, 10), (1, 20)] {
        let picture = RgbImage::from_pixel(5, 5, Rgb([value; 3]));
        prepare(
            &picture,
            UnitRect::WHOLE,
            &SPEC,
            batch.slot(index, SPEC.slot_len()),
        );
    }
    let expected = [10.0, 20.0, 30.0]
        .into_iter()
        .flat_map(|value| [value; 24])
        .collect();
    assert_eq!(batch, TensorData::F32(expected));
}

#[test]
#[should_panic(expected = "elements are not those")]
fn a_slot_of_another_type_is_a_mistake_of_the_caller() {
    prepare(
        &numbered(4, 2),
        UnitRect::WHOLE,
        &SPEC,
        TensorSlice::U8(&mut [0; 24]),
    );
}

#[test]
fn stretch_covers_the_region() {
    let picture = numbered(80, 60);
    let region = UnitRect {
        x0: 0.25,
        y0: 0.5,
        x1: 0.3,
        y1: 0.5 + 2.0 / 60.0,
    };
    let (values, covers) = floats(&picture, region, &SPEC);
    assert_covers(covers, [0.25, 0.5, 0.3, 0.5 + 2.0 / 60.0]);
    // Four by two pixels, copied as they are.
    assert_eq!(values[..8], [20.0, 21.0, 22.0, 23.0, 20.0, 21.0, 22.0, 23.0]);
    assert_eq!(
        values[8..16],
        [130.0, 130.0, 130.0, 130.0, 131.0, 131.0, 131.0, 131.0]
    );
}

#[test]
fn a_region_is_clipped_to_the_photo() {
    let picture = numbered(80, 60);
    let region = UnitRect {
        x0: -0.5,
        y0: 0.9,
        x1: 0.5,
        y1: 7.0,
    };
    assert_covers(floats(&picture, region, &SPEC).1, [0.0, 0.9, 0.5, 1.0]);
    let outside = UnitRect {
        x0: 2.0,
        y0: f32::NAN,
        x1: 3.0,
        y1: f32::NAN,
    };
    let (values, covers) = floats(&picture, outside, &SPEC);
    assert!(values.iter().all(|value| value.is_finite()) && values[0] == 79.0);
    assert!(covers.x0 > 0.98 && covers.x1 <= 1.0 && covers.y0 == 0.0);
}

#[test]
fn letterbox_covers_more_than_the_region() {
    // 80 x 40 into 8 x 8: four rows of picture between two bars of two rows.
    let picture = RgbImage::from_pixel(80, 40, Rgb([7, 8, 9]));
    let spec = InputSpec {
        size: Size::new(8, 8),
        resize: Resize::Letterbox { fill: 114 },
        ..SPEC
    };
    for layout in [Layout::Nchw, Layout::Nhwc] {
        let (values, covers) = floats(&picture, UnitRect::WHOLE, &InputSpec { layout, ..spec });
        assert_covers(covers, [0.0, -0.5, 1.0, 1.5]);
        for (channel, value) in [7.0, 8.0, 9.0].into_iter().enumerate() {
            for i in 0..64 {
                let index = if layout == Layout::Nchw {
                    64 * channel + i
                } else {
                    3 * i + channel
                };
                let expected = if (16..48).contains(&i) { value } else { 114.0 };
                assert_eq!(values[index], expected, "{layout:?} channel {channel} pixel {i}");
            }
        }
    }
    // A tall region: one column of picture in eight, with the odd bar on the right.
    let region = UnitRect {
        x0: 0.5,
        y0: 0.0,
        x1: 0.5625,
        y1: 1.0,
    };
    let (values, covers) = floats(&picture, region, &spec);
    assert_eq!(
        values[..8],
        [114.0, 114.0, 114.0, 7.0, 114.0, 114.0, 114.0, 114.0]
    );
    assert_covers(covers, [0.5 - 3.0 * 0.0625, 0.0, 0.5 + 5.0 * 0.0625, 1.0]);
}

#[test]
fn crop_covers_the_centre() {
    let picture = numbered(80, 40);
    let spec = InputSpec {
        size: Size::new(40, 40),
        resize: Resize::Crop,
        ..SPEC
    };
    let (values, covers) = floats(&picture, UnitRect::WHOLE, &spec);
    assert_covers(covers, [0.25, 0.0, 0.75, 1.0]);
    assert_eq!((values[0], values[39]), (20.0, 59.0));
    let region = UnitRect {
        x0: 0.0,
        y0: 0.5,
        x1: 1.0,
        y1: 1.0,
    };
    let wide = InputSpec {
        size: Size::new(10, 40),
        ..spec
    };
    assert_covers(floats(&picture, region, &wide).1, [0.46875, 0.5, 0.53125, 1.0]);
}

/// Pillow's resize in floating point: one direction after the other, filter widened with the reduction, weights
/// normalised; `support` is that of the filter at scale 1.
fn resized(values: &[f64], (width, height): (usize, usize), spec: &InputSpec) -> Vec<f64> {
    let (to_width, to_height) = (spec.size.width as usize, spec.size.height as usize);
    let rows: Vec<Vec<f64>> = values
        .chunks(3 * width)
        .flat_map(|row| {
            let channel = |c| row.iter().skip(c).step_by(3).copied().collect::<Vec<f64>>();
            (0..3).map(move |c| line(&channel(c), to_width, spec.filter))
        })
        .collect();
    let mut planes = Vec::new();
    for c in 0..3 {
        let columns: Vec<Vec<f64>> = (0..to_width)
            .map(|x| {
                let column: Vec<f64> = (0..height).map(|y| rows[3 * y + c][x]).collect();
                line(&column, to_height, spec.filter)
            })
            .collect();
        planes.extend(
            (0..to_height).flat_map(|y| columns.iter().map(move |column| column[y]).collect::<Vec<_>>()),
        );
    }
    planes
}

fn line(values: &[f64], to: usize, filter: Filter) -> Vec<f64> {
    let scale = values.len() as f64 / to as f64;
    let stretch = match filter {
        Filter::Linear | Filter::Interpolate => 1.0,
        Filter::Bilinear | Filter::Pillow | Filter::Area => scale.max(1.0),
    };
    let weight = |x: f64| match filter {
        Filter::Bilinear | Filter::Pillow | Filter::Linear | Filter::Interpolate => (1.0 - x.abs()).max(0.0),
        Filter::Area => f64::from(u8::from(x > -0.5 && x <= 0.5)),
    };
    (0..to)
        .map(|i| {
            let centre = (i as f64 + 0.5) * scale;
            let weights: Vec<f64> = (0..values.len())
                .map(|j| weight((j as f64 + 0.5 - centre) / stretch))
                .collect();
            let sum: f64 = weights.iter().sum();
            values
                .iter()
                .zip(&weights)
                .map(|(value, weight)| value * weight)
                .sum::<f64>()
                / sum
        })
        .collect()
}

#[test]
fn resizing_agrees_with_the_reference() {
    let picture = noise(150, 110);
    let values: Vec<f64> = picture.as_raw().iter().map(|sample| f64::from(*sample)).collect();
    for filter in [Filter::Bilinear, Filter::Linear, Filter::Area] {
        for size in [
            Size::new(40, 40),
            Size::new(75, 55),
            Size::new(149, 33),
            Size::new(200, 130),
        ] {
            let spec = InputSpec { size, filter, ..SPEC };
            let expected = resized(&values, (150, 110), &spec);
            let (found, _) = floats(&picture, UnitRect::WHOLE, &spec);
            let sum: f64 = found
                .iter()
                .zip(&expected)
                .map(|(a, b)| (f64::from(*a) - b).abs())
                .sum();
            let mean = sum / expected.len() as f64;
            assert!(mean < 1.0, "{filter:?} {size:?}: {mean} of 255");
        }
    }
}

#[test]
fn fractions_of_a_pixel_in_the_region_count() {
    // A ramp of 2 a column: the mean over columns 10.5 to 14.5 is 24 (the centre, 12.5, is between two pixels).
    let ramp = RgbImage::from_fn(100, 10, |x, _| Rgb([2 * x as u8; 3]));
    let spec = InputSpec {
        size: Size::new(1, 1),
        filter: Filter::Bilinear,
        ..SPEC
    };
    let region = UnitRect {
        x0: 0.105,
        y0: 0.0,
        x1: 0.145,
        y1: 1.0,
    };
    assert_eq!(floats(&ramp, region, &spec).0, [24.0; 3]);
}

#[test]
fn any_region_of_any_picture_can_be_prepared() {
    let picture = noise(97, 61);
    let mut state = 3_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 16_777_216.0 * 1.4 - 0.2
    };
    for i in 0..600 {
        let region = UnitRect {
            x0: next(),
            y0: next(),
            x1: next(),
            y1: next(),
        };
        let resize = [Resize::Stretch, Resize::Letterbox { fill: 0 }, Resize::Crop][i % 3];
        let spec = InputSpec {
            size: Size::new(1 + i as u32 % 7, 1 + i as u32 % 11),
            resize,
            ..SPEC
        };
        let (values, covers) = floats(&picture, region, &spec);
        assert!(
            values.iter().all(|value| value.is_finite()),
            "{region:?} {spec:?}"
        );
        assert!(
            covers.width() > 0.0 && covers.height() > 0.0,
            "{region:?} {spec:?}: {covers:?}"
        );
    }
}
