//! How long values stay. A value is dropped when its scope closes or when `backward` starts, unless a
//! rule reads it, a pending node needs it, the user asked for it, or it is tiny. Values that rules read
//! are dropped once the walk has passed their last reader. A dropped value is computed again on demand.

use crate::graph::{ACTIVE, Arena, CLOSED, KEPT, Op, PASSING, RELEASED, SAVED, WAITS};
use smallvec::{SmallVec, smallvec};
use wengert_tensor::Float;

impl<T: Float> Arena<T> {
    fn is_unwanted(&self, id: u32) -> bool {
        let node = &self.nodes[id as usize];
        node.flags & (CLOSED | SAVED | KEPT) == CLOSED
            && node.readers == 0
            && (!node.op.is_given() || node.has(PASSING))
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

    pub fn drop_unwanted(&mut self, id: u32) {
        if self.is_unwanted(id) {
            self.drop_value(id);
            self.stop_waiting(id);
        }
    }

    /// A node that has its value, or will never need one, frees its parents; they may free theirs.
    #[inline]
    pub fn stop_waiting(&mut self, id: u32) {
        if self.nodes[id as usize].has(WAITS) {
            self.let_parents_go(id);
        }
    }

    fn let_parents_go(&mut self, id: u32) {
        let mut look: SmallVec<[u32; 8]> = smallvec![id];
        while let Some(id) = look.pop() {
            if !self.nodes[id as usize].has(WAITS) {
                continue;
            }
            self.nodes[id as usize].flags &= !WAITS;
            let parents: SmallVec<[u32; 4]> = self.parents(id).into();
            for p in parents {
                self.nodes[p as usize].readers -= 1;
                if self.is_unwanted(p) {
                    self.drop_value(p);
                    look.push(p);
                }
            }
        }
    }

    /// No new reader is expected.
    pub fn close(&mut self, id: u32) {
        self.nodes[id as usize].flags |= CLOSED;
        self.drop_unwanted(id);
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

    /// While a custom rule ran, the cotangents that it was given were active whatever they come from.
    /// From this node on, a node is active again if one of its operands is.
    pub fn end_pretence_since(&mut self, first: u32) {
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

    /// The walk back, which closed all nodes when it began, is past this one: its rule and those of
    /// all its readers are done.
    #[inline]
    pub fn release(&mut self, id: u32) {
        self.nodes[id as usize].flags &= !SAVED;
        self.drop_unwanted(id);
    }
}
