//! Why a request did not get through.

use crate::resolve::RefusedAddress;
use crate::words::{one_line, shown};
use std::error::Error;
use url::Url;
use walkaround_ports::FetchError;

/// Why a request did not get through. The client's own message is not used: it repeats the whole URL.
pub(crate) fn transport_fault(url: &Url, error: &reqwest::Error) -> FetchError {
    let url = shown(url);
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref::<RefusedAddress>() {
            // What a name leads to changes, by mistake too.
            return FetchError::Denied(format!("{url}: {refused}"));
        }
        cause = error.source();
    }
    let what = match error {
        error if error.is_timeout() => "the connection timed out",
        error if error.is_connect() => "no connection",
        error if error.is_body() || error.is_decode() => "the answer was cut off",
        _ => "the request failed",
    };
    FetchError::Unreachable(format!("{url}: {what} ({})", innermost(error)))
}

/// The first cause in words, which names no URL.
pub(crate) fn innermost(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    let mut words = None;
    while let Some(error) = cause {
        words = Some(error.to_string());
        cause = error.source();
    }
    one_line(&words.unwrap_or_else(|| "no cause given".into()))
}
