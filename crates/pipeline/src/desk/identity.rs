//! Which inspection a request means: what is known of its photo's bytes, the stored inspection that it joins, and
//! the inspection of its own that a contradiction makes of it ([`walkaround_domain::identity`]).

use super::trouble::fetch_trouble;
use super::{Desk, PhotoTask, Stage, Trouble};
use crate::ledger::Entry;
use crate::looker::{FileMark, Looker};
use crate::take_back::TAKEN_BACK_ATTRIBUTE;
use walkaround_domain::identity::{self, Difference, PARTS_MAX, Part, Purpose};
use walkaround_domain::{Inspection, InspectionId, InspectionRequest, PhotoRef};
use walkaround_messages::{base_id, has_base_id, own_id};
use walkaround_ports::{Delivery, FetchError};

/// The photo of one message on its way through triage: its request, whose id may become another, and its file, once
/// it has been fetched.
pub struct PhotoRequest<'a> {
    /// The request as it stands now.
    pub request: InspectionRequest,
    /// The work on its message.
    pub task: &'a PhotoTask<'a>,
    /// Whether its id was made from its photo, so that a contradiction makes another one.
    id_is_made: bool,
    /// Whether triage has dealt with it before, and the GPU lane did not.
    is_taken_back: bool,
    /// Inspections that were passed by because they are of other bytes, and the one that came of it.
    passed_by: Vec<(InspectionId, InspectionId)>,
    /// Ids made and races lost so far.
    steps: usize,
    /// The photo's bytes, until they are decoded.
    bytes: Option<Vec<u8>>,
    /// Their size and digest.
    pub file: Option<FileMark>,
}

impl<'a> PhotoRequest<'a> {
    /// A request as its message says it.
    pub fn new(request: InspectionRequest, task: &'a PhotoTask<'a>) -> Self {
        Self {
            id_is_made: has_base_id(&request),
            is_taken_back: task.delivery.attributes.contains_key(TAKEN_BACK_ATTRIBUTE),
            request,
            task,
            passed_by: Vec::new(),
            steps: 0,
            bytes: None,
            file: None,
        }
    }

    /// Makes an inspection of its own of it, after it met a contradiction under its id. One whose bytes lost a race after
    /// they were given away for the look keeps its id and is read once more: by now the photo may have the bytes that won.
    ///
    /// # Errors
    /// The difference, where the caller gave the id, or after [`PARTS_MAX`] of these.
    pub fn part_ways(&mut self, difference: Difference) -> Result<(), Difference> {
        if difference == Difference::Bytes && self.bytes.is_none() && self.steps < PARTS_MAX {
            self.steps += 1;
            return Ok(());
        }
        let part = match (&difference, &self.file) {
            (Difference::Purpose { .. }, _) => Part::Purpose(Purpose::of(&self.request)),
            (Difference::Bytes, Some(file)) => Part::Bytes(&file.sha256),
            (Difference::Bytes, None) | (Difference::Photo { .. }, _) => return Err(difference),
        };
        if !self.id_is_made || self.steps == PARTS_MAX {
            return Err(difference);
        }
        let own = own_id(&self.request.id, &part);
        if difference == Difference::Bytes {
            self.passed_by.push((self.request.id.clone(), own.clone()));
        }
        self.steps += 1;
        self.request.id = own;
        Ok(())
    }
}

impl Desk {
    /// Fills in what the photo's store says of its bytes, where the message does not, so that S3's event and a request
    /// for the same object mean the same inspection. A photo whose inspection was begun before stays with it.
    ///
    /// # Errors
    /// [`Trouble`] when a store is out of reach.
    pub async fn identify(&self, at: &mut PhotoRequest<'_>) -> Result<(), Trouble> {
        let request = &mut at.request;
        let open = at.id_is_made && !at.is_taken_back && !identity::content_is_known(request);
        if !open || !matches!(request.photo, PhotoRef::S3 { .. }) {
            return Ok(());
        }
        let begun = self.settler.ledger.read(&request.id).await?;
        if begun.is_some_and(|entry| !entry.inspection.phase.is_final()) {
            return Ok(());
        }
        let known = match self.source.identify(&request.photo).await {
            Ok(Some(known)) => known,
            // What cannot be had is found out, and recorded, when it is fetched.
            Ok(None) | Err(FetchError::NotFound(_) | FetchError::Forbidden(_) | FetchError::TooLarge(_)) => {
                return Ok(());
            }
            Err(FetchError::Port(error)) if !error.kind.is_transient() => return Ok(()),
            Err(error) => return Err(Trouble::Unrecordable(error.to_string())),
        };
        if let PhotoRef::S3 { version, .. } = &mut request.photo {
            *version = known.version;
        }
        request.content = known.content;
        request.id = base_id(&request.photo, request.content.as_deref());
        Ok(())
    }

    /// The inspection that a request means: as stored and completed by it, or fresh. It was accepted when its message
    /// became durable. Where only the digest can tell whether the photo is the one that was looked at, it is fetched.
    ///
    /// # Errors
    /// [`Trouble::Differs`] when what is stored under the id is something else; otherwise when a store is out of reach,
    /// or the photo cannot be had.
    pub async fn take_up(&self, looker: &Looker, at: &mut PhotoRequest<'_>) -> Result<Entry, Trouble> {
        let Some(entry) = self.settler.ledger.read(&at.request.id).await? else {
            return Ok(fresh(&at.request, at.task.delivery));
        };
        let stored = &entry.inspection;
        if let identity::Relation::Differs(photo @ Difference::Photo { .. }) =
            identity::relate(&stored.request, &at.request)
        {
            return Err(Trouble::Differs(photo));
        }
        let sent_at = at.task.delivery.sent_at;
        let certain = at.is_taken_back
            || identity::bytes_are_same(&stored.request, &at.request)
            || stored.has_bytes_of(sent_at);
        let mut compared = None;
        if !certain && let Some(sha256) = stored.photo_sha256() {
            let file = self.fetch(looker, at).await?;
            if file.sha256 != *sha256 {
                // This message may be the one that made it, sent back after its photo changed: nobody else tells of it.
                self.settler.publish(entry).await?;
                return Err(Trouble::Differs(Difference::Bytes));
            }
            compared = Some(sent_at);
        }
        Ok(self.join(entry, &at.request, compared).await?)
    }

    /// The stored inspection of a message that triage has dealt with, or one that is fresh: its bytes are what they are.
    ///
    /// # Errors
    /// As [`Desk::take_up`].
    pub async fn resume(&self, request: &InspectionRequest, delivery: &Delivery) -> Result<Entry, Trouble> {
        match self.settler.ledger.read(&request.id).await? {
            Some(entry) => Ok(self.join(entry, request, None).await?),
            None => Ok(fresh(request, delivery)),
        }
    }

    /// Joins a request to the stored inspection of its id; `compared` is when it was sent, once its bytes were compared.
    pub(super) async fn join(
        &self,
        entry: Entry,
        request: &InspectionRequest,
        compared: Option<walkaround_domain::Timestamp>,
    ) -> Result<Entry, crate::ledger::LedgerError> {
        let now = self.settler.clock.now();
        let ledger = &self.settler.ledger;
        ledger.join(entry, request, (compared, now)).await
    }

    /// Says on the inspections that were passed by which one is of the photo's present bytes. Last, so that a message
    /// that comes again before then is dealt with in full.
    ///
    /// # Errors
    /// [`Trouble`] when the records are out of reach.
    pub async fn note_other_bytes(&self, at: &PhotoRequest<'_>) -> Result<(), Trouble> {
        for (before, own) in &at.passed_by {
            let now = self.settler.clock.now();
            let ledger = &self.settler.ledger;
            ledger
                .compared(before, own, (at.task.delivery.sent_at, now))
                .await?;
        }
        Ok(())
    }

    /// The photo's file, fetched once.
    ///
    /// # Errors
    /// [`Trouble`] when the photo cannot be had.
    pub async fn fetch(&self, looker: &Looker, at: &mut PhotoRequest<'_>) -> Result<FileMark, Trouble> {
        if let (Some(file), Some(_)) = (at.file, &at.bytes) {
            return Ok(file);
        }
        at.task.reached(Stage::Fetching);
        let fetched = self.source.fetch(&at.request.photo, self.photo_bytes_max).await;
        let (bytes, file) = looker.digest(fetched.map_err(fetch_trouble)?).await;
        at.task.reached(Stage::Looking);
        at.bytes = Some(bytes);
        at.file = Some(file);
        Ok(file)
    }

    /// The photo's file with its bytes, which are given away.
    ///
    /// # Errors
    /// As [`Desk::fetch`].
    pub(super) async fn take_file(
        &self,
        looker: &Looker,
        at: &mut PhotoRequest<'_>,
    ) -> Result<(Vec<u8>, FileMark), Trouble> {
        let file = self.fetch(looker, at).await?;
        Ok((at.bytes.take().unwrap_or_default(), file))
    }
}

fn fresh(request: &InspectionRequest, delivery: &Delivery) -> Entry {
    Entry {
        inspection: Inspection::accepted(request.clone(), delivery.sent_at),
        version: 0,
        fetched: None,
    }
}
