//! A tensor where a variable is wanted.
use wengert::prelude::*;

fn main() {
    let model = Linear::new(4, 2, &mut Philox::new(0));
    let images = Tensor::zeros(&[3, 4]);
    let _ = model.forward(images);
}
