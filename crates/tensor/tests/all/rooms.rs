//! Tests the order of the rooms (top-level modules) of this crate. A room may import only from the rooms
//! below it.
//!
//! `--nocapture` prints which room imports from which.

use crate::scan;
use std::fmt::Write;
use std::path::Path;

/// The rooms, from the lowest to the highest. A room may import from the rooms before it.
const ROOMS: [&str; 9] = [
    "layout",
    "machine",
    "number",
    "geometry",
    "shapes",
    "axis_maps",
    "kernels",
    "tensor",
    "files",
];

/// Top-level modules that are no rooms, because only tests use them.
const FOR_TESTS: [&str; 1] = ["testing"];

/// Exported macros, which have their names at the root of the crate, and names that these macros take from there
/// (`$crate::PerType`), with the rooms that define them.
const MACROS: [(&str, &str); 4] = [
    ("debug_is_display", "machine"),
    ("per_type", "tensor"),
    ("PerType", "tensor"),
    ("Float", "tensor"),
];

#[test]
fn rooms_import_only_from_lower_rooms() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let of_macro =
        |name: &str| MACROS.iter().find(|(known, _)| *known == name).map(|&(_, room)| room);
    let arrows = scan::arrows(&scan::files(&src, &ROOMS), &ROOMS, of_macro);
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
fn lib_rs_lists_the_rooms_in_order_of_dependency() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    scan::check_list(&src, &ROOMS, &FOR_TESTS);
}

/// Imports that close a circle among the modules of a folder: the folder, the importing module, the imported
/// module, and the reason.
const PERMITTED: [(&str, &str, &str, &str); 3] = [
    // An element type names the traits with the operations that are compiled for it, and these operate on
    // tensors of the type.
    ("tensor", "element", "arithmetic", "a supertrait of `Number` or `Element`"),
    ("tensor", "element", "reduce", "a supertrait of `Number` or `Element`"),
    (
        "tensor",
        "element",
        "per_type",
        "a method of `Float` takes a function as a type, and that type names `Float`",
    ),
];

#[test]
fn modules_of_each_folder_import_in_no_circle() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    scan::check_folders(&src, &ROOMS, &PERMITTED);
}

/// Methods that a room adds to types of lower rooms, with names that lower rooms call. Methods need no import.
const HOMONYMS: [(&str, &str); 2] = [
    ("map", "of iterators and options; `Program::map` takes tensors, which a kernel does not know"),
    ("sum", "of iterators; `Program::sum` takes tensors, which a kernel does not know"),
];

#[test]
fn lower_rooms_call_no_method_of_higher_rooms() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = scan::files(&src, &ROOMS);
    let (known, wrong): (Vec<_>, Vec<_>) = scan::upward_calls(&files, &ROOMS)
        .into_iter()
        .partition(|(_, method, _)| HOMONYMS.iter().any(|(name, _)| name == method));
    assert!(wrong.is_empty(), "calls of methods of higher rooms (file, method, calls): {wrong:?}");
    for (name, _) in HOMONYMS {
        assert!(known.iter().any(|(_, method, _)| method == name), "`{name}` is not called");
    }
    let traits = scan::added(&files, &ROOMS).traits;
    assert!(traits.is_empty(), "traits of other crates for types of lower rooms: {traits:?}");
}
