//! The nodes whose cotangents the user sees: requested variables, and variables with hooks. A requested gradient
//! is a variable of its own, with respect to which the user may differentiate. A hook gets the complete cotangent
//! and may replace it.

use super::{Aim, Walk};
use crate::engine::hooks::Hooks;
use crate::graph::{Derivative, Var};
use wengert_tensor::Float;

impl<'t, T: Float> Walk<'t, T> {
    /// Returns the cotangent of a target as a separate variable, with respect to which the user may
    /// differentiate. Rules of this node and of earlier nodes read this variable. Nodes that the current
    /// rule computed from `g` for other operands do not.
    #[inline(never)] // gradients that are numbers do not come here
    pub(super) fn as_target(&mut self, to: u32, g: Var<'t, T>, shared: bool) -> Var<'t, T> {
        if self.targets.binary_search(&to).is_err() {
            return g;
        }
        let is_others = shared || g.id < self.rule_start || self.is_read(g.id);
        if is_others { g.same() } else { g }
    }

    /// Returns whether a node that the current rule recorded reads this node.
    fn is_read(&mut self, id: u32) -> bool {
        let (of, reads) = &mut self.reads;
        if *of != self.rule_start {
            let arena = self.tape.arena.borrow();
            reads.clear();
            for node in self.rule_start..arena.len() {
                reads.extend_from_slice(arena.parents(node));
            }
            reads.sort_unstable();
            *of = self.rule_start;
        }
        reads.binary_search(&id).is_ok()
    }

    /// Calls the hooks of a node with its complete cotangent. Returns the cotangent with which the walk
    /// continues.
    #[cold]
    #[track_caller]
    pub(super) fn hooked(
        &self,
        hooks: &mut Hooks<'_, 't, T>,
        id: u32,
        g: Var<'t, T>,
    ) -> Var<'t, T> {
        if self.targets.binary_search(&id).is_err() {
            return g;
        }
        let tape = self.tape;
        if self.aim == Aim::Variables {
            let first = tape.len() as u32;
            let new = hooks.call(id, g);
            tape.report_complete(id, Derivative::Hooked, new);
            return match new {
                // The gradient must be a separate variable: the user may differentiate with respect to
                // both.
                Some(new) if new.id < first => new.same(),
                Some(new) => new,
                None => g,
            };
        }
        // In a walk for numbers, the nodes that the hook records are dropped with those of the rule.
        // Values that the hook reads do not count as reads by the program.
        let read = tape.first_read.get();
        let g = tape.constant_like(tape.force(g.id), id);
        let new = hooks.call(id, g);
        tape.first_read.set(read);
        tape.report_complete(id, Derivative::Hooked, new);
        new.map_or(g, |new| tape.constant_like(tape.force(new.id), id))
    }
}
