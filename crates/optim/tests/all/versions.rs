//! Tests steps with gradients that were computed at other parameter values, with frozen parameters,
//! and with gradients from tapes that record buffer updates.

use std::panic::{AssertUnwindSafe, catch_unwind};
use wengert_autograd::{Buffer, Gradients, Module, Param, Path, See, SeeMut, Tape};
use wengert_optim::{Adadelta, Adagrad, Adam, Optimizer, Sgd};
use wengert_tensor::Tensor;

struct Layer {
    weight: Param,
    bias: Param,
    count: Buffer<i64>,
}

impl Module for Layer {
    fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
        self.weight.visit(&path.child("weight"), see);
        self.bias.visit(&path.child("bias"), see);
        self.count.visit(&path.child("count"), see);
    }
    fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
        self.weight.visit_mut(&path.child("weight"), see);
        self.bias.visit_mut(&path.child("bias"), see);
        self.count.visit_mut(&path.child("count"), see);
    }
}

impl Layer {
    fn new() -> Self {
        let count = Tensor::scalar_of(0).into();
        Layer { weight: Tensor::from([2.0]).into(), bias: Tensor::from([4.0]).into(), count }
    }

    /// Returns the gradients of weight² + bias², with one update of the counter.
    fn gradients(&self) -> Gradients {
        let tape = Tape::new();
        tape.count_buffer(&self.count, 1);
        let [weight, bias] = [&self.weight, &self.bias].map(|param| tape.param(param));
        (weight.square() + bias.square()).sum_all().backward()
    }

    fn numbers(&self) -> [f32; 2] {
        [&self.weight, &self.bias].map(|param| param.value().to_vec()[0])
    }

    fn counted(&self) -> i64 {
        self.count.value().item()
    }
}

fn panic_text(f: impl FnOnce()) -> String {
    let cause = catch_unwind(AssertUnwindSafe(f)).expect_err("a panic");
    cause.downcast_ref::<String>().expect("a formatted message").clone()
}

#[test]
fn stale_gradients_are_refused_by_name() {
    let mut model = vec![Layer::new(), Layer::new()];
    let gradients = [model[0].gradients(), model[1].gradients()];
    let mut sgd = Sgd::new(0.25).allow_missing();
    sgd.step(&mut model, &gradients[0]);
    assert_eq!((model[0].numbers(), model[0].counted()), ([1.0, 2.0], 1));
    assert_eq!(
        panic_text(|| sgd.step(&mut model, &gradients[0])),
        "step: the gradients are stale: these parameters have changed since the gradients were computed: \
         0.weight, 0.bias; compute the gradients again, or mark them with `.allow_stale()` if the algorithm \
         uses stale gradients"
    );
    assert_eq!((model[0].numbers(), model[0].counted()), ([1.0, 2.0], 1), "nothing has changed");
    // A loaded value also counts as a change.
    model[1].bias.set(Tensor::from([7.0]));
    let text = panic_text(|| sgd.step(&mut model, &gradients[1]));
    assert!(text.contains("were computed: 1.bias; compute"), "{text}");
    assert_eq!((model[1].numbers(), model[1].counted()), ([2.0, 7.0], 0));
    // Frozen parameters are not checked.
    model[1].bias.freeze();
    sgd.step(&mut model, &gradients[1]);
    assert_eq!((model[1].numbers(), model[1].counted()), ([1.0, 7.0], 1));
}

#[test]
fn applying_gradients_twice_updates_buffers_once() {
    let mut model = Layer::new();
    let gradients = model.gradients().allow_stale();
    let mut sgd = Sgd::new(0.25);
    sgd.step(&mut model, &gradients);
    sgd.step(&mut model, &gradients.clone());
    // The gradients are 4 and 8 in both steps.
    assert_eq!((model.numbers(), model.counted()), ([0.0, 0.0], 1));
}

#[test]
fn two_optimizers_over_a_shared_part_update_buffers_once() {
    let mut model = (Layer::new(), Layer::new());
    let tape = Tape::new();
    let [shared, other] = [&model.0, &model.1].map(|layer| {
        tape.count_buffer(&layer.count, 1);
        tape.param(&layer.weight) * tape.param(&layer.bias)
    });
    let gradients = (shared * other).sum_all().backward();
    // The second step visits the whole model, and the shared part has changed since the forward pass.
    let (mut first, mut second) = (Sgd::new(0.125), Sgd::new(0.125));
    first.step(&mut model.0, &gradients);
    assert_eq!((model.0.counted(), model.1.counted()), (1, 0));
    let text = panic_text(|| second.step(&mut model, &gradients));
    assert!(text.contains("were computed: 0.weight, 0.bias; compute"), "{text}");
    assert_eq!((model.0.counted(), model.1.counted()), (1, 0));
    second.step(&mut model, &gradients.clone().allow_stale());
    assert_eq!((model.0.counted(), model.1.counted()), (1, 1));
    second.step(&mut model.1.count, &gradients);
    assert_eq!((model.0.counted(), model.1.counted()), (1, 1));
}

#[test]
fn each_micro_batch_updates_buffers_once() {
    let mut model = Layer::new();
    let mut sum = model.gradients();
    for _ in 0..3 {
        sum.accumulate(model.gradients());
    }
    sum.scale(0.25);
    Sgd::new(0.25).step(&mut model, &sum);
    assert_eq!((model.numbers(), model.counted()), ([1.0, 2.0], 4));
    let text = panic_text(|| sum.accumulate(model.gradients()));
    assert!(text.starts_with("accumulate: 2 parameters of shapes [1], [1] changed"), "{text}");
}

/// If a step is skipped, for example because its gradients are not finite, its buffer updates can
/// still be applied.
#[test]
fn a_skipped_step_does_not_lose_buffer_updates() {
    let mut model = Layer::new();
    let skipped = model.gradients();
    let made = model.gradients();
    Sgd::new(0.25).step(&mut model, &made);
    assert_eq!(model.counted(), 1);
    skipped.apply_updates(&mut model);
    assert_eq!((model.numbers(), model.counted()), ([1.0, 2.0], 2));
    // A refused step has applied no update, so none is lost.
    let refused = model.gradients();
    model.weight.update(|_| ());
    panic_text(|| Sgd::new(0.25).step(&mut model, &refused));
    assert_eq!(model.counted(), 2);
    refused.apply_updates(&mut model);
    assert_eq!(model.counted(), 3);
}

/// Sharpness-aware minimization: the gradient is computed at a nearby point, and the step starts at
/// the original point (Foret, Kleiner, Mobahi, Neyshabur, 2021).
#[test]
fn a_step_can_use_gradients_of_a_nearby_point() {
    let mut w = Param::new(Tensor::from([2.0f32]));
    let (mut sgd, up) = (Sgd::new(0.25), Tensor::from([1.0f32]));
    w.update(|w| *w += &up);
    let gradients = Tape::new().param(&w).square().sum_all().backward();
    w.update(|w| *w -= &up);
    let text = panic_text(|| sgd.step(&mut w, &gradients));
    assert!(text.contains("stale"), "{text}");
    sgd.step(&mut w, &gradients.allow_stale());
    assert_eq!(w.value().to_vec(), [2.0 - 0.25 * (2.0 * 3.0)]);
}

/// A backtracking line search: shorter and shorter steps with one gradient, until Armijo's
/// condition holds.
#[test]
fn a_line_search_can_repeat_steps_with_one_gradient() {
    let loss = |w: &Param<f64>| w.value().to_vec()[0].powi(4);
    let mut w = Param::new(Tensor::from([2.0f64]));
    let gradients = Tape::new().param(&w).powi(4).sum_all().backward().allow_stale();
    let (start, slope) = (w.value().clone(), 4.0 * 2.0f64.powi(3));
    let (before, mut sgd) = (loss(&w), Sgd::<f64>::of(1.0));
    loop {
        w.set(start.clone());
        sgd.step(&mut w, &gradients);
        if loss(&w) <= before - 0.5 * sgd.learning_rate() * slope * slope {
            break;
        }
        sgd.set_learning_rate(0.5 * sgd.learning_rate());
    }
    // |2 − 32 t| is at most 2 for t ≤ 1/8. Armijo's condition first holds at t = 1/64: 1.5⁴ =
    // 5.0625 ≤ 16 − 8, but at t = 1/32, 1 > 16 − 16.
    assert_eq!((sgd.learning_rate(), w.value().to_vec()), (1.0 / 64.0, vec![1.5]));
}

fn all() -> Vec<Box<dyn Optimizer>> {
    vec![
        Box::new(Sgd::new(0.1).weight_decay(0.5)),
        Box::new(Sgd::new(0.1).momentum(0.9).nesterov(true).weight_decay(0.5)),
        Box::new(Adadelta::new(0.1).weight_decay(0.5)),
        Box::new(Adagrad::new(0.1).weight_decay(0.5)),
        Box::new(Adam::new(0.1).weight_decay(0.5).amsgrad(true)),
        Box::new(Adam::adamw(0.1).weight_decay(0.5)),
    ]
}

#[test]
fn a_step_does_not_change_frozen_parameters() {
    for mut optimizer in all() {
        let mut model = Layer::new();
        for _ in 0..3 {
            let gradients = model.gradients();
            optimizer.step(&mut model, &gradients);
        }
        // The gradient was computed before the parameter was frozen, and the momentum buffer
        // already exists.
        let gradients = model.gradients();
        model.weight.freeze();
        let (before, version) = (model.numbers(), model.weight.version());
        optimizer.step(&mut model, &gradients);
        // The gradients are computed after the parameter was frozen.
        let gradients = model.gradients();
        assert!(gradients.get(&model.weight).is_none());
        optimizer.step(&mut model, &gradients);
        let after = model.numbers();
        assert_eq!((after[0], model.weight.version()), (before[0], version));
        assert_ne!(after[1], before[1]);
        let steps = |optimizer: &dyn Optimizer, model: &Layer, name: &str| {
            optimizer.state_dict(model).get(name).unwrap().cast::<i64>().item()
        };
        assert_eq!(steps(&*optimizer, &model, "step.weight"), 3);
        assert_eq!(steps(&*optimizer, &model, "step.bias"), 5);
        // If all parameters are frozen, the step only updates the counter.
        let gradients = gradients.allow_stale();
        model.freeze();
        let versions = [model.weight.version(), model.bias.version()];
        optimizer.step(&mut model, &gradients);
        assert_eq!(model.numbers(), after);
        assert_eq!([model.weight.version(), model.bias.version()], versions);
    }
}

#[test]
fn a_parameter_that_was_frozen_in_the_run_is_named() {
    for mut optimizer in all() {
        let mut model = Layer::new();
        model.bias.freeze();
        let gradients = model.gradients();
        model.unfreeze();
        let text = panic_text(|| optimizer.step(&mut model, &gradients));
        assert_eq!(
            text,
            "step: no gradient for bias: these parameters were frozen when the gradients were computed; compute \
         the gradients again, or build the optimizer with `.allow_missing()`"
        );
        assert_eq!((model.numbers(), model.counted()), ([2.0, 4.0], 0));
        let gradients = model.gradients();
        optimizer.step(&mut model, &gradients);
        assert!(model.numbers()[0] < 2.0 && model.numbers()[1] < 4.0);
    }
}
