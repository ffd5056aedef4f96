//! Messages and photos that cannot be worked off: each is recorded or parked with a clear reason within its
//! retries, and the good ones among them are done.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use walkaround_domain::{FailureCode, InspectionRequest, Phase, PhotoRef};
use walkaround_local::INTAKE;
use walkaround_ports::OutMessage;
use walkaround_tests::stack::{TestStack, as_json, damaged, ids, is_done, request, request_for, tail, until};

const ATTEMPTS: u32 = 3;
const BOUND: Duration = Duration::from_secs(60);

/// A server of photos on loopback, until the test ends; its `host:port`.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            std::thread::spawn(move || answer(connection));
        }
    });
    address
}

/// One answer a connection. A client that hangs up on purpose (too long a body) is none of its business.
fn answer(mut connection: TcpStream) {
    let mut lines = BufReader::new(&connection).lines().map_while(Result::ok);
    let line = lines.next().unwrap_or_default();
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let _rest = lines.take_while(|line| !line.is_empty()).count();
    let photo = damaged();
    let (status, headers, body): (&str, String, &[u8]) = match path.as_str() {
        "/good.jpg" => ("200 OK", format!("content-length: {}", photo.len()), &photo),
        "/huge.jpg" => ("200 OK", "content-length: 10737418240".into(), &photo),
        "/busy.jpg" => ("503 Service Unavailable", "content-length: 0".into(), b""),
        "/away.jpg" => (
            "302 Found",
            "location: http://169.254.169.254/latest/meta-data/\r\ncontent-length: 0".into(),
            b"",
        ),
        _ => ("404 Not Found", "content-length: 0".into(), b""),
    };
    let head = format!("HTTP/1.1 {status}\r\n{headers}\r\nconnection: close\r\n\r\n");
    let _ = connection
        .write_all(head.as_bytes())
        .and_then(|()| connection.write_all(body));
}

fn url(text: impl Into<String>) -> InspectionRequest {
    request_for(PhotoRef::Url(text.into()))
}

fn file(text: &str) -> InspectionRequest {
    request_for(PhotoRef::File(text.into()))
}

/// Requests that have to end as failures, with the code and a word of the detail.
fn doomed(host: &str) -> Vec<(InspectionRequest, FailureCode, &'static str)> {
    use FailureCode::{PhotoForbidden, PhotoNotFound, PhotoTooLarge, PhotoUnreachable};
    vec![
        (file("../../etc/passwd"), PhotoForbidden, ""),
        (file("../../../../../../../../../etc/passwd"), PhotoForbidden, ""),
        (file("/etc/passwd"), PhotoForbidden, ""),
        (file("link.jpg"), PhotoForbidden, ""),
        (file("missing.jpg"), PhotoNotFound, ""),
        (url("https://photos.example.com/a.jpg"), PhotoForbidden, "host"),
        (url("http://169.254.169.254/"), PhotoForbidden, "169.254.169.254"),
        (
            url(format!("http://{host}/away.jpg")),
            PhotoForbidden,
            "169.254.169.254",
        ),
        (url(format!("http://{host}/missing.jpg")), PhotoNotFound, "404"),
        (
            url(format!("http://{host}/huge.jpg")),
            PhotoTooLarge,
            "more than 67108864 bytes",
        ),
        (
            url(format!("http://{host}/busy.jpg")),
            PhotoUnreachable,
            "attempts",
        ),
        (request("bad/never-stored.jpg"), PhotoNotFound, ""),
        (bucket("secrets"), PhotoForbidden, "secrets"),
    ]
}

fn bucket(name: &str) -> InspectionRequest {
    request_for(PhotoRef::S3 {
        bucket: name.into(),
        key: "a.jpg".into(),
        version: None,
    })
}

/// Bodies that no request can be read from, with a word of the reason.
fn unreadable() -> Vec<(String, &'static str)> {
    let mut long = as_json(&request("bad/long.jpg"));
    long.body.insert_str(1, &" ".repeat(300 << 10));
    let later = as_json(&request("bad/later.jpg"))
        .body
        .replace("\"version\":1", "\"version\":9");
    assert!(later.contains("\"version\":9"), "{later}");
    vec![
        ("this is no JSON".into(), "JSON"),
        (String::new(), "empty"),
        ("  \n".into(), "empty"),
        (long.body, "expected at most 262144"),
        ("{\"photos\":[]}".into(), "unknown form"),
        ("[1,2,3]".into(), "unknown form"),
        (later, "version"),
    ]
}

#[test]
fn each_is_recorded_or_parked_and_the_good_ones_are_done() {
    let host = serve();
    let mut stack = walkaround_tests::stack!("trivial", &[("WORKERS_MAX", "0"), ("PHOTO_HTTP", "true")]);
    let photos = stack.folder().join("photos");
    std::fs::create_dir(&photos).unwrap();
    std::fs::write(photos.join("good.jpg"), damaged()).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", photos.join("link.jpg")).unwrap();
    stack.set("PHOTO_HOSTS", &host);
    stack.set("PHOTO_PRIVATE", "true");
    stack.set("PHOTO_ROOTS", &photos.display().to_string());
    stack.set("ATTEMPTS", &ATTEMPTS.to_string());
    let stored = damaged();
    stack.store((0..10).map(|i| (format!("good/{i}.jpg"), stored.as_slice())));

    let mut good: Vec<InspectionRequest> = (0..8).map(|i| request(&format!("good/{i}.jpg"))).collect();
    good.extend([url(format!("http://{host}/good.jpg")), file("good.jpg")]);
    let (doomed, unreadable) = (doomed(&host), unreadable());
    send_all(&stack, &good, &doomed, &unreadable);
    // One message of three photos, of which the middle one is missing.
    let batch = ["good/8.jpg", "bad/not-in-batch.jpg", "good/9.jpg"];
    stack.send(INTAKE, &[s3_event(&batch)]);
    good.extend([request(batch[0]), request(batch[2])]);
    let mut all: Vec<InspectionRequest> = doomed.iter().map(|d| d.0.clone()).collect();
    all.extend(good.iter().cloned().chain([request(batch[1])]));

    let mut up = stack.start(&["up"], "up");
    stack.until_all_final(&ids(&all), BOUND);
    let parked = until(BOUND, || stack.parked().len() >= unreadable.len());
    assert!(parked, "{:?}\n{}", stack.parked(), tail(&stack.logs(), 40));
    check_recorded(&stack, &good, &doomed);
    let missing = &stack.inspections()[request(batch[1]).id.as_str()];
    assert_failed(missing, FailureCode::PhotoNotFound, "");
    check_parked(&stack, &unreadable);
    assert_eq!(
        stack.inspections().len(),
        all.len(),
        "records of nothing that was asked"
    );
    up.terminate();
    assert_eq!(up.exit_code(BOUND), 0);
}

type Doomed = [(InspectionRequest, FailureCode, &'static str)];

/// Good ones between all the others.
fn send_all(stack: &TestStack, good: &[InspectionRequest], doomed: &Doomed, unreadable: &[(String, &str)]) {
    let mut messages: Vec<OutMessage> = doomed.iter().map(|d| as_json(&d.0)).collect();
    messages.extend(unreadable.iter().map(|(body, _)| OutMessage {
        body: body.clone(),
        ..OutMessage::default()
    }));
    messages.extend(good.iter().map(as_json));
    fastrand::Rng::with_seed(5).shuffle(&mut messages);
    stack.send(INTAKE, &messages);
}

fn s3_event(keys: &[&str]) -> OutMessage {
    let record = |key: &&str| {
        serde_json::json!({
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": { "bucket": { "name": "photos" }, "object": { "key": key } },
        })
    };
    let records: Vec<serde_json::Value> = keys.iter().map(record).collect();
    OutMessage {
        body: serde_json::json!({ "Records": records }).to_string(),
        ..OutMessage::default()
    }
}

fn check_recorded(stack: &TestStack, good: &[InspectionRequest], doomed: &Doomed) {
    let inspections = stack.inspections();
    for request in good {
        let inspection = &inspections[request.id.as_str()];
        assert!(
            is_done(&inspection.phase, "damaged"),
            "{}: {:?}",
            request.photo,
            inspection.phase
        );
    }
    for (request, code, words) in doomed {
        let inspection = &inspections[request.id.as_str()];
        assert_failed(inspection, *code, words);
        // What the photo's place says may be otherwise later; what this deployment does not allow is final at once.
        let is_redirected_away = request.photo.to_string().ends_with("/away.jpg");
        let tries = match code {
            FailureCode::PhotoUnreachable | FailureCode::PhotoNotFound => ATTEMPTS,
            FailureCode::PhotoForbidden if is_redirected_away => ATTEMPTS,
            _ => 1,
        };
        assert_eq!(inspection.attempts, tries, "{}", request.photo);
        assert!(inspection.outcome.is_none(), "{}", request.photo);
    }
}

fn assert_failed(inspection: &walkaround_domain::Inspection, wanted: FailureCode, words: &str) {
    let photo = &inspection.request.photo;
    let Phase::Failed { code, detail } = &inspection.phase else {
        panic!("{photo}: {:?}", inspection.phase);
    };
    assert_eq!(*code, wanted, "{photo}: {detail}");
    assert!(detail.contains(words), "{photo}: no `{words}` in: {detail}");
    assert!(
        !detail.is_empty() && !detail.contains('\n') && detail.len() < 500,
        "{photo}: {detail}"
    );
    assert!(
        !detail.contains("root:"),
        "{photo}: what the file says was quoted"
    );
    assert!(inspection.published_at.is_some(), "{photo}: not published");
}

fn check_parked(stack: &TestStack, unreadable: &[(String, &str)]) {
    let parked = stack.parked();
    assert_eq!(parked.len(), unreadable.len(), "{parked:?}");
    for (body, words) in unreadable {
        // An empty body is parked as a blank, which SQS would take.
        let same = |p: &&walkaround_local::Parked| {
            p.body == *body
                || (body.is_empty() && p.body == " ")
                || (body.len() > 1000 && p.body.len() > 1000)
        };
        let one = parked
            .iter()
            .find(same)
            .unwrap_or_else(|| panic!("`{words}`: not parked: {parked:?}"));
        let reason = one.reason.as_deref().unwrap_or_default();
        assert!(reason.contains(words), "no `{words}` in: {reason}");
        assert!(!reason.contains('\n') && reason.len() <= 500, "{reason}");
        assert_eq!(one.from.as_deref(), Some(INTAKE));
    }
}
