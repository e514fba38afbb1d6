//! Compares custom models, batches, losses and steps with several optimizers with hand-written loops.

#![allow(clippy::items_after_statements)] // small types beside their use

use crate::common::mlp;
use std::cell::{Cell, RefCell};
use std::path::Path;
use wengert_autograd::{Param, Tape, Var, value_and_grad_with};
use wengert_data::{DataLoader, Dataset, Digits, TensorDataset};
use wengert_nn::{
    BatchNorm1d, Dropout, Layer, Linear, Module, Sequential, Tanh, bce_with_logits, cross_entropy,
    mse, sequential, state_dict,
};
use wengert_optim::{Adam, Optimizer, Sgd};
use wengert_tensor::{NamedTensors, Philox, Tensor};
use wengert_train::{
    Batch, Batches, CheckpointError, Criterion, History, Step, StepContext, TrainError, TrainStep,
    Trainer, measure,
};

/// The loss of the built-in classifier, as a closure.
fn classify<'t>(model: &Sequential, step: &'t Step, (x, y): &(Tensor, Tensor<i64>)) -> Var<'t> {
    let logits = model.forward(step.constant(x.clone()));
    step.log_accuracy(logits, y);
    cross_entropy(logits, y)
}

fn without_times(history: &History) -> History {
    let mut history = history.clone();
    history.epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.0);
    history
}

#[test]
fn the_classifier_is_a_short_form_of_the_closure() {
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

/// Two layers. A loss may use only the first one.
#[derive(Clone, Module)]
#[module(crate = "wengert_autograd")]
struct Pair {
    used: Linear,
    missed: Linear,
}

fn pair() -> Pair {
    let mut rng = Philox::new(5);
    Pair { used: Linear::new(64, 10, &mut rng), missed: Linear::new(64, 10, &mut rng) }
}

fn loss_of<'t>(layer: &Linear, step: &'t Step, (x, y): &(Tensor, Tensor<i64>)) -> Var<'t> {
    cross_entropy(layer.forward(step.constant(x.clone()).flatten(1, -1)), y)
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
        "epoch 1, step 1: update with optimizer 0: no gradient for missed.weight, missed.bias: the loss does \
         not depend on these parameters; freeze them if they are not to be trained, or build the optimizer \
         with `.allow_missing()`"
    );
    assert!(state_dict(&model) == start, "nothing has changed");
    assert!(!state.names().any(|name| name.starts_with("exp_avg")), "no state either");

    for (optimizer, freeze) in [(Adam::new(0.01).allow_missing(), false), (Adam::new(0.01), true)] {
        let mut model = pair();
        fit(&mut model, optimizer, freeze).0.unwrap();
        assert_ne!(model.used.weight.value().to_vec(), pair().used.weight.value().to_vec());
        assert_eq!(model.missed.weight.value().to_vec(), pair().missed.weight.value().to_vec());
    }
}

/// Updates both layers with the loss of the first one, so that the second update has no gradients.
struct MissesItsPart {
    on_shapes: bool,
}
impl TrainStep<Pair, (Tensor, Tensor<i64>)> for MissesItsPart {
    fn step(
        &self,
        model: &mut Pair,
        run: &mut StepContext<'_>,
        batch: &(Tensor, Tensor<i64>),
    ) -> Result<(), TrainError> {
        run.update_part(
            model,
            0,
            |pair| &mut pair.used,
            |pair, step| loss_of(&pair.used, step, batch),
        )?;
        run.update_part(
            model,
            1,
            |pair| &mut pair.missed,
            |pair, step| loss_of(&pair.used, step, batch),
        )?;
        Ok(())
    }
    fn runs_on_shapes(&self) -> bool {
        self.on_shapes
    }
}

#[test]
fn an_update_whose_loss_misses_its_part_is_refused_before_the_step() {
    let train = DataLoader::new(Digits::load().dataset(), 600);
    for (on_shapes, lenient) in [(true, false), (true, true), (false, false), (false, true)] {
        let (mut model, mut first, mut second) = (pair(), Sgd::new(0.1), Sgd::new(0.1));
        if lenient {
            second = second.allow_missing();
        }
        let error = Trainer::custom()
            .epochs(1)
            .quiet()
            .fit_steps(
                &mut model,
                &mut [&mut first, &mut second],
                &train,
                &mut Philox::new(0),
                &MissesItsPart { on_shapes },
            )
            .unwrap_err();
        assert!(
            error.to_string().starts_with(
                "epoch 1, step 1: update with optimizer 1: no gradient for missed.weight, missed.bias:"
            ),
            "{error}"
        );
        let (before, after) = (state_dict(&pair()), state_dict(&model));
        // With the check on shapes, the fault is found before the first update; without it, at the
        // second update.
        assert_eq!(before == after, on_shapes);
        assert_eq!(model.missed.weight.version(), 0);
    }
}

/// A table of logits for each pair of characters. The inputs and the targets are characters.
#[derive(Module)]
#[module(crate = "wengert_autograd")]
struct Bigram {
    table: Param,
}

struct Text(Vec<i64>);
impl Dataset for Text {
    type Batch = (Tensor<i64>, Tensor<i64>);
    fn len(&self) -> usize {
        self.0.len() - 1
    }
    fn batch(&self, indices: &[usize]) -> Self::Batch {
        let [from, to] =
            [0, 1].map(|by| Tensor::from_fn(&[indices.len()], |i| self.0[indices[i] + by]));
        (from, to)
    }
}

#[test]
fn a_model_of_whole_numbers_learns_the_frequencies() {
    // 0 is followed by 1 or 2 equally often; 1 and 2 are followed by 0.
    let text = Text((0..401).map(|i| if i % 2 == 0 { 0 } else { 1 + (i / 2 % 2) }).collect());
    let train = DataLoader::new(&text, 40).shuffle(0);
    let mut model = Bigram { table: Param::new(Tensor::zeros(&[3, 3])) };
    let history = Trainer::custom()
        .epochs(60)
        .validate(&train)
        .quiet()
        .fit(&mut model, &mut Adam::new(0.2), &train, &mut Philox::new(0), |model, step, (x, y)| {
            cross_entropy(step.param(&model.table).index_select(0, x), y)
        })
        .unwrap();
    // Half of the characters are certain, and the others have a loss of ln 2.
    let loss = history.last().unwrap().validation.unwrap().loss;
    assert!((loss - 0.5 * 2f64.ln()).abs() < 0.01, "{loss}");
    assert_eq!(history.last().unwrap().train.accuracy, None);
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
            let abstractly = step.is_abstract();
            calls.borrow_mut().push((abstractly, step.examples(), step.number(), step.epoch()));
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

/// Counts the batches that are created.
struct Counted<'a>(TensorDataset, &'a Cell<usize>);
impl Dataset for Counted<'_> {
    type Batch = (Tensor, Tensor<i64>);
    fn len(&self) -> usize {
        self.0.len()
    }
    fn batch(&self, indices: &[usize]) -> Self::Batch {
        self.1.set(self.1.get() + 1);
        self.0.batch(indices)
    }
}

/// The size of the last batch is known, and a part of the first batch is used in its place.
#[test]
fn the_last_batch_is_tried_without_being_made() {
    for (n, fits) in [(17, false), (18, true), (32, true)] {
        let made = Cell::new(0);
        let x = Tensor::normal(&[n, 3], 0.0, 1.0, &mut Philox::new(0));
        let set = Counted(TensorDataset::new(x, Tensor::<i64>::zeros_of(&[n])), &made);
        let loader = DataLoader::new(&set, 16);
        assert_eq!(Batches::last_batch(&loader), Some(if n == 32 { 16 } else { n - 16 }));
        // Batch normalisation has no variance for one sample.
        let mut rng = Philox::new(0);
        let mut model = sequential![BatchNorm1d::new(3), Linear::new(3, 2, &mut rng)];
        let result = Trainer::custom().quiet().stop_after(0).fit(
            &mut model,
            &mut Sgd::new(0.1),
            &loader,
            &mut rng,
            |model, step, (x, y)| cross_entropy(model.forward(step.constant(x.clone())), y),
        );
        assert_eq!(made.get(), 1);
        match result {
            Ok(history) => assert!(fits && history.steps() == 0),
            Err(TrainError::LastBatch { size: 1, usual: 16, .. }) => assert!(!fits),
            Err(error) => panic!("{error}"),
        }
    }
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
fn a_loss_that_reads_a_number() {
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

/// Batches of three tensors. Errors name the faulty example.
struct Triples(Tensor, Tensor, Tensor<i64>);
impl Dataset for Triples {
    type Batch = (Tensor, Tensor, Tensor<i64>);
    fn len(&self) -> usize {
        self.0.shape()[0]
    }
    fn batch(&self, indices: &[usize]) -> Self::Batch {
        let at = Tensor::from_fn(&[indices.len()], |i| indices[i] as i64);
        let [a, b] = [&self.0, &self.1].map(|x| x.index_select(0, &at));
        (a, b, self.2.index_select(0, &at))
    }
}

#[derive(Module)]
#[module(crate = "wengert_autograd")]
struct Two {
    left: Linear,
    right: Linear,
}
fn two<'t>(model: &Two, step: &'t Step, (a, b, y): &(Tensor, Tensor, Tensor<i64>)) -> Var<'t> {
    let [a, b] = [a, b].map(|x| step.constant(x.clone()));
    cross_entropy(model.left.forward(a) * model.right.forward(b), y)
}

#[test]
fn errors_name_examples_of_any_batch() {
    let data = |change: &dyn Fn(&mut Triples)| {
        let [a, b] = [0, 1].map(|i| Tensor::normal(&[12, 2], 0.0, 1.0, &mut Philox::new(i)));
        let mut all = Triples(a, b, Tensor::from_fn(&[12], |i| (i % 3) as i64));
        change(&mut all);
        all
    };
    let run = |data: Triples| {
        let rng = &mut Philox::new(0);
        let mut model = Two { left: Linear::new(2, 3, rng), right: Linear::new(2, 3, rng) };
        let loader = DataLoader::new(data, 4).shuffle(5);
        Trainer::custom().quiet().fit(&mut model, &mut Sgd::new(0.1), &loader, rng, two)
    };
    assert_eq!(run(data(&|_| {})).unwrap().steps(), 3);
    let error = run(data(&|all| all.1.make_mut()[2 * 7 + 1] = f32::NAN)).unwrap_err();
    let TrainError::NotFinite { input: Some(input), .. } = &error else { panic!("{error}") };
    assert_eq!(input.index, Some(7));
    let error = run(data(&|all| all.2.make_mut()[5] = 3)).unwrap_err();
    let TrainError::Example { example, .. } = &error else { panic!("{error}") };
    assert_eq!(example.index, Some(5));
}

/// A model of two networks that are trained against each other. One forward pass is in evaluation mode.
#[derive(Module)]
#[module(crate = "wengert_autograd")]
struct Gan {
    generator: Sequential,
    discriminator: Sequential,
}

fn gan(rng: &mut Philox) -> Gan {
    Gan {
        generator: sequential![
            Linear::new(3, 8, rng),
            BatchNorm1d::new(8),
            Tanh,
            Linear::new(8, 2, rng)
        ],
        discriminator: sequential![
            Linear::new(2, 8, rng),
            Tanh,
            Dropout::new(0.2),
            Linear::new(8, 1, rng)
        ],
    }
}

fn judged<'t>(answers: Var<'t>, real: f64) -> Var<'t> {
    let wanted = answers.tape().constant(Tensor::full(&answers.shape(), real));
    bce_with_logits(answers, wanted)
}

fn against<'t>(gan: &Gan, tape: &'t Tape, real: &Tensor, noise: &Tensor) -> Var<'t> {
    let fake = gan.generator.forward(tape.constant(noise.clone())).detach();
    let real = gan.discriminator.forward(tape.constant(real.clone()));
    judged(real, 1.0) + judged(gan.discriminator.forward(fake), 0.0)
}

fn deceive<'t>(gan: &Gan, tape: &'t Tape, noise: &Tensor) -> Var<'t> {
    let fake = gan.generator.forward(tape.constant(noise.clone()));
    judged(gan.discriminator.forward(fake), 1.0)
}

/// Real points, and noise as the generator's input.
struct Points;
impl Dataset for Points {
    type Batch = (Tensor, Tensor);
    fn len(&self) -> usize {
        44
    }
    fn batch(&self, indices: &[usize]) -> Self::Batch {
        let n = indices.len();
        let real = Tensor::from_fn(&[n, 2], |i| (indices[i / 2] as f32 + (i % 2) as f32).sin());
        let noise = Tensor::from_fn(&[n, 3], |i| ((7 * indices[i / 3] + i % 3) as f32).cos());
        (real, noise)
    }
}

struct Adversarial;
impl TrainStep<Gan, (Tensor, Tensor)> for Adversarial {
    fn step(
        &self,
        gan: &mut Gan,
        run: &mut StepContext<'_>,
        (real, noise): &(Tensor, Tensor),
    ) -> Result<(), TrainError> {
        run.update_part(
            gan,
            1,
            |gan| &mut gan.discriminator,
            |gan, step| {
                let loss = against(gan, step, real, noise);
                step.log("discriminator", loss);
                loss
            },
        )?;
        let loss = run.update_part(
            gan,
            0,
            |gan| &mut gan.generator,
            |gan, step| {
                let loss = deceive(gan, step, noise);
                step.log("generator", loss);
                loss
            },
        )?;
        assert_eq!(loss.is_nan(), run.is_abstract());
        Ok(())
    }
}

fn optimizers() -> [Box<dyn Optimizer>; 2] {
    [Box::new(Adam::new(0.01).betas(0.5, 0.9)), Box::new(Sgd::new(0.1).momentum(0.5))]
}

#[test]
fn two_updates_for_each_batch_are_those_of_a_loop_by_hand() {
    let loader = DataLoader::new(Points, 16).shuffle(2);
    let mut rng = Philox::new(1);
    let mut by_hand = gan(&mut rng);
    let [mut g, mut d] = optimizers();
    let mut losses = Vec::new();
    for epoch in 0..3 {
        for (real, noise) in loader.epoch(epoch) {
            let (first, (), gradients) =
                value_and_grad_with(&mut rng, |tape| (against(&by_hand, tape, &real, &noise), ()));
            d.step(&mut by_hand.discriminator, &gradients);
            let (second, (), gradients) =
                value_and_grad_with(&mut rng, |tape| (deceive(&by_hand, tape, &noise), ()));
            g.step(&mut by_hand.generator, &gradients);
            losses.push((first, second, real.shape()[0]));
        }
    }
    let end = rng;
    let mut rng = Philox::new(1);
    let mut model = gan(&mut rng);
    let [mut g, mut d] = optimizers();
    let history = Trainer::custom()
        .epochs(3)
        .quiet()
        .fit_steps(&mut model, &mut [&mut *g, &mut *d], &loader, &mut rng, &Adversarial)
        .unwrap();
    assert_eq!(state_dict(&model), state_dict(&by_hand));
    assert_eq!(rng, end);
    assert_eq!(history.losses, losses.iter().map(|(a, b, _)| a + b).collect::<Vec<_>>());
    for epoch in 0..3 {
        let steps = &losses[3 * epoch..][..3];
        let mean = |of: &dyn Fn(&(f64, f64, usize)) -> f64| {
            steps.iter().map(|step| step.2 as f64 * of(step)).sum::<f64>() / 44.0
        };
        let record = &history.epochs[epoch];
        for (name, wanted) in
            [("discriminator", mean(&|step| step.0)), ("generator", mean(&|step| step.1))]
        {
            let found = record.logged(name).unwrap().train.unwrap();
            assert!((found - wanted).abs() < 1e-12, "{name}");
        }
        assert!((record.train.loss - mean(&|step| step.0 + step.1)).abs() < 1e-12);
    }
}

/// Like [`Adversarial`], with noise from the generator of the step.
struct Drawing;
impl TrainStep<Gan, (Tensor, Tensor)> for Drawing {
    fn step(
        &self,
        gan: &mut Gan,
        run: &mut StepContext<'_>,
        (real, _): &(Tensor, Tensor),
    ) -> Result<(), TrainError> {
        let noise = |step: &Step| Tensor::normal(&[step.examples(), 3], 0.0, 1.0, &mut *step.rng());
        run.update_part(
            gan,
            1,
            |gan| &mut gan.discriminator,
            |gan, step| against(gan, step, real, &noise(step)),
        )?;
        run.update_part(
            gan,
            0,
            |gan| &mut gan.generator,
            |gan, step| {
                let loss = deceive(gan, step, &noise(step));
                step.log("generator", loss);
                loss
            },
        )?;
        Ok(())
    }

    fn validate<'t>(
        &self,
        gan: &Gan,
        step: &'t Step,
        (real, _): &(Tensor, Tensor),
    ) -> Option<Var<'t>> {
        let noise = Tensor::normal(&[step.examples(), 3], 0.0, 1.0, &mut *step.rng());
        Some(against(gan, step, real, &noise))
    }
}

/// Returns the results of four epochs of three steps.
fn drawn(
    seed: u64,
    stop: usize,
    save: Option<&Path>,
    resume: Option<&Path>,
) -> (Result<History, TrainError>, NamedTensors, [NamedTensors; 2], Philox) {
    let loader = DataLoader::new(Points, 16).shuffle(2);
    let mut rng = Philox::new(seed);
    let mut model = gan(&mut rng);
    let [mut g, mut d] = optimizers();
    let mut trainer = Trainer::custom()
        .epochs(4)
        .validate(&loader)
        .keep_best(Criterion::Loss)
        .stop_after(stop)
        .quiet();
    if let Some(path) = save {
        trainer = trainer.checkpoint(path);
    }
    if let Some(path) = resume {
        trainer = trainer.resume(path);
    }
    let result =
        trainer.fit_steps(&mut model, &mut [&mut *g, &mut *d], &loader, &mut rng, &Drawing);
    let states = [g.state_dict(&model), d.state_dict(&model)];
    (result, state_dict(&model), states, rng)
}

#[test]
fn a_run_of_two_optimizers_that_was_interrupted_is_the_run_that_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gan.safetensors");
    let whole = drawn(1, 99, None, None);
    let history = whole.0.unwrap();
    assert!(history.logged("generator").iter().all(Option::is_some));
    for stop in [0, 1, 2, 3, 7, 9, 12] {
        drawn(1, stop, Some(&path), None).0.unwrap();
        let (resumed, weights, states, rng) = drawn(2, 99, None, Some(&path));
        assert_eq!(without_times(&resumed.unwrap()), without_times(&history), "{stop}");
        assert!(weights == whole.1 && states == whole.2, "after an interruption at step {stop}");
        assert_eq!(rng, whole.3);
    }
}

#[test]
fn another_number_of_optimizers_and_a_second_one_that_differs_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gan.safetensors");
    drawn(1, 4, Some(&path), None).0.unwrap();
    let loader = DataLoader::new(Points, 16).shuffle(2);
    let mut rng = Philox::new(2);
    let mut model = gan(&mut rng);
    let before = (state_dict(&model), rng.clone());
    let [mut g, _] = optimizers();
    let first = g.state_dict(&model);
    let trainer = || Trainer::custom().epochs(4).quiet().resume(&path);
    struct One;
    impl TrainStep<Gan, (Tensor, Tensor)> for One {
        fn step(
            &self,
            _: &mut Gan,
            _: &mut StepContext<'_>,
            _: &(Tensor, Tensor),
        ) -> Result<(), TrainError> {
            unreachable!("refused before")
        }
        fn runs_on_shapes(&self) -> bool {
            false
        }
    }
    let error = trainer().fit_steps(&mut model, &mut [&mut *g], &loader, &mut rng, &One);
    let error = error.unwrap_err();
    assert!(
        error.to_string().ends_with(
            "the saved run had 2 optimizers, this run has 1: resume with the same optimizers"
        ),
        "{error}"
    );
    // The first optimizer has loaded its state before the second is refused. Its own state is restored.
    let mut other = Adam::new(0.5);
    let error =
        trainer().fit_steps(&mut model, &mut [&mut *g, &mut other], &loader, &mut rng, &One);
    let error = error.unwrap_err();
    assert!(matches!(error, TrainError::Checkpoint(CheckpointError::Optimizer { .. })), "{error}");
    assert!(g.state_dict(&model) == first && (state_dict(&model), rng) == before);
}

/// Training one part of the model does not change the running statistics of the other parts.
#[test]
fn buffers_of_other_parts_stay() {
    struct Discriminate;
    impl TrainStep<Gan, (Tensor, Tensor)> for Discriminate {
        fn step(
            &self,
            gan: &mut Gan,
            run: &mut StepContext<'_>,
            (real, noise): &(Tensor, Tensor),
        ) -> Result<(), TrainError> {
            run.update_part(
                gan,
                0,
                |gan| &mut gan.discriminator,
                |gan, step| against(gan, step, real, noise),
            )
            .map(drop)
        }
    }
    let mut rng = Philox::new(0);
    let mut model = gan(&mut rng);
    let (generator, discriminator) =
        (state_dict(&model.generator), state_dict(&model.discriminator));
    let loader = DataLoader::new(Points, 16);
    let trainer = Trainer::custom().quiet();
    let mut optimizer = Sgd::new(0.1);
    trainer.fit_steps(&mut model, &mut [&mut optimizer], &loader, &mut rng, &Discriminate).unwrap();
    assert!(state_dict(&model.generator) == generator);
    assert!(state_dict(&model.discriminator) != discriminator);
}

/// The error of a gradient that is not finite names the parameter by its path in the whole model.
/// Nothing has changed.
#[test]
fn gradients_of_a_part_that_are_not_finite() {
    #[derive(Module)]
    #[module(crate = "wengert_autograd")]
    struct Pair {
        good: Param,
        bad: Param,
    }
    struct Roots;
    impl TrainStep<Pair, Tensor> for Roots {
        fn step(
            &self,
            pair: &mut Pair,
            run: &mut StepContext<'_>,
            x: &Tensor,
        ) -> Result<(), TrainError> {
            run.update_part(
                pair,
                0,
                |pair| &mut pair.bad,
                |pair, step| {
                    let [good, bad] = [&pair.good, &pair.bad].map(|param| step.param(param));
                    (step.constant(x.clone()) * good + bad.sqrt()).mean_all()
                },
            )
            .map(drop)
        }
    }
    struct Ones;
    impl Dataset for Ones {
        type Batch = Tensor;
        fn len(&self) -> usize {
            4
        }
        fn batch(&self, indices: &[usize]) -> Tensor {
            Tensor::ones(&[indices.len()])
        }
    }
    let mut model = Pair { good: Tensor::scalar(1.0).into(), bad: Tensor::scalar(0.0).into() };
    let before = state_dict(&model);
    let loader = DataLoader::new(Ones, 2);
    let mut optimizer = Sgd::new(0.1);
    let error = Trainer::custom()
        .quiet()
        .fit_steps(&mut model, &mut [&mut optimizer], &loader, &mut Philox::new(0), &Roots)
        .unwrap_err();
    let TrainError::Gradient { parameters, step: 1, .. } = &error else { panic!("{error}") };
    assert_eq!(parameters, &["bad"]);
    assert_eq!(state_dict(&model), before);
}

/// A batch of a user's type is checked on shapes once, and its parts are not compared.
#[test]
fn a_batch_of_ones_own_type() {
    struct Number(f64);
    impl Batch for Number {
        fn examples(&self) -> usize {
            2
        }
    }
    struct Numbers;
    impl Batches<Number> for Numbers {
        fn batches(&self, _: u64, skip: usize) -> Box<dyn Iterator<Item = Number> + '_> {
            Box::new([1.0, 2.0, 3.0].into_iter().map(Number).skip(skip))
        }
        fn len(&self) -> usize {
            3
        }
        fn examples(&self) -> usize {
            6
        }
    }
    let mut w = Param::new(Tensor::scalar(0.0));
    let shapes = Cell::new(0);
    let trainer = Trainer::custom().epochs(2).quiet();
    let history = trainer
        .fit(&mut w, &mut Sgd::new(0.5), &Numbers, &mut Philox::new(0), |w, step, x| {
            shapes.set(shapes.get() + usize::from(step.is_abstract()));
            mse(step.param(w), step.constant(Tensor::scalar(x.0)))
        })
        .unwrap();
    assert_eq!(shapes.get(), 1);
    // A step of 0.5 · 2 · (w - x) moves w to x.
    assert_eq!(history.losses, [1.0, 1.0, 1.0, 4.0, 1.0, 1.0]);
    assert_eq!((w.value().item(), history.last().unwrap().examples), (3.0, 6));
}

/// Tests training in double precision.
#[test]
fn any_element_type() {
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
    let history = Trainer::<_, f64, _>::custom_of()
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

/// Validation data together with a step that does not measure anything.
#[test]
fn a_step_without_a_validation_refuses_validation_data() {
    struct Plain;
    impl TrainStep<Linear, Tensor> for Plain {
        fn step(
            &self,
            model: &mut Linear,
            run: &mut StepContext<'_>,
            x: &Tensor,
        ) -> Result<(), TrainError> {
            run.update(model, |model, step| {
                model.forward(step.constant(x.clone())).square().mean_all()
            })?;
            Ok(())
        }
    }
    let data = DataLoader::new(Tensor::ones(&[6, 3]), 2);
    let rng = &mut Philox::new(0);
    let mut model = Linear::new(3, 2, rng);
    let before = state_dict(&model);
    let mut optimizer = Sgd::new(0.1);
    let trainer = Trainer::custom().quiet().validate(&data);
    let error = trainer.fit_steps(&mut model, &mut [&mut optimizer], &data, rng, &Plain);
    let error = error.unwrap_err();
    assert!(matches!(error, TrainError::NothingMeasured), "{error}");
    assert_eq!(state_dict(&model), before);
}
