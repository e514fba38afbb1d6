//! The pointwise part of a step of a long short-term memory, and the gradient that its rule needs.

use super::{Float, Tensor};
use crate::kernels::lstm::{LstmGradient, LstmOperands, LstmResults};
use crate::shapes::{self, OrPanic};

fn slice<T: Float>(contiguous: &Tensor<T>) -> &[T] {
    contiguous.as_slice().expect("made contiguous before")
}

impl<T: Float> Tensor<T> {
    /// Computes a step of a long short-term memory from two contributions to the gates [… , 4 · n], `self` and `r`, and
    /// the state c [… , n]: h', c' and the activated gates i, f, g, o, one block after the other.
    ///
    /// # Panics
    /// If the shapes do not agree.
    #[doc(hidden)]
    #[track_caller]
    pub fn lstm_step(&self, r: &Self, c: &Self) -> [Self; 3] {
        let (gates, state) = (self.shape(), c.shape());
        shapes::lstm_step(&gates, &r.shape(), &state).or_panic();
        let [x, r, c] = [self, r, c].map(Tensor::contiguous);
        let [mut h, mut new] = [(); 2].map(|()| Tensor::empty(state));
        let mut activated = Tensor::empty(gates);
        if state.numel() > 0 {
            let of = LstmOperands { x: slice(&x), r: slice(&r), c: slice(&c) };
            let gates = activated.fresh_mut();
            let to = LstmResults { h: h.fresh_mut(), c: new.fresh_mut(), gates };
            T::lstm(of, state[state.rank() - 1], to);
        }
        [h, new, activated]
    }

    /// Returns the gradients of [`lstm_step`](Tensor::lstm_step) by the sum of the contributions to the gates and by c,
    /// where `self` are the activated gates, from c, c' and the gradients of h' and c'.
    ///
    /// # Panics
    /// If the shapes do not agree.
    #[doc(hidden)]
    #[track_caller]
    pub fn lstm_step_gradient(&self, [c, new, gh, gc]: [&Self; 4]) -> [Self; 2] {
        let (gates, state) = (self.shape(), c.shape());
        shapes::lstm_step(&gates, &gates, &state).or_panic();
        let fits = [new, gh, gc].iter().all(|x| x.shape() == state);
        assert!(fits, "lstm_step_gradient: wrong shapes");
        let [a, c, new, gh, gc] = [self, c, new, gh, gc].map(Tensor::contiguous);
        let (mut by_gates, mut by_c) = (Tensor::empty(gates), Tensor::empty(state));
        if state.numel() > 0 {
            let [gates, c, new, gh, gc] = [&a, &c, &new, &gh, &gc].map(slice);
            let of = LstmGradient { gates, c, new, gh, gc };
            T::lstm_gradient(of, state[state.rank() - 1], by_gates.fresh_mut(), by_c.fresh_mut());
        }
        [by_gates, by_c]
    }
}

#[cfg(test)]
mod tests;
