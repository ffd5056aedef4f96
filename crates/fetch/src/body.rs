//! The body of an answer: read within the limit, its content encoding taken off within the same limit, and whether it may
//! have been cut.

use crate::transport::transport_fault;
use crate::words::{one_line, shown};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, TRANSFER_ENCODING};
use reqwest::{Response, Version};
use std::io::{self, Read};
use url::Url;
use walkaround_domain::photo_end::ends_early;
use walkaround_ports::FetchError;

/// Encodings of one body, at most: servers send one, and each costs a pass over it.
const ENCODINGS_MAX: usize = 2;

/// A whole answer, as far as can be known.
pub(crate) struct Body {
    /// The photo, without its content encoding.
    pub(crate) bytes: Vec<u8>,
    /// Nothing proves the end of the answer, and it ends where the picture does not: it may have been cut on its way.
    pub(crate) maybe_cut: bool,
}

#[derive(Debug, Clone, Copy)]
enum Encoding {
    Gzip,
    Deflate,
}

/// Reads the body.
pub(crate) async fn read(url: &Url, response: Response, bytes_max: u64) -> Result<Body, FetchError> {
    let encodings = encodings(url, &response)?;
    // Each defines where the body ends (RFC 9112, section 6.3; RFC 9113, section 8.1); without them it ends where the
    // connection does, cut or not.
    let has_end = response.content_length().is_some()
        || response.headers().contains_key(TRANSFER_ENCODING)
        || response.version() >= Version::HTTP_2;
    let content_type = response.headers().get(CONTENT_TYPE).cloned();
    let raw = chunks(url, response, bytes_max).await?;
    let Decoded { bytes, has_trailer } = if encodings.is_empty() {
        Decoded::plain(raw)
    } else {
        let decode = move || decoded(raw, &encodings, bytes_max);
        let decoded = tokio::task::spawn_blocking(decode).await;
        decoded
            .unwrap_or(Err(Undecodable::Broken))
            .map_err(|why| match why {
                Undecodable::TooLarge => too_large(url, bytes_max),
                Undecodable::Broken => FetchError::Unreachable(format!(
                    "{}: its compressed body is damaged or truncated",
                    shown(url)
                )),
            })?
    };
    if let Some(what) = no_photo(content_type.as_ref(), &bytes) {
        return Err(FetchError::Unreachable(format!(
            "{}: answered with {what}",
            shown(url)
        )));
    }
    let maybe_cut = !has_end && !has_trailer && ends_early(&bytes);
    Ok(Body { bytes, maybe_cut })
}

/// What a host in trouble answers with `200 OK` in a photo's place: nothing at all, a page (to sign in, or that it is being
/// repaired), or words for a program. The content type alone proves nothing: photos are sent under any.
fn no_photo(content_type: Option<&HeaderValue>, bytes: &[u8]) -> Option<&'static str> {
    if bytes.is_empty() {
        return Some("no bytes");
    }
    let kind = content_type?.to_str().ok()?.trim_start().to_ascii_lowercase();
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace())?;
    match first {
        b'<' if kind.starts_with("text/html") || kind.contains("xml") => Some("a page, not a photo"),
        b'{' | b'[' if kind.contains("json") => Some("JSON, not a photo"),
        _ => None,
    }
}

fn too_large(url: &Url, bytes_max: u64) -> FetchError {
    FetchError::TooLarge(format!("{}: more than {bytes_max} bytes", shown(url)))
}

/// As it comes, up to the limit.
async fn chunks(url: &Url, mut response: Response, bytes_max: u64) -> Result<Vec<u8>, FetchError> {
    if response
        .content_length()
        .is_some_and(|announced| announced > bytes_max)
    {
        return Err(too_large(url, bytes_max));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| transport_fault(url, &error))?
    {
        if (bytes.len() + chunk.len()) as u64 > bytes_max {
            return Err(too_large(url, bytes_max));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The encodings to take off, last one first (RFC 9110, section 8.4). We ask for none; some servers send one all the same.
fn encodings(url: &Url, response: &Response) -> Result<Vec<Encoding>, FetchError> {
    let mut found = Vec::new();
    for value in response.headers().get_all(CONTENT_ENCODING) {
        for name in String::from_utf8_lossy(value.as_bytes()).split(',') {
            match name.trim().to_ascii_lowercase().as_str() {
                "" | "identity" | "none" => {}
                "gzip" | "x-gzip" => found.push(Encoding::Gzip),
                "deflate" => found.push(Encoding::Deflate),
                // The host's setting, which somebody can correct.
                other => {
                    return Err(FetchError::Unreachable(format!(
                        "{}: answered with content-encoding `{}`, expected none, gzip or deflate",
                        shown(url),
                        one_line(other)
                    )));
                }
            }
        }
    }
    if found.len() > ENCODINGS_MAX {
        let words = format!("{}: more than {ENCODINGS_MAX} content encodings", shown(url));
        return Err(FetchError::Unreachable(words));
    }
    found.reverse();
    Ok(found)
}

#[derive(Debug, PartialEq, Eq)]
enum Undecodable {
    TooLarge,
    Broken,
}

/// A body without its content encodings.
#[derive(Debug, PartialEq, Eq)]
struct Decoded {
    bytes: Vec<u8>,
    /// The outermost encoding has an end of its own, and it is there.
    has_trailer: bool,
}

impl Decoded {
    const fn plain(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            has_trailer: false,
        }
    }
}

fn decoded(raw: Vec<u8>, encodings: &[Encoding], bytes_max: u64) -> Result<Decoded, Undecodable> {
    let mut body = Decoded::plain(raw);
    for (depth, encoding) in encodings.iter().enumerate() {
        let bytes = &body.bytes[..];
        let inflated = match encoding {
            // Servers that label by a rule label pictures as compressed that are not.
            Encoding::Gzip if !bytes.starts_with(b"\x1f\x8b") => continue,
            Encoding::Gzip => inflate(MultiGzDecoder::new(bytes), bytes_max)?,
            // By the RFC deflate has a zlib header; some servers leave it out.
            Encoding::Deflate if is_zlib(bytes) => inflate(ZlibDecoder::new(bytes), bytes_max)?,
            Encoding::Deflate => match inflate(DeflateDecoder::new(bytes), bytes_max) {
                Err(Undecodable::Broken) if is_picture_start(bytes) => continue,
                outcome => outcome?,
            },
        };
        body = Decoded {
            bytes: inflated,
            has_trailer: body.has_trailer || depth == 0,
        };
    }
    Ok(body)
}

/// At most the limit comes out, however much is in it.
fn inflate(from: impl Read, bytes_max: u64) -> Result<Vec<u8>, Undecodable> {
    let mut bytes = Vec::new();
    let read: io::Result<usize> = from.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes);
    match read {
        Ok(_) if bytes.len() as u64 > bytes_max => Err(Undecodable::TooLarge),
        Ok(_) => Ok(bytes),
        Err(_) => Err(Undecodable::Broken),
    }
}

/// The two bytes of a zlib header (RFC 1950).
fn is_zlib(bytes: &[u8]) -> bool {
    matches!(bytes, [cmf, flg, ..] if cmf & 0x0f == 8 && (u16::from(*cmf) << 8 | u16::from(*flg)) % 31 == 0)
}

fn is_picture_start(bytes: &[u8]) -> bool {
    const STARTS: [&[u8]; 7] = [
        b"\xff\xd8\xff",
        b"\x89PNG",
        b"RIFF",
        b"GIF8",
        b"BM",
        b"II*\0",
        b"MM\0*",
    ];
    STARTS.iter().any(|start| bytes.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use std::io::Write;

    const PHOTO: &[u8] = b"\xff\xd8\xff a photo \xff\xd9";

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = GzEncoder::new(Vec::new(), Compression::default());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    #[test]
    fn encodings_come_off_within_the_limit() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(PHOTO).unwrap();
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::default());
        bare.write_all(PHOTO).unwrap();
        let cases = [
            (gzip(PHOTO), vec![Encoding::Gzip]),
            (gzip(&gzip(PHOTO)), vec![Encoding::Gzip, Encoding::Gzip]),
            (
                [gzip(b"\xff\xd8\xff a "), gzip(b"photo \xff\xd9")].concat(),
                vec![Encoding::Gzip],
            ),
            (zlib.finish().unwrap(), vec![Encoding::Deflate]),
            (bare.finish().unwrap(), vec![Encoding::Deflate]),
            (PHOTO.to_vec(), vec![Encoding::Gzip]),
            (PHOTO.to_vec(), vec![Encoding::Deflate]),
        ];
        for (bytes, encodings) in cases {
            let is_plain = bytes == PHOTO;
            let photo = decoded(bytes, &encodings, 1000).unwrap();
            assert_eq!(photo.bytes, PHOTO, "{encodings:?}");
            assert_eq!(photo.has_trailer, !is_plain, "{encodings:?}");
        }
        let exactly = PHOTO.len() as u64;
        assert_eq!(
            decoded(gzip(PHOTO), &[Encoding::Gzip], exactly).unwrap().bytes,
            PHOTO
        );
        let one_less = decoded(gzip(PHOTO), &[Encoding::Gzip], exactly - 1);
        assert_eq!(one_less, Err(Undecodable::TooLarge));
        let bomb = gzip(&vec![0; 1 << 20]);
        assert_eq!(decoded(bomb, &[Encoding::Gzip], 1000), Err(Undecodable::TooLarge));
        let whole = gzip(PHOTO);
        let cut = whole[..whole.len() - 9].to_vec();
        assert_eq!(decoded(cut, &[Encoding::Gzip], 1000), Err(Undecodable::Broken));
    }
}
