//! Losses that are closures.

use super::{Pair, loss_of, pair};
use crate::common::{mlp, without_times};
use std::cell::{Cell, RefCell};
use wengert_autograd::{Tape, Var};
use wengert_data::{DataLoader, Dataset, Digits, TensorDataset};
use wengert_nn::{Layer, Linear, Sequential, Tanh, cross_entropy, mse, sequential, state_dict};
use wengert_optim::{Adam, Optimizer, Sgd};
use wengert_tensor::{Philox, Tensor};
use wengert_train::{Criterion, Step, Trainer, measure};

/// The loss of the built-in classifier, as a closure.
fn classify<'t>(model: &Sequential, step: &'t Step, (x, y): &(Tensor, Tensor<i64>)) -> Var<'t> {
    let logits = model.forward(step.constant(x.clone()));
    step.log_accuracy(logits, y);
    cross_entropy(logits, y)
}

#[test]
fn a_classifier_trains_like_the_same_loss_as_a_closure() {
    let digits = Digits::load().dataset();
    let (train, valid) = (DataLoader::new(&digits, 100).shuffle(3), DataLoader::new(&digits, 700));
    let start = || {
        let mut rng = Philox::new(1);
        (mlp(&mut rng), Sgd::new(0.1).momentum(0.9), rng)
    };
    let (mut first, mut optimizer, mut rng) = start();
    let trainer = Trainer::classifier().epochs(2).validate(&valid).keep_best(Criterion::Accuracy);
    let short = trainer.quiet().fit(&mut first, &mut optimizer, &train, &mut rng).unwrap();
    let end = rng;

    let (mut second, mut optimizer, mut rng) = start();
    let trainer = Trainer::custom().epochs(2).validate(&valid).keep_best(Criterion::Accuracy);
    let long =
        trainer.quiet().fit(&mut second, &mut optimizer, &train, &mut rng, classify).unwrap();
    assert_eq!(without_times(&short), without_times(&long));
    assert_eq!(state_dict(&first), state_dict(&second));
    assert_eq!(rng, end);
    assert_eq!(long.logged("accuracy")[1], long.last().unwrap().train.accuracy);
    assert!(long.logged_in_validation("accuracy")[1] > Some(0.8));
}

/// Freezes the layer that the loss does not use, if the field is `true`.
struct FreezeMissed(bool);
impl wengert_train::Callback for FreezeMissed {
    fn start(&mut self, run: &mut wengert_train::Context<'_>) -> wengert_train::Outcome {
        run.model_mut().visit_mut(&wengert_autograd::Path::root(), &mut |path, state| {
            if self.0 && path.to_string().starts_with("missed") {
                state.set_frozen(true);
            }
        });
        Ok(())
    }
}

#[test]
fn a_loss_that_misses_a_layer_is_an_error() {
    let train = DataLoader::new(Digits::load().dataset(), 600);
    let fit = |model: &mut Pair, mut optimizer: Adam, freeze: bool| {
        let callback = FreezeMissed(freeze);
        let trainer = Trainer::custom().epochs(1).quiet().callback(callback);
        let mut rng = Philox::new(0);
        let done = trainer.fit(model, &mut optimizer, &train, &mut rng, |model, step, batch| {
            loss_of(&model.used, step, batch)
        });
        (done, optimizer.state_dict(model))
    };
    let (mut model, start) = (pair(), state_dict(&pair()));
    let (error, state) = fit(&mut model, Adam::new(0.01), false);
    assert_eq!(
        error.unwrap_err().to_string(),
        "epoch 1, step 1: update with optimizer 0 (counted from 0): no gradient for missed.weight, missed.bias: the loss does \
         not depend on these parameters; freeze them if they are not to be trained, or build the optimizer \
         with `.allow_missing()`"
    );
    assert!(state_dict(&model) == start, "nothing has changed");
    assert!(
        !state.names().any(|name| name.starts_with("exp_avg")),
        "the state must be unchanged, too"
    );

    for (optimizer, freeze) in [(Adam::new(0.01).allow_missing(), false), (Adam::new(0.01), true)] {
        let mut model = pair();
        fit(&mut model, optimizer, freeze).0.unwrap();
        assert_ne!(model.used.weight.value().to_vec(), pair().used.weight.value().to_vec());
        assert_eq!(model.missed.weight.value().to_vec(), pair().missed.weight.value().to_vec());
    }
}

/// Each epoch records the mean over examples of what was logged, or the ratio of two sums.
#[test]
fn logged_numbers_are_means_over_examples() {
    let x = Tensor::from_fn(&[10, 1], |i| i as f32);
    let set = TensorDataset::new(x, Tensor::<i64>::zeros_of(&[10]));
    let train = DataLoader::new(&set, 4);
    let mut model = Linear::new(1, 1, &mut Philox::new(0));
    let calls = RefCell::new(Vec::new());
    let trainer = Trainer::custom().epochs(2).validate(&train).quiet();
    let history = trainer
        .fit(&mut model, &mut Sgd::new(0.0), &train, &mut Philox::new(0), |model, step, (x, _)| {
            let shape_only = step.is_shape_only();
            calls.borrow_mut().push((shape_only, step.examples(), step.number(), step.epoch()));
            let v = step.constant(x.clone());
            step.log("mean", v.mean_all());
            step.log_sum("per hundred", x.numel() as f64, 100.0);
            if step.examples() == 2 {
                step.log("of the last", 7.0);
            }
            if step.mode() == Some(wengert_autograd::Mode::Eval) {
                step.log("held out", 1f32);
            }
            model.forward(v).mean_all()
        })
        .unwrap();
    // The mean of 0 to 9 is taken over all examples, although the last batch is smaller.
    assert_eq!(history.logged("mean"), [Some(4.5), Some(4.5)]);
    assert_eq!(history.logged_in_validation("mean"), [Some(4.5), Some(4.5)]);
    assert_eq!(history.logged("per hundred"), [Some(10.0 / 300.0); 2]);
    assert_eq!(history.logged("of the last"), [Some(7.0); 2]);
    assert_eq!(
        (history.logged("held out"), history.logged("none")),
        (vec![None; 2], vec![None; 2])
    );
    assert_eq!(history.logged_in_validation("held out"), [Some(1.0); 2]);
    assert_eq!(history.log_names(), ["mean", "per hundred", "of the last", "held out"]);
    let found = measure(&model, &train, |model: &Linear, step, (x, _)| {
        step.log("mean", step.constant(x.clone()).mean_all());
        model.forward(step.constant(x.clone())).mean_all()
    });
    assert_eq!(found.unwrap().logged("mean"), Some(4.5));

    // The first calls are on shapes: batches of 4 and 2, in training and in evaluation.
    let calls = calls.into_inner();
    let shapes: Vec<_> = calls.iter().filter(|call| call.0).map(|call| call.1).collect();
    assert_eq!(shapes, [4, 2, 4, 2]);
    assert!(calls[..4].iter().all(|call| call.0) && calls[4..].iter().all(|call| !call.0));
    let rest: Vec<_> = calls[4..].iter().map(|&(_, n, number, epoch)| (n, number, epoch)).collect();
    let validation = |epoch| [(4, 0, epoch), (4, 1, epoch), (2, 2, epoch)];
    let wanted = [
        [(4, 0, 0), (4, 1, 0), (2, 2, 0)],
        validation(0),
        [(4, 3, 1), (4, 4, 1), (2, 5, 1)],
        validation(1),
    ];
    assert_eq!(rest, wanted.concat());
}

#[test]
fn a_closure_that_does_not_fit_is_an_error_before_the_first_step() {
    let set = TensorDataset::new(Tensor::zeros(&[6, 4]), Tensor::<i64>::zeros_of(&[6]));
    let loader = DataLoader::new(&set, 3);
    let mut model = Linear::new(5, 2, &mut Philox::new(0));
    let (before, mut rng) = (state_dict(&model), Philox::new(3));
    let mut run = |loss: for<'t> fn(&Linear, &'t Step, &(Tensor, Tensor<i64>)) -> Var<'t>| {
        let mut optimizer = Sgd::new(0.1);
        Trainer::custom().quiet().fit(&mut model, &mut optimizer, &loader, &mut rng, loss)
    };
    let error = run(|model, step, (x, _)| model.forward(step.constant(x.clone())).mean_all());
    let text = error.unwrap_err().to_string();
    assert!(text.starts_with("Linear: linear") && text.contains("[3, 4]"), "{text}");
    let error = run(|_, step, (x, _)| step.constant(x.clone()).square());
    let text = error.unwrap_err().to_string();
    assert!(text.starts_with("loss: the loss must have one element, got shape [3, 4]"), "{text}");
    let error = run(|_, step, (x, _)| {
        step.log("all", step.constant(x.clone()));
        step.constant(x.clone()).mean_all()
    });
    let text = error.unwrap_err().to_string();
    assert!(text.contains("log: the variable must have one element, got shape [3, 4]"), "{text}");
    let error = run(|_, step, (x, y)| {
        step.log_accuracy(step.constant(x.clone()).narrow(0, 0, 2), y);
        step.constant(x.clone()).mean_all()
    });
    let text = error.unwrap_err().to_string();
    assert!(
        text.contains("log_accuracy: outputs [2, 4] require class numbers [2], got "),
        "{text}"
    );
    let error = run(|_, step, (x, _)| step.constant(x.clone()).mean_all());
    let text = error.unwrap_err().to_string();
    assert!(text.starts_with("loss: the loss depends on no trainable parameter"), "{text}");
    assert_eq!((state_dict(&model), rng), (before, Philox::new(3)));
}

/// A loss that reads a value is checked on shapes up to that place, and trains.
#[test]
fn a_loss_that_reads_a_value_trains() {
    let set = TensorDataset::new(Tensor::ones(&[6, 4]), Tensor::<i64>::zeros_of(&[6]));
    let loader = DataLoader::new(&set, 3);
    let mut model = Linear::new(4, 2, &mut Philox::new(0));
    let beyond = Cell::new(0);
    let history = Trainer::custom()
        .epochs(2)
        .quiet()
        .fit(&mut model, &mut Sgd::new(0.1), &loader, &mut Philox::new(0), |model, step, (x, y)| {
            let loss = cross_entropy(model.forward(step.constant(x.clone())), y);
            let factor = if loss.item() > 0.5 { 1.0 } else { 0.5 };
            beyond.set(beyond.get() + 1);
            loss * factor
        })
        .unwrap();
    assert_eq!((history.steps(), beyond.get()), (4, 4));
}

/// Tests training in double precision.
#[test]
fn a_model_in_f64_trains() {
    struct Line;
    impl Dataset for Line {
        type Batch = [Tensor<f64>; 2];
        fn len(&self) -> usize {
            20
        }
        fn batch(&self, indices: &[usize]) -> Self::Batch {
            let x = Tensor::from_fn(&[indices.len(), 1], |i| indices[i] as f64 / 10.0 - 1.0);
            [x.clone(), &x * &Tensor::scalar_of(2.0)]
        }
    }
    let mut rng = Philox::new(0);
    let mut model = Linear::<f64>::of(1, 1, &mut rng);
    let loader = DataLoader::new(Line, 5).shuffle(1);
    let history = Trainer::custom()
        .epochs(60)
        .quiet()
        .fit(&mut model, &mut Sgd::<f64>::of(0.3), &loader, &mut rng, |model, step, [x, y]| {
            mse(model.forward(step.constant(x.clone())), step.constant(y.clone()))
        })
        .unwrap();
    assert!(history.last().unwrap().train.loss < 1e-6);
    assert!((model.weight.value().item() - 2.0).abs() < 1e-3);
}

/// A loss on another tape than the step's is an error, and nothing is trained.
#[test]
fn a_loss_on_another_tape_is_an_error() {
    let elsewhere: &'static Tape = Box::leak(Box::new(Tape::new()));
    let mut model = Linear::new(2, 1, &mut Philox::new(0));
    let data = DataLoader::new(TensorDataset::new(Tensor::ones(&[4, 2]), Tensor::ones(&[4, 1])), 2);
    let run = Trainer::custom().quiet().fit(
        &mut model,
        &mut Sgd::new(0.1),
        &data,
        &mut Philox::new(0),
        |_: &Linear, _: &Step, _: &(Tensor, Tensor)| elsewhere.watch(Tensor::scalar(1.0)),
    );
    let text = run.unwrap_err().to_string();
    assert!(text.contains("on another tape than the step"), "{text}");
}

/// Losses that contain derivatives or random numbers can be computed on validation data.
#[test]
fn a_loss_with_derivatives_is_validated() {
    let x = Tensor::normal(&[40, 3], 0.0, 1.0, &mut Philox::new(1));
    let (train, valid) = (DataLoader::new(x.clone(), 8), DataLoader::new(x, 16));
    let run = |loss: for<'t> fn(&Sequential, &'t Step, &Tensor) -> Var<'t>| {
        let rng = &mut Philox::new(0);
        let mut model = sequential![Linear::new(3, 4, rng), Tanh, Linear::new(4, 1, rng)];
        let trainer = Trainer::custom().epochs(2).quiet().validate(&valid);
        let history = trainer.fit(&mut model, &mut Sgd::new(0.01), &train, rng, loss).unwrap();
        let measured = measure(&model, &valid, loss).unwrap();
        let last = history.epochs[1].validation.unwrap().loss;
        assert_eq!(measured.loss, last);
        last
    };
    // The penalty moves the norm of the critic's gradient towards 1 (Gulrajani and others, 2017).
    let penalty = run(|model, step, x| {
        let x = step.watch(x.clone());
        let y = model.forward(x);
        let slope = y.sum_all().grad(&[x])[0];
        y.mean_all() + (slope.square().sum(&[1], false).sqrt() - 1.0).square().mean_all()
    });
    assert!(penalty.is_finite());
    let noisy = |scale: f32| {
        run(if scale == 0.0 {
            |model, step, x| model.forward(step.constant(x.clone())).square().mean_all()
        } else {
            |model, step, x| {
                let x = step.constant(x.clone());
                model.forward(x + 0.5 * step.randn(x.shape())).square().mean_all()
            }
        })
    };
    assert_ne!(noisy(0.0), noisy(1.0));
}
