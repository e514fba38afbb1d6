//! Checks which rooms (top-level modules of this crate) import from which. Rooms are ordered from the lowest
//! to the highest, and a lower room must not import from a higher one.
//!
//! `--nocapture` prints the arrows: the pairs of rooms with imports.
//!
//! Inherent methods and operators need no import, so a lower room could use those of a higher room without one.
//! Further tests compare these calls with a list, and find operators on variables and masks.

use crate::scan;
use std::collections::BTreeSet;
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

/// The methods that `engine` adds to the types of `graph`, and that `graph` and `rules` may call. They compute a new
/// node or leave it pending, compute a requested value, and end a scope or a tape.
const METHODS: [&str; 6] =
    ["check_invariants", "check_nodes_since", "close", "compute", "compute_or_defer", "force"];

/// Further calls in lower rooms of methods with the name of one that a higher room adds to their types: the file, the
/// name, the number of calls, and whose method it is. The scan cannot tell the two apart.
const HOMONYMS: [(&str, &str, usize, &str); 12] = [
    ("graph/buffers.rs", "apply", 1, "of the changes of buffers"),
    ("graph/given.rs", "broadcast_to", 1, "of tensors"),
    ("graph/index.rs", "index", 2, "of tapes, in this file"),
    ("graph/mask.rs", "cast", 3, "of tensors"),
    ("graph/op.rs", "all", 1, "of iterators"),
    ("graph/recycle.rs", "flatten", 1, "of options"),
    ("graph/scope.rs", "close_since", 1, "of tapes, in this file"),
    ("graph/scope.rs", "record", 1, "of the ended scopes"),
    ("graph/scope_names.rs", "add", 2, "of the register of models"),
    ("graph/scope_names.rs", "flatten", 1, "of options"),
    ("graph/slices.rs", "broadcast_to", 1, "of tensors"),
    ("graph/slices.rs", "concat", 1, "of tensors"),
];

/// The traits of the standard library that a higher room implements for types of a lower one. They are operators, and
/// need no import.
const TRAITS: [(&str, &str, &str); 4] = [
    ("rules", "ops::$Trait", "Mask"),
    ("rules", "ops::Not", "Mask"),
    ("rules", "std::ops::$Trait", "Var"),
    ("rules", "std::ops::Neg", "Var"),
];

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

#[test]
fn lower_rooms_call_only_the_listed_methods_of_higher_rooms() {
    let files = scan::files(&src(), &names());
    let (of_engine, others): (Vec<_>, Vec<_>) = scan::upward_calls(&files, &names())
        .into_iter()
        .partition(|(_, method, _)| METHODS.contains(&&**method));
    let rooms: BTreeSet<_> =
        of_engine.iter().map(|(file, ..)| file.split('/').next().unwrap()).collect();
    assert_eq!(rooms, ["graph", "rules"].into(), "{of_engine:?}");
    let called: BTreeSet<_> = of_engine.iter().map(|(_, method, _)| &**method).collect();
    assert_eq!(
        called,
        METHODS.into(),
        "METHODS must list exactly the methods of the engine that are called"
    );
    let listed = HOMONYMS.map(|(file, name, count, _)| (file.to_owned(), name.to_owned(), count));
    assert_eq!(others, listed, "HOMONYMS must list exactly the calls: (file, method, number)");
    let traits = scan::added(&files, &names()).traits;
    let listed = TRAITS.map(|(room, of, on)| (room.to_owned(), of.to_owned(), on.to_owned()));
    assert_eq!(traits, listed.into(), "TRAITS must list exactly the implementations");
}

/// Returns the operators in the code whose operand is a parameter or field of type `Var` or `Mask`, or `self`.
fn operators(code: &str) -> Vec<String> {
    let of_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut operands = BTreeSet::from(["self"]);
    for of in [": Var<", ": &Var<", ": Mask<", ": &Mask<"] {
        let before = code.match_indices(of).map(|(at, _)| &code[..at]);
        operands.extend(before.map(|before| before.rsplit(|c| !of_name(c)).next().unwrap()));
    }
    let mut found = Vec::new();
    for operand in operands {
        for (at, _) in code.match_indices(operand) {
            let (before, after) = (&code[..at], &code[at + operand.len()..]);
            if before.ends_with(|c| of_name(c) || c == '.') || after.starts_with(of_name) {
                continue;
            }
            let binary = ["+", "-", "*", "/", "&", "|", "^"];
            let whole = !after.starts_with(['.', '(', '[', ':']);
            let left = binary.iter().any(|op| {
                after.starts_with(&format!(" {op} ")) || after.starts_with(&format!(" {op}= "))
            });
            let right = binary.iter().any(|op| before.ends_with(&format!(" {op} ")));
            let unary = before.ends_with(['-', '!']);
            if left || whole && (right || unary) {
                let line = before.matches('\n').count() + 1;
                found.push(format!("{line}: {operand}"));
            }
        }
    }
    found
}

/// Operators of variables and masks are implemented in `rules`, and their use needs no import.
#[test]
fn graph_uses_no_operator_of_rules() {
    let mut found = Vec::new();
    for file in scan::files(&src(), &["module", "graph"]) {
        let uses = operators(&file.code).into_iter();
        found.extend(uses.map(|found| format!("{}:{found}", file.path)));
    }
    assert!(found.is_empty(), "operators on variables or masks:\n{}", found.join("\n"));
}

#[test]
fn operators_are_found() {
    let code = "fn f(a: Var<'t, T>, n: usize, m: &Mask<'t, T>) { a + b; n + 1; a.id + 1; n - a; -a; !m; m & m2; *a; a += c }";
    let found: Vec<_> = operators(code).into_iter().map(|found| found[3..].to_owned()).collect();
    assert_eq!(found, ["a", "a", "a", "a", "m", "m"]);
}

/// The imports that close a circle of modules within a folder, each with its reason.
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
fn modules_of_each_folder_import_in_no_circle() {
    scan::check_folders(&src(), &names(), &CIRCLES);
}

#[test]
fn lib_rs_lists_the_rooms_in_order_of_dependency() {
    scan::check_list(&src(), &names(), &[]);
}
