//! Names of classes: given, written into the file, or numbered.

use super::graph::Graph;
use super::spelling::{NAME_MAX, spelt};

/// What classifiers call a photo without damage.
const CLEAN: &[&str] = &[
    "clean",
    "good",
    "intact",
    "negative",
    "no_damage",
    "nodamage",
    "non_damage",
    "normal",
    "not_damaged",
    "ok",
    "undamaged",
    "whole",
];
/// What detectors call a vehicle.
const VEHICLES: &[&str] = &[
    "automobile",
    "bus",
    "car",
    "motorcycle",
    "pickup",
    "suv",
    "truck",
    "van",
    "vehicle",
];

/// Classes of one network, in its order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Names {
    /// A name of the manifest each; empty for nothing.
    pub names: Vec<String>,
    /// Why they are a guess, where they are one.
    pub assumed: Option<String>,
}

impl Names {
    /// The last class is nothing, where the file does not say what it is.
    pub(super) fn with_nothing_last(mut self) -> Self {
        if let (true, Some(last)) = (self.assumed.is_some(), self.names.last_mut()) {
            last.clear();
        }
        self
    }

    /// Numbers of the classes that are not nothing.
    pub(super) fn wanted(&self) -> Vec<usize> {
        self.picked(&|name| !name.is_empty())
    }

    /// Numbers of the classes that are vehicles; of all, where no name says so.
    pub(super) fn vehicles(&self) -> (Vec<usize>, Option<String>) {
        let found = self.picked(&|name| VEHICLES.contains(&name.to_lowercase().as_str()));
        if found.is_empty() {
            let why = "no class has the name of a vehicle: the numbers of those that are one".to_owned();
            return (self.wanted(), Some(why));
        }
        (found, None)
    }

    /// Numbers of the classes that are damage, of a classifier.
    pub(super) fn damaged(&self) -> (Vec<usize>, Option<String>) {
        let is_clean = |name: &str| CLEAN.contains(&name.to_lowercase().as_str());
        let damaged = self.picked(&|name| !name.is_empty() && !is_clean(name));
        if self.assumed.is_none() && damaged.len() < self.names.len() && !damaged.is_empty() {
            return (damaged, None);
        }
        let why =
            "the first class is taken for `no damage`: the numbers of those that mean damage".to_owned();
        ((1..self.names.len()).collect(), Some(why))
    }

    fn picked(&self, is: &dyn Fn(&str) -> bool) -> Vec<usize> {
        let all = self.names.iter().enumerate();
        all.filter(|(_, name)| is(name)).map(|(at, _)| at).collect()
    }
}

/// The names of a network's classes. `count` is how many it has, where that is known; `spare` allows the last to be
/// nothing without a name; `background` that the first is nothing where no names are known.
///
/// # Errors
/// When there are none, or another number of them.
pub(super) fn names(
    graph: &Graph,
    given: Option<&[String]>,
    count: Option<usize>,
    spare: bool,
    background: bool,
) -> Result<Names, String> {
    let known = given.or(graph.names());
    match (known, count) {
        (Some(known), Some(count)) if spare && known.len() + 1 == count => {
            let mut names = unique(known);
            names.push(String::new());
            Ok(Names { names, assumed: lost(known) })
        }
        (Some(known), Some(count)) if known.len() != count => Err(format!(
            "it has {count} classes, {} named: {}; name each, in its order, what is not wanted as `background`: \
             --classes background,scratch,dent",
            match known.len() {
                1 => "1 is".to_owned(),
                n => format!("{n} are"),
            },
            known.join(", ")
        )),
        (Some(known), _) => Ok(Names {
            names: unique(known),
            assumed: lost(known),
        }),
        (None, Some(count)) => {
            let name = |at: usize| match at {
                0 if background => String::new(),
                at => format!("class_{at}"),
            };
            Ok(Names {
                names: (0..count).map(name).collect(),
                assumed: Some("the file names no classes: give them their names, in its order, or --classes".into()),
            })
        }
        (None, None) => Err(
            "its classes have numbers and no names; name them from number 0 on, what is not wanted as `background`: \
             --classes background,scratch,dent"
                .into(),
        ),
    }
}

/// Names as the manifest spells them, no two alike.
fn unique(known: &[String]) -> Vec<String> {
    let mut out: Vec<String> = Vec::with_capacity(known.len());
    for name in known {
        let name = spelt(name);
        let mut next = name.clone();
        let mut number = 2;
        while !next.is_empty() && out.contains(&next) {
            next = format!("{name}_{number}");
            number += 1;
        }
        out.push(next);
    }
    out
}

/// What the file calls its classes, where a name in the alphabet of the manifest does not tell it any more.
fn lost(known: &[String]) -> Option<String> {
    let is_lost = |name: &&String| !name.is_ascii() || name.len() > NAME_MAX;
    known.iter().find(is_lost)?;
    Some(format!(
        "names are of A to Z, a to z, 0 to 9, `.`, `-` and `_`; the file calls them {}",
        known.join(", ").replace(['\n', '\r'], " ")
    ))
}

#[cfg(test)]
mod tests {
    use super::{Names, spelt, unique};

    #[test]
    fn names_are_spelt_as_the_manifest_wants_them() {
        for (name, expected) in [
            ("scratch", "scratch"),
            ("broken part", "broken_part"),
            (" Glas/Scheibe ", "Glas_Scheibe"),
            ("Kratzer ä", "Kratzer__"),
            ("Background", ""),
            (".hidden", "hidden"),
        ] {
            assert_eq!(spelt(name), expected, "{name}");
        }
        let known = ["a b", "a_b", "background", "bg"].map(str::to_owned);
        assert_eq!(unique(&known), ["a_b", "a_b_2", "", ""]);
    }

    #[test]
    fn classes_that_mean_damage_or_a_vehicle_are_found_by_name() {
        let of = |names: &[&str], assumed: Option<&str>| Names {
            names: names.iter().map(ToString::to_string).collect(),
            assumed: assumed.map(str::to_owned),
        };
        assert_eq!(of(&["dent", "No_Damage"], None).damaged(), (vec![0], None));
        let (numbers, why) = of(&["a", "b", "c"], None).damaged();
        assert!(numbers == [1, 2] && why.is_some());
        assert_eq!(
            of(&["person", "car", "dog", "truck"], None).vehicles(),
            (vec![1, 3], None)
        );
        let (numbers, why) = of(&["front", "", "rear"], None).vehicles();
        assert!(numbers == [0, 2] && why.is_some());
    }
}
