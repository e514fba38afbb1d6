//! Callbacks of the training loop.

use crate::context::Context;
use crate::error::Outcome;
use wengert_tensor::{Float, NamedTensors, Tensor};

/// A hook into the training loop: it reads or changes the run through a [`Context`]. Every method has a
/// default that does nothing.
///
/// # When each method is called
/// | method | called | typical use |
/// |---|---|---|
/// | [`start`](Callback::start) | before the first step, or after a checkpoint was resumed | |
/// | [`before_step`](Callback::before_step) | before a batch is computed | learning rates |
/// | [`before_update`](Callback::before_update) | after the gradients, before the optimizer; once for each update of a step | clipping |
/// | [`after_step`](Callback::after_step) | after the weights have changed | stopping, averages of weights |
/// | [`before_validation`](Callback::before_validation) | after the last step of an epoch, before its validation | |
/// | [`after_epoch`](Callback::after_epoch) | after the validation; the epoch's record is in the history | learning rates that follow the validation |
/// | [`finish`](Callback::finish) | after the last epoch, or when the run was stopped | |
///
/// If a method returns an error, the run ends with this error.
///
/// # Order of callbacks
/// The trainer's settings are callbacks, too. They are called before and after the callbacks of
/// [`Trainer::callback`](crate::Trainer::callback), which keep the order in which they were added:
///
/// 1. the schedule;
/// 2. the request for a validation after each epoch;
/// 3. your callbacks, in order;
/// 4. `keep_best`;
/// 5. `stop_after`;
/// 6. the progress line;
/// 7. the checkpoint: it is last, so that it holds what all other callbacks have done.
///
/// `keep_best` keeps the weights that the model has when `keep_best` is called. Do not use it together
/// with a callback that puts other weights into the model for the validation (for example averages, in
/// [`before_validation`](Callback::before_validation)) and takes them out again in `after_epoch`: this callback runs
/// before `keep_best`, so the weights that are kept are not those that were measured. Measure averages
/// with [`evaluate`](crate::evaluate) on a copy of the model instead.
///
/// # State and checkpoints
/// A callback with a state returns it from [`state`](Callback::state), and restores it in
/// [`load_state`](Callback::load_state), so that a resumed run continues with the same bits. If a
/// callback has fields and does not implement `state`, a run with a checkpoint refuses it with an error,
/// since the state would be lost.
///
/// ```
/// use wengert::tensor::{Float, NamedTensors};
/// use wengert::train::{Callback, CallbackState, Context, Outcome};
///
/// /// Stops when the loss has been below a bound for some steps in a row.
/// struct GoodEnough {
///     bound: f64,
///     wanted: u32,
///     seen: u32,
/// }
///
/// impl<T: Float> Callback<T> for GoodEnough {
///     fn start(&mut self, run: &mut Context<'_, T>) -> Outcome {
///         if !run.resumed() {
///             self.seen = 0;
///         }
///         Ok(())
///     }
///
///     fn after_step(&mut self, run: &mut Context<'_, T>) -> Outcome {
///         let good = run.history().losses.last().is_some_and(|loss| *loss < self.bound);
///         self.seen = if good { self.seen + 1 } else { 0 };
///         if self.seen >= self.wanted {
///             run.stop(format!("the loss is below {}", self.bound));
///         }
///         Ok(())
///     }
///
///     fn state(&self) -> CallbackState {
///         CallbackState::numbers([("seen", f64::from(self.seen))])
///     }
///
///     fn load_state(&mut self, saved: &NamedTensors) -> Result<(), String> {
///         self.seen = CallbackState::number(saved, "seen")? as u32;
///         Ok(())
///     }
/// }
///
/// use wengert::data::{DataLoader, Digits};
/// use wengert::nn::{Flatten, Linear, sequential};
/// use wengert::optim::Sgd;
/// use wengert::tensor::Philox;
/// use wengert::train::Trainer;
///
/// fn main() -> Result<(), wengert::train::TrainError> {
///     let train = DataLoader::new(Digits::load().dataset(), 64).shuffle(0);
///     let mut rng = Philox::new(0);
///     let mut model = sequential![Flatten::new(), Linear::new(64, 10, &mut rng)];
///     let history = Trainer::classifier()
///         .epochs(100)
///         .callback(GoodEnough { bound: 0.3, wanted: 5, seen: 0 })
///         .quiet()
///         .fit(&mut model, &mut Sgd::new(0.5), &train, &mut rng)?;
///     assert!(history.epochs.len() < 100);
///     assert_eq!(history.stopped.unwrap(), "the loss is below 0.3");
///     Ok(())
/// }
/// ```
pub trait Callback<T: Float = f32> {
    /// Called before the first step. If a checkpoint was resumed, the state is already restored.
    #[allow(clippy::missing_errors_doc)] // as the trait says
    fn start(&mut self, _run: &mut Context<'_, T>) -> Outcome {
        Ok(())
    }

    /// Called before a batch is computed.
    #[allow(clippy::missing_errors_doc)]
    fn before_step(&mut self, _run: &mut Context<'_, T>) -> Outcome {
        Ok(())
    }

    /// Called after the gradients are computed and before the optimizer uses them:
    /// [`Context::gradients`] returns them. A step with several updates calls it once for each update;
    /// [`Context::updating`] returns the number of the optimizer. If the callback leaves a NaN or an
    /// infinity in the gradients, the step is not made, and the error names the callback.
    #[allow(clippy::missing_errors_doc)]
    fn before_update(&mut self, _run: &mut Context<'_, T>) -> Outcome {
        Ok(())
    }

    /// Called after the weights have changed. The loss of the step is the last of the history.
    #[allow(clippy::missing_errors_doc)]
    fn after_step(&mut self, _run: &mut Context<'_, T>) -> Outcome {
        Ok(())
    }

    /// Called after the last step of an epoch, before the validation.
    #[allow(clippy::missing_errors_doc)]
    fn before_validation(&mut self, _run: &mut Context<'_, T>) -> Outcome {
        Ok(())
    }

    /// Called after the validation. The epoch's record is the last of the history.
    #[allow(clippy::missing_errors_doc)]
    fn after_epoch(&mut self, _run: &mut Context<'_, T>) -> Outcome {
        Ok(())
    }

    /// Called after the last epoch, or when the run was stopped. Not called if the run ends with an error.
    #[allow(clippy::missing_errors_doc)]
    fn finish(&mut self, _run: &mut Context<'_, T>) -> Outcome {
        Ok(())
    }

    /// Returns the name of the callback in checkpoints and errors. The default is the name of the type. If
    /// several callbacks have the same name, checkpoints call the second `NAME_2`, the third `NAME_3`, and
    /// so on in their order.
    fn name(&self) -> String {
        let name = std::any::type_name::<Self>();
        let name = name.split('<').next().unwrap_or(name);
        name.rsplit("::").next().unwrap_or(name).into()
    }

    /// Returns the state of the callback, for checkpoints. The default is [`CallbackState::Nothing`] if the type
    /// has no fields, else [`CallbackState::Unsaved`].
    fn state(&self) -> CallbackState {
        if size_of_val(self) == 0 {
            return CallbackState::Nothing;
        }
        CallbackState::Unsaved(
            "the type has fields, but does not implement Callback::state: return the fields that \
             a checkpoint must contain, or `CallbackState::Nothing`"
                .into(),
        )
    }

    /// Restores the state that [`state`](Callback::state) returned. Called only if that was
    /// [`CallbackState::Saved`].
    ///
    /// # Errors
    /// A message, if the saved state does not fit. The run is then refused, and `load_state` is called
    /// again with the state that the callback had before.
    fn load_state(&mut self, _saved: &NamedTensors) -> Result<(), String> {
        Err("the type does not implement Callback::load_state".into())
    }

    /// Returns whether the callback sets learning rates. A trainer with a schedule, which sets the
    /// learning rate of every step, refuses such a callback. The default is `false`.
    fn sets_learning_rate(&self) -> bool {
        false
    }
}

/// The state of a [`Callback`] in a checkpoint.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CallbackState {
    /// No state: the callback depends on the run alone.
    Nothing,
    /// These tensors and metadata.
    Saved(NamedTensors),
    /// A state that cannot be saved, with the reason. A run with a checkpoint refuses the callback.
    Unsaved(String),
}

impl CallbackState {
    /// Creates a state of named numbers.
    pub fn numbers<const N: usize>(numbers: [(&str, f64); N]) -> Self {
        let tensors = numbers.into_iter().map(|(name, x)| (name, Tensor::scalar_of(x)));
        CallbackState::Saved(tensors.collect())
    }

    /// Returns the number of this name from a state of [`CallbackState::numbers`], bit for bit.
    ///
    /// # Errors
    /// If there is no number of this name.
    pub fn number(saved: &NamedTensors, name: &str) -> Result<f64, String> {
        let tensor = saved.get(name).and_then(|tensor| tensor.get::<f64>());
        let tensor = tensor.filter(|tensor| tensor.rank() == 0);
        tensor.map(Tensor::item).ok_or_else(|| format!("the number {name} is missing"))
    }
}

macro_rules! forward {
    ($($handle:ty),*) => {
        $(impl<T: Float, C: Callback<T> + ?Sized> Callback<T> for $handle {
            fn start(&mut self, run: &mut Context<'_, T>) -> Outcome {
                (**self).start(run)
            }
            fn before_step(&mut self, run: &mut Context<'_, T>) -> Outcome {
                (**self).before_step(run)
            }
            fn before_update(&mut self, run: &mut Context<'_, T>) -> Outcome {
                (**self).before_update(run)
            }
            fn after_step(&mut self, run: &mut Context<'_, T>) -> Outcome {
                (**self).after_step(run)
            }
            fn before_validation(&mut self, run: &mut Context<'_, T>) -> Outcome {
                (**self).before_validation(run)
            }
            fn after_epoch(&mut self, run: &mut Context<'_, T>) -> Outcome {
                (**self).after_epoch(run)
            }
            fn finish(&mut self, run: &mut Context<'_, T>) -> Outcome {
                (**self).finish(run)
            }
            fn name(&self) -> String {
                (**self).name()
            }
            fn state(&self) -> CallbackState {
                (**self).state()
            }
            fn load_state(&mut self, saved: &NamedTensors) -> Result<(), String> {
                (**self).load_state(saved)
            }
            fn sets_learning_rate(&self) -> bool {
                (**self).sets_learning_rate()
            }
        })*
    };
}
forward!(&mut C, Box<C>);

/// The method of [`Callback`] to call.
#[derive(Clone, Copy)]
pub(crate) enum CallbackEvent {
    Start,
    BeforeStep,
    BeforeUpdate,
    AfterStep,
    BeforeValidation,
    AfterEpoch,
    Finish,
}

/// All callbacks of a run. A trait, so that the lifetimes of the callbacks are hidden.
pub(crate) trait CallbackList<T: Float> {
    fn call(&mut self, event: CallbackEvent, run: &mut Context<'_, T>) -> Outcome;
    /// Returns name and state of each callback. Equal names get numbers: `NAME`, `NAME_2`, ….
    fn states(&self) -> Vec<(String, CallbackState)>;
    /// Restores the state of the callback at this index.
    fn load(&mut self, at: usize, saved: &NamedTensors) -> Result<(), String>;
}

impl<T: Float> CallbackList<T> for Vec<&mut dyn Callback<T>> {
    fn call(&mut self, event: CallbackEvent, run: &mut Context<'_, T>) -> Outcome {
        self.iter_mut().try_for_each(|callback| match event {
            CallbackEvent::Start => callback.start(run),
            CallbackEvent::BeforeStep => callback.before_step(run),
            CallbackEvent::BeforeUpdate => {
                callback.before_update(run)?;
                run.check_gradients(|| callback.name())
            }
            CallbackEvent::AfterStep => callback.after_step(run),
            CallbackEvent::BeforeValidation => callback.before_validation(run),
            CallbackEvent::AfterEpoch => callback.after_epoch(run),
            CallbackEvent::Finish => callback.finish(run),
        })
    }

    fn states(&self) -> Vec<(String, CallbackState)> {
        let mut all: Vec<(String, CallbackState)> = Vec::new();
        for callback in self {
            let base = callback.name();
            let taken = |name: &str| all.iter().any(|(known, _)| known == name);
            let mut name = base.clone();
            let mut number = 2;
            while taken(&name) {
                name = format!("{base}_{number}");
                number += 1;
            }
            all.push((name, callback.state()));
        }
        all
    }

    fn load(&mut self, at: usize, saved: &NamedTensors) -> Result<(), String> {
        self[at].load_state(saved)
    }
}
