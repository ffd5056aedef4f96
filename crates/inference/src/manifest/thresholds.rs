//! Other thresholds than those of the file: for a replay that asks what they would change.

use super::review::gate_threshold;
use super::{Head, Manifest, Role};
use std::collections::BTreeMap;

impl Manifest {
    /// The same manifest with other thresholds: of a class by its name, or of a gate by the name of its network.
    ///
    /// # Errors
    /// One line: no such class or gate, a value that is no probability.
    pub fn with_thresholds(mut self, thresholds: &BTreeMap<String, f32>) -> Result<Self, String> {
        for (name, value) in thresholds {
            if !(0.0..=1.0).contains(value) {
                return Err(format!("threshold of {name}: {value}, expected 0 to 1"));
            }
            if !self.set_threshold(name, *value) {
                return Err(format!("threshold of {name}: the bundle has {}", self.names()));
            }
        }
        // Whoever asks for reviews compares with these.
        self.review.gate_thresholds = self.gates().map(|(_, threshold)| threshold).collect();
        for class in &self.classes {
            let threshold = class.policy.threshold;
            self.review.class_thresholds.insert(class.name.clone(), threshold);
        }
        Ok(self)
    }

    /// Whether there is such a class or gate.
    fn set_threshold(&mut self, name: &str, value: f32) -> bool {
        let mut found = false;
        for class in self.classes.iter_mut().filter(|class| class.name == name) {
            class.policy.threshold = value;
            found = true;
        }
        for network in self.networks.iter_mut().filter(|network| network.name == name) {
            match &mut network.head {
                Head::Gate { threshold, .. } => *threshold = value,
                Head::Instances(form) if form.purpose == Role::Gate => form.threshold = value,
                Head::Locator { .. }
                | Head::Segmenter { .. }
                | Head::ClassMap { .. }
                | Head::Instances(_) => continue,
            }
            found = true;
        }
        found
    }

    fn gates(&self) -> impl Iterator<Item = (&str, f32)> {
        let networks = self.networks.iter();
        networks.filter_map(|network| Some((network.name.as_str(), gate_threshold(network)?)))
    }

    /// Everything that has a threshold to set, in words.
    fn names(&self) -> String {
        let classes: Vec<&str> = self.classes.iter().map(|class| class.name.as_str()).collect();
        let gates: Vec<&str> = self.gates().map(|(name, _)| name).collect();
        format!(
            "the classes {} and the gates {}",
            classes.join(", "),
            gates.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIVIAL: &str = include_str!("../../../../tests/bundles/trivial/bundle.toml");

    fn with(name: &str, value: f32) -> Result<Manifest, String> {
        let manifest = Manifest::parse(TRIVIAL).expect("the bundle of the tests");
        manifest.with_thresholds(&BTreeMap::from([(name.to_owned(), value)]))
    }

    #[test]
    fn thresholds_of_gates_and_classes_are_replaced_for_reviews_too() {
        let gate = with("gate", 0.9).expect("it has a gate");
        assert!(matches!(gate.networks[0].head, Head::Gate { threshold, .. } if threshold == 0.9));
        assert_eq!(gate.review.gate_thresholds, [0.9]);
        let class = with("mark", 0.2).expect("it has the class");
        assert_eq!(class.classes[0].policy.threshold, 0.2);
        assert_eq!(class.review.class_thresholds["mark"], 0.2);
    }

    #[test]
    fn what_the_bundle_has_not_is_named_and_what_is_no_probability_refused() {
        let error = with("marks", 0.5).expect_err("a segmenter has no threshold of its own");
        assert!(error.contains("the classes mark and the gates gate"), "{error}");
        assert!(with("gate", 1.5).is_err() && with("gate", f32::NAN).is_err());
    }
}
