//! Inputs, gradients and running statistics that are not finite, and models that read numbers.

use super::{Set, classifier, fit, linear, points, refused, with_input};
use std::cell::Cell;
use wengert_autograd::{Param, Path, See, SeeMut, Var};
use wengert_data::{DataLoader, TensorDataset};
use wengert_nn::{BatchNorm1d, Layer, Linear, Module, cross_entropy, sequential, state_dict};
use wengert_optim::{Adam, Optimizer, Sgd};
use wengert_tensor::{Philox, Tensor};
use wengert_train::{Batches, Objective, TrainError, Trainer};

/// A model whose `call` branches on a computed value.
#[derive(Clone, Module)]
#[module(crate = "wengert_autograd")]
struct Early {
    a: Linear,
    b: Linear,
}
impl Layer for Early {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        let y = self.a.forward(x);
        if y.square().mean_all().item() > 0.0 { self.b.forward(y) } else { y }
    }
}

#[test]
fn models_and_losses_that_read_values_train() {
    let rng = &mut Philox::new(0);
    let mut early = |hidden: usize| Early {
        a: Linear::new(4, 3, &mut *rng),
        b: Linear::new(hidden, 2, &mut *rng),
    };
    let set = points(30);
    let (train, valid) = (DataLoader::new(&set, 8), DataLoader::new(&set, 7));
    let trainer = classifier().validate(&valid);
    let history = fit(&mut early(3), &trainer, &train).0.unwrap();
    assert_eq!((history.steps(), history.epochs.len()), (8, 2));

    // The layers up to the read value are checked before the first step, and the layers after it in the
    // first step.
    let narrow = TensorDataset::new(Tensor::zeros(&[6, 3]), Tensor::<i64>::zeros_of(&[6]));
    let error = refused(&mut early(3), &classifier(), &DataLoader::new(&narrow, 3));
    assert!(matches!(&error, TrainError::Operation(error) if error.path == "a"), "{error}");
    let (result, before, after) = fit(&mut early(5), &classifier(), &train);
    let error = result.unwrap_err();
    assert!(matches!(&error, TrainError::Operation(error) if error.path == "b"), "{error}");
    assert_eq!((before.0, before.1), (after.0, after.1));

    // A loss that prints, a loss that reads values of its outputs, and a loss that reads a class.
    let seen = Cell::new(0.0);
    let prints = Objective::new(|y: Var<'_>, labels: &Tensor<i64>| {
        let loss = cross_entropy(y, labels);
        println!("{y:?}: {}", loss.item());
        seen.set(loss.item());
        if loss.item() > 1e6 { loss * 0.5 } else { loss }
    });
    let weighted = Objective::new(|y: Var<'_>, labels: &Tensor<i64>| {
        let weight = 1.0 / (1.0 + f64::from(y.value().to_vec()[0]).abs());
        cross_entropy(y, labels) * weight
    });
    let surest = Objective::new(|y: Var<'_>, labels: &Tensor<i64>| {
        let class = y.argmax(1, false).value().to_vec()[0];
        cross_entropy(y, labels) * (1.0 + class as f64)
    });
    let objectives = [prints, weighted, surest];
    for objective in objectives {
        let trainer = Trainer::new(objective).quiet().validate(&valid);
        let history = fit(&mut linear(&mut Philox::new(3)), &trainer, &train).0.unwrap();
        assert_eq!(history.steps(), 4);
    }
    assert!(seen.get() > 0.0);
    // A loss that is not a scalar is refused, even if it reads values.
    let vector = Objective::new(|y: Var<'_>, _: &Tensor<i64>| {
        assert!(y.value().numel() > 0);
        y.square()
    });
    let error = fit(&mut linear(&mut Philox::new(3)), &Trainer::new(vector).quiet(), &train);
    assert!(error.0.unwrap_err().to_string().starts_with("loss: the loss must have one element"));
}

#[test]
fn inputs_that_are_not_finite_are_named() {
    for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let set = with_input(24, 11, x);
        let loader = DataLoader::new(&set, 8).shuffle(2);
        let (error, ..) = fit(&mut linear(&mut Philox::new(0)), &classifier(), &loader);
        let error = error.unwrap_err();
        let TrainError::NotFinite { input: Some(input), epoch: 1, step, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!((input.index, input.batch), (Some(11), *step));
        assert!(error.to_string().contains("example 11 of the training data"), "{error}");
    }
    // If the inputs are finite, a loss that is not finite comes from the weights.
    let mut model = linear(&mut Philox::new(0));
    let mut rates =
        Trainer::new(Objective::new(|y: Var<'_>, _: &Tensor<i64>| y.square().mean_all()));
    rates = rates.epochs(50).learning_rate(|_| 1e20).quiet();
    let error = fit(&mut model, &rates, &DataLoader::new(&points(8), 4)).0.unwrap_err();
    assert!(
        matches!(error, TrainError::NotFinite { input: None, .. } | TrainError::Gradient { .. }),
        "{error}"
    );
}

#[derive(Clone, Module)]
#[module(crate = "wengert_autograd")]
struct Scale {
    norm: BatchNorm1d,
    good: Param,
    bad: Param,
}
impl Scale {
    fn new(bad: [f32; 2]) -> Self {
        let bad = Tensor::from([bad[0], bad[1], 1.0, 1.0]);
        Scale {
            norm: BatchNorm1d::new(4),
            good: Param::new(Tensor::ones(&[4])),
            bad: Param::new(bad),
        }
    }
}
impl Layer for Scale {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        let [good, bad] = [&self.good, &self.bad].map(|param| x.tape().param(param));
        // At 0, the square root has a finite value and an infinite derivative.
        self.norm.forward(x) * good + bad.sqrt()
    }
}

#[test]
fn gradients_that_are_not_finite_do_not_reach_the_weights() {
    let set = points(12);
    let loader = DataLoader::new(&set, 4);
    let trainer = || {
        Trainer::new(Objective::new(|y: Var<'_>, _: &Tensor<i64>| y.square().sum_all()))
            .epochs(3)
            .quiet()
    };
    let optimizers: [fn() -> Box<dyn Optimizer>; 2] =
        [|| Box::new(Sgd::new(0.01).momentum(0.9)), || Box::new(Adam::new(0.01))];
    for make in optimizers {
        let (mut model, mut optimizer) = (Scale::new([0.0, 4.0]), make());
        let before = (state_dict(&model), optimizer.state_dict(&model));
        let error =
            trainer().fit(&mut model, &mut *optimizer, &loader, &mut Philox::new(0)).unwrap_err();
        let TrainError::Gradient { epoch: 1, step: 1, loss, parameters, callback: None } = &error
        else {
            panic!("{error}")
        };
        assert!(loss.is_finite());
        assert_eq!(parameters, &["bad"]);
        assert!(
            error.to_string().contains("the gradients of bad contain NaN or infinity"),
            "{error}"
        );
        assert_eq!((state_dict(&model), optimizer.state_dict(&model)), before);

        // Two steps are applied and the third is refused, so that only the first two remain.
        let run = |stop: usize| {
            let (mut model, mut optimizer) = (Scale::new([1.0, 1.0]), make());
            let calls = Cell::new(0);
            let objective = Objective::new(|y: Var<'_>, _: &Tensor<i64>| {
                let tape = y.tape();
                let loss = y.square().sum_all();
                calls.set(calls.get() + usize::from(!tape.is_shape_only()));
                // The value √0² · 0 is 0, and its derivative is ∞ · 0.
                let gate = if calls.get() == 3 && !tape.is_shape_only() { 0.0 } else { 1.0 };
                loss + (y * gate).square().sqrt().sum_all() * gate
            });
            let result = Trainer::new(objective).quiet().stop_after(stop).fit(
                &mut model,
                &mut *optimizer,
                &loader,
                &mut Philox::new(0),
            );
            let state = optimizer.state_dict(&model);
            (result, state_dict(&model), state)
        };
        let (refused, weights, state) = run(9);
        let error = refused.unwrap_err();
        let TrainError::Gradient { step: 3, parameters, .. } = &error else { panic!("{error}") };
        assert_eq!(parameters, &["norm.weight", "norm.bias", "good", "bad"]);
        let (whole, wanted, wanted_state) = run(2);
        assert_eq!(whole.unwrap().steps(), 2);
        assert!(weights == wanted && state == wanted_state);
    }
    // The gradient overflows: the loss is about 1, but the sum over the samples exceeds the largest `f32`.
    let x = Tensor::full(&[4, 4], 1e38);
    let set = TensorDataset::new(x, Tensor::<i64>::zeros_of(&[4]));
    let mut model = Linear::new(4, 1, &mut Philox::new(0)).without_bias();
    model.weight.set(Tensor::full(&[1, 4], 1e-38));
    let objective = Objective::new(|y: Var<'_>, _: &Tensor<i64>| y.sum_all());
    let trainer = Trainer::new(objective).quiet();
    let error = refused_gradients(&mut model, &trainer, &DataLoader::new(&set, 4));
    assert_eq!(error, ["weight"]);
    // Large finite gradients are valid, even if their sum overflows.
    let x = Tensor::full(&[1, 4], 2e38);
    let set = TensorDataset::new(x, Tensor::<i64>::zeros_of(&[1]));
    model.weight.set(Tensor::zeros(&[1, 4]));
    let mut optimizer = Sgd::new(1e-38);
    trainer
        .fit(&mut model, &mut optimizer, &DataLoader::new(&set, 1), &mut Philox::new(0))
        .unwrap();
    assert!(model.weight.value().to_vec().iter().all(|w| (w + 2.0).abs() < 1e-5));
}

fn refused_gradients(
    model: &mut dyn Layer,
    trainer: &Trainer<'_>,
    train: &dyn Batches,
) -> Vec<String> {
    let (result, before, after) = fit(model, trainer, train);
    assert_eq!((before.0, before.1), (after.0, after.1));
    match result.unwrap_err() {
        TrainError::Gradient { parameters, .. } => parameters,
        error => panic!("{error}"),
    }
}

/// Returns four samples that are finite in `f32` and whose squares are not.
fn large(size: f32) -> Set {
    let x = Tensor::from_fn(&[4, 4], |at| if (at / 4 + at) % 2 == 0 { size } else { -size });
    TensorDataset::new(x, Tensor::from([0i64, 1, 2, 0]))
}

/// The variance of these inputs is infinite, so the normalised values are 0 and the loss and the
/// gradients are finite.
#[test]
fn running_statistics_that_are_not_finite_end_the_run() {
    let rng = &mut Philox::new(0);
    let set = large(1e25);
    let loader = DataLoader::new(&set, 2);
    for norm in [BatchNorm1d::new(4), BatchNorm1d::new(4).momentum(None)] {
        let mut model = sequential![norm, Linear::new(4, 3, rng)];
        let (result, before, after) = fit(&mut model, &classifier(), &loader);
        assert_eq!((before.0, before.1), (after.0, after.1), "something was changed");
        let error = result.expect_err("refused");
        let text = error.to_string();
        let TrainError::Buffer { epoch: 1, step: 1, loss, buffer } = error else {
            panic!("{text}")
        };
        assert!(loss.is_finite());
        assert!(buffer.starts_with(
            "0.running_var: the update would set an element of the buffer to inf, because"
        ));
        assert!(text.starts_with("epoch 1, step 1: 0.running_var: "), "{text}");
        assert!(text.contains("too large for f32") && text.contains("smaller inputs"), "{text}");
        assert!(text.ends_with("; the weights are as before the step"), "{text}");
    }
    // Inputs with finite squares are valid. Layers without running statistics accept the large inputs too.
    let sound = large(1e15);
    let mut model = sequential![BatchNorm1d::new(4), Linear::new(4, 3, rng)];
    fit(&mut model, &classifier(), &DataLoader::new(&sound, 2)).0.unwrap();
    let norm = BatchNorm1d::new(4).without_running_statistics();
    fit(&mut sequential![norm, Linear::new(4, 3, rng)], &classifier(), &loader).0.unwrap();

    // If a later step fails, the changes of the earlier steps remain.
    let start = || {
        let rng = &mut Philox::new(5);
        sequential![Linear::new(4, 4, rng), BatchNorm1d::new(4), Linear::new(4, 2, rng)]
    };
    let spoilt = with_input(24, 17, 1e25);
    let loader = DataLoader::new(&spoilt, 8);
    let mut model = start();
    let (result, _, after) = fit(&mut model, &classifier(), &loader);
    let error = result.expect_err("refused");
    assert!(matches!(error, TrainError::Buffer { epoch: 1, step: 3, .. }), "{error}");
    assert!(error.to_string().starts_with("epoch 1, step 3: 1.running_var: "), "{error}");
    let (result, _, twin) = fit(&mut start(), &classifier().stop_after(2), &loader);
    assert_eq!(result.unwrap().steps(), 2);
    assert!(after.0 == twin.0 && after.1 == twin.1);

    // If the file that was loaded contains NaN, the message does not blame the data.
    let mut state = state_dict(&start());
    state.insert("1.running_mean", Tensor::from([0.0, f32::NAN, 0.0, 0.0]));
    let mut model = start();
    wengert_nn::load_state_dict(&mut model, &state).unwrap();
    let (result, ..) = fit(&mut model, &classifier(), &DataLoader::new(&points(8), 4));
    assert_eq!(
        result.unwrap_err().to_string().split_once(". The loss").unwrap().0,
        "epoch 1, step 1: 1.running_mean: the buffer contained NaN or infinity before the update: \
         set it to finite numbers"
    );
}

/// A module that consists of one parameter, without a name for it.
#[derive(Clone)]
struct Alone(Param);
impl Module for Alone {
    fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
        self.0.visit(path, see);
    }
    fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
        self.0.visit_mut(path, see);
    }
}
impl Layer for Alone {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        x * x.tape().param(&self.0).sqrt()
    }
}

#[test]
fn an_infinite_gradient_of_a_model_that_is_one_parameter_is_named() {
    let mut model = Alone(Param::new(Tensor::from([0.0f32, 1.0, 1.0, 1.0])));
    let error = refused_gradients(&mut model, &classifier(), &DataLoader::new(&points(8), 4));
    assert_eq!(error, ["the parameter itself"]);
}
