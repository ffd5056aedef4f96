//! Pure image work: bytes to a bounded, upright picture; picture to tensors; probability maps and instances to findings;
//! findings to a marked picture. No networks and no I/O live here.
//!
//! The way of a photo through this crate: [`decode`] (sniff, limits, scaled decode, orientation) →
//! [`quality`] → [`tensor`] → (networks, elsewhere) → [`mask`] (policy per class) → [`findings`]
//! (regions, polygons, [`rle`]) → [`overlay`].
//!
//! ```
//! use walkaround_domain::Size;
//! use walkaround_vision::rle::{decode_mask, encode_mask};
//!
//! let mask = [0, 1, 1, 0, 0, 1];
//! let size = Size { width: 3, height: 2 };
//! let coded = encode_mask(size, &mask);
//! assert_eq!(decode_mask(&coded).expect("what was encoded"), mask);
//! ```

pub mod class_map;
pub mod decode;
pub mod findings;
pub mod instance;
pub mod mask;
pub mod outlines;
pub mod overlay;
pub mod quality;
mod resample;
pub mod rle;
pub mod strip;
pub mod tensor;
