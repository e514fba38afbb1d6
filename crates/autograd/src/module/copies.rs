//! Copies the values of one model into another, and interpolates between the two.

use super::param::{Buffer, Param};
use super::path::VisitMut;
use super::state::{State, StateKind};
use std::collections::HashMap;
use wengert_tensor::{Float, Program, Tensor};

/// The states of a model, by name.
pub(super) type NamedStates<'m> = HashMap<String, &'m dyn State>;

/// Copies `others` into the states of the same name.
pub(super) fn copy(others: &NamedStates<'_>, visit: VisitMut<'_>) {
    each(others, visit, &mut |state, other| copy_value(state, other));
}

/// Refuses a share that is not from 0 to 1.
#[track_caller]
pub(super) fn check_share(t: f64) {
    assert!((0.0..=1.0).contains(&t), "lerp_from: t must be from 0 to 1, got {t}");
}

/// Moves the states towards `others` by the share `t` of the way.
pub(super) fn lerp(others: &NamedStates<'_>, t: f64, visit: VisitMut<'_>) {
    if t == 0.0 {
        return;
    }
    if t == 1.0 {
        // Of infinities and NaN, too, of which the formula below would make NaN.
        return copy(others, visit);
    }
    // As PyTorch's `lerp`: exact for t = 0 and t = 1.
    let program =
        Program::new(|[a, b]| [if t < 0.5 { a + t * (b - a) } else { b - (1.0 - t) * (b - a) }]);
    each(others, visit, &mut |state, other| {
        if !(blend::<f32>(state, other, &program) || blend::<f64>(state, other, &program)) {
            copy_value(state, other);
        }
    });
}

/// Returns the states of the other model by name. Fails if they do not match `mine`, those of this model.
#[track_caller]
pub(super) fn matched<'m>(
    op: &str,
    mine: &[(String, &dyn State)],
    theirs: &[(String, &'m dyn State)],
) -> NamedStates<'m> {
    let mut wrong = Vec::new();
    let here = by_name(mine, "here", &mut wrong);
    let there = by_name(theirs, "in the other", &mut wrong);
    for (name, mine) in mine {
        let (mine, theirs) = (words(Some(*mine)), words(there.get(name).copied()));
        if mine != theirs {
            wrong.push(format!("{} is {mine} here and {theirs} in the other", called(name)));
        }
    }
    for (name, theirs) in theirs {
        if !here.contains_key(name) {
            let theirs = words(Some(*theirs));
            wrong.push(format!("{} is missing here and {theirs} in the other", called(name)));
        }
    }
    assert!(
        wrong.is_empty(),
        "{op}: the models differ: {}; `clone()` or the same constructor makes a model of the same structure",
        wrong.join("; ")
    );
    there
}

/// Returns the states by name, and notes the names of more than one state.
fn by_name<'m>(
    states: &[(String, &'m dyn State)],
    whose: &str,
    wrong: &mut Vec<String>,
) -> NamedStates<'m> {
    let mut known = NamedStates::new();
    for (name, state) in states {
        if known.get(name).is_some_and(|other| other.id() != state.id()) {
            wrong.push(format!("{} names two states {whose}", called(name)));
        }
        known.insert(name.clone(), *state);
    }
    known
}

/// Describes the properties in which two states must agree.
fn words(state: Option<&dyn State>) -> String {
    let Some(state) = state else { return "missing".into() };
    let kind = match state.kind() {
        StateKind::Param => "parameter",
        StateKind::Buffer => "buffer",
    };
    format!("a {kind} {} {}", state.dtype(), state.shape())
}

/// Returns the name for messages. A model that is itself a parameter has no name.
fn called(name: &str) -> String {
    if name.is_empty() { "the model itself".into() } else { format!("`{name}`") }
}

/// Calls `change` with each state and the state of the same name in the other model.
fn each(
    others: &NamedStates<'_>,
    visit: VisitMut<'_>,
    change: &mut dyn FnMut(&mut dyn State, &dyn State),
) {
    visit(&mut |path, state| {
        if let Some(other) = others.get(&path.to_string()) {
            change(state, *other);
        }
    });
}

fn copy_value(state: &mut dyn State, other: &dyn State) {
    state.set(&other.value()).expect("`matched` compares types and shapes");
}

/// Interpolates a state of element type `T`. Returns whether it is one.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::Module;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    type Model = (Param, Vec<Param<f64>>, Buffer, (Buffer<i64>, Buffer<bool>));

    fn model(x: f32, n: i64) -> Model {
        (
            Param::new(Tensor::from([x, -x])),
            vec![Param::new(Tensor::scalar_of(f64::from(x)))],
            Buffer::new(Tensor::from([[10.0 * x]])),
            (Buffer::new(Tensor::scalar_of(n)), Buffer::new(Tensor::scalar_of(n > 2))),
        )
    }

    fn numbers(model: &Model) -> (Vec<f32>, f64, f32, i64, bool) {
        let (a, b, c, (n, is)) = model;
        (
            a.value().to_vec(),
            b[0].value().item(),
            c.value().at(&[0, 0]),
            n.value().item(),
            is.value().item(),
        )
    }

    fn ids(model: &Model) -> Vec<crate::StateId> {
        model.named_state().into_iter().map(|(_, state)| state.id()).collect()
    }

    #[test]
    fn copy_from_copies_values_and_keeps_ids() {
        let (mut to, mut from) = (model(1.0, 1), model(3.0, 5));
        to.0.freeze();
        let before = ids(&to);
        to.copy_from(&from);
        assert_eq!(numbers(&to), (vec![3.0, -3.0], 3.0, 30.0, 5, true));
        assert_eq!(ids(&to), before);
        assert!(to.0.frozen() && !from.0.frozen());
        assert_eq!((to.0.version(), from.0.version()), (1, 0));
        // A later change of one of them does not affect the other.
        from.0.update(|w| *w += 1.0);
        to.2.update(|b| *b += 1.0);
        assert_eq!(numbers(&to), (vec![3.0, -3.0], 3.0, 31.0, 5, true));
        assert_eq!(numbers(&from), (vec![4.0, -2.0], 3.0, 30.0, 5, true));
    }

    #[test]
    fn lerp_from_moves_values_by_the_fraction_t() {
        let from = model(3.0, 5);
        for (t, expected) in [
            (0.0, (vec![1.0, -1.0], 1.0, 10.0, 1, false)),
            (0.25, (vec![1.5, -1.5], 1.5, 15.0, 5, true)),
            (0.75, (vec![2.5, -2.5], 2.5, 25.0, 5, true)),
            (1.0, (vec![3.0, -3.0], 3.0, 30.0, 5, true)),
        ] {
            let mut to = model(1.0, 1);
            let before = ids(&to);
            to.lerp_from(&from, t);
            assert_eq!(numbers(&to), expected, "{t}");
            assert_eq!(ids(&to), before);
        }
        // Both ends are exact, even where the difference is not.
        let mut to = Param::new(Tensor::from([1e8f32, 0.1, f32::INFINITY]));
        to.lerp_from(&Param::new(Tensor::from([1.0f32, 0.3, 5.0])), 0.0);
        assert_eq!(to.value().to_vec(), [1e8, 0.1, f32::INFINITY]);
        let mut to = Param::new(Tensor::from([1e8f32, 0.1]));
        to.lerp_from(&Param::new(Tensor::from([1.0f32, 0.3])), 1.0);
        assert_eq!(to.value().to_vec(), [1.0, 0.3]);
    }

    /// The average must be Σ (1 - d) dⁿ⁻ⁱ θᵢ + dⁿ θ₀, computed here in double precision.
    #[test]
    fn lerp_from_computes_an_exponential_moving_average() {
        let values = [2.0f64, -1.0, 0.5, 8.0, 3.0];
        let mut average = Param::new(Tensor::scalar_of(values[0]));
        for &value in &values[1..] {
            average.lerp_from(&Param::new(Tensor::scalar_of(value)), 1.0 - 0.9);
        }
        let mut expected = values[0] * 0.9f64.powi(4);
        for (i, value) in values[1..].iter().enumerate() {
            expected += 0.1 * 0.9f64.powi(3 - i as i32) * value;
        }
        assert!((average.value().item() - expected).abs() < 1e-14);
    }

    #[test]
    fn models_of_another_structure_are_refused_with_every_difference() {
        type Here = (Param, Param, Buffer, Param, Param);
        let param = |shape: &[usize]| Param::new(Tensor::zeros(shape));
        let mut here: Here = (
            param(&[2]),
            param(&[2, 3]),
            Buffer::new(Tensor::zeros(&[1])),
            param(&[4]),
            param(&[]),
        );
        let there = (
            param(&[2]),
            param(&[3, 2]),
            param(&[1]),
            Param::new(Tensor::<f64>::zeros_of(&[4])),
            (1.5, param(&[])),
        );
        let expected = "the models differ: `1` is a parameter f32 [2, 3] here and a parameter f32 [3, 2] in \
                        the other; `2` is a buffer f32 [1] here and a parameter f32 [1] in the other; `3` is \
                        a parameter f32 [4] here and a parameter f64 [4] in the other; `4` is a parameter f32 \
                        [] here and missing in the other; `4.1` is missing here and a parameter f32 [] in the \
                        other; `clone()` or the same constructor makes a model of the same structure";
        for op in ["copy_from", "lerp_from"] {
            let run = || match op {
                "copy_from" => here.copy_from(&there),
                _ => here.lerp_from(&there, 0.0),
            };
            let text = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
            assert_eq!(*text.downcast::<String>().unwrap(), format!("{op}: {expected}"));
            assert_eq!(here.0.version(), 0, "nothing has changed");
        }
        let text = catch_unwind(|| param(&[2]).copy_from(&param(&[3]))).unwrap_err();
        let text = *text.downcast::<String>().unwrap();
        assert!(text.contains("the model itself is a parameter f32 [2] here and a"), "{text}");
    }

    #[test]
    fn lerp_from_refuses_t_outside_0_to_1() {
        for t in [-0.1, 1.5, f64::NAN] {
            let run =
                || Param::new(Tensor::ones(&[1])).lerp_from(&Param::new(Tensor::ones(&[1])), t);
            let text = *catch_unwind(run).unwrap_err().downcast::<String>().unwrap();
            assert_eq!(text, format!("lerp_from: t must be from 0 to 1, got {t}"));
        }
    }
}
