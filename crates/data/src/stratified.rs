//! Splits of a data set that keep the proportions of the classes.

use crate::dataset::{Dataset, TensorDataset};
use crate::feature::Feature;
use crate::permutation::permutation;
use crate::split::Subset;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A data set whose examples belong to classes.
pub trait Labeled: Dataset {
    /// Returns the class of each example, in order.
    fn labels(&self) -> Vec<i64>;
}

impl<X: Feature> Labeled for TensorDataset<X, i64> {
    /// # Panics
    /// If the targets do not have one number for each example.
    #[track_caller]
    fn labels(&self) -> Vec<i64> {
        let shape = self.targets().shape();
        assert!(
            shape.len() == 1,
            "labels: expected targets [n], one class for each example, got {shape}"
        );
        self.targets().to_vec()
    }
}

impl<D: Labeled> Labeled for Subset<D> {
    #[track_caller]
    fn labels(&self) -> Vec<i64> {
        let all = self.dataset().labels();
        self.indices().iter().map(|&index| all[index]).collect()
    }
}

macro_rules! forward {
    ($($handle:ty),*) => {
        $(impl<D: Labeled + ?Sized> Labeled for $handle {
            #[track_caller]
            fn labels(&self) -> Vec<i64> {
                (**self).labels()
            }
        })*
    };
}
forward!(&D, Box<D>, Arc<D>);

/// The size of a subset: a number of examples (`usize`) or a fraction of all examples (`f64`).
pub trait Share: Copy + sealed::Sealed {
    /// Returns the lengths of the subsets of `n` examples, or an error if their sum is not `n`.
    #[doc(hidden)]
    fn lengths<const N: usize>(shares: [Self; N], n: usize) -> Result<[usize; N], String>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for usize {}
    impl Sealed for f64 {}
}

impl Share for usize {
    fn lengths<const N: usize>(shares: [usize; N], n: usize) -> Result<[usize; N], String> {
        let sum = shares.iter().try_fold(0usize, |sum, &length| sum.checked_add(length));
        if sum == Some(n) {
            return Ok(shares);
        }
        Err(format!("the lengths {shares:?} must add up to the {n} examples of the set"))
    }
}

impl Share for f64 {
    /// Rounds each fraction of `n` down, and adds one to those that lost most, until the sum is `n`.
    fn lengths<const N: usize>(shares: [f64; N], n: usize) -> Result<[usize; N], String> {
        let sum: f64 = shares.iter().sum();
        if !shares.iter().all(|&share| share >= 0.0) || (sum - 1.0).abs() > 1e-9 {
            return Err(format!("the fractions {shares:?} must be at least 0 and add up to 1"));
        }
        let exact = shares.map(|share| share * n as f64);
        // The product of 0.3 and 10 may be rounded below 3. Such a length loses most, and gets its example back below.
        let mut lengths = exact.map(|exact| exact.floor().min(n as f64) as usize);
        let mut lost: Vec<usize> = (0..N).collect();
        let loss = |i: usize, length: usize| exact[i] - length as f64;
        lost.sort_by(|&i, &j| loss(j, lengths[j]).total_cmp(&loss(i, lengths[i])));
        let missing = n.saturating_sub(lengths.iter().sum());
        lost.into_iter().cycle().take(missing).for_each(|i| lengths[i] += 1);
        Ok(lengths)
    }
}

/// Splits a data set at random into disjoint subsets in which the classes have the same proportions as in
/// the whole data set.
///
/// Of each class, a subset gets its exact share, rounded up or down. The sizes of the subsets are lengths
/// or fractions. See also [`random_split`](crate::random_split).
///
/// ```
/// use wengert::data::{Dataset, Digits, Labeled, stratified_split};
/// let [train, valid] = stratified_split(Digits::load().dataset(), [0.9, 0.1], 42);
/// assert_eq!((train.len(), valid.len()), (1617, 180));
/// // There are 178 zeros, and 17.83 belong to the smaller part.
/// let zeros = valid.labels().into_iter().filter(|&label| label == 0).count();
/// assert!(zeros == 17 || zeros == 18);
/// ```
///
/// # Panics
/// If the sum of the lengths is not the length of the data set, or the sum of the fractions is not 1.
#[track_caller]
pub fn stratified_split<D: Labeled, S: Share, const N: usize>(
    dataset: D,
    shares: [S; N],
    seed: u64,
) -> [Subset<Arc<D>>; N] {
    let (n, labels) = (dataset.len(), dataset.labels());
    assert!(
        labels.len() == n,
        "stratified_split: expected one label for each of the {n} examples, got {} labels",
        labels.len()
    );
    let lengths = match S::lengths(shares, n) {
        Ok(lengths) => lengths,
        Err(wrong) => panic!("stratified_split: {wrong}"),
    };
    let mut sizes: BTreeMap<i64, usize> = BTreeMap::new();
    for &label in &labels {
        *sizes.entry(label).or_default() += 1;
    }
    let counts: Vec<usize> = sizes.values().copied().collect();
    let mut left: BTreeMap<i64, [usize; N]> =
        sizes.into_keys().zip(quotas(&counts, lengths)).collect();

    let mut parts: [Vec<usize>; N] = std::array::from_fn(|_| Vec::new());
    // Neither an epoch nor `random_split` uses this stream.
    for index in permutation(n, seed, (1 << 62) + 1) {
        let left = left.get_mut(&labels[index]).expect("every label was counted");
        let part = left.iter().position(|&left| left > 0).expect("quotas are of all examples");
        left[part] -= 1;
        parts[part].push(index);
    }
    let dataset = Arc::new(dataset);
    parts.map(|indices| Subset::new(Arc::clone(&dataset), indices))
}

/// Returns how many examples of each class (row) go to each subset (column).
///
/// The sum of a row is the size of the class, the sum of a column is the length of the subset, and each
/// number is the exact share rounded up or down. Such a table exists (L. R. Ford, D. R. Fulkerson, "Flows in
/// networks", 1962: a flow problem with integer bounds has an integer solution).
///
/// All shares are rounded down first. Then the missing examples of each class are assigned one at a time
/// along an augmenting path, on which other classes move an example to another subset.
fn quotas<const N: usize>(classes: &[usize], lengths: [usize; N]) -> Vec<[usize; N]> {
    let n: usize = lengths.iter().sum();
    let share = |class: usize, part: usize| classes[class] as u128 * lengths[part] as u128;
    let n = n.max(1) as u128;
    let mut table: Vec<[usize; N]> = (0..classes.len())
        .map(|class| std::array::from_fn(|part| (share(class, part) / n) as usize))
        .collect();
    let mut rounding = Rounding {
        fractional: (0..classes.len())
            .map(|class| std::array::from_fn(|part| share(class, part) % n != 0))
            .collect(),
        up: vec![[false; N]; classes.len()],
        room: std::array::from_fn(|part| {
            lengths[part] - table.iter().map(|row| row[part]).sum::<usize>()
        }),
    };
    for (class, &size) in classes.iter().enumerate() {
        for _ in table[class].iter().sum::<usize>()..size {
            let placed = rounding.place(class, &mut [false; N]);
            debug_assert!(placed, "the table exists");
        }
    }
    for (row, up) in table.iter_mut().zip(rounding.up) {
        row.iter_mut().zip(up).for_each(|(count, up)| *count += usize::from(up));
    }
    table
}

/// The shares that are rounded up.
struct Rounding<const N: usize> {
    /// Whether each share is not an integer.
    fractional: Vec<[bool; N]>,
    up: Vec<[bool; N]>,
    /// The number of examples that each subset still lacks.
    room: [usize; N],
}

impl<const N: usize> Rounding<N> {
    /// Rounds one more share of a class up. Returns whether this was possible.
    fn place(&mut self, class: usize, seen: &mut [bool; N]) -> bool {
        for part in 0..N {
            if !self.fractional[class][part] || self.up[class][part] || seen[part] {
                continue;
            }
            seen[part] = true;
            if self.room[part] > 0 {
                self.room[part] -= 1;
                self.up[class][part] = true;
                return true;
            }
            for other in 0..self.up.len() {
                if self.up[other][part] && self.place(other, seen) {
                    self.up[other][part] = false;
                    self.up[class][part] = true;
                    return true;
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;
    use wengert_tensor::Philox;

    /// Random tables have the right sums, and every number is within one of the exact share.
    #[test]
    fn quotas_have_the_right_sums_and_differ_from_the_share_by_less_than_one() {
        let mut rng = Philox::new(3);
        for _ in 0..2000 {
            let classes: Vec<usize> =
                (0..rng.random_range(1..8)).map(|_| rng.random_range(0..40)).collect();
            let n: usize = classes.iter().sum();
            let mut cuts = [0, n, rng.random_range(0..=n), rng.random_range(0..=n)];
            cuts.sort_unstable();
            let lengths = [cuts[1] - cuts[0], cuts[2] - cuts[1], cuts[3] - cuts[2]];
            let table = quotas(&classes, lengths);
            for (row, &size) in table.iter().zip(&classes) {
                assert_eq!(row.iter().sum::<usize>(), size);
                for (&count, length) in row.iter().zip(lengths) {
                    let exact = (size * length) as f64 / n.max(1) as f64;
                    assert!((count as f64 - exact).abs() < 1.0, "{count} for {exact}");
                }
            }
            for part in 0..3 {
                assert_eq!(table.iter().map(|row| row[part]).sum::<usize>(), lengths[part]);
            }
        }
    }

    #[test]
    fn fractions_are_converted_to_lengths() {
        assert_eq!(f64::lengths([0.7, 0.3], 10), Ok([7, 3]));
        assert_eq!(f64::lengths([0.1; 10], 60_000), Ok([6000; 10]));
        assert_eq!(f64::lengths([1.0 / 3.0; 3], 10), Ok([4, 3, 3]));
        assert_eq!(f64::lengths([0.0, 1.0], 7), Ok([0, 7]));
        assert_eq!(f64::lengths([0.5, 0.5], 0), Ok([0, 0]));
        assert!(f64::lengths([0.5, 0.4], 10).is_err());
        assert!(f64::lengths([-0.5, 1.5], 10).is_err());
        assert!(f64::lengths([f64::NAN, 1.0], 10).is_err());
    }
}
