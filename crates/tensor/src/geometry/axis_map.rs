//! Sparse linear maps along one axis: each output depends on a few inputs.

use crate::layout::MAX_SIZE;
use smallvec::SmallVec;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A linear map along one axis, given as a sparse matrix: `y[…, o, …] = Σ weight·x[…, i, …]` over the
/// entries (i, weight) of row o.
///
/// `clone` is cheap: copies share the entries.
///
/// ```
/// use wengert::tensor::{AxisMap, Tensor};
/// // Differences of neighbours.
/// let map = AxisMap::new(4, (0..3).map(|o| [(o, -1.0), (o + 1, 1.0)]));
/// let x = Tensor::from([[1.0, 4.0, 9.0, 16.0]]);
/// assert_eq!(x.map_axis(1, &map).to_vec(), [3.0, 5.0, 7.0]);
/// let y = Tensor::from([[1.0, 0.0, 2.0]]);
/// assert_eq!(y.map_axis_transposed(1, &map).to_vec(), [-1.0, 1.0, -2.0, 2.0]);
/// ```
#[derive(Clone)]
pub struct AxisMap(Arc<Entries>);

struct Entries {
    inputs: usize,
    rows: SparseRows,
    /// The transposed matrix, computed when it is first needed.
    columns: OnceLock<SparseRows>,
}

/// The entries of all rows, one row after the other. Row o has the entries from `starts[o]` to before
/// `starts[o + 1]`. Every input is below the size of the axis.
#[derive(PartialEq)]
pub struct SparseRows {
    pub(crate) starts: Vec<u32>,
    pub(crate) inputs: Vec<u32>,
    pub(crate) weights: Vec<f64>,
    /// Whether all entries of a row have the same weight, for every row. Then the inputs of a row are summed
    /// first, and the sum is multiplied once.
    pub(crate) even: bool,
    /// If `even`, the divisor of the sum of each row, or 0 if the sum is multiplied by the weight instead.
    pub(crate) divisors: Vec<f64>,
}

impl AxisMap {
    /// Returns the map with these rows of (input, weight), for an axis of size `inputs`. A row without
    /// entries gives zero.
    ///
    /// # Panics
    /// If an input is not below `inputs`, or there are more inputs or entries than 32 bits can count.
    #[track_caller]
    pub fn new<R>(inputs: usize, rows: impl IntoIterator<Item = R>) -> Self
    where
        R: IntoIterator<Item = (usize, f64)>,
    {
        assert!(
            inputs <= MAX_SIZE,
            "AxisMap: {inputs} inputs are too many: no axis has more than {MAX_SIZE} indices"
        );
        let mut entries = SparseRows {
            starts: vec![0],
            inputs: vec![],
            weights: vec![],
            even: true,
            divisors: vec![],
        };
        for (o, row) in rows.into_iter().enumerate() {
            for (input, weight) in row {
                assert!(
                    input < inputs && u32::try_from(entries.inputs.len() + 1).is_ok(),
                    "AxisMap: row {o} reads input {input}, but there are {inputs} inputs; a map has at most 2³² - 1 entries"
                );
                entries.inputs.push(input as u32);
                entries.weights.push(weight);
            }
            entries.starts.push(entries.inputs.len() as u32);
        }
        entries.find_even();
        AxisMap(Arc::new(Entries { inputs, rows: entries, columns: OnceLock::new() }))
    }

    /// Returns the size of the axis to which the map is applied.
    pub fn inputs(&self) -> usize {
        self.0.inputs
    }

    /// Returns the size of the axis in the result, which is the number of rows.
    pub fn outputs(&self) -> usize {
        self.0.rows.len()
    }

    pub(crate) fn rows(&self, transposed: bool) -> &SparseRows {
        let entries = &*self.0;
        if !transposed {
            return &entries.rows;
        }
        entries.columns.get_or_init(|| entries.rows.transposed(entries.inputs))
    }
}

/// Returns the integer whose reciprocal is this weight, or 0 if there is none or if the weight is a
/// power of two. Dividing a sum by this number rounds less than multiplying by the rounded weight: the
/// average of ones is exactly one.
fn divisor(weight: f64) -> f64 {
    let integer = (1.0 / weight).round();
    let exact = weight.to_bits() << 12 == 0; // a power of two
    if !exact && integer.abs() <= f64::from(u32::MAX) && 1.0 / integer == weight {
        integer
    } else {
        0.0
    }
}

impl SparseRows {
    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    fn find_even(&mut self) {
        let row = |ends: &[u32]| &self.weights[ends[0] as usize..ends[1] as usize];
        let mut rows = self.starts.windows(2).map(row);
        self.even = rows.all(|weights| weights.iter().all(|weight| weight == &weights[0]));
        if self.even {
            let rows = self.starts.windows(2).map(row);
            self.divisors = rows
                .map(|weights| weights.first().map_or(0.0, |&weight| divisor(weight)))
                .collect();
        }
    }

    /// Returns the transposed matrix. The entries of a column are sorted by row, so that sums have a fixed
    /// order.
    fn transposed(&self, columns: usize) -> SparseRows {
        let mut starts = vec![0u32; columns + 1];
        for &input in &self.inputs {
            starts[input as usize + 1] += 1;
        }
        for column in 0..columns {
            starts[column + 1] += starts[column];
        }
        let mut next = starts.clone();
        let (mut inputs, mut weights) = (vec![0; self.inputs.len()], vec![0.0; self.weights.len()]);
        for o in 0..self.len() {
            for k in self.starts[o] as usize..self.starts[o + 1] as usize {
                let place = &mut next[self.inputs[k] as usize];
                (inputs[*place as usize], weights[*place as usize]) = (o as u32, self.weights[k]);
                *place += 1;
            }
        }
        let mut columns = SparseRows { starts, inputs, weights, even: true, divisors: vec![] };
        columns.find_even();
        columns
    }
}

/// Prints the sizes only, because a map may have thousands of entries.
impl fmt::Debug for AxisMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AxisMap({} → {})", self.inputs(), self.outputs())
    }
}

impl AxisMap {
    /// Returns a hash of the entries (FNV-1a: Fowler, Noll, Vo, 1991).
    #[doc(hidden)]
    pub fn fingerprint(&self) -> u64 {
        let SparseRows { starts, inputs, weights, .. } = &self.0.rows;
        let words = starts.iter().chain(inputs).map(|&n| u64::from(n));
        let words = words.chain(weights.iter().map(|weight| weight.to_bits()));
        words.fold(0xcbf2_9ce4_8422_2325, |hash, word| (hash ^ word).wrapping_mul(0x0100_0000_01b3))
    }
}

impl PartialEq for AxisMap {
    fn eq(&self, other: &Self) -> bool {
        self.0.inputs == other.0.inputs && self.0.rows == other.0.rows
    }
}

/// Linear maps, applied one after the other, each with its axis.
#[doc(hidden)]
pub type AxisMaps = SmallVec<[(isize, AxisMap); 2]>;
