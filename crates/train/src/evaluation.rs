//! Loss, accuracy and logged numbers on data that the model is not trained on.

use crate::batch::Batch;
use crate::batches::Batches;
use crate::confusion::ConfusionMatrix;
use crate::error::{Example, TrainError, refused};
use crate::objective::Objective;
use crate::run::EpochSums;
use crate::step::Step;
use crate::task::{ByLoss, TrainStep, measured};
use std::cell::RefCell;
use std::fmt;
use wengert_autograd::{Module, Var};
use wengert_nn::Layer;
use wengert_tensor::{Float, Tensor};

/// The result of [`evaluate`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Evaluation {
    /// The mean loss over all examples.
    pub loss: f64,
    /// The number of examples.
    pub examples: usize,
    /// The confusion matrix; `None` if the objective does not classify.
    pub confusion_matrix: Option<ConfusionMatrix>,
}

impl Evaluation {
    /// Returns the fraction of correctly classified examples.
    ///
    /// # Panics
    /// If the objective does not classify.
    #[track_caller]
    pub fn accuracy(&self) -> f64 {
        self.confusion_for("accuracy").accuracy()
    }

    /// Returns the confusion matrix.
    ///
    /// # Panics
    /// If the objective does not classify.
    #[track_caller]
    pub fn confusion(&self) -> &ConfusionMatrix {
        self.confusion_for("confusion")
    }

    #[track_caller]
    fn confusion_for(&self, method: &str) -> &ConfusionMatrix {
        let Some(confusion) = &self.confusion_matrix else {
            panic!(
                "Evaluation::{method}: the objective does not classify: set a rule that maps outputs to \
                 classes with Objective::predict"
            )
        };
        confusion
    }
}

/// Writes one line: `accuracy 98.12% (188 of 10000 wrong), loss 0.0612`, or the loss alone if the objective
/// does not classify.
impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(confusion) = &self.confusion_matrix {
            let (total, wrong) = (confusion.total(), confusion.total() - confusion.correct());
            write!(
                f,
                "accuracy {:.2}% ({wrong} of {total} wrong), ",
                100.0 * confusion.accuracy()
            )?;
        }
        write!(f, "loss {:.4}", self.loss)
    }
}

/// Computes loss, accuracy and confusion matrix of a classifier, in evaluation mode and without
/// recording gradients. The loss is the cross-entropy; for other losses see [`Objective::evaluate`].
///
/// ```
/// use wengert::data::{DataLoader, Digits};
/// use wengert::nn::{Flatten, Linear, sequential};
/// use wengert::tensor::Philox;
///
/// let digits = Digits::load().dataset();
/// let model = sequential![Flatten::new(), Linear::new(64, 10, &mut Philox::new(0))];
/// let untrained = wengert::train::evaluate(&model, &DataLoader::new(&digits, 500));
/// assert_eq!(untrained.examples, 1797);
/// assert!(untrained.accuracy() < 0.3 && untrained.loss > 2.0);
/// assert_eq!(untrained.confusion().rows().len(), 10);
/// ```
///
/// # Panics
/// If the data have no batch, shapes do not fit, or a class does not exist;
/// [`Objective::try_evaluate`] returns these as errors.
#[track_caller]
pub fn evaluate<T: Float>(
    model: &dyn Layer<T>,
    data: &dyn Batches<(Tensor<T>, Tensor<i64>)>,
) -> Evaluation {
    Objective::classification().evaluate(model, data)
}

/// The result of [`measure`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Measured {
    /// The mean loss over all examples.
    pub loss: f64,
    /// The fraction of correctly classified examples, if the loss logs an `accuracy`.
    pub accuracy: Option<f64>,
    /// The number of examples.
    pub examples: usize,
    /// Name and mean of each logged number.
    pub logs: Vec<(String, f64)>,
}

impl Measured {
    /// Returns the mean of the number that was logged under this name; `None` if there is none.
    pub fn logged(&self, name: &str) -> Option<f64> {
        self.logs.iter().find(|(known, _)| known == name).map(|(_, mean)| *mean)
    }
}

/// Computes the mean over examples of a loss and of the numbers that it logs, in evaluation mode and
/// without recording gradients, as [`Trainer::fit`](crate::Trainer::fit) does on validation data. For
/// classifiers, [`evaluate`] also returns a confusion matrix.
///
/// # Errors
/// If the data have no batch, shapes do not fit, or a class does not exist.
pub fn measure<M: Module, B: Batch, T: Float>(
    model: &M,
    data: &dyn Batches<B>,
    loss: impl for<'t> Fn(&M, &'t Step<T>, &B) -> Var<'t, T>,
) -> Result<Measured, TrainError> {
    let pass = ByLoss(loss);
    let sums = measure_named(model, data, "the data", 0, true, |step, batch| {
        pass.validate(model, step, batch)
    })?;
    let crate::Score { loss, accuracy } = sums.score();
    let logs = sums.means().map(|(name, mean)| (name.to_owned(), mean)).collect();
    Ok(Measured { loss, accuracy, examples: sums.examples as usize, logs })
}

/// Computes [`measure`]. `name` names the data in errors; `epoch` is counted from 0; `history` permits derivatives
/// in the loss.
pub(crate) fn measure_named<B: Batch, T: Float>(
    model: &dyn Module,
    data: &dyn Batches<B>,
    name: &str,
    epoch: u64,
    history: bool,
    loss: impl for<'t> Fn(&'t Step<T>, &B) -> Option<Var<'t, T>>,
) -> Result<EpochSums, TrainError> {
    let mut sums = EpochSums::default();
    let mut any = false;
    for (place, batch) in data.batches(0, 0).enumerate() {
        any = true;
        // Validation always reads the batches of epoch 0; only the reported epoch is that of the training.
        let example = |sample| Example {
            epoch: epoch + 1,
            ..Example::of(data, name.into(), 0, place, sample)
        };
        let step = Step::measure(batch.examples(), epoch, place, history);
        let found = measured(&step, |step| loss(step, &batch));
        let found = found.map_err(|error| refused(error, model, example))?;
        step.check_failed()?;
        sums.add(batch.examples(), found, step.take_sums());
    }
    if !any || sums.examples == 0.0 {
        return Err(TrainError::NoBatches { data: name.into(), examples: data.examples() });
    }
    Ok(sums)
}

impl<T: Float, Y: Batch> Objective<'_, T, Y> {
    /// Computes the mean loss over all examples and, if the objective classifies, the confusion matrix,
    /// in evaluation mode and without recording gradients.
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

    /// Computes what [`evaluate`](Objective::evaluate) computes, and returns errors instead of panicking.
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
        let sums = measure_named(model, data, name, 0, false, |step, batch| {
            let place = step.number();
            let example = |sample| Example::of(data, name.into(), 0, place, sample);
            Some(self.batch_loss(model, step, batch, |classification| {
                classification.countable(example)?;
                if let Some(confusion) = &mut *confusion.borrow_mut() {
                    confusion.grow(classification.classes);
                    confusion.record(&classification.truth, &classification.predicted);
                }
                Ok(())
            }))
        })?;
        let (loss, examples) = (sums.score().loss, sums.examples as usize);
        Ok(Evaluation { loss, examples, confusion_matrix: confusion.into_inner() })
    }
}
