//! What the engine tells an observer of a tape: which nodes are recorded, which values are given, which kernels
//! run, which cotangents rules return. The seam between the engine and the room `inspect`, which implements
//! [`Observer`]. A tape without an observer tells nothing, and pays for one comparison.
//!
//! An observer may refuse a number. It returns the refusal, and the tape panics with it, so that the panic has
//! the caller's line.

use super::errors::Cause;
use super::tape::Tape;
use super::var::Var;
use crate::module::StateId;
use crate::rules::Call;
use std::any::Any;
use std::panic::Location;
use std::time::Instant;
use wengert_tensor::{Float, Tensor};

/// Observes a tape: collects a profile, looks for numbers that are not finite.
pub(crate) trait Observer<T: Float>: Any + Send {
    /// A node was recorded, at this line; without a line by the engine itself.
    fn recorded(&self, tape: &Tape<T>, id: u32, location: Option<&'static Location<'static>>);

    /// A value was put on the tape by the operation `op`, for this parameter or buffer if it is one.
    fn given(&self, tape: &Tape<T>, id: u32, op: &str, state: Option<StateId>) -> Verdict;

    /// A replay has put other values in the place of all that were given.
    fn given_again(&self, tape: &Tape<T>) -> Verdict;

    /// A kernel has run; its values are not stored yet.
    fn computed(&self, tape: &Tape<T>, ran: &Ran<'_, T>) -> Verdict;

    /// A cotangent was added in place to that of the node `to`: begun then, so many bytes long.
    fn added(&self, tape: &Tape<T>, to: u32, begun: Instant, bytes: u64);

    /// The rule of this node begins. False if it is a step of another node's rule.
    fn begin_rule(&self, id: u32) -> bool;

    /// The rule that began last is done.
    fn end_rule(&self);

    /// A rule has returned these cotangents.
    fn cotangents(&self, tape: &Tape<T>, call: &Call<'_, '_, T>, cotangents: &[Option<Var<'_, T>>]);

    /// A derivative of a node is complete.
    fn complete(&self, tape: &Tape<T>, id: u32, what: Derivative, g: Var<'_, T>);

    /// A walk has come to its end: what it found is refused now.
    fn end_walk(&self) -> Verdict;

    /// Whether it wants each operation to be computed at once.
    fn wants_eager(&self) -> bool;
}

/// Whether the tape may go on.
pub(crate) type Verdict = Result<(), Refusal>;

/// Why an observer refuses a number.
pub(crate) struct Refusal {
    /// The scope that the number is from.
    pub path: String,
    pub message: String,
}

/// The derivatives that a walk completes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Derivative {
    Cotangent,
    Tangent,
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

/// The rule of a node runs until this is dropped.
pub(crate) struct RunningRule<'t, T: Float>(&'t dyn Observer<T>);
impl<T: Float> Drop for RunningRule<'_, T> {
    fn drop(&mut self) {
        self.0.end_rule();
    }
}

impl<T: Float> Tape<T> {
    /// Notes where a new node was recorded: the last one of the tape.
    #[inline]
    #[track_caller]
    pub(crate) fn note(&self, id: u32) {
        if let Some(observer) = &self.observer {
            self.tell_recorded(&**observer, id, Some(Location::caller()));
        }
    }

    /// Notes a node that the engine itself has put on the tape.
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

    /// Refuses a value that was given, if the observer does. `op` is what put it on the tape, `state` the
    /// parameter or buffer that it is of.
    #[inline]
    #[track_caller]
    pub(crate) fn check_given(&self, id: u32, op: &str, state: Option<StateId>) {
        if let Some(observer) = &self.observer {
            self.heed(observer.given(self, id, op, state));
        }
    }

    /// [`check_given`](Tape::check_given) of all values, after a replay has replaced them.
    #[track_caller]
    pub(crate) fn check_all_given(&self) {
        if let Some(observer) = &self.observer {
            self.heed(observer.given_again(self));
        }
    }

    /// Shows a kernel's values to the observer.
    #[cold]
    #[inline(never)]
    #[track_caller]
    pub(crate) fn observe(&self, observer: &dyn Observer<T>, ran: &Ran<'_, T>) {
        self.heed(observer.computed(self, ran));
    }

    /// What is recorded and computed until the answer is dropped belongs to this node's rule. Rules within
    /// rules belong to the outermost.
    #[inline]
    pub(crate) fn running_rule(&self, id: u32) -> Option<RunningRule<'_, T>> {
        let observer = self.observer.as_deref()?;
        observer.begin_rule(id).then(|| RunningRule(observer))
    }

    /// Shows the cotangents that a rule has returned to the observer.
    #[inline]
    pub(crate) fn check_rule(&self, call: &Call<'_, '_, T>, cotangents: &[Option<Var<'_, T>>]) {
        if let Some(observer) = &self.observer {
            observer.cotangents(self, call, cotangents);
        }
    }

    /// Shows a complete cotangent or tangent of a node to the observer.
    #[inline]
    pub(crate) fn check_complete(&self, id: u32, what: Derivative, g: Option<Var<'_, T>>) {
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

    /// Refuses what the observer has found in a walk.
    #[inline]
    #[track_caller]
    pub(crate) fn check_walk(&self) {
        if let Some(observer) = &self.observer {
            self.heed(observer.end_walk());
        }
    }

    /// Panics with a refusal.
    #[cold]
    #[track_caller]
    fn heed(&self, verdict: Verdict) {
        if let Err(Refusal { path, message }) = verdict {
            self.refuse_at(path, message, Cause::NotFinite)
        }
    }
}
