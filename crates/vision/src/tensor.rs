//! Pictures to network inputs: a region of the photo, resized, reordered and normalised into one slot of a
//! batch.
//!
//! Resizing is done on 8-bit RGB with an antialiased filter (as Pillow does it); the normalisation is one table
//! look-up a sample, since a sample can have 256 values only.

use std::cell::RefCell;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use half::f16;
use image::RgbImage;
use walkaround_domain::{Size, UnitRect};

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
    /// Triangle, widened with the reduction: Pillow's `BILINEAR`, torchvision's `antialias=True`.
    Bilinear,
    /// Between the nearest pixels, however many lie under it: OpenCV's `INTER_LINEAR`, torch's `interpolate`.
    Linear,
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
    with_resized(pixels, &fit, spec.filter, |samples| match (spec.element, into) {
        (Element::F32, TensorSlice::F32(slot)) => fill(slot, samples, &fit, &Values::new(spec, |v| v)),
        (Element::F16, TensorSlice::F16(slot)) => {
            fill(slot, samples, &fit, &Values::new(spec, f16::from_f32));
        }
        // A float becomes the nearest end of the range when it lies outside.
        (Element::U8, TensorSlice::U8(slot)) => {
            fill(slot, samples, &fit, &Values::new(spec, |v| v.round() as u8));
        }
        _ => panic!("the slot's elements are not those of the input"),
    });
    fit.covers
}

/// A rectangle in pixels of the picture, fractions included.
#[derive(Debug, Clone, Copy)]
struct PixelRect {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl PixelRect {
    fn clip(region: UnitRect, photo: Size) -> Self {
        let (left, width) = clip_side(region.x0, region.x1, photo.width);
        let (top, height) = clip_side(region.y0, region.y1, photo.height);
        Self {
            left,
            top,
            width,
            height,
        }
    }

    /// The largest part in the middle with the shape of `size`.
    fn centre(self, size: Size) -> Self {
        let aspect = f64::from(size.width) / f64::from(size.height);
        let width = snap(self.width.min(self.height * aspect));
        let height = snap(self.height.min(self.width / aspect));
        let left = self.left + snap((self.width - width) / 2.0);
        let top = self.top + snap((self.height - height) / 2.0);
        Self {
            left,
            top,
            width,
            height,
        }
    }

    fn in_units(self, photo: Size) -> UnitRect {
        let (width, height) = (f64::from(photo.width), f64::from(photo.height));
        UnitRect {
            x0: (self.left / width) as f32,
            y0: (self.top / height) as f32,
            x1: ((self.left + self.width) / width) as f32,
            y1: ((self.top + self.height) / height) as f32,
        }
    }
}

/// Start and length in pixels of a side from `from` to `to` (shares of `length`): inside, at least one pixel.
fn clip_side(from: f32, to: f32, length: u32) -> (f64, f64) {
    let length = f64::from(length);
    // `max` before `min`: a NaN becomes the edge.
    let start = snap((f64::from(from) * length).max(0.0).min(length - 1.0));
    let end = snap((f64::from(to) * length).min(length).max(start + 1.0));
    (start, end - start)
}

/// To 1/65536 of a pixel: sums and differences of such numbers are exact, so that a rectangle which fits the
/// picture still does when its left and width are added up.
fn snap(pixels: f64) -> f64 {
    (pixels * 65536.0).round() / 65536.0
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
    let PixelRect {
        left,
        top,
        width,
        height,
    } = fit.source;
    let algorithm = match filter {
        Filter::Bilinear => ResizeAlg::Convolution(FilterType::Bilinear),
        Filter::Linear => ResizeAlg::Interpolation(FilterType::Bilinear),
        Filter::Area => ResizeAlg::Convolution(FilterType::Box),
    };
    let options = ResizeOptions::new()
        .resize_alg(algorithm)
        .crop(left, top, width, height);
    let from = ImageRef::new(pixels.width(), pixels.height(), pixels.as_raw(), PixelType::U8x3)
        .expect("an RgbImage holds three bytes a pixel");
    SCRATCH.with_borrow_mut(|(resizer, buffer)| {
        let Size { width, height } = fit.inner;
        buffer.resize(3 * width as usize * height as usize, 0);
        let mut small = Image::from_slice_u8(width, height, buffer, PixelType::U8x3)
            .expect("the buffer was made for three bytes a pixel");
        resizer
            .resize(&from, &mut small, &options)
            .expect("the region was clipped to the picture");
        use_samples(buffer);
    });
}

/// The value of every sample in each channel of the tensor, and where in a pixel that channel is.
struct Values<T> {
    table: [[T; 256]; 3],
    from_rgb: [usize; 3],
    layout: Layout,
}

impl<T: Copy> Values<T> {
    fn new(spec: &InputSpec, convert: impl Fn(f32) -> T) -> Self {
        let value =
            |c: usize, sample: usize| convert((sample as f32 * spec.scale - spec.mean[c]) / spec.std[c]);
        let table = std::array::from_fn(|c| std::array::from_fn(|sample| value(c, sample)));
        let from_rgb = match spec.channels {
            ChannelOrder::Rgb => [0, 1, 2],
            ChannelOrder::Bgr => [2, 1, 0],
        };
        Self {
            table,
            from_rgb,
            layout: spec.layout,
        }
    }
}

/// Writes samples and bars.
fn fill<T: Copy>(slot: &mut [T], samples: &[u8], fit: &Fit, values: &Values<T>) {
    let (width, height) = (fit.size.width as usize, fit.size.height as usize);
    assert_eq!(slot.len(), 3 * width * height, "the slot holds one photo");
    let rows = samples.as_chunks::<3>().0.chunks_exact(fit.inner.width as usize);
    let (left, top) = (fit.left as usize, fit.top as usize);
    let bars = fit.inner != fit.size;
    match values.layout {
        Layout::Nhwc => {
            let pixels = slot.as_chunks_mut::<3>().0;
            if bars {
                pixels.fill(std::array::from_fn(|c| values.table[c][usize::from(fit.bars)]));
            }
            for (row, line) in rows.zip(pixels.chunks_exact_mut(width).skip(top)) {
                for (sample, out) in row.iter().zip(&mut line[left..]) {
                    *out = std::array::from_fn(|c| values.table[c][usize::from(sample[values.from_rgb[c]])]);
                }
            }
        }
        Layout::Nchw => {
            for ((plane, table), channel) in slot
                .chunks_exact_mut(width * height)
                .zip(&values.table)
                .zip(values.from_rgb)
            {
                if bars {
                    plane.fill(table[usize::from(fit.bars)]);
                }
                for (row, line) in rows.clone().zip(plane.chunks_exact_mut(width).skip(top)) {
                    for (sample, out) in row.iter().zip(&mut line[left..]) {
                        *out = table[usize::from(sample[channel])];
                    }
                }
            }
        }
    }
}
