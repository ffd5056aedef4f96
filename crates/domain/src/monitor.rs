//! Whether a bundle still sees what it saw when it was put to use, and whether what it finds is right.
//!
//! [`Figures`] are counts over finished inspections, and those of two windows add up. [`Reference`] holds the first ones
//! under a bundle; [`judge`] says how far later ones are from it, and whether that is more than chance. [`Judged`] holds what
//! reviews say, for precision and recall ([`estimate`](crate::estimate)).

mod bins;
mod distance;
mod drift;
mod figures;
mod judged;
mod reference;

pub use distance::{COUNT_MIN, RECENT_PHOTOS_MIN, critical, psi};
pub use drift::{ALPHA, EFFECT_MIN, FALSE_ALARMS_MAX, FigureState, PASSES_OF_30_DAYS, Shift, judge};
pub use figures::{Figure, Figures, Histogram, OTHER, WORDS_MAX};
pub use judged::{Judged, JudgedStratum, Measure, ReviewedPhoto, StratumKey};
pub use reference::{HOURS_AROUND_MAX, REFERENCE_HOURS_MIN, Recent, Reference, ReferenceWindow};
