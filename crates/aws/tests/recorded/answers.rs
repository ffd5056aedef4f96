//! Clients whose answers are recorded here: for what no emulator shows.

use aws_sdk_sqs::config::Credentials;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use std::fmt;
use std::sync::{Arc, Mutex};
use walkaround_aws::{Aws, Connection};

/// One answer: status, headers, body.
pub(crate) type Answer = (u16, Vec<(&'static str, String)>, String);

/// What was asked: `METHOD path?query`, and the headers.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Asked {
    /// The value of a header, empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map_or("", |(_, value)| value)
    }
}

/// Clients that give these answers in order and then none, without retries; and what they were asked.
pub(crate) async fn aws(answers: impl IntoIterator<Item = Answer>) -> (Aws, Arc<Mutex<Vec<Asked>>>) {
    let mut answers: Vec<Answer> = answers.into_iter().collect();
    answers.reverse();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let script = Script {
        answers: Arc::new(Mutex::new(answers)),
        asked: asked.clone(),
    };
    let client = http_client_fn(move |_, _| SharedHttpConnector::new(script.clone()));
    let connection = Connection {
        region: Some("eu-central-1".to_owned()),
        endpoint_url: Some("http://recorded".to_owned()),
        ..Connection::default()
    };
    let loader = connection
        .loader()
        .http_client(client)
        .retry_config(RetryConfig::disabled());
    let credentials = Credentials::new("AKIDRECORDED", "recorded-secret", None, None, "recorded");
    (
        Aws::new(&loader.credentials_provider(credentials).load().await),
        asked,
    )
}

#[derive(Clone)]
struct Script {
    answers: Arc<Mutex<Vec<Answer>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script")
    }
}

impl HttpConnector for Script {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let path = request.uri().trim_start_matches("http://recorded");
        let headers = request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.asked.lock().expect("no panic inside").push(Asked {
            line: format!("{} {path}", request.method()),
            headers: headers.collect(),
        });
        let next = self.answers.lock().expect("no panic inside").pop();
        let (status, headers, body) = next.expect("one request more than answers were recorded");
        let mut answer = HttpResponse::new(status.try_into().expect("a status"), SdkBody::from(body));
        for (name, value) in headers {
            answer.headers_mut().insert(name, value);
        }
        HttpConnectorFuture::ready(Ok(answer))
    }
}
