//! The words of Walkaround as types: what a photo shows (findings), what we say about it (verdict) and why.
//!
//! Pure: no I/O, no async, no clock, no serialisation. Everything else in the house depends on this crate,
//! and this crate depends on nothing.

pub mod finding;
pub mod geometry;
pub mod verdict;

pub use finding::Finding;
pub use geometry::{PixelBox, Point, Polygon, Rle, Size, UnitRect};
pub use verdict::{Reason, ReasonCode, Verdict};
