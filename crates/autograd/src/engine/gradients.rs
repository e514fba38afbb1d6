//! Gradients as numbers.

use crate::graph::{Binding, Op, Tape, Var};
use crate::module::{Buffer, Module, Param, ParamId, Updates, is_finite};
use std::collections::{BTreeMap, HashMap, HashSet, btree_map, hash_map};
use wengert_tensor::{Float, Tensor};

/// What [`backward`](Var::backward) returns: a gradient for each trainable parameter and watched
/// variable that the loss depends on, and the buffer updates of the run. Plain data that outlives
/// the tape and can be sent to another thread.
///
/// All gradients of a run, and their clones, share its buffer updates: each update is applied to its
/// buffer once, with the first step that reaches the buffer.
///
/// They know the [version](Param::version) of each parameter that they are of. An optimizer refuses
/// gradients of parameters that have changed since, and so does [`accumulate`](Gradients::accumulate);
/// [`allow_stale`](Gradients::allow_stale) is the door for algorithms that mean it.
#[derive(Clone)]
pub struct Gradients<T: Float = f32> {
    tape: u64,
    /// In the order in which the parameters were made.
    params: BTreeMap<ParamId, OfParam<T>>,
    /// Parameters that were constants of the run.
    frozen: HashSet<ParamId>,
    watched: HashMap<u32, Tensor<T>>,
    pub(crate) buffers: Updates<T>,
    allow_stale: bool,
    /// Of `backward_for`: watched variables have none.
    params_alone: bool,
}

/// The gradient of a parameter, and the version of the parameter that it is of.
#[derive(Clone)]
struct OfParam<T: Float> {
    gradient: Tensor<T>,
    version: u64,
}

impl<T: Float> Gradients<T> {
    pub(crate) fn new(
        tape: &Tape<T>,
        mut leaves: HashMap<u32, Tensor<T>>,
        params_alone: bool,
    ) -> Self {
        let bound = tape.params.borrow();
        let of = |b: &Binding| {
            let gradient = leaves.remove(&b.node)?;
            Some((b.param()?, OfParam { gradient, version: b.version }))
        };
        let params = bound.iter().filter_map(of).collect();
        let frozen = bound.iter().filter(|b| b.is_frozen()).filter_map(Binding::param).collect();
        let buffers = tape.buffers.borrow().clone();
        let (tape, watched) = (tape.serial, leaves);
        Gradients { tape, params, frozen, watched, buffers, allow_stale: false, params_alone }
    }

    /// The gradient of a parameter; `None` if the loss does not depend on it, or it was frozen.
    pub fn get(&self, param: &Param<T>) -> Option<&Tensor<T>> {
        self.params.get(&param.id()).map(|of| &of.gradient)
    }

    /// The same, to change it: for clipping, say.
    pub fn get_mut(&mut self, param: &Param<T>) -> Option<&mut Tensor<T>> {
        self.params.get_mut(&param.id()).map(|of| &mut of.gradient)
    }

    /// The gradient of a variable of [`Tape::watch`] or [`Tape::param`]; `None` if the loss does not
    /// depend on it. For a parameter it is what [`get`](Gradients::get) returns: `None` also if the
    /// parameter was frozen.
    ///
    /// # Panics
    /// If the variable lies on another tape than the loss, is a constant, was computed from others, or
    /// is watched and the gradients are of [`backward_for`](Var::backward_for): no gradient of it is
    /// kept. [`Var::grad`] gives the derivative by any variable.
    #[track_caller]
    pub fn wrt(&self, x: Var<'_, T>) -> Option<&Tensor<T>> {
        assert!(
            x.tape.serial == self.tape,
            "wrt: this variable is not on the tape of these gradients"
        );
        let op = x.op();
        if let Some(gradient) = self.watched.get(&x.id) {
            return Some(gradient);
        }
        if let Some(param) = x.tape.params.borrow().at(x.id).and_then(|bound| bound.param()) {
            return self.params.get(&param).map(|of| &of.gradient);
        }
        match op {
            Op::Leaf if self.params_alone => x.tape.fail(format!(
                "wrt: these gradients are those of backward_for(), by the parameters of a model: none \
                 was computed by this watched variable of shape {}",
                x.shape()
            )),
            Op::Leaf => None,
            Op::Constant | Op::Fill(_) => x.tape.fail(format!(
                "wrt: this variable of shape {} is a constant, no gradient of it was computed: make it \
                 with watch()",
                x.shape()
            )),
            Op::Detach => x.tape.fail(format!(
                "wrt: this variable of shape {} is detached: no gradient flows through it, and none of it \
                 was computed",
                x.shape()
            )),
            _ => x.tape.fail(format!(
                "wrt: this variable of shape {} was computed from others, and backward() keeps the \
                 gradients of watched variables and parameters alone: watch() it where it is made, or \
                 ask the loss for grad(&[variable]) in place of backward()",
                x.shape()
            )),
        }
    }

    /// Whether a parameter has changed since its gradient was computed.
    pub fn is_stale(&self, param: &Param<T>) -> bool {
        self.params.get(&param.id()).is_some_and(|of| of.version != param.version())
    }

    /// Whether a parameter was frozen in the run: a constant, without a gradient.
    pub fn was_frozen(&self, param: &Param<T>) -> bool {
        self.frozen.contains(&param.id())
    }

    /// The same gradients, marked as usable for parameters that have changed since: for line searches,
    /// sharpness-aware minimisation, asynchronous training. Clones keep the mark, and so do sums
    /// with one that has it.
    ///
    /// ```
    /// use wengert_autograd::{Param, Tape};
    /// use wengert_tensor::Tensor;
    /// // The gradient at w + 1, for a step from w.
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

    /// Whether these gradients are marked with [`allow_stale`](Gradients::allow_stale).
    pub fn allows_stale(&self) -> bool {
        self.allow_stale
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
    /// is the rule. Gradients of watched variables are not looked at. This reads all gradients;
    /// [`Var::backward_checked`] finds it out on the way.
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
        let bad = self.params.iter().filter(|(_, of)| !is_finite(&of.gradient));
        bad.map(|(&id, _)| id).collect()
    }

    /// Adds the gradients of another run of the same model, so that micro-batches compose. Its
    /// buffer updates follow those of this one; gradients of the same run share theirs, and each is
    /// applied once. Gradients of watched variables belong to one tape: those of another stay out of
    /// the sum.
    ///
    /// # Panics
    /// If a parameter has changed between the two runs, so that its gradients are of two versions,
    /// unless one of the two is marked with [`allow_stale`](Gradients::allow_stale). Nothing has
    /// changed then.
    #[track_caller]
    pub fn accumulate(&mut self, other: Self) {
        self.allow_stale |= other.allow_stale;
        self.check_versions(&other);
        for (id, of) in other.params {
            match self.params.entry(id) {
                btree_map::Entry::Occupied(mut sum) => {
                    let sum = sum.get_mut();
                    sum.gradient += &of.gradient;
                    // Stale as soon as a part is.
                    sum.version = sum.version.min(of.version);
                }
                btree_map::Entry::Vacant(slot) => drop(slot.insert(of)),
            }
        }
        self.frozen.extend(other.frozen);
        if self.tape == other.tape {
            self.params_alone &= other.params_alone;
            for (id, gradient) in other.watched {
                match self.watched.entry(id) {
                    hash_map::Entry::Occupied(mut sum) => *sum.get_mut() += &gradient,
                    hash_map::Entry::Vacant(slot) => drop(slot.insert(gradient)),
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
            "accumulate: {} changed between the two runs, so their gradients are stale or of another \
             state: compute both from the same values, or mark one with `.allow_stale()`",
            match &*shapes {
                [shape] => format!("a parameter of shape {shape}"),
                shapes => format!("{} parameters of shapes {}", shapes.len(), shapes.join(", ")),
            }
        )
    }

    /// The parameters' gradients.
    pub(crate) fn each(&self) -> impl Iterator<Item = &Tensor<T>> {
        self.params.values().map(|of| &of.gradient)
    }

    pub(crate) fn each_mut(&mut self) -> impl Iterator<Item = &mut Tensor<T>> {
        self.params.values_mut().map(|of| &mut of.gradient)
    }

    /// Multiplies every parameter's gradient (not those of watched variables) by a number.
    pub fn scale(&mut self, factor: f64) {
        for gradient in self.each_mut() {
            *gradient *= &Tensor::scalar_of(T::of(factor));
        }
    }
}

/// The updates of buffers.
impl<T: Float> Gradients<T> {
    /// Applies the updates of the run that were not applied yet to a buffer; whether there were any.
    pub fn apply_to(&self, buffer: &mut Buffer<T>) -> bool {
        self.buffers.apply_to(buffer)
    }

    /// Applies the updates of the run that were not applied yet to a counter; whether there were
    /// any.
    ///
    /// # Panics
    /// If the counter would exceed `i64`; nothing has changed.
    #[track_caller]
    pub fn apply_to_counter(&self, buffer: &mut Buffer<i64>) -> bool {
        match self.buffers.apply_to_counter(buffer) {
            Ok(any) => any,
            Err(full) => panic!("apply_to_counter: {full}"),
        }
    }

    /// The first counter of a model that the updates of the run would take beyond `i64`, in words:
    /// its name, where it is, and by how much it is to grow. An optimizer's step and
    /// [`apply_updates`](Gradients::apply_updates) panic on it.
    pub fn full_counter(&self, model: &dyn Module) -> Option<String> {
        self.buffers.full_counter(model)
    }

    /// The first buffer of a model that the updates of the run would leave with a NaN or an infinity,
    /// in words: its name, the number, and what causes it. Updates that were applied already do not
    /// count, and nothing is changed. The cost is that of the updates: parameters are not read.
    ///
    /// The loss and the gradients may be finite nevertheless: batch norm divides by a variance that
    /// overflowed, and gets zeros. An optimizer's step and
    /// [`apply_updates`](Gradients::apply_updates) apply such updates as any.
    ///
    /// ```
    /// use wengert_autograd::{Buffer, Tape};
    /// use wengert_tensor::Tensor;
    ///
    /// // The square of 1e25 is no f32, though the loss and its gradient are.
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

    /// Applies the updates of the run that were not applied yet to the buffers of a model, as an
    /// optimizer's step does: for training without one, and for steps that were not made.
    ///
    /// # Panics
    /// If a counter would exceed `i64`; nothing has changed.
    #[track_caller]
    pub fn apply_updates(&self, model: &mut dyn Module) {
        self.buffers.apply(model);
    }
}

/// Gradients that hold a NaN or an infinity: why [`backward_checked`](Var::backward_checked) returns
/// none.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the gradients of {} parameters and {watched} watched variables hold numbers that are not finite",
    params.len()
)]
pub struct NotFinite {
    /// The parameters, each once.
    pub params: Vec<ParamId>,
    /// How many watched variables.
    pub watched: usize,
}

wengert_tensor::debug_is_display!(NotFinite);

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
