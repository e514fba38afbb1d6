//! Tests that the modules of this crate import each other in no circle, with one exception.

use crate::scan;
use std::path::Path;

#[test]
fn modules_of_each_folder_import_in_no_circle() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let why = "an operation calls its rule, and a rule records operations";
    scan::check_folders(&src, &[], &[("", "primitive", "rules", why)]);
}
