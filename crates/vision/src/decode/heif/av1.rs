//! One picture coded with AV1, through `re_rav1d`: without its assembly, on this thread.

use heifer::Error;
use heifer::heifer_hevc_dec::recon::Frame;
use re_rav1d::dav1d::{
    Decoder, Error as CodedError, Picture, PixelLayout, PlanarImageComponent, Settings, pixel,
};

/// Decodes the first picture of `data`, which has at most `pixels_max`, into the form that HEVC's pictures have.
pub(super) fn decode(data: Vec<u8>, pixels_max: u64) -> Result<Frame, Error> {
    if data.is_empty() {
        // `re_rav1d` would write about it to standard error.
        return Err(Error::Invalid("it holds no picture"));
    }
    let mut settings = Settings::new();
    settings.set_n_threads(1);
    settings.set_max_frame_delay(1);
    settings.set_frame_size_limit(u32::try_from(pixels_max).unwrap_or(u32::MAX));
    let mut decoder = Decoder::with_settings(&settings).map_err(|error| reason(&error))?;
    match decoder.send_data(data.into_boxed_slice(), None, None, None) {
        // More pictures follow: the first one counts.
        Ok(()) | Err(CodedError::Again) => {}
        Err(error) => return Err(reason(&error)),
    }
    let picture = decoder.get_picture().map_err(|error| reason(&error))?;
    frame(&picture)
}

fn reason(error: &CodedError) -> Error {
    match error {
        CodedError::UnsupportedBitstream => Error::Unsupported("of AV1".into()),
        CodedError::Again => Error::Invalid("it holds no picture"),
        _ => Error::Invalid("its AV1 data cannot be decoded, or is larger than its header says"),
    }
}

fn frame(picture: &Picture) -> Result<Frame, Error> {
    let (width, height) = (picture.width(), picture.height());
    let (chroma_format, across, down) = match picture.pixel_layout() {
        PixelLayout::I400 => (0, 0, 0),
        PixelLayout::I420 => (1, width.div_ceil(2), height.div_ceil(2)),
        PixelLayout::I422 => (2, width.div_ceil(2), height),
        PixelLayout::I444 => (3, width, height),
    };
    let bits = picture.bits_per_component().map_or(8, |bits| bits.0 as u8);
    let colour = |component| {
        if chroma_format == 0 {
            Some(Vec::new())
        } else {
            samples(picture, component, across, down)
        }
    };
    let planes = [
        samples(picture, PlanarImageComponent::Y, width, height),
        colour(PlanarImageComponent::U),
        colour(PlanarImageComponent::V),
    ];
    let [Some(y), Some(u), Some(v)] = planes else {
        return Err(Error::Invalid("its AV1 data has a plane that is too short"));
    };
    Ok(Frame {
        widths: [width, across, across],
        heights: [height, down, down],
        planes: [y, u, v],
        bit_depth: [bits; 2],
        chroma_format,
        full_range: picture.color_range() == pixel::YUVRange::Full,
        matrix_coeffs: matrix(picture),
    })
}

/// The numbers of a plane, row by row without the padding of rows. None where it is too short.
fn samples(picture: &Picture, component: PlanarImageComponent, width: u32, height: u32) -> Option<Vec<u16>> {
    let (width, height) = (width as usize, height as usize);
    let (plane, stride) = (picture.plane(component), picture.stride(component) as usize);
    let mut samples = Vec::with_capacity(width * height);
    for row in 0..height {
        let row = plane.get(row * stride..)?;
        if picture.bit_depth() == 8 {
            samples.extend(row.get(..width)?.iter().map(|value| u16::from(*value)));
        } else {
            let pairs = row.get(..2 * width)?.as_chunks::<2>().0;
            samples.extend(pairs.iter().map(|pair| u16::from_ne_bytes(*pair)));
        }
    }
    Some(samples)
}

/// The matrix that the stream names (ITU-T H.273, table 4). `re_rav1d` 0.1.3 panics at the reserved number 3, which counts
/// as not said.
fn matrix(picture: &Picture) -> u8 {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        picture.matrix_coefficients() as u8
    }))
    .unwrap_or(pixel::MatrixCoefficients::Unspecified as u8)
}
