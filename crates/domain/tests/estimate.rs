//! Ratios from what was drawn: intervals that cover the truth as often as they say, and plain ones that do not.

use fastrand::Rng;
use proptest::prelude::*;
use walkaround_domain::estimate::{Estimate, RatioSums, Stratum, UNITS_MIN, ratio};

const WORLDS: u64 = 100;
const PHOTOS: u64 = 50_000;

fn is(random: &mut Rng, probability: f64) -> bool {
    random.f64() < probability
}

/// One photo, with what the model found and what is true.
#[derive(Default, Clone, Copy)]
struct Photo {
    right: f64,
    wrong: f64,
    missed: f64,
    near: bool,
}

/// How a fleet is reviewed.
struct Fleet {
    audit_share: f64,
    /// Shares of the drawn photos that have a review by now.
    reviewed_near: f64,
    reviewed_audit: f64,
}

fn photo(random: &mut Rng) -> Photo {
    let mut photo = Photo::default();
    let damages = match random.f64() {
        u if u < 0.84 => 0,
        u if u < 0.95 => 1,
        _ => 2,
    };
    for _ in 0..damages {
        if is(random, 0.82) {
            photo.right += 1.0;
            photo.near |= is(random, 0.2);
        } else {
            photo.missed += 1.0;
            photo.near |= is(random, 0.3);
        }
    }
    if is(random, 0.05) {
        photo.wrong += 1.0;
        photo.near |= is(random, 0.6);
    }
    photo
}

/// The sums of one ratio: the truth, the strata as reviewed, and what a plain ratio of the reviewed photos takes.
struct Seen {
    truth: f64,
    strata: [Stratum; 2],
    plain: RatioSums,
}

fn world(seed: u64, fleet: &Fleet, part: fn(&Photo) -> (f64, f64)) -> Seen {
    let random = &mut Rng::with_seed(seed);
    let empty = |inclusion| Stratum {
        inclusion,
        drawn: 0,
        observed: 0,
        sums: RatioSums::default(),
    };
    let mut strata = [empty(1.0), empty(fleet.audit_share)];
    let (mut all, mut plain) = (RatioSums::default(), RatioSums::default());
    for _ in 0..PHOTOS {
        let photo = photo(random);
        let (y, x) = part(&photo);
        all.add(y, x);
        let audited = is(random, fleet.audit_share);
        if !photo.near && !audited {
            continue;
        }
        let (stratum, reviewed) = if photo.near {
            (&mut strata[0], fleet.reviewed_near)
        } else {
            (&mut strata[1], fleet.reviewed_audit)
        };
        stratum.drawn += 1;
        if is(random, reviewed) {
            stratum.observed += 1;
            stratum.sums.add(y, x);
            plain.add(y, x);
        }
    }
    Seen {
        truth: all.y / all.x,
        strata,
        plain,
    }
}

fn precision(photo: &Photo) -> (f64, f64) {
    (photo.right, photo.right + photo.wrong)
}

fn recall(photo: &Photo) -> (f64, f64) {
    (photo.right, photo.right + photo.missed)
}

fn covers(estimate: Estimate, truth: f64) -> bool {
    let Estimate::Known(interval) = estimate else {
        panic!("enough photos are reviewed: {estimate:?}");
    };
    (interval.low..=interval.high).contains(&truth)
}

/// In how many of the worlds the weighted and the plain interval cover the truth.
fn coverage(fleet: &Fleet, part: fn(&Photo) -> (f64, f64)) -> (usize, usize) {
    let (mut weighted, mut plain) = (0, 0);
    for seed in 0..WORLDS {
        let seen = world(seed * 7919 + 1, fleet, part);
        weighted += usize::from(covers(ratio(&seen.strata, PHOTOS), seen.truth));
        let observed = seen.strata.iter().map(|s| s.observed).sum();
        let alike = Stratum {
            inclusion: observed as f64 / PHOTOS as f64,
            drawn: observed,
            observed,
            sums: seen.plain,
        };
        plain += usize::from(covers(ratio(&[alike], PHOTOS), seen.truth));
    }
    (weighted, plain)
}

#[test]
fn intervals_cover_the_truth_as_often_as_they_say_and_plain_ones_do_not() {
    let fleets = [
        ("all reviewed", 0.02, 1.0, 1.0),
        ("half of the audit reviewed", 0.04, 0.9, 0.5),
        ("a small audit", 0.01, 1.0, 0.9),
    ];
    let (mut all, mut tried) = (0, 0);
    for (name, audit_share, reviewed_near, reviewed_audit) in fleets {
        let fleet = Fleet {
            audit_share,
            reviewed_near,
            reviewed_audit,
        };
        for (what, part) in [
            ("precision", precision as fn(&Photo) -> (f64, f64)),
            ("recall", recall),
        ] {
            let (weighted, plain) = coverage(&fleet, part);
            println!("{name}, {what}: weighted {weighted}, plain {plain} of {WORLDS}");
            // Of 100 worlds, 95 are 95 give or take two or three.
            assert!(
                (90..=99).contains(&weighted),
                "{name}, {what}: {weighted} of {WORLDS}"
            );
            all += weighted;
            tried += WORLDS as usize;
            assert!(
                plain < 50,
                "{name}, {what}: plain ones cover in {plain} of {WORLDS}"
            );
        }
    }
    let share = all as f64 / tried as f64;
    assert!((0.93..=0.97).contains(&share), "{all} of {tried}");
}

#[test]
fn too_few_units_give_no_interval() {
    let mut sums = RatioSums::default();
    for _ in 1..UNITS_MIN {
        sums.add(1.0, 1.0);
    }
    let stratum = Stratum {
        inclusion: 0.01,
        drawn: 500,
        observed: 500,
        sums,
    };
    let few = Estimate::TooFew { units: UNITS_MIN - 1 };
    assert_eq!(ratio(&[stratum], 50_000), few);
}

/// Photos that were looked at because something called for it say nothing of those that nothing called for.
#[test]
fn what_could_not_be_drawn_is_not_known() {
    let mut sums = RatioSums::default();
    for _ in 0..100 {
        sums.add(1.0, 1.0);
    }
    let certain = Stratum {
        inclusion: 1.0,
        drawn: 100,
        observed: 100,
        sums,
    };
    assert_eq!(ratio(&[certain], 5000), Estimate::TooFew { units: 100 });
    let Estimate::Known(whole) = ratio(&[certain], 100) else {
        panic!("all of it is observed");
    };
    assert_eq!((whole.low, whole.value, whole.high), (1.0, 1.0, 1.0));
}

/// People decide urgent tasks first: until they come to the random share, photos that nothing called for are not known.
#[test]
fn what_was_drawn_and_not_yet_looked_at_is_not_known() {
    let mut sums = RatioSums::default();
    for _ in 0..50 {
        sums.add(1.0, 1.0);
    }
    let urgent = Stratum {
        inclusion: 1.0,
        drawn: 100,
        observed: 50,
        sums,
    };
    let waiting = |inclusion| Stratum {
        inclusion,
        drawn: 30,
        observed: 0,
        sums: RatioSums::default(),
    };
    assert_eq!(
        ratio(&[urgent, waiting(0.01)], 3100),
        Estimate::TooFew { units: 50 }
    );
    // Those of another reason that were drawn as surely are like the ones that were seen.
    let together = Stratum { drawn: 130, ..urgent };
    assert_eq!(ratio(&[urgent, waiting(1.0)], 130), ratio(&[together], 130));
}

/// A sample without one miss does not mean that there is none.
#[test]
fn an_interval_has_a_width_where_the_sample_has_no_spread() {
    let mut sums = RatioSums::default();
    for _ in 0..30 {
        sums.add(1.0, 1.0);
    }
    let drawn = Stratum {
        inclusion: 0.01,
        drawn: 400,
        observed: 400,
        sums,
    };
    let Estimate::Known(found) = ratio(&[drawn], 40_000) else {
        panic!("30 units are enough");
    };
    assert_eq!(found.value, 1.0);
    assert!((0.85..0.92).contains(&found.low), "{found:?}");
}

proptest! {
    /// The same for units one by one, and in two heaps; the interval has the ratio in it.
    #[test]
    fn heaps_add_up(units in prop::collection::vec((0_u8..4, 0_u8..3), 60..200), cut in 0_usize..60) {
        let heap = |units: &[(u8, u8)]| {
            let mut sums = RatioSums::default();
            for (y, more) in units {
                sums.add(f64::from(*y), f64::from(*y + *more));
            }
            sums
        };
        let whole = heap(&units);
        let mut merged = heap(&units[..cut]);
        merged.merge(&heap(&units[cut..]));
        prop_assert_eq!(whole, merged);
        let drawn = units.len() as u64;
        let stratum = Stratum { inclusion: 0.25, drawn, observed: drawn, sums: whole };
        if let Estimate::Known(found) = ratio(&[stratum], drawn * 4) {
            prop_assert!(0.0 <= found.low && found.low <= found.value);
            prop_assert!(found.value <= found.high && found.high <= 1.0);
        }
    }
}
