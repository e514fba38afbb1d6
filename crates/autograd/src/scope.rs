//! Named scopes: errors, summaries and profiles speak of `conv2`, not of node 17.

use crate::index::Index;
use crate::tape::Tape;
use crate::var::Var;
use smallvec::SmallVec;
use std::cell::RefCell;
use wengert_tensor::{Float, Shape};

/// The names of the open scopes, and on abstract runs what each gave.
#[derive(Default)]
pub(crate) struct Scopes {
    /// The names joined by dots; a second list says where each begins.
    path: RefCell<(String, Vec<usize>)>,
    trace: RefCell<Vec<Trace>>,
}

/// A scope that has ended on an abstract run: what a model summary is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// The names of the scopes around it and its own, joined by dots.
    pub path: String,
    /// How many scopes it lies in.
    pub depth: usize,
    /// The shape of its (first) result.
    pub shape: Option<Shape>,
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

/// Closes the name also when the body panics.
struct Open<'a>(&'a Scopes);
impl Drop for Open<'_> {
    fn drop(&mut self) {
        let (path, starts) = &mut *self.0.path.borrow_mut();
        path.truncate(starts.pop().unwrap_or(0));
    }
}

impl<T: Float> Tape<T> {
    /// Runs `body` under a name. What it computes is released at its end unless it is a result, a
    /// derivative rule will read it, or [`value`](Var::value) asked for it.
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
        {
            let (path, starts) = &mut *self.scopes.path.borrow_mut();
            starts.push(path.len());
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(name);
        }
        let open = Open(&self.scopes);
        let first = self.arena.borrow().len();
        let result = body();
        let mut results = SmallVec::<[Var<'t, T>; 4]>::new();
        result.each(&mut |v| results.push(v));
        for v in &results {
            self.same_tape("scope", v.tape);
        }
        if self.is_abstract() {
            let shape = results.first().map(|v| v.shape());
            let (path, starts) = &*self.scopes.path.borrow();
            let trace = Trace { path: path.clone(), depth: starts.len() - 1, shape };
            self.scopes.trace.borrow_mut().push(trace);
        }
        drop(open);
        self.close_since(first, results.iter().map(|v| v.id).collect());
        result
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
        self.scopes.path.borrow().0.clone()
    }

    /// The scopes that have ended on an abstract run, inner before outer.
    pub fn traces(&self) -> Vec<Trace> {
        self.scopes.trace.borrow().clone()
    }
}
