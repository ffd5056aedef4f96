//! The words of Walkaround as types: what a photo shows (findings), what we say about it (verdict), where an
//! inspection stands (its phase), and the decisions: routing and scaling.
//!
//! Pure: no I/O, no async, no clock, no serialisation. Everything else in the workspace depends on this crate,
//! and this crate depends on nothing.

pub mod attempts;
pub mod engine_health;
pub mod finding;
pub mod geometry;
mod hex;
pub mod identity;
pub mod ids;
pub mod inspection;
pub mod lane;
pub mod photo;
pub mod photo_end;
pub mod photo_name;
pub mod record;
pub mod routing;
pub mod scaling;
pub mod time;
pub mod verdict;
pub mod walkaround;

pub use attempts::{ATTEMPTS_MAX, DELIVERIES_MAX, StartPlan};
pub use engine_health::EngineHealth;
pub use finding::Finding;
pub use geometry::{PixelBox, Point, Polygon, Rle, Size, UnitRect};
pub use hex::hex;
pub use ids::InspectionId;
pub use inspection::{Event, FailureCode, IllegalTransition, Lane, Phase, Step};
pub use photo::{InspectionRequest, Occasion, PhotoRef};
pub use record::{AttemptFailure, AttemptHistory, BlobRef, FindingSummary, Inspection, Outcome, UsedBundle};
pub use time::Timestamp;
pub use verdict::{Evidence, GATE_SURE, Reason, ReasonCode, Verdict, judge};
