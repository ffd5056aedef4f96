//! Bytes to a bounded, upright picture.
