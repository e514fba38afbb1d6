//! Releases values. The invariants *Unused*, *Reference count* and *Saved until passed* are listed in
//! `engine/mod.rs`.

use crate::graph::{ACTIVE, Arena, CLOSED, Op, PENDING, RELEASED, RETAINED, SAVED, TEMPORARY};
use smallvec::{SmallVec, smallvec};
use wengert_tensor::Float;

impl<T: Float> Arena<T> {
    #[inline(always)]
    fn is_unused(&self, id: u32) -> bool {
        let node = &self.nodes[id as usize];
        node.flags & (CLOSED | SAVED | RETAINED) == CLOSED
            && node.readers == 0
            && (!node.op.is_given() || node.has(TEMPORARY))
    }

    #[inline]
    pub fn drop_value(&mut self, id: u32) {
        let mut dropped = self.values[id as usize].take().is_some();
        if !dropped && !self.integers.is_empty() {
            let place = self.place_of_integers(id);
            dropped = place.is_some_and(|place| self.integers[place as usize].take().is_some());
        }
        if dropped {
            self.nodes[id as usize].flags |= RELEASED;
        }
    }

    #[inline(always)]
    pub fn drop_unused(&mut self, id: u32) {
        if self.is_unused(id) {
            self.drop_now(id);
        }
    }

    #[inline(never)] // the test of every node is inlined, and is mostly negative
    fn drop_now(&mut self, id: u32) {
        self.drop_value(id);
        self.clear_pending(id);
    }

    /// Marks the node as not pending: it was computed, or will not be computed. Releases its operands,
    /// which may release their operands.
    #[inline]
    pub fn clear_pending(&mut self, id: u32) {
        if self.nodes[id as usize].has(PENDING) {
            self.release_parents(id);
        }
    }

    fn release_parents(&mut self, id: u32) {
        let mut look: SmallVec<[u32; 8]> = smallvec![id];
        while let Some(id) = look.pop() {
            if !self.nodes[id as usize].has(PENDING) {
                continue;
            }
            self.nodes[id as usize].flags &= !PENDING;
            for p in self.parent_list(id) {
                self.nodes[p as usize].readers -= 1;
                if self.is_unused(p) {
                    self.drop_value(p);
                    look.push(p);
                }
            }
        }
    }

    /// Marks that no new reader is expected, and drops the value if it is unused.
    pub fn close(&mut self, id: u32) {
        self.nodes[id as usize].flags |= CLOSED;
        self.drop_unused(id);
    }

    /// Marks that no new reader is expected of any node from this one on.
    pub fn close_since(&mut self, first: u32) {
        for id in (first..self.len()).rev() {
            self.close(id);
        }
    }

    /// Marks the nodes from this one on as not differentiable: no rule will read their values.
    pub fn end_history_since(&mut self, first: u32) {
        for node in &mut self.nodes[first as usize..] {
            node.flags &= !(ACTIVE | SAVED);
        }
    }

    /// Clears `ACTIVE` of nodes from this one on that have no active operand. Called after a custom rule or
    /// a function of `transforms`, which get active aliases of their arguments.
    pub fn recompute_active_since(&mut self, first: u32) {
        for id in first..self.len() {
            if matches!(self.nodes[id as usize].op, Op::Leaf) {
                continue;
            }
            let op = self.first_output(id);
            if !self.parents(op).iter().any(|&p| self.nodes[p as usize].has(ACTIVE)) {
                self.nodes[id as usize].flags &= !ACTIVE;
            }
        }
    }

    /// Releases a node that the walk has passed: its rule and the rules of all its readers have run.
    /// (All nodes were closed when the walk began.)
    #[inline]
    pub fn release(&mut self, id: u32) {
        self.nodes[id as usize].flags &= !SAVED;
        self.drop_unused(id);
    }
}
