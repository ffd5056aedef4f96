//! A day, event by event: arrivals, triage, the GPU lane, the scaler.
//!
//! Lanes are chosen by [`walkaround_domain::routing`], workers by [`walkaround_domain::scaling`]: the same code that runs in
//! triage and in the scaler. What surrounds it is a model, and simpler than the system: every photo takes the same time,
//! SQS and AWS Batch answer at once and count exactly, nothing fails, and Lambda has all processes of triage ready.

mod agenda;
mod scaler;
mod triage;
mod workers;
mod world;

use crate::arrivals::MINUTE_MS;
use crate::assumptions::Assumptions;
use crate::counts::Minute;
use crate::day::{Day, PhotoTimes, Simulated};
use crate::scenario::Scenario;
use agenda::{Event, Ms};
use world::{Segmentation, World, millis};

/// Length of the day whose photos are simulated.
const DAY_MS: Ms = 24 * 60 * MINUTE_MS;
/// A day's photos must have their verdicts this long after its end; those that have not are counted as without one.
const DRAIN_MS: Ms = DAY_MS;

/// Simulates a day to the last verdict and the end of the last instance. The same input gives the same day.
pub fn simulate(scenario: &Scenario, assumptions: &Assumptions) -> Day {
    let mut world = World::new(scenario, assumptions);
    world.begin();
    while let Some((at, event)) = world.agenda.next() {
        world.now = at;
        if world.is_over() {
            break;
        }
        world.handle(event);
    }
    Day::of(&world.end(), scenario, assumptions)
}

impl World<'_> {
    fn begin(&mut self) {
        self.agenda.enter(0, Event::Tick);
        self.agenda.enter(MINUTE_MS, Event::Sample);
        if let Some(first) = self.photos.first() {
            self.agenda.enter(first.arrived, Event::Arrival);
        }
        for drought in &self.scenario.droughts {
            self.agenda.enter(drought.from_ms, Event::DroughtBegins);
            self.agenda.enter(drought.to_ms, Event::DroughtEnds);
        }
    }

    /// Whether the day and what follows from it are over.
    fn is_over(&self) -> bool {
        let resting = self.policies.scaling.workers_min > 0
            || self
                .lane
                .instances
                .iter()
                .all(|instance| instance.ended.is_some())
                && self.lane.live.is_empty();
        self.now >= DAY_MS + DRAIN_MS || (self.now > DAY_MS && self.open == 0 && resting)
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Arrival => self.arrive(),
            Event::Visible { photo } => self.visible(photo),
            Event::WindowEnd => self.window_end(),
            Event::Screened { process, photo } => self.screened(process, photo),
            Event::Segmented { process, photo } => self.segmented(process, photo),
            Event::Placement { worker } => self.place(worker),
            Event::Ready { worker, attempt } => self.ready(worker, attempt),
            Event::Finished { worker } => self.finished(worker),
            Event::Heartbeat { worker } => self.heartbeat(worker),
            Event::Idle { worker, since } => self.idle(worker, since),
            Event::Reclaim { instance } => self.reclaim(instance),
            Event::Unused { instance, since } => self.unused(instance, since),
            Event::DroughtBegins => self.drought_begins(),
            Event::DroughtEnds => self.drought_ends(),
            Event::Tick => {
                let next = self.now + millis(self.assumptions.deployment.scale_every_s);
                self.agenda.enter(next, Event::Tick);
                self.tick();
            }
            Event::Sample => {
                self.agenda.enter(self.now + MINUTE_MS, Event::Sample);
                self.sample();
            }
        }
    }

    fn sample(&mut self) {
        let running = self
            .lane
            .instances
            .iter()
            .filter(|instance| instance.ended.is_none());
        let minute = Minute {
            intake: self.triage.depth(),
            lane: self.lane.queue.len() as u64,
            workers: self.lane.ready().count() as u32,
            starting: self.starting(),
            instances: running.count() as u32,
            invocations: (self.triage.processes.len() - self.triage.free.len()) as u32,
        };
        self.minutes.push(minute);
    }

    fn end(mut self) -> Simulated {
        let now = self.now;
        for instance in &self.lane.instances {
            let ms = u64::from(instance.ended.unwrap_or(now).min(now.max(DAY_MS)) - instance.launched);
            if instance.spot {
                self.counts.spot_ms += ms;
            } else {
                self.counts.ondemand_ms += ms;
            }
        }
        let count = |wanted| self.photos.iter().filter(|p| p.segmentation == wanted).count() as u64;
        self.counts.inline = count(Segmentation::Inline);
        self.counts.gpu = count(Segmentation::Gpu);
        Simulated {
            photos: self
                .photos
                .iter()
                .map(|photo| PhotoTimes {
                    arrived: photo.arrived,
                    verdict: photo.verdict,
                })
                .collect(),
            counts: self.counts,
            minutes: self.minutes,
        }
    }
}
