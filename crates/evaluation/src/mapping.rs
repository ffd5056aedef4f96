//! Which class of the bundle a category of the annotations is: by equal names, by a mapping file, by options.

mod options;

use crate::error::EvaluationError;
use crate::fault::MapFileFault;
pub use options::{CategoryMapping, MappingOption, MappingOptions};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use walkaround_vision::mask::ClassSpec;

/// The class that stands for every kind of damage: its truth is the union of all truth.
pub const ANY_DAMAGE: &str = "any_damage";
/// Taken from beside the annotations when no mapping file is named.
pub const MAP_FILE: &str = "map.toml";

/// What the regions of a category count as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountsAs {
    /// Damage of one class, by its index in the bundle, and damage at all.
    Class(usize),
    /// Damage of no class of the bundle.
    AnyDamage,
    /// Their pixels are left out of every score.
    Ignored,
}

impl CountsAs {
    /// For people.
    pub(crate) fn describe(self, classes: &[ClassSpec]) -> String {
        match self {
            Self::Class(class) => classes[class].name.clone(),
            Self::AnyDamage => "any damage only".to_owned(),
            Self::Ignored => "left out".to_owned(),
        }
    }
}

impl MappingOptions {
    /// Refuses options that name a category which no annotations have: the one that a misspelt name means would stay
    /// unmapped. A mapping file may name more categories than the annotations have.
    pub(crate) fn check_categories(&self, categories: &BTreeSet<String>) -> Result<(), EvaluationError> {
        let mapped = self.map.iter().map(|it| (MappingOption::Map, &it.category));
        let ignored = self.ignore.iter().map(|name| (MappingOption::Ignore, name));
        for (option, category) in mapped.chain(ignored) {
            if !categories.contains(category) {
                return Err(EvaluationError::UnknownCategory {
                    option,
                    category: category.clone(),
                    known: categories.iter().cloned().collect(),
                });
            }
        }
        Ok(())
    }
}

/// The mapping of one set of annotations; also the form of a mapping file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// Category to class.
    #[serde(default)]
    map: BTreeMap<String, String>,
    #[serde(default)]
    ignore: BTreeSet<String>,
}

impl Mapping {
    /// The mapping of an annotation file: the mapping file of the options, or the one beside the annotations, overridden
    /// by the other options.
    ///
    /// # Errors
    /// When a mapping contradicts itself, or names a class that the bundle does not have.
    pub fn load(
        options: &MappingOptions,
        annotations: &Path,
        classes: &[ClassSpec],
    ) -> Result<Self, EvaluationError> {
        let beside = annotations.with_file_name(MAP_FILE);
        let mut mapping = match &options.map_file {
            Some(path) => Self::read(path)?,
            None if beside.is_file() => Self::read(&beside)?,
            None => Self::default(),
        };
        for CategoryMapping { category, class } in &options.map {
            if options.ignore.contains(category) {
                return Err(EvaluationError::MappedAndIgnored(category.clone()));
            }
            mapping.ignore.remove(category);
            mapping.map.insert(category.clone(), class.clone());
        }
        for category in &options.ignore {
            mapping.map.remove(category);
            mapping.ignore.insert(category.clone());
        }
        mapping.check_classes(classes)?;
        Ok(mapping)
    }

    fn read(path: &Path) -> Result<Self, EvaluationError> {
        Self::parse_file(path).map_err(|fault| EvaluationError::MapFile {
            file: path.to_path_buf(),
            fault,
        })
    }

    fn parse_file(path: &Path) -> Result<Self, MapFileFault> {
        let text = std::fs::read_to_string(path).map_err(MapFileFault::Read)?;
        let mapping: Self = toml::from_str(&text).map_err(MapFileFault::Parse)?;
        match mapping.ignore.iter().find(|name| mapping.map.contains_key(*name)) {
            Some(name) => Err(MapFileFault::MappedAndIgnored(name.clone())),
            None => Ok(mapping),
        }
    }

    /// Every class that is mapped to must exist: a misspelt one would quietly score nothing.
    fn check_classes(&self, classes: &[ClassSpec]) -> Result<(), EvaluationError> {
        for (category, class) in &self.map {
            if class != ANY_DAMAGE && !classes.iter().any(|c| c.name == *class) {
                return Err(EvaluationError::UnknownClass {
                    category: category.clone(),
                    class: class.clone(),
                    known: classes.iter().map(|c| c.name.clone()).collect(),
                });
            }
        }
        Ok(())
    }

    /// What the regions of a category count as.
    pub fn counts_as(&self, category: &str, classes: &[ClassSpec]) -> CountsAs {
        if self.ignore.contains(category) {
            return CountsAs::Ignored;
        }
        let class = self.map.get(category).map_or(category, String::as_str);
        match classes.iter().position(|c| c.name == class) {
            Some(index) if class != ANY_DAMAGE => CountsAs::Class(index),
            _ => CountsAs::AnyDamage,
        }
    }
}
