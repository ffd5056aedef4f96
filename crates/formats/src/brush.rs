//! The run-length code of Label Studio's brush (`label_studio_sdk.converter.brush`, which follows thi.ng's `rle-pack`): a
//! bit stream over the four channels of every pixel, row by row, of which the last one, alpha, is the mask.
//!
//! 32 bits: number of values. 5 bits: width of a value less 1. Four times 4 bits: widths of lengths less 1. Then runs: a bit
//! (1: one value repeated, 0: values one by one), 2 bits that choose the width of the length, the length less 1, the value or
//! values.

use crate::read::ReadError;
use walkaround_domain::{Rle, Size};
use walkaround_vision::rle::{MASK_PIXELS_MAX, RleError, decode_mask, encode_mask};

/// Widths of lengths in bits, as Label Studio writes them.
const WIDTHS: [u32; 4] = [3, 4, 8, 16];
/// Channels of a pixel.
const CHANNELS: usize = 4;
/// From this value on, of 255, a pixel is inside.
const INSIDE: u32 = 128;

/// The code of a mask.
///
/// # Errors
/// A mask that is too large, or whose counts do not add up.
pub(crate) fn encode(mask: &Rle) -> Result<Vec<u8>, RleError> {
    let pixels = decode_mask(mask)?;
    let mut out = Bits::default();
    // The pixels of a photo times four are far below 32 bits.
    out.push((pixels.len() * CHANNELS) as u32, 32);
    out.push(7, 5);
    for width in WIDTHS {
        out.push(width - 1, 4);
    }
    for run in pixels.chunk_by(|a, b| a == b) {
        let value = if run[0] == 0 { 0 } else { 255 };
        let mut left = run.len() * CHANNELS;
        while left > 0 {
            let (at, width) = (0..4)
                .zip(WIDTHS)
                .find(|(_, width)| left <= 1 << width)
                .unwrap_or((3, WIDTHS[3]));
            let length = left.min(1 << width);
            out.push(1, 1);
            out.push(at, 2);
            out.push(length as u32 - 1, width);
            out.push(value, 8);
            left -= length;
        }
    }
    Ok(out.finish())
}

/// The mask of a code for a photo of this size.
///
/// # Errors
/// What is wrong with it, as a clause.
pub(crate) fn decode(code: &[u8], size: Size) -> Result<Rle, ReadError> {
    let cut = || ReadError::new("a brush code that ends too early");
    let wrong = |what: &str| ReadError::new(format!("a brush code {what}"));
    let mut bits = Reader { code, at: 0 };
    let values = bits.take(32).ok_or_else(cut)? as usize;
    let value_bits = bits.take(5).ok_or_else(cut)? + 1;
    let mut widths = [0; 4];
    for width in &mut widths {
        *width = bits.take(4).ok_or_else(cut)? + 1;
    }
    if size.pixels() > MASK_PIXELS_MAX || values as u64 != size.pixels() * CHANNELS as u64 {
        return Err(wrong("of another size than the photo"));
    }
    let mut mask = vec![0; values / CHANNELS];
    let mut at = 0;
    while at < values {
        let repeated = bits.take(1).ok_or_else(cut)? == 1;
        let width = widths[bits.take(2).ok_or_else(cut)? as usize];
        let end = at + bits.take(width).ok_or_else(cut)? as usize + 1;
        if end > values {
            return Err(wrong("with more pixels than the photo"));
        }
        let mut value = 0;
        for (place, index) in (at..end).enumerate() {
            if place == 0 || !repeated {
                value = bits.take(value_bits).ok_or_else(cut)?;
            }
            if index % CHANNELS == CHANNELS - 1 {
                mask[index / CHANNELS] = u8::from(value >= INSIDE);
            }
        }
        at = end;
    }
    Ok(encode_mask(size, &mask))
}

/// Bits on their way out, the most significant one first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    /// Bits of the last byte that are taken; 0 when it is full.
    used: u32,
}

impl Bits {
    fn push(&mut self, value: u32, bits: u32) {
        for shift in (0..bits).rev() {
            if self.used == 0 {
                self.bytes.push(0);
            }
            let bit = (value >> shift & 1) as u8;
            if let Some(last) = self.bytes.last_mut() {
                *last |= bit << (7 - self.used);
            }
            self.used = (self.used + 1) % 8;
        }
    }

    fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

struct Reader<'a> {
    code: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, bits: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..bits {
            let byte = self.code.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_code_gives_its_mask_back(mask in prop::collection::vec(0u8..2, 30 * 40)) {
            let size = Size::new(30, 40);
            let region = encode_mask(size, &mask);
            prop_assert_eq!(decode(&encode(&region).unwrap(), size).unwrap(), region);
        }

        #[test]
        fn no_bytes_are_a_panic(code in prop::collection::vec(any::<u8>(), 0..60)) {
            // Whatever it says.
            let _ = decode(&code, Size::new(3, 2));
        }
    }

    #[test]
    fn long_runs_and_what_is_no_code() {
        let size = Size::new(400, 300);
        let region = encode_mask(size, &vec![1; 120_000]);
        let code = encode(&region).unwrap();
        assert_eq!(decode(&code, size).unwrap(), region);
        for (code, size, words) in [
            (&code[..code.len() - 4], size, "ends too early"),
            (&code[..], Size::new(400, 299), "another size"),
            (&[][..], size, "ends too early"),
        ] {
            assert!(decode(code, size).unwrap_err().0.contains(words));
        }
    }
}
