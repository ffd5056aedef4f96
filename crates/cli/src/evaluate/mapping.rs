//! Which class of the bundle a category of the annotations is: by equal names, by a mapping file, by flags.

use crate::args::EvaluateArgs;
use crate::failure::Failure;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use walkaround_vision::mask::ClassSpec;

/// The class that stands for every kind of damage: its truth is the union of all truth.
pub(crate) const ANY_DAMAGE: &str = "any_damage";
/// Taken from beside the annotations when no mapping file is named.
pub(crate) const MAP_FILE: &str = "map.toml";

/// What the regions of a category count as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CountsAs {
    /// Damage of one class, by its index in the bundle, and damage at all.
    Class(usize),
    /// Damage of no class of the bundle.
    AnyDamage,
    /// Their pixels are left out of every score.
    Ignored,
}

impl CountsAs {
    /// For people.
    pub(crate) fn words(self, classes: &[ClassSpec]) -> String {
        match self {
            Self::Class(class) => classes[class].name.clone(),
            Self::AnyDamage => "any damage only".to_owned(),
            Self::Ignored => "left out".to_owned(),
        }
    }
}

/// The mapping of one set of annotations.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mapping {
    /// Theirs to ours.
    #[serde(default)]
    map: BTreeMap<String, String>,
    #[serde(default)]
    ignore: BTreeSet<String>,
}

impl Mapping {
    /// The mapping file named, or the one beside the annotations, overridden by the flags.
    pub(crate) fn of(
        args: &EvaluateArgs,
        annotations: &Path,
        classes: &[ClassSpec],
    ) -> Result<Self, Failure> {
        let beside = annotations.with_file_name(MAP_FILE);
        let mut mapping = match &args.map_file {
            Some(path) => Self::read(path)?,
            None if beside.is_file() => Self::read(&beside)?,
            None => Self::default(),
        };
        for (theirs, ours) in pairs(args)? {
            if args.ignore.iter().any(|name| name == theirs) {
                return Err(Failure::usage(format!(
                    "`{theirs}` is both mapped and ignored; decide for one"
                )));
            }
            mapping.ignore.remove(theirs);
            mapping.map.insert(theirs.to_owned(), ours.to_owned());
        }
        for theirs in &args.ignore {
            mapping.map.remove(theirs);
            mapping.ignore.insert(theirs.clone());
        }
        mapping.check(classes)?;
        Ok(mapping)
    }

    fn read(path: &Path) -> Result<Self, Failure> {
        let fault = |what: String| Failure::usage(format!("{}: {what}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|e| fault(format!("cannot read: {e}")))?;
        let mapping: Self = toml::from_str(&text).map_err(|e| fault(e.message().replace('\n', " ")))?;
        match mapping.ignore.iter().find(|name| mapping.map.contains_key(*name)) {
            Some(name) => Err(fault(format!("`{name}` is both mapped and ignored"))),
            None => Ok(mapping),
        }
    }

    /// Every class that is mapped to must exist: a misspelt one would quietly score nothing.
    fn check(&self, classes: &[ClassSpec]) -> Result<(), Failure> {
        for (theirs, ours) in &self.map {
            if ours != ANY_DAMAGE && !classes.iter().any(|c| c.name == *ours) {
                let known: Vec<&str> = classes.iter().map(|c| c.name.as_str()).collect();
                return Err(Failure::usage(format!(
                    "`{theirs}={ours}`: the bundle has no class `{ours}`; it has {}",
                    known.join(", ")
                )));
            }
        }
        Ok(())
    }

    pub(crate) fn counts_as(&self, category: &str, classes: &[ClassSpec]) -> CountsAs {
        if self.ignore.contains(category) {
            return CountsAs::Ignored;
        }
        let ours = self.map.get(category).map_or(category, String::as_str);
        match classes.iter().position(|c| c.name == ours) {
            Some(class) if ours != ANY_DAMAGE => CountsAs::Class(class),
            _ => CountsAs::AnyDamage,
        }
    }
}

/// Refuses flags that name a category which no set has: the misspelt one meant would go on unmapped. A mapping
/// file may name more than a set has.
pub(crate) fn check_flags(args: &EvaluateArgs, categories: &BTreeSet<&str>) -> Result<(), Failure> {
    let mapped = pairs(args)?.into_iter().map(|(theirs, _)| ("--map", theirs));
    let ignored = args.ignore.iter().map(|name| ("--ignore", name.as_str()));
    for (flag, name) in mapped.chain(ignored) {
        if !categories.contains(name) {
            let known: Vec<&str> = categories.iter().copied().collect();
            return Err(Failure::usage(format!(
                "{flag}: the annotations have no category `{name}`; they have {}",
                known.join(", ")
            )));
        }
    }
    Ok(())
}

fn pairs(args: &EvaluateArgs) -> Result<Vec<(&str, &str)>, Failure> {
    args.map
        .iter()
        .map(|pair| match pair.split_once('=') {
            Some((theirs, ours)) if !theirs.is_empty() && !ours.is_empty() => Ok((theirs, ours)),
            _ => Err(Failure::usage(format!(
                "--map {pair}: write THEIRS=OURS, such as --map schramme=scratch"
            ))),
        })
        .collect()
}
