//! Tests callbacks: when and in which order their hooks are called, and what a checkpoint stores for them.

#![allow(clippy::items_after_statements, clippy::unnecessary_wraps)] // small types beside their use

use crate::common::mlp;
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;
use wengert_autograd::{Anomalies, Cause, Param, Var, value_and_grad};
use wengert_data::{DataLoader, Digits, TensorDataset};
use wengert_nn::{Layer, Linear, cross_entropy, state_dict};
use wengert_optim::{Adam, Optimizer, ReduceLrOnPlateau, Sgd};
use wengert_tensor::{Float, NamedTensors, Philox, Tensor};
use wengert_train::{
    Callback, CallbackState, CheckpointError, ClipNorm, ClipValue, Context, Criterion,
    EarlyStopping, History, Monitor, Objective, OnPlateau, Outcome, TimeLimit, TrainError, Trainer,
};

/// Returns sixty digits as vectors.
fn digits() -> TensorDataset {
    let digits = Digits::load();
    let images = digits.scaled_images().flatten(1, -1).narrow(0, 0, 60).copied();
    TensorDataset::new(images, digits.labels.narrow(0, 0, 60).copied())
}

fn model() -> Linear {
    Linear::new(64, 10, &mut Philox::new(4))
}

fn without_times(history: &History) -> History {
    let mut history = history.clone();
    history.epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.0);
    history
}

/// Records the hooks that are called and the values that they see.
struct Notes<'a>(&'a str, &'a RefCell<Vec<String>>);
impl Notes<'_> {
    fn note<T: Float>(&self, hook: &str, run: &mut Context<'_, T>) -> Outcome {
        let gradients = run.gradients().is_some();
        let validated = run.history().last().is_some_and(|epoch| epoch.validation.is_some());
        let line = format!(
            "{}{hook} epoch {} step {} of {} all {} lr {} gradients {gradients} validated {validated}",
            self.0,
            run.epoch(),
            run.step(),
            run.steps_per_epoch(),
            run.steps(),
            run.learning_rate()
        );
        self.1.borrow_mut().push(line);
        Ok(())
    }
}
impl<T: Float> Callback<T> for Notes<'_> {
    fn start(&mut self, run: &mut Context<'_, T>) -> Outcome {
        self.note("start", run)
    }
    fn before_step(&mut self, run: &mut Context<'_, T>) -> Outcome {
        self.note("before_step", run)
    }
    fn before_update(&mut self, run: &mut Context<'_, T>) -> Outcome {
        self.note("before_update", run)
    }
    fn after_step(&mut self, run: &mut Context<'_, T>) -> Outcome {
        self.note("after_step", run)
    }
    fn end_epoch(&mut self, run: &mut Context<'_, T>) -> Outcome {
        self.note("end_epoch", run)
    }
    fn after_epoch(&mut self, run: &mut Context<'_, T>) -> Outcome {
        self.note("after_epoch", run)
    }
    fn finish(&mut self, run: &mut Context<'_, T>) -> Outcome {
        self.note("finish", run)
    }
}

#[test]
fn what_is_called_when_and_in_which_order() {
    let (set, notes) = (digits(), RefCell::default());
    let loader = DataLoader::new(&set, 30);
    Trainer::classifier()
        .epochs(2)
        .validate(&loader)
        .learning_rate(|step| 0.5 / (1 + step) as f64)
        .callback(Notes("", &notes))
        .quiet()
        .fit(&mut model(), &mut Sgd::new(9.0), &loader, &mut Philox::new(0))
        .unwrap();
    // The schedule sets the learning rate before the first hook; the validation comes between the
    // last two hooks.
    let step = |epoch: u64, step: usize, all: usize| {
        let rate = 0.5 / (1 + all) as f64;
        let old = epoch > 0;
        [
            format!(
                "before_step epoch {epoch} step {step} of 2 all {all} lr {rate} gradients false validated {old}"
            ),
            format!(
                "before_update epoch {epoch} step {step} of 2 all {all} lr {rate} gradients true validated {old}"
            ),
            format!(
                "after_step epoch {epoch} step {} of 2 all {} lr {rate} gradients false validated {old}",
                step + 1,
                all + 1
            ),
        ]
    };
    let ends = |epoch: u64, all: usize| {
        let rate = 0.5 / all as f64;
        [
            format!(
                "end_epoch epoch {epoch} step 0 of 2 all {all} lr {rate} gradients false validated false"
            ),
            format!(
                "after_epoch epoch {epoch} step 0 of 2 all {all} lr {rate} gradients false validated true"
            ),
        ]
    };
    let mut wanted =
        vec!["start epoch 0 step 0 of 2 all 0 lr 9 gradients false validated false".into()];
    wanted.extend(step(0, 0, 0).into_iter().chain(step(0, 1, 1)).chain(ends(1, 2)));
    wanted.extend(step(1, 0, 2).into_iter().chain(step(1, 1, 3)).chain(ends(2, 4)));
    wanted.push("finish epoch 2 step 0 of 2 all 4 lr 0.125 gradients false validated true".into());
    assert_eq!(notes.into_inner(), wanted);

    // Several callbacks are called in the order in which they were added, for each hook.
    let notes = RefCell::default();
    Trainer::classifier()
        .stop_after(1)
        .callback(Notes("a ", &notes))
        .callback(Notes("b ", &notes))
        .quiet()
        .fit(&mut model(), &mut Sgd::new(0.1), &loader, &mut Philox::new(0))
        .unwrap();
    let notes = notes.into_inner();
    let calls: Vec<_> = notes.iter().map(|line| line.split(" epoch").next().unwrap()).collect();
    let hooks = ["start", "before_step", "before_update", "after_step", "finish"];
    let wanted: Vec<String> =
        hooks.iter().flat_map(|hook| [format!("a {hook}"), format!("b {hook}")]).collect();
    assert_eq!(calls, wanted);
}

/// Clipped gradients equal those of a hand-written loop, and their norm is logged.
#[test]
fn clipping_is_between_gradients_and_optimizer() {
    let set = digits();
    let loader = DataLoader::new(&set, 20).shuffle(1);
    for by_norm in [true, false] {
        let (mut by_hand, mut optimizer) = (model(), Adam::new(0.01));
        let (mut rng, mut norms) = (Philox::new(0), 0.0);
        for epoch in 0..2 {
            norms = 0.0;
            for (x, y) in loader.epoch(epoch) {
                let (_, mut gradients) = value_and_grad(&mut rng, |tape| {
                    cross_entropy(by_hand.forward(tape.constant(x)), &y)
                });
                if by_norm {
                    norms += gradients.clip_norm(0.25);
                } else {
                    gradients.clip_value(0.01);
                }
                optimizer.step(&mut by_hand, &gradients);
            }
        }
        let mut clipped = model();
        let mut trainer = Trainer::classifier().epochs(2).quiet();
        trainer = if by_norm {
            trainer.callback(ClipNorm(0.25))
        } else {
            trainer.callback(ClipValue(0.01))
        };
        let history =
            trainer.fit(&mut clipped, &mut Adam::new(0.01), &loader, &mut Philox::new(0)).unwrap();
        assert_eq!(state_dict(&clipped), state_dict(&by_hand));
        let wanted = by_norm.then_some(norms / 3.0);
        match (history.logged("gradient norm")[1], wanted) {
            (Some(found), Some(wanted)) => assert!((found - wanted).abs() < 1e-12),
            (found, wanted) => assert_eq!(found, wanted),
        }
    }
}

/// Returns a model with one weight, data, and an objective whose validation losses are `losses`.
fn with_losses<'a>(
    losses: &'a [f64],
    steps: usize,
) -> (Param, DataLoader<TensorDataset<f32, f32>>, Objective<'a, f32, Tensor>) {
    let set = TensorDataset::new(Tensor::ones(&[steps, 1]), Tensor::ones(&[steps, 1]));
    // With a learning rate of 1, each step adds 1 to the weight, so the weight counts the steps.
    let objective = Objective::new(move |y: Var, _: &Tensor| {
        if y.tape().is_abstract() || y.tape().mode() == Some(wengert_autograd::Mode::Train) {
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
    assert_eq!((history.best, weight), (Some(1), 4.0));
    assert_eq!(history.stopped.as_deref(), Some("no improvement on 4.0000 for 2 epochs"));
}

/// The learning rate follows the validation loss: after each epoch it equals that of the rule alone.
#[test]
fn a_rate_that_falls_when_the_validation_stalls() {
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
fn a_schedule_and_a_plateau_contradict_each_other() {
    let set = digits();
    let _ = Trainer::classifier()
        .learning_rate(|_| 0.1)
        .callback(OnPlateau::new(ReduceLrOnPlateau::new()))
        .quiet()
        .fit(&mut model(), &mut Sgd::new(0.1), &DataLoader::new(&set, 30), &mut Philox::new(0));
}

#[test]
fn a_number_that_nobody_logs_is_asked_for() {
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

/// Counts steps and scales the parameters by its count, so that its state affects the model.
#[derive(Default)]
struct Nudge {
    seen: f64,
    fails: bool,
}
impl Callback for Nudge {
    fn start(&mut self, run: &mut Context<'_>) -> Outcome {
        if !run.resumed() {
            self.seen = 0.0;
        }
        Ok(())
    }
    fn after_step(&mut self, run: &mut Context<'_>) -> Outcome {
        self.seen += 1.0;
        let seen = self.seen;
        run.log("seen", seen);
        let root = wengert_autograd::Path::root();
        run.model_mut().visit_mut(&root, &mut |_, state| {
            if let Some(param) = state.downcast_mut::<Param>() {
                param.update(|w| *w *= &Tensor::scalar(1.0 + 0.01 * seen));
            }
        });
        Ok(())
    }
    fn state(&self) -> CallbackState {
        CallbackState::numbers([("seen", self.seen)])
    }
    fn load_state(&mut self, saved: &NamedTensors) -> Result<(), String> {
        if self.fails && saved.get("seen") != Some(&Tensor::scalar_of(-1f64).into()) {
            return Err("no more than this".into());
        }
        self.seen = CallbackState::number(saved, "seen")?;
        Ok(())
    }
}

/// Runs three epochs of two steps with these callbacks.
fn run(
    callbacks: Vec<Box<dyn Callback + '_>>,
    stop: usize,
    save: Option<&Path>,
    resume: Option<&Path>,
) -> (Result<History, TrainError>, NamedTensors, NamedTensors) {
    let set = digits();
    let loader = DataLoader::new(&set, 30).shuffle(2);
    let mut trainer = Trainer::classifier().epochs(3).stop_after(stop).quiet();
    for callback in callbacks {
        trainer = trainer.callback(callback);
    }
    if let Some(path) = save {
        trainer = trainer.checkpoint(path);
    }
    if let Some(path) = resume {
        trainer = trainer.resume(path);
    }
    let (mut model, mut optimizer) = (model(), Adam::new(0.01));
    let result = trainer.fit(&mut model, &mut optimizer, &loader, &mut Philox::new(0));
    (result, state_dict(&model), optimizer.state_dict(&model))
}

#[test]
fn what_callbacks_remember_is_part_of_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let two = || -> Vec<Box<dyn Callback>> {
        vec![Box::new(Nudge::default()), Box::new(ClipNorm(0.5)), Box::new(Nudge::default())]
    };
    let (whole, weights, _) = run(two(), 99, None, None);
    let whole = whole.unwrap();
    for stop in [0, 1, 2, 3, 5, 6] {
        run(two(), stop, Some(&path), None).0.unwrap();
        let file = NamedTensors::load(&path).unwrap();
        // The checkpoint is saved after the callbacks have run, so it contains their new state.
        for name in ["callback.Nudge.seen", "callback.Nudge_2.seen"] {
            assert_eq!(file.get(name), Some(&Tensor::scalar_of(stop as f64).into()), "{name}");
        }
        let (resumed, now, _) = run(two(), 99, None, Some(&path));
        assert_eq!(without_times(&resumed.unwrap()), without_times(&whole), "{stop}");
        assert!(now == weights, "{stop}");
    }
}

#[test]
fn callbacks_that_differ_are_refused_and_nothing_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let one = || -> Vec<Box<dyn Callback>> { vec![Box::new(Nudge::default())] };
    run(one(), 3, Some(&path), None).0.unwrap();
    let fresh = run(vec![], 0, None, None);
    let mut nudge = Nudge { seen: -1.0, fails: true };
    let refused = |callbacks: Vec<Box<dyn Callback + '_>>| {
        let (result, weights, state) = run(callbacks, 99, None, Some(&path));
        assert!(weights == fresh.1 && state == fresh.2, "something was changed");
        match result.unwrap_err() {
            TrainError::Checkpoint(error) => error,
            error => panic!("{error}"),
        }
    };
    let error = refused(vec![]);
    assert!(matches!(&error, CheckpointError::Callbacks { .. }));
    assert!(
        error.to_string().contains("with a state: Nudge; this run has: none; resume with"),
        "{error}"
    );
    let error = refused(vec![Box::new(Nudge::default()), Box::new(EarlyStopping::new(1))]);
    assert!(
        error.to_string().contains("this run has: Nudge, EarlyStopping; resume with"),
        "{error}"
    );
    // If the second callback refuses its state, the first one, which has loaded its own, gets its
    // earlier state back.
    let error = refused(vec![Box::new(&mut nudge)]);
    assert!(error.to_string().ends_with("the callback Nudge: no more than this"), "{error}");
    assert_eq!(nudge.seen, -1.0);
    run(vec![Box::new(Nudge::default()), Box::new(Nudge::default())], 3, Some(&path), None)
        .0
        .unwrap();
    let (mut first, mut second) =
        (Nudge { seen: 17.0, fails: false }, Nudge { seen: -1.0, fails: true });
    let (result, ..) =
        run(vec![Box::new(&mut first), Box::new(&mut second)], 99, None, Some(&path));
    assert!(result.unwrap_err().to_string().ends_with("the callback Nudge_2: no more than this"));
    assert_eq!((first.seen, second.seen), (17.0, -1.0));
}

/// A callback with a field that does not say whether a checkpoint must store it.
struct Silent(Rc<RefCell<u32>>);
impl Callback for Silent {
    fn after_step(&mut self, _: &mut Context<'_>) -> Outcome {
        *self.0.borrow_mut() += 1;
        Ok(())
    }
}
struct Empty;
impl Callback for Empty {}

#[test]
fn a_callback_that_may_forget_something_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let calls = Rc::new(RefCell::new(0));
    let silent =
        || -> Vec<Box<dyn Callback>> { vec![Box::new(Empty), Box::new(Silent(calls.clone()))] };
    let (result, weights, _) = run(silent(), 99, Some(&path), None);
    let text = result.unwrap_err().to_string();
    assert!(
        text.contains(
            "the callback Silent: the type has fields, but does not implement Callback::state"
        ),
        "{text}"
    );
    assert!(
        text.contains(
            "return the fields that a checkpoint must contain, or `CallbackState::Nothing`"
        ),
        "{text}"
    );
    assert!(*calls.borrow() == 0 && !path.exists());
    assert_eq!(weights, run(vec![], 0, None, None).1);
    // Without a checkpoint, no state can be lost, so the run is allowed.
    run(silent(), 99, None, None).0.unwrap();
    assert_eq!(*calls.borrow(), 6);
}

#[test]
fn errors_and_stops() {
    /// Ends the run at this step, with an error if `true` and with a stop if `false`.
    struct At(usize, bool);
    impl<T: Float> Callback<T> for At {
        fn after_step(&mut self, run: &mut Context<'_, T>) -> Outcome {
            if run.steps() < self.0 {
                return Ok(());
            }
            if self.1 {
                return Err(TrainError::callback("At", std::fmt::Error));
            }
            run.stop("enough");
            run.stop("more than enough");
            Ok(())
        }
    }
    let (result, ..) = run(vec![Box::new(At(3, true))], 99, None, None);
    let error = result.unwrap_err();
    assert!(error.to_string().starts_with("At: an error occurred"), "{error}");
    for (steps, epochs) in [(1, 0), (3, 1), (4, 2)] {
        let history = run(vec![Box::new(At(steps, false))], 99, None, None).0.unwrap();
        assert_eq!((history.steps(), history.epochs.len()), (steps, epochs));
        assert_eq!(history.stopped.as_deref(), Some("enough"));
    }
    // A stop at the last step does not count as stopped early.
    let history = run(vec![Box::new(At(6, false))], 99, None, None).0.unwrap();
    assert_eq!((history.epochs.len(), history.stopped), (3, None));
    let history = run(vec![], 4, None, None).0.unwrap();
    assert_eq!(history.stopped.as_deref(), Some("4 steps were made"));
    // With a time limit of 0, one step is made.
    let history = run(vec![Box::new(TimeLimit::new(Duration::ZERO))], 99, None, None).0.unwrap();
    assert_eq!((history.steps(), history.stopped.as_deref()), (1, Some("0.0 s have passed")));
}

/// A run that stopped early and is resumed with the same callback makes no further steps. With more
/// patience, it continues.
#[test]
fn a_run_that_was_stopped_stays_stopped() {
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

/// A callback may request a checkpoint in any file.
#[test]
fn checkpoints_on_demand() {
    struct Named<'a>(&'a Path);
    impl Callback for Named<'_> {
        fn after_step(&mut self, run: &mut Context<'_>) -> Outcome {
            run.save(self.0.join(format!("{}.safetensors", run.steps())));
            Ok(())
        }
        fn state(&self) -> CallbackState {
            CallbackState::Nothing
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let (whole, weights, _) = run(vec![Box::new(Named(folder.path()))], 99, None, None);
    let whole = whole.unwrap();
    for steps in 1..=6 {
        let path = folder.path().join(format!("{steps}.safetensors"));
        let (resumed, now, _) = run(vec![], 99, None, Some(&path));
        assert_eq!(without_times(&resumed.unwrap()), without_times(&whole));
        assert!(now == weights, "{steps}");
    }
}

/// Multiplies the gradients by NaN at the third step, as a division by a norm of 0 would.
struct Spoils;
impl Callback for Spoils {
    fn before_update(&mut self, run: &mut Context<'_>) -> Outcome {
        if run.steps() == 2 {
            let (model, gradients) = run.model_and_gradients();
            let gradients = gradients.unwrap();
            assert_eq!(gradients.of(model).len(), 4);
            gradients.scale(f64::NAN);
        }
        Ok(())
    }
}

/// Reads the gradients and does not change them.
struct Looks;
impl Callback for Looks {
    fn before_update(&mut self, run: &mut Context<'_>) -> Outcome {
        assert!(run.gradients().unwrap().not_finite().is_empty());
        Ok(())
    }
}

#[test]
fn gradients_that_a_callback_spoils_are_not_used() {
    let train = DataLoader::new(Digits::load().dataset(), 64);
    let [mut spoiled, mut twin] = [0, 0].map(|seed| mlp(&mut Philox::new(seed)));
    let run = |model, trainer: Trainer<'_, _>| {
        trainer.quiet().fit(model, &mut Sgd::new(0.1), &train, &mut Philox::new(1))
    };
    run(&mut twin, Trainer::classifier().callback(Looks).stop_after(2)).unwrap();
    let trainer = Trainer::classifier().callback(Looks).callback(Spoils).callback(Looks);
    let error = run(&mut spoiled, trainer).unwrap_err();
    let text = error.to_string();
    let TrainError::Gradient { step: 3, epoch: 1, callback: Some(name), parameters, loss } = error
    else {
        panic!("{text}")
    };
    assert!(name == "Spoils" && parameters.len() == 4 && loss.is_finite());
    assert!(text.contains("NaN or infinity, because the callback Spoils changed them"), "{text}");
    // The weights are those after the first two steps.
    assert_eq!(state_dict(&spoiled), state_dict(&twin));
}

#[test]
fn anomalies_of_a_run_are_named() {
    let train = DataLoader::new(Digits::load().dataset(), 64);
    let rng = &mut Philox::new(0);
    let run = |which: Option<Anomalies>| {
        let mut model = mlp(&mut Philox::new(0));
        let trainer = Trainer::custom().quiet();
        let trainer = match which {
            Some(which) => trainer.detect_anomalies(which),
            None => trainer,
        };
        let mut optimizer = Sgd::new(0.1);
        trainer.fit(&mut model, &mut optimizer, &train, &mut rng.clone(), |model, step, (x, y)| {
            let y = cross_entropy(model.forward(step.constant(x.clone())), y);
            // At the third step, the derivative of the loss is infinite.
            let zero = if step.number() == 2 { y - y.detach() } else { y };
            y + zero.sqrt()
        })
    };
    let error = run(None).unwrap_err();
    assert!(matches!(error, TrainError::Gradient { step: 3, callback: None, .. }), "{error}");
    assert!(error.to_string().contains("Trainer::detect_anomalies"), "{error}");
    let TrainError::Shape(error) = run(Some(Anomalies::All)).unwrap_err() else { panic!() };
    assert_eq!(error.cause, Cause::NotFinite);
    let text = error.to_string();
    assert!(
        text.contains("sqrt: the derivative rule returned a cotangent of operand 0")
            && text.contains(file!()),
        "{text}"
    );
}

/// Requests a checkpoint at the end of an epoch, before the validation.
struct SavesAtTheEnd<'p>(&'p Path);
impl Callback for SavesAtTheEnd<'_> {
    fn end_epoch(&mut self, run: &mut Context<'_>) -> Outcome {
        if run.epoch() == 1 {
            run.save(self.0);
        }
        Ok(())
    }
    fn state(&self) -> CallbackState {
        CallbackState::Nothing
    }
}

#[test]
fn a_checkpoint_asked_for_before_the_validation_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let digits = digits();
    let data = DataLoader::new(&digits, 20).shuffle(1);
    let run = |resume: bool| {
        let mut model = model();
        let trainer = Trainer::classifier().epochs(3).quiet().validate(&data);
        let trainer = trainer.keep_best(Criterion::Loss).callback(SavesAtTheEnd(&path));
        let trainer = if resume { trainer.resume(&path) } else { trainer };
        let mut optimizer = Sgd::new(0.1).momentum(0.9);
        let history = trainer.fit(&mut model, &mut optimizer, &data, &mut Philox::new(2)).unwrap();
        (without_times(&history), state_dict(&model))
    };
    let whole = run(false);
    assert!(whole.0.epochs.iter().all(|epoch| epoch.validation.is_some()));
    assert!(run(true) == whole);
}

/// A callback with any name whose state is a number.
struct Called(&'static str, f64);
impl Callback for Called {
    fn name(&self) -> String {
        self.0.into()
    }
    fn state(&self) -> CallbackState {
        CallbackState::numbers([("w.x", self.1)])
    }
    fn load_state(&mut self, saved: &NamedTensors) -> Result<(), String> {
        assert_eq!(saved.iter().count(), 1);
        self.1 = CallbackState::number(saved, "w.x")?;
        Ok(())
    }
}

#[test]
fn names_of_callbacks_may_have_any_characters() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let data = DataLoader::new(digits(), 20);
    let names = ["ema", "ema.w", "ema%2Ew", "two\nlines", "", "ema"];
    let run = |shift: f64, resume: bool| {
        let mut all: Vec<_> =
            names.iter().zip(1..).map(|(name, i)| Called(name, shift + f64::from(i))).collect();
        let mut trainer = Trainer::classifier().epochs(1).quiet().checkpoint(&path);
        for callback in &mut all {
            trainer = trainer.callback(callback);
        }
        let trainer = if resume { trainer.resume(&path) } else { trainer };
        let mut optimizer = Sgd::new(0.1);
        trainer.fit(&mut model(), &mut optimizer, &data, &mut Philox::new(2)).unwrap();
        drop(trainer);
        all.iter().map(|callback| callback.1).collect::<Vec<_>>()
    };
    assert_eq!(run(0.0, false), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(run(10.0, true), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
}
