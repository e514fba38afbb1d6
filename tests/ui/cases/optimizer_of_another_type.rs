//! `Adam::new` for a model of `f64`.
use wengert::prelude::*;

fn main() {
    let mut rng = Philox::new(0);
    let mut model = Linear::<f64>::of(4, 2, &mut rng);
    let mut optimizer = Adam::new(1e-3);
    let tape = Tape::<f64>::train(&mut rng);
    let x = tape.constant(Tensor::zeros_of(&[3, 4]));
    let gradients = model.forward(x).sum_all().backward();
    optimizer.step(&mut model, &gradients);
}
