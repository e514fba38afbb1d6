//! Tests of the check itself: it accepts right derivatives, and refuses wrong ones and unsuitable points by name.

use super::{Gradcheck, GradcheckError, GradcheckPlace};
use crate::check::common::any_tape;
use crate::graph::{Call, Cotangents, CustomOp, Outputs, Var};
use std::sync::Arc;
use wengert_tensor::{Float, Philox, Shape, Tensor};

/// tanh with a wrong rule: its gradient is scaled by `factor`, and through `inner` only its second
/// derivative is wrong.
struct Scaled {
    factor: f64,
    inner: f64,
}
impl<T: Float> CustomOp<T> for Scaled {
    fn name(&self) -> &'static str {
        "scaled"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([x[0]].into())
    }
    fn forward(&self, x: &[Tensor<T>]) -> Outputs<Tensor<T>> {
        [x[0].tanh()].into()
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
        let y = c.y(0);
        // The value is right for every `inner`, the derivative only for `inner` = 1.
        let y = self.inner * y + (1.0 - self.inner) * y.detach();
        [Some(self.factor * c.gy() * (1.0 - y * y))].into()
    }
}

fn apply<'t, T: Float>(factor: f64, inner: f64, x: &[Var<'t, T>]) -> Var<'t, T> {
    x[0].tape().custom(Arc::new(Scaled { factor, inner }), &[x[0]])[0]
}

fn check(factor: f64, inner: f64, order: usize) -> Result<(), GradcheckError> {
    let x = Tensor::from([0.3, -0.8, 1.1]);
    let f64s = Gradcheck::new()
        .order(order)
        .run(any_tape(move |x| apply(factor, inner, x)), std::slice::from_ref(&x));
    if (factor - 1.0).abs() >= 0.01 || (inner - 1.0).abs() >= 0.01 || f64s.is_ok() {
        let x = x.cast::<f32>();
        let f32s =
            Gradcheck::new().order(order).run(any_tape(move |x| apply(factor, inner, x)), &[x]);
        assert_eq!(f32s.map_err(|e| e.order), f64s.clone().map_err(|e| e.order));
    }
    f64s
}

#[test]
fn a_right_rule_passes() {
    check(1.0, 1.0, 3).unwrap();
}

#[test]
fn a_scaled_rule_fails() {
    assert_eq!(check(1.01, 1.0, 1).unwrap_err().order, 1);
    assert_eq!(check(1.0001, 1.0, 1).unwrap_err().order, 1);
}

#[test]
fn a_rule_of_zero_fails() {
    assert_eq!(check(0.0, 1.0, 1).unwrap_err().order, 1);
}

#[test]
fn a_wrong_second_derivative_fails_only_at_second_order() {
    check(1.0, 0.99, 1).unwrap();
    assert_eq!(check(1.0, 0.99, 2).unwrap_err().order, 2);
    assert_eq!(check(1.0, 0.0, 2).unwrap_err().order, 2);
}

#[test]
fn the_message_names_the_order_and_the_method() {
    let text = check(1.01, 1.0, 1).unwrap_err().to_string();
    assert!(text.contains("order 1") && text.contains("differences"), "{text}");
}

#[test]
fn the_message_names_function_argument_index_numbers_and_bound() {
    let (a, x) = (Tensor::from([1.0, 2.0]), Tensor::from([0.3, -0.8]));
    let f = any_tape(|x| x[0] + apply(1.01, 1.0, &[x[1]]));
    let error = Gradcheck::new().named("my op").run(f, &[a.clone(), x.clone()]).unwrap_err();
    assert_eq!(error.at, GradcheckPlace::Entry { input: 1, element: 0, output: 0 });
    let slope = 1.0 - 0.3f64.tanh().powi(2);
    assert!((error.analytic - 1.01 * slope).abs() < 1e-12);
    assert!((error.numeric - slope).abs() < error.bound && error.bound < 1.1e-6);
    let text = error.to_string();
    assert!(text.starts_with("my op: derivative of order 1 of output element 0 by element 0 of"));
    assert!(text.contains("input 1: the rules give") && text.contains("more than 1.0e-6 apart"));
    // Only the second derivative is wrong.
    let error = Gradcheck::new().order(2).run(any_tape(|x| apply(1.0, 0.0, x)), &[x]);
    assert!(matches!(error.unwrap_err().at, GradcheckPlace::Entry { input: 0, .. }));
}

#[test]
fn kinks_are_refused_by_name() {
    let at = |f: fn(Var<'_, f64>) -> Var<'_, f64>, x: f64| {
        let x = [Tensor::from([5.0]), Tensor::from([3.0, x, 1.0])];
        let f = any_tape(move |x| f(x[1]) * x[0]);
        let full = Gradcheck::new().named("f").run(&f, &x);
        let along = Gradcheck::new().named("f").directions(2).run(&f, &x);
        assert_eq!(full.is_ok(), along.is_ok());
        if let (Err(full), Err(along)) = (&full, &along) {
            let here = GradcheckPlace::Kink { input: 1, element: 1, output: 1 };
            assert_eq!((full.at, along.at), (here, here));
            assert!(full.to_string().contains("f: derivative of order 1 of output element 1"));
            assert!(full.to_string().contains("choose a point farther away"));
        }
        full
    };
    // Points at which the central difference equals the slope of the rules, and points at which it
    // does not. They are on both sides of the kink, nearer than one step and nearer than two steps.
    for x in [0.0, 1e-9, 3e-4, -3e-4, 8e-4, 1.3e-3, -1.7e-3] {
        at(|x| x.abs(), x).unwrap_err();
        at(|x| x.relu(), x).unwrap_err();
        at(|x| x.clamp(0.0, 2.0), x).unwrap_err();
        at(|x| x.maximum(0.0) * x.exp(), x).unwrap_err();
        at(|x| x.gt(0.0).numbers() + x, x).unwrap_err();
        at(|x| x.sign(), x).unwrap_err();
    }
    let error = at(|x| x.abs(), 0.0).unwrap_err();
    assert!((error.analytic + 5.0).abs() < 1e-9 && (error.numeric - 5.0).abs() < 1e-9);
    for x in [0.01, -0.01, 0.7] {
        at(|x| x.abs(), x).unwrap();
        at(|x| x.maximum(0.0) * x.exp(), x).unwrap();
    }
    // Curvature must not be reported as a kink.
    for x in [0.1, 0.05] {
        at(|x| x.ln().square(), x)
            .unwrap_or_else(|e| assert!(!matches!(e.at, GradcheckPlace::Kink { .. })));
        at(|x| (20.0 * x).sin(), x)
            .unwrap_or_else(|e| assert!(!matches!(e.at, GradcheckPlace::Kink { .. })));
    }
    at(|x| x * x.abs(), 0.0).unwrap_err(); // its second derivative has a jump
    at(|x| x.square() * x.abs(), 0.0).unwrap(); // its third derivative has a jump
}

#[test]
fn points_at_the_edge_of_a_domain_are_refused_by_name() {
    type Unary = fn(Var<'_, f64>) -> Var<'_, f64>;
    let at = |f: Unary, x: f64| {
        let x = [Tensor::from([5.0]), Tensor::from([3.0, x, 1.0])];
        let f = any_tape(move |x| f(x[1]) * x[0]);
        let errors = [Gradcheck::new().full(), Gradcheck::new().directions(2)]
            .map(|check| check.order(2).run(&f, &x).unwrap_err());
        assert_eq!(errors[0].at, errors[1].at);
        errors[0].clone()
    };
    let cases: [(Unary, f64); 4] = [
        (|x| x.sqrt(), 1e-4),
        (|x| x.ln(), 1e-5),
        (|x| x.pow(0.5), 1e-3),
        (|x| (4.0 - x).sqrt() * 0.0 + (x - 1e-9).ln(), 2e-9),
    ];
    for (f, x) in cases {
        let error = at(f, x);
        assert_eq!(error.at, GradcheckPlace::Edge { input: 1, element: 1, output: 1 }, "{error}");
        assert!(error.to_string().contains("NaN next to it: choose a point farther"), "{error}");
    }
    let cases: [(Unary, f64); 3] = [(|x| x.sqrt(), -1.0), (|x| x.ln(), 0.0), (|x| x.recip(), 0.0)];
    for (f, x) in cases {
        let error = at(f, x);
        assert_eq!(error.at, GradcheckPlace::Value { output: 1 }, "{error}");
    }
    // At the edge of the domain the derivative is NaN, although the function is finite.
    let x = [Tensor::from([0.0, 1.0])];
    let root = |f: fn(Var<'_, f64>) -> Var<'_, f64>| {
        Gradcheck::new().run(any_tape(move |x| f(x[0])), &x).unwrap_err().at
    };
    let edge = GradcheckPlace::Edge { input: 0, element: 0, output: 0 };
    assert_eq!(root(|x| x.sqrt() * x), edge);
    assert_eq!(root(|x| x.sqrt() * x.sqrt()), edge);
    let text = at(|x| x.ln(), 0.0).to_string();
    assert!(text.contains("output element 1: the function is -inf at this point"), "{text}");
}

#[test]
fn points_too_large_for_a_difference_step_are_refused_by_name() {
    // The gradient of `x.detach() * x` is half of the derivative of the value.
    fn wrong<'t, T: Float>(x: &[Var<'t, T>]) -> Var<'t, T> {
        x[0].detach() * x[0]
    }
    for x in [1e7f32, 1e12] {
        let error = Gradcheck::new().run(wrong, &[Tensor::from([1.0, x])]).unwrap_err();
        assert_eq!(error.at, GradcheckPlace::Step { input: 0, element: 1 }, "{error}");
        assert!(error.to_string().contains("is lost in rounding: choose a point"), "{error}");
    }
    let error = Gradcheck::new().run(wrong, &[Tensor::from([1e15f64])]).unwrap_err();
    assert_eq!(error.at, GradcheckPlace::Step { input: 0, element: 0 });
    let error = Gradcheck::new().step(1e-20).run(wrong, &[Tensor::from([1.0f64])]).unwrap_err();
    assert_eq!(error.at, GradcheckPlace::Step { input: 0, element: 0 });
    for x in [300.0f32, 2.0] {
        let error = Gradcheck::new().run(wrong, &[Tensor::from([x])]).unwrap_err();
        assert!(matches!(error.at, GradcheckPlace::Entry { .. }), "{error}");
    }
}

#[test]
fn a_kink_of_the_gradient_is_found_at_second_order() {
    let f = any_tape(|x| x[0].square() * x[0].abs());
    let x = [Tensor::from([1.0, 0.0])];
    Gradcheck::new().run(&f, &x).unwrap();
    let error = Gradcheck::new().order(2).run(&f, &x).unwrap_err();
    assert_eq!(error.order, 2);
    assert!(matches!(error.at, GradcheckPlace::Kink { input: 0, element: 1, .. }), "{error}");
}

/// The sine with one wrong entry in its Jacobian: the entry is multiplied by a factor.
struct OneWrong(usize, f64);
impl<T: Float> CustomOp<T> for OneWrong {
    fn name(&self) -> &'static str {
        "one_wrong"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([x[0]].into())
    }
    fn forward(&self, x: &[Tensor<T>]) -> Outputs<Tensor<T>> {
        [x[0].sin()].into()
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
        let off = |i| T::of(if i == self.0 { self.1 } else { 1.0 });
        let factor = Tensor::from_fn(&c.x_shape(0), off);
        [Some(c.gy() * c.x(0).cos() * c.tape().constant(factor))].into()
    }
}

#[test]
fn one_wrong_entry_of_many_is_found_along_directions() {
    fn apply<'t, T: Float>(at: usize, factor: f64, x: &[Var<'t, T>]) -> Var<'t, T> {
        x[0].tape().custom(Arc::new(OneWrong(at, factor)), &[x[0]])[0]
    }
    let n = 20_000;
    let x = Tensor::from_fn(&[n], |i| ((i * 37) % 101) as f64 * 0.01);
    Gradcheck::new().run(any_tape(|x| apply(0, 1.0, x)), std::slice::from_ref(&x)).unwrap();
    for seed in 0..20 {
        let at = (seed as usize * 7919) % n;
        let f = any_tape(move |x| apply(at, 1.01, x));
        let check = Gradcheck::new().seed(seed);
        let error = check.run(f, std::slice::from_ref(&x)).unwrap_err();
        assert_eq!(error.at, GradcheckPlace::Direction);
    }
    let x = x.cast::<f32>();
    Gradcheck::new().run(any_tape(|x| apply(0, 1.0, x)), std::slice::from_ref(&x)).unwrap();
    Gradcheck::new().run(any_tape(|x| apply(5, 3.0, x)), &[x]).unwrap_err();
}

#[test]
fn full_and_directions_override_the_choice_by_size() {
    let x = Tensor::from_fn(&[50], |i| 0.1 + i as f64 * 0.01);
    let f = any_tape(|x| apply(1.01, 1.0, x));
    let at = |check: Gradcheck| check.run(&f, std::slice::from_ref(&x)).unwrap_err().at;
    let entry = GradcheckPlace::Entry { input: 0, element: 0, output: 0 };
    assert_eq!(at(Gradcheck::new()), GradcheckPlace::Direction); // 2500 entries
    assert_eq!(at(Gradcheck::new().full()), entry);
    assert_eq!(at(Gradcheck::new().entries(2500)), entry);
    assert_eq!(at(Gradcheck::new().full().directions(1)), GradcheckPlace::Direction);
}

#[test]
fn training_mode_draws_the_same_numbers_each_time() {
    let f = any_tape(|x| x[0].sin().dropout(0.5) * x[0]);
    let x = Tensor::from_fn(&[20], |i| 0.1 * i as f64);
    Gradcheck::new().order(2).train(7).run(&f, std::slice::from_ref(&x)).unwrap();
    let x = x.cast::<f32>();
    let f = any_tape(|x| x[0].sin().dropout(0.5) * x[0]);
    Gradcheck::new().order(2).train(7).run(f, &[x]).unwrap();
    // A wrong rule after the dropout.
    let f = any_tape(|x| apply(1.01, 1.0, &[x[0].dropout(0.3)]));
    Gradcheck::new().train(7).run(f, &[Tensor::from([0.5, 0.2, 0.4, 0.9])]).unwrap_err();
}

#[test]
fn f32_functions_pass_with_the_default_tolerances() {
    let x = [Tensor::from([0.5f32, 1.5, 2.5]), Tensor::from([0.7f32, -1.2, 0.4])];
    let f = any_tape(|x| (x[0].ln() * x[1].exp()).sin() + x[0].sqrt() * x[1]);
    Gradcheck::new().order(2).run(f, &x).unwrap();
    let f = any_tape(|x| x[0].matmul(x[1]).softmax(1));
    let random = |shape: &[usize]| Tensor::<f32>::normal(shape, 0.0, 1.0, &mut Philox::new(4));
    Gradcheck::new().order(2).run(f, &[random(&[3, 4]), random(&[4, 3])]).unwrap();
}
