//! The tape: an arena of nodes, and how they are recorded.
//!
//! Parents precede children, so reverse topological order is counting down. A node has an op,
//! parents and a shape; its value is only a cache, since every op is a pure function and can be
//! computed again. *When* values are computed and how long they stay is policy (`force.rs`,
//! `release.rs`), never meaning.

use crate::bindings::{Binding, Bindings, Bound};
use crate::buffers::{Declaration, Updates};
use crate::checkpoint::{Region, Span};
use crate::observe::Observer;
use crate::op::{Op, Reads};
use crate::ops::{CustomOp, Part, PoolWindows, View};
use crate::param::{Buffer, Param};
use crate::scope::Scopes;
use crate::spare;
use crate::var::Var;
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wengert_tensor::{AxisMap, Conv, Float, Opcode, Shape, Sizes, Tensor};

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
    /// Each op at once.
    Eager,
    /// Pointwise ops wait for a reader and are computed with it in one pass over memory.
    Fused,
}

/// What a tape keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
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
    pub(crate) run: Run,
    mode: Option<Mode>,
    pub(crate) policy: Policy,
    /// Whether what is applied now becomes history. Off inside `backward`, but for custom rules.
    pub(crate) recording: Cell<bool>,
    /// How many walks back and rules of custom operations are under way: one may start another.
    pub(crate) walks: Cell<u32>,
    /// The key of this run's random numbers, and how many streams were taken from it.
    pub(crate) key: Cell<Option<u64>>,
    streams: Cell<u32>,
    /// How many nodes there were when the program first read a number; `u32::MAX` while it has not.
    pub(crate) first_read: Cell<u32>,
    /// Whether a replay has begun, and not come to its end.
    pub(crate) halfway: Cell<bool>,
    /// Whether a checkpoint is being recorded.
    pub(crate) in_checkpoint: Cell<bool>,
    /// Whether refusals unwind to [`Tape::catch`].
    pub(crate) caught: Cell<bool>,
    pub(crate) params: RefCell<Bindings>,
    pub(crate) buffers: RefCell<Updates<T>>,
    /// The changes of buffers in the order of the program.
    pub(crate) declared: RefCell<Vec<Declaration>>,
    pub(crate) scopes: Scopes,
    /// What those who look on are told.
    pub(crate) observer: Option<Box<Observer>>,
}

/// A node, without its value. Kept small: the arrays of a long tape should fit the caches.
#[derive(Clone, Copy)]
pub(crate) struct Node {
    pub op: Op,
    /// The parents if they are two at most, else where they start in `Arena::more`.
    pub parents: [u32; 2],
    pub arity: u32,
    /// An entry of `Arena::shapes`.
    pub shape: u32,
    /// Pending nodes (`WAITS`) that will read this one's value.
    pub readers: u32,
    /// An upper bound, perhaps stale, for the length of the program that would compute this node.
    pub pending: u16,
    pub flags: u8,
}
const _: () = assert!(size_of::<Node>() == 40);

/// Values of so few numbers are computed at once, since waiting would cost more, and stay readable.
pub(crate) const TINY: usize = 8;

/// A tape for inference drops a value that nobody asked for once there are this many later nodes.
const WINDOW: u32 = 128;

/// Depends on a leaf, and history is kept.
pub(crate) const ACTIVE: u8 = 1;
/// A rule that may run has declared to read the value.
pub(crate) const SAVED: u8 = 2;
/// The user asked for the value, or may: it is tiny.
pub(crate) const KEPT: u8 = 4;
/// Its scope has ended, or the walk back has begun: no new reader is expected.
pub(crate) const CLOSED: u8 = 8;
/// Counted among its parents' readers.
pub(crate) const WAITS: u8 = 16;
/// Was computed before, and dropped: when needed again it is stored, not joined to a program.
pub(crate) const RELEASED: u8 = 32;
/// A cotangent that the walk back has put on the tape: it goes although it was given.
pub(crate) const PASSING: u8 = 64;
/// Its numbers say whether something holds. Comparisons are masks without it, by their op.
pub(crate) const MASK: u8 = 128;

impl Node {
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

pub(crate) struct Arena<T: Float> {
    /// `None`: pending or released.
    pub values: Vec<Option<Tensor<T>>>,
    pub nodes: Vec<Node>,
    /// Nodes of equal shape mostly share an entry with a parent.
    pub shapes: Vec<Shape>,
    /// Parents of nodes that have more than two.
    pub more: Vec<u32>,
    /// Whole numbers, in the order of the nodes that make them.
    pub wholes: Vec<Option<Tensor<i64>>>,
    /// Whose classes there are, and how many, each once.
    pub classes: Vec<(&'static str, u32)>,
    /// What indices of slices are multiplied by, and what is added.
    pub affine: Vec<(i64, i64)>,
    /// The windows of pools, each once.
    pub pools: Vec<PoolWindows>,
    /// The geometries of convolutions, each once.
    pub convs: Vec<Conv>,
    pub maps: Vec<AxisMap>,
    pub customs: Vec<Arc<dyn CustomOp<T>>>,
    /// Where the operands of sums of parts go.
    pub parts: Vec<Arc<[Part]>>,
    /// What a walk recorded for which node: from the first node to before the second, for the third.
    pub rules: Vec<(u32, u32, u32)>,
    /// Checkpoints, and which nodes are computed while they are open, in ascending order.
    pub regions: Vec<Region>,
    pub spans: Vec<Span>,
    /// Which nodes `grad` returned as gradients, and of which nodes.
    pub gradients: Vec<(u32, u32)>,
    /// How many nodes there were when `backward` consumed the history; 0 while it has not.
    pub ended: u32,
    /// The cotangents of a walk, one for each node. Between walks all are empty.
    pub slots: Vec<crate::walk::Slot<T>>,
}

impl<T: Float> Default for Arena<T> {
    fn default() -> Self {
        Arena {
            values: Vec::new(),
            nodes: Vec::new(),
            shapes: Vec::new(),
            more: Vec::new(),
            wholes: Vec::new(),
            classes: Vec::new(),
            affine: Vec::new(),
            pools: Vec::new(),
            convs: Vec::new(),
            maps: Vec::new(),
            customs: Vec::new(),
            parts: Vec::new(),
            rules: Vec::new(),
            regions: Vec::new(),
            spans: Vec::new(),
            gradients: Vec::new(),
            ended: 0,
            slots: Vec::new(),
        }
    }
}

impl<T: Float> Arena<T> {
    #[inline]
    pub fn parents(&self, id: u32) -> &[u32] {
        let node = &self.nodes[id as usize];
        let n = node.arity as usize;
        if n <= 2 { &node.parents[..n] } else { &self.more[node.parents[0] as usize..][..n] }
    }

    #[inline]
    pub fn shape(&self, id: u32) -> &Shape {
        &self.shapes[self.nodes[id as usize].shape as usize]
    }

    /// The node of the op that `id` is an output of: itself, unless it is a further one.
    #[inline]
    pub fn first_output(&self, id: u32) -> u32 {
        match self.nodes[id as usize].op {
            Op::Output(back) => id - back,
            _ => id,
        }
    }

    /// How many outputs the op at `id` has.
    #[inline]
    pub fn outputs(&self, id: u32) -> usize {
        let further = &self.nodes[id as usize + 1..];
        1 + further.iter().take_while(|node| matches!(node.op, Op::Output(_))).count()
    }

    pub fn len(&self) -> u32 {
        self.nodes.len() as u32
    }

    /// Where the value of a node lies among the whole numbers, if it is whole numbers.
    #[inline]
    pub fn place_of_whole(&self, id: u32) -> Option<u32> {
        match self.nodes[id as usize].op {
            Op::Whole { place, .. } => Some(place),
            Op::Output(back) => match self.nodes[(id - back) as usize].op {
                Op::MaxPool(pool) => Some(pool.positions),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether the value of a node is there.
    #[inline]
    pub fn is_computed(&self, id: u32) -> bool {
        self.values[id as usize].is_some()
            || !self.wholes.is_empty()
                && self
                    .place_of_whole(id)
                    .is_some_and(|place| self.wholes[place as usize].is_some())
    }

    pub fn mark(&self) -> Mark {
        let [nodes, shapes] = [self.nodes.len(), self.shapes.len()];
        let tables = [
            self.wholes.len(),
            self.maps.len(),
            self.customs.len(),
            self.parts.len(),
            self.affine.len(),
        ];
        Mark { nodes, shapes, more: self.more.len(), tables }
    }

    /// Forgets what came after the mark.
    #[inline]
    pub fn truncate(&mut self, mark: Mark) {
        self.values.truncate(mark.nodes);
        self.nodes.truncate(mark.nodes);
        self.shapes.truncate(mark.shapes);
        self.more.truncate(mark.more);
        let Mark { tables: [wholes, maps, customs, parts, affine], .. } = mark;
        if self.affine.len() > affine {
            self.affine.truncate(affine);
        }
        if self.wholes.len() > wholes {
            self.wholes.truncate(wholes);
        }
        if self.maps.len() > maps {
            self.maps.truncate(maps);
        }
        if self.customs.len() > customs {
            self.customs.truncate(customs);
        }
        if self.parts.len() > parts {
            self.parts.truncate(parts);
        }
    }

    fn clear(&mut self) {
        self.truncate(Mark { nodes: 0, shapes: 0, more: 0, tables: [0; 5] });
        self.convs.clear();
        self.pools.clear();
        self.classes.clear();
        self.rules.clear();
        self.regions.clear();
        self.spans.clear();
        self.gradients.clear();
        self.ended = 0;
        self.slots.clear();
    }
}

/// The place of a value in a table of the arena that holds each once.
pub(crate) fn place_in<V: PartialEq>(table: &mut Vec<V>, value: V) -> u32 {
    let known = table.iter().position(|known| *known == value);
    known.unwrap_or_else(|| {
        table.push(value);
        table.len() - 1
    }) as u32
}

/// How long the arena's arrays were.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    pub nodes: usize,
    shapes: usize,
    more: usize,
    /// Whole numbers, and the tables of maps, custom ops, parts and affine maps of indices.
    tables: [usize; 5],
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
        Self::with(Run::Recording, None, None)
    }

    /// A tape that records, with layers in training mode. Takes the key of this run's random
    /// numbers from `rng`, so that every step drops other units.
    pub fn train(rng: &mut impl rand::Rng) -> Self {
        Self::with(Run::Recording, Some(Mode::Train), Some(rng.next_u64()))
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
        Self::with(Run::Recording, Some(Mode::Eval), None)
    }

    /// A tape that keeps no history, with layers in evaluation mode: for predictions.
    pub fn inference() -> Self {
        Self::with(Run::Inference, Some(Mode::Eval), None)
    }

    /// A tape of shapes without numbers, with layers in this mode or with the mode left open: what
    /// [`Tape::check_in`] and [`Tape::check`] run on. For programs that keep the tape themselves; they
    /// take what does not fit from [`Tape::catch`].
    pub fn shapes_only(mode: Option<Mode>) -> Self {
        Self::with(Run::Abstract, mode, Some(0))
    }

    fn with(run: Run, mode: Option<Mode>, key: Option<u64>) -> Self {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        Tape {
            arena: RefCell::new(spare::take()),
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            run,
            mode,
            policy: Policy::Fused,
            recording: Cell::new(run != Run::Inference),
            key: Cell::new(key),
            streams: Cell::new(0),
            first_read: Cell::new(u32::MAX),
            halfway: Cell::new(false),
            in_checkpoint: Cell::new(false),
            walks: Cell::new(0),
            caught: Cell::new(false),
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
        if !self.detects_anomalies() {
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
        self.run == Run::Abstract
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

    /// A constant of the shape of node `like`, which goes as soon as nobody waits for it.
    #[inline]
    pub(crate) fn constant_like(&self, value: Tensor<T>, like: u32) -> Var<'_, T> {
        let arena = &mut *self.arena.borrow_mut();
        let shape = arena.nodes[like as usize].shape;
        let id = arena.push(Op::Constant, &[], shape, PASSING, Some(value));
        self.note_own(id);
        Var { tape: self, id }
    }

    #[inline]
    #[track_caller]
    fn given(&self, op: Op, value: Tensor<T>) -> Var<'_, T> {
        let mut arena = self.arena.borrow_mut();
        let shape = value.shape();
        let active = op == Op::Leaf && self.recording.get();
        let value = (self.run != Run::Abstract).then_some(value);
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
        self.settle(id);
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

    /// On a tape for inference: nothing new will read the node that came long before this one,
    /// probably. It is computed again if something does, once.
    #[inline]
    fn forget_old(&self, arena: &mut Arena<T>, id: u32) {
        if self.run == Run::Inference
            && let Some(old) = id.checked_sub(WINDOW)
            && !arena.parents(id).contains(&old)
        {
            arena.close(old);
        }
    }

    /// Another node with the value of this one, for the rule of a custom op to differentiate by.
    pub(crate) fn stand_in(&self, id: u32, active: bool) -> u32 {
        let arena = &mut *self.arena.borrow_mut();
        let node = &mut arena.nodes[id as usize];
        node.readers += 1;
        let (shape, flags) = (node.shape, if active { ACTIVE } else { node.flags & ACTIVE });
        let id = arena.push(Op::View(View::Reshape), &[id], shape, flags | WAITS, None);
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
        // An observer sees all that `settle` computes.
        if sizes.numel() <= TINY && self.run != Run::Abstract && self.observer.is_none() {
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
            self.settle(id);
        }
        id
    }
}

impl<T: Float> Arena<T> {
    #[inline]
    pub fn push(
        &mut self,
        op: Op,
        parents: &[u32],
        shape: u32,
        flags: u8,
        value: Option<Tensor<T>>,
    ) -> u32 {
        let id = self.nodes.len() as u32;
        let inline = match *parents {
            [] => [0, 0],
            [a] => [a, 0],
            [a, b] => [a, b],
            _ => {
                self.more.extend_from_slice(parents);
                [(self.more.len() - parents.len()) as u32, 0]
            }
        };
        let arity = parents.len() as u32;
        self.nodes.push(Node { op, parents: inline, arity, shape, readers: 0, pending: 0, flags });
        self.values.push(value);
        id
    }

    /// A node without parents.
    #[inline]
    pub fn push_shaped(
        &mut self,
        op: Op,
        shape: Shape,
        flags: u8,
        value: Option<Tensor<T>>,
    ) -> u32 {
        if self.shapes.last() != Some(&shape) {
            self.shapes.push(shape);
        }
        self.push(op, &[], self.shapes.len() as u32 - 1, flags, value)
    }

    /// A new node, active if history is kept and it depends on a leaf.
    #[inline]
    fn add(
        &mut self,
        op: Op,
        parents: &[u32],
        shape: u32,
        value: Option<Tensor<T>>,
        recording: bool,
    ) -> u32 {
        let depends = |&p: &u32| self.nodes[p as usize].has(ACTIVE);
        let active = recording && parents.iter().any(depends) && op.is_differentiable();
        // Only tiny nodes have a value from the start.
        let tiny = value.is_some() || self.shapes[shape as usize].numel() <= TINY;
        let flags = if active { ACTIVE } else { 0 } | if tiny { KEPT } else { 0 };
        let id = self.push(op, parents, shape, flags, value);
        if active {
            self.declare(op, id, parents);
        }
        id
    }

    /// Marks the values that the rule of this op will read for the arguments that are active.
    #[inline(always)]
    pub fn declare(&mut self, op: Op, id: u32, parents: &[u32]) {
        for (arg, &p) in parents.iter().enumerate() {
            if !self.nodes[p as usize].has(ACTIVE) {
                continue;
            }
            let reads = self.reads(op, arg);
            if reads == Reads::NOTHING {
                continue;
            }
            for (i, &p) in parents.iter().enumerate() {
                if reads.input(i) {
                    self.nodes[p as usize].flags |= SAVED;
                }
            }
            // Further outputs do not exist before `apply_outputs` makes them.
            if reads.output(0) {
                self.nodes[id as usize].flags |= SAVED;
            }
        }
    }

    /// Marks the further outputs that the rule of this op will read.
    pub fn declare_outputs(&mut self, op: Op, id: u32) {
        for i in 1..self.outputs(id) {
            let parents = self.parents(id).iter().enumerate();
            let mut active = parents.filter(|&(_, &p)| self.nodes[p as usize].has(ACTIVE));
            if active.any(|(arg, _)| self.reads(op, arg).output(i)) {
                self.nodes[id as usize + i].flags |= SAVED;
            }
        }
    }

    pub fn reads(&self, op: Op, arg: usize) -> Reads {
        match op {
            Op::Custom(i) => self.customs[i as usize].reads(arg),
            op => crate::ops::reads(op, arg),
        }
    }
}

impl<T: Float> Drop for Tape<T> {
    fn drop(&mut self) {
        let mut arena = std::mem::take(self.arena.get_mut());
        if !std::thread::panicking() {
            arena.check_invariants(false);
        }
        arena.clear();
        spare::put(arena);
    }
}
