//! A variable times a mask.
use wengert::prelude::*;

fn main() {
    let tape = Tape::new();
    let x = tape.watch(Tensor::zeros(&[2, 10]));
    let _ = x * x.gt(0);
}
