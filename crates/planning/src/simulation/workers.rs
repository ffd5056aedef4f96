//! The GPU lane: instances, workers, and what they do.

use super::agenda::{Event, Ms};
use super::world::{Instance, Worker, WorkerState, World, millis, stamp};
use std::time::Duration;
use walkaround_domain::scaling::{EndedWorker, RateWindow, RunningWorker, WorkerEnd, stays};

/// From AWS's notice to the end of a Spot instance.
const SPOT_NOTICE_MS: Ms = 120_000;
const HOUR_MS: f64 = 3_600_000.0;

impl World<'_> {
    /// Submits the job of a worker.
    pub(crate) fn submit_worker(&mut self) {
        let worker = self.lane.workers.len() as u32;
        self.lane.workers.push(Worker {
            name: format!("worker-{worker:06}"),
            state: WorkerState::Pending,
            asked_at: self.now,
            ready_at: 0,
            attempt: 0,
            instance: None,
            photo: None,
            idle_since: None,
            busy_until: 0.0,
            done: 0,
            rate: RateWindow::default(),
            last_rate: 0.0,
            draining: false,
        });
        self.lane.live.insert(worker);
        self.counts.starts += 1;
        let at = self.now + millis(self.assumptions.fleet.placement_s);
        self.agenda.enter(at, Event::Placement { worker });
    }

    /// A worker gets an instance that has none, or a new one, or waits for capacity.
    pub(crate) fn place(&mut self, worker: u32) {
        let fleet = &self.assumptions.fleet;
        let unused = |instance: &Instance| instance.ended.is_none() && instance.worker.is_none();
        let (instance, boot) = match self.lane.instances.iter().position(unused) {
            Some(instance) => (instance as u32, 0),
            None if self.lane.in_drought => return self.lane.pending.push_back(worker),
            None => (self.launch(), millis(fleet.boot_s)),
        };
        self.lane.instances[instance as usize].worker = Some(worker);
        let placed = &mut self.lane.workers[worker as usize];
        placed.state = WorkerState::Starting;
        placed.instance = Some(instance);
        placed.attempt += 1;
        let attempt = placed.attempt;
        let at = self.now + boot + millis(fleet.load_s);
        self.agenda.enter(at, Event::Ready { worker, attempt });
    }

    fn launch(&mut self) -> u32 {
        let fleet = &self.assumptions.fleet;
        let instance = self.lane.instances.len() as u32;
        let spot = self.random.f64() < fleet.spot;
        self.lane.instances.push(Instance {
            spot,
            launched: self.now,
            ended: None,
            worker: None,
            unused_since: self.now,
        });
        // Reclaims are independent of each other: the time until the next is exponential.
        let hours = -(1.0 - self.random.f64()).ln() / fleet.reclaims;
        let hours = (spot && fleet.reclaims > 0.0).then_some(hours);
        // One that would outlast the simulation is not reclaimed.
        if let Some(hours) = hours.filter(|hours| *hours < 48.0) {
            let at = self.now + (hours * HOUR_MS) as Ms;
            self.agenda.enter(at, Event::Reclaim { instance });
        }
        instance
    }

    /// Workers that wait for capacity are placed, one on each free instance or all on new ones.
    fn place_pending(&mut self) {
        for _ in 0..self.lane.pending.len() {
            if let Some(worker) = self.lane.pending.pop_front() {
                self.place(worker);
            }
        }
    }

    /// A worker is ready, unless its instance was reclaimed meanwhile.
    pub(crate) fn ready(&mut self, worker: u32, attempt: u32) {
        let ready = &mut self.lane.workers[worker as usize];
        if ready.state != WorkerState::Starting || ready.attempt != attempt {
            return;
        }
        ready.state = WorkerState::Ready;
        ready.ready_at = self.now;
        self.heartbeat(worker);
        self.take(worker);
    }

    /// An idle worker takes what has just been sent.
    pub(crate) fn wake_worker(&mut self) {
        if let Some(worker) = self.lane.idle.first().copied() {
            self.take(worker);
        }
    }

    /// A worker takes its next photo, or becomes idle.
    fn take(&mut self, worker: u32) {
        let taker = &mut self.lane.workers[worker as usize];
        let Some(waiting) = self.lane.queue.pop_front() else {
            taker.idle_since = Some(self.now);
            self.lane.idle.insert(worker);
            return self.watch_idle(worker, self.now);
        };
        self.lane.idle.remove(&worker);
        taker.idle_since = None;
        taker.photo = Some(waiting.photo);
        taker.busy_until =
            taker.busy_until.max(f64::from(self.now)) + 1000.0 / self.assumptions.fleet.gpu_rate;
        let at = (taker.busy_until.round() as Ms).max(self.now);
        self.agenda.enter(at, Event::Finished { worker });
    }

    /// A worker has segmented its photo, whose verdict follows shortly.
    pub(crate) fn finished(&mut self, worker: u32) {
        let done = &mut self.lane.workers[worker as usize];
        let Some(photo) = done.photo.take() else { return };
        done.done += 1;
        let draining = done.draining;
        self.counts.on_gpu += 1;
        self.settle(photo, self.now + millis(self.assumptions.fleet.gpu_latency_s));
        if draining {
            self.end_worker(worker, WorkerEnd::Expected);
        } else {
            self.take(worker);
        }
    }

    /// A worker without work exits, unless it is one of those that stay.
    pub(crate) fn idle(&mut self, worker: u32, since: Ms) {
        let idle = &self.lane.workers[worker as usize];
        if idle.state != WorkerState::Ready || idle.idle_since != Some(since) {
            return;
        }
        let others: Vec<RunningWorker<'_>> = self.lane.ready().map(running).collect();
        if stays(running(idle), &others, self.policies.scaling.workers_min) {
            // One of those before it may end: it asks again.
            return self.watch_idle(worker, since);
        }
        self.end_worker(worker, WorkerEnd::Expected);
    }

    fn watch_idle(&mut self, worker: u32, since: Ms) {
        let at = self.now + millis(self.assumptions.deployment.idle_exit_s);
        self.agenda.enter(at, Event::Idle { worker, since });
    }

    /// A heartbeat: the rate that the scaler sees.
    pub(crate) fn heartbeat(&mut self, worker: u32) {
        let alive = &mut self.lane.workers[worker as usize];
        if alive.state != WorkerState::Ready {
            return;
        }
        let now = Duration::from_millis(u64::from(self.now));
        alive.last_rate = alive.rate.heartbeat(now, u64::from(alive.done));
        self.counts.heartbeats += 1;
        let at = self.now + millis(self.assumptions.deployment.heartbeat_s);
        self.agenda.enter(at, Event::Heartbeat { worker });
    }

    fn end_worker(&mut self, worker: u32, end: WorkerEnd) {
        let ended = &mut self.lane.workers[worker as usize];
        ended.state = WorkerState::Ended;
        let instance = ended.instance.take();
        self.lane.live.remove(&worker);
        self.lane.idle.remove(&worker);
        let at = stamp(self.now);
        self.lane.ended.push(EndedWorker { at, end });
        if let Some(instance) = instance {
            self.free_instance(instance);
        }
    }

    /// An instance without a worker takes one that waits, or is kept for a while.
    fn free_instance(&mut self, instance: u32) {
        let free = &mut self.lane.instances[instance as usize];
        free.worker = None;
        free.unused_since = self.now;
        if free.ended.is_some() {
            return;
        }
        let since = self.now;
        let at = self.now + millis(self.assumptions.deployment.scale_down_s);
        self.agenda.enter(at, Event::Unused { instance, since });
        self.place_pending();
    }

    /// An instance that had no worker for long enough ends.
    pub(crate) fn unused(&mut self, instance: u32, since: Ms) {
        let unused = &mut self.lane.instances[instance as usize];
        if unused.ended.is_none() && unused.worker.is_none() && unused.unused_since == since {
            unused.ended = Some(self.now);
        }
    }

    /// A Spot instance gets its notice: a ready worker finishes its photo and ends, one that starts is placed again.
    pub(crate) fn reclaim(&mut self, instance: u32) {
        let reclaimed = &mut self.lane.instances[instance as usize];
        if reclaimed.ended.is_some() {
            return;
        }
        self.counts.reclaimed += 1;
        let Some(worker) = reclaimed.worker else {
            reclaimed.ended = Some(self.now);
            return;
        };
        reclaimed.ended = Some(self.now + SPOT_NOTICE_MS);
        let held = &mut self.lane.workers[worker as usize];
        match (held.state, held.photo) {
            (WorkerState::Ready, Some(_)) => held.draining = true,
            (WorkerState::Ready, None) => self.end_worker(worker, WorkerEnd::Expected),
            _ => {
                held.state = WorkerState::Pending;
                held.instance = None;
                let at = self.now + millis(self.assumptions.fleet.placement_s);
                self.agenda.enter(at, Event::Placement { worker });
            }
        }
    }

    /// Spot takes back everything, and nothing new can be had.
    pub(crate) fn drought_begins(&mut self) {
        self.lane.in_drought = true;
        for instance in 0..self.lane.instances.len() {
            if self.lane.instances[instance].spot {
                self.reclaim(instance as u32);
            }
        }
    }

    /// Capacity again.
    pub(crate) fn drought_ends(&mut self) {
        self.lane.in_drought = false;
        self.place_pending();
    }
}

fn running(worker: &Worker) -> RunningWorker<'_> {
    RunningWorker {
        started_at: stamp(worker.ready_at),
        name: &worker.name,
    }
}
