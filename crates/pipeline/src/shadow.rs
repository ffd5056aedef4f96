//! A shadow: a second bundle that sees a share of the photos after they are settled.
//!
//! The process that settles photos only names them ([`ShadowFeed::offer`]): a photo is taken if there is room, and dropped
//! otherwise, and nothing waits. Whoever receives them (another process, so that a bundle that crashes takes nothing
//! with it) has each inspected by [`ShadowInspector`]. Its report has a key of its own; records, events and messages are not
//! touched.

mod feed;
mod inspector;
mod results;

pub use feed::{FeedCounts, ShadowFeed, ShadowQueue, WAITING_MAX, shadow_feed};
pub use inspector::{ShadowError, ShadowInspector, ShadowOutcome};
pub use results::{ShadowResult, ShadowResults, report_key};
