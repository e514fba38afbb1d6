//! The tape: records operations as nodes of an arena.
//!
//! Parents precede children, so reverse topological order is counting down. A node has an operation, parents and
//! a shape. Its value is a cache: every operation is a pure function, and can be computed again. When values are
//! computed and released is described in `engine/mod.rs`; it changes no number.

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
use wengert_tensor::{Float, Opcode, Shape, Sizes, Tensor};

/// A tape for inference closes a node when this many later nodes have been recorded.
const WINDOW: u32 = 128;

/// How layers that behave differently in training and evaluation behave on a tape. The mode is
/// always explicit: a tape of [`Tape::new`] has none, and such layers refuse to run on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Training: dropout drops, batch norm normalises by the statistics of the batch.
    Train,
    /// Evaluation: dropout does nothing, batch norm normalises by its running statistics.
    Eval,
}

/// When values are computed; never what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Each operation is computed at once.
    Eager,
    /// Pointwise operations stay pending until an operation reads them, and are computed with it in one pass over
    /// memory.
    Fused,
}

/// What a tape keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunKind {
    /// Values and history.
    Recording,
    /// Values only: nothing can be differentiated.
    Inference,
    /// Shapes only.
    Abstract,
}

/// One run of a program, from inputs and parameters to a loss.
///
/// Make a tape, put values on it ([`watch`](Tape::watch), [`constant`](Tape::constant),
/// [`param`](Tape::param)), compute with the [`Var`]s, and ask for gradients. A tape serves one
/// step: after parameters changed, make a new one (it costs nothing: a dropped tape leaves its
/// memory to the next).
///
/// | | history | layers behave as in | for |
/// |---|---|---|---|
/// | [`Tape::train`] | recorded | training | a step of training |
/// | [`Tape::eval`] | recorded | evaluation | gradients of a trained model |
/// | [`Tape::inference`] | none | evaluation | predictions |
/// | [`Tape::new`] | recorded | neither: those that differ refuse | calculus |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_tensor::Tensor;
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
    /// Whether what is applied now becomes history. Off inside `backward`, but for custom rules.
    pub(crate) recording: Cell<bool>,
    /// How many walks and rules of custom operations are running: one may start another.
    pub(crate) walks: Cell<u32>,
    /// The key of this run's random numbers, and how many streams were taken from it.
    pub(crate) key: Cell<Option<u64>>,
    streams: Cell<u32>,
    /// How many nodes there were when the program first read a number; `u32::MAX` while it has not.
    pub(crate) first_read: Cell<u32>,
    /// Whether a replay has begun and was refused before its end.
    pub(crate) replay_incomplete: Cell<bool>,
    /// Whether a checkpoint is being recorded.
    pub(crate) in_checkpoint: Cell<bool>,
    /// Whether refusals unwind to [`Tape::catch`].
    pub(crate) catching: Cell<bool>,
    pub(crate) params: RefCell<Bindings>,
    pub(crate) buffers: RefCell<Updates<T>>,
    /// The changes of buffers in the order of the program.
    pub(crate) declared: RefCell<Vec<Declaration>>,
    pub(crate) scopes: Scopes,
    /// Who is told what the run does: `inspect`, if a profile or the search for anomalies was asked for.
    pub(crate) observer: Option<Box<dyn Observer<T>>>,
}

impl<T: Float> Tape<T> {
    /// A tape that records and has no mode: for calculus. A layer that behaves differently in
    /// training and evaluation, such as dropout or batch norm, panics on it: models run on
    /// [`Tape::train`], [`Tape::eval`] or [`Tape::inference`].
    ///
    /// ```should_panic
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::Tensor;
    /// let tape = Tape::new();
    /// tape.watch(Tensor::ones(&[3])).dropout(0.5); // drop, or not?
    /// ```
    #[allow(clippy::new_without_default)] // a default would hide which kind of run is meant
    pub fn new() -> Self {
        Self::with(RunKind::Recording, None, None)
    }

    /// A tape that records, with layers in training mode. Takes the key of this run's random
    /// numbers from `rng`, so that every step drops other units.
    pub fn train(rng: &mut impl rand::Rng) -> Self {
        Self::with(RunKind::Recording, Some(Mode::Train), Some(rng.next_u64()))
    }

    /// A tape that records, with layers in evaluation mode: for gradients of a trained model, and
    /// for training that leaves running statistics as they are and drops nothing.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::Tensor;
    /// let tape = Tape::eval();
    /// let x = tape.watch(Tensor::from([1.0f32, 2.0]));
    /// let loss = x.dropout(0.5).square().sum_all();
    /// assert_eq!(loss.backward().wrt(x).unwrap().to_vec(), [2.0, 4.0]);
    /// ```
    pub fn eval() -> Self {
        Self::with(RunKind::Recording, Some(Mode::Eval), None)
    }

    /// A tape that keeps no history, with layers in evaluation mode: for predictions.
    pub fn inference() -> Self {
        Self::with(RunKind::Inference, Some(Mode::Eval), None)
    }

    /// A tape of shapes without numbers, with layers in this mode or with the mode left open: what
    /// [`Tape::check_in`] and [`Tape::check`] run on. For programs that keep the tape themselves; they
    /// take what does not fit from [`Tape::catch`].
    pub fn shapes_only(mode: Option<Mode>) -> Self {
        Self::with(RunKind::Abstract, mode, Some(0))
    }

    fn with(run_kind: RunKind, mode: Option<Mode>, key: Option<u64>) -> Self {
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
            catching: Cell::new(false),
            params: RefCell::default(),
            buffers: RefCell::default(),
            declared: RefCell::default(),
            scopes: Scopes::default(),
            observer: None,
        }
    }

    /// The same tape with another policy for when values are computed. A tape that
    /// [detects anomalies](Tape::detecting_anomalies) stays eager.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        if !self.observer.as_ref().is_some_and(|observer| observer.wants_eager()) {
            self.policy = policy;
        }
        self
    }

    /// The same tape with layers in training mode and random numbers from `rng`: dropout at
    /// inference, say.
    #[must_use]
    pub fn training(mut self, rng: &mut impl rand::Rng) -> Self {
        self.mode = Some(Mode::Train);
        self.key.set(Some(rng.next_u64()));
        self
    }

    /// The same tape with layers in evaluation mode.
    #[must_use]
    pub fn evaluating(mut self) -> Self {
        self.mode = Some(Mode::Eval);
        self
    }

    /// How layers behave on this tape; `None` on a tape of [`Tape::new`] and within
    /// [`Tape::check`]. A layer that needs one asks with [`Tape::expect_mode`].
    pub fn mode(&self) -> Option<Mode> {
        self.mode
    }

    /// The mode of this tape, for a layer that behaves differently in training and evaluation.
    /// `layer` is its name in the message. Within [`Tape::check`], where the mode is open, it is
    /// [`Mode::Eval`]: the shapes are those of both.
    ///
    /// ```
    /// # use wengert_autograd::{Mode, Tape, Var};
    /// # use wengert_tensor::{Philox, Tensor};
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
                "{layer}: this layer behaves differently in training and evaluation: choose \
                 `Tape::train(&mut rng)` or `Tape::eval()`"
            )),
        }
    }

    /// Whether this run has shapes but no numbers.
    pub fn is_abstract(&self) -> bool {
        self.run_kind == RunKind::Abstract
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.arena.borrow().nodes.len()
    }

    /// Whether nothing was put on the tape yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The key of this run's random numbers and a number no other op of it has.
    #[track_caller]
    pub(crate) fn stream(&self) -> (u64, u32) {
        if self.walks.get() > 0 {
            self.fail(
                "random numbers in the rule of an operation: each call would draw others, so that its \
                 gradients would not be those of one function: draw them in the forward pass, and \
                 give them to the operation as an input"
                    .into(),
            )
        }
        let Some(key) = self.key.get() else {
            self.fail(
                "random numbers on a tape without a key: make it with Tape::train(&mut rng)".into(),
            )
        };
        (key, self.streams.replace(self.streams.get() + 1))
    }

    pub(crate) fn key(&self) -> u64 {
        self.key.get().unwrap_or_default()
    }

    /// The program reads a number, and may go on otherwise if it were another.
    #[inline]
    pub(crate) fn note_read(&self) {
        if self.first_read.get() == u32::MAX {
            self.first_read.set(self.arena.borrow().len());
        }
    }

    /// A value that is not differentiated: data, targets.
    #[inline]
    #[track_caller]
    pub fn constant(&self, value: Tensor<T>) -> Var<'_, T> {
        let x = self.given(Op::Constant, value);
        self.check_given(x.id, "constant", None);
        x
    }

    /// A value whose gradient will be asked for.
    #[inline]
    #[track_caller]
    pub fn watch(&self, value: Tensor<T>) -> Var<'_, T> {
        let x = self.given(Op::Leaf, value);
        self.check_given(x.id, "watch", None);
        x
    }

    /// An operand of an abstract run: a shape.
    ///
    /// # Panics
    /// On a tape with numbers.
    #[track_caller]
    pub fn input(&self, shape: impl Sizes) -> Var<'_, T> {
        assert!(
            self.is_abstract(),
            "input() makes a shape without numbers: use constant() on this tape"
        );
        let shape = self.fits(shape.shape_for("input"));
        let id = self.arena.borrow_mut().push_shaped(Op::Constant, shape, 0, None);
        Var { tape: self, id }
    }

    /// A parameter as a variable. Each is bound once, so tied weights and unrolled loops cost one
    /// leaf. A frozen parameter is a constant and costs no backward work.
    ///
    /// # Panics
    /// If the parameter changed, was frozen or was unfrozen since this tape bound it: the values
    /// computed so far would mix old and new.
    #[track_caller]
    pub fn param(&self, param: &Param<T>) -> Var<'_, T> {
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

    /// A buffer as a variable: a constant. Each is bound once.
    ///
    /// ```
    /// use wengert_autograd::{Buffer, Tape};
    /// use wengert_tensor::Tensor;
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

    /// Puts the value of a parameter or buffer on the tape, for the first time.
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
            "a {kind} of shape {shape} {what} since this tape bound it: make a new tape per step"
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
        let mut arena = self.arena.borrow_mut();
        let shape = value.shape();
        let active = op == Op::Leaf && self.recording.get();
        let value = (self.run_kind != RunKind::Abstract).then_some(value);
        let id = arena.push_shaped(op, shape, if active { ACTIVE } else { 0 }, value);
        drop(arena);
        self.note(id);
        Var { tape: self, id }
    }

    /// A new node. Its value is computed now or later as the policy says.
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
        let id = self.record(op, parents, shape);
        self.compute_or_defer(id);
        id
    }

    /// Adds a node without a value.
    #[inline]
    #[track_caller]
    pub(crate) fn record(&self, op: Op, parents: &[u32], shape: Shape) -> u32 {
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
        self.forget_old(arena, id);
        drop(borrow);
        self.note(id);
        id
    }

    /// On a tape for inference, closes the node that was recorded `WINDOW` nodes before this one: probably nothing
    /// new reads it. If something does, it is computed again.
    #[inline]
    fn forget_old(&self, arena: &mut Arena<T>, id: u32) {
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

    /// A new pointwise node, of the shape of its operands. Tiny ones are computed at once (with the
    /// arena borrowed: their kernel is a handful of instructions).
    #[inline]
    #[track_caller]
    pub(crate) fn pointwise<const N: usize>(
        &self,
        op: Op,
        opcode: Opcode,
        parents: [u32; N],
    ) -> u32 {
        let mut borrow = self.arena.borrow_mut();
        let arena = &mut *borrow;
        let shape = arena.nodes[parents[0] as usize].shape;
        let sizes = &arena.shapes[shape as usize];
        let mut value = None;
        // An observer sees all that `compute_or_defer` computes.
        if sizes.numel() <= TINY && self.run_kind != RunKind::Abstract && self.observer.is_none() {
            let operands = parents.map(|p| arena.values[p as usize].as_ref());
            if operands.iter().all(Option::is_some) {
                let operands = operands.map(|x| x.expect("all are there"));
                value = Some(Tensor::pointwise(opcode, operands, sizes));
            }
        }
        let computed = value.is_some();
        let id = arena.add(op, &parents, shape, value, self.recording.get());
        self.forget_old(arena, id);
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
        let mut arena = std::mem::take(self.arena.get_mut());
        if !std::thread::panicking() {
            arena.check_invariants(false);
        }
        arena.clear();
        recycle::recycle(arena);
    }
}
