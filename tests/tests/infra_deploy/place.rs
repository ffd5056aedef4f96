//! An emulator, what is deployed in it, and questions to it.

use serde_json::Value;
use std::collections::BTreeMap;
use tokio::runtime::Runtime;
use walkaround_aws::{Aws, Connection};
use walkaround_emulators::REGION;
use walkaround_tests::cloudformation::{bucket, clients, deploy, fails};
use walkaround_tests::places;

/// What names of the stacks under test begin with.
pub(crate) const PREFIX: &str = "walkaround-test";
const CODE: &str = "code";
/// A zip without a file: nothing here is run.
const EMPTY_ZIP: [u8; 22] = [80, 75, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// An emulator and its outputs so far.
pub(crate) struct Place {
    pub(crate) runtime: Runtime,
    pub(crate) aws: Aws,
    pub(crate) outputs: BTreeMap<String, String>,
    endpoint: String,
    http: reqwest::Client,
}

impl Place {
    /// Clients of the emulator at an address, and code for functions in it.
    pub(crate) fn at(endpoint: String) -> Self {
        let runtime = Runtime::new().unwrap();
        let aws = runtime.block_on(async {
            let aws = clients(&endpoint, &Connection::default()).await;
            bucket(&aws, CODE).await;
            for key in ["triage.zip", "scaler.zip", "notifier.zip", "monitor.zip"] {
                let put = aws.s3.put_object().bucket(CODE).key(key);
                put.body(EMPTY_ZIP.to_vec().into()).send().await.unwrap();
            }
            aws
        });
        Self {
            runtime,
            aws,
            outputs: BTreeMap::new(),
            endpoint,
            http: reqwest::Client::new(),
        }
    }

    /// Deploys one of the templates; its outputs join the others.
    pub(crate) fn deploy(&mut self, template: &str, parameters: &[(&str, &str)]) {
        let path = places::root().join("infra").join(format!("{template}.yaml"));
        let mut all = vec![("Prefix", PREFIX)];
        if template == "pipeline" {
            all.extend([("Packaging", "Zip"), ("CodeBucket", CODE)]);
        }
        all.extend_from_slice(parameters);
        let outputs = if template == "gpu" {
            // moto keeps numbers that come from a parameter as text, which the SDK refuses to read.
            let body = std::fs::read_to_string(&path).unwrap();
            let body = body.replace("!Ref ScaleDownDelayMinutes", "20");
            let folder = tempfile::TempDir::new().unwrap();
            let literal = folder.path().join("gpu.yaml");
            std::fs::write(&literal, body).unwrap();
            deploy(&self.runtime, &self.endpoint, &literal, template, &all)
        } else {
            deploy(&self.runtime, &self.endpoint, &path, template, &all)
        };
        self.outputs.extend(outputs);
    }

    /// A template that cannot be made; what failed in it, once nothing more is under way, and the stack is gone.
    pub(crate) fn refused(&mut self, name: &str, template: &str) -> String {
        let all = [("Prefix", PREFIX), ("DeletionProtection", "false")];
        fails(&self.runtime, &self.endpoint, template, name, &all)
    }

    /// An output.
    pub(crate) fn output(&self, name: &str) -> &str {
        let of = self.outputs.get(name);
        of.unwrap_or_else(|| panic!("no output {name} in {:?}", self.outputs))
    }

    /// An answer of a service whose protocol is a target and JSON.
    pub(crate) fn ask(&self, service: &str, target: &str, body: &Value) -> Value {
        let request = self.http.post(&self.endpoint);
        let request = request
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.1");
        let text = self.text(service, request.body(body.to_string()));
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{target}: {e}: {text}"))
    }

    /// An answer of Lambda.
    pub(crate) fn lambda(&self, path: &str) -> Value {
        let text = self.get("lambda", path);
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}: {text}"))
    }

    /// What a service answers on a path.
    pub(crate) fn get(&self, service: &str, path: &str) -> String {
        self.text(service, self.http.get(format!("{}/{path}", self.endpoint)))
    }

    /// A call of a service whose protocol is a form; whatever it answers.
    pub(crate) fn form(&self, service: &str, form: &str) -> String {
        let request = self.http.post(&self.endpoint);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.text(service, request.body(form.to_owned()))
    }

    /// Neither emulator checks signatures; both read there which service is meant.
    fn text(&self, service: &str, request: reqwest::RequestBuilder) -> String {
        let scope = format!("test/20260101/{REGION}/{service}/aws4_request");
        let signed = request.header(
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
        );
        self.runtime
            .block_on(async { signed.send().await.unwrap().text().await.unwrap() })
    }
}

/// The names under `key` in a list of JSON objects, sorted.
pub(crate) fn names(list: &Value, key: &str) -> Vec<String> {
    let all = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut names: Vec<String> = all
        .iter()
        .map(|one| one[key].as_str().unwrap_or_default().to_owned())
        .collect();
    names.sort();
    names
}
