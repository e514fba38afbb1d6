//! Gradients as tensors.

use crate::graph::{Binding, Bound, Op, Tape, Var};
use crate::module::{Buffer, Module, Param, ParamId, Updates, is_finite};
use std::collections::{BTreeMap, btree_map};
use wengert_tensor::{Float, Tensor};

/// The result of [`backward`](Var::backward): a gradient for each trainable parameter and watched
/// variable that the loss depends on, and the buffer updates of the run. Gradients are plain data: they
/// outlive the tape and can be sent to another thread.
///
/// All gradients of a run, and their clones, share its buffer updates. Each update is applied to its
/// buffer once, by the first optimizer step that reaches the buffer.
///
/// Gradients store the [version](Param::version) of each parameter for which they were computed. An
/// optimizer and [`accumulate`](Gradients::accumulate) refuse gradients of parameters that have changed
/// since. Algorithms that need such gradients call [`allow_stale`](Gradients::allow_stale).
#[derive(Clone)]
pub struct Gradients<T: Float = f32> {
    /// The serial number of the tape.
    tape_serial: u64,
    /// In the order in which the parameters were created.
    params: BTreeMap<ParamId, OfParam<T>>,
    /// Parameters that were constants of the run, in ascending order.
    frozen: Vec<ParamId>,
    /// The gradients of watched variables with their nodes, in ascending order.
    watched: Vec<(u32, Tensor<T>)>,
    pub(crate) buffers: Updates<T>,
    allow_stale: bool,
    /// Whether these are the gradients of `backward_for`, which computes none for watched variables.
    params_alone: bool,
}

/// The gradient of a parameter, and the version of the parameter when it was computed.
#[derive(Clone)]
struct OfParam<T: Float> {
    gradient: Tensor<T>,
    version: u64,
}

impl<T: Float> Gradients<T> {
    /// `leaves` are the nodes of leaves with their gradients, in descending order.
    pub(crate) fn new(tape: &Tape<T>, leaves: Vec<(u32, Tensor<T>)>, params_alone: bool) -> Self {
        let bound = tape.params.borrow();
        let (mut of_params, mut watched) = (Vec::with_capacity(leaves.len()), Vec::new());
        for (node, gradient) in leaves.into_iter().rev() {
            match bound.at(node) {
                Some(Binding { of: Bound::Param { id, .. }, version, .. }) => {
                    of_params.push((id, OfParam { gradient, version }));
                }
                _ => watched.push((node, gradient)),
            }
        }
        let params = of_params.into_iter().collect();
        let frozen = bound.iter().filter(|b| b.is_frozen()).filter_map(Binding::param);
        let mut frozen: Vec<_> = frozen.collect();
        frozen.sort_unstable();
        let buffers = tape.buffers.borrow().clone();
        let tape_serial = tape.serial;
        Gradients {
            tape_serial,
            params,
            frozen,
            watched,
            buffers,
            allow_stale: false,
            params_alone,
        }
    }

    /// Returns the gradient of a parameter; `None` if the loss does not depend on it or it was frozen.
    pub fn get(&self, param: &Param<T>) -> Option<&Tensor<T>> {
        self.params.get(&param.id()).map(|of| &of.gradient)
    }

    /// Returns the gradient of a parameter for changes, such as clipping; `None` as for
    /// [`get`](Gradients::get).
    pub fn get_mut(&mut self, param: &Param<T>) -> Option<&mut Tensor<T>> {
        self.params.get_mut(&param.id()).map(|of| &mut of.gradient)
    }

    /// Returns the gradient of a variable of [`Tape::watch`] or [`Tape::param`]; `None` if the loss does
    /// not depend on it. For a parameter the result is that of [`get`](Gradients::get): `None` also if
    /// the parameter was frozen.
    ///
    /// # Panics
    /// If no gradient is stored for the variable: it is on another tape than the loss, is a constant,
    /// was computed from others, or is watched and the gradients are those of
    /// [`backward_for`](Var::backward_for). [`Var::grad`] returns the derivative with respect to any
    /// variable.
    #[track_caller]
    pub fn wrt(&self, x: Var<'_, T>) -> Option<&Tensor<T>> {
        assert!(
            x.tape.serial == self.tape_serial,
            "wrt: the variable is on another tape than these gradients: pass a variable of the \
             tape that computed them"
        );
        let op = x.op();
        if let Ok(place) = self.place_of_watched(x.id) {
            return Some(&self.watched[place].1);
        }
        if let Some(param) = x.tape.params.borrow().at(x.id).and_then(|bound| bound.param()) {
            return self.params.get(&param).map(|of| &of.gradient);
        }
        match op {
            Op::Leaf if self.params_alone => x.tape.fail(format!(
                "wrt: backward_for() computed only the gradients of a model's parameters, so that \
                 the watched variable of shape {} has none: use backward()",
                x.shape()
            )),
            Op::Leaf => None,
            Op::Constant | Op::Fill(_) => x.tape.fail(format!(
                "wrt: the variable of shape {} is a constant and has no gradient: create it with \
                 watch()",
                x.shape()
            )),
            Op::Detach => x.tape.fail(format!(
                "wrt: the variable of shape {} is detached and has no gradient: create it with \
                 watch()",
                x.shape()
            )),
            _ => x.tape.fail(format!(
                "wrt: the variable of shape {} was computed from others, and backward() keeps \
                 only the gradients of parameters and watched variables: create it with watch(), \
                 or call grad(&[variable]) on the loss instead of backward()",
                x.shape()
            )),
        }
    }

    /// Returns whether a parameter has changed since its gradient was computed.
    pub fn is_stale(&self, param: &Param<T>) -> bool {
        self.params.get(&param.id()).is_some_and(|of| of.version != param.version())
    }

    /// Returns whether a parameter was frozen in the run: a constant without a gradient.
    pub fn was_frozen(&self, param: &Param<T>) -> bool {
        self.frozen.binary_search(&param.id()).is_ok()
    }

    /// Returns the place of a watched variable's gradient, or the place at which it belongs.
    fn place_of_watched(&self, node: u32) -> Result<usize, usize> {
        self.watched.binary_search_by_key(&node, |&(watched, _)| watched)
    }

    /// Marks these gradients as usable for parameters that have changed since. Line searches,
    /// sharpness-aware minimisation and asynchronous training need this. Clones keep the mark. A sum has
    /// the mark if one of its terms has it.
    ///
    /// ```
    /// use wengert::autograd::{Param, Tape};
    /// use wengert::tensor::Tensor;
    /// // The gradient at w + 1 is used for a step from w.
    /// let mut w = Param::new(Tensor::scalar(2.0));
    /// w.update(|w| *w += &Tensor::scalar(1.0));
    /// let gradients = Tape::new().param(&w).square().backward();
    /// w.update(|w| *w -= &Tensor::scalar(1.0));
    /// assert!(gradients.is_stale(&w)); // an optimizer's step would panic
    /// let gradients = gradients.allow_stale();
    /// assert!(gradients.allows_stale());
    /// ```
    #[must_use]
    pub fn allow_stale(mut self) -> Self {
        self.allow_stale = true;
        self
    }

    /// Returns whether these gradients are marked with [`allow_stale`](Gradients::allow_stale).
    pub fn allows_stale(&self) -> bool {
        self.allow_stale
    }

    /// Returns the number of parameters with a gradient.
    pub fn len(&self) -> usize {
        self.params.len()
    }

    /// Returns whether no parameter has a gradient.
    pub fn is_empty(&self) -> bool {
        self.params.is_empty()
    }

    /// Returns the parameters whose gradient contains a NaN or an infinity, in no particular order. The
    /// list is normally empty. Gradients of watched variables are not checked. This function reads all
    /// gradients; [`Var::backward_checked`] checks them during the backward pass, at less cost.
    ///
    /// ```
    /// use wengert::autograd::{Param, Tape};
    /// use wengert::tensor::Tensor;
    /// let w = Param::new(Tensor::from([0.0f32, 4.0]));
    /// let tape = Tape::new();
    /// let loss = tape.param(&w).sqrt().sum_all();
    /// assert_eq!(loss.item(), 2.0);
    /// // The slope of the root is infinite at 0.
    /// assert_eq!(loss.backward().not_finite(), [w.id()]);
    /// ```
    pub fn not_finite(&self) -> Vec<ParamId> {
        let bad = self.params.iter().filter(|(_, of)| !is_finite(&of.gradient));
        bad.map(|(&id, _)| id).collect()
    }

    /// Adds the gradients of another run of the same model. Use it to accumulate the gradients of
    /// micro-batches. The buffer updates of `other` follow those of `self`. Gradients of the same run
    /// share their updates, and each update is applied once. Gradients of watched variables belong to
    /// one tape: those of another tape are not added.
    ///
    /// # Panics
    /// If a parameter has changed between the two runs, so that its gradients belong to two versions,
    /// unless one of the two is marked with [`allow_stale`](Gradients::allow_stale). In that case
    /// nothing is changed.
    #[track_caller]
    pub fn accumulate(&mut self, other: Self) {
        self.allow_stale |= other.allow_stale;
        self.check_versions(&other);
        for (id, of) in other.params {
            match self.params.entry(id) {
                btree_map::Entry::Occupied(mut sum) => {
                    let sum = sum.get_mut();
                    sum.gradient += &of.gradient;
                    // The sum is stale if one of its terms is.
                    sum.version = sum.version.min(of.version);
                }
                btree_map::Entry::Vacant(slot) => drop(slot.insert(of)),
            }
        }
        self.frozen.extend(other.frozen);
        self.frozen.sort_unstable();
        self.frozen.dedup();
        if self.tape_serial == other.tape_serial {
            self.params_alone &= other.params_alone;
            for (id, gradient) in other.watched {
                match self.place_of_watched(id) {
                    Ok(place) => self.watched[place].1 += &gradient,
                    Err(place) => self.watched.insert(place, (id, gradient)),
                }
            }
        }
        self.buffers.extend(other.buffers);
    }

    #[track_caller]
    fn check_versions(&self, other: &Self) {
        if self.allow_stale {
            return;
        }
        let changed = |(id, of): (&ParamId, &OfParam<T>)| {
            let known = self.params.get(id)?;
            (known.version != of.version).then(|| (*id, of.gradient.shape().to_string()))
        };
        let mut changed: Vec<_> = other.params.iter().filter_map(changed).collect();
        if changed.is_empty() {
            return;
        }
        changed.sort_unstable();
        let shapes: Vec<_> = changed.into_iter().map(|(_, shape)| shape).collect();
        panic!(
            "accumulate: {} changed between the two runs, so that their gradients belong to \
             different values: compute both with the same values, or mark one with \
             `.allow_stale()`",
            match &*shapes {
                [shape] => format!("a parameter of shape {shape}"),
                shapes => format!("{} parameters of shapes {}", shapes.len(), shapes.join(", ")),
            }
        )
    }

    /// Returns the gradients of the parameters.
    pub(crate) fn each(&self) -> impl Iterator<Item = &Tensor<T>> {
        self.params.values().map(|of| &of.gradient)
    }

    pub(crate) fn each_mut(&mut self) -> impl Iterator<Item = &mut Tensor<T>> {
        self.params.values_mut().map(|of| &mut of.gradient)
    }

    /// Multiplies the gradient of every parameter (but not those of watched variables) by a number.
    pub fn scale(&mut self, factor: f64) {
        for gradient in self.each_mut() {
            *gradient *= &Tensor::scalar_of(T::of(factor));
        }
    }
}

/// Updates of buffers.
impl<T: Float> Gradients<T> {
    /// Applies the updates of the run to a buffer, except those applied before. Returns whether there
    /// were any.
    pub fn apply_to(&self, buffer: &mut Buffer<T>) -> bool {
        self.buffers.apply_to(buffer)
    }

    /// Applies the updates of the run to a counter, except those applied before. Returns whether there
    /// were any.
    ///
    /// # Panics
    /// If the counter would exceed `i64`. In that case nothing is changed.
    #[track_caller]
    pub fn apply_to_counter(&self, buffer: &mut Buffer<i64>) -> bool {
        match self.buffers.apply_to_counter(buffer) {
            Ok(any) => any,
            Err(full) => panic!("apply_to_counter: {full}"),
        }
    }

    /// Returns a description of the first counter of a model that the updates of the run would take
    /// beyond `i64`: its name, its value, and the increment. An optimizer's step and
    /// [`apply_updates`](Gradients::apply_updates) panic if there is such a counter.
    pub fn full_counter(&self, model: &dyn Module) -> Option<String> {
        self.buffers.full_counter(model)
    }

    /// Returns a description of the first buffer of a model that would contain a NaN or an infinity
    /// after the updates of the run: its name, the value, and the cause. Updates that were applied
    /// before do not count, and nothing is changed. The cost is that of the updates: parameters are not
    /// read.
    ///
    /// The loss and the gradients may be finite even so. For example, batch norm divides by a variance
    /// that overflowed, and gets zeros. An optimizer's step and
    /// [`apply_updates`](Gradients::apply_updates) apply such updates like others.
    ///
    /// ```
    /// use wengert::autograd::{Buffer, Tape};
    /// use wengert::tensor::Tensor;
    ///
    /// // The square of 1e25 overflows f32. The loss and its gradient are finite.
    /// let energy: Buffer = Buffer::new(Tensor::scalar(1.0));
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::scalar(1e25));
    /// tape.update_buffer(&energy, 0.9, x.square());
    /// let gradients = (2.0 * x).backward();
    /// assert!(gradients.not_finite_buffer(&energy).unwrap().contains("inf"));
    /// ```
    pub fn not_finite_buffer(&self, model: &dyn Module) -> Option<String> {
        self.buffers.not_finite_buffer(model)
    }

    /// Applies the updates of the run to the buffers of a model, except those applied before. An
    /// optimizer's step does the same. Call this function if you train without an optimizer, or after a
    /// run without a step.
    ///
    /// # Panics
    /// If a counter would exceed `i64`. In that case nothing is changed.
    #[track_caller]
    pub fn apply_updates(&self, model: &mut dyn Module) {
        self.buffers.apply(model);
    }
}

/// The error of [`backward_checked`](Var::backward_checked): gradients contain a NaN or an infinity.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the gradients of {} parameters and {watched} watched variables contain NaN or infinity",
    params.len()
)]
#[non_exhaustive]
pub struct NotFinite {
    /// The parameters with such a gradient, each once.
    pub params: Vec<ParamId>,
    /// The number of watched variables with such a gradient.
    pub watched: usize,
}

wengert_tensor::debug_is_display!(NotFinite);

/// Computes a value and its gradients in one call. Takes the run's random key from `rng`, so that every
/// call uses a new dropout mask.
///
/// ```
/// use wengert::autograd::{Param, value_and_grad};
/// use wengert::tensor::{Philox, Tensor};
/// let (mut rng, w) = (Philox::new(0), Param::new(Tensor::from([1.0f32, 2.0])));
/// let (loss, gradients) = value_and_grad(&mut rng, |tape| tape.param(&w).square().sum_all());
/// assert_eq!(loss, 5.0);
/// assert_eq!(gradients.get(&w).unwrap().to_vec(), [2.0, 4.0]);
/// ```
///
/// # Panics
/// Under the conditions of [`Var::backward`].
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

/// Computes a value and its gradients as [`value_and_grad`], for a function that also returns something
/// else, such as predictions.
///
/// # Panics
/// Under the conditions of [`Var::backward`].
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
