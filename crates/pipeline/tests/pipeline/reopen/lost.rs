//! Done inspections whose stored result is lost.

use super::*;
use std::path::Path;
use walkaround_domain::{BlobRef, Outcome};
use walkaround_ports::{BlobAddress, BlobMeta, Blobs, PutOutcome};

/// Whether a blob is stored is in its key.
#[async_trait]
impl Blobs for Stack {
    async fn head(&self, at: &BlobAddress) -> Result<Option<BlobMeta>, PortError> {
        let meta = BlobMeta {
            bytes: 9,
            sha256: None,
            etag: None,
            version: None,
        };
        match at.key.as_str() {
            "stored" => Ok(Some(meta)),
            "lost" => Ok(None),
            _ => Err(PortError::new(
                AT,
                PortErrorKind::Unavailable,
                "the store is away",
            )),
        }
    }
    async fn get(&self, _: &BlobAddress, _: u64) -> Result<Vec<u8>, PortError> {
        panic!("nothing is read")
    }
    async fn get_version(&self, _: &BlobAddress, _: &str, _: u64) -> Result<Vec<u8>, PortError> {
        panic!("nothing is read")
    }
    async fn put_if_absent(&self, _: &BlobAddress, _: &[u8], _: &str) -> Result<PutOutcome, PortError> {
        panic!("nothing is written")
    }
    async fn download(&self, _: &BlobAddress, _: &[u8; 32], _: &Path) -> Result<(), PortError> {
        panic!("nothing is read")
    }
    async fn list(&self, _: &BlobAddress, _: Option<&str>, _: usize) -> Result<Vec<String>, PortError> {
        panic!("nothing is listed")
    }
}

impl Stack {
    /// A done inspection with a report and a marked picture under these keys.
    fn add_done(&self, id: &str, report: &str, overlay: Option<&str>) {
        let done = Event::Complete {
            verdict: Verdict::Clean,
        };
        self.add(file(id), Some(done), "");
        let mut records = self.records.lock().unwrap();
        let record = records.get_mut(id).unwrap();
        let mut inspection = parse_record(&record.body).unwrap();
        let blob = |key: &str| BlobRef {
            bucket: "results".to_owned(),
            key: key.to_owned(),
            sha256: [7; 32],
            bytes: 9,
            content_type: "application/json".to_owned(),
        };
        inspection.outcome = Some(Outcome {
            report: Some(blob(report)),
            overlay: overlay.map(blob),
            ..Outcome::default()
        });
        record.body = record_body(&inspection);
    }
}

#[tokio::test]
async fn only_a_result_that_the_store_has_lost_is_remade() {
    let stack = Stack::default();
    stack.add_done("whole", "stored", Some("stored"));
    stack.add_done("no-report", "lost", Some("stored"));
    stack.add_done("no-overlay", "stored", Some("lost"));
    stack.add_done("away", "away", None);
    stack.add(file("failed"), fail(FailureCode::EngineFailed), "");
    let remake = ReopenPass {
        purpose: Purpose::Remake,
        ..ALL
    };
    let named = ids(&["whole", "no-report", "away", "failed"]);
    let (stack, results, summary) = run(stack, &named, &remake).await;
    let said: BTreeMap<String, Reopened> = results.into_iter().collect();
    assert_eq!(said["whole"], Reopened::Cannot(Obstacle::ResultStored));
    assert_eq!(said["no-report"], Reopened::Yes);
    assert_eq!(said["failed"], Reopened::NotFailed("failed"));
    assert!(
        matches!(&said["away"], Reopened::Error(why) if why.contains("away")),
        "{said:?}"
    );
    assert_eq!((summary.opened, summary.errors), (1, 1));
    let listed = Which::Done {
        days: vec![DAY.to_owned()],
    };
    let (results, _) = again(&stack, &listed, &remake).await;
    let said: Vec<&str> = results.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(said, ["away", "no-overlay"], "what is stored is not named");
    for (id, phase) in [
        ("whole", "done"),
        ("away", "done"),
        ("no-report", "accepted"),
        ("no-overlay", "accepted"),
    ] {
        assert_eq!(stack.phase(id), phase, "{id}");
    }
    let body = stack.records.lock().unwrap()["no-report"].body.clone();
    assert_eq!(
        parse_record(&body).unwrap().history.reopened,
        1,
        "its event has an id of its own"
    );
}
