//! Methods that a room adds to the types of lower rooms, and the calls of them. A call needs no import.

use super::File;
use super::imports::renamed_roots;
use super::text::{block, find_outside, names_after};
use std::collections::{BTreeMap, BTreeSet};

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
