//! Bits of one restart interval, many at a time.

use memchr::memchr;

/// Bits that are there after every [`Bits::refill`]: a code of 16 and a value of 15 fit.
const READY: u32 = 32;

/// Reads coded data from which the stuffing was taken. Copied where many codes are read, so that it stays in registers.
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// The next byte that is not in `word`.
    at: usize,
    /// The next bits, the first of them on top.
    word: u64,
    /// How many of them are valid.
    left: u32,
}

impl<'a> Bits<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            word: 0,
            left: 0,
        }
    }

    /// From this bit on.
    #[inline(always)]
    pub(super) fn from_bit(bytes: &'a [u8], bit: usize) -> Self {
        let mut bits = Self {
            at: bit / 8,
            ..Self::new(bytes)
        };
        bits.refill();
        bits.consume(bit as u32 % 8);
        bits
    }

    /// Sees to it that `READY` bits can be taken. Behind the end come zeros: see [`Bits::ended`].
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        if self.left < READY {
            let next = match self.bytes.get(self.at..).and_then(<[u8]>::first_chunk) {
                Some(bytes) => u64::from_be_bytes(*bytes),
                None => self.tail(),
            };
            self.word |= next >> self.left;
            self.at += (63 - self.left as usize) >> 3;
            self.left |= 56;
        }
    }

    /// The last bytes, with zeros behind them.
    #[cold]
    fn tail(&self) -> u64 {
        let mut bytes = [0; 8];
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        bytes[..rest.len()].copy_from_slice(rest);
        u64::from_be_bytes(bytes)
    }

    /// The next `count` bits (1 to 32), which stay.
    #[inline(always)]
    pub(super) const fn peek(&self, count: u32) -> usize {
        (self.word >> (64 - count)) as usize
    }

    #[inline(always)]
    pub(super) const fn consume(&mut self, count: u32) {
        self.word <<= count;
        self.left -= count;
    }

    /// The value of `size` bits (0 to 15) as T.81 codes it (F.2.2.1): the lower half of the range is negative.
    #[inline(always)]
    pub(super) const fn value(&mut self, size: u32) -> i32 {
        if size == 0 {
            return 0;
        }
        let bits = self.peek(size) as i32;
        self.consume(size);
        signed(bits, size)
    }

    /// Bits that were taken.
    #[inline(always)]
    pub(super) const fn taken(&self) -> usize {
        8 * self.at - self.left as usize
    }

    /// More was taken than there was.
    pub(super) const fn overran(&self) -> bool {
        self.taken() > 8 * self.bytes.len()
    }

    /// All was taken but padding within the last byte.
    pub(super) const fn ended(&self) -> bool {
        !self.overran() && 8 * self.bytes.len() - self.taken() < 8
    }
}

/// What `size` bits, 1 at least, stand for.
#[inline(always)]
pub(super) const fn signed(bits: i32, size: u32) -> i32 {
    if bits < 1 << (size - 1) {
        bits - (1 << size) + 1
    } else {
        bits
    }
}

/// Appends the coded data from `from` up to the next marker, without the zero bytes that stand behind each 0xff. Gives the
/// offset of the marker; none when there is none.
pub(super) fn unstuff(bytes: &[u8], from: usize, into: &mut Vec<u8>) -> Option<usize> {
    let mut at = from;
    loop {
        let end = at + memchr(0xff, bytes.get(at..)?)?;
        if *bytes.get(end + 1)? != 0 {
            into.extend_from_slice(&bytes[at..end]);
            return Some(end);
        }
        into.extend_from_slice(&bytes[at..=end]);
        at = end + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stuffing_is_taken_out_and_the_marker_found_wherever_it_stands() {
        for length in 0..40 {
            let mut bytes = vec![7; length];
            bytes.extend([0xff, 0, 9, 0xff, 0, 0xff, 0xd9, 1]);
            let mut out = Vec::new();
            assert_eq!(unstuff(&bytes, 0, &mut out), Some(length + 5));
            assert_eq!(out, [&vec![7; length][..], &[0xff, 9, 0xff]].concat());
            assert_eq!(unstuff(&bytes[..length + 5], 0, &mut out), None);
        }
    }

    #[test]
    fn bits_are_read_from_any_bit_on() {
        let bytes: Vec<u8> = (0..24).map(|n| (n * 73) as u8).collect();
        let mut inner = Bits::new(&bytes);
        for bit in 0..8 * bytes.len() {
            let mut from_here = Bits::from_bit(&bytes, bit);
            inner.refill();
            from_here.refill();
            assert_eq!(from_here.peek(32), inner.peek(32), "bit {bit}");
            assert_eq!(from_here.taken(), inner.taken(), "bit {bit}");
            inner.consume(1);
        }
    }

    #[test]
    fn values_are_signed_and_the_end_is_known_to_the_bit() {
        // 101 | 0 | 011 | 1 of padding.
        let mut bits = Bits::new(&[0b1010_0111]);
        bits.refill();
        assert_eq!((bits.value(3), bits.value(1), bits.value(3)), (5, -1, -4));
        assert!(bits.ended());
        bits.consume(2);
        assert!(bits.overran() && !bits.ended());
        let mut bits = Bits::new(&[1, 2]);
        bits.refill();
        bits.consume(8);
        assert!(!bits.ended(), "a whole byte is left");
    }
}
