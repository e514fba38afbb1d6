//! Batch normalisations that are computed together with what follows them: a rectifier, a residual, or both, and in the
//! gradient the gate of the rectifier. One pass over memory then does the work of two or three.

use super::{Ids, Made, Plan};
use crate::graph::{Arena, Normalize, Op, PENDING, RELEASED, RETAINED, SAVED, Tape};
use smallvec::SmallVec;
use wengert_tensor::{Binary, Float, Tensor, Unary};

/// Returns whether an operation normalises channels. It stays pending, so that it can be computed together with a
/// rectifier or a residual behind it.
pub(super) fn is_batch_norm(op: Op) -> bool {
    matches!(op, Op::Normalize(Normalize::Batch { .. }))
}

impl<T: Float> Tape<T> {
    /// Computes the gradient of a batch normalisation behind a rectifier, and stores gy in front of the rectifier as the
    /// value of the node `kept`.
    pub(super) fn rectified(
        &self,
        x: &[Tensor<T>],
        eps: f64,
        y: &Tensor<T>,
        kept: Option<u32>,
    ) -> Made<T> {
        let of = [&x[1], &x[2], &x[3]];
        let (all, passed) = x[0].batch_norm_gradient(of, x.get(4), eps, Some(y), kept.is_some());
        if let (Some(kept), Some(passed)) = (kept, passed) {
            self.arena.borrow_mut().finish(kept, passed);
        }
        Made::Outputs(all.into_iter().collect(), None)
    }
}

impl<T: Float> Arena<T> {
    /// Plans a rectifier, a sum, or the rectifier of a sum, of a pending batch normalisation that nothing else reads:
    /// one pass computes both.
    pub(super) fn behind_batch_norm(&self, id: u32) -> Option<Plan<T>> {
        let waits = |id: u32| {
            let node = &self.nodes[id as usize];
            is_batch_norm(node.op)
                && id >= self.ended
                && node.has(PENDING)
                && !node.has(SAVED | RETAINED | RELEASED)
                && node.readers == 1
        };
        let relu = self.nodes[id as usize].op == Op::Unary(Unary::Relu);
        let last = if relu { self.parents(id)[0] } else { id };
        let (batch, residual) = if relu && waits(last) {
            (last, None)
        } else {
            let node = &self.nodes[last as usize];
            let alone = !relu || self.joins(last) && !node.has(SAVED) && node.readers == 1;
            if node.op != Op::Binary(Binary::Add) || !alone {
                return None;
            }
            match *self.parents(last) {
                [a, b] if waits(b) && a != b => (b, Some(a)),
                [a, b] if waits(a) && a != b => (a, Some(b)),
                _ => return None,
            }
        };
        let parents = self.parents(batch);
        let all = parents.iter().copied().chain(residual);
        let missing: Ids = all.filter(|&p| !self.is_computed(p)).collect();
        if !missing.is_empty() {
            return Some(Plan::After(missing));
        }
        let Op::Normalize(Normalize::Batch { eps }) = self.nodes[batch as usize].op else {
            return None;
        };
        let residual = residual.and_then(|id| self.values[id as usize].clone());
        Some(Plan::Normalized(self.computed(parents), eps.get(), residual, relu))
    }

    /// Plans the gradient of a batch normalisation whose gy is pending behind the gate of a rectifier: the pass that
    /// reads gy closes the gate.
    pub(super) fn gradient_of_rectified(&self, first: u32) -> Option<Plan<T>> {
        let Op::Normalize(Normalize::BatchGradient { eps }) = self.nodes[first as usize].op else {
            return None;
        };
        let mut parents = SmallVec::<[u32; 5]>::from_slice(self.parents(first));
        let gy = parents[3];
        let node = self.nodes[gy as usize];
        if !self.joins(gy) || node.op != Op::Binary(Binary::Gate) {
            return None;
        }
        let [gate, g] = *self.parents(gy) else { return None };
        if self.nodes[gate as usize].op != Op::Unary(Unary::Eq(0.0)) {
            return None;
        }
        let y = self.parents(gate)[0];
        if self.nodes[y as usize].op != Op::Unary(Unary::Relu) {
            return None;
        }
        parents[3] = g;
        let all = parents.iter().copied().chain([y]);
        let missing: Ids = all.filter(|&p| !self.is_computed(p)).collect();
        if !missing.is_empty() {
            return Some(Plan::After(missing));
        }
        let kept = (node.readers > 0 || node.has(SAVED)).then_some(gy);
        let y = self.values[y as usize].clone()?;
        Some(Plan::Rectified(first, self.computed(&parents), eps.get(), y, kept))
    }
}
