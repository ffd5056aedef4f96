//! Wire forms and stored documents, versioned, and their conversions from the domain. JSON field names are
//! part of the interface: change one only with a new version.

pub mod report;

pub use report::{
    BundleDocument, FindingDocument, PhotoReport, QualityDocument, ReasonDocument, RleDocument,
};
