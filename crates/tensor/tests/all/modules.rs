//! Tests that the modules of a crate import each other in no circle. The tests of each crate without exceptions contain
//! this file; `CARGO_MANIFEST_DIR` is then that crate.

use crate::scan;
use std::path::Path;

#[test]
fn modules_of_each_folder_import_in_no_circle() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    scan::check_folders(&src, &[], &[]);
}
