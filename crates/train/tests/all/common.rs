//! Models that several test files use.

use wengert_nn::{Dropout, Flatten, Linear, Sequential, Tanh, sequential};
use wengert_tensor::Philox;

/// Returns a perceptron with dropout for the small digits.
pub fn mlp(rng: &mut Philox) -> Sequential {
    sequential![
        Flatten::new(),
        Linear::new(64, 48, rng),
        Tanh,
        Dropout::new(0.1),
        Linear::new(48, 10, rng)
    ]
}
