//! Ticks with calls that fail, and the memory of the scaler.

use super::*;
use std::sync::atomic::Ordering;
use walkaround_messages::lane_state_body;

/// A call that fails during a tick, and what the tick does nevertheless.
struct FaultCase {
    failing: &'static str,
    started: u32,
    ended: usize,
    taken_back: u32,
}

#[tokio::test]
async fn a_call_that_fails_is_reported_and_the_rest_of_the_tick_is_done() {
    let case = |failing, started, ended, taken_back| FaultCase {
        failing,
        started,
        ended,
        taken_back,
    };
    let cases = [
        case("start", 0, 1, 3),
        case("end", 1, 0, 3),
        case("state", 1, 1, 0),
        case("send", 1, 1, 0),
        case("ack", 1, 1, 3),
    ];
    for case in cases {
        let world = world();
        let scaler = scaler(&world, 2);
        world.run("hung");
        for seconds in [1, 500] {
            world.set(T0 + SECOND * seconds);
            scaler.tick().await.unwrap();
        }
        world.put(3);
        // A lane that has waited for its first worker for too long.
        let mut state = parse_lane_state(&world.stores.documents.lock().unwrap()[LANE_STATE]).unwrap();
        state.awaited_since = Some(T0);
        let body = lane_state_body(&state);
        world
            .stores
            .documents
            .lock()
            .unwrap()
            .insert(LANE_STATE.to_owned(), body);
        world.fail(&[case.failing]);
        let is_read_only = &world.stores.state_is_read_only;
        is_read_only.store(case.failing == "state", Ordering::SeqCst);
        world.set(T0 + SECOND * 540);
        let tick = scaler.tick().await;
        let name = case.failing;
        let tick = tick.unwrap();
        assert_eq!(
            (tick.started, tick.ended.len(), tick.taken_back),
            (case.started, case.ended, case.taken_back),
            "{name}: {tick:?}"
        );
        // Messages that stay in the lane are taken back by a later tick.
        assert_eq!(tick.failed.is_some(), !["send", "ack"].contains(&name), "{name}");
    }
}

#[tokio::test]
async fn an_unreadable_state_is_replaced_and_forgetting_resets_it() {
    let world = world();
    let mut scaler = scaler(&world, 1);
    let put = |body: &str| {
        let mut documents = world.stores.documents.lock().unwrap();
        documents.insert(LANE_STATE.to_owned(), body.to_owned());
    };
    put("{");
    tick_at(&scaler, &world, T0).await;
    let state = || parse_lane_state(&world.stores.documents.lock().unwrap()[LANE_STATE]);
    assert_eq!(state().unwrap().at, T0);
    scaler.forget().await.unwrap();
    assert_eq!(state().unwrap().workers_max, 0);
    assert_eq!(scaler.ends_since, T0);
}

#[tokio::test]
async fn the_rate_is_measured_on_workers_with_enough_photos() {
    let world = world();
    let scaler = scaler(&world, 1);
    world.run("w");
    world.beat("w");
    tick_at(&scaler, &world, T0 + SECOND).await;
    let rate = || {
        parse_lane_state(&world.stores.documents.lock().unwrap()[LANE_STATE])
            .unwrap()
            .rate_per_worker
    };
    assert_eq!(rate(), None, "five photos are too few");
    world.beat_after("w", 10);
    tick_at(&scaler, &world, T0 + SECOND * 2).await;
    assert_eq!(rate(), Some(1.0));
}
