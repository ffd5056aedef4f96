//! No circles of files inside a crate: of two files that name each other, neither can be read or moved alone.
//!
//! **What counts.** File A imports file B of the same crate when A's own code, tests aside, names an item that is defined
//! in B: in a `use`, or in a path that begins with `crate`, `self`, `super` or a module below A. Re-exports are
//! followed to the file that defines the item, so `use crate::Thing` is an import of the file of `Thing`, not of `lib.rs`.
//! `mod child;` and a `pub use` of a child's items are no imports by themselves; a parent that also uses the re-exported
//! name imports the child. `use super::X` is an import of the parent where X is defined in its file.
//!
//! **What does not.** Test code (`#[cfg(test)]`), paths inside the arguments of macros, and methods: an `impl` of a type
//! of another file imports that file, a call of one of its methods imports nothing.

mod crate_files;

use crate_files::Crate;
use std::collections::{BTreeMap, BTreeSet};
use walkaround_tests::places::root;

/// Crates whose circles are true recursion.
const RECURSIVE: &[&str] = &["crates/samples"];

/// Files by what each imports.
type Imports = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_circle_of_files() {
    let mut faults = Vec::new();
    for folder in folders() {
        if RECURSIVE.contains(&folder.as_str()) {
            continue;
        }
        let imports = Crate::read(&root().join(&folder).join("src")).imports();
        let found = circles(&imports);
        faults.extend(found.iter().map(|circle| described(&folder, circle, &imports)));
    }
    assert!(faults.is_empty(), "circles of files:\n{}", faults.join("\n"));
}

/// Folders of packages, relative to the checkout.
fn folders() -> Vec<String> {
    let mut folders = vec!["gpu-batch".to_owned(), "tests".to_owned(), "benches".to_owned()];
    for parent in ["crates", "functions"] {
        for entry in root().join(parent).read_dir().expect("a folder").flatten() {
            if entry.path().join("Cargo.toml").is_file() {
                folders.push(format!("{parent}/{}", entry.file_name().to_string_lossy()));
            }
        }
    }
    folders.sort();
    folders
}

/// Sets of files that all reach each other, each in order.
fn circles(imports: &Imports) -> Vec<Vec<String>> {
    let reach: BTreeMap<&String, BTreeSet<&String>> = imports
        .keys()
        .map(|file| (file, reached(file, imports)))
        .collect();
    let mut found = BTreeSet::new();
    for (file, targets) in &reach {
        if targets.contains(file) {
            let members = targets
                .iter()
                .filter(|other| reach.get(*other).is_some_and(|back| back.contains(file)));
            found.insert(members.map(|other| (*other).clone()).collect());
        }
    }
    found.into_iter().collect()
}

fn reached<'a>(from: &str, imports: &'a Imports) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&String> = imports.get(from).into_iter().flatten().collect();
    while let Some(file) = open.pop() {
        if reached.insert(file) {
            open.extend(imports.get(file).into_iter().flatten());
        }
    }
    reached
}

fn described(folder: &str, circle: &[String], imports: &Imports) -> String {
    let arrows = circle.iter().map(|file| {
        let targets: Vec<&str> = imports[file]
            .iter()
            .filter(|target| circle.contains(target))
            .map(String::as_str)
            .collect();
        format!("    {file} → {}", targets.join(", "))
    });
    let arrows: Vec<String> = arrows.collect();
    format!("{folder}: {circle:?}\n{}", arrows.join("\n"))
}

#[test]
fn imports_are_found_as_defined() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = [
        (
            "lib.rs",
            "mod a; mod b; mod c; mod d; pub use a::Thing; pub use d::Deep;",
        ),
        ("a.rs", "pub struct Thing; fn f() { crate::b::g() }"),
        (
            "b.rs",
            "use crate::Thing; pub fn g() {} #[cfg(test)] mod tests { use crate::c::C; }",
        ),
        (
            "c.rs",
            "mod child; pub use child::Kid; pub struct C; fn f(_: Kid) {}",
        ),
        ("c/child.rs", "use super::C; pub struct Kid;"),
        ("d.rs", "mod leaf; pub use leaf::Deep; pub struct Own;"),
        ("d/leaf.rs", "use super::*; pub struct Deep;"),
    ];
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    let imports = Crate::read(folder.path()).imports();
    let found = circles(&imports);
    // The parent `d.rs` only re-exports, so its child may use it.
    assert_eq!(
        found,
        [vec!["a.rs", "b.rs"], vec!["c.rs", "c/child.rs"]],
        "{imports:?}"
    );
}
