//! The routes of signing in and out.
//!
//! `/sign-in` sends the browser to the provider, `/sign-in/callback` takes what it brings back. What went wrong is a short page of
//! its own: the browser is not on a page of the console then.

use super::SignIn;
use super::cookies::Cookie;
use super::provider::{Attempt, Identity, ProviderError, error_word};
use crate::answer::{Refusal, json};
use crate::site::Site;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};
use walkaround_domain::{Reviewer, hex};

/// Time from the way to the provider to the way back.
const ATTEMPT_MAX: Duration = Duration::from_secs(600);
/// Longest place in the console that is gone back to, in bytes.
const PLACE_MAX: usize = 512;
/// Longest code and state of the provider's answer.
const ANSWER_MAX: usize = 4096;

/// Where to go afterwards.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct BeginQuery {
    to: Option<String>,
}

/// What the provider brings back. It may say more.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct CallbackQuery {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    /// Who answers, where the provider says so (RFC 9207).
    iss: Option<String>,
}

/// What the cookie of an attempt has.
#[derive(Debug, Serialize, Deserialize)]
struct Started {
    state: String,
    nonce: String,
    verifier: String,
    to: String,
    until_ms: u64,
}

/// Why somebody is not signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Problem {
    Mismatch,
    Denied,
    NoRole,
    NoName,
    Provider,
}

impl Problem {
    const fn status(self) -> StatusCode {
        match self {
            Self::Mismatch => StatusCode::BAD_REQUEST,
            Self::Denied | Self::NoRole | Self::NoName => StatusCode::FORBIDDEN,
            Self::Provider => StatusCode::BAD_GATEWAY,
        }
    }

    /// In English, and in Korean.
    const fn texts(self) -> [&'static str; 2] {
        match self {
            Self::Mismatch => [
                "This attempt to sign in is over, or was begun in another browser.",
                "이 로그인 시도는 만료되었거나 다른 브라우저에서 시작되었습니다.",
            ],
            Self::Denied => [
                "The provider did not sign you in, or sent something that cannot be trusted.",
                "로그인 제공자가 로그인을 거부했거나 신뢰할 수 없는 응답을 보냈습니다.",
            ],
            Self::NoRole => [
                "You have no role here: ask whoever runs this for one.",
                "이 콘솔에 대한 역할이 없습니다. 관리자에게 역할을 요청하십시오.",
            ],
            Self::NoName => [
                "The provider gave no name that can be written beside a decision.",
                "로그인 제공자가 결정 옆에 기록할 이름을 주지 않았습니다.",
            ],
            Self::Provider => [
                "The provider does not answer. Try again in a moment.",
                "로그인 제공자가 응답하지 않습니다. 잠시 후 다시 시도하십시오.",
            ],
        }
    }

    fn page(self) -> Response {
        let [english, korean] = self.texts();
        let page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width\">\n<title>Walkaround</title>\n<main>\n<h1>Not signed in</h1>\n<p>{english}</p>\n\
             <p lang=\"ko\">{korean}</p>\n<p><a href=\"/sign-in\">Sign in</a> · <a lang=\"ko\" \
             href=\"/sign-in\">로그인</a></p>\n</main>\n</html>\n"
        );
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
            (
                CONTENT_SECURITY_POLICY,
                HeaderValue::from_static(
                    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                ),
            ),
        ];
        (self.status(), headers, page).into_response()
    }
}

impl From<ProviderError> for Problem {
    fn from(error: ProviderError) -> Self {
        warn!(%error, "nobody is signed in");
        match error {
            ProviderError::Refused(_) => Self::Denied,
            ProviderError::Unavailable(_) => Self::Provider,
        }
    }
}

/// `GET /sign-in`: to the provider.
pub(crate) async fn begin(
    State(site): State<Arc<Site>>,
    query: Result<Query<BeginQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let sign_in = site.signs_in()?;
    let Query(query) = query.map_err(|e| Refusal::bad(e.body_text()))?;
    let attempt = Attempt {
        state: sign_in.sealer.secret()?,
        nonce: sign_in.sealer.secret()?,
        verifier: sign_in.sealer.secret()?,
    };
    let address = match sign_in.provider.begin(&attempt).await {
        Ok(address) => address,
        Err(error) => return Ok(Problem::from(error).page()),
    };
    let started = Started {
        state: attempt.state,
        nonce: attempt.nonce,
        verifier: attempt.verifier,
        to: query.to.filter(|to| is_place(to)).unwrap_or_default(),
        until_ms: (site.clock.now() + ATTEMPT_MAX).0,
    };
    let started = serde_json::to_string(&started).map_err(|e| Refusal::broken(e.to_string()))?;
    let sealed = sign_in.sealer.seal(Cookie::Attempt.purpose(), &started)?;
    let cookie = Cookie::Attempt.set(&sealed, ATTEMPT_MAX, sign_in.is_secure());
    let mut response = to(&address)?;
    append(&mut response, cookie)?;
    Ok(response)
}

/// A place within the console: a fragment of its address, so that it leads nowhere else.
fn is_place(to: &str) -> bool {
    to.len() <= PLACE_MAX && to.starts_with("#/") && to.bytes().all(|b| b.is_ascii_graphic())
}

fn to(address: &str) -> Result<Response, Refusal> {
    let location = HeaderValue::try_from(address);
    let location = location.map_err(|_| Refusal::broken("an address that no header can have"))?;
    Ok((StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response())
}

fn append(response: &mut Response, cookie: Option<HeaderValue>) -> Result<(), Refusal> {
    let cookie = cookie.ok_or_else(|| Refusal::broken("a cookie that no browser keeps: it is too long"))?;
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(())
}

/// `GET /sign-in/callback`: back from the provider. Whatever comes of it, the attempt is over.
pub(crate) async fn callback(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    query: Result<Query<CallbackQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let sign_in = site.signs_in()?;
    let query = query.map(|Query(query)| query).unwrap_or_default();
    let cookie = Cookie::Attempt.of(&headers, sign_in.is_secure());
    let mut response = match finish(&site, sign_in, cookie, query).await? {
        Ok((started, identity)) => sign_in.let_in(&site, &started, &identity).await?,
        Err(problem) => problem.page(),
    };
    append(&mut response, Cookie::Attempt.remove(sign_in.is_secure()))?;
    Ok(response)
}

/// Who came back, of this very attempt.
async fn finish(
    site: &Site,
    sign_in: &SignIn,
    cookie: Option<&str>,
    query: CallbackQuery,
) -> Result<Result<(Started, Identity), Problem>, Refusal> {
    let started = cookie.and_then(|sealed| sign_in.sealer.open(Cookie::Attempt.purpose(), sealed));
    let started = started.and_then(|text| serde_json::from_str::<Started>(&text).ok());
    let now = site.clock.now();
    let Some(started) = started.filter(|started| started.until_ms > now.0) else {
        return Ok(Err(Problem::Mismatch));
    };
    let fits = |text: &String| (1..=ANSWER_MAX).contains(&text.len());
    let same = query.state.as_ref().is_some_and(|state| *state == started.state);
    let other = query.iss.is_some_and(|iss| iss != sign_in.provider.issuer());
    if !same || other || !is_first(site, &started.state).await? {
        return Ok(Err(Problem::Mismatch));
    }
    if let Some(error) = query.error {
        info!(error = error_word(&error), "the provider signed nobody in");
        return Ok(Err(Problem::Denied));
    }
    let Some(code) = query.code.filter(fits) else {
        return Ok(Err(Problem::Mismatch));
    };
    let attempt = Attempt {
        state: started.state.clone(),
        nonce: started.nonce.clone(),
        verifier: started.verifier.clone(),
    };
    match sign_in.provider.redeem(&code, &attempt, now).await {
        Ok(identity) => Ok(Ok((started, identity))),
        Err(error) => Ok(Err(error.into())),
    }
}

/// Whether an attempt has not come back before, to any instance. The provider takes each code once, besides.
async fn is_first(site: &Site, state: &str) -> Result<bool, Refusal> {
    let name = format!("sign-in/{}", hex(&Sha256::digest(state)));
    if site.state.read(&name).await?.is_some() {
        return Ok(false);
    }
    site.state.write(&name, "used", ATTEMPT_MAX).await?;
    Ok(true)
}

impl SignIn {
    /// The console, with a session; or why there is none.
    async fn let_in(&self, site: &Site, started: &Started, identity: &Identity) -> Result<Response, Refusal> {
        let Some(role) = identity.person.role else {
            info!(
                who = identity.person.name,
                "signed in at the provider, without a role here"
            );
            return Ok(Problem::NoRole.page());
        };
        if Reviewer::new(identity.person.name.clone()).is_err() {
            return Ok(Problem::NoName.page());
        }
        let (sealed, lasts) = self.open_session(site, identity, role).await?;
        info!(who = identity.person.name, role = role.as_str(), "signed in");
        let mut response = to(&format!("/console/{}", started.to))?;
        append(
            &mut response,
            Cookie::Session.set(&sealed, lasts, self.is_secure()),
        )?;
        Ok(response)
    }
}

impl Site {
    /// How people sign in, where they do.
    fn signs_in(&self) -> Result<&SignIn, Refusal> {
        let line = "there is no sign-in here";
        self.sign_in
            .as_deref()
            .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, line))
    }
}

/// `POST /api/sign-out`: ends this browser's session, on every instance.
pub(crate) async fn sign_out(State(site): State<Arc<Site>>, headers: HeaderMap) -> Result<Response, Refusal> {
    let sign_in = site.signs_in()?;
    if let Some(cookie) = Cookie::Session.of(&headers, sign_in.is_secure()) {
        sign_in.end_session(&site, cookie).await?;
    }
    let mut response = json(serde_json::json!({"signed_out": true}).to_string());
    append(&mut response, Cookie::Session.remove(sign_in.is_secure()))?;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::is_place;

    #[test]
    fn only_places_of_the_console_are_gone_back_to() {
        for place in ["#/inbox", "#/photo/a%20b"] {
            assert!(is_place(place), "{place}");
        }
        for elsewhere in [
            "",
            "https://evil.example",
            "//evil.example",
            "/api",
            "#/a\r\nSet-Cookie: x",
            "#/a b",
        ] {
            assert!(!is_place(elsewhere), "{elsewhere}");
        }
    }
}
