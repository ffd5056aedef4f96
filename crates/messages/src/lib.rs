//! Wire forms and stored documents, versioned, and their conversions from the domain. JSON field names are
//! part of the interface: change one only with a new version. `docs/messages.md` shows every form.
//!
//! What comes in goes through [`parse_intake`]; what is stored through [`record_body`] and [`parse_record`];
//! what is told through [`finished_event`]. The wire types themselves are in [`v1`].

mod document;
mod event;
mod heartbeat;
mod intake;
mod lane;
pub mod moment;
mod record;
pub mod report;
mod request;
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
};
pub use unreadable::Unreadable;
