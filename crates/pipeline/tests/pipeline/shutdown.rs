//! The shutdown signal.

use crate::support::run_tasks;
use walkaround_pipeline::shutdown::shutdown_signal;

#[tokio::test]
async fn a_signal_is_set_when_either_of_two_is() {
    for second in [false, true] {
        let (first_trigger, first) = shutdown_signal();
        let (second_trigger, other) = shutdown_signal();
        let either = first.or(&other);
        let mut waits = either.clone();
        let waiting = tokio::spawn(async move { waits.wait().await });
        run_tasks().await;
        assert!(!either.is_set() && !waiting.is_finished());
        match second {
            false => first_trigger.stop(),
            true => second_trigger.stop(),
        }
        run_tasks().await;
        assert!(either.is_set() && waiting.is_finished());
        either.clone().wait().await;
    }
}
