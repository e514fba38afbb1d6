//! The arguments and results of functions: one variable, or several in a tuple, an array or a list.

use crate::graph::{ScopeResult, Var};
use wengert_tensor::Float;

/// One variable, or a tuple, an array or a `Vec` of them: the arguments and results of a function to be
/// differentiated. Derivatives have the same structure.
pub trait Variables<'t, T: Float>: ScopeResult<'t, T> + Clone {
    /// Applies `f` to each variable, from the first to the last, and returns the results in the same
    /// structure.
    #[must_use]
    fn map(self, f: &mut dyn FnMut(Var<'t, T>) -> Var<'t, T>) -> Self;

    /// Returns the variables, from the first to the last.
    fn list(&self) -> Vec<Var<'t, T>> {
        let mut list = Vec::new();
        self.each(&mut |x| list.push(x));
        list
    }
}

impl<'t, T: Float> Variables<'t, T> for Var<'t, T> {
    fn map(self, f: &mut dyn FnMut(Var<'t, T>) -> Var<'t, T>) -> Self {
        f(self)
    }
}
impl<'t, T: Float, V: Variables<'t, T>> Variables<'t, T> for Vec<V> {
    fn map(self, f: &mut dyn FnMut(Var<'t, T>) -> Var<'t, T>) -> Self {
        self.into_iter().map(|v| v.map(f)).collect()
    }
}
impl<'t, T: Float, V: Variables<'t, T>, const N: usize> Variables<'t, T> for [V; N] {
    fn map(self, f: &mut dyn FnMut(Var<'t, T>) -> Var<'t, T>) -> Self {
        <[V; N]>::map(self, |v| v.map(f))
    }
}
impl<'t, T: Float, A: Variables<'t, T>, B: Variables<'t, T>> Variables<'t, T> for (A, B) {
    fn map(self, f: &mut dyn FnMut(Var<'t, T>) -> Var<'t, T>) -> Self {
        (self.0.map(f), self.1.map(f))
    }
}
impl<'t, T: Float, A: Variables<'t, T>, B: Variables<'t, T>, C: Variables<'t, T>> Variables<'t, T>
    for (A, B, C)
{
    fn map(self, f: &mut dyn FnMut(Var<'t, T>) -> Var<'t, T>) -> Self {
        (self.0.map(f), self.1.map(f), self.2.map(f))
    }
}
