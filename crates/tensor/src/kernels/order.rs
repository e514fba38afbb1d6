//! The positions of elements by their order along the middle of three axes: sorting, the k-th
//! smallest, medians, modes and running extremes. Elements are compared by their
//! [keys](crate::number::Scalar::key), so that the loops are compiled once for all types.

use crate::machine::{Shared, cost, ranges};

/// Which positions of a line are wanted. Of equal elements the one with the lower index comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinePick {
    /// The k smallest, in ascending order.
    Ascending,
    /// The k largest, in descending order.
    Descending,
    /// The k-th smallest, counted from 1.
    Kth,
    /// The lower median; the first NaN if there is one.
    Median,
    /// The most frequent element. Of equally frequent elements the smallest, and its last occurrence.
    Mode,
    /// The largest element so far. Of equal elements the last.
    RunningMax,
    /// The smallest element so far. Of equal elements the last.
    RunningMin,
}

impl LinePick {
    /// Returns the number of positions for a line of `n` elements.
    pub fn count(self, n: usize, k: usize) -> usize {
        match self {
            LinePick::Ascending | LinePick::Descending => k,
            LinePick::Kth | LinePick::Median | LinePick::Mode => 1,
            LinePick::RunningMax | LinePick::RunningMin => n,
        }
    }
}

/// Writes the keys of the elements at `start`, `start + step`, ….
pub(crate) type Keys<'a> = dyn Fn(usize, usize, &mut [u64]) + Sync + 'a;

/// Writes the positions for each line. `nan` is the key of NaN, if the type has one. `k` is at most n.
pub(crate) fn positions(
    order: LinePick,
    [outer, n, inner]: [usize; 3],
    k: usize,
    nan: Option<u64>,
    keys: &Keys<'_>,
    out: &mut [i64],
) {
    let (lines, count) = (outer * inner, order.count(n, k));
    assert!(out.len() == lines * count);
    let to = Shared(out.as_mut_ptr());
    let levels = n.max(2).ilog2() as usize;
    ranges(lines, cost(&[lines, n, levels]), 1, |range| {
        let (mut line, mut pairs) = (vec![0; n], Vec::with_capacity(n));
        for at in range {
            let (block, column) = (at / inner, at % inner);
            keys(block * n * inner + column, inner, &mut line);
            found(order, k, nan, &line, &mut pairs);
            for (i, &(_, position)) in pairs.iter().enumerate() {
                // SAFETY: each line has its own places in the result, which has `count` for each line.
                unsafe { *to.get().add((block * count + i) * inner + column) = position.into() }
            }
        }
    });
}

/// Replaces `pairs` by the wanted positions of a line, each with a key.
fn found(order: LinePick, k: usize, nan: Option<u64>, line: &[u64], pairs: &mut Vec<(u64, u32)>) {
    pairs.clear();
    let all = line.iter().zip(0u32..);
    match order {
        LinePick::Ascending => pairs.extend(all.map(|(&key, i)| (key, i))),
        LinePick::Descending => pairs.extend(all.map(|(&key, i)| (!key, i))),
        LinePick::Kth | LinePick::Mode => pairs.extend(all.map(|(&key, i)| (key, i))),
        LinePick::Median => {
            if let Some(at) = line.iter().position(|&key| Some(key) == nan) {
                return pairs.push((0, at as u32));
            }
            pairs.extend(all.map(|(&key, i)| (key, i)));
        }
        LinePick::RunningMax | LinePick::RunningMin => {
            let of =
                |key| if order == LinePick::RunningMax || Some(key) == nan { key } else { !key };
            let mut best = (0, 0);
            pairs.extend(all.map(|(&key, i)| {
                if of(key) >= best.0 {
                    best = (of(key), i);
                }
                best
            }));
        }
    }
    let kth = match order {
        LinePick::Ascending | LinePick::Descending => {
            if k < pairs.len() {
                pairs.select_nth_unstable(k);
                pairs.truncate(k);
            }
            return pairs.sort_unstable();
        }
        LinePick::RunningMax | LinePick::RunningMin => return,
        LinePick::Kth => *pairs.select_nth_unstable(k - 1).1,
        LinePick::Median => *pairs.select_nth_unstable((line.len() - 1) / 2).1,
        LinePick::Mode => {
            pairs.sort_unstable();
            let runs = pairs.chunk_by(|a, b| a.0 == b.0);
            let longest = runs.reduce(|a, b| if b.len() > a.len() { b } else { a });
            longest.and_then(<[_]>::last).copied().expect("a line has elements")
        }
    };
    pairs.clear();
    pairs.push(kth);
}
