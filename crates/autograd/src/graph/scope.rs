//! Named scopes: errors, summaries and profiles speak of `conv2`, not of node 17.

use super::index::Index;
use super::tape::Tape;
use super::var::Var;
use crate::module::Module;
use smallvec::SmallVec;
use wengert_tensor::{Float, Shape};

/// A scope that has ended on an abstract run: what a model summary is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct ScopeSummary {
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
    pub module_path: Option<String>,
}

/// What a scope may return: variables, masks and indices in any number. When the scope ends, the other values that it
/// computed are released, unless a derivative rule reads them.
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
            tape.scopes.summarise(shape);
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
        self.tape.scopes.leave();
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
        self.scopes.scope(name);
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
        self.scopes.enter_as(name, module);
        self.note_kind(module);
        let scope = self.opened();
        let result = body();
        scope.close(result)
    }

    /// The first half of [`enter`](Tape::enter), for functions that are `#[track_caller]`: a closure
    /// would lose the caller's line.
    #[inline]
    pub fn open<M: Module + ?Sized>(&self, module: &M) -> OpenScope<'_, T> {
        self.scopes.enter(module);
        self.note_kind(module);
        self.opened()
    }

    #[inline]
    fn note_kind<M: Module + ?Sized>(&self, module: &M) {
        if self.is_abstract() {
            self.scopes.set_kind(module.type_name());
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
        self.scopes.path()
    }

    /// The scopes that have ended on an abstract run, inner before outer. Those that add no name are
    /// not among them.
    pub fn scope_summaries(&self) -> Vec<ScopeSummary> {
        self.scopes.summaries()
    }
}
