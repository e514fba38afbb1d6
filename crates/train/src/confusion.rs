//! Which classes are taken for which.

use std::fmt::{self, Write};
use wengert_tensor::Tensor;

/// So many classes can be counted: the counts are then 8 GiB.
pub(crate) const MOST: usize = 1 << 15;

/// How often examples of each class (a row) were taken for each class (a column).
///
/// ```
/// use wengert_tensor::Tensor;
/// use wengert_train::ConfusionMatrix;
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
    /// Row by row.
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// Nothing counted yet.
    pub fn new(classes: usize) -> Self {
        ConfusionMatrix { classes, counts: vec![0; classes * classes] }
    }

    /// Counts a batch. Room is made for classes that were not expected.
    ///
    /// # Panics
    /// If the two differ in shape, or a class is negative or above 32767.
    #[track_caller]
    pub fn record(&mut self, truth: &Tensor<i64>, predicted: &Tensor<i64>) {
        let (a, b) = (truth.shape(), predicted.shape());
        assert!(a == b, "ConfusionMatrix::record: true classes {a} and predicted ones {b}");
        let (truth, predicted) = (truth.to_vec(), predicted.to_vec());
        let classes = truth.iter().chain(&predicted).copied();
        if let Some(class) = classes.clone().find(|&class| class < 0) {
            panic!("ConfusionMatrix::record: class {class}: classes count from 0");
        }
        if let Some(class) = classes.clone().find(|&class| class >= MOST as i64) {
            panic!("ConfusionMatrix::record: class {class}: there is room for {MOST} classes");
        }
        self.grow(classes.max().map_or(0, |largest| largest as usize + 1));
        for (truth, predicted) in truth.into_iter().zip(predicted) {
            self.counts[truth as usize * self.classes + predicted as usize] += 1;
        }
    }

    /// Makes room for this many classes.
    pub(crate) fn grow(&mut self, classes: usize) {
        if classes > self.classes {
            let mut larger = Self::new(classes);
            for (from, to) in self.rows().zip(larger.counts.chunks_mut(classes)) {
                to[..from.len()].copy_from_slice(from);
            }
            *self = larger;
        }
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How often examples of class `truth` were taken for class `predicted`; 0 for classes that do
    /// not exist.
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        let known = truth < self.classes && predicted < self.classes;
        if known { self.counts[truth * self.classes + predicted] } else { 0 }
    }

    /// For each true class, how often it was taken for each.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[u64]> {
        self.counts.chunks(self.classes.max(1))
    }

    /// How many examples were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many of them were taken for what they are.
    pub fn correct(&self) -> u64 {
        (0..self.classes).map(|class| self.count(class, class)).sum()
    }

    /// Which part was taken for what it is; 0 if nothing was counted.
    pub fn accuracy(&self) -> f64 {
        ratio(self.correct(), self.total())
    }

    /// Of the examples taken for this class, which part is of it; 0 if none was.
    pub fn precision(&self, class: usize) -> f64 {
        let taken = (0..self.classes).map(|truth| self.count(truth, class)).sum();
        ratio(self.count(class, class), taken)
    }

    /// Of the examples of this class, which part was recognised; 0 if there are none.
    pub fn recall(&self, class: usize) -> f64 {
        let there = (0..self.classes).map(|predicted| self.count(class, predicted)).sum();
        ratio(self.count(class, class), there)
    }

    /// The harmonic mean of precision and recall, 2 p r / (p + r); 0 if both are.
    pub fn f1(&self, class: usize) -> f64 {
        let (p, r) = (self.precision(class), self.recall(class));
        if p + r > 0.0 { 2.0 * p * r / (p + r) } else { 0.0 }
    }

    /// The mean of all classes' [`f1`](ConfusionMatrix::f1), each with the same weight.
    pub fn macro_f1(&self) -> f64 {
        (0..self.classes).map(|class| self.f1(class)).sum::<f64>() / self.classes.max(1) as f64
    }

    /// The confusions, most frequent first: true class, the class it was taken for, how often.
    pub fn confusions(&self) -> Vec<(usize, usize, u64)> {
        let pairs = (0..self.classes).flat_map(|i| (0..self.classes).map(move |j| (i, j)));
        let mut all: Vec<_> =
            pairs.filter(|(i, j)| i != j).map(|(i, j)| (i, j, self.count(i, j))).collect();
        all.retain(|&(.., n)| n > 0);
        all.sort_by_key(|&(.., n)| std::cmp::Reverse(n));
        all
    }

    /// As [`Display`](fmt::Display) shows it, with the names of the classes in place of their
    /// numbers. Classes beyond the names keep their numbers.
    pub fn table(&self, names: &[&str]) -> String {
        let name = |class: usize| names.get(class).map_or(class.to_string(), ToString::to_string);
        let names: Vec<String> = (0..self.classes).map(name).collect();
        let percent = |x: f64| format!("{:.1}%", 100.0 * x);
        let recalls = (0..self.classes).map(|class| percent(self.recall(class)));
        let precisions = (0..self.classes).map(|class| percent(self.precision(class)));

        // Every row a name, a cell for each class, and its recall.
        let mut rows = vec![("truth", names.clone(), "recall".into())];
        for ((row, recall), name) in self.rows().zip(recalls).zip(&names) {
            rows.push((name, row.iter().map(u64::to_string).collect(), recall));
        }
        rows.push(("precision", precisions.collect(), String::new()));

        let long = |text: &str| text.chars().count();
        // The names on the left, numbers on the right.
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

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The counts with recall and precision.
impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table(&[]))
    }
}
