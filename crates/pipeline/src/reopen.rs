//! Failed inspections opened again, for another round of attempts; and done ones whose stored result is lost.
//!
//! Order of the two writes: the message goes out first, delayed, and then the record is opened. A crash between leaves a
//! message that finds a failed record and changes nothing; the inspection is still failed, and is found again. Should the
//! record be opened so late that the message may have been delivered before, the message is sent again: twice is harmless.

mod obstacle;

pub(crate) use obstacle::may_be_signed;

use crate::store::{Advanced, InspectionStore, InspectionStoreError, VersionedInspection, entry};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use walkaround_domain::{Event, FailureCode, InspectionId, InspectionRequest, Phase, PhotoRef};
use walkaround_messages::request_json;
use walkaround_ports::{
    Blobs, Clock, OutMessage, PortError, Queue, RECORDS_PAGE_MAX, RecordQuery, Records, StoredRecord,
};

/// Most inspections of one pass.
pub const REOPEN_MAX: usize = 10_000;
/// Largest number of records that one pass searches.
pub const LOOKED_THROUGH_MAX: usize = 50_000;
/// Messages of one call (SQS takes ten).
const BATCH: usize = 10;
/// The message is not delivered before this has passed.
const DELAY: Duration = Duration::from_secs(10);
/// A record that was opened later than this after its message was sent has it sent again.
const IN_TIME: Duration = Duration::from_secs(5);

/// Which inspections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// These, in this order.
    Ids(Vec<InspectionId>),
    /// Failed ones that were accepted on these days (UTC), of a code or of any.
    Failed {
        /// As in [`RecordQuery::FailedOnDay`].
        days: Vec<String>,
        /// Only of this code.
        code: Option<FailureCode>,
        /// Only those that this bundle, by name, was in use for when they failed.
        bundle: Option<String>,
    },
    /// Done ones that were accepted on these days (UTC). Goes with [`Purpose::Remake`].
    Done {
        /// As in [`RecordQuery::Day`].
        days: Vec<String>,
    },
}

/// What inspections are opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Another round of attempts at failed ones.
    Retry,
    /// Results of done ones that are lost: the record names a report or a marked picture that the store does not have.
    Remake,
}

/// One pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReopenPass {
    /// Most inspections that are opened; at most [`REOPEN_MAX`].
    pub limit: usize,
    /// Only says what would be done.
    pub dry_run: bool,
    /// What for.
    pub purpose: Purpose,
    /// The URL of the photo of the one inspection that is asked for: records keep it without its query.
    pub url: Option<String>,
}

/// What became of one inspection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reopened {
    /// It is opened and its message is sent.
    Yes,
    /// It would be.
    Would,
    /// It did not fail, or has no result that could be lost: where it stands.
    NotFailed(&'static str),
    /// There is no such inspection.
    Unknown,
    /// It cannot be tried again as it stands.
    Cannot(Obstacle),
    /// It could not be opened or sent now; nothing has changed, or it is harmless.
    Error(String),
}

impl Reopened {
    /// For machines the state, and for people why it is not another.
    pub fn described(&self) -> (&'static str, Option<String>) {
        match self {
            Self::Yes => ("reopened", None),
            Self::Would => ("would_reopen", None),
            Self::NotFailed(phase) => ("not_failed", Some(format!("it is {phase}"))),
            Self::Unknown => ("unknown", Some("there is no such inspection".to_owned())),
            Self::Cannot(Obstacle::OtherUrl(photo)) => {
                let why = format!("the URL given is not that of its photo, {photo}");
                ("cannot", Some(why))
            }
            Self::Cannot(Obstacle::ResultStored) => ("cannot", Some("its result is stored".to_owned())),
            Self::Cannot(Obstacle::SignedUrl) => {
                let why = "its URL may have been signed, and records keep URLs without their query: give it with \
                           `retry ID --url URL`";
                ("cannot", Some(why.to_owned()))
            }
            Self::Error(why) => ("error", Some(why.clone())),
        }
    }
}

/// Why a failed inspection cannot be tried again as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// The URL that was given is not that of its photo, which is this.
    OtherUrl(PhotoRef),
    /// Its URL may have been signed, and records keep URLs without their query.
    SignedUrl,
    /// Its result is stored, so that nothing is to be remade.
    ResultStored,
}

/// Why an inspection was left as it is, for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftWhy {
    /// It did not fail; where a result is to be remade, it is not done.
    NotFailed,
    /// There is none of that id.
    Unknown,
    /// As [`Obstacle::OtherUrl`].
    OtherUrl,
    /// As [`Obstacle::SignedUrl`].
    SignedUrl,
    /// As [`Obstacle::ResultStored`].
    ResultStored,
}

/// One inspection of a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReopenedOne {
    /// Which.
    pub id: InspectionId,
    /// Its photo, where there is a record.
    pub photo: Option<PhotoRef>,
    /// As what it failed.
    pub code: Option<FailureCode>,
    /// What became of it.
    pub what: Reopened,
}

/// The outcome of a pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReopenSummary {
    /// Opened, or would be.
    pub opened: usize,
    /// Not opened, by reason.
    pub left: BTreeMap<LeftWhy, usize>,
    /// Could not be opened now.
    pub errors: usize,
    /// A bound was reached: the same pass once more goes on.
    pub more: bool,
}

/// Receives each inspection of a pass at once.
pub type Report<'a> = &'a mut (dyn FnMut(ReopenedOne) -> std::io::Result<()> + Send);

/// Why a pass ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum ReopenError {
    /// A listing or the queue failed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The receiver of the results failed.
    #[error(transparent)]
    Output(#[from] std::io::Error),
}

/// Opens inspections again.
pub struct Reopener {
    /// Inspections.
    pub store: InspectionStore,
    /// The same as rows.
    pub records: Arc<dyn Records>,
    /// Results.
    pub blobs: Arc<dyn Blobs>,
    /// Where their messages go.
    pub intake: Arc<dyn Queue>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// A pass under way.
struct Under<'a, 'b> {
    pass: &'a ReopenPass,
    report: Report<'b>,
    summary: ReopenSummary,
    batch: Vec<VersionedInspection>,
}

impl Reopener {
    /// One pass; `report` receives each inspection.
    ///
    /// # Errors
    /// [`ReopenError`]; what was opened until then is, and the same pass once more goes on.
    pub async fn run(
        &self,
        which: &Which,
        pass: &ReopenPass,
        report: Report<'_>,
    ) -> Result<ReopenSummary, ReopenError> {
        let mut under = Under {
            pass,
            report,
            summary: ReopenSummary::default(),
            batch: Vec::new(),
        };
        match which {
            Which::Ids(ids) => {
                for id in ids {
                    let entry = self.store.read(id).await?;
                    if !self.one(&mut under, id, entry).await? {
                        break;
                    }
                }
            }
            Which::Failed { days, code, bundle } => {
                let queries = days.iter().cloned().map(RecordQuery::FailedOnDay);
                self.listed(&mut under, queries, &|entry| {
                    fits(entry, *code, bundle.as_deref())
                })
                .await?;
            }
            Which::Done { days } => {
                let queries = days.iter().cloned().map(RecordQuery::Day);
                let is_done =
                    |entry: &VersionedInspection| matches!(entry.inspection.phase, Phase::Done { .. });
                self.listed(&mut under, queries, &is_done).await?;
            }
        }
        self.open_batch(&mut under).await?;
        Ok(under.summary)
    }

    async fn listed(
        &self,
        under: &mut Under<'_, '_>,
        queries: impl Iterator<Item = RecordQuery> + Send,
        fits: &(dyn Fn(&VersionedInspection) -> bool + Sync),
    ) -> Result<(), ReopenError> {
        let mut result = 0;
        for query in queries {
            let mut after: Option<String> = None;
            loop {
                let page = self
                    .records
                    .list(&query, after.as_deref(), RECORDS_PAGE_MAX)
                    .await?;
                result += page.records.len();
                for record in page.records {
                    let entry = match entry(&record) {
                        Ok(entry) => entry,
                        Err(what) => {
                            under.say(unreadable(&record, what))?;
                            continue;
                        }
                    };
                    if !fits(&entry) || matches!(self.has_result(under.pass, &entry).await, Ok(true)) {
                        continue;
                    }
                    if !self.one(under, &record.id, Some(entry)).await? {
                        return Ok(());
                    }
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
                if result >= LOOKED_THROUGH_MAX {
                    under.summary.more = true;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Adds one inspection to the batch; false when the pass has reached its bound.
    async fn one(
        &self,
        under: &mut Under<'_, '_>,
        id: &InspectionId,
        entry: Option<VersionedInspection>,
    ) -> Result<bool, ReopenError> {
        let Some(entry) = entry else {
            let what = Reopened::Unknown;
            under.say(ReopenedOne {
                id: id.clone(),
                photo: None,
                code: None,
                what,
            })?;
            return Ok(true);
        };
        if let Some(what) = self.refusal(&entry, under.pass).await {
            under.say(of(&entry, what))?;
            return Ok(true);
        }
        if under.summary.opened + under.batch.len() >= under.pass.limit.min(REOPEN_MAX) {
            under.summary.more = true;
            return Ok(false);
        }
        if under.pass.dry_run {
            under.say(of(&entry, Reopened::Would))?;
            return Ok(true);
        }
        under.batch.push(entry);
        if under.batch.len() == BATCH {
            self.open_batch(under).await?;
        }
        Ok(true)
    }

    /// Sends the messages of some, and opens those whose message was taken.
    async fn open_batch(&self, under: &mut Under<'_, '_>) -> Result<(), ReopenError> {
        let batch = std::mem::take(&mut under.batch);
        if batch.is_empty() {
            return Ok(());
        }
        let url = under.pass.url.as_deref();
        let messages = batch
            .iter()
            .map(|e| message(&e.inspection.request, url, DELAY))
            .collect();
        let sent_at = self.clock.ticks();
        let mut answers = self.intake.send(messages).await?.into_iter();
        for entry in batch {
            let one = of(&entry, Reopened::Yes);
            let what = match answers.next() {
                Some(Ok(())) => self.open(entry, sent_at, under.pass).await,
                Some(Err(error)) => Reopened::Error(error.to_string()),
                None => Reopened::Error("the queue did not answer".to_owned()),
            };
            under.say(ReopenedOne { what, ..one })?;
        }
        Ok(())
    }

    async fn open(&self, entry: VersionedInspection, sent_at: Duration, pass: &ReopenPass) -> Reopened {
        let (request, url) = (entry.inspection.request.clone(), pass.url.as_deref());
        let event = match pass.purpose {
            Purpose::Retry => Event::Reopen,
            Purpose::Remake => Event::Remake,
        };
        match self.store.advance(entry, &event, self.clock.now()).await {
            Ok(Advanced { changed: true, .. }) => {}
            Ok(Advanced { entry, .. }) => return Reopened::NotFailed(entry.inspection.phase.as_str()),
            Err(InspectionStoreError::Illegal(illegal)) => return Reopened::NotFailed(illegal.from),
            Err(error) => return Reopened::Error(error.to_string()),
        }
        if self.clock.ticks().saturating_sub(sent_at) < IN_TIME {
            return Reopened::Yes;
        }
        let again = message(&request, url, Duration::ZERO);
        match self
            .intake
            .send(vec![again])
            .await
            .map(|mut answers| answers.pop())
        {
            Ok(Some(Ok(()))) => Reopened::Yes,
            Ok(Some(Err(error))) | Err(error) => Reopened::Error(format!(
                "it is open, but its message may have come too early and could not be sent again ({error}): submit the photo again"
            )),
            Ok(None) => Reopened::Error("the queue did not answer".to_owned()),
        }
    }
}

impl Under<'_, '_> {
    fn say(&mut self, one: ReopenedOne) -> std::io::Result<()> {
        match &one.what {
            Reopened::Yes | Reopened::Would => self.summary.opened += 1,
            Reopened::NotFailed(_) => self.left(LeftWhy::NotFailed),
            Reopened::Unknown => self.left(LeftWhy::Unknown),
            Reopened::Cannot(Obstacle::OtherUrl(_)) => self.left(LeftWhy::OtherUrl),
            Reopened::Cannot(Obstacle::SignedUrl) => self.left(LeftWhy::SignedUrl),
            Reopened::Cannot(Obstacle::ResultStored) => self.left(LeftWhy::ResultStored),
            Reopened::Error(_) => self.summary.errors += 1,
        }
        (self.report)(one)
    }

    fn left(&mut self, why: LeftWhy) {
        *self.summary.left.entry(why).or_default() += 1;
    }
}

fn unreadable(record: &StoredRecord, error: PortError) -> ReopenedOne {
    ReopenedOne {
        id: record.id.clone(),
        photo: None,
        code: None,
        what: Reopened::Error(error.detail),
    }
}

fn of(entry: &VersionedInspection, what: Reopened) -> ReopenedOne {
    let code = match &entry.inspection.phase {
        Phase::Failed { code, .. } => Some(*code),
        _ => None,
    };
    ReopenedOne {
        id: entry.inspection.request.id.clone(),
        photo: Some(entry.inspection.request.photo.clone()),
        code,
        what,
    }
}

fn fits(entry: &VersionedInspection, code: Option<FailureCode>, bundle: Option<&str>) -> bool {
    let Phase::Failed { code: failed, .. } = &entry.inspection.phase else {
        return false;
    };
    let used = entry.inspection.history.failed_with.as_ref();
    code.is_none_or(|code| code == *failed)
        && bundle.is_none_or(|name| used.is_some_and(|bundle| bundle.name == name))
}

fn message(request: &InspectionRequest, url: Option<&str>, delay: Duration) -> OutMessage {
    let mut request = request.clone();
    if let Some(url) = url {
        request.photo = PhotoRef::Url(url.to_owned());
    }
    OutMessage {
        body: request_json(&request),
        delay,
        ..OutMessage::default()
    }
}
