//! The rooms of this crate, from the ground up: a room may import from the rooms below it alone.
//!
//! The test reads the sources. It follows paths that begin with `crate::`, and with `super::` where they
//! lead out of a room. Comments, strings and test modules are left out. `--nocapture` prints the arrows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room may import from those before it.
const ROOMS: [&str; 9] =
    ["layout", "machine", "number", "geometry", "shapes", "maps", "kernels", "tensor", "files"];

/// Modules without a room: only tests use them.
const FOR_TESTS: [&str; 1] = ["testing"];

/// Names at the root of the crate that are no rooms: macros that are exported.
const MACROS: [(&str, &str); 1] = [("debug_is_display", "files")];

/// One import: the room it leads to, and where it stands.
type Arrows = BTreeMap<(String, String), BTreeSet<String>>;

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
    while let Some(at) = rest.find("#[cfg(test)]") {
        out.push_str(&rest[..at]);
        rest = rest[at..].trim_start_matches("#[cfg(test)]");
        let end = rest.find([';', '{']).unwrap_or(rest.len());
        let item: Vec<&str> = rest[..end].split_whitespace().collect();
        if let Some(i) = item.iter().position(|&word| word == "mod")
            && rest[end..].starts_with(';')
        {
            files.insert(item[i + 1].to_owned());
        }
        rest = if rest[end..].starts_with('{') {
            let mut depth = 0;
            let close = rest[end..].find(|c| {
                depth += i32::from(c == '{') - i32::from(c == '}');
                depth == 0
            });
            &rest[close.map_or(rest.len(), |close| end + close + 1)..]
        } else {
            &rest[(end + 1).min(rest.len())..]
        };
    }
    out.push_str(rest);
    (out, files)
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

/// All imports of the module in this file and of its children.
fn walk(src: &Path, file: &Path, module: &[String], arrows: &mut Arrows) {
    let text = fs::read_to_string(file).unwrap();
    let (code, tests) = without_tests(&code_of(&text));
    let place = file.strip_prefix(src).unwrap().display().to_string();
    for (name, line) in roots(&code, module) {
        let of_macro = MACROS.iter().find(|(known, _)| *known == name).map(|&(_, room)| room);
        let to = of_macro.unwrap_or(&name).to_owned();
        assert!(
            ROOMS.contains(&&*to),
            "{place}:{line}: `crate::{name}` is no room: import the name from the room it lives in"
        );
        if to != module[0] {
            arrows.entry((module[0].clone(), to)).or_default().insert(format!("{place}:{line}"));
        }
    }
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
        if name == "mod" || tests.contains(&name) {
            continue;
        }
        let file = if child.is_dir() { child.join("mod.rs") } else { child };
        if file.is_file() {
            walk(src, &file, &[module, &[name]].concat(), arrows);
        }
    }
}

fn arrows() -> Arrows {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut arrows = Arrows::new();
    for room in ROOMS {
        walk(&src, &src.join(room).join("mod.rs"), &[room.to_owned()], &mut arrows);
    }
    arrows
}

#[test]
fn rooms_import_from_those_below_them() {
    let arrows = arrows();
    let level = |room: &str| ROOMS.iter().position(|known| *known == room).unwrap();
    let (mut all, mut upward) = (String::new(), 0);
    for ((from, to), places) in &arrows {
        let up = level(from) < level(to);
        let first = places.iter().next().unwrap();
        let note = if up { format!("UP, in {places:?}") } else { format!("from {first}") };
        writeln!(all, "{from} → {to}: {} imports, {note}", places.len()).unwrap();
        upward += usize::from(up);
    }
    println!("{} rooms, {} arrows\n{all}", ROOMS.len(), arrows.len());
    assert!(
        upward == 0,
        "{upward} arrows point up: move the imported item to the room below, or the importing one up\n{all}"
    );
}

#[test]
fn the_crate_lists_its_rooms_from_the_ground_up() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let code = code_of(&fs::read_to_string(src.join("lib.rs")).unwrap());
    let modules: Vec<&str> = code
        .lines()
        .filter_map(|line| line.trim().trim_start_matches("pub ").strip_prefix("mod "))
        .map(|rest| rest.trim_end_matches(';'))
        .filter(|name| !FOR_TESTS.contains(name))
        .collect();
    assert_eq!(modules, ROOMS);
    let mut entries: Vec<String> = fs::read_dir(&src)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "lib" && !FOR_TESTS.contains(&&**name))
        .collect();
    entries.sort();
    let mut rooms = ROOMS;
    rooms.sort_unstable();
    assert_eq!(entries, rooms, "each module lies in a room");
}

#[test]
fn the_scanner_finds_what_is_written() {
    let code = "use crate::{kernels::{a, b}, layout::Shape};\n// crate::files\nfn f() { crate::tensor::g(\"crate::maps\") }\n\
                #[cfg(test)]\nmod tests { use crate::shapes; }\n#[cfg(test)]\nmod more;\nuse super::super::number::Real;\n\
                use super::near; use wengert::crate_like::x;";
    let (code, files) = without_tests(&code_of(code));
    assert_eq!(files.into_iter().collect::<Vec<_>>(), ["more"]);
    let module = ["room", "file"].map(String::from);
    let found: Vec<_> = roots(&code, &module).into_iter().map(|(name, _)| name).collect();
    assert_eq!(found, ["kernels", "layout", "tensor", "number"]);
}
