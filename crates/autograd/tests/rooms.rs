//! Which rooms of the sources may know which: reads the paths `crate::room::…` of all files under `src` and
//! refuses those that are not in the table. Tests may know everything.
//!
//! Inherent methods need no import, so that a lower room could call upwards without one. A second table lists the
//! methods on the types of `graph` that a higher room adds and a lower room calls.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The rooms from the bottom to the top, each with the rooms below it that it may know.
const ROOMS: &[(&str, &[&str])] = &[
    ("module", &[]),
    ("graph", &["module"]),
    ("rules", &["graph"]),
    ("engine", &["module", "graph", "rules"]),
    ("inspect", &["module", "graph", "rules", "engine"]),
    ("transforms", &["module", "graph", "rules"]),
    ("check", &["graph", "transforms"]),
];

/// The arrows that point up, and why.
const UPWARD: &[(&str, &str, &str)] =
    &[("graph", "rules", "an operation of a node is one enum over the families of the rule book")];

/// The methods that a higher room adds to the types of `graph`, and that lower rooms call: where a new node is
/// computed or left pending, where a number is asked for, where a scope or a tape ends.
const METHODS: &[(&str, &[&str])] = &[(
    "engine",
    &["check_invariants", "check_nodes_since", "close", "compute", "compute_or_defer", "force"],
)];

/// The rooms of the core types' methods: what the second test looks at.
const CORE: &[&str] = &["graph", "rules", "engine"];

/// A file of the sources: its module path, and its code without comments, texts and test modules.
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

fn sources() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut files, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if path.file_name().unwrap() != "tests" {
                    folders.push(path);
                }
                continue;
            }
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
            let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "lib") else {
                continue;
            };
            let mut module: Vec<String> = module.split('/').map(String::from).collect();
            module.pop_if(|last| last == "mod");
            let code = without_tests(&without_text(&std::fs::read_to_string(&path).unwrap()));
            files.push(File { path: name, module, code });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The code without comments and without what stands between quotes.
fn without_text(source: &str) -> String {
    let (mut code, mut rest) = (String::new(), source);
    while let Some(at) = rest.find(['/', '"', '\'']) {
        code.push_str(&rest[..at]);
        rest = &rest[at..];
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with('"') {
            let mut escaped = false;
            let end = rest[1..].find(|c: char| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            code.push_str("\"\"");
            end.map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("'\"'") || rest.starts_with("'/'") {
            3
        } else if rest.starts_with("'\\") {
            // An escaped character.
            3 + rest[3..].find('\'').map_or(0, |end| end + 1)
        } else {
            code.push_str(&rest[..1]);
            1
        };
        rest = &rest[skipped..];
    }
    code + rest
}

/// The code without the modules that are compiled for tests alone.
fn without_tests(code: &str) -> String {
    let (mut kept, mut rest) = (String::new(), code);
    while let Some(at) = rest.find("#[cfg(") {
        let end = at + rest[at..].find(']').expect("an attribute ends") + 1;
        kept.push_str(&rest[..at]);
        let (condition, after) = (&rest[at..end], &rest[end..]);
        let for_tests = condition.contains("test") && !condition.contains("not(test");
        rest = match after.trim_start().starts_with("mod ") && for_tests {
            false => after,
            true => {
                let stop = after.find(['{', ';']).expect("a module");
                &after[stop
                    + if after[stop..].starts_with('{') { block(&after[stop..]) } else { 1 }..]
            }
        };
    }
    kept + rest
}

/// The length of the block at the start of this code, its braces included.
fn block(code: &str) -> usize {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// The first names of the paths that begin here, which may be a list in braces.
fn heads(code: &str) -> Vec<String> {
    let name = |code: &str| -> String {
        code.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    if !code.starts_with('{') {
        return vec![name(code)];
    }
    let (mut depth, mut heads) = (0, Vec::new());
    for (at, c) in code[..block(code)].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 1 && (c == '{' || c == ',') {
            heads.push(name(&code[at + 1..]));
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}

/// What a file names of the crate: the second segments of its paths from the root.
fn named(file: &File) -> BTreeSet<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let mut named = BTreeSet::new();
    for (at, _) in file.code.match_indices("crate::") {
        if !file.code[..at].ends_with(is_word) {
            named.extend(heads(&file.code[at + "crate::".len()..]));
        }
    }
    // As many `super` as there are modules around the file lead to the root.
    let up = "super::".repeat(file.module.len());
    for (at, _) in file.code.match_indices(&up) {
        named.extend(heads(&file.code[at + up.len()..]));
    }
    named
}

fn position(room: &str) -> usize {
    ROOMS.iter().position(|(name, _)| *name == room).unwrap_or_else(|| panic!("no room `{room}`"))
}

#[test]
fn rooms_know_only_what_the_table_allows() {
    for (at, (room, below)) in ROOMS.iter().enumerate() {
        for other in *below {
            assert!(position(other) < at, "the table: `{other}` does not lie below `{room}`");
        }
    }
    let (mut offenders, mut used) = (Vec::new(), BTreeSet::new());
    for file in sources() {
        let room = file.room();
        let (_, below) = ROOMS[position(room)];
        for name in named(&file).into_iter().filter(|name| name != room) {
            let upward = UPWARD.iter().any(|(from, to, _)| (*from, *to) == (room, &*name));
            if !below.contains(&&*name) && !upward {
                offenders.push(format!("{}: crate::{name}", file.path));
            }
            used.insert((room.to_string(), name));
        }
    }
    assert!(offenders.is_empty(), "these rooms may not know that:\n{}", offenders.join("\n"));
    let arrows =
        ROOMS.iter().flat_map(|(room, below)| below.iter().map(move |other| (*room, *other)));
    for (from, to) in arrows.chain(UPWARD.iter().map(|(from, to, _)| (*from, *to))) {
        let arrow = (from.to_string(), to.to_string());
        assert!(used.contains(&arrow), "the table: nothing in `{from}` needs `{to}` any more");
    }
}

/// The methods of the types of `graph` that a file adds: those in blocks `impl … Tape<T> {` and the like.
fn added(file: &File) -> BTreeSet<String> {
    let mut methods = BTreeSet::new();
    for (at, _) in file.code.match_indices("\nimpl") {
        let Some(open) = file.code[at..].find('{').map(|open| at + open) else { continue };
        let head = &file.code[at..open];
        let own = ["Tape<", "Arena<", "Var<", "Mask<", "Index<"];
        if head.contains(" for ") || !own.iter().any(|own| head.contains(own)) {
            continue;
        }
        let body = &file.code[open..open + block(&file.code[open..])];
        for (at, _) in body.match_indices("fn ") {
            methods.extend(heads(&body[at + "fn ".len()..]));
        }
    }
    methods
}

#[test]
fn lower_rooms_call_only_the_listed_methods_of_higher_ones() {
    let files = sources();
    let mut rooms: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for file in &files {
        for method in added(file) {
            rooms.entry(method).or_default().insert(position(file.room()));
        }
    }
    let (mut offenders, mut used) = (Vec::new(), BTreeSet::new());
    for file in files.iter().filter(|file| CORE.contains(&file.room())) {
        // `graph` and `rules` know each other.
        let own = position(file.room()).max(position("rules"));
        for (method, rooms) in &rooms {
            // `close` of a scope is another one.
            let lowest =
                if method == "close" { position("engine") } else { *rooms.first().unwrap() };
            let calls = [format!(".{method}("), format!("::{method}(")];
            if lowest <= own || !calls.iter().any(|call| file.code.contains(call)) {
                continue;
            }
            let room = ROOMS[lowest].0;
            if METHODS.iter().any(|(of, list)| *of == room && list.contains(&&**method)) {
                used.insert(method.clone());
            } else {
                offenders.push(format!("{}: {method}() of `{room}`", file.path));
            }
        }
    }
    assert!(offenders.is_empty(), "these rooms may not call that:\n{}", offenders.join("\n"));
    for method in METHODS.iter().flat_map(|(_, list)| *list) {
        assert!(used.contains(*method), "the table: no lower room calls {method}() any more");
    }
}

#[test]
fn the_scanner_sees_what_is_code() {
    let file = |path: &str, code: &str| File {
        path: path.into(),
        module: path.split('/').map(String::from).collect(),
        code: without_tests(&without_text(code)),
    };
    let names = |path: &str, code: &str| named(&file(path, code)).into_iter().collect::<Vec<_>>();
    assert_eq!(names("a/b", "use crate::x::Y;"), ["x"]);
    assert_eq!(names("a/b", "use crate::{x::{Y, Z}, w, v::U};"), ["v", "w", "x"]);
    assert_eq!(names("a/b", "fn f() { crate::x::y(); $crate::z::w() }"), ["x"]);
    assert_eq!(names("a/b", "use super::super::x::Y;"), ["x"]);
    assert_eq!(names("a/b/c", "use super::super::x::Y;"), [""; 0]);
    assert_eq!(
        names("a/b", "// crate::x\n/// crate::y\nlet s = \"crate::z \\\" crate::w\";"),
        [""; 0]
    );
    assert_eq!(names("a/b", "let c = ['\"', '/', '\\'']; crate::x::y()"), ["x"]);
    let tests = "#[cfg(test)]\nmod tests { fn f() { crate::x::y() } }\nuse crate::z::Y;";
    assert_eq!(names("a/b", tests), ["z"]);
    assert_eq!(names("a/b", "#[cfg(all(test, debug_assertions))] mod t { crate::x }"), [""; 0]);
    let methods =
        "\nimpl<T> Tape<T> {\n    fn f(&self) {}\n}\nimpl Drop for Tape<T> {\n    fn drop() {}\n}";
    assert_eq!(added(&file("a/b", methods)).into_iter().collect::<Vec<_>>(), ["f"]);
}
