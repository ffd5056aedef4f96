//! Inspections as durable records, changed by the inspection state machine.
//!
//! Every change is a read, a pure transition and a conditional write. A writer that loses the race applies its transition
//! to what the winner wrote, and tries again.

use std::pin::Pin;
use std::sync::Arc;
use walkaround_domain::identity::{Difference, Relation, bytes_are_same, relate};
use walkaround_domain::{
    Event, IllegalTransition, Inspection, InspectionId, InspectionRequest, Lane, Phase, Timestamp,
};
use walkaround_messages::{parse_record, record_body, utc_day};
use walkaround_ports::{
    IndexKeys, PortCall, PortError, PortErrorKind, Precondition, Records, ResultKey, StoredRecord,
    WriteOutcome,
};

/// Lost races after which a change gives up: one inspection never has more concurrent writers than this.
const RACES_MAX: usize = 16;

/// A boxed future.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Reads and changes inspections.
#[derive(Clone)]
pub struct InspectionStore {
    records: Arc<dyn Records>,
}

/// An inspection and the version of its record; version 0 when it is not stored yet.
#[derive(Debug, Clone)]
pub struct VersionedInspection {
    /// The inspection.
    pub inspection: Inspection,
    /// Version of the stored record.
    pub version: u64,
    /// SHA-256 of the photo's bytes, if they were fetched since the record was read.
    pub fetched: Option<[u8; 32]>,
}

/// What is stored after an event was applied.
#[derive(Debug, Clone)]
pub struct Advanced {
    /// The stored inspection.
    pub entry: VersionedInspection,
    /// Whether this call changed it.
    pub changed: bool,
}

/// What requests with the same id, but other bytes of the photo, ended in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BytesConflict {
    /// The inspection that is of the earlier bytes.
    pub stored: InspectionId,
    /// The inspection that was made for the other bytes.
    pub own: InspectionId,
}

/// Outcome of a conditional write.
enum Write {
    /// Stored, with its new version.
    Committed(VersionedInspection),
    /// Somebody else wrote first: what is stored now, if anything is.
    Conflict(Option<VersionedInspection>),
}

/// Why a change could not be made.
#[derive(Debug, thiserror::Error)]
pub enum InspectionStoreError {
    /// The records port failed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The change contradicts what is stored.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// What is stored under the id is for something else.
    #[error("the inspection {0}")]
    Differs(Difference),
}

impl InspectionStore {
    /// A store on a records port.
    pub fn new(records: Arc<dyn Records>) -> Self {
        Self { records }
    }

    /// The stored inspection.
    ///
    /// # Errors
    /// [`PortError`]; `Corrupt` when the document cannot be read.
    pub async fn read(&self, id: &InspectionId) -> Result<Option<VersionedInspection>, PortError> {
        self.records.read(id).await?.as_ref().map(entry).transpose()
    }

    /// Applies an event that happened at `now`.
    ///
    /// # Errors
    /// [`InspectionStoreError`]; nothing was written, or it is unknown whether it was (`Unavailable`).
    pub fn advance<'a>(
        &'a self,
        entry: VersionedInspection,
        event: &'a Event,
        now: Timestamp,
    ) -> Boxed<'a, Result<Advanced, InspectionStoreError>> {
        self.advance_with(entry, event, now, &|_| {})
    }

    /// As [`InspectionStore::advance`]; `complete` fills in the rest of the record when the event changes it.
    ///
    /// Boxed, as the other changes are: every use case awaits them, and the future holds several copies of the record.
    ///
    /// # Errors
    /// As [`InspectionStore::advance`].
    pub fn advance_with<'a>(
        &'a self,
        mut entry: VersionedInspection,
        event: &'a Event,
        now: Timestamp,
        complete: &'a (dyn Fn(&mut Inspection) + Sync),
    ) -> Boxed<'a, Result<Advanced, InspectionStoreError>> {
        Box::pin(async move {
            let mine = entry.clone();
            for _ in 0..RACES_MAX {
                let Some(mut next) = entry.inspection.advance(event, now)? else {
                    return match has_other_bytes(&entry.inspection, &mine) {
                        true => Err(InspectionStoreError::Differs(Difference::Bytes)),
                        false => Ok(Advanced {
                            entry,
                            changed: false,
                        }),
                    };
                };
                complete(&mut next);
                // Of two messages for the same inspection, the earlier one counts.
                next.accepted_at = next.accepted_at.min(mine.inspection.accepted_at);
                match self.write(next, entry.version, now).await? {
                    Write::Committed(entry) => {
                        return Ok(Advanced { entry, changed: true });
                    }
                    Write::Conflict(Some(current)) => entry = self.rebase(current, &mine, now).await?,
                    Write::Conflict(None) => entry = VersionedInspection { version: 0, ..entry },
                }
            }
            Err(races().into())
        })
    }

    /// What another writer stored first, completed by what `mine` adds; an error unless both are for the same photo and
    /// purpose.
    async fn rebase(
        &self,
        current: VersionedInspection,
        mine: &VersionedInspection,
        now: Timestamp,
    ) -> Result<VersionedInspection, InspectionStoreError> {
        let request = &mine.inspection.request;
        if let Relation::Differs(photo @ Difference::Photo { .. }) =
            relate(&current.inspection.request, request)
        {
            return Err(InspectionStoreError::Differs(photo));
        }
        if has_other_bytes(&current.inspection, mine) {
            return Err(InspectionStoreError::Differs(Difference::Bytes));
        }
        let mut joined = self.join(current, request, None, now).await?;
        joined.fetched = mine.fetched;
        Ok(joined)
    }

    /// Merges a request into the stored inspection that has its id: completes it where the request says more. `compared`
    /// is when the request was sent, if its bytes were compared with those of the inspection; it is stored.
    ///
    /// # Errors
    /// [`InspectionStoreError::Differs`] when the request contradicts what is stored; [`PortError`].
    pub fn join<'a>(
        &'a self,
        mut entry: VersionedInspection,
        request: &'a InspectionRequest,
        compared: Option<Timestamp>,
        now: Timestamp,
    ) -> Boxed<'a, Result<VersionedInspection, InspectionStoreError>> {
        Box::pin(async move {
            for _ in 0..RACES_MAX {
                let mut next = entry.inspection.clone();
                let mut differs = None;
                match relate(&next.request, request) {
                    Relation::Known => {}
                    Relation::Adds(whole) => next.complete(whole),
                    Relation::Differs(difference) => differs = Some(difference),
                }
                if let Some(sent_at) = compared {
                    next.compared(sent_at, None);
                }
                let joined = |entry| {
                    differs.map_or(Ok(entry), |difference| {
                        Err(InspectionStoreError::Differs(difference))
                    })
                };
                if next == entry.inspection {
                    return joined(entry);
                }
                match self.write(next, entry.version, now).await? {
                    Write::Committed(written) => return joined(written),
                    Write::Conflict(Some(current)) => entry = current,
                    Write::Conflict(None) => return Err(races().into()),
                }
            }
            Err(races().into())
        })
    }

    /// Stores on an inspection that a request, sent at `sent_at`, found other bytes, and which inspection they have.
    ///
    /// # Errors
    /// [`PortError`].
    pub async fn record_other_bytes(
        &self,
        conflict: &BytesConflict,
        sent_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), PortError> {
        for _ in 0..RACES_MAX {
            let Some(entry) = self.read(&conflict.stored).await? else {
                return Ok(());
            };
            let mut next = entry.inspection.clone();
            next.compared(sent_at, Some(conflict.own.clone()));
            if next == entry.inspection {
                return Ok(());
            }
            if let Write::Committed(_) = self.write(next, entry.version, now).await? {
                return Ok(());
            }
        }
        Err(races())
    }

    /// Stores that the inspection's event was published, unless another event has become due since.
    ///
    /// # Errors
    /// [`PortError`]; the event may then be published again, with the same id.
    pub fn mark_published(
        &self,
        mut entry: VersionedInspection,
        now: Timestamp,
    ) -> Boxed<'_, Result<(), PortError>> {
        Box::pin(async move {
            let published = entry.inspection.event_id();
            for _ in 0..RACES_MAX {
                if entry.inspection.published_at.is_some() || entry.inspection.event_id() != published {
                    return Ok(());
                }
                let mut next = entry.inspection.clone();
                next.published_at = Some(now);
                match self.write(next, entry.version, now).await? {
                    Write::Committed(_) => return Ok(()),
                    Write::Conflict(Some(current)) => entry = current,
                    Write::Conflict(None) => return Err(races()),
                }
            }
            Err(races())
        })
    }

    /// The inspection that has the result of these bytes and networks, as far as the records know.
    ///
    /// # Errors
    /// [`PortError`].
    pub async fn result_of(&self, key: &ResultKey) -> Result<Option<InspectionId>, PortError> {
        self.records.result_of(key).await
    }

    /// Names the inspection that has the result of these bytes and networks.
    ///
    /// # Errors
    /// [`PortError`]; only the reuse of results depends on it.
    pub async fn keep_result(
        &self,
        key: &ResultKey,
        id: &InspectionId,
        now: Timestamp,
    ) -> Result<(), PortError> {
        self.records.keep_result(key, id, now).await
    }

    /// Stores that a request was accepted, unless something is stored already.
    ///
    /// # Errors
    /// [`PortError`].
    pub async fn accept(
        &self,
        entry: VersionedInspection,
        now: Timestamp,
    ) -> Result<VersionedInspection, PortError> {
        if entry.version > 0 {
            return Ok(entry);
        }
        match self.write(entry.inspection.clone(), 0, now).await? {
            Write::Committed(written) => Ok(written),
            Write::Conflict(current) => Ok(current.unwrap_or(entry)),
        }
    }

    async fn write(&self, next: Inspection, version: u64, now: Timestamp) -> Result<Write, PortError> {
        let record = StoredRecord {
            id: next.request.id.clone(),
            version,
            updated_at: now,
            keys: index_keys(&next),
            body: record_body(&next),
        };
        let expect = if version == 0 {
            Precondition::Absent
        } else {
            Precondition::Version(version)
        };
        match self.records.write(&record, expect).await? {
            WriteOutcome::Committed(version) => Ok(Write::Committed(VersionedInspection {
                inspection: next,
                version,
                fetched: None,
            })),
            WriteOutcome::Conflict(current) => Ok(Write::Conflict(current.as_ref().map(entry).transpose()?)),
        }
    }
}

/// Whether a stored inspection is of other bytes than those that were fetched for it here. While nothing is final, bytes
/// that were stored before the fetch are replaced; of any others it is unknown which came first.
fn has_other_bytes(current: &Inspection, mine: &VersionedInspection) -> bool {
    let (there, before) = (current.photo_sha256(), mine.inspection.photo_sha256());
    let Some(fetched) = &mine.fetched else {
        return false;
    };
    let stands = current.phase.is_final() || there != before;
    stands
        && there.is_some_and(|there| there != fetched)
        && !bytes_are_same(&current.request, &mine.inspection.request)
}

/// The keys that a record is indexed by.
fn index_keys(inspection: &Inspection) -> IndexKeys {
    IndexKeys {
        phase: inspection.phase.as_str().to_owned(),
        verdict: match inspection.phase {
            Phase::Done { verdict } => Some(verdict.as_str().to_owned()),
            _ => None,
        },
        day: utc_day(inspection.accepted_at),
        vehicle_id: inspection.request.vehicle_id.clone(),
        reservation_id: inspection.request.reservation_id.clone(),
    }
}

/// Parses a stored record.
pub(crate) fn entry(stored: &StoredRecord) -> Result<VersionedInspection, PortError> {
    let inspection = parse_record(&stored.body).map_err(|e| {
        let detail = format!("record {} cannot be read: {e}", stored.id);
        PortError::new(PortCall::new("records", "read"), PortErrorKind::Corrupt, detail)
    })?;
    Ok(VersionedInspection {
        inspection,
        version: stored.version,
        fetched: None,
    })
}

fn races() -> PortError {
    let detail = format!("lost {RACES_MAX} races for one record");
    PortError::new(
        PortCall::new("records", "write"),
        PortErrorKind::Unavailable,
        detail,
    )
}

impl VersionedInspection {
    /// Whether the inspection was routed to this lane.
    pub fn is_routed_to(&self, lane: Lane) -> bool {
        matches!(&self.inspection.phase, Phase::Routed { lane: l, .. } if *l == lane)
    }
}
