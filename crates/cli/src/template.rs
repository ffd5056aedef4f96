//! Pages of HTML with places for what is put in: `{{name}}`.

use std::collections::BTreeMap;

/// Fills a page in one pass, so that text put in is never searched for placeholders.
pub(crate) fn fill(page: &str, parts: &BTreeMap<&str, String>) -> String {
    let mut out = String::new();
    let mut rest = page;
    while let Some((before, (name, after))) = rest
        .split_once("{{")
        .and_then(|(before, tail)| Some((before, tail.split_once("}}")?)))
    {
        out.push_str(before);
        out.push_str(parts.get(name).map_or("", String::as_str));
        rest = after;
    }
    out.push_str(rest);
    out
}
