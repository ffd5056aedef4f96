//! Pictures to network inputs.
