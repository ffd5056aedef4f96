//! Names as the manifest spells them.

/// What exports call the class of nothing.
const NOTHING: &[&str] = &["background", "_background_", "bg", "none", "no_object", "nothing"];

/// Longest name of a class, in characters (docs/bundle.md: Keys).
pub(super) const NAME_MAX: usize = 64;

/// A name in the alphabet of the manifest; empty for nothing.
pub(super) fn spelt(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let spelt: String = name
        .trim()
        .trim_start_matches('.')
        .chars()
        .map(|c| if fits(c) { c } else { '_' })
        .take(NAME_MAX)
        .collect();
    if NOTHING.contains(&spelt.to_lowercase().as_str()) {
        return String::new();
    }
    spelt
}
