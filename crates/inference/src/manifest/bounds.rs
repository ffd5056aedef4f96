//! What every value of a manifest is held against, each refusal in one line.

use std::collections::BTreeSet;

pub(super) fn ensure(ok: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if ok { Ok(()) } else { Err(message()) }
}

pub(super) fn count(what: &str, n: usize, max: usize) -> Result<(), String> {
    ensure((1..=max).contains(&n), || {
        format!("{n} {what}: a bundle has 1 to {max}")
    })
}

pub(super) fn unique<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for name in names {
        ensure(seen.insert(name), || format!("{what} `{name}` is given twice"))?;
    }
    Ok(())
}

pub(super) fn share(what: &str, value: f32) -> Result<f32, String> {
    ensure((0.0..=1.0).contains(&value), || {
        format!("{what} is {value}, expected 0 to 1")
    })?;
    Ok(value)
}
