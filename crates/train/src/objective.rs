//! Objectives: a loss, and for classifiers the rule that maps outputs to classes.

use crate::batch::Batch;
use crate::confusion::MOST;
use crate::error::{Example, TrainError};
use crate::step::ACCURACY;
use crate::step::Step;
use wengert_autograd::Var;
use wengert_nn::{Layer, cross_entropy};
use wengert_tensor::{Float, Tensor};

type Loss<'a, T, Y> = dyn for<'t> Fn(Var<'t, T>, &Tensor<T>, &Y) -> Var<'t, T> + 'a;
type Classify<'a, T, Y> = dyn Fn(&Tensor<T>, &Y) -> Classification + 'a;

/// The goal of a training: a loss, and for classifiers the rule that maps outputs to classes.
///
/// | | targets `Y` | loss |
/// |---|---|---|
/// | [`classification`](Objective::classification) | classes | cross-entropy; the predicted class is that of the largest output |
/// | [`regression`](Objective::regression) | tensors | of outputs and targets, for example [`mse`](wengert_nn::mse) |
/// | [`reconstruction`](Objective::reconstruction) | any; they are ignored | of outputs and inputs: autoencoders |
/// | [`new`](Objective::new) | any | your own |
///
/// A loss is the mean over the examples of a batch. It is run on shapes alone before it is run on
/// numbers. If it requests a number ([`Var::value`], [`Var::item`]), the shape-only run ends there.
///
/// `T` is the number type of the model. The compiler infers it from the model, the optimizer and the data
/// of [`fit`](crate::Trainer::fit). An objective that no model is trained with needs a type:
/// `let objective: Objective = …` for `f32`.
///
/// ```
/// use wengert::nn::cross_entropy;
/// use wengert::train::Objective;
///
/// // Outputs are distances to the centres of the classes: the predicted class is the nearest one.
/// let objective: Objective = Objective::new(|distances, labels| cross_entropy(-0.5 * distances, labels))
///     .predict(|distances| distances.argmin(1, false));
/// ```
pub struct Objective<'a, T: Float = f32, Y = Tensor<i64>> {
    loss: Box<Loss<'a, T, Y>>,
    classify: Option<Box<Classify<'a, T, Y>>>,
}

/// The predicted and the true classes of a batch.
pub(crate) struct Classification {
    pub predicted: Tensor<i64>,
    pub truth: Tensor<i64>,
    /// The number of classes; 0 if it is not known.
    pub classes: usize,
}

impl Classification {
    /// Returns the number of correct predictions and the number of all predictions.
    pub fn right(&self) -> (usize, usize) {
        let right = self.predicted.eq(&self.truth).cast::<i64>().sum_all();
        (right as usize, self.truth.numel())
    }

    /// Checks that a confusion matrix can count all classes. `example` describes a sample of the batch.
    pub fn countable(&self, example: impl Fn(usize) -> Example) -> Result<(), TrainError> {
        let samples = self.truth.shape().first().copied().unwrap_or(1).max(1);
        for classes in [&self.truth, &self.predicted] {
            let classes = classes.to_vec();
            let strange = |class: &i64| !(0..MOST as i64).contains(class);
            if let Some(at) = classes.iter().position(strange) {
                let example = Box::new(example(at * samples / classes.len()));
                let class = classes[at];
                return Err(TrainError::ClassOutOfRange { example, class, most: MOST - 1 });
            }
        }
        Ok(())
    }
}

impl<T: Float> Objective<'_, T> {
    /// Creates the objective of a classifier: the loss is the cross-entropy between softmax(outputs) and
    /// the true classes, and the predicted class is the index of the largest output. Outputs are `[N, C]`
    /// (or `[N, C, d₁, …]`), classes `[N]` (or `[N, d₁, …]`).
    pub fn classification() -> Self {
        let loss = Self::new(|logits, labels| cross_entropy(logits, labels));
        let classify = |logits: &Tensor<T>, truth: &Tensor<i64>| {
            // The same axis as in the loss.
            let axis = usize::from(logits.rank() > 1);
            Classification {
                predicted: logits.argmax(axis as isize, false),
                truth: truth.clone(),
                classes: logits.shape()[axis],
            }
        };
        Objective { classify: Some(Box::new(classify)), ..loss }
    }

    /// Adds a rule that maps outputs to classes. It enables the accuracy and the confusion matrix; the
    /// loss stays the same.
    pub fn predict(self, rule: impl Fn(&Tensor<T>) -> Tensor<i64> + 'static) -> Self {
        let classify = move |output: &Tensor<T>, truth: &Tensor<i64>| Classification {
            predicted: rule(output),
            truth: truth.clone(),
            classes: 0,
        };
        Objective { classify: Some(Box::new(classify)), ..self }
    }
}

impl<'a, T: Float> Objective<'a, T, Tensor<T>> {
    /// Creates an objective with a loss of outputs and target tensors.
    ///
    /// ```
    /// use wengert::nn::mse;
    /// use wengert::train::Objective;
    /// let objective: Objective<f32, _> = Objective::regression(|outputs, targets| mse(outputs, targets));
    /// ```
    pub fn regression(loss: impl for<'t> Fn(Var<'t, T>, Var<'t, T>) -> Var<'t, T> + 'a) -> Self {
        Self::new(move |output, target| loss(output, output.tape().constant(target.clone())))
    }
}

impl<'a, T: Float, Y: Batch> Objective<'a, T, Y> {
    /// Creates an objective with a loss of outputs and targets.
    pub fn new(loss: impl for<'t> Fn(Var<'t, T>, &Y) -> Var<'t, T> + 'a) -> Self {
        Objective { loss: Box::new(move |output, _, target| loss(output, target)), classify: None }
    }

    /// Creates an objective with a loss of outputs and inputs, for autoencoders. Targets are ignored.
    ///
    /// ```
    /// use wengert::nn::mse;
    /// use wengert::train::Objective;
    /// let objective: Objective = Objective::reconstruction(|outputs, targets| mse(outputs, targets));
    /// ```
    pub fn reconstruction(
        loss: impl for<'t> Fn(Var<'t, T>, Var<'t, T>) -> Var<'t, T> + 'a,
    ) -> Self {
        Objective {
            loss: Box::new(move |y, x, _| loss(y, y.tape().constant(x.clone()))),
            classify: None,
        }
    }

    /// Returns the loss of a batch. If the objective classifies, logs the accuracy and passes the classes
    /// to `see`.
    pub(crate) fn batch_loss<'t>(
        &self,
        model: &dyn Layer<T>,
        step: &'t Step<T>,
        (x, y): &(Tensor<T>, Y),
        see: impl FnOnce(&Classification) -> Result<(), TrainError>,
    ) -> Var<'t, T> {
        let output = model.forward(step.constant(x.clone()));
        let loss = step.scope("loss", || {
            let loss = (self.loss)(output, x, y);
            let shape = loss.shape();
            if shape.numel() != 1 {
                step.shape_error(format!(
                    "the loss must have one element, got shape {shape}: take its mean over the \
                     batch"
                ))
            }
            loss
        });
        if !step.is_shape_only() && self.classifies() {
            let classified = self.classify(&output.value(), y).and_then(|classification| {
                if let Some(classification) = classification {
                    see(&classification)?;
                    let (right, of) = classification.right();
                    step.log_sum(ACCURACY, right as f64, of as f64);
                }
                Ok(())
            });
            if let Err(error) = classified {
                step.fail_later(error);
            }
        }
        loss
    }

    /// Returns the predicted and the true classes; `None` if the objective does not classify.
    pub(crate) fn classify(
        &self,
        output: &Tensor<T>,
        y: &Y,
    ) -> Result<Option<Classification>, TrainError> {
        let Some(classify) = &self.classify else { return Ok(None) };
        let classification = classify(output, y);
        let (predicted, truth) = (classification.predicted.shape(), classification.truth.shape());
        if predicted != truth {
            let (predicted, truth) = (predicted.to_vec(), truth.to_vec());
            return Err(TrainError::Predictions { predicted, truth });
        }
        Ok(Some(classification))
    }

    /// Returns whether the objective maps outputs to classes.
    pub fn classifies(&self) -> bool {
        self.classify.is_some()
    }
}
