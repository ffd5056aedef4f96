//! Closing with a disc, at a cost bounded by the radius and the size of the patch.
//!
//! Masks are packed to a bit a pixel for it: a row of the canvas is at most eight words, and widening all its
//! runs by one pixel on either side is three operations a word.

use super::Patch;

/// Closes the mask with a disc (dx² + dy² <= radius²): dilates, then erodes. Outside the patch counts as
/// background for dilation and as foreground for erosion, so the patch must be the whole canvas or reach
/// `2 * radius` beyond every set pixel (cut off at the canvas).
pub fn close(mut mask: Patch, radius: usize) -> Patch {
    if radius == 0 || mask.pixels.is_empty() {
        return mask;
    }
    // Erosion is the dilation of what is outside; there, too, nothing comes in from beyond the edge.
    let mut outside = Bits::pack(&mask).dilated(radius);
    outside.invert();
    let mut closed = outside.dilated(radius);
    closed.invert();
    closed.unpack(&mut mask.pixels);
    mask
}

/// A mask of a bit a pixel, the leftmost pixel of a word in its lowest bit.
struct Bits {
    width: usize,
    /// Words a row.
    stride: usize,
    /// `stride` words a row; the bits past the width are 0.
    words: Vec<u64>,
}

impl Bits {
    fn pack(mask: &Patch) -> Self {
        let stride = mask.width.div_ceil(64);
        let mut words = vec![0; stride * mask.height];
        let rows = mask.pixels.chunks_exact(mask.width);
        for (row, pixels) in words.chunks_exact_mut(stride).zip(rows) {
            for (word, pixels) in row.iter_mut().zip(pixels.chunks(64)) {
                let (eights, rest) = pixels.as_chunks::<8>();
                for (i, eight) in eights.iter().enumerate() {
                    *word |= pack_eight(*eight) << (8 * i);
                }
                for (i, pixel) in rest.iter().enumerate() {
                    *word |= u64::from(*pixel) << (8 * eights.len() + i);
                }
            }
        }
        Self {
            width: mask.width,
            stride,
            words,
        }
    }

    fn unpack(&self, pixels: &mut [u8]) {
        let rows = pixels.chunks_exact_mut(self.width);
        for (row, pixels) in self.words.chunks_exact(self.stride).zip(rows) {
            for (word, pixels) in row.iter().zip(pixels.chunks_mut(64)) {
                let (eights, rest) = pixels.as_chunks_mut::<8>();
                for (i, eight) in eights.iter_mut().enumerate() {
                    *eight = unpack_eight(word >> (8 * i));
                }
                for (i, pixel) in rest.iter_mut().enumerate() {
                    *pixel = (word >> (8 * eights.len() + i)) as u8 & 1;
                }
            }
        }
    }

    /// The bits of a row's last word that are pixels.
    fn last_word(&self) -> u64 {
        u64::MAX >> ((64 - self.width % 64) % 64)
    }

    fn invert(&mut self) {
        let last = self.last_word();
        for row in self.words.chunks_exact_mut(self.stride) {
            for word in row.iter_mut() {
                *word = !*word;
            }
            if let Some(word) = row.last_mut() {
                *word &= last;
            }
        }
    }

    /// Every pixel within `radius` of a set one.
    ///
    /// Each row goes into those above and below as wide as the disc is there: from the top of the disc to its
    /// middle it only gets wider, so one copy of the row serves.
    fn dilated(&self, radius: usize) -> Self {
        let height = self.words.len() / self.stride;
        let mut grown = vec![0; self.words.len()];
        let mut wide = vec![0; self.stride];
        for (y, row) in self.words.chunks_exact(self.stride).enumerate() {
            if row.iter().all(|&word| word == 0) {
                continue;
            }
            wide.copy_from_slice(row);
            let mut widened = 0;
            for dy in (0..=radius.min(height - 1)).rev() {
                // Wider than the patch is the whole row.
                let half_width = (radius * radius - dy * dy).isqrt().min(self.width);
                while widened < half_width {
                    widen(&mut wide, self.last_word());
                    widened += 1;
                }
                let below = (y + dy < height).then_some(y + dy);
                let above = y.checked_sub(dy).filter(|_| dy > 0);
                for target in below.into_iter().chain(above) {
                    for (word, wide) in grown[target * self.stride..].iter_mut().zip(&wide) {
                        *word |= wide;
                    }
                }
            }
        }
        Self {
            words: grown,
            ..*self
        }
    }
}

/// Adds the neighbours on the left and on the right of every set bit.
fn widen(row: &mut [u64], last_word: u64) {
    let mut before = 0;
    for i in 0..row.len() {
        let word = row[i];
        let after = row.get(i + 1).copied().unwrap_or(0);
        row[i] = word | (word << 1) | (before >> 63) | (word >> 1) | (after << 63);
        before = word;
    }
    if let Some(word) = row.last_mut() {
        *word &= last_word;
    }
}

/// Eight bytes of 0 or 1 to bits. The factor moves byte `i` to bit `56 + i`; no two products meet.
fn pack_eight(pixels: [u8; 8]) -> u64 {
    u64::from_le_bytes(pixels).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// The lowest eight bits to bytes of 0 or 1: all of them in each byte, one left in each, moved to the bottom.
fn unpack_eight(bits: u64) -> [u8; 8] {
    let one_each = ((bits & 0xff) * 0x0101_0101_0101_0101) & 0x8040_2010_0804_0201;
    (((one_each + 0x7f7f_7f7f_7f7f_7f7f) >> 7) & 0x0101_0101_0101_0101).to_le_bytes()
}
