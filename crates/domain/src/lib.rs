//! The words of Walkaround as types: what a photo shows (findings), what we say about it (verdict), where an
//! inspection stands (its phase), what people decide about it (reviews), and the policies: routing and scaling.
//!
//! Pure: no I/O, no async, no clock, no serialisation. Everything else in the workspace depends on this crate,
//! and this crate depends on nothing.
//!
//! ```
//! use walkaround_domain::{Event, Inspection, InspectionId, InspectionRequest, PhotoRef, Timestamp, Verdict};
//!
//! let id = InspectionId::new("walk-4711").expect("a short plain id");
//! let request = InspectionRequest::of(id, PhotoRef::File("front.jpg".into()));
//! let accepted = Inspection::accepted(request, Timestamp(0));
//! let event = Event::Complete { verdict: Verdict::Clean };
//! let done = accepted.advance(&event, Timestamp(1)).expect("legal").expect("a change");
//! assert!(done.phase.is_final());
//! // The same event again changes nothing: messages come twice.
//! assert!(done.advance(&event, Timestamp(2)).expect("legal").is_none());
//! ```

pub mod attempts;
pub mod bundle;
pub mod canary;
pub mod draw;
pub mod engine_health;
pub mod estimate;
pub mod finding;
pub mod geometry;
mod hex;
pub mod identity;
pub mod ids;
pub mod inspection;
pub mod lane;
pub mod monitor;
pub mod overlay;
pub mod photo;
pub mod photo_end;
pub mod photo_name;
pub mod record;
pub mod review;
pub mod rollout;
pub mod routing;
pub mod sampling;
pub mod scaling;
pub mod supersede;
pub mod time;
pub mod verdict;
pub mod walkaround;

pub use attempts::{ATTEMPTS_MAX, DELIVERIES_MAX, StartPlan};
pub use bundle::BundleId;
pub use engine_health::EngineHealth;
pub use finding::Finding;
pub use geometry::{PixelBox, Point, Polygon, Rle, Size, UnitRect};
pub use hex::hex;
pub use ids::InspectionId;
pub use inspection::{Event, FailureCode, IllegalTransition, Lane, Phase, Step};
pub use overlay::Overlays;
pub use photo::{InspectionRequest, Occasion, PhotoRef};
pub use record::{
    AttemptFailure, AttemptHistory, BlobRef, Drawn, FindingSummary, Inspection, Outcome, PhotoQuality,
};
pub use review::{Decision, Review, ReviewPolicy, ReviewTask, Reviewer, TaskReason, TaskState};
pub use rollout::Rollout;
pub use time::Timestamp;
pub use verdict::{Evidence, GATE_SURE, Reason, ReasonCode, Verdict, judge};
