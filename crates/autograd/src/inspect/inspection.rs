//! What a tape that is inspected stores: the notes about its nodes, the kernels of the profile, and the found
//! anomaly.

use super::anomaly::{Anomalies, Anomaly};
use super::notes::Notes;
use super::profile::Recorder;
use crate::graph::Tape;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use wengert_tensor::Float;

/// The notes about the nodes of a tape, and the tools that use them.
#[derive(Default)]
pub(super) struct Inspection {
    pub notes: Notes,
    pub recorder: Option<RefCell<Recorder>>,
    pub anomalies: Option<Anomalies>,
    /// The anomaly that was refused last.
    pub found: RefCell<Option<Anomaly>>,
    /// Whether it was found in a walk that has not ended. It is refused when the walk ends.
    pub unreported: Cell<bool>,
    /// Whether an infinity was permitted before. Sums and tangents may be infinite because of it.
    pub permitted: Cell<bool>,
    /// The nodes that rules have returned as cotangents: the node of the rule, and the operand. A replay
    /// checks them again.
    pub cotangents: RefCell<BTreeMap<u32, (u32, usize)>>,
}

impl<T: Float> Tape<T> {
    /// Returns the inspection of this tape, and starts it if there is none.
    pub(super) fn inspected(&mut self) -> &mut Inspection {
        let observer = self.observer.get_or_insert_with(|| Box::<Inspection>::default());
        (&mut **observer as &mut dyn Any).downcast_mut().expect("the only kind of observer")
    }

    /// Returns the inspection of this tape, if there is one.
    pub(super) fn inspection(&self) -> Option<&Inspection> {
        (self.observer.as_deref()? as &dyn Any).downcast_ref()
    }
}
