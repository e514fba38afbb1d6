//! Confusion matrices.

use std::fmt::{self, Write};
use wengert_tensor::Tensor;

/// The maximum number of classes: the counts then take 8 GiB.
pub(crate) const MOST: usize = 1 << 15;

/// A confusion matrix: for each true class (a row), how many of its examples were classified as each
/// class (a column).
///
/// ```
/// use wengert::tensor::Tensor;
/// use wengert::train::ConfusionMatrix;
///
/// let mut confusion = ConfusionMatrix::new(3);
/// let truth = Tensor::from([0i64, 0, 1, 2, 2, 2]);
/// let predicted = Tensor::from([0i64, 1, 1, 2, 2, 0]);
/// confusion.record(&truth, &predicted);
/// assert_eq!((confusion.total(), confusion.correct()), (6, 4));
/// assert_eq!(confusion.count(0, 1), 1);
/// assert_eq!(confusion.precision(0), 0.5);
/// assert_eq!(confusion.recall(2), 2.0 / 3.0);
/// assert_eq!(confusion.to_string(), "\
/// truth           0       1       2  recall
/// 0               1       1       0   50.0%
/// 1               0       1       0  100.0%
/// 2               1       0       2   66.7%
/// precision   50.0%   50.0%  100.0%
/// accuracy 66.67%: 4 of 6");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfusionMatrix {
    classes: usize,
    /// The counts in row-major order.
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// Creates a matrix for this number of classes, with all counts 0.
    ///
    /// # Panics
    /// If there are more than 32768 classes.
    #[track_caller]
    pub fn new(classes: usize) -> Self {
        assert!(
            classes <= MOST,
            "ConfusionMatrix::new: the number of classes must be at most {MOST}, got {classes}"
        );
        ConfusionMatrix { classes, counts: vec![0; classes * classes] }
    }

    /// Counts a batch. The matrix grows if a class is not smaller than the number of classes.
    ///
    /// # Panics
    /// If `truth` and `predicted` differ in shape, or if a class is negative or above 32767.
    #[track_caller]
    pub fn record(&mut self, truth: &Tensor<i64>, predicted: &Tensor<i64>) {
        let (a, b) = (truth.shape(), predicted.shape());
        assert!(
            a == b,
            "ConfusionMatrix::record: true and predicted classes must have the same shape, got \
             {a} and {b}"
        );
        let (truth, predicted) = (truth.to_vec(), predicted.to_vec());
        let classes = truth.iter().chain(&predicted).copied();
        if let Some(class) = classes.clone().find(|class| !(0..MOST as i64).contains(class)) {
            panic!("ConfusionMatrix::record: class {class} is out of range 0..{MOST}");
        }
        self.grow(classes.max().map_or(0, |largest| largest as usize + 1));
        for (truth, predicted) in truth.into_iter().zip(predicted) {
            self.counts[truth as usize * self.classes + predicted as usize] += 1;
        }
    }

    /// Grows the matrix to this number of classes, if it is smaller.
    pub(crate) fn grow(&mut self, classes: usize) {
        if classes > self.classes {
            let mut larger = Self::new(classes);
            for (from, to) in self.rows().zip(larger.counts.chunks_mut(classes)) {
                to[..from.len()].copy_from_slice(from);
            }
            *self = larger;
        }
    }

    /// Returns the number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Returns how many examples of class `truth` were classified as `predicted`; 0 for classes that do
    /// not exist.
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        let known = truth < self.classes && predicted < self.classes;
        if known { self.counts[truth * self.classes + predicted] } else { 0 }
    }

    /// Returns the rows: for each true class, the counts of the predicted classes.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[u64]> {
        self.counts.chunks(self.classes.max(1))
    }

    /// Returns the number of examples counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns the number of correctly classified examples.
    pub fn correct(&self) -> u64 {
        (0..self.classes).map(|class| self.count(class, class)).sum()
    }

    /// Returns the fraction of correctly classified examples; 0 if nothing was counted.
    pub fn accuracy(&self) -> f64 {
        ratio(self.correct(), self.total())
    }

    /// Returns the precision of a class: the fraction of the examples classified as this class that belong
    /// to it; 0 if no example was classified so.
    pub fn precision(&self, class: usize) -> f64 {
        let taken = (0..self.classes).map(|truth| self.count(truth, class)).sum();
        ratio(self.count(class, class), taken)
    }

    /// Returns the recall of a class: the fraction of the examples of this class that were classified
    /// correctly; 0 if the class has no examples.
    pub fn recall(&self, class: usize) -> f64 {
        let there = (0..self.classes).map(|predicted| self.count(class, predicted)).sum();
        ratio(self.count(class, class), there)
    }

    /// Returns the F₁ score of a class: the harmonic mean of precision and recall, 2 p r / (p + r); 0 if
    /// both are 0.
    pub fn f1(&self, class: usize) -> f64 {
        let (p, r) = (self.precision(class), self.recall(class));
        if p + r > 0.0 { 2.0 * p * r / (p + r) } else { 0.0 }
    }

    /// Returns the unweighted mean of [`f1`](ConfusionMatrix::f1) over all classes.
    pub fn macro_f1(&self) -> f64 {
        (0..self.classes).map(|class| self.f1(class)).sum::<f64>() / self.classes.max(1) as f64
    }

    /// Returns the misclassifications, most frequent first: true class, predicted class, count. Pairs with
    /// count 0 are left out.
    pub fn confusions(&self) -> Vec<(usize, usize, u64)> {
        let pairs = (0..self.classes).flat_map(|i| (0..self.classes).map(move |j| (i, j)));
        let mut all: Vec<_> =
            pairs.filter(|(i, j)| i != j).map(|(i, j)| (i, j, self.count(i, j))).collect();
        all.retain(|&(.., n)| n > 0);
        all.sort_by_key(|&(.., n)| std::cmp::Reverse(n));
        all
    }

    /// Returns the table of [`Display`](fmt::Display) with names of classes instead of numbers. Classes
    /// without a name keep their numbers.
    pub fn table(&self, names: &[&str]) -> String {
        let name = |class: usize| names.get(class).map_or(class.to_string(), ToString::to_string);
        let names: Vec<String> = (0..self.classes).map(name).collect();
        let percent = |x: f64| format!("{:.1}%", 100.0 * x);
        let recalls = (0..self.classes).map(|class| percent(self.recall(class)));
        let precisions = (0..self.classes).map(|class| percent(self.precision(class)));

        // Each row: a name, one cell for each class, the recall.
        let mut rows = vec![("truth", names.clone(), "recall".into())];
        for ((row, recall), name) in self.rows().zip(recalls).zip(&names) {
            rows.push((name, row.iter().map(u64::to_string).collect(), recall));
        }
        rows.push(("precision", precisions.collect(), String::new()));

        let long = |text: &str| text.chars().count();
        // Names are left-aligned, numbers right-aligned.
        let first = rows.iter().map(|(name, ..)| long(name)).max().unwrap_or(0);
        let width = rows.iter().flat_map(|(_, cells, _)| cells).map(|cell| long(cell)).max();
        let width = width.unwrap_or(0);
        let mut out = String::new();
        for (name, cells, recall) in &rows {
            let mut line = format!("{name:first$}");
            for cell in cells {
                let _ = write!(line, "  {cell:>width$}");
            }
            let _ = write!(line, "  {recall:>6}");
            let _ = writeln!(out, "{}", line.trim_end());
        }
        let (right, all) = (self.correct(), self.total());
        out + &format!("accuracy {:.2}%: {right} of {all}", 100.0 * self.accuracy())
    }
}

fn ratio(part: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { part as f64 / total as f64 }
}

/// Formats the counts as a table, with recall, precision and accuracy.
impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table(&[]))
    }
}
