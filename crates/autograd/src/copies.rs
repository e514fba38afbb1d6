//! The numbers of one model taken over by another.

use crate::module::{Module, Path};
use crate::param::{Buffer, Param};
use crate::state::{Kind, State};
use std::collections::HashMap;
use wengert_tensor::{Float, Program, Tensor};

#[track_caller]
pub(crate) fn copy<M: Module + ?Sized>(model: &mut M, other: &dyn Module) {
    let states = matched("copy_from", model, other);
    each(model, &states, &mut |state, other| take(state, other));
}

#[track_caller]
pub(crate) fn lerp<M: Module + ?Sized>(model: &mut M, other: &dyn Module, t: f64) {
    assert!(
        (0.0..=1.0).contains(&t),
        "lerp_from: the share of the way is a number from 0 to 1, this is {t}"
    );
    let states = matched("lerp_from", model, other);
    if t == 0.0 {
        return;
    }
    // As PyTorch's `lerp`: exact at both ends.
    let program =
        Program::new(|[a, b]| [if t < 0.5 { a + t * (b - a) } else { b - (1.0 - t) * (b - a) }]);
    each(model, &states, &mut |state, other| {
        if !(blend::<f32>(state, other, &program) || blend::<f64>(state, other, &program)) {
            take(state, other);
        }
    });
}

/// The states of the other model by name, if they are those of this one.
#[track_caller]
fn matched<'m, M: Module + ?Sized>(
    op: &str,
    model: &M,
    other: &'m dyn Module,
) -> HashMap<String, &'m dyn State> {
    let here: HashMap<_, _> = model.named_state().into_iter().collect();
    let there: HashMap<_, _> = other.named_state().into_iter().collect();
    let mut wrong = Vec::new();
    for (name, mine) in model.named_state() {
        let (mine, theirs) = (words(Some(mine)), words(there.get(&name).copied()));
        if mine != theirs {
            wrong.push(format!("{} is {mine} here and {theirs} in the other", called(&name)));
        }
    }
    for (name, theirs) in other.named_state() {
        if !here.contains_key(&name) {
            let theirs = words(Some(theirs));
            wrong.push(format!("{} is missing here and {theirs} in the other", called(&name)));
        }
    }
    assert!(
        wrong.is_empty(),
        "{op}: the models differ: {}; `clone()` or the same constructor makes a model of the same structure",
        wrong.join("; ")
    );
    there
}

/// What two states must have in common.
fn words(state: Option<&dyn State>) -> String {
    let Some(state) = state else { return "missing".into() };
    let kind = match state.kind() {
        Kind::Param => "parameter",
        Kind::Buffer => "buffer",
    };
    format!("a {kind} {} {}", state.dtype(), state.shape())
}

/// A model that is a parameter itself has no name.
fn called(name: &str) -> String {
    if name.is_empty() { "the model itself".into() } else { format!("`{name}`") }
}

/// Calls `change` with each state of the model and that of its name.
fn each<M: Module + ?Sized>(
    model: &mut M,
    others: &HashMap<String, &dyn State>,
    change: &mut dyn FnMut(&mut dyn State, &dyn State),
) {
    model.visit_mut(&Path::root(), &mut |path, state| {
        if let Some(other) = others.get(&path.to_string()) {
            change(state, *other);
        }
    });
}

fn take(state: &mut dyn State, other: &dyn State) {
    state.set(&other.value()).expect("`matched` compares types and shapes");
}

/// Moves a state of these numbers, if it is one.
fn blend<T: Float>(state: &mut dyn State, other: &dyn State, program: &Program) -> bool {
    let change = |value: &mut Tensor<T>, other: &Tensor<T>| program.update(&mut [value], &[other]);
    if let (Some(param), Some(other)) =
        (state.downcast_mut::<Param<T>>(), other.downcast_ref::<Param<T>>())
    {
        param.update(|value| change(value, other.value()));
        return true;
    }
    if let (Some(buffer), Some(other)) =
        (state.downcast_mut::<Buffer<T>>(), other.downcast_ref::<Buffer<T>>())
    {
        buffer.update(|value| change(value, other.value()));
        return true;
    }
    false
}
