//! A variable in a thread.
use wengert::prelude::*;

fn main() {
    let tape = Tape::new();
    let x = tape.watch(Tensor::from([1.0f32, 2.0]));
    std::thread::scope(|scope| {
        scope.spawn(|| x.sum_all().item());
    });
}
