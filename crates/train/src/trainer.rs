//! The builder of a training run.

use crate::batch::Batch;
use crate::batches::Batches;
use crate::callback::Callback;
use crate::error::{Example, TrainError};
use crate::fit::{RunParts, TRAINING, check_accuracy, described};
use crate::history::History;
use crate::objective::Objective;
use crate::settings::{Criterion, Per, Settings, Validation};
use crate::step::Step;
use crate::task::{ByLoss, StepContext, TrainStep};
use std::path::PathBuf;
use wengert_autograd::{Anomalies, Module, Outline, Path, See, SeeMut, Var};
use wengert_nn::Layer;
use wengert_optim::{LambdaLr, Optimizer, Schedule};
use wengert_tensor::{Float, Philox, Tensor};

/// Trains a model: runs the loop over epochs and batches, with validation, a learning-rate schedule,
/// checkpoints and callbacks where you ask for them.
///
/// | | model | batches | loss |
/// |---|---|---|---|
/// | [`Trainer::classifier`] | a [`Layer`] | inputs and classes | cross-entropy, with accuracies |
/// | [`Trainer::new`] | a [`Layer`] | inputs and targets | an [`Objective`] |
/// | [`Trainer::custom`] | any [`Module`] | any [`Batch`] | a loss closure, or a [`TrainStep`] |
///
/// A classifier:
///
/// ```
/// use wengert::data::{DataLoader, Digits, random_split};
/// use wengert::nn::{Flatten, Linear, Relu, sequential};
/// use wengert::optim::{OneCycleLr, Sgd};
/// use wengert::tensor::Philox;
/// use wengert::train::{Criterion, Trainer, evaluate};
///
/// fn main() -> Result<(), wengert::train::TrainError> {
///     let [train, valid, test] = random_split(Digits::load().dataset(), [1200, 297, 300], 0);
///     let train = DataLoader::new(&train, 32).shuffle(0);
///     let valid = DataLoader::new(&valid, 500);
///
///     let mut rng = Philox::new(0);
///     let mut model =
///         sequential![Flatten::new(), Linear::new(64, 32, &mut rng), Relu, Linear::new(32, 10, &mut rng)];
///     let mut optimizer = Sgd::new(0.1).momentum(0.9);
///
///     let history = Trainer::classifier()
///         .epochs(5)
///         .validate(&valid)
///         .keep_best(Criterion::Accuracy)
///         .schedule(OneCycleLr::new(0.2, 5 * train.len()))
///         .quiet()
///         .fit(&mut model, &mut optimizer, &train, &mut rng)?;
///     assert_eq!(history.epochs.len(), 5);
///     assert!(evaluate(&model, &DataLoader::new(&test, 500)).accuracy() > 0.9);
///     Ok(())
/// }
/// ```
///
/// A model of two inputs, with its own loss:
///
/// ```
/// use wengert::autograd::Var;
/// use wengert::data::DataLoader;
/// use wengert::nn::{Layer, Linear, Module, mse};
/// use wengert::optim::Adam;
/// use wengert::tensor::{Philox, Tensor};
/// use wengert::train::Trainer;
///
/// #[derive(Module)]
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
/// fn main() -> Result<(), wengert::train::TrainError> {
///     let mut rng = Philox::new(0);
///     let [a, b] = [0, 1].map(|_| Tensor::normal(&[256, 3], 0.0, 1.0, &mut rng));
///     let product = (&a * &b).sum(&[1], true);
///     let train = DataLoader::new((a, b, product), 32).shuffle(0);
///     let mut model =
///         TwoInputs { left: Linear::new(3, 8, &mut rng), right: Linear::new(3, 8, &mut rng) };
///     let history = Trainer::custom()
///         .epochs(30)
///         .quiet()
///         .fit(&mut model, &mut Adam::new(0.01), &train, &mut rng, |model, step, (a, b, wanted)| {
///             let [a, b, wanted] = [a, b, wanted].map(|x| step.constant(x.clone()));
///             let output = model.product(a, b);
///             step.log("worst", (output - wanted).abs().max(&[0], false).sum_all());
///             mse(output, wanted)
///         })?;
///     assert!(history.last().unwrap().train.loss < 0.1 * history.epochs[0].train.loss);
///     assert!(history.logged("worst")[29] < history.logged("worst")[0]);
///     Ok(())
/// }
/// ```
#[must_use = "nothing is trained before `fit` is called"]
pub struct Trainer<'a, B = (Tensor, Tensor<i64>), T: Float = f32, G = Objective<'a>> {
    /// The objective, or [`Custom`] if the loss is passed to `fit`.
    pub(crate) goal: G,
    pub(crate) settings: Settings<'a, B, T>,
}

/// A [`Trainer`] with an [`Objective`]: it trains a [`Layer`] on pairs of inputs and targets.
pub type ObjectiveTrainer<'a, T = f32, Y = Tensor<i64>> =
    Trainer<'a, (Tensor<T>, Y), T, Objective<'a, T, Y>>;

/// The marker type of [`Trainer::custom`]: the loss is not known yet and is passed to `fit`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Custom;

impl<'a, T: Float> ObjectiveTrainer<'a, T> {
    /// Creates a trainer with [`Objective::classification`]: cross-entropy, with accuracies. The number
    /// type is that of the model that [`fit`](Trainer::fit) gets.
    pub fn classifier() -> Self {
        Self::new(Objective::classification())
    }
}

impl<'a, T: Float, Y> Trainer<'a, (Tensor<T>, Y), T, Objective<'a, T, Y>> {
    /// Creates a trainer with this objective. Defaults: one epoch, no validation.
    pub fn new(objective: Objective<'a, T, Y>) -> Self {
        Trainer { goal: objective, settings: Settings::default() }
    }

    /// Returns the objective. [`Objective::evaluate`] evaluates a model with the same loss.
    pub fn objective(&self) -> &Objective<'a, T, Y> {
        &self.goal
    }
}

impl<T: Float, Y: Batch> Trainer<'_, (Tensor<T>, Y), T, Objective<'_, T, Y>> {
    /// Trains the model and returns the history of the run.
    ///
    /// All random numbers of the run come from `rng` (dropout, for example) and from the seed of the
    /// loader (the order of the examples). The same seeds give the same bits.
    ///
    /// Before the first step, the trainer runs the first and the last batch of an epoch on shapes alone:
    /// those of the training data in training mode, those of the validation data in evaluation mode. It
    /// also runs every batch of a new shape on shapes alone before the step of that batch. If the model
    /// or the loss requests a number ([`Var::value`], [`Var::item`]), the shape-only run ends there.
    ///
    /// Before the optimizer changes the parameters, the trainer checks the gradients and the new values
    /// of the buffers. If one of them is NaN or infinite although the loss is finite, the step is not
    /// made.
    ///
    /// # Errors
    /// - if data, model and loss do not fit each other, or a class does not exist;
    /// - if there is no batch;
    /// - if the loss, a gradient or a buffer is NaN or infinite;
    /// - if a counter of the model has reached the maximum of `i64`;
    /// - if a callback ends the run with an error;
    /// - if a checkpoint cannot be written or does not fit the run.
    ///
    /// An error that is found before the first step leaves everything unchanged. After an error in a
    /// later step, the model is in the state after the last complete step. With `panic = "abort"` there
    /// is no shape-only run: an operation that refuses its operands prints the message and ends the
    /// process.
    ///
    /// # Panics
    /// If the schedule is too short, or if [`keep_best`](Trainer::keep_best) is set without validation
    /// data or for an accuracy that the objective does not have.
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
        self.settings.train(RunParts {
            model: &mut DynLayer(model),
            optimizers: &mut optimizers,
            data: train,
            rng,
            task: &task,
        })
    }
}

impl<B, T: Float> Trainer<'_, B, T, Custom> {
    /// Creates a trainer for any model and any batches. The loss or the step is passed to
    /// [`fit`](Trainer::fit) or [`fit_steps`](Trainer::fit_steps), which also determine the types of the
    /// batches and of the numbers. Defaults: one epoch, no validation.
    pub fn custom() -> Self {
        Trainer { goal: Custom, settings: Settings::default() }
    }
}

impl<B: Batch, T: Float> Trainer<'_, B, T, Custom> {
    /// Trains any model on any batches with a loss closure, and returns the history of the run. The loss
    /// of a batch is one number: the mean over the examples of the batch. The closure computes on a
    /// [`Step`], which is the tape of the step, and logs other numbers there. It is run on training
    /// data, on validation data in evaluation mode, and before the first step on shapes alone. Checks,
    /// errors and panics are those of `fit` on [`Trainer::classifier`].
    ///
    /// Write the closure in the call itself: then the compiler learns from the signature of `fit` that
    /// the loss lives as long as the step. A closure that is first bound by `let` is rejected ("lifetime
    /// may not live long enough"). If the loss needs a name, write a function that is generic in the
    /// lifetime:
    ///
    /// ```
    /// use wengert::autograd::Var;
    /// use wengert::data::{DataLoader, Digits};
    /// use wengert::nn::{Layer, Linear, cross_entropy};
    /// use wengert::optim::Sgd;
    /// use wengert::tensor::{Philox, Tensor};
    /// use wengert::train::{Step, Trainer};
    ///
    /// fn loss<'t>(model: &Linear, step: &'t Step, (x, y): &(Tensor, Tensor<i64>)) -> Var<'t> {
    ///     let logits = model.forward(step.constant(x.clone()).flatten(1, -1));
    ///     step.log_accuracy(logits, y);
    ///     cross_entropy(logits, y)
    /// }
    ///
    /// fn main() -> Result<(), wengert::train::TrainError> {
    ///     let digits = DataLoader::new(Digits::load().dataset(), 64).shuffle(0);
    ///     let mut rng = Philox::new(0);
    ///     let mut model = Linear::new(64, 10, &mut rng);
    ///     let trainer = Trainer::custom().epochs(2).validate(&digits).quiet();
    ///     let history = trainer.fit(&mut model, &mut Sgd::new(0.5), &digits, &mut rng, loss)?;
    ///     assert!(history.last().unwrap().validation.unwrap().accuracy > Some(0.8));
    ///
    ///     // The same as a closure, in the call.
    ///     trainer.fit(&mut model, &mut Sgd::new(0.1), &digits, &mut rng, |model, step, (x, y)| {
    ///         cross_entropy(model.forward(step.constant(x.clone()).flatten(1, -1)), y)
    ///     })?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// A closure that is bound first does not compile:
    ///
    /// ```compile_fail
    /// use wengert::data::{DataLoader, Digits};
    /// use wengert::nn::{Layer, Linear, cross_entropy};
    /// use wengert::optim::Sgd;
    /// use wengert::tensor::{Philox, Tensor};
    /// use wengert::train::{Step, Trainer};
    /// let digits = DataLoader::new(Digits::load().dataset(), 64).shuffle(0);
    /// let mut rng = Philox::new(0);
    /// let mut model = Linear::new(64, 10, &mut rng);
    /// let loss = |model: &Linear, step: &Step, (x, y): &(Tensor, Tensor<i64>)| {
    ///     cross_entropy(model.forward(step.constant(x.clone()).flatten(1, -1)), y)
    /// };
    /// Trainer::custom().fit(&mut model, &mut Sgd::new(0.1), &digits, &mut rng, loss);
    /// ```
    ///
    /// # Errors
    /// The errors of `fit` on [`Trainer::classifier`].
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

    /// Trains with a [`TrainStep`] of your own and any number of optimizers, and returns the history of
    /// the run.
    ///
    /// # Errors
    /// The errors of `fit` on [`Trainer::classifier`]. If a step makes several updates and a later one
    /// fails, the changes of the earlier updates remain.
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
        self.settings.train(RunParts { model, optimizers, data: train, rng, task: steps })
    }
}

/// Wraps an unsized layer in a sized type, so that it can be passed as a module.
struct DynLayer<'w, T: Float>(&'w mut dyn Layer<T>);

impl<T: Float> Module for DynLayer<'_, T> {
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

/// The step of a trainer with an objective: one update.
struct ByObjective<'o, 'a, T: Float, Y> {
    objective: &'o Objective<'a, T, Y>,
    data: &'o dyn Batches<(Tensor<T>, Y)>,
    /// The validation data. If there are some, classes that a confusion matrix cannot count are an
    /// error in training already, not only at the end of the epoch.
    validation: Option<&'o Validation<'a, (Tensor<T>, Y)>>,
}

impl<'w, T: Float, Y: Batch> TrainStep<DynLayer<'w, T>, (Tensor<T>, Y), T>
    for ByObjective<'_, '_, T, Y>
{
    fn step(
        &self,
        model: &mut DynLayer<'w, T>,
        run: &mut StepContext<'_, T>,
        batch: &(Tensor<T>, Y),
    ) -> Result<(), TrainError> {
        let (epoch, place) = run.place();
        let example = |sample| Example::of(self.data, TRAINING.into(), epoch, place, sample);
        run.update(model, |model, step| {
            self.objective.batch_loss(&*model.0, step, batch, |classification| {
                match self.validation {
                    Some(_) => classification.countable(example),
                    None => Ok(()),
                }
            })
        })?;
        Ok(())
    }

    fn records(&self) -> bool {
        false
    }

    fn validate<'t>(
        &self,
        model: &DynLayer<'w, T>,
        step: &'t Step<T>,
        batch: &(Tensor<T>, Y),
    ) -> Option<Var<'t, T>> {
        let Validation { name, data } = self.validation?;
        // Validation always reads the batches of epoch 0; only the reported epoch is that of the training.
        let example = |sample| Example {
            epoch: step.epoch() + 1,
            ..Example::of(*data, described(name), 0, step.number(), sample)
        };
        Some(
            self.objective.batch_loss(&*model.0, step, batch, |classification| {
                classification.countable(example)
            }),
        )
    }
}

impl<'a, B, T: Float, G> Trainer<'a, B, T, G> {
    /// Calls a setting with a value if there is one, for values that are options of a program:
    ///
    /// ```
    /// use wengert::train::Trainer;
    /// use std::path::PathBuf;
    /// struct Args {
    ///     checkpoint: Option<PathBuf>,
    ///     resume: Option<PathBuf>,
    /// }
    /// let args = Args { checkpoint: Some("run.safetensors".into()), resume: None };
    /// let trainer: Trainer = Trainer::classifier()
    ///     .epochs(10)
    ///     .optionally(args.checkpoint, Trainer::checkpoint)
    ///     .optionally(args.resume, Trainer::resume);
    /// ```
    pub fn optionally<V>(self, value: Option<V>, setting: impl FnOnce(Self, V) -> Self) -> Self {
        match value {
            Some(value) => setting(self, value),
            None => self,
        }
    }

    /// Sets the number of epochs: how often every example is seen. The default is 1.
    pub fn epochs(mut self, epochs: u64) -> Self {
        self.settings.epochs = epochs;
        self
    }

    /// Sets the schedule: it gives the learning rate (and the momentum, if it has one) of each step.
    /// Steps are counted from 0 over all epochs. All optimizers get the same learning rate; a parameter
    /// group gets it times the factor of the group. By default each optimizer keeps its own
    /// learning rate.
    pub fn schedule(mut self, schedule: impl Schedule + 'a) -> Self {
        self.settings.schedule = Some((Box::new(schedule), Per::Step));
        self
    }

    /// Sets a schedule that counts epochs instead of steps, as PyTorch's examples that call
    /// `scheduler.step()` after each epoch.
    pub fn schedule_by_epoch(mut self, schedule: impl Schedule + 'a) -> Self {
        self.settings.schedule = Some((Box::new(schedule), Per::Epoch));
        self
    }

    /// Sets the learning rate of each step as a function of the step's number, counted from 0.
    pub fn learning_rate(self, of_step: impl Fn(usize) -> f64 + 'a) -> Self {
        self.schedule(LambdaLr::new(1.0, of_step))
    }

    /// Adds a callback. Callbacks are called in the order in which they were added; [`Callback`] lists
    /// when each method is called, and which of the trainer's own callbacks run before and after. Pass
    /// `&mut callback` if you need to read the callback after the run.
    pub fn callback(self, callback: impl Callback<T> + 'a) -> Self {
        self.settings.callbacks.borrow_mut().push(Box::new(callback));
        self
    }

    /// Sets the validation data: the model is evaluated on them after every epoch.
    pub fn validate(self, data: &'a dyn Batches<B>) -> Self {
        self.validate_as("valid", data)
    }

    /// Sets the validation data and their name in the printed lines. The name in
    /// [`validate`](Trainer::validate) is `valid`.
    pub fn validate_as(mut self, name: &str, data: &'a dyn Batches<B>) -> Self {
        self.settings.validation = Some(Validation { name: name.into(), data });
        self
    }

    /// Keeps the weights of the best epoch on the validation data, and puts them into the model at the
    /// end of the run, unless [`stop_after`](Trainer::stop_after) ended it.
    /// [`History::best`](crate::History::best) and the last printed line say which epoch it was. If no
    /// epoch has a finite score, the model keeps the weights of the last epoch.
    pub fn keep_best(mut self, criterion: Criterion) -> Self {
        self.settings.keep_best = Some(criterion);
        self
    }

    /// Saves the run into this file after every epoch. Each save replaces the file atomically, so that
    /// the file is always a complete checkpoint.
    pub fn checkpoint(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.checkpoint = Some(path.into());
        self
    }

    /// Saves the run also in the middle of epochs: whenever the number of steps since the start of the
    /// run is a multiple of `steps`.
    ///
    /// # Panics
    /// If `steps` is 0.
    #[track_caller]
    pub fn checkpoint_every(mut self, steps: usize) -> Self {
        assert!(steps > 0, "checkpoint_every: steps must be at least 1, got 0");
        self.settings.checkpoint_every = Some(steps);
        self
    }

    /// Continues the run that was saved in this checkpoint. Weights, buffers, optimizers, generator,
    /// position and history are restored; the rest of the run has the same bits as an uninterrupted run
    /// (except the [`seconds`](crate::EpochRecord::seconds) of the history).
    ///
    /// Create model, optimizers, data and settings as for the saved run. The run is refused if one of
    /// these differs: the model, an optimizer, the data (also their order, seed or augmentation), the
    /// callbacks that have a state, or the schedule's learning rates for the steps that were made. A
    /// larger number of epochs makes the run longer, if the schedule does not depend on that number.
    pub fn resume(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.resume = Some(path.into());
        self
    }

    /// Ends the run after this number of steps, even if epochs are left. Steps before
    /// [`resume`](Trainer::resume) count. If [`checkpoint`](Trainer::checkpoint) is set, the run is saved
    /// at that step.
    pub fn stop_after(mut self, steps: usize) -> Self {
        self.settings.stop_after = Some(steps);
        self
    }

    /// Makes the first NaN or infinity of a training step an error:
    /// [`TrainError::Operation`](crate::TrainError::Operation) with
    /// [`Cause::NotFinite`](wengert_autograd::Cause::NotFinite). The error names the operation, its scope,
    /// the line that recorded it, and the state of its operands; see
    /// [`Tape::detecting_anomalies`](wengert_autograd::Tape::detecting_anomalies). Use it to debug, not to
    /// train: steps are slower.
    ///
    /// To reach a late step faster, run the steps before it without this setting, save them with
    /// [`stop_after`](Trainer::stop_after), and continue with [`resume`](Trainer::resume).
    pub fn detect_anomalies(mut self, which: Anomalies) -> Self {
        self.settings.anomalies = Some(which);
        self
    }

    /// Turns off all printed lines.
    pub fn quiet(mut self) -> Self {
        self.settings.quiet = true;
        self
    }
}
