//! What a tape notes for those who look on: which kernels run and how long they take (`profile.rs`), where
//! the first NaN comes from (`anomaly.rs`). A tape that nobody observes has no observer, and notes nothing.

use crate::anomaly::{Anomalies, Anomaly};
use crate::op::Op;
use crate::profile::Recorder;
use crate::tape::{Arena, Tape};
use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::time::Instant;
use wengert_tensor::{Float, Tensor};

/// No node.
const NOBODY: u32 = u32::MAX;

/// The notes about the nodes of a tape, and what they are for.
pub(crate) struct Observer {
    notes: RefCell<Notes>,
    /// The forward node whose rule is at work.
    charged: Cell<u32>,
    pub recorder: Option<RefCell<Recorder>>,
    pub anomalies: Option<Anomalies>,
    /// The anomaly that was refused last.
    pub found: RefCell<Option<Anomaly>>,
    /// Whether it was found in a walk that goes on, and is still to be refused.
    pub due: Cell<bool>,
}

#[derive(Default)]
struct Notes {
    of: Vec<Note>,
    /// The scopes of the nodes, without those that only repeat the one before.
    paths: Vec<String>,
}

/// Where a node was recorded.
#[derive(Clone, Copy)]
pub(crate) struct Note {
    pub location: Option<&'static Location<'static>>,
    /// The forward node whose rule recorded it.
    rule_of: u32,
    /// An entry of `Notes::paths`.
    path: u32,
}

impl Note {
    pub fn rule_of(self) -> Option<u32> {
        (self.rule_of != NOBODY).then_some(self.rule_of)
    }
}

/// The rule of a node is at work, until this is dropped.
pub(crate) struct Charge<'t>(&'t Cell<u32>);
impl Drop for Charge<'_> {
    fn drop(&mut self) {
        self.0.set(NOBODY);
    }
}

/// A kernel that has run, before its values are stored.
pub(crate) struct Ran<'a, T: Float> {
    pub begun: Instant,
    pub ended: Instant,
    /// The node that was asked for, and the first output of its operation.
    pub id: u32,
    pub first: u32,
    pub inputs: &'a [Tensor<T>],
    pub values: &'a [Tensor<T>],
    pub whole: Option<&'a Tensor<i64>>,
}

impl Default for Observer {
    fn default() -> Self {
        Observer {
            notes: RefCell::default(),
            charged: Cell::new(NOBODY),
            recorder: None,
            anomalies: None,
            found: RefCell::default(),
            due: Cell::new(false),
        }
    }
}

impl Observer {
    /// The forward node whose rule is at work.
    pub fn charged(&self) -> Option<u32> {
        Some(self.charged.get()).filter(|&id| id != NOBODY)
    }

    pub fn note_of(&self, id: u32) -> Note {
        let none = Note { location: None, rule_of: NOBODY, path: NOBODY };
        self.notes.borrow().of.get(id as usize).copied().unwrap_or(none)
    }

    /// The scope in which a node was recorded; that of the forward node if a rule recorded it.
    pub fn path_of(&self, id: u32) -> String {
        let path = self.note_of(id).path as usize;
        self.notes.borrow().paths.get(path).cloned().unwrap_or_default()
    }
}

impl<T: Float> Tape<T> {
    pub(crate) fn observed(&mut self) -> &mut Observer {
        self.observer.get_or_insert_default()
    }

    /// Notes where a new node was recorded: the last one of the tape.
    #[inline]
    #[track_caller]
    pub(crate) fn note(&self, id: u32) {
        if let Some(observer) = &self.observer {
            self.write_note(observer, id, Some(Location::caller()));
        }
    }

    /// Notes a node that the engine itself has put on the tape.
    #[inline]
    pub(crate) fn note_own(&self, id: u32) {
        if let Some(observer) = &self.observer {
            self.write_note(observer, id, None);
        }
    }

    #[cold]
    #[inline(never)]
    fn write_note(
        &self,
        observer: &Observer,
        id: u32,
        location: Option<&'static Location<'static>>,
    ) {
        let rule_of = observer.charged.get();
        let note = if let Some(of) = observer.charged() {
            let of_rule = observer.note_of(of);
            // The line of a user's own rule says more than that of the operation.
            let custom = |_: &_| matches!(self.arena.borrow().nodes[of as usize].op, Op::Custom(_));
            let location = location.filter(custom).or(of_rule.location);
            Note { location, rule_of, path: of_rule.path }
        } else {
            let paths = &mut observer.notes.borrow_mut().paths;
            self.scopes.see_path(|path| {
                if paths.last().is_none_or(|last| last != path) {
                    paths.push(path.to_string());
                }
            });
            Note { location, rule_of, path: paths.len() as u32 - 1 }
        };
        let notes = &mut observer.notes.borrow_mut().of;
        // What a walk had put on the tape may be gone.
        notes.truncate(id as usize);
        notes.resize(id as usize + 1, note);
    }

    /// What is recorded and computed until the answer is dropped is the work of this node's rule. Rules
    /// within rules work for the outermost.
    #[inline]
    pub(crate) fn charge(&self, id: u32) -> Option<Charge<'_>> {
        match &self.observer {
            None => None,
            Some(observer) => {
                if observer.charged().is_some() {
                    return None;
                }
                observer.charged.set(id);
                Some(Charge(&observer.charged))
            }
        }
    }

    /// Looks at what a kernel has computed, before it is stored.
    #[cold]
    #[inline(never)]
    #[track_caller]
    pub(crate) fn observe(&self, observer: &Observer, ran: &Ran<'_, T>) {
        if let Some(recorder) = &observer.recorder {
            recorder.borrow_mut().kernel(self, observer, ran);
        }
        if observer.anomalies.is_some() {
            self.check_computed(observer, ran);
        }
    }
}

impl<T: Float> Arena<T> {
    /// The nodes that the kernel computes that is about to give these nodes their values: with them
    /// those that were fused with them.
    pub(crate) fn computed_with(&self, id: u32, first: u32, outputs: u32) -> Vec<u32> {
        let mut nodes: Vec<u32> =
            if outputs > 0 { (first..first + outputs).collect() } else { vec![id] };
        let op = self.nodes[id as usize].op;
        let mut look = vec![];
        if op.opcode().is_some() || op == Op::Reduce(crate::ops::Reduce::Sum) {
            look.extend_from_slice(self.parents(id));
        }
        while let Some(p) = look.pop() {
            let of = self.nodes[p as usize].op;
            if !self.is_computed(p) && of.opcode().is_some() && !nodes.contains(&p) {
                nodes.push(p);
                look.extend_from_slice(self.parents(p));
            }
        }
        nodes.sort_unstable();
        nodes
    }
}
