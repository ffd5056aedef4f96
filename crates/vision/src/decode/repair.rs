//! A copy of a JPEG without the oddities that make libjpeg complain and do not touch the picture.
//!
//! The TurboJPEG interface counts a warning as a failure and hands out the text of the first one only: another may
//! hide behind it. So a file with a harmless oddity is decoded again from a copy that has none, and any complaint
//! about the copy counts.

use walkaround_domain::Size;

use super::huffman::{Broken, Known, Reader, Scan, ScanComponent, Tables};
use super::markers::{
    APP0, APP14, DHT, DQT, DRI, EOI, Marks, RST0, RST7, SCANS_MAX, SOI, SOS, Segment, Segments, next_marker,
};

/// Bytes among the coded data that are taken for padding, whatever they are. Some cameras leave a few.
const PADDING_MAX: usize = 64;

/// So many bytes alike, or of text, do not come about in coded data: one time in seven millions.
const RUN: usize = 16;
/// Bytes at the end of coded data that are searched for a trailer.
const TRAILER_LOOKED_AT: usize = 4096;

/// The same JPEG with only those header segments that decoding needs, put right where libjpeg would warn.
pub(super) fn clean_header(bytes: &[u8], marks: &Marks) -> Vec<u8> {
    let mut copy = Vec::with_capacity(bytes.len());
    copy.extend([0xff, SOI]);
    let mut segments = Segments { bytes, at: 2 };
    while let Ok(segment) = segments.next()
        && segment.marker != SOS
    {
        copy_needed(&mut copy, &bytes[segment.at..segments.at], &segment, marks);
    }
    let mut from = marks.scan_at;
    let mut segments = Segments { bytes, at: from };
    while let Ok(segment) = segments.next() {
        if segment.marker == SOS {
            copy.extend(&bytes[from..segment.at]);
            copy_scan_header(&mut copy, &bytes[segment.at..segments.at], marks);
            from = segments.at;
        }
    }
    copy.extend(&bytes[from..]);
    copy
}

/// Appends a segment of the header, if decoding needs it.
fn copy_needed(copy: &mut Vec<u8>, whole: &[u8], segment: &Segment<'_>, marks: &Marks) {
    let at = copy.len();
    match segment.marker {
        // The last range: frame headers and, among them, the code tables DHT and DAC.
        DQT | DRI | 0xc0..=0xcf => copy.extend(whole),
        // JFIF says that the colours are YCbCr. It is version 1 to libjpeg, whatever it says.
        APP0 if segment.body.starts_with(b"JFIF\0") && segment.body.len() >= 14 => {
            copy.extend(whole);
            copy[at + 9] = 1;
        }
        // Adobe says how the colours were transformed: 0 none, 1 YCbCr, 2 YCCK. Others mean the usual one.
        APP14 if segment.body.starts_with(b"Adobe") && segment.body.len() >= 12 => {
            copy.extend(whole);
            let known: &[u8] = if marks.sampling.len() == 4 {
                &[0, 2]
            } else {
                &[0, 1]
            };
            if !known.contains(&segment.body[11]) {
                copy[at + 15] = known[1];
            }
        }
        _ => {}
    }
}

/// Appends a scan header. A sequential scan holds all coefficients at once, whatever it says (Samsung's: none).
fn copy_scan_header(copy: &mut Vec<u8>, whole: &[u8], marks: &Marks) {
    copy.extend(whole);
    if let (false, [.., first, last, steps]) = (marks.progressive, copy.as_mut_slice()) {
        (*first, *last, *steps) = (0, 63, 0);
    }
}

/// A JPEG of which every block was found in the file.
pub(super) struct Whole {
    /// The picture without what does not belong to it: nothing stands between its parts or behind its end.
    pub(super) copy: Vec<u8>,
    /// No scan leaves out a bit that an earlier one left open.
    pub(super) every_bit: bool,
}

/// Takes the picture out of a Huffman-coded JPEG, block by block.
///
/// A sequential picture may lack its end marker, and anything may stand in its place: it is whole when every block was
/// read. Of a progressive one more passes may have followed.
///
/// # Errors
/// How the blocks end too early.
pub(super) fn whole_picture(bytes: &[u8], marks: &Marks) -> Result<Whole, Broken> {
    let mut picture = Picture::new(bytes, marks);
    let mut segments = Segments { bytes, at: 2 };
    let mut scans = 0;
    loop {
        let segment = segments.next().map_err(|_| Broken::Ends)?;
        let whole = &bytes[segment.at..segments.at];
        match segment.marker {
            SOS if scans == SCANS_MAX => return Err(Broken::Code),
            SOS => {
                scans += 1;
                copy_scan_header(&mut picture.copy, whole, marks);
                segments.at = picture.scan(segment.body, segments.at)?;
            }
            EOI if !marks.progressive => return Err(Broken::Ends),
            EOI => return Ok(picture.end()),
            marker => {
                match (marker, segment.body) {
                    (DHT, tables) => picture.tables.define(tables),
                    (DRI, &[high, low]) => picture.interval = u16::from_be_bytes([high, low]),
                    _ => {}
                }
                copy_needed(&mut picture.copy, whole, &segment, marks);
            }
        }
        if !marks.progressive && picture.seen.iter().all(|seen| *seen) {
            return Ok(picture.end());
        }
    }
}

struct Picture<'a> {
    bytes: &'a [u8],
    marks: &'a Marks,
    tables: Tables,
    /// Coding units between restart markers; 0 for none.
    interval: u16,
    copy: Vec<u8>,
    /// By component: a scan had it.
    seen: Vec<bool>,
    /// By component and coefficient, as libjpeg counts: bits that are still to come; -1 before the first scan.
    open_bits: Vec<[i8; 64]>,
    known: Vec<Known>,
    every_bit: bool,
}

impl<'a> Picture<'a> {
    fn new(bytes: &'a [u8], marks: &'a Marks) -> Self {
        let components = marks.sampling.len();
        let mut copy = Vec::with_capacity(bytes.len() + 2);
        copy.extend([0xff, SOI]);
        Self {
            bytes,
            marks,
            tables: Tables::default(),
            interval: 0,
            copy,
            seen: vec![false; components],
            open_bits: vec![[-1; 64]; components],
            known: vec![Known::new(); components],
            every_bit: true,
        }
    }

    fn end(mut self) -> Whole {
        self.copy.extend([0xff, EOI]);
        let open = self
            .open_bits
            .iter()
            .any(|bits| bits[0] != 0 || bits.iter().any(|bits| *bits > 0));
        Whole {
            copy: self.copy,
            every_bit: self.every_bit && !open,
        }
    }

    /// Copies the coded data of a scan, which begin at `at`; returns the offset of the marker behind them.
    fn scan(&mut self, header: &[u8], at: usize) -> Result<usize, Broken> {
        let scan = self.read_header(header)?;
        let only = match &scan.components[..] {
            [only] if scan.band.0 > 0 => Some(only.index),
            _ => None,
        };
        // Refining scans depend on what others found in the same blocks.
        let mut known = only.map_or_else(Known::new, |index| std::mem::take(&mut self.known[index]));
        if only.is_some() {
            known.resize(scan.units.pixels() as usize, 0);
        }
        let end = self.coded_data(&scan, at, &mut known);
        if let Some(index) = only {
            self.known[index] = known;
        }
        end
    }

    fn coded_data(&mut self, scan: &Scan, at: usize, known: &mut Known) -> Result<usize, Broken> {
        let bytes = self.bytes;
        let mut reader = Reader::new(scan, &self.tables, bytes, at);
        let (mut from, mut restart) = (at, 0);
        let units = scan.units.pixels() as usize;
        let all_there = has_restarts(
            bytes,
            at,
            units.saturating_sub(1) / usize::from(self.interval.max(1)),
        );
        for unit in 0..units {
            if unit > 0 && self.interval > 0 && unit.is_multiple_of(usize::from(self.interval)) {
                let marker = restart_marker(bytes, reader.at(), RST0 + restart, all_there)?;
                check_strays(&reader, scan, &self.tables, &bytes[..marker])?;
                self.copy.extend(&bytes[from..reader.at()]);
                self.copy.extend([0xff, RST0 + restart]);
                (from, restart) = (marker + 2, (restart + 1) & 7);
                reader = Reader::new(scan, &self.tables, bytes, from);
            }
            reader.unit(unit, known)?;
        }
        let end = reader.at();
        self.copy.extend(&bytes[from..end]);
        let next = next_marker(bytes, end);
        let data = &bytes[..next.map_or(bytes.len(), |next| next.0)];
        check_strays(&reader, scan, &self.tables, data)?;
        if !next.is_some_and(|next| matches!(next.1, EOI | SOS | DHT | DQT | DRI | RST0..=RST7)) {
            check_open_end(&reader, &bytes[from..end], bytes.get(end))?;
        }
        Ok(data.len())
    }

    fn read_header(&mut self, body: &[u8]) -> Result<Scan, Broken> {
        let (&count, rest) = body.split_first().ok_or(Broken::Ends)?;
        let (selectors, rest) = rest
            .split_at_checked(2 * usize::from(count))
            .ok_or(Broken::Ends)?;
        let &[first, last, steps, ..] = rest else {
            return Err(Broken::Ends);
        };
        let Marks {
            sampling,
            ids,
            progressive,
            ..
        } = self.marks;
        let together = count > 1;
        let mut components = Vec::with_capacity(usize::from(count));
        for pair in selectors.chunks_exact(2) {
            let index = ids.iter().position(|id| *id == pair[0]).ok_or(Broken::Code)?;
            let (across, down) = sampling[index];
            self.seen[index] = true;
            components.push(ScanComponent {
                index,
                blocks: if together {
                    u32::from(across) * u32::from(down)
                } else {
                    1
                },
                tables: (pair[1] >> 4, pair[1] & 15),
            });
        }
        let only = components.first().ok_or(Broken::Code)?.index;
        let units = if together {
            self.marks.units()
        } else {
            self.marks.blocks_of(only)
        };
        let band = if *progressive { (first, last) } else { (0, 63) };
        if band.0 > band.1 || band.1 > 63 || (band.0 > 0 && together) {
            return Err(Broken::Code);
        }
        let (before, after) = (steps >> 4, steps & 15);
        for component in components.iter().filter(|_| *progressive) {
            for open in &mut self.open_bits[component.index][usize::from(band.0)..=usize::from(band.1)] {
                self.every_bit &= before == 0 || i16::from(*open) == i16::from(before);
                *open = after as i8;
            }
        }
        Ok(Scan {
            components,
            units,
            progressive: *progressive,
            band,
            refines: before > 0,
        })
    }
}

/// `strays` bytes at the end of `data` are padding: few, or all the same.
pub(super) fn is_padding(data: &[u8], strays: usize) -> bool {
    let tail = &data[data.len().saturating_sub(strays)..];
    tail.len() <= PADDING_MAX || tail.iter().all(|byte| *byte == tail[0])
}

/// Offset of the restart marker of the wanted number. What is no marker at all is passed over, as libjpeg does. Where all
/// are there, a number that is far off is a wrong number: libjpeg takes one of the next or last two for a lost interval,
/// and others for what is wanted.
fn restart_marker(bytes: &[u8], mut from: usize, wanted: u8, all_there: bool) -> Result<usize, Broken> {
    loop {
        match next_marker(bytes, from) {
            Some((at, marker)) if marker == wanted => return Ok(at),
            Some((at, marker @ RST0..=RST7))
                if all_there && (3..=5).contains(&(marker.wrapping_sub(wanted) & 7)) =>
            {
                return Ok(at);
            }
            Some((at, marker)) if marker < 0xc0 => from = at + 2,
            _ => return Err(Broken::Ends),
        }
    }
}

/// Whether so many restart markers, of whichever numbers, stand in a scan whose data begin at `from`.
fn has_restarts(bytes: &[u8], mut from: usize, wanted: usize) -> bool {
    let mut found = 0;
    loop {
        match next_marker(bytes, from) {
            Some((at, marker)) if marker < 0xc0 || (RST0..=RST7).contains(&marker) => {
                found += usize::from(marker >= RST0);
                from = at + 2;
            }
            _ => return found == wanted,
        }
    }
}

/// Bytes between the last code and the end of `data` must not be picture: then codes before them were lost. A few,
/// and any number of the same, are padding; more must not read as whole coding units.
fn check_strays(reader: &Reader<'_, '_>, scan: &Scan, tables: &Tables, data: &[u8]) -> Result<(), Broken> {
    let strays = data.len().saturating_sub(reader.at());
    if is_padding(data, strays) {
        return Ok(());
    }
    // Scans of AC coefficients have units of so few bits that anything ends with a whole one.
    if scan.band.0 > 0 {
        return Ok(());
    }
    let mut more = Reader::new(scan, tables, data, reader.at());
    loop {
        let before = more.clone();
        match more.unit(0, &mut Known::new()) {
            Ok(()) => {}
            Err(Broken::Code) => return Ok(()),
            Err(Broken::Ends) if before.at() == data.len() && before.padded() => return Err(Broken::Code),
            Err(Broken::Ends) => return Ok(()),
        }
    }
}

/// Where no marker says that the data end, they must not run on into what stands behind them: the fill of a file that
/// was written in part, or a trailer that reads as codes. Coded data look like noise, trailers do not.
fn check_open_end(reader: &Reader<'_, '_>, data: &[u8], next: Option<&u8>) -> Result<(), Broken> {
    let tail = &data[data.len().saturating_sub(RUN)..];
    let filled = next.is_some_and(|next| tail.len() == RUN && tail.iter().all(|byte| byte == next));
    let last = &data[data.len().saturating_sub(TRAILER_LOOKED_AT)..];
    if filled || !reader.padded() || last.windows(RUN).any(is_text) {
        return Err(Broken::Ends);
    }
    Ok(())
}

/// Printable characters and zeros, as in names and length fields; zeros alone may be a dark part of the picture.
fn is_text(bytes: &[u8]) -> bool {
    let printable = bytes.iter().filter(|byte| (b' '..=b'~').contains(byte)).count();
    let zeros = bytes.iter().filter(|byte| **byte == 0).count();
    printable + zeros == bytes.len() && printable >= zeros
}

impl Marks {
    /// Coding units of a scan with several components.
    fn units(&self) -> Size {
        let (across, down) = self.sampling_max();
        let side = |length: u32, factor: u8| length.div_ceil(8 * u32::from(factor));
        Size::new(side(self.size.width, across), side(self.size.height, down))
    }
}
