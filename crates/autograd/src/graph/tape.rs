//! The tape: records operations as nodes of an arena.
//!
//! The parents of a node have smaller numbers than the node. Counting the numbers down is therefore a
//! reverse topological order. A node has an operation, parents and a shape. Its value is a cache: every
//! operation is a pure function and can be computed again. `engine/mod.rs` describes when values are
//! computed and released. The choice changes no value.

use super::arena::{ACTIVE, Arena, PENDING, TEMPORARY, TINY};
use super::bindings::{Binding, Bindings, Bound};
use super::buffers::Declaration;
use super::observe::Observer;
use super::op::Op;
use super::recycle;
use super::scope_names::Scopes;
use super::var::Var;
use crate::module::{Buffer, Param, Updates};
use crate::rules::View;
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};
use wengert_tensor::{Float, Opcode, Shape, Sizes, Tensor, per_type};

/// A tape for inference closes a node after this many later nodes have been recorded.
const WINDOW: u32 = 128;

/// How layers such as dropout and batch norm, which differ between training and evaluation, behave on a
/// tape. The mode is always explicit: a tape of [`Tape::new`] has no mode, and such layers panic on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Training: dropout drops elements, batch norm normalises by the statistics of the batch.
    Train,
    /// Evaluation: dropout does nothing, batch norm normalises by its running statistics.
    Eval,
}

/// When values are computed. The policy does not change the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Each operation is computed when it is recorded.
    Eager,
    /// Pointwise operations stay pending until an operation reads them, and are computed with it in one pass over
    /// memory.
    Fused,
}

/// The data that a tape stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunKind {
    /// Values and history: gradients can be computed.
    Recording,
    /// Values without history: nothing can be differentiated.
    Inference,
    /// Shapes without values.
    Abstract,
}

/// One run of a program, from inputs and parameters to a loss.
///
/// Make a tape, put values on it ([`watch`](Tape::watch), [`constant`](Tape::constant),
/// [`param`](Tape::param)), compute with the [`Var`]s, and ask for gradients. A tape serves one step:
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
    /// Whether a checkpoint is being recorded.
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
    /// numbers from `rng`, so that every step drops other units.
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
    /// keep the tape, and take shape errors from [`Tape::catch`].
    pub fn shapes_only(mode: Option<Mode>) -> Self {
        Self::with(RunKind::Abstract, mode, Some(0))
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
            None if self.is_abstract() => Mode::Eval,
            None => self.fail(format!(
                "{layer}: this layer behaves differently in training and evaluation, and the tape \
                 has no mode: create the tape with `Tape::train(&mut rng)` or `Tape::eval()`"
            )),
        }
    }

    /// Returns whether this run computes shapes without values.
    pub fn is_abstract(&self) -> bool {
        self.run_kind == RunKind::Abstract
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

    /// Puts a value on the tape that is not differentiated, such as data or targets.
    #[inline]
    #[track_caller]
    pub fn constant(&self, value: Tensor<T>) -> Var<'_, T> {
        let x = self.given(Op::Constant, value);
        self.check_given(x.id, "constant", None);
        x
    }

    /// Puts a value on the tape whose gradient can be computed.
    #[inline]
    #[track_caller]
    pub fn watch(&self, value: Tensor<T>) -> Var<'_, T> {
        let x = self.given(Op::Leaf, value);
        self.check_given(x.id, "watch", None);
        x
    }

    /// Returns an operand of a shape-only run: a variable of this shape without a value.
    ///
    /// # Panics
    /// If the tape computes values.
    #[track_caller]
    pub fn input(&self, shape: impl Sizes) -> Var<'_, T> {
        assert!(
            self.is_abstract(),
            "input: this tape computes values, and an input has only a shape: use constant()"
        );
        let shape = self.fits(shape.shape_for("input"));
        let id = self.arena.borrow_mut().push_shaped(Op::Constant, shape, 0, None);
        Var { tape: self, id }
    }

    /// Returns a parameter as a variable. A tape binds each parameter once, so tied weights and unrolled
    /// loops share one leaf. A frozen parameter is a constant: `backward` does no work for it.
    ///
    /// # Panics
    /// If the parameter changed, was frozen or was unfrozen since this tape bound it: the values
    /// computed so far would mix old and new.
    #[track_caller]
    pub fn param(&self, param: &Param<T>) -> Var<'_, T> {
        let tape = self;
        per_type!(<'t, 'a> Tape::param_here as (tape: &'t Tape<T>, param: &'a Param<T>) -> Var<'t, T>)
    }

    #[track_caller]
    fn param_here(&self, param: &Param<T>) -> Var<'_, T> {
        if let Some(node) = self.params.borrow().substitute_of(param.id()) {
            return Var { tape: self, id: node };
        }
        let bound = self.params.borrow().of(param.id());
        let (id, version, frozen) = (param.id(), param.version(), param.frozen());
        if let Some(bound) = bound {
            if (bound.version, bound.is_frozen()) != (version, frozen) {
                let what = match frozen {
                    _ if bound.version != version => "changed",
                    true => "was frozen",
                    false => "was unfrozen",
                };
                self.out_of_date("parameter", param.shape(), what)
            }
            return Var { tape: self, id: bound.node };
        }
        let op = if frozen { Op::Constant } else { Op::Leaf };
        self.bind("param", Bound::Param { id, frozen }, op, param.value(), version)
    }

    /// Returns a buffer as a constant variable. A tape binds each buffer once.
    ///
    /// ```
    /// use wengert::autograd::{Buffer, Tape};
    /// use wengert::tensor::Tensor;
    /// let mean = Buffer::new(Tensor::from([1.0f32, 2.0]));
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([4.0, 4.0]));
    /// assert_eq!((x - tape.buffer(&mean)).value().to_vec(), [3.0, 2.0]);
    /// assert!(tape.buffer(&mean).is(tape.buffer(&mean)));
    /// ```
    ///
    /// # Panics
    /// If the buffer changed since this tape bound it: the values computed so far would mix old and
    /// new.
    #[track_caller]
    pub fn buffer(&self, buffer: &Buffer<T>) -> Var<'_, T> {
        let tape = self;
        per_type!(<'t, 'a> Tape::buffer_here as (tape: &'t Tape<T>, buffer: &'a Buffer<T>) -> Var<'t, T>)
    }

    #[track_caller]
    fn buffer_here(&self, buffer: &Buffer<T>) -> Var<'_, T> {
        let bound = self.params.borrow().of(buffer.id());
        let version = buffer.version();
        let Some(bound) = bound else {
            let of = Bound::Buffer(buffer.id());
            return self.bind("buffer", of, Op::Constant, buffer.value(), version);
        };
        if bound.version != version {
            self.out_of_date("buffer", buffer.shape(), "changed")
        }
        Var { tape: self, id: bound.node }
    }

    /// Puts the value of a parameter or buffer on the tape, when the tape first uses it.
    #[inline]
    #[track_caller]
    fn bind(&self, what: &str, of: Bound, op: Op, value: &Tensor<T>, version: u64) -> Var<'_, T> {
        let var = self.given(op, value.clone());
        self.check_given(var.id, what, Some(of.state()));
        self.params.borrow_mut().push(Binding { of, node: var.id, version });
        var
    }

    #[cold]
    #[track_caller]
    fn out_of_date(&self, kind: &str, shape: Shape, what: &str) -> ! {
        self.fail(format!(
            "a {kind} of shape {shape} {what} after this tape bound it: create a new tape for \
             each step"
        ))
    }

    /// A temporary constant of the shape of node `like`: dropped as soon as nothing reads it.
    #[inline]
    pub(crate) fn constant_like(&self, value: Tensor<T>, like: u32) -> Var<'_, T> {
        let arena = &mut *self.arena.borrow_mut();
        let shape = arena.nodes[like as usize].shape;
        let id = arena.push(Op::Constant, &[], shape, TEMPORARY, Some(value));
        self.note_own(id);
        Var { tape: self, id }
    }

    #[inline]
    #[track_caller]
    fn given(&self, op: Op, value: Tensor<T>) -> Var<'_, T> {
        let tape = self;
        per_type!(<'t> Tape::given_here as (tape: &'t Tape<T>, op: Op, value: Tensor<T>) -> Var<'t, T>)
    }

    #[track_caller]
    fn given_here(&self, op: Op, value: Tensor<T>) -> Var<'_, T> {
        let mut arena = self.arena.borrow_mut();
        let shape = value.shape();
        let active = op == Op::Leaf && self.recording.get();
        let value = (self.run_kind != RunKind::Abstract).then_some(value);
        let id = arena.push_shaped(op, shape, if active { ACTIVE } else { 0 }, value);
        drop(arena);
        self.note(id);
        Var { tape: self, id }
    }

    /// Adds a node. The policy decides whether its value is computed now or later.
    #[inline]
    #[track_caller]
    pub(crate) fn apply<'t>(&'t self, op: Op, operands: &[Var<'t, T>], shape: Shape) -> Var<'t, T> {
        let parents: SmallVec<[u32; 4]> = operands.iter().map(|v| v.id).collect();
        Var { tape: self, id: self.apply_nodes(op, &parents, shape) }
    }

    /// [`apply`](Tape::apply), for operands and results of any kind.
    #[inline]
    #[track_caller]
    pub(crate) fn apply_nodes(&self, op: Op, parents: &[u32], shape: Shape) -> u32 {
        let tape = self;
        per_type!(<'a> Tape::apply_here as (tape: &'a Tape<T>, op: Op, parents: &'a [u32], shape: Shape) -> u32)
    }

    #[track_caller]
    fn apply_here(&self, op: Op, parents: &[u32], shape: Shape) -> u32 {
        let id = self.record_here(op, parents, shape);
        self.compute_or_defer(id);
        id
    }

    /// Adds a node without a value.
    #[inline]
    #[track_caller]
    pub(crate) fn record(&self, op: Op, parents: &[u32], shape: Shape) -> u32 {
        let tape = self;
        per_type!(<'a> Tape::record_here as (tape: &'a Tape<T>, op: Op, parents: &'a [u32], shape: Shape) -> u32)
    }

    #[inline]
    #[track_caller]
    fn record_here(&self, op: Op, parents: &[u32], shape: Shape) -> u32 {
        let mut borrow = self.arena.borrow_mut();
        let arena = &mut *borrow;
        let like = parents.first().map(|&p| arena.nodes[p as usize].shape);
        let shape = if let Some(like) = like.filter(|&like| arena.shapes[like as usize] == shape) {
            like
        } else {
            arena.shapes.push(shape);
            arena.shapes.len() as u32 - 1
        };
        let id = arena.add(op, parents, shape, None, self.recording.get());
        self.close_old(arena, id);
        drop(borrow);
        self.note(id);
        id
    }

    /// On a tape for inference, closes the node that was recorded `WINDOW` nodes before this one: probably nothing
    /// new reads it. If something does, it is computed again.
    #[inline]
    fn close_old(&self, arena: &mut Arena<T>, id: u32) {
        if self.run_kind == RunKind::Inference
            && let Some(old) = id.checked_sub(WINDOW)
            && !arena.parents(id).contains(&old)
        {
            arena.close(old);
        }
    }

    /// A pending view of a node with the same value: a variable of its own, for the rule of a custom operation to
    /// differentiate by.
    pub(crate) fn alias(&self, id: u32, active: bool) -> u32 {
        let arena = &mut *self.arena.borrow_mut();
        let node = &mut arena.nodes[id as usize];
        node.readers += 1;
        let (shape, flags) = (node.shape, if active { ACTIVE } else { node.flags & ACTIVE });
        let id = arena.push(Op::View(View::Reshape), &[id], shape, flags | PENDING, None);
        self.note_own(id);
        id
    }

    /// Adds a pointwise node, of the shape of its operands. A tiny node is computed at once, while the
    /// arena is borrowed: its kernel is a handful of instructions.
    #[inline]
    #[track_caller]
    pub(crate) fn pointwise<const N: usize>(
        &self,
        op: Op,
        opcode: Opcode,
        parents: [u32; N],
    ) -> u32 {
        let tape = self;
        // The number of operands is known where this function is inlined, so one of these calls remains.
        match parents[..] {
            [a] => {
                let operands = [a];
                per_type!(<'a> Tape::pointwise_of::<1> as (tape: &'a Tape<T>, op: Op, opcode: Opcode, operands: [u32; 1]) -> u32)
            }
            [a, b] => {
                let operands = [a, b];
                per_type!(<'a> Tape::pointwise_of::<2> as (tape: &'a Tape<T>, op: Op, opcode: Opcode, operands: [u32; 2]) -> u32)
            }
            [a, b, c] => {
                let operands = [a, b, c];
                per_type!(<'a> Tape::pointwise_of::<3> as (tape: &'a Tape<T>, op: Op, opcode: Opcode, operands: [u32; 3]) -> u32)
            }
            _ => unreachable!("opcodes have one to three operands"),
        }
    }

    #[track_caller]
    fn pointwise_of<const N: usize>(&self, op: Op, opcode: Opcode, parents: [u32; N]) -> u32 {
        let mut borrow = self.arena.borrow_mut();
        let arena = &mut *borrow;
        let shape = arena.nodes[parents[0] as usize].shape;
        let sizes = &arena.shapes[shape as usize];
        let mut value = None;
        // An observer must see every computation, and only `compute_or_defer` reports to it.
        if sizes.numel() <= TINY && self.run_kind != RunKind::Abstract && self.observer.is_none() {
            let operands = parents.map(|p| arena.values[p as usize].as_ref());
            if operands.iter().all(Option::is_some) {
                let operands = operands.map(|x| x.expect("all are there"));
                value = Some(Tensor::pointwise(opcode, operands, sizes));
            }
        }
        let computed = value.is_some();
        let id = arena.add(op, &parents, shape, value, self.recording.get());
        self.close_old(arena, id);
        if !computed {
            drop(borrow);
            self.note(id);
            self.compute_or_defer(id);
        }
        id
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
