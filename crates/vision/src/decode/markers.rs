//! A walk over the markers of a JPEG: size, coding, sampling, orientation; and, when libjpeg complains, where
//! the picture ends and a copy without the harmless oddities.
//!
//! Marker numbers are those of ITU-T T.81, table B.1.

use image::metadata::Orientation;
use walkaround_domain::{Reason, Size};

use super::{cut_short, unreadable, unsupported};

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const DQT: u8 = 0xdb;
const DRI: u8 = 0xdd;
const APP0: u8 = 0xe0;
const APP1: u8 = 0xe1;
const APP14: u8 = 0xee;

/// What the markers before the first scan tell.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    /// Size as stored.
    pub(super) size: Size,
    /// EXIF orientation, 1 to 8.
    pub(super) orientation: u8,
    /// Coefficients come in several passes over the picture.
    pub(super) progressive: bool,
    /// Arithmetic instead of Huffman coding.
    pub(super) arithmetic: bool,
    /// Sampling factors (across, down) of each component, 1 to 4.
    pub(super) sampling: Vec<(u8, u8)>,
    /// The first scan holds every component.
    pub(super) interleaved: bool,
    /// Offset of the first SOS marker.
    pub(super) scan_at: usize,
    /// Bytes between segments that belong to none.
    pub(super) strays: bool,
}

impl Marks {
    /// libjpeg decodes row by row, without keeping the coefficients of the whole picture.
    pub(super) fn one_pass(&self) -> bool {
        self.interleaved && !self.progressive
    }

    /// Number of 8 x 8 blocks of all components together.
    pub(super) fn blocks(&self) -> u64 {
        let across_max = self.sampling.iter().map(|s| s.0).max().unwrap_or(1);
        let down_max = self.sampling.iter().map(|s| s.1).max().unwrap_or(1);
        let side = |length: u32, factor: u8, factor_max: u8| {
            (u64::from(length) * u64::from(factor)).div_ceil(u64::from(factor_max) * 8)
        };
        let Size { width, height } = self.size;
        self.sampling
            .iter()
            .map(|s| side(width, s.0, across_max) * side(height, s.1, down_max))
            .sum()
    }
}

/// One marker with what belongs to it.
struct Segment<'a> {
    marker: u8,
    /// Content without marker and length; empty for markers that stand alone.
    body: &'a [u8],
    /// Offset of the marker.
    at: usize,
    /// Bytes were skipped to find it.
    stray: bool,
}

/// Reads segment by segment, from `at`.
struct Segments<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Segments<'a> {
    /// The next segment. `CutShort` where the bytes end first.
    fn next(&mut self) -> Result<Segment<'a>, Reason> {
        let from = self.at;
        let (at, marker) = next_marker(self.bytes, from).ok_or_else(cut_short)?;
        let stray = self.bytes[from..at].iter().any(|&byte| byte != 0xff);
        if matches!(marker, 0x01 | 0xd0..=EOI) {
            self.at = at + 2;
            return Ok(Segment {
                marker,
                body: &[],
                at,
                stray,
            });
        }
        let length = self.bytes.get(at + 2..at + 4).ok_or_else(cut_short)?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        if length < 2 {
            return Err(unreadable("the JPEG header holds an impossible length"));
        }
        let body = self.bytes.get(at + 4..at + 2 + length).ok_or_else(cut_short)?;
        self.at = at + 2 + length;
        Ok(Segment {
            marker,
            body,
            at,
            stray,
        })
    }
}

/// Offset (of the byte 0xff) and number of the first marker from `from` on.
fn next_marker(bytes: &[u8], from: usize) -> Option<(usize, u8)> {
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|&byte| byte == 0xff)?;
        match bytes.get(at + 1)? {
            0xff => at += 1,
            0x00 => at += 2,
            &marker => return Some((at, marker)),
        }
    }
}

/// Reads the header of a JPEG (which starts with SOI).
pub(super) fn read(bytes: &[u8]) -> Result<Marks, Reason> {
    let mut segments = Segments { bytes, at: 2 };
    let mut frame = None;
    let mut orientation = None;
    let mut strays = false;
    loop {
        let segment = segments.next()?;
        strays |= segment.stray;
        match segment.marker {
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc8..=0xcb | 0xcd..=0xcf if frame.is_none() => {
                frame = Some(read_frame(segment.marker, segment.body)?);
            }
            APP1 if orientation.is_none() => orientation = read_orientation(segment.body),
            EOI => return Err(unreadable("a JPEG without a picture")),
            SOS => {
                let mut marks = frame.ok_or_else(|| unreadable("a JPEG scan without a frame header"))?;
                marks.interleaved =
                    segment.body.first().map(|&n| usize::from(n)) == Some(marks.sampling.len());
                marks.orientation = orientation.unwrap_or(1);
                marks.scan_at = segment.at;
                marks.strays = strays;
                return Ok(marks);
            }
            _ => {}
        }
    }
}

fn read_frame(marker: u8, body: &[u8]) -> Result<Marks, Reason> {
    let &[precision, h1, h0, w1, w0, count, ref components @ ..] = body else {
        return Err(unreadable("the JPEG frame header is too short"));
    };
    match marker {
        0xc0..=0xc2 | 0xc9 | 0xca => {}
        0xc3 | 0xcb => return Err(unsupported("a lossless JPEG")),
        _ => return Err(unsupported("a hierarchical JPEG")),
    }
    if precision != 8 {
        return Err(unsupported(format_args!("a JPEG with {precision} bits a sample")));
    }
    if !matches!(count, 1 | 3 | 4) {
        return Err(unsupported(format_args!("a JPEG with {count} colour components")));
    }
    let sampling: Vec<(u8, u8)> = components
        .chunks_exact(3)
        .map(|c| (c[1] >> 4, c[1] & 15))
        .take(usize::from(count))
        .collect();
    let sane = sampling
        .iter()
        .all(|&(across, down)| (1..=4).contains(&across) && (1..=4).contains(&down));
    if sampling.len() < usize::from(count) || !sane {
        return Err(unreadable("the JPEG frame header makes no sense"));
    }
    Ok(Marks {
        size: Size::new(
            u16::from_be_bytes([w1, w0]).into(),
            u16::from_be_bytes([h1, h0]).into(),
        ),
        orientation: 1,
        progressive: matches!(marker, 0xc2 | 0xca),
        arithmetic: marker >= 0xc9,
        sampling,
        interleaved: false,
        scan_at: 0,
        strays: false,
    })
}

fn read_orientation(app1: &[u8]) -> Option<u8> {
    let exif = app1.strip_prefix(b"Exif\0\0")?;
    Orientation::from_exif_chunk(exif).map(Orientation::to_exif)
}

/// Where the picture ends: offset of its EOI marker, if it has one. Reads from the first scan to the end.
pub(super) fn end_of_picture(bytes: &[u8], marks: &Marks) -> Option<usize> {
    let mut segments = Segments {
        bytes,
        at: marks.scan_at,
    };
    loop {
        let segment = segments.next().ok()?;
        if segment.marker == EOI {
            return Some(segment.at);
        }
    }
}

/// A copy with only those header segments that decoding needs and, where it is missing, an EOI.
///
/// libjpeg-turbo's simple interface refuses a whole file for a warning about a colour profile, a JFIF version
/// or stray bytes in front of the picture; none of them touches the pixels.
pub(super) fn cleaned(bytes: &[u8], marks: &Marks) -> Vec<u8> {
    let mut copy = Vec::with_capacity(bytes.len() + 4);
    copy.extend([0xff, SOI]);
    let mut segments = Segments { bytes, at: 2 };
    while let Ok(segment) = segments.next() {
        if segment.marker == SOS {
            break;
        }
        if is_needed(segment.marker, segment.body) {
            copy.extend(&bytes[segment.at..segments.at]);
        }
    }
    copy.extend(&bytes[marks.scan_at..]);
    if end_of_picture(bytes, marks).is_none() {
        copy.extend([0xff, EOI]);
    }
    copy
}

fn is_needed(marker: u8, body: &[u8]) -> bool {
    match marker {
        // The last range: frame headers and, among them, the code tables DHT and DAC.
        DQT | DRI | 0xc0..=0xcf => true,
        // JFIF: says that the colours are YCbCr. Other versions only cause a warning.
        APP0 => body.starts_with(b"JFIF\0\x01"),
        // Adobe: says how the colours were transformed (0 none, 1 YCbCr, 2 YCCK).
        APP14 => body.starts_with(b"Adobe") && body.get(11).is_some_and(|&transform| transform <= 2),
        _ => false,
    }
}
