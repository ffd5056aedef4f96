//! A local stack on a clock that moves when it is told to.

use std::sync::Arc;
use tempfile::TempDir;
use walkaround_conformance::{ManualClock, RECEIVES_MAX};
use walkaround_local::{LocalStack, Options};

/// Its queues park as early as the suites expect.
pub(crate) fn open() -> (LocalStack, Arc<ManualClock>, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let clock = Arc::new(ManualClock::new());
    let mut options = Options::default();
    for queue in &mut options.queues {
        if let Some(dead) = &mut queue.dead_letter {
            dead.receives_max = RECEIVES_MAX;
        }
    }
    let local = LocalStack::open(folder.path(), options, clock.clone()).expect("it opens");
    (local, clock, folder)
}
