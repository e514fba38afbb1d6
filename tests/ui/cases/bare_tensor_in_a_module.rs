//! A bare tensor in a module.
use wengert::prelude::*;

#[derive(Module)]
struct Scale {
    factor: Tensor,
}

fn main() {
    let _ = Scale { factor: Tensor::ones(&[3]) };
}
