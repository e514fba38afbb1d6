//! The rooms of this crate, from the ground up: which room may import from which.
//!
//! The test reads the sources. It follows paths that begin with `crate::`, and with `super::` where they
//! lead out of a room. Comments, strings and test modules are left out. `--nocapture` prints the arrows.
//!
//! Inherent methods need no import: a lower room could call upwards without one. A second test compares the calls
//! with the list of methods that a higher room adds to the types of `graph` and a lower room calls.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from the ground up, each with those that it may import from.
const ROOMS: [(&str, &[&str]); 7] = [
    ("module", &[]),
    // An operation of a node is one enum over the families of the rule book: the one arrow that points up.
    ("graph", &["module", "rules"]),
    ("rules", &["graph"]),
    ("engine", &["module", "graph", "rules"]),
    ("inspect", &["module", "graph", "rules", "engine"]),
    ("transforms", &["module", "graph", "rules"]),
    ("check", &["graph", "transforms"]),
];

/// The arrows that point up.
const UP: [(&str, &str); 1] = [("graph", "rules")];

/// The methods that `engine` adds to the types of `graph`, and that `graph` and `rules` call: where a new node is
/// computed or left pending, where a number is asked for, where a scope or a tape ends.
const METHODS: [&str; 6] =
    ["check_invariants", "check_nodes_since", "close", "compute", "compute_or_defer", "force"];

/// The rooms whose calls are compared with that list, and what they see each other's methods by imports.
const CORE: [&str; 3] = ["graph", "rules", "engine"];

/// A file: its path below `src`, its module, and its code without comments, strings and test modules.
struct File {
    path: String,
    module: Vec<String>,
    code: String,
}

impl File {
    fn room(&self) -> &str {
        &self.module[0]
    }
}

/// The code without comments, strings and characters, each of which becomes a space.
fn code_of(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if first == '"' {
            let mut escaped = false;
            let end = rest[1..].find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            end.map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("'\"'") || rest.starts_with("'{'") || rest.starts_with("'}'") {
            3
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        // Lines stay lines.
        out.extend(rest[..skipped].chars().filter(|&c| c == '\n'));
        out.push(' ');
        rest = &rest[skipped..];
    }
    out
}

/// The code without its test modules, and the names of those that have a file of their own.
fn without_tests(code: &str) -> (String, BTreeSet<String>) {
    let (mut out, mut files) = (String::new(), BTreeSet::new());
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(") {
        let end = at + rest[at..].find(']').unwrap() + 1;
        let of_tests =
            ["#[cfg(test)]", "#[cfg(all(test"].iter().any(|cfg| rest[at..].starts_with(cfg));
        if !of_tests {
            out.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        out.push_str(&rest[..at]);
        rest = &rest[end..];
        let end = rest.find([';', '{']).unwrap_or(rest.len());
        let item: Vec<&str> = rest[..end].split_whitespace().collect();
        if let Some(i) = item.iter().position(|&word| word == "mod")
            && rest[end..].starts_with(';')
        {
            files.insert(item[i + 1].to_owned());
        }
        rest = if rest[end..].starts_with('{') {
            &rest[end + block(&rest[end..])..]
        } else {
            &rest[(end + 1).min(rest.len())..]
        };
    }
    out.push_str(rest);
    (out, files)
}

/// The length of the block in braces that the code begins with.
fn block(code: &str) -> usize {
    let mut depth = 0;
    let close = code.find(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth == 0
    });
    close.map_or(code.len(), |close| close + 1)
}

/// The names that may follow `::`: one, or those at the head of each path in braces.
fn heads(rest: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let Some(inside) = rest.trim_start().strip_prefix('{') else { return vec![name(rest)] };
    let (mut depth, mut heads, mut start) = (0, vec![], 0);
    for (i, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                heads.push(name(&inside[start..i]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                heads.push(name(&inside[start..i]));
                start = i + 1;
            }
            _ => {}
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}

/// The names at the root of the crate that the code of a module leads to, with their lines.
fn roots(code: &str, module: &[String]) -> Vec<(String, usize)> {
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
        let mut rest = &code[end..];
        let to_root = match word.as_str() {
            "crate" => true,
            "super" => {
                let mut up = 1;
                while let Some(more) = rest.strip_prefix("super::") {
                    (rest, up) = (more, up + 1);
                }
                up >= module.len()
            }
            _ => false,
        };
        if to_root {
            let line = code[..begin].matches('\n').count() + 1;
            found.extend(heads(rest).into_iter().map(|head| (head, line)));
        }
    }
    found
}

/// Reads the module in this file and its children.
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
        // A folder without `mod.rs` belongs to the file of its name.
        let file = if child.is_dir() { child.join("mod.rs") } else { child };
        if name != "mod" && !tests.contains(&name) && file.is_file() {
            walk(src, &file, &[module, &[name]].concat(), files);
        }
    }
}

fn files() -> Vec<File> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    for (room, _) in ROOMS {
        walk(&src, &src.join(room).join("mod.rs"), &[room.to_owned()], &mut files);
    }
    files
}

fn level(room: &str) -> usize {
    ROOMS.iter().position(|(known, _)| *known == room).unwrap()
}

#[test]
fn rooms_import_from_those_that_they_may_know() {
    let mut arrows: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for file in files() {
        for (name, line) in roots(&file.code, &file.module) {
            let place = format!("{}:{line}", file.path);
            assert!(
                ROOMS.iter().any(|(room, _)| *room == name),
                "{place}: `crate::{name}` is no room: import the name from the room it lives in"
            );
            if name != file.room() {
                arrows.entry((file.room().to_owned(), name)).or_default().insert(place);
            }
        }
    }
    let (mut all, mut wrong) = (String::new(), 0);
    for ((from, to), places) in &arrows {
        let may = ROOMS[level(from)].1.contains(&&**to);
        let note = match (may, level(from) < level(to)) {
            (false, _) => format!("NOT ALLOWED, in {places:?}"),
            (true, true) => format!("up, in {places:?}"),
            (true, false) => format!("from {}", places.first().unwrap()),
        };
        writeln!(all, "{from} → {to}: {} imports, {note}", places.len()).unwrap();
        wrong += usize::from(!may);
    }
    println!("{} rooms, {} arrows\n{all}", ROOMS.len(), arrows.len());
    assert!(wrong == 0, "{wrong} arrows are not allowed\n{all}");
    for (from, below) in ROOMS {
        for to in below {
            let up = level(from) < level(to);
            assert_eq!(
                up,
                UP.contains(&(from, *to)),
                "{from} → {to}: the list of arrows that point up"
            );
            let arrow = (from.to_owned(), (*to).to_owned());
            assert!(
                arrows.contains_key(&arrow),
                "nothing in `{from}` needs `{to}`: allow it no more"
            );
        }
    }
}

/// The methods that a file adds to the types of `graph`: those in blocks `impl … Tape<T> {` and the like.
fn added(code: &str) -> BTreeSet<String> {
    let mut methods = BTreeSet::new();
    for (at, _) in code.match_indices("\nimpl") {
        let open = at + code[at..].find('{').unwrap();
        let head = &code[at..open];
        let own = ["Tape<", "Arena<", "Var<", "Mask<", "Index<"];
        if head.contains(" for ") || !own.iter().any(|own| head.contains(own)) {
            continue;
        }
        let body = &code[open..open + block(&code[open..])];
        for (at, _) in body.match_indices("fn ") {
            methods.extend(heads(&body[at + "fn ".len()..]));
        }
    }
    methods
}

#[test]
fn lower_rooms_call_only_the_listed_methods_of_higher_ones() {
    let files = files();
    let mut levels: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for file in &files {
        for method in added(&file.code) {
            levels.entry(method).or_default().insert(level(file.room()));
        }
    }
    let (mut offenders, mut used) = (Vec::new(), BTreeSet::new());
    for file in files.iter().filter(|file| CORE.contains(&file.room())) {
        // `graph` and `rules` import from each other.
        let own = level(file.room()).max(level("rules"));
        for (method, levels) in &levels {
            let calls = [format!(".{method}("), format!("::{method}(")];
            if *levels.first().unwrap() <= own || !calls.iter().any(|call| file.code.contains(call))
            {
                continue;
            }
            if METHODS.contains(&&**method) {
                used.insert(&**method);
            } else {
                offenders.push(format!("{}: {method}()", file.path));
            }
        }
    }
    assert!(offenders.is_empty(), "calls of methods of higher rooms:\n{}", offenders.join("\n"));
    assert_eq!(used, BTreeSet::from(METHODS), "the list of methods");
}

#[test]
fn the_crate_lists_its_rooms_from_the_ground_up() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let code = code_of(&fs::read_to_string(src.join("lib.rs")).unwrap());
    let modules: Vec<&str> = code
        .lines()
        .filter_map(|line| line.trim().trim_start_matches("pub ").strip_prefix("mod "))
        .map(|rest| rest.trim_end_matches(';'))
        .collect();
    let mut rooms = ROOMS.map(|(room, _)| room);
    assert_eq!(modules, rooms);
    let mut entries: Vec<String> = fs::read_dir(&src)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "lib")
        .collect();
    entries.sort();
    rooms.sort_unstable();
    assert_eq!(entries, rooms, "each module lies in a room");
}

#[test]
fn the_scanner_finds_what_is_written() {
    let code = "use crate::{kernels::{a, b}, layout::Shape};\n// crate::files\nfn f() { crate::tensor::g(\"crate::maps\") }\n\
                #[cfg(test)]\nmod tests { use crate::shapes; }\n#[cfg(test)]\nmod more;\nuse super::super::number::Real;\n\
                #[cfg(all(test, debug_assertions))]\nmod debug { use crate::shapes; }\n\
                use super::near; use wengert::crate_like::x;\n\
                impl<T> Tape<T> {\n    fn f(&self) {}\n}\nimpl<T> Drop for Tape<T> {\n    fn drop(&mut self) {}\n}";
    let (code, files) = without_tests(&code_of(code));
    assert_eq!(files.into_iter().collect::<Vec<_>>(), ["more"]);
    let module = ["room", "file"].map(String::from);
    let found: Vec<_> = roots(&code, &module).into_iter().map(|(name, _)| name).collect();
    assert_eq!(found, ["kernels", "layout", "tensor", "number"]);
    assert_eq!(added(&code).into_iter().collect::<Vec<_>>(), ["f"]);
}
