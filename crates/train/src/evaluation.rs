//! How good a model is on data that it is not trained on.

use crate::batch::Batch;
use crate::batches::Batches;
use crate::confusion::ConfusionMatrix;
use crate::error::{Example, TrainError};
use crate::objective::Objective;
use crate::run::Sums;
use crate::step::Step;
use crate::task::{ByLoss, TrainStep, measured};
use std::cell::RefCell;
use wengert_autograd::{Cause, Module, ShapeError, Var};
use wengert_nn::Layer;
use wengert_tensor::{Float, Tensor};

/// What [`evaluate`] finds.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The mean loss of an example.
    pub loss: f64,
    /// How many examples were seen.
    pub examples: usize,
    /// What was taken for what; `None` if the objective has no rule for classes.
    pub confusion: Option<ConfusionMatrix>,
}

impl Evaluation {
    /// Which part of the examples was recognised.
    ///
    /// # Panics
    /// If the objective does not classify.
    #[track_caller]
    pub fn accuracy(&self) -> f64 {
        self.confusion().accuracy()
    }

    /// What was taken for what.
    ///
    /// # Panics
    /// If the objective does not classify.
    #[track_caller]
    pub fn confusion(&self) -> &ConfusionMatrix {
        let Some(confusion) = &self.confusion else {
            panic!("this objective has no classes: give it a rule with Objective::predict")
        };
        confusion
    }
}

/// Loss, accuracy and confusion matrix of a classifier, in evaluation mode and without history. The
/// loss is the cross-entropy; for others see [`Objective::evaluate`].
///
/// ```
/// use wengert_data::{DataLoader, Digits};
/// use wengert_nn::{Flatten, Linear, sequential};
/// use wengert_tensor::Philox;
///
/// let digits = Digits::load().dataset();
/// let model = sequential![Flatten::new(), Linear::new(64, 10, &mut Philox::new(0))];
/// let untrained = wengert_train::evaluate(&model, &DataLoader::new(&digits, 500));
/// assert_eq!(untrained.examples, 1797);
/// assert!(untrained.accuracy() < 0.3 && untrained.loss > 2.0);
/// assert_eq!(untrained.confusion().rows().len(), 10);
/// ```
///
/// # Panics
/// If the data have no batch, shapes do not fit, or a class does not exist;
/// [`Objective::try_evaluate`] returns these as errors.
#[track_caller]
pub fn evaluate(model: &dyn Layer, data: &dyn Batches) -> Evaluation {
    Objective::classification().evaluate(model, data)
}

/// What [`measure`] finds.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The mean loss of an example.
    pub loss: f64,
    /// Which part of the examples was recognised, if the loss logs an `accuracy`.
    pub accuracy: Option<f64>,
    /// How many examples were seen.
    pub examples: usize,
    /// The means of all that was logged, by name.
    pub logs: Vec<(String, f64)>,
}

impl Measured {
    /// The mean of what was logged under a name.
    pub fn logged(&self, name: &str) -> Option<f64> {
        self.logs.iter().find(|(known, _)| known == name).map(|(_, mean)| *mean)
    }
}

/// The mean over examples of a loss and of what it logs, in evaluation mode and without history: what
/// [`Trainer::fit`](crate::Trainer::fit) does with validation data. For classifiers, [`evaluate`] gives
/// a confusion matrix, too.
///
/// # Errors
/// If the data have no batch, shapes do not fit, or a class does not exist.
pub fn measure<M: Module, B: Batch, T: Float>(
    model: &M,
    data: &dyn Batches<B>,
    loss: impl for<'t> Fn(&M, &'t Step<T>, &B) -> Var<'t, T>,
) -> Result<Measured, TrainError> {
    let pass = ByLoss(loss);
    let sums =
        measure_named(model, data, "the data", 0, |step, batch| pass.validate(model, step, batch))?;
    let crate::Score { loss, accuracy } = sums.score();
    let logs = sums.means().map(|(name, mean)| (name.to_owned(), mean)).collect();
    Ok(Measured { loss, accuracy, examples: sums.examples as usize, logs })
}

/// [`measure`] with a name for the data, after this epoch of the training, counted from 0.
pub(crate) fn measure_named<B: Batch, T: Float>(
    model: &dyn Module,
    data: &dyn Batches<B>,
    name: &str,
    epoch: u64,
    loss: impl for<'t> Fn(&'t Step<T>, &B) -> Option<Var<'t, T>>,
) -> Result<Sums, TrainError> {
    let mut sums = Sums::default();
    let mut any = false;
    for (place, batch) in data.batches(0, 0).enumerate() {
        any = true;
        // The data are those of epoch 0, whichever epoch of training it comes after.
        let example = |sample| Example {
            epoch: epoch + 1,
            ..Example::of(data, name.into(), 0, place, sample)
        };
        let step = Step::measure(batch.examples(), epoch, place);
        let found = measured(&step, |step| loss(step, &batch));
        let found = found.map_err(|error| refused(error, model, example))?;
        step.fault()?;
        sums.add(batch.examples(), found, step.take_sums());
    }
    if !any || sums.examples == 0.0 {
        return Err(TrainError::Empty { data: name.into(), examples: data.examples() });
    }
    Ok(sums)
}

impl<T: Float, Y: Batch> Objective<'_, T, Y> {
    /// The mean loss of an example, and if outputs mean classes, what was taken for what: in
    /// evaluation mode and without history.
    ///
    /// # Panics
    /// If the data have no batch, shapes do not fit, or a class does not exist.
    #[track_caller]
    pub fn evaluate(&self, model: &dyn Layer<T>, data: &dyn Batches<(Tensor<T>, Y)>) -> Evaluation {
        match self.try_evaluate(model, data) {
            Ok(evaluation) => evaluation,
            Err(error) => panic!("evaluate: {error}"),
        }
    }

    /// As [`evaluate`](Objective::evaluate), for data of which one does not know whether they fit.
    ///
    /// # Errors
    /// If the data have no batch, shapes do not fit, or a class does not exist.
    pub fn try_evaluate(
        &self,
        model: &dyn Layer<T>,
        data: &dyn Batches<(Tensor<T>, Y)>,
    ) -> Result<Evaluation, TrainError> {
        let name = "the data";
        let confusion = RefCell::new(self.classifies().then(ConfusionMatrix::default));
        let sums = measure_named(model, data, name, 0, |step, batch| {
            let place = step.number();
            let example = |sample| Example::of(data, name.into(), 0, place, sample);
            Some(self.pass(model, step, batch, |verdict| {
                verdict.countable(example)?;
                if let Some(confusion) = &mut *confusion.borrow_mut() {
                    confusion.grow(verdict.classes);
                    confusion.record(&verdict.truth, &verdict.predicted);
                }
                Ok(())
            }))
        })?;
        let (loss, examples) = (sums.score().loss, sums.examples as usize);
        Ok(Evaluation { loss, examples, confusion: confusion.into_inner() })
    }
}

/// What a run refused, with the example that it is about if it is about one.
pub(crate) fn refused(
    error: ShapeError,
    model: &dyn Module,
    example: impl Fn(usize) -> Example,
) -> TrainError {
    let error = named(error, model);
    match error.cause {
        Cause::Sample(sample) => TrainError::Example { example: Box::new(example(sample)), error },
        _ => TrainError::Shape(error),
    }
}

/// With the model's type for a path if it has none: a model may open no scopes.
pub(crate) fn named(mut error: ShapeError, model: &dyn Module) -> ShapeError {
    if error.path.is_empty() {
        error.path = model.outline().name().to_string();
    }
    error
}
