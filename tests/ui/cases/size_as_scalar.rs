//! `x / n` with a size. `x / 2` compiles.
use wengert::prelude::*;

fn main() {
    let tape = Tape::new();
    let x = tape.watch(Tensor::from([1.0f32, 2.0]));
    let n = x.shape()[0];
    let _ = x / n;
}
