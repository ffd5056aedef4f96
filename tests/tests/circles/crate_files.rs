//! The files of a crate as modules: what each defines, re-exports and names.

use crate::Imports;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use syn::visit::Visit;
use syn::{Attribute, Item, ItemMod, ItemUse, UseTree, Visibility};
use walkaround_tests::places::rust_files;

/// Most re-exports that are followed from one name.
const REEXPORTS_MAX: usize = 8;

/// A module's path below the root of its crate.
type ModulePath = Vec<String>;

/// One module, in a file of its own or inside one.
#[derive(Debug, Default)]
struct Module {
    file: String,
    /// Names that a `use` brings in, with the paths that they stand for.
    uses: Vec<Use>,
    /// Paths in code.
    paths: BTreeSet<Vec<String>>,
}

/// One name of a `use`.
#[derive(Debug)]
struct Use {
    path: Vec<String>,
    /// The name in this module; none for a glob.
    name: Option<String>,
    is_reexport: bool,
}

/// The modules of a crate.
#[derive(Debug)]
pub(crate) struct Crate {
    modules: BTreeMap<ModulePath, Module>,
}

impl Crate {
    /// Reads the files below a `src` folder; nothing where there is no such folder.
    pub(crate) fn read(src: &Path) -> Self {
        let mut read = Self {
            modules: BTreeMap::new(),
        };
        let files = rust_files(src);
        let has_library = src.join("lib.rs").is_file();
        for file in files {
            let name = file.strip_prefix(src).expect("it is below").display().to_string();
            // A program beside a library is a crate of its own, of one file.
            if name.starts_with("bin/") || (name == "main.rs" && has_library) || is_test_file(&name) {
                continue;
            }
            let text = std::fs::read_to_string(&file).expect("a source file is UTF-8");
            let tree = syn::parse_file(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
            read.add(&module_path(&name), &name, &tree.items);
        }
        read
    }

    fn add(&mut self, at: &[String], file: &str, items: &[Item]) {
        let mut reader = Reader {
            module: Module {
                file: file.to_owned(),
                ..Module::default()
            },
            inline: Vec::new(),
        };
        for item in items {
            reader.visit_item(item);
        }
        let Reader { module, inline } = reader;
        self.modules.insert(at.to_vec(), module);
        for (name, items) in inline {
            self.add(&[at, &[name]].concat(), file, items);
        }
    }

    /// Files by what each imports.
    pub(crate) fn imports(&self) -> Imports {
        let mut imports = Imports::new();
        for (at, module) in &self.modules {
            let targets = imports.entry(module.file.clone()).or_default();
            for path in self.named(at, module) {
                if let Some(file) = self.defining_file(at, &path, 0)
                    && file != module.file
                {
                    targets.insert(file);
                }
            }
        }
        imports
    }

    /// The paths that a module names: those of its imports and of its code, re-exported names that its code uses
    /// included.
    fn named(&self, at: &[String], module: &Module) -> Vec<Vec<String>> {
        let imported = module.uses.iter().filter(|entry| {
            let in_code = |name: &String| module.paths.iter().any(|path| path.first() == Some(name));
            !entry.is_reexport || entry.name.as_ref().is_some_and(in_code)
        });
        let mut named: Vec<Vec<String>> = imported.map(|entry| entry.path.clone()).collect();
        let in_code = module.paths.iter().filter(|path| {
            let first = path[0].as_str();
            path.len() > 1 && (matches!(first, "crate" | "self" | "super") || self.is_child(at, first))
        });
        named.extend(in_code.cloned());
        named
    }

    fn is_child(&self, at: &[String], name: &str) -> bool {
        self.modules.contains_key(&[at, &[name.to_owned()]].concat())
    }

    /// The file that defines what a path names, seen from a module; none for what is not of this crate.
    fn defining_file(&self, from: &[String], path: &[String], followed: usize) -> Option<String> {
        let mut at = match path.first()?.as_str() {
            "crate" => Vec::new(),
            "self" | "super" => from.to_vec(),
            first if self.is_child(from, first) => from.to_vec(),
            _ => return None,
        };
        let mut rest = path.iter().peekable();
        while let Some(segment) = rest.next_if(|s| matches!(s.as_str(), "crate" | "self" | "super")) {
            if segment == "super" {
                at.pop()?;
            }
        }
        while let Some(segment) = rest.next_if(|s| self.is_child(&at, s)) {
            at.push(segment.clone());
        }
        let module = self.modules.get(&at)?;
        let reexport = rest.peek().and_then(|name| {
            let of_name = |entry: &&Use| entry.name.as_ref() == Some(name);
            module.uses.iter().find(of_name)
        });
        match reexport.filter(|_| followed < REEXPORTS_MAX) {
            // None for a name of another crate: it is imported from there, not from here.
            Some(entry) => self.defining_file(&at, &entry.path, followed + 1),
            None => Some(module.file.clone()),
        }
    }
}

/// `a/b.rs`, `a/b/mod.rs` → `a`, `b`.
fn module_path(file: &str) -> ModulePath {
    let stem = file.trim_end_matches(".rs").trim_end_matches("/mod");
    if matches!(stem, "lib" | "main") {
        return Vec::new();
    }
    stem.split('/').map(str::to_owned).collect()
}

/// Files that hold only tests, by their names.
fn is_test_file(name: &str) -> bool {
    name.ends_with("tests.rs") || name.contains("tests/")
}

/// Reads one module.
struct Reader<'ast> {
    module: Module,
    /// Modules inside the file.
    inline: Vec<(String, &'ast [Item])>,
}

impl<'ast> Visit<'ast> for Reader<'ast> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !attributes(item).iter().any(is_test_only) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if let Some((_, items)) = &module.content {
            self.inline.push((module.ident.to_string(), items));
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let is_reexport = !matches!(item.vis, Visibility::Inherited);
        collect(&item.tree, &mut Vec::new(), is_reexport, &mut self.module.uses);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter().map(|segment| segment.ident.to_string());
        self.module.paths.insert(segments.collect());
        syn::visit::visit_path(self, path);
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn is_test_only(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute
            .parse_args::<syn::Path>()
            .is_ok_and(|path| path.is_ident("test"))
}

/// The names of a `use`, one by one.
fn collect(tree: &UseTree, before: &mut Vec<String>, is_reexport: bool, uses: &mut Vec<Use>) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            collect(&path.tree, before, is_reexport, uses);
            before.pop();
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                collect(tree, before, is_reexport, uses);
            }
        }
        UseTree::Name(name) if name.ident == "self" => uses.push(Use {
            path: before.clone(),
            name: before.last().cloned(),
            is_reexport,
        }),
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            uses.push(Use {
                path: [before.as_slice(), std::slice::from_ref(&name)].concat(),
                name: Some(name),
                is_reexport,
            });
        }
        UseTree::Rename(rename) => uses.push(Use {
            path: [before.as_slice(), &[rename.ident.to_string()]].concat(),
            name: Some(rename.rename.to_string()),
            is_reexport,
        }),
        UseTree::Glob(_) => uses.push(Use {
            path: before.clone(),
            name: None,
            is_reexport,
        }),
    }
}
