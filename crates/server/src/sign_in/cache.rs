//! What an instance remembers of sessions.

use crate::access::Role;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use walkaround_domain::Reviewer;

/// Sessions that an instance remembers.
const CACHED_MAX: usize = 1000;

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// Written beside decisions.
    pub(crate) name: Reviewer,
    /// What they may do.
    pub(crate) role: Role,
}

/// What the state store has of a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Item {
    pub(super) subject: String,
    pub(super) name: String,
    pub(super) until_ms: u64,
    /// Sealed.
    pub(super) token: String,
    #[serde(flatten)]
    pub(super) said: Said,
}

/// The provider's last word.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Said {
    pub(super) role: String,
    pub(super) checked_ms: u64,
    /// Whether it has named roles when it was asked. Items of an earlier version say nothing of it.
    #[serde(default)]
    pub(super) named_roles: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Cached {
    pub(super) item: Item,
    pub(super) read_at: Duration,
    /// Since when a request asks the provider.
    pub(super) checking_since: Option<Duration>,
}

/// The sessions that this instance has seen lately.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Cached>>);

impl Sessions {
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut HashMap<String, Cached>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn put(&self, name: &str, cached: Cached) {
        self.with(|all| {
            if all.len() >= CACHED_MAX && !all.contains_key(name) {
                // Whoever is still there is read again.
                all.clear();
            }
            all.insert(name.to_owned(), cached);
        });
    }

    pub(super) fn forget(&self, name: &str) {
        self.with(|all| all.remove(name));
    }
}
