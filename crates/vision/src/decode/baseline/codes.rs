//! Huffman codes by table: one look gives a symbol with its value, or skips several symbols at once.

use super::bits::{Bits, signed};

/// Bits that a look sees.
const SEEN: u32 = 12;
const LOOKS: usize = 1 << SEEN;
/// Most bits of a difference of DC values.
const DC_SIZE_MAX: u8 = 15;

/// A code table (T.81, annex C).
pub(super) struct Codes {
    /// By the next bits: length of the code (upper byte) and its symbol; 0 for a longer one.
    short: Vec<u16>,
    /// By length: the first code, and where its symbol stands.
    first: [u32; 17],
    start: [usize; 17],
    counts: [u32; 17],
    symbols: Vec<u8>,
}

impl Codes {
    /// The table of a DHT segment; none if its codes do not fit.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut codes = Self {
            short: vec![0; LOOKS],
            first: [0; 17],
            start: [0; 17],
            counts: [0; 17],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut at) = (0_u32, 0_usize);
        for length in 1..=16_usize {
            let count = u32::from(counts[length - 1]);
            (codes.first[length], codes.start[length], codes.counts[length]) = (code, at, count);
            // The code of ones alone is no code (C.2).
            if count > 0 && code + count >= 1 << length {
                return None;
            }
            for _ in 0..count {
                codes.enter(code, length as u32, *symbols.get(at)?);
                (code, at) = (code + 1, at + 1);
            }
            code <<= 1;
        }
        (at == symbols.len()).then_some(codes)
    }

    fn enter(&mut self, code: u32, length: u32, symbol: u8) {
        if length <= SEEN {
            let from = (code << (SEEN - length)) as usize;
            let entry = (length as u16) << 8 | u16::from(symbol);
            self.short[from..from + (1 << (SEEN - length))].fill(entry);
        }
    }

    /// The next symbol; none where the bits are no code. At most 16 bits.
    #[inline(always)]
    fn symbol(&self, bits: &mut Bits<'_>) -> Option<u8> {
        let entry = self.short[bits.peek(SEEN)];
        if entry != 0 {
            bits.consume(u32::from(entry >> 8));
            return Some(entry as u8);
        }
        self.long(bits)
    }

    #[cold]
    fn long(&self, bits: &mut Bits<'_>) -> Option<u8> {
        for length in SEEN + 1..=16 {
            let code = bits.peek(length) as u32;
            let at = length as usize;
            if code < self.first[at] + self.counts[at] {
                bits.consume(length);
                let index = self.start[at] + code.checked_sub(self.first[at])? as usize;
                return self.symbols.get(index).copied();
            }
        }
        None
    }
}

/// A code table for differences of DC values.
pub(super) struct DcCodes(Codes);

impl DcCodes {
    /// None where a symbol is not the size of a difference.
    pub(super) fn new(codes: Codes) -> Option<Self> {
        let fit = codes.symbols.iter().all(|&size| size <= DC_SIZE_MAX);
        fit.then_some(Self(codes))
    }

    /// The next difference.
    #[inline(always)]
    pub(super) fn next(&self, bits: &mut Bits<'_>) -> Option<i32> {
        bits.refill();
        let size = self.0.symbol(bits)?;
        Some(bits.value(u32::from(size & DC_SIZE_MAX)))
    }
}

/// What is added to the number of a coefficient at the end of a block.
pub(super) const END: u32 = 128;
/// Where coefficients are put: behind the 64 of a block there is room for what stands at its end.
pub(super) const PUT_PLACES: usize = 256;

/// A code table for AC values.
pub(super) struct AcCodes {
    codes: Codes,
    /// What a look says of one symbol, from the lowest bit on: bits of code and value (8), coefficients from the last one to
    /// this, or [`END`] (8), the value (16). 0 where they are more bits than were seen.
    known: Vec<u32>,
    /// What a look says of all symbols that were seen whole, and of the first one in any case: bits (8), coefficients to the last
    /// of them (8), the number of the last one up to which all of them are of this block (8), [`END`] at the end of the block (8).
    skipped: Vec<u32>,
}

impl AcCodes {
    pub(super) fn new(codes: Codes) -> Self {
        let known = (0..LOOKS).map(|seen| known(&codes, seen)).collect();
        let skipped = (0..LOOKS).map(|seen| skipped(&codes, seen)).collect();
        Self {
            codes,
            known,
            skipped,
        }
    }

    /// Reads the coefficients from 1 up to one at or behind `last`, in zigzag order, and puts each at its number. Gives the number
    /// of the last one that was put, which is over 63 where only the end was. What is not put stays.
    #[inline(always)]
    pub(super) fn first(
        &self,
        bits: &mut Bits<'_>,
        last: u32,
        values: &mut [i16; PUT_PLACES],
    ) -> Option<u32> {
        let mut own = *bits;
        let mut at = 0;
        while at < last {
            own.refill();
            let known = self.known[own.peek(SEEN)];
            if known == 0 {
                let (behind, long) = self.long(own, at)?;
                own = behind;
                match long {
                    Long::End => at += END,
                    Long::Value(to, value) => {
                        at = to;
                        values[at as usize] = value as i16;
                    }
                }
                continue;
            }
            own.consume(known & 0xff);
            at += (known >> 8) & 0xff;
            values[at as usize % PUT_PLACES] = (known >> 16) as i16;
        }
        *bits = own;
        (at >= END || at <= 63).then_some(at)
    }

    /// Reads over all coefficients of a block.
    #[inline(always)]
    pub(super) fn skip(&self, bits: &mut Bits<'_>) -> Option<()> {
        self.skip_from(bits, 0)
    }

    /// Reads over what comes behind coefficient `at`, as [`AcCodes::first`] gave it.
    #[inline(always)]
    pub(super) fn skip_from(&self, bits: &mut Bits<'_>, mut at: u32) -> Option<()> {
        let mut own = *bits;
        while at < 63 {
            own.refill();
            let seen = self.skipped[own.peek(SEEN)];
            let to = at + ((seen >> 8) & 0xff);
            if to > (seen >> 16) & 0xff || seen == 0 {
                let (behind, long) = self.long(own, at)?;
                own = behind;
                match long {
                    Long::End => break,
                    Long::Value(to, _) => at = to,
                }
                continue;
            }
            own.consume(seen & 0xff);
            at = to + (seen >> 24);
        }
        *bits = own;
        Some(())
    }

    /// One symbol, by its code alone.
    #[inline(never)]
    fn long<'a>(&self, mut bits: Bits<'a>, at: u32) -> Option<(Bits<'a>, Long)> {
        bits.refill();
        let symbol = self.codes.symbol(&mut bits)?;
        let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 && run < 15 {
            return Some((bits, Long::End));
        }
        let to = at + run + 1;
        if to > 63 {
            return None;
        }
        let value = bits.value(size);
        Some((bits, Long::Value(to, value)))
    }
}

enum Long {
    End,
    /// Which coefficient, and its value.
    Value(u32, i32),
}

/// The code at the beginning of these bits: its length and symbol; none where it is not seen whole.
fn code(codes: &Codes, seen: usize, used: u32) -> Option<(u32, u8)> {
    let entry = codes.short[(seen << used) & (LOOKS - 1)];
    let length = u32::from(entry >> 8);
    (entry != 0 && length <= SEEN - used).then_some((length, entry as u8))
}

fn known(codes: &Codes, seen: usize) -> u32 {
    let Some((length, symbol)) = code(codes, seen, 0) else {
        return 0;
    };
    let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
    if length + size > SEEN {
        return 0;
    }
    let value = if size == 0 {
        0
    } else {
        let bits = (seen >> (SEEN - length - size)) as i32 & ((1 << size) - 1);
        signed(bits, size)
    };
    let advance = if size == 0 && run < 15 { END } else { run + 1 };
    u32::from(value as u16) << 16 | advance << 8 | (length + size)
}

fn skipped(codes: &Codes, seen: usize) -> u32 {
    let (mut used, mut advance, mut limit, mut end) = (0, 0, 63, 0);
    while used < SEEN
        && let Some((length, symbol)) = code(codes, seen, used)
    {
        let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 && run < 15 {
            // At the last coefficient a block ends without a code: this one would be of the next block.
            (used, limit, end) = (used + length, 62, END);
            break;
        }
        used += length + size;
        advance += run + 1;
    }
    if used == 0 {
        0
    } else {
        end << 24 | limit << 16 | advance << 8 | used
    }
}
