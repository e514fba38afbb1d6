//! A layer without `#[derive(Module)]`.
use wengert::prelude::*;

struct Mlp {
    fc: Linear,
}

impl Layer for Mlp {
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.fc.forward(x).tanh()
    }
}

fn main() {}
