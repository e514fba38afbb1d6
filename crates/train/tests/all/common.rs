//! A model and a function that several test files use.

use wengert_nn::{Dropout, Flatten, Linear, Sequential, Tanh, sequential};
use wengert_tensor::Philox;
use wengert_train::History;

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

/// Returns a history without the times, which differ between runs.
pub fn without_times(history: &History) -> History {
    let mut history = history.clone();
    history.epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.0);
    history
}
