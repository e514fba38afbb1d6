//! The memory of a walk for numbers. The nodes that rules record are scratch: they are truncated as soon as no
//! slot holds one of them. Values of the history are released when the walk has passed their readers. (The
//! invariants *Scratch*, *Saved until passed* and *Empty slots* are listed in `engine/mod.rs`.)

use super::{Aim, Walk};
use crate::graph::{Op, PENDING, Slot};
use std::ops::Range;
use wengert_tensor::Float;

/// Pending cotangents are computed when the scratch has this many nodes, so that it stays short.
const SCRATCH_LIMIT: usize = 4096;

impl<T: Float> Walk<'_, T> {
    /// Truncates the scratch if no slot holds one of its nodes. Otherwise closes the nodes that the rule
    /// recorded.
    #[inline(always)]
    pub(super) fn release_scratch(&mut self) {
        let tape = self.tape;
        if self.aim == Aim::Variables {
            return; // the recorded nodes are the result
        }
        self.release_rule_inputs();
        if self.pending_slots > 0 && tape.len() > self.mark.nodes + SCRATCH_LIMIT {
            self.materialise_pending();
        }
        let arena = &mut *tape.arena.borrow_mut();
        if self.pending_slots == 0 {
            // Nodes that were fused, or never used, no longer pin their operands. Few rules record such nodes.
            if arena.nodes[self.mark.nodes..].iter().any(|node| node.has(PENDING)) {
                for id in self.mark.nodes..arena.nodes.len() {
                    arena.clear_pending(id as u32);
                }
            }
            arena.truncate(&self.mark);
            tape.params.borrow_mut().truncate(self.mark.nodes);
            self.pending.clear();
        } else {
            arena.close_since(self.rule_start);
        }
        self.rule_start = arena.len();
    }

    /// Computes the pending cotangents.
    pub(super) fn materialise_pending(&mut self) {
        for to in std::mem::take(&mut self.pending) {
            if let Slot::Node(id) = *self.slot(to) {
                *self.slot(to) = Slot::Value(self.tape.force(id));
                self.rule_inputs.push(id);
            }
        }
        self.pending_slots = 0;
        self.release_rule_inputs();
    }

    /// Releases the pending cotangents that were passed to the rule.
    #[inline(always)]
    pub(super) fn release_rule_inputs(&mut self) {
        if !self.rule_inputs.is_empty() {
            self.release_rule_inputs_now();
        }
    }

    #[inline(never)]
    fn release_rule_inputs_now(&mut self) {
        let arena = &mut *self.tape.arena.borrow_mut();
        for id in self.rule_inputs.drain(..) {
            arena.nodes[id as usize].readers -= 1;
            arena.drop_unused(id);
        }
    }

    /// Releases the values of an operation after its rule, in a walk that does not retain the history: the walk
    /// has passed all readers.
    #[inline(always)]
    pub(super) fn release(&self, id: u32, outputs: usize) {
        let arena = &mut *self.tape.arena.borrow_mut();
        arena.release(id);
        for further in 1..outputs as u32 {
            arena.release(id + further);
        }
    }

    /// Passes nodes without a cotangent.
    pub(super) fn pass_over(&self, nodes: Range<u32>) {
        if self.aim == Aim::Numbers {
            let arena = &mut *self.tape.arena.borrow_mut();
            for id in nodes.rev() {
                // The rule of the operation of a further output has not run yet.
                if !matches!(arena.nodes[id as usize].op, Op::Output(_)) {
                    arena.release(id);
                }
            }
        }
    }
}

impl<T: Float> Drop for Walk<'_, T> {
    /// Restores the tape, also when a rule panics: truncates the scratch, empties the slots, releases
    /// the nodes that they held, and restores recording.
    fn drop(&mut self) {
        if let Ok(mut arena) = self.tape.arena.try_borrow_mut() {
            if let Some((span, _)) = self.region {
                let walks = &mut arena.regions[span.region as usize].active_walks;
                *walks = walks.saturating_sub(1);
            }
            if self.aim != Aim::Variables {
                let pending =
                    self.reached.ascending().filter_map(|at| match self.slots[at as usize] {
                        Slot::Node(id) => Some(id),
                        _ => None,
                    });
                for id in pending.chain(self.rule_inputs.drain(..)) {
                    let readers = &mut arena.nodes[id as usize].readers;
                    *readers = readers.saturating_sub(1);
                }
                for id in self.mark.nodes..arena.nodes.len() {
                    arena.clear_pending(id as u32);
                }
                arena.truncate(&self.mark);
                self.tape.params.borrow_mut().truncate(self.mark.nodes);
            }
            for at in self.reached.ascending() {
                self.slots[at as usize] = Slot::Empty;
            }
            arena.slots = std::mem::take(&mut self.slots);
        }
        self.tape.recording.set(self.recorded);
        self.tape.walks.set(self.tape.walks.get() - 1);
    }
}
