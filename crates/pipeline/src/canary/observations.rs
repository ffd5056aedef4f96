//! Observations as blobs, whose names say what was seen.
//!
//! `canary/SINCE/ID/answered.GROUP.VERDICT.LANE.SCREENING.SEGMENTATION` (microseconds), `canary/SINCE/ID/failed`,
//! `canary/SINCE/ID/before.VERDICT`; `SINCE` is when the canary started, in milliseconds.

use crate::inspector::Answering;
use crate::telemetry::Settled;
use serde_json::json;
use std::sync::Arc;
use tracing::{info, warn};
use walkaround_domain::canary::{Canary, CanaryGroup, Evidence, Observation, Observed};
use walkaround_domain::{InspectionId, Lane, Verdict};
use walkaround_ports::{BlobAddress, Blobs, PortError, PortErrorKind};

/// Most observations that are read; by then every rule has more than it needs.
pub const OBSERVATIONS_MAX: usize = 50_000;
/// Observations of one page.
const PAGE: usize = 1000;
/// Longest reason that is kept, in characters.
const WHY_CHARS_MAX: usize = 300;

/// Where observations are.
#[derive(Clone)]
pub struct Observations {
    /// The store of results.
    pub blobs: Arc<dyn Blobs>,
    /// Its bucket.
    pub bucket: String,
}

impl Observations {
    /// Notes what was seen of a photo that was settled. The result stands whatever comes of this.
    pub async fn note(&self, id: &InspectionId, settled: &Settled, answering: &Answering) {
        let Some(part) = &answering.part else {
            return;
        };
        let observed = match &part.failed {
            Some(why) => {
                info!(inspection = %id, why, "the canary failed, the bundle before answered");
                Observed::Failed
            }
            None => Observed::Answered {
                verdict: settled.verdict,
                lane: settled.lane,
                micros: ["screening", "segment"].map(|step| {
                    let ms = settled.timings_ms.get(step).copied().unwrap_or_default();
                    (ms * 1000.0).round() as u64
                }),
            },
        };
        let seen = Observation {
            group: part.group,
            observed,
        };
        let why = part.failed.as_deref();
        if let Err(error) = self.put(&part.in_use.canary, id, &seen, why).await {
            warn!(inspection = %id, %error, "what was seen of the canary could not be noted");
        }
    }

    /// Stores an observation; twice is once.
    ///
    /// # Errors
    /// [`PortError`].
    pub async fn put(
        &self,
        canary: &Canary,
        id: &InspectionId,
        seen: &Observation,
        why: Option<&str>,
    ) -> Result<(), PortError> {
        let at = self.at(format!("{}{id}/{}", folder(canary), name(seen)));
        let why: Option<String> = why.map(|why| why.chars().take(WHY_CHARS_MAX).collect());
        let body = json!({"inspection_id": id.as_str(), "bundle": canary.bundle.to_string(), "why": why});
        let body = body.to_string();
        let put = self.blobs.put_if_absent(&at, body.as_bytes(), "application/json");
        put.await?;
        Ok(())
    }

    /// All that was seen of a canary, and the inspections that it called damaged.
    ///
    /// # Errors
    /// [`PortError`].
    pub async fn read(&self, canary: &Canary) -> Result<(Evidence, Vec<InspectionId>), PortError> {
        let folder = folder(canary);
        let prefix = self.at(folder.clone());
        let mut sums = Sums::default();
        let (mut after, mut read) = (None::<String>, 0);
        while read < OBSERVATIONS_MAX {
            let keys = match self.blobs.list(&prefix, after.as_deref(), PAGE).await {
                // Nothing was ever stored in this bucket.
                Err(error) if error.kind == PortErrorKind::NotFound => Vec::new(),
                keys => keys?,
            };
            for key in &keys {
                if let Some((id, seen)) = parsed(key, &folder) {
                    sums.take(id, seen);
                }
            }
            read += keys.len();
            match keys.len() == PAGE {
                true => after = keys.into_iter().next_back(),
                false => break,
            }
        }
        sums.close();
        Ok((sums.evidence, sums.damaged))
    }

    fn at(&self, key: String) -> BlobAddress {
        BlobAddress {
            bucket: self.bucket.clone(),
            key,
        }
    }
}

/// Evidence so far, and the photo whose observations are being read: they stand together.
#[derive(Default)]
struct Sums {
    evidence: Evidence,
    damaged: Vec<InspectionId>,
    id: Option<InspectionId>,
    seen: Vec<Observation>,
}

impl Sums {
    fn take(&mut self, id: InspectionId, seen: Observation) {
        if self.id.as_ref() != Some(&id) {
            self.close();
            self.id = Some(id);
        }
        self.seen.push(seen);
    }

    fn close(&mut self) {
        let (Some(id), seen) = (self.id.take(), std::mem::take(&mut self.seen)) else {
            return;
        };
        self.evidence.add(&seen);
        let has = |wanted: &dyn Fn(&Observation) -> bool| seen.iter().any(wanted);
        let damaged = has(&|one| {
            let of_canary = one.group == CanaryGroup::Canary;
            let verdict = Verdict::Damaged;
            of_canary && matches!(one.observed, Observed::Answered { verdict: v, .. } if v == verdict)
        });
        if damaged && !has(&|one| one.observed == Observed::Failed) {
            self.damaged.push(id);
        }
    }
}

fn folder(canary: &Canary) -> String {
    format!("canary/{}/", canary.since.0)
}

const ANSWERED: &str = "answered";
const FAILED: &str = "failed";
const BEFORE: &str = "before";
const NO_LANE: &str = "none";

const fn group_word(group: CanaryGroup) -> &'static str {
    match group {
        CanaryGroup::Canary => "canary",
        CanaryGroup::Control => "control",
    }
}

fn name(seen: &Observation) -> String {
    match seen.observed {
        Observed::Answered {
            verdict,
            lane,
            micros,
        } => {
            let lane = lane.map_or(NO_LANE, Lane::as_str);
            let group = group_word(seen.group);
            format!("{ANSWERED}.{group}.{verdict}.{lane}.{}.{}", micros[0], micros[1])
        }
        Observed::Failed => FAILED.to_owned(),
        Observed::Before(verdict) => format!("{BEFORE}.{verdict}"),
    }
}

/// The inspection that a key names, and what was seen of it.
fn parsed(key: &str, folder: &str) -> Option<(InspectionId, Observation)> {
    let (id, name) = key.strip_prefix(folder)?.rsplit_once('/')?;
    let id = InspectionId::new(id).ok()?;
    let words: Vec<&str> = name.split('.').collect();
    let (group, observed) = match words.as_slice() {
        [ANSWERED, group, verdict, lane, screening, segmentation] => {
            let groups = [CanaryGroup::Canary, CanaryGroup::Control];
            let group = groups.into_iter().find(|known| group_word(*known) == *group)?;
            let lane = match *lane {
                NO_LANE => None,
                word => Some(Lane::parse(word)?),
            };
            let micros = [screening.parse().ok()?, segmentation.parse().ok()?];
            let verdict = Verdict::parse(verdict)?;
            (
                group,
                Observed::Answered {
                    verdict,
                    lane,
                    micros,
                },
            )
        }
        [FAILED] => (CanaryGroup::Canary, Observed::Failed),
        [BEFORE, verdict] => (CanaryGroup::Canary, Observed::Before(Verdict::parse(verdict)?)),
        _ => return None,
    };
    Some((id, Observation { group, observed }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_was_seen() {
        let id = InspectionId::new("walk-1").expect("an id");
        let answered = |group, lane, micros| Observation {
            group,
            observed: Observed::Answered {
                verdict: Verdict::Damaged,
                lane,
                micros,
            },
        };
        let canary = CanaryGroup::Canary;
        for (seen, text) in [
            (
                answered(canary, Some(Lane::Gpu), [12, 345]),
                "answered.canary.damaged.gpu.12.345",
            ),
            (
                answered(CanaryGroup::Control, None, [12, 0]),
                "answered.control.damaged.none.12.0",
            ),
            (
                Observation {
                    group: canary,
                    observed: Observed::Failed,
                },
                "failed",
            ),
            (
                Observation {
                    group: canary,
                    observed: Observed::Before(Verdict::Clean),
                },
                "before.clean",
            ),
        ] {
            assert_eq!(name(&seen), text);
            assert_eq!(
                parsed(&format!("canary/5/{id}/{text}"), "canary/5/"),
                Some((id.clone(), seen))
            );
        }
        for other in [
            "canary/5/walk-1/what",
            "canary/6/walk-1/failed",
            "canary/5/failed",
            "canary/5/a/before.green",
        ] {
            assert_eq!(parsed(other, "canary/5/"), None, "{other}");
        }
    }
}
