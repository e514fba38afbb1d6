//! A tape that does not live long enough.
use wengert::prelude::*;

fn main() {
    let loss = {
        let tape = Tape::new();
        let x = tape.watch(Tensor::from([1.0f32, 2.0]));
        x.square().sum_all()
    };
    println!("{}", loss.item());
}
