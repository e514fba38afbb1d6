//! Reads the sources of a crate and finds the imports between its rooms (top-level modules), circles of imports, and
//! calls of methods that higher rooms add. Tests use it to check which room may use what of which. Comments, strings
//! and test modules are ignored.

#![allow(dead_code)] // each crate's test uses a part

mod circles;
mod imports;
mod methods;
mod text;

#[allow(unused_imports)] // as above
pub use {
    circles::{CIRCLE, check_folders, circles},
    imports::{arrows, renamed_roots, roots},
    methods::{Added, Impl, Upward, added, calls, impls, types, upward_calls},
    text::{block, code_of, heads},
};

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use text::without_tests;

/// A source file: its path below `src`, its module path, and its code without comments, strings and test
/// modules.
pub struct File {
    pub path: String,
    pub module: Vec<String>,
    pub code: String,
}

impl File {
    /// Returns the room of the file.
    pub fn room(&self) -> &str {
        &self.module[0]
    }
}

/// Reads the module in `file` and its child modules.
fn walk(src: &Path, file: &Path, module: &[String], files: &mut Vec<File>) {
    let (code, tests) = without_tests(&code_of(&fs::read_to_string(file).unwrap()));
    let path = file.strip_prefix(src).unwrap().display().to_string();
    files.push(File { path, module: module.to_vec(), code });
    let here = if file.ends_with("mod.rs") {
        file.parent().unwrap().to_owned()
    } else {
        file.with_extension("")
    };
    if !here.is_dir() {
        return;
    }
    let mut children: Vec<PathBuf> =
        fs::read_dir(&here).unwrap().map(|entry| entry.unwrap().path()).collect();
    children.sort();
    for child in children {
        let name = child.file_stem().unwrap().to_str().unwrap().to_owned();
        // A folder without `mod.rs` holds the child modules of the file with the same name.
        let file = if child.is_dir() { child.join("mod.rs") } else { child };
        if name != "mod" && !tests.contains(&name) && file.is_file() {
            walk(src, &file, &[module, &[name]].concat(), files);
        }
    }
}

/// Returns the files of `rooms`, without test modules.
pub fn files(src: &Path, rooms: &[&str]) -> Vec<File> {
    let mut files = Vec::new();
    for room in rooms {
        walk(src, &src.join(room).join("mod.rs"), &[(*room).to_owned()], &mut files);
    }
    files
}

/// Returns the folders below `src` that hold modules, as paths from `src`. Folders that hold tests only are left
/// out. An empty list of `rooms` stands for all modules of `src`.
pub fn folders(src: &Path, rooms: &[&str]) -> Vec<String> {
    let files = if rooms.is_empty() { modules(src) } else { files(src, rooms) };
    let parents = files.into_iter().filter_map(|file| {
        (file.module.len() > 1).then(|| file.module[..file.module.len() - 1].join("/"))
    });
    parents.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Returns the files of all modules of a crate, without `lib.rs` and test modules.
fn modules(src: &Path) -> Vec<File> {
    let (_, tests) = without_tests(&code_of(&fs::read_to_string(src.join("lib.rs")).unwrap()));
    let mut entries: Vec<PathBuf> =
        fs::read_dir(src).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.file_stem().unwrap().to_str().unwrap().to_owned();
        let file = if entry.is_dir() { entry.join("mod.rs") } else { entry };
        let source = file.is_file() && file.extension().is_some_and(|it| it == "rs");
        if source && name != "lib" && !tests.contains(&name) {
            walk(src, &file, &[name], &mut found);
        }
    }
    found
}

/// Asserts that `lib.rs` lists `rooms` in this order, and that each module of the crate lies in a room.
pub fn check_list(src: &Path, rooms: &[&str], for_tests: &[&str]) {
    let code = code_of(&fs::read_to_string(src.join("lib.rs")).unwrap());
    let modules: Vec<&str> = code
        .lines()
        .filter_map(|line| line.trim().trim_start_matches("pub ").strip_prefix("mod "))
        .map(|rest| rest.trim_end_matches(';'))
        .filter(|name| !for_tests.contains(name))
        .collect();
    assert_eq!(modules, rooms);
    let mut entries: Vec<String> = fs::read_dir(src)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "lib" && !for_tests.contains(&&**name))
        .collect();
    entries.sort();
    let mut rooms = rooms.to_vec();
    rooms.sort_unstable();
    assert_eq!(entries, rooms, "every module must be in a room");
}
