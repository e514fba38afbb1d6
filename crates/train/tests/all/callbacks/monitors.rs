//! Callbacks that observe a number: early stopping, and learning rates that follow the validation loss.

use super::{digits, model};
use crate::common::without_times;
use wengert_autograd::{Param, Var};
use wengert_data::{DataLoader, TensorDataset};
use wengert_nn::{Layer, state_dict};
use wengert_optim::{Optimizer, ReduceLrOnPlateau, Sgd};
use wengert_tensor::{Float, Philox, Tensor};
use wengert_train::{
    Callback, CallbackState, Context, Criterion, EarlyStopping, History, Monitor, Objective,
    OnPlateau, Outcome, Trainer,
};

/// Returns a model with one weight, data, and an objective whose validation losses are `losses`.
fn with_losses<'a>(
    losses: &'a [f64],
    steps: usize,
) -> (Param, DataLoader<TensorDataset<f32, f32>>, Objective<'a, f32, Tensor>) {
    let set = TensorDataset::new(Tensor::ones(&[steps, 1]), Tensor::ones(&[steps, 1]));
    // With a learning rate of 1, each step adds 1 to the weight, so the weight counts the steps.
    let objective = Objective::new(move |y: Var, _: &Tensor| {
        if y.tape().is_shape_only() || y.tape().mode() == Some(wengert_autograd::Mode::Train) {
            return -y.mean_all();
        }
        let steps_made = y.value().to_vec()[0];
        y.mean_all() * 0.0 + losses[(steps_made / steps as f32) as usize - 1]
    });
    (Param::new(Tensor::zeros(&[1, 1])), DataLoader::new(set, 1), objective)
}

#[derive(Clone)]
struct Counter(Param);
impl wengert_nn::Module for Counter {
    fn visit<'m>(
        &'m self,
        path: &wengert_autograd::Path<'_>,
        see: &mut wengert_autograd::See<'_, 'm>,
    ) {
        self.0.visit(path, see);
    }
    fn visit_mut<'m>(
        &'m mut self,
        path: &wengert_autograd::Path<'_>,
        see: &mut wengert_autograd::SeeMut<'_, 'm>,
    ) {
        self.0.visit_mut(path, see);
    }
}
impl Layer for Counter {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        x * x.tape().param(&self.0)
    }
}

/// Returns the history of a run with early stopping, and the final weight.
fn stopped(losses: &[f64], early: EarlyStopping, best: bool) -> (History, f32) {
    let (weight, data, objective) = with_losses(losses, 2);
    let mut model = Counter(weight);
    let mut trainer =
        Trainer::new(objective).epochs(losses.len() as u64).validate(&data).callback(early).quiet();
    if best {
        trainer = trainer.keep_best(Criterion::Loss);
    }
    let history = trainer.fit(&mut model, &mut Sgd::new(1.0), &data, &mut Philox::new(0)).unwrap();
    (history, model.0.value().item())
}

#[test]
fn early_stopping_counts_epochs_without_an_improvement() {
    let nan = f64::NAN;
    for (losses, patience, delta, maximize, epochs) in [
        (&[5.0, 4.0, 4.5, 4.0, 3.0, 2.0][..], 2, 0.0, false, 4),
        (&[5.0, 4.0, 4.5, 4.0, 3.0, 2.0], 3, 0.0, false, 6),
        (&[5.0, 4.9, 4.7, 4.6, 4.4, 4.3], 2, 0.25, false, 6),
        (&[5.0, 4.9, 4.8, 4.79, 4.6, 4.5], 2, 0.25, false, 3),
        (&[1.0, 2.0, 3.0, 2.5, 2.0, 9.0], 1, 0.0, true, 4),
        (&[nan, nan, 1.0, 1.0], 2, 0.0, false, 2),
        (&[nan, 3.0, nan, 1.0], 2, 0.0, false, 4),
        (&[2.0, 2.0, 2.0], 0, 0.0, false, 2),
    ] {
        let mut early = EarlyStopping::new(patience).min_delta(delta);
        if maximize {
            early = early.maximize();
        }
        // The expected result, from a plain loop.
        let (mut best, mut waited, mut wanted) = (None, 0, losses.len());
        for (i, &loss) in losses.iter().enumerate() {
            let better = match best {
                None => !loss.is_nan(),
                Some(best) if maximize => loss > best + delta,
                Some(best) => loss < best - delta,
            };
            if better {
                (best, waited) = (Some(loss), 0);
            } else {
                waited += 1;
            }
            if waited >= patience.max(1) {
                wanted = i + 1;
                break;
            }
        }
        let (history, _) = stopped(losses, early, false);
        assert_eq!((history.epochs.len(), wanted), (wanted, wanted), "{losses:?} {patience}");
        assert_eq!(wanted, epochs, "{losses:?}");
        assert_eq!(history.stopped.is_some(), wanted < losses.len(), "{:?}", history.stopped);
    }
    // The model gets the weights of the best epoch, which is the second.
    let (history, weight) = stopped(&[5.0, 4.0, 4.5, 4.0, 3.0, 2.0], EarlyStopping::new(2), true);
    assert_eq!((history.best_epoch, weight), (Some(1), 4.0));
    assert_eq!(history.stopped.as_deref(), Some("no improvement on 4.0000 for 2 epochs"));
}

/// The learning rate follows the validation loss: after each epoch it equals that of the rule alone.
#[test]
fn the_rate_falls_when_the_validation_stops_improving() {
    let losses = [3.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0];
    let rule = || ReduceLrOnPlateau::new().factor(0.5).patience(1);
    let (mut by_hand, mut optimizer) = (rule(), Sgd::<f32>::of(0.125));
    let set = digits();
    let train = DataLoader::new(&set, 30);
    let mut rates = Vec::new();
    for loss in losses {
        rates.extend([optimizer.learning_rate(); 2]);
        by_hand.step(loss, &mut optimizer);
    }
    assert!(rates[17] < 0.05, "it falls twice");

    // An earlier callback logs the value that the rule observes.
    struct Says(&'static [f64]);
    impl<T: Float> Callback<T> for Says {
        fn after_epoch(&mut self, run: &mut Context<'_, T>) -> Outcome {
            let number = self.0[run.epoch() as usize - 1];
            run.log("said", number);
            Ok(())
        }
        fn state(&self) -> CallbackState {
            CallbackState::Nothing
        }
    }
    static LOSSES: [f64; 9] = [3.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let run = |stop: usize, resume: bool| {
        let mut trainer = Trainer::classifier()
            .epochs(9)
            .callback(Says(&LOSSES))
            .callback(OnPlateau::new(rule()).monitor(Monitor::training("said")))
            .checkpoint(&path)
            .stop_after(stop)
            .quiet();
        if resume {
            trainer = trainer.resume(&path);
        }
        let (mut model, mut rng) = (model(), Philox::new(0));
        let history = trainer.fit(&mut model, &mut Sgd::new(0.125), &train, &mut rng).unwrap();
        (history, state_dict(&model))
    };
    let (whole, weights) = run(99, false);
    assert_eq!(whole.learning_rates, rates);
    assert_eq!(whole.logged("said"), LOSSES.map(Some));
    for stop in [1, 4, 6, 7, 8, 13, 17] {
        run(stop, false);
        let (resumed, now) = run(99, true);
        assert_eq!(without_times(&resumed), without_times(&whole), "{stop}");
        assert!(now == weights);
    }
}

#[test]
#[should_panic(
    expected = "callback: both OnPlateau and the schedule set the learning rate: remove one of the two"
)]
fn a_schedule_together_with_a_plateau_rule_panics() {
    let set = digits();
    let _ = Trainer::classifier()
        .learning_rate(|_| 0.1)
        .callback(OnPlateau::new(ReduceLrOnPlateau::new()))
        .quiet()
        .fit(&mut model(), &mut Sgd::new(0.1), &DataLoader::new(&set, 30), &mut Philox::new(0));
}

#[test]
fn monitoring_a_number_that_is_not_logged_is_an_error() {
    let set = digits();
    let loader = DataLoader::new(&set, 30);
    let error = Trainer::classifier()
        .callback(EarlyStopping::new(2).monitor(Monitor::validation("accuracy")))
        .quiet()
        .fit(&mut model(), &mut Sgd::new(0.1), &loader, &mut Philox::new(0))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "EarlyStopping: no number `accuracy` is logged on validation data; the logged numbers are: accuracy"
    );
}

/// A run that stopped early and is resumed with the same callback makes no further steps. With more
/// patience, it continues.
#[test]
fn a_resumed_run_that_had_stopped_makes_no_step() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let losses = [3.0, 4.0, 4.0, 4.0, 2.0, 2.0];
    let fit = |patience: u64, resume: bool| {
        let (weight, data, objective) = with_losses(&losses, 2);
        let mut model = Counter(weight);
        let mut trainer = Trainer::new(objective)
            .epochs(6)
            .validate(&data)
            .callback(EarlyStopping::new(patience))
            .checkpoint(&path)
            .quiet();
        if resume {
            trainer = trainer.resume(&path);
        }
        trainer.fit(&mut model, &mut Sgd::new(1.0), &data, &mut Philox::new(0)).unwrap()
    };
    assert_eq!(fit(2, false).epochs.len(), 3);
    let again = fit(2, true);
    assert_eq!((again.epochs.len(), again.stopped.is_some()), (3, true));
    let longer = fit(4, true);
    assert_eq!((longer.epochs.len(), longer.stopped), (6, None));
}
