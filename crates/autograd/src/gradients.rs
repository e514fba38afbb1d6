//! Gradients as numbers.

use crate::buffers::BufferUpdate;
use crate::param::{Param, ParamId};
use crate::tape::Tape;
use crate::var::Var;
use std::collections::HashMap;
use wengert_tensor::{Float, Tensor};

/// What [`backward`](Var::backward) returns: a gradient for each trainable parameter and watched
/// variable that the loss depends on, and the buffer updates of the run. Plain data that outlives
/// the tape and can be sent to another thread.
#[derive(Clone)]
pub struct Gradients<T: Float = f32> {
    tape: u64,
    params: HashMap<ParamId, Tensor<T>>,
    watched: HashMap<u32, Tensor<T>>,
    pub(crate) buffers: Vec<BufferUpdate<T>>,
}

impl<T: Float> Gradients<T> {
    pub(crate) fn new(tape: &Tape<T>, mut leaves: HashMap<u32, Tensor<T>>) -> Self {
        let bound = tape.params.borrow();
        let params =
            bound.iter().filter_map(|(&id, b)| Some((id, leaves.remove(&b.node)?))).collect();
        Gradients {
            tape: tape.serial,
            params,
            watched: leaves,
            buffers: tape.buffers.borrow().clone(),
        }
    }

    /// The gradient of a parameter; `None` if the loss does not depend on it, or it is frozen.
    pub fn get(&self, param: &Param<T>) -> Option<&Tensor<T>> {
        self.params.get(&param.id())
    }

    /// The same, to change it: for clipping, say.
    pub fn get_mut(&mut self, param: &Param<T>) -> Option<&mut Tensor<T>> {
        self.params.get_mut(&param.id())
    }

    /// The gradient of a watched variable; `None` if the loss does not depend on it.
    ///
    /// # Panics
    /// If the variable lies on another tape than the loss.
    #[track_caller]
    pub fn wrt(&self, x: Var<'_, T>) -> Option<&Tensor<T>> {
        assert!(
            x.tape.serial == self.tape,
            "wrt: this variable is not on the tape of these gradients"
        );
        self.watched.get(&x.id)
    }

    /// How many parameters have a gradient.
    pub fn len(&self) -> usize {
        self.params.len()
    }

    /// Whether no parameter has one.
    pub fn is_empty(&self) -> bool {
        self.params.is_empty()
    }

    /// The parameters whose gradient holds a NaN or an infinity, in no particular order; an empty list
    /// is the rule. Gradients of watched variables are not looked at.
    ///
    /// ```
    /// # use wengert_autograd::{Param, Tape};
    /// # use wengert_tensor::Tensor;
    /// let w = Param::new(Tensor::from([0.0f32, 4.0]));
    /// let tape = Tape::new();
    /// let loss = tape.param(&w).sqrt().sum_all();
    /// assert_eq!(loss.item(), 2.0);
    /// // The slope of the root is infinite at 0.
    /// assert_eq!(loss.backward().not_finite(), [w.id()]);
    /// ```
    pub fn not_finite(&self) -> Vec<ParamId> {
        let bad = self.params.iter().filter(|(_, g)| !is_finite(g));
        bad.map(|(&id, _)| id).collect()
    }

    /// Adds the gradients of another run of the same model, so that micro-batches compose. Its
    /// buffer updates follow those of this one. Gradients of watched variables belong to one tape
    /// and stay as they are.
    pub fn accumulate(&mut self, other: Self) {
        for (id, g) in other.params {
            match self.params.entry(id) {
                std::collections::hash_map::Entry::Occupied(mut sum) => *sum.get_mut() += &g,
                std::collections::hash_map::Entry::Vacant(slot) => drop(slot.insert(g)),
            }
        }
        self.buffers.extend(other.buffers);
    }

    /// Multiplies every parameter's gradient (not those of watched variables) by a number.
    pub fn scale(&mut self, factor: f64) {
        for g in self.params.values_mut() {
            *g *= &Tensor::scalar_of(T::of(factor));
        }
    }
}

/// Whether all numbers are finite. Their sum tells, in one fast reading pass: nothing that is added
/// to a NaN or an infinity makes it finite again. A sum that is not finite may have overflowed, and
/// then each number is asked.
fn is_finite<T: Float>(x: &Tensor<T>) -> bool {
    let finite = |x: T| x.to().is_finite();
    finite(x.sum_all()) || x.to_vec().into_iter().all(finite)
}

/// A value and its gradients in one call. Takes the run's random key from `rng`, so that every call
/// drops other units.
///
/// ```
/// use wengert_autograd::{Param, value_and_grad};
/// use wengert_tensor::{Philox, Tensor};
/// let (mut rng, w) = (Philox::new(0), Param::new(Tensor::from([1.0f32, 2.0])));
/// let (loss, gradients) = value_and_grad(&mut rng, |tape| tape.param(&w).square().sum_all());
/// assert_eq!(loss, 5.0);
/// assert_eq!(gradients.get(&w).unwrap().to_vec(), [2.0, 4.0]);
/// ```
///
/// # Panics
/// As [`Var::backward`].
#[track_caller]
pub fn value_and_grad<T: Float>(
    rng: &mut impl rand::Rng,
    loss: impl for<'t> FnOnce(&'t Tape<T>) -> Var<'t, T>,
) -> (f64, Gradients<T>) {
    let tape = Tape::train(rng);
    let loss = loss(&tape);
    loss.check_scalar("value_and_grad");
    (loss.item(), loss.backward())
}

/// [`value_and_grad`] of a function that also returns something else: predictions, say.
///
/// # Panics
/// As [`Var::backward`].
#[track_caller]
pub fn value_and_grad_with<T: Float, A>(
    rng: &mut impl rand::Rng,
    loss: impl for<'t> FnOnce(&'t Tape<T>) -> (Var<'t, T>, A),
) -> (f64, A, Gradients<T>) {
    let tape = Tape::train(rng);
    let (loss, auxiliary) = loss(&tape);
    loss.check_scalar("value_and_grad_with");
    (loss.item(), auxiliary, loss.backward())
}
