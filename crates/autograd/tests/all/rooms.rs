//! Checks which rooms (top-level modules of this crate) import from which. Rooms are ordered from the lowest
//! to the highest, and a lower room must not import from a higher one.
//!
//! `--nocapture` prints the arrows: the pairs of rooms with imports.
//!
//! Inherent methods need no import, so a lower room could call methods of a higher room without one. A second
//! test compares these calls with a list of the permitted methods.

use crate::scan;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The rooms from the lowest to the highest, each with the rooms from which it may import.
const ROOMS: [(&str, &[&str]); 7] = [
    ("module", &[]),
    // The operation of a node is an enum over the families of rules. This is the only arrow that points up.
    ("graph", &["module", "rules"]),
    ("rules", &["graph"]),
    ("engine", &["module", "graph", "rules"]),
    ("inspect", &["module", "graph", "rules", "engine"]),
    ("transforms", &["module", "graph", "rules"]),
    ("check", &["graph", "transforms"]),
];

/// The permitted imports of a lower room from a higher one.
const UP: [(&str, &str); 1] = [("graph", "rules")];

/// The methods that `engine` adds to the types of `graph`, and that `graph` and `rules` may call. They
/// compute a new node or leave it pending, compute a requested value, and end a scope or a tape.
const METHODS: [&str; 6] =
    ["check_invariants", "check_nodes_since", "close", "compute", "compute_or_defer", "force"];

/// The rooms whose calls are compared with this list.
const CORE: [&str; 3] = ["graph", "rules", "engine"];

fn names() -> [&'static str; ROOMS.len()] {
    ROOMS.map(|(room, _)| room)
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn level(room: &str) -> usize {
    ROOMS.iter().position(|(known, _)| *known == room).unwrap()
}

#[test]
fn rooms_import_only_from_permitted_rooms() {
    let arrows = scan::arrows(&scan::files(&src(), &names()), &names(), |_| None);
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
    assert!(wrong == 0, "ROOMS does not permit {wrong} of these imports\n{all}");
    for (from, below) in ROOMS {
        for to in below {
            let up = level(from) < level(to);
            assert_eq!(
                up,
                UP.contains(&(from, *to)),
                "{from} → {to}: UP must list exactly the imports of a lower room from a higher one"
            );
            let arrow = (from.to_owned(), (*to).to_owned());
            assert!(
                arrows.contains_key(&arrow),
                "`{from}` imports nothing from `{to}`: remove `{to}` from the row of `{from}` in ROOMS"
            );
        }
    }
}

/// Returns the methods that a file adds to the types of `graph`, in blocks such as `impl … Tape<T> {`.
fn added(code: &str) -> BTreeSet<String> {
    let mut methods = BTreeSet::new();
    for (at, _) in code.match_indices("\nimpl") {
        let open = at + code[at..].find('{').unwrap();
        let head = &code[at..open];
        let own = ["Tape<", "Arena<", "Var<", "Mask<", "Index<"];
        if head.contains(" for ") || !own.iter().any(|own| head.contains(own)) {
            continue;
        }
        let body = &code[open..open + scan::block(&code[open..])];
        for (at, _) in body.match_indices("fn ") {
            methods.extend(scan::heads(&body[at + "fn ".len()..]));
        }
    }
    methods
}

#[test]
fn lower_rooms_call_only_the_listed_methods_of_higher_rooms() {
    let files = scan::files(&src(), &names());
    let mut levels: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for file in &files {
        for method in added(&file.code) {
            levels.entry(method).or_default().insert(level(file.room()));
        }
    }
    let (mut offenders, mut used) = (Vec::new(), BTreeSet::new());
    for file in files.iter().filter(|file| CORE.contains(&file.room())) {
        // `graph` and `rules` import from each other, so they have the same level.
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
    assert_eq!(
        used,
        BTreeSet::from(METHODS),
        "METHODS must list exactly the methods that are called"
    );
}

#[test]
fn lib_rs_lists_the_rooms_in_order_of_dependency() {
    scan::check_list(&src(), &names(), &[]);
}

#[test]
fn methods_are_found_in_inherent_blocks() {
    let code = "impl<T> Tape<T> {\n    fn f(&self) {}\n}\nimpl<T> Drop for Tape<T> {\n    fn drop(&mut self) {}\n}";
    assert_eq!(added(&format!("\n{code}")).into_iter().collect::<Vec<_>>(), ["f"]);
}
