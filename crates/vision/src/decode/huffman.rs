//! Follows the Huffman codes of a JPEG scan without making a pixel of them: does every block stand in the file, and
//! where do the codes of a restart interval end. Asked only about files that libjpeg complains about.
//!
//! ITU-T T.81: annex C (tables), F.2.2 (sequential), G.1.2 (progressive; G.1.2.3 for the refining scans).

use walkaround_domain::Size;

/// Why codes could not be followed to the end of a restart interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// A marker or the end of the file comes first.
    Ends,
    /// A code that does not exist, or one that leads out of its block.
    Code,
}

/// A code table (T.81, annex C): codes of one length are consecutive.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    /// By code length less one: how many codes there are.
    counts: [u16; 16],
    values: Vec<u8>,
}

impl Table {
    fn new(counts: &[u8], values: &[u8]) -> Self {
        let mut table = Self {
            counts: [0; 16],
            values: values.to_vec(),
        };
        for (to, from) in table.counts.iter_mut().zip(counts) {
            *to = u16::from(*from);
        }
        table
    }

    fn next(&self, bits: &mut Bits<'_>) -> Result<u8, Broken> {
        let (mut code, mut first, mut index) = (0_u32, 0_u32, 0_usize);
        for count in self.counts {
            code |= bits.bit()?;
            let count = u32::from(count);
            if code < first + count {
                let at = index + (code - first) as usize;
                return self.values.get(at).copied().ok_or(Broken::Code);
            }
            index += count as usize;
            first = (first + count) << 1;
            code <<= 1;
        }
        Err(Broken::Code)
    }
}

/// The code tables that are defined at some place of the file: four of each class.
#[derive(Debug, Clone, Default)]
pub(super) struct Tables {
    dc: [Table; 4],
    ac: [Table; 4],
}

impl Tables {
    /// Takes the tables of a DHT segment. One that is cut leaves the rest as it was.
    pub(super) fn define(&mut self, mut body: &[u8]) {
        while let Some((head, rest)) = body.split_first()
            && let Some((counts, rest)) = rest.split_at_checked(16)
        {
            let length: usize = counts.iter().map(|count| usize::from(*count)).sum();
            let Some((values, rest)) = rest.split_at_checked(length) else {
                return;
            };
            let class = if head >> 4 == 0 {
                &mut self.dc
            } else {
                &mut self.ac
            };
            if let Some(table) = class.get_mut(usize::from(head & 15)) {
                *table = Table::new(counts, values);
            }
            body = rest;
        }
    }
}

/// Bits of coded data, from one byte on to the next marker.
#[derive(Debug, Clone)]
struct Bits<'a> {
    bytes: &'a [u8],
    /// The next byte.
    at: usize,
    byte: u8,
    /// Bits of `byte` that have not been read.
    left: u32,
}

impl<'a> Bits<'a> {
    const fn new(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at,
            byte: 0,
            left: 0,
        }
    }

    fn bit(&mut self) -> Result<u32, Broken> {
        if self.left == 0 {
            self.byte = *self.bytes.get(self.at).ok_or(Broken::Ends)?;
            self.at += 1;
            if self.byte == 0xff {
                // A zero byte is stuffed behind 0xff; anything else is a marker.
                if self.bytes.get(self.at) != Some(&0) {
                    self.at -= 1;
                    return Err(Broken::Ends);
                }
                self.at += 1;
            }
            self.left = 8;
        }
        self.left -= 1;
        Ok(u32::from(self.byte >> self.left) & 1)
    }

    fn bits(&mut self, count: u8) -> Result<u32, Broken> {
        (0..count).try_fold(0, |value, _| Ok((value << 1) | self.bit()?))
    }

    /// The bits behind the last code are ones, as T.81 has it (F.1.2.3).
    fn padded(&self) -> bool {
        let rest = (1_u16 << self.left) - 1;
        u16::from(self.byte) & rest == rest
    }
}

/// One component of a scan.
#[derive(Debug, Clone)]
pub(super) struct ScanComponent {
    /// Position in the frame header.
    pub(super) index: usize,
    /// Blocks of it in a coding unit.
    pub(super) blocks: u32,
    /// Code tables, 0 to 3.
    pub(super) tables: (u8, u8),
}

/// What a scan header says, and the frame's size in coding units of this scan.
#[derive(Debug, Clone)]
pub(super) struct Scan {
    pub(super) components: Vec<ScanComponent>,
    pub(super) units: Size,
    pub(super) progressive: bool,
    /// First and last coefficient, in zigzag order; 0 and 63 in a sequential scan.
    pub(super) band: (u8, u8),
    /// The scan makes known coefficients more exact.
    pub(super) refines: bool,
}

/// Which coefficients of each block of a component are not zero: one bit each. Refining scans depend on them.
pub(super) type Known = Vec<u64>;

/// Reads coding units one after the other.
#[derive(Clone)]
pub(super) struct Reader<'a, 'b> {
    scan: &'b Scan,
    tables: &'b Tables,
    bits: Bits<'a>,
    /// Blocks that a progressive scan leaves as they are.
    skip: u32,
}

impl<'a, 'b> Reader<'a, 'b> {
    pub(super) const fn new(scan: &'b Scan, tables: &'b Tables, bytes: &'a [u8], at: usize) -> Self {
        Self {
            scan,
            tables,
            bits: Bits::new(bytes, at),
            skip: 0,
        }
    }

    /// Offset behind the byte of the last code.
    pub(super) const fn at(&self) -> usize {
        self.bits.at
    }

    /// Whether the last byte ends as encoders end it.
    pub(super) fn padded(&self) -> bool {
        self.bits.padded()
    }

    /// Reads the coding unit of this number. `known` is of the only component of a progressive scan of AC
    /// coefficients, and empty else.
    pub(super) fn unit(&mut self, number: usize, known: &mut Known) -> Result<(), Broken> {
        let scan = self.scan;
        for component in &scan.components {
            for _ in 0..component.blocks {
                match (scan.progressive, scan.band.0) {
                    (false, _) => self.sequential(component)?,
                    (true, 0) if scan.refines => {
                        self.bits.bit()?;
                    }
                    (true, 0) => self.dc(component)?,
                    (true, _) => {
                        let known = known.get_mut(number).ok_or(Broken::Code)?;
                        if scan.refines {
                            self.refine(component, known)?;
                        } else {
                            self.band(component, known)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn dc(&mut self, component: &ScanComponent) -> Result<(), Broken> {
        let table = &self.tables.dc[usize::from(component.tables.0 & 3)];
        let size = table.next(&mut self.bits)?;
        if size > 15 {
            return Err(Broken::Code);
        }
        self.bits.bits(size).map(drop)
    }

    fn ac(&mut self, component: &ScanComponent) -> Result<(u8, u8), Broken> {
        let table = &self.tables.ac[usize::from(component.tables.1 & 3)];
        let code = table.next(&mut self.bits)?;
        Ok((code >> 4, code & 15))
    }

    fn sequential(&mut self, component: &ScanComponent) -> Result<(), Broken> {
        self.dc(component)?;
        let mut at = 1;
        while at < 64 {
            match self.ac(component)? {
                (15, 0) => at += 16,
                (_, 0) => break,
                (run, size) => {
                    at += u32::from(run);
                    if at > 63 {
                        return Err(Broken::Code);
                    }
                    self.bits.bits(size)?;
                    at += 1;
                }
            }
        }
        if at > 64 { Err(Broken::Code) } else { Ok(()) }
    }

    fn band(&mut self, component: &ScanComponent, known: &mut u64) -> Result<(), Broken> {
        if self.skip > 0 {
            self.skip -= 1;
            return Ok(());
        }
        let (mut at, end) = self.scan.band;
        while at <= end {
            match self.ac(component)? {
                (15, 0) => at += 16,
                (run, 0) => {
                    self.skip = (1 << run) - 1 + self.bits.bits(run)?;
                    return Ok(());
                }
                (run, size) => {
                    at += run;
                    if at > end {
                        return Err(Broken::Code);
                    }
                    self.bits.bits(size)?;
                    *known |= 1 << at;
                    at += 1;
                }
            }
        }
        Ok(())
    }

    fn refine(&mut self, component: &ScanComponent, known: &mut u64) -> Result<(), Broken> {
        let (mut at, end) = self.scan.band;
        while self.skip == 0 && at <= end {
            let (mut run, size) = self.ac(component)?;
            if size == 0 && run < 15 {
                self.skip = (1 << run) + self.bits.bits(run)?;
                break;
            }
            if size > 1 {
                return Err(Broken::Code);
            }
            self.bits.bits(size)?;
            // Over `run` zeros to the next one; each coefficient that is known on the way has a bit.
            while at <= end {
                if (*known >> at) & 1 == 1 {
                    self.bits.bit()?;
                } else if run == 0 {
                    break;
                } else {
                    run -= 1;
                }
                at += 1;
            }
            if size == 1 {
                if at > end {
                    return Err(Broken::Code);
                }
                *known |= 1 << at;
            }
            at += 1;
        }
        if self.skip > 0 {
            let rest = (at..=end).filter(|at| (*known >> at) & 1 == 1).count();
            (0..rest).try_for_each(|_| self.bits.bit().map(drop))?;
            self.skip -= 1;
        }
        Ok(())
    }
}
