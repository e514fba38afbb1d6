//! Records operations: adds their nodes to the tape, and marks the values that their derivative rules will read.
//! The engine then computes a node, or leaves it pending.

use super::dispatch::reads;
use super::{binary, unary};
use crate::graph::{ACTIVE, Arena, Op, RETAINED, Reads, RunKind, SAVED, TINY, Tape, Var};
use smallvec::SmallVec;
use wengert_tensor::{Binary, Float, Opcode, Shape, Tensor, Unary, per_type};

/// A tape for inference closes a node after this many later nodes have been recorded.
const WINDOW: u32 = 128;

impl<T: Float> Tape<T> {
    /// Adds a node. The policy decides whether its value is computed now or later.
    #[inline]
    #[track_caller]
    pub(crate) fn apply<'t>(&'t self, op: Op, operands: &[Var<'t, T>], shape: Shape) -> Var<'t, T> {
        debug_assert!(operands.iter().all(|x| std::ptr::eq(x.tape, self)), "{op:?}: one tape");
        let parents: SmallVec<[u32; 4]> = operands.iter().map(|v| v.id).collect();
        Var { tape: self, id: self.apply_nodes(op, &parents, shape) }
    }

    /// Does the same as [`apply`](Tape::apply) for operands and results of any kind.
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
    #[inline(always)]
    fn close_old(&self, arena: &mut Arena<T>, id: u32) {
        if self.run_kind == RunKind::Inference {
            Self::close_before(arena, id);
        }
    }

    #[inline(never)]
    fn close_before(arena: &mut Arena<T>, id: u32) {
        if let Some(old) = id.checked_sub(WINDOW)
            && !arena.parents(id).contains(&old)
        {
            arena.close(old);
        }
    }

    /// Adds the node of a unary operation.
    #[inline]
    #[track_caller]
    pub(crate) fn unary(&self, op: Unary, x: u32) -> u32 {
        let tape = self;
        per_type!(<'a> Tape::unary_here as (tape: &'a Tape<T>, op: Unary, x: u32) -> u32)
    }

    /// Adds the node of a binary operation on operands of equal shape.
    #[inline]
    #[track_caller]
    pub(crate) fn binary(&self, op: Binary, operands: [u32; 2]) -> u32 {
        let tape = self;
        per_type!(<'a> Tape::binary_here as (tape: &'a Tape<T>, op: Binary, operands: [u32; 2]) -> u32)
    }

    /// Adds the node of a selection: the second operand where the first is not zero, else the third.
    #[inline]
    #[track_caller]
    pub(crate) fn select(&self, operands: [u32; 3]) -> u32 {
        let tape = self;
        per_type!(<'a> Tape::select_here as (tape: &'a Tape<T>, operands: [u32; 3]) -> u32)
    }

    // The family is known in each of these functions, so that nothing is chosen by the operation of the node.

    #[track_caller]
    fn unary_here(&self, op: Unary, x: u32) -> u32 {
        let declared = |_: usize| unary::reads(op);
        self.pointwise(
            Op::Unary(op),
            Opcode::Unary(op),
            unary::is_differentiable(op),
            declared,
            [x],
        )
    }

    #[track_caller]
    fn binary_here(&self, op: Binary, operands: [u32; 2]) -> u32 {
        let (node, opcode) = (Op::Binary(op), Opcode::Binary(op));
        let declared = |arg: usize| binary::reads(op, arg);
        self.pointwise(node, opcode, binary::is_differentiable(op), declared, operands)
    }

    #[track_caller]
    fn select_here(&self, operands: [u32; 3]) -> u32 {
        self.pointwise(Op::Select, Opcode::Select, true, |arg| reads(Op::Select, arg), operands)
    }

    /// Adds a pointwise node, of the shape of its operands. A tiny node is computed at once, while the
    /// arena is borrowed: its kernel is a handful of instructions. `differentiable` and `declared` are what
    /// `Op::is_differentiable` and `reads` return.
    #[inline(always)]
    #[track_caller]
    fn pointwise<const N: usize>(
        &self,
        op: Op,
        opcode: Opcode,
        differentiable: bool,
        declared: impl Fn(usize) -> Reads,
        parents: [u32; N],
    ) -> u32 {
        let mut borrow = self.arena.borrow_mut();
        let arena = &mut *borrow;
        let shape = arena.nodes[parents[0] as usize].shape;
        let sizes = &arena.shapes[shape as usize];
        let mut value = None;
        // An observer must see every computation, and only `compute_or_defer` reports to it.
        if sizes.numel() <= TINY && self.run_kind != RunKind::ShapeOnly && self.observer.is_none() {
            let operands = parents.map(|p| arena.values[p as usize].as_ref());
            if operands.iter().all(Option::is_some) {
                let operands = operands.map(|x| x.expect("all are there"));
                value = Some(Tensor::pointwise(opcode, operands, sizes));
            }
        }
        let computed = value.is_some();
        let may_be_active = self.recording.get() && differentiable;
        let id =
            arena.add_declared(op, &parents, shape, value, may_be_active, |_, arg| declared(arg));
        self.close_old(arena, id);
        if !computed {
            drop(borrow);
            self.note(id);
            self.compute_or_defer(id);
        }
        id
    }

    /// Records a node for each output, one after the other, and returns the first. The outputs after the
    /// first `numbers` are integers.
    #[track_caller]
    pub(crate) fn apply_outputs<'t>(
        &'t self,
        op: Op,
        x: &[Var<'t, T>],
        shapes: &[Shape],
        numbers: u32,
    ) -> u32 {
        debug_assert!(x.iter().all(|x| std::ptr::eq(x.tape, self)), "{op:?}: one tape");
        let parents: SmallVec<[u32; 4]> = x.iter().map(|v| v.id).collect();
        let first = self.record(op, &parents, shapes[0]);
        {
            let arena = &mut *self.arena.borrow_mut();
            let active = arena.nodes[first as usize].flags & ACTIVE;
            for (i, &shape) in shapes.iter().enumerate().skip(1) {
                arena.shapes.push(shape);
                let shape = arena.shapes.len() as u32 - 1;
                let tiny = arena.shapes[shape as usize].numel() <= TINY;
                // Integers are not differentiated, and computed only on demand.
                let is_integer = i >= numbers as usize;
                let own = if is_integer { 0 } else { active | if tiny { RETAINED } else { 0 } };
                arena.push(Op::Output(i as u32), &[first], shape, own, None);
            }
            if active != 0 {
                arena.mark_output_reads(op, first);
            }
        }
        if shapes.len() > 1 {
            self.note(first + shapes.len() as u32 - 1);
        }
        self.compute_or_defer(first);
        first
    }
}

impl<T: Float> Arena<T> {
    /// Adds a node. It is active if history is kept and it depends on a leaf.
    #[inline]
    pub fn add(
        &mut self,
        op: Op,
        parents: &[u32],
        shape: u32,
        value: Option<Tensor<T>>,
        recording: bool,
    ) -> u32 {
        let may_be_active = recording && op.is_differentiable();
        let declared = |arena: &Self, arg: usize| arena.reads(op, arg);
        self.add_declared(op, parents, shape, value, may_be_active, declared)
    }

    /// Adds a node of an operation whose rule declares these reads for its arguments. Inlined, because loops over
    /// operands vanish where their number is known.
    #[inline(always)]
    fn add_declared(
        &mut self,
        op: Op,
        parents: &[u32],
        shape: u32,
        value: Option<Tensor<T>>,
        may_be_active: bool,
        declared: impl Fn(&Self, usize) -> Reads,
    ) -> u32 {
        let depends = |&p: &u32| self.nodes[p as usize].has(ACTIVE);
        let active = may_be_active && parents.iter().any(depends);
        // Only tiny nodes get a value when they are recorded.
        let tiny = value.is_some() || self.shapes[shape as usize].numel() <= TINY;
        let flags = if active { ACTIVE } else { 0 } | if tiny { RETAINED } else { 0 };
        let id = self.push(op, parents, shape, flags, value);
        if active {
            self.mark_declared(id, parents, declared);
        }
        id
    }

    /// Marks the values that the rule of this operation will read for its active arguments.
    pub fn mark_reads(&mut self, op: Op, id: u32, parents: &[u32]) {
        self.mark_declared(id, parents, |arena, arg| arena.reads(op, arg));
    }

    #[inline(always)]
    fn mark_declared(
        &mut self,
        id: u32,
        parents: &[u32],
        declared: impl Fn(&Self, usize) -> Reads,
    ) {
        for (arg, &p) in parents.iter().enumerate() {
            if !self.nodes[p as usize].has(ACTIVE) {
                continue;
            }
            let reads = declared(self, arg);
            if reads == Reads::NOTHING {
                continue;
            }
            for (i, &p) in parents.iter().enumerate() {
                if reads.input(i) {
                    self.nodes[p as usize].flags |= SAVED;
                }
            }
            // `apply_outputs` makes the further outputs later.
            if reads.output(0) {
                self.nodes[id as usize].flags |= SAVED;
            }
        }
    }

    /// Marks the further outputs that the rule of this operation will read.
    pub fn mark_output_reads(&mut self, op: Op, id: u32) {
        for i in 1..self.outputs(id) {
            let parents = self.parents(id).iter().enumerate();
            let mut active = parents.filter(|&(_, &p)| self.nodes[p as usize].has(ACTIVE));
            if active.any(|(arg, _)| self.reads(op, arg).output(i)) {
                self.nodes[id as usize + i].flags |= SAVED;
            }
        }
    }

    /// Returns the values that the rule reads for the gradient of this argument.
    pub fn reads(&self, op: Op, arg: usize) -> Reads {
        match op {
            Op::Custom(i) => self.customs[i as usize].op.reads(arg),
            op => reads(op, arg),
        }
    }
}
