//! The ledger: inspections as durable records, moved along by their state machine.
//!
//! Every change is read, stepped and written on condition that nobody wrote in between; who loses looks at
//! what the winner wrote and steps again. The step is pure, so looking again is safe.

use std::sync::Arc;
use walkaround_domain::{Event, IllegalTransition, Inspection, InspectionId, Lane, Phase, Timestamp};
use walkaround_messages::{parse_record, record_body, utc_day};
use walkaround_ports::{Expect, IndexKeys, PortError, PortErrorKind, Records, StoredRecord, Written};

/// Lost races after which a change gives up: more writers than these never share one inspection.
const RACES_MAX: usize = 16;

/// Reads and changes inspections.
#[derive(Clone)]
pub struct Ledger {
    records: Arc<dyn Records>,
}

/// An inspection and the version of its record; version 0 when it is not stored yet.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The inspection.
    pub inspection: Inspection,
    /// Version of the stored record.
    pub version: u64,
}

/// Why a change could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The records port failed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The change contradicts what is stored.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
}

impl Ledger {
    /// A ledger on a records port.
    pub fn new(records: Arc<dyn Records>) -> Self {
        Self { records }
    }

    /// The stored inspection.
    ///
    /// # Errors
    /// [`PortError`]; `Corrupt` when the document cannot be read.
    pub async fn read(&self, id: &InspectionId) -> Result<Option<Entry>, PortError> {
        self.records.read(id).await?.as_ref().map(entry).transpose()
    }

    /// Applies what happened at a moment; `complete` fills in the rest of the record when the event changes it.
    /// The answer is what is stored now, and whether this call changed it.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing was written, or nobody knows (`Unavailable`).
    pub async fn apply(
        &self,
        mut entry: Entry,
        (event, now): (&Event, Timestamp),
        complete: &(dyn Fn(&mut Inspection) + Sync),
    ) -> Result<(Entry, bool), LedgerError> {
        for _ in 0..RACES_MAX {
            let Some(mut next) = entry.inspection.advance(event, now)? else {
                return Ok((entry, false));
            };
            complete(&mut next);
            match self.write(next, entry.version, now).await? {
                Ok(written) => return Ok((written, true)),
                Err(current) => entry = current.unwrap_or(Entry { version: 0, ..entry }),
            }
        }
        Err(races().into())
    }

    /// Stores that the inspection's event was published.
    ///
    /// # Errors
    /// [`PortError`]; the event may then be published again, with the same id.
    pub async fn mark_published(&self, mut entry: Entry, now: Timestamp) -> Result<(), PortError> {
        for _ in 0..RACES_MAX {
            if entry.inspection.published_at.is_some() {
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
    }

    /// Stores that a request was accepted, unless something is stored already.
    ///
    /// # Errors
    /// [`PortError`].
    pub async fn accept(&self, entry: Entry, now: Timestamp) -> Result<Entry, PortError> {
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
    ) -> Result<Result<Entry, Option<Entry>>, PortError> {
        let record = StoredRecord {
            id: next.request.id.clone(),
            version,
            updated_at: now,
            keys: index_keys(&next),
            body: record_body(&next),
        };
        let expect = if version == 0 {
            Expect::Absent
        } else {
            Expect::Version(version)
        };
        match self.records.write(&record, expect).await? {
            Written::Committed(version) => Ok(Ok(Entry {
                inspection: next,
                version,
            })),
            Written::Conflict(current) => Ok(Err(current.as_ref().map(entry).transpose()?)),
        }
    }
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
pub(crate) fn entry(stored: &StoredRecord) -> Result<Entry, PortError> {
    let inspection = parse_record(&stored.body).map_err(|e| {
        let detail = format!("record {} cannot be read: {e}", stored.id);
        PortError::new(("records", "read"), PortErrorKind::Corrupt, detail)
    })?;
    Ok(Entry {
        inspection,
        version: stored.version,
    })
}

fn races() -> PortError {
    let detail = format!("lost {RACES_MAX} races for one record");
    PortError::new(("records", "write"), PortErrorKind::Unavailable, detail)
}

impl Entry {
    /// Whether the inspection was routed to this lane.
    pub fn is_routed_to(&self, lane: Lane) -> bool {
        matches!(&self.inspection.phase, Phase::Routed { lane: l, .. } if *l == lane)
    }
}
