//! What really happened on a day, and the assumptions that it gives.

use crate::arrivals::Arrivals;
use crate::assumptions::Assumptions;
use crate::day::Percentiles;
use crate::error::PlanError;
use std::collections::BTreeMap;

/// Photos that must have waited for triage before its speed is believed.
const WAITED_MIN: u32 = 20;
/// The percentile of waits that counts as a wait for nothing else than the photo itself.
const UNLOADED_PERCENT: usize = 10;

/// A photo of a day that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedPhoto {
    /// When it was accepted, in milliseconds from midnight.
    pub accepted_ms: u32,
    /// When it had its verdict, on the same scale; none when it has none.
    pub finished_ms: Option<u64>,
    /// When triage was done with it, on the same scale: settled, or sent to the GPU lane.
    pub triaged_ms: Option<u64>,
    /// Where it was segmented; none when it was not.
    pub segmented: Option<SegmentedBy>,
    /// Seconds of its stages: decoding, networks, findings, overlay.
    pub work_s: f64,
    /// Seconds of its segmenters.
    pub segmenters_s: f64,
    /// Seconds from its message to its result, in the process that settled it.
    pub total_s: f64,
}

/// Where a photo was segmented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SegmentedBy {
    /// By triage.
    Inline,
    /// By this worker.
    Worker(String),
}

/// A day that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedDay {
    /// Photos.
    pub photos: Vec<ObservedPhoto>,
}

/// What such a day comes to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ObservedFigures {
    /// Photos.
    pub photos: u64,
    /// Their times to verdict.
    pub times: Percentiles,
    /// Photos without a verdict.
    pub without_verdict: u64,
    /// Photos segmented inline.
    pub inline: u64,
    /// Photos segmented by workers.
    pub on_gpu: u64,
    /// Seconds in which workers were busy.
    pub busy_s: f64,
    /// Workers that settled a photo.
    pub workers: u64,
}

impl ObservedDay {
    /// When its photos arrived.
    ///
    /// # Errors
    /// [`PlanError::Photos`].
    pub fn arrivals(&self) -> Result<Arrivals, PlanError> {
        Arrivals::at(self.photos.iter().map(|photo| photo.accepted_ms).collect())
    }

    /// What it comes to.
    pub fn figures(&self) -> ObservedFigures {
        let mut waits: Vec<f64> = self
            .photos
            .iter()
            .filter_map(|photo| {
                Some(photo.finished_ms?.saturating_sub(u64::from(photo.accepted_ms)) as f64 / 1000.0)
            })
            .collect();
        waits.sort_by(f64::total_cmp);
        let rank = |percent: usize| {
            waits
                .get((self.photos.len() * percent).div_ceil(100).max(1) - 1)
                .copied()
        };
        let workers = self.by_worker();
        ObservedFigures {
            photos: self.photos.len() as u64,
            times: Percentiles {
                p50: rank(50),
                p95: rank(95),
                p99: rank(99),
            },
            without_verdict: (self.photos.len() - waits.len()) as u64,
            inline: self.count(|by| *by == SegmentedBy::Inline),
            on_gpu: self.count(|by| *by != SegmentedBy::Inline),
            busy_s: busy(&workers).seconds,
            workers: workers.len() as u64,
        }
    }

    /// The assumptions with what this day measured: shares, times and rates. What it had too little of stays as it was.
    pub fn measured(&self, mut assumptions: Assumptions) -> Assumptions {
        let fleet = &mut assumptions.fleet;
        let finished: Vec<&ObservedPhoto> = self
            .photos
            .iter()
            .filter(|photo| photo.finished_ms.is_some())
            .collect();
        if finished.is_empty() {
            return assumptions;
        }
        let suspects = finished.iter().filter(|photo| photo.segmented.is_some()).count();
        fleet.suspects = suspects as f64 / finished.len() as f64;
        let jobs = f64::from(assumptions.deployment.triage_parallel());
        let stretch = self.triage_speed().map(|speed| jobs / speed);
        if let Some(time) = typical(finished.iter().filter(|photo| photo.segmented.is_none()), stretch) {
            fleet.screening_s = time.max(LEAST_S);
        }
        let inline: Vec<_> = finished
            .iter()
            .filter(|photo| photo.segmented == Some(SegmentedBy::Inline))
            .collect();
        if let Some(time) = typical(inline.iter().copied(), stretch) {
            fleet.inline_s = (time - fleet.screening_s).max(LEAST_S);
            let segmenters = inline.iter().map(|photo| photo.segmenters_s);
            fleet.inline_cost_s = unloaded(segmenters.collect()).max(LEAST_S);
        }
        let busy = busy(&self.by_worker());
        // Photos that were finished in the same millisecond give no rate.
        if busy.waited_s > 0.0 {
            fleet.gpu_rate = busy.waited as f64 / busy.waited_s;
            let by_worker = |photo: &&&ObservedPhoto| matches!(photo.segmented, Some(SegmentedBy::Worker(_)));
            let totals = finished.iter().filter(by_worker).map(|photo| photo.total_s);
            fleet.gpu_latency_s = (unloaded(totals.collect()) - 1.0 / fleet.gpu_rate).max(0.0);
        }
        assumptions
    }

    /// Seconds of work that triage does in a second while photos wait for it: stages of several photos run at once, and
    /// more of them than triage has jobs. None where photos hardly waited.
    fn triage_speed(&self) -> Option<f64> {
        let clean = self.photos.iter().filter(|photo| photo.segmented.is_none());
        let clean: Vec<f64> = clean.map(|photo| photo.work_s).collect();
        let screening_s = clean.iter().sum::<f64>() / (clean.len() as f64).max(1.0);
        let mut triaged: Vec<(u64, &ObservedPhoto)> = self
            .photos
            .iter()
            .filter_map(|photo| Some((photo.triaged_ms?, photo)))
            .collect();
        triaged.sort_by_key(|(at, _)| *at);
        let (mut photos, mut work_s, mut passed_s) = (0, 0.0, 0.0);
        for pair in triaged.windows(2) {
            let [(before, _), (at, photo)] = pair else {
                continue;
            };
            if u64::from(photo.accepted_ms) >= *before {
                continue;
            }
            photos += 1;
            passed_s += (at - before) as f64 / 1000.0;
            work_s += match photo.segmented {
                Some(SegmentedBy::Worker(_)) => screening_s,
                _ => photo.work_s,
            };
        }
        (photos >= WAITED_MIN && work_s > 0.0 && passed_s > 0.0).then(|| work_s / passed_s)
    }

    fn count(&self, wanted: fn(&SegmentedBy) -> bool) -> u64 {
        let by = self.photos.iter().filter_map(|photo| photo.segmented.as_ref());
        by.filter(|by| wanted(by)).count() as u64
    }

    /// The photos of each worker, in the order in which it finished them.
    fn by_worker(&self) -> BTreeMap<&str, Vec<OnWorker>> {
        let mut by_worker: BTreeMap<&str, Vec<OnWorker>> = BTreeMap::new();
        for photo in &self.photos {
            if let (Some(SegmentedBy::Worker(name)), Some(finished_ms)) =
                (&photo.segmented, photo.finished_ms)
            {
                by_worker.entry(name).or_default().push(OnWorker {
                    finished_ms,
                    sent_ms: photo.triaged_ms.unwrap_or(u64::from(photo.accepted_ms)),
                });
            }
        }
        by_worker
            .values_mut()
            .for_each(|photos| photos.sort_unstable_by_key(|photo| photo.finished_ms));
        by_worker
    }
}

/// Least time of a step, in seconds.
const LEAST_S: f64 = 0.001;

/// Mean time that a photo takes in triage: its work, times how much of it runs at once where that is known; else its work
/// and what it waits besides when nothing else is going on.
fn typical<'a>(photos: impl Iterator<Item = &'a &'a ObservedPhoto>, stretch: Option<f64>) -> Option<f64> {
    let photos: Vec<_> = photos.collect();
    let n = photos.len() as f64;
    (n > 0.0).then(|| {
        let work = photos.iter().map(|photo| photo.work_s).sum::<f64>() / n;
        let besides = photos.iter().map(|photo| (photo.total_s - photo.work_s).max(0.0));
        match stretch {
            Some(stretch) => work * stretch,
            None => work + unloaded(besides.collect()),
        }
    })
}

fn unloaded(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values
        .get(values.len() * UNLOADED_PERCENT / 100)
        .copied()
        .unwrap_or_default()
}

/// A photo of a worker.
#[derive(Debug, Clone, Copy)]
struct OnWorker {
    finished_ms: u64,
    /// When it was sent to the lane.
    sent_ms: u64,
}

/// How workers spent their time.
#[derive(Debug, Clone, Copy, Default)]
struct Busy {
    /// Seconds in which a worker had a photo to do; that of its first photo is not known.
    seconds: f64,
    /// Photos that waited while their worker did another one, and so give its rate.
    waited: u64,
    /// Seconds that these took.
    waited_s: f64,
}

fn busy(by_worker: &BTreeMap<&str, Vec<OnWorker>>) -> Busy {
    let mut busy = Busy::default();
    for pair in by_worker.values().flat_map(|photos| photos.windows(2)) {
        let [before, photo] = pair else { continue };
        let from = photo.sent_ms.max(before.finished_ms);
        let seconds = photo.finished_ms.saturating_sub(from) as f64 / 1000.0;
        busy.seconds += seconds;
        if photo.sent_ms < before.finished_ms {
            busy.waited += 1;
            busy.waited_s += seconds;
        }
    }
    busy
}

#[cfg(test)]
mod tests {
    use super::*;

    fn photo(accepted_ms: u32, took_ms: u64, segmented: Option<SegmentedBy>) -> ObservedPhoto {
        let extra = if segmented.is_some() { 0.2 } else { 0.0 };
        ObservedPhoto {
            accepted_ms,
            finished_ms: Some(u64::from(accepted_ms) + took_ms),
            triaged_ms: Some(u64::from(accepted_ms) + took_ms),
            segmented,
            segmenters_s: extra / 2.0,
            work_s: 0.1 + extra,
            total_s: 0.15 + extra,
        }
    }

    #[test]
    fn a_day_gives_its_shares_times_and_rates() {
        let worker = || Some(SegmentedBy::Worker("a".into()));
        let mut photos = vec![photo(0, 200, None), photo(10, 300, Some(SegmentedBy::Inline))];
        // Five photos of one worker, 100 ms apart, and one a minute later; sent to it 500 ms before they are done.
        let sent = |photo: ObservedPhoto| ObservedPhoto {
            triaged_ms: photo.finished_ms.map(|at| at - 500),
            ..photo
        };
        photos.extend((0..5).map(|n| sent(photo(1_000 + 100 * n, 900, worker()))));
        photos.push(sent(photo(60_000, 500, worker())));
        let day = ObservedDay { photos };
        let figures = day.figures();
        assert_eq!(
            (figures.photos, figures.inline, figures.on_gpu, figures.workers),
            (8, 1, 6, 1)
        );
        assert_eq!((figures.times.p50, figures.times.p99), (Some(0.9), Some(0.9)));
        assert!((figures.busy_s - 0.9).abs() < 1e-9);
        let fleet = day.measured(Assumptions::default()).fleet;
        assert!((fleet.suspects - 7.0 / 8.0).abs() < 1e-9);
        assert!((fleet.screening_s - 0.15).abs() < 1e-9, "{}", fleet.screening_s);
        assert!((fleet.inline_s - 0.2).abs() < 1e-9, "{}", fleet.inline_s);
        assert!((fleet.inline_cost_s - 0.1).abs() < 1e-9);
        assert!((fleet.gpu_rate - 10.0).abs() < 1e-9, "{}", fleet.gpu_rate);
        assert!(
            (fleet.gpu_latency_s - 0.25).abs() < 1e-9,
            "{}",
            fleet.gpu_latency_s
        );
        assert_eq!(day.arrivals().unwrap().total(), 8);
    }

    #[test]
    fn photos_that_waited_for_triage_give_its_speed() {
        // 40 clean photos at once, each 0.1 s of work, done every 50 ms: two at a time.
        let photos = (0..40).map(|n| photo(0, 50 * (n + 1), None)).collect();
        let day = ObservedDay { photos };
        let mut assumptions = Assumptions::default();
        assumptions.deployment.triage_processes = 1.0;
        assumptions.deployment.triage_jobs = 1.0;
        let fleet = day.measured(assumptions).fleet;
        assert!((fleet.screening_s - 0.05).abs() < 1e-9, "{}", fleet.screening_s);
    }

    #[test]
    fn a_day_without_results_measures_nothing() {
        let unfinished = ObservedPhoto {
            finished_ms: None,
            ..photo(5, 0, None)
        };
        let day = ObservedDay {
            photos: vec![unfinished],
        };
        assert_eq!(day.measured(Assumptions::default()), Assumptions::default());
        assert_eq!(day.figures().without_verdict, 1);
        assert_eq!(day.figures().times.p50, None);
        let none = ObservedDay { photos: Vec::new() };
        assert!(none.arrivals().is_err());
    }
}
