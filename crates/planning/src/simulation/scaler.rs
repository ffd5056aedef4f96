//! The scaler's tick, by the shipped scaling.

use super::agenda::Event;
use super::world::{WorkerState, World, millis, stamp};
use std::time::Duration;
use walkaround_domain::lane::{LaneState, TAKE_BACK_AGAIN_AFTER, TAKE_BACK_MAX, cold_start_mean};
use walkaround_domain::scaling::{
    Backlog, Fleet, ReadyWorker, back_off, believed_rate, desired_workers, starts_allowed,
};

impl World<'_> {
    /// One run of the scaler.
    pub(crate) fn tick(&mut self) {
        let now = stamp(self.now);
        let policy = self.policies.scaling;
        self.counts.ticks += 1;
        let before = self.lane_state.take().unwrap_or_default();
        let backlog = Backlog {
            waiting: self.lane.queue.len() as u64,
            in_flight: self.lane.in_flight(),
            oldest_age: self
                .lane
                .queue
                .front()
                .map(|oldest| now.since(stamp(oldest.since))),
        };
        let live = self.lane.live.len() as u32;
        let rate = self.measured_rate();
        let fleet = Fleet {
            live,
            rate_per_worker: rate,
        };
        let desired = desired_workers(&backlog, &fleet, &policy);
        let ready: Vec<ReadyWorker> = self
            .lane
            .ready()
            .map(|worker| ReadyWorker {
                ready_at: stamp(worker.ready_at),
                has_worked: worker.done > 0,
            })
            .collect();
        let window = self.policies.back_off.window;
        self.lane.ended.retain(|end| now.since(end.at) <= window);
        self.back_off = back_off(
            self.back_off.as_ref(),
            &self.lane.ended,
            &ready,
            now,
            &self.policies.back_off,
        );
        let not_ready = live - ready.len() as u32;
        let missing = desired
            .saturating_sub(live)
            .min(policy.workers_max.saturating_sub(live));
        let started = starts_allowed(self.back_off.as_ref(), missing, not_ready, now);
        for _ in 0..started {
            self.submit_worker();
        }
        self.lane_state = Some(LaneState {
            at: now,
            workers_max: policy.workers_max,
            live: ready.len() as u32,
            starting: not_ready + started,
            awaited_since: before.awaited_from(now, desired > 0 && ready.is_empty()),
            backlog: backlog.waiting + backlog.in_flight,
            rate_per_worker: rate.or(before.rate_per_worker),
            cold_start: self.cold_start(&before),
            back_off: self.back_off,
            ..LaneState::default()
        });
        self.take_back();
    }

    /// Mean rate of the workers with enough photos to measure, by their last heartbeats.
    fn measured_rate(&self) -> Option<f64> {
        let rates: Vec<f64> = self
            .lane
            .ready()
            .filter_map(|worker| believed_rate(worker.done, worker.last_rate))
            .collect();
        let n = rates.len() as f64;
        (n > 0.0).then(|| rates.iter().sum::<f64>() / n)
    }

    /// The mean cold start, with the workers that became ready since the last state.
    fn cold_start(&self, before: &LaneState) -> Option<Duration> {
        let new = self
            .lane
            .ready()
            .filter(|worker| stamp(worker.ready_at) > before.at);
        new.fold(before.cold_start, |mean, worker| {
            cold_start_mean(mean, stamp(worker.ready_at).since(stamp(worker.asked_at)))
        })
    }

    /// Returns photos of a lane without workers to the intake queue.
    fn take_back(&mut self) {
        let Some(state) = &self.lane_state else { return };
        let lane = state.seen(state.at, self.policies.scaling.rate_guess);
        if self.lane.queue.is_empty() || !lane.strands_photos(self.policies.routing.cold_start) {
            return;
        }
        let again_after = TAKE_BACK_AGAIN_AFTER.as_millis() as u32;
        let deployment = &self.assumptions.deployment;
        let visible = self.now + millis(deployment.lane_cache_s.min(deployment.scale_every_s));
        for _ in 0..self.lane.queue.len().min(TAKE_BACK_MAX) {
            let Some(waiting) = self.lane.queue.pop_front() else {
                return;
            };
            let photo = &mut self.photos[waiting.photo as usize];
            if photo.taken_back.is_some_and(|at| self.now - at < again_after) {
                self.lane.queue.push_back(waiting);
                continue;
            }
            photo.taken_back = Some(self.now);
            self.counts.taken_back += 1;
            self.triage.delayed += 1;
            let photo = waiting.photo;
            self.agenda.enter(visible, Event::Visible { photo });
        }
    }

    /// Workers that were asked for and are not ready.
    pub(crate) fn starting(&self) -> u32 {
        let not_ready = |worker: &&u32| self.lane.workers[**worker as usize].state != WorkerState::Ready;
        self.lane.live.iter().filter(not_ready).count() as u32
    }
}
