//! Named scopes: errors, summaries and profiles speak of `conv2`, not of node 17.

use crate::graph::GraphScope;
use crate::index::Index;
use crate::module::Module;
use crate::names::{FirstState, Place, Register};
use crate::param::StateId;
use crate::tape::Tape;
use crate::var::Var;
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::fmt::Write;
use std::mem;
use wengert_tensor::{Float, Shape};

/// The open scopes, and on abstract runs what each gave.
pub(crate) struct Scopes {
    names: RefCell<Names>,
    trace: RefCell<Vec<Trace>>,
}

/// The scopes that have ended, and which nodes were recorded in them.
#[derive(Default)]
struct Recorded {
    /// Their paths, one behind the other.
    text: String,
    scopes: Vec<Span>,
    /// Their results, one scope behind the other.
    results: Vec<u32>,
}

struct Span {
    /// Where the path ends in `Recorded::text`: it begins where that of the scope before ends.
    path: u32,
    nodes: (u32, u32),
    /// Where its results end in `Recorded::results`.
    results: u32,
}

impl Recorded {
    /// Each scope with its path and its results, in the order in which they ended.
    fn each(&self) -> impl Iterator<Item = (&str, &Span, &[u32])> {
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
    /// The path of the innermost scope, behind those that it does not continue.
    text: String,
    /// The tape itself, then the open scopes.
    open: Vec<Level>,
    /// How often layers of a type were named in the open scopes, by scope.
    counts: Vec<(&'static str, u32)>,
    register: Register,
    recorded: Recorded,
}

/// The tape itself or an open scope.
#[derive(Clone, Copy)]
struct Level {
    /// Where its path starts in `Names::text`.
    start: u32,
    /// How long `Names::text` and `Names::counts` were when it was opened.
    text: u32,
    counts: u32,
    /// How many scopes with a name lead to it, its own included.
    depth: u32,
    /// Whether it has a name of its own.
    named: bool,
    lies: Lies,
    /// Whether a model without a name was entered in it.
    rooted: bool,
    /// Where the module lies in its model, if it has any state.
    place: Option<Place>,
    /// The type of the module, on abstract runs.
    kind: &'static str,
}

/// Where a scope lies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lies {
    /// In no module.
    Outside,
    /// In a module.
    Inside,
    /// It is the scope of a module.
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

/// A scope that has ended on an abstract run: what a model summary is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// The names of the scopes around it and its own, joined by dots.
    pub path: String,
    /// How many scopes it lies in.
    pub depth: usize,
    /// The shape of its (first) result.
    pub shape: Option<Shape>,
    /// The type of the module that was entered; empty for a scope of [`Tape::scope`].
    pub kind: &'static str,
    /// Where that module lies in the first model that the tape entered, if it is not `path`: without
    /// the names of scopes of [`Tape::scope`].
    pub place: Option<String>,
}

/// What a scope may return: variables, masks and indices in any number. They stay readable, everything else that the
/// scope computed goes when no rule needs it.
#[diagnostic::on_unimplemented(
    message = "a scope returns variables, not `{Self}`",
    label = "expected a variable, or a tuple, array or `Vec` of them"
)]
pub trait ScopeResult<'t, T: Float> {
    /// Calls `see` with each variable.
    fn each(&self, see: &mut dyn FnMut(Var<'t, T>));
}
impl<'t, T: Float> ScopeResult<'t, T> for Var<'t, T> {
    fn each(&self, see: &mut dyn FnMut(Var<'t, T>)) {
        see(*self);
    }
}
impl<'t, T: Float> ScopeResult<'t, T> for Index<'t, T> {
    fn each(&self, see: &mut dyn FnMut(Var<'t, T>)) {
        see(Var { tape: self.tape, id: self.id });
    }
}
impl<'t, T: Float, R: ScopeResult<'t, T>> ScopeResult<'t, T> for Vec<R> {
    fn each(&self, see: &mut dyn FnMut(Var<'t, T>)) {
        for r in self {
            r.each(see);
        }
    }
}
impl<'t, T: Float, R: ScopeResult<'t, T>, const N: usize> ScopeResult<'t, T> for [R; N] {
    fn each(&self, see: &mut dyn FnMut(Var<'t, T>)) {
        for r in self {
            r.each(see);
        }
    }
}
impl<'t, T: Float, A: ScopeResult<'t, T>, B: ScopeResult<'t, T>> ScopeResult<'t, T> for (A, B) {
    fn each(&self, see: &mut dyn FnMut(Var<'t, T>)) {
        self.0.each(see);
        self.1.each(see);
    }
}
impl<'t, T: Float, A: ScopeResult<'t, T>, B: ScopeResult<'t, T>, C: ScopeResult<'t, T>>
    ScopeResult<'t, T> for (A, B, C)
{
    fn each(&self, see: &mut dyn FnMut(Var<'t, T>)) {
        self.0.each(see);
        self.1.each(see);
        self.2.each(see);
    }
}

/// The scope of a module that is entered: from [`Tape::open`].
///
/// It ends with [`close`](OpenScope::close). Where it is dropped instead (a panic passes through),
/// the name ends, and nothing is released.
#[must_use = "a scope ends with `close(result)`"]
pub struct OpenScope<'t, T: Float> {
    tape: &'t Tape<T>,
    /// How many nodes there were before.
    first: u32,
}

impl<'t, T: Float> OpenScope<'t, T> {
    /// Ends the scope. What it computed is released unless it is a result, a derivative rule will
    /// read it, or [`value`](Var::value) asked for it.
    ///
    /// # Panics
    /// If a result is of another tape.
    #[track_caller]
    #[inline]
    pub fn close<R: ScopeResult<'t, T>>(self, result: R) -> R {
        let OpenScope { tape, first } = self;
        let mut results = SmallVec::<[Var<'t, T>; 4]>::new();
        result.each(&mut |v| results.push(v));
        for v in &results {
            tape.same_tape("scope", v.tape);
        }
        if tape.is_abstract() {
            let shape = results.first().map(|v| v.shape());
            tape.scopes.trace(shape);
        }
        // What the rules of a walk enter is theirs, and may be forgotten with what they record.
        if tape.walks.get() == 0 {
            tape.scopes.record(first, tape.arena.borrow().len(), &results);
        }
        drop(self);
        tape.close_since(first, results.iter().map(|v| v.id).collect());
        result
    }
}

impl<T: Float> Drop for OpenScope<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.tape.scopes.names.borrow_mut().leave();
    }
}

impl<T: Float> Tape<T> {
    /// Runs `body` under a name. What it computes is released at its end unless it is a result, a
    /// derivative rule will read it, or [`value`](Var::value) asked for it.
    ///
    /// Modules need no name: [`enter`](Tape::enter) finds theirs. A name around them leads to theirs:
    /// `generator.fc1`.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::ones(&[2, 3]));
    /// let y = tape.scope("attention", || x.tanh() * x);
    /// assert_eq!(y.shape(), [2, 3]);
    /// ```
    ///
    /// # Panics
    /// If a result is of another tape.
    #[track_caller]
    pub fn scope<'t, R: ScopeResult<'t, T>>(&'t self, name: &str, body: impl FnOnce() -> R) -> R {
        self.scopes.names.borrow_mut().scope(name);
        let scope = self.opened();
        let result = body();
        scope.close(result)
    }

    /// Runs `body` in the scope of a module: what fails in it, and what a summary shows of it, has the
    /// module's path, such as `blocks.3.fc1`. What `body` computes is released at its end as by
    /// [`scope`](Tape::scope).
    ///
    /// `Layer::forward` does so for layers, which have one input. A module with other inputs begins
    /// each of its methods with it:
    ///
    /// ```
    /// # use wengert_autograd::{Module, Param, Path, See, SeeMut, Tape, Var};
    /// # use wengert_tensor::Tensor;
    /// struct Distance {
    ///     weight: Param,
    /// }
    /// # impl Module for Distance {
    /// #     fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
    /// #         self.weight.visit(&path.child("weight"), see);
    /// #     }
    /// #     fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
    /// #         self.weight.visit_mut(&path.child("weight"), see);
    /// #     }
    /// # }
    /// impl Distance {
    ///     fn forward<'t>(&self, x: Var<'t>, y: Var<'t>) -> Var<'t> {
    ///         let tape = x.tape();
    ///         tape.enter(self, || (tape.param(&self.weight) * (x - y)).square().sum_all())
    ///     }
    /// }
    /// let heads = vec![Distance { weight: Tensor::ones(&[3]).into() }];
    /// let error = Tape::check(|tape| {
    ///     tape.enter(&heads, || heads[0].forward(tape.input(&[3]), tape.input(&[4])))
    ///         .shape()
    /// });
    /// assert_eq!(error.unwrap_err().path, "0");
    /// ```
    ///
    /// # Which path it is
    /// The path is found by the identity of the module's first parameter or buffer
    /// ([`Module::first_state`]), so that models may move, and names are written in field
    /// declarations only.
    ///
    /// - The first model that a tape enters adds no name, and neither does the first one in a
    ///   [`scope`](Tape::scope) that lies in no module. A model is a module that lies in no module
    ///   that was entered before.
    /// - A module in such a model has its path in the model. Within a scope, which lies in the scope
    ///   of another module, the names follow each other: `block.attention.fc1`.
    /// - Another model has the name of its type: `Discriminator.fc1`.
    /// - A module without parameters and buffers has the name of its type: `Relu`, the second one in
    ///   the same scope `Relu_2`. A container that knows better says so with
    ///   [`enter_as`](Tape::enter_as).
    ///
    /// A training loop that runs parts of a model enters the model around them:
    /// `tape.enter(&model, || model.decoder.forward(model.encoder.forward(x)))`.
    ///
    /// # Panics
    /// If a result is of another tape.
    #[track_caller]
    pub fn enter<'t, M: Module + ?Sized, R: ScopeResult<'t, T>>(
        &'t self,
        module: &M,
        body: impl FnOnce() -> R,
    ) -> R {
        let scope = self.open(module);
        let result = body();
        scope.close(result)
    }

    /// As [`enter`](Tape::enter), for a container of modules that has names for them, also for those
    /// without parameters and buffers.
    ///
    /// # Panics
    /// If a result is of another tape.
    #[track_caller]
    pub fn enter_as<'t, M: Module + ?Sized, R: ScopeResult<'t, T>>(
        &'t self,
        name: &str,
        module: &M,
        body: impl FnOnce() -> R,
    ) -> R {
        self.scopes.names.borrow_mut().enter_as(name, module);
        self.note_kind(module);
        let scope = self.opened();
        let result = body();
        scope.close(result)
    }

    /// The first half of [`enter`](Tape::enter), for functions that are `#[track_caller]`: a closure
    /// would lose the caller's line.
    #[inline]
    pub fn open<M: Module + ?Sized>(&self, module: &M) -> OpenScope<'_, T> {
        self.scopes.names.borrow_mut().enter(module);
        self.note_kind(module);
        self.opened()
    }

    #[inline]
    fn note_kind<M: Module + ?Sized>(&self, module: &M) {
        if self.is_abstract() {
            self.scopes.names.borrow_mut().top_mut().kind = module.type_name();
        }
    }

    #[inline]
    fn opened(&self) -> OpenScope<'_, T> {
        OpenScope { tape: self, first: self.arena.borrow().len() }
    }

    fn close_since(&self, first: u32, mut kept: SmallVec<[u32; 4]>) {
        let arena = &mut *self.arena.borrow_mut();
        kept.sort_unstable();
        for id in (first..arena.len()).rev() {
            while kept.last().is_some_and(|&last| last > id) {
                kept.pop();
            }
            if kept.last() != Some(&id) {
                arena.close(id);
            }
        }
        arena.check_nodes_since(first);
    }

    /// The names of the open scopes, joined by dots.
    pub fn path(&self) -> String {
        self.scopes.names.borrow().path().to_string()
    }

    /// The scopes that have ended on an abstract run, inner before outer. Those that add no name are
    /// not among them.
    pub fn traces(&self) -> Vec<Trace> {
        self.scopes.trace.borrow().clone()
    }
}

thread_local! {
    /// The memory of a finished run, for the next one.
    static SPARE: Cell<Option<Names>> = const { Cell::new(None) };
}

impl Default for Scopes {
    fn default() -> Self {
        let spare = SPARE.try_with(Cell::take).ok().flatten();
        let names = spare.unwrap_or_else(|| Names {
            text: String::new(),
            open: vec![BOTTOM],
            counts: Vec::new(),
            register: Register::default(),
            recorded: Recorded::default(),
        });
        Scopes { names: RefCell::new(names), trace: RefCell::default() }
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
        let _ = SPARE.try_with(|spare| spare.set(Some(names)));
    }
}

impl Scopes {
    /// Notes the nodes of the innermost scope as it ends.
    #[inline]
    fn record<T: Float>(&self, first: u32, end: u32, results: &[Var<'_, T>]) {
        let names = &mut *self.names.borrow_mut();
        let &Level { named, start, .. } = names.top();
        if named && end > first {
            let Names { text, recorded, .. } = names;
            recorded.text.push_str(&text[start as usize..]);
            let path = recorded.text.len() as u32;
            recorded.results.extend(results.iter().map(|v| v.id));
            let results = recorded.results.len() as u32;
            recorded.scopes.push(Span { path, nodes: (first, end), results });
        }
    }

    /// Shows the path of the innermost scope.
    pub fn see_path(&self, see: impl FnOnce(&str)) {
        see(self.names.borrow().path());
    }

    /// The scopes that have ended, those around others before them.
    pub fn recorded(&self, nodes: usize) -> Vec<GraphScope> {
        let recorded = &self.names.borrow().recorded;
        let scope = |(path, span, _): (&str, &Span, &[u32])| {
            let end = (span.nodes.1 as usize).min(nodes);
            let nodes = (span.nodes.0 as usize).min(end)..end;
            GraphScope { path: path.into(), parent: None, nodes }
        };
        let mut scopes: Vec<GraphScope> = recorded.each().map(scope).collect();
        // Inner ones ended before outer ones.
        scopes.reverse();
        scopes.sort_by_key(|scope| (scope.nodes.start, std::cmp::Reverse(scope.nodes.end)));
        let mut open: Vec<usize> = Vec::new();
        for i in 0..scopes.len() {
            while open.last().is_some_and(|&o| scopes[o].nodes.end <= scopes[i].nodes.start) {
                open.pop();
            }
            scopes[i].parent = open.last().copied();
            open.push(i);
        }
        scopes
    }

    /// The results of the scopes with this path, in the order in which they ended.
    pub fn results_of(&self, path: &str) -> Vec<Vec<u32>> {
        let recorded = &self.names.borrow().recorded;
        let of_path = recorded.each().filter(|(known, ..)| *known == path);
        of_path.map(|(_, _, results)| results.to_vec()).collect()
    }

    /// The paths of the scopes that have ended, in alphabetic order, each once.
    pub fn paths(&self) -> Vec<String> {
        let recorded = &self.names.borrow().recorded;
        let mut paths: Vec<String> = recorded.each().map(|(path, ..)| path.into()).collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// The path of a parameter or buffer of a model that was entered.
    pub fn name_of(&self, state: StateId) -> Option<String> {
        let names = self.names.borrow();
        let place = names.register.find(FirstState::at(state, 0))?;
        let (model, path) = (names.register.name_of(place.model), names.register.path(place));
        Some(if model.is_empty() { path.into() } else { format!("{model}.{path}") })
    }

    /// Notes the innermost scope as it ends.
    fn trace(&self, shape: Option<Shape>) {
        let names = self.names.borrow();
        let level = names.top();
        if !level.named {
            return;
        }
        let path = names.path();
        let place = level.place.filter(|place| place.model == 0);
        let place = place.map(|place| names.register.path(place)).filter(|place| *place != path);
        self.trace.borrow_mut().push(Trace {
            path: path.into(),
            depth: level.depth as usize - 1,
            shape,
            kind: level.kind,
            place: place.map(Into::into),
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

    /// A level in the innermost one that adds nothing yet.
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

    /// Opens a level with this name behind its path; none if it is empty.
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
    fn enter<M: Module + ?Sized>(&mut self, module: &M) {
        let Some(first) = module.first_state() else { return self.enter_stateless(module) };
        let Some(place) = self.register.find(first) else { return self.enter_unknown(module) };
        let level = Level { place: Some(place), ..self.level() };
        // The nearest module around it, and its path from there.
        let near = self.open.iter().rev().find_map(|level| level.place);
        if let Some(name) = near.and_then(|near| self.register.relative(near, place)) {
            append(&mut self.text, level.start, name);
            let named = self.text.len() > level.text as usize;
            self.open.push(Level { named, depth: level.depth + u32::from(named), ..level });
        } else {
            self.enter_elsewhere(level, place);
        }
    }

    /// Opens the level of a module that does not lie in the nearest one around it.
    #[cold]
    fn enter_elsewhere(&mut self, mut level: Level, place: Place) {
        let Names { text, open, register, .. } = self;
        // What lies between the two is no part of its path.
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

    /// A module without parameters and buffers: named by its type, unless it is no part of anything.
    fn enter_stateless<M: Module + ?Sized>(&mut self, module: &M) {
        let (top, level) = (self.top(), self.level());
        if top.lies != Lies::Outside || top.rooted {
            self.count(module.type_name(), level);
        } else {
            self.push(level, "");
        }
    }

    /// A model: it lies in no module that was entered before.
    #[cold]
    fn enter_unknown<M: Module + ?Sized>(&mut self, module: &M) {
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

    fn enter_as<M: Module + ?Sized>(&mut self, name: &str, module: &M) {
        let place = module.first_state().map(|first| {
            self.register.find(first).unwrap_or_else(|| {
                let (place, _) = self.register.add(module);
                self.register.name(place.model, name);
                place
            })
        });
        self.push(Level { place, ..self.level() }, name);
    }

    /// Opens a level named by a type, with a number from the second one in the same scope on.
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

/// Writes a name behind the path that starts there.
#[inline]
fn append(text: &mut String, start: u32, name: &str) {
    if !name.is_empty() {
        if text.len() > start as usize {
            text.push('.');
        }
        text.push_str(name);
    }
}

/// Lets the path of a new level begin with that of an open one that is not the innermost.
fn continue_at(text: &mut String, open: &[Level], at: usize, level: &mut Level) {
    level.start = text.len() as u32;
    text.extend_from_within(open[at].start as usize..open[at + 1].text as usize);
}
