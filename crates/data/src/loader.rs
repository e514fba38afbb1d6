//! Batches for training and evaluation.

use crate::dataset::Dataset;
use crate::permutation::permutation;
use std::iter::FusedIterator;

/// Splits a data set into batches, epoch by epoch.
///
/// The order of the examples in an epoch depends only on the seed and the epoch index. An epoch can
/// therefore be repeated, and training can be resumed at any epoch, or in the middle of one with
/// `epoch(e).skip(n)`, which does not compute the skipped batches.
///
/// ```
/// use wengert::data::{DataLoader, Digits};
///
/// let digits = Digits::load().dataset();
/// let train = DataLoader::new(&digits, 128).shuffle(42).drop_last(true);
/// assert_eq!(train.len(), 14);
/// for epoch in 0..3 {
///     for (images, labels) in train.epoch(epoch) {
///         assert_eq!(images.shape(), [128, 8, 8]);
///         assert_eq!(labels.shape(), [128]);
///     }
/// }
///
/// // Without shuffling, all epochs are the same and `iter` needs no epoch index.
/// let test = DataLoader::new(&digits, 1000);
/// let sizes: Vec<usize> = test.iter().map(|(_, labels)| labels.numel()).collect();
/// assert_eq!(sizes, [1000, 797]);
/// ```
#[derive(Debug, Clone)]
pub struct DataLoader<D> {
    dataset: D,
    batch_size: usize,
    seed: Option<u64>,
    drop_last: bool,
}

impl<D: Dataset> DataLoader<D> {
    /// Creates a loader of batches of `batch_size` examples, in the order of the data set. The last batch is
    /// smaller if the number of examples is not a multiple of `batch_size`. A `&dataset` is a data set too.
    ///
    /// # Panics
    /// If `batch_size` is zero, or if the data set is a tuple of tensors of different lengths.
    #[track_caller]
    pub fn new(dataset: D, batch_size: usize) -> Self {
        assert!(batch_size > 0, "DataLoader::new: batch_size must be at least 1, got 0");
        // A tuple of tensors checks the lengths here, at the caller's line.
        dataset.len();
        DataLoader { dataset, batch_size, seed: None, drop_last: false }
    }

    /// Shuffles the examples, with a different random order in each epoch.
    pub fn shuffle(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets whether to omit a last batch that is smaller than the others. The default is `false`.
    pub fn drop_last(mut self, drop_last: bool) -> Self {
        self.drop_last = drop_last;
        self
    }

    /// Returns the number of batches of an epoch.
    pub fn len(&self) -> usize {
        let n = self.dataset.len();
        if self.drop_last { n / self.batch_size } else { n.div_ceil(self.batch_size) }
    }

    /// Returns whether an epoch has no batches.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the data set.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }

    /// Returns the number of examples of a batch (the last batch may have fewer).
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// Returns the number of examples of the last batch of an epoch, or `None` if an epoch has no batches. No
    /// batch is computed.
    ///
    /// ```
    /// use wengert::data::{DataLoader, Digits};
    /// let digits = Digits::load().dataset();
    /// let loader = DataLoader::new(&digits, 1000);
    /// assert_eq!(loader.last_batch_size(), Some(797));
    /// assert_eq!(loader.drop_last(true).last_batch_size(), Some(1000));
    /// ```
    pub fn last_batch_size(&self) -> Option<usize> {
        let before = self.len().checked_sub(1)? * self.batch_size;
        Some((self.dataset.len() - before).min(self.batch_size))
    }

    /// Returns an iterator over the batches of one epoch. Each example occurs once, except those that
    /// `drop_last` omits.
    pub fn epoch(&self, epoch: u64) -> Epoch<'_, D> {
        let n = self.dataset.len();
        let order = match self.seed {
            Some(seed) => permutation(n, seed, epoch),
            None => (0..n).collect(),
        };
        Epoch { loader: self, number: epoch, order, next: 0, end: self.len() }
    }

    /// Returns the indices in the data set of the examples of one batch, in the order of the batch.
    ///
    /// ```
    /// use wengert::data::{DataLoader, Digits};
    /// let loader = DataLoader::new(Digits::load().dataset(), 1000);
    /// assert_eq!(loader.indices(0, 1), (1000..1797).collect::<Vec<_>>());
    /// ```
    ///
    /// # Panics
    /// If the epoch has no batch with this index.
    #[track_caller]
    pub fn indices(&self, epoch: u64, batch: usize) -> Vec<usize> {
        let n = self.len();
        assert!(batch < n, "indices: batch {batch} is out of range for an epoch of {n} batches");
        let order = self.epoch(epoch).order;
        let start = batch * self.batch_size;
        order[start..order.len().min(start.saturating_add(self.batch_size))].to_vec()
    }

    /// Returns an iterator over the batches of a loader that does not shuffle. `for (x, y) in &loader` is
    /// equivalent.
    ///
    /// # Panics
    /// If the loader shuffles or the data set is augmented, because every loop would get the same batches.
    /// Use [`DataLoader::epoch`] with a different epoch index for each loop.
    #[track_caller]
    pub fn iter(&self) -> Epoch<'_, D> {
        assert!(
            self.seed.is_none(),
            "DataLoader::iter: the loader shuffles, and each loop would get the order of epoch 0: \
             use loader.epoch(epoch)"
        );
        assert!(
            !self.dataset.varies(),
            "DataLoader::iter: the data set differs between epochs, and each loop would get the \
             examples of epoch 0: use loader.epoch(epoch)"
        );
        self.epoch(0)
    }
}

/// See [`DataLoader::iter`].
impl<'a, D: Dataset> IntoIterator for &'a DataLoader<D> {
    type Item = D::Batch;
    type IntoIter = Epoch<'a, D>;

    #[track_caller]
    fn into_iter(self) -> Epoch<'a, D> {
        self.iter()
    }
}

/// An iterator over the batches of one epoch, created by [`DataLoader::epoch`]. Each batch is computed when
/// it is requested.
#[derive(Debug)]
pub struct Epoch<'a, D> {
    loader: &'a DataLoader<D>,
    number: u64,
    order: Vec<usize>,
    next: usize,
    end: usize,
}

impl<D: Dataset> Iterator for Epoch<'_, D> {
    type Item = D::Batch;

    fn next(&mut self) -> Option<D::Batch> {
        if self.next == self.end {
            return None;
        }
        let size = self.loader.batch_size;
        let start = self.next * size;
        let stop = self.order.len().min(start.saturating_add(size));
        self.next += 1;
        Some(self.loader.dataset.batch_in_epoch(&self.order[start..stop], self.number))
    }

    /// Skips `n` batches without computing them, and returns the next one.
    fn nth(&mut self, n: usize) -> Option<D::Batch> {
        self.next = self.next.saturating_add(n).min(self.end);
        self.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.end - self.next;
        (left, Some(left))
    }
}

impl<D: Dataset> ExactSizeIterator for Epoch<'_, D> {}
impl<D: Dataset> FusedIterator for Epoch<'_, D> {}
