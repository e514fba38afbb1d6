//! A layer without `#[derive(Clone)]`.
use wengert::prelude::*;

#[derive(Module)]
struct Mlp {
    fc: Linear,
}

impl Layer for Mlp {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.fc.forward(x).tanh()
    }
}

fn main() {}
