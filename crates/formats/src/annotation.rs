//! What is annotated on a photo: the report of the machine as people have corrected it.

use crate::manifest::ManifestEntry;
use std::fmt;
use walkaround_domain::review::{Correction, FindingsDecision, Judgement};
use walkaround_domain::{PixelBox, Point, Polygon, Rle, Size};
use walkaround_messages::{FindingDocument, PhotoReport};
use walkaround_vision::rle;

/// Where an annotation comes from. Its text is `f3` for the finding at place 3 of the report, `a0` for the first one that a
/// person added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The finding at this place of the report, from 0.
    Finding(u32),
    /// What the decision that counts adds at this place.
    Added(u32),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finding(place) => write!(f, "f{place}"),
            Self::Added(place) => write!(f, "a{place}"),
        }
    }
}

impl Key {
    /// The key that a text names.
    pub fn parse(text: &str) -> Option<Self> {
        let place = |rest: &str| rest.parse().ok();
        match text.as_bytes().first()? {
            b'f' => place(&text[1..]).map(Self::Finding),
            b'a' => place(&text[1..]).map(Self::Added),
            _ => None,
        }
    }
}

/// A region of a photo, in pixels of the upright original.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// Its pixels. Of a box without an outline, those of the box.
    pub mask: Rle,
    /// Outlines with their holes; none where there is a box only.
    pub outlines: Vec<Polygon>,
    /// Whether the outlines are exact, because a person drew them; else they are simplified and the mask counts.
    pub drawn: bool,
}

impl Region {
    /// What a person drew.
    ///
    /// # Errors
    /// Outlines that cannot be rasterised, in one line.
    pub fn drawn(size: Size, outlines: Vec<Polygon>) -> Result<Self, Unusable> {
        let mask = rle::from_outlines(size, &outlines).map_err(|e| Unusable(e.to_string()))?;
        Ok(Self {
            mask,
            outlines,
            drawn: true,
        })
    }

    /// Whether there is a box and no outline.
    pub const fn is_box(&self) -> bool {
        self.outlines.is_empty()
    }

    /// The smallest box around it; none where it covers no pixel.
    pub fn bounding_box(&self) -> Option<PixelBox> {
        rle::bounding_box(&self.mask).ok().flatten()
    }
}

/// One annotated region.
#[derive(Debug, Clone, PartialEq)]
pub struct Annotation {
    /// Where it comes from.
    pub key: Key,
    /// Damage class.
    pub class: String,
    /// Where it is.
    pub region: Region,
    /// What the machine gave it, where the machine found it.
    pub probability: Option<f32>,
    /// Whether a person gave it its class or its outline.
    pub by_person: bool,
}

/// A photo of a data set.
#[derive(Debug, Clone, PartialEq)]
pub struct Photo {
    /// Its line in the manifest: file, size, split, and who says so.
    pub entry: ManifestEntry,
    /// What is on it.
    pub annotations: Vec<Annotation>,
}

impl Photo {
    /// Its size in pixels.
    pub fn size(&self) -> Size {
        Size::new(self.entry.width.unwrap_or(0), self.entry.height.unwrap_or(0))
    }

    /// The name of its file, without a folder.
    pub fn file_name(&self) -> &str {
        let file = self.entry.file.as_deref().unwrap_or_default();
        file.rsplit('/').next().unwrap_or_default()
    }
}

/// A report that cannot be used, in one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub String);

/// What a report comes to under what people decided about it. On a photo that cannot be judged there is nothing.
///
/// # Errors
/// A report without a size, or whose codes cannot be read; one line.
pub fn annotations(report: &PhotoReport, judgement: &Judgement) -> Result<Vec<Annotation>, Unusable> {
    let size = size(report)?;
    let none = FindingsDecision::default();
    let decision = match judgement {
        Judgement::Unusable(_) => return Ok(Vec::new()),
        Judgement::Unreviewed | Judgement::Confirmed => &none,
        Judgement::Corrected(decision) => decision,
    };
    let mut all = Vec::new();
    for (place, finding) in (0..).zip(&report.findings) {
        let correction = decision.findings.get(&place);
        if let Some(standing) = standing(Key::Finding(place), finding, correction, size)? {
            all.push(standing);
        }
    }
    for (place, added) in (0..).zip(&decision.added) {
        all.push(Annotation {
            key: Key::Added(place),
            class: added.class.clone(),
            region: Region::drawn(size, added.polygons.clone())?,
            probability: None,
            by_person: true,
        });
    }
    Ok(all)
}

fn size(report: &PhotoReport) -> Result<Size, Unusable> {
    let size = report.width.zip(report.height);
    let size = size.map(|(width, height)| Size::new(width, height));
    size.ok_or_else(|| Unusable("the report has no size: the photo cannot be decoded".to_owned()))
}

/// A finding under its correction; none where it is no damage.
fn standing(
    key: Key,
    finding: &FindingDocument,
    correction: Option<&Correction>,
    size: Size,
) -> Result<Option<Annotation>, Unusable> {
    let found = || -> Result<Region, Unusable> {
        Ok(Region {
            mask: rle::from_string(size, &finding.rle.counts)
                .map_err(|e| Unusable(format!("finding {key} of the report: {e}")))?,
            outlines: finding
                .polygons
                .iter()
                .map(|outline| polygon(&outline.outer, &outline.holes))
                .collect(),
            drawn: false,
        })
    };
    let (class, region) = match correction {
        Some(Correction::Reject(_)) => return Ok(None),
        None | Some(Correction::Accept) => (&finding.class, found()?),
        Some(Correction::Reclassify(class)) => (class, found()?),
        Some(Correction::Reshape(outlines)) => (&finding.class, Region::drawn(size, outlines.clone())?),
    };
    Ok(Some(Annotation {
        key,
        class: class.clone(),
        region,
        probability: Some(finding.probability),
        by_person: matches!(
            correction,
            Some(Correction::Reclassify(_) | Correction::Reshape(_))
        ),
    }))
}

/// An outline out of the numbers of a document.
pub(crate) fn polygon(outer: &[[f32; 2]], holes: &[Vec<[f32; 2]>]) -> Polygon {
    let ring = |points: &[[f32; 2]]| points.iter().map(|&[x, y]| Point { x, y }).collect();
    Polygon {
        outer: ring(outer),
        holes: holes.iter().map(|hole| ring(hole)).collect(),
    }
}
