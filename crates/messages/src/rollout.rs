//! The rollout of a stack as a document: written by operators, read by triage and workers.

mod canary;

pub use canary::{CanaryDocument, CanaryPolicyDocument, EvidenceDocument, GroupDocument, StepTime};

use crate::Unreadable;
use crate::document::{VERSION, check_version, finite, from_text, to_text};
use crate::moment::{parse_rfc3339, rfc3339};
use crate::report::BundleDocument;
use serde::{Deserialize, Serialize};
use walkaround_domain::BundleId;
use walkaround_domain::canary::Canary;
use walkaround_domain::rollout::{ActiveBundle, Rollout, Shadow};

/// Name of the document in a state store.
pub const ROLLOUT_STATE: &str = "rollout";

/// Name of the document that says with which bundle a stack was started, where bundles are folders.
pub const CONFIGURED_STATE: &str = "configured-bundle";

/// With which bundle a stack was started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfiguredDocument {
    /// Version of this document: 1.
    pub version: u32,
    /// Which.
    pub bundle: BundleDocument,
    /// Its folder.
    pub folder: String,
}

/// The document of the bundle that a stack was started with.
pub fn configured_body(bundle: &BundleId, folder: &str) -> String {
    to_text(&ConfiguredDocument {
        version: VERSION,
        bundle: bundle.into(),
        folder: folder.to_owned(),
    })
}

/// Reads which bundle a stack was started with, and its folder.
///
/// # Errors
/// When it is no such document, or one of a version that is not known here.
pub fn parse_configured(body: &str) -> Result<(BundleId, String), Unreadable> {
    let wire: ConfiguredDocument = from_text(body)?;
    check_version(u64::from(wire.version))?;
    Ok((BundleId::new(wire.bundle.name, wire.bundle.version), wire.folder))
}

/// Which other bundles see the photos of a stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutDocument {
    /// Version of this document: 1.
    pub version: u32,
    /// The shadow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<ShadowDocument>,
    /// The latest canary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanaryDocument>,
    /// The bundle that was activated instead of the configured one, where bundles are folders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<ActiveDocument>,
}

/// A bundle that answers instead of the configured one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActiveDocument {
    /// Which.
    pub bundle: BundleDocument,
    /// Its folder.
    pub folder: String,
    /// The configured bundle when it was activated.
    pub configured: BundleDocument,
    /// Since when, RFC 3339.
    pub since: String,
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
            canary: rollout.canary.as_ref().map(CanaryDocument::from),
            active: rollout.active.as_ref().map(|active| ActiveDocument {
                bundle: (&active.bundle).into(),
                folder: active.folder.clone(),
                configured: (&active.configured).into(),
                since: rfc3339(active.since),
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
                canary: None,
            })
        });
        let active = wire.active.map(|active| {
            Ok::<_, Unreadable>(ActiveBundle {
                bundle: BundleId::new(active.bundle.name, active.bundle.version),
                folder: active.folder,
                configured: BundleId::new(active.configured.name, active.configured.version),
                since: parse_rfc3339(&active.since).map_err(|e| e.within("active.since"))?,
            })
        });
        Ok(Self {
            shadow: shadow.transpose()?,
            canary: wire.canary.map(Canary::try_from).transpose()?,
            active: active.transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use walkaround_domain::Timestamp;
    use walkaround_domain::canary::{CanaryEnd, CanaryOutcome, CanaryPolicy};

    #[test]
    fn what_is_written_is_read() {
        let shadow = Shadow {
            bundle: BundleId::new("demo", "2"),
            folder: Some("/srv/bundles/demo-2".to_owned()),
            share: 0.1,
            since: Timestamp(1_795_305_600_000),
            canary: None,
        };
        let running = Canary {
            bundle: BundleId::new("demo", "3"),
            folder: None,
            instead_of: BundleId::new("demo", "1"),
            instead_of_folder: Some("/srv/bundles/demo".to_owned()),
            share: 0.25,
            since: Timestamp(1_795_305_600_000),
            policy: CanaryPolicy::default(),
            end: None,
        };
        let active = ActiveBundle {
            bundle: BundleId::new("demo", "3"),
            folder: "/srv/bundles/demo-3".to_owned(),
            configured: BundleId::new("demo", "1"),
            since: Timestamp(1_795_305_660_000),
        };
        let mut rollouts = vec![
            Rollout::default(),
            Rollout {
                shadow: Some(shadow),
                canary: Some(running.clone()),
                active: Some(active),
            },
        ];
        rollouts.extend(CanaryOutcome::ALL.map(|how| Rollout {
            canary: Some(Canary {
                end: Some(CanaryEnd {
                    at: Timestamp(1_795_305_660_000),
                    how,
                    why: "it failed on 3 of 3 photos".to_owned(),
                }),
                ..running.clone()
            }),
            ..Rollout::default()
        }));
        for rollout in rollouts {
            assert_eq!(parse_rollout(&rollout_body(&rollout)), Ok(rollout));
        }
    }

    #[test]
    fn the_bundle_that_a_stack_was_started_with_is_read() {
        let bundle = BundleId::new("demo", "1");
        let body = configured_body(&bundle, "/srv/bundles/demo");
        assert_eq!(
            parse_configured(&body),
            Ok((bundle, "/srv/bundles/demo".to_owned()))
        );
        assert!(parse_configured("{}").is_err());
    }

    #[test]
    fn another_version_and_what_is_no_document_are_refused() {
        for wrong in [
            "",
            "{}",
            r#"{"version": 2}"#,
            r#"{"version": 1, "shadow": {}}"#,
            r#"{"version": 1, "canary": {"share": 1}}"#,
        ] {
            assert!(parse_rollout(wrong).is_err(), "{wrong}");
        }
    }
}
