//! Labels of `u8`.
use wengert::prelude::*;

fn main() {
    let tape = Tape::new();
    let logits = tape.watch(Tensor::zeros(&[2, 10]));
    let labels = Tensor::from([3u8, 7]);
    let _ = cross_entropy(logits, &labels);
}
