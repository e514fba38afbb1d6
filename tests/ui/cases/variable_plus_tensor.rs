//! `x + tensor`.
use wengert::prelude::*;

fn main() {
    let tape = Tape::new();
    let x = tape.watch(Tensor::from([1.0f32, 2.0]));
    let noise = Tensor::from([0.1f32, -0.1]);
    let _ = x + noise;
}
