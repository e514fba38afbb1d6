//! What the training loop asks of data.

use wengert_data::{DataLoader, Dataset};
use wengert_tensor::{Element, Tensor};

/// Batches of inputs and targets, epoch by epoch: what a model is trained on and evaluated with.
///
/// Every [`DataLoader`] over pairs is one. The first axis of the inputs counts the examples.
pub trait Batches<T: Element = f32, Y = Tensor<i64>> {
    /// The batches of an epoch, without the first `skip`. The same epoch has the same batches
    /// whenever it is asked for: that is what lets a run go on in the middle of one.
    fn batches(&self, epoch: u64, skip: usize) -> Box<dyn Iterator<Item = (Tensor<T>, Y)> + '_>;

    /// How many batches an epoch has.
    fn len(&self) -> usize;

    /// How many examples there are.
    fn examples(&self) -> usize;

    /// The number in the data of sample `sample` of batch `batch` of an epoch, both counted from 0,
    /// if it is known: errors name the example by it.
    fn index(&self, _epoch: u64, _batch: usize, _sample: usize) -> Option<usize> {
        None
    }

    /// Whether an epoch has no batch.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: Element, Y, D: Dataset<Batch = (Tensor<T>, Y)>> Batches<T, Y> for DataLoader<D> {
    fn batches(&self, epoch: u64, skip: usize) -> Box<dyn Iterator<Item = (Tensor<T>, Y)> + '_> {
        Box::new(self.epoch(epoch).skip(skip))
    }

    fn len(&self) -> usize {
        self.len()
    }

    fn examples(&self) -> usize {
        self.dataset().len()
    }

    fn index(&self, epoch: u64, batch: usize, sample: usize) -> Option<usize> {
        (batch < self.len()).then(|| self.indices(epoch, batch).get(sample).copied())?
    }
}
