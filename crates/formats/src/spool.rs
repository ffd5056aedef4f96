//! A photo on one line of a working file, between reading it from a stack and writing it in the formats: its regions as
//! run-length codes, as in the report.

use crate::annotation::{Annotation, Key, Photo, Region, polygon};
use crate::manifest::ManifestEntry;
use serde::{Deserialize, Serialize};
use walkaround_domain::{Point, Polygon, Size};
use walkaround_messages::RleDocument;
use walkaround_vision::rle;

#[derive(Serialize, Deserialize)]
struct Line {
    entry: ManifestEntry,
    annotations: Vec<AnnotationLine>,
}

/// An outline on a line, with its holes.
#[derive(Serialize, Deserialize)]
struct Outline {
    outer: Vec<[f32; 2]>,
    holes: Vec<Vec<[f32; 2]>>,
}

/// An annotation on a line.
#[derive(Serialize, Deserialize)]
struct AnnotationLine {
    key: String,
    class: String,
    rle: RleDocument,
    outlines: Vec<Outline>,
    drawn: bool,
    probability: Option<f32>,
    by_person: bool,
}

/// The line of a photo, without a line end.
pub fn line(photo: &Photo) -> String {
    let annotations = photo.annotations.iter().map(|it| AnnotationLine {
        key: it.key.to_string(),
        class: it.class.clone(),
        rle: RleDocument {
            size: [it.region.mask.size.height, it.region.mask.size.width],
            counts: rle::to_string(&it.region.mask),
        },
        outlines: it.region.outlines.iter().map(document).collect(),
        drawn: it.region.drawn,
        probability: it.probability,
        by_person: it.by_person,
    });
    let line = Line {
        entry: photo.entry.clone(),
        annotations: annotations.collect(),
    };
    // Plain fields always become text.
    serde_json::to_string(&line).unwrap_or_default()
}

/// Reads a line.
///
/// # Errors
/// A line that this program has not written.
pub fn parse(text: &str) -> Result<Photo, String> {
    let line: Line = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let annotations = line.annotations.into_iter().map(|it| {
        let [height, width] = it.rle.size;
        let mask = rle::from_string(Size::new(width, height), &it.rle.counts).map_err(|e| e.to_string())?;
        Ok(Annotation {
            key: Key::parse(&it.key).ok_or_else(|| format!("`{}` is no key", it.key))?,
            class: it.class,
            region: Region {
                mask,
                outlines: it
                    .outlines
                    .iter()
                    .map(|outline| polygon(&outline.outer, &outline.holes))
                    .collect(),
                drawn: it.drawn,
            },
            probability: it.probability,
            by_person: it.by_person,
        })
    });
    Ok(Photo {
        entry: line.entry,
        annotations: annotations.collect::<Result<_, String>>()?,
    })
}

fn document(polygon: &Polygon) -> Outline {
    let ring = |points: &[Point]| points.iter().map(|p| [p.x, p.y]).collect();
    Outline {
        outer: ring(&polygon.outer),
        holes: polygon.holes.iter().map(|hole| ring(hole)).collect(),
    }
}
