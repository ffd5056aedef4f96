//! The names of settled photos, on their way to the shadow.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::mpsc;
use walkaround_domain::InspectionRequest;
use walkaround_domain::rollout::Shadow;

/// Most photos that wait for the shadow; further ones are dropped.
pub const WAITING_MAX: usize = 32;

/// Counts of a feed since it has its present shadow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FeedCounts {
    /// Photos that were handed over.
    pub taken: u64,
    /// Photos of the share that there was no room for.
    pub dropped: u64,
}

#[derive(Debug, Default)]
struct Shared {
    shadow: RwLock<Option<Shadow>>,
    taken: AtomicU64,
    dropped: AtomicU64,
}

/// Where settled photos are named. Nothing here waits.
#[derive(Debug, Clone)]
pub struct ShadowFeed {
    shared: Arc<Shared>,
    sender: mpsc::Sender<InspectionRequest>,
}

/// Where they are received, by one receiver.
#[derive(Debug)]
pub struct ShadowQueue {
    shared: Arc<Shared>,
    receiver: mpsc::Receiver<InspectionRequest>,
}

/// A feed without a shadow, and its other end.
pub fn shadow_feed() -> (ShadowFeed, ShadowQueue) {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    let shared = Arc::<Shared>::default();
    let queue = ShadowQueue {
        shared: Arc::clone(&shared),
        receiver,
    };
    (ShadowFeed { shared, sender }, queue)
}

impl ShadowFeed {
    /// Names a photo that was settled, by the request as it was sent: with its present id, and the query of its URL, which
    /// the record has lost. It is taken if it is in the share of the shadow and there is room for it.
    pub fn offer(&self, settled: &InspectionRequest) {
        let shadow = self.shared.shadow.read().unwrap_or_else(PoisonError::into_inner);
        if !shadow.as_ref().is_some_and(|shadow| shadow.sees(settled)) {
            return;
        }
        let count = match self.sender.try_send(settled.clone()) {
            Ok(()) => &self.shared.taken,
            Err(_) => &self.shared.dropped,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether there is a shadow.
    pub fn is_on(&self) -> bool {
        let shadow = self.shared.shadow.read();
        shadow.unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

impl ShadowQueue {
    /// From now on photos are for this shadow, or for none. Nothing may wait when there is another one.
    pub fn set_shadow(&self, shadow: Option<&Shadow>) {
        let mut present = self.shared.shadow.write().unwrap_or_else(PoisonError::into_inner);
        *present = shadow.cloned();
        if present.is_some() {
            self.shared.taken.store(0, Ordering::Relaxed);
            self.shared.dropped.store(0, Ordering::Relaxed);
        }
    }

    /// The next photo; none once every feed is gone.
    pub async fn next(&mut self) -> Option<InspectionRequest> {
        self.receiver.recv().await
    }

    /// Drops the photos that wait, before their shadow goes.
    pub fn clear(&mut self) {
        while self.receiver.try_recv().is_ok() {
            self.shared.taken.fetch_sub(1, Ordering::Relaxed);
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts since there is the present shadow.
    pub fn counts(&self) -> FeedCounts {
        FeedCounts {
            taken: self.shared.taken.load(Ordering::Relaxed),
            dropped: self.shared.dropped.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use walkaround_domain::{BundleId, InspectionId, PhotoRef, Timestamp};

    fn shadow(share: f64) -> Shadow {
        Shadow {
            bundle: BundleId::new("demo", "2"),
            folder: None,
            share,
            since: Timestamp(0),
            canary: None,
        }
    }

    fn offer(feed: &ShadowFeed, number: usize) {
        let id = InspectionId::new(format!("i-{number}")).expect("an id");
        feed.offer(&InspectionRequest::of(
            id,
            PhotoRef::File(format!("{number}.jpg")),
        ));
    }

    #[test]
    fn without_a_shadow_nothing_is_taken() {
        let (feed, mut queue) = shadow_feed();
        offer(&feed, 1);
        queue.set_shadow(Some(&shadow(1.0)));
        offer(&feed, 2);
        queue.set_shadow(None);
        offer(&feed, 3);
        assert_eq!((queue.counts().taken, queue.counts().dropped), (1, 0));
        queue.clear();
        assert_eq!((queue.counts().taken, queue.counts().dropped), (0, 1));
        queue.set_shadow(Some(&shadow(1.0)));
        let counts = queue.counts();
        assert_eq!((counts.taken, counts.dropped), (0, 0), "of the next shadow");
    }

    #[test]
    fn what_there_is_no_room_for_is_dropped_and_counted_and_nothing_waits() {
        let (feed, queue) = shadow_feed();
        queue.set_shadow(Some(&shadow(1.0)));
        for number in 0..WAITING_MAX + 5 {
            offer(&feed, number);
        }
        assert_eq!(queue.counts().taken, WAITING_MAX as u64);
        assert_eq!(queue.counts().dropped, 5);
        drop(queue);
        // The other end is gone: as if there were no room.
        offer(&feed, 99);
    }

    #[test]
    fn a_share_is_taken() {
        let (feed, queue) = shadow_feed();
        queue.set_shadow(Some(&shadow(0.1)));
        for number in 0..100 {
            offer(&feed, number);
        }
        let taken = queue.counts().taken;
        assert!((1..=25).contains(&taken), "{taken}");
    }
}
