//! The order in which operands are multiplied.

use super::{LABELS, Set, Subscripts, bits};
use crate::layout::MAX_RANK;
use smallvec::SmallVec;

/// Up to this number of operands, all orders of contraction are compared. Their number of products of
/// subsets is 3ⁿ.
const COMPARED: usize = 8;

/// Returns the product of the sizes of a set of indices.
pub fn volume(mut set: Set, sizes: &[usize; LABELS]) -> f64 {
    let mut product = 1.0;
    while set != 0 {
        product *= sizes[set.trailing_zeros() as usize] as f64;
        set &= set - 1;
    }
    product
}

/// Returns the pairs of operands to be multiplied, one after the other. The result takes the place of the
/// first of the pair. The cost of a product is the product of the sizes of all indices of both. `None` if an
/// intermediate result would have too many axes.
pub fn order(
    values: &[Subscripts],
    output: Set,
    sizes: &[usize; LABELS],
) -> Option<Vec<[usize; 2]>> {
    let sets: SmallVec<[Set; COMPARED]> = values.iter().map(|labels| bits(labels)).collect();
    match sets.len() {
        0 | 1 => Some(vec![]),
        2 => Some(vec![[0, 1]]),
        3..=COMPARED => cheapest(&sets, output, sizes),
        _ => greedy(sets, output, sizes),
    }
}

fn fits(set: Set) -> bool {
    set.count_ones() as usize <= MAX_RANK
}

/// Returns the order of the least cost. The best order of a set of operands follows from those of its parts.
fn cheapest(sets: &[Set], output: Set, sizes: &[usize; LABELS]) -> Option<Vec<[usize; 2]>> {
    let all = (1usize << sets.len()) - 1;
    let union = |part: usize| {
        (0..sets.len()).filter(|i| part >> i & 1 == 1).fold(0, |set, i| set | sets[i])
    };
    // The indices that the product of each part has.
    let left: Vec<Set> =
        (0..=all).map(|part| union(part) & (output | union(all & !part))).collect();
    // For each part the least cost, and the half that is computed first.
    let mut best = vec![(f64::INFINITY, 0usize); all + 1];
    for part in 1..=all {
        if part.is_power_of_two() {
            best[part] = (0.0, 0);
            continue;
        }
        let lowest = part & part.wrapping_neg();
        let mut half = (part - 1) & part;
        while half > 0 && fits(left[part]) {
            if half & lowest != 0 {
                let rest = part & !half;
                let own = volume(left[half] | left[rest], sizes);
                let cost = best[half].0 + best[rest].0 + own;
                if cost < best[part].0 {
                    best[part] = (cost, half);
                }
            }
            half = (half - 1) & part;
        }
    }
    let mut pairs = vec![];
    (best[all].0 < f64::INFINITY).then(|| {
        written(all, &best, &mut pairs);
        pairs
    })
}

/// Writes the products of a part, and returns the place of the result.
fn written(part: usize, best: &[(f64, usize)], pairs: &mut Vec<[usize; 2]>) -> usize {
    if part.is_power_of_two() {
        return part.trailing_zeros() as usize;
    }
    let half = best[part].1;
    let pair = [written(half, best, pairs), written(part & !half, best, pairs)];
    pairs.push(pair);
    pair[0]
}

/// Multiplies, again and again, the pair whose result is the smallest, compared with the two operands.
fn greedy(
    mut sets: SmallVec<[Set; COMPARED]>,
    output: Set,
    sizes: &[usize; LABELS],
) -> Option<Vec<[usize; 2]>> {
    let mut left: Vec<usize> = (0..sets.len()).collect();
    let mut pairs = vec![];
    while left.len() > 1 {
        let mut best: Option<([f64; 2], [usize; 2], Set)> = None;
        for (i, &a) in left.iter().enumerate() {
            for &b in &left[i + 1..] {
                let others = left.iter().filter(|&&it| it != a && it != b);
                let needed = others.fold(output, |set, &it| set | sets[it]);
                let (all, result) = (sets[a] | sets[b], (sets[a] | sets[b]) & needed);
                let of = |set| volume(set, sizes);
                let cost = [of(result) - of(sets[a]) - of(sets[b]), of(all)];
                if fits(result) && best.is_none_or(|(known, ..)| cost < known) {
                    best = Some((cost, [a, b], result));
                }
            }
        }
        let (_, [a, b], result) = best?;
        sets[a] = result;
        left.retain(|&it| it != b);
        pairs.push([a, b]);
    }
    Some(pairs)
}
