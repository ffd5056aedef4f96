//! `submit` on AWS: what is sent, what is known, and whose id is taken.

use crate::{Bench, done};
use walkaround_domain::Verdict;

#[test]
fn photos_of_files_lists_and_prefixes_are_sent() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    let photos = folder.path().join("photos");
    std::fs::create_dir(&photos).unwrap();
    for name in ["a.jpg", "b.jpg"] {
        std::fs::write(photos.join(name), format!("picture {name}")).unwrap();
    }
    let names = &bench.names;
    let sent = names.documents(&["submit", photos.to_str().unwrap(), "--vehicle-id", "car-1"]);
    assert_eq!(sent.len(), 2);
    let bodies = bench.take("INTAKE_QUEUE");
    assert_eq!(bodies.len(), 2);
    for body in bodies.keys() {
        assert!(
            body.contains("car-1") && body.contains("walkaround-submitted/"),
            "{body}"
        );
    }
    let again = names.documents(&["submit", "s3://photos/walkaround-submitted/"]);
    let id = |d: &serde_json::Value| d["inspection_id"].as_str().map(str::to_owned);
    let (mut first, mut second): (Vec<_>, Vec<_>) =
        (sent.iter().map(id).collect(), again.iter().map(id).collect());
    first.sort();
    second.sort();
    assert_eq!(first, second, "the same photos are the same inspections");
    assert_eq!(bench.take("INTAKE_QUEUE").len(), 2);

    let list = folder.path().join("list.csv");
    std::fs::write(&list, "photo,vehicle_id,inspection_id\nphotos/a.jpg,car-7,mine\n").unwrap();
    names.documents(&["submit", list.to_str().unwrap()]);
    let bodies = bench.take("INTAKE_QUEUE");
    assert!(bodies.keys().all(|b| b.contains("car-7") && b.contains("mine")));

    bench.store("mine", &done(Verdict::Clean), "car-7");
    let taken = names.run(&["submit", list.to_str().unwrap(), "--wait", "--timeout", "20"]);
    assert_eq!(taken.code, 1, "{taken:?}");
    assert!(
        taken
            .stderr
            .contains("inspection mine is of s3://photos/mine.jpg")
            && taken.stderr.contains("another photo needs another id"),
        "{taken:?}"
    );
    let by_path = names.run(&["submit", photos.to_str().unwrap(), "--by-path"]);
    assert!(by_path.one_line(2).contains("--by-path"), "{by_path:?}");
}

/// What is sent again is not inspected again, and its result is waited for at once.
#[test]
fn photos_whose_results_are_there_are_already_known() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    let photo = folder.path().join("a.jpg");
    std::fs::write(&photo, "picture a").unwrap();
    let submit = ["submit", photo.to_str().unwrap(), "--vehicle-id", "car-1"];
    let sent = bench.names.documents(&submit);
    assert_eq!(bench.take("INTAKE_QUEUE").len(), 1);
    let id = sent[0]["inspection_id"].as_str().unwrap();
    let stored = sent[0]["photo"].as_str().unwrap();
    let key = stored.strip_prefix("s3://photos/").unwrap();
    bench.store_of(id, key, &done(Verdict::Clean), "car-1");
    let again = bench
        .names
        .run(&[submit.as_slice(), &["--wait", "--timeout", "20"]].concat());
    assert_eq!(again.code, 0, "{again:?}");
    assert!(
        again.stdout.contains("0 photos sent, 1 already known") && again.stdout.contains("1 clean"),
        "{again:?}"
    );
    assert!(bench.take("INTAKE_QUEUE").is_empty(), "nothing is sent");
}
