//! What the registry does when the answer to its one conditional write is lost: the SDK writes again, and is refused.

use crate::answers::{self, Answer};
use walkaround_aws::{Activated, BundleId, BundleRegistry};
use walkaround_domain::Timestamp;

const FILES: &str = "{}";
const FILES_SHA256: &str = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

fn found(body: &str) -> Answer {
    let headers = vec![
        ("content-length", body.len().to_string()),
        ("etag", "\"1\"".to_owned()),
    ];
    (200, headers, body.to_owned())
}

fn refused(status: u16, code: &str) -> Answer {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no</Message></Error>");
    (status, Vec::new(), body)
}

fn current(version: &str, activated_at_ms: u64) -> Answer {
    found(&format!(
        r#"{{"version":"{version}","files_sha256":"{FILES_SHA256}","history":["1"],"activated_at_ms":{activated_at_ms}}}"#
    ))
}

fn before() -> Answer {
    found(&format!(
        r#"{{"version":"1","files_sha256":"{FILES_SHA256}","history":[],"activated_at_ms":1}}"#
    ))
}

async fn activated(stands: Answer) -> Activated {
    let answers = [found(FILES), before(), refused(412, "PreconditionFailed"), stands];
    let calls = answers.len();
    let (aws, asked) = answers::aws(answers).await;
    let registry = BundleRegistry::new(aws.s3, "bundles");
    let outcome = registry.activate(BundleId::new("demo", "2"), Timestamp(7)).await;
    assert_eq!(asked.lock().expect("no panic").len(), calls);
    outcome.expect("an outcome")
}

#[tokio::test]
async fn what_one_wrote_oneself_is_no_race() {
    match activated(current("2", 7)).await {
        Activated::Done(active) => assert_eq!((active.version.as_str(), active.activated_at.0), ("2", 7)),
        other => panic!("{other:?}"),
    }
    // Somebody else's: another version, or the same at another time.
    for stands in [
        current("3", 7),
        current("2", 8),
        before(),
        refused(404, "NoSuchKey"),
    ] {
        assert_eq!(activated(stands).await, Activated::Raced);
    }
}
