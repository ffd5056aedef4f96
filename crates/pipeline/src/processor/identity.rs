//! Which inspection a request is for: what is known of its photo's bytes, the stored inspection that it joins, and the
//! inspection of its own that it gets when it contradicts the stored one ([`walkaround_domain::identity`]).

use super::error::fetch_error;
use super::{Attempt, ProcessingError, RequestProcessor, Stage};
use crate::inspector::{FileDigest, Inspector};
use crate::store::{BytesConflict, VersionedInspection};
use crate::take_back::TAKEN_BACK_ATTRIBUTE;
use walkaround_domain::identity::{self, Difference, PARTS_MAX, Part, Purpose};
use walkaround_domain::{Inspection, InspectionRequest, PhotoRef};
use walkaround_messages::{base_id, has_base_id, own_id};
use walkaround_ports::{Delivery, FetchError};

/// The photo of one message: its request, whose id may change, and its file, once it is fetched.
pub struct PhotoRequest<'a> {
    /// The request, with its present id.
    pub request: InspectionRequest,
    /// The attempt at its message.
    pub attempt: &'a Attempt<'a>,
    /// Whether its id was derived from its photo, so that a contradiction leads to another id.
    id_is_made: bool,
    /// Whether it was taken back from the GPU lane.
    is_taken_back: bool,
    /// Inspections that are of other bytes, each with the one that was made instead.
    conflicts: Vec<BytesConflict>,
    /// Ids derived and races lost so far.
    steps: usize,
    /// The photo's bytes, until they are decoded.
    bytes: Option<Vec<u8>>,
    /// Their size and digest.
    pub file: Option<FileDigest>,
}

impl<'a> PhotoRequest<'a> {
    /// A request as in its message.
    pub fn new(request: InspectionRequest, attempt: &'a Attempt<'a>) -> Self {
        Self {
            id_is_made: has_base_id(&request),
            is_taken_back: attempt.delivery.attributes.contains_key(TAKEN_BACK_ATTRIBUTE),
            request,
            attempt,
            conflicts: Vec::new(),
            steps: 0,
            bytes: None,
            file: None,
        }
    }

    /// Gives the request an inspection of its own, after it contradicted the one under its id. A photo whose bytes lost
    /// a race after decoding had consumed them keeps its id and is fetched once more: by now it may have the bytes that
    /// won.
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
            self.conflicts.push(BytesConflict {
                stored: self.request.id.clone(),
                own: own.clone(),
            });
        }
        self.steps += 1;
        self.request.id = own;
        Ok(())
    }
}

impl RequestProcessor {
    /// Fills in what the photo's store says of its bytes, where the message does not, so that S3's event and a request
    /// for the same object are the same inspection. A photo whose inspection has begun keeps it.
    ///
    /// # Errors
    /// [`ProcessingError`] when a store is out of reach.
    pub async fn identify(&self, at: &mut PhotoRequest<'_>) -> Result<(), ProcessingError> {
        let request = &mut at.request;
        let open = at.id_is_made && !at.is_taken_back && !identity::content_is_known(request);
        if !open || !matches!(request.photo, PhotoRef::S3 { .. }) {
            return Ok(());
        }
        let begun = self.settler.store.read(&request.id).await?;
        if begun.is_some_and(|entry| !entry.inspection.phase.is_final()) {
            return Ok(());
        }
        let known = match self.source.identify(&request.photo).await {
            Ok(Some(known)) => known,
            // A photo that is not available is recorded when it is fetched.
            Ok(None)
            | Err(
                FetchError::Malformed(_)
                | FetchError::NotFound(_)
                | FetchError::Forbidden(_)
                | FetchError::Denied(_)
                | FetchError::TooLarge(_),
            ) => return Ok(()),
            Err(FetchError::Port(error)) if !error.kind.is_transient() => return Ok(()),
            Err(error) => return Err(ProcessingError::StoreUnavailable(error.to_string())),
        };
        if let PhotoRef::S3 { version, .. } = &mut request.photo {
            *version = known.version;
        }
        request.content = known.content;
        request.id = base_id(&request.photo, request.content.as_deref());
        Ok(())
    }

    /// The inspection of a request: as stored and completed by it, or new. It was accepted when its message became
    /// durable. Where only the digest can tell whether the photo is the one that was inspected, it is fetched.
    ///
    /// # Errors
    /// [`ProcessingError::IdConflict`] when what is stored under the id is something else; otherwise when a store is out of reach,
    /// or the photo is not available.
    pub async fn load_or_create(
        &self,
        inspector: &Inspector,
        at: &mut PhotoRequest<'_>,
    ) -> Result<VersionedInspection, ProcessingError> {
        let Some(entry) = self.settler.store.read(&at.request.id).await? else {
            return Ok(fresh(&at.request, at.attempt.delivery));
        };
        let stored = &entry.inspection;
        if let identity::Relation::Differs(photo @ Difference::Photo { .. }) =
            identity::relate(&stored.request, &at.request)
        {
            return Err(ProcessingError::IdConflict(photo));
        }
        let sent_at = at.attempt.delivery.sent_at;
        let certain = at.is_taken_back
            || identity::bytes_are_same(&stored.request, &at.request)
            || stored.has_bytes_of(sent_at);
        let mut compared = None;
        if !certain && let Some(sha256) = stored.photo_sha256() {
            let file = self.fetch(inspector, at).await?;
            if file.sha256 != *sha256 {
                // This message may be the one that created it, returned after its photo changed: no other publishes its event.
                self.settler.publish(entry).await?;
                return Err(ProcessingError::IdConflict(Difference::Bytes));
            }
            compared = Some(sent_at);
        }
        Ok(self.join(entry, &at.request, compared).await?)
    }

    /// The stored inspection of a message that triage has routed, or a new one. Bytes are not compared.
    ///
    /// # Errors
    /// As [`RequestProcessor::load_or_create`].
    pub async fn resume(
        &self,
        request: &InspectionRequest,
        delivery: &Delivery,
    ) -> Result<VersionedInspection, ProcessingError> {
        match self.settler.store.read(&request.id).await? {
            Some(entry) => Ok(self.join(entry, request, None).await?),
            None => Ok(fresh(request, delivery)),
        }
    }

    /// Joins a request to the stored inspection of its id; `compared` is when it was sent, once its bytes were compared.
    pub(super) async fn join(
        &self,
        entry: VersionedInspection,
        request: &InspectionRequest,
        compared: Option<walkaround_domain::Timestamp>,
    ) -> Result<VersionedInspection, crate::store::InspectionStoreError> {
        let now = self.settler.clock.now();
        let store = &self.settler.store;
        store.join(entry, request, compared, now).await
    }

    /// Stores, on the inspections that are of other bytes, which one is of the photo's present bytes. Last, so that a message
    /// that is redelivered before then is processed in full.
    ///
    /// # Errors
    /// [`ProcessingError`] when the records are out of reach.
    pub async fn note_other_bytes(&self, at: &PhotoRequest<'_>) -> Result<(), ProcessingError> {
        for conflict in &at.conflicts {
            let now = self.settler.clock.now();
            let store = &self.settler.store;
            store
                .record_other_bytes(conflict, at.attempt.delivery.sent_at, now)
                .await?;
        }
        Ok(())
    }

    /// The photo's file, fetched once.
    ///
    /// # Errors
    /// [`ProcessingError`] when the photo is not available.
    pub async fn fetch(
        &self,
        inspector: &Inspector,
        at: &mut PhotoRequest<'_>,
    ) -> Result<FileDigest, ProcessingError> {
        if let (Some(file), Some(_)) = (at.file, &at.bytes) {
            return Ok(file);
        }
        at.attempt.reached(Stage::Fetching);
        let fetched = self.source.fetch(&at.request.photo, self.photo_bytes_max).await;
        let (bytes, file) = inspector.digest(fetched.map_err(fetch_error)?).await;
        at.attempt.reached(Stage::Looking);
        at.bytes = Some(bytes);
        at.file = Some(file);
        Ok(file)
    }

    /// The photo's file with its bytes, which are moved out.
    ///
    /// # Errors
    /// As [`RequestProcessor::fetch`].
    pub(super) async fn take_file(
        &self,
        inspector: &Inspector,
        at: &mut PhotoRequest<'_>,
    ) -> Result<(Vec<u8>, FileDigest), ProcessingError> {
        let file = self.fetch(inspector, at).await?;
        Ok((at.bytes.take().unwrap_or_default(), file))
    }
}

fn fresh(request: &InspectionRequest, delivery: &Delivery) -> VersionedInspection {
    VersionedInspection {
        inspection: Inspection::accepted(request.clone(), delivery.sent_at),
        version: 0,
        fetched: None,
    }
}
