//! Sessions: a sealed cookie names one, and a small item in the state store says whether it still stands. What the
//! provider says later is a second item, so that nothing ever writes the first one again once it has ended.
//!
//! An instance trusts its own reading of an item for [`READ_FOR`], and the provider's last word for [`CHECKED_FOR`]; then
//! one request asks again. So a sign-out counts on every instance within the first, and a role that is lost within both
//! together: less than a minute.

use super::SignIn;
use super::cache::{Cached, Item, Said, Session};
use super::cookies::Cookie;
use super::provider::{Identity, ProviderError, Standing};
use super::seal::SealError;
use crate::access::Role;
use crate::answer::Refusal;
use crate::site::Site;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;
use tracing::{info, warn};
use walkaround_domain::{Reviewer, Timestamp, hex};

/// How long a reading of an item serves.
const READ_FOR: Duration = Duration::from_secs(20);
/// How long the provider's word serves.
const CHECKED_FOR: Duration = Duration::from_secs(30);
/// How long one request may take to ask the provider; others go on with its last word meanwhile.
const CHECK_MAX: Duration = Duration::from_secs(5);
/// How long a session outlives a provider that does not answer.
const PROVIDER_SILENT_MAX: Duration = Duration::from_secs(600);

/// What a session's cookie says.
#[derive(Debug, Serialize, Deserialize)]
struct Ticket {
    id: String,
    until_ms: u64,
}

/// The name of a session's item: not its id, which a reader of the store could seal nothing with, but need not know.
fn item_name(id: &str) -> String {
    format!("session/{}", hex(&Sha256::digest(id)))
}

/// The name of the item that has the provider's last word.
fn said_name(name: &str) -> String {
    format!("{name}/said")
}

fn left(until_ms: u64, now: Timestamp) -> Duration {
    Duration::from_millis(until_ms.saturating_sub(now.0))
}

impl SignIn {
    /// Who sends a request; none where nobody is signed in.
    pub(crate) async fn caller(&self, site: &Site, headers: &HeaderMap) -> Result<Option<Session>, Refusal> {
        match Cookie::Session.of(headers, self.is_secure()) {
            Some(cookie) => self.session(site, cookie).await,
            None => Ok(None),
        }
    }

    /// Begins a session: what its cookie is to hold, and for how long.
    pub(super) async fn open_session(
        &self,
        site: &Site,
        identity: &Identity,
        role: Role,
    ) -> Result<(String, Duration), Refusal> {
        let now = site.clock.now();
        let lasts = identity
            .token_lasts
            .unwrap_or(self.options.session)
            .min(self.options.session);
        let until_ms = (now + lasts).0;
        let id = self.sealer.secret()?;
        let token = self.sealer.seal("token", &identity.token)?;
        let item = Item {
            subject: identity.person.subject.clone(),
            name: identity.person.name.clone(),
            until_ms,
            token,
            said: Said {
                role: role.as_str().to_owned(),
                checked_ms: now.0,
                named_roles: identity.names_roles,
            },
        };
        let name = item_name(&id);
        site.state.write(&name, &text(&item)?, lasts).await?;
        let ticket = text(&Ticket { id, until_ms })?;
        let sealed = self.sealer.seal(Cookie::Session.purpose(), &ticket)?;
        Ok((sealed, lasts))
    }

    /// Ends the session of a cookie, on every instance.
    pub(super) async fn end_session(&self, site: &Site, cookie: &str) -> Result<(), Refusal> {
        let Some(ticket) = self.ticket(cookie) else {
            return Ok(());
        };
        let name = item_name(&ticket.id);
        self.sessions.forget(&name);
        site.state.write(&name, "", Duration::ZERO).await?;
        Ok(())
    }

    /// Who has this cookie; none where nobody is signed in by it, any more.
    async fn session(&self, site: &Site, cookie: &str) -> Result<Option<Session>, Refusal> {
        let now = site.clock.now();
        let Some(ticket) = self.ticket(cookie).filter(|t| t.until_ms > now.0) else {
            return Ok(None);
        };
        let name = item_name(&ticket.id);
        let Some(item) = self.item(site, &name).await? else {
            return Ok(None);
        };
        let checked = now.since(Timestamp(item.said.checked_ms));
        let item = if checked < CHECKED_FOR || !self.takes_check(site, &name) {
            Some(item)
        } else {
            self.checked(site, &name, item).await?
        };
        let role = |item: &Item| Role::parse(&item.said.role);
        let of = |item: Item| Some((Reviewer::new(item.name.clone()).ok()?, role(&item)?));
        Ok(item
            .filter(|item| item.until_ms > now.0)
            .and_then(of)
            .map(|(name, role)| Session { name, role }))
    }

    fn ticket(&self, cookie: &str) -> Option<Ticket> {
        let opened = self.sealer.open(Cookie::Session.purpose(), cookie)?;
        serde_json::from_str(&opened).ok()
    }

    /// The item of a session as this instance has read it lately, or as it is stored.
    async fn item(&self, site: &Site, name: &str) -> Result<Option<Item>, Refusal> {
        let ticks = site.clock.ticks();
        let known = self.sessions.with(|all| all.get(name).cloned());
        let checking_since = known.as_ref().and_then(|known| known.checking_since);
        if let Some(known) = known
            && ticks.saturating_sub(known.read_at) < READ_FOR
        {
            return Ok(Some(known.item));
        }
        let body = site.state.read(name).await?;
        let Some(mut item) = body.and_then(|body| serde_json::from_str::<Item>(&body).ok()) else {
            self.sessions.forget(name);
            return Ok(None);
        };
        let said = site.state.read(&said_name(name)).await?;
        if let Some(said) = said.and_then(|body| serde_json::from_str::<Said>(&body).ok()) {
            item.said = said;
        }
        let cached = Cached {
            item: item.clone(),
            read_at: ticks,
            checking_since,
        };
        self.sessions.put(name, cached);
        Ok(Some(item))
    }

    /// Whether this request is the one that asks the provider.
    fn takes_check(&self, site: &Site, name: &str) -> bool {
        let ticks = site.clock.ticks();
        self.sessions.with(|all| {
            let Some(cached) = all.get_mut(name) else {
                return true;
            };
            let busy = cached
                .checking_since
                .is_some_and(|since| ticks.saturating_sub(since) < CHECK_MAX);
            if !busy {
                cached.checking_since = Some(ticks);
            }
            !busy
        })
    }

    /// The item after the provider was asked; none where the session has ended.
    async fn checked(&self, site: &Site, name: &str, item: Item) -> Result<Option<Item>, Refusal> {
        let Some(token) = self.sealer.open("token", &item.token) else {
            return Ok(None);
        };
        let named = item.said.named_roles;
        let asking = self.provider.standing(&token, &item.subject, named);
        let standing = tokio::time::timeout(CHECK_MAX, asking).await;
        let standing =
            standing.unwrap_or_else(|_| Err(ProviderError::Unavailable("it took too long".to_owned())));
        let (role, named_roles) = match standing {
            Ok(Standing::SignedIn) => (item.said.role.clone(), named),
            Ok(Standing::Role(Some(role))) => (role.as_str().to_owned(), true),
            Ok(Standing::Role(None) | Standing::Ended) => {
                info!(who = item.name, "the provider no longer vouches for a session");
                self.sessions.forget(name);
                site.state.write(name, "", Duration::ZERO).await?;
                return Ok(None);
            }
            // Of a provider that answers with something else, too: it has not said that they are gone.
            Err(error) => return self.unchecked(site, item, &error),
        };
        let checked_ms = site.clock.now().0;
        let said = Said {
            role,
            checked_ms,
            named_roles,
        };
        let keep_for = left(item.until_ms, site.clock.now());
        site.state
            .write(&said_name(name), &text(&said)?, keep_for)
            .await?;
        let item = Item { said, ..item };
        // It counts as read when it was: somebody may have signed out since.
        self.sessions.with(|all| {
            if let Some(cached) = all.get_mut(name) {
                cached.item = item.clone();
                cached.checking_since = None;
            }
        });
        Ok(Some(item))
    }

    /// A session whose provider gives no answer about it stands for a while.
    fn unchecked(&self, site: &Site, item: Item, error: &ProviderError) -> Result<Option<Item>, Refusal> {
        warn!(%error, "the provider of identities does not say whether a session stands");
        let silent = site.clock.now().since(Timestamp(item.said.checked_ms));
        if silent < PROVIDER_SILENT_MAX {
            return Ok(Some(item));
        }
        let line = "the provider of identities does not answer";
        Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, line))
    }
}

fn text<T: Serialize>(document: &T) -> Result<String, Refusal> {
    serde_json::to_string(document).map_err(|error| Refusal::broken(error.to_string()))
}

impl From<SealError> for Refusal {
    fn from(error: SealError) -> Self {
        Self::broken(error.to_string())
    }
}
