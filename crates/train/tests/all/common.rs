//! Models that several files train.

use wengert_nn::{Dropout, Flatten, Linear, Sequential, Tanh, sequential};
use wengert_tensor::Philox;

/// A perceptron of the small digits, with something random in it.
pub fn mlp(rng: &mut Philox) -> Sequential {
    sequential![
        Flatten::new(),
        Linear::new(64, 48, rng),
        Tanh,
        Dropout::new(0.1),
        Linear::new(48, 10, rng)
    ]
}
