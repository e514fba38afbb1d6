//! Misclassified examples.

use crate::batch::Batch;
use crate::batches::Batches;
use crate::error::Example;
use crate::objective::Objective;
use wengert_nn::Layer;
use wengert_tensor::{Float, Tensor};

/// A misclassified example, as [`mistakes`] returns it.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistake<T: Float = f32> {
    /// The index in the data, counted from 0, whatever the order of the batches. If the batches do not
    /// know it ([`Batches::index`]), it is the position in the order of the batches.
    pub index: usize,
    /// The input, without the batch axis.
    pub input: Tensor<T>,
    /// The true class.
    pub truth: usize,
    /// The predicted class.
    pub predicted: usize,
}

impl<T: Float> Mistake<T> {
    /// Returns the image and its caption, as `wengert::plot::captioned` draws them: the true class, an arrow,
    /// and the predicted class. Classes without a name in `names` are shown by their numbers.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// use wengert::train::Mistake;
    /// let mistake = Mistake { index: 7, input: Tensor::zeros(&[8, 8]), truth: 1, predicted: 2 };
    /// assert_eq!(mistake.captioned(&["cat", "dog"]).1, "dog → 2");
    /// ```
    pub fn captioned(&self, names: &[&str]) -> (Tensor<T>, String) {
        let name = |class: usize| names.get(class).map_or(class.to_string(), ToString::to_string);
        (self.input.clone(), format!("{} → {}", name(self.truth), name(self.predicted)))
    }
}

/// Returns the first examples that a classifier misclassifies, at most `most`.
///
/// ```
/// use wengert::data::{DataLoader, Digits};
/// use wengert::nn::{Flatten, Linear, sequential};
/// use wengert::tensor::Philox;
///
/// let digits = Digits::load().dataset();
/// let untrained = sequential![Flatten::new(), Linear::new(64, 10, &mut Philox::new(0))];
/// let wrong = wengert::train::mistakes(&untrained, &DataLoader::new(&digits, 500), 20);
/// assert_eq!(wrong.len(), 20);
/// assert!(wrong.iter().all(|mistake| mistake.truth != mistake.predicted));
/// assert_eq!(wrong[0].input.shape(), [8, 8]);
/// ```
///
/// # Panics
/// If shapes do not fit.
#[track_caller]
pub fn mistakes<T: Float>(
    model: &dyn Layer<T>,
    data: &dyn Batches<(Tensor<T>, Tensor<i64>)>,
    most: usize,
) -> Vec<Mistake<T>> {
    Objective::classification().mistakes(model, data, most)
}

impl<T: Float, Y: Batch> Objective<'_, T, Y> {
    /// Returns the first examples that are misclassified by the rule of this objective, at most `most`.
    ///
    /// # Panics
    /// If shapes do not fit, if the objective does not map each example to one class, or if a class is
    /// negative or above 32767.
    #[track_caller]
    pub fn mistakes(
        &self,
        model: &dyn Layer<T>,
        data: &dyn Batches<(Tensor<T>, Y)>,
        most: usize,
    ) -> Vec<Mistake<T>> {
        let (mut found, mut before) = (Vec::new(), 0);
        for (batch, (x, y)) in data.batches(0, 0).enumerate() {
            if found.len() == most {
                break;
            }
            let classification = match self.classify(&model.predict(&x), &y) {
                Ok(Some(classification)) => classification,
                Ok(None) => {
                    panic!(
                        "mistakes: the objective does not classify: set a rule that maps outputs \
                         to classes with Objective::predict"
                    )
                }
                Err(error) => panic!("mistakes: {error}"),
            };
            let example = |sample| Example::of(data, "the data".into(), 0, batch, sample);
            if let Err(error) = classification.countable(example) {
                panic!("mistakes: {error}")
            }
            let (n, given) = (x.examples(), classification.predicted.shape());
            assert!(
                given == [n],
                "mistakes: expected one class for each of {n} examples, got classes of shape \
                 {given}"
            );
            let pairs =
                classification.truth.to_vec().into_iter().zip(classification.predicted.to_vec());
            let wrong = pairs.enumerate().filter(|(_, (truth, predicted))| truth != predicted);
            for (i, (truth, predicted)) in wrong.take(most - found.len()) {
                found.push(Mistake {
                    index: data.index(0, batch, i).unwrap_or(before + i),
                    input: x.narrow(0, i, 1).squeeze(0).copied(),
                    truth: truth as usize,
                    predicted: predicted as usize,
                });
            }
            before += n;
        }
        found
    }
}
