//! A variable as the condition of `where_`.
use wengert::prelude::*;

fn main() {
    let tape = Tape::new();
    let x = tape.watch(Tensor::zeros(&[2, 10]));
    let _ = Var::where_(x, x.square(), 0);
}
