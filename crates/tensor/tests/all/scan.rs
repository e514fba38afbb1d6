//! Reads the sources of a crate and finds the imports between its rooms (top-level modules). Tests use it to
//! check which room may import from which. An import is a path that begins with `crate::`, or with enough
//! `super::` to reach the root of the crate. Comments, strings and test modules are ignored.

#![allow(dead_code)] // each crate's test uses a part

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

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

/// Returns the code with each comment, string and character literal replaced by a space.
pub fn code_of(text: &str) -> String {
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
        // Keep the line breaks, so that line numbers stay correct.
        out.extend(rest[..skipped].chars().filter(|&c| c == '\n'));
        out.push(' ');
        rest = &rest[skipped..];
    }
    out
}

/// Returns the code without its test modules, and the names of the test modules in separate files.
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

/// Returns the length of the block in braces at the start of the code.
pub fn block(code: &str) -> usize {
    let mut depth = 0;
    let close = code.find(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth == 0
    });
    close.map_or(code.len(), |close| close + 1)
}

/// Returns the names after `::`: one name, or the first name of each path in braces.
pub fn heads(rest: &str) -> Vec<String> {
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

/// Returns the paths at the start of the code, each as a list of names: one path, or each path in braces.
fn paths(rest: &str) -> Vec<Vec<String>> {
    fn read(rest: &mut &str, found: &mut Vec<Vec<String>>, before: &[String]) {
        *rest = rest.trim_start();
        if let Some(inside) = rest.strip_prefix('{') {
            *rest = inside;
            while !rest.is_empty() && !rest.starts_with('}') {
                read(rest, found, before);
                // What follows a path up to the comma is another name of it: `as name`.
                *rest = &rest[rest.find([',', '}']).unwrap_or(rest.len())..];
                *rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
            }
            *rest = rest.strip_prefix('}').unwrap_or(rest);
            return;
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let mut path = before.to_vec();
        path.extend((end > 0).then(|| rest[..end].to_owned()));
        *rest = &rest[end..];
        match rest.strip_prefix("::").filter(|_| end > 0) {
            Some(more) => {
                *rest = more;
                read(rest, found, &path);
            }
            None => found.push(path),
        }
    }
    let (mut rest, mut found) = (rest, vec![]);
    read(&mut rest, &mut found, &[]);
    found.retain(|path| !path.is_empty());
    found
}

/// A path as a list of names, from the root of the crate, and its line number.
type Import = (Vec<String>, usize);

/// Returns the paths in the code of a module that begin with `crate::` or `super::`, resolved to paths from the
/// root of the crate.
fn imports(code: &str, module: &[String]) -> Vec<Import> {
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
fn names_in(code: &str, module: &[String], folder: &[String]) -> Vec<(String, usize)> {
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
fn reexports(code: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for line in code.split(';') {
        let Some((_, path)) = line.split_once("use ") else { continue };
        if let Some((child, rest)) = path.trim().split_once("::") {
            found.extend(heads(rest).into_iter().map(|name| (name, child.to_owned())));
        }
    }
    found
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

/// A block `impl Type { … }`, or `impl Trait for Type { … }`.
pub struct Impl {
    /// The path of the trait as it is written, without its arguments.
    pub of_trait: Option<String>,
    /// The name of the type.
    pub on: String,
    /// The names of the functions in the block that other modules of the crate may call.
    pub functions: BTreeSet<String>,
    pub line: usize,
}

/// Returns the position of `word` in the text, outside of brackets of any kind.
fn find_outside(text: &str, word: &str) -> Option<usize> {
    let (mut depth, mut before) = (0, ' ');
    for (at, c) in text.char_indices() {
        if depth == 0 && text[at..].starts_with(word) {
            return Some(at);
        }
        depth += i32::from(matches!(c, '<' | '(' | '['));
        depth -= i32::from(matches!(c, ')' | ']') || c == '>' && before != '-');
        before = c;
    }
    None
}

/// Returns the names after each `word` in the code.
fn names_after(code: &str, word: &str) -> Vec<String> {
    let of_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word)
        .filter(|(at, _)| !(word.starts_with(of_name) && code[..*at].ends_with(of_name)))
        .map(|(at, _)| code[at + word.len()..].chars().take_while(|&c| of_name(c)).collect())
        .filter(|name: &String| !name.is_empty())
        .collect()
}

/// Returns the functions in a block with `pub`, but without `pub(super)`.
fn public_functions(body: &str) -> BTreeSet<String> {
    let lines = body.lines().map(str::trim_start);
    let public = lines.filter(|line| line.starts_with("pub") && !line.starts_with("pub(super)"));
    // What follows `pub` or `pub(crate)`, up to the arguments.
    public
        .map(|line| line.trim_start_matches("pub(crate)").trim_start_matches("pub"))
        .filter_map(|rest| names_after(rest.split('(').next().unwrap(), "fn ").pop())
        .collect()
}

/// Returns the `impl` blocks of a file. In a macro, a name may be a variable of the macro: `$Trait`.
pub fn impls(code: &str) -> Vec<Impl> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("impl") {
        let line = code[..at].rsplit('\n').next().unwrap();
        let rest = &code[at + "impl".len()..];
        if !(line.trim().is_empty() || line.trim() == "unsafe") || !rest.starts_with([' ', '<']) {
            continue;
        }
        let Some(open) = rest.find('{') else { continue };
        let head = rest[..open].split(" where").next().unwrap().trim();
        // Without the generic parameters.
        let head = match head.strip_prefix('<') {
            Some(inside) => {
                let mut depth = 1;
                let mut before = ' ';
                let end = inside.find(|c| {
                    depth += i32::from(c == '<') - i32::from(c == '>' && before != '-');
                    before = c;
                    depth == 0
                });
                &inside[end.unwrap() + 1..]
            }
            None => head,
        };
        let path = |text: &str| text.split('<').next().unwrap().trim().to_owned();
        let (of_trait, on) = match find_outside(head, " for ") {
            Some(at) => (Some(path(&head[..at])), &head[at + " for ".len()..]),
            None => (None, head),
        };
        let on = path(on.trim_start_matches(['&', ' ']));
        let body = &rest[open..open + block(&rest[open..])];
        found.push(Impl {
            of_trait,
            on: on.rsplit("::").next().unwrap().to_owned(),
            functions: public_functions(body),
            line: code[..at].matches('\n').count() + 1,
        });
    }
    found
}

/// Returns the types that a file declares.
pub fn types(code: &str) -> Vec<String> {
    ["struct ", "enum ", "union "].iter().flat_map(|word| names_after(code, word)).collect()
}

/// Methods that a room adds to types of lower rooms, and implementations of traits for them.
#[derive(Default)]
pub struct Added {
    /// For each method, the room of its type and the room that adds it, by their numbers.
    pub methods: BTreeMap<String, BTreeSet<(usize, usize)>>,
    /// (room, trait, type) for each trait that the crate does not declare: its methods need no import, or are
    /// operators.
    pub traits: BTreeSet<(String, String, String)>,
}

/// Returns what the rooms add to types of lower rooms. `rooms` are sorted from the lowest to the highest.
pub fn added(files: &[File], rooms: &[&str]) -> Added {
    let level = |file: &File| rooms.iter().position(|room| *room == file.room()).unwrap();
    let mut homes: BTreeMap<String, usize> = BTreeMap::new();
    let mut traits = BTreeSet::new();
    for file in files {
        homes.extend(types(&file.code).into_iter().map(|name| (name, level(file))));
        traits.extend(names_after(&file.code, "trait "));
    }
    let mut added = Added::default();
    for file in files {
        let own = level(file);
        for block in impls(&file.code) {
            let Some(&home) = homes.get(&block.on).filter(|home| **home < own) else { continue };
            match block.of_trait {
                None => {
                    // The rows of a macro have the names of its methods: `Exp as exp { … }`.
                    let rows = names_after(&file.code, " as ");
                    let rows = rows.into_iter().filter(|_| file.code.contains("macro_rules!"));
                    for name in block.functions.into_iter().chain(rows) {
                        added.methods.entry(name).or_default().insert((home, own));
                    }
                }
                Some(of) if !traits.contains(of.rsplit("::").next().unwrap()) => {
                    added.traits.insert((file.room().to_owned(), of, block.on));
                }
                Some(_) => {} // its methods need an import of the trait
            }
        }
    }
    added
}

/// Returns the number of calls of a method in the code: `x.name(…)`, `Type::name(…)`, and `Type::name` as a value.
pub fn calls(code: &str, name: &str) -> usize {
    let of_name = |c: char| c.is_alphanumeric() || c == '_';
    let (dot, path) = (format!(".{name}"), format!("::{name}"));
    let dotted = code.match_indices(&dot).filter(|(at, found)| {
        let rest = code[at + found.len()..].trim_start();
        rest.starts_with('(') || rest.starts_with("::<")
    });
    let of_type = code.match_indices(&path).filter(|(at, found)| {
        let before = code[..*at].rsplit(|c| !of_name(c)).next().unwrap();
        let of_type = before.starts_with(char::is_uppercase) || code[..*at].ends_with('>');
        of_type && !code[at + found.len()..].starts_with(of_name)
    });
    dotted.count() + of_type.count()
}

/// A call of a method that a higher room adds: (file, method, number of calls).
pub type Upward = (String, String, usize);

/// Returns the calls of methods that a higher room adds to the types of the calling room or of rooms below it. Methods
/// of other types with the same name are found, too.
pub fn upward_calls(files: &[File], rooms: &[&str]) -> Vec<Upward> {
    let level = |file: &File| rooms.iter().position(|room| *room == file.room()).unwrap();
    let mut found = Vec::new();
    for (method, rooms) in &added(files, rooms).methods {
        for file in files {
            let own = level(file);
            let upward = rooms.iter().any(|&(home, adds)| home <= own && own < adds);
            let count = if upward { calls(&file.code, method) } else { 0 };
            if count > 0 {
                found.push((file.path.clone(), method.clone(), count));
            }
        }
    }
    found.sort();
    found
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

/// Returns the path of an import into `folder` that leads through what the modules above the folder re-export.
fn through(
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

#[test]
fn methods_of_higher_rooms_are_found() {
    let file = |room: &str, code: &str| File {
        path: format!("{room}/a.rs"),
        module: vec![room.into(), "a".into()],
        code: code.into(),
    };
    let low = "pub struct Shape;\nimpl Shape { pub fn own(&self) {} }\nfn f(s: &Shape) { s.own(); s.up(); Shape::up(s); g(Shape::up); x.up; }";
    let high = "impl<T: Fn(u8) -> u8> crate::low::Shape where T: X {\n    pub(crate) fn up(&self) {}\n    fn hidden(&self) {}\n}\n\
                impl std::ops::Add for &Shape {\n    fn add(self) {}\n}\ntrait Here {}\nimpl Here for Shape {}\n\
                macro_rules! rows { () => {\n    impl Shape { $(\n    pub fn $name() {} )* }\n} }\nrows! { Exp as exp {} }";
    let files = [file("low", low), file("high", high)];
    assert_eq!(upward_calls(&files, &["low", "high"]), [("low/a.rs".into(), "up".into(), 3)]);
    let added = added(&files, &["low", "high"]);
    assert!(added.methods.contains_key("exp") && !added.methods.contains_key("hidden"));
    let operator = ["high", "std::ops::Add", "Shape"].map(String::from).into();
    assert_eq!(added.traits.into_iter().collect::<Vec<(String, String, String)>>(), [operator]);
    let renamed = [file("low", "use crate as me;\nfn f() -> me::high::X {}")];
    assert_eq!(renamed_roots(&renamed), ["low/a.rs:1: crate as …"]);
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
