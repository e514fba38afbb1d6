//! How good a model is on data that it is not trained on.

use crate::batches::Batches;
use crate::confusion::ConfusionMatrix;
use crate::error::{Example, TrainError};
use crate::objective::{Objective, named};
use wengert_autograd::{Cause, ShapeError, Tape};
use wengert_nn::Layer;
use wengert_tensor::Float;

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

impl<T: Float, Y> Objective<'_, T, Y> {
    /// The mean loss of an example, and if outputs mean classes, what was taken for what: in
    /// evaluation mode and without history.
    ///
    /// # Panics
    /// If the data have no batch, shapes do not fit, or a class does not exist.
    #[track_caller]
    pub fn evaluate(&self, model: &dyn Layer<T>, data: &dyn Batches<T, Y>) -> Evaluation {
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
        data: &dyn Batches<T, Y>,
    ) -> Result<Evaluation, TrainError> {
        self.evaluate_named(model, data, "the data", 0)
    }

    /// [`try_evaluate`](Objective::try_evaluate) with a name for the data, after this epoch of the
    /// training, counted from 0.
    pub(crate) fn evaluate_named(
        &self,
        model: &dyn Layer<T>,
        data: &dyn Batches<T, Y>,
        name: &str,
        epoch: u64,
    ) -> Result<Evaluation, TrainError> {
        let (mut sum, mut examples) = (0.0, 0);
        let mut confusion = self.classifies().then(ConfusionMatrix::default);
        for (batch, (x, y)) in data.batches(0, 0).enumerate() {
            let example = |sample| Example {
                data: name.into(),
                index: data.index(0, batch, sample),
                epoch: epoch + 1,
                batch: batch + 1,
                sample,
            };
            let tape = Tape::inference();
            let run = tape.catch(|| {
                let output = model.forward(tape.constant(x.clone()));
                let loss = self.loss(output, &x, &y).item();
                (loss, confusion.is_some().then(|| output.value()))
            });
            let (loss, output) = run.map_err(|error| refused(error, model, example))?;
            let n = x.shape().first().copied().unwrap_or(1);
            sum += n as f64 * loss;
            examples += n;
            if let (Some(confusion), Some(output)) = (&mut confusion, output)
                && let Some(verdict) = self.judge(&output, &y)?
            {
                verdict.countable(example)?;
                confusion.grow(verdict.classes);
                confusion.record(&verdict.truth, &verdict.predicted);
            }
        }
        if examples == 0 {
            return Err(TrainError::Empty { data: name.into(), examples: data.examples() });
        }
        Ok(Evaluation { loss: sum / examples as f64, examples, confusion })
    }
}

/// What a run refused, with the example that it is about if it is about one.
pub(crate) fn refused<T: Float>(
    error: ShapeError,
    model: &dyn Layer<T>,
    example: impl Fn(usize) -> Example,
) -> TrainError {
    let error = named(error, model);
    match error.cause {
        Cause::Sample(sample) => TrainError::Example { example: Box::new(example(sample)), error },
        _ => TrainError::Shape(error),
    }
}
