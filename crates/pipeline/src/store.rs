//! The ledger: inspections as durable records, moved along by their state machine.
//!
//! Every change is read, stepped and written on condition that nobody wrote in between; who loses looks at
//! what the winner wrote and steps again. The step is pure, so looking again is safe.

use std::pin::Pin;
use std::sync::Arc;
use walkaround_domain::identity::{Difference, Relation, bytes_are_same, relate};
use walkaround_domain::{
    Event, IllegalTransition, Inspection, InspectionId, InspectionRequest, Lane, Phase, Timestamp,
};
use walkaround_messages::{parse_record, record_body, utc_day};
use walkaround_ports::{
    IndexKeys, PortError, PortErrorKind, Precondition, Records, ResultKey, StoredRecord, WriteOutcome,
};

/// Lost races after which a change gives up: more writers than these never share one inspection.
const RACES_MAX: usize = 16;

/// A future on the heap.
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
    /// SHA-256 of the photo's bytes that were fetched since it was read, if they were.
    pub fetched: Option<[u8; 32]>,
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
    /// What is stored under the id is of something else.
    #[error("the inspection {0}")]
    Differs(Difference),
}

impl InspectionStore {
    /// A ledger on a records port.
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

    /// Applies what happened at a moment; `complete` fills in the rest of the record when the event changes it.
    /// The answer is what is stored now, and whether this call changed it.
    ///
    /// On the heap, as the other changes are: every use case waits for them, and a record as it was, as it becomes and as
    /// somebody else wrote it is large.
    ///
    /// # Errors
    /// [`InspectionStoreError`]; nothing was written, or nobody knows (`Unavailable`).
    pub fn apply<'a>(
        &'a self,
        mut entry: VersionedInspection,
        (event, now): (&'a Event, Timestamp),
        complete: &'a (dyn Fn(&mut Inspection) + Sync),
    ) -> Boxed<'a, Result<(VersionedInspection, bool), InspectionStoreError>> {
        Box::pin(async move {
            let mine = entry.clone();
            for _ in 0..RACES_MAX {
                let Some(mut next) = entry.inspection.advance(event, now)? else {
                    return match has_other_bytes(&entry.inspection, &mine) {
                        true => Err(InspectionStoreError::Differs(Difference::Bytes)),
                        false => Ok((entry, false)),
                    };
                };
                complete(&mut next);
                // Bytes answer what was sent before they were fetched: of two messages, the earlier one counts.
                next.accepted_at = next.accepted_at.min(mine.inspection.accepted_at);
                match self.write(next, entry.version, now).await? {
                    Ok(written) => return Ok((written, true)),
                    Err(Some(current)) => entry = self.meet(current, &mine, now).await?,
                    Err(None) => entry = VersionedInspection { version: 0, ..entry },
                }
            }
            Err(races().into())
        })
    }

    /// What somebody else wrote first, if it is of the same photo for the same purpose; completed by what mine adds.
    async fn meet(
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
        let mut joined = self.join(current, request, (None, now)).await?;
        joined.fetched = mine.fetched;
        Ok(joined)
    }

    /// Joins a request to the stored inspection that has its id: completes it where the request says more, and notes
    /// when the request was sent, if its bytes were compared (`compared`).
    ///
    /// # Errors
    /// [`InspectionStoreError::Differs`] when the request contradicts what is stored; [`PortError`].
    pub fn join<'a>(
        &'a self,
        mut entry: VersionedInspection,
        request: &'a InspectionRequest,
        (compared, now): (Option<Timestamp>, Timestamp),
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
                    Ok(written) => return joined(written),
                    Err(Some(current)) => entry = current,
                    Err(None) => return Err(races().into()),
                }
            }
            Err(races().into())
        })
    }

    /// Notes on an inspection that a request sent at a moment found other bytes, and their inspection.
    ///
    /// # Errors
    /// [`PortError`].
    pub async fn compared(
        &self,
        before: &InspectionId,
        own: &InspectionId,
        (sent_at, now): (Timestamp, Timestamp),
    ) -> Result<(), PortError> {
        for _ in 0..RACES_MAX {
            let Some(entry) = self.read(before).await? else {
                return Ok(());
            };
            let mut next = entry.inspection.clone();
            next.compared(sent_at, Some(own.clone()));
            if next == entry.inspection || self.write(next, entry.version, now).await?.is_ok() {
                return Ok(());
            }
        }
        Err(races())
    }

    /// Stores that the inspection's event was published, unless a later event is to be published by now.
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
                    Ok(_) => return Ok(()),
                    Err(Some(current)) => entry = current,
                    Err(None) => return Err(races()),
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
    /// [`PortError`]; nothing depends on it but that a result is found again.
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
            Ok(written) => Ok(written),
            Err(current) => Ok(current.unwrap_or(entry)),
        }
    }

    async fn write(
        &self,
        next: Inspection,
        version: u64,
        now: Timestamp,
    ) -> Result<Result<VersionedInspection, Option<VersionedInspection>>, PortError> {
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
            WriteOutcome::Committed(version) => Ok(Ok(VersionedInspection {
                inspection: next,
                version,
                fetched: None,
            })),
            WriteOutcome::Conflict(current) => Ok(Err(current.as_ref().map(entry).transpose()?)),
        }
    }
}

/// Whether a stored inspection is of other bytes than those that were fetched for it here. Bytes that stood there when
/// these were fetched give way to them while nothing is final; of any others nobody knows which came first.
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

/// What a record is found by.
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
        PortError::new(("records", "read"), PortErrorKind::Corrupt, detail)
    })?;
    Ok(VersionedInspection {
        inspection,
        version: stored.version,
        fetched: None,
    })
}

fn races() -> PortError {
    let detail = format!("lost {RACES_MAX} races for one record");
    PortError::new(("records", "write"), PortErrorKind::Unavailable, detail)
}

impl VersionedInspection {
    /// Whether the inspection was routed to this lane.
    pub fn is_routed_to(&self, lane: Lane) -> bool {
        matches!(&self.inspection.phase, Phase::Routed { lane: l, .. } if *l == lane)
    }
}
