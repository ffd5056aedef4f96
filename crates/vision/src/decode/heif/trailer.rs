//! Bytes behind the last box of a HEIF file, as phones and tools leave them (Samsung's `SEFT`, a line end, padding).

/// Boxes without which there is no picture: one of these that runs over the end of the file was cut off.
const NEEDED: [&[u8; 4]; 3] = [b"ftyp", b"meta", b"mdat"];
/// Size and type of a box, in bytes (ISO/IEC 14496-12, section 4.2).
const HEADER: usize = 8;
/// Most boxes at the top of a file.
const BOXES_MAX: usize = 10_000;

/// The file up to the end of its last whole box. Unchanged where one that is needed is cut off: that is no trailer.
pub(super) fn without_trailer(bytes: &[u8]) -> &[u8] {
    let (mut at, mut has_meta, mut has_data) = (0, false, false);
    for _ in 0..BOXES_MAX {
        let rest = &bytes[at..];
        if rest.is_empty() {
            break;
        }
        let kind = rest.get(4..HEADER);
        match length(rest) {
            Some(length) if (HEADER..=rest.len()).contains(&length) => {
                has_meta |= kind == Some(b"meta");
                has_data |= kind == Some(b"mdat");
                at += length;
            }
            _ if has_meta && has_data && !NEEDED.iter().any(|needed| kind == Some(needed.as_slice())) => {
                return &bytes[..at];
            }
            _ => break,
        }
    }
    bytes
}

/// How long the first box is, its header included: a size of 1 stands for one of 64 bits behind the type, 0 for all that follows.
fn length(rest: &[u8]) -> Option<usize> {
    let short = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?);
    match short {
        0 => (rest.get(4..HEADER)?.iter().all(u8::is_ascii_graphic)).then_some(rest.len()),
        1 => usize::try_from(u64::from_be_bytes(rest.get(HEADER..HEADER + 8)?.try_into().ok()?)).ok(),
        short => usize::try_from(short).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::without_trailer;

    fn boxed(kind: &[u8; 4], length: usize) -> Vec<u8> {
        let size = u32::try_from(length).unwrap().to_be_bytes();
        [&size[..], kind, &vec![7; length - 8]].concat()
    }

    #[test]
    fn what_is_no_box_behind_the_picture_is_cut_off_and_a_cut_picture_is_not() {
        let file = [boxed(b"ftyp", 16), boxed(b"meta", 40), boxed(b"mdat", 100)].concat();
        for trailer in [&b"\n"[..], &[0; 4], &[0xff; 30], b"\0\0\x01\x0bSEFH....SEFT"] {
            assert_eq!(without_trailer(&[&file[..], trailer].concat()), file);
        }
        let with_box = [&file[..], &boxed(b"free", 12)].concat();
        assert_eq!(without_trailer(&with_box), with_box);
        for cut in [file.len() - 1, 60, 30] {
            assert_eq!(without_trailer(&file[..cut]), &file[..cut], "{cut}");
        }
    }
}
