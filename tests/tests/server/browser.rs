//! A browser of the tests, as far as signing in needs one: cookies by host, redirects, requests as the console's page sends
//! them. The console is the router of a stack under the name [`CONSOLE`]; the provider is a real one.

use crate::bench::Bench;
use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_TYPE, COOKIE, HOST, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tower::ServiceExt;
use walkaround_server::{Router, SignIn};
use walkaround_settings::Settings;
use walkaround_tests::provider::{CLIENT, CLIENT_SECRET, Provider};

/// Where browsers reach the console.
pub(crate) const CONSOLE: &str = "https://console.example.com";
/// Its name in `Host` headers.
pub(crate) const CONSOLE_HOST: &str = "console.example.com";
/// The cookie of a session.
pub(crate) const SESSION: &str = "__Host-walkaround-session";
/// Redirects of one visit.
const REDIRECTS_MAX: usize = 12;
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// A provider, or a line that says why the test is skipped.
#[allow(clippy::print_stderr, reason = "a test says what it skipped")]
pub(crate) fn provider() -> Option<Provider> {
    Provider::start(&format!("{CONSOLE}/sign-in/callback"))
        .inspect_err(|why| eprintln!("skipped: {why}"))
        .ok()
}

/// The settings of signing in at a provider.
pub(crate) fn settings(provider: &Provider, others: &[(&str, &str)]) -> Settings {
    let given = BTreeMap::from([
        ("WALKAROUND_OIDC_ISSUER", provider.issuer.as_str()),
        ("WALKAROUND_OIDC_CLIENT", CLIENT),
        ("WALKAROUND_OIDC_CLIENT_SECRET", CLIENT_SECRET),
        ("WALKAROUND_CONSOLE_URL", CONSOLE),
        ("WALKAROUND_SESSION_KEY", "0123456789abcdef0123456789abcdef"),
    ]);
    let other = |name: &str| others.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
    Settings::from_lookup(&|name| {
        other(name)
            .or_else(|| given.get(name).copied())
            .map(str::to_owned)
    })
    .unwrap()
}

/// How people sign in at a provider.
pub(crate) fn sign_in(provider: &Provider) -> SignIn {
    let settings = settings(provider, &[("WALKAROUND_METRICS_TOKEN", "scrape me")]);
    walkaround_sign_in::sign_in(&settings.sign_in.unwrap()).unwrap()
}

/// An answer of the console.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Page {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A browser: what it has of cookies, by the host they are of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Browser {
    cookies: BTreeMap<String, BTreeMap<String, String>>,
    is_function: bool,
}

impl Browser {
    /// One whose requests to the console go through the console function.
    pub(crate) fn behind_the_function() -> Self {
        Self {
            is_function: true,
            ..Self::default()
        }
    }

    /// A cookie of the console.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        Some(self.cookies.get(CONSOLE_HOST)?.get(name)?.as_str())
    }

    pub(crate) fn forget(&mut self, name: &str) {
        self.cookies
            .entry(CONSOLE_HOST.to_owned())
            .or_default()
            .retain(|found, _| !found.contains(name));
    }

    fn sent(&self, host: &str) -> String {
        let cookies = self.cookies.get(host).into_iter().flatten();
        let pairs: Vec<String> = cookies.map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    fn take(&mut self, host: &str, headers: &HeaderMap) {
        let jar = self.cookies.entry(host.to_owned()).or_default();
        for line in headers.get_all(SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            let expired =
                line.contains("Max-Age=0") || line.to_lowercase().contains("expires=thu, 01 jan 1970");
            if expired {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// One request to the console.
    pub(crate) async fn ask(&mut self, console: &Router, mut request: Request<Body>) -> Page {
        let headers = request.headers_mut();
        headers.entry(HOST).or_insert(CONSOLE_HOST.parse().unwrap());
        let cookies = self.sent(CONSOLE_HOST);
        if !cookies.is_empty() {
            headers.insert(COOKIE, cookies.parse().unwrap());
        }
        let (status, headers, body) = if self.is_function {
            crate::function::ask(console.clone(), request).await
        } else {
            let (head, body) = console.clone().oneshot(request).await.unwrap().into_parts();
            let body = to_bytes(body, ANSWER_BYTES_MAX).await.unwrap();
            (head.status, head.headers, body.to_vec())
        };
        self.take(CONSOLE_HOST, &headers);
        Page {
            status,
            headers,
            body,
        }
    }

    pub(crate) async fn get(&mut self, console: &Router, path: &str) -> Page {
        let request = Request::builder().method(Method::GET).uri(path);
        self.ask(console, request.body(Body::empty()).unwrap()).await
    }

    /// A write as the console's page of the account of these tests sends it.
    pub(crate) async fn post(&mut self, console: &Router, path: &str, body: &Value) -> Page {
        self.post_as(console, path, body, "ada%40example.com").await
    }

    /// A write as the console's page of somebody sends it; their name is encoded.
    pub(crate) async fn post_as(&mut self, console: &Router, path: &str, body: &Value, by: &str) -> Page {
        let request = Request::post(path)
            .header(CONTENT_TYPE, "application/json")
            .header("origin", CONSOLE)
            .header("sec-fetch-site", "same-origin")
            .header("x-walkaround-reviewer", by);
        self.ask(console, request.body(Body::from(body.to_string())).unwrap())
            .await
    }

    /// Follows redirects from the console to the provider, until it sends the browser back: the path that it then asks the
    /// console for.
    pub(crate) async fn go_to_provider(&mut self, console: &Router, provider: &Provider) -> String {
        let begun = self.get(console, "/sign-in?to=%23%2Fsystem").await;
        assert_eq!(begun.status, StatusCode::SEE_OTHER, "{begun:?}");
        let mut address = begun.headers[LOCATION].to_str().unwrap().to_owned();
        for _ in 0..REDIRECTS_MAX {
            if let Some(path) = address.strip_prefix(CONSOLE) {
                return path.to_owned();
            }
            let cookies = self.sent(&provider.issuer);
            let answer = provider.get(&address, &cookies).await;
            let (status, headers) = (answer.status(), answer.headers().clone());
            self.take(&provider.issuer, &headers);
            let location = headers.get(LOCATION).map(|to| to.to_str().unwrap().to_owned());
            let Some(location) = location else {
                panic!("{address}: {status}: {}", answer.text().await.unwrap());
            };
            address = match location.strip_prefix('/') {
                Some(path) => format!("{}/{path}", provider.issuer),
                None => location,
            };
        }
        panic!("the provider redirects for ever: {address}");
    }

    /// Signs in, whatever comes of it.
    pub(crate) async fn sign_in(&mut self, console: &Router, provider: &Provider) -> Page {
        let back = self.go_to_provider(console, provider).await;
        self.get(console, &back).await
    }
}

/// A stack whose people sign in, beyond loopback: two instances of the server on it, and the provider.
pub(crate) struct House {
    pub(crate) bench: Bench,
    pub(crate) provider: Provider,
    pub(crate) here: Router,
    pub(crate) there: Router,
}

impl House {
    /// One on this stack; none where there is no provider.
    pub(crate) async fn on(bench: Bench) -> Option<Self> {
        let provider = provider()?;
        provider.set_account(account(&["reviewer"])).await;
        // Instances share the stack and the settings, and nothing else.
        let instance = || bench.with_sign_in(sign_in(&provider));
        let (here, there) = (instance(), instance());
        Some(Self {
            bench,
            provider,
            here,
            there,
        })
    }

    /// A browser of somebody new.
    pub(crate) fn browser(&self) -> Browser {
        Browser {
            is_function: self.bench.is_function,
            ..Browser::default()
        }
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.bench.clock.advance(Duration::from_secs(seconds));
    }

    /// A browser that has signed in with this role.
    pub(crate) async fn signed_in(&self, role: &str) -> Browser {
        self.provider.set_account(account(&[role])).await;
        let mut browser = self.browser();
        let page = browser.sign_in(&self.here, &self.provider).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{page:?}");
        assert!(browser.cookie(SESSION).is_some());
        browser
    }
}

/// What the provider says of the account of these tests.
pub(crate) fn account(roles: &[&str]) -> Value {
    serde_json::json!({
        "sub": "u-17",
        "name": "Ada Park",
        "email": "ada@example.com",
        "email_verified": true,
        "roles": roles,
    })
}

/// The status of an answer.
pub(crate) async fn status(browser: &mut Browser, console: &Router, path: &str) -> u16 {
    browser.get(console, path).await.status.as_u16()
}
