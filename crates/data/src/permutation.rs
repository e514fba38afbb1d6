//! Random permutations that depend only on the seed and the stream, and are the same in all releases.

use rand::Rng;
use wengert_tensor::Philox;

/// The first random stream of a seed that permutations use. A program that creates its own generator from
/// the same seed therefore gets different numbers.
const FIRST_STREAM: u64 = 1 << 63;

/// Returns the random permutation of `0..n` for this seed and stream.
///
/// This is the Fisher-Yates shuffle (R. Durstenfeld, CACM 7(7), 1964) with random numbers from Philox4x32-10
/// (J. K. Salmon et al., 2011), reduced to the range without bias (D. Lemire, 2019). The shuffle of a library
/// is not used, because a new version of the library could change the results of training.
pub(crate) fn permutation(n: usize, seed: u64, stream: u64) -> Vec<usize> {
    let mut rng = Philox::with_stream(seed, FIRST_STREAM ^ stream);
    let mut order: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        order.swap(last, below(&mut rng, last as u64 + 1) as usize);
    }
    order
}

/// Returns a uniform random number in `0..bound`: the high half of the product of a random number and
/// `bound`. Products whose low half would bias the result are drawn again.
pub(crate) fn below(rng: &mut impl Rng, bound: u64) -> u64 {
    let unfair = bound.wrapping_neg() % bound;
    loop {
        let product = u128::from(rng.next_u64()) * u128::from(bound);
        if product as u64 >= unfair {
            return (product >> 64) as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_has_each_number_once() {
        for n in [0, 1, 2, 3, 100, 1000] {
            let mut order = permutation(n, 7, 3);
            order.sort_unstable();
            assert!(order.into_iter().eq(0..n));
        }
    }

    #[test]
    fn permutations_differ_by_seed_and_by_stream() {
        assert_eq!(permutation(50, 1, 2), permutation(50, 1, 2));
        assert_ne!(permutation(50, 1, 2), permutation(50, 2, 2));
        assert_ne!(permutation(50, 1, 2), permutation(50, 1, 3));
        // Seed and stream must not simply be added.
        assert_ne!(permutation(50, 1, 2), permutation(50, 2, 1));
    }

    /// With a bound of ¾ · 2⁶⁴, the high half of the product without rejection would give every third number
    /// twice as often as the others, in 3000 of 6000 draws.
    #[test]
    fn numbers_below_a_large_bound_are_equally_likely() {
        let mut rng = Philox::new(5);
        let thirds = (0..6000).filter(|_| below(&mut rng, 3 << 62).is_multiple_of(3)).count();
        assert!((1850..2150).contains(&thirds), "{thirds}"); // four standard deviations
    }

    /// The chi-squared statistic of the 24 permutations of four numbers, with 23 degrees of freedom, exceeds
    /// 49.7 once in 1000 cases.
    #[test]
    fn all_orders_are_equally_likely() {
        let mut counts = std::collections::HashMap::new();
        let draws = 24_000;
        for stream in 0..draws {
            *counts.entry(permutation(4, 99, stream)).or_insert(0.0) += 1.0;
        }
        let expected = draws as f64 / 24.0;
        let chi2: f64 = counts.values().map(|n: &f64| (n - expected).powi(2) / expected).sum();
        assert!(counts.len() == 24 && chi2 < 49.7, "{chi2}");
    }
}
