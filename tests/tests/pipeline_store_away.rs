//! An unavailable store for long: nothing becomes final meanwhile, and everything is done once it is back.

use std::path::Path;
use std::time::Duration;
use walkaround_domain::InspectionRequest;
use walkaround_tests::stack::{damaged, ids, is_done, request, tail, until};

const PHOTOS: usize = 20;
const BOUND: Duration = Duration::from_secs(120);
/// Returns of messages while the store is unavailable: far more than attempts for all of them together.
const RETURNS: usize = 200;

/// Results cannot be written while a file stands where their folder has to be.
struct Away<'a> {
    folder: &'a Path,
    aside: std::path::PathBuf,
}

impl<'a> Away<'a> {
    fn new(folder: &'a Path) -> Self {
        let aside = folder.with_extension("aside");
        if folder.exists() {
            std::fs::rename(folder, &aside).expect("the folder can be moved");
        }
        std::fs::write(folder, "not a folder").expect("a file can be put in its place");
        Self { folder, aside }
    }

    fn back(self) {
        std::fs::remove_file(self.folder).expect("the file can be removed");
        if self.aside.exists() {
            std::fs::rename(&self.aside, self.folder).expect("the folder can be moved back");
        }
    }
}

#[test]
fn results_that_cannot_be_stored_for_long_use_up_no_attempt_and_every_photo_ends_done() {
    let stack = walkaround_tests::stack!(
        "trivial",
        &[("WORKERS_MAX", "0"), ("ATTEMPTS", "1"), ("RETRY_FIRST_S", "0.01")]
    );
    let photo = damaged();
    let requests: Vec<InspectionRequest> = (0..PHOTOS).map(|i| request(&format!("away/{i}.jpg"))).collect();
    stack.store((0..PHOTOS).map(|i| (format!("away/{i}.jpg"), photo.as_slice())));
    let results = stack.local().root().join("blobs/results");
    let away = Away::new(&results);
    let mut up = stack.start(&["up"], "up");
    stack.submit(&requests);
    let returns = || up.log().matches("a store or a host cannot be reached").count();
    assert!(
        until(BOUND, || returns() >= RETURNS),
        "{} returns\n{}",
        returns(),
        tail(&stack.logs(), 40)
    );
    assert_eq!(stack.finished(), 0, "final while nothing could be stored");
    away.back();
    stack.until_all_final(&ids(&requests), BOUND);
    for (id, inspection) in stack.inspections() {
        assert!(
            is_done(&inspection.phase, "damaged"),
            "{id}: {:?}",
            inspection.phase
        );
        assert_eq!(inspection.attempts, 1, "{id}");
    }
    assert_eq!(stack.parked(), []);
    up.terminate();
    assert_eq!(up.exit_code(BOUND), 0);
}
