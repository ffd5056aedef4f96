//! A walk over the markers of a JPEG: size, coding, sampling, orientation, and where the picture ends.
//!
//! Marker numbers are those of ITU-T T.81, table B.1.

use walkaround_domain::{Reason, Size};

use super::jpeg_profile::Pieces;
use super::{cut_short, exif, unreadable, unsupported};

/// Passes over the picture; encoders use about ten. Each costs a walk over all coefficients, however short.
pub(super) const SCANS_MAX: u32 = 200;

pub(super) const DHT: u8 = 0xc4;
pub(super) const RST0: u8 = 0xd0;
pub(super) const RST7: u8 = 0xd7;
pub(super) const SOI: u8 = 0xd8;
pub(super) const EOI: u8 = 0xd9;
pub(super) const SOS: u8 = 0xda;
pub(super) const DQT: u8 = 0xdb;
pub(super) const DRI: u8 = 0xdd;
pub(super) const APP0: u8 = 0xe0;
const APP1: u8 = 0xe1;
const APP2: u8 = 0xe2;
pub(super) const APP14: u8 = 0xee;

/// What the markers before the first scan say.
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
    /// What scan headers call each component.
    pub(super) ids: Vec<u8>,
    /// The first scan holds every component.
    pub(super) interleaved: bool,
    /// Offset of the first SOS marker.
    pub(super) scan_at: usize,
    /// Bytes between segments that belong to none.
    pub(super) strays: bool,
    /// The colour profile.
    pub(super) profile: Pieces,
}

impl Marks {
    /// libjpeg decodes row by row, without keeping the coefficients of the whole picture.
    pub(super) fn one_pass(&self) -> bool {
        self.interleaved && !self.progressive
    }

    /// Number of 8 x 8 blocks of all components together.
    pub(super) fn blocks(&self) -> u64 {
        let components = 0..self.sampling.len();
        components.map(|index| self.blocks_of(index).pixels()).sum()
    }

    /// Blocks of one component, across and down.
    pub(super) fn blocks_of(&self, component: usize) -> Size {
        let (across_max, down_max) = self.sampling_max();
        let (across, down) = self.sampling[component];
        let side = |length: u32, factor: u8, factor_max: u8| {
            (length * u32::from(factor)).div_ceil(u32::from(factor_max) * 8)
        };
        let Size { width, height } = self.size;
        Size::new(side(width, across, across_max), side(height, down, down_max))
    }

    /// The largest sampling factors across and down.
    pub(super) fn sampling_max(&self) -> (u8, u8) {
        let max = |factors: &dyn Fn(&(u8, u8)) -> u8| self.sampling.iter().map(factors).max().unwrap_or(1);
        (max(&|s| s.0), max(&|s| s.1))
    }
}

/// One marker with what belongs to it.
pub(super) struct Segment<'a> {
    pub(super) marker: u8,
    /// Content without marker and length; empty for markers that stand alone.
    pub(super) body: &'a [u8],
    /// Offset of the marker.
    pub(super) at: usize,
    /// Bytes were skipped to find it.
    stray: bool,
}

/// Reads segment by segment, from `at`.
pub(super) struct Segments<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Segments<'a> {
    /// The next segment. `CutShort` where the bytes end first.
    pub(super) fn next(&mut self) -> Result<Segment<'a>, Reason> {
        let from = self.at;
        let (at, marker) = next_marker(self.bytes, from).ok_or_else(cut_short)?;
        let stray = self.bytes[from..at].iter().any(|&byte| byte != 0xff);
        // Up to 0xbf they are reserved or stand alone (table B.1): there is no length to trust.
        if matches!(marker, 0x01..=0xbf | 0xd0..=EOI) {
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
pub(super) fn next_marker(bytes: &[u8], from: usize) -> Option<(usize, u8)> {
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
    let mut profile = Pieces::default();
    loop {
        let segment = segments.next()?;
        strays |= segment.stray;
        match segment.marker {
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc8..=0xcb | 0xcd..=0xcf if frame.is_none() => {
                frame = Some(read_frame(segment.marker, segment.body)?);
            }
            APP1 if orientation.is_none() => orientation = read_orientation(segment.body),
            APP2 => profile.add(segment.body, segment.at + 4),
            EOI => return Err(unreadable("a JPEG without a picture")),
            SOS => {
                let mut marks = frame.ok_or_else(|| unreadable("a JPEG scan without a frame header"))?;
                marks.interleaved =
                    segment.body.first().map(|&n| usize::from(n)) == Some(marks.sampling.len());
                marks.orientation = orientation.unwrap_or(1);
                marks.scan_at = segment.at;
                marks.strays = strays;
                marks.profile = profile;
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
        return Err(unsupported(format_args!(
            "a JPEG with {precision} bits per sample"
        )));
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
        ids: components
            .iter()
            .step_by(3)
            .take(usize::from(count))
            .copied()
            .collect(),
        interleaved: false,
        scan_at: 0,
        strays: false,
        profile: Pieces::default(),
    })
}

fn read_orientation(app1: &[u8]) -> Option<u8> {
    let exif = app1.strip_prefix(b"Exif\0\0")?;
    exif::orientation(exif)
}

/// Where the picture ends: offset of its EOI marker, if it has one. Reads from the first scan to the end.
pub(super) fn end_of_picture(bytes: &[u8], marks: &Marks) -> Option<usize> {
    let mut segments = Segments {
        bytes,
        at: marks.scan_at,
    };
    loop {
        match segments.next() {
            Ok(segment) if segment.marker == EOI => return Some(segment.at),
            Ok(_) => {}
            // What looks like a marker may be damaged data, its length with it: the end marker may come yet.
            Err(_) => segments.at = next_marker(bytes, segments.at)?.0 + 2,
        }
    }
}
