//! Tests that the modules of this crate import each other in no circle.

use crate::scan;
use std::path::Path;

#[test]
fn modules_do_not_import_each_other_in_a_circle() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    scan::check_circles(&src, "", &[("dataset", "augment", "the method `Dataset::augment`")]);
}
