//! Circles of imports among the modules of a folder.

use super::imports::{imports, reexports, through};
use super::text::{code_of, without_tests};
use super::{folders, walk};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Asserts that the modules in each folder of a crate import each other in no circle: neither directly nor through
/// others. An empty list of `rooms` stands for all modules of `src`, and then `src` itself is a folder. `permitted` lists
/// imports that are left out: the folder, the importing module, the imported module, and the reason why it may close
/// a circle.
pub fn check_folders(src: &Path, rooms: &[&str], permitted: &[(&str, &str, &str, &str)]) {
    let mut folders = folders(src, rooms);
    if rooms.is_empty() {
        folders.push(String::new());
    }
    for (folder, ..) in permitted {
        assert!(folders.iter().any(|known| known == folder), "no folder src/{folder}");
    }
    let mut found = Vec::new();
    for folder in folders {
        let permitted: Vec<_> = permitted
            .iter()
            .filter(|(of, ..)| *of == folder)
            .map(|&(_, from, to, reason)| (from, to, reason))
            .collect();
        found.extend(circles(src, &folder, &permitted));
    }
    assert!(found.is_empty(), "{CIRCLE}\n{}", found.join("\n"));
}

pub const CIRCLE: &str =
    "modules import each other in a circle: move what both need to a module below them";

/// Returns the file of a module. An empty path is the root of the crate.
fn file_of(src: &Path, module: &[String]) -> PathBuf {
    let home = module.iter().fold(src.to_owned(), |home, name| home.join(name));
    if module.is_empty() {
        src.join("lib.rs")
    } else if home.join("mod.rs").is_file() {
        home.join("mod.rs")
    } else {
        home.with_extension("rs")
    }
}

/// Returns the imports that close circles among the modules in a folder, without those that `permitted` lists.
pub fn circles(src: &Path, folder: &str, permitted: &[(&str, &str, &str)]) -> Vec<String> {
    let path: Vec<String> = folder.split('/').filter(|s| !s.is_empty()).map(String::from).collect();
    let home = src.join(folder);
    let root = file_of(src, &path);
    let own = code_of(&fs::read_to_string(&root).unwrap());
    let tests = without_tests(&own).1;
    let mut files = Vec::new();
    for entry in fs::read_dir(&home).unwrap() {
        let entry = entry.unwrap().path();
        let name = entry.file_stem().unwrap().to_str().unwrap().to_owned();
        let file = if entry.is_dir() { entry.join("mod.rs") } else { entry };
        if file != root && file.is_file() && !tests.contains(&name) {
            walk(src, &file, &[&*path, &[name]].concat(), &mut files);
        }
    }
    let at = path.len();
    let modules: BTreeSet<String> = files.iter().map(|file| file.module[at].clone()).collect();
    let exported = reexports(&own);
    // What the modules above the folder re-export: an import may lead through them.
    let above: Vec<BTreeMap<String, String>> = (0..at)
        .map(|depth| {
            reexports(&code_of(&fs::read_to_string(file_of(src, &path[..depth])).unwrap()))
        })
        .collect();
    let mut arrows: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for file in &files {
        for (import, line) in imports(&file.code, &file.module) {
            let import = through(import, &path, &above);
            let Some(name) = import.strip_prefix(&*path).and_then(|rest| rest.first()) else {
                continue;
            };
            if *name == file.module[at] {
                continue;
            }
            let to = if modules.contains(name) { Some(name) } else { exported.get(name) };
            let from = &file.module[at];
            if let Some(to) = to.filter(|to| *to != from) {
                let place = format!("{}:{line}: {name}", file.path);
                arrows.entry((from.clone(), to.clone())).or_default().insert(place);
            }
        }
    }
    println!(
        "src/{folder}: {} modules, {} pairs of importing and imported module",
        modules.len(),
        arrows.len()
    );
    for &(from, to, _) in permitted {
        let arrow = (from.to_owned(), to.to_owned());
        assert!(
            arrows.remove(&arrow).is_some(),
            "src/{folder}: `{from}` does not import `{to}`: remove the exception"
        );
    }
    let circle = circle(arrows.keys());
    arrows
        .iter()
        .filter(|((from, to), _)| circle.contains(from) && circle.contains(to))
        .map(|((from, to), places)| format!("src/{folder}: {from} → {to}: {places:?}"))
        .collect()
}

/// Returns the modules that lie in a circle of arrows, or between circles.
fn circle<'a>(arrows: impl Iterator<Item = &'a (String, String)>) -> BTreeSet<String> {
    let mut left: Vec<(String, String)> = arrows.cloned().collect();
    loop {
        let importing: BTreeSet<String> = left.iter().map(|(from, _)| from.clone()).collect();
        let imported: BTreeSet<String> = left.iter().map(|(_, to)| to.clone()).collect();
        let before = left.len();
        // A module that imports nothing, or that nothing imports, is in no circle.
        left.retain(|(from, to)| importing.contains(to) && imported.contains(from));
        if left.len() == before {
            return left.into_iter().map(|(from, _)| from).collect();
        }
    }
}

#[test]
fn circles_are_found() {
    let arrows = |pairs: &[(&str, &str)]| {
        let pairs: Vec<_> = pairs.iter().map(|&(a, b)| (a.to_owned(), b.to_owned())).collect();
        circle(pairs.iter()).into_iter().collect::<Vec<_>>()
    };
    assert!(arrows(&[("a", "b"), ("a", "c"), ("b", "c")]).is_empty());
    assert_eq!(arrows(&[("a", "b"), ("b", "a"), ("b", "c"), ("d", "a")]), ["a", "b"]);
    assert_eq!(arrows(&[("a", "b"), ("b", "c"), ("c", "a")]), ["a", "b", "c"]);
}
