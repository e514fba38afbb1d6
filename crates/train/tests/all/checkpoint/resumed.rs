//! Resumed runs: the same weights, histories and learning rates.

use super::{adam, run, sgd};
use crate::common::without_times;
use std::path::Path;
use wengert_data::{DataLoader, TensorDataset};
use wengert_nn::{Linear, mse};
use wengert_optim::{Sgd, StepLr};
use wengert_tensor::{NamedTensors, Philox, Tensor};
use wengert_train::{Batch, Batches, History, Objective, ObjectiveTrainer, Trainer};

/// Compares two histories except for their times.
fn assert_same(a: &History, b: &History) {
    assert_eq!(without_times(a), without_times(b));
}

#[test]
fn a_run_resumed_at_any_step_has_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    for optimizer in [sgd, adam] {
        let (whole, weights, end) = run(1, optimizer, |trainer| trainer);
        let whole = whole.unwrap();
        // Stops before the first step, in the middle of epochs, at their ends, and at the end of the run.
        for steps in [0, 1, 5, 11, 17, 22, 43, 44] {
            let (first, ..) =
                run(1, optimizer, |trainer| trainer.checkpoint(&path).stop_after(steps));
            assert_eq!(first.unwrap().steps(), steps);
            let (second, resumed, rng) = run(2, optimizer, |trainer| trainer.resume(&path));
            assert_same(&second.unwrap(), &whole);
            assert!(resumed == weights, "weights differ after an interruption at step {steps}");
            assert_eq!(rng, end);
        }
    }
}

#[test]
fn a_killed_run_continues_from_its_last_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let (whole, weights, _) = run(1, sgd, |trainer| trainer);
    let whole = whole.unwrap();
    // The run saves after steps 4, 8, 11 (end of an epoch), 12, 16, 20, 22 and 24, and then panics.
    let died = std::panic::catch_unwind(|| {
        let calls = std::cell::Cell::new(0);
        run(1, sgd, |trainer| {
            trainer.checkpoint(&path).checkpoint_every(4).learning_rate(move |step| {
                // The first call checks whether the schedule is long enough.
                calls.set(calls.get() + 1);
                assert!(calls.get() < 28, "power cut");
                0.1 * (1.0 - step as f64 / 44.0)
            })
        })
    });
    assert!(died.is_err());
    let steps =
        |path: &Path| NamedTensors::load(path).unwrap().get("history.losses").unwrap().numel();
    assert_eq!(steps(&path), 24);
    // The run is interrupted again, this time with one file for reading and writing.
    let (_, _, _) = run(7, sgd, |trainer| trainer.resume(&path).checkpoint(&path).stop_after(30));
    assert_eq!(steps(&path), 30);
    let (second, resumed, _) = run(8, sgd, |trainer| trainer.resume(&path));
    assert_same(&second.unwrap(), &whole);
    assert!(resumed == weights);
}

#[test]
fn a_finished_run_can_be_made_longer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let (short, ..) = run(1, sgd, |trainer| trainer.epochs(2).checkpoint(&path));
    assert_eq!(short.unwrap().epochs.len(), 2);
    let (long, resumed, _) = run(2, sgd, |trainer| trainer.resume(&path));
    let (whole, weights, _) = run(1, sgd, |trainer| trainer);
    assert_same(&long.unwrap(), &whole.unwrap());
    assert!(resumed == weights);
}

/// Returns the histories of an uninterrupted run of three epochs, and of one that was interrupted
/// in the third epoch and resumed.
fn whole_and_resumed<'a, Y: Batch + 'static>(
    path: &'a Path,
    trainer: impl Fn() -> ObjectiveTrainer<'a, f32, Y>,
    data: &'a dyn Batches<(Tensor, Y)>,
    validate: bool,
    outputs: usize,
) -> [History; 2] {
    let fit = |stop: usize, resume: bool| {
        let mut trainer = trainer().epochs(3).quiet().stop_after(stop).checkpoint(path);
        if validate {
            trainer = trainer.validate(data);
        }
        if resume {
            trainer = trainer.resume(path);
        }
        let mut model = Linear::new(3, outputs, &mut Philox::new(2));
        trainer.fit(&mut model, &mut Sgd::new(0.1), data, &mut Philox::new(0)).unwrap()
    };
    let whole = fit(9, false);
    // Stops in the middle of the third epoch.
    assert_eq!(fit(7, false).epochs.len(), 2);
    [whole, fit(9, true)]
}

/// A resumed history has no values that were not measured: validation scores and accuracies.
#[test]
fn a_resumed_history_has_no_scores_that_were_not_measured() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let x = Tensor::normal(&[12, 3], 0.0, 1.0, &mut Philox::new(6));
    let y = x.sum(&[1], true);
    let classes = Tensor::from_fn(&[12], |i| (i % 2) as i64);
    let regression =
        || Trainer::new(Objective::regression(|outputs, targets| mse(outputs, targets)));
    let values = DataLoader::new(TensorDataset::new(x.clone(), y), 4);
    let labelled = DataLoader::new(TensorDataset::new(x, classes), 4);
    for validate in [false, true] {
        for (histories, classifies) in [
            (whole_and_resumed(&path, regression, &values, validate, 1), false),
            (whole_and_resumed(&path, Trainer::classifier, &labelled, validate, 2), true),
        ] {
            let [whole, resumed] = &histories;
            assert_same(resumed, whole);
            for history in [whole, resumed] {
                assert_eq!(history.epochs.len(), 3);
                for epoch in &history.epochs {
                    assert_eq!(epoch.validation.is_some(), validate);
                    for score in [Some(epoch.train), epoch.validation].into_iter().flatten() {
                        assert!(score.loss > 0.0);
                        assert_eq!(score.accuracy.is_some(), classifies);
                    }
                }
            }
        }
    }
}

/// If the schedule counts epochs, the learning rates of the steps are compared with it epoch by epoch.
#[test]
fn a_run_with_a_schedule_by_epochs_can_be_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let halved = |every: usize| StepLr::new(0.1, every).gamma(0.5);
    let (whole, weights, _) = run(1, sgd, |trainer| trainer.schedule_by_epoch(halved(2)));
    let whole = whole.unwrap();
    // An epoch has 11 steps.
    let rates: Vec<f64> = (0..44).map(|step| if step < 22 { 0.1 } else { 0.05 }).collect();
    assert_eq!(whole.learning_rates, rates);
    for steps in [5, 22, 26, 40] {
        let (first, ..) = run(1, sgd, |trainer| {
            trainer.schedule_by_epoch(halved(2)).checkpoint(&path).stop_after(steps)
        });
        assert_eq!(first.unwrap().steps(), steps);
        let (second, resumed, _) =
            run(2, sgd, |trainer| trainer.schedule_by_epoch(halved(2)).resume(&path));
        assert_same(&second.unwrap(), &whole);
        assert!(resumed == weights, "weights differ after an interruption at step {steps}");
    }
    // The first different learning rate is at step 23 if the rate is halved after three epochs, at
    // step 12 if after one, and at step 3 if the schedule counts steps in place of epochs.
    let says = |change: Box<dyn Fn(Trainer<'_>) -> Trainer<'_>>| {
        let (result, ..) = run(3, sgd, |trainer| change(trainer).resume(&path));
        result.unwrap_err().to_string()
    };
    for (text, words) in [
        (
            says(Box::new(move |trainer| trainer.schedule_by_epoch(halved(3)))),
            "step 23 of the saved run had the learning rate 0.05, but the schedule returns 0.1:",
        ),
        (
            says(Box::new(move |trainer| trainer.schedule_by_epoch(halved(1)))),
            "step 12 of the saved run had the learning rate 0.1, but the schedule returns 0.05:",
        ),
        (
            says(Box::new(move |trainer| trainer.schedule(halved(2)))),
            "step 3 of the saved run had the learning rate 0.1, but the schedule returns 0.05:",
        ),
    ] {
        assert!(text.contains(words), "{text}");
    }
}
