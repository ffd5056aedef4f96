//! Pictures at another size, by fast_image_resize, for the pixel types that are used here.
//!
//! The type is named at compile time: the library's own choice while running would compile all of its fourteen types into
//! every caller, which took two thirds of the time to compile this crate.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{InnerPixel, U8, U8x3};
use fast_image_resize::{PixelTrait, ResizeOptions, Resizer};
use walkaround_domain::Size;

/// RGB, three bytes a pixel, from one buffer to another.
///
/// # Panics
/// When a buffer does not hold its size, or the options ask for a part that lies outside: faults of the caller.
pub(crate) fn rgb(
    resizer: &mut Resizer,
    source: &[u8],
    from: Size,
    target: &mut [u8],
    to: Size,
    options: &ResizeOptions,
) {
    typed::<U8x3>(resizer, source, from, target, to, options);
}

/// As [`rgb`], one byte a pixel.
///
/// # Panics
/// As [`rgb`].
pub(crate) fn luma(
    resizer: &mut Resizer,
    source: &[u8],
    from: Size,
    target: &mut [u8],
    to: Size,
    options: &ResizeOptions,
) {
    typed::<U8>(resizer, source, from, target, to, options);
}

fn typed<P: PixelTrait + InnerPixel>(
    resizer: &mut Resizer,
    source: &[u8],
    from: Size,
    target: &mut [u8],
    to: Size,
    options: &ResizeOptions,
) {
    let source =
        TypedImageRef::<P>::from_buffer(from.width, from.height, source).expect("the source holds its size");
    let mut target =
        TypedImage::<P>::from_buffer(to.width, to.height, target).expect("the target holds its size");
    resizer
        .resize_typed(&source, &mut target, options)
        .expect("the part lies in the source");
}
