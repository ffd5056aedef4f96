//! Data out and back: reviewed photos as a data set ([`export`]), what people changed in one as reviews ([`import`]), and
//! which photos they should label next ([`sample`]). Written over the ports of a stack, for every stack.

mod copies;
mod export;
mod import;
mod listing;
mod outputs;
mod photo;
mod sample;

pub use export::{ExportOptions, ExportProgress, Exported, export};
pub use import::{Fate, ImportOptions, ImportProgress, Imported, import};
pub use photo::Query;
pub use sample::{Sample, SampleOptions, Sampled, Thresholds, sample};
