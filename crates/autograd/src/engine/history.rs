//! The history of a tape: the nodes and values that a walk reads. Gradients can be computed only while a tape
//! has a history, and `backward` ends it. (The invariant *Ended history* is listed in `engine/mod.rs`.)

use crate::graph::{RETAINED, RunKind, TINY, Tape};
use smallvec::SmallVec;
use wengert_tensor::Float;

impl<T: Float> Tape<T> {
    #[track_caller]
    pub(crate) fn check_history(&self, op: &str) {
        if self.in_hook.get() && !self.recording.get() {
            self.fail(format!(
                "{op}: a hook of backward() called {op}(), but backward() records no history: \
                 call {op}() before backward(), or compute the gradients with hooks().grad()"
            ))
        }
        if self.replay_incomplete.get() {
            self.fail(format!(
                "{op}: the last replay failed, so that some values are new and others are \
                 missing: call replay() again with valid values"
            ))
        }
        if self.arena.borrow().ended > 0 {
            self.fail(format!(
                "{op}: an earlier backward() ended the history of this tape: use \
                 backward_retain() for the earlier call"
            ))
        }
        if self.run_kind == RunKind::Inference {
            self.fail(format!(
                "{op}: this tape records no history: create the tape with Tape::new(), \
                 Tape::eval() or Tape::train()"
            ))
        }
    }

    /// Drops every value except given, requested and tiny values. Parameters, buffers and large views of
    /// them are read from the model: no remaining value shares their memory, unless the user gave it to
    /// the tape. The optimizer can therefore update them in place while the tape is alive.
    pub(crate) fn end_history(&self) {
        let arena = &mut *self.arena.borrow_mut();
        arena.ended = arena.len();
        // The memory of parameters and buffers, in ascending order.
        let mut memory = SmallVec::<[usize; 16]>::new();
        let bound = self.params.borrow();
        for binding in bound.iter() {
            let value = &mut arena.values[binding.node as usize];
            if let Some(x) = value.take() {
                memory.push(x.storage_id());
                *value = (x.numel() <= TINY).then(|| x.copied());
            }
        }
        memory.sort_unstable();
        let memory = &*memory;
        if !arena.integers.is_empty() {
            for (id, node) in arena.nodes.iter().enumerate() {
                if let Some(place) = arena.place_of_integers(id as u32)
                    && !node.op.is_given()
                    && !node.has(RETAINED)
                {
                    arena.integers[place as usize] = None;
                }
            }
        }
        for (node, value) in arena.nodes.iter().zip(&mut arena.values) {
            // Most values that are left are retained and share no memory with a parameter.
            if node.has(RETAINED) && memory.is_empty() {
                continue;
            }
            let Some(x) = value else { continue };
            let remains = node.has(RETAINED) && memory.binary_search(&x.storage_id()).is_err();
            if remains || node.op.is_given() {
                continue;
            }
            *value = (node.has(RETAINED) && x.numel() <= TINY).then(|| x.copied());
        }
    }
}
