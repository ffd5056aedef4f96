//! Cases of routing.

use super::*;

const LOOK: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_secs(60);

fn idle() -> GpuLane {
    GpuLane {
        workers_max: 14,
        live: 0,
        starting: 0,
        awaited_for: None,
        backlog: 0,
        rate_per_worker: 20.0,
        cold_start: None,
        back_off: None,
    }
}

const fn cost(segmentation: Option<Duration>, time_left: Duration) -> InlineCost {
    InlineCost {
        segmentation,
        time_left,
    }
}

fn ask(burst: u64, gpu: Option<GpuLane>, cost: InlineCost, deadline: Option<u64>) -> Routed {
    route(
        &Load { burst, gpu },
        cost,
        deadline.map(Duration::from_secs),
        &RoutingPolicy::default(),
    )
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table, one case a line or two")]
fn table_of_cases() {
    let warm = GpuLane { live: 2, ..idle() };
    let swamped = GpuLane {
        live: 1,
        backlog: 100_000,
        ..idle()
    };
    let starting = GpuLane {
        starting: 1,
        ..idle()
    };
    let closed = GpuLane {
        workers_max: 0,
        ..idle()
    };
    let overdue = GpuLane {
        awaited_for: Some(Duration::from_secs(300)),
        ..starting
    };
    let absent = GpuLane {
        awaited_for: Some(Duration::from_secs(600)),
        ..starting
    };
    let dying = GpuLane {
        back_off: Some((3, Duration::from_secs(200))),
        ..starting
    };
    let fits = cost(Some(LOOK), LONG);
    let cases: &[(&str, Routed, Lane, &str)] = &[
        (
            "a trickle stays inline",
            ask(1, Some(idle()), fits, None),
            Lane::Inline,
            "do not justify",
        ),
        (
            "a few more, too",
            ask(50, Some(idle()), fits, None),
            Lane::Inline,
            "do not justify",
        ),
        (
            "a burst starts a GPU",
            ask(20_000, Some(idle()), fits, None),
            Lane::Gpu,
            "burst of 20000",
        ),
        (
            "price alone can start it",
            ask(2_000, Some(idle()), fits, None),
            Lane::Gpu,
            "cheaper",
        ),
        (
            "a warm GPU is used",
            ask(1, Some(warm), fits, None),
            Lane::Gpu,
            "2 workers warm",
        ),
        (
            "a starting GPU is waited for",
            ask(1, Some(starting), fits, None),
            Lane::Gpu,
            "1 worker starting",
        ),
        (
            "a swamped lane is spared",
            ask(1, Some(swamped), fits, None),
            Lane::Inline,
            "a wait of",
        ),
        (
            "a near deadline beats a burst",
            ask(20_000, Some(idle()), fits, Some(30)),
            Lane::Inline,
            "due in 30 s",
        ),
        (
            "a far deadline does not",
            ask(20_000, Some(idle()), fits, Some(3600)),
            Lane::Gpu,
            "burst",
        ),
        (
            "late either way: the sooner one",
            ask(1, Some(idle()), cost(Some(LOOK * 10), LONG), Some(1)),
            Lane::Inline,
            "late either way",
        ),
        (
            "no time left here",
            ask(1, Some(idle()), cost(Some(LOOK), LOOK), None),
            Lane::Gpu,
            "do not fit",
        ),
        (
            "no segmenter here",
            ask(1, Some(idle()), cost(None, LONG), Some(1)),
            Lane::Gpu,
            "no inline segmenter",
        ),
        (
            "closed lane",
            ask(20_000, Some(closed), fits, None),
            Lane::Inline,
            "closed",
        ),
        (
            "a start that is overdue is taken to need as long again",
            ask(1, Some(overdue), fits, Some(290)),
            Lane::Inline,
            "the GPU lane would take 300 s",
        ),
        (
            "a lane that does not come is not chosen, deadline or not",
            ask(20_000, Some(absent), fits, None),
            Lane::Inline,
            "no GPU worker runs 600 s after one",
        ),
        (
            "a lane whose workers die at start is not chosen",
            ask(20_000, Some(dying), fits, None),
            Lane::Inline,
            "fail at their start (3 in a row), next try in 200 s",
        ),
        (
            "what cannot go inline waits even then",
            ask(1, Some(dying), cost(None, LONG), None),
            Lane::Gpu,
            "waits for it",
        ),
        (
            "unknown lane",
            ask(20_000, None, fits, None),
            Lane::Inline,
            "unknown",
        ),
        (
            "neither can: wait",
            ask(1, Some(closed), cost(None, LONG), None),
            Lane::Gpu,
            "waits until it opens",
        ),
    ];
    for (what, got, lane, words) in cases {
        assert_eq!(got.lane, *lane, "{what}: {}", got.reason);
        assert!(got.reason.contains(words), "{what}: {}", got.reason);
    }
}

#[test]
fn more_photos_never_turn_a_cold_lane_back_to_inline() {
    let mut seen_gpu = false;
    for burst in (0..200).map(|i| i * i) {
        let lane = ask(burst, Some(idle()), cost(Some(LOOK), LONG), None).lane;
        assert!(!(seen_gpu && lane == Lane::Inline), "burst {burst}");
        seen_gpu |= lane == Lane::Gpu;
    }
    assert!(seen_gpu);
}

#[test]
fn odd_figures_do_not_panic() {
    let broken = GpuLane {
        rate_per_worker: 0.0,
        backlog: u64::MAX,
        live: 1,
        ..idle()
    };
    ask(
        u64::MAX,
        Some(broken),
        cost(Some(Duration::MAX), Duration::MAX),
        Some(0),
    );
    ask(
        u64::MAX,
        Some(GpuLane { live: 0, ..broken }),
        cost(Some(Duration::MAX), Duration::MAX),
        None,
    );
}
