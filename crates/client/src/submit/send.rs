//! Sending: photos are taken into the stack and their requests go out in batches.

use super::earlier::Earlier;
use super::item::Item;
use super::standing::{Standing, Watched, standing};
use crate::photo_store::PhotoStore;
use anyhow::Context;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use walkaround_bootstrap::Failure;
use walkaround_bootstrap::failure::with_causes;
use walkaround_domain::{InspectionId, InspectionRequest};
use walkaround_messages::{base_id, request_json, request_protobuf};
use walkaround_ports::{Clock, OutMessage, PortError, Queue, Records};

/// Messages of one call (SQS takes ten).
const BATCH: usize = 10;

/// How requests are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// JSON.
    Json,
    /// base64 of protobuf, with a content-type attribute.
    Protobuf,
}

/// What became of one photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendOutcome<'a> {
    /// Its request is in the queue.
    Sent(&'a InspectionId),
    /// Its record was final already.
    Known(&'a InspectionId),
    /// The very same request was sent before in this run.
    Repeated(&'a InspectionId),
    /// It was not sent, and why.
    NotSent(&'a str),
}

/// Told how the sending gets on.
pub trait SendProgress {
    /// What became of a photo.
    ///
    /// # Errors
    /// It cannot be shown: the sending stops.
    fn photo(&self, photo: &str, outcome: SendOutcome<'_>) -> std::io::Result<()>;

    /// So many photos more are done with.
    fn advance(&self, photos: usize);
}

/// What became of the photos.
#[derive(Debug, Default)]
pub struct Sent {
    /// Their requests are in the queue.
    pub sent: usize,
    /// Their record was final already.
    pub known: usize,
    /// The very same request was sent before in this run.
    pub repeated: usize,
    /// They were not sent.
    pub failed: usize,
    /// Each inspection once, in order.
    pub watched: Vec<Watched>,
    keys: HashSet<String>,
    earlier: Earlier,
}

/// Sends photos to one stack.
pub struct Sender<'a> {
    /// The stack's clock.
    pub clock: Arc<dyn Clock>,
    /// Where requests go.
    pub intake: Arc<dyn Queue>,
    /// Where local photos go.
    pub photos: PhotoStore,
    /// Where results will stand.
    pub records: Arc<dyn Records>,
    /// How requests are written.
    pub wire: Wire,
    /// Photos a second.
    pub rate: Option<f64>,
    /// Told how it gets on.
    pub progress: &'a dyn SendProgress,
}

impl Sender<'_> {
    /// Sends them all.
    ///
    /// # Errors
    /// Queue, table or store do not answer. A problem with one photo is reported and counted.
    pub async fn run(&self, items: Vec<Item>) -> Result<Sent, Failure> {
        // A slow rate goes out evenly, not ten at a time.
        let batch = self.rate.map_or(BATCH, |rate| (rate as usize).clamp(1, BATCH));
        let start = self.clock.ticks();
        let mut sent = Sent::default();
        for (n, items) in items.chunks(batch).enumerate() {
            if let Some(rate) = self.rate {
                let due = start + Duration::from_secs_f64((n * batch) as f64 / rate);
                let wait = due.saturating_sub(self.clock.ticks());
                self.clock.sleep(wait).await;
            }
            self.batch(items, &mut sent).await?;
            self.progress.advance(items.len());
        }
        Ok(sent)
    }

    async fn batch(&self, items: &[Item], sent: &mut Sent) -> Result<(), Failure> {
        let (mut requests, mut repeated) = (Vec::new(), Vec::new());
        for (item, taken) in items.iter().zip(self.taken_in(items).await?) {
            let mut request = match taken {
                Ok(request) => request,
                Err(error) => {
                    self.told(&item.request, Fate::Failed(with_causes(&error)), sent)?;
                    continue;
                }
            };
            match standing(&*self.records, &request, item.id_given).await? {
                Standing::Known(watched) => self.told(&request, Fate::Known(watched), sent)?,
                Standing::Open(mut watched) => {
                    if sent.earlier.add(&mut request, &mut watched) {
                        requests.push((request, watched));
                    } else {
                        repeated.push((request, watched));
                    }
                }
                Standing::Taken(difference) => {
                    let why = format!("inspection {} {difference}", request.id);
                    self.told(&request, Fate::Failed(why), sent)?;
                }
            }
        }
        self.send(requests, sent).await?;
        for (request, watched) in repeated {
            self.told(&request, Fate::Repeated(watched), sent)?;
        }
        Ok(())
    }

    async fn send(
        &self,
        requests: Vec<(InspectionRequest, Watched)>,
        sent: &mut Sent,
    ) -> Result<(), Failure> {
        if requests.is_empty() {
            return Ok(());
        }
        let messages = requests.iter().map(|(r, _)| self.message(r)).collect();
        let mut answers = self.intake.send(messages).await?.into_iter();
        for (request, watched) in requests {
            let fate = match answers.next() {
                Some(Ok(())) => Fate::Sent(watched),
                Some(Err(PortError { detail, .. })) => Fate::Failed(detail),
                None => Fate::Failed("the queue did not answer".to_owned()),
            };
            self.told(&request, fate, sent)?;
        }
        Ok(())
    }

    /// The requests, with their photos where the stack can read them; all at once, as each is a journey on AWS.
    async fn taken_in(&self, items: &[Item]) -> Result<Vec<anyhow::Result<InspectionRequest>>, Failure> {
        let all: Vec<_> = items
            .iter()
            .map(|item| tokio::spawn(taken_in(self.photos.clone(), item.clone())))
            .collect();
        let mut requests = Vec::with_capacity(all.len());
        for one in all {
            requests.push(one.await.context("submitting a photo panicked")?);
        }
        Ok(requests)
    }

    fn message(&self, request: &InspectionRequest) -> OutMessage {
        let (body, attributes) = match self.wire {
            Wire::Json => (request_json(request), BTreeMap::new()),
            Wire::Protobuf => request_protobuf(request),
        };
        OutMessage {
            body,
            attributes,
            ..OutMessage::default()
        }
    }

    /// Counts and reports the outcome of a photo.
    fn told(&self, request: &InspectionRequest, fate: Fate, sent: &mut Sent) -> Result<(), Failure> {
        let outcome = match &fate {
            Fate::Sent(watched) => SendOutcome::Sent(&watched.id),
            Fate::Known(watched) => SendOutcome::Known(&watched.id),
            Fate::Repeated(watched) => SendOutcome::Repeated(&watched.id),
            Fate::Failed(why) => SendOutcome::NotSent(why),
        };
        *match outcome {
            SendOutcome::Sent(_) => &mut sent.sent,
            SendOutcome::Known(_) => &mut sent.known,
            SendOutcome::Repeated(_) => &mut sent.repeated,
            SendOutcome::NotSent(_) => &mut sent.failed,
        } += 1;
        self.progress.photo(&request.photo.to_string(), outcome)?;
        if let Fate::Sent(watched) | Fate::Known(watched) = fate
            && sent.keys.insert(watched.key())
        {
            sent.watched.push(watched);
        }
        Ok(())
    }
}

async fn taken_in(photos: PhotoStore, item: Item) -> anyhow::Result<InspectionRequest> {
    let mut request = item.request;
    if item.local.is_none() && photos.identify(&mut request).await? && !item.id_given {
        request.id = base_id(&request.photo, request.content.as_deref());
    }
    if let Some(file) = &item.local {
        let taken = photos.take_in(file).await?;
        request.photo = taken.photo;
        if !item.id_given {
            request.id = taken.id;
        }
    }
    Ok(request)
}

#[allow(clippy::large_enum_variant, reason = "made and matched at once")]
enum Fate {
    Sent(Watched),
    Known(Watched),
    Repeated(Watched),
    Failed(String),
}
