//! Pictures to network inputs: a region of the photo, resized, reordered and normalised into one slot of a
//! batch.
//!
//! Resizing gives 8-bit RGB, as Pillow and OpenCV do it, and the normalisation is one table look-up per sample, since a
//! sample can have 256 values only; [`Filter::Interpolate`] alone gives floats.

mod linear;
mod pillow;
mod rect;

use rect::PixelRect;
use std::cell::RefCell;

use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use half::f16;
use image::RgbImage;
use walkaround_domain::{Size, UnitRect};

use crate::resample;

/// How a region whose shape differs from the input's is made to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resize {
    /// Each side by its own factor.
    Stretch,
    /// All of the region, its shape kept, centred between bars.
    Letterbox {
        /// Value of the bars before normalisation, in every channel.
        fill: u8,
    },
    /// The centre of the region that fills the input, its shape kept.
    Crop,
}

/// How pixels are combined when the picture shrinks or grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// Triangle, widened with the reduction: Pillow's `BILINEAR`, torchvision's `antialias=True`, but for the last bit.
    Bilinear,
    /// Pillow's `BILINEAR` to the last bit.
    Pillow,
    /// Between the nearest pixels, however many lie under it, in bytes: OpenCV's `INTER_LINEAR`, to the last bit.
    Linear,
    /// The same in floats: torch's `interpolate(mode="bilinear")`. Samples are not rounded to bytes.
    Interpolate,
    /// Mean over the covered area: Pillow's `BOX`, close to OpenCV's `INTER_AREA`.
    Area,
}

/// Order of the channels in the tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelOrder {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
}

/// Order of the axes, a batch of N in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Channel planes.
    Nchw,
    /// Channels together at each pixel.
    Nhwc,
}

/// Type of one tensor element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// 32-bit floating point.
    F32,
    /// 16-bit floating point (IEEE half).
    F16,
    /// Unsigned byte.
    U8,
}

/// What a network wants to see. A sample becomes `(value * scale - mean[c]) / std[c]`, value 0 to 255.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InputSpec {
    /// Size of the input, in pixels.
    pub size: Size,
    /// How the region is made to fit.
    pub resize: Resize,
    /// Resampling filter.
    pub filter: Filter,
    /// Channel order of the tensor.
    pub channels: ChannelOrder,
    /// Axis order of the tensor.
    pub layout: Layout,
    /// Element type of the tensor.
    pub element: Element,
    /// Factor on the sample, often 1/255.
    pub scale: f32,
    /// Subtracted from the scaled sample, in the tensor's channel order.
    pub mean: [f32; 3],
    /// Divides the result, in the tensor's channel order.
    pub std: [f32; 3],
}

impl InputSpec {
    /// Number of elements of one photo: `3 * height * width`.
    pub const fn slot_len(&self) -> usize {
        3 * self.size.width as usize * self.size.height as usize
    }
}

/// The elements of a whole batch.
#[derive(Debug, Clone, PartialEq)]
pub enum TensorData {
    /// 32-bit floating point.
    F32(Vec<f32>),
    /// 16-bit floating point.
    F16(Vec<f16>),
    /// Bytes.
    U8(Vec<u8>),
}

impl TensorData {
    /// `len` zeros.
    pub fn new(element: Element, len: usize) -> Self {
        match element {
            Element::F32 => Self::F32(vec![0.0; len]),
            Element::F16 => Self::F16(vec![f16::ZERO; len]),
            Element::U8 => Self::U8(vec![0; len]),
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F16(values) => values.len(),
            Self::U8(values) => values.len(),
        }
    }

    /// There are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The part of photo `index` in a batch whose photos take `slot_len` elements each.
    ///
    /// # Panics
    /// When the batch is shorter than `(index + 1) * slot_len`.
    pub fn slot(&mut self, index: usize, slot_len: usize) -> TensorSlice<'_> {
        let range = index * slot_len..(index + 1) * slot_len;
        match self {
            Self::F32(values) => TensorSlice::F32(&mut values[range]),
            Self::F16(values) => TensorSlice::F16(&mut values[range]),
            Self::U8(values) => TensorSlice::U8(&mut values[range]),
        }
    }
}

/// The elements of one photo inside a batch: `3 * height * width` of them.
#[derive(Debug, PartialEq)]
pub enum TensorSlice<'a> {
    /// 32-bit floating point.
    F32(&'a mut [f32]),
    /// 16-bit floating point.
    F16(&'a mut [f16]),
    /// Bytes.
    U8(&'a mut [u8]),
}

/// Fills `into` with `region` of the photo as `spec` asks, and returns the part of the photo that the tensor
/// covers: the region itself when stretched, more when letterboxed, less when cropped.
///
/// The region is clipped to the photo; one that misses it or has no area becomes the nearest pixel.
///
/// # Panics
/// When `into` is not `spec.slot_len()` elements of `spec.element`, or a picture or an input has no pixels.
pub fn prepare(pixels: &RgbImage, region: UnitRect, spec: &InputSpec, into: TensorSlice<'_>) -> UnitRect {
    assert!(
        spec.slot_len() > 0 && !pixels.is_empty(),
        "a picture and an input have at least one pixel"
    );
    let photo = Size::new(pixels.width(), pixels.height());
    let fit = Fit::new(photo, PixelRect::clip(region, photo), spec);
    match (spec.element, into) {
        (Element::F32, TensorSlice::F32(slot)) => write(slot, pixels, &fit, spec, |v| v),
        (Element::F16, TensorSlice::F16(slot)) => write(slot, pixels, &fit, spec, f16::from_f32),
        // A float becomes the nearest end of the range when it lies outside.
        (Element::U8, TensorSlice::U8(slot)) => write(slot, pixels, &fit, spec, |v| v.round() as u8),
        _ => panic!("the slot's elements are not those of the input"),
    }
    fit.covers
}

/// Resizes, normalises and writes one photo.
fn write<T: Copy>(
    slot: &mut [T],
    pixels: &RgbImage,
    fit: &Fit,
    spec: &InputSpec,
    convert: impl Fn(f32) -> T,
) {
    thread_local! {
        static FLOATS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
    }
    let value = |c: usize, sample: f32| convert((sample * spec.scale - spec.mean[c]) / spec.std[c]);
    if spec.filter == Filter::Interpolate {
        return FLOATS.with_borrow_mut(|samples| {
            linear::floats(pixels, &fit.source, fit.inner, samples);
            fill(slot, samples, fit, spec, &value);
        });
    }
    let table: [[T; 256]; 3] = std::array::from_fn(|c| std::array::from_fn(|sample| value(c, sample as f32)));
    with_resized(pixels, fit, spec.filter, |samples| {
        fill(slot, samples, fit, spec, &|c, sample: u8| {
            table[c][usize::from(sample)]
        });
    });
}

/// Which part of the picture goes where in the tensor.
#[derive(Debug)]
struct Fit {
    source: PixelRect,
    /// Size of the resized picture inside the tensor.
    inner: Size,
    /// Columns and rows of the tensor left of and above it.
    left: u32,
    top: u32,
    /// Value of the rest.
    bars: u8,
    /// Size of the tensor.
    size: Size,
    covers: UnitRect,
}

impl Fit {
    fn new(photo: Size, region: PixelRect, spec: &InputSpec) -> Self {
        let size = spec.size;
        let whole = |source: PixelRect| Self {
            source,
            inner: size,
            left: 0,
            top: 0,
            bars: 0,
            size,
            covers: source.in_units(photo),
        };
        match spec.resize {
            Resize::Stretch => whole(region),
            Resize::Crop => whole(region.centre(size)),
            Resize::Letterbox { fill } => Self::letterbox(photo, region, size, fill),
        }
    }

    fn letterbox(photo: Size, source: PixelRect, size: Size, bars: u8) -> Self {
        let (width, height) = (f64::from(size.width), f64::from(size.height));
        let scale = (width / source.width).min(height / source.height);
        let side = |length: f64, whole: u32| ((length * scale).round() as u32).clamp(1, whole);
        let inner = Size::new(side(source.width, size.width), side(source.height, size.height));
        let (left, top) = ((size.width - inner.width) / 2, (size.height - inner.height) / 2);
        // From the whole pixels of the tensor back to the picture, so that a map lands where it belongs.
        let (across, down) = (
            source.width / f64::from(inner.width),
            source.height / f64::from(inner.height),
        );
        let covered = PixelRect {
            left: source.left - f64::from(left) * across,
            top: source.top - f64::from(top) * down,
            width: width * across,
            height: height * down,
        };
        Self {
            source,
            inner,
            left,
            top,
            bars,
            size,
            covers: covered.in_units(photo),
        }
    }
}

/// Resizes into a buffer kept by the thread and hands that to `use_samples`: RGB, `fit.inner` pixels.
fn with_resized(pixels: &RgbImage, fit: &Fit, filter: Filter, use_samples: impl FnOnce(&[u8])) {
    thread_local! {
        static SCRATCH: RefCell<(Resizer, Vec<u8>)> = RefCell::new((Resizer::new(), Vec::new()));
    }
    SCRATCH.with_borrow_mut(|(resizer, buffer)| {
        let algorithm = match filter {
            Filter::Bilinear => FilterType::Bilinear,
            Filter::Area => FilterType::Box,
            Filter::Pillow => {
                pillow::bytes(pixels, &fit.source, fit.inner, buffer);
                return use_samples(buffer);
            }
            Filter::Linear | Filter::Interpolate => {
                linear::bytes(pixels, &fit.source, fit.inner, buffer);
                return use_samples(buffer);
            }
        };
        let PixelRect {
            left,
            top,
            width,
            height,
        } = fit.source;
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(algorithm))
            .crop(left, top, width, height);
        let from = Size::new(pixels.width(), pixels.height());
        buffer.resize(3 * fit.inner.pixels() as usize, 0);
        resample::rgb(resizer, pixels.as_raw(), from, buffer, fit.inner, &options);
        use_samples(buffer);
    });
}

/// Writes samples and bars. `value` is what a sample becomes in a channel of the tensor.
fn fill<T: Copy, S: Copy + From<u8>>(
    slot: &mut [T],
    samples: &[S],
    fit: &Fit,
    spec: &InputSpec,
    value: &impl Fn(usize, S) -> T,
) {
    let (width, height) = (fit.size.width as usize, fit.size.height as usize);
    assert_eq!(slot.len(), 3 * width * height, "the slot holds one photo");
    let from_rgb = match spec.channels {
        ChannelOrder::Rgb => [0, 1, 2],
        ChannelOrder::Bgr => [2, 1, 0],
    };
    let rows = samples.as_chunks::<3>().0.chunks_exact(fit.inner.width as usize);
    let (left, top) = (fit.left as usize, fit.top as usize);
    let bars = fit.inner != fit.size;
    let bar = |c: usize| value(c, S::from(fit.bars));
    match spec.layout {
        Layout::Nhwc => {
            let pixels = slot.as_chunks_mut::<3>().0;
            if bars {
                pixels.fill(std::array::from_fn(bar));
            }
            for (row, line) in rows.zip(pixels.chunks_exact_mut(width).skip(top)) {
                for (sample, out) in row.iter().zip(&mut line[left..]) {
                    *out = std::array::from_fn(|c| value(c, sample[from_rgb[c]]));
                }
            }
        }
        Layout::Nchw => {
            for (c, (plane, channel)) in slot.chunks_exact_mut(width * height).zip(from_rgb).enumerate() {
                if bars {
                    plane.fill(bar(c));
                }
                for (row, line) in rows.clone().zip(plane.chunks_exact_mut(width).skip(top)) {
                    for (sample, out) in row.iter().zip(&mut line[left..]) {
                        *out = value(c, sample[channel]);
                    }
                }
            }
        }
    }
}
