//! Labels of `f32`.
use wengert::prelude::*;

fn main() {
    let tape = Tape::new();
    let logits = tape.watch(Tensor::zeros(&[2, 10]));
    let labels = Tensor::from([3.0f32, 7.0]);
    let _ = cross_entropy(logits, labels);
}
