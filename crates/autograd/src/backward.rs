//! The walk back: one function for gradients that are numbers and gradients that are variables.

use crate::gradients::{Gradients, NotFinite, is_finite};
use crate::op::{Call, Op};
use crate::ops;
use crate::param::ParamId;
use crate::tape::{ACTIVE, Arena, KEPT, Mark, Run, Tape};
use crate::var::Var;
use smallvec::SmallVec;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use wengert_tensor::{Float, Program, Tensor};

/// What the walk is for.
#[derive(Clone, Copy, PartialEq)]
enum Aim {
    /// Gradients that can be differentiated again: the rules write history.
    Variables,
    /// Numbers. Rules write above a mark of the tape, unrecorded, and are forgotten as soon as
    /// their numbers are there. Without `retain` the history goes on the way.
    Numbers { retain: bool },
}

/// The cotangent gathered so far for a node.
#[derive(Clone, Default)]
pub(crate) enum Slot<T: Float> {
    #[default]
    Empty,
    /// A number that belongs to the slot: sums are made in place.
    Ready(Tensor<T>),
    /// A node: recorded, or pending.
    Node(u32),
}

/// Nodes above the mark at which pending cotangents are computed, so that the region stays short.
const REGION: usize = 4096;

/// Counts down from `top` to `floor`, calls each rule once and reports each cotangent when it is
/// complete.
struct Walk<'t, T: Float> {
    tape: &'t Tape<T>,
    aim: Aim,
    floor: u32,
    mark: Mark,
    slots: Vec<Slot<T>>,
    /// Slots that hold a node: the region above the mark must stay.
    held: usize,
    /// Nodes taken from slots for the rule at hand: they stay while it runs, whatever it computes.
    lent: SmallVec<[u32; 4]>,
    /// Where the nodes begin that the rule at hand wrote.
    open: u32,
    /// If gradients are inspected: the leaves whose gradient is finite for certain.
    certain: Option<Certain>,
}

type Certain = Rc<RefCell<Vec<u32>>>;

impl<'t, T: Float> Walk<'t, T> {
    fn new(tape: &'t Tape<T>, aim: Aim, floor: u32, top: u32) -> Self {
        let arena = &mut *tape.arena.borrow_mut();
        let mut slots = std::mem::take(&mut arena.slots);
        slots.resize_with((top + 1 - floor) as usize, Slot::default);
        let (mark, open) = (arena.mark(), arena.len());
        Walk { tape, aim, floor, mark, slots, held: 0, lent: SmallVec::new(), open, certain: None }
    }

    #[inline]
    fn slot(&mut self, id: u32) -> &mut Slot<T> {
        &mut self.slots[(id - self.floor) as usize]
    }

    /// The cotangent of a node, as a variable to write rules with.
    #[inline]
    fn variable(&mut self, slot: Slot<T>, of: u32) -> Option<Var<'t, T>> {
        match slot {
            Slot::Empty => None,
            Slot::Ready(value) => Some(self.tape.constant_like(value, of)),
            Slot::Node(id) => {
                if self.aim != Aim::Variables {
                    self.held -= 1;
                    self.lent.push(id);
                }
                Some(Var { tape: self.tape, id })
            }
        }
    }

    fn run(
        &mut self,
        top: u32,
        wanted: impl Fn(&Arena<T>, u32) -> bool,
        mut complete: impl FnMut(u32, Op, Var<'t, T>),
    ) {
        let tape = self.tape;
        // The op whose further outputs have a cotangent, so that it is not passed over.
        let mut op_of_outputs = None;
        for id in (self.floor..=top).rev() {
            if matches!(self.slot(id), Slot::Empty) && op_of_outputs != Some(id) {
                self.release(id, 1);
                continue;
            }
            let node = tape.arena.borrow().nodes[id as usize];
            if let Op::Output(back) = node.op {
                // Its cotangent stays in its slot until its op comes; `visit_large` takes it.
                op_of_outputs = Some(id - back);
                continue;
            }
            let slot = std::mem::take(self.slot(id));
            let gy = [self.variable(slot, id)];
            if let Some(g) = gy[0] {
                complete(id, node.op, g);
            }
            // Nearly every op has one output and two operands at most: those need no lists.
            if let (Op::Custom(_), _) | (_, 3..) = (node.op, node.arity) {
                self.visit_large(id, top, node.op, gy[0], &wanted, &mut complete);
                continue;
            }
            let parents = &node.parents[..node.arity as usize];
            let mut want = [false; 2];
            {
                let arena = tape.arena.borrow();
                for (want, &p) in want.iter_mut().zip(parents) {
                    *want = p >= self.floor && wanted(&arena, p);
                }
            }
            if want[0] || want[1] {
                let wanted = &want[..parents.len()];
                let call = Call { tape, id, parents, wanted, gy: &gy };
                if let Op::Unary(op) = node.op {
                    self.give(parents[0], ops::unary_vjp(op, &call), false);
                } else {
                    self.distribute(parents, wanted, &ops::vjp(node.op, &call));
                }
                self.forget();
            }
            self.release(id, 1);
        }
        self.return_lent();
    }

    /// An op with several outputs or many operands.
    fn visit_large(
        &mut self,
        id: u32,
        top: u32,
        op: Op,
        first: Option<Var<'t, T>>,
        wanted: &impl Fn(&Arena<T>, u32) -> bool,
        complete: &mut impl FnMut(u32, Op, Var<'t, T>),
    ) {
        let tape = self.tape;
        let (outputs, parents, want) = {
            let arena = tape.arena.borrow();
            let parents: SmallVec<[u32; 4]> = arena.parents(id).into();
            let want = |&p: &u32| p >= self.floor && wanted(&arena, p);
            let want: SmallVec<[bool; 4]> = parents.iter().map(want).collect();
            (arena.outputs(id), parents, want)
        };
        let mut gy: SmallVec<[Option<Var<'t, T>>; 4]> = SmallVec::from_elem(first, 1);
        for output in id + 1..id + outputs as u32 {
            let slot = if output <= top { std::mem::take(self.slot(output)) } else { Slot::Empty };
            let variable = self.variable(slot, output);
            if let Some(g) = variable {
                complete(output, op, g);
            }
            gy.push(variable);
        }
        if want.contains(&true) {
            let call = Call { tape, id, parents: &parents, wanted: &want, gy: &gy };
            let cotangents = ops::vjp(op, &call);
            if let Op::Custom(_) = op {
                tape.check_cotangents(op, &parents, &want, &cotangents);
            }
            self.distribute(&parents, &want, &cotangents);
            self.forget();
        }
        self.release(id, outputs);
    }

    /// Gives each operand its cotangent.
    fn distribute(&mut self, parents: &[u32], want: &[bool], cotangents: &[Option<Var<'t, T>>]) {
        for arg in (0..parents.len()).filter(|&arg| want[arg]) {
            let g = cotangents[arg].expect("a rule returns the cotangents that are wanted");
            let shared = cotangents[arg + 1..].iter().flatten().any(|other| other.id == g.id);
            if shared && self.aim != Aim::Variables {
                // Several will read it: it is computed once, not in the program of each.
                self.tape.force(g.id);
            }
            self.give(parents[arg], g, shared);
        }
    }

    /// Adds `g` to the cotangent of a node. `shared`: it will be given to another, too, so its number
    /// is copied, not moved.
    #[inline]
    fn give(&mut self, to: u32, g: Var<'t, T>, shared: bool) {
        let before = std::mem::take(self.slot(to));
        if let Some(certain) = &self.certain {
            let mut certain = certain.borrow_mut();
            if !matches!(before, Slot::Empty) {
                certain.retain(|&leaf| leaf != to); // a sum can overflow
            } else if self.tape.is_leaf(to) && self.tape.is_finite_product(g.id) {
                certain.push(to);
            }
        }
        let sum = match (self.aim, before) {
            (Aim::Variables, Slot::Empty) => Slot::Node(g.id),
            (Aim::Variables, before) => {
                let before = self.variable(before, to).expect("not empty");
                Slot::Node((before + g).id)
            }
            (Aim::Numbers { .. }, Slot::Empty) => match self.take(g, shared) {
                Some(value) => Slot::Ready(value),
                None => self.hold(g),
            },
            (Aim::Numbers { .. }, before) => self.add(before, g, shared, to),
        };
        *self.slot(to) = sum;
    }

    /// The sum of two cotangents as a number, or as a pending node if one of them is pending.
    fn add(&mut self, before: Slot<T>, g: Var<'t, T>, shared: bool, to: u32) -> Slot<T> {
        match (before, self.take(g, shared)) {
            (Slot::Ready(mut sum), Some(g)) => {
                sum += &g;
                Slot::Ready(sum)
            }
            (before, taken) => {
                let g = taken.map_or(g, |value| self.tape.constant_like(value, to));
                let before =
                    self.variable(before, to).expect("an empty slot takes the cotangent as it is");
                self.hold(before + g)
            }
        }
    }

    /// The number behind a cotangent if it is computed; moved out if nobody else will read it.
    #[inline]
    fn take(&self, g: Var<'t, T>, shared: bool) -> Option<Tensor<T>> {
        let arena = &mut *self.tape.arena.borrow_mut();
        let ours = g.id as usize >= self.mark.nodes;
        if ours && !shared && arena.nodes[g.id as usize].readers == 0 {
            arena.values[g.id as usize].take()
        } else {
            arena.values[g.id as usize].clone()
        }
    }

    /// Counts the slot in `held`, and as a reader: while any holds a node, `forget` leaves the region
    /// above the mark.
    fn hold(&mut self, g: Var<'t, T>) -> Slot<T> {
        self.held += 1;
        self.tape.arena.borrow_mut().nodes[g.id as usize].readers += 1;
        Slot::Node(g.id)
    }

    /// Drops the region above the mark if no slot needs it; else what no slot's node waits for.
    #[inline]
    fn forget(&mut self) {
        let tape = self.tape;
        if self.aim == Aim::Variables {
            return; // what the rules wrote is the result
        }
        self.return_lent();
        if self.held > 0 && tape.len() > self.mark.nodes + REGION {
            for slot in &mut self.slots {
                if let Slot::Node(id) = *slot {
                    *slot = Slot::Ready(tape.force(id));
                    self.lent.push(id);
                }
            }
            self.held = 0;
            self.return_lent();
        }
        let arena = &mut *tape.arena.borrow_mut();
        if self.held == 0 {
            // What was joined into a program, or never needed, waits for its operands no more.
            for id in self.mark.nodes..arena.nodes.len() {
                arena.stop_waiting(id as u32);
            }
            arena.truncate(self.mark);
        } else {
            arena.close_since(self.open);
        }
        self.open = arena.len();
    }

    /// The rule is done with what it was lent.
    #[inline]
    fn return_lent(&mut self) {
        if !self.lent.is_empty() {
            let arena = &mut *self.tape.arena.borrow_mut();
            for id in self.lent.drain(..) {
                arena.nodes[id as usize].readers -= 1;
                arena.drop_unwanted(id);
            }
        }
    }

    /// Each value goes after its own rule: all its readers are behind the walk.
    #[inline]
    fn release(&self, id: u32, outputs: usize) {
        if self.aim == (Aim::Numbers { retain: false }) {
            let arena = &mut *self.tape.arena.borrow_mut();
            if outputs == 1 && matches!(arena.nodes[id as usize].op, Op::Output(_)) {
                return; // its op's rule is still to come
            }
            for id in id..id + outputs as u32 {
                arena.release(id);
            }
        }
    }
}

impl<T: Float> Drop for Walk<'_, T> {
    /// Also when a rule panics: what it wrote is dropped, and the tape records again.
    fn drop(&mut self) {
        if let Ok(mut arena) = self.tape.arena.try_borrow_mut() {
            if self.aim != Aim::Variables {
                arena.truncate(self.mark);
            }
            self.slots.clear();
            arena.slots = std::mem::take(&mut self.slots);
        }
        self.tape.recording.set(self.tape.run != Run::Inference);
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// The gradients of this scalar as numbers. Ends the tape's history: values that were not asked
    /// for with [`value`](Var::value) are gone, and parameters can be updated in place.
    ///
    /// # Panics
    /// If this is no scalar (give a seed with [`backward_from`](Var::backward_from)), depends on
    /// nothing that is watched, or the history has ended already.
    #[track_caller]
    pub fn backward(self) -> Gradients<T> {
        self.check_scalar("backward");
        self.numbers("backward", None, false)
    }

    /// [`backward`](Var::backward) that refuses gradients that are not finite: so that they do not
    /// reach the weights, though the loss is finite.
    ///
    /// It takes no pass over the gradients that is worth mentioning. The gradient of a weight matrix is
    /// a product of two smaller ones if the batch is small; if the norms of these are finite and so is
    /// their product, no number of the gradient can be anything else (Cauchy, Schwarz). Other
    /// gradients are added up when they are complete, while the cache still holds them.
    ///
    /// ```
    /// # use wengert_autograd::{Param, Tape};
    /// # use wengert_tensor::Tensor;
    /// let w = Param::new(Tensor::from([0.0f32, 4.0]));
    /// let tape = Tape::new();
    /// let loss = tape.param(&w).sqrt().sum_all();
    /// assert_eq!(loss.item(), 2.0);
    /// // The slope of the root is infinite at 0.
    /// assert_eq!(loss.backward_checked().err().unwrap().params, [w.id()]);
    /// ```
    ///
    /// # Errors
    /// If the gradient of a parameter or of a watched variable holds a NaN or an infinity.
    ///
    /// # Panics
    /// As [`backward`](Var::backward).
    #[track_caller]
    pub fn backward_checked(self) -> Result<Gradients<T>, NotFinite> {
        self.check_scalar("backward_checked");
        let mut bad = Vec::new();
        let gradients = self.inspected("backward_checked", None, false, Some(&mut bad));
        if bad.is_empty() {
            return Ok(gradients);
        }
        let bound = self.tape.params.borrow();
        let mut params: Vec<ParamId> =
            bound.iter().filter(|(_, b)| bad.contains(&b.node)).map(|(&id, _)| id).collect();
        params.sort_unstable();
        let watched = bad.len() - params.len();
        Err(NotFinite { params, watched })
    }

    /// [`backward`](Var::backward) that leaves the history as it was: it can be called again.
    ///
    /// # Panics
    /// As [`backward`](Var::backward).
    #[track_caller]
    pub fn backward_retain(self) -> Gradients<T> {
        self.check_scalar("backward_retain");
        self.numbers("backward_retain", None, true)
    }

    /// The gradients of Σ seed · self, for a value of any shape: the vector-Jacobian product.
    ///
    /// # Panics
    /// If the seed has another shape; else as [`backward`](Var::backward).
    #[track_caller]
    pub fn backward_from(self, seed: Tensor<T>) -> Gradients<T> {
        let (shape, given) = (self.shape(), seed.shape());
        if shape != given {
            self.tape.fail(format!(
                "backward_from: a seed of shape {given} for a value of shape {shape}"
            ))
        }
        self.numbers("backward_from", Some(seed), false)
    }

    /// The gradients of this scalar with respect to some variables, as variables of the same tape:
    /// they can be differentiated again, to any order. Computes nothing that they do not need.
    ///
    /// # Panics
    /// If this is no scalar, or does not depend on one of them.
    #[track_caller]
    pub fn grad(self, wrt: &[Self]) -> Vec<Self> {
        let found = self.variables(wrt);
        if let Some(i) = found.iter().position(Option::is_none) {
            self.tape.fail(format!(
                "grad: this value does not depend on variable {i} of {} (a constant or a detached value? then \
                 watch() it): grad_or_zero() allows that",
                wrt.len()
            ))
        }
        found.into_iter().flatten().collect()
    }

    /// [`grad`](Var::grad) with zeros where this value does not depend on a variable.
    ///
    /// # Panics
    /// If this is no scalar.
    #[track_caller]
    pub fn grad_or_zero(self, wrt: &[Self]) -> Vec<Self> {
        let zero = |x: &Self| self.tape.zeros(&x.shape());
        self.variables(wrt)
            .into_iter()
            .zip(wrt)
            .map(|(g, x)| g.unwrap_or_else(|| zero(x)))
            .collect()
    }

    #[track_caller]
    pub(crate) fn check_scalar(self, op: &str) {
        let shape = self.shape();
        if shape.numel() != 1 {
            self.tape.fail(format!(
                "{op}: a gradient needs a scalar, this has shape {shape}: take sum_all() or mean_all(), \
                 or give a seed with backward_from()"
            ))
        }
    }

    #[track_caller]
    fn check_history(self, op: &str) {
        let tape = self.tape;
        if tape.arena.borrow().ended > 0 {
            tape.fail(format!(
                "{op}: backward() ended this tape's history: use backward_retain() for the first"
            ))
        }
        if tape.run == Run::Inference {
            tape.fail(format!(
                "{op}: this tape keeps no history: make it with Tape::new() or Tape::train()"
            ))
        }
    }

    #[track_caller]
    fn numbers(self, op: &str, seed: Option<Tensor<T>>, retain: bool) -> Gradients<T> {
        self.inspected(op, seed, retain, None)
    }

    /// The gradients, and in `bad` the leaves whose gradient is not finite.
    #[track_caller]
    fn inspected(
        self,
        op: &str,
        seed: Option<Tensor<T>>,
        retain: bool,
        mut bad: Option<&mut Vec<u32>>,
    ) -> Gradients<T> {
        let tape = self.tape;
        self.check_history(op);
        if !self.is_active() {
            tape.fail(format!(
                "{op}: this value depends on no trainable parameter and nothing that is watched"
            ))
        }
        if retain {
            drop(tape.force(self.id));
        } else {
            drop(self.value());
            tape.arena.borrow_mut().close_since(0);
        }
        let seed = seed.unwrap_or_else(|| Tensor::full_of(&self.shape(), T::of(1.0)));
        let mut walk = Walk::new(tape, Aim::Numbers { retain }, 0, self.id);
        let certain = Certain::default();
        walk.certain = bad.is_some().then(|| Rc::clone(&certain));
        tape.recording.set(false);
        *walk.slot(self.id) = Slot::Ready(seed);
        let mut leaves = HashMap::new();
        walk.run(
            self.id,
            |arena, id| arena.nodes[id as usize].has(ACTIVE),
            |id, op, g| {
                if matches!(op, Op::Leaf) {
                    let g = tape.force(g.id);
                    // Now, while it is in the cache that it was written to.
                    if let Some(bad) = &mut bad
                        && !certain.borrow().contains(&id)
                        && !is_finite(&g)
                    {
                        bad.push(id);
                    }
                    leaves.insert(id, g);
                }
            },
        );
        drop(walk);
        if !retain {
            tape.end_history();
        }
        Gradients::new(tape, leaves)
    }

    #[track_caller]
    fn variables(self, wrt: &[Self]) -> Vec<Option<Self>> {
        let tape = self.tape;
        self.check_scalar("grad");
        self.check_history("grad");
        for x in wrt {
            tape.same_tape("grad", x.tape);
        }
        let mut found = vec![None; wrt.len()];
        let floor = wrt.iter().map(|x| x.id).min().unwrap_or(0);
        if floor > self.id || wrt.is_empty() || !self.is_active() {
            return found;
        }
        let depends = tape.depends(wrt, floor, self.id);
        let seed = tape.ones(&self.shape());
        let mut walk = Walk::new(tape, Aim::Variables, floor, self.id);
        *walk.slot(self.id) = Slot::Node(seed.id);
        walk.run(
            self.id,
            |_, id| depends[(id - floor) as usize],
            |id, _, g| {
                for (slot, _) in found.iter_mut().zip(wrt).filter(|(_, x)| x.id == id) {
                    *slot = Some(g);
                }
            },
        );
        found
    }
}

impl<T: Float> Tape<T> {
    fn is_leaf(&self, id: u32) -> bool {
        matches!(self.arena.borrow().nodes[id as usize].op, Op::Leaf)
    }

    /// Whether a node is a matrix product of factors smaller than itself that cannot but be finite:
    /// each of its numbers, and each partial sum of one, is at most the product of the factors' norms.
    fn is_finite_product(&self, id: u32) -> bool {
        let arena = self.arena.borrow();
        let Op::MatMul(_) = arena.nodes[id as usize].op else { return false };
        let parents = arena.parents(id);
        let factor = |i: usize| arena.values[parents[i] as usize].clone();
        let (Some(a), Some(b)) = (factor(0), factor(1)) else { return false };
        // A norm takes more time for a number than the sum of the gradient does.
        if 4 * (a.numel() + b.numel()) >= arena.shape(id).numel() {
            return false;
        }
        drop(arena);
        let square = Program::new(|[x]| [x * x]);
        let squares = |x: &Tensor<T>| square.sum_to(&[x], &x.shape(), &[]).item().to();
        // Far below the largest number of any type, and room for the rounding of sums of up to
        // millions of terms.
        let most = f64::from(f32::MAX) / 4.0;
        squares(&a).sqrt() * squares(&b).sqrt() <= most
    }

    /// For every node from `floor` to `top`: does it depend on one of these?
    fn depends(&self, on: &[Var<'_, T>], floor: u32, top: u32) -> Vec<bool> {
        let arena = self.arena.borrow();
        let mut marks = vec![false; (top + 1 - floor) as usize];
        for x in on.iter().filter(|x| x.id <= top) {
            marks[(x.id - floor) as usize] = true;
        }
        for id in floor..=top {
            let inherits =
                || arena.parents(id).iter().any(|&p| p >= floor && marks[(p - floor) as usize]);
            let marked = marks[(id - floor) as usize];
            // History is kept of active nodes alone: nothing depends on a constant.
            marks[(id - floor) as usize] =
                arena.nodes[id as usize].has(ACTIVE) && (marked || inherits());
        }
        marks
    }

    /// Drops every value but what was given or asked for; and of that, too, what reads a
    /// parameter's memory, so that the optimizer writes in place while the tape lives.
    fn end_history(&self) {
        let arena = &mut *self.arena.borrow_mut();
        arena.ended = arena.len();
        let bound: SmallVec<[Tensor<T>; 8]> = self
            .params
            .borrow()
            .values()
            .filter_map(|binding| arena.values[binding.node as usize].clone())
            .collect();
        for (node, value) in arena.nodes.iter().zip(&mut arena.values) {
            let Some(x) = value else { continue };
            let stays = node.has(KEPT) || node.op.is_given();
            if !stays || bound.iter().any(|param| param.shares_storage(x)) {
                *value = None;
            }
        }
    }
}
