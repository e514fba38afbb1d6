use super::*;
use crate::kernels::Philox;
use crate::testing::panics_here;
use rand::TryRng;
use rand::rand_core::Infallible;

/// Checks that mean and variance of n numbers lie within five standard errors of those of the distribution.
fn assert_moments(x: &[f64], mean: f64, variance: f64, kurtosis: f64) {
    let n = x.len() as f64;
    let m = x.iter().sum::<f64>() / n;
    let v = x.iter().map(|x| (x - m).powi(2)).sum::<f64>() / n;
    assert!((m - mean).abs() < 5.0 * (variance / n).sqrt(), "mean {m}");
    assert!((v - variance).abs() < 5.0 * variance * ((kurtosis - 1.0) / n).sqrt(), "variance {v}");
}

#[test]
fn uniform_numbers_have_the_right_moments() {
    let mut rng = Philox::new(11);
    let x = Tensor::uniform(&[100, 1001], -1.0, 3.0, &mut rng);
    let numbers: Vec<f64> = x.to_vec().into_iter().map(f64::from).collect();
    assert!(numbers.iter().all(|x| (-1.0..3.0).contains(x)));
    assert_moments(&numbers, 1.0, 16.0 / 12.0, 1.8);
    let y = Tensor::<f64>::uniform_of(&[100_001], 0.0, 1.0, &mut rng);
    assert_moments(&y.to_vec(), 0.5, 1.0 / 12.0, 1.8);
    // Each number takes one word of the generator, so a part can be generated again.
    let tail = Tensor::uniform(&[7], -1.0, 3.0, &mut Philox::from_state([11, 0, 1001]));
    assert_eq!(tail.to_vec(), x.to_vec()[1001..1008]);
    assert_eq!(rng.state()[2], 100_100 + 2 * 100_001);
}

/// The bits of the numbers must not change.
#[test]
fn uniform_numbers_have_the_recorded_bits() {
    let x = Tensor::uniform(&[4], 0.0, 1.0, &mut Philox::new(0));
    let expected = [0x6627e8u32, 0xe169c5, 0xbc57ac, 0x9b00db].map(|bits| bits as f32 / 16777216.0);
    assert_eq!(x.to_vec(), expected);
    let x = Tensor::<f64>::uniform_of(&[1], 0.0, 1.0, &mut Philox::new(0));
    assert_eq!(x.item(), (0xe169c58d_6627e8d5u64 >> 11) as f64 / 9007199254740992.0);
}

#[test]
fn uniform_numbers_are_below_the_upper_end() {
    struct Ones;
    impl TryRng for Ones {
        type Error = Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok(!0)
        }
        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(!0)
        }
        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
            bytes.fill(!0);
            Ok(())
        }
    }
    for (low, high) in [(0.0, 1.0), (1.0, 2.0), (-3.0, 100.0), (1e6, 1e6 + 1.0), (-1.0, 0.0)] {
        let x = Tensor::uniform(&[3], low, high, &mut Ones).to_vec();
        assert!(x.iter().all(|&x| (low as f32) <= x && x < high as f32), "{low} {high} {x:?}");
        let x = Tensor::<f64>::uniform_of(&[3], low, high, &mut Ones).to_vec();
        assert!(x.iter().all(|&x| low <= x && x < high), "{low} {high} {x:?}");
    }
    assert_eq!(Tensor::uniform(&[1], 2.0, 2.0, &mut Ones).item(), 2.0);
    assert!(Tensor::normal(&[3], 0.0, 1.0, &mut Ones).to_vec().iter().all(|x| x.is_finite()));
}

#[test]
fn normal_numbers_have_the_right_moments() {
    let mut rng = Philox::new(5);
    let x = Tensor::normal(&[100_001], 2.0, 3.0, &mut rng);
    let numbers: Vec<f64> = x.to_vec().into_iter().map(f64::from).collect();
    assert_moments(&numbers, 2.0, 9.0, 3.0);
    let inside = numbers.iter().filter(|x| (*x - 2.0).abs() < 3.0).count() as f64 / 100_001.0;
    assert!((inside - 0.682_689).abs() < 0.0075, "{inside} within one deviation");
    let y = Tensor::<f64>::normal_of(&[50_000, 2], 0.0, 1.0, &mut rng);
    assert_moments(&y.to_vec(), 0.0, 1.0, 3.0);
    let product: f64 = y.to_vec().chunks(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / 50_000.0;
    assert!(
        product.abs() < 5.0 / 50_000f64.sqrt(),
        "the two of a pair are correlated by {product}"
    );
    assert_eq!(Tensor::normal(&[2], 1.5, 0.0, &mut rng).to_vec(), [1.5, 1.5]);
    assert_eq!(Tensor::normal(&[0], 0.0, 1.0, &mut rng).numel(), 0);
}

#[test]
fn permutations_have_each_number_once() {
    let mut rng = Philox::new(9);
    let mut x = Tensor::permutation(1000, &mut rng).to_vec();
    assert_ne!(x[..5], [0, 1, 2, 3, 4]);
    x.sort_unstable();
    assert!(x.iter().enumerate().all(|(i, &x)| x == i as i64));
    // All six orders of three numbers must be equally frequent.
    let mut counts = [0; 27];
    for _ in 0..6000 {
        let x = Tensor::permutation(3, &mut rng).to_vec();
        counts[(x[0] * 9 + x[1] * 3 + x[2]) as usize] += 1;
    }
    assert!(counts.iter().all(|&count| count == 0 || (850..1150).contains(&count)), "{counts:?}");
    assert_eq!(
        Tensor::permutation(0, &mut rng).numel() + Tensor::permutation(1, &mut rng).numel(),
        1
    );
}

#[test]
fn dropout_masks_depend_only_on_key_and_counter() {
    let mask = keep_mask::<f32>(&[600, 1000], 77, 3, 0.3);
    let kept: f64 = mask.to_vec().iter().map(|&x| f64::from(x)).sum();
    assert!((kept / 6e5 - 0.3).abs() < 5.0 * (0.21f64 / 6e5).sqrt());
    let mut rng = Philox::with_stream(77, 3);
    let threshold = (0.3 * 4294967296f64).round();
    let expected: Vec<bool> = (0..600_000).map(|_| f64::from(rng.next_u32()) < threshold).collect();
    assert_eq!(keep_mask::<bool>(&[600_000], 77, 3, 0.3).to_vec(), expected);
    assert_eq!(mask.cast::<bool>().to_vec(), expected);
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one_thread.install(|| keep_mask::<f32>(&[600, 1000], 77, 3, 0.3)), mask);
    assert_eq!(keep_mask::<u8>(&[130], 1, 0, 1.0), Tensor::ones_of(&[130]));
    assert_eq!(keep_mask::<u8>(&[130], 1, 0, 0.0), Tensor::zeros_of(&[130]));
    assert_ne!(keep_mask::<f32>(&[600, 1000], 77, 4, 0.3), mask);
}

#[test]
fn panics_name_operation_shape_and_caller() {
    let mut rng = Philox::new(0);
    panics_here("uniform: the bounds must be finite and in order, got 2 and 1 (shape [3])", || {
        drop(Tensor::uniform(&[3], 2.0, 1.0, &mut rng));
    });
    let mut rng = Philox::new(0);
    panics_here(
        "uniform: the bounds must be finite and in order, got NaN and 1 (shape [3])",
        || {
            drop(Tensor::<f64>::uniform_of(&[3], f64::NAN, 1.0, &mut rng));
        },
    );
    let mut rng = Philox::new(0);
    panics_here(
        "normal: the mean must be finite, and the standard deviation finite and at least 0; got mean 0 and standard deviation -1 (shape [3])",
        || {
            drop(Tensor::normal(&[3], 0.0, -1.0, &mut rng));
        },
    );
    panics_here("keep_mask: the probability must be from 0 to 1, got 1.5 (shape [3])", || {
        drop(keep_mask::<f32>(&[3], 0, 0, 1.5));
    });
}

#[test]
fn integers_are_uniform_and_depend_on_their_position_alone() {
    let rng = &mut Philox::new(2);
    let dice = Tensor::integers([6000, 10], -2, 5, rng).to_vec();
    let counts = (-2..5).map(|k| dice.iter().filter(|&&x| x == k).count() as f64);
    let n = dice.len() as f64;
    let statistic: f64 = counts.map(|count| (count - n / 7.0).powi(2) / (n / 7.0)).sum();
    assert!(statistic < 27.9, "{statistic}"); // P = 1e-4 for six degrees of freedom
    let same = Tensor::integers([60], -2, 5, &mut Philox::new(2)).to_vec();
    assert_eq!(same, dice[..60]);
    // The next draw differs.
    assert_ne!(Tensor::integers([60], -2, 5, rng).to_vec(), same);
    // Bounds that reject many words, and the whole range.
    let wide = Tensor::integers([20_000], i64::MIN, i64::MAX, rng).to_vec();
    let negative = wide.iter().filter(|&&x| x < 0).count() as f64;
    assert!((negative - 1e4).abs() < 350.0, "{negative}");
    let most = Tensor::integers([20_000], 0, 3 << 61, rng).to_vec();
    let third = most.iter().filter(|&&x| x < 1 << 61).count() as f64;
    assert!((third - 2e4 / 3.0).abs() < 300.0, "{third}");
    assert!(most.iter().all(|x| (0..3 << 61).contains(x)));
    assert_eq!(Tensor::integers([3], 7, 8, rng).to_vec(), [7, 7, 7]);
    assert_eq!(Tensor::integers([0, 2], 0, 1, rng).shape(), [0, 2]);
    panics_here(
        "integers: low must be less than high, which is excluded; got 3 and 3 (shape [2])",
        || {
            drop(Tensor::integers([2], 3, 3, &mut Philox::new(0)));
        },
    );
}

/// Two numbers for each two words, in order, however the work is divided; the second of a last pair may be left out.
/// The formulas are computed with the standard library.
#[test]
fn normal_numbers_are_those_of_the_words_in_order() {
    let box_muller = |u: f64, v: f64| {
        let radius = (-2.0 * u.ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * v).sin_cos();
        [radius * cos, radius * sin]
    };
    for n in [1usize, 2, 7, 127, 128, 129, 40_001, 70_000] {
        let mut words = Philox::new(3);
        let x = Tensor::normal(&[n], 1.0, 2.0, &mut Philox::new(3)).to_vec();
        let mut rounded_otherwise = 0;
        for pair in x.chunks(2) {
            let (u, v) = (words.next_u32(), words.next_u32());
            let u = (f64::from(u) + 1.0) * 2f64.powi(-32);
            let z = box_muller(u, f64::from(v) * 2f64.powi(-32));
            for (x, z) in pair.iter().zip(z) {
                let expected = (1.0 + 2.0 * z) as f32;
                assert!((x - expected).abs() <= f32::EPSILON * expected.abs(), "{x} {expected}");
                rounded_otherwise += usize::from(*x != expected);
            }
        }
        assert!(rounded_otherwise < 2, "{rounded_otherwise} of {n}");
        let mut rng = Philox::new(3);
        let y = Tensor::<f64>::normal_of(&[n], 0.0, 1.0, &mut rng).to_vec();
        assert_eq!(rng.state()[2], 4 * n.div_ceil(2) as u64);
        let mut words = Philox::new(3);
        for pair in y.chunks(2) {
            let u = unit53(words.next_u64()) + 2f64.powi(-53);
            let radius = (-2.0 * u.ln()).sqrt();
            let z = box_muller(u, unit53(words.next_u64()));
            for (y, z) in pair.iter().zip(z) {
                // The angle 2πv is rounded in the formula, and turns are not.
                assert!((y - z).abs() <= 1.2e-15 * z.abs().max(radius), "{y} {z}");
            }
        }
    }
}

/// The same bits for every instruction set, on every processor and system.
#[test]
fn normal_numbers_have_these_bits_everywhere() {
    let bits = |seed: u64| {
        let y = Tensor::<f64>::normal_of(&[1001], 0.0, 1.0, &mut Philox::new(seed)).to_vec();
        y.iter().fold(0u64, |hash, y| hash.rotate_left(7) ^ y.to_bits())
    };
    assert_eq!(
        [0, 1, 2].map(bits),
        [6452065862082008011, 10163451320801153316, 7258289914315801180]
    );
}

/// The smallest and the largest words: the ends of both intervals.
#[test]
fn normal_numbers_of_extreme_words() {
    struct Words(std::vec::IntoIter<u32>);
    impl TryRng for Words {
        type Error = Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok(self.0.next().unwrap())
        }
        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            unreachable!()
        }
        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
            for four in bytes.chunks_mut(4) {
                four.copy_from_slice(&self.0.next().unwrap().to_le_bytes());
            }
            Ok(())
        }
    }
    let (all, quarter) = (u32::MAX, 1 << 30);
    let words = vec![0, 0, 0, quarter, 0, 2 * quarter, 0, 3 * quarter, all, 0, all, all];
    let x = Tensor::normal(&[12], 0.0, 1.0, &mut Words(words.into_iter())).to_vec();
    let most = (64.0 * 2f64.ln()).sqrt() as f32;
    let turns = [most, 0.0, 0.0, most, -most, 0.0, 0.0, -most, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(x, turns);
}
