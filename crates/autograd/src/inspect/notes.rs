//! Notes about the nodes of a tape: where each was recorded, and by which rule.

use crate::graph::{Op, Tape};
use std::cell::{Cell, RefCell};
use std::panic::Location;
use wengert_tensor::Float;

/// Stands for no node.
const NO_NODE: u32 = u32::MAX;

/// The notes of a tape, and the rule that is running.
pub(super) struct Notes {
    of: RefCell<Vec<Note>>,
    /// The scopes of the nodes. Consecutive equal scopes are stored once.
    paths: RefCell<Vec<String>>,
    /// The forward node whose rule is running.
    current_rule: Cell<u32>,
}

/// The place where a node was recorded.
#[derive(Clone, Copy)]
pub(super) struct Note {
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

impl Default for Notes {
    fn default() -> Self {
        Notes {
            of: RefCell::default(),
            paths: RefCell::default(),
            current_rule: Cell::new(NO_NODE),
        }
    }
}

impl Notes {
    /// Returns the forward node whose rule is running.
    pub fn current_rule(&self) -> Option<u32> {
        Some(self.current_rule.get()).filter(|&id| id != NO_NODE)
    }

    /// Notes that the rule of this node begins. Returns false if it is a step of another node's rule.
    pub fn begin_rule(&self, id: u32) -> bool {
        let outermost = self.current_rule().is_none();
        if outermost {
            self.current_rule.set(id);
        }
        outermost
    }

    /// Notes that the rule that began last has ended.
    pub fn end_rule(&self) {
        self.current_rule.set(NO_NODE);
    }

    pub fn note_of(&self, id: u32) -> Note {
        let none = Note { location: None, rule_of: NO_NODE, path: NO_NODE };
        self.of.borrow().get(id as usize).copied().unwrap_or(none)
    }

    /// Returns the scope in which a node was recorded. For a node that a rule recorded: the scope of the
    /// forward node.
    pub fn path_of(&self, id: u32) -> String {
        let path = self.note_of(id).path as usize;
        self.paths.borrow().get(path).cloned().unwrap_or_default()
    }

    /// Notes where a node was recorded.
    pub fn add<T: Float>(
        &self,
        tape: &Tape<T>,
        id: u32,
        location: Option<&'static Location<'static>>,
    ) {
        let rule_of = self.current_rule.get();
        let note = if let Some(of) = self.current_rule() {
            let of_rule = self.note_of(of);
            // For custom operations the line in the user's rule is more informative than that of the
            // operation.
            let custom = |_: &_| matches!(tape.arena.borrow().nodes[of as usize].op, Op::Custom(_));
            let location = location.filter(custom).or(of_rule.location);
            Note { location, rule_of, path: of_rule.path }
        } else {
            let paths = &mut *self.paths.borrow_mut();
            tape.scopes.see_path(|path| {
                if paths.last().is_none_or(|last| last != path) {
                    paths.push(path.to_string());
                }
            });
            Note { location, rule_of, path: paths.len() as u32 - 1 }
        };
        let notes = &mut *self.of.borrow_mut();
        // The nodes of a walk's scratch may have been truncated.
        notes.truncate(id as usize);
        notes.resize(id as usize + 1, note);
    }
}
