//! Activation checkpoints: regions of a program whose values are dropped when the region ends, even if derivative
//! rules will read them. A walk that reaches the region computes them again.
//!
//! An activation checkpoint changes only when values are released, not what is recorded. The nodes are the same, so
//! derivatives of every order work as without an activation checkpoint and have the same bits. The rules (*Regions*
//! in `engine/mod.rs`):
//!
//! - When a region ends, its results are computed, and so are its inputs that were pending. The inputs
//!   are kept until the walk has passed them, as if a rule read them.
//! - When a walk enters a region, all values that rules will read in it are computed at once, in program
//!   order and with the same fusion. (If they were computed one by one, from the last to the first, each
//!   would compute all earlier values again.)
//! - When the walk leaves the region, its values are dropped again. Nodes that
//!   [`grad`](crate::Var::grad) recorded meanwhile may read these values: such nodes are computed before
//!   the values are dropped. A later walk over them enters the region again.

use crate::graph::{
    Arena, CLOSED, Op, PENDING, RELEASED, RETAINED, Region, RegionSpan, RunKind, SAVED,
    ScopeResult, Tape, Var,
};
use smallvec::SmallVec;
use std::cell::Cell;
use wengert_tensor::Float;

/// Marks that an activation checkpoint is being recorded, until it is dropped.
struct RecordingCheckpoint<'a>(&'a Cell<bool>);
impl Drop for RecordingCheckpoint<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl<T: Float> Tape<T> {
    /// Runs `body` as an activation checkpoint. When it ends, all values that it computed are dropped except its
    /// results, even values that derivative rules will read. When gradients reach the region, its
    /// values are computed again and kept until the gradients have passed. This costs a second forward
    /// pass of `body`, and saves the memory of its values in the meantime. Values and gradients of every
    /// order are the same, bit for bit.
    ///
    /// A network of n equal layers needs the memory of n layers. In activation checkpoints of √n layers each it
    /// needs the memory of about 2·√n layers. (Griewank, "Achieving logarithmic growth of temporal and
    /// spatial complexity in reverse automatic differentiation", 1992; Chen, Xu, Zhang, Guestrin,
    /// "Training deep nets with sublinear memory cost", 2016.) `wengert::nn::ActivationCheckpoint` is a layer that
    /// runs another layer as an activation checkpoint.
    ///
    /// ```
    /// use wengert::autograd::{Param, Tape};
    /// use wengert::tensor::Tensor;
    /// let weight = Param::new(Tensor::from([[0.5f32, -1.0], [2.0, 0.25]]));
    /// let tape = Tape::new();
    /// let mut x = tape.constant(Tensor::ones(&[8, 2]));
    /// for _ in 0..10 {
    ///     x = tape.checkpoint(|| {
    ///         let hidden = x.matmul(tape.param(&weight)).tanh();
    ///         hidden.matmul(tape.param(&weight)).tanh()
    ///     });
    /// }
    /// let gradients = x.sum_all().backward();
    /// assert_eq!(gradients.get(&weight).unwrap().shape(), [2, 2]);
    /// ```
    ///
    /// Values that were requested with [`value`](Var::value), and values of at most eight elements, are
    /// kept. An activation checkpoint within another is a part of the outer one. Changes of buffers (the running
    /// statistics of batch norm) are those of the first pass. On a tape without history no values are
    /// kept for derivatives, and an activation checkpoint only runs its body.
    ///
    /// # Panics
    /// If a result is on another tape.
    #[track_caller]
    pub fn checkpoint<'t, R: ScopeResult<'t, T>>(&'t self, body: impl FnOnce() -> R) -> R {
        if self.run_kind != RunKind::Recording || self.walks.get() > 0 || self.in_checkpoint.get() {
            return body();
        }
        self.in_checkpoint.set(true);
        let recording = RecordingCheckpoint(&self.in_checkpoint);
        let first = self.arena.borrow().len();
        let result = body();
        drop(recording);
        let mut results = SmallVec::<[u32; 4]>::new();
        result.each(&mut |v: Var<'t, T>| {
            self.same_tape("checkpoint", v.tape);
            results.push(v.id);
        });
        let end = self.arena.borrow().len();
        if end == first {
            return result;
        }
        results.retain(|id| *id >= first);
        let region = Region { first, end, results, active_walks: 0 };
        self.end_region(&region);
        let arena = &mut *self.arena.borrow_mut();
        let place = arena.regions.len() as u32;
        arena.regions.push(region);
        arena.spans.push(RegionSpan { first, end, region: place });
        result
    }

    /// Drops the values of a region after its inputs and results have been computed.
    #[track_caller]
    pub(crate) fn end_region(&self, region: &Region) {
        let mut wanted: SmallVec<[u32; 16]> = region.results.iter().copied().collect();
        {
            let arena = &mut *self.arena.borrow_mut();
            let mut inputs: Vec<u32> = (region.first..region.end)
                .flat_map(|id| arena.parents(id))
                .copied()
                .filter(|&p| p < region.first)
                .collect();
            inputs.sort_unstable();
            inputs.dedup();
            // A region in which no rule reads a value is not computed again.
            if (region.first..region.end).any(|id| arena.nodes[id as usize].has(SAVED)) {
                for &input in &inputs {
                    arena.nodes[input as usize].flags |= SAVED;
                }
                wanted.extend(inputs);
            }
            wanted.retain(|id| !arena.is_computed(*id));
        }
        for id in wanted {
            self.compute(id);
        }
        self.arena.borrow_mut().drop_region(region);
    }

    /// Enters a region, when a walk reaches it: computes the values that rules will read in it.
    #[track_caller]
    pub(crate) fn enter_region(&self, place: u32) {
        let (region, wanted, lasts) = {
            let arena = &mut *self.arena.borrow_mut();
            let region = &mut arena.regions[place as usize];
            region.active_walks += 1;
            if region.active_walks > 1 {
                return;
            }
            let region = region.clone();
            let (wanted, lasts) = arena.read_in_region(&region);
            (region, wanted, lasts)
        };
        for id in region.first..region.end {
            let at = (id - region.first) as usize;
            if !wanted[at] {
                continue;
            }
            let begins = {
                let node = &mut self.arena.borrow_mut().nodes[id as usize];
                node.flags &= !RELEASED;
                // A node that is pending already is read from outside the region.
                !matches!(node.op, Op::Output(_)) && !node.has(PENDING)
            };
            if begins {
                self.compute_or_defer(id);
            }
            let arena = &mut *self.arena.borrow_mut();
            let parents: SmallVec<[u32; 4]> = arena.parents(id).into();
            for p in parents.into_iter().filter(|&p| p >= region.first) {
                if lasts[(p - region.first) as usize] == id {
                    arena.drop_unused(p);
                }
            }
        }
    }

    /// Leaves a region, after a walk. `keeps_history` tells whether the walk kept the values of the
    /// history.
    pub(crate) fn leave_region(&self, place: u32, keeps_history: bool) {
        let arena = &mut *self.arena.borrow_mut();
        let region = &mut arena.regions[place as usize];
        region.active_walks = region.active_walks.saturating_sub(1);
        if region.active_walks == 0 && keeps_history {
            let region = region.clone();
            arena.drop_region(&region);
        }
    }

    /// Begins a span, when a replay reaches an activation checkpoint, or nodes that rules recorded for one.
    #[track_caller]
    pub(crate) fn begin_span(&self, span: &RegionSpan) {
        if !self.arena.borrow().is_region(span) {
            self.enter_region(span.region);
        }
    }

    /// Ends a span, after a replay has computed its nodes.
    #[track_caller]
    pub(crate) fn end_span(&self, span: &RegionSpan) {
        if self.arena.borrow().is_region(span) {
            let region = self.arena.borrow().regions[span.region as usize].clone();
            self.end_region(&region);
        } else {
            self.compute_pending_since(span.first);
            self.leave_region(span.region, true);
        }
    }

    /// Computes the pending nodes from this node on.
    #[track_caller]
    pub(crate) fn compute_pending_since(&self, first: u32) {
        for id in first..self.len() as u32 {
            if self.arena.borrow().nodes[id as usize].has(PENDING) {
                self.compute(id);
            }
        }
    }
}

impl<T: Float> Arena<T> {
    /// Drops the values of a region except its results, even if rules have declared to read them.
    fn drop_region(&mut self, region: &Region) {
        for id in (region.first..region.end).rev() {
            self.nodes[id as usize].flags |= CLOSED;
            let node = self.nodes[id as usize];
            let stays = node.op.is_given() || node.has(RETAINED) || region.results.contains(&id);
            if stays || node.readers > 0 {
                continue;
            }
            self.drop_value(id);
            self.clear_pending(id);
        }
    }

    /// Returns which nodes of a region must be computed so that rules can read the declared values, and
    /// the last of these nodes that reads each node.
    fn read_in_region(&self, region: &Region) -> (Vec<bool>, Vec<u32>) {
        let at = |id: u32| (id - region.first) as usize;
        let count = (region.end - region.first) as usize;
        let (mut wanted, mut lasts) = (vec![false; count], vec![0; count]);
        for id in (region.first..region.end).rev() {
            let node = &self.nodes[id as usize];
            if node.op.is_given() || self.is_computed(id) {
                wanted[at(id)] = false;
                continue;
            }
            if !node.has(SAVED) && !wanted[at(id)] {
                continue;
            }
            wanted[at(id)] = true;
            for &p in self.parents(id).iter().filter(|&&p| p >= region.first) {
                wanted[at(p)] = true;
                lasts[at(p)] = lasts[at(p)].max(id);
            }
        }
        (wanted, lasts)
    }

    /// Returns whether a span is the region itself.
    fn is_region(&self, span: &RegionSpan) -> bool {
        self.regions[span.region as usize].first == span.first
    }

    /// Returns the span that contains a node.
    pub fn span_of(&self, id: u32) -> Option<RegionSpan> {
        let place = self.spans.partition_point(|span| span.first <= id).checked_sub(1)?;
        Some(self.spans[place]).filter(|span| id < span.end)
    }
}
