//! Small days whose outcome is computed by hand, and properties of any day.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

use proptest::prelude::*;
use std::time::Duration;
use walkaround_planning::{Arrivals, Assumptions, Day, Drought, HOURS, Profile, Scenario, simulate};

/// A day with photos at these milliseconds from midnight.
fn at(times: &[u32]) -> Scenario {
    Scenario {
        arrivals: Arrivals::at(times.to_vec()).unwrap(),
        ..Profile::Evening.scenario(Some(1), 1).unwrap()
    }
}

fn with(changes: &[&str]) -> Assumptions {
    let mut assumptions = Assumptions::default();
    for change in changes {
        assumptions.set(change).unwrap();
    }
    assumptions
}

/// Seconds in whole milliseconds, which can be compared.
fn ms(seconds: impl Into<Option<f64>>) -> Option<u64> {
    seconds.into().map(|s| (s * 1000.0).round() as u64)
}

fn p50(day: &Day) -> Option<u64> {
    ms(day.times.p50)
}

/// Every suspect photo goes to the GPU lane, and no instance is reclaimed.
const TO_GPU: &[&str] = &["suspects=1", "inline_drain_s=0", "reclaims=0"];

#[test]
fn a_clean_photo_takes_the_batch_window_and_its_screening() {
    let day = simulate(&at(&[601_000]), &with(&["suspects=0"]));
    // 1 s for more photos, 0.9 s of screening.
    assert_eq!(p50(&day), ms(1.9));
    assert_eq!((day.counts.invocations, day.counts.billed_ms), (1, 900));
    assert_eq!((day.hours[0].photos, day.hours[0].times.p99), (1, Some(1.9)));
    assert_eq!(day.gpu_hours(), 0.0);
}

#[test]
fn a_suspect_photo_alone_is_segmented_inline() {
    let day = simulate(&at(&[601_000]), &with(&["suspects=1"]));
    assert_eq!((p50(&day), day.counts.inline), (ms(4.3), 1));
    assert_eq!(day.counts.billed_ms, 3_300);
}

#[test]
fn a_full_batch_does_not_wait_and_two_photos_run_at_once() {
    let day = simulate(&at(&[601_000; 10]), &with(&["suspects=0"]));
    // Five rounds of two photos.
    assert_eq!(day.times.p99, Some(4.5));
    assert_eq!((day.counts.invocations, day.counts.billed_ms), (1, 4_500));
}

#[test]
fn one_photo_waits_for_the_scaler_and_a_cold_start() {
    let day = simulate(&at(&[601_000]), &with(TO_GPU));
    // In the lane at 602.9 s; the scaler runs at 660 s; placement 60 s, boot 300 s, networks 60 s; the photo takes 0.1 s and
    // its verdict 2 s more.
    assert_eq!(p50(&day), ms(660.0 + 420.0 + 0.1 + 2.0 - 601.0));
    assert_eq!(
        (day.counts.on_gpu, day.counts.starts, day.workers_most()),
        (1, 1, 1)
    );
    // The instance is paid for from 720 s. Its worker exits 120 s after the photo, and it is kept for 1,200 s more.
    assert_eq!(
        day.counts.spot_ms + day.counts.ondemand_ms,
        1_080_100 + 120_000 + 1_200_000 - 720_000
    );
}

#[test]
fn a_worker_takes_one_photo_after_the_other_at_its_rate() {
    let changes = [TO_GPU, &["gpu_rate=2", "gpu_latency_s=0"]].concat();
    let day = simulate(&at(&[601_000; 10]), &with(&changes));
    let first = 660.0 + 420.0 + 0.5 - 601.0;
    assert_eq!((p50(&day), ms(day.times.p99)), (ms(first + 2.0), ms(first + 4.5)));
    assert_eq!(day.usage.busy_hours * 3600.0, 5.0);
}

#[test]
fn the_second_burst_finds_an_instance_that_is_kept() {
    let day = simulate(&at(&[601_000, 1_321_000]), &with(TO_GPU));
    // The first worker exits at 1,200.1 s, the scaler starts the second one at 1,380 s on its instance: no boot.
    assert_eq!(p50(&day), ms(1_380.0 + 120.0 + 2.1 - 1_321.0));
    assert_eq!(day.counts.starts, 2);
}

#[test]
fn without_capacity_a_photo_comes_back_and_is_segmented_inline() {
    let mut scenario = at(&[601_000]);
    scenario.droughts.push(Drought::hours(0, HOURS));
    let day = simulate(&scenario, &with(TO_GPU));
    // Waited for since 660 s: given up after more than two cold starts, 840 s, at the scaler's run at 1,560 s; visible 20 s
    // later, then batch window, screening and segmentation.
    assert_eq!(p50(&day), ms(1_560.0 + 20.0 + 1.0 + 0.9 + 2.4 - 601.0));
    assert_eq!(
        (day.counts.taken_back, day.counts.inline, day.counts.on_gpu),
        (1, 1, 0)
    );
}

#[test]
fn a_closed_lane_takes_nothing() {
    let changes = [TO_GPU, &["workers_max=0"]].concat();
    let day = simulate(&at(&[601_000; 50]), &with(&changes));
    assert_eq!((day.counts.inline, day.counts.starts), (50, 0));
}

#[test]
fn workers_that_stay_are_there_all_day() {
    let changes = [TO_GPU, &["workers_min=1"]].concat();
    let day = simulate(&at(&[3_601_000]), &with(&changes));
    assert_eq!(p50(&day), ms(1.9 + 0.1 + 2.0));
    // Asked for at midnight, launched a minute later, and paid for until the day is over.
    assert!((23.9..24.2).contains(&day.gpu_hours()), "{}", day.gpu_hours());
}

#[test]
fn a_deadline_that_requests_name_keeps_photos_from_a_cold_lane() {
    let mut scenario = at(&[601_000]);
    scenario.deadline = Duration::from_secs(60);
    let late = simulate(&scenario, &with(TO_GPU));
    assert_eq!((late.missed, late.counts.on_gpu), (1, 1));
    scenario.deadline_in_requests = true;
    let met = simulate(&scenario, &with(TO_GPU));
    assert_eq!((met.missed, met.counts.inline), (0, 1));
}

#[test]
fn a_drought_takes_the_spot_instances_and_their_photos_are_not_lost() {
    let burst: Vec<u32> = (0..3_000).map(|n| 601_000 + n).collect();
    let mut scenario = at(&burst);
    scenario.droughts.push(Drought {
        from_ms: 1_090_000,
        to_ms: 9_000_000,
    });
    let day = simulate(&scenario, &with(&[TO_GPU, &["spot=1"]].concat()));
    assert!(
        day.counts.reclaimed > 0 && day.counts.on_gpu > 0 && day.counts.taken_back > 0,
        "{:?}",
        day.counts
    );
    assert_eq!((day.without_verdict, day.counts.settled), (0, 3_000));
}

#[test]
fn more_workers_drain_the_monday_backlog_no_later() {
    let scenario = Profile::MondayBacklog.scenario(None, 1).unwrap();
    let p99 = |workers: u32| {
        let changes = [
            format!("workers_max={workers}"),
            "inline_drain_s=0".to_owned(),
            "reclaims=0".to_owned(),
        ];
        let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
        simulate(&scenario, &with(&changes)).times.p99
    };
    let by_workers: Vec<_> = [1, 2, 4, 8, 14].map(p99).to_vec();
    assert!(
        by_workers.is_sorted_by(|fewer, more| fewer >= more),
        "{by_workers:?}"
    );
}

#[test]
fn ten_times_the_photos_cost_at_most_ten_times_as_much() {
    let parts = |profile: Profile| {
        let day = simulate(&profile.scenario(None, 1).unwrap(), &Assumptions::default());
        day.bill.parts
    };
    for (few, many) in parts(Profile::Evening)
        .into_iter()
        .zip(parts(Profile::Evening800k))
    {
        assert!(
            few.usd <= many.usd && many.usd <= 10.001 * few.usd,
            "{few:?} {many:?}"
        );
    }
}

/// Assumptions around the edges of what routing and scaling decide.
fn assumptions() -> impl Strategy<Value = Assumptions> {
    let small = (0u32..4, 0u32..4, 1u32..4, 1u32..3);
    (small, 0.0..=1.0f64, 0.0..40.0f64, 0.2..20.0f64, 0.0..3.0f64).prop_map(
        |((workers_max, workers_min, processes, jobs), suspects, drain, rate, reclaims)| {
            let mut assumptions = with(&[
                &format!("workers_max={workers_max}"),
                &format!("workers_min={workers_min}"),
                &format!("triage_processes={processes}"),
                &format!("triage_jobs={jobs}"),
            ]);
            assumptions.fleet.suspects = suspects;
            assumptions.deployment.inline_drain_s = drain;
            assumptions.fleet.gpu_rate = rate;
            assumptions.fleet.reclaims = reclaims;
            assumptions
        },
    )
}

fn arrivals() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec((0usize..1_440, 1u32..400), 1..6).prop_map(|bursts| {
        let mut minutes = vec![0; 1_440];
        bursts
            .into_iter()
            .for_each(|(minute, photos)| minutes[minute] += photos);
        minutes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_photo_is_lost_or_counted_twice(
        minutes in arrivals(),
        assumptions in assumptions(),
        from in 0u32..24,
        seed in any::<u64>(),
    ) {
        let scenario = Scenario {
            arrivals: Arrivals::by_minute(minutes).unwrap(),
            droughts: vec![Drought::hours(from, from + 1)],
            seed,
            ..at(&[0])
        };
        let day = simulate(&scenario, &assumptions);
        let counts = &day.counts;
        prop_assert_eq!(day.photos, scenario.arrivals.total());
        prop_assert_eq!(counts.settled + day.without_verdict, day.photos);
        prop_assert!(counts.inline + counts.gpu <= day.photos);
        prop_assert!(counts.on_gpu <= counts.gpu && counts.gpu <= counts.sent_to_lane);
        prop_assert!(counts.taken_back <= counts.sent_to_lane);
        prop_assert_eq!(counts.screenings, day.photos + counts.taken_back);
        prop_assert_eq!(day.without_verdict, 0, "two days are enough for these photos: {:?}", counts);
        prop_assert_eq!(day.hours.iter().map(|hour| hour.photos).sum::<u64>(), day.photos);
        prop_assert_eq!(day.hours.iter().map(|hour| hour.missed).sum::<u64>(), day.missed);
        let most = assumptions.deployment.workers_max as u32;
        for minute in &day.minutes {
            prop_assert!(minute.workers + minute.starting <= most);
            prop_assert!(minute.invocations <= assumptions.deployment.triage_processes as u32);
        }
        prop_assert!(day.times.p50 <= day.times.p95 && day.times.p95 <= day.times.p99);
        let least = assumptions.fleet.screening_s;
        prop_assert!(day.times.p50.is_some_and(|p50| p50 >= least));
        let total: f64 = day.bill.parts.iter().map(|part| part.usd).sum();
        prop_assert!((total - day.bill.total).abs() < 1e-9 && total > 0.0);
        prop_assert_eq!(simulate(&scenario, &assumptions), day, "the same input gives the same day");
    }
}

#[test]
fn a_profile_has_the_photos_that_it_names_or_those_that_are_asked_for() {
    let photos = |profile: Profile, photos| profile.scenario(photos, 3).unwrap().arrivals.total();
    let of_all = Profile::ALL.map(|profile| photos(profile, None));
    assert_eq!(of_all, [80_000, 800_000, 280_000, 280_000]);
    for profile in Profile::ALL {
        assert_eq!(photos(profile, Some(12_345)), 12_345);
        assert_eq!(Profile::parse(profile.as_str()), Some(profile));
        let too_many = profile.scenario(Some(u64::MAX / 1_000_000), 3).unwrap_err();
        assert!(
            too_many.to_string().ends_with("expected 1 to 4000000"),
            "{too_many}"
        );
    }
}

#[test]
fn a_drought_is_read_in_hours() {
    assert_eq!(Drought::parse("16-20"), Ok(Drought::hours(16, 20)));
    for text in ["", "16", "20-16", "16-16", "0-25", "-1-3", "a-b"] {
        let error = Drought::parse(text).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{text}: expected FROM-TO in hours of the day, as 16-20")
        );
    }
}
