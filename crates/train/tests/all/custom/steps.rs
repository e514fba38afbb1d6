//! Steps with several optimizers, and steps that train one part of a model.

use super::{Pair, loss_of, pair};
use crate::common::without_times;
use std::path::Path;
use wengert_autograd::{Param, Tape, Var, value_and_grad_with};
use wengert_data::{DataLoader, Dataset, Digits};
use wengert_nn::{
    BatchNorm1d, Dropout, Layer, Linear, Module, Sequential, Tanh, bce_with_logits, sequential,
    state_dict,
};
use wengert_optim::{Adam, Optimizer, Sgd};
use wengert_tensor::{NamedTensors, Philox, Tensor};
use wengert_train::{
    CheckpointError, Criterion, History, Step, StepContext, TrainError, TrainStep, Trainer,
};

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
                "epoch 1, step 1: update with optimizer 1 (counted from 0): no gradient for missed.weight, missed.bias:"
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
        assert_eq!(loss.is_nan(), run.is_shape_only());
        Ok(())
    }
}

fn optimizers() -> [Box<dyn Optimizer>; 2] {
    [Box::new(Adam::new(0.01).betas(0.5, 0.9)), Box::new(Sgd::new(0.1).momentum(0.5))]
}

#[test]
fn two_updates_for_each_batch_agree_with_a_handwritten_loop() {
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
fn a_resumed_run_of_two_optimizers_has_the_same_bits() {
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
fn a_checkpoint_of_other_optimizers_is_refused() {
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
fn training_a_part_keeps_the_running_statistics_of_other_parts() {
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
fn gradients_of_a_part_that_are_not_finite_are_refused() {
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
