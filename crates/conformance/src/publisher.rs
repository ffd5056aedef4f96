//! Cases of a publisher.

use crate::suite::{Broken, Capabilities, Case, Keep, Outcome, Report, cases, ensure, run};
use crate::time::TimeDriver;
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::sync::Arc;
use walkaround_ports::{OutEvent, Publisher};

/// A subscriber of the topic under test.
#[async_trait]
pub trait Observe: Send + Sync {
    /// Every event that has reached it so far, duplicates included.
    async fn seen(&self) -> Vec<OutEvent>;
}

/// A fresh topic.
pub struct PublisherUnderTest {
    /// The port.
    pub publisher: Arc<dyn Publisher>,
    /// A subscriber from before the first event.
    pub subscriber: Arc<dyn Observe>,
    /// Its time.
    pub time: Arc<dyn TimeDriver>,
    /// Whatever has to stay.
    pub keep: Keep,
}

const CASES: &[Case<PublisherUnderTest>] = cases![
    event_arrives_whole,
    event_published_again_keeps_its_id,
    many_at_once_all_arrive
];

/// Runs every case of a publisher.
pub async fn publisher_suite<F: Future<Output = PublisherUnderTest>>(
    make: impl Fn() -> F,
    capabilities: &Capabilities,
) -> Report {
    run("publisher", CASES, make, capabilities).await
}

/// Looks before a case says that an event did not arrive.
const LOOKS_MAX: usize = 250;

async fn wait_for(t: &PublisherUnderTest, ids: &BTreeSet<String>) -> Result<Vec<OutEvent>, Broken> {
    let mut missing = ids.clone();
    for _ in 0..LOOKS_MAX {
        let seen = t.subscriber.seen().await;
        missing.retain(|id| !seen.iter().any(|event| event.id == *id));
        if missing.is_empty() {
            return Ok(seen);
        }
        t.time.pause().await;
    }
    Err(Broken(format!("never arrived: {missing:?}")))
}

fn event(id: &str) -> OutEvent {
    OutEvent {
        id: id.to_owned(),
        body: format!("{{\"id\":\"{id}\",\"text\":\"ü写 '\\\"\"}}"),
        attributes: [("verdict", "damaged"), ("lane", "gpu")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
    }
}

async fn event_arrives_whole(t: PublisherUnderTest) -> Outcome {
    let sent = event("4f.done");
    t.publisher.publish(&sent).await?;
    let seen = wait_for(&t, &[sent.id.clone()].into()).await?;
    ensure!(seen.iter().all(|e| *e == sent), "seen: {seen:?}");
    Ok(())
}

async fn event_published_again_keeps_its_id(t: PublisherUnderTest) -> Outcome {
    let sent = event("4f.done");
    t.publisher.publish(&sent).await?;
    t.publisher.publish(&sent).await?;
    t.publisher.publish(&event("last")).await?;
    let seen = wait_for(&t, &["4f.done".to_owned(), "last".to_owned()].into()).await?;
    let same = seen.iter().filter(|e| e.id == sent.id);
    ensure!(same.clone().all(|e| *e == sent), "seen: {seen:?}");
    Ok(())
}

async fn many_at_once_all_arrive(t: PublisherUnderTest) -> Outcome {
    let ids: BTreeSet<String> = (0..40).map(|i| format!("i-{i}.done")).collect();
    let mut publishing = Vec::new();
    for id in &ids {
        let (publisher, event) = (t.publisher.clone(), event(id));
        publishing.push(tokio::spawn(async move { publisher.publish(&event).await }));
    }
    for one in publishing {
        one.await??;
    }
    wait_for(&t, &ids).await?;
    Ok(())
}
