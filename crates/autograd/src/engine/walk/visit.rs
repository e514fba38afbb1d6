//! Visits one node of a walk: passes its complete cotangent on, calls the rule of its operation, and adds
//! the results to the cotangents of the operands.

use super::{Aim, Walk};
use crate::engine::hooks::Hooks;
use crate::graph::{Arena, Call, Cotangents, Derivative, MatMul, Node, Op, Part, Slot, TINY, Var};
use crate::rules::{self, ConstantSlope};
use smallvec::SmallVec;
use wengert_tensor::{Float, Opcode, Tensor};

impl<'t, T: Float> Walk<'t, T> {
    /// Handles one node, whose cotangent is complete. Returns the number of outputs of its operation.
    #[inline(always)]
    #[track_caller]
    pub(super) fn step<const OBSERVED: bool>(
        &mut self,
        id: u32,
        node: &Node,
        wanted: &impl Fn(&Arena<T>, u32) -> bool,
        hooks: &mut Option<&mut Hooks<'_, 't, T>>,
        complete: &mut impl FnMut(u32, Op, Var<'t, T>),
    ) -> usize {
        if !OBSERVED && hooks.is_none() && self.pass_on(id, node, wanted) {
            return 1;
        }
        let slot = std::mem::take(self.slot(id));
        let mut gy = self.variable(slot, id);
        if OBSERVED {
            self.tape.report_complete(id, Derivative::Cotangent, gy);
        }
        if let (Some(hooks), Some(g)) = (hooks, &mut gy) {
            *g = self.hooked(hooks, id, *g);
        }
        if let Some(g) = gy {
            complete(id, node.op, g);
        }
        self.visit::<OBSERVED>(id, node, gy, wanted)
    }

    /// Passes a tiny cotangent through an operation with a constant derivative, in a walk for numbers: computes what
    /// the rule would record, without a node for it. Returns whether it did. It leaves sums, and operands without a
    /// cotangent, to the rule.
    #[inline(always)]
    #[track_caller]
    fn pass_on(&mut self, id: u32, node: &Node, wanted: &impl Fn(&Arena<T>, u32) -> bool) -> bool {
        let Op::Unary(op) = node.op else { return false };
        let to = node.parents[0];
        if self.aim == Aim::Variables || !matches!(self.slot(to), Slot::Empty) {
            return false;
        }
        let Some(slope) = rules::constant_slope(op) else { return false };
        let Slot::Value(gy) = &self.slots[id as usize] else { return false };
        let arena = self.tape.arena.borrow();
        let shape = &arena.shapes[node.shape as usize];
        if shape.numel() > TINY || to < self.floor || !wanted(&arena, to) {
            return false;
        }
        let g = match slope {
            ConstantSlope::Linear => Slot::Value(Tensor::pointwise(Opcode::Unary(op), [gy], shape)),
            ConstantSlope::One => std::mem::take(&mut self.slots[id as usize]),
        };
        drop(arena);
        self.reached.insert(to);
        // The slot of the operand is empty: nothing needs to be dropped.
        std::mem::forget(std::mem::replace(self.slot(to), g));
        *self.slot(id) = Slot::Empty;
        true
    }

    /// Handles one node on a tape with an observer. Kept separate so that `step` stays small.
    #[cold]
    #[inline(never)]
    #[track_caller]
    pub(super) fn step_observed(
        &mut self,
        id: u32,
        node: &Node,
        wanted: &impl Fn(&Arena<T>, u32) -> bool,
        hooks: &mut Option<&mut Hooks<'_, 't, T>>,
        complete: &mut impl FnMut(u32, Op, Var<'t, T>),
    ) -> usize {
        let _rule = self.tape.running_rule(id);
        self.step::<true>(id, node, wanted, hooks, complete)
    }

    /// Calls the rule of a node, if one of its operands needs a cotangent, and distributes the results.
    /// `first_gy` is the cotangent of the first output. Returns the number of outputs.
    #[inline(always)]
    #[track_caller]
    fn visit<const OBSERVED: bool>(
        &mut self,
        id: u32,
        node: &Node,
        first_gy: Option<Var<'t, T>>,
        wanted: &impl Fn(&Arena<T>, u32) -> bool,
    ) -> usize {
        let tape = self.tape;
        let want = |arena: &Arena<T>, p: u32| p >= self.floor && wanted(arena, p);
        if node.arity <= 2 && !node.op.has_outputs() {
            // Most operations have at most two operands and one output. They need no lists.
            let [a, b] = node.parents;
            let wants = {
                let arena = tape.arena.borrow();
                [node.arity > 0 && want(&arena, a), node.arity > 1 && want(&arena, b)]
            };
            if wants[0] || wants[1] {
                let parents = &node.parents[..node.arity as usize];
                let (wanted, gy) = (&wants[..parents.len()], &[first_gy]);
                let call = Call { tape, id, parents, wanted, gy, inputs: None };
                self.apply::<OBSERVED>(node.op, &call);
            }
            return 1;
        }
        let (outputs, parents, wants) = {
            let arena = tape.arena.borrow();
            let outputs = if node.op.has_outputs() { arena.outputs(id) } else { 1 };
            let parents = arena.parents(id).to_vec();
            let wants: SmallVec<[bool; 8]> = parents.iter().map(|&p| want(&arena, p)).collect();
            (outputs, parents, wants)
        };
        let mut gy = SmallVec::<[Option<Var<'t, T>>; 4]>::from_elem(first_gy, 1);
        for output in id + 1..id + outputs as u32 {
            let slot =
                if output <= self.top { std::mem::take(self.slot(output)) } else { Slot::Empty };
            gy.push(self.variable(slot, output));
        }
        if wants.contains(&true) {
            let (parents, wanted, gy) = (&*parents, &*wants, &*gy);
            let call = Call { tape, id, parents, wanted, gy, inputs: None };
            self.apply::<OBSERVED>(node.op, &call);
        }
        outputs
    }

    /// Calls the rule of an operation, and adds its results to the cotangents of the operands.
    #[inline(always)]
    #[track_caller]
    fn apply<const OBSERVED: bool>(&mut self, op: Op, call: &Call<'_, 't, T>) {
        if self.aim == Aim::Variables {
            self.rule_start = self.tape.len() as u32;
        }
        if let Op::Unary(unary) = op {
            // The most common operations: they need no list of cotangents.
            let g = rules::unary_vjp(unary, call);
            if OBSERVED {
                self.tape.report_rule(call, &[Some(g)]);
            }
            self.accumulate(call.parents[0], g, false);
        } else if let (Some(part), Some(g)) = (Part::read_by(op, call.parents), call.gy[0]) {
            self.accumulate_part(call.parents[0], part, g);
        } else if let (false, Op::MatMul(matmul)) = (OBSERVED, op) {
            let wanted = self.add_products(matmul, call);
            if wanted.contains(&true) {
                let cotangents = matmul.vjp(&Call { wanted: &wanted, ..*call });
                self.distribute(call.parents, &wanted, &cotangents);
            }
        } else {
            let cotangents = self.rule(op, call);
            if OBSERVED {
                self.tape.report_rule(call, &cotangents);
            }
            self.distribute(call.parents, call.wanted, &cotangents);
        }
        self.release_scratch();
    }

    /// Adds cotangents of the operands of a matrix product to cotangents that are tensors already, such as
    /// those of a weight that a loop reads in each step. The kernel adds the product to the sum, so that
    /// the product is not stored. Returns which operands still need their cotangents.
    #[track_caller]
    fn add_products(&mut self, matmul: MatMul, call: &Call<'_, 't, T>) -> [bool; 2] {
        let mut wanted = [call.wanted[0], call.wanted[1]];
        if self.aim == Aim::Variables || call.parents[0] == call.parents[1] {
            return wanted;
        }
        for (arg, wanted) in wanted.iter_mut().enumerate().filter(|(_, wanted)| **wanted) {
            let slot = self.slot(call.parents[arg]);
            if let Slot::Value(sum) = slot {
                *wanted = !matmul.cotangent(call, arg).add_to(sum);
            }
        }
        wanted
    }

    /// Calls the rule of an operation.
    #[inline]
    #[track_caller]
    fn rule(&mut self, op: Op, call: &Call<'_, 't, T>) -> Cotangents<'t, T> {
        if !matches!(op, Op::Custom(_)) {
            return rules::vjp(op, call);
        }
        // A custom rule may differentiate what it computes, even in a walk that records no history.
        let tape = self.tape;
        let first = tape.len() as u32;
        let recorded = tape.recording.replace(true);
        let cotangents = tape.custom_vjp(op, call);
        tape.recording.set(recorded);
        let arena = &mut *tape.arena.borrow_mut();
        match self.aim {
            Aim::Variables => arena.recompute_active_since(first),
            Aim::Numbers | Aim::RetainingNumbers => arena.end_history_since(self.rule_start),
        }
        cotangents
    }

    /// Adds to the cotangent of each operand.
    fn distribute(&mut self, parents: &[u32], want: &[bool], cotangents: &[Option<Var<'t, T>>]) {
        let variables = self.aim == Aim::Variables;
        let mut given: SmallVec<[(u32, usize); 4]> = SmallVec::new();
        for arg in (0..parents.len()).filter(|&arg| want[arg]) {
            let g = cotangents[arg].expect("a rule returns each requested cotangent");
            given.push((g.id, arg));
        }
        // Sorting places operands with the same cotangent next to each other.
        given.sort_unstable();
        for arg in (0..parents.len()).filter(|&arg| want[arg]) {
            let g = cotangents[arg].expect("checked above");
            let at = given.partition_point(|&other| other < (g.id, arg));
            let same = |at: usize| given.get(at).is_some_and(|&(id, _)| id == g.id);
            let [earlier, later] = [same(at.wrapping_sub(1)), same(at + 1)];
            // A tensor is copied for all operands except the last. A variable must not be shared by a
            // target and another operand.
            let shared = later || variables && earlier;
            if shared && !variables {
                // Several slots will read it. It is computed once here, instead of in each of their
                // programs.
                self.tape.force(g.id);
            }
            self.accumulate(parents[arg], g, shared);
        }
    }
}
