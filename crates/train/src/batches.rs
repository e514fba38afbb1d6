//! What the training loop asks of data.

use wengert_data::{DataLoader, Dataset};
use wengert_tensor::Tensor;

/// Batches of any type, epoch by epoch: what a model is trained on and evaluated with.
///
/// Every [`DataLoader`] is one, with what its data set gives for a batch.
#[diagnostic::on_unimplemented(
    message = "`{Self}` gives no batches of `{B}`",
    label = "no batches of this kind",
    note = "a `DataLoader` over a data set of such batches gives them: `&DataLoader::new(set, 32)`",
    note = "classifiers are trained with classes of `i64`: `labels.cast::<i64>()`"
)]
pub trait Batches<B = (Tensor, Tensor<i64>)> {
    /// The batches of an epoch, without the first `skip`. The same epoch has the same batches
    /// whenever it is asked for: that is what lets a run go on in the middle of one.
    fn batches(&self, epoch: u64, skip: usize) -> Box<dyn Iterator<Item = B> + '_>;

    /// How many batches an epoch has.
    fn len(&self) -> usize;

    /// How many examples there are.
    fn examples(&self) -> usize;

    /// How many examples the last batch of an epoch has, if that is known without making it. Default:
    /// not known.
    fn last_batch(&self) -> Option<usize> {
        None
    }

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
