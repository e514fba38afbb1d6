//! Random orders that depend on a seed alone, and stay the same from one release to the next.

use rand::Rng;
use wengert_tensor::Philox;

/// Of the streams that a seed has, those from here on are used here: a program that makes its own
/// generator from the same seed gets other numbers.
const FIRST_STREAM: u64 = 1 << 63;

/// The numbers `0..n` in the order that belongs to this seed and stream.
///
/// Fisher and Yates' shuffle (R. Durstenfeld, CACM 7(7), 1964) with numbers from Philox4x32-10
/// (J. K. Salmon et al., 2011), brought into range without bias (D. Lemire, 2019). Written out
/// because the shuffle of a library may change with its version, and with it every training run.
pub(crate) fn permutation(n: usize, seed: u64, stream: u64) -> Vec<usize> {
    let mut rng = Philox::with_stream(seed, FIRST_STREAM ^ stream);
    let mut order: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        order.swap(last, below(&mut rng, last as u64 + 1) as usize);
    }
    order
}

/// A number in `0..bound`, all equally likely: the high half of a product, where the few low
/// halves that would favour some numbers are drawn again.
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
    fn each_number_once() {
        for n in [0, 1, 2, 3, 100, 1000] {
            let mut order = permutation(n, 7, 3);
            order.sort_unstable();
            assert!(order.into_iter().eq(0..n));
        }
    }

    #[test]
    fn seed_and_stream_both_count() {
        assert_eq!(permutation(50, 1, 2), permutation(50, 1, 2));
        assert_ne!(permutation(50, 1, 2), permutation(50, 2, 2));
        assert_ne!(permutation(50, 1, 2), permutation(50, 1, 3));
        // Seed and stream are not added to each other.
        assert_ne!(permutation(50, 1, 2), permutation(50, 2, 1));
    }

    /// Three quarters of 2⁶⁴ bounds: the upper half of a product alone would give every third number
    /// twice as often as the others, so 3000 of 6000 draws.
    #[test]
    fn numbers_below_a_large_bound_are_equally_likely() {
        let mut rng = Philox::new(5);
        let thirds = (0..6000).filter(|_| below(&mut rng, 3 << 62).is_multiple_of(3)).count();
        assert!((1850..2150).contains(&thirds), "{thirds}"); // four standard deviations
    }

    /// Chi-squared of the 24 orders of four numbers, 23 degrees of freedom: over 49.7 once in 1000.
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
