//! Kernels that normalise: softmax, layer normalisation, mean and variance.
//!
//! Each of them reads a line of numbers several times: once for its largest number or its mean, once for a sum
//! over what remains, once to write the result. A line of some thousand numbers stays in the first or second
//! cache between these passes, so that main memory sees one pass. The order in which the numbers of a line are
//! added depends on its length alone: results do not depend on the number of threads.
//!
//! A line of softmax that is longer than [`LONGEST`] numbers does not stay in a cache. The methods of tensors use
//! reductions and pointwise programs for it.

mod layer_norm;
mod moments;
mod softmax;

pub(crate) use layer_norm::{LayerNormGradient, layer_norm, layer_norm_gradient};
pub(crate) use moments::{SHORTEST, moments};
pub(crate) use softmax::{softmax, softmax_gradient};

use crate::kernels::reduce::{LANES, LEAF, sum_of_lanes};
use crate::number::Math;

/// The greatest number of elements of a line of softmax.
pub(crate) const LONGEST: usize = super::reduce::BLOCK;

/// Adds N terms for each element of rows, each along the tree of a leaf. Leaves are added one after the other, in `f64`.
/// `term` gets the elements of the M operands.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // the indices are numbers of lanes and of operands
fn sums<T: Math, const M: usize, const N: usize>(
    rows: [&[T]; M],
    term: impl Fn([T; M]) -> [T; N],
) -> [T; N] {
    let n = rows[0].len();
    let mut totals = [0.0; N];
    let mut start = 0;
    while start < n {
        let end = n.min(start + LEAF);
        let leaf: [&[T]; M] = std::array::from_fn(|m| &rows[m][start..end]);
        let chunks: [(&[[T; LANES]], &[T]); M] = std::array::from_fn(|m| leaf[m].as_chunks());
        let mut lanes = [[T::default(); LANES]; N];
        for step in 0..(end - start) / LANES {
            let numbers: [&[T; LANES]; M] = std::array::from_fn(|m| &chunks[m].0[step]);
            for l in 0..LANES {
                let terms = term(std::array::from_fn(|m| numbers[m][l]));
                for k in 0..N {
                    lanes[k][l] = lanes[k][l] + terms[k];
                }
            }
        }
        for l in 0..(end - start) % LANES {
            let terms = term(std::array::from_fn(|m| chunks[m].1[l]));
            for k in 0..N {
                lanes[k][l] = lanes[k][l] + terms[k];
            }
        }
        for k in 0..N {
            totals[k] += sum_of_lanes(&lanes[k]).widen();
        }
        start = end;
    }
    std::array::from_fn(|k| T::narrow(totals[k]))
}
