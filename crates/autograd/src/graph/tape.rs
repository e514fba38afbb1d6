//! The tape: one run of a program, as nodes of an arena. `given.rs` puts values on it, and `rules/record.rs`
//! operations.
//!
//! The parents of a node have smaller numbers than the node. Counting the numbers down is therefore a
//! reverse topological order. A node has an operation, parents and a shape. Its value is a cache: every
//! operation is a pure function and can be computed again. `engine/mod.rs` describes when values are
//! computed and released. The choice changes no value.

use super::arena::Arena;
use super::bindings::{Bindings, Declaration};
use super::mode::{Mode, Policy, RunKind};
use super::observe::Observer;
use super::recycle;
use super::scope_names::Scopes;
use crate::module::Updates;
use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};
use wengert_tensor::{Float, per_type};

/// One run of a program, from inputs and parameters to a loss.
///
/// Make a tape, put values on it ([`watch`](Tape::watch), [`constant`](Tape::constant),
/// [`param`](Tape::param)), compute with the [`Var`](super::Var)s, and ask for gradients. A tape serves one step:
/// after parameters have changed, make a new one. A new tape is cheap, because it reuses the memory of a
/// dropped tape.
/// [How it works](https://github.com/wengert-rs/wengert/blob/main/docs/how-it-works.md) explains the terms.
///
/// | | history | layers behave as in | for |
/// |---|---|---|---|
/// | [`Tape::train`] | recorded | training | a step of training |
/// | [`Tape::eval`] | recorded | evaluation | gradients of a trained model |
/// | [`Tape::inference`] | none | evaluation | predictions |
/// | [`Tape::new`] | recorded | neither: such layers panic | calculus |
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.watch(Tensor::from([1.0f32, 2.0, 3.0]));
/// let y = (x * x).sum_all();
/// assert_eq!(y.item(), 14.0);
/// assert_eq!(y.backward().wrt(x).unwrap().to_vec(), [2.0, 4.0, 6.0]);
/// ```
pub struct Tape<T: Float = f32> {
    pub(crate) arena: RefCell<Arena<T>>,
    pub(crate) serial: u64,
    pub(crate) run_kind: RunKind,
    mode: Option<Mode>,
    pub(crate) policy: Policy,
    /// Whether applied operations become part of the history. Off inside `backward`, except in custom
    /// rules.
    pub(crate) recording: Cell<bool>,
    /// The number of running walks and rules of custom operations. A rule may start another walk.
    pub(crate) walks: Cell<u32>,
    /// Whether a hook runs.
    pub(crate) in_hook: Cell<bool>,
    /// The key of this run's random numbers. `streams` counts the streams that were taken from it.
    pub(crate) key: Cell<Option<u64>>,
    streams: Cell<u32>,
    /// The number of nodes when the program first read a value; `u32::MAX` before the first read.
    pub(crate) first_read: Cell<u32>,
    /// Whether a replay has begun and was refused before it was complete.
    pub(crate) replay_incomplete: Cell<bool>,
    /// Whether an activation checkpoint is being recorded.
    pub(crate) in_checkpoint: Cell<bool>,
    /// Whether an error unwinds to [`Tape::catch`].
    pub(crate) catching: Cell<bool>,
    pub(crate) params: RefCell<Bindings>,
    pub(crate) buffers: RefCell<Updates<T>>,
    /// The changes of buffers, in program order.
    pub(crate) declared: RefCell<Vec<Declaration>>,
    pub(crate) scopes: Scopes,
    /// Receives what the run does. `inspect` sets it for profiles and for the detection of anomalies.
    pub(crate) observer: Option<Box<dyn Observer<T>>>,
}

impl<T: Float> Tape<T> {
    /// Returns a tape that records and has no mode. Use it to differentiate functions. A layer that
    /// behaves differently in training and evaluation, such as dropout or batch norm, panics on it: run
    /// models on [`Tape::train`], [`Tape::eval`] or [`Tape::inference`].
    ///
    /// ```should_panic
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// tape.watch(Tensor::ones(&[3])).dropout(0.5); // panics: the tape has no mode
    /// ```
    #[allow(clippy::new_without_default)] // a default would hide which kind of run is meant
    pub fn new() -> Self {
        Self::with(RunKind::Recording, None, None)
    }

    /// Returns a tape that records, with layers in training mode. Takes the key of this run's random
    /// numbers from `rng`, so that every step uses a new dropout mask.
    pub fn train(rng: &mut impl rand::Rng) -> Self {
        Self::with(RunKind::Recording, Some(Mode::Train), Some(rng.next_u64()))
    }

    /// Returns a tape that records, with layers in evaluation mode. Use it for gradients of a trained
    /// model, and for training without dropout and with fixed running statistics.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::eval();
    /// let x = tape.watch(Tensor::from([1.0f32, 2.0]));
    /// let loss = x.dropout(0.5).square().sum_all();
    /// assert_eq!(loss.backward().wrt(x).unwrap().to_vec(), [2.0, 4.0]);
    /// ```
    pub fn eval() -> Self {
        Self::with(RunKind::Recording, Some(Mode::Eval), None)
    }

    /// Returns a tape that keeps no history, with layers in evaluation mode. Use it for predictions.
    pub fn inference() -> Self {
        Self::with(RunKind::Inference, Some(Mode::Eval), None)
    }

    /// Returns a tape that computes shapes only, with layers in `mode`; `None` leaves the mode open.
    /// [`Tape::check_in`] and [`Tape::check`] run on such a tape. Use this function if your program must
    /// keep the tape, and take errors of operations from [`Tape::catch`].
    pub fn shapes_only(mode: Option<Mode>) -> Self {
        Self::with(RunKind::ShapeOnly, mode, Some(0))
    }

    fn with(run_kind: RunKind, mode: Option<Mode>, key: Option<u64>) -> Self {
        per_type!(Tape::with_here as (run_kind: RunKind, mode: Option<Mode>, key: Option<u64>) -> Tape<T>)
    }

    fn with_here(run_kind: RunKind, mode: Option<Mode>, key: Option<u64>) -> Self {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        Tape {
            arena: RefCell::new(recycle::acquire()),
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            run_kind,
            mode,
            policy: Policy::Fused,
            recording: Cell::new(run_kind != RunKind::Inference),
            key: Cell::new(key),
            streams: Cell::new(0),
            first_read: Cell::new(u32::MAX),
            replay_incomplete: Cell::new(false),
            in_checkpoint: Cell::new(false),
            walks: Cell::new(0),
            in_hook: Cell::new(false),
            catching: Cell::new(false),
            params: RefCell::default(),
            buffers: RefCell::default(),
            declared: RefCell::default(),
            scopes: Scopes::default(),
            observer: None,
        }
    }

    /// Sets the policy, which decides when values are computed. A tape that [detects
    /// anomalies](Tape::detecting_anomalies) stays eager.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        if !self.observer.as_ref().is_some_and(|observer| observer.wants_eager()) {
            self.policy = policy;
        }
        self
    }

    /// Sets layers to training mode, with random numbers from `rng`. One use is dropout on a tape for
    /// inference.
    #[must_use]
    pub fn training(mut self, rng: &mut impl rand::Rng) -> Self {
        self.mode = Some(Mode::Train);
        self.key.set(Some(rng.next_u64()));
        self
    }

    /// Takes the key of this run's random numbers from `rng`, and leaves the mode as it is: for
    /// [`rand`](Tape::rand) and [`randn`](Tape::randn) in evaluation.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Philox;
    /// let draw = || Tape::<f32>::eval().with_rng(&mut Philox::new(3)).randn(&[2, 2]).value();
    /// assert_eq!(draw(), draw());
    /// ```
    #[must_use]
    pub fn with_rng(self, rng: &mut impl rand::Rng) -> Self {
        self.key.set(Some(rng.next_u64()));
        self
    }

    /// Sets layers to evaluation mode.
    #[must_use]
    pub fn evaluating(mut self) -> Self {
        self.mode = Some(Mode::Eval);
        self
    }

    /// Returns how layers behave on this tape; `None` on a tape of [`Tape::new`] and within
    /// [`Tape::check`]. A layer that needs a mode calls [`Tape::expect_mode`].
    pub fn mode(&self) -> Option<Mode> {
        self.mode
    }

    /// Returns the mode of this tape, for a layer that behaves differently in training and evaluation.
    /// `layer` is the name of the layer in the panic message. Within [`Tape::check`], where the mode is
    /// open, the result is [`Mode::Eval`]: shapes are the same in both modes.
    ///
    /// ```
    /// use wengert::autograd::{Mode, Tape, Var};
    /// use wengert::tensor::{Philox, Tensor};
    /// /// Adds noise in training.
    /// fn noisy<'t>(x: Var<'t>, rng: &mut Philox) -> Var<'t> {
    ///     match x.tape().expect_mode("noisy") {
    ///         Mode::Train => x + x.tape().constant(Tensor::normal(&x.shape(), 0.0, 0.1, rng)),
    ///         Mode::Eval => x,
    ///     }
    /// }
    /// let tape = Tape::inference();
    /// let x = tape.constant(Tensor::ones(&[2]));
    /// assert_eq!(noisy(x, &mut Philox::new(0)).value().to_vec(), [1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the tape has no mode.
    #[track_caller]
    pub fn expect_mode(&self, layer: &str) -> Mode {
        match self.mode {
            Some(mode) => mode,
            None if self.is_shape_only() => Mode::Eval,
            None => self.fail(format!(
                "{layer}: this layer behaves differently in training and evaluation, and the tape \
                 has no mode: create the tape with `Tape::train(&mut rng)` or `Tape::eval()`"
            )),
        }
    }

    /// Returns whether this run computes shapes without values.
    pub fn is_shape_only(&self) -> bool {
        self.run_kind == RunKind::ShapeOnly
    }

    /// Returns the number of nodes.
    pub fn len(&self) -> usize {
        self.arena.borrow().nodes.len()
    }

    /// Returns whether the tape has no nodes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the key of this run's random numbers and a stream number that no other operation of the
    /// run has.
    #[track_caller]
    pub(crate) fn stream(&self) -> (u64, u32) {
        if self.walks.get() > 0 {
            self.fail(
                "a derivative rule cannot draw random numbers, because they would differ from \
                 those of the forward pass: draw them in the forward pass, and pass them to the \
                 operation as an input"
                    .into(),
            )
        }
        let Some(key) = self.key.get() else {
            self.fail(
                "the tape has no key for random numbers: create the tape with Tape::train(&mut \
                 rng), or add with_rng(&mut rng)"
                    .into(),
            )
        };
        (key, self.streams.replace(self.streams.get() + 1))
    }

    pub(crate) fn key(&self) -> u64 {
        self.key.get().unwrap_or_default()
    }

    /// Notes that the program reads a value and may depend on it, for example in an `if`.
    #[inline]
    pub(crate) fn note_read(&self) {
        if self.first_read.get() == u32::MAX {
            self.first_read.set(self.arena.borrow().len());
        }
    }
}

impl<T: Float> Drop for Tape<T> {
    fn drop(&mut self) {
        let tape = self;
        per_type!(<'a> Tape::end as (tape: &'a mut Tape<T>) -> ());
    }
}

impl<T: Float> Tape<T> {
    /// Drops the values, and recycles the arrays.
    fn end(&mut self) {
        let mut arena = std::mem::take(self.arena.get_mut());
        if !std::thread::panicking() {
            arena.check_invariants(false);
        }
        arena.clear();
        recycle::recycle(arena);
    }
}
