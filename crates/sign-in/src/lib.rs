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
mod userinfo;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use claims::{ClaimRules, Claims};
use discovery::{Provider, discover};
use http::{Http, checked_url};
use keys::Keys;
use reqwest::RequestBuilder;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::{Duration, Instant};
use token::{Expected, Untrusted, check};
use tokio::sync::Mutex;
use tracing::info;
use url::form_urlencoded::{Serializer, byte_serialize};
use userinfo::UserInfo;
use walkaround_domain::Timestamp;
use walkaround_server::{
    Attempt, Identity, IdentityProvider, ProviderError, Role, SignIn, SignInOptions, SignInOptionsError,
    Standing, error_word,
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
            let word = error_word(&refusal.error);
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

    /// What the provider says of whoever has this token.
    async fn userinfo(&self, token: &str, subject: &str) -> Result<UserInfo, ProviderError> {
        let known = self.known(KNOWN_FOR).await?;
        let Some(at) = &known.provider.userinfo else {
            return Ok(UserInfo::Nothing);
        };
        let answer = self.http.send(self.http.get(at).bearer_auth(token)).await?;
        userinfo::read(&answer, subject)
    }
}

/// What an answer of userinfo means for a session: a role that it named before and does not name now is lost, while a provider
/// that never names roles there says nothing of them.
fn standing_of(rules: &ClaimRules, said: UserInfo, named_roles: bool) -> Standing {
    match said {
        UserInfo::Nothing => Standing::SignedIn,
        UserInfo::Ended(_) => Standing::Ended,
        UserInfo::Claims(claims) => match rules.role(&[&claims]) {
            Some(role) => Standing::Role(role),
            None if named_roles => Standing::Role(None),
            None => Standing::SignedIn,
        },
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
        // Always asked: providers may keep claims out of the token, and whether roles are named there is what their absence
        // means later.
        let more = match self.userinfo(&answer.access_token, &token.subject).await? {
            UserInfo::Claims(claims) => claims,
            UserInfo::Nothing => Claims::new(),
            UserInfo::Ended(why) => return Err(ProviderError::Refused(why.to_owned())),
        };
        Ok(Identity {
            person: self.rules.person(&token.subject, &[&token.claims, &more]),
            names_roles: self.rules.role(&[&more]).is_some(),
            token: answer.access_token,
            token_lasts: answer.expires_in.map(Duration::from_secs),
        })
    }

    async fn standing(
        &self,
        token: &str,
        subject: &str,
        named_roles: bool,
    ) -> Result<Standing, ProviderError> {
        let said = self.userinfo(token, subject).await?;
        Ok(standing_of(&self.rules, said, named_roles))
    }
}

#[cfg(test)]
mod tests {
    use super::{ClaimRules, Claims, Role, Standing, UserInfo, standing_of};
    use serde_json::json;

    #[test]
    fn a_role_that_is_no_longer_named_is_lost_where_roles_were_named() {
        let rules = ClaimRules {
            name: "email".to_owned(),
            role: "roles".to_owned(),
            words: [Role::Viewer, Role::Reviewer, Role::Operator]
                .map(|role| (role, vec![role.as_str().to_owned()])),
        };
        let standing = |roles: Option<&[&str]>, named_roles| {
            let mut claims = Claims::new();
            if let Some(roles) = roles {
                claims.insert("roles".to_owned(), json!(roles));
            }
            standing_of(&rules, UserInfo::Claims(claims), named_roles)
        };
        for named_roles in [true, false] {
            let reviewer = standing(Some(&["reviewer"]), named_roles);
            assert_eq!(reviewer, Standing::Role(Some(Role::Reviewer)));
            assert_eq!(standing(Some(&[]), named_roles), Standing::Role(None));
        }
        assert_eq!(standing(None, true), Standing::Role(None));
        assert_eq!(
            standing(None, false),
            Standing::SignedIn,
            "it never names roles there"
        );
        assert_eq!(standing_of(&rules, UserInfo::Nothing, true), Standing::SignedIn);
        assert_eq!(standing_of(&rules, UserInfo::Ended(""), false), Standing::Ended);
    }
}
