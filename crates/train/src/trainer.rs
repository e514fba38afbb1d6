//! What a run of training is to be.

use crate::batch::Batch;
use crate::batches::Batches;
use crate::callback::Callback;
use crate::error::{Example, TrainError};
use crate::fit::{TRAINING, Work, check_accuracy, described};
use crate::history::History;
use crate::objective::Objective;
use crate::step::Step;
use crate::task::{ByLoss, StepContext, TrainStep};
use std::cell::RefCell;
use std::path::PathBuf;
use wengert_autograd::{Anomalies, Module, Outline, Path, See, SeeMut, Var};
use wengert_nn::Layer;
use wengert_optim::{LambdaLr, Optimizer, Schedule};
use wengert_tensor::{Float, Philox, Tensor};

/// Trains a model: the loop over epochs and batches, with what else is asked for.
///
/// | | model | batches | what is learnt |
/// |---|---|---|---|
/// | [`Trainer::classifier`] | a [`Layer`] | inputs and classes | cross-entropy, with accuracies |
/// | [`Trainer::new`] | a [`Layer`] | inputs and targets | an [`Objective`] |
/// | [`Trainer::custom`] | any [`Module`] | any [`Batch`] | a loss closure, or a [`TrainStep`] |
///
/// A classifier:
///
/// ```
/// use wengert_data::{DataLoader, Digits, random_split};
/// use wengert_nn::{Flatten, Linear, Relu, sequential};
/// use wengert_optim::{OneCycleLr, Sgd};
/// use wengert_tensor::Philox;
/// use wengert_train::{Criterion, Trainer, evaluate};
///
/// let [train, valid, test] = random_split(Digits::load().dataset(), [1200, 297, 300], 0);
/// let train = DataLoader::new(&train, 32).shuffle(0);
/// let valid = DataLoader::new(&valid, 500);
///
/// let mut rng = Philox::new(0);
/// let mut model =
///     sequential![Flatten::new(), Linear::new(64, 32, &mut rng), Relu, Linear::new(32, 10, &mut rng)];
/// let mut optimizer = Sgd::new(0.1).momentum(0.9);
///
/// let history = Trainer::classifier()
///     .epochs(5)
///     .validate(&valid)
///     .keep_best(Criterion::Accuracy)
///     .schedule(OneCycleLr::new(0.2, 5 * train.len()))
///     .quiet()
///     .fit(&mut model, &mut optimizer, &train, &mut rng)?;
/// assert_eq!(history.epochs.len(), 5);
/// assert!(evaluate(&model, &DataLoader::new(&test, 500)).accuracy() > 0.9);
/// # Ok::<(), wengert_train::TrainError>(())
/// ```
///
/// A model of two inputs, with a loss of its own:
///
/// ```
/// use wengert_autograd::Var;
/// use wengert_data::DataLoader;
/// use wengert_nn::{Layer, Linear, Module, mse};
/// use wengert_optim::Adam;
/// use wengert_tensor::{Philox, Tensor};
/// use wengert_train::Trainer;
///
/// #[derive(Module)]
/// # #[module(crate = "wengert_autograd")]
/// struct TwoInputs {
///     left: Linear,
///     right: Linear,
/// }
/// impl TwoInputs {
///     fn product<'t>(&self, a: Var<'t>, b: Var<'t>) -> Var<'t> {
///         (self.left.forward(a) * self.right.forward(b)).sum(&[1], true)
///     }
/// }
///
/// let mut rng = Philox::new(0);
/// let [a, b] = [0, 1].map(|_| Tensor::normal(&[256, 3], 0.0, 1.0, &mut rng));
/// let product = (&a * &b).sum(&[1], true);
/// let train = DataLoader::new((a, b, product), 32).shuffle(0);
/// let mut model =
///     TwoInputs { left: Linear::new(3, 8, &mut rng), right: Linear::new(3, 8, &mut rng) };
/// let history = Trainer::custom()
///     .epochs(30)
///     .quiet()
///     .fit(&mut model, &mut Adam::new(0.01), &train, &mut rng, |model, step, (a, b, wanted)| {
///         let [a, b, wanted] = [a, b, wanted].map(|x| step.constant(x.clone()));
///         let output = model.product(a, b);
///         step.log("worst", (output - wanted).abs().max(&[0], false).sum_all());
///         mse(output, wanted)
///     })?;
/// assert!(history.last().unwrap().train.loss < 0.1 * history.epochs[0].train.loss);
/// assert!(history.logged("worst")[29] < history.logged("worst")[0]);
/// # Ok::<(), wengert_train::TrainError>(())
/// ```
#[must_use = "nothing is trained before `fit` is called"]
pub struct Trainer<'a, B = (Tensor, Tensor<i64>), T: Float = f32, G = Objective<'a>> {
    /// What is learnt, if the trainer says so.
    pub(crate) goal: G,
    pub(crate) settings: Settings<'a, B, T>,
}

/// A [`Trainer`] towards an [`Objective`]: of layers, on pairs of inputs and targets.
pub type ObjectiveTrainer<'a, T = f32, Y = Tensor<i64>> =
    Trainer<'a, (Tensor<T>, Y), T, Objective<'a, T, Y>>;

/// That what is learnt is said when the run starts; of [`Trainer::custom`].
#[derive(Clone, Copy, Debug)]
pub struct Custom;

/// What a run is to be, apart from what is learnt.
pub(crate) struct Settings<'a, B, T: Float> {
    pub epochs: u64,
    pub schedule: Option<(Box<dyn Schedule + 'a>, Per)>,
    pub validation: Option<Validation<'a, B>>,
    pub keep_best: Option<Criterion>,
    pub anomalies: Option<Anomalies>,
    pub checkpoint: Option<PathBuf>,
    pub checkpoint_every: Option<usize>,
    pub resume: Option<PathBuf>,
    pub stop_after: Option<usize>,
    pub callbacks: RefCell<Vec<Box<dyn Callback<T> + 'a>>>,
    pub quiet: bool,
}

impl<B, T: Float> Default for Settings<'_, B, T> {
    fn default() -> Self {
        Settings {
            epochs: 1,
            schedule: None,
            validation: None,
            keep_best: None,
            anomalies: None,
            checkpoint: None,
            checkpoint_every: None,
            resume: None,
            stop_after: None,
            callbacks: RefCell::default(),
            quiet: false,
        }
    }
}

/// Data that is held out, and what to call it.
pub(crate) struct Validation<'a, B> {
    pub name: String,
    pub data: &'a dyn Batches<B>,
}

/// What a schedule counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Per {
    Step,
    Epoch,
}

/// What makes one epoch better than another, on the validation data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Criterion {
    /// A lower loss. Of epochs with the same loss the earliest is kept; a loss that is not finite is
    /// never the best.
    Loss,
    /// A higher accuracy: the number that is logged as `accuracy`. Of epochs with the same accuracy the
    /// earliest is kept.
    Accuracy,
}

impl<'a> Trainer<'a> {
    /// Towards [`Objective::classification`].
    pub fn classifier() -> Self {
        Self::new(Objective::classification())
    }
}

impl<'a, T: Float, Y> Trainer<'a, (Tensor<T>, Y), T, Objective<'a, T, Y>> {
    /// One epoch towards this objective, without validation.
    pub fn new(objective: Objective<'a, T, Y>) -> Self {
        Trainer { goal: objective, settings: Settings::default() }
    }

    /// What is learnt: to evaluate by it, too.
    pub fn objective(&self) -> &Objective<'a, T, Y> {
        &self.goal
    }
}

impl<T: Float, Y: Batch> Trainer<'_, (Tensor<T>, Y), T, Objective<'_, T, Y>> {
    /// Trains the model.
    ///
    /// All that is random in the run comes from `rng` (dropout, say) and from the seed of the loader
    /// (the order of the examples): the same seeds give the same bits.
    ///
    /// Before the first step, the first and the last batch of an epoch are run on shapes alone, in
    /// training mode, and those of the validation data in evaluation mode; so is every batch of a
    /// new shape before its step. A model or a loss that asks for a number on the way is run so far
    /// as it does not.
    ///
    /// Gradients and the updates of buffers are looked at before a step: if one is not finite, though
    /// the loss is, the step is not made.
    ///
    /// # Errors
    /// If data, model and loss do not fit each other, there is no batch, a class does not exist, loss,
    /// gradients or buffers are no longer finite, a counter of the model is at the end of `i64`, a
    /// callback ends the run, or a checkpoint cannot be written or taken over. What is found before the
    /// first step has changed nothing; the state of a run that ends later is that of its last step.
    /// Where panics abort (`panic = "abort"`), there is no run on shapes, and what an operation refuses
    /// is printed before the process ends.
    ///
    /// # Panics
    /// If the schedule is too short, or the best epoch is asked for by a measure that there is none
    /// of.
    #[track_caller]
    pub fn fit(
        &self,
        model: &mut dyn Layer<T>,
        optimizer: &mut dyn Optimizer<T>,
        train: &dyn Batches<(Tensor<T>, Y)>,
        rng: &mut Philox,
    ) -> Result<History, TrainError> {
        check_accuracy(self.settings.keep_best, self.goal.classifies());
        let validation = self.settings.validation.as_ref();
        let task = ByObjective { objective: &self.goal, data: train, validation };
        let mut optimizers: &mut [&mut dyn Optimizer<T>] = &mut [optimizer];
        self.settings.train(Work {
            model: &mut Whole(model),
            optimizers: &mut optimizers,
            data: train,
            rng,
            task: &task,
        })
    }
}

impl<B> Trainer<'_, B, f32, Custom> {
    /// One epoch of any model on any batches, without validation: what is learnt is passed to
    /// [`fit`](Trainer::fit) or [`fit_steps`](Trainer::fit_steps). For `f32` models.
    pub fn custom() -> Self {
        Self::custom_of()
    }
}

impl<B, T: Float> Trainer<'_, B, T, Custom> {
    /// As [`Trainer::custom`], for models of another element type:
    /// `Trainer::<_, f64, _>::custom_of()`.
    pub fn custom_of() -> Self {
        Trainer { goal: Custom, settings: Settings::default() }
    }
}

impl<B: Batch, T: Float> Trainer<'_, B, T, Custom> {
    /// Trains any model on any batches towards a loss, one number for a batch: the mean over its
    /// examples. The loss computes on [`Step`], which is the tape of the step, and logs what else is
    /// to be shown. It is run on training data, on validation data in evaluation mode, and before the
    /// first step on shapes alone, as [`Trainer::classifier`]'s is; checks, errors and panics are the
    /// same.
    ///
    /// Write the closure in the call itself, so that the compiler learns from `fit` that the loss lives
    /// as long as the step. A closure that is bound by `let` first is refused ("lifetime may not live
    /// long enough"); a loss with a name is a function, generic in the lifetime:
    ///
    /// ```
    /// use wengert_autograd::Var;
    /// use wengert_data::{DataLoader, Digits};
    /// use wengert_nn::{Layer, Linear, cross_entropy};
    /// use wengert_optim::Sgd;
    /// use wengert_tensor::{Philox, Tensor};
    /// use wengert_train::{Step, Trainer};
    ///
    /// fn loss<'t>(model: &Linear, step: &'t Step, (x, y): &(Tensor, Tensor<i64>)) -> Var<'t> {
    ///     let logits = model.forward(step.constant(x.clone()).flatten(1, -1));
    ///     step.log_accuracy(logits, y);
    ///     cross_entropy(logits, y)
    /// }
    ///
    /// let digits = DataLoader::new(Digits::load().dataset(), 64).shuffle(0);
    /// let mut rng = Philox::new(0);
    /// let mut model = Linear::new(64, 10, &mut rng);
    /// let trainer = Trainer::custom().epochs(2).validate(&digits).quiet();
    /// let history = trainer.fit(&mut model, &mut Sgd::new(0.5), &digits, &mut rng, loss)?;
    /// assert!(history.last().unwrap().validation.unwrap().accuracy > Some(0.8));
    ///
    /// // The same as a closure, in the call.
    /// trainer.fit(&mut model, &mut Sgd::new(0.1), &digits, &mut rng, |model, step, (x, y)| {
    ///     cross_entropy(model.forward(step.constant(x.clone()).flatten(1, -1)), y)
    /// })?;
    /// # Ok::<(), wengert_train::TrainError>(())
    /// ```
    ///
    /// Bound first, it does not compile:
    ///
    /// ```compile_fail
    /// # use wengert_data::{DataLoader, Digits};
    /// # use wengert_nn::{Layer, Linear, cross_entropy};
    /// # use wengert_optim::Sgd;
    /// # use wengert_tensor::{Philox, Tensor};
    /// # use wengert_train::{Step, Trainer};
    /// # let digits = DataLoader::new(Digits::load().dataset(), 64).shuffle(0);
    /// # let mut rng = Philox::new(0);
    /// # let mut model = Linear::new(64, 10, &mut rng);
    /// let loss = |model: &Linear, step: &Step, (x, y): &(Tensor, Tensor<i64>)| {
    ///     cross_entropy(model.forward(step.constant(x.clone()).flatten(1, -1)), y)
    /// };
    /// Trainer::custom().fit(&mut model, &mut Sgd::new(0.1), &digits, &mut rng, loss);
    /// ```
    ///
    /// # Errors
    /// As for [`Trainer::classifier`].
    ///
    /// # Panics
    /// If the schedule is too short.
    #[track_caller]
    pub fn fit<M: Module>(
        &self,
        model: &mut M,
        optimizer: &mut dyn Optimizer<T>,
        train: &dyn Batches<B>,
        rng: &mut Philox,
        loss: impl for<'t> Fn(&M, &'t Step<T>, &B) -> Var<'t, T>,
    ) -> Result<History, TrainError> {
        self.fit_steps(model, &mut [optimizer], train, rng, &ByLoss(loss))
    }

    /// Trains with a step of your own, and any number of optimizers: see [`TrainStep`].
    ///
    /// # Errors
    /// As for [`Trainer::classifier`]. A step that has made one of several updates, and is refused
    /// another, has changed what that one changes.
    ///
    /// # Panics
    /// If the schedule is too short.
    #[track_caller]
    pub fn fit_steps<M: Module>(
        &self,
        model: &mut M,
        mut optimizers: &mut [&mut dyn Optimizer<T>],
        train: &dyn Batches<B>,
        rng: &mut Philox,
        steps: &impl TrainStep<M, B, T>,
    ) -> Result<History, TrainError> {
        let optimizers = &mut optimizers;
        self.settings.train(Work { model, optimizers, data: train, rng, task: steps })
    }
}

/// A layer of any size as a module of a known one.
struct Whole<'w, T: Float>(&'w mut dyn Layer<T>);

impl<T: Float> Module for Whole<'_, T> {
    fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
        self.0.visit(path, see);
    }
    fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
        self.0.visit_mut(path, see);
    }
    fn outline(&self) -> Outline {
        self.0.outline()
    }
}

/// One update towards an objective.
struct ByObjective<'o, 'a, T: Float, Y> {
    objective: &'o Objective<'a, T, Y>,
    data: &'o dyn Batches<(Tensor<T>, Y)>,
    /// If there is one, classes must be such as a confusion matrix can count: in training already, and
    /// not at the end of the epoch.
    validation: Option<&'o Validation<'a, (Tensor<T>, Y)>>,
}

impl<'w, T: Float, Y: Batch> TrainStep<Whole<'w, T>, (Tensor<T>, Y), T>
    for ByObjective<'_, '_, T, Y>
{
    fn step(
        &self,
        model: &mut Whole<'w, T>,
        run: &mut StepContext<'_, T>,
        batch: &(Tensor<T>, Y),
    ) -> Result<(), TrainError> {
        let (epoch, place) = run.place();
        let example = |sample| Example::of(self.data, TRAINING.into(), epoch, place, sample);
        run.update(model, |model, step| {
            self.objective.pass(&*model.0, step, batch, |verdict| match self.validation {
                Some(_) => verdict.countable(example),
                None => Ok(()),
            })
        })?;
        Ok(())
    }

    fn validate<'t>(
        &self,
        model: &Whole<'w, T>,
        step: &'t Step<T>,
        batch: &(Tensor<T>, Y),
    ) -> Option<Var<'t, T>> {
        let Validation { name, data } = self.validation?;
        // The data are those of epoch 0, whichever epoch of training it comes after.
        let example = |sample| Example {
            epoch: step.epoch() + 1,
            ..Example::of(*data, described(name), 0, step.number(), sample)
        };
        Some(self.objective.pass(&*model.0, step, batch, |verdict| verdict.countable(example)))
    }
}

impl<'a, B, T: Float, G> Trainer<'a, B, T, G> {
    /// How often every example is seen; default 1.
    pub fn epochs(mut self, epochs: u64) -> Self {
        self.settings.epochs = epochs;
        self
    }

    /// The learning rate, and the momentum if the schedule has one, of each step, counted from 0 over
    /// all epochs; without a schedule, the optimizer's own. With several optimizers all get it. Groups of
    /// parameters get it times their factor.
    pub fn schedule(mut self, schedule: impl Schedule + 'a) -> Self {
        self.settings.schedule = Some((Box::new(schedule), Per::Step));
        self
    }

    /// As [`schedule`](Trainer::schedule), but what is counted are epochs: what PyTorch's examples
    /// do, which call `scheduler.step()` after each.
    pub fn schedule_by_epoch(mut self, schedule: impl Schedule + 'a) -> Self {
        self.settings.schedule = Some((Box::new(schedule), Per::Epoch));
        self
    }

    /// The learning rate of each step as a function of its number.
    pub fn learning_rate(self, of_step: impl Fn(usize) -> f64 + 'a) -> Self {
        self.schedule(LambdaLr::new(1.0, of_step))
    }

    /// Adds a callback: what hooks into the run besides the settings here. Callbacks are called in the
    /// order in which they were added; [`Callback`] says when, and what comes before and after them. A
    /// callback that is to be looked at afterwards is passed as `&mut callback`.
    pub fn callback(self, callback: impl Callback<T> + 'a) -> Self {
        self.settings.callbacks.borrow_mut().push(Box::new(callback));
        self
    }

    /// Evaluates on this data after every epoch.
    pub fn validate(self, data: &'a dyn Batches<B>) -> Self {
        self.validate_as("valid", data)
    }

    /// As [`validate`](Trainer::validate), under another name in what is printed.
    pub fn validate_as(mut self, name: &str, data: &'a dyn Batches<B>) -> Self {
        self.settings.validation = Some(Validation { name: name.into(), data });
        self
    }

    /// Keeps the weights of the epoch that was best on the validation data, and puts them into the
    /// model after the last epoch. Which epoch that was, [`History::best`](crate::History::best) and
    /// the last line that is printed say. If no epoch has a finite score, the model keeps the weights
    /// of the last.
    pub fn keep_best(mut self, criterion: Criterion) -> Self {
        self.settings.keep_best = Some(criterion);
        self
    }

    /// Saves the run into this file after every epoch, each time in one step: there is always a
    /// whole checkpoint.
    pub fn checkpoint(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.checkpoint = Some(path.into());
        self
    }

    /// Saves the run also in the middle of epochs, whenever so many steps have been made since the
    /// first.
    pub fn checkpoint_every(mut self, steps: usize) -> Self {
        self.settings.checkpoint_every = Some(steps);
        self
    }

    /// Goes on where this checkpoint was saved: weights, buffers, optimizer, generator, position
    /// and history are those of the saved run, and what follows has the same bits as if it had not
    /// been interrupted (but for the [`seconds`](crate::EpochRecord::seconds) of the history). Model, optimizers, data and the settings here have to be made as they were
    /// for that run: another model or optimizer, other data (or the same with another order, seed or
    /// distortion), other callbacks of those that remember something, and a schedule with other
    /// learning rates for the steps that were made are refused. A larger number of epochs makes the run
    /// longer, if the schedule does not depend on it.
    pub fn resume(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.resume = Some(path.into());
        self
    }

    /// Ends the run after so many steps, those before a resumption counted, though epochs are left.
    /// A checkpoint is saved then, if one was asked for.
    pub fn stop_after(mut self, steps: usize) -> Self {
        self.settings.stop_after = Some(steps);
        self
    }

    /// Refuses the first NaN or infinity of a training step: the error is a
    /// [`TrainError::Shape`](crate::TrainError::Shape) with
    /// [`Cause::NotFinite`](wengert_autograd::Cause::NotFinite), and names the operation, its scope, the
    /// line that recorded it, and what its operands were like; see
    /// [`Tape::detecting_anomalies`](wengert_autograd::Tape::detecting_anomalies). It is for finding an
    /// error, not for training: steps are slower.
    ///
    /// With [`stop_after`](Trainer::stop_after) and [`resume`](Trainer::resume) the steps before the one in
    /// question need not be run so.
    pub fn detect_anomalies(mut self, which: Anomalies) -> Self {
        self.settings.anomalies = Some(which);
        self
    }

    /// Prints nothing.
    pub fn quiet(mut self) -> Self {
        self.settings.quiet = true;
        self
    }
}
