//! How a caller maps categories.

use std::fmt;
use std::path::PathBuf;

/// A category of the annotations and the class of the bundle that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategoryMapping {
    /// As the annotations call it.
    pub category: String,
    /// As the bundle calls it.
    pub class: String,
}

/// How categories are mapped, beyond equal names.
#[derive(Debug, Clone, Default)]
pub struct MappingOptions {
    /// Overrides the mapping file.
    pub map: Vec<CategoryMapping>,
    /// Categories whose regions are left out of every score; overrides the mapping file.
    pub ignore: Vec<String>,
    /// The mapping file; none for [`MAP_FILE`](super::MAP_FILE) beside the annotations, if there is one.
    pub map_file: Option<PathBuf>,
}

/// A field of [`MappingOptions`] that names categories; displays as the field's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MappingOption {
    /// [`MappingOptions::map`].
    Map,
    /// [`MappingOptions::ignore`].
    Ignore,
}

impl fmt::Display for MappingOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Map => "map",
            Self::Ignore => "ignore",
        })
    }
}
