//! The shape of signatures: no tuple parameter, and at most six parameters.
//!
//! What travels together is a struct with a name. Coordinates of one numeric type (`(x, y): (f32, f32)`) may stay a
//! tuple; other numbers that are taken apart in the signature may not. The check reads the syntax of every `.rs` file of the checkout, so a type alias of a tuple is not seen.

use std::path::Path;
use syn::visit::Visit;
use syn::{FnArg, Pat, PatType, Signature, Type};
use walkaround_tests::places::{root, rust_files};

/// Most parameters of a function, the receiver not counted (clippy.toml has the same number).
const PARAMETERS_MAX: usize = 6;

const NUMBERS: &[&str] = &[
    "u8", "u16", "u32", "u64", "usize", "i8", "i16", "i32", "i64", "isize", "f32", "f64",
];

/// Names of coordinates (also around a centre), sizes and ends of a span.
const COORDINATES: &[&str] = &[
    "x", "y", "w", "h", "px", "py", "dx", "dy", "half_x", "half_y", "width", "height", "across", "away",
    "far", "radius", "rim", "from", "to",
];

#[test]
fn parameters_are_few_and_named() {
    let mut faults = Vec::new();
    for file in rust_files(root()) {
        let name = file.strip_prefix(root()).expect("a file of the checkout");
        let text = std::fs::read_to_string(&file).expect("a source file is UTF-8");
        faults.extend(faults_of(name, &text));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_check_finds_faults_and_leaves_coordinates() {
    let faults = faults_of(
        Path::new("a.rs"),
        "fn a((x, y): (f32, f32), (w, h): &(u32, u32)) {}
         fn b((x, y): (f32, u32)) {}
         fn h((live, wanted): (u32, u32)) {}
         struct S;
         impl S { fn c(&self, of: &(&str, &str)) {} }
         trait T { fn d(&self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8); fn e(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8); }
         fn f() { fn g(_: ((u8, u8), u8)) {} }",
    );
    let expected = [
        "a.rs: b: a tuple parameter",
        "a.rs: h: a tuple parameter",
        "a.rs: c: a tuple parameter",
        "a.rs: e: 7 parameters",
        "a.rs: g: a tuple parameter",
    ];
    assert_eq!(faults, expected);
}

fn faults_of(name: &Path, text: &str) -> Vec<String> {
    let tree = syn::parse_file(text).unwrap_or_else(|e| panic!("{}: {e}", name.display()));
    let mut finder = Finder {
        file: name,
        faults: Vec::new(),
    };
    finder.visit_file(&tree);
    finder.faults
}

struct Finder<'a> {
    file: &'a Path,
    faults: Vec<String>,
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_signature(&mut self, signature: &'ast Signature) {
        let place = format!("{}: {}", self.file.display(), signature.ident);
        let typed = signature.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(typed) => Some(typed),
            FnArg::Receiver(_) => None,
        });
        let parameters: Vec<&PatType> = typed.collect();
        let is_fault = |of: &&&PatType| is_mixed_tuple(&of.ty) || !names_coordinates(&of.pat);
        for _ in parameters.iter().filter(is_fault) {
            self.faults.push(format!("{place}: a tuple parameter"));
        }
        if parameters.len() > PARAMETERS_MAX {
            self.faults
                .push(format!("{place}: {} parameters", parameters.len()));
        }
        syn::visit::visit_signature(self, signature);
    }
}

/// Whether a type is a tuple of anything but numbers of one type.
fn is_mixed_tuple(ty: &Type) -> bool {
    match ty {
        Type::Reference(reference) => is_mixed_tuple(&reference.elem),
        Type::Tuple(tuple) if tuple.elems.len() > 1 => {
            let numbers: Vec<Option<String>> = tuple.elems.iter().map(number).collect();
            numbers[0].is_none() || numbers.iter().any(|number| *number != numbers[0])
        }
        _ => false,
    }
}

/// Whether a pattern that takes a tuple apart gives its parts the names of coordinates.
fn names_coordinates(pattern: &Pat) -> bool {
    let Pat::Tuple(tuple) = pattern else { return true };
    tuple.elems.iter().all(|part| match part {
        Pat::Ident(part) => COORDINATES.contains(&part.ident.to_string().as_str()),
        _ => true,
    })
}

fn number(ty: &Type) -> Option<String> {
    let Type::Path(path) = ty else { return None };
    let name = path.path.get_ident()?.to_string();
    NUMBERS.contains(&name.as_str()).then_some(name)
}
