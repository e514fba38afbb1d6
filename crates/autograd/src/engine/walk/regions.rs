//! Activation checkpoints that a walk enters and leaves. The values of a region are computed when the walk enters it,
//! and dropped when it leaves. (`engine/checkpoint.rs` does both; the invariant *Regions* is listed in
//! `engine/mod.rs`.)

use super::{Aim, Walk};
use crate::graph::RegionSpan;
use wengert_tensor::Float;

impl<T: Float> Walk<'_, T> {
    /// Leaves the region that the walk is in, if this node is before it, and enters the region of the node.
    #[cold]
    pub(super) fn change_region(&mut self, id: u32) {
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

    pub(super) fn leave_region(&mut self) {
        let Some((RegionSpan { region, .. }, first)) = self.region else { return };
        let tape = self.tape;
        let keeps_history = self.aim != Aim::Numbers;
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
}
