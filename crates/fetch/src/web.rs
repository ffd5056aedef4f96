//! Photos over https, and http where that is allowed.
//!
//! Redirects are followed here and not by the client, so that every hop passes the same checks as the first:
//! scheme, user info, host and port on the allow-list, address (literal ones here, looked-up ones in
//! [`crate::resolve`]). Nothing of the environment is used (proxies), and no more than the limit is ever read, nor
//! decompressed ([`crate::body`]).

use crate::address;
use crate::body::{self, Body};
use crate::host_load::{HostLoads, NoRoom};
use crate::hosts::Hosts;
use crate::resolve::{GuardedResolver, Resolver};
use crate::settings::{FetchSettings, FetchSettingsError};
use crate::transport::{innermost, transport_fault};
use crate::words::{one_line, shown};
use reqwest::header::{ACCEPT_ENCODING, HeaderValue, LOCATION};
use reqwest::{Client, Response, StatusCode, redirect};
use rustls::crypto::{CryptoProvider, ring};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use url::{Host, Position, Url};
use walkaround_ports::FetchError;

/// Redirects of one photo, at most.
pub const REDIRECTS_MAX: usize = 5;

/// Times that a photo is asked for at once while its answers may be cut, at most. After that it is the host's failure, and
/// the photo is tried again later like any other.
const ASKED_MAX: usize = 2;

/// Characters of a URL, at most. Longer ones are refused by most servers.
const URL_CHARS_MAX: usize = 8 * 1024;

/// Idle connections kept to a host, and for how long: photos of a fleet come from one CDN.
const IDLE_PER_HOST_MAX: usize = 8;
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// The hosts that may be asked, and the client that asks them.
pub(crate) struct Web {
    hosts: Hosts,
    /// None when no host is allowed: then no trust store is needed either.
    client: Option<Client>,
    allow_http: bool,
    allow_private: bool,
    total_timeout: Duration,
    /// A photo that could not be had after this long was left waiting by its host.
    silent_after: Duration,
    loads: HostLoads,
}

impl Web {
    pub(crate) fn new(
        settings: &FetchSettings,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Self, FetchSettingsError> {
        if settings.at_once == 0 {
            return Err(FetchSettingsError::new("at_once", "must be at least 1"));
        }
        for (field, time) in [
            ("connect_timeout", settings.connect_timeout),
            ("total_timeout", settings.total_timeout),
        ] {
            if time.is_zero() {
                return Err(FetchSettingsError::new(field, "must be longer than zero"));
            }
        }
        let hosts = Hosts::new(settings)?;
        let client = if hosts.is_empty() {
            None
        } else {
            Some(client(settings, resolver)?)
        };
        Ok(Self {
            hosts,
            client,
            allow_http: settings.allow_http,
            allow_private: settings.allow_private,
            total_timeout: settings.total_timeout,
            silent_after: settings.connect_timeout.min(settings.total_timeout) / 2,
            loads: HostLoads::new(settings.at_once),
        })
    }

    /// The whole body.
    pub(crate) async fn get(&self, text: &str, bytes_max: u64) -> Result<Vec<u8>, FetchError> {
        if text.len() > URL_CHARS_MAX {
            let forbidden = format!("a URL of {} characters, at most {URL_CHARS_MAX}", text.len());
            return Err(FetchError::Forbidden(forbidden));
        }
        // The parser's words do not repeat the text, which may hold a secret.
        let url = Url::parse(text).map_err(|error| FetchError::Malformed(format!("not a URL: {error}")))?;
        let first = shown(&url);
        let host = &url[Position::BeforeHost..Position::AfterPort];
        let asked = self.loads.ask(host).await.map_err(|why| {
            FetchError::HostBusy(match why {
                NoRoom::Unresponsive(tried) => {
                    format!("{first}: its host does not answer, and {tried} photos of it are being tried")
                }
                NoRoom::Slow(waiting) => {
                    format!("{first}: its host has not answered yet, and {waiting} photos of it are waiting")
                }
            })
        })?;
        let begun = Instant::now();
        // Boxed: the state of a request is large, and most photos do not come this way.
        let outcome = match timeout(self.total_timeout, Box::pin(self.whole(url, bytes_max))).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let unreachable = format!("{first}: no complete answer within {:?}", self.total_timeout);
                Err(FetchError::Unreachable(unreachable))
            }
        };
        let is_unreachable = matches!(outcome, Err(FetchError::Unreachable(_)));
        asked.ended(!is_unreachable || begun.elapsed() < self.silent_after);
        outcome
    }

    /// The photo. Where nothing proves the end of an answer, one that was cut on its way looks like a whole one, and a
    /// proxy cuts at the same place each time: a picture that ends early there is not the photo.
    async fn whole(&self, url: Url, bytes_max: u64) -> Result<Vec<u8>, FetchError> {
        let mut bytes = 0;
        for _ in 0..ASKED_MAX {
            let body = self.follow(url.clone(), bytes_max).await?;
            if !body.maybe_cut {
                return Ok(body.bytes);
            }
            bytes = body.bytes.len();
        }
        let words = format!(
            "{}: the answer ends after {bytes} bytes, before its picture does, and has no length that says whether it was cut; \
             let the host send content-length",
            shown(&url)
        );
        Err(FetchError::Unreachable(words))
    }

    /// Hosts that have stopped answering.
    pub(crate) fn unresponsive_hosts(&self) -> Vec<String> {
        self.loads.unresponsive()
    }

    async fn follow(&self, mut url: Url, bytes_max: u64) -> Result<Body, FetchError> {
        let mut redirects = 0;
        loop {
            let response = self.ask(&url, redirects > 0).await?;
            let Some(target) = redirect_target(&url, &response)? else {
                if let Some(fault) = status_fault(&url, response.status()) {
                    return Err(fault);
                }
                return body::read(&url, response, bytes_max).await;
            };
            redirects += 1;
            if redirects > REDIRECTS_MAX {
                let denied = format!("{}: more than {REDIRECTS_MAX} redirects", shown(&url));
                return Err(FetchError::Denied(denied));
            }
            check_downgrade(&url, &target)?;
            url = target;
        }
    }

    /// One hop: checks the URL, then asks. Where a host leads to is the host's to correct, so a redirect to what may not be
    /// fetched is not final.
    async fn ask(&self, url: &Url, is_redirect: bool) -> Result<Response, FetchError> {
        self.check(url).map_err(|why| {
            let why = format!("{}: {why}", shown(url));
            if is_redirect {
                FetchError::Denied(why)
            } else {
                FetchError::Forbidden(why)
            }
        })?;
        let Some(client) = &self.client else {
            return Err(FetchError::Forbidden(format!(
                "{}: no host is allowed, WALKAROUND_PHOTO_HOSTS is empty",
                shown(url)
            )));
        };
        let mut request = client
            .get(url.clone())
            .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if self.may_carry_secrets(url) {
            for (name, value) in self.hosts.headers_for(url) {
                request = request.header(name, value);
            }
        }
        request.send().await.map_err(|error| transport_fault(url, &error))
    }

    /// Over plain http a secret would be readable on its way; a lab may not mind.
    fn may_carry_secrets(&self, url: &Url) -> bool {
        url.scheme() == "https" || self.allow_private
    }

    /// Whether a URL may be asked, as far as can be known without looking its name up.
    fn check(&self, url: &Url) -> Result<(), String> {
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            "http" => return Err("plain http is not allowed, only https".into()),
            other => {
                return Err(format!(
                    "the scheme '{}' is not allowed, only https",
                    one_line(other)
                ));
            }
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("user name and password are not allowed in a URL".into());
        }
        if !self.hosts.allow(url) {
            let only_the_port = self.hosts.allow_on_other_port(url);
            return Err(if only_the_port {
                let host = url.host_str().unwrap_or_default();
                let port = url.port_or_known_default().unwrap_or_default();
                format!(
                    "the port is not allowed for this host; WALKAROUND_PHOTO_HOSTS may list it as {host}:{port}"
                )
            } else {
                "the host is not among those that photos may come from".into()
            });
        }
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) | None => None,
        };
        match literal.and_then(|address| address::refusal(address, self.allow_private)) {
            Some(kind) => Err(format!("the host is {kind}")),
            None => Ok(()),
        }
    }
}

fn client(settings: &FetchSettings, resolver: Arc<dyn Resolver>) -> Result<Client, FetchSettingsError> {
    let guarded = GuardedResolver {
        inner: resolver,
        allow_private: settings.allow_private,
    };
    // The client takes the provider of the process. Where the program has installed one before, that one serves as well.
    if CryptoProvider::get_default().is_none() && ring::default_provider().install_default().is_err() {
        tracing::debug!("another thread has installed a TLS provider meanwhile");
    }
    Client::builder()
        .user_agent(concat!("walkaround/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        // A proxy from the environment would look names up by itself, past the check.
        .no_proxy()
        .referer(false)
        .dns_resolver(guarded)
        .https_only(!settings.allow_http)
        .connect_timeout(settings.connect_timeout)
        .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .build()
        .map_err(|error| {
            FetchSettingsError::new(
                "hosts",
                format!("cannot create an https client: {}", innermost(&error)),
            )
        })
}

/// Where a redirect leads, or nothing when the answer is no redirect.
fn redirect_target(url: &Url, response: &Response) -> Result<Option<Url>, FetchError> {
    let status = response.status();
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let answered = |what: &str| FetchError::NotFound(format!("{}: answered {status} {what}", shown(url)));
    let Some(location) = response.headers().get(LOCATION) else {
        return Err(answered("without a location"));
    };
    if location.len() > URL_CHARS_MAX {
        return Err(answered("with a location that is too long"));
    }
    let target = url.join(&ascii(location.as_bytes()));
    target
        .map(Some)
        .map_err(|_| answered("with a location that is not a URL"))
}

/// Servers write letters beyond ASCII as they are, in UTF-8 or another encoding; in a URL each of their bytes is an escape.
fn ascii(location: &[u8]) -> String {
    let escape = |byte: &u8| match byte {
        0x80.. => format!("%{byte:02X}"),
        _ => char::from(*byte).to_string(),
    };
    location.iter().map(escape).collect()
}

fn check_downgrade(from: &Url, to: &Url) -> Result<(), FetchError> {
    if from.scheme() == "https" && to.scheme() != "https" {
        let denied = format!("{}: redirects from https to {}", shown(from), shown(to));
        return Err(FetchError::Denied(denied));
    }
    Ok(())
}

/// What an answer without a photo means. None of them is final: an upload comes late (404, 410), a right is given or a
/// signed URL renewed (401, 403), a host repaired. 202 is a CDN that is still preparing the picture; 408, 425 and 429 ask
/// for another try. 413 speaks of the request, and says nothing of the photo's size.
fn status_fault(url: &Url, status: StatusCode) -> Option<FetchError> {
    let words = format!("{}: answered {status}", shown(url));
    match status.as_u16() {
        200 | 203 => None,
        401 | 402 | 403 | 407 | 451 => Some(FetchError::Denied(words)),
        202 | 408 | 413 | 425 | 429 | 500.. => Some(FetchError::Unreachable(words)),
        _ => Some(FetchError::NotFound(words)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn no_redirect_leaves_https() {
        let secure = url("https://a.example/1");
        assert!(check_downgrade(&secure, &url("https://b.example/")).is_ok());
        assert!(check_downgrade(&url("http://a.example/"), &url("http://b.example/")).is_ok());
        assert!(check_downgrade(&url("http://a.example/"), &secure).is_ok());
        let error = check_downgrade(&secure, &url("http://a.example/1?sig=s3cret")).unwrap_err();
        assert!(matches!(&error, FetchError::Denied(_)));
        assert_eq!(
            error.to_string(),
            "https://a.example/1: redirects from https to http://a.example/1"
        );
    }

    #[test]
    fn secrets_travel_over_https_only() {
        let web = |allow_private| {
            let settings = FetchSettings {
                allow_http: true,
                allow_private,
                ..FetchSettings::default()
            };
            Web::new(&settings, Arc::new(crate::SystemResolver)).unwrap()
        };
        assert!(web(false).may_carry_secrets(&url("https://a.example/")));
        assert!(!web(false).may_carry_secrets(&url("http://a.example/")));
        assert!(web(true).may_carry_secrets(&url("http://a.example/")));
    }
}
