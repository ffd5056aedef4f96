//! Sign-in by OpenID Connect: the code flow with PKCE, state and nonce, with any provider that describes itself.
//!
//! [`sign_in`] makes of the settings what the server needs. The provider is asked for its endpoints at the first sign-in, not
//! at the start: a server starts while its provider is away. Every request is bounded in time and size, goes over TLS, and
//! follows no redirect. Tokens stand in no log and no error.

mod claims;
mod discovery;
mod http;
mod keys;
mod token;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use claims::{ClaimRules, Claims};
use discovery::{Provider, discover};
use http::{Http, checked_url};
use keys::Keys;
use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, StatusCode};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::{Duration, Instant};
use token::{Expected, Untrusted, check};
use tokio::sync::Mutex;
use tracing::info;
use url::form_urlencoded::{Serializer, byte_serialize};
use walkaround_domain::Timestamp;
use walkaround_server::{
    Attempt, Identity, IdentityProvider, ProviderError, Role, SignIn, SignInOptions, SignInOptionsError,
    Standing,
};
use walkaround_settings::SignInSettings;

/// How long a provider's description and keys serve.
const KNOWN_FOR: Duration = Duration::from_secs(3600);
/// Least time between two fetches of keys, for one that a token names and the last fetch did not bring.
const KEYS_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// Where the provider sends browsers back to.
pub const CALLBACK: &str = "/sign-in/callback";

/// A setting of signing in that is missing or wrong.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// One of them, named.
    #[error("{0} {1}")]
    Setting(&'static str, String),
    /// The HTTP client.
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

/// What the server needs for people to sign in.
///
/// # Errors
/// [`SignInError`], one line that names the setting.
pub fn sign_in(settings: &SignInSettings) -> Result<SignIn, SignInError> {
    let wrong = |name, why: String| SignInError::Setting(name, why);
    checked_url("the issuer", &settings.issuer).map_err(|why| wrong("WALKAROUND_OIDC_ISSUER", why))?;
    let key = settings.session_key.as_ref();
    let key = key.ok_or_else(|| {
        let why = "is not set: give 32 random characters or more, as `openssl rand -hex 32` prints them";
        wrong("WALKAROUND_SESSION_KEY", why.to_owned())
    })?;
    let options = SignInOptions {
        console: settings.console_url.clone(),
        key: key.reveal().to_owned(),
        session: settings.session,
        metrics_token: settings
            .metrics_token
            .as_ref()
            .map(|token| token.reveal().to_owned()),
    };
    let provider = Arc::new(OpenIdProvider::new(settings.clone())?);
    SignIn::new(provider, options).map_err(|error| match error {
        SignInOptionsError::Console => wrong("WALKAROUND_CONSOLE_URL", error.to_string()),
        SignInOptionsError::Key => wrong("WALKAROUND_SESSION_KEY", error.to_string()),
    })
}

/// What is known of the provider.
#[derive(Clone)]
struct Known {
    provider: Provider,
    keys: Keys,
    at: Instant,
}

/// A provider that speaks OpenID Connect.
struct OpenIdProvider {
    http: Http,
    settings: SignInSettings,
    rules: ClaimRules,
    known: Mutex<Option<Known>>,
}

/// What the token endpoint answers.
#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    id_token: Option<String>,
    expires_in: Option<u64>,
}

/// Why the token endpoint refuses.
#[derive(Default, Deserialize)]
struct TokenRefusal {
    #[serde(default)]
    error: String,
}

impl OpenIdProvider {
    fn new(settings: SignInSettings) -> Result<Self, ProviderError> {
        let rules = ClaimRules {
            name: settings.name_claim.clone(),
            role: settings.role_claim.clone(),
            words: [
                (Role::Viewer, settings.viewers.clone()),
                (Role::Reviewer, settings.reviewers.clone()),
                (Role::Operator, settings.operators.clone()),
            ],
        };
        Ok(Self {
            http: Http::new()?,
            settings,
            rules,
            known: Mutex::new(None),
        })
    }

    fn redirect_uri(&self) -> String {
        format!("{}{CALLBACK}", self.settings.console_url)
    }

    /// The provider's endpoints and keys; asked for anew when they are old, or older than `oldest`.
    async fn known(&self, oldest: Duration) -> Result<Known, ProviderError> {
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.at.elapsed() < oldest) {
            return Ok(known.clone());
        }
        let provider = discover(&self.http, &self.settings.issuer).await?;
        let keys = discovery::keys(&self.http, &provider).await?;
        info!(
            issuer = self.settings.issuer,
            "the provider of identities is known"
        );
        let at = Instant::now();
        Ok(known.insert(Known { provider, keys, at }).clone())
    }

    /// The request that gets tokens for a code.
    fn token_request(&self, provider: &Provider, code: &str, verifier: &str) -> RequestBuilder {
        let client = &self.settings.client;
        let redirect = self.redirect_uri();
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &redirect),
            ("code_verifier", verifier),
        ];
        let mut request = self.http.post(&provider.token);
        match &self.settings.client_secret {
            Some(secret) if !provider.secret_in_body => {
                // RFC 6749, section 2.3.1: both are encoded as a form first.
                let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                request = request.basic_auth(encoded(client), Some(encoded(secret.reveal())));
            }
            Some(secret) => {
                fields.extend([("client_id", client.as_str()), ("client_secret", secret.reveal())]);
            }
            None => fields.push(("client_id", client)),
        }
        let form = Serializer::new(String::new()).extend_pairs(fields).finish();
        request
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form)
    }

    async fn exchange(
        &self,
        provider: &Provider,
        code: &str,
        verifier: &str,
    ) -> Result<TokenAnswer, ProviderError> {
        let request = self.token_request(provider, code, verifier);
        let answer = self.http.send(request).await?;
        if !answer.status.is_success() {
            let refusal: TokenRefusal = serde_json::from_slice(&answer.body).unwrap_or_default();
            let word: String = refusal
                .error
                .chars()
                .filter(char::is_ascii_graphic)
                .take(64)
                .collect();
            let line = format!("the provider takes no such code: {} {word}", answer.status);
            return Err(ProviderError::Refused(line.trim_end().to_owned()));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|_| ProviderError::Refused("the provider's answer has no tokens".to_owned()))
    }

    /// Checks a token; with new keys, where it names one that is not known yet.
    async fn checked(
        &self,
        known: &Known,
        id: &str,
        expected: &Expected<'_>,
    ) -> Result<token::Token, ProviderError> {
        let refused = |why: Untrusted| match why {
            Untrusted::UnknownKey => {
                ProviderError::Refused("the ID token is signed by an unknown key".to_owned())
            }
            Untrusted::Never(why) => ProviderError::Refused(why),
        };
        match check(id, &known.keys, expected) {
            Err(Untrusted::UnknownKey) => {
                let known = self.known(KEYS_AGAIN_AFTER).await?;
                check(id, &known.keys, expected).map_err(refused)
            }
            checked => checked.map_err(refused),
        }
    }

    /// What the provider says of whoever has this token; none where it says nothing of anybody.
    async fn userinfo(&self, token: &str, subject: &str) -> Result<Option<Claims>, ProviderError> {
        let known = self.known(KNOWN_FOR).await?;
        let Some(at) = &known.provider.userinfo else {
            return Ok(None);
        };
        let answer = self.http.send(self.http.get(at).bearer_auth(token)).await?;
        match answer.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST => {
                return Err(ProviderError::Refused(
                    "the provider no longer knows them".to_owned(),
                ));
            }
            status if !status.is_success() => {
                return Err(ProviderError::Unavailable(format!(
                    "the provider answered {status}"
                )));
            }
            _ => {}
        }
        // Some sign this answer, too: such a one says nothing here.
        let Ok(claims) = serde_json::from_slice::<Claims>(&answer.body) else {
            return Ok(None);
        };
        // OpenID Connect Core 1.0, section 5.3.2: of another subject it is not to be used.
        match claims.get("sub").and_then(serde_json::Value::as_str) {
            Some(sub) if sub == subject => Ok(Some(claims)),
            _ => Err(ProviderError::Refused(
                "the provider speaks of somebody else".to_owned(),
            )),
        }
    }
}

#[async_trait]
impl IdentityProvider for OpenIdProvider {
    fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    async fn begin(&self, attempt: &Attempt) -> Result<String, ProviderError> {
        let known = self.known(KNOWN_FOR).await?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&attempt.verifier));
        let mut address = known.provider.authorization;
        address
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client)
            .append_pair("redirect_uri", &self.redirect_uri())
            .append_pair("scope", &self.settings.scopes)
            .append_pair("state", &attempt.state)
            .append_pair("nonce", &attempt.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(address.into())
    }

    async fn redeem(&self, code: &str, attempt: &Attempt, now: Timestamp) -> Result<Identity, ProviderError> {
        let known = self.known(KNOWN_FOR).await?;
        let answer = self.exchange(&known.provider, code, &attempt.verifier).await?;
        let id = answer.id_token;
        let id = id.ok_or_else(|| ProviderError::Refused("the provider sent no ID token".to_owned()))?;
        let expected = Expected {
            issuer: &self.settings.issuer,
            client: &self.settings.client,
            nonce: &attempt.nonce,
            now,
        };
        let token = self.checked(&known, &id, &expected).await?;
        let mut claims = token.claims;
        // Providers may keep claims out of the token, and say them where they are asked. What both say is the token's.
        let lacks = self.rules.role(&claims).is_none() || !claims.contains_key(&self.rules.name);
        if lacks && let Some(more) = self.userinfo(&answer.access_token, &token.subject).await? {
            for (name, value) in more {
                claims.entry(name).or_insert(value);
            }
        }
        Ok(Identity {
            person: self.rules.person(&token.subject, &claims),
            token: answer.access_token,
            token_lasts: answer.expires_in.map(Duration::from_secs),
        })
    }

    async fn standing(&self, token: &str, subject: &str) -> Result<Standing, ProviderError> {
        match self.userinfo(token, subject).await {
            Ok(claims) => Ok(match claims.and_then(|claims| self.rules.role(&claims)) {
                Some(role) => Standing::Role(role),
                None => Standing::SignedIn,
            }),
            Err(ProviderError::Refused(_)) => Ok(Standing::Ended),
            Err(error) => Err(error),
        }
    }
}
