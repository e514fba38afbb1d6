//! The backward walk: one function for gradients as tensors and gradients as variables. `engine/mod.rs`
//! lists the invariants *Scratch*, *Empty slots* and *Reference count*.

use super::hooks::Hooks;
use crate::graph::{Arena, Derivative, Mark, Node, NodeSet, Op, RegionSpan, Slot, Tape, Var};
use crate::rules::{self, Call, Cotangents, MatMul, Part, View};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::ops::Range;
use wengert_tensor::{Float, Tensor};

/// The kind of gradients that a walk computes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Aim {
    /// Gradients that can be differentiated again. The nodes that rules record stay on the tape.
    Variables,
    /// Gradients as tensors. The nodes that rules record are scratch, above a mark of the tape. Without
    /// `retain`, the walk releases values of the history that it has passed.
    Numbers { retain: bool },
}

/// Pending cotangents are computed when the scratch has this many nodes, so that it stays short.
const SCRATCH_LIMIT: usize = 4096;

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
    slices: HashMap<u32, (u32, u8, i64, i64)>,
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
    /// Whether there are checkpoints. `region` is the checkpoint that the walk is in, with the number of
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
            slices: HashMap::new(),
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

    #[inline]
    fn slot(&mut self, id: u32) -> &mut Slot<T> {
        &mut self.slots[id as usize]
    }

    /// Returns the cotangent of a node as a variable for rules.
    #[inline]
    fn variable(&mut self, slot: Slot<T>, of: u32) -> Option<Var<'t, T>> {
        match slot {
            Slot::Empty => None,
            Slot::Value(value) => Some(self.tape.constant_like(value, of)),
            Slot::Node(id) => {
                if self.aim != Aim::Variables {
                    self.pending_slots -= 1;
                    self.rule_inputs.push(id);
                }
                Some(Var { tape: self.tape, id })
            }
            Slot::Parts(parts) => {
                let shape = *self.tape.arena.borrow().shape(of);
                Some(self.tape.assemble(&parts, shape))
            }
        }
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
            self.release(id, outputs);
            if self.aim == Aim::Variables {
                self.note_rule(rule_first, id);
            }
        }
        self.leave_region();
        self.pass_over(self.floor..above);
        self.release_rule_inputs();
        self.reached.clear(); // all slots are empty
    }

    /// Calls the hooks of a node with its complete cotangent. Returns the cotangent with which the walk
    /// continues.
    #[cold]
    #[track_caller]
    fn hooked(&self, hooks: &mut Hooks<'_, 't, T>, id: u32, g: Var<'t, T>) -> Var<'t, T> {
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

    /// Leaves the checkpoint that the walk is in, if this node is before it, and enters the checkpoint
    /// of the node.
    #[cold]
    fn change_region(&mut self, id: u32) {
        if let Some((span, _)) = self.region {
            if id >= span.first {
                return;
            }
            self.leave_region();
        }
        let span = self.tape.arena.borrow().span_of(id);
        if let Some(span) = span {
            self.region = Some((span, self.tape.len() as u32));
            self.tape.enter_region(span.region);
        }
    }

    fn leave_region(&mut self) {
        let Some((RegionSpan { region, .. }, first)) = self.region else { return };
        let tape = self.tape;
        let keeps_history = self.aim != (Aim::Numbers { retain: false });
        if self.aim == Aim::Variables {
            // The recorded nodes read values of the region. They are computed before these values are
            // dropped, and a later walk over them enters the region again.
            tape.compute_pending_since(first);
            let end = tape.len() as u32;
            if end > first && tape.walks.get() == 1 {
                tape.arena.borrow_mut().spans.push(RegionSpan { first, end, region });
            }
        } else if keeps_history {
            // Computes the pending cotangents, so that no scratch node needs values of the region.
            self.materialise_pending();
            self.release_scratch();
        }
        self.region = None;
        tape.leave_region(region, keeps_history);
    }

    /// Handles one node, whose cotangent is complete. Returns the number of outputs of its operation.
    #[inline(always)]
    #[track_caller]
    fn step<const OBSERVED: bool>(
        &mut self,
        id: u32,
        node: &Node,
        wanted: &impl Fn(&Arena<T>, u32) -> bool,
        hooks: &mut Option<&mut Hooks<'_, 't, T>>,
        complete: &mut impl FnMut(u32, Op, Var<'t, T>),
    ) -> usize {
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

    /// Handles one node on a tape with an observer. Kept separate so that `step` stays small.
    #[cold]
    #[inline(never)]
    #[track_caller]
    fn step_observed(
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

    /// Passes nodes without a cotangent.
    #[inline]
    fn pass_over(&self, nodes: Range<u32>) {
        if self.aim == (Aim::Numbers { retain: false }) {
            for id in nodes.rev() {
                self.release(id, 1);
            }
        }
    }

    /// Calls the rule of a node, if one of its operands needs a cotangent, and distributes the results.
    /// `first_gy` is the cotangent of the first output. Returns the number of outputs.
    #[inline]
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
            let parents = &node.parents[..node.arity as usize];
            let mut wants = [false; 2];
            {
                let arena = tape.arena.borrow();
                for (wants, &p) in wants.iter_mut().zip(parents) {
                    *wants = want(&arena, p);
                }
            }
            if wants[0] || wants[1] {
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
        if let (Some(part), Some(g)) = (Part::read_by(op, call.parents), call.gy[0]) {
            self.accumulate_part(call.parents[0], part, g);
        } else if let Op::Unary(unary) = op {
            // The most common operations: they need no list of cotangents.
            let g = rules::unary_vjp(unary, call);
            if OBSERVED {
                self.tape.report_rule(call, &[Some(g)]);
            }
            self.accumulate(call.parents[0], g, false);
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
            Aim::Numbers { .. } => arena.end_history_since(self.rule_start),
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

    /// Adds `g` to the cotangent of a node. `shared` tells that another operand gets the same cotangent,
    /// so that its value must be copied instead of moved.
    #[inline]
    fn accumulate(&mut self, to: u32, g: Var<'t, T>, shared: bool) {
        let before = std::mem::take(self.slot(to));
        let sum = match (self.aim, before) {
            (Aim::Variables, Slot::Empty) => Slot::Node(self.as_target(to, g, shared).id),
            (Aim::Variables, Slot::Parts(mut parts)) => {
                parts.push((Part::Whole, g.id));
                Slot::Parts(parts)
            }
            (Aim::Variables, before) => {
                let before = self.variable(before, to).expect("not empty");
                Slot::Node((before + g).id)
            }
            (Aim::Numbers { .. }, Slot::Empty) => match self.take_value(g, shared) {
                Some(value) => Slot::Value(value),
                None => self.pending_slot(g),
            },
            (Aim::Numbers { .. }, before) => self.sum(before, g, shared, to),
        };
        self.store(to, sum);
    }

    /// Stores a cotangent in the slot of a node.
    #[inline(always)]
    fn store(&mut self, to: u32, slot: Slot<T>) {
        if self.aim != Aim::Variables && matches!(slot, Slot::Node(_)) {
            self.pending.push(to);
        }
        self.reached.insert(to);
        *self.slot(to) = slot;
    }

    /// Returns the cotangent of a target as a separate variable, with respect to which the user may
    /// differentiate. Rules of this node and of earlier nodes read this variable. Nodes that the current
    /// rule computed from `g` for other operands do not.
    #[inline(never)] // gradients that are numbers do not come here
    fn as_target(&mut self, to: u32, g: Var<'t, T>, shared: bool) -> Var<'t, T> {
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

    /// Adds `g` to a part of the cotangent of a node. If the slot is not empty, the cost is that of the
    /// part only.
    fn accumulate_part(&mut self, mut to: u32, mut part: Part, mut g: Var<'t, T>) {
        loop {
            (to, part) = self.through_slices(to, part);
            let Some(next) = self.through_view(to, part, g) else { break };
            (to, part, g) = next;
        }
        let before = std::mem::take(self.slot(to));
        if self.aim == Aim::Variables {
            let mut parts = match before {
                Slot::Parts(parts) => parts,
                Slot::Node(whole) => Box::new(vec![(Part::Whole, whole)]),
                _ => Box::default(),
            };
            parts.push((part, g.id));
            return self.store(to, Slot::Parts(parts));
        }
        let mut sum = match before {
            Slot::Empty => {
                let shape = *self.tape.arena.borrow().shape(to);
                return self.accumulate(to, self.tape.assemble(&[(part, g.id)], shape), false);
            }
            Slot::Value(sum) => sum,
            before => {
                let pending = self.variable(before, to).expect("not empty");
                self.tape.force(pending.id)
            }
        };
        let (tape, g) = (self.tape, self.tape.force(g.id));
        tape.add_in_place(to, &g, || part.add(&mut sum, &g, tape));
        self.store(to, Slot::Value(sum));
    }

    /// Returns the view and the operand of a node that is a view, if the cotangent of the view is not
    /// requested.
    fn viewed(&self, arena: &Arena<T>, id: u32) -> Option<(View, u32)> {
        let (Op::View(view), &[x]) = (arena.nodes[id as usize].op, arena.parents(id)) else {
            return None;
        };
        let passes = x >= self.floor && self.targets.binary_search(&id).is_err();
        passes.then_some((view, x))
    }

    /// Converts a contribution to such a view into one to its operand.
    fn through_view(&self, to: u32, part: Part, g: Var<'t, T>) -> Option<(u32, Part, Var<'t, T>)> {
        let arena = self.tape.arena.borrow();
        let (view, x) = self.viewed(&arena, to)?;
        let shapes = [x, to].map(|id| *arena.shape(id));
        drop(arena);
        let (part, g) = part.in_operand(view, shapes, g)?;
        Some((x, part, g))
    }

    /// Converts a slice of nested slices along one axis into a slice of the first operand. The results
    /// are cached, so that a loop that repeatedly cuts one element off the rest takes linear time.
    fn through_slices(&mut self, to: u32, part: Part) -> (u32, Part) {
        let Part::Slice { axis, start, step } = part else { return (to, part) };
        let arena = self.tape.arena.borrow();
        let mut views: SmallVec<[(u32, u32, i32); 4]> = SmallVec::new();
        let mut at = to;
        // Element i of the view is element `start + step·i` of the root.
        let mut of_root = loop {
            if let Some(&(root, known_axis, start, step)) = self.slices.get(&at)
                && known_axis == axis
            {
                break (root, start, step);
            }
            match self.viewed(&arena, at) {
                Some((View::Slice { axis: cut, start, step }, x)) if cut == axis => {
                    views.push((at, start, step));
                    at = x;
                }
                _ => break (at, 0, 1),
            }
        };
        drop(arena);
        for (view, start, step) in views.into_iter().rev() {
            let (root, from, by) = of_root;
            of_root = (root, from + by * i64::from(start), by * i64::from(step));
            self.slices.insert(view, (root, axis, of_root.1, of_root.2));
        }
        let (root, from, by) = of_root;
        let (start, step) = (from + by * i64::from(start), by * i64::from(step));
        match (u32::try_from(start), i32::try_from(step)) {
            (Ok(start), Ok(step)) => (root, Part::Slice { axis, start, step }),
            _ => (to, part), // of an empty part
        }
    }

    /// Returns the sum of two cotangents: a tensor, or a pending node if one of them is pending.
    fn sum(&mut self, before: Slot<T>, g: Var<'t, T>, shared: bool, to: u32) -> Slot<T> {
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
    #[inline]
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

    /// Truncates the scratch if no slot holds one of its nodes. Otherwise closes the nodes that the rule
    /// recorded.
    #[inline]
    fn release_scratch(&mut self) {
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
            // Nodes that were fused, or never used, no longer pin their operands.
            for id in self.mark.nodes..arena.nodes.len() {
                arena.clear_pending(id as u32);
            }
            arena.truncate(self.mark);
            tape.params.borrow_mut().truncate(self.mark.nodes);
            self.pending.clear();
        } else {
            arena.close_since(self.rule_start);
        }
        self.rule_start = arena.len();
    }

    /// Computes the pending cotangents.
    fn materialise_pending(&mut self) {
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
    #[inline]
    fn release_rule_inputs(&mut self) {
        if !self.rule_inputs.is_empty() {
            let arena = &mut *self.tape.arena.borrow_mut();
            for id in self.rule_inputs.drain(..) {
                arena.nodes[id as usize].readers -= 1;
                arena.drop_unused(id);
            }
        }
    }

    /// Releases the values of an operation after its rule: the walk has passed all its readers.
    #[inline]
    fn release(&self, id: u32, outputs: usize) {
        if self.aim == (Aim::Numbers { retain: false }) {
            let arena = &mut *self.tape.arena.borrow_mut();
            if outputs == 1 && matches!(arena.nodes[id as usize].op, Op::Output(_)) {
                return; // the rule of its operation has not run yet
            }
            for id in id..id + outputs as u32 {
                arena.release(id);
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
                arena.truncate(self.mark);
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
