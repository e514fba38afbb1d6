//! Debug assertions of the invariants of an arena (listed in `engine/mod.rs`). They are checked when a
//! scope, a walk or a tape ends. Release builds check nothing.

use crate::graph::{ACTIVE, Arena, Op, PENDING, RELEASED, RETAINED, Slot, TEMPORARY, ValueKind};
use wengert_tensor::Float;

/// Longer tapes are not checked as a whole, so that the time of many walks over one tape stays linear.
const LONGEST: u32 = 4096;

impl<T: Float> Arena<T> {
    /// Checks the whole arena, unless it is long. `in_walk` tells whether a walk is running, whose slots
    /// count as readers.
    pub fn check_invariants(&self, in_walk: bool) {
        if !cfg!(debug_assertions) || self.len() > LONGEST {
            return;
        }
        self.check_nodes_since(0);
        let empty = self.slots.iter().all(|slot| matches!(slot, Slot::Empty));
        assert!(empty, "arena: a slot is not empty between walks");
        let mut pending = vec![0; self.nodes.len()];
        for id in (0..self.len()).filter(|&id| self.nodes[id as usize].has(PENDING)) {
            for &p in self.parents(id) {
                pending[p as usize] += 1;
            }
        }
        for (id, (node, &pending)) in self.nodes.iter().zip(&pending).enumerate() {
            let readers = node.readers;
            assert!(
                readers == pending || in_walk && readers > pending,
                "arena: node {id} ({:?}) counts {readers} readers, and {pending} pending nodes read it",
                node.op
            );
        }
    }

    /// Checks the invariants that concern single nodes, from this node on.
    pub fn check_nodes_since(&self, first: u32) {
        if !cfg!(debug_assertions) {
            return;
        }
        assert_eq!(
            self.values.len(),
            self.nodes.len(),
            "arena: each node must have an entry for its value"
        );
        assert!(
            self.ended <= self.len(),
            "arena: the history ends at node {}, after the last node",
            self.ended
        );
        for id in first..self.len() {
            let (node, value) = (&self.nodes[id as usize], &self.values[id as usize]);
            let must = |holds: bool, what: &str| {
                assert!(holds, "arena: node {id} ({:?}): {what}", node.op);
            };
            must(self.parents(id).iter().all(|&p| p < id), "its operands must come before it");
            must(
                !node.has(TEMPORARY) || node.op == Op::Constant,
                "only a constant may be temporary",
            );
            if let Op::Output(back) = node.op {
                let op = self.nodes[(id - back) as usize].op;
                must(
                    op.has_outputs(),
                    "a further output must belong to an operation with several outputs",
                );
            }
            let mask = self.kind(id) == ValueKind::Mask;
            must(!mask || !node.has(ACTIVE), "a mask must not be differentiated");
            let Some(value) = value else { continue };
            must(value.shape() == *self.shape(id), "its value must have the shape of the node");
            must(!node.has(PENDING), "a node with a value must not be pending");
            must(!node.has(RELEASED), "a released node must not have a value");
            let stays = node.op.is_given() || node.has(RETAINED);
            must(stays || id >= self.ended, "backward() must drop a value that was not requested");
        }
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use crate::graph::{CLOSED, PENDING, RELEASED, Tape};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use wengert_tensor::Tensor;

    /// Returns the message of the check after a change of node `id`'s flags and readers. The tape holds
    /// x, exp x (pending) and its sum, which has at most 8 elements and is therefore computed.
    fn complaint(id: usize, flags: u8, readers: i32) -> Option<String> {
        let tape = Tape::<f32>::new();
        let x = tape.watch(Tensor::ones(&[4, 4]));
        let y = x.exp();
        assert_eq!(tape.arena.borrow().values.len(), 2);
        let mut before = 0;
        if let Some(node) = tape.arena.borrow_mut().nodes.get_mut(id) {
            (before, node.flags) = (node.flags, node.flags ^ flags);
            node.readers = (node.readers as i32 + readers) as u32;
        }
        let check = || tape.arena.borrow().check_invariants(false);
        let result = catch_unwind(AssertUnwindSafe(check));
        // The tape is checked again when it is dropped.
        let node = &mut tape.arena.borrow_mut().nodes[id];
        (node.flags, node.readers) = (before, (node.readers as i32 - readers) as u32);
        let _ = y;
        result.err().map(|text| *text.downcast::<String>().expect("a text"))
    }

    #[test]
    fn a_tape_with_right_counts_and_flags_passes() {
        assert_eq!(complaint(0, 0, 0), None);
        assert_eq!(complaint(0, CLOSED, 0), None);
    }

    #[test]
    fn wrong_counts_and_flags_are_found() {
        let has = |text: Option<String>, what: &str| {
            let text = text.expect("the check fails");
            assert!(text.contains(what), "{text}");
        };
        has(complaint(0, 0, 1), "node 0 (Leaf) counts 2 readers, and 1 pending nodes read it");
        has(complaint(0, 0, -1), "counts 0 readers, and 1 pending nodes read it");
        has(
            complaint(1, PENDING, 0),
            "node 0 (Leaf) counts 1 readers, and 0 pending nodes read it",
        );
        has(complaint(0, PENDING, 0), "a node with a value must not be pending");
        has(complaint(0, RELEASED, 0), "a released node must not have a value");
    }
}
