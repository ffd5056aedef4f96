//! Drawn photos through the real quality measures: those that are blurred or dark are found, the others are not.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

use image::RgbImage;
use walkaround_domain::monitor::{Figure, FigureState, Figures, Recent, Reference, ReferenceWindow, judge};
use walkaround_domain::{
    Inspection, InspectionId, InspectionRequest, Outcome, Phase, PhotoQuality, PhotoRef, Timestamp, Verdict,
};
use walkaround_samples::sample_set;
use walkaround_vision::quality::measure;

/// Small: drawing takes long.
const SIZE: (u32, u32) = (320, 240);
/// Hours of the reference, and photos of each.
const HOURS: u32 = 24;
const AN_HOUR: u32 = 12;
/// Photos that are compared with it.
const NOW: u32 = 110;
/// In pixels.
const BLUR: f32 = 2.0;

fn inspected(pixels: &RgbImage) -> Inspection {
    let quality = measure(pixels);
    let request = InspectionRequest::of(InspectionId::new("i-1").unwrap(), PhotoRef::File("i".to_owned()));
    Inspection {
        phase: Phase::Done {
            verdict: Verdict::Clean,
        },
        outcome: Some(Outcome {
            quality: Some(PhotoQuality {
                sharpness: quality.sharpness,
                luma_mean: quality.luma_mean,
            }),
            ..Outcome::default()
        }),
        ..Inspection::accepted(request, Timestamp(0))
    }
}

fn figures<'a>(photos: impl IntoIterator<Item = &'a RgbImage>, change: fn(&RgbImage) -> RgbImage) -> Figures {
    let mut figures = Figures::default();
    for photo in photos {
        figures.add(&inspected(&change(photo)), "source");
    }
    figures
}

/// These photos, of more hours than any time of day has.
fn recent(photos: &[RgbImage], change: fn(&RgbImage) -> RgbImage) -> Recent {
    Recent {
        figures: figures(photos, change),
        hours: (0..24).collect(),
    }
}

fn darker(photo: &RgbImage) -> RgbImage {
    let mut dark = photo.clone();
    for value in dark.iter_mut() {
        *value /= 2;
    }
    dark
}

#[test]
fn blurred_and_dark_drawn_photos_are_found_and_others_are_not() {
    let photos: Vec<RgbImage> = sample_set(11, HOURS * AN_HOUR + NOW, SIZE)
        .map(|(_, sample)| sample.picture)
        .collect();
    let (first, now) = photos.split_at((HOURS * AN_HOUR) as usize);
    let windows: Vec<ReferenceWindow> = first
        .chunks(AN_HOUR as usize)
        .zip(0..)
        .map(|(photos, hour)| ReferenceWindow {
            hour,
            figures: figures(photos, RgbImage::clone),
        })
        .collect();
    let reference = Reference::of(&windows, 280).unwrap();
    let drift = |change| {
        let shifts = judge(&reference, &recent(now, change));
        let drift = shifts.iter().filter(|s| s.state == FigureState::Drift);
        drift.map(|s| s.figure).collect::<Vec<_>>()
    };
    assert_eq!(drift(RgbImage::clone), []);
    assert!(drift(|photo| image::imageops::blur(photo, BLUR)).contains(&Figure::Sharpness));
    assert!(drift(darker).contains(&Figure::Luma));
}
