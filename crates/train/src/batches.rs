//! Sources of batches for the training loop.

use wengert_data::{DataLoader, Dataset};
use wengert_tensor::Tensor;

/// A source of batches of any type, epoch by epoch, for training and evaluation.
///
/// Every [`DataLoader`] implements it, with the batch type of its data set.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not return batches of `{B}`",
    label = "not `Batches` of this type",
    note = "pass a `DataLoader` over a data set with batches of this type: \
            `&DataLoader::new(set, 32)`",
    note = "classifiers require classes of type `i64`: `labels.cast::<i64>()`"
)]
pub trait Batches<B = (Tensor, Tensor<i64>)> {
    /// Returns the batches of an epoch, without the first `skip`. The same epoch must always have the
    /// same batches, so that a run can be resumed in the middle of an epoch.
    fn batches(&self, epoch: u64, skip: usize) -> Box<dyn Iterator<Item = B> + '_>;

    /// Returns the number of batches of an epoch.
    fn len(&self) -> usize;

    /// Returns the number of examples in the data.
    fn examples(&self) -> usize;

    /// Returns the number of examples of the last batch of an epoch, if it is known without loading the
    /// batch. The default is `None`.
    fn last_batch(&self) -> Option<usize> {
        None
    }

    /// Returns the index in the data of sample `sample` of batch `batch` of an epoch, both counted from
    /// 0, if it is known. Errors name the example by this index. The default is `None`.
    fn index(&self, _epoch: u64, _batch: usize, _sample: usize) -> Option<usize> {
        None
    }

    /// Returns whether an epoch has no batch.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<D: Dataset> Batches<D::Batch> for DataLoader<D> {
    fn batches(&self, epoch: u64, skip: usize) -> Box<dyn Iterator<Item = D::Batch> + '_> {
        Box::new(self.epoch(epoch).skip(skip))
    }

    fn len(&self) -> usize {
        self.len()
    }

    fn examples(&self) -> usize {
        self.dataset().len()
    }

    fn last_batch(&self) -> Option<usize> {
        self.last_batch_size()
    }

    fn index(&self, epoch: u64, batch: usize, sample: usize) -> Option<usize> {
        (batch < self.len()).then(|| self.indices(epoch, batch).get(sample).copied())?
    }
}
