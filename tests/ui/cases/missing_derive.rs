//! A layer without `#[derive(Module)]`.
use wengert::prelude::*;

#[derive(Clone)]
struct Mlp {
    fc: Linear,
}

impl Layer for Mlp {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.fc.forward(x).tanh()
    }
}

fn main() {}
