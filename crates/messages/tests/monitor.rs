//! Documents of the monitor read back as they were written.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use walkaround_domain::estimate::RatioSums;
use walkaround_domain::monitor::{
    Figure, Figures, Histogram, Judged, JudgedStratum, Measure, Reference, StratumKey,
};
use walkaround_domain::{BundleId, TaskReason, Timestamp};
use walkaround_messages::monitor::{
    Cell, DayProgress, ModelDocument, ModelState, MonitorWindow, Progress, hour_of, hour_start, hour_text,
    model_body, monitor_window_body, parse_model, parse_monitor_window, parse_progress, parse_reference,
    progress_body, reference_body,
};

fn figure() -> impl Strategy<Value = Figure> {
    proptest::sample::select(&Figure::ALL[..])
}

fn figures() -> impl Strategy<Value = Figures> {
    let histogram = btree_map("[a-z0-9 ]{1,12}", 1_u64..1_000_000, 1..20).prop_map(Histogram::new);
    (any::<u32>(), any::<u32>(), btree_map(figure(), histogram, 0..8)).prop_map(
        |(photos, failed, histograms)| Figures {
            photos: u64::from(photos),
            failed: u64::from(failed),
            histograms,
        },
    )
}

fn measure() -> impl Strategy<Value = Measure> {
    prop_oneof![
        Just(Measure::VerdictPrecision),
        Just(Measure::VerdictRecall),
        "[a-z.]{1,12}".prop_map(Measure::Precision),
        "[a-z.]{1,12}".prop_map(Measure::Recall),
    ]
}

fn sums() -> impl Strategy<Value = RatioSums> {
    (0_u64..1000, vec(0.0_f64..1e6, 5)).prop_map(|(units, v)| RatioSums {
        units,
        y: v[0],
        x: v[1],
        yy: v[2],
        xy: v[3],
        xx: v[4],
    })
}

fn judged() -> impl Strategy<Value = Judged> {
    let key = (1_u32..=1_000_000, proptest::sample::select(&TaskReason::ALL[..])).prop_map(
        |(inclusion_ppm, reason)| StratumKey {
            inclusion_ppm,
            reason,
        },
    );
    let stratum = (any::<u32>(), any::<u32>(), btree_map(measure(), sums(), 0..5)).prop_map(
        |(drawn, observed, sums)| JudgedStratum {
            drawn: u64::from(drawn),
            observed: u64::from(observed),
            sums,
        },
    );
    btree_map(key, stratum, 0..4).prop_map(|strata| Judged { strata })
}

fn cell() -> impl Strategy<Value = Cell> {
    ("20[0-9]{2}-0[1-9]-0[1-9]", "[a-z]{1,9}", figures(), judged()).prop_map(
        |(day, bundle, figures, judged)| Cell {
            day,
            bundle: BundleId::new(bundle, "3"),
            figures,
            judged,
        },
    )
}

proptest! {
    #[test]
    fn windows_read_back(hour in 0_u64..1_000_000, cells in vec(cell(), 0..3)) {
        let window = MonitorWindow { hour, cells };
        prop_assert_eq!(parse_monitor_window(&monitor_window_body(&window)).unwrap(), window);
    }

    #[test]
    fn references_read_back(
        from in 0_u64..1_000_000,
        by_hour in btree_map(0_u8..24, figures(), 0..4),
        dispersion in btree_map(figure(), 1.0_f64..100.0, 0..8),
    ) {
        let reference = Reference { from, to: from + 24, by_hour, dispersion };
        let body = reference_body(&BundleId::new("demo", "3"), &reference);
        prop_assert_eq!(parse_reference(&body).unwrap(), reference);
    }

    #[test]
    fn progress_reads_back(days in btree_map("20[0-9]{2}-0[1-9]-0[1-9]", (any::<u32>(), any::<u32>()), 0..9)) {
        let day = |(day, (at, open)): (String, (u32, u32))| {
            let hours = BTreeSet::from([u64::from(at) / 3_600_000, 7]);
            (day, DayProgress { listed_at: Timestamp(u64::from(at)), open: u64::from(open), hours })
        };
        let progress = Progress { days: days.into_iter().map(day).collect::<BTreeMap<_, _>>() };
        prop_assert_eq!(parse_progress(&progress_body(&progress)).unwrap(), progress);
    }

    #[test]
    fn hours_are_utc(hour in 0_u64..1_000_000) {
        prop_assert_eq!(hour_of(hour_start(hour)), hour);
        prop_assert_eq!(hour_text(hour).len(), 13);
    }
}

#[test]
fn a_pass_reads_back_and_another_version_is_refused() {
    let model = ModelDocument {
        state: ModelState::Drift,
        ..ModelDocument::empty(2000)
    };
    assert_eq!(parse_model(&model_body(&model)).unwrap(), model);
    assert!(parse_model(r#"{"version": 2, "state": "steady", "reference_photos": 1}"#).is_err());
    assert!(parse_monitor_window(r#"{"version": 1, "hour": "noon", "cells": []}"#).is_err());
    assert_eq!(hour_text(498_713), "2026-11-22T17");
}

/// A full window stays far below what a state store takes, and so does a reference without its hours.
#[test]
fn full_documents_are_small() {
    let full = |figure: Figure| {
        let (bins, width) = if figure.is_ordered() { (41, 2) } else { (17, 32) };
        Histogram::new((0..bins).map(|bin| (format!("{bin:0>width$}"), 1_000_000)))
    };
    let figures = Figures {
        photos: 10_000_000,
        failed: 1_000_000,
        histograms: Figure::ALL
            .into_iter()
            .map(|figure| (figure, full(figure)))
            .collect(),
    };
    let by_hour = (0..24).map(|hour| (hour, figures.clone())).collect();
    let reference = Reference {
        by_hour,
        ..Reference::default()
    };
    let window = MonitorWindow {
        hour: 1,
        cells: vec![Cell {
            figures,
            ..Cell::default()
        }],
    };
    let window = monitor_window_body(&window).len();
    let reference = reference_body(&BundleId::new("demo", "3"), &reference.without_hours()).len();
    assert!(window < 8 << 10, "{window} bytes");
    assert!(reference < 8 << 10, "{reference} bytes");
}
