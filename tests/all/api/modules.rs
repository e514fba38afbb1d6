//! The source files of a crate, found by following its modules, and what they export.

use crate::vocabulary::{hidden, under_test};
use quote::ToTokens;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use syn::{Item, Type, UseTree, Visibility};

/// Returns the names of the folders in `crates`.
pub(super) fn parts() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let mut names: Vec<String> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "nn-derive")
        .collect();
    names.sort();
    names
}

pub(super) fn parsed(path: &Path) -> syn::File {
    let text = std::fs::read_to_string(path).unwrap();
    syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

pub(super) fn is_public(vis: &Visibility) -> bool {
    matches!(vis, Visibility::Public(_))
}

/// Returns the tokens as text, with spaces as in formatted code.
pub(super) fn text(tokens: impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (from, to) in [
        (" :: ", "::"),
        (" < ", "<"),
        (" >", ">"),
        ("< ", "<"),
        (" ,", ","),
        (" ;", ";"),
        ("& ", "&"),
        (" (", "("),
        ("( ", "("),
        (" )", ")"),
        ("[ ", "["),
        (" ]", "]"),
        (" : ", ": "),
        ("' ", "'"),
        (":: ", "::"),
        (" ::", "::"),
        (" :", ":"),
        ("- >", "->"),
        (" .", "."),
        (",)", ")"),
        (",>", ">"),
    ] {
        text = text.replace(from, to);
    }
    text.replace("->", " -> ").replace("  ", " ")
}

pub(super) fn names_of(tree: &UseTree, found: &mut BTreeSet<String>) {
    match tree {
        UseTree::Path(path) => names_of(&path.tree, found),
        UseTree::Name(name) => {
            found.insert(name.ident.to_string());
        }
        UseTree::Rename(rename) => {
            found.insert(rename.rename.to_string());
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| names_of(tree, found)),
        UseTree::Glob(_) => panic!("a glob import in a public path cannot be listed"),
    }
}

/// One source file of a crate, found by following the modules from `lib.rs`. `public` says whether
/// its module is public.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) file: syn::File,
    pub(super) public: bool,
}

pub(super) fn modules(part: &str) -> Vec<Source> {
    fn follow(path: PathBuf, public: bool, found: &mut Vec<Source>) {
        let file = parsed(&path);
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let folder = path.parent().unwrap();
        let below = match stem {
            "lib" | "mod" => folder.to_path_buf(),
            stem => folder.join(stem),
        };
        for item in &file.items {
            let Item::Mod(module) = item else { continue };
            if module.content.is_some() || under_test(&module.attrs) {
                continue;
            }
            let name = module.ident.to_string();
            let next = [below.join(format!("{name}.rs")), below.join(&name).join("mod.rs")];
            let Some(next) = next.into_iter().find(|path| path.exists()) else {
                panic!("{}: the file of module {name} was not found", path.display())
            };
            let visible = public && is_public(&module.vis) && !hidden(&module.attrs);
            follow(next, visible, found);
        }
        found.push(Source { path, file, public });
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates").join(part).join("src/lib.rs");
    let mut found = Vec::new();
    follow(root, true, &mut found);
    found
}

/// Returns the names that `lib.rs` and public modules export with `pub use`.
pub(super) fn used(sources: &[Source]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for source in sources.iter().filter(|source| source.public) {
        for item in &source.file.items {
            if let Item::Use(item) = item
                && is_public(&item.vis)
                && !hidden(&item.attrs)
            {
                names_of(&item.tree, &mut names);
            }
        }
    }
    names
}

/// Returns the names that `lib.rs` exports with `pub use`.
pub(crate) fn exports(part: &str) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates").join(part).join("src/lib.rs");
    used(&[Source { file: parsed(&root), path: root, public: true }])
}

pub(super) fn type_name(of: &Type) -> Option<String> {
    match of {
        Type::Path(path) => path.path.segments.last().map(|it| it.ident.to_string()),
        _ => None,
    }
}

/// Returns the functions that the text of a macro defines with `pub fn name`.
pub(super) fn functions_in(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    words
        .windows(3)
        .filter(|it| it[0] == "pub" && it[1] == "fn")
        .map(|it| it[2].split(['(', '<']).next().unwrap().to_string())
        .filter(|name| !name.is_empty() && !name.starts_with('$'))
        .collect()
}
