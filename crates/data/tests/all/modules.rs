//! Tests that the modules of this crate import each other in no circle.

use crate::scan;
use std::path::Path;

#[test]
fn modules_import_in_no_circle() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    scan::check_circles(&src, "", &[("dataset", "augment", "the method `Dataset::augment`")]);
}
