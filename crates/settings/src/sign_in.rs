//! Settings of signing in to the console.

use crate::Secret;
use crate::read::{Reader, SettingsError};
use std::time::Duration;

/// The provider of identities. Naming it is what turns sign-in on.
const ISSUER: &str = "WALKAROUND_OIDC_ISSUER";
const CLIENT: &str = "WALKAROUND_OIDC_CLIENT";
const CONSOLE_URL: &str = "WALKAROUND_CONSOLE_URL";

/// How people sign in to the console. Field by field as [`SETTINGS`](crate::SETTINGS) says.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "SETTINGS documents each field under its variable")]
pub struct SignInSettings {
    pub issuer: String,
    pub client: String,
    pub client_secret: Option<Secret>,
    pub console_url: String,
    pub session_key: Option<Secret>,
    pub session: Duration,
    pub scopes: String,
    pub name_claim: String,
    pub role_claim: String,
    pub viewers: Vec<String>,
    pub reviewers: Vec<String>,
    pub operators: Vec<String>,
    pub metrics_token: Option<Secret>,
}

impl SignInSettings {
    /// All of them; none where no provider is named.
    pub(crate) fn read(r: &Reader<'_>) -> Result<Option<Self>, SettingsError> {
        let issuer = r.text(ISSUER)?;
        let (client, console_url) = (r.text(CLIENT)?, r.text(CONSOLE_URL)?);
        let mut settings = Self {
            issuer: String::new(),
            client: String::new(),
            client_secret: r.text("WALKAROUND_OIDC_CLIENT_SECRET")?.map(Secret::new),
            console_url: String::new(),
            session_key: r.text("WALKAROUND_SESSION_KEY")?.map(Secret::new),
            session: Duration::from_secs(60 * r.number::<u64>("WALKAROUND_SESSION_MIN", 1, 24 * 60)?),
            scopes: r.text("WALKAROUND_OIDC_SCOPES")?.unwrap_or_default(),
            name_claim: r.text("WALKAROUND_OIDC_NAME_CLAIM")?.unwrap_or_default(),
            role_claim: r.text("WALKAROUND_OIDC_ROLE_CLAIM")?.unwrap_or_default(),
            viewers: r.list("WALKAROUND_OIDC_VIEWERS", ',')?,
            reviewers: r.list("WALKAROUND_OIDC_REVIEWERS", ',')?,
            operators: r.list("WALKAROUND_OIDC_OPERATORS", ',')?,
            metrics_token: r.text("WALKAROUND_METRICS_TOKEN")?.map(Secret::new),
        };
        let Some(issuer) = issuer else {
            return match client {
                // Whoever names a client wants people to sign in: nobody is let in without.
                Some(_) => Err(SettingsError::new(ISSUER, format!("is not set, and {CLIENT} is"))),
                None => Ok(None),
            };
        };
        let needed = |name, value: Option<String>| {
            let missing = || SettingsError::new(name, format!("is not set, and {ISSUER} is"));
            value.ok_or_else(missing)
        };
        settings.issuer = issuer;
        settings.client = needed(CLIENT, client)?;
        settings.console_url = needed(CONSOLE_URL, console_url)?;
        Ok(Some(settings))
    }
}
