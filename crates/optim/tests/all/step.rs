//! Tests the checks of `step`, its errors, and its effects besides the update formula.

use crate::common::panic_of;
use std::panic::Location;
use wengert_autograd::{Buffer, Gradients, Module, Param, Path, See, SeeMut, Tape};
use wengert_optim::{
    Adadelta, Adagrad, Adam, Base, OneCycleLr, Optimizer, Schedule, Sgd, UpdateError, UpdateRule,
};
use wengert_tensor::{Program, Tensor};

fn param(values: [f32; 2]) -> Param {
    Param::new(Tensor::from(values))
}

/// Returns the gradients of the sum of squares of these parameters: 2 w each.
fn gradients(params: &[&Param]) -> Gradients {
    let tape = Tape::new();
    let terms = params.iter().map(|param| tape.param(param).square().sum_all());
    terms.reduce(|a, b| a + b).unwrap().backward()
}

#[track_caller]
fn line() -> u32 {
    Location::caller().line()
}

#[test]
fn missing_gradients_are_named_and_nothing_changes() {
    let mut model = vec![param([1.0, 2.0]), param([3.0, 4.0]), param([5.0, 6.0])];
    let gradients = gradients(&[&model[1]]);
    let mut sgd = Sgd::new(0.25);
    let mut expected = 0;
    let (message, _, at) = panic_of(|| {
        expected = line() + 1;
        sgd.step(&mut model, &gradients);
    });
    assert_eq!(
        message,
        "step: no gradient for 0, 2: the loss does not depend on these parameters; freeze them if they are \
         not to be trained, or build the optimizer with `.allow_missing()`"
    );
    assert_eq!(at, expected, "the panic points at the caller");
    assert_eq!(model[1].version(), 0);

    model[0].freeze();
    model[2].freeze();
    sgd.step(&mut model, &gradients);
    assert_eq!(model[1].value().to_vec(), [1.5, 2.0]);
    model.unfreeze();
    let gradients = gradients.allow_stale();
    Sgd::new(0.25).allow_missing().step(&mut model, &gradients);
    assert_eq!(model[1].value().to_vec(), [0.0, 0.0]);
    assert_eq!((model[0].version(), model[1].version(), model[2].version()), (0, 2, 0));
}

/// A parameter that is the whole model has an empty name. Messages call it "the parameter itself".
#[test]
fn a_parameter_without_a_name_is_called_the_parameter_itself() {
    let says = |model: &mut Param, gradients: &Gradients| {
        let before = model.version();
        let (message, ..) = panic_of(|| Sgd::new(0.25).step(model, gradients));
        assert_eq!(model.version(), before);
        message
    };
    let mut model = param([1.0, 2.0]);
    // No gradient at all, and a gradient of another parameter.
    let none = Tape::new().watch(Tensor::scalar(1.0)).backward();
    assert_eq!(
        says(&mut model, &none),
        "step: no gradient for the parameter itself: the loss does not depend on these parameters; freeze \
         them if they are not to be trained, or build the optimizer with `.allow_missing()`"
    );
    let frozen = {
        model.freeze();
        let gradients = gradients(&[&model, &param([3.0, 4.0])]);
        model.unfreeze();
        gradients
    };
    assert_eq!(
        says(&mut model, &frozen),
        "step: no gradient for the parameter itself: these parameters were frozen when the gradients were \
         computed; compute the gradients again, or build the optimizer with `.allow_missing()`"
    );
    assert_eq!(
        says(&mut model, &gradients(&[&param([3.0, 4.0])])),
        "step: no gradient for the parameter itself: the gradients belong to another model; pass the model \
         with which the loss was computed (a clone is another model)"
    );
    let mut misshaped = gradients(&[&model]);
    *misshaped.get_mut(&model).unwrap() = Tensor::scalar(1.0);
    assert_eq!(
        says(&mut model, &misshaped),
        "step: these gradients do not have the shape of their parameters: the parameter itself (gradient \
         [], parameter [2]); code that changes a gradient must keep its shape"
    );
    let stale = gradients(&[&model]);
    model.set(Tensor::from([5.0, 6.0]));
    assert_eq!(
        says(&mut model, &stale),
        "step: the gradients are stale: these parameters have changed since the gradients were computed: \
         the parameter itself; compute the gradients again, or mark them with `.allow_stale()` if the \
         algorithm uses stale gradients"
    );
    let mut double = Param::new(Tensor::from([1.0f64, 2.0]));
    let (message, ..) = panic_of(|| Sgd::new(0.25).step(&mut double, &stale));
    assert_eq!(
        message,
        "step: the gradients have the element type f32, but these parameters have another: the parameter \
         itself (f64); model, tape and optimizer must have the same element type (for `f64`: \
         `Sgd::<f64>::of(0.1)`)"
    );
    // A counter that is the whole model.
    let mut counter = Buffer::<i64>::new(Tensor::scalar_of(i64::MAX));
    let tape = Tape::<f32>::new();
    tape.count_buffer(&counter, 1);
    let full = tape.watch(Tensor::scalar(1.0)).backward();
    let (message, ..) = panic_of(|| Sgd::new(0.25).step(&mut counter, &full));
    assert_eq!(
        message,
        "step: the counter has the value 9223372036854775807, and adding 1 would exceed i64: set \
         it to a lower number"
    );
}

/// `try_step` returns the error that `step` panics with, and changes nothing.
#[test]
fn a_refused_step_is_an_error() {
    let mut model = vec![param([1.0, 2.0]), param([3.0, 4.0]), param([5.0, 6.0])];
    let first = gradients(&[&model[1]]);
    let optimizers: [Box<dyn Optimizer>; 3] = [
        Box::new(Sgd::new(0.25).momentum(0.5)),
        Box::new(Adam::new(0.1)),
        Box::new(Adam::adamw(0.1)),
    ];
    for mut optimizer in optimizers {
        assert!(!optimizer.allows_missing());
        let before = optimizer.state_dict(&model);
        let error = optimizer.try_step(&mut model, &first).unwrap_err();
        let parameters = vec!["0".to_string(), "2".to_string()];
        assert_eq!(error, UpdateError::Missing { parameters });
        let (message, ..) = panic_of(|| optimizer.step(&mut model, &first));
        assert_eq!(message, format!("step: {error}"));
        assert_eq!(optimizer.state_dict(&model), before);
        assert_eq!(model.iter().map(Param::version).collect::<Vec<_>>(), [0, 0, 0]);
    }
    let mut lenient = Sgd::new(0.25).allow_missing();
    assert!(lenient.allows_missing());
    lenient.try_step(&mut model, &first).unwrap();
    assert_eq!(model[1].value().to_vec(), [1.5, 2.0]);
    let error = lenient.try_step(&mut model, &first).unwrap_err();
    assert_eq!(error, UpdateError::Stale { parameters: vec!["1".into()] });
}

/// `Adam::new` and `Adam::adamw` return the same type.
#[test]
fn adam_and_adamw_are_one_type() {
    // The first step of Adam changes the parameter by lr against the sign of g = 1, whatever the
    // decay. Decoupled decay multiplies the parameter by 1 - lr · decay; an L2 penalty changes g,
    // but not its sign.
    for (adam, decay) in [
        (Adam::new(0.125), 0.0),
        (Adam::new(0.125).weight_decay(0.5), 0.0),
        (Adam::adamw(0.125), 0.01),
        (Adam::adamw(0.125).weight_decay(0.5), 0.5),
        (Adam::adamw_of(0.125).weight_decay(0.0), 0.0),
    ] {
        let (mut adam, mut model): (Adam, _) = (adam, param([2.0, 4.0]));
        let gradients = Tape::new().param(&model).sum_all().backward();
        adam.step(&mut model, &gradients);
        for (start, now) in [2.0f32, 4.0].into_iter().zip(model.value().to_vec()) {
            let wanted = start * (1.0 - 0.125 * decay) - 0.125;
            assert!((now - wanted).abs() < 1e-5, "{decay}: {now} {wanted}");
        }
    }
}

#[test]
fn gradients_of_a_clone_are_refused() {
    let mut model = vec![param([1.0, 2.0])];
    let gradients = gradients(&[&model.clone()[0]]);
    let (message, ..) = panic_of(|| Adam::new(0.1).step(&mut model, &gradients));
    assert_eq!(
        message,
        "step: no gradient for 0: the gradients belong to another model; pass the model with which the \
         loss was computed (a clone is another model)"
    );
}

#[test]
fn gradients_of_another_element_type_are_refused() {
    let mut model = (param([1.0, 2.0]), Param::new(Tensor::from([1.0f64, 2.0])));
    let gradients = gradients(&[&model.0]);
    let (message, ..) = panic_of(|| Adagrad::new(0.1).step(&mut model, &gradients));
    assert_eq!(
        message,
        "step: the gradients have the element type f32, but these parameters have another: 1 (f64); model, \
         tape and optimizer must have the same element type (for `f64`: `Sgd::<f64>::of(0.1)`)"
    );
    assert_eq!(model.0.version(), 0);
    model.1.freeze();
    Adagrad::new(0.1).step(&mut model, &gradients);
    assert_eq!(model.0.version(), 1);
}

#[test]
fn a_gradient_of_another_shape_is_refused() {
    let mut model = vec![param([1.0, 2.0])];
    let mut gradients = gradients(&[&model[0]]);
    *gradients.get_mut(&model[0]).unwrap() = Tensor::scalar(1.0);
    let (message, ..) = panic_of(|| Adam::adamw(0.1).step(&mut model, &gradients));
    assert_eq!(
        message,
        "step: these gradients do not have the shape of their parameters: 0 (gradient [], parameter [2]); \
         code that changes a gradient must keep its shape"
    );
    assert_eq!(model[0].version(), 0);
}

#[test]
fn hyperparameters_out_of_range_panic() {
    let mut expected = 0;
    let (message, _, at) = panic_of(|| {
        expected = line() + 1;
        Sgd::new(-0.1);
    });
    assert_eq!(message, "Sgd: lr must be finite and at least 0, got -0.1");
    assert_eq!(at, expected);

    let says = |f: fn()| panic_of(f).0;
    assert_eq!(
        says(|| drop(Adagrad::new(f64::NAN))),
        "Adagrad: lr must be finite and at least 0, got NaN"
    );
    assert_eq!(
        says(|| Adam::new(0.1).set_learning_rate(f64::INFINITY)),
        "Adam: lr must be finite and at least 0, got inf"
    );
    assert_eq!(
        says(|| drop(Sgd::new(0.1).momentum(-1.0))),
        "Sgd: momentum must be finite and at least 0, got -1.0"
    );
    assert_eq!(
        says(|| drop(Sgd::new(0.1).dampening(f64::NAN))),
        "Sgd: dampening must be finite, got NaN"
    );
    assert_eq!(
        says(|| drop(Sgd::new(0.1).weight_decay(-1.0))),
        "Sgd: weight_decay must be finite and at least 0, got -1.0"
    );
    for optimizer in [
        || drop(Adadelta::new(0.1).eps(-1.0)) as (),
        || drop(Adadelta::new(0.1).weight_decay(-1.0)),
        || drop(Adagrad::new(0.1).lr_decay(-1.0)),
        || drop(Adagrad::new(0.1).weight_decay(-1.0)),
        || drop(Adagrad::new(0.1).initial_accumulator_value(-1.0)),
        || drop(Adagrad::new(0.1).eps(-1.0)),
        || drop(Adam::new(0.1).eps(-1.0)),
        || drop(Adam::new(0.1).weight_decay(-1.0)),
        || drop(Adam::adamw(0.1).eps(-1.0)),
        || drop(Adam::adamw(0.1).weight_decay(-1.0)),
    ] as [fn(); 10]
    {
        assert!(says(optimizer).ends_with(" must be finite and at least 0, got -1.0"));
    }
    for optimizer in [
        || drop(Sgd::new(f64::INFINITY)) as (),
        || drop(Sgd::new(0.1).momentum(f64::INFINITY)),
        || drop(Sgd::new(0.1).weight_decay(f64::INFINITY)),
        || drop(Adadelta::new(0.1).eps(f64::INFINITY)),
        || drop(Adadelta::new(0.1).weight_decay(f64::INFINITY)),
        || drop(Adagrad::new(0.1).lr_decay(f64::INFINITY)),
        || drop(Adagrad::new(0.1).weight_decay(f64::INFINITY)),
        || drop(Adagrad::new(0.1).initial_accumulator_value(f64::INFINITY)),
        || drop(Adagrad::new(0.1).eps(f64::INFINITY)),
        || drop(Adam::new(0.1).eps(f64::INFINITY)),
        || drop(Adam::new(0.1).weight_decay(f64::INFINITY)),
        || drop(Adam::adamw(0.1).eps(f64::INFINITY)),
        || drop(Adam::adamw(0.1).weight_decay(f64::INFINITY)),
    ] as [fn(); 13]
    {
        assert!(says(optimizer).ends_with(" must be finite and at least 0, got inf"));
    }
    assert_eq!(
        says(|| drop(Sgd::new(0.1).dampening(f64::INFINITY))),
        "Sgd: dampening must be finite, got inf"
    );
    assert_eq!(
        says(|| drop(Adadelta::new(0.1).rho(1.5))),
        "Adadelta: rho must be from 0 to 1, got 1.5"
    );
    assert_eq!(
        says(|| drop(Adam::new(0.1).betas(1.0, 0.5))),
        "Adam: beta1 must be at least 0 and below 1, got 1.0"
    );
    assert_eq!(
        says(|| drop(Adam::adamw(0.1).betas(0.5, -0.5))),
        "AdamW: beta2 must be at least 0 and below 1, got -0.5"
    );
}

#[test]
fn nesterov_requires_momentum_in_any_order_of_calls() {
    let mut model = vec![param([1.0, 2.0])];
    let gradients = gradients(&[&model[0]]);
    let (message, ..) = panic_of(|| Sgd::new(0.1).nesterov(true).step(&mut model, &gradients));
    assert_eq!(
        message,
        "Sgd: nesterov must be false unless momentum is above 0 and dampening is 0, got true"
    );
    assert_eq!(model[0].version(), 0);
    Sgd::new(0.1).nesterov(true).momentum(0.9).step(&mut model, &gradients);
}

/// A module that visits one parameter under two names in `visit`, and under one name in `visit_mut`.
struct Twice(Param);
impl Module for Twice {
    fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
        self.0.visit(&path.child("a"), see);
        self.0.visit(&path.child("b"), see);
    }
    fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
        self.0.visit_mut(&path.child("a"), see);
    }
}

#[test]
fn a_parameter_under_two_names_is_saved_and_loaded_once() {
    let mut model = Twice(param([1.0, 2.0]));
    let mut sgd = Sgd::new(0.1).momentum(0.9);
    let gradients = gradients(&[&model.0]);
    sgd.step(&mut model, &gradients);
    assert_eq!(model.0.version(), 1);
    let state = sgd.state_dict(&model);
    assert_eq!(state.names().collect::<Vec<_>>(), ["step.a", "momentum_buffer.a"]);
    Sgd::new(0.5).load_state_dict(&model, &state).unwrap();
}

#[test]
fn a_step_updates_the_buffers() {
    let mut model = (param([1.0, 2.0]), Buffer::new(Tensor::from([1.0f32, 1.0])));
    let mut untouched = Buffer::new(Tensor::scalar_of(3i64));
    let tape = Tape::new();
    let w = tape.param(&model.0);
    tape.update_buffer(&model.1, 0.5, w * 10.0);
    let mut counter = Buffer::new(Tensor::scalar_of(3i64));
    tape.count_buffer(&counter, 2);
    let gradients = w.sum_all().backward();
    Sgd::new(1.0).step(&mut model, &gradients);
    assert_eq!(model.1.value().to_vec(), [10.5, 20.5]);
    assert_eq!(model.0.value().to_vec(), [0.0, 1.0]);
    Sgd::new(1.0).step(&mut counter, &gradients);
    assert_eq!(counter.value().item(), 5);
    Sgd::new(1.0).step(&mut untouched, &gradients);
    assert_eq!(untouched.value().item(), 3);
}

#[test]
fn the_learning_rate_can_change() {
    let mut model = param([1.0, 2.0]);
    let mut optimizer: Box<dyn Optimizer> = Box::new(Sgd::new(1.0));
    optimizer.set_learning_rate(0.25);
    assert_eq!(optimizer.learning_rate(), 0.25);
    let gradients = gradients(&[&model]);
    optimizer.step(&mut model, &gradients);
    assert_eq!(model.value().to_vec(), [0.5, 1.0]);
}

/// A schedule with a constant learning rate and a constant momentum.
struct Both(f64, f64);
impl Schedule for Both {
    fn learning_rate(&self, _: usize) -> f64 {
        self.0
    }
    fn momentum(&self, _: usize) -> Option<f64> {
        Some(self.1)
    }
}

/// A setter that panics changes nothing.
#[test]
fn a_refused_setter_changes_nothing() {
    let optimizers: [fn() -> Box<dyn Optimizer>; 3] = [
        || Box::new(Sgd::new(0.5).momentum(0.25)),
        || Box::new(Adam::new(0.5)),
        || Box::new(Adam::adamw(0.5)),
    ];
    for make in optimizers {
        let mut optimizer = make();
        let before = optimizer.state_dict(&()).metadata;
        for lr in [-0.1, f64::NAN, f64::INFINITY] {
            let (message, ..) = panic_of(|| optimizer.set_learning_rate(lr));
            assert!(
                message.ends_with(&format!("lr must be finite and at least 0, got {lr:?}")),
                "{message}"
            );
        }
        for momentum in [-0.1, f64::NAN, f64::INFINITY] {
            let (message, ..) = panic_of(|| optimizer.set_momentum(momentum));
            assert!(message.ends_with(&format!(", got {momentum:?}")), "{message}");
        }
        // A schedule sets both values or neither.
        panic_of(|| Both(0.75, -1.0).apply(&mut *optimizer, 0));
        panic_of(|| Both(-1.0, 0.75).apply(&mut *optimizer, 0));
        panic_of(|| Both(f64::NAN, f64::NAN).apply(&mut *optimizer, 0));
        assert_eq!(optimizer.state_dict(&()).metadata, before);
    }
    // Adagrad has no momentum, so it also does not take the learning rate of a schedule with momentum.
    let mut adagrad = Adagrad::new(0.5);
    let (message, ..) = panic_of(|| OneCycleLr::new(0.1, 10).apply(&mut adagrad, 0));
    assert_eq!(
        message,
        "set_momentum: Adagrad has no momentum; if a `OneCycleLr` schedule sets it, build the schedule with \
         `.cycle_momentum(false)`"
    );
    assert_eq!(adagrad.learning_rate(), 0.5);
}

#[test]
fn adam_with_beta1_0_steps_along_the_gradient() {
    // With β₁ = 0, m must be g, not m + (g - m).
    let mut model = Param::new(Tensor::<f64>::from([1e-3, 1e3]));
    let mut adam = Adam::<f64>::of(1.0).betas(0.0, 0.0).eps(0.0);
    for _ in 0..3 {
        let gradients = Tape::new().param(&model).square().sum_all().backward();
        let before = model.value().clone();
        adam.step(&mut model, &gradients);
        let steps: Vec<_> = (&before - model.value()).to_vec();
        assert!(steps.iter().all(|step| (step.abs() - 1.0).abs() < 1e-12), "{steps:?}");
    }
}

#[test]
fn bias_correction_uses_the_step_count_of_each_parameter() {
    // Adam's first step changes a parameter by lr against the sign of the gradient, whatever the
    // size of the gradient. A parameter whose first gradient comes later makes this first step
    // later, whether it is visited before or after an older parameter.
    for young in [0, 1] {
        let mut model = vec![param([1.0, -2.0]), param([3.0, 4.0])];
        let mut adam = Adam::new(0.125).allow_missing();
        let first = gradients(&[&model[1 - young]]);
        adam.step(&mut model, &first);
        let before = [model[0].value().to_vec(), model[1].value().to_vec()];
        let both = gradients(&[&model[0], &model[1]]);
        adam.step(&mut model, &both);

        for (&w, now) in before[young].iter().zip(model[young].value().to_vec()) {
            assert!((now - (w - 0.125 * w.signum())).abs() < 1e-5, "{young}: {w} became {now}");
        }
        // The second step of the other parameter, by the formulas. Its gradients are 2 w.
        let start = [[1.0f64, -2.0], [3.0, 4.0]][1 - young];
        for (start, now) in start.into_iter().zip(model[1 - young].value().to_vec()) {
            let (mut w, mut m, mut v) = (start, 0.0, 0.0);
            for t in 1..=2 {
                let g = 2.0 * w;
                (m, v) = (0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g);
                let (m, v) = (m / (1.0 - 0.9f64.powi(t)), v / (1.0 - 0.999f64.powi(t)));
                w -= 0.125 * m / (v.sqrt() + 1e-8);
            }
            assert!((f64::from(now) - w).abs() < 1e-5, "{young}: {now} instead of {w}");
        }
    }
}

/// A counter at its maximum is refused by name before anything changes, so the state of the
/// optimizer remains.
#[test]
fn a_counter_that_would_overflow_is_refused_and_keeps_the_state() {
    let optimizers: [fn() -> Box<dyn Optimizer>; 5] = [
        || Box::new(Sgd::new(0.5).momentum(0.25)),
        || Box::new(Adam::new(0.5)),
        || Box::new(Adam::adamw(0.5)),
        || Box::new(Adagrad::new(0.5)),
        || Box::new(Adadelta::new(0.5)),
    ];
    for make in optimizers {
        let mut optimizer = make();
        let mut model = (param([1.0, 2.0]), Buffer::<i64>::new(Tensor::scalar_of(i64::MAX - 1)));
        let run = |model: &(Param, Buffer<i64>)| {
            let tape = Tape::new();
            tape.count_buffer(&model.1, 1);
            tape.param(&model.0).square().sum_all().backward()
        };
        let gradients = run(&model);
        optimizer.step(&mut model, &gradients);
        assert_eq!(model.1.value().item(), i64::MAX);

        let (before, weights) = (optimizer.state_dict(&model), model.0.value().to_vec());
        assert!(!before.is_empty(), "something is remembered");
        let gradients = run(&model);
        let mut expected = 0;
        let (message, _, at) = panic_of(|| {
            expected = line() + 1;
            optimizer.step(&mut model, &gradients);
        });
        assert_eq!(
            message,
            "step: 1: the counter has the value 9223372036854775807, and adding 1 would exceed \
             i64: set it to a lower number"
        );
        assert_eq!(at, expected, "the panic points at the caller");
        assert!(optimizer.state_dict(&model) == before, "the state was changed");
        assert_eq!(model.0.value().to_vec(), weights);
        model.1.set(Tensor::scalar_of(7));
        optimizer.step(&mut model, &gradients);
        assert_eq!(model.1.value().item(), 8);
        assert_ne!(model.0.value().to_vec(), weights);
    }
}

/// An update rule that panics at the third step: p ← p - g, with the sum of the gradients as state.
struct Breaks(Base);
impl UpdateRule<f32> for Breaks {
    fn name(&self) -> &'static str {
        "Breaks"
    }
    fn base(&self) -> &Base {
        &self.0
    }
    fn base_mut(&mut self) -> &mut Base {
        &mut self.0
    }
    fn slots(&self) -> &'static [&'static str] {
        &["sum"]
    }
    fn program(&self, t: u64) -> Program {
        assert!(t < 3, "no third step");
        Program::new(|[p, sum, g]| [p - g, sum + g])
    }
}

#[test]
fn a_panic_in_an_update_rule_keeps_the_state() {
    let mut model = vec![param([1.0, 2.0]), param([3.0, 4.0])];
    let mut optimizer = Breaks(Base::new(1.0));
    for _ in 0..2 {
        let gradients = gradients(&[&model[0], &model[1]]);
        optimizer.step(&mut model, &gradients);
    }
    let sums = |optimizer: &Breaks, model: &Vec<Param>| {
        let state = optimizer.state_dict(model);
        ["sum.0", "sum.1"].map(|name| state.get(name).unwrap().get::<f32>().unwrap().to_vec())
    };
    let before = sums(&optimizer, &model);
    // The gradients are 2 w, then -2 w.
    assert_eq!(before, [[0.0, 0.0], [0.0, 0.0]]);
    let gradients = gradients(&[&model[0], &model[1]]);
    let (message, ..) = panic_of(|| optimizer.step(&mut model, &gradients));
    assert_eq!(message, "no third step");
    assert_eq!(sums(&optimizer, &model), before);
}
