//! What is durable in a world, as the ports saw it happen, and the promises that follow from it.
//!
//! The simulated ports report every effect here, below all faults; a promise is checked at the very effect
//! that could break it.

use crate::invariant::Invariant;
use crate::photos::{Kind, Photo, digest};
use crate::review_policy::has_its_task;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use walkaround_domain::identity::Purpose;
use walkaround_domain::{BlobRef, Inspection, InspectionId, InspectionRequest, Lane, Phase, ReviewTask};
use walkaround_messages::{Intake, parse_event, parse_intake, parse_record};
use walkaround_pipeline::take_back::TAKEN_BACK_ATTRIBUTE;
use walkaround_ports::{BlobAddress, OutEvent, OutMessage, StoredRecord};

pub(crate) type Checked = Result<(), (Invariant, String)>;

/// Which queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Intake,
    Segmentation,
    Dead,
}

impl Place {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Segmentation => "segmentation",
            Self::Dead => "dead",
        }
    }
}

/// A published event: its id, its document, and how often.
pub(crate) struct Told {
    pub(crate) body: String,
    pub(crate) times: u32,
}

/// Everything durable.
#[derive(Default)]
pub(crate) struct Facts {
    records: BTreeMap<InspectionId, Inspection>,
    events: BTreeMap<InspectionId, BTreeMap<String, Told>>,
    blobs: BTreeMap<BlobAddress, (Vec<u8>, String)>,
    tasks: BTreeMap<InspectionId, ReviewTask>,
    /// Ids of everything that was published.
    out: BTreeSet<String>,
    /// Inspections that were sent to the GPU lane.
    sent_on: BTreeSet<InspectionId>,
    /// Bodies of parked messages, and inspections that they ask for.
    parked: BTreeMap<String, Vec<InspectionId>>,
    /// Looks at each photo: how often a process took it up, and how often that was cut off.
    inspected: BTreeMap<(usize, &'static str), u32>,
    cuts: BTreeMap<(InspectionId, &'static str), u32>,
    /// Inspections that were taken back from the GPU lane.
    taken_back: BTreeSet<InspectionId>,
    /// When the last heartbeat of each worker arrived, and the longest time between two.
    heard: BTreeMap<String, (Duration, Duration)>,
}

/// The inspections that a message asks for; none when it cannot be read.
pub(crate) fn asks_for(message: &OutMessage) -> Option<Vec<InspectionId>> {
    Some(
        requests_of(message)?
            .into_iter()
            .map(|request| request.id)
            .collect(),
    )
}

/// The requests of a message; none when it cannot be read.
fn requests_of(message: &OutMessage) -> Option<Vec<InspectionRequest>> {
    let intakes = parse_intake(&message.body, &message.attributes).ok()?;
    Some(
        intakes
            .into_iter()
            .filter_map(|intake| match intake {
                Intake::Inspect(request) => Some(request),
                Intake::Nothing { .. } => None,
            })
            .collect(),
    )
}

impl Facts {
    pub(crate) fn blob(&self, at: &BlobAddress) -> Option<&[u8]> {
        self.blobs.get(at).map(|(bytes, _)| bytes.as_slice())
    }

    pub(crate) fn blobs_from(&self, from: &BlobAddress) -> impl Iterator<Item = &BlobAddress> {
        self.blobs.range(from.clone()..).map(|(at, _)| at)
    }

    pub(crate) fn store_blob(&mut self, at: &BlobAddress, bytes: &[u8], content_type: &str) {
        self.blobs
            .insert(at.clone(), (bytes.to_vec(), content_type.to_owned()));
    }

    pub(crate) fn store_task(&mut self, task: ReviewTask) {
        self.tasks.insert(task.inspection.clone(), task);
    }

    /// Inspections that have a task.
    pub(crate) fn task_ids(&self) -> Vec<InspectionId> {
        self.tasks.keys().cloned().collect()
    }

    /// Whether an event was published.
    pub(crate) fn is_out(&self, event: &str) -> bool {
        self.out.contains(event)
    }

    pub(crate) fn final_of(&self, id: &InspectionId) -> Option<&Inspection> {
        self.records.get(id).filter(|i| i.phase.is_final())
    }

    /// Whether the event of what stands on a record is out.
    pub(crate) fn is_told(&self, inspection: &Inspection) -> bool {
        let told = self.events.get(&inspection.request.id);
        told.zip(inspection.event_id())
            .is_some_and(|(told, id)| told.contains_key(&id))
    }

    /// Whether a final inspection of the photo answers the request for its own purpose, and was published.
    pub(crate) fn answered(&self, asked: &InspectionRequest) -> Option<&Inspection> {
        let mut answers = self
            .records
            .values()
            .filter(|i| i.phase.is_final() && answers(i, asked));
        answers.find(|i| self.is_told(i))
    }

    /// Whether an event of a final inspection tells of the purpose of a request. Another request may have completed the
    /// inspection since, and its event be still to come: it is that one's message that stands for it.
    fn is_told_for(&self, inspection: &Inspection, asked: &InspectionRequest) -> bool {
        let told = self.events.get(&inspection.request.id);
        let bodies = told.into_iter().flat_map(BTreeMap::values);
        let mut requests = bodies
            .filter_map(|event| parse_event(&event.body).ok())
            .map(|(_, told)| told.request);
        inspection.phase.is_final() && requests.any(|told| Purpose::of(&told).covers(Purpose::of(asked)))
    }

    pub(crate) fn is_parked_body(&self, body: &str) -> bool {
        self.parked.contains_key(body)
    }

    /// Whether a message for this inspection is parked.
    pub(crate) fn is_parked(&self, id: &InspectionId) -> bool {
        self.parked.values().flatten().any(|parked| parked == id)
    }

    /// I3: the bytes that a request meant, or later ones, are on a final record; true when there are several.
    pub(crate) fn judge_bytes(&self, photo: &Photo) -> Result<bool, (Invariant, String)> {
        let asked = photo.asked();
        let all = self.records.values();
        let answers: Vec<_> = all.filter(|i| i.phase.is_final() && answers(i, &asked)).collect();
        let meant = answers.iter().any(|i| {
            let failed = matches!(i.phase, Phase::Failed { .. });
            let before =
                photo.since.is_zero() && i.photo_sha256() == Some(&digest(Kind::Clean, photo.number));
            failed || before || i.photo_sha256() == Some(&digest(Kind::Damaged, photo.number))
        });
        if meant {
            return Ok(answers.len() > 1);
        }
        let detail = format!(
            "{}: the bytes that its request meant were not inspected",
            photo.id
        );
        Err((Invariant::I3, detail))
    }

    /// A record was written: J1, J2, J7, and J5 where it says that its event is out.
    pub(crate) fn wrote(&mut self, record: &StoredRecord) -> Checked {
        // What is no inspection is a record of somebody else's test.
        let Ok(next) = parse_record(&record.body) else {
            return Ok(());
        };
        let id = &record.id;
        let before = self.records.get(id).filter(|i| i.phase.is_final());
        match before {
            Some(before) => {
                let same = Inspection {
                    published_at: before.published_at,
                    request: before.request.clone(),
                    photo_history: before.photo_history.clone(),
                    ..next.clone()
                };
                let completed = next.photo_history.completions > before.photo_history.completions;
                let untold = before.published_at.is_some() && next.published_at.is_none();
                if same != *before || untold && !completed {
                    return broken(
                        Invariant::J1,
                        format!("{id} was final ({:?}) and changed", before.phase),
                    );
                }
            }
            None if next.phase.is_final() => {
                self.final_is_whole(&next)?;
                has_its_task(&next, self.tasks.get(id))?;
            }
            None => {}
        }
        if let Some(before) = self.records.get(id) {
            says_no_less(before, &next)?;
        }
        if next.published_at.is_some() && !self.is_told(&next) {
            return broken(
                Invariant::J5,
                format!("{id} is marked published, but no event is out"),
            );
        }
        self.records.insert(id.clone(), next);
        Ok(())
    }

    /// J2: what a final record points at is there.
    fn final_is_whole(&self, next: &Inspection) -> Checked {
        let id = &next.request.id;
        if matches!(next.phase, Phase::Failed { .. }) {
            return Ok(());
        }
        let Some(report) = next.outcome.as_ref().and_then(|o| o.report.as_ref()) else {
            return broken(Invariant::J2, format!("{id} is done without a report"));
        };
        self.matches(id, report)?;
        match next.outcome.as_ref().and_then(|o| o.overlay.as_ref()) {
            Some(overlay) => self.matches(id, overlay),
            None => Ok(()),
        }
    }

    fn matches(&self, id: &InspectionId, blob: &BlobRef) -> Checked {
        let at = BlobAddress {
            bucket: blob.bucket.clone(),
            key: blob.key.clone(),
        };
        match self.blobs.get(&at) {
            Some((bytes, kind))
                if <[u8; 32]>::from(Sha256::digest(bytes)) == blob.sha256
                    && bytes.len() as u64 == blob.bytes
                    && *kind == blob.content_type =>
            {
                Ok(())
            }
            Some(_) => broken(Invariant::J2, format!("{id}: {at} is not what its record says")),
            None => broken(Invariant::J2, format!("{id}: {at} is not there")),
        }
    }

    /// An event was published: J5. True when it was published before.
    pub(crate) fn published(&mut self, event: &OutEvent) -> Result<bool, (Invariant, String)> {
        self.out.insert(event.id.clone());
        let Ok((event_id, told)) = parse_event(&event.body) else {
            return Ok(false);
        };
        let id = told.request.id;
        let Some(stored) = self.final_of(&id) else {
            return Err((Invariant::J5, format!("{id} is told of, but not final")));
        };
        if stored.phase != told.phase || event_id != event.id {
            return Err((
                Invariant::J5,
                format!("{id}: the event does not tell what is stored"),
            ));
        }
        let events = self.events.entry(id.clone()).or_default();
        let Some(before) = events.get_mut(&event_id) else {
            let told = Told {
                body: event.body.clone(),
                times: 1,
            };
            events.insert(event_id, told);
            return Ok(false);
        };
        before.times += 1;
        if before.body != event.body {
            return Err((
                Invariant::J5,
                format!(
                    "{id} has two different events of one id: {} and {}",
                    before.body, event.body
                ),
            ));
        }
        Ok(true)
    }

    /// A queue took a message.
    pub(crate) fn queued(&mut self, place: Place, message: &OutMessage) {
        let ids = asks_for(message).unwrap_or_default();
        match place {
            Place::Intake if message.attributes.contains_key(TAKEN_BACK_ATTRIBUTE) => {
                for id in ids {
                    // Triage inspects it once more, and has to settle it or send it on again.
                    self.cut(&id, "triage");
                    self.sent_on.remove(&id);
                    self.taken_back.insert(id);
                }
            }
            Place::Intake => {}
            Place::Segmentation => {
                for id in &ids {
                    self.taken_back.remove(id);
                }
                self.sent_on.extend(ids);
            }
            Place::Dead => {
                self.parked.insert(message.body.clone(), ids);
            }
        }
    }

    /// Messages of the dead-letter queue were put back.
    pub(crate) fn redriven(&mut self, message: &OutMessage) {
        self.parked.remove(&message.body);
    }

    /// A queue lets go of a message for good: J3.
    pub(crate) fn let_go(&self, place: Place, message: &OutMessage, why: &str) -> Checked {
        if place == Place::Dead || self.parked.contains_key(&message.body) {
            return Ok(());
        }
        let place_name = place.name();
        let Some(requests) = requests_of(message) else {
            let detail = format!("a message of {place_name} that cannot be read is gone ({why}), not parked");
            return broken(Invariant::J3, detail);
        };
        for asked in requests {
            let there = || self.records.values().filter(|i| answers(i, &asked));
            let sent_on = || there().any(|i| self.sent_on.contains(&i.request.id) && routed_to_gpu(i));
            let taken_back = || there().any(|i| self.taken_back.contains(&i.request.id));
            let answered = there().any(|i| self.is_told_for(i, &asked)) || self.is_parked(&asked.id);
            let is_kept = answered || taken_back() || place == Place::Intake && sent_on();
            if !is_kept {
                let id = &asked.id;
                let detail = format!("the message of {place_name} for {id} is gone ({why}) before its state");
                return broken(Invariant::J3, detail);
            }
        }
        Ok(())
    }

    /// A process inspects a photo. Returns how often it was inspected in this role, this time included.
    pub(crate) fn count_inspection(&mut self, photo: usize, role: &'static str) -> u32 {
        let count = self.inspected.entry((photo, role)).or_default();
        *count += 1;
        *count
    }

    pub(crate) fn inspected(&self, photo: usize, role: &'static str) -> u32 {
        self.inspected.get(&(photo, role)).copied().unwrap_or(0)
    }

    /// A heartbeat of a worker arrived.
    pub(crate) fn heard(&mut self, worker: &str, ticks: Duration) {
        let (last, longest) = self
            .heard
            .entry(worker.to_owned())
            .or_insert((ticks, Duration::ZERO));
        *longest = (*longest).max(ticks - *last);
        *last = ticks;
    }

    /// Whether the heartbeats of a worker have arrived regularly, up to now.
    pub(crate) fn is_heard(&self, worker: &str, ticks: Duration) -> bool {
        let most = Duration::from_secs(20);
        self.heard
            .get(worker)
            .is_some_and(|(last, longest)| *longest <= most && ticks - *last <= most)
    }

    /// Work on an inspection was cut off.
    pub(crate) fn cut(&mut self, id: &InspectionId, role: &'static str) {
        *self.cuts.entry((id.clone(), role)).or_default() += 1;
    }

    pub(crate) fn cuts(&self, id: &InspectionId, role: &'static str) -> u32 {
        self.cuts.get(&(id.clone(), role)).copied().unwrap_or(0)
    }

    /// Every blob of every done record, once more: J2 at the end.
    pub(crate) fn all_whole(&self) -> Checked {
        self.records
            .values()
            .filter(|i| i.phase.is_final())
            .try_for_each(|i| self.final_is_whole(i))
    }
}

/// Whether an inspection is of the photo of a request and for its purpose.
fn answers(inspection: &Inspection, asked: &InspectionRequest) -> bool {
    let stored = &inspection.request;
    stored.photo == asked.photo.without_query() && Purpose::of(stored).covers(Purpose::of(asked))
}

/// I1: what a record says of its photo and its purpose is completed, never changed.
fn says_no_less(before: &Inspection, next: &Inspection) -> Checked {
    let (was, is) = (&before.request, &next.request);
    if was.photo == is.photo && was.content == is.content && Purpose::of(is).covers(Purpose::of(was)) {
        return Ok(());
    }
    broken(Invariant::I1, format!("{} became another inspection", was.id))
}

impl Facts {
    /// Whether all inspections that a message asks for are routed to the GPU lane, or final.
    pub(crate) fn is_routed(&self, message: &OutMessage) -> bool {
        let ids = asks_for(message).unwrap_or_default();
        ids.iter()
            .all(|id| self.records.get(id).is_some_and(routed_to_gpu))
    }
}

fn routed_to_gpu(inspection: &Inspection) -> bool {
    inspection.phase.is_final() || matches!(inspection.phase, Phase::Routed { lane: Lane::Gpu, .. })
}

fn broken(invariant: Invariant, detail: String) -> Checked {
    Err((invariant, detail))
}
