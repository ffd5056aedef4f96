//! HTTP to the provider: bounded, without redirects, over TLS.

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, RequestBuilder, StatusCode, redirect};
use std::time::Duration;
use url::Url;
use walkaround_server::{ProviderError, is_loopback_host};

const CONNECT_MAX: Duration = Duration::from_secs(2);
/// One request, from connecting to the last byte of its answer.
const ANSWER_MAX: Duration = Duration::from_secs(4);
/// Largest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 512 << 10;

/// Speaks to the provider.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: Client,
}

/// What the provider answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Whether its body is a signed token (RFC 7519, section 10.3.1), not a document.
    pub(crate) is_token: bool,
    pub(crate) body: Vec<u8>,
}

impl Http {
    pub(crate) fn new() -> Result<Self, ProviderError> {
        let client = Client::builder()
            .connect_timeout(CONNECT_MAX)
            .timeout(ANSWER_MAX)
            .redirect(redirect::Policy::none())
            .build();
        let client = client.map_err(|e| ProviderError::Unavailable(format!("no HTTP client: {e}")))?;
        Ok(Self { client })
    }

    pub(crate) fn get(&self, url: &Url) -> RequestBuilder {
        self.client.get(url.clone())
    }

    pub(crate) fn post(&self, url: &Url) -> RequestBuilder {
        self.client.post(url.clone())
    }

    /// Sends a request and reads its answer. Errors name the host alone: addresses may have tokens.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Answer, ProviderError> {
        let unavailable = |error: reqwest::Error| {
            let host = error.url().and_then(Url::host_str).unwrap_or("the provider");
            let line = format!("{host} does not answer: {}", words(&error));
            ProviderError::Unavailable(line)
        };
        let mut answer = request.send().await.map_err(unavailable)?;
        let status = answer.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(ProviderError::Unavailable(format!(
                "the provider answered {status}"
            )));
        }
        let kind = answer.headers().get(CONTENT_TYPE);
        let is_token = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/jwt"));
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(unavailable)? {
            if body.len() + piece.len() > ANSWER_BYTES_MAX {
                let line = format!("the provider answered more than {ANSWER_BYTES_MAX} bytes");
                return Err(ProviderError::Refused(line));
            }
            body.extend_from_slice(&piece);
        }
        Ok(Answer {
            status,
            is_token,
            body,
        })
    }
}

fn words(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "it took too long"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    }
}

/// An address of the provider's: over TLS, or on this machine.
pub(crate) fn checked_url(name: &str, text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{name}: {error}"))?;
    let is_here = url.host_str().is_some_and(is_loopback_host);
    if url.scheme() == "https" || (url.scheme() == "http" && is_here) {
        Ok(url)
    } else {
        Err(format!("{name}: expected https (http only for a loopback host)"))
    }
}

#[cfg(test)]
mod tests {
    use super::checked_url;

    #[test]
    fn the_provider_is_asked_over_tls_or_on_this_machine() {
        for url in [
            "https://id.example.com/realm",
            "http://127.0.0.1:3000",
            "http://localhost:3000",
            "http://[::1]:3000",
        ] {
            assert!(checked_url("issuer", url).is_ok(), "{url}");
        }
        for url in [
            "http://id.example.com",
            "ftp://localhost",
            "id.example.com",
            "http://localhost.evil.example",
        ] {
            assert!(checked_url("issuer", url).is_err(), "{url}");
        }
    }
}
