//! Sending: photos are taken into the stack and their requests go out in batches.

use super::item::Item;
use super::standing::{Standing, Watched, standing};
use crate::args::{Printed, Wire};
use crate::client::photo_store::PhotoStore;
use crate::client::table::{print_document, print_notice};
use crate::failure::{Failure, with_causes};
use anyhow::Context;
use indicatif::ProgressBar;
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use walkaround_domain::InspectionRequest;
use walkaround_messages::{base_id, request_json, request_protobuf};
use walkaround_ports::{Clock, OutMessage, PortError, Queue, Records};

/// Messages of one call (SQS takes ten).
const BATCH: usize = 10;

/// What became of the photos.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub sent: usize,
    /// Their record was final already.
    pub known: usize,
    pub failed: usize,
    /// Each inspection once, in order.
    pub watched: Vec<Watched>,
    keys: HashSet<String>,
}

pub(super) struct Sender<'a> {
    pub clock: Arc<dyn Clock>,
    pub intake: Arc<dyn Queue>,
    pub photos: PhotoStore,
    pub records: Arc<dyn Records>,
    pub wire: Wire,
    /// Photos a second.
    pub rate: Option<f64>,
    /// Whether each photo's fate is printed as a document.
    pub documents: Option<Printed>,
    pub bar: &'a ProgressBar,
}

impl Sender<'_> {
    pub(super) async fn run(&self, items: Vec<Item>) -> Result<Sent, Failure> {
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
            self.bar.inc(items.len() as u64);
        }
        Ok(sent)
    }

    async fn batch(&self, items: &[Item], sent: &mut Sent) -> Result<(), Failure> {
        let mut requests = Vec::new();
        for (item, taken) in items.iter().zip(self.taken_in(items).await?) {
            let request = match taken {
                Ok(request) => request,
                Err(error) => {
                    self.told(&item.request, Fate::Failed(with_causes(&error)), sent)?;
                    continue;
                }
            };
            match standing(&*self.records, &request, item.id_given).await? {
                Standing::Known(watched) => self.told(&request, Fate::Known(watched), sent)?,
                Standing::Open(watched) => requests.push((request, watched)),
                Standing::Taken(difference) => {
                    let why = format!("inspection {} {difference}", request.id);
                    self.told(&request, Fate::Failed(why), sent)?;
                }
            }
        }
        if requests.is_empty() {
            return Ok(());
        }
        let messages = requests.iter().map(|(r, _)| self.message(r)).collect();
        let mut answers = self.intake.send(messages).await?.into_iter();
        for (request, watched) in requests {
            let fate = match answers.next() {
                Some(Ok(())) => Fate::Sent(watched),
                Some(Err(PortError { detail, .. })) => Fate::Failed(detail),
                None => Fate::Failed("the queue gave no answer".to_owned()),
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
            requests.push(one.await.context("taking a photo in panicked")?);
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

    /// Counts and tells what became of a photo.
    fn told(&self, request: &InspectionRequest, fate: Fate, sent: &mut Sent) -> Result<(), Failure> {
        let photo = request.photo.to_string();
        let (state, watched, error) = match fate {
            Fate::Sent(watched) => ("sent", Some(watched), None),
            Fate::Known(watched) => ("known", Some(watched), None),
            Fate::Failed(why) => ("not_sent", None, Some(why)),
        };
        match (state, &error) {
            (_, Some(why)) => {
                sent.failed += 1;
                let line = format!("walkaround: {photo}: {why}");
                self.bar.suspend(|| print_notice(line))?;
            }
            ("sent", _) => sent.sent += 1,
            _ => sent.known += 1,
        }
        if self.documents == Some(Printed::Json) {
            let id = watched.as_ref().map(|w| w.id.as_str());
            let document = json!({"inspection_id": id, "photo": photo, "state": state, "error": error});
            self.bar.suspend(|| print_document(document))?;
        }
        if let Some(watched) = watched
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
    Failed(String),
}
