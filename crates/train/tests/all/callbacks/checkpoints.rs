//! What a checkpoint stores for callbacks, and checkpoints that callbacks request.

use super::{digits, model, run};
use crate::common::without_times;
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use wengert_autograd::Param;
use wengert_data::DataLoader;
use wengert_nn::state_dict;
use wengert_optim::Sgd;
use wengert_tensor::{NamedTensors, Philox, Tensor};
use wengert_train::{
    Callback, CallbackState, CheckpointError, ClipNorm, Context, Criterion, EarlyStopping, Outcome,
    TrainError, Trainer,
};

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

#[test]
fn checkpoints_contain_the_state_of_callbacks() {
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
fn a_checkpoint_of_other_callbacks_is_refused_and_changes_nothing() {
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
fn a_callback_without_a_state_is_refused_with_a_message() {
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

/// A callback may request a checkpoint in any file.
#[test]
fn a_callback_can_request_a_checkpoint() {
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

/// Requests a checkpoint at the end of an epoch, before the validation.
struct SavesAtTheEnd<'p>(&'p Path);
impl Callback for SavesAtTheEnd<'_> {
    fn before_validation(&mut self, run: &mut Context<'_>) -> Outcome {
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
fn a_checkpoint_requested_before_the_validation_contains_its_result() {
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
