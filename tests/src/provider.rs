//! A certified OpenID Connect provider (npm `oidc-provider`) as a process of a test: `tests/provider/provider.mjs` says what it
//! does.

use crate::node::node;
use crate::places;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};

/// The client's secret at the provider; it has characters that a form encodes.
pub const CLIENT_SECRET: &str = "a secret: 100%+&";
/// The client's id at the provider.
pub const CLIENT: &str = "walkaround";

/// A running provider. It ends with this.
pub struct Provider {
    /// Its issuer, and what its addresses begin with.
    pub issuer: String,
    process: Child,
    /// Its end is the provider's.
    _stdin: ChildStdin,
    client: reqwest::Client,
}

impl Provider {
    /// A provider that sends browsers back to this address; why there is none here, where there is none.
    ///
    /// # Errors
    /// What is missing, for people.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(redirect_uri: &str) -> Result<Self, &'static str> {
        let packages = places::root().join(".tools/provider");
        let node = node().filter(|_| packages.join("node_modules/oidc-provider").is_dir());
        let node = node.ok_or("there is no Node, or no provider of identities: scripts/setup.sh provider")?;
        let mut process = Command::new(node)
            .arg(places::root().join("tests/provider/provider.mjs"))
            .arg(&packages)
            .arg(redirect_uri)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("node starts");
        let stdin = process.stdin.take().expect("a pipe");
        let stdout = process.stdout.take().expect("a pipe");
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        let read = read.expect("the provider says where it is");
        assert!(read > 0, "the provider of identities ended at its start");
        let said: Value = serde_json::from_str(&line).expect("one line of JSON");
        Ok(Self {
            issuer: said["issuer"].as_str().expect("an issuer").to_owned(),
            process,
            _stdin: stdin,
            client: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .expect("an HTTP client"),
        })
    }

    /// Whoever comes to sign in is this account from now on: its claims, `sub` among them. Null: nobody.
    pub async fn set_account(&self, claims: Value) {
        self.control(&json!({ "account": claims })).await;
    }

    /// What is wrong with ID tokens from now on.
    pub async fn set_fault(&self, fault: &str) {
        self.control(&json!({ "fault": fault })).await;
    }

    /// What the userinfo endpoint answers from now on, whoever asks; none: its own answer.
    pub async fn set_userinfo(&self, answer: Option<(u16, &str)>) {
        self.control(&json!({ "userinfo": answer })).await;
    }

    /// How many times it was asked for tokens.
    pub async fn token_requests(&self) -> u64 {
        let said = self.control(&json!({})).await;
        said["tokenRequests"].as_u64().expect("a count")
    }

    async fn control(&self, change: &Value) -> Value {
        let request = self.client.post(format!("{}/control", self.issuer));
        let answer = request
            .body(change.to_string())
            .send()
            .await
            .expect("the provider answers");
        let text = answer.text().await.expect("a whole answer");
        serde_json::from_str(&text).expect("JSON")
    }

    /// A request of a browser, which follows redirects itself.
    pub async fn get(&self, url: &str, cookies: &str) -> reqwest::Response {
        let request = self.client.get(url).header("cookie", cookies);
        request.send().await.expect("the provider answers")
    }

    /// Ends it: from now on it does not answer.
    pub fn stop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.stop();
    }
}
