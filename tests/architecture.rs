//! Verifies the layers: no module imports one of its own layer or above, and no two files import
//! each other.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{ItemMod, ItemUse, UseTree};

/// The layers, from the lowest to the highest. The modules of one layer do not import each other.
/// ARCHITECTURE.md gives the reasons.
const LAYERS: &[&[&str]] = &[
    &[
        "text",
        "suggest",
        "sys",
        "limits",
        "memory",
        "processors",
        "input",
    ],
    &["model"],
    &["world", "file", "clock", "privilege", "kernel"],
    &["step", "setting", "stall"],
    &["scenario", "wire", "guest"],
    &["shipped", "reference", "oracle", "plan"],
    &["evidence", "prepare"],
    &["outcome", "lab"],
    &["endpoint", "judge", "record", "job"],
    &["runner", "report"],
    &["cli"],
];

type Module = Vec<String>;

/// The files of the library, by their modules, without test code.
fn files() -> BTreeMap<Module, String> {
    let mut found = BTreeMap::new();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    collect(&src, &mut Vec::new(), &mut found);
    found
}

fn collect(folder: &Path, module: &mut Module, found: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_program = module.is_empty() && ["main", "lib"].contains(&stem.as_str());
        let is_test = stem == "tests"
            || stem.ends_with("_tests")
            || ["testing", "fixture"].contains(&stem.as_str());
        if is_program || is_test {
            continue;
        }
        if path.is_dir() {
            module.push(stem);
            collect(&path, module, found);
            module.pop();
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let mut own = module.clone();
            if stem != "mod" {
                own.push(stem);
            }
            found.insert(own, fs::read_to_string(&path).unwrap());
        }
    }
}

/// The paths in a file, resolved from the root of the crate.
struct Paths<'m> {
    module: &'m [String],
    found: Vec<Module>,
}

impl Paths<'_> {
    fn add(&mut self, path: &[String]) {
        let ups = path.iter().take_while(|part| *part == "super").count();
        let (first, rest) = (
            path.first().map(String::as_str),
            &path[ups.max(1).min(path.len())..],
        );
        let base = match first {
            Some("crate") => &[][..],
            Some("self") => self.module,
            Some("super") if ups <= self.module.len() => &self.module[..self.module.len() - ups],
            _ => return,
        };
        self.found.push([base, rest].concat());
    }

    fn tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.tree(&with(&path.ident), &path.tree),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(before, tree)),
            UseTree::Name(name) => self.add(&with(&name.ident)),
            UseTree::Rename(rename) => self.add(&with(&rename.ident)),
            UseTree::Glob(_) => self.add(before),
        }
    }
}

impl<'a> Visit<'a> for Paths<'_> {
    fn visit_item_use(&mut self, item: &'a ItemUse) {
        self.tree(&[], &item.tree);
    }

    fn visit_item_mod(&mut self, item: &'a ItemMod) {
        let is_test = item
            .attrs
            .iter()
            .any(|attribute| attribute.path().is_ident("cfg"));
        if !is_test {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let parts: Module = path
            .segments
            .iter()
            .map(|part| part.ident.to_string())
            .collect();
        self.add(&parts);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'a syn::Macro) {
        // The arguments of a macro need not be valid syntax, so the tokens are searched for paths
        // that start with `crate::`.
        let text = item.tokens.to_string().replace(' ', "");
        for path in text.split("crate::").skip(1) {
            let end = path.find(|c: char| !c.is_alphanumeric() && !"_:".contains(c));
            let path = &path[..end.unwrap_or(path.len())];
            let parts = path.split("::").map(str::to_owned);
            self.add(
                &["crate".to_owned()]
                    .into_iter()
                    .chain(parts)
                    .collect::<Module>(),
            );
        }
        visit::visit_macro(self, item);
    }
}

/// The modules that each file imports.
fn imports() -> BTreeMap<Module, BTreeSet<Module>> {
    let files = files();
    let of_file = |(module, text): (&Module, &String)| {
        let mut paths = Paths {
            module,
            found: Vec::new(),
        };
        paths.visit_file(&syn::parse_file(text).unwrap());
        let file_of = |path: Module| {
            let lengths = (1..=path.len()).rev();
            lengths
                .map(|length| path[..length].to_vec())
                .find(|path| files.contains_key(path))
        };
        let imported = paths.found.into_iter().filter_map(file_of);
        (
            module.clone(),
            imported.filter(|other| other != module).collect(),
        )
    };
    files.iter().map(of_file).collect()
}

fn layer(module: &str) -> usize {
    let found = LAYERS.iter().position(|layer| layer.contains(&module));
    found.unwrap_or_else(|| {
        panic!("`{module}` has no layer: add it to LAYERS in tests/architecture.rs")
    })
}

#[test]
fn no_module_imports_its_own_layer_or_above() {
    let mut upwards = BTreeSet::new();
    for (module, imported) in imports() {
        for other in imported {
            if module[0] != other[0] && layer(&module[0]) <= layer(&other[0]) {
                upwards.insert(format!("{} -> {}", module.join("::"), other.join("::")));
            }
        }
    }
    assert!(upwards.is_empty(), "{upwards:#?}");
}

/// A file and the files of its submodules may import each other.
#[test]
fn no_circle_of_files() {
    let is_family = |a: &Module, b: &Module| a.starts_with(b) || b.starts_with(a);
    let imports = imports();
    let next = |module: &Module| -> Vec<&Module> {
        let imported = imports.get(module).into_iter().flatten();
        imported.filter(|other| !is_family(module, other)).collect()
    };
    let mut circles = Vec::new();
    for start in imports.keys() {
        let (mut seen, mut open) = (BTreeSet::new(), next(start));
        while let Some(module) = open.pop() {
            if module == start {
                circles.push(start.join("::"));
                break;
            }
            if seen.insert(module) {
                open.extend(next(module));
            }
        }
    }
    assert!(circles.is_empty(), "{circles:#?}");
}

/// The visitor finds all kinds of imports.
#[test]
fn imports_are_found_wherever_they_stand() {
    let text = "use super::a::{B, c::D}; use crate::model::End as E;\n\
                fn f() -> crate::lab::Lab { vec![crate::wire::Frame::x()]; self::g::h() }\n\
                #[cfg(test)] mod tests { use crate::cli; }";
    let module = ["one".to_owned(), "two".to_owned()];
    let mut paths = Paths {
        module: &module,
        found: Vec::new(),
    };
    paths.visit_file(&syn::parse_file(text).unwrap());
    let found: BTreeSet<String> = paths.found.iter().map(|path| path.join("::")).collect();
    let expected = [
        "one::a::B",
        "one::a::c::D",
        "model::End",
        "lab::Lab",
        "wire::Frame::x",
        "one::two::g::h",
    ];
    assert_eq!(found, expected.map(str::to_owned).into());
}
