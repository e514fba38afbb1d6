//! The tape of one step, with logging.

use crate::error::TrainError;
use std::cell::{Cell, RefCell, RefMut};
use std::ops::Deref;
use wengert_autograd::{Anomalies, Mode, Tape, Var};
use wengert_tensor::{Float, Philox, Tensor};

/// The name under which accuracies are logged.
pub(crate) const ACCURACY: &str = "accuracy";

/// One pass of a loss over one batch: the [`Tape`] of the pass, with methods to log numbers beside the
/// loss. It dereferences to the tape.
///
/// The same loss is run in training ([`Mode::Train`]), on validation data ([`Mode::Eval`], without
/// recording gradients) and, before the first step, on shapes alone ([`Tape::is_shape_only`]). If a loss
/// requests a number ([`Var::value`], [`Var::item`]), the shape-only run ends there.
/// [`log`](Step::log) and [`log_accuracy`](Step::log_accuracy) read no numbers on such a run.
///
/// ```
/// use wengert::autograd::{Mode, Var};
/// use wengert::nn::{Linear, Layer, cross_entropy};
/// use wengert::tensor::{Philox, Tensor};
/// use wengert::train::{Step, measure};
/// use wengert::data::{DataLoader, Digits, Dataset, TensorDataset};
///
/// fn loss<'t>(model: &Linear, step: &'t Step, batch: &(Tensor, Tensor<i64>)) -> Var<'t> {
///     let (images, classes) = batch;
///     let x = step.constant(images.clone()).flatten(1, -1);
///     let logits = model.forward(x);
///     step.log_accuracy(logits, classes);
///     step.log("size", logits.square().mean_all());
///     cross_entropy(logits, classes)
/// }
///
/// fn main() -> Result<(), wengert::train::TrainError> {
///     let model = Linear::new(64, 10, &mut Philox::new(0));
///     let digits = DataLoader::new(Digits::load().dataset(), 600);
///     let found = measure(&model, &digits, loss)?;
///     assert!(found.accuracy.unwrap() < 0.3 && found.logged("size").unwrap() > 0.0);
///     Ok(())
/// }
/// ```
pub struct Step<T: Float = f32> {
    tape: Tape<T>,
    rng: RefCell<Philox>,
    examples: usize,
    epoch: u64,
    number: usize,
    sums: RefCell<Vec<LoggedSum>>,
    /// Whether anything was logged, also on shapes alone.
    logged: Cell<bool>,
    /// The first error of an objective's loss that is not a shape error.
    fault: RefCell<Option<TrainError>>,
}

/// A logged number, summed over several batches: its mean is `sum / weight`.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::struct_field_names)] // `sum` is the usual name of the numerator
pub(crate) struct LoggedSum {
    pub name: String,
    pub sum: f64,
    pub weight: f64,
}

/// Adds each sum to the sum of the same name. New names are appended.
pub(crate) fn add_sums(to: &mut Vec<LoggedSum>, more: Vec<LoggedSum>) {
    for more in more {
        match to.iter_mut().find(|known| known.name == more.name) {
            Some(known) => {
                known.sum += more.sum;
                known.weight += more.weight;
            }
            None => to.push(more),
        }
    }
}

/// Makes the key of the step's generator differ from the key of the tape, which both come from the
/// run's generator: their draws are then independent.
const APART: u64 = 0x9e37_79b9_7f4a_7c15;

impl<T: Float> Step<T> {
    pub(crate) fn train(rng: &mut Philox, examples: usize, epoch: u64, number: usize) -> Self {
        let own = rng.clone().split();
        Self::on(Tape::train(rng), own.state()[0] ^ APART, examples, epoch, number)
    }

    /// Returns the same step with a tape that refuses the first NaN or infinity.
    pub(crate) fn detecting_anomalies(self, which: Anomalies) -> Self {
        Step { tape: self.tape.detecting_anomalies(which), ..self }
    }

    /// Creates a step that computes numbers in evaluation mode, with or without a history. Its random
    /// numbers depend only on the index of the batch, so that scores of different epochs can be compared.
    pub(crate) fn measure(examples: usize, epoch: u64, batch: usize, history: bool) -> Self {
        let key = APART ^ batch as u64;
        let tape = if history { Tape::eval() } else { Tape::inference() };
        Self::on(tape.with_rng(&mut Philox::new(key)), key, examples, epoch, batch)
    }

    pub(crate) fn shapes(mode: Mode, examples: usize) -> Self {
        Self::on(Tape::shapes_only(Some(mode)), APART, examples, 0, 0)
    }

    fn on(tape: Tape<T>, key: u64, examples: usize, epoch: u64, number: usize) -> Self {
        let (rng, sums) = (RefCell::new(Philox::new(key)), RefCell::default());
        Step {
            tape,
            rng,
            examples,
            epoch,
            number,
            sums,
            logged: Cell::new(false),
            fault: RefCell::default(),
        }
    }

    /// Returns the tape of the step.
    pub fn tape(&self) -> &Tape<T> {
        &self.tape
    }

    /// Logs a number beside the loss. Its mean over the examples of the epoch appears in the progress
    /// line, in [`History`](crate::History), in the curves and in checkpoints. The value of a variable of
    /// one element is computed and read at once; on a shape-only run nothing is read.
    ///
    /// If a loss logs the same name twice in a step, both values count in the mean.
    ///
    /// # Panics
    /// If the name is empty, is `loss`, or holds a line break; if the variable has more than one element.
    #[track_caller]
    pub fn log(&self, name: &str, value: impl Logged<T>) {
        check_name("log", name);
        self.logged.set(true);
        if let Some(value) = value.number() {
            let weight = self.examples as f64;
            self.add_sum(name, value * weight, weight);
        }
    }

    /// Logs a number whose mean is not taken over examples: adds `sum` and `weight`. The number of an
    /// epoch is the sum of all `sum`s divided by the sum of all `weight`s. An accuracy, for example, adds
    /// the number of correct answers and the number of answers.
    ///
    /// # Panics
    /// If the name is empty, is `loss`, or holds a line break.
    #[track_caller]
    pub fn log_sum(&self, name: &str, sum: f64, weight: f64) {
        check_name("log_sum", name);
        self.logged.set(true);
        self.add_sum(name, sum, weight);
    }

    fn add_sum(&self, name: &str, sum: f64, weight: f64) {
        if !self.tape.is_shape_only() {
            add_sums(
                &mut self.sums.borrow_mut(),
                vec![LoggedSum { name: name.into(), sum, weight }],
            );
        }
    }

    /// Logs the fraction of correctly classified examples, under the name `accuracy`. The predicted class
    /// is the index of the largest output. Outputs have the shape `[N, C]` or `[N, C, d₁, …]`, classes the
    /// same shape without the axis `C`. On a shape-only run nothing is read.
    ///
    /// # Panics
    /// If the shape of the classes is not that of the outputs without the axis `C`.
    #[track_caller]
    pub fn log_accuracy(&self, outputs: Var<'_, T>, classes: &Tensor<i64>) {
        self.logged.set(true);
        let axis = usize::from(outputs.shape().rank() > 1) as isize;
        let answers = outputs.argmax(axis, false);
        let (expected, got) = (answers.shape(), classes.shape());
        if expected != got {
            self.tape.shape_error(format!(
                "log_accuracy: outputs {} require class numbers {expected}, got {got}",
                outputs.shape()
            ))
        }
        if !self.tape.is_shape_only() {
            let right = answers.value().eq(classes).cast::<i64>().sum_all();
            self.log_sum(ACCURACY, right as f64, classes.numel() as f64);
        }
    }

    /// Returns the generator of this step, for noise, negative samples and the like. Its numbers are a
    /// function of the run's seed and the step, so that a resumed run draws the same numbers. On
    /// validation data they are a function of the index of the batch.
    ///
    /// ```
    /// use wengert::train::Step;
    /// use wengert::tensor::Tensor;
    /// fn noise(step: &Step, n: usize) -> Tensor {
    ///     Tensor::normal(&[n, 16], 0.0, 1.0, &mut *step.rng())
    /// }
    /// ```
    ///
    /// # Panics
    /// If the generator that an earlier call returned is still borrowed.
    #[track_caller]
    pub fn rng(&self) -> RefMut<'_, Philox> {
        self.rng.borrow_mut()
    }

    /// Returns the number of examples of the batch.
    pub fn examples(&self) -> usize {
        self.examples
    }

    /// Returns the epoch, counted from 0. On validation data it is the epoch after which the model is
    /// validated.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Returns the number of steps that the run has made before this one. On validation data it is the
    /// index of the batch.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Makes the step fail with this error before its update. The loss and its gradients are still
    /// computed. Only the first error is kept.
    pub(crate) fn fail_later(&self, error: TrainError) {
        self.fault.borrow_mut().get_or_insert(error);
    }

    /// Returns the error of [`fail_later`](Step::fail_later), if there is one.
    pub(crate) fn check_failed(&self) -> Result<(), TrainError> {
        self.fault.borrow_mut().take().map_or(Ok(()), Err)
    }

    /// Returns whether anything was logged.
    pub(crate) fn has_logged(&self) -> bool {
        self.logged.get()
    }

    pub(crate) fn take_sums(&self) -> Vec<LoggedSum> {
        self.sums.take()
    }
}

impl<T: Float> Deref for Step<T> {
    type Target = Tape<T>;
    fn deref(&self) -> &Tape<T> {
        &self.tape
    }
}

#[track_caller]
pub(crate) fn check_name(op: &str, name: &str) {
    assert!(
        !name.is_empty() && !name.contains(['\n', '\r']),
        "{op}: expected a name of one line, such as `accuracy`, got {name:?}"
    );
    assert!(
        name != "loss",
        "{op}: the name `loss` is reserved for the loss of the run: use another name"
    );
}

/// A value that [`Step::log`] accepts: a number, or a variable of one element.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be logged",
    label = "expected `f64`, `f32` or a variable of one element",
    note = "convert a count with `as f64`"
)]
pub trait Logged<T: Float> {
    /// Returns the number; `None` for a variable of a shape-only run.
    ///
    /// # Panics
    /// If a variable has more than one element.
    fn number(self) -> Option<f64>;
}
impl<T: Float> Logged<T> for f64 {
    fn number(self) -> Option<f64> {
        Some(self)
    }
}
impl<T: Float> Logged<T> for f32 {
    fn number(self) -> Option<f64> {
        Some(self.into())
    }
}
impl<T: Float> Logged<T> for Var<'_, T> {
    #[track_caller]
    fn number(self) -> Option<f64> {
        let shape = self.shape();
        if shape.numel() != 1 {
            self.tape().shape_error(format!(
                "log: the variable must have one element, got shape {shape}: take its mean over \
                 the batch"
            ))
        }
        (!self.tape().is_shape_only()).then(|| self.item())
    }
}
