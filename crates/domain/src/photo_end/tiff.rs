//! TIFF and BigTIFF: the directories, and the strips or tiles that each names (TIFF 6.0, section 2).

/// Largest number of directories that are read: a file may name one twice.
const DIRECTORIES_MAX: usize = 64;

const STRIP_OFFSETS: u64 = 273;
const STRIP_BYTES: u64 = 279;
const TILE_OFFSETS: u64 = 324;
const TILE_BYTES: u64 = 325;

/// Whether a directory, or what one names, lies beyond the bytes. Writers put directories before the pixels or behind them.
pub(super) fn ends_early(bytes: &[u8]) -> bool {
    let file = File {
        bytes,
        little: bytes.starts_with(b"I"),
        big: matches!(bytes, [b'I', _, b'+', ..] | [b'M', _, _, b'+', ..]),
    };
    file.is_whole().is_none()
}

/// What an entry of the first directory of such a structure holds. None where there is none, or it goes beyond the bytes.
pub(super) fn bytes_of_first_directory(bytes: &[u8], tag: u64) -> Option<&[u8]> {
    const ONE_BYTE_EACH: [u64; 3] = [1, 2, 7];
    let file = File {
        bytes,
        little: match bytes.first_chunk()? {
            b"II*\0" => true,
            b"MM\0*" => false,
            _ => return None,
        },
        big: false,
    };
    let directory = file.offset(4)?;
    let count = usize::try_from(file.number(directory, 2)?).ok()?;
    let first = directory.checked_add(2)?;
    let entry = (0..count)
        .map(|i| first.saturating_add(12 * i))
        .find(|at| file.number(*at, 2) == Some(tag))?;
    let kind = file.number(entry + 2, 2)?;
    let length = usize::try_from(file.number(entry + 4, 4)?).ok()?;
    if !ONE_BYTE_EACH.contains(&kind) || length <= 4 {
        return None;
    }
    let at = file.offset(entry + 8)?;
    bytes.get(at..at.checked_add(length)?)
}

struct File<'a> {
    bytes: &'a [u8],
    little: bool,
    /// BigTIFF: eight bytes where others have four.
    big: bool,
}

/// Numbers that an entry of a directory holds.
#[derive(Clone, Copy)]
struct Numbers {
    at: usize,
    count: usize,
    each: usize,
}

impl File<'_> {
    /// An unsigned number of so many bytes.
    fn number(&self, at: usize, length: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(length)?)?.iter();
        let join = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
        Some(if self.little {
            bytes.rev().fold(0, join)
        } else {
            bytes.fold(0, join)
        })
    }

    fn offset(&self, at: usize) -> Option<usize> {
        usize::try_from(self.number(at, self.word())?).ok()
    }

    const fn word(&self) -> usize {
        if self.big { 8 } else { 4 }
    }

    /// None where the bytes end first.
    fn is_whole(&self) -> Option<()> {
        // Zero until a writer that puts its directory last has come to it.
        let mut directory = self.offset(self.word()).filter(|at| *at > 0)?;
        for _ in 0..DIRECTORIES_MAX {
            directory = self.directory(directory)?;
            if directory == 0 {
                break;
            }
        }
        Some(())
    }

    /// Where the next one is; 0 for none.
    fn directory(&self, at: usize) -> Option<usize> {
        let (head, entry) = if self.big { (8, 20) } else { (2, 12) };
        let count = usize::try_from(self.number(at, head)?).ok()?;
        let first = at.checked_add(head)?;
        let next = self.offset(first.checked_add(count.checked_mul(entry)?)?)?;
        let (mut offsets, mut lengths) = (None, None);
        for at in (0..count).map(|i| first + entry * i) {
            match self.number(at, 2)? {
                STRIP_OFFSETS | TILE_OFFSETS => offsets = Some(self.numbers(at)?),
                STRIP_BYTES | TILE_BYTES => lengths = Some(self.numbers(at)?),
                _ => {}
            }
        }
        if let Some(offsets) = offsets {
            for i in 0..offsets.count {
                let start = self.nth(offsets, i)?;
                let length = lengths.and_then(|lengths| self.nth(lengths, i)).unwrap_or(1);
                (start.checked_add(length)? <= self.bytes.len() as u64).then_some(())?;
            }
        }
        Some(next)
    }

    /// The numbers of an entry; where they do not fit into it, they stand elsewhere.
    fn numbers(&self, entry: usize) -> Option<Numbers> {
        let each = match self.number(entry + 2, 2)? {
            3 => 2,
            16 | 18 => 8,
            _ => 4,
        };
        let count = usize::try_from(self.number(entry + 4, self.word())?).ok()?;
        let value = entry + 4 + self.word();
        let bytes = count.checked_mul(each)?;
        let at = if bytes <= self.word() {
            value
        } else {
            self.offset(value)?
        };
        (at.checked_add(bytes)? <= self.bytes.len()).then_some(Numbers { at, count, each })
    }

    fn nth(&self, numbers: Numbers, i: usize) -> Option<u64> {
        (i < numbers.count).then_some(())?;
        self.number(numbers.at + i * numbers.each, numbers.each)
    }
}

#[cfg(test)]
mod tests {
    use crate::photo_end::ends_early;

    /// Two strips; the directory before them, or behind them.
    fn tiff(big: bool, directory_last: bool) -> Vec<u8> {
        let word = |number: usize| match big {
            true => (number as u64).to_be_bytes().to_vec(),
            false => (number as u32).to_be_bytes().to_vec(),
        };
        let head = if big { 16 } else { 8 };
        let length = if big { 8 + 2 * 20 + 8 } else { 2 + 2 * 12 + 4 };
        let (directory, strips) = match directory_last {
            true => (head + 8, head),
            false => (head, head + length),
        };
        let mut bytes = match big {
            true => b"MM\0+\0\x08\0\0".to_vec(),
            false => b"MM\0*".to_vec(),
        };
        bytes.extend(word(directory));
        let mut entries = match big {
            true => word(2),
            false => vec![0, 2],
        };
        for (tag, values) in [(273_u16, [strips, strips + 4]), (279, [4, 4])] {
            entries.extend(tag.to_be_bytes());
            entries.extend([0, 3]);
            entries.extend(word(2));
            let mut packed: Vec<u8> = values.iter().flat_map(|v| (*v as u16).to_be_bytes()).collect();
            packed.resize(word(0).len(), 0);
            entries.extend(packed);
        }
        entries.extend(word(0));
        let pixels = b"12345678".to_vec();
        let parts = if directory_last {
            [pixels, entries]
        } else {
            [entries, pixels]
        };
        bytes.extend(parts.concat());
        bytes
    }

    #[test]
    fn every_cut_is_seen_wherever_the_directory_is() {
        for (big, last) in [(false, false), (false, true), (true, false), (true, true)] {
            let whole = tiff(big, last);
            assert!(!ends_early(&whole), "{big} {last}: {whole:?}");
            for end in 0..whole.len() {
                assert!(ends_early(&whole[..end]), "{end} of {whole:?}");
            }
            assert!(!ends_early(&[whole, vec![0; 100]].concat()));
        }
    }

    #[test]
    fn a_directory_that_is_still_to_be_written_is_none() {
        let mut bytes = tiff(false, true);
        bytes[4..8].fill(0);
        assert!(ends_early(&bytes));
        // One that names itself as the next has an end all the same.
        let mut round = tiff(false, false);
        let next = round.len() - 8 - 4;
        round[next..next + 4].copy_from_slice(&8_u32.to_be_bytes());
        assert!(!ends_early(&round));
    }
}
