//! `walkaround doctor` names the cause that was planted: in the embedded stack, and on AWS on an emulator.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

mod aws_client;

use aws_client::{Names, clients};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use walkaround_embedded::{Embedded, INTAKE_DEAD, Options, SEGMENTATION, WorkerOptions};
use walkaround_emulators::{ACCOUNT, Moto, REGION};
use walkaround_ports::{Clock, GpuCapacity, Heartbeat, OutMessage, SystemClock, WorkerJobState};
use walkaround_tests::places;

/// What `doctor` says, by check: level, what, fix.
type Findings = BTreeMap<String, (String, String, String)>;

fn findings(names: &Names, arguments: &[&str]) -> (i32, Findings) {
    let ran = names.run(&[&["doctor", "--format", "json"], arguments].concat());
    assert!(ran.stderr.is_empty(), "{ran:?}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one = |line: &str| {
        let d: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        (
            text(&d["check"]),
            (text(&d["level"]), text(&d["what"]), text(&d["fix"])),
        )
    };
    (ran.code, ran.stdout.lines().map(one).collect())
}

/// Holds that one check fails with these words and has a fix, and that the exit code says so.
fn fails(names: &Names, check: &str, words: &str) {
    let (code, found) = findings(names, &[]);
    let (level, what, fix) = found
        .get(check)
        .unwrap_or_else(|| panic!("no check {check}: {found:#?}"));
    assert!(
        level == "fail" && what.contains(words) && !fix.is_empty(),
        "{check}: `{words}`: {found:#?}"
    );
    assert_eq!(code, 1, "{found:#?}");
}

/// An embedded stack, with settings under which nothing is wrong.
struct Local {
    folder: TempDir,
    embedded: Embedded,
    runtime: Runtime,
    names: Names,
}

impl Local {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let root = folder.path().join("root");
        let embedded = {
            let _inside = runtime.enter();
            Embedded::open(&root, Options::default(), Arc::new(SystemClock::new())).unwrap()
        };
        let variables = [
            ("WALKAROUND_ROOT", root.display().to_string()),
            ("WALKAROUND_BUNDLE", places::seven().display().to_string()),
            ("WALKAROUND_LISTEN", " ".to_owned()),
            ("WALKAROUND_STACK", "local".to_owned()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        Self {
            folder,
            embedded,
            runtime,
            names: Names {
                variables: variables.into(),
            },
        }
    }

    fn send(&self, queue: &str, reason: Option<&str>) {
        let attributes = reason.map(|r| ("parked_reason".to_owned(), r.to_owned()));
        let message = OutMessage {
            body: "{}".to_owned(),
            attributes: attributes.into_iter().collect(),
            delay: Duration::ZERO,
        };
        let queue = self.embedded.queue(queue).unwrap();
        let sent = self.runtime.block_on(queue.send(vec![message])).unwrap();
        assert!(sent.iter().all(Result::is_ok));
    }

    /// Starts workers that are this shell line.
    fn workers(&self, line: &str, count: u32) -> walkaround_embedded::LocalCapacity {
        self.runtime.block_on(async {
            let options = WorkerOptions {
                command: vec!["sh".to_owned(), "-c".to_owned(), line.to_owned()],
                workers_max: count,
                ..WorkerOptions::default()
            };
            let capacity = self.embedded.capacity(options).await.unwrap();
            assert_eq!(capacity.start(count).await.unwrap().len(), count as usize);
            capacity
        })
    }
}

#[test]
fn a_sound_stack_has_nothing_to_tell() {
    let local = Local::new();
    let (code, found) = findings(&local.names, &[]);
    assert!(
        found.values().all(|(level, ..)| level == "ok") && code == 0,
        "{found:#?}"
    );
    for check in [
        "settings",
        "root",
        "bundle",
        "ONNX Runtime",
        "device",
        "self-test",
        "workers",
    ] {
        assert!(found.contains_key(check), "no check {check}: {found:#?}");
    }
    let table = local.names.run(&["doctor"]).succeeded().stdout;
    assert!(table.contains("nothing found in"), "{table}");
}

#[test]
fn settings_library_device_and_bundle_are_named() {
    let local = Local::new();
    let names = |name: &str, value: &str| local.names.with(name, value);
    fails(
        &names("WALKAROUND_LEASE_S", "long"),
        "settings",
        "WALKAROUND_LEASE_S",
    );
    fails(&names("WALKAROUND_DEVICE", "cuda"), "device", "cuda");
    fails(
        &names("WALKAROUND_BUNDLE", "nowhere"),
        "bundle",
        "no folder `nowhere`",
    );

    let altered = places::edited_seven(&[]);
    let file = altered.path().join("gate.onnx");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let folder = altered.path().to_str().unwrap();
    fails(&names("WALKAROUND_BUNDLE", folder), "bundle", "SHA-256");

    let other = places::edited_seven(&[("gate = 1.0", "gate = 0.0")]);
    let folder = other.path().to_str().unwrap();
    fails(&names("WALKAROUND_BUNDLE", folder), "self-test", "gate is");
}

#[test]
fn a_library_that_is_not_there_is_named() {
    let local = Local::new();
    let nowhere = local.folder.path().join("libonnxruntime.so");
    let names = local
        .names
        .with("WALKAROUND_ONNXRUNTIME", nowhere.to_str().unwrap());
    fails(&names, "ONNX Runtime", "cannot load ONNX Runtime");
}

#[test]
fn a_root_that_cannot_be_used_is_named() {
    let local = Local::new();
    let empty = local.folder.path().join("empty");
    let names = local.names.with("WALKAROUND_ROOT", empty.to_str().unwrap());
    fails(&names, "root", "no stack in");
    assert!(!empty.exists(), "looking makes no stack");

    std::fs::create_dir(&empty).unwrap();
    std::fs::write(
        empty.join("walkaround.db"),
        "this is no database at all".repeat(100),
    )
    .unwrap();
    fails(&names, "root", "cannot use");
}

#[test]
fn a_taken_port_is_named() {
    let local = Local::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    // Whoever is there says something else, and hangs up.
    let other = std::thread::spawn(move || {
        let (mut stream, _) = taken.accept().unwrap();
        let _ = stream.write_all(b"220 hello\r\n");
    });
    fails(
        &local.names.with("WALKAROUND_LISTEN", &address),
        "HTTP address",
        "taken by another program",
    );
    other.join().unwrap();
}

#[test]
fn workers_that_crash_are_silent_or_missing_are_named() {
    let local = Local::new();
    local.send(SEGMENTATION, None);
    fails(
        &local.names,
        "workers",
        "1 message for the GPU lane, and no worker",
    );

    let capacity = local.workers("exit 78", 3);
    local.runtime.block_on(async {
        let over = |jobs: &[walkaround_ports::WorkerJob]| {
            jobs.iter()
                .all(|job| matches!(job.state, WorkerJobState::Ended { exit: Some(78) }))
        };
        // A process that exits at once is reaped soon.
        for _ in 0..1000 {
            if over(&capacity.fleet().await.unwrap()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the workers do not end");
    });
    fails(&local.names, "worker exits", "code 78: the bundle cannot be used");

    let capacity = local.workers("sleep 600", 1);
    let worker = local.runtime.block_on(async {
        let fleet = capacity.fleet().await.unwrap();
        let running = fleet
            .iter()
            .find(|j| !matches!(j.state, WorkerJobState::Ended { .. }));
        let worker = running.unwrap().id.clone();
        let beat = Heartbeat {
            worker: worker.clone(),
            at: SystemClock::new().now() - Duration::from_secs(600),
            body: "{}".to_owned(),
        };
        local.embedded.records().beat(&beat).await.unwrap();
        worker
    });
    fails(&local.names, "workers", &format!("no sign of life: {worker}"));
    let left = local.runtime.block_on(capacity.end_all("the test is over"));
    assert_eq!(left.unwrap(), 0);
}

#[test]
fn parked_messages_are_told_with_their_reasons() {
    let local = Local::new();
    local.send(INTAKE_DEAD, Some("not a request"));
    let (code, found) = findings(&local.names, &[]);
    let (level, what, _) = &found["intake parked"];
    assert!(
        level == "warn" && what.contains("1 message parked: 1 × not a request"),
        "{found:#?}"
    );
    assert_eq!(code, 0, "a warning is no failure");
}

/// Calls an emulator in its own words: the clients for these few calls would be crates of their own.
fn call(endpoint: &str, (service, method, path): (&str, &str, &str), body: &Value) -> Value {
    let (kind, body) = match body {
        Value::String(form) => ("application/x-www-form-urlencoded", form.clone()),
        other => ("application/json", other.to_string()),
    };
    let host = endpoint.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {service}.{REGION}.amazonaws.com\r\nconnection: close\r\n\
         content-length: {}\r\ncontent-type: {kind}\r\nauthorization: AWS4-HMAC-SHA256 \
         Credential=test/20261122/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 20"), "{method} {path}: {answer}");
    let document = answer.split_once("\r\n\r\n").unwrap().1;
    serde_json::from_str(document).unwrap_or(Value::Null)
}

/// Batch, Lambda and the bundle of a stack that is in order; the id of triage's event source.
fn make(endpoint: &str, names: &Names) -> String {
    let role = "Action=CreateRole&Version=2010-05-08&RoleName=role&AssumeRolePolicyDocument=%7B%7D";
    call(endpoint, ("iam", "POST", "/"), &json!(role));
    let role = format!("arn:aws:iam::{ACCOUNT}:role/role");
    let batch = |name: &str, body: Value| call(endpoint, ("batch", "POST", &format!("/v1/{name}")), &body);
    let environment = batch(
        "createcomputeenvironment",
        json!({"computeEnvironmentName": "workers", "type": "UNMANAGED", "state": "ENABLED", "serviceRole": role}),
    );
    batch(
        "createjobqueue",
        json!({"jobQueueName": "gpu", "state": "ENABLED", "priority": 1, "computeEnvironmentOrder":
               [{"order": 1, "computeEnvironment": environment["computeEnvironmentArn"]}]}),
    );
    batch(
        "registerjobdefinition",
        json!({"jobDefinitionName": "worker", "type": "container", "containerProperties": {"image": "worker:0.1.0",
               "resourceRequirements": [{"type": "VCPU", "value": "4"}, {"type": "MEMORY", "value": "8192"}]}}),
    );
    // The end of an empty zip, which is all of it.
    let zip = "UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==";
    call(
        endpoint,
        ("lambda", "POST", "/2015-03-31/functions"),
        &json!({"FunctionName": "triage", "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": role,
                "Code": {"ZipFile": zip}}),
    );
    let source = call(
        endpoint,
        ("lambda", "POST", "/2015-03-31/event-source-mappings"),
        &json!({"FunctionName": "triage", "Enabled": true,
                "EventSourceArn": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:intake")}),
    );
    let seven = places::seven();
    names
        .run(&["bundle", "push", seven.to_str().unwrap()])
        .succeeded();
    names.run(&["bundle", "activate", "seven", "1.0.0"]).succeeded();
    source["UUID"].as_str().unwrap().to_owned()
}

/// Reads a request to its end: a connection that closes with bytes unread is reset.
fn read_request(stream: &mut TcpStream) {
    let mut seen = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&seen).to_lowercase();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(0, |l| l.trim().parse().unwrap());
            let start = seen.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
            if seen.len() >= start + length {
                return;
            }
        }
        match stream.read(&mut part).unwrap() {
            0 => return,
            n => seen.extend_from_slice(&part[..n]),
        }
    }
}

/// Answers `DescribeAlarms` in CBOR, which no emulator here speaks: no alarm, or one once `raised` says so.
fn alarms_answerer(raised: Arc<AtomicBool>) -> String {
    let text = |t: &str| [&[0x78, u8::try_from(t.len()).unwrap()], t.as_bytes()].concat();
    let pair = |name, value| [text(name), text(value)].concat();
    let alarm = [
        vec![0xa3],
        pair("AlarmName", "walkaround-intake-age"),
        pair("StateValue", "ALARM"),
        pair("StateReason", "too old"),
    ]
    .concat();
    let none = [vec![0xa1], text("MetricAlarms"), vec![0x80]].concat();
    let one = [vec![0xa1], text("MetricAlarms"), vec![0x81], alarm].concat();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    // Ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            read_request(&mut stream);
            let body = if raised.load(Ordering::SeqCst) {
                &one
            } else {
                &none
            };
            let head = format!(
                "HTTP/1.1 200 OK\r\nsmithy-protocol: rpc-v2-cbor\r\ncontent-type: application/cbor\r\n\
                 connection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        }
    });
    endpoint
}

#[test]
#[allow(
    clippy::too_many_lines,
    reason = "one emulator for all of them: it takes seconds to start"
)]
fn planted_causes_on_aws_are_named() {
    let moto = Moto::start();
    let endpoint = moto.endpoint();
    let runtime = Runtime::new().unwrap();
    let aws = runtime.block_on(clients(&endpoint));
    let names = runtime.block_on(Names::make(&aws, &endpoint));
    let cache = tempfile::tempdir().unwrap();
    let raised = Arc::new(AtomicBool::new(false));
    let cloudwatch = alarms_answerer(Arc::clone(&raised));
    let names = names
        .with("WALKAROUND_JOB_QUEUE", "gpu")
        .with("WALKAROUND_JOB_DEFINITION", "worker")
        .with("WALKAROUND_BUNDLE_CACHE", cache.path().to_str().unwrap())
        .with("AWS_ENDPOINT_URL_CLOUDWATCH", &cloudwatch);
    let source = make(&endpoint, &names);
    let (code, found) = findings(&names, &[]);
    assert!(
        code == 0 && found.values().all(|(level, ..)| level == "ok"),
        "{found:#?}"
    );
    for check in [
        "credentials",
        "triage function",
        "table",
        "job queue",
        "environment workers",
        "alarms",
    ] {
        assert!(found.contains_key(check), "no check {check}: {found:#?}");
    }

    // What is named wrongly, or not at all.
    fails(
        &names.with("AWS_ACCESS_KEY_ID", ""),
        "credentials",
        "no usable AWS credentials",
    );
    fails(&names.with("AWS_REGION", ""), "settings", "no AWS region");
    let nobody = names.url("SEGMENTATION_QUEUE").replace("segmentation", "nobody");
    fails(
        &names.with("WALKAROUND_SEGMENTATION_QUEUE", &nobody),
        "segmentation queue",
        "nobody",
    );
    fails(
        &names.with("WALKAROUND_TABLE", "nothing"),
        "table",
        "table nothing",
    );
    fails(
        &names.with("WALKAROUND_JOB_QUEUE", "nothing"),
        "job queue",
        "there is no job queue nothing",
    );
    fails(
        &names.with("WALKAROUND_JOB_DEFINITION", "nothing"),
        "job definition",
        "no active one",
    );
    fails(
        &names.with("WALKAROUND_BUNDLE", "s3://bundles/other"),
        "bundle",
        "no active version",
    );

    // What was broken in the account.
    let disable = json!({"Enabled": false});
    let path = format!("/2015-03-31/event-source-mappings/{source}");
    call(&endpoint, ("lambda", "PUT", &path), &disable);
    fails(&names, "triage function", "disabled");
    let disable = json!({"computeEnvironment": "workers", "state": "DISABLED"});
    call(
        &endpoint,
        ("batch", "POST", "/v1/updatecomputeenvironment"),
        &disable,
    );
    fails(&names, "environment workers", "disabled");
    raised.store(true, Ordering::SeqCst);
    fails(&names, "alarms", "walkaround-intake-age (too old)");
    let put = aws.s3.put_object().bucket("bundles");
    let put = put
        .key("bundles/seven/versions/1.0.0/gate.onnx")
        .body(b"other".to_vec().into());
    runtime.block_on(put.send()).unwrap();
    let fresh = tempfile::tempdir().unwrap();
    fails(
        &names.with("WALKAROUND_BUNDLE_CACHE", fresh.path().to_str().unwrap()),
        "bundle",
        "gate.onnx",
    );
}
