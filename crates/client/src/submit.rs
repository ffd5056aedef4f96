//! Photos in, and their results out.
//!
//! Everything named is read first ([`Plan`]), so that a wrong line stops the run before anything is sent; then photos are
//! taken in and requests go out ([`Sender`]); then results are waited for ([`Waiting`]). Submitting twice is harmless: the
//! same photo is the same inspection.

mod earlier;
mod item;
mod manifest;
mod send;
mod sources;
mod standing;
mod wait;

pub use item::{About, Item};
pub use send::{SendOutcome, SendProgress, Sender, Sent, Wire};
pub use sources::{Plan, Words};
pub use standing::Watched;
pub use wait::{NoResult, WaitProgress, Waiting};
