//! What a loss gets to compute with: the tape of the step, and what else is to be shown.

use crate::error::TrainError;
use crate::run::ACCURACY;
use std::cell::{RefCell, RefMut};
use std::ops::Deref;
use wengert_autograd::{Anomalies, Mode, Tape, Var};
use wengert_tensor::{Float, Philox, Tensor};

/// One pass of a loss over one batch. It is the [`Tape`] of the pass (it derefs to it), and takes the
/// numbers that are to be shown beside the loss.
///
/// The same loss is run in training ([`Mode::Train`]), on validation data ([`Mode::Eval`], without
/// history) and, before the first step, on shapes alone ([`Tape::is_abstract`]). A loss that asks for
/// a number ([`Var::value`], [`Var::item`]) ends the run on shapes there; [`log`](Step::log) and
/// [`log_accuracy`](Step::log_accuracy) do not ask on such a run.
///
/// ```
/// use wengert_autograd::{Mode, Var};
/// use wengert_nn::{Linear, Layer, cross_entropy};
/// use wengert_tensor::{Philox, Tensor};
/// use wengert_train::{Step, measure};
/// # use wengert_data::{DataLoader, Digits, Dataset, TensorDataset};
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
/// let model = Linear::new(64, 10, &mut Philox::new(0));
/// let digits = DataLoader::new(Digits::load().dataset(), 600);
/// let found = measure(&model, &digits, loss)?;
/// assert!(found.accuracy.unwrap() < 0.3 && found.logged("size").unwrap() > 0.0);
/// # Ok::<(), wengert_train::TrainError>(())
/// ```
pub struct Step<T: Float = f32> {
    tape: Tape<T>,
    rng: RefCell<Philox>,
    examples: usize,
    epoch: u64,
    number: usize,
    sums: RefCell<Vec<Sum>>,
    /// What a loss of this crate refuses, apart from shapes.
    fault: RefCell<Option<TrainError>>,
}

/// A logged number of several batches: its mean is sum by weight.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::struct_field_names)] // the sum, and what it is divided by
pub(crate) struct Sum {
    pub name: String,
    pub sum: f64,
    pub weight: f64,
}

/// Adds sums to those of the same names, new names at the end.
pub(crate) fn add_sums(to: &mut Vec<Sum>, more: Vec<Sum>) {
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

/// The generator of a step has a key of its own, so that it is independent of the tape's draws, which
/// have the key that the run's generator gives.
const APART: u64 = 0x9e37_79b9_7f4a_7c15;

impl<T: Float> Step<T> {
    pub(crate) fn train(rng: &mut Philox, examples: usize, epoch: u64, number: usize) -> Self {
        let own = rng.clone().split();
        Self::on(Tape::train(rng), own.state()[0] ^ APART, examples, epoch, number)
    }

    /// The same step, whose tape refuses the first NaN or infinity.
    pub(crate) fn detecting_anomalies(self, which: Anomalies) -> Self {
        Step { tape: self.tape.detecting_anomalies(which), ..self }
    }

    /// For numbers without history. What is random depends on the place of the batch alone, so that
    /// epochs can be compared.
    pub(crate) fn measure(examples: usize, epoch: u64, batch: usize) -> Self {
        Self::on(Tape::inference(), APART ^ batch as u64, examples, epoch, batch)
    }

    pub(crate) fn shapes(mode: Mode, examples: usize) -> Self {
        Self::on(Tape::shapes_only(Some(mode)), APART, examples, 0, 0)
    }

    fn on(tape: Tape<T>, key: u64, examples: usize, epoch: u64, number: usize) -> Self {
        let (rng, sums) = (RefCell::new(Philox::new(key)), RefCell::default());
        Step { tape, rng, examples, epoch, number, sums, fault: RefCell::default() }
    }

    /// The tape itself.
    pub fn tape(&self) -> &Tape<T> {
        &self.tape
    }

    /// Shows a number beside the loss: its mean over the examples of the epoch stands in the progress
    /// line, in [`History`](crate::History), in the curves and in checkpoints. A variable of one element
    /// is read at once, unless the run has shapes alone.
    ///
    /// A loss that logs the same name twice in a step adds to the mean twice.
    ///
    /// # Panics
    /// If the name is empty, `loss`, or holds a line break; if the variable has more than one element.
    #[track_caller]
    pub fn log(&self, name: &str, value: impl Logged<T>) {
        if let Some(value) = value.number() {
            let weight = self.examples as f64;
            self.log_sum(name, value * weight, weight);
        }
    }

    /// As [`log`](Step::log), for a mean that is not taken over examples: `sum` of `weight`. The number
    /// of an epoch is the sum of all sums by the sum of all weights. An accuracy adds how many answers
    /// were right, of how many.
    ///
    /// # Panics
    /// If the name is empty, `loss`, or holds a line break.
    #[track_caller]
    pub fn log_sum(&self, name: &str, sum: f64, weight: f64) {
        check_name(name);
        if !self.tape.is_abstract() {
            add_sums(&mut self.sums.borrow_mut(), vec![Sum { name: name.into(), sum, weight }]);
        }
    }

    /// Shows which part of the examples is recognised, under the name `accuracy`: the answer is the
    /// class of the largest output. Outputs are `[N, C]` or `[N, C, d₁, …]`, classes the shape without
    /// C. On shapes alone nothing is read.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    pub fn log_accuracy(&self, outputs: Var<'_, T>, classes: &Tensor<i64>) {
        let axis = usize::from(outputs.shape().rank() > 1) as isize;
        let answers = outputs.argmax(axis, false);
        let (given, wanted) = (answers.shape(), classes.shape());
        if given != wanted {
            self.tape.shape_error(format!(
                "log_accuracy: outputs of shape {} are answers of shape {given}, the classes have the \
                 shape {wanted}: one class for each answer is wanted",
                outputs.shape()
            ))
        }
        if !self.tape.is_abstract() {
            let right = answers.value().eq(classes).cast::<i64>().sum_all();
            self.log_sum(ACCURACY, right as f64, classes.numel() as f64);
        }
    }

    /// The generator of this step, for noise, negative samples and the like. Its numbers are a function
    /// of the run's seed and the step, so that a run that is resumed draws the same; on validation data
    /// they are a function of the batch's place.
    ///
    /// ```
    /// # use wengert_train::Step;
    /// # use wengert_tensor::Tensor;
    /// fn noise(step: &Step, n: usize) -> Tensor {
    ///     Tensor::normal(&[n, 16], 0.0, 1.0, &mut *step.rng())
    /// }
    /// # let _ = noise;
    /// ```
    ///
    /// # Panics
    /// If the generator of the call before is still held.
    #[track_caller]
    pub fn rng(&self) -> RefMut<'_, Philox> {
        self.rng.borrow_mut()
    }

    /// How many examples the batch has.
    pub fn examples(&self) -> usize {
        self.examples
    }

    /// The epoch, counted from 0: after it, for validation data.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many steps the run has made before; for validation data, how many batches came before.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Ends the step with this error. The first one counts.
    pub(crate) fn refuse(&self, error: TrainError) {
        self.fault.borrow_mut().get_or_insert(error);
    }

    pub(crate) fn fault(&self) -> Result<(), TrainError> {
        self.fault.borrow_mut().take().map_or(Ok(()), Err)
    }

    pub(crate) fn take_sums(&self) -> Vec<Sum> {
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
pub(crate) fn check_name(name: &str) {
    assert!(
        !name.is_empty() && !name.contains(['\n', '\r']),
        "log: the name {name:?} is empty or holds a line break: give it a word, as `accuracy`"
    );
    assert!(name != "loss", "log: `loss` is the run's own number: log this under another name");
}

/// What [`Step::log`] takes: a number, or a variable of one element.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be logged",
    label = "expected `f64`, `f32` or a variable of one element",
    note = "counts become numbers with `as f64`"
)]
pub trait Logged<T: Float> {
    /// The number; `None` for a variable of a run on shapes alone.
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
                "log: one number wanted, this has shape {shape}: take its mean over the batch"
            ))
        }
        (!self.tape().is_abstract()).then(|| self.item())
    }
}
