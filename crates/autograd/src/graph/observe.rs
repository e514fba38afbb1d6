//! The interface between the engine and an observer of a tape. The engine reports recorded nodes, given
//! values, executed kernels and the cotangents of rules. The module `inspect` implements [`Observer`].
//! Without an observer the cost is one comparison.
//!
//! An observer may refuse a value. It returns the refusal, and the tape panics with it, so that the
//! panic has the caller's line.

use super::call::Call;
use super::errors::Cause;
use super::tape::Tape;
use super::var::Var;
use crate::module::StateId;
use std::any::Any;
use std::panic::Location;
use wengert_tensor::{Float, Instant, Tensor};

/// Observes a tape, to collect a profile or to detect anomalies.
pub(crate) trait Observer<T: Float>: Any + Send {
    /// Called when a node was recorded at this line. Nodes that the engine itself records have no line.
    fn recorded(&self, tape: &Tape<T>, id: u32, location: Option<&'static Location<'static>>);

    /// Called when a value was put on the tape by the method `op`. `state` is its parameter or buffer,
    /// if it is one.
    fn given(&self, tape: &Tape<T>, id: u32, op: &str, state: Option<StateId>) -> Verdict;

    /// Called when a replay has replaced given values.
    fn given_again(&self, tape: &Tape<T>) -> Verdict;

    /// Called when a kernel has run, before its values are stored.
    fn computed(&self, tape: &Tape<T>, ran: &Ran<'_, T>) -> Verdict;

    /// Called when a cotangent was added in place to that of the node `to`, with the start time and the
    /// number of bytes.
    fn added(&self, tape: &Tape<T>, to: u32, begun: Instant, bytes: u64);

    /// Called when the rule of this node begins. Returns false if it is a step of another node's rule.
    fn begin_rule(&self, id: u32) -> bool;

    /// Called when the rule that began last has ended.
    fn end_rule(&self);

    /// Called when a rule has returned these cotangents.
    fn cotangents(&self, tape: &Tape<T>, call: &Call<'_, '_, T>, cotangents: &[Option<Var<'_, T>>]);

    /// Called when a derivative of a node is complete.
    fn complete(&self, tape: &Tape<T>, id: u32, what: Derivative, g: Var<'_, T>);

    /// Called when a walk has ended. Returns the refusal of what was found in the walk.
    fn end_walk(&self) -> Verdict;

    /// Returns whether each operation must be computed at once.
    fn wants_eager(&self) -> bool;
}

/// Tells whether the tape may continue.
pub(crate) type Verdict = Result<(), Refusal>;

/// The reason why an observer refuses a value.
pub(crate) struct Refusal {
    /// The scope of the value.
    pub path: String,
    pub message: String,
}

/// The derivatives that a walk completes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Derivative {
    Cotangent,
    /// A cotangent that a hook has returned.
    Hooked,
    Tangent,
}

/// A kernel that has run, before its values are stored.
pub(crate) struct Ran<'a, T: Float> {
    pub begun: Instant,
    pub ended: Instant,
    /// The requested node; `first` is the first output of its operation.
    pub id: u32,
    pub first: u32,
    pub inputs: &'a [Tensor<T>],
    pub values: &'a [Tensor<T>],
    pub integers: Option<&'a Tensor<i64>>,
}

/// Marks that the rule of a node is running, until it is dropped.
pub(crate) struct RunningRule<'t, T: Float>(&'t dyn Observer<T>);
impl<T: Float> Drop for RunningRule<'_, T> {
    fn drop(&mut self) {
        self.0.end_rule();
    }
}

impl<T: Float> Tape<T> {
    /// Reports the last node of the tape, with the caller's line.
    #[inline]
    #[track_caller]
    pub(crate) fn note(&self, id: u32) {
        if let Some(observer) = &self.observer {
            self.tell_recorded(&**observer, id, Some(Location::caller()));
        }
    }

    /// Reports a node that the engine itself has put on the tape.
    #[inline]
    pub(crate) fn note_own(&self, id: u32) {
        if let Some(observer) = &self.observer {
            self.tell_recorded(&**observer, id, None);
        }
    }

    #[cold]
    #[inline(never)]
    fn tell_recorded(
        &self,
        observer: &dyn Observer<T>,
        id: u32,
        location: Option<&'static Location<'static>>,
    ) {
        observer.recorded(self, id, location);
    }

    /// Panics if the observer refuses a given value. `op` is the method that put it on the tape, `state`
    /// is its parameter or buffer.
    #[inline]
    #[track_caller]
    pub(crate) fn check_given(&self, id: u32, op: &str, state: Option<StateId>) {
        if let Some(observer) = &self.observer {
            self.heed(observer.given(self, id, op, state));
        }
    }

    /// Calls [`check_given`](Tape::check_given) for all given values, after a replay has replaced them.
    #[track_caller]
    pub(crate) fn check_all_given(&self) {
        if let Some(observer) = &self.observer {
            self.heed(observer.given_again(self));
        }
    }

    /// Reports a kernel's values to the observer.
    #[cold]
    #[inline(never)]
    #[track_caller]
    pub(crate) fn observe(&self, observer: &dyn Observer<T>, ran: &Ran<'_, T>) {
        self.heed(observer.computed(self, ran));
    }

    /// Marks that the rule of this node is running. Nodes that are recorded and computed until the
    /// result is dropped belong to this rule. A rule inside a rule belongs to the outermost.
    #[inline]
    pub(crate) fn running_rule(&self, id: u32) -> Option<RunningRule<'_, T>> {
        let observer = self.observer.as_deref()?;
        observer.begin_rule(id).then(|| RunningRule(observer))
    }

    /// Reports the cotangents that a rule has returned.
    #[inline]
    pub(crate) fn report_rule(&self, call: &Call<'_, '_, T>, cotangents: &[Option<Var<'_, T>>]) {
        if let Some(observer) = &self.observer {
            observer.cotangents(self, call, cotangents);
        }
    }

    /// Reports a complete cotangent or tangent of a node.
    #[inline]
    pub(crate) fn report_complete(&self, id: u32, what: Derivative, g: Option<Var<'_, T>>) {
        if let (Some(observer), Some(g)) = (&self.observer, g) {
            observer.complete(self, id, what, g);
        }
    }

    /// Adds `g` to the cotangent of the node `to`, in place.
    #[inline]
    pub(crate) fn add_in_place(&self, to: u32, g: &Tensor<T>, add: impl FnOnce()) {
        let Some(observer) = self.observer.as_deref() else { return add() };
        let begun = Instant::now();
        add();
        observer.added(self, to, begun, g.numel() as u64 * size_of::<T>() as u64);
    }

    /// Panics if the observer has found a value to be refused in a walk.
    #[inline]
    #[track_caller]
    pub(crate) fn check_walk(&self) {
        if let Some(observer) = &self.observer {
            self.heed(observer.end_walk());
        }
    }

    /// Panics if the verdict is a refusal.
    #[cold]
    #[track_caller]
    fn heed(&self, verdict: Verdict) {
        if let Err(Refusal { path, message }) = verdict {
            self.refuse_at(path, message, Cause::NotFinite)
        }
    }
}
