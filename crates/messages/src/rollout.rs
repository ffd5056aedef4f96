//! The rollout of a stack as a document: written by operators, read by triage and workers.

use crate::Unreadable;
use crate::document::{VERSION, check_version, finite, from_text, to_text};
use crate::moment::{parse_rfc3339, rfc3339};
use crate::report::BundleDocument;
use serde::{Deserialize, Serialize};
use walkaround_domain::BundleId;
use walkaround_domain::rollout::{Rollout, Shadow};

/// Name of the document in a state store.
pub const ROLLOUT_STATE: &str = "rollout";

/// Which other bundles see the photos of a stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutDocument {
    /// Version of this document: 1.
    pub version: u32,
    /// The shadow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<ShadowDocument>,
}

/// A bundle that sees photos after they are settled, and answers for none of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShadowDocument {
    /// Which.
    pub bundle: BundleDocument,
    /// Its folder; left out where it is in a registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Share of the photos, above 0 and at most 1.
    pub share: f64,
    /// Since when, RFC 3339.
    pub since: String,
}

/// The document of a rollout.
pub fn rollout_body(rollout: &Rollout) -> String {
    to_text(&RolloutDocument::from(rollout))
}

/// Reads the document of a rollout.
///
/// # Errors
/// When it is none, or one of a version that is not known here.
pub fn parse_rollout(body: &str) -> Result<Rollout, Unreadable> {
    from_text::<RolloutDocument>(body)?.try_into()
}

impl From<&Rollout> for RolloutDocument {
    fn from(rollout: &Rollout) -> Self {
        Self {
            version: VERSION,
            shadow: rollout.shadow.as_ref().map(|shadow| ShadowDocument {
                bundle: (&shadow.bundle).into(),
                folder: shadow.folder.clone(),
                share: finite(shadow.share),
                since: rfc3339(shadow.since),
            }),
        }
    }
}

impl TryFrom<RolloutDocument> for Rollout {
    type Error = Unreadable;

    fn try_from(wire: RolloutDocument) -> Result<Self, Unreadable> {
        check_version(u64::from(wire.version))?;
        let shadow = wire.shadow.map(|shadow| {
            Ok::<_, Unreadable>(Shadow {
                bundle: BundleId::new(shadow.bundle.name, shadow.bundle.version),
                folder: shadow.folder,
                share: shadow.share,
                since: parse_rfc3339(&shadow.since).map_err(|e| e.within("shadow.since"))?,
            })
        });
        Ok(Self {
            shadow: shadow.transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use walkaround_domain::Timestamp;

    #[test]
    fn what_is_written_is_read() {
        let shadow = Shadow {
            bundle: BundleId::new("demo", "2"),
            folder: Some("/srv/bundles/demo-2".to_owned()),
            share: 0.1,
            since: Timestamp(1_795_305_600_000),
        };
        for rollout in [Rollout::default(), Rollout { shadow: Some(shadow) }] {
            assert_eq!(parse_rollout(&rollout_body(&rollout)), Ok(rollout));
        }
    }

    #[test]
    fn another_version_and_what_is_no_document_are_refused() {
        for wrong in ["", "{}", r#"{"version": 2}"#, r#"{"version": 1, "shadow": {}}"#] {
            assert!(parse_rollout(wrong).is_err(), "{wrong}");
        }
    }
}
