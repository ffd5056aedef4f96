//! Triage: batches from the intake queue, screening, routing, inline segmentation.

use super::agenda::Event;
use super::world::{Process, Segmentation, Waiting, World, millis, stamp};
use std::time::Duration;
use walkaround_domain::Lane;
use walkaround_domain::routing::{EstimateBounds, InlineCost, Load, route, route_given_back};

impl World<'_> {
    /// The next photo arrives.
    pub(crate) fn arrive(&mut self) {
        let photo = self.arrived;
        self.arrived += 1;
        if let Some(next) = self.photos.get(self.arrived as usize) {
            self.agenda.enter(next.arrived, Event::Arrival);
        }
        self.enqueue(photo);
    }

    /// A photo that was taken back can be received.
    pub(crate) fn visible(&mut self, photo: u32) {
        self.triage.delayed -= 1;
        self.enqueue(photo);
    }

    fn enqueue(&mut self, photo: u32) {
        let since = self.now;
        self.triage.intake.push_back(Waiting { photo, since });
        self.start_invocations();
    }

    /// The batch window of the oldest photo is over.
    pub(crate) fn window_end(&mut self) {
        if self.triage.window_end == Some(self.now) {
            self.triage.window_end = None;
        }
        self.start_invocations();
    }

    /// Starts an invocation for each full batch, and for each that has waited for the batch window.
    fn start_invocations(&mut self) {
        let batch = self.assumptions.deployment.triage_batch as usize;
        let window = millis(self.assumptions.deployment.batch_window_s);
        while let (Some(oldest), false) = (self.triage.intake.front(), self.triage.free.is_empty()) {
            let due = oldest.since + window;
            if self.triage.intake.len() < batch && due > self.now {
                if self.triage.window_end.is_none_or(|end| end < due) {
                    self.triage.window_end = Some(due);
                    self.agenda.enter(due, Event::WindowEnd);
                }
                return;
            }
            if let Some(process) = self.triage.free.pop() {
                self.invoke(process, batch);
            }
        }
    }

    fn invoke(&mut self, process: u32, batch: usize) {
        let taken = batch.min(self.triage.intake.len());
        let photos = self.triage.intake.drain(..taken).map(|waiting| waiting.photo);
        let invocation = &mut self.triage.processes[process as usize];
        invocation.batch.extend(photos);
        invocation.started = self.now;
        let jobs = (self.assumptions.deployment.triage_jobs as u32).min(taken as u32);
        invocation.busy_jobs = jobs;
        self.counts.invocations += 1;
        for _ in 0..jobs {
            self.next_of_batch(process);
        }
    }

    /// A job of an invocation takes its next photo, or is done; the last one ends the invocation.
    fn next_of_batch(&mut self, process: u32) {
        let invocation = &mut self.triage.processes[process as usize];
        if let Some(photo) = invocation.batch.pop_front() {
            self.counts.screenings += 1;
            let at = self.now + millis(self.assumptions.fleet.screening_s);
            self.agenda.enter(at, Event::Screened { process, photo });
            return;
        }
        invocation.busy_jobs -= 1;
        if invocation.busy_jobs == 0 {
            self.counts.billed_ms += u64::from(self.now - invocation.started);
            self.triage.free.push(process);
            self.start_invocations();
        }
    }

    /// A photo is screened: settled here, or routed.
    pub(crate) fn screened(&mut self, process: u32, photo: u32) {
        let suspect = self.photos[photo as usize].suspect;
        self.triage.processes[process as usize].estimate.saw(suspect);
        if !suspect {
            self.settle(photo, self.now);
            return self.next_of_batch(process);
        }
        match self.lane_of(process, photo) {
            Lane::Inline => {
                self.photos[photo as usize].segmentation = Segmentation::Inline;
                let at = self.now + millis(self.assumptions.fleet.inline_s);
                self.agenda.enter(at, Event::Segmented { process, photo });
            }
            Lane::Gpu => {
                self.photos[photo as usize].segmentation = Segmentation::Gpu;
                self.triage.processes[process as usize].estimate.sent();
                self.counts.sent_to_lane += 1;
                let since = self.now;
                self.lane.queue.push_back(Waiting { photo, since });
                self.wake_worker();
                self.next_of_batch(process);
            }
        }
    }

    /// A photo is segmented inline.
    pub(crate) fn segmented(&mut self, process: u32, photo: u32) {
        self.settle(photo, self.now);
        self.next_of_batch(process);
    }

    /// The lane, by the shipped routing.
    fn lane_of(&mut self, process: u32, photo: u32) -> Lane {
        let deployment = &self.assumptions.deployment;
        let load = self.load(process);
        let started = self.triage.processes[process as usize].started;
        let spent = Duration::from_millis(u64::from(self.now - started));
        let cost = InlineCost {
            segmentation: Some(Duration::from_secs_f64(self.assumptions.fleet.inline_cost_s)),
            time_left: Duration::from_secs_f64(deployment.triage_timeout_s).saturating_sub(spent),
        };
        let photo = self.photos[photo as usize];
        let deadline = self.scenario.requested_deadline().map(|deadline| {
            let due = stamp(photo.arrived) + deadline;
            due.since(stamp(self.now))
        });
        let routed = route(&load, cost, deadline, &self.policies.routing);
        if routed.lane == Lane::Gpu && photo.taken_back.is_some() {
            return route_given_back(cost, &self.policies.routing)
                .unwrap_or(routed)
                .lane;
        }
        routed.lane
    }

    /// The load as a process of triage sees it, read again when its reading is old.
    fn load(&mut self, process: u32) -> Load {
        let deployment = &self.assumptions.deployment;
        let fresh_for = millis(deployment.lane_cache_s.min(deployment.scale_every_s));
        let depth = self.triage.depth();
        let Process {
            estimate, read_at, ..
        } = &mut self.triage.processes[process as usize];
        if read_at.is_none_or(|at| self.now - at >= fresh_for) {
            *read_at = Some(self.now);
            estimate.read(depth, self.lane_state.clone());
            self.counts.lane_reads += 1;
        }
        let bounds = EstimateBounds {
            workers_max: deployment.workers_max as u32,
            rate_guess: deployment.worker_rate,
            scale_every: Duration::from_secs_f64(deployment.scale_every_s),
        };
        estimate.load(stamp(self.now), &bounds)
    }
}
