//! How good a model is on data that it is not trained on.

use crate::batches::Batches;
use crate::confusion::ConfusionMatrix;
use crate::objective::Objective;
use wengert_autograd::Tape;
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
/// If shapes do not fit.
#[track_caller]
pub fn evaluate(model: &dyn Layer, data: &dyn Batches) -> Evaluation {
    Objective::classification().evaluate(model, data)
}

impl<T: Float, Y> Objective<'_, T, Y> {
    /// The mean loss of an example, and if outputs mean classes, what was taken for what: in
    /// evaluation mode and without history.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn evaluate(&self, model: &dyn Layer<T>, data: &dyn Batches<T, Y>) -> Evaluation {
        let (mut sum, mut examples) = (0.0, 0);
        let mut confusion = self.classifies().then(ConfusionMatrix::default);
        for (x, y) in data.batches(0, 0) {
            let tape = Tape::inference();
            let output = model.forward(tape.constant(x.clone()));
            let n = x.shape().first().copied().unwrap_or(1);
            sum += n as f64 * self.loss(output, &x, &y).item();
            examples += n;
            if let Some(confusion) = &mut confusion
                && let Some(verdict) = self.judge(&output.value(), &y)
            {
                confusion.grow(verdict.classes);
                confusion.record(&verdict.truth, &verdict.predicted);
            }
        }
        Evaluation { loss: sum / examples as f64, examples, confusion }
    }
}
