//! The walk back: one function for gradients that are numbers and gradients that are variables.

use crate::gradients::{Gradients, NotFinite, is_finite};
use crate::op::{Call, Cotangents, Op};
use crate::ops::{self, Part};
use crate::tape::{ACTIVE, Arena, KEPT, Mark, Node, Run, TINY, Tape};
use crate::var::Var;
use smallvec::SmallVec;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use wengert_tensor::{Float, Tensor};

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
    /// Recorded nodes that are cotangents of parts of the value.
    #[allow(clippy::box_collection)] // a slot stays small
    Parts(Box<Vec<(Part, u32)>>),
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
    /// The slots that hold pending nodes, and some that did: the region above the mark must stay.
    pending: Vec<u32>,
    /// How many slots hold pending nodes.
    held: usize,
    /// Nodes taken from slots for the rule at hand: they stay while it runs, whatever it computes.
    lent: SmallVec<[u32; 4]>,
    /// Where the nodes begin that the rule at hand wrote.
    open: u32,
    /// Whether the tape recorded before.
    recorded: bool,
}

impl<'t, T: Float> Walk<'t, T> {
    fn new(tape: &'t Tape<T>, aim: Aim, floor: u32, top: u32) -> Self {
        let recorded = tape.recording.replace(aim == Aim::Variables);
        tape.walks.set(tape.walks.get() + 1);
        let arena = &mut *tape.arena.borrow_mut();
        let mut slots = std::mem::take(&mut arena.slots);
        slots.resize_with((top + 1 - floor) as usize, Slot::default);
        let (mark, open) = (arena.mark(), arena.len());
        let (pending, lent) = (Vec::new(), SmallVec::new());
        Walk { tape, aim, floor, mark, slots, pending, held: 0, lent, open, recorded }
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
            Slot::Parts(parts) => {
                let shape = *self.tape.arena.borrow().shape(of);
                Some(self.tape.assemble(&parts, shape))
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
                // Its cotangent is complete, and waits in its slot for the rule of its op. The op
                // may lie below the floor.
                if self.aim == Aim::Variables {
                    let slot = std::mem::take(self.slot(id));
                    if let Some(g) = self.variable(slot, id) {
                        complete(id, node.op, g);
                        *self.slot(id) = Slot::Node(g.id);
                    }
                }
                op_of_outputs = Some(id - back);
                continue;
            }
            let slot = std::mem::take(self.slot(id));
            let gy = self.variable(slot, id);
            if let Some(g) = gy {
                complete(id, node.op, g);
            }
            let outputs = self.visit(id, top, &node, gy, &wanted);
            self.release(id, outputs);
        }
        self.return_lent();
    }

    /// Calls the rule of a node, if one of its operands wants a cotangent, and distributes what it
    /// returns. How many outputs the node has.
    #[inline]
    fn visit(
        &mut self,
        id: u32,
        top: u32,
        node: &Node,
        first: Option<Var<'t, T>>,
        wanted: &impl Fn(&Arena<T>, u32) -> bool,
    ) -> usize {
        let tape = self.tape;
        let want = |arena: &Arena<T>, p: u32| p >= self.floor && wanted(arena, p);
        if node.arity <= 2 && !matches!(node.op, Op::Custom(_)) {
            // Nearly every op: two operands at most, and one output. Those need no lists.
            let parents = &node.parents[..node.arity as usize];
            let mut wants = [false; 2];
            {
                let arena = tape.arena.borrow();
                for (wants, &p) in wants.iter_mut().zip(parents) {
                    *wants = want(&arena, p);
                }
            }
            if wants[0] || wants[1] {
                self.apply(node.op, id, parents, &wants[..parents.len()], &mut [first]);
            }
            return 1;
        }
        let (outputs, parents, wants) = {
            let arena = tape.arena.borrow();
            let outputs = if let Op::Custom(_) = node.op { arena.outputs(id) } else { 1 };
            let parents = arena.parents(id).to_vec();
            let wants: SmallVec<[bool; 8]> = parents.iter().map(|&p| want(&arena, p)).collect();
            (outputs, parents, wants)
        };
        let mut gy = SmallVec::<[Option<Var<'t, T>>; 4]>::from_elem(first, 1);
        for output in id + 1..id + outputs as u32 {
            let slot = if output <= top { std::mem::take(self.slot(output)) } else { Slot::Empty };
            gy.push(self.variable(slot, output));
        }
        if wants.contains(&true) {
            self.apply(node.op, id, &parents, &wants, &mut gy);
        }
        outputs
    }

    /// Gives the operands of an op the cotangents that its rule returns.
    #[inline]
    fn apply(
        &mut self,
        op: Op,
        id: u32,
        parents: &[u32],
        wanted: &[bool],
        gy: &mut [Option<Var<'t, T>>],
    ) {
        if let (Some(part), Some(g)) = (Part::read_by(op), gy[0]) {
            self.put(parents[0], part, g);
        } else if let Op::Unary(unary) = op {
            let call = Call { tape: self.tape, id, parents, wanted, gy, inputs: None };
            self.give(parents[0], ops::unary_vjp(unary, &call), false);
        } else {
            let cotangents = self.rule(op, id, parents, wanted, gy);
            self.distribute(parents, wanted, &cotangents);
        }
        self.forget();
    }

    /// Calls the rule of an op.
    #[inline]
    fn rule(
        &mut self,
        op: Op,
        id: u32,
        parents: &[u32],
        wanted: &[bool],
        gy: &mut [Option<Var<'t, T>>],
    ) -> Cotangents<'t, T> {
        let tape = self.tape;
        if !matches!(op, Op::Custom(_)) {
            let call = Call { tape, id, parents, wanted, gy, inputs: None };
            return ops::vjp(op, &call);
        }
        // A user's rule may differentiate what it computes, also where the walk keeps no history.
        let recorded = tape.recording.replace(true);
        let first = tape.len() as u32;
        for g in gy.iter_mut().flatten() {
            g.id = tape.stand_in(g.id, true);
        }
        let inputs = RefCell::new(SmallVec::from_elem(None, parents.len()));
        let call = Call { tape, id, parents, wanted, gy, inputs: Some(&inputs) };
        let cotangents = ops::vjp(op, &call);
        tape.check_cotangents(op, parents, wanted, &cotangents);
        tape.recording.set(recorded);
        let arena = &mut *tape.arena.borrow_mut();
        match self.aim {
            Aim::Variables => arena.end_pretence_since(first),
            Aim::Numbers { .. } => arena.end_history_since(self.open),
        }
        cotangents
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
        let sum = match (self.aim, before) {
            (Aim::Variables, Slot::Empty) => Slot::Node(g.id),
            (Aim::Variables, Slot::Parts(mut parts)) => {
                parts.push((Part::Whole, g.id));
                Slot::Parts(parts)
            }
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
        self.keep(to, sum);
    }

    /// Puts a cotangent into the slot of a node.
    #[inline]
    fn keep(&mut self, to: u32, slot: Slot<T>) {
        if self.aim != Aim::Variables && matches!(slot, Slot::Node(_)) {
            self.pending.push(to);
        }
        *self.slot(to) = slot;
    }

    /// Adds `g` to a part of the cotangent of a node: at the cost of the part, where the slot holds
    /// something already.
    fn put(&mut self, to: u32, part: Part, g: Var<'t, T>) {
        let before = std::mem::take(self.slot(to));
        if self.aim == Aim::Variables {
            let mut parts = match before {
                Slot::Parts(parts) => parts,
                Slot::Node(whole) => Box::new(vec![(Part::Whole, whole)]),
                _ => Box::default(),
            };
            parts.push((part, g.id));
            *self.slot(to) = Slot::Parts(parts);
            return;
        }
        let mut sum = match before {
            Slot::Empty => {
                let shape = *self.tape.arena.borrow().shape(to);
                return self.give(to, self.tape.assemble(&[(part, g.id)], shape), false);
            }
            Slot::Ready(sum) => sum,
            before => {
                let pending = self.variable(before, to).expect("not empty");
                self.tape.force(pending.id)
            }
        };
        part.add(&mut sum, &self.tape.force(g.id), self.tape);
        self.keep(to, Slot::Ready(sum));
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
            for to in std::mem::take(&mut self.pending) {
                if let Slot::Node(id) = *self.slot(to) {
                    *self.slot(to) = Slot::Ready(tape.force(id));
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
            self.pending.clear();
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
    /// Also when a rule panics: what it wrote is dropped, nothing waits for it or is held by a slot, and
    /// the tape records again.
    fn drop(&mut self) {
        if let Ok(mut arena) = self.tape.arena.try_borrow_mut() {
            if self.aim != Aim::Variables {
                let held = self.slots.iter().filter_map(|slot| match *slot {
                    Slot::Node(id) => Some(id),
                    _ => None,
                });
                for id in held.chain(self.lent.drain(..)) {
                    let readers = &mut arena.nodes[id as usize].readers;
                    *readers = readers.saturating_sub(1);
                }
                for id in self.mark.nodes..arena.nodes.len() {
                    arena.stop_waiting(id as u32);
                }
                arena.truncate(self.mark);
            }
            self.slots.clear();
            arena.slots = std::mem::take(&mut self.slots);
        }
        self.tape.recording.set(self.recorded);
        self.tape.walks.set(self.tape.walks.get() - 1);
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
    /// reach the weights, though the loss is finite. Each gradient is looked at when it is complete,
    /// while the cache still holds it.
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
        let gradients = self.inspected("backward_checked", None, false, |id, g| {
            if !is_finite(g) {
                bad.push(id);
            }
        });
        if bad.is_empty() {
            return Ok(gradients);
        }
        let bound = self.tape.params.borrow();
        let mut params: Vec<_> =
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
        let found = self.variables(wrt);
        let mut all = Vec::with_capacity(wrt.len());
        for (i, (g, x)) in found.into_iter().zip(wrt).enumerate() {
            if g.is_none() && !x.is_active() && self.tape.computed_from(x.id, self.id) {
                self.tape.fail(format!(
                    "grad_or_zero: variable {i} of {} is a constant from which this value was \
                     computed: zero would be wrong, so watch() it",
                    wrt.len()
                ))
            }
            all.push(g.unwrap_or_else(|| self.tape.zeros(&x.shape())));
        }
        all
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
                "{op}: this tape keeps no history: make it with Tape::new(), Tape::eval() or Tape::train()"
            ))
        }
    }

    #[track_caller]
    fn numbers(self, op: &str, seed: Option<Tensor<T>>, retain: bool) -> Gradients<T> {
        self.inspected(op, seed, retain, |_, _| ())
    }

    /// The gradients; `see` is called with each as soon as it is complete.
    #[track_caller]
    fn inspected(
        self,
        op: &str,
        seed: Option<Tensor<T>>,
        retain: bool,
        mut see: impl FnMut(u32, &Tensor<T>),
    ) -> Gradients<T> {
        let tape = self.tape;
        self.check_history(op);
        if !self.is_active() {
            tape.fail(depends_on_nothing(op))
        }
        if retain {
            drop(tape.force(self.id));
        } else {
            if tape.walks.get() > 0 {
                tape.fail(format!(
                    "{op}: a derivative rule cannot end the history that calls it: use grad() or \
                     backward_retain() in a rule"
                ))
            }
            drop(self.value());
            tape.arena.borrow_mut().close_since(0);
        }
        let seed = seed.unwrap_or_else(|| Tensor::full_of(&self.shape(), T::of(1.0)));
        let mut walk = Walk::new(tape, Aim::Numbers { retain }, 0, self.id);
        *walk.slot(self.id) = Slot::Ready(seed);
        let mut leaves = HashMap::new();
        walk.run(
            self.id,
            |arena, id| arena.nodes[id as usize].has(ACTIVE),
            |id, op, g| {
                if matches!(op, Op::Leaf) {
                    let g = tape.force(g.id);
                    see(id, &g);
                    leaves.insert(id, g);
                }
            },
        );
        drop(walk);
        if leaves.is_empty() {
            tape.fail(depends_on_nothing(op));
        }
        if !retain {
            tape.end_history();
        }
        tape.arena.borrow().check_invariants(tape.walks.get() > 0);
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
        let first = tape.len() as u32;
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
        drop(walk);
        set_apart(&mut found, first);
        tape.arena.borrow().check_invariants(tape.walks.get() > 0);
        found
    }
}

fn depends_on_nothing(op: &str) -> String {
    format!("{op}: this value depends on no trainable parameter and nothing that is watched")
}

/// Gives a node of its own to each gradient that is also another one (those of the operands of a + b are
/// one cotangent), or was on the tape before (a node below `first`): the user may differentiate by each.
fn set_apart<T: Float>(found: &mut [Option<Var<'_, T>>], first: u32) {
    let mut ids: SmallVec<[u32; 8]> = found.iter().flatten().map(|g| g.id).collect();
    ids.sort_unstable();
    for g in found.iter_mut().flatten() {
        let at = ids.partition_point(|&id| id < g.id);
        if g.id < first || ids.get(at + 1) == Some(&g.id) {
            *g = g.same();
        }
    }
}

impl<T: Float> Tape<T> {
    /// For every node from `floor` to `top`: does it depend on one of these?
    fn depends(&self, on: &[Var<'_, T>], floor: u32, top: u32) -> Vec<bool> {
        let arena = self.arena.borrow();
        let mut marks = vec![false; (top + 1 - floor) as usize];
        for x in on.iter().filter(|x| x.id <= top) {
            marks[(x.id - floor) as usize] = true;
        }
        for id in floor..=top {
            // An output depends on what its op depends on, not on the first output.
            let op = arena.first_output(id);
            let inherits =
                || arena.parents(op).iter().any(|&p| p >= floor && marks[(p - floor) as usize]);
            let marked = marks[(id - floor) as usize];
            // History is kept of active nodes alone: nothing depends on a constant.
            marks[(id - floor) as usize] =
                arena.nodes[id as usize].has(ACTIVE) && (marked || inherits());
        }
        marks
    }

    /// Whether the value of node `top` was computed from this node, though history does not say so.
    fn computed_from(&self, constant: u32, top: u32) -> bool {
        let arena = self.arena.borrow();
        let mut reached = vec![false; (top + 1).saturating_sub(constant) as usize];
        for id in constant..=top {
            let op = arena.first_output(id);
            reached[(id - constant) as usize] = id == constant
                || arena.nodes[id as usize].op.is_differentiable()
                    && arena
                        .parents(op)
                        .iter()
                        .any(|&p| p >= constant && reached[(p - constant) as usize]);
        }
        reached.last() == Some(&true)
    }

    /// Drops every value but those that stay readable: what was given, what was asked for, and what
    /// is tiny. Parameters and large views of them are read from the model: nothing that stays shares
    /// their memory unless the user put it there, so that the optimizer writes in place while the
    /// tape lives.
    fn end_history(&self) {
        let arena = &mut *self.arena.borrow_mut();
        arena.ended = arena.len();
        let mut memory = HashSet::new();
        for binding in self.params.borrow().values() {
            let value = &mut arena.values[binding.node as usize];
            if let Some(x) = value.take() {
                memory.insert(x.storage_id());
                *value = (x.numel() <= TINY).then(|| x.copied());
            }
        }
        for (node, value) in arena.nodes.iter().zip(&mut arena.values) {
            let Some(x) = value else { continue };
            if node.op.is_given() {
                continue;
            }
            if !node.has(KEPT) {
                *value = None;
            } else if memory.contains(&x.storage_id()) {
                *value = (x.numel() <= TINY).then(|| x.copied());
            }
        }
    }
}
