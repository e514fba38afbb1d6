//! The names of the open scopes, and a record of the scopes that have ended.

use crate::module::{Entered, FirstState, ModelPath, Module, Register, StateId};
use std::cell::{Cell, RefCell};
use std::fmt::Write;
use std::mem;
use std::ops::Range;
use wengert_tensor::Shape;

/// A scope that has ended on a shape-only run. Model summaries are made of these.
#[derive(Clone, Debug, PartialEq)]
pub struct ScopeSummary {
    /// The names of the enclosing scopes and of this scope, joined by dots.
    pub path: String,
    /// The number of enclosing scopes.
    pub depth: usize,
    /// The shape of the first result.
    pub shape: Option<Shape>,
    /// The type of the module that was entered; empty for a scope of [`Tape::scope`](crate::Tape::scope).
    pub kind: &'static str,
    /// The path of that module in the first model that the tape entered, if it differs from `path`.
    /// Names of `Tape::scope` are not part of it.
    pub module_path: Option<String>,
}

/// The open scopes, and on shape-only runs the summaries of ended scopes.
pub(crate) struct Scopes {
    names: RefCell<Names>,
    summaries: RefCell<Vec<ScopeSummary>>,
}

/// The scopes that have ended, and the nodes that were recorded in them.
#[derive(Default)]
struct Recorded {
    /// Their concatenated paths.
    text: String,
    scopes: Vec<ScopeSpan>,
    /// Their results, one scope after the other.
    results: Vec<u32>,
}

struct ScopeSpan {
    /// The end of the path in `Recorded::text`. It begins at the end of the previous path.
    path: u32,
    nodes: (u32, u32),
    /// The end of its results in `Recorded::results`.
    results: u32,
}

impl Recorded {
    /// Returns each scope with its path and its results, in the order in which the scopes ended.
    fn each(&self) -> impl Iterator<Item = (&str, &ScopeSpan, &[u32])> {
        let (mut start, mut first) = (0, 0);
        self.scopes.iter().map(move |span| {
            let (end, last) = (span.path as usize, span.results as usize);
            let of_scope = (&self.text[start..end], span, &self.results[first..last]);
            (start, first) = (end, last);
            of_scope
        })
    }
}

/// The names of the open scopes.
struct Names {
    /// The path of the innermost scope, after the paths that it does not continue.
    text: String,
    /// The tape itself, then the open scopes.
    open: Vec<Level>,
    /// The number of uses of each type name, by open scope.
    counts: Vec<(&'static str, u32)>,
    register: Register,
    recorded: Recorded,
}

/// The tape itself or an open scope.
#[derive(Clone, Copy)]
struct Level {
    /// The start of its path in `Names::text`.
    start: u32,
    /// The lengths of `Names::text` and `Names::counts` when it was opened.
    text: u32,
    counts: u32,
    /// The number of named scopes that contain it, including itself.
    depth: u32,
    /// Whether it has a name of its own.
    named: bool,
    lies: Lies,
    /// Whether a model without a name was entered in it.
    rooted: bool,
    /// The path of the module in its model, if the module has parameters or buffers.
    place: Option<ModelPath>,
    /// The type of the module, on shape-only runs.
    kind: &'static str,
}

/// The position of a scope relative to modules.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lies {
    /// Not inside a module.
    Outside,
    /// Inside a module.
    Inside,
    /// The scope of a module itself.
    Module,
}

/// The tape itself.
const BOTTOM: Level = Level {
    start: 0,
    text: 0,
    counts: 0,
    depth: 0,
    named: false,
    lies: Lies::Outside,
    rooted: false,
    place: None,
    kind: "",
};

thread_local! {
    /// The memory of a finished run, reused by the next one.
    static RECYCLED: Cell<Option<Names>> = const { Cell::new(None) };
}

impl Default for Scopes {
    fn default() -> Self {
        let recycled = RECYCLED.try_with(Cell::take).ok().flatten();
        let names = recycled.unwrap_or_else(|| Names {
            text: String::new(),
            open: vec![BOTTOM],
            counts: Vec::new(),
            register: Register::default(),
            recorded: Recorded::default(),
        });
        Scopes { names: RefCell::new(names), summaries: RefCell::default() }
    }
}

impl Drop for Scopes {
    fn drop(&mut self) {
        let names = self.names.get_mut();
        names.text.clear();
        names.open.clear();
        names.open.push(BOTTOM);
        names.counts.clear();
        names.register.clear();
        names.recorded.text.clear();
        names.recorded.scopes.clear();
        names.recorded.results.clear();
        let names = Names {
            text: mem::take(&mut names.text),
            open: mem::take(&mut names.open),
            counts: mem::take(&mut names.counts),
            register: mem::take(&mut names.register),
            recorded: mem::take(&mut names.recorded),
        };
        let _ = RECYCLED.try_with(|recycled| recycled.set(Some(names)));
    }
}

impl Scopes {
    /// Opens a scope with this name.
    pub fn scope(&self, name: &str) {
        self.names.borrow_mut().scope(name);
    }

    /// Opens the scope of a module, and finds its name.
    #[inline]
    pub fn enter<M: Module + ?Sized>(&self, module: &M) {
        self.names.borrow_mut().enter(&module);
    }

    /// Opens the scope of a module under this name.
    pub fn enter_as<M: Module + ?Sized>(&self, name: &str, module: &M) {
        self.names.borrow_mut().enter_as(name, &module);
    }

    /// Sets the type of the module whose scope is the innermost.
    pub fn set_kind(&self, kind: &'static str) {
        self.names.borrow_mut().top_mut().kind = kind;
    }

    /// Closes the innermost scope.
    #[inline]
    pub fn leave(&self) {
        self.names.borrow_mut().leave();
    }

    /// Returns the path of the innermost scope.
    pub fn path(&self) -> String {
        self.names.borrow().path().to_string()
    }

    /// Returns the scopes that have ended on a shape-only run.
    pub fn summaries(&self) -> Vec<ScopeSummary> {
        self.summaries.borrow().clone()
    }

    /// Records the nodes of the innermost scope when it ends.
    #[inline]
    pub fn record(&self, first: u32, end: u32, results: impl Iterator<Item = u32>) {
        let names = &mut *self.names.borrow_mut();
        let &Level { named, start, .. } = names.top();
        if named && end > first {
            let Names { text, recorded, .. } = names;
            recorded.text.push_str(&text[start as usize..]);
            let path = recorded.text.len() as u32;
            recorded.results.extend(results);
            let results = recorded.results.len() as u32;
            recorded.scopes.push(ScopeSpan { path, nodes: (first, end), results });
        }
    }

    /// Calls `see` with the path of the innermost scope.
    pub fn see_path(&self, see: impl FnOnce(&str)) {
        see(self.names.borrow().path());
    }

    /// Calls `see` for each scope that has ended, in the order in which they ended, with its path and
    /// its nodes.
    pub fn see_ended(&self, mut see: impl FnMut(&str, Range<u32>)) {
        for (path, span, _) in self.names.borrow().recorded.each() {
            see(path, span.nodes.0..span.nodes.1);
        }
    }

    /// Returns the results of the scopes with this path, in the order in which the scopes ended.
    pub fn results_of(&self, path: &str) -> Vec<Vec<u32>> {
        let recorded = &self.names.borrow().recorded;
        let of_path = recorded.each().filter(|(known, ..)| *known == path);
        of_path.map(|(_, _, results)| results.to_vec()).collect()
    }

    /// Returns the paths of the scopes that have ended, in alphabetical order, without duplicates.
    pub fn paths(&self) -> Vec<String> {
        let recorded = &self.names.borrow().recorded;
        let mut paths: Vec<String> = recorded.each().map(|(path, ..)| path.into()).collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// Returns the path of a parameter or buffer of a model that was entered.
    pub fn name_of(&self, state: StateId) -> Option<String> {
        let names = self.names.borrow();
        let place = names.register.find(FirstState::at(state, 0))?;
        let (model, path) = (names.register.name_of(place.model), names.register.path(place));
        Some(if model.is_empty() { path.into() } else { format!("{model}.{path}") })
    }

    /// Adds a summary of the innermost scope when it ends.
    pub fn summarise(&self, shape: Option<Shape>) {
        let names = self.names.borrow();
        let level = names.top();
        if !level.named {
            return;
        }
        let path = names.path();
        let place = level.place.filter(|place| place.model == 0);
        let place = place.map(|place| names.register.path(place)).filter(|place| *place != path);
        self.summaries.borrow_mut().push(ScopeSummary {
            path: path.into(),
            depth: level.depth as usize - 1,
            shape,
            kind: level.kind,
            module_path: place.map(Into::into),
        });
    }
}

impl Names {
    #[inline]
    fn top(&self) -> &Level {
        self.open.last().expect("the tape itself is never closed")
    }

    #[inline]
    fn top_mut(&mut self) -> &mut Level {
        self.open.last_mut().expect("the tape itself is never closed")
    }

    fn path(&self) -> &str {
        &self.text[self.top().start as usize..]
    }

    /// Returns a level inside the innermost one that adds no name yet.
    #[inline]
    fn level(&self) -> Level {
        Level {
            text: self.text.len() as u32,
            counts: self.counts.len() as u32,
            named: false,
            lies: Lies::Module,
            rooted: false,
            place: None,
            kind: "",
            ..*self.top()
        }
    }

    fn scope(&mut self, name: &str) {
        let lies = match self.top().lies {
            Lies::Outside => Lies::Outside,
            Lies::Inside | Lies::Module => Lies::Inside,
        };
        let level = Level { lies, ..self.level() };
        self.push(level, name);
    }

    /// Opens a level with this name appended to its path. An empty name is not appended.
    #[inline]
    fn push(&mut self, mut level: Level, name: &str) {
        append(&mut self.text, level.start, name);
        level.named = self.text.len() > level.text as usize;
        level.depth += u32::from(level.named);
        self.open.push(level);
    }

    #[inline]
    fn leave(&mut self) {
        if let Some(level) = self.open.pop() {
            self.text.truncate(level.text as usize);
            self.counts.truncate(level.counts as usize);
        }
    }

    #[inline]
    fn enter(&mut self, module: &dyn Entered) {
        let Some(first) = module.first_state() else { return self.enter_stateless(module) };
        let Some(place) = self.register.find(first) else { return self.enter_unknown(module) };
        let level = Level { place: Some(place), ..self.level() };
        // The innermost enclosing module, and the path from it.
        let near = self.open.iter().rev().find_map(|level| level.place);
        if let Some(name) = near.and_then(|near| self.register.relative(near, place)) {
            append(&mut self.text, level.start, name);
            let named = self.text.len() > level.text as usize;
            self.open.push(Level { named, depth: level.depth + u32::from(named), ..level });
        } else {
            self.enter_elsewhere(level, place);
        }
    }

    /// Opens the level of a module that is not part of the innermost enclosing module.
    #[cold]
    fn enter_elsewhere(&mut self, mut level: Level, place: ModelPath) {
        let Names { text, open, register, .. } = self;
        // Scopes between the two are not part of its path.
        let around = (1..open.len())
            .rev()
            .find_map(|i| Some((i, register.relative(open[i].place?, place)?)));
        let of_model = |level: &Level| level.place.is_some_and(|other| other.model == place.model);
        if let Some((around, name)) = around {
            continue_at(text, open, around, &mut level);
            append(text, level.start, name);
        } else {
            if let Some(first) = open.iter().position(of_model) {
                continue_at(text, open, first - 1, &mut level);
            }
            append(text, level.start, register.name_of(place.model));
            append(text, level.start, register.path(place));
        }
        self.push(level, "");
    }

    /// Opens the level of a module without parameters and buffers. It is named by its type, unless it is
    /// outside all modules and models.
    fn enter_stateless(&mut self, module: &dyn Entered) {
        let (top, level) = (self.top(), self.level());
        if top.lies != Lies::Outside || top.rooted {
            self.count(module.type_name(), level);
        } else {
            self.push(level, "");
        }
    }

    /// Opens the level of a model: a module that is not part of a module that was entered before.
    #[cold]
    fn enter_unknown(&mut self, module: &dyn Entered) {
        let (place, part) = self.register.add(module);
        let level = Level { place: Some(place), ..self.level() };
        if let Some(part) = part {
            self.register.name_as(place.model, part);
            let Names { text, register, .. } = self;
            append(text, level.start, register.name_of(part));
            self.push(level, "");
        } else if self.top().lies == Lies::Module || self.top().rooted {
            self.count(module.type_name(), level);
            let Names { text, register, .. } = self;
            let name = &text[level.text as usize..];
            register.name(place.model, name.strip_prefix('.').unwrap_or(name));
        } else {
            self.top_mut().rooted = true;
            self.push(level, "");
        }
    }

    fn enter_as(&mut self, name: &str, module: &dyn Entered) {
        let place = module.first_state().map(|first| {
            self.register.find(first).unwrap_or_else(|| {
                let (place, _) = self.register.add(module);
                self.register.name(place.model, name);
                place
            })
        });
        self.push(Level { place, ..self.level() }, name);
    }

    /// Opens a level named by a type. From the second such level in the same scope on, a number is
    /// appended.
    fn count(&mut self, name: &'static str, mut level: Level) {
        let first = self.top().counts as usize;
        let of_scope = &mut self.counts[first..];
        let known = of_scope.iter_mut().find(|(known, _)| *known == name);
        let number = known.map(|(_, number)| {
            *number += 1;
            *number
        });
        if number.is_none() {
            self.counts.push((name, 1));
        }
        level.counts = self.counts.len() as u32;
        append(&mut self.text, level.start, name);
        if let Some(number) = number {
            let _ = write!(self.text, "_{number}");
        }
        self.push(level, "");
    }
}

/// Appends a name to the path that begins at `start`.
#[inline]
fn append(text: &mut String, start: u32, name: &str) {
    if !name.is_empty() {
        if text.len() > start as usize {
            text.push('.');
        }
        text.push_str(name);
    }
}

/// Starts the path of a new level with that of an open level that is not the innermost.
fn continue_at(text: &mut String, open: &[Level], at: usize, level: &mut Level) {
    level.start = text.len() as u32;
    text.extend_from_within(open[at].start as usize..open[at + 1].text as usize);
}
