//! When and in which order the hooks are called, and how a callback ends a run.

use super::{digits, model, run};
use std::cell::RefCell;
use std::time::Duration;
use wengert_data::DataLoader;
use wengert_optim::Sgd;
use wengert_tensor::{Float, Philox};
use wengert_train::{Callback, Context, Outcome, TimeLimit, TrainError, Trainer};

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
    fn before_validation(&mut self, run: &mut Context<'_, T>) -> Outcome {
        self.note("before_validation", run)
    }
    fn after_epoch(&mut self, run: &mut Context<'_, T>) -> Outcome {
        self.note("after_epoch", run)
    }
    fn finish(&mut self, run: &mut Context<'_, T>) -> Outcome {
        self.note("finish", run)
    }
}

#[test]
fn methods_of_callbacks_are_called_in_the_documented_order() {
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
                "before_validation epoch {epoch} step 0 of 2 all {all} lr {rate} gradients false validated false"
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

#[test]
fn an_error_and_a_stop_of_a_callback_end_the_run() {
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
