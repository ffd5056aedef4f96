//! `walkaround export`, `import` and `sample` on AWS.

use crate::Bench;
use crate::aws_client::TABLE;
use std::fs;
use walkaround_aws::{DynamoRecords, DynamoReviews, S3Blobs};
use walkaround_domain::InspectionId;
use walkaround_ports::{Clock, Reviews, SystemClock};
use walkaround_tests::dataset::{cases, store};

#[test]
#[allow(clippy::too_many_lines, reason = "one data set, out and back")]
fn photos_go_out_and_a_correction_comes_back() {
    let bench = Bench::new();
    let (records, blobs) = (
        DynamoRecords::new(bench.aws.dynamodb.clone(), TABLE),
        S3Blobs::new(bench.aws.s3.clone()),
    );
    let cases = cases();
    for case in &cases {
        let now = SystemClock::new().now();
        bench.runtime.block_on(store(&records, &blobs, case, now));
    }
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("set");
    let export = [
        "export",
        into.to_str().unwrap(),
        "--format",
        "coco",
        "--split",
        "train=0.5,val=0.5",
    ];
    let ran = bench.names.run(&export).succeeded();
    assert!(ran.stdout.contains("7 photos in"), "{ran:?}");
    let manifest = fs::read(into.join("manifest.jsonl")).unwrap();
    bench.names.run(&export).succeeded();
    assert_eq!(
        fs::read(into.join("manifest.jsonl")).unwrap(),
        manifest,
        "the same query, the same bytes"
    );

    let single = cases.iter().find(|case| case.id == "single").unwrap();
    let moved = ["train", "val"].into_iter().find_map(|part| {
        let file = into.join(format!("coco/{part}.json"));
        let mut coco: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let images = coco["images"].as_array().unwrap();
        let image = images
            .iter()
            .find(|it| it["file_name"].as_str().unwrap().starts_with(&single.digest()))?;
        let image = image["id"].clone();
        let annotations = coco["annotations"].as_array_mut().unwrap();
        let annotation = annotations.iter_mut().find(|it| it["image_id"] == image).unwrap();
        annotation["segmentation"] = serde_json::json!([[33, 44, 93, 44, 93, 69, 33, 69]]);
        fs::write(&file, coco.to_string()).unwrap();
        Some(file)
    });
    let moved = moved.unwrap();
    let import = ["import", moved.to_str().unwrap(), "--by", "kim"];
    let line = bench.names.run(&import);
    assert!(line.one_line(2).contains("WALKAROUND_TOPIC"), "{line:?}");
    let topic = bench.runtime.block_on(super::review::topic(&bench));
    let names = bench.names.with("WALKAROUND_TOPIC", &topic);
    for reviews in [
        "1 reviews stored, 0 stored before",
        "0 reviews stored, 1 stored before",
    ] {
        let ran = names.run(&import).succeeded();
        assert!(ran.stdout.contains(reviews), "{ran:?}");
    }
    let reviews = DynamoReviews::new(bench.aws.dynamodb.clone(), TABLE);
    let id = InspectionId::new("single").unwrap();
    let history = bench.runtime.block_on(reviews.history(&id)).unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!(history[0].by.as_str(), "import:kim");
    let received = bench.take("INTAKE_QUEUE");
    assert!(
        received.keys().any(|body| body.contains("single.reviewed.1")),
        "{received:?}"
    );

    let chosen = bench.names.documents(&["sample", "4"]);
    assert_eq!(chosen.len(), 4);
    assert!(
        chosen.iter().all(|one| one["inspection_id"] != "single"),
        "{chosen:?}"
    );
}
