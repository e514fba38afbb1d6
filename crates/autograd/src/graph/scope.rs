//! Named scopes: errors, summaries and profiles name the scope (`conv2`) instead of a node number.

use super::index::Index;
use super::scope_names::ScopeSummary;
use super::tape::Tape;
use super::var::Var;
use crate::module::Module;
use smallvec::SmallVec;
use wengert_tensor::{Float, per_type};

/// The result of a scope: variables, masks and indices in any number. When the scope ends, the other
/// values that it computed are released, unless a derivative rule reads them.
#[diagnostic::on_unimplemented(
    message = "a scope cannot return `{Self}`",
    label = "expected a variable, or a tuple, array or `Vec` of variables"
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

/// The open scope of a module, from [`Tape::open`].
///
/// End it with [`close`](OpenScope::close). If it is dropped instead, for example by a panic, the scope
/// ends and no value is released.
#[must_use = "a scope ends with `close(result)`"]
pub struct OpenScope<'t, T: Float> {
    tape: &'t Tape<T>,
    /// The number of nodes when the scope was opened.
    first: u32,
}

impl<'t, T: Float> OpenScope<'t, T> {
    /// Ends the scope and releases the values that were computed in it, except results, values that a
    /// derivative rule will read, and values that [`value`](Var::value) requested.
    ///
    /// # Panics
    /// If a result is on another tape.
    #[track_caller]
    #[inline]
    pub fn close<R: ScopeResult<'t, T>>(self, result: R) -> R {
        let OpenScope { tape, first } = self;
        let mut results = SmallVec::<[Var<'t, T>; 4]>::new();
        result.each(&mut |v| results.push(v));
        for v in &results {
            tape.same_tape("scope", v.tape);
        }
        if tape.is_shape_only() {
            let shape = results.first().map(|v| v.shape());
            tape.scopes.summarise(shape);
        }
        // Scopes that a rule enters during a walk are not noted: their nodes may be truncated.
        if tape.walks.get() == 0 {
            let ids = results.iter().map(|v| v.id);
            tape.scopes.record(first, tape.arena.borrow().len(), ids);
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
    /// Runs `body` under a name. At the end, the values that it computed are released, except results,
    /// values that a derivative rule will read, and values that [`value`](Var::value) requested.
    ///
    /// A module needs no name, because [`enter`](Tape::enter) finds its path. The name of an enclosing
    /// scope precedes that path: `generator.fc1`.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::ones(&[2, 3]));
    /// let y = tape.scope("attention", || x.tanh() * x);
    /// assert_eq!(y.shape(), [2, 3]);
    /// ```
    ///
    /// # Panics
    /// If a result is on another tape.
    #[track_caller]
    pub fn scope<'t, R: ScopeResult<'t, T>>(&'t self, name: &str, body: impl FnOnce() -> R) -> R {
        self.scopes.scope(name);
        let scope = self.opened();
        let result = body();
        scope.close(result)
    }

    /// Runs `body` in the scope of a module. Errors in the scope and its entry in a summary have the
    /// module's path, such as `blocks.3.fc1`. At the end, values that `body` computed are released as by
    /// [`scope`](Tape::scope).
    ///
    /// `Layer::forward` calls it for layers, which have one input. A module with other inputs calls it
    /// at the beginning of each of its methods:
    ///
    /// ```
    /// use wengert::autograd::{Module, Param, Path, See, SeeMut, Tape, Var};
    /// use wengert::tensor::Tensor;
    /// struct Distance {
    ///     weight: Param,
    /// }
    /// impl Module for Distance {
    ///     fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
    ///         self.weight.visit(&path.child("weight"), see);
    ///     }
    ///     fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
    ///         self.weight.visit_mut(&path.child("weight"), see);
    ///     }
    /// }
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
    /// # Which path a module gets
    /// The path is found by the identity of the module's first parameter or buffer
    /// ([`Module::first_state`]). Models may therefore move in memory, and names come from field
    /// declarations alone.
    ///
    /// - The first model that a tape enters adds no name. The same holds for the first model in a
    ///   [`scope`](Tape::scope) that is not inside a module. A model is a module that is not part of a
    ///   module that was entered before.
    /// - A module in such a model has its path in the model. In a scope inside the scope of another
    ///   module, the names are joined: `block.attention.fc1`.
    /// - Another model has the name of its type: `Discriminator.fc1`.
    /// - A module without parameters and buffers has the name of its type: `Relu`, and `Relu_2` for the
    ///   second one in the same scope. A container can give such a module a name with
    ///   [`enter_as`](Tape::enter_as).
    ///
    /// A training loop that runs parts of a model enters the whole model first:
    /// `tape.enter(&model, || model.decoder.forward(model.encoder.forward(x)))`.
    ///
    /// # Panics
    /// If a result is on another tape.
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

    /// Runs `body` in the scope of a module as [`enter`](Tape::enter) does, under a name that its
    /// container gives. The name also serves modules without parameters and buffers.
    ///
    /// # Panics
    /// If a result is on another tape.
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

    /// Opens the scope of a module: the first half of [`enter`](Tape::enter). Use it in functions that
    /// are `#[track_caller]`, because a closure would lose the caller's line.
    #[inline]
    pub fn open<M: Module + ?Sized>(&self, module: &M) -> OpenScope<'_, T> {
        self.scopes.enter(module);
        self.note_kind(module);
        self.opened()
    }

    #[inline]
    fn note_kind<M: Module + ?Sized>(&self, module: &M) {
        if self.is_shape_only() {
            self.scopes.set_kind(module.type_name());
        }
    }

    #[inline]
    fn opened(&self) -> OpenScope<'_, T> {
        OpenScope { tape: self, first: self.arena.borrow().len() }
    }

    fn close_since(&self, first: u32, kept: SmallVec<[u32; 4]>) {
        let tape = self;
        per_type!(<'a> Tape::close_here as (tape: &'a Tape<T>, first: u32, kept: SmallVec<[u32; 4]>) -> ());
    }

    fn close_here(&self, first: u32, mut kept: SmallVec<[u32; 4]>) {
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

    /// Returns the names of the open scopes, joined by dots.
    pub fn path(&self) -> String {
        self.scopes.path()
    }

    /// Returns the scopes that have ended on a shape-only run, inner before outer. Scopes that add no
    /// name are left out.
    pub fn scope_summaries(&self) -> Vec<ScopeSummary> {
        self.scopes.summaries()
    }
}
