//! Which lane takes a suspect photo: `inline` (CPU, here and now) or `gpu` (a queue and workers).
//!
//! Four questions in this order: can the lane do it at all; does it meet the deadline; is a GPU warm
//! anyway; and if none is, do enough photos wait to pay for starting one. The answer carries its reason in
//! words, with the figures, for the record.

use crate::inspection::Lane;
use std::time::Duration;

/// The GPU lane as it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GpuLane {
    /// Most workers that may run; 0 when the lane is closed.
    pub workers_max: u32,
    /// Workers that are running.
    pub live: u32,
    /// Workers that were asked for and do not run yet.
    pub starting: u32,
    /// Photos that wait for the lane or are being looked at in it.
    pub backlog: u64,
    /// Photos a second of one worker; measured, or the policy's guess until it is.
    pub rate_per_worker: f64,
}

/// What is known when a photo is routed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Suspect photos that are likely to come with this one: intake backlog times the share of suspects.
    pub burst: u64,
    /// The GPU lane; none when its state cannot be read just now.
    pub gpu: Option<GpuLane>,
}

/// What the heavy look costs inline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InlineCost {
    /// CPU time of one heavy look, measured at start; none when this process cannot do it.
    pub look: Option<Duration>,
    /// Time that this invocation has left.
    pub time_left: Duration,
}

/// Bounds and prices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoutingPolicy {
    /// From asking for a worker to its first photo.
    pub cold_start: Duration,
    /// Inline looks that can run at the same time over all invocations.
    pub inline_parallel: u32,
    /// A burst that inline looks would not drain within this time goes to the GPU lane.
    pub inline_drain_max: Duration,
    /// A warm lane whose wait is longer than this is not chosen for price alone.
    pub gpu_wait_max: Duration,
    /// Price of one second of inline CPU, in any currency.
    pub inline_price: f64,
    /// Price of one second of one GPU worker, in the same currency.
    pub gpu_price: f64,
    /// Inline looks must fit this share of the time left: the rest is for storing and publishing.
    pub time_share: f64,
}

impl Default for RoutingPolicy {
    /// Lambda at 2 GB (0.0000333 USD/s) against a g4dn.xlarge on Spot (about 0.21 USD/h).
    fn default() -> Self {
        Self {
            cold_start: Duration::from_secs(240),
            inline_parallel: 10,
            inline_drain_max: Duration::from_secs(300),
            gpu_wait_max: Duration::from_secs(120),
            inline_price: 0.000_033_3,
            gpu_price: 0.000_058,
            time_share: 0.6,
        }
    }
}

/// A lane with its reason in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed {
    /// The lane.
    pub lane: Lane,
    /// Why, for the record.
    pub reason: String,
}

/// Chooses the lane of one suspect photo. `deadline` is the time until the answer is wanted.
pub fn route(load: &Load, cost: InlineCost, deadline: Option<Duration>, policy: &RoutingPolicy) -> Routed {
    let gpu = load.gpu.filter(|g| g.workers_max > 0);
    let fits = cost
        .look
        .filter(|look| look.as_secs_f64() <= cost.time_left.as_secs_f64() * policy.time_share);
    match (fits, gpu) {
        (None, _) => gpu_lane(cannot_inline(cost, load)),
        (Some(_), None) => inline(match load.gpu {
            Some(_) => "the GPU lane is closed".into(),
            None => "the state of the GPU lane is unknown".into(),
        }),
        (Some(look), Some(gpu)) => both_can(load.burst, look, (&gpu, deadline), policy),
    }
}

fn inline(reason: String) -> Routed {
    Routed {
        lane: Lane::Inline,
        reason,
    }
}

fn gpu_lane(reason: String) -> Routed {
    Routed {
        lane: Lane::Gpu,
        reason,
    }
}

fn cannot_inline(cost: InlineCost, load: &Load) -> String {
    let why = match cost.look {
        None => "no inline segmenter here".to_owned(),
        Some(look) => format!(
            "{} of CPU do not fit the {} left here",
            secs(look),
            secs(cost.time_left)
        ),
    };
    match load.gpu {
        Some(g) if g.workers_max == 0 => format!("{why}; the GPU lane is closed: waits until it opens"),
        _ => why,
    }
}

fn both_can(
    burst: u64,
    look: Duration,
    (gpu, deadline): (&GpuLane, Option<Duration>),
    policy: &RoutingPolicy,
) -> Routed {
    let wait = gpu_finish(gpu, policy);
    if let Some(left) = deadline
        && wait > left
    {
        return if look <= left {
            inline(format!(
                "due in {}, the GPU lane would take {}",
                secs(left),
                secs(wait)
            ))
        } else if look <= wait {
            inline(format!("due in {}: late either way, inline sooner", secs(left)))
        } else {
            gpu_lane(format!(
                "due in {}: late either way, the GPU lane sooner",
                secs(left)
            ))
        };
    }
    let one_inline = look.as_secs_f64() * policy.inline_price;
    if gpu.live > 0 {
        let one_gpu = policy.gpu_price / rate(gpu);
        return if wait > policy.gpu_wait_max && inline_drain(burst, look, policy) <= wait {
            inline(format!(
                "{} warm, but a wait of {}",
                workers(gpu.live),
                secs(wait)
            ))
        } else if one_gpu <= one_inline || inline_drain(burst, look, policy) > policy.inline_drain_max {
            gpu_lane(format!("{} warm, wait {}", workers(gpu.live), secs(wait)))
        } else {
            inline(format!(
                "cheaper inline ({} of CPU) than on a warm GPU",
                secs(look)
            ))
        };
    }
    if gpu.starting > 0 {
        return gpu_lane(format!(
            "{} starting, wait about {}",
            workers(gpu.starting),
            secs(wait)
        ));
    }
    cold(burst.saturating_add(gpu.backlog), look, gpu, policy)
}

/// No worker runs or starts: is there enough to do to start one?
fn cold(waiting: u64, look: Duration, gpu: &GpuLane, policy: &RoutingPolicy) -> Routed {
    let waiting = waiting.max(1);
    let drain = inline_drain(waiting, look, policy);
    if drain > policy.inline_drain_max {
        return gpu_lane(format!("burst of {waiting}: inline would take {}", secs(drain)));
    }
    let inline_total = waiting as f64 * look.as_secs_f64() * policy.inline_price;
    let gpu_total = (policy.cold_start.as_secs_f64() + waiting as f64 / rate(gpu)) * policy.gpu_price;
    if gpu_total < inline_total {
        gpu_lane(format!(
            "burst of {waiting}: cheaper on a GPU even with its start"
        ))
    } else {
        inline(format!("{waiting} waiting do not pay for starting a GPU"))
    }
}

/// Time until a photo that joins the lane now is looked at.
fn gpu_finish(gpu: &GpuLane, policy: &RoutingPolicy) -> Duration {
    let (workers, start) = match (gpu.live, gpu.starting) {
        (0, 0) => (1, policy.cold_start),
        (0, starting) => (starting, policy.cold_start),
        (live, _) => (live, Duration::ZERO),
    };
    let photos = gpu.backlog.saturating_add(1) as f64;
    start + seconds(photos / (rate(gpu) * f64::from(workers)))
}

fn inline_drain(photos: u64, look: Duration, policy: &RoutingPolicy) -> Duration {
    seconds(photos as f64 * look.as_secs_f64() / f64::from(policy.inline_parallel.max(1)))
}

/// A rate that can be divided by: a lane that was never measured to do anything still ends.
fn rate(gpu: &GpuLane) -> f64 {
    gpu.rate_per_worker.max(0.01)
}

fn seconds(s: f64) -> Duration {
    Duration::try_from_secs_f64(s).unwrap_or(Duration::MAX)
}

fn secs(d: Duration) -> String {
    let s = d.as_secs_f64();
    if s < 10.0 {
        format!("{s:.1} s")
    } else {
        format!("{s:.0} s")
    }
}

fn workers(n: u32) -> String {
    if n == 1 {
        "1 worker".to_owned()
    } else {
        format!("{n} workers")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Duration = Duration::from_millis(400);
    const LONG: Duration = Duration::from_secs(60);

    fn idle() -> GpuLane {
        GpuLane {
            workers_max: 14,
            live: 0,
            starting: 0,
            backlog: 0,
            rate_per_worker: 20.0,
        }
    }

    fn ask(
        burst: u64,
        gpu: Option<GpuLane>,
        (look, left): (Option<Duration>, Duration),
        deadline: Option<u64>,
    ) -> Routed {
        route(
            &Load { burst, gpu },
            InlineCost {
                look,
                time_left: left,
            },
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
        let fits = (Some(LOOK), LONG);
        let cases: &[(&str, Routed, Lane, &str)] = &[
            (
                "a trickle stays inline",
                ask(1, Some(idle()), fits, None),
                Lane::Inline,
                "do not pay",
            ),
            (
                "a few more, too",
                ask(50, Some(idle()), fits, None),
                Lane::Inline,
                "do not pay",
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
                ask(1, Some(idle()), (Some(LOOK * 10), LONG), Some(1)),
                Lane::Inline,
                "late either way",
            ),
            (
                "no time left here",
                ask(1, Some(idle()), (Some(LOOK), LOOK), None),
                Lane::Gpu,
                "do not fit",
            ),
            (
                "no segmenter here",
                ask(1, Some(idle()), (None, LONG), Some(1)),
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
                "unknown lane",
                ask(20_000, None, fits, None),
                Lane::Inline,
                "unknown",
            ),
            (
                "neither can: wait",
                ask(1, Some(closed), (None, LONG), None),
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
            let lane = ask(burst, Some(idle()), (Some(LOOK), LONG), None).lane;
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
            (Some(Duration::MAX), Duration::MAX),
            Some(0),
        );
        ask(
            u64::MAX,
            Some(GpuLane { live: 0, ..broken }),
            (Some(Duration::MAX), Duration::MAX),
            None,
        );
    }
}
