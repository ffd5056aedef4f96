//! Slack's incoming webhook: a cause as a message, and sending it.
//!
//! See <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>. The URL is a credential: whoever has
//! it can post. It is nowhere logged or put into an error; only https is spoken, except to this machine; no redirect is
//! followed.

use crate::cause::{Cause, Severity};
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response, StatusCode, Url, redirect};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Attempts of one message.
const ATTEMPTS_MAX: u32 = 4;
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// One attempt, from connecting to the last byte of the answer.
const ATTEMPT_MAX: Duration = Duration::from_secs(8);
/// Before the first retry; doubles each time, and up to half of it is taken off by chance.
const DELAY_FIRST: Duration = Duration::from_millis(500);
/// Longest wait that Slack is granted: its channels take a message a second.
const DELAY_MAX: Duration = Duration::from_secs(10);
/// Characters that a section takes.
const SECTION_CHARS_MAX: usize = 3000;

/// Where messages go.
#[derive(Clone)]
pub(crate) struct Webhook {
    client: Client,
    url: Url,
    delay_first: Duration,
}

/// A message that did not arrive.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Undelivered {
    /// Whether it may arrive later.
    pub(crate) may_pass: bool,
    /// What happened, without the URL.
    pub(crate) why: String,
}

/// What one attempt came to.
enum Attempt {
    Taken,
    /// Try again, after this time if one was named.
    Again(String, Option<Duration>),
    Refused(String),
}

impl Webhook {
    /// The webhook at this URL.
    ///
    /// # Errors
    /// What is wrong with the URL, without repeating it.
    pub(crate) fn new(url: &str) -> Result<Self, Undelivered> {
        let refused = |why: &str| Undelivered {
            may_pass: false,
            why: format!("the secret of the webhook holds no usable URL: {why}"),
        };
        let url = Url::parse(url.trim()).map_err(|error| refused(&error.to_string()))?;
        let loopback = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if url.scheme() != "https" && !(loopback && url.scheme() == "http") {
            return Err(refused("not https"));
        }
        let client = Client::builder()
            .connect_timeout(CONNECT_MAX)
            .timeout(ATTEMPT_MAX)
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| refused(&error.without_url().to_string()))?;
        Ok(Self {
            client,
            url,
            delay_first: DELAY_FIRST,
        })
    }

    /// Sends a message; tries again while that may help and `time` lasts.
    ///
    /// # Errors
    /// After the last attempt.
    pub(crate) async fn send(&self, message: &Value, time: Duration) -> Result<(), Undelivered> {
        let end = Instant::now() + time;
        let mut delay = self.delay_first;
        let mut attempt = 1;
        loop {
            let (why, wanted) = match self.attempt(message).await {
                Attempt::Taken => return Ok(()),
                Attempt::Refused(why) => return Err(Undelivered { may_pass: false, why }),
                Attempt::Again(why, wanted) => (why, wanted),
            };
            let wait = wanted.map_or_else(|| jittered(delay), |wanted| wanted.min(DELAY_MAX));
            if attempt == ATTEMPTS_MAX || Instant::now() + wait + ATTEMPT_MAX > end {
                let why = format!("{why}, attempt {attempt} of {ATTEMPTS_MAX}");
                return Err(Undelivered { may_pass: true, why });
            }
            tracing::info!(
                attempt,
                why,
                wait_ms = wait.as_millis(),
                "the webhook is tried again"
            );
            tokio::time::sleep(wait).await;
            delay = (delay * 2).min(DELAY_MAX);
            attempt += 1;
        }
    }

    async fn attempt(&self, message: &Value) -> Attempt {
        let post = self.client.post(self.url.clone());
        let post = post
            .header("content-type", "application/json")
            .body(message.to_string());
        match post.send().await {
            Ok(answer) => judged(&answer),
            // Its text names the URL.
            Err(error) => Attempt::Again(kind_of(&error).to_owned(), None),
        }
    }
}

fn judged(answer: &Response) -> Attempt {
    let status = answer.status();
    let why = format!("the webhook answered {}", status.as_u16());
    if status.is_success() {
        return Attempt::Taken;
    }
    let again = status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
        || status.is_server_error();
    if !again {
        return Attempt::Refused(why);
    }
    let seconds = answer
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    Attempt::Again(why, seconds.map(Duration::from_secs))
}

fn kind_of(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "the webhook did not answer in time"
    } else if error.is_connect() {
        "the webhook's host is not reachable"
    } else {
        "the webhook's answer was cut off"
    }
}

fn jittered(delay: Duration) -> Duration {
    delay.mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// A cause as a message: blocks, and a line for whoever shows no blocks.
pub(crate) fn message(cause: &Cause) -> Value {
    let mark = match cause.severity {
        Severity::Fault => ":red_circle:",
        Severity::Warning => ":large_yellow_circle:",
        Severity::Resolved => ":large_green_circle:",
    };
    let mut first = format!("*First thing to try:* {}", escaped(&cause.first_step));
    if !cause.link.is_empty() {
        first += &format!("\n<{}|Open in the AWS console>", cause.link);
    }
    let mut blocks = vec![json!({
        "type": "header",
        "text": {"type": "plain_text", "text": format!("{mark} {}", cause.title), "emoji": true},
    })];
    // Slack refuses an empty section, and with it the whole message.
    blocks.extend(
        [escaped(&cause.what), first]
            .iter()
            .filter(|text| !text.trim().is_empty())
            .map(|text| section(text)),
    );
    json!({
        "text": format!("{mark} {}: {}", escaped(&cause.title), escaped(&cause.what)),
        "blocks": blocks,
    })
}

fn section(text: &str) -> Value {
    let text: String = text.chars().take(SECTION_CHARS_MAX).collect();
    json!({"type": "section", "text": {"type": "mrkdwn", "text": text}})
}

/// The three characters that Slack reads as its own.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
