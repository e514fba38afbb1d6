//! The backward walk. A walk for numbers computes gradients as tensors, and a walk for variables computes
//! gradients as variables. Both visit the nodes that have a cotangent, from the last to the first. A cotangent
//! is complete when the walk reaches its node, because all readers of the node come later on the tape.
//!
//! - This file: the state of a walk, and its loop.
//! - `visit.rs`: one node. Its rule is called, and the results are distributed to the operands.
//! - `slots.rs`: the cotangents that are not complete yet, and their sums.
//! - `parts.rs`: contributions to a part of a cotangent, from slices and other views.
//! - `targets.rs`: requested gradients and hooks.
//! - `scratch.rs`: the nodes that a walk for numbers records and drops, and the values that it releases.
//! - `regions.rs`: activation checkpoints that the walk enters and leaves.

mod parts;
mod regions;
mod scratch;
mod slots;
mod targets;
mod visit;

use super::hooks::Hooks;
use crate::graph::{Arena, ById, Mark, NodeSet, Op, RegionSpan, Slot, Tape, Var};
use smallvec::SmallVec;
use wengert_tensor::{Float, Tensor};

/// The kind of gradients that a walk computes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Aim {
    /// Gradients that can be differentiated again. The nodes that rules record stay on the tape.
    Variables,
    /// Gradients as tensors. The nodes that rules record are scratch, above a mark of the tape. The walk
    /// releases values of the history that it has passed.
    Numbers,
    /// Gradients as tensors, with scratch. The history stays.
    RetainingNumbers,
}

/// A backward walk. Counts down from the node `top` to `floor`, calls each rule once, and reports each
/// cotangent when it is complete.
pub(crate) struct Walk<'t, T: Float> {
    tape: &'t Tape<T>,
    aim: Aim,
    floor: u32,
    /// The node at which the walk begins: the last node with a cotangent.
    top: u32,
    /// The nodes whose cotangents are requested as variables, and the nodes with hooks, in ascending
    /// order.
    targets: SmallVec<[u32; 8]>,
    mark: Mark,
    slots: Vec<Slot<T>>,
    /// For views that are slices: the sliced node, the axis, the start and the step.
    slices: ById<u32, (u32, u8, i64, i64)>,
    /// The nodes that have got a cotangent, and the first outputs of operations of which a further
    /// output has. Empty when the walk has ended.
    reached: NodeSet,
    /// The slots that hold pending nodes. Slots that held one before may be included.
    pending: Vec<u32>,
    /// The number of slots that hold pending nodes. While it is not 0, the scratch must not be
    /// truncated.
    pending_slots: usize,
    /// Pending cotangents passed to the current rule: kept alive until the rule returns.
    rule_inputs: SmallVec<[u32; 4]>,
    /// The first node that the current rule recorded.
    rule_start: u32,
    /// The operands of the nodes from `rule_start` on, in ascending order, and the `rule_start` for
    /// which they were collected.
    reads: (u32, Vec<u32>),
    /// Whether the tape was recording before the walk.
    recorded: bool,
    /// Whether there are activation checkpoints. `region` is the one that the walk is in, with the number of
    /// nodes when the walk entered it.
    checkpoints: bool,
    region: Option<(RegionSpan, u32)>,
}

impl<'t, T: Float> Walk<'t, T> {
    /// Makes a walk from the node `top`, the last node with a seed. The gradients of `targets` will be
    /// variables.
    pub fn new(tape: &'t Tape<T>, aim: Aim, targets: SmallVec<[u32; 8]>, top: u32) -> Self {
        let recorded = tape.recording.replace(aim == Aim::Variables);
        tape.walks.set(tape.walks.get() + 1);
        let arena = &mut *tape.arena.borrow_mut();
        let mut slots = std::mem::take(&mut arena.slots);
        if slots.len() <= top as usize {
            slots.resize_with(top as usize + 1, Slot::default);
        }
        let floor = targets.first().copied().unwrap_or(0);
        let (mark, rule_start) = (arena.mark(), arena.len());
        let (pending, rule_inputs) = (Vec::new(), SmallVec::new());
        let reached = NodeSet::up_to(top);
        let checkpoints = !arena.spans.is_empty();
        Walk {
            tape,
            aim,
            floor,
            top,
            targets,
            mark,
            slots,
            slices: ById::default(),
            reached,
            pending,
            pending_slots: 0,
            rule_inputs,
            rule_start,
            reads: (u32::MAX, Vec::new()),
            recorded,
            checkpoints,
            region: None,
        }
    }

    /// Adds nodes with hooks.
    pub fn hook(&mut self, nodes: &[u32]) {
        self.targets.extend_from_slice(nodes);
        self.targets.sort_unstable();
        self.targets.dedup();
    }

    /// Sets the initial cotangent of a node to a tensor.
    pub fn seed(&mut self, id: u32, seed: Tensor<T>) {
        self.store(id, Slot::Value(seed));
    }

    /// Sets the initial cotangent of a node to a variable.
    pub fn seed_variable(&mut self, id: u32, seed: Var<'t, T>) {
        self.accumulate(id, seed, false);
    }

    /// Runs the walk. `wanted` returns whether a node needs a cotangent. `complete` is called with each
    /// cotangent when it is complete, after `hooks` may have replaced it.
    #[track_caller]
    pub fn run(
        &mut self,
        wanted: impl Fn(&Arena<T>, u32) -> bool,
        mut hooks: Option<&mut Hooks<'_, 't, T>>,
        mut complete: impl FnMut(u32, Op, Var<'t, T>),
    ) {
        let tape = self.tape;
        let mut above = self.top + 1;
        while let Some(id) = self.reached.last_before(above) {
            if id + 1 < above {
                self.pass_over(id + 1..above);
            }
            above = id;
            if self.checkpoints {
                self.change_region(id);
            }
            let node = tape.arena.borrow().nodes[id as usize];
            if let Op::Output(back) = node.op {
                // Leave the complete cotangent in its slot: `visit` collects it when the walk reaches
                // the operation. The operation may be below the floor.
                if self.aim == Aim::Variables {
                    let slot = std::mem::take(self.slot(id));
                    if let Some(mut g) = self.variable(slot, id) {
                        if let Some(hooks) = &mut hooks {
                            g = self.hooked(hooks, id, g);
                        }
                        complete(id, node.op, g);
                        *self.slot(id) = Slot::Node(g.id);
                    }
                } else if let Some(hooks) = &mut hooks
                    && self.targets.binary_search(&id).is_ok()
                {
                    let slot = std::mem::take(self.slot(id));
                    if let Some(g) = self.variable(slot, id) {
                        let g = self.hooked(hooks, id, g);
                        *self.slot(id) = Slot::Value(tape.force(g.id));
                    }
                }
                if id - back >= self.floor {
                    self.reached.insert(id - back);
                } else {
                    *self.slot(id) = Slot::Empty;
                }
                continue;
            }
            let rule_first = if self.aim == Aim::Variables { tape.len() as u32 } else { 0 };
            let outputs = if tape.observer.is_some() {
                self.step_observed(id, &node, &wanted, &mut hooks, &mut complete)
            } else {
                self.step::<false>(id, &node, &wanted, &mut hooks, &mut complete)
            };
            match self.aim {
                Aim::Variables => self.note_rule(rule_first, id),
                Aim::Numbers => self.release(id, outputs),
                Aim::RetainingNumbers => {}
            }
        }
        self.leave_region();
        self.pass_over(self.floor..above);
        self.release_rule_inputs();
        self.reached.clear(); // all slots are empty
    }

    /// Notes which nodes were recorded for this node's rule. If a rule has started this walk, the nodes
    /// belong to that rule instead.
    #[inline(never)]
    fn note_rule(&self, first: u32, of: u32) {
        let arena = &mut *self.tape.arena.borrow_mut();
        let end = arena.len();
        if end > first && self.tape.walks.get() == 1 {
            arena.rules.push((first, end, of));
        }
    }
}
