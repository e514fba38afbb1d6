//! The observer of a tape. It notes where each node was recorded, for the profile (`profile`) and for
//! the detection of anomalies (`anomaly.rs`).

use super::anomaly::{Anomalies, Anomaly, AnomalyPlace};
use crate::graph::{Arena, Call, Derivative, Observer, Op, Ran, Reduce, Tape, Var, Verdict};
use crate::inspect::profile::Recorder;
use crate::module::StateId;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::Location;
use wengert_tensor::{Float, Instant};

/// Stands for no node.
const NO_NODE: u32 = u32::MAX;

/// Notes about the nodes of a tape, and the tools that use them.
pub(crate) struct Inspection {
    notes: RefCell<Notes>,
    /// The forward node whose rule is running.
    current_rule: Cell<u32>,
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

#[derive(Default)]
struct Notes {
    of: Vec<Note>,
    /// The scopes of the nodes. Consecutive equal scopes are stored once.
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
        (self.rule_of != NO_NODE).then_some(self.rule_of)
    }
}

impl Default for Inspection {
    fn default() -> Self {
        Inspection {
            notes: RefCell::default(),
            current_rule: Cell::new(NO_NODE),
            recorder: None,
            anomalies: None,
            found: RefCell::default(),
            unreported: Cell::new(false),
            permitted: Cell::new(false),
            cotangents: RefCell::default(),
        }
    }
}

impl Inspection {
    /// Returns the forward node whose rule is running.
    pub fn current_rule(&self) -> Option<u32> {
        Some(self.current_rule.get()).filter(|&id| id != NO_NODE)
    }

    pub fn note_of(&self, id: u32) -> Note {
        let none = Note { location: None, rule_of: NO_NODE, path: NO_NODE };
        self.notes.borrow().of.get(id as usize).copied().unwrap_or(none)
    }

    /// Returns the scope in which a node was recorded. For a node that a rule recorded: the scope of the
    /// forward node.
    pub fn path_of(&self, id: u32) -> String {
        let path = self.note_of(id).path as usize;
        self.notes.borrow().paths.get(path).cloned().unwrap_or_default()
    }
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

impl<T: Float> Observer<T> for Inspection {
    fn recorded(&self, tape: &Tape<T>, id: u32, location: Option<&'static Location<'static>>) {
        let rule_of = self.current_rule.get();
        let note = if let Some(of) = self.current_rule() {
            let of_rule = self.note_of(of);
            // For custom operations the line in the user's rule is more informative than that of the
            // operation.
            let custom = |_: &_| matches!(tape.arena.borrow().nodes[of as usize].op, Op::Custom(_));
            let location = location.filter(custom).or(of_rule.location);
            Note { location, rule_of, path: of_rule.path }
        } else {
            let paths = &mut self.notes.borrow_mut().paths;
            tape.scopes.see_path(|path| {
                if paths.last().is_none_or(|last| last != path) {
                    paths.push(path.to_string());
                }
            });
            Note { location, rule_of, path: paths.len() as u32 - 1 }
        };
        let notes = &mut self.notes.borrow_mut().of;
        // The nodes of a walk's scratch may have been truncated.
        notes.truncate(id as usize);
        self.cotangents.borrow_mut().split_off(&id);
        notes.resize(id as usize + 1, note);
    }

    fn given(&self, tape: &Tape<T>, id: u32, op: &str, state: Option<StateId>) -> Verdict {
        self.check_given(tape, id, op, state)
    }

    fn given_again(&self, tape: &Tape<T>) -> Verdict {
        self.check_all_given(tape)
    }

    fn computed(&self, tape: &Tape<T>, ran: &Ran<'_, T>) -> Verdict {
        if let Some(recorder) = &self.recorder {
            recorder.borrow_mut().kernel(tape, self, ran);
        }
        self.check_computed(tape, ran)
    }

    fn added(&self, tape: &Tape<T>, to: u32, begun: Instant, bytes: u64) {
        if let Some(recorder) = &self.recorder {
            recorder.borrow_mut().addition(tape, self, to, begun, bytes);
        }
    }

    fn begin_rule(&self, id: u32) -> bool {
        let outermost = self.current_rule().is_none();
        if outermost {
            self.current_rule.set(id);
        }
        outermost
    }

    fn end_rule(&self) {
        self.current_rule.set(NO_NODE);
    }

    fn cotangents(
        &self,
        tape: &Tape<T>,
        call: &Call<'_, '_, T>,
        cotangents: &[Option<Var<'_, T>>],
    ) {
        self.check_rule(tape, call, cotangents);
    }

    fn complete(&self, tape: &Tape<T>, id: u32, what: Derivative, g: Var<'_, T>) {
        let place = match what {
            Derivative::Cotangent => AnomalyPlace::Sum,
            Derivative::Hooked => AnomalyPlace::Hook,
            Derivative::Tangent => AnomalyPlace::Tangent,
        };
        self.check_complete(tape, id, place, g);
    }

    fn end_walk(&self) -> Verdict {
        self.refuse_found()
    }

    fn wants_eager(&self) -> bool {
        self.anomalies.is_some()
    }
}

impl<T: Float> Arena<T> {
    /// Returns the nodes that a kernel computes, which is about to give these nodes their values. Nodes
    /// that are fused with them are included.
    pub(crate) fn computed_with(&self, id: u32, first: u32, outputs: u32) -> Vec<u32> {
        let mut nodes: Vec<u32> =
            if outputs > 0 { (first..first + outputs).collect() } else { vec![id] };
        let op = self.nodes[id as usize].op;
        let mut look = vec![];
        if op.opcode().is_some() || op == Op::Reduce(Reduce::Sum) {
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
