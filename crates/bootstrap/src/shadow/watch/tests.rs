//! Processes that answer, crash, hang or cannot be started, as a few words of shell.

use super::*;
use async_trait::async_trait;
use std::sync::Mutex;
use walkaround_domain::{BundleId, InspectionId, PhotoRef, Rollout, Timestamp};
use walkaround_messages::{ROLLOUT_STATE, rollout_body};
use walkaround_pipeline::shadow::{ShadowFeed, shadow_feed};
use walkaround_pipeline::shutdown::shutdown_signal;
use walkaround_ports::{PortError, SystemClock};

const ANSWERS: &str = "echo ready; while read line; do echo agrees; done";
const CRASHES: &str = "echo ready; read line; kill -SEGV $$";
const HANGS: &str = "echo ready; read line; exec sleep 1000";
const BROKEN: &str = "echo ready; while read line; do echo 'bundle failed: no memory'; done";
const NEVER_READY: &str = "echo 'no such file' >&2; exit 1";

/// One document.
#[derive(Default)]
struct OneState(Mutex<Option<String>>);

#[async_trait]
impl StateStore for OneState {
    async fn read(&self, _: &str) -> Result<Option<String>, PortError> {
        Ok(self.0.lock().unwrap().clone())
    }
    async fn write(&self, _: &str, body: &str, _: Duration) -> Result<(), PortError> {
        *self.0.lock().unwrap() = Some(body.to_owned());
        Ok(())
    }
}

fn shadow() -> Shadow {
    Shadow {
        bundle: BundleId::new("demo", "2"),
        folder: Some("/bundles/demo-2".to_owned()),
        share: 1.0,
        since: Timestamp(0),
        canary: None,
    }
}

fn request(number: usize) -> InspectionRequest {
    let id = InspectionId::new(format!("i-{number}")).unwrap();
    InspectionRequest::of(id, PhotoRef::File(format!("{number}.jpg")))
}

fn watch(script: &'static str, state: &Arc<OneState>) -> (ShadowWatch, ShadowFeed) {
    let (feed, queue) = shadow_feed();
    let watch = ShadowWatch {
        queue,
        state: Arc::clone(state) as Arc<dyn StateStore>,
        clock: Arc::new(SystemClock::new()),
        times: ShadowTimes {
            poll: Duration::from_millis(20),
            start: Duration::from_secs(60),
            // Only what never answers takes as long.
            photo: match script {
                HANGS => Duration::from_millis(100),
                _ => Duration::from_secs(60),
            },
        },
        command: Box::new(move || {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        }),
    };
    (watch, feed)
}

/// Why the process ended at its first photo.
async fn end_of(script: &'static str) -> String {
    let (watch, _) = watch(script, &Arc::default());
    let (mut running, mut conduct) = (None, Conduct::default());
    let ended = watch.one(&mut running, &request(1), &mut conduct).await;
    ended.expect_err("it does not answer")
}

#[tokio::test]
async fn a_process_answers_photo_after_photo() {
    let (watch, _) = watch(ANSWERS, &Arc::default());
    let (mut running, mut conduct) = (None, Conduct::default());
    for number in 0..5 {
        let answered = watch.one(&mut running, &request(number), &mut conduct).await;
        assert_eq!(answered, Ok(()));
    }
    assert_eq!((conduct.agrees, conduct.ends), (5, 0));
}

#[tokio::test]
async fn how_it_ended_is_said() {
    let crashed = end_of(CRASHES).await;
    assert!(crashed.contains("signal: 11"), "{crashed}");
    let hung = end_of(HANGS).await;
    assert!(hung.contains("it hangs"), "{hung}");
    let failed = end_of(NEVER_READY).await;
    assert!(failed.contains("exit status: 1"), "{failed}");
    let (mut watch, _) = watch(ANSWERS, &Arc::default());
    watch.command = Box::new(|| Command::new("/nowhere/walkaround"));
    let missing = watch
        .one(&mut None, &request(1), &mut Conduct::default())
        .await
        .unwrap_err();
    assert!(missing.contains("cannot be started"), "{missing}");
}

#[tokio::test]
async fn a_shadow_that_keeps_ending_or_failing_gets_no_more_photos() {
    for script in [CRASHES, HANGS, NEVER_READY, BROKEN] {
        let (mut watch, feed) = watch(script, &Arc::default());
        let shadow = shadow();
        watch.queue.set_shadow(Some(&shadow));
        let (mut running, mut conduct) = (None, Conduct::default());
        let mut number = 0;
        while conduct.is_fit() {
            feed.offer(&request(number));
            number += 1;
            watch.photos(Some(&shadow), &mut running, &mut conduct).await;
        }
        assert!(
            conduct.ends <= ENDS_MAX && running.is_none(),
            "{script}: {conduct:?}"
        );
        let taken = watch.queue.counts().taken;
        feed.offer(&request(number));
        assert_eq!(watch.queue.counts().taken, taken, "{script}");
    }
}

#[tokio::test]
async fn a_shadow_starts_when_the_rollout_names_it_and_ends_with_the_watch() {
    let state = Arc::new(OneState::default());
    let (watch, feed) = watch(ANSWERS, &state);
    let (stopper, stop) = shutdown_signal();
    let watching = tokio::spawn(watch.run(stop));
    let rollout = Rollout {
        shadow: Some(shadow()),
        ..Rollout::default()
    };
    state
        .write(ROLLOUT_STATE, &rollout_body(&rollout), Duration::MAX)
        .await
        .unwrap();
    while !feed.is_on() {
        feed.offer(&request(1));
        tokio::task::yield_now().await;
    }
    let none = rollout_body(&Rollout::default());
    state.write(ROLLOUT_STATE, &none, Duration::MAX).await.unwrap();
    while feed.is_on() {
        tokio::task::yield_now().await;
    }
    stopper.stop();
    watching.await.expect("it ends when it is asked to");
}
