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

/// The rooms from the lowest to the highest, each with the rooms from which it may import. All of them are lower.
const ROOMS: [(&str, &[&str]); 7] = [
    ("module", &[]),
    ("graph", &["module"]),
    ("rules", &["graph"]),
    ("engine", &["module", "graph", "rules"]),
    ("inspect", &["module", "graph", "engine"]),
    ("transforms", &["module", "graph", "rules"]),
    ("check", &["graph", "transforms"]),
];

/// The methods that `engine` adds to the types of `graph`, and that `graph` and `rules` may call. They
/// compute a new node or leave it pending, compute a requested value, and end a scope or a tape.
const METHODS: [&str; 6] =
    ["check_invariants", "check_nodes_since", "close", "compute", "compute_or_defer", "force"];

/// The methods of `rules` with the name of a method of iterators, tensors or private types, which `graph` calls.
/// The scan cannot tell the two apart.
const HOMONYMS: [(&str, &str); 8] = [
    ("add", "of the register of models"),
    ("all", "of iterators"),
    ("apply", "of the changes of buffers"),
    ("broadcast_to", "of tensors"),
    ("cast", "of tensors"),
    ("flatten", "of options"),
    ("position", "of iterators"),
    ("record", "of the ended scopes"),
];

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
        let note = if may {
            format!("from {}", places.first().unwrap())
        } else {
            format!("NOT ALLOWED, in {places:?}")
        };
        writeln!(all, "{from} → {to}: {} imports, {note}", places.len()).unwrap();
        wrong += usize::from(!may);
    }
    println!("{} rooms, {} arrows\n{all}", ROOMS.len(), arrows.len());
    assert!(wrong == 0, "ROOMS does not permit {wrong} of these imports\n{all}");
    for (from, below) in ROOMS {
        for to in below {
            assert!(level(to) < level(from), "{from} → {to} points up");
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
        let own = level(file.room());
        for (method, levels) in &levels {
            let calls = [format!(".{method}("), format!("::{method}(")];
            if *levels.first().unwrap() <= own || !calls.iter().any(|call| file.code.contains(call))
            {
                continue;
            }
            let homonym = HOMONYMS.iter().any(|(name, _)| name == method);
            if METHODS.contains(&&**method) || (homonym && file.room() == "graph") {
                used.insert(&**method);
            } else {
                offenders.push(format!("{}: {method}()", file.path));
            }
        }
    }
    assert!(offenders.is_empty(), "calls of methods of higher rooms:\n{}", offenders.join("\n"));
    let listed = METHODS.into_iter().chain(HOMONYMS.map(|(name, _)| name));
    assert_eq!(
        used,
        listed.collect(),
        "METHODS and HOMONYMS must list exactly the methods that are called"
    );
}

/// The imports that close a circle of modules within a room, each with its reason.
const CIRCLES: [(&str, &str, &str, &str); 2] = [
    ("graph", "tape", "observe", "a tape holds an observer, whose methods take the tape"),
    (
        "graph",
        "arena",
        "custom",
        "a node of a custom operation holds its rule, which takes variables",
    ),
];

#[test]
fn modules_of_a_room_import_in_no_circle() {
    for room in names() {
        println!("{room}");
        let permitted = CIRCLES.iter().filter(|circle| circle.0 == room);
        let permitted: Vec<_> = permitted.map(|&(_, from, to, why)| (from, to, why)).collect();
        scan::check_circles(&src(), room, &permitted);
    }
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
