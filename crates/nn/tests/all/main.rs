//! Tests of the public interface. All files form one program, because each additional program would
//! compile the library's generic code again. `cargo test -p wengert-nn --test all FILE::` runs the
//! tests of one file.

mod attention;
mod breadth;
#[path = "../../../autograd/tests/all/common.rs"]
mod common;
mod derivatives;
mod derive;
mod formulas;
mod freezing;
mod gradients;
mod layers;
mod modes;
#[path = "../../../tensor/tests/all/modules.rs"]
mod modules;
mod names;
mod norms;
mod operands;
mod overview;
mod pooling;
mod pytorch;
mod recurrent;
#[path = "../../../autograd/tests/all/reference_file.rs"]
mod reference_file;
mod references;
mod sampled;
#[path = "../../../tensor/tests/all/scan/mod.rs"]
mod scan;
mod try_predict;
mod wrappers;
