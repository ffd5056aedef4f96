//! Filters that follow a family to the last bit: OpenCV 4.10, Pillow 11.3, and torch but for rounding.

use image::{Rgb, RgbImage};
use walkaround_domain::{Size, UnitRect};
use walkaround_vision::tensor::{
    ChannelOrder, Element, Filter, InputSpec, Layout, Resize, TensorSlice, prepare,
};

fn spec(width: u32, height: u32, filter: Filter) -> InputSpec {
    InputSpec {
        size: Size::new(width, height),
        resize: Resize::Stretch,
        filter,
        channels: ChannelOrder::Rgb,
        layout: Layout::Nhwc,
        element: Element::U8,
        scale: 1.0,
        mean: [0.0; 3],
        std: [1.0; 3],
    }
}

/// Bytes of a linear congruential generator: `state * 1664525 + 1013904223`, the highest eight bits, from state 1.
fn noise() -> RgbImage {
    let mut state = 1_u32;
    RgbImage::from_fn(150, 110, |_, _| {
        Rgb([0; 3].map(|_: u8| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        }))
    })
}

/// FNV-1a over the bytes of the resized picture.
fn digest(region: UnitRect, spec: &InputSpec) -> u64 {
    let mut bytes = vec![0; spec.slot_len()];
    prepare(&noise(), region, spec, TensorSlice::U8(&mut bytes));
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// `cv2.resize(noise, size, interpolation=cv2.INTER_LINEAR)`: smaller, larger, one side only, halved, unchanged.
#[test]
fn bytes_are_those_of_opencv() {
    for (width, height, expected) in [
        (40, 40, 0x70cc_6673_a178_d056),
        (75, 55, 0xff5e_0ac0_608f_bd42),
        (149, 33, 0x52ac_da0d_5f3d_d618),
        (200, 130, 0xc9e2_c53a_3bcb_ad10),
        (150, 110, 0x5f92_a00a_5d45_40ab),
        (75, 110, 0x848c_8307_bdd1_c3e7),
        (64, 48, 0xae20_566a_14c9_4cca),
    ] {
        let found = digest(UnitRect::WHOLE, &spec(width, height, Filter::Linear));
        assert_eq!(found, expected, "{width}x{height}");
    }
}

/// `Image.fromarray(noise).resize(size, Image.BILINEAR)`, and with `box=(30.5, 20.25, 130.5, 84.25)`. Pillow 13 gives other
/// bytes for 149x33 only: see the module.
#[test]
fn bytes_are_those_of_pillow() {
    for (width, height, expected) in [
        (40, 40, 0xe715_f175_24bd_9537),
        (75, 55, 0xe1c7_ce99_f822_6308),
        (149, 33, 0x1a46_669e_19be_79e6),
        (200, 130, 0xfd24_b278_c4ac_d72a),
        (150, 110, 0x5f92_a00a_5d45_40ab),
        (64, 48, 0xb8d7_9272_9a93_529a),
        (7, 3, 0x9a67_62c8_994c_731e),
    ] {
        let found = digest(UnitRect::WHOLE, &spec(width, height, Filter::Pillow));
        assert_eq!(found, expected, "{width}x{height}");
    }
    let region = UnitRect {
        x0: 30.5 / 150.0,
        y0: 20.25 / 110.0,
        x1: 130.5 / 150.0,
        y1: 84.25 / 110.0,
    };
    assert_eq!(
        digest(region, &spec(33, 47, Filter::Pillow)),
        0x2ae4_66d4_0a63_a8f5
    );
}

/// A region of whole pixels is resized as if it had been cut out: `cv2.resize(noise[20:84, 30:130], (33, 47))`.
#[test]
fn a_region_is_resized_as_if_cut_out() {
    let region = UnitRect {
        x0: 30.0 / 150.0,
        y0: 20.0 / 110.0,
        x1: 130.0 / 150.0,
        y1: 84.0 / 110.0,
    };
    assert_eq!(
        digest(region, &spec(33, 47, Filter::Linear)),
        0x113b_9fa3_d987_8ae0
    );
}

/// `cv2.resize(noise.astype(float32), size)`, which is torch's `interpolate(mode="bilinear", align_corners=False)` but
/// for rounding in the last bits.
#[test]
fn floats_are_not_rounded() {
    for (width, height, row, column, expected) in [
        (40, 40, 20, 20, [195.484_38, 175.312_5, 186.546_88]),
        (75, 55, 27, 37, [127.25, 197.75, 78.0]),
        (149, 33, 32, 1, [201.126_95, 216.125_27, 84.269_58]),
        (200, 130, 65, 100, [62.788_46, 178.951_92, 60.096_153]),
        (64, 48, 47, 1, [161.003_59, 151.212_89, 151.125_98]),
    ] {
        let spec = InputSpec {
            element: Element::F32,
            ..spec(width, height, Filter::Interpolate)
        };
        let mut values = vec![0.0; spec.slot_len()];
        prepare(&noise(), UnitRect::WHOLE, &spec, TensorSlice::F32(&mut values));
        let found = &values[3 * (row * width as usize + column)..][..3];
        for (found, expected) in found.iter().zip(expected) {
            let difference: f32 = found - expected;
            assert!(
                difference.abs() < 1e-3,
                "{width}x{height}: {found}, not {expected}"
            );
        }
    }
}
