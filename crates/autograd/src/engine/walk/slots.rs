//! The slots of a walk. Each node has one: the sum of the contributions to its cotangent so far. A walk for
//! variables adds nodes. A walk for numbers adds tensors in place, and pending nodes if a contribution is not
//! computed yet. (The invariants *Empty slots* and *Reference count* are listed in `engine/mod.rs`.)

use super::{Aim, Walk};
use crate::graph::{Part, Slot, SlotParts, Var};
use wengert_tensor::{Float, Tensor};

impl<'t, T: Float> Walk<'t, T> {
    #[inline]
    pub(super) fn slot(&mut self, id: u32) -> &mut Slot<T> {
        &mut self.slots[id as usize]
    }

    /// Returns the cotangent of a node as a variable for rules.
    #[inline(always)]
    pub(super) fn variable(&mut self, slot: Slot<T>, of: u32) -> Option<Var<'t, T>> {
        match slot {
            Slot::Empty => None,
            Slot::Value(value) => Some(self.tape.constant_like(value, of)),
            slot => self.recorded_variable(slot, of),
        }
    }

    /// Returns the cotangent of a slot that holds nodes.
    #[inline(never)]
    fn recorded_variable(&mut self, slot: Slot<T>, of: u32) -> Option<Var<'t, T>> {
        match slot {
            Slot::Empty | Slot::Value(_) => None,
            Slot::Node(id) => {
                if self.aim != Aim::Variables {
                    self.pending_slots -= 1;
                    self.rule_inputs.push(id);
                }
                Some(Var { tape: self.tape, id })
            }
            Slot::Parts(parts) => {
                let shape = *self.tape.arena.borrow().shape(of);
                Some(match *parts {
                    SlotParts::Nodes(nodes) => self.tape.assemble(&nodes, shape),
                    SlotParts::Slices(slices) => self.tape.constant_like(slices.join(&shape), of),
                })
            }
        }
    }

    /// Adds `g` to the cotangent of a node. `shared` tells that another operand gets the same cotangent,
    /// so that its value must be copied instead of moved.
    #[inline(always)]
    pub(super) fn accumulate(&mut self, to: u32, g: Var<'t, T>, shared: bool) {
        // Most nodes of a walk for numbers have one reader, whose rule has computed the cotangent.
        if self.aim != Aim::Variables
            && matches!(self.slot(to), Slot::Empty)
            && let Some(value) = self.take_value(g, shared)
        {
            self.reached.insert(to);
            // The slot is empty: nothing needs to be dropped.
            std::mem::forget(std::mem::replace(self.slot(to), Slot::Value(value)));
        } else {
            self.accumulate_further(to, g, shared);
        }
    }

    /// Adds to a slot that is not empty, or adds a cotangent that is a node.
    #[inline(never)]
    fn accumulate_further(&mut self, to: u32, g: Var<'t, T>, shared: bool) {
        let before = std::mem::take(self.slot(to));
        let sum = match (self.aim, before) {
            (Aim::Variables, Slot::Empty) => Slot::Node(self.as_target(to, g, shared).id),
            (Aim::Variables, Slot::Parts(mut parts)) => {
                if let SlotParts::Nodes(nodes) = &mut *parts {
                    nodes.push((Part::Whole, g.id));
                }
                Slot::Parts(parts)
            }
            (Aim::Variables, before) => {
                let before = self.variable(before, to).expect("not empty");
                Slot::Node((before + g).id)
            }
            // `accumulate` takes a computed cotangent.
            (_, Slot::Empty) => self.pending_slot(g),
            (_, before) => self.sum(before, g, shared, to),
        };
        self.store(to, sum);
    }

    /// Stores a cotangent in the slot of a node.
    #[inline(always)]
    pub(super) fn store(&mut self, to: u32, slot: Slot<T>) {
        if self.aim != Aim::Variables && matches!(slot, Slot::Node(_)) {
            self.pending.push(to);
        }
        self.reached.insert(to);
        *self.slot(to) = slot;
    }

    /// Returns the sum of two cotangents: a tensor, or a pending node if one of them is pending.
    fn sum(&mut self, before: Slot<T>, g: Var<'t, T>, shared: bool, to: u32) -> Slot<T> {
        let before = match before {
            Slot::Parts(parts) => Slot::Value(parts.join(self.tape.arena.borrow().shape(to))),
            before => before,
        };
        match (before, self.take_value(g, shared)) {
            (Slot::Value(mut sum), Some(g)) => {
                self.tape.add_in_place(to, &g, || sum += &g);
                Slot::Value(sum)
            }
            (before, taken) => {
                let g = taken.map_or(g, |value| self.tape.constant_like(value, to));
                let before =
                    self.variable(before, to).expect("an empty slot takes the cotangent as it is");
                self.pending_slot(before + g)
            }
        }
    }

    /// Returns the value of a cotangent, if it is computed. The value is moved out of its node if
    /// nothing else reads it.
    #[inline(always)]
    fn take_value(&self, g: Var<'t, T>, shared: bool) -> Option<Tensor<T>> {
        let arena = &mut *self.tape.arena.borrow_mut();
        let is_scratch = g.id as usize >= self.mark.nodes;
        if is_scratch && !shared && arena.nodes[g.id as usize].readers == 0 {
            arena.values[g.id as usize].take()
        } else {
            arena.values[g.id as usize].clone()
        }
    }

    /// Returns a slot for a pending cotangent, and counts the slot as a reader of the node.
    fn pending_slot(&mut self, g: Var<'t, T>) -> Slot<T> {
        self.pending_slots += 1;
        self.tape.arena.borrow_mut().nodes[g.id as usize].readers += 1;
        Slot::Node(g.id)
    }
}
