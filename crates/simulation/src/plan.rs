//! What one seed decides before its world starts: how many of everything, and how often what goes wrong.
//!
//! Rates are drawn per world, many of them zero: a world with one kind of trouble and much of it finds what
//! an even mixture hides.

use std::time::Duration;
use walkaround_domain::Overlays;

/// How often a call meets each kind of trouble, 0 to 1.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rates {
    /// An error, and nothing happened.
    pub refused: f64,
    /// It happened, and the caller sees an error.
    pub answer_lost: f64,
    /// As before, but it happens only up to 20 s after the error.
    pub late: f64,
    /// A call of 1 to 30 s.
    pub slow: f64,
    /// A call that takes longer than a lease.
    pub outlives_lease: f64,
    /// The process dies at this call, before or after its effect.
    pub crash: f64,
    /// A fetch that never returns.
    pub hangs: f64,
    /// A worker that stops doing anything without ending.
    pub freezes: f64,
    /// The device of a process never answers again.
    pub device_hangs: f64,
    /// A sent message is there twice.
    pub duplicated: f64,
    /// A received message stays visible.
    pub delivered_twice: f64,
    /// An acknowledged message comes back.
    pub ghost: f64,
    /// A sent message shows only after a while.
    pub delayed: f64,
    /// A receive takes any visible message instead of the oldest.
    pub reordered: f64,
    /// Of a batch of acknowledgements or messages, one fails.
    pub partial: f64,
}

/// What becomes of workers that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneFate {
    /// They start after a while.
    Comes,
    /// They never start: no machine is to be had.
    Never,
    /// They end at their start with the code of a bundle that cannot be used.
    DiesAtStart,
}

/// A world, before it starts.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Photos that are submitted.
    pub photos: usize,
    /// Time over which they are submitted.
    pub submit_over: Duration,
    /// Triage processes.
    pub triages: usize,
    /// Scalers that share one lock.
    pub scalers: usize,
    /// Most workers.
    pub workers_max: u32,
    /// Trouble ends here, so that the world can drain.
    pub faults_until: Duration,
    /// Trouble.
    pub rates: Rates,
    /// Mean time from start to a crash out of the blue; none for never.
    pub crash_every: Option<Duration>,
    /// Mean time from start to SIGTERM; none for never.
    pub stop_every: Option<Duration>,
    /// Clocks of processes differ by at most this, and jump.
    pub skew_max: Duration,
    /// Share of processes whose engine fails every run, until trouble ends.
    pub sick_engines: f64,
    /// Stores are away: from when, and for how long.
    pub store_away: Option<(Duration, Duration)>,
    /// Only the results are, not records and topic.
    pub results_away_only: bool,
    /// Nothing else fails: only slow fetches and SIGTERM, so that every second look has one cause.
    pub calm: bool,
    /// Messages in flight at once, of one process.
    pub in_flight_max: usize,
    /// Lease.
    pub lease: Duration,
    /// Longest wait of one receive.
    pub receive_wait: Duration,
    /// Time for the work in flight after SIGTERM.
    pub drain_budget: Duration,
    /// A process that has work and finishes nothing for this long ends.
    pub stall_exit: Duration,
    /// Deliveries after which trouble counts as permanent.
    pub attempts_max: u32,
    /// Deliveries after which a queue parks a message by itself.
    pub receives_max: u32,
    /// Time of segmentation in triage; none when it cannot do one.
    pub inline_segmentation: Option<Duration>,
    /// Which results carry an overlay.
    pub overlays: Overlays,
    /// What becomes of workers, for the life of the world. Only where triage can do without them.
    pub lane: LaneFate,
    /// The clock of all processes jumps now and then, by up to this, both ways.
    pub jump_max: Duration,
    /// Each process gets slightly other figures from its networks, as from another device.
    pub devices_differ: bool,
}

/// How long stores are away, where they are.
const STORE_AWAY: Duration = Duration::from_secs(3600);
/// A process that has work and finishes nothing for this long ends.
pub(crate) const STALL_EXIT: Duration = Duration::from_secs(120);
/// Longest simulated time of a world.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(6 * 3600);
/// Most port calls of a world.
pub(crate) const CALLS_MAX: u64 = 400_000;

impl Plan {
    /// The plan of a seed.
    pub fn draw(rng: &mut fastrand::Rng) -> Self {
        let calm = rng.u32(0..8) == 0;
        let in_flight_max = if calm { rng.usize(1..5) } else { rng.usize(1..9) };
        let attempts_max = rng.u32(3..7);
        let mut plan = Self {
            photos: rng.usize(5..20),
            submit_over: pick(rng, &[0, 20, 90]),
            triages: 1 + usize::from(rng.u32(0..3) > 0),
            scalers: 1 + usize::from(rng.bool()),
            workers_max: rng.u32(1..5),
            faults_until: Duration::from_secs(rng.u64(60..400)),
            rates: if calm { calm_rates(rng) } else { rates(rng) },
            crash_every: (!calm && rng.bool()).then(|| Duration::from_secs(rng.u64(20..200))),
            stop_every: (calm || rng.bool()).then(|| Duration::from_secs(rng.u64(10..120))),
            skew_max: pick(rng, &[0, 0, 5]),
            sick_engines: level(rng, 0.5),
            store_away: (rng.u32(0..8) == 0).then(|| (Duration::from_secs(rng.u64(0..60)), STORE_AWAY)),
            results_away_only: rng.bool(),
            calm,
            in_flight_max,
            lease: if calm {
                Duration::from_secs(60)
            } else {
                pick(rng, &[10, 30, 60])
            },
            receive_wait: pick(rng, &[1, 5, 20]),
            drain_budget: pick(rng, &[5, 10, 25]),
            stall_exit: STALL_EXIT,
            attempts_max,
            receives_max: attempts_max + rng.u32(2..12),
            inline_segmentation: pick_look(rng),
            overlays: match rng.u32(0..12) {
                0 => Overlays::Always,
                1 => Overlays::Findings,
                _ => Overlays::Never,
            },
            devices_differ: rng.u32(0..3) == 0,
            lane: LaneFate::Comes,
            jump_max: Duration::ZERO,
        };
        if !calm {
            plan.jump_max = pick(rng, &[0, 0, 0, 120, 7200]);
            let fate = [LaneFate::Comes, LaneFate::Never, LaneFate::DiesAtStart];
            let drawn = fate[[0, 0, 0, 1, 2][rng.usize(0..5)]];
            if plan.inline_segmentation.is_some() {
                plan.lane = drawn;
            }
        }
        plan
    }
}

fn pick(rng: &mut fastrand::Rng, seconds: &[u64]) -> Duration {
    Duration::from_secs(seconds[rng.usize(0..seconds.len())])
}

fn pick_look(rng: &mut fastrand::Rng) -> Option<Duration> {
    // A second is cheap, 20 s send all but a trickle to the GPU lane.
    [None, Some(1), Some(20), Some(20)][rng.usize(0..4)].map(Duration::from_secs)
}

fn level(rng: &mut fastrand::Rng, high: f64) -> f64 {
    [0.0, 0.0, high / 8.0, high][rng.usize(0..4)]
}

fn rates(rng: &mut fastrand::Rng) -> Rates {
    Rates {
        refused: level(rng, 0.15),
        answer_lost: level(rng, 0.15),
        late: level(rng, 0.1),
        slow: level(rng, 0.08),
        outlives_lease: level(rng, 0.02),
        crash: level(rng, 0.03),
        hangs: level(rng, 0.04),
        freezes: level(rng, 0.004),
        device_hangs: level(rng, 0.02),
        duplicated: level(rng, 0.3),
        delivered_twice: level(rng, 0.2),
        ghost: level(rng, 0.2),
        delayed: level(rng, 0.3),
        reordered: level(rng, 0.8),
        partial: level(rng, 0.1),
    }
}

/// Slow fetches only.
fn calm_rates(rng: &mut fastrand::Rng) -> Rates {
    Rates {
        slow: 0.3,
        reordered: level(rng, 0.8),
        ..Rates::default()
    }
}
