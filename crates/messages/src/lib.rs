//! Wire forms and stored documents, versioned, and their conversions from the domain. JSON field names are
//! part of the interface: change one only with a new version. `docs/messages.md` shows every form.
//!
//! What comes in goes through [`parse_intake`]; what is stored through [`record_body`] and [`parse_record`];
//! what is sent through [`finished_event`] and [`reviewed_event`]. The wire types themselves are in [`v1`].
//!
//! ```
//! use std::collections::BTreeMap;
//! use walkaround_domain::{InspectionId, InspectionRequest, PhotoRef};
//! use walkaround_messages::{Intake, parse_intake, request_json};
//!
//! let id = InspectionId::new("walk-4711").expect("a short plain id");
//! let asked = InspectionRequest::of(id, PhotoRef::File("front.jpg".into()));
//! let read = parse_intake(&request_json(&asked), &BTreeMap::new()).expect("what we write we read");
//! assert!(matches!(&read[..], [Intake::Inspect(request)] if *request == asked));
//! assert!(parse_intake("poison", &BTreeMap::new()).is_err());
//! ```

mod document;
mod event;
mod heartbeat;
mod intake;
mod lane;
pub mod moment;
pub mod monitor;
mod record;
pub mod report;
mod request;
mod review;
mod review_task;
mod rollout;
mod unreadable;
pub mod v1;

pub use document::VERSION;
pub use event::{FinishedEvent, SMOKE_FOLDER, finished_event, parse_event};
pub use heartbeat::{HeartbeatDocument, WorkerState, heartbeat_body, parse_heartbeat};
pub use intake::{
    INTAKE_BYTES_MAX, Intake, NoPhoto, REQUESTS_PER_MESSAGE_MAX, SUBMITTED_PREFIX, parse_intake,
};
pub use lane::{LANE_STATE, lane_state_body, parse_lane_state};
pub use moment::{parse_rfc3339, rfc3339, utc_day};
pub use record::{parse_record, record_body};
pub use report::{
    BundleDocument, FindingDocument, PhotoReport, QualityDocument, ReasonDocument, RleDocument,
};
pub use request::{
    CONTENT_TYPE, PROTOBUF, base_id, derived_id, has_base_id, own_id, request_json, request_protobuf,
    superseding_id,
};
pub use review::{
    AddedDocument, CorrectionDocument, CorrectionKind, DecisionDocument, REVIEWED, ReviewDocument,
    ReviewedDocument, ReviewedEvent, parse_decision, parse_digest, parse_review, parse_reviewed_event,
    review_body, reviewed_event,
};
pub use review_task::{TaskDocument, parse_task, task_body};
pub use rollout::{
    ActiveDocument, CONFIGURED_STATE, CanaryDocument, CanaryPolicyDocument, ConfiguredDocument,
    EvidenceDocument, GroupDocument, ROLLOUT_STATE, RolloutDocument, ShadowDocument, StepTime,
    configured_body, parse_configured, parse_rollout, rollout_body,
};
pub use unreadable::Unreadable;
