//! Where the photos of a world are fetched from.

use crate::context::Context;
use crate::photos::{Bytes, DRAWN, Kind};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;
use walkaround_domain::PhotoRef;
use walkaround_ports::{FetchError, KnownContent, PhotoSource};

/// Where the photos of a world are.
pub(crate) struct SimPhotos {
    pub(crate) context: Arc<Context>,
    /// By where they are, what they have in the order of time.
    pub(crate) photos: BTreeMap<String, Vec<Bytes>>,
}

#[async_trait]
impl PhotoSource for SimPhotos {
    async fn identify(&self, _: &PhotoRef) -> Result<Option<KnownContent>, FetchError> {
        Ok(None)
    }

    fn unresponsive_hosts(&self) -> Vec<String> {
        Vec::new()
    }

    async fn fetch(&self, photo: &PhotoRef, _bytes_max: u64) -> Result<Vec<u8>, FetchError> {
        let now = self.context.ticks();
        let there = self.photos.get(&photo.identity());
        let there = there.and_then(|all| all.iter().rev().find(|bytes| bytes.since <= now));
        let Some(Bytes { kind, number, .. }) = there.copied() else {
            return Err(FetchError::NotFound("no such photo".into()));
        };
        match kind {
            Kind::NotFound => Err(FetchError::NotFound("no such photo".into())),
            Kind::Forbidden => Err(FetchError::Forbidden("this host is not allowed".into())),
            Kind::TooLarge => Err(FetchError::TooLarge("larger than the limit".into())),
            Kind::Unreachable => Err(FetchError::Unreachable("no answer".into())),
            Kind::Unreadable => Ok(b"this is no picture".to_vec()),
            Kind::Empty => Ok(Vec::new()),
            Kind::Wobbly if self.context.facts().count_inspection(number, "fetch") % 2 == 1 => {
                Err(FetchError::Unreachable("no answer this time".into()))
            }
            Kind::Wobbly => Ok(DRAWN[&Kind::Clean][number].clone()),
            drawn => Ok(DRAWN[&drawn][number].clone()),
        }
    }
}
