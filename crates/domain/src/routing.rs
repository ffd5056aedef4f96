//! Which lane takes a suspect photo: `inline` (CPU, here and now) or `gpu` (a queue and workers).
//!
//! Five questions in this order: can the lane do it at all; can the GPU lane be counted on; does it meet the
//! deadline; is a GPU warm anyway; and if none is, do enough photos wait to pay for starting one. The answer carries its reason in
//! words, with the figures, for the record.

mod estimate;

pub use estimate::{EstimateBounds, LoadEstimate};

use crate::inspection::Lane;
use crate::lane::{GpuLane, LaneOutage};
use std::time::Duration;

/// What is known when a photo is routed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Suspect photos that are likely to come with this one: intake backlog times the share of suspects.
    pub burst: u64,
    /// The GPU lane; none when its state cannot be read just now.
    pub gpu: Option<GpuLane>,
}

/// What the segmentation costs inline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InlineCost {
    /// CPU time of one segmentation, measured at start; none when this process cannot do it.
    pub segmentation: Option<Duration>,
    /// Time that this invocation has left.
    pub time_left: Duration,
}

/// Bounds and prices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoutingPolicy {
    /// From asking for a worker to its first photo.
    pub cold_start: Duration,
    /// Inline segmentations that can run at the same time over all invocations.
    pub inline_parallel: u32,
    /// A burst that inline segmentations would not drain within this time goes to the GPU lane.
    pub inline_drain_max: Duration,
    /// A warm lane whose wait is longer than this is not chosen for price alone.
    pub gpu_wait_max: Duration,
    /// Price of one second of inline CPU, in any currency.
    pub inline_price: f64,
    /// Price of one second of one GPU worker, in the same currency.
    pub gpu_price: f64,
    /// Inline segmentations must fit this share of the time left: the rest is for storing and publishing.
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
    let outage = load.gpu.and_then(|gpu| gpu.outage(policy.cold_start));
    match (fits(cost, policy), load.gpu, outage) {
        (None, _, outage) => gpu_lane(cannot_inline(cost, outage)),
        (Some(_), None, _) => inline("the state of the GPU lane is unknown".into()),
        (Some(_), Some(_), Some(outage)) => inline(in_words(&outage)),
        (Some(segmentation), Some(gpu), None) => both_can(load.burst, segmentation, &gpu, deadline, policy),
    }
}

/// The lane of a photo that the GPU lane gave back: inline, if that fits. It is not sent there a second time while it
/// can be segmented here, whatever the state of the lane is by now.
pub fn route_given_back(cost: InlineCost, policy: &RoutingPolicy) -> Option<Routed> {
    fits(cost, policy).map(|_| inline("the GPU lane returned it".into()))
}

/// The time of one inline segmentation, where it fits the time left.
fn fits(cost: InlineCost, policy: &RoutingPolicy) -> Option<Duration> {
    let most = cost.time_left.as_secs_f64() * policy.time_share;
    cost.segmentation
        .filter(|segmentation| segmentation.as_secs_f64() <= most)
}

/// The outage as a clause.
pub fn in_words(outage: &LaneOutage) -> String {
    match outage {
        LaneOutage::Closed => "the GPU lane is closed".to_owned(),
        LaneOutage::StartsFail { failures, next_try } => format!(
            "GPU workers fail at their start ({failures} in a row), next try in {}",
            secs(*next_try)
        ),
        LaneOutage::DoesNotCome { waited } => {
            format!("no GPU worker runs {} after one was asked for", secs(*waited))
        }
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

fn cannot_inline(cost: InlineCost, outage: Option<LaneOutage>) -> String {
    let why = match cost.segmentation {
        None => "no inline segmenter here".to_owned(),
        Some(segmentation) => format!(
            "{} of CPU do not fit into the {} left here",
            secs(segmentation),
            secs(cost.time_left)
        ),
    };
    match outage {
        Some(LaneOutage::Closed) => format!("{why}; the GPU lane is closed: waits until it opens"),
        Some(outage) => format!("{why}; {}: waits for it", in_words(&outage)),
        None => why,
    }
}

fn both_can(
    burst: u64,
    segmentation: Duration,
    gpu: &GpuLane,
    deadline: Option<Duration>,
    policy: &RoutingPolicy,
) -> Routed {
    let wait = gpu_finish(gpu, policy);
    if let Some(left) = deadline
        && wait > left
    {
        return if segmentation <= left {
            inline(format!(
                "due in {}, the GPU lane would take {}",
                secs(left),
                secs(wait)
            ))
        } else if segmentation <= wait {
            inline(format!("due in {}: late either way, inline sooner", secs(left)))
        } else {
            gpu_lane(format!(
                "due in {}: late either way, the GPU lane sooner",
                secs(left)
            ))
        };
    }
    let one_inline = segmentation.as_secs_f64() * policy.inline_price;
    if gpu.live > 0 {
        let one_gpu = policy.gpu_price / rate(gpu);
        return if wait > policy.gpu_wait_max && inline_drain(burst, segmentation, policy) <= wait {
            inline(format!(
                "{} warm, but a wait of {}",
                workers(gpu.live),
                secs(wait)
            ))
        } else if one_gpu <= one_inline || inline_drain(burst, segmentation, policy) > policy.inline_drain_max
        {
            gpu_lane(format!("{} warm, wait {}", workers(gpu.live), secs(wait)))
        } else {
            inline(format!(
                "cheaper inline ({} of CPU) than on a warm GPU",
                secs(segmentation)
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
    cold(burst.saturating_add(gpu.backlog), segmentation, gpu, policy)
}

/// No worker runs or starts: is there enough to do to start one?
fn cold(waiting: u64, segmentation: Duration, gpu: &GpuLane, policy: &RoutingPolicy) -> Routed {
    let waiting = waiting.max(1);
    let drain = inline_drain(waiting, segmentation, policy);
    if drain > policy.inline_drain_max {
        return gpu_lane(format!("burst of {waiting}: inline would take {}", secs(drain)));
    }
    let inline_total = waiting as f64 * segmentation.as_secs_f64() * policy.inline_price;
    let cold_start = gpu.cold_start_or(policy.cold_start);
    let gpu_total = (cold_start.as_secs_f64() + waiting as f64 / rate(gpu)) * policy.gpu_price;
    if gpu_total < inline_total {
        gpu_lane(format!(
            "burst of {waiting}: cheaper on a GPU even with its start"
        ))
    } else {
        inline(format!("{waiting} waiting do not justify starting a GPU"))
    }
}

/// Time until a photo that joins the lane now is segmented.
fn gpu_finish(gpu: &GpuLane, policy: &RoutingPolicy) -> Duration {
    let (workers, start) = match gpu.live {
        0 => (gpu.starting.max(1), gpu.until_first(policy.cold_start)),
        live => (live, Duration::ZERO),
    };
    let photos = gpu.backlog.saturating_add(1) as f64;
    start.saturating_add(seconds(photos / (rate(gpu) * f64::from(workers))))
}

fn inline_drain(photos: u64, segmentation: Duration, policy: &RoutingPolicy) -> Duration {
    seconds(photos as f64 * segmentation.as_secs_f64() / f64::from(policy.inline_parallel.max(1)))
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
mod tests;
