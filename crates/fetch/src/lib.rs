//! Photos from files, object stores and the web, behind allow-lists and limits.
//!
//! A photo's address comes out of a message, so it is not trusted: nothing is read that the settings do not
//! open, and the settings open nothing by default. [`Fetcher`] is the one door; behind it are three rooms:
//! `files` (below allowed roots), `objects` (allowed buckets, through the blob port) and `web` (allowed
//! hosts, public addresses, redirects checked hop by hop). Every refusal is one line that names the photo
//! without user info, query or control characters.

mod address;
mod body;
mod files;
mod host_load;
mod hosts;
mod objects;
mod resolve;
mod settings;
mod transport;
mod web;
mod words;

use async_trait::async_trait;
use std::fmt;
use std::sync::Arc;
use walkaround_domain::PhotoRef;
use walkaround_ports::{Blobs, FetchError, KnownContent, PhotoSource};

pub use resolve::{Resolver, SystemResolver};
pub use settings::{FetchSettings, FetchSettingsError, HostHeader, Secret};
pub use web::REDIRECTS_MAX;

/// Fetches photos from wherever the settings allow.
pub struct Fetcher {
    files: files::Files,
    objects: objects::Objects,
    web: web::Web,
}

impl Fetcher {
    /// Checks the settings (file roots must exist, hosts and headers must be well formed) and prepares to fetch;
    /// names are looked up by the operating system.
    pub fn new(settings: FetchSettings, blobs: Arc<dyn Blobs>) -> Result<Self, FetchSettingsError> {
        Self::with_resolver(settings, blobs, Arc::new(SystemResolver))
    }

    /// The same with another way to look up names. What it answers is checked like any other answer.
    pub fn with_resolver(
        settings: FetchSettings,
        blobs: Arc<dyn Blobs>,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Self, FetchSettingsError> {
        Ok(Self {
            web: web::Web::new(&settings, resolver)?,
            files: files::Files::new(&settings.file_roots)?,
            objects: objects::Objects::new(settings.buckets, blobs)?,
        })
    }
}

/// Says nothing of its settings: they hold secrets.
impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").finish_non_exhaustive()
    }
}

#[async_trait]
impl PhotoSource for Fetcher {
    async fn identify(&self, photo: &PhotoRef) -> Result<Option<KnownContent>, FetchError> {
        match photo {
            PhotoRef::S3 { bucket, key, .. } => self.objects.identify(bucket, key).await,
            // A file's time and a host's headers are not proof enough: the digest after the fetch is.
            PhotoRef::Url(_) | PhotoRef::File(_) => Ok(None),
        }
    }

    async fn fetch(&self, photo: &PhotoRef, bytes_max: u64) -> Result<Vec<u8>, FetchError> {
        match photo {
            PhotoRef::S3 { bucket, key, version } => {
                self.objects.get(bucket, key, version.as_deref(), bytes_max).await
            }
            PhotoRef::Url(url) => self.web.get(url, bytes_max).await,
            PhotoRef::File(path) => self.files.read(path, bytes_max).await,
        }
    }

    fn unresponsive_hosts(&self) -> Vec<String> {
        self.web.unresponsive_hosts()
    }
}
