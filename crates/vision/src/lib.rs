//! Pure image work: bytes to a bounded, upright picture; picture to tensors; probability maps and instances to findings;
//! findings to a marked picture. No networks and no I/O live here.
//!
//! The way of a photo through this crate: [`decode`] (sniff, limits, scaled decode, orientation) →
//! [`quality`] → [`tensor`] → (networks, elsewhere) → [`mask`] (policy per class) → [`findings`]
//! (regions, polygons, [`rle`]) → [`overlay`].

pub mod decode;
pub mod findings;
pub mod instance;
pub mod mask;
pub mod overlay;
pub mod quality;
pub mod rle;
pub mod tensor;
