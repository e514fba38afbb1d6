//! Subsets of a data set, and random splits.

use crate::dataset::Dataset;
use crate::permutation::permutation;
use std::sync::Arc;

/// A subset of a data set. It stores the indices of the examples and does not copy them.
///
/// ```
/// use wengert::data::{Dataset, Digits, Subset};
/// let digits = Digits::load().dataset();
/// let first = Subset::new(&digits, 0..100);
/// assert_eq!(first.len(), 100);
/// assert_eq!(first.batch(&[7]).1, digits.batch(&[7]).1);
/// ```
#[derive(Debug, Clone)]
pub struct Subset<D> {
    dataset: D,
    indices: Vec<usize>,
}

impl<D: Dataset> Subset<D> {
    /// Creates a subset of the examples with these indices, in this order.
    ///
    /// # Panics
    /// If an index is not below the length of `dataset`.
    #[track_caller]
    pub fn new(dataset: D, indices: impl IntoIterator<Item = usize>) -> Self {
        let indices: Vec<usize> = indices.into_iter().collect();
        let n = dataset.len();
        if let Some(index) = indices.iter().find(|&&index| index >= n) {
            panic!("Subset::new: index {index} is out of range for a data set of {n} examples");
        }
        Subset { dataset, indices }
    }

    /// Creates the subset of all examples of `dataset`, in their order.
    ///
    /// ```
    /// use wengert::data::{Dataset, Digits, Subset};
    /// assert_eq!(Subset::all(Digits::load().dataset()).take(100).len(), 100);
    /// ```
    pub fn all(dataset: D) -> Self {
        let indices = (0..dataset.len()).collect();
        Subset { dataset, indices }
    }

    /// Returns the first `n` examples of this subset, or all if it has fewer.
    pub fn take(mut self, n: usize) -> Self {
        self.indices.truncate(n);
        self
    }

    /// Returns the whole data set.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }

    /// Returns the indices of the examples in the whole data set.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// Converts indices into the subset to indices into the whole data set.
    #[track_caller]
    fn inner(&self, indices: &[usize]) -> Vec<usize> {
        let n = self.indices.len();
        let inner = indices.iter().map(|&index| match self.indices.get(index) {
            Some(&inner) => inner,
            None => panic!("batch: index {index} is out of range for a subset of {n} examples"),
        });
        inner.collect()
    }
}

impl<D: Dataset> Dataset for Subset<D> {
    type Batch = D::Batch;

    fn len(&self) -> usize {
        self.indices.len()
    }

    #[track_caller]
    fn batch(&self, indices: &[usize]) -> D::Batch {
        self.dataset.batch(&self.inner(indices))
    }

    #[track_caller]
    fn batch_in_epoch(&self, indices: &[usize], epoch: u64) -> D::Batch {
        self.dataset.batch_in_epoch(&self.inner(indices), epoch)
    }

    fn varies(&self) -> bool {
        self.dataset.varies()
    }

    fn normalized(&self, value: f32, channel: usize) -> f32 {
        self.dataset.normalized(value, channel)
    }
}

/// Splits a data set at random into disjoint subsets of these lengths. Each example is in exactly one
/// subset. The same seed gives the same subsets on every machine.
///
/// ```
/// use wengert::data::{Dataset, Digits, random_split};
/// let [train, valid, test] = random_split(Digits::load().dataset(), [1400, 197, 200], 42);
/// assert_eq!((train.len(), valid.len(), test.len()), (1400, 197, 200));
/// ```
///
/// # Panics
/// If the sum of the lengths is not the length of the data set.
#[track_caller]
pub fn random_split<D: Dataset, const N: usize>(
    dataset: D,
    lengths: [usize; N],
    seed: u64,
) -> [Subset<Arc<D>>; N] {
    let n = dataset.len();
    let sum = lengths.iter().try_fold(0usize, |sum, &length| sum.checked_add(length));
    assert!(
        sum == Some(n),
        "random_split: the lengths {lengths:?} must add up to the {n} examples of the set"
    );
    let dataset = Arc::new(dataset);
    // No epoch uses this stream, so that a loader with the same seed shuffles differently.
    let mut order = permutation(n, seed, 1 << 62).into_iter();
    lengths.map(|length| Subset {
        dataset: Arc::clone(&dataset),
        indices: order.by_ref().take(length).collect(),
    })
}
