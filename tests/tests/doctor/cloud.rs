//! Causes planted in a stack on AWS, on moto.

use crate::aws_client::{Names, TABLE, clients};
use crate::{fails, findings};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::runtime::Runtime;
use walkaround_emulators::{ACCOUNT, Moto, REGION};
use walkaround_tests::lane::leave_lane_state;
use walkaround_tests::places;

/// Calls an emulator without a client: the clients for these few calls would be crates of their own.
fn call(endpoint: &str, service: &str, method: &str, path: &str, body: &Value) -> Value {
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
    call(endpoint, "iam", "POST", "/", &json!(role));
    let role = format!("arn:aws:iam::{ACCOUNT}:role/role");
    let batch = |name: &str, body: Value| call(endpoint, "batch", "POST", &format!("/v1/{name}"), &body);
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
        "lambda",
        "POST",
        "/2015-03-31/functions",
        &json!({"FunctionName": "triage", "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": role,
                "Code": {"ZipFile": zip}}),
    );
    let source = call(
        endpoint,
        "lambda",
        "POST",
        "/2015-03-31/event-source-mappings",
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

/// Reads a request to its end: a connection that closes with bytes unread is reset. Its head, in lower case.
fn read_request(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&seen).to_lowercase();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(0, |l| l.trim().parse().unwrap());
            let start = seen.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
            if seen.len() >= start + length {
                return head.to_owned();
            }
        }
        match stream.read(&mut part).unwrap() {
            0 => return String::new(),
            n => seen.extend_from_slice(&part[..n]),
        }
    }
}

/// Answers as CloudWatch in CBOR, which no emulator here speaks: no alarm, or one once `raised` says so; and of every
/// queue that its oldest message waits for two hours.
fn cloudwatch(raised: Arc<AtomicBool>) -> String {
    let text = |t: &str| [&[0x78, u8::try_from(t.len()).unwrap()], t.as_bytes()].concat();
    let pair = |name, value| [text(name), text(value)].concat();
    let alarm = [
        vec![0xa3],
        pair("AlarmName", "walkaround-intake-age"),
        pair("StateValue", "ALARM"),
        pair("StateReason", "too old"),
    ]
    .concat();
    let age = [
        vec![0xa1],
        text("Datapoints"),
        vec![0x81, 0xa2],
        text("Timestamp"),
        // Seconds since 1970.
        [&[0xc1, 0x1a], 1_790_000_000_u32.to_be_bytes().as_slice()].concat(),
        text("Maximum"),
        [&[0xfb], 7200_f64.to_be_bytes().as_slice()].concat(),
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
            let asked = read_request(&mut stream);
            let body = match raised.load(Ordering::SeqCst) {
                _ if asked.contains("/getmetricstatistics") => &age,
                true => &one,
                false => &none,
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
    let cloudwatch = cloudwatch(Arc::clone(&raised));
    let names = names
        .with("WALKAROUND_JOB_QUEUE", "gpu")
        .with("WALKAROUND_JOB_DEFINITION", "worker")
        .with("WALKAROUND_BUNDLE_CACHE", cache.path().to_str().unwrap())
        .with("AWS_ENDPOINT_URL_CLOUDWATCH", &cloudwatch);
    let source = make(&endpoint, &names);
    // Its schedule should have called the scaler within a minute.
    let (code, found) = findings(&names, &[]);
    let (level, what, _) = &found["gpu lane"];
    assert!(
        code == 0 && level == "warn" && what.contains("no scaler has run yet"),
        "{found:#?}"
    );
    runtime.block_on(leave_lane_state(&aws, TABLE, 0));
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
        "gpu lane",
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
        "no active job definition",
    );
    // One broken part hides no other.
    for (variable, still) in [
        (
            "WALKAROUND_JOB_DEFINITION",
            ["job queue", "waiting jobs", "worker exits"],
        ),
        ("WALKAROUND_JOB_QUEUE", ["job definition", "table", "alarms"]),
        (
            "WALKAROUND_TABLE",
            ["environment workers", "waiting jobs", "worker exits"],
        ),
    ] {
        let (_, found) = findings(&names.with(variable, "nothing"), &[]);
        for check in still {
            let level = found.get(check).map(|(level, ..)| level.as_str());
            assert_eq!(level, Some("ok"), "{variable}: {check}: {found:#?}");
        }
    }
    fails(
        &names.with("WALKAROUND_BUNDLE", "s3://bundles/other"),
        "bundle",
        "no active version",
    );

    // Dead letters are counted, not read: reading hides them, and a role that only reads may not.
    let dead = names.url("INTAKE_DEAD_QUEUE");
    let send = aws.sqs.send_message().queue_url(dead).message_body("parked");
    runtime.block_on(send.send()).unwrap();
    let (_, found) = findings(&names, &[]);
    let (level, what, _) = &found["intake parked"];
    assert!(level != "ok" && what.contains("1 message"), "{level}: {what}");
    let receive = aws.sqs.receive_message().queue_url(dead).visibility_timeout(0);
    let receive = receive.message_system_attribute_names("ApproximateReceiveCount".into());
    let received = runtime.block_on(receive.send()).unwrap();
    let first = &received.messages()[0];
    let times = first.attributes().unwrap().values().next().unwrap();
    assert_eq!(times, "1", "doctor received it before");

    // What was broken in the account.
    let disable = json!({"Enabled": false});
    let path = format!("/2015-03-31/event-source-mappings/{source}");
    call(&endpoint, "lambda", "PUT", &path, &disable);
    fails(&names, "triage function", "disabled");
    let disable = json!({"computeEnvironment": "workers", "state": "DISABLED"});
    call(
        &endpoint,
        "batch",
        "POST",
        "/v1/updatecomputeenvironment",
        &disable,
    );
    fails(&names, "environment workers", "disabled");
    let send = aws.sqs.send_message().queue_url(names.url("SEGMENTATION_QUEUE"));
    runtime.block_on(send.message_body("{}").send()).unwrap();
    fails(
        &names,
        "segmentation queue",
        "the oldest for 2 h: no consumer is reading it",
    );
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
