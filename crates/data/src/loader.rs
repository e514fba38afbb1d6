//! Batches for training and evaluation.

use crate::dataset::Dataset;
use crate::permutation::permutation;
use std::iter::FusedIterator;

/// Gives the batches of a data set, epoch by epoch.
///
/// The order of an epoch depends on the seed and the number of the epoch alone: it can be repeated,
/// and training can go on at any epoch, or in the middle of one with `epoch(e).skip(n)`, which
/// makes none of the skipped batches.
///
/// ```
/// use wengert_data::{DataLoader, Digits};
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
/// // Without a shuffle all epochs are the same, and the loader itself can be looped over.
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
    /// Batches of `batch_size` examples in the order of the data set, the last one smaller if the
    /// number does not divide. A `&dataset` is a data set too.
    ///
    /// # Panics
    /// If `batch_size` is zero.
    #[track_caller]
    pub fn new(dataset: D, batch_size: usize) -> Self {
        assert!(batch_size > 0, "DataLoader::new: batch_size is 0, expected at least 1");
        DataLoader { dataset, batch_size, seed: None, drop_last: false }
    }

    /// A new random order in each epoch.
    pub fn shuffle(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Whether to leave out a last batch that is smaller than the others.
    pub fn drop_last(mut self, drop_last: bool) -> Self {
        self.drop_last = drop_last;
        self
    }

    /// How many batches an epoch has.
    pub fn len(&self) -> usize {
        let n = self.dataset.len();
        if self.drop_last { n / self.batch_size } else { n.div_ceil(self.batch_size) }
    }

    /// Whether an epoch has no batch.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The data set.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }

    /// How many examples a batch has (the last one may have fewer).
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// How many examples the last batch of an epoch has; `None` if an epoch has no batch. No batch is
    /// made.
    ///
    /// ```
    /// # use wengert_data::{DataLoader, Digits};
    /// let digits = Digits::load().dataset();
    /// let loader = DataLoader::new(&digits, 1000);
    /// assert_eq!(loader.last_batch_size(), Some(797));
    /// assert_eq!(loader.drop_last(true).last_batch_size(), Some(1000));
    /// ```
    pub fn last_batch_size(&self) -> Option<usize> {
        let before = self.len().checked_sub(1)? * self.batch_size;
        Some((self.dataset.len() - before).min(self.batch_size))
    }

    /// The batches of one epoch. Each example occurs once, but for those that `drop_last` leaves
    /// out.
    pub fn epoch(&self, epoch: u64) -> Epoch<'_, D> {
        let n = self.dataset.len();
        let order = match self.seed {
            Some(seed) => permutation(n, seed, epoch),
            None => (0..n).collect(),
        };
        Epoch { loader: self, number: epoch, order, next: 0, end: self.len() }
    }

    /// The numbers in the data set of the examples of one batch of an epoch, in the batch's order.
    ///
    /// ```
    /// # use wengert_data::{DataLoader, Digits};
    /// let loader = DataLoader::new(Digits::load().dataset(), 1000);
    /// assert_eq!(loader.indices(0, 1), (1000..1797).collect::<Vec<_>>());
    /// ```
    ///
    /// # Panics
    /// If the epoch has no such batch.
    #[track_caller]
    pub fn indices(&self, epoch: u64, batch: usize) -> Vec<usize> {
        let n = self.len();
        assert!(batch < n, "indices: no batch {batch} in an epoch of {n} batches");
        let order = self.epoch(epoch).order;
        let start = batch * self.batch_size;
        order[start..order.len().min(start.saturating_add(self.batch_size))].to_vec()
    }

    /// The batches of a loader that does not shuffle; `for (x, y) in &loader` is the same.
    ///
    /// # Panics
    /// If the loader shuffles, or the data set is augmented: each loop would see the same.
    /// [`DataLoader::epoch`] takes the number that makes them differ.
    #[track_caller]
    pub fn iter(&self) -> Epoch<'_, D> {
        assert!(
            self.seed.is_none(),
            "this DataLoader shuffles, and each loop over it would see the same order: \
             loop over loader.epoch(epoch)"
        );
        assert!(
            !self.dataset.varies(),
            "the data set changes from epoch to epoch, and each loop over this DataLoader would see \
             the same: loop over loader.epoch(epoch)"
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

/// The batches of one epoch, made one by one; from [`DataLoader::epoch`].
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

    /// Passes over `n` batches without making them.
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
