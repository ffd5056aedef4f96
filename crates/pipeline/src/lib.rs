//! Use cases. So far one: looking at a photo ([`look`]), which `walkaround inspect` calls photo by photo
//! and the queue workers call batch by batch.

pub mod look;
pub mod memory;
