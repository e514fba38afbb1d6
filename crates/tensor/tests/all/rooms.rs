//! Tests the order of the rooms (top-level modules) of this crate. A room may import only from the rooms
//! below it.
//!
//! `--nocapture` prints which room imports from which.

use crate::scan;
use std::fmt::Write;
use std::path::Path;

/// The rooms, from the lowest to the highest. A room may import from the rooms before it.
const ROOMS: [&str; 9] =
    ["layout", "machine", "number", "geometry", "shapes", "maps", "kernels", "tensor", "files"];

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

/// The modules of the room `tensor` import each other in no circle. An element type names the traits with the
/// operations that are compiled for it, and these operate on tensors of the type.
#[test]
fn modules_of_the_room_tensor_do_not_import_each_other_in_a_circle() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let reason = "a supertrait of `Number` or `Element`";
    let permitted = [
        ("element", "arithmetic", reason),
        ("element", "reduce", reason),
        (
            "element",
            "per_type",
            "a method of `Float` takes a function as a type, and that type names `Float`",
        ),
    ];
    scan::check_circles(&src, Some("tensor"), &permitted);
}
