//! The formats that are read.

/// A picture format that is read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// JPEG: baseline, progressive or arithmetic; grey, YCbCr, RGB, CMYK or YCCK.
    Jpeg,
    /// PNG, up to 16 bits a channel.
    Png,
    /// WebP, lossy or lossless; of an animation the first frame.
    WebP,
    /// Windows bitmap.
    Bmp,
    /// TIFF: the first picture of the file.
    Tiff,
    /// GIF: the first frame.
    Gif,
    /// HEIC, and HEIF coded with HEVC: the primary picture.
    Heic,
    /// AVIF: the primary picture.
    Avif,
}

impl Format {
    /// The word used in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::WebP => "webp",
            Self::Bmp => "bmp",
            Self::Tiff => "tiff",
            Self::Gif => "gif",
            Self::Heic => "heic",
            Self::Avif => "avif",
        }
    }

    /// The name as people write it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
            Self::Gif => "GIF",
            Self::Heic => "HEIC",
            Self::Avif => "AVIF",
        }
    }
}
