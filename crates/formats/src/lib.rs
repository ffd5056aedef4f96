//! Data sets of reviewed photos: what is in one ([`Photo`], [`manifest`], [`split`]), its files in the formats of
//! others ([`coco`], [`cvat`], [`label_studio`], [`yolo`]), and what people changed in such a file ([`compare`]).
//!
//! Pure: documents and bytes in, documents and bytes out. Each format first takes what it can carry of a photo
//! ([`shapes::lower`]), and says what it cannot. The same shapes are what a file that comes back is compared with: so a file
//! that nobody touched never differs, whatever its format loses.

pub mod annotation;
mod brush;
pub mod card;
pub mod coco;
pub mod compare;
pub mod cvat;
pub mod label_studio;
pub mod manifest;
mod read;
pub mod shapes;
pub mod split;
pub mod spool;
pub mod yolo;

pub use annotation::{Annotation, Key, Photo, Region, annotations};
pub use manifest::ManifestEntry;
pub use read::{ReadError, ReadPhoto, ReadShape, SizeOf, photo_digest};
pub use shapes::{Format, Geometry, Loss, Losses};
pub use split::Splits;
