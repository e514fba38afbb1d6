//! The imports of a module. An import is a path that begins with `crate::`, or with enough `super::` to reach the
//! root of the crate.

use super::File;
use super::text::{code_of, heads, paths, without_tests};
use std::collections::{BTreeMap, BTreeSet};

/// A path as a list of names, from the root of the crate, and its line number.
pub(super) type Import = (Vec<String>, usize);

/// Returns the paths in the code of a module that begin with `crate::` or `super::`, resolved to paths from the
/// root of the crate.
pub(super) fn imports(code: &str, module: &[String]) -> Vec<Import> {
    let mut found = vec![];
    let mut at = 0;
    let follows_a_name = |at: usize| {
        code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    };
    while let Some(next) = code[at..].find("::") {
        let (end, start) = (at + next + 2, at);
        at = end;
        let word: String = code[start..end - 2]
            .chars()
            .rev()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        let (word, begin) = (word.chars().rev().collect::<String>(), end - 2 - word.len());
        if follows_a_name(begin) {
            continue;
        }
        let (depth, rest) = match &*word {
            "crate" => (0, &code[end..]),
            "super" => {
                let (up, rest) = up(&code[end..]);
                // An inner module of the file may lead up to the file itself.
                (module.len().saturating_sub(up), rest)
            }
            _ => continue,
        };
        let line = code[..begin].matches('\n').count() + 1;
        found
            .extend(paths(rest).into_iter().map(|path| ([&module[..depth], &path].concat(), line)));
    }
    found
}

/// Returns how many modules `super::…` leads up, and the code behind it. `rest` is the code behind the first
/// `super::`.
fn up(mut rest: &str) -> (usize, &str) {
    let mut up = 1;
    while let Some(more) = rest.strip_prefix("super::") {
        (rest, up) = (more, up + 1);
    }
    (up, rest)
}

/// Returns the names in `folder` that the code of a module uses, with their line numbers, except the name of the
/// module itself, or of the module in `folder` that contains it. An empty `folder` is the root of the crate.
pub(super) fn names_in(code: &str, module: &[String], folder: &[String]) -> Vec<(String, usize)> {
    let names = imports(code, module).into_iter();
    names
        .filter_map(|(path, line)| Some((path.strip_prefix(folder)?.first()?.clone(), line)))
        .filter(|(name, _)| *name != module[folder.len()])
        .collect()
}

/// Returns the names at the root of the crate that the code of a module uses, with their line numbers.
pub fn roots(code: &str, module: &[String]) -> Vec<(String, usize)> {
    names_in(code, module, &[])
}

/// Returns the names that a module re-exports from its child modules, each with its child module.
pub(super) fn reexports(code: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for line in code.split(';') {
        let Some((_, path)) = line.split_once("use ") else { continue };
        if let Some((child, rest)) = path.trim().split_once("::") {
            found.extend(heads(rest).into_iter().map(|name| (name, child.to_owned())));
        }
    }
    found
}

/// Returns the pairs of rooms (importing room, imported room) with the places of the imports. `room_of` maps
/// a name at the root of the crate to its room, or returns `None` if the name is itself a room.
pub fn arrows(
    files: &[File],
    rooms: &[&str],
    room_of: impl Fn(&str) -> Option<&'static str>,
) -> BTreeMap<(String, String), BTreeSet<String>> {
    let renamed = renamed_roots(files);
    assert!(
        renamed.is_empty(),
        "imports through another name are not followed:\n{}",
        renamed.join("\n")
    );
    let mut arrows: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for file in files {
        for (name, line) in roots(&file.code, &file.module) {
            let place = format!("{}:{line}", file.path);
            let to = room_of(&name).map_or(name.clone(), String::from);
            assert!(
                rooms.contains(&&*to),
                "{place}: `crate::{name}` is not a room: import the name from the room that declares it"
            );
            if to != file.room() {
                arrows.entry((file.room().to_owned(), to)).or_default().insert(place);
            }
        }
    }
    arrows
}

/// Returns the places where a module gives another name to the crate or to a parent: `use crate as x`. Paths through
/// this name would not be found.
pub fn renamed_roots(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        for renamed in ["crate as ", "super as ", "extern crate "] {
            for (at, _) in file.code.match_indices(renamed) {
                let line = file.code[..at].matches('\n').count() + 1;
                found.push(format!("{}:{line}: {renamed}…", file.path));
            }
        }
    }
    found
}

/// Returns the path of an import into `folder` that leads through what the modules above the folder re-export.
pub(super) fn through(
    mut import: Vec<String>,
    folder: &[String],
    above: &[BTreeMap<String, String>],
) -> Vec<String> {
    for (depth, exported) in above.iter().enumerate() {
        let enters = import.starts_with(&folder[..depth])
            && import.get(depth).and_then(|name| exported.get(name)) == Some(&folder[depth]);
        if enters {
            import.insert(depth, folder[depth].clone());
        }
    }
    import
}

#[test]
fn the_scanner_finds_imports_outside_of_tests() {
    let code = "use crate::{kernels::{a, b}, layout::Shape};\n// crate::files\nfn f() { crate::tensor::g(\"crate::maps\") }\n\
                #[cfg(test)]\nmod tests { use crate::shapes; }\n#[cfg(test)]\nmod more;\nuse super::super::number::Real;\n\
                #[cfg(all(test, debug_assertions))]\nmod debug { use crate::shapes; }\n\
                use super::near; use wengert::crate_like::x;";
    let (code, files) = without_tests(&code_of(code));
    assert_eq!(files.into_iter().collect::<Vec<_>>(), ["more"]);
    let module = ["room", "file"].map(String::from);
    let found: Vec<_> = roots(&code, &module).into_iter().map(|(name, _)| name).collect();
    assert_eq!(found, ["kernels", "kernels", "layout", "tensor", "number"]);
}

#[test]
fn the_scanner_finds_names_of_a_room() {
    let code = "use crate::tensor::{Element, base::Tensor}; use super::{Float, Tensor};\nuse super::super::layout; \
                crate::tensor::index::f(); use crate::layout::Shape;";
    let names = |module: &[&str], folder: &[&str]| {
        let [module, folder] =
            [module, folder].map(|path| path.iter().map(ToString::to_string).collect());
        let (module, folder): (Vec<_>, Vec<_>) = (module, folder);
        names_in(code, &module, &folder).into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(
        names(&["tensor", "views"], &["tensor"]),
        ["Element", "base", "Float", "Tensor", "index"]
    );
    let inner = ["tensor", "reduce", "axes"];
    assert_eq!(names(&inner, &["tensor"]), ["Element", "base", "layout", "index"]);
    assert_eq!(names(&inner, &["tensor", "reduce"]), ["Float", "Tensor"]);
    let names = reexports("mod base;\npub use base::Tensor;\npub(crate) use a::{B, c::D};");
    let pairs = [("B", "a"), ("Tensor", "base"), ("c", "a")];
    assert_eq!(names, pairs.map(|(name, child)| (name.to_owned(), child.to_owned())).into());
}

#[test]
fn an_import_through_a_module_above_is_found() {
    let names = |path: &str| path.split("::").map(String::from).collect::<Vec<_>>();
    let above = ["use models::{Net, Layer};", "mod historic; pub use historic::{Layer, Net};"]
        .map(reexports);
    let folder = names("models::historic");
    assert_eq!(through(names("models::Layer"), &folder, &above), names("models::historic::Layer"));
    assert_eq!(through(names("Layer"), &folder, &above), names("models::historic::Layer"));
    assert_eq!(through(names("models::Other"), &folder, &above), names("models::Other"));
}
