//! A day at scale: times to verdict, workers, usage and costs, before it happens.
//!
//! A [`Scenario`] (arrivals by minute, hours without GPUs) and [`Assumptions`] (the fleet, the deployment, prices) become a
//! [`Day`] by [`simulate`]. Lanes and workers are decided by `walkaround_domain`'s own routing and scaling. Pure and
//! deterministic: no I/O, no clock, and the same input gives the same day.
//!
//! ```
//! use walkaround_planning::{Assumptions, Profile, simulate};
//!
//! let scenario = Profile::Evening.scenario(Some(1_000), 1)?;
//! let mut assumptions = Assumptions::default();
//! assumptions.set("suspects=0.1")?;
//! let day = simulate(&scenario, &assumptions);
//! assert_eq!((day.photos, day.without_verdict), (1_000, 0));
//! assert!(day.times.p50 < Some(10.0));
//! # Ok::<(), walkaround_planning::PlanError>(())
//! ```

mod arrivals;
mod assumptions;
mod bill;
mod counts;
mod day;
mod error;
mod observed;
mod profiles;
mod scenario;
mod simulation;
mod usage;

pub use arrivals::{Arrivals, CSV_BYTES_MAX, MINUTES, PHOTOS_MAX};
pub use assumptions::{Assumptions, DAYS_OF_MONTH, Deployment, Fleet, Given, PRICES_OF, Prices, REGION};
pub use bill::{Bill, PHOTO_DAYS, Part};
pub use counts::{Counts, Minute};
pub use day::{Day, Hour, Percentiles};
pub use error::PlanError;
pub use observed::{ObservedDay, ObservedFigures, ObservedPhoto, SegmentedBy};
pub use profiles::Profile;
pub use scenario::{DEADLINE, Drought, HOURS, Scenario};
pub use simulation::simulate;
pub use usage::Usage;
