//! Lives: processes are born, stopped, killed, die, and are born again with nothing remembered.

use crate::faulty::Process;
use crate::invariant::Invariant;
use crate::plan::STALL_EXIT;
use crate::trace::CoverageEvent;
use crate::wiring::{self, TICK_EVERY};
use crate::world::World;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::Notify;
use walkaround_pipeline::consumer::{Consumer, Exit};
use walkaround_pipeline::heartbeat::HeartbeatReporter;
use walkaround_pipeline::shutdown::{ShutdownSignal, shutdown_signal};

/// A stopped process is killed when its budget and this have passed.
const KILL_AFTER: Duration = Duration::from_secs(10);
/// Slack of a measured budget: timers are kept in whole milliseconds.
const SLACK: Duration = Duration::from_millis(20);
/// The last heartbeat may take this long.
const LAST_BEAT: Duration = Duration::from_secs(5);
/// A stall is noticed between two receives, and these may be slow.
const STUCK_SLACK: Duration = Duration::from_secs(240);
/// Time between two checks of whether a process is stuck.
const STUCK_LOOK: Duration = Duration::from_secs(15);

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProcessExit {
    Died,
    Killed,
    Exited(Exit),
}

/// Waits for a moment that may never come.
async fn after(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// Draws when something happens that happens this often, if it does so while there is trouble.
fn draw(process: &Process, every: Option<Duration>) -> Option<Duration> {
    let context = &process.context;
    let most = u64::try_from(every?.as_millis()).unwrap_or(u64::MAX);
    let time = context.between(0, most.saturating_mul(2).max(1));
    (context.ticks() + time < context.plan.faults_until).then_some(time)
}

/// One life of a consumer, to its end.
async fn live(
    process: &Process,
    consumer: Consumer,
    heart: Option<HeartbeatReporter>,
    end: &Notify,
    mut closing: ShutdownSignal,
) -> ProcessExit {
    let context = &process.context;
    let (stopper, stopped) = shutdown_signal();
    let mut beats = tokio::task::JoinSet::new();
    if let Some(heart) = heart {
        beats.spawn(heart.run(stopped.clone()));
    }
    let (crash_in, stop_in) = (
        draw(process, context.plan.crash_every),
        draw(process, context.plan.stop_every),
    );
    let crash = after(crash_in);
    let mut sick = process.engine.signal();
    let term = async {
        tokio::select! {
            biased;
            () = after(stop_in) => context.count(CoverageEvent::StopGiven),
            () = sick.wait() => context.count(CoverageEvent::EngineUnhealthy),
            () = end.notified() => {}
            () = closing.wait() => {}
        }
    };
    let mut run = Box::pin(consumer.run(stopped));
    let stuck = stuck(process);
    tokio::pin!(crash, term, stuck);
    let mut told = None;
    let ending = loop {
        let kill_in = told.map(|at: Duration| {
            (at + context.plan.drain_budget + KILL_AFTER).saturating_sub(context.ticks())
        });
        tokio::select! {
            biased;
            () = process.died.notified() => break ProcessExit::Died,
            () = &mut crash => {
                context.count(CoverageEvent::CrashAnytime);
                break ProcessExit::Died;
            }
            // What is frozen does not even notice that it should stop.
            exit = &mut run, if !process.frozen.load(Ordering::Relaxed) => break ProcessExit::Exited(exit),
            () = &mut stuck => break ProcessExit::Killed,
            () = &mut term, if told.is_none() => {
                process.log(format_args!("is told to stop"));
                stopper.stop();
                told = Some(context.ticks());
            }
            () = after(kill_in), if told.is_some() => break ProcessExit::Killed,
        }
    };
    judge(process, ending, told);
    if matches!(ending, ProcessExit::Exited(_)) {
        stopper.stop();
        // Late or never: the next listing of the fleet shows that the worker is gone.
        let _ = tokio::time::timeout(LAST_BEAT, beats.join_next()).await;
    }
    ending
}

/// T3: returns when it is broken. What is frozen is another matter: the scaler ends it.
async fn stuck(process: &Process) {
    let context = &process.context;
    let bound = STALL_EXIT + context.plan.drain_budget + STUCK_SLACK;
    loop {
        tokio::time::sleep(STUCK_LOOK).await;
        let without = process.work.without_progress(context.ticks());
        if without > bound && !process.frozen.load(Ordering::Relaxed) {
            let detail = format!(
                "{} has work, finishes nothing for {without:?}, and goes on",
                process.name
            );
            context.violate(Invariant::T3, detail);
            return;
        }
    }
}

/// T1, and the counts.
fn judge(process: &Process, ending: ProcessExit, told: Option<Duration>) {
    let context = &process.context;
    process.log(format_args!("ends: {ending:?}"));
    match ending {
        ProcessExit::Exited(Exit::Idle) => context.count(CoverageEvent::IdleExit),
        ProcessExit::Exited(Exit::Stalled) => context.count(CoverageEvent::StallExit),
        ProcessExit::Exited(Exit::Stopped) => context.count(CoverageEvent::StopInBudget),
        ProcessExit::Exited(Exit::BudgetSpent) => context.count(CoverageEvent::BudgetSpent),
        ProcessExit::Killed => context.count(CoverageEvent::WorkerKilled),
        ProcessExit::Died => {}
    }
    let Some(told) = told else { return };
    let (took, budget) = (context.ticks() - told, context.plan.drain_budget);
    let late = match ending {
        ProcessExit::Died => false,
        ProcessExit::Killed => !process.frozen.load(Ordering::Relaxed),
        ProcessExit::Exited(_) => took > budget + SLACK,
    };
    if late {
        let detail = format!("{} took {took:?} to stop, its budget is {budget:?}", process.name);
        context.violate(Invariant::T1, detail);
    }
}

/// A triage process, life after life, until the world closes.
pub(crate) async fn triage_slot(world: Arc<World>, slot: usize) {
    let context = &world.context;
    let never = Notify::new();
    for life in 0.. {
        let process = Process::new(context, format!("triage-{slot}.{life}"));
        let consumer = wiring::triage(&world, &process);
        Box::pin(live(&process, consumer, None, &never, world.closing.clone())).await;
        if world.closing.is_set() {
            return;
        }
        tokio::time::sleep(context.between(100, 10_000)).await;
    }
}

/// A worker, once.
pub(crate) async fn worker(world: &World, name: String, end: &Notify) -> ProcessExit {
    let process = Process::new(&world.context, name);
    let (consumer, heart) = wiring::worker(world, &process);
    Box::pin(live(&process, consumer, Some(heart), end, world.closing.clone())).await
}

/// A scaler, life after life. Two of them share a lock, as the port asks of its callers.
pub(crate) async fn scaler_slot(world: Arc<World>, slot: usize) {
    let context = &world.context;
    let mut closing = world.closing.clone();
    for life in 0.. {
        let process = Process::new(context, format!("scaler-{slot}.{life}"));
        let scaler = wiring::scaler(&world, &process);
        let ticks = async {
            loop {
                tokio::time::sleep(TICK_EVERY).await;
                let Ok(_lock) = world.scaling.try_lock() else {
                    context.count(CoverageEvent::ScalersMet);
                    continue;
                };
                context.count(CoverageEvent::ScalerTick);
                match scaler.tick().await {
                    Ok(tick) => {
                        process.log(format_args!(
                            "wants {} of {} live, starts {}, ends {}",
                            tick.desired,
                            tick.live,
                            tick.started,
                            tick.ended.len()
                        ));
                        for _ in &tick.ended {
                            context.count(CoverageEvent::WorkerEndedByScaler);
                        }
                        for _ in 0..tick.taken_back {
                            context.count(CoverageEvent::TakenBack);
                        }
                        if tick.back_off.is_some() {
                            context.count(CoverageEvent::StartsHeldBack);
                        }
                        if tick.failed.is_some() {
                            context.count(CoverageEvent::ScalerTickFailed);
                        }
                    }
                    Err(_) => context.count(CoverageEvent::ScalerTickFailed),
                }
            }
        };
        tokio::select! {
            biased;
            () = closing.wait() => return,
            () = process.died.notified() => {}
            () = ticks => {}
        }
        tokio::time::sleep(context.between(100, 10_000)).await;
    }
}
