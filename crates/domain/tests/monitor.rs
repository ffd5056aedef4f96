//! What has changed is found within 1,000 photos, and what has not raises no alarm in 30 days.

use fastrand::Rng;
use proptest::prelude::*;
use std::collections::BTreeMap;
use walkaround_domain::monitor::{
    Figure, FigureState, Figures, RECENT_PHOTOS_MIN, Recent, Reference, ReferenceWindow, judge,
};
use walkaround_domain::{
    BundleId, FindingSummary, Inspection, InspectionId, InspectionRequest, Outcome, Phase, PhotoQuality,
    PhotoRef, PixelBox, Size, Timestamp, Verdict,
};

fn is(random: &mut Rng, probability: f64) -> bool {
    random.f64() < probability
}

/// About normal, mean 0 and deviation 1.
fn normal(random: &mut Rng) -> f64 {
    (0..12).map(|_| random.f64()).sum::<f64>() - 6.0
}

fn pick<T: Copy>(random: &mut Rng, of: &[(T, f64)]) -> T {
    let mut at = random.f64();
    for (value, share) in of {
        at -= share;
        if at < 0.0 {
            return *value;
        }
    }
    of[0].0
}

/// What is planted.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    Nothing,
    Blur,
    Darkness,
    Camera,
    Source,
    ClassGone,
    GateShift,
}

/// Photos of one vehicle: same light, same camera.
const OF_VEHICLE: u64 = 8;
const CAMERAS: [((u32, u32), f64); 3] = [((4032, 3024), 0.6), ((4000, 3000), 0.3), ((1920, 1080), 0.1)];
const SOURCES: [(&str, f64); 3] = [("app", 0.7), ("kiosk", 0.25), ("partner", 0.05)];

struct Vehicle {
    light: f64,
    camera: (u32, u32),
    source: &'static str,
}

/// A vehicle at an hour: noon is lighter than midnight.
fn vehicle(random: &mut Rng, hour: u64) -> Vehicle {
    let sun = ((hour % 24) as f64 / 24.0 * std::f64::consts::TAU).cos();
    Vehicle {
        light: 125.0 - 12.0 * sun + 18.0 * normal(random),
        camera: pick(random, &CAMERAS),
        source: pick(random, &SOURCES),
    }
}

fn finding(class: &str) -> FindingSummary {
    FindingSummary {
        class: class.to_owned(),
        probability: 0.8,
        area_px: 100,
        area_share: 0.001,
        bbox: PixelBox {
            x: 0,
            y: 0,
            width: 10,
            height: 10,
        },
    }
}

fn photo(random: &mut Rng, vehicle: &Vehicle, change: Change) -> Inspection {
    let mut findings = Vec::new();
    if is(random, 0.25) {
        let count = pick(random, &[(1, 0.7), (2, 0.2), (3, 0.1)]);
        for _ in 0..count {
            let class = pick(random, &[("scratch", 0.55), ("dent", 0.3), ("rim", 0.15)]);
            if class != "dent" || change != Change::ClassGone {
                findings.push(finding(class));
            }
        }
    }
    let (mut luma, mut sharpness) = (
        vehicle.light + 6.0 * normal(random),
        (6.0 + 0.6 * normal(random)).exp(),
    );
    let (mut camera, mut source) = (vehicle.camera, vehicle.source);
    let mut gate = if findings.is_empty() {
        random.f64().powi(3)
    } else {
        1.0 - 0.5 * random.f64().powi(2)
    };
    match change {
        Change::Nothing | Change::ClassGone => {}
        Change::Blur => sharpness *= 0.25,
        Change::Darkness => luma *= 0.6,
        Change::Camera => camera = (3840, 2160),
        Change::Source => source = "new-app",
        Change::GateShift => gate *= 0.6,
    }
    let mut request = InspectionRequest::of(
        InspectionId::new("i-1").expect("an id"),
        PhotoRef::File("i".to_owned()),
    );
    request.labels = BTreeMap::from([("source".to_owned(), source.to_owned())]);
    let verdict = if findings.is_empty() {
        Verdict::Clean
    } else {
        Verdict::Damaged
    };
    let outcome = Outcome {
        size: Some(Size::new(camera.0, camera.1)),
        quality: Some(PhotoQuality {
            sharpness: sharpness as f32,
            luma_mean: luma.clamp(0.0, 255.0) as f32,
        }),
        gate: Some(gate as f32),
        findings,
        bundle: BundleId::new("demo", "1"),
        ..Outcome::default()
    };
    Inspection {
        phase: Phase::Done { verdict },
        outcome: Some(outcome),
        ..Inspection::accepted(request, Timestamp(0))
    }
}

fn window(random: &mut Rng, hour: u64, photos: u64, change: Change) -> Figures {
    let mut figures = Figures::default();
    let mut of = vehicle(random, hour);
    for number in 0..photos {
        if number % OF_VEHICLE == 0 {
            of = vehicle(random, hour);
        }
        figures.add(&photo(random, &of, change), "source");
    }
    figures
}

/// The reference of a fleet with so many photos an hour, and the hour after it.
fn reference(random: &mut Rng, an_hour: u64, photos_min: u64) -> (Reference, u64) {
    let mut windows = Vec::new();
    for hour in 480_000.. {
        let figures = window(random, hour, an_hour, Change::Nothing);
        windows.push(ReferenceWindow { hour, figures });
        if let Some(reference) = Reference::of(&windows, photos_min) {
            return (reference, hour + 1);
        }
    }
    unreachable!("enough photos come in the end");
}

fn drifted(reference: &Reference, recent: &Recent) -> Vec<Figure> {
    let shifts = judge(reference, recent);
    let drift = shifts.iter().filter(|s| s.state == FigureState::Drift);
    drift.map(|s| s.figure).collect()
}

fn one_hour(hour: u64, figures: Figures) -> Recent {
    Recent {
        figures,
        hours: vec![hour],
    }
}

#[test]
fn thirty_quiet_days_raise_at_most_one_alarm() {
    for (an_hour, seeds) in [(40, 4), (200, 3), (1000, 1)] {
        for seed in 0..seeds {
            let random = &mut Rng::with_seed(1000 * an_hour + seed);
            let (reference, first) = reference(random, an_hour, 2000);
            let (mut windows, mut alarms, mut alarmed) = (Vec::new(), Vec::new(), Vec::new());
            for hour in first..first + 30 * 24 {
                let figures = window(random, hour, an_hour, Change::Nothing);
                windows.push(ReferenceWindow { hour, figures });
                let recent = Recent::of(&windows);
                let found = if recent.figures.photos >= RECENT_PHOTOS_MIN {
                    drifted(&reference, &recent)
                } else {
                    Vec::new()
                };
                alarms.extend(found.iter().filter(|figure| !alarmed.contains(*figure)).copied());
                alarmed = found;
            }
            assert!(alarms.len() <= 1, "{an_hour} an hour, seed {seed}: {alarms:?}");
        }
    }
}

#[test]
fn a_change_is_found_within_1000_photos() {
    let planted = [
        (Change::Blur, Figure::Sharpness),
        (Change::Darkness, Figure::Luma),
        (Change::Camera, Figure::Size),
        (Change::Source, Figure::Source),
        (Change::ClassGone, Figure::Class),
        (Change::GateShift, Figure::Gate),
    ];
    for (an_hour, seeds) in [(50, 4), (250, 3), (1000, 1)] {
        for seed in 0..seeds {
            let random = &mut Rng::with_seed(77 * seed + an_hour);
            let (reference, first) = reference(random, an_hour, 2000);
            let quiet: Vec<ReferenceWindow> = (first..first + 24)
                .map(|hour| ReferenceWindow {
                    hour,
                    figures: window(random, hour, an_hour, Change::Nothing),
                })
                .collect();
            for (change, figure) in planted {
                let mut windows = quiet.clone();
                let found = (0..1000 / an_hour).any(|step| {
                    let hour = first + 24 + step;
                    let figures = window(random, hour, an_hour, change);
                    windows.push(ReferenceWindow { hour, figures });
                    drifted(&reference, &Recent::of(&windows)).contains(&figure)
                });
                assert!(found, "{change:?}, {an_hour} an hour, seed {seed}");
            }
        }
    }
}

#[test]
fn the_latest_hours_are_few_or_a_day() {
    let hours = |an_hour: u64, windows: u64| {
        let figures = Figures {
            photos: an_hour,
            ..Figures::default()
        };
        let all: Vec<ReferenceWindow> = (0..windows)
            .map(|hour| ReferenceWindow {
                hour,
                figures: figures.clone(),
            })
            .collect();
        Recent::of(&all).hours.len()
    };
    assert_eq!([hours(600, 99), hours(200, 99), hours(90, 99)], [1, 3, 6]);
    assert_eq!([hours(80, 99), hours(50, 99), hours(21, 99)], [24, 24, 24]);
    assert_eq!(
        [hours(10, 99), hours(10, 9), hours(80, 8), hours(0, 0)],
        [50, 9, 8, 0]
    );
}

/// An hour of a large fleet in which the change is in some of the photos only.
#[test]
fn a_change_of_1000_photos_among_3333_is_found() {
    for (change, figure) in [
        (Change::Blur, Figure::Sharpness),
        (Change::Darkness, Figure::Luma),
        (Change::Camera, Figure::Size),
    ] {
        let random = &mut Rng::with_seed(5);
        let (reference, first) = reference(random, 3333, 2000);
        let mut now = window(random, first, 2333, Change::Nothing);
        now.merge(&window(random, first, 1000, change));
        assert!(
            drifted(&reference, &one_hour(first, now)).contains(&figure),
            "{change:?}"
        );
    }
}

#[test]
fn a_small_sample_is_no_drift_and_too_small_a_one_says_so() {
    let random = &mut Rng::with_seed(3);
    let (reference, first) = reference(random, 200, 2000);
    let now = one_hour(first, window(random, first, 300, Change::Nothing));
    let shifts = judge(&reference, &now);
    let luma = shifts.iter().find(|s| s.figure == Figure::Luma).unwrap();
    assert_eq!(luma.state, FigureState::Steady);
    assert!(luma.psi > 0.0 && luma.chance > 0.02, "{luma:?}");
    let few = judge(
        &reference,
        &one_hour(first, window(random, first, 60, Change::Nothing)),
    );
    assert!(few.iter().all(|s| s.state == FigureState::TooFew), "{few:?}");
}

#[test]
fn a_reference_takes_a_day_and_the_photos_it_needs() {
    let random = &mut Rng::with_seed(9);
    let mut windows: Vec<ReferenceWindow> = (0..23)
        .map(|hour| ReferenceWindow {
            hour,
            figures: window(random, hour, 200, Change::Nothing),
        })
        .collect();
    assert_eq!(Reference::of(&windows, 2000), None, "23 hours");
    windows.push(ReferenceWindow {
        hour: 30,
        figures: window(random, 30, 10, Change::Nothing),
    });
    let reference = Reference::of(&windows, 2000).expect("a day and 4,610 photos");
    assert_eq!((reference.from, reference.to), (0, 30));
    assert_eq!(reference.whole().photos, 4610);
    assert_eq!(Reference::of(&windows, 5000), None, "too few photos");
    windows.push(ReferenceWindow {
        hour: 31,
        figures: window(random, 31, 10, Change::Blur),
    });
    assert_eq!(
        Reference::of(&windows, 2000),
        Some(reference),
        "what comes later is not taken"
    );
}

proptest! {
    /// The sum of two windows is the window of both.
    #[test]
    fn windows_add_up(seed in any::<u64>(), photos in 1_u64..80, cut in 0_u64..80) {
        let random = &mut Rng::with_seed(seed);
        let (mut whole, mut left, mut right) = (Figures::default(), Figures::default(), Figures::default());
        let of = vehicle(random, 12);
        for number in 0..photos {
            let photo = photo(random, &of, Change::Nothing);
            whole.add(&photo, "source");
            let half = if number < cut { &mut left } else { &mut right };
            half.add(&photo, "source");
        }
        left.merge(&right);
        prop_assert_eq!(&left, &whole);
        for (figure, histogram) in &whole.histograms {
            if !matches!(figure, Figure::Class) {
                prop_assert_eq!(histogram.total(), photos, "{:?}", figure);
            }
        }
    }
}
