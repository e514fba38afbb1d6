//! Releases values: the invariants *Unused*, *Reference count* and *Saved until passed* of `engine/mod.rs`.

use crate::graph::{ACTIVE, Arena, CLOSED, Op, PENDING, RELEASED, RETAINED, SAVED, TEMPORARY};
use smallvec::{SmallVec, smallvec};
use wengert_tensor::Float;

impl<T: Float> Arena<T> {
    fn is_unused(&self, id: u32) -> bool {
        let node = &self.nodes[id as usize];
        node.flags & (CLOSED | SAVED | RETAINED) == CLOSED
            && node.readers == 0
            && (!node.op.is_given() || node.has(TEMPORARY))
    }

    #[inline]
    pub fn drop_value(&mut self, id: u32) {
        let mut dropped = self.values[id as usize].take().is_some();
        if !dropped && !self.wholes.is_empty() {
            let place = self.place_of_whole(id);
            dropped = place.is_some_and(|place| self.wholes[place as usize].take().is_some());
        }
        if dropped {
            self.nodes[id as usize].flags |= RELEASED;
        }
    }

    pub fn drop_unused(&mut self, id: u32) {
        if self.is_unused(id) {
            self.drop_value(id);
            self.clear_pending(id);
        }
    }

    /// The node is not pending any more: it was computed, or will not be. Releases its operands, which may release
    /// theirs.
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
            let parents: SmallVec<[u32; 4]> = self.parents(id).into();
            for p in parents {
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

    /// No new reader is expected of any node from this one on.
    pub fn close_since(&mut self, first: u32) {
        for id in (first..self.len()).rev() {
            self.close(id);
        }
    }

    /// Nothing from this node on will be differentiated: no rule reads these values.
    pub fn end_history_since(&mut self, first: u32) {
        for node in &mut self.nodes[first as usize..] {
            node.flags &= !(ACTIVE | SAVED);
        }
    }

    /// Corrects `ACTIVE` from this node on: a node is active if one of its operands is. While a custom rule runs,
    /// all cotangents that it is given are active.
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

    /// The walk has passed this node: its rule and those of all its readers are done. (All nodes were closed when
    /// the walk began.)
    #[inline]
    pub fn release(&mut self, id: u32) {
        self.nodes[id as usize].flags &= !SAVED;
        self.drop_unused(id);
    }
}
