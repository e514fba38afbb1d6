//! Splits that keep the proportions of the classes.

use crate::common::histogram;
use wengert_data::{DataLoader, Digits, Labeled, Subset, TensorDataset, stratified_split};
use wengert_tensor::Tensor;

#[test]
fn a_stratified_split_keeps_the_proportions_of_classes() {
    let digits = Digits::load().dataset();
    let whole = histogram(&digits.labels());
    let parts = stratified_split(&digits, [1400, 197, 200], 7);
    assert_eq!(parts.clone().map(|part| part.indices().len()), [1400, 197, 200]);
    let mut all: Vec<usize> = parts.iter().flat_map(|part| part.indices().to_vec()).collect();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..1797));
    for part in &parts {
        let n = part.indices().len() as f64;
        for (count, whole) in histogram(&part.labels()).into_iter().zip(whole) {
            let exact = whole as f64 * n / 1797.0;
            assert!((count as f64 - exact).abs() < 1.0, "{count}, exactly {exact}");
        }
        assert!(!part.labels().is_sorted(), "classes are mixed");
    }
}

#[test]
fn a_stratified_split_depends_on_the_seed() {
    let digits = Digits::load().dataset();
    let split = |seed| {
        stratified_split(&digits, [0.5, 0.25, 0.25], seed).map(|part| part.indices().to_vec())
    };
    assert_eq!(split(1), split(1));
    assert_ne!(split(1), split(2));
}

#[test]
fn parts_of_a_split_can_be_split_and_loaded() {
    let digits = Digits::load().dataset();
    let some = Subset::new(&digits, (0..1000).rev());
    let [train, valid] = stratified_split(some, [0.8, 0.2], 0);
    let [a, b] = stratified_split(valid, [0.5, 0.5], 0);
    assert_eq!((train.indices().len(), a.indices().len(), b.indices().len()), (800, 100, 100));
    let labels: Vec<i64> = DataLoader::new(&a, 30).iter().flat_map(|(_, y)| y.to_vec()).collect();
    assert_eq!(labels, a.labels());
}

fn set(labels: &[i64]) -> TensorDataset<u8> {
    let n = labels.len();
    TensorDataset::new(Tensor::zeros_of(&[n, 1]), Tensor::from_slice(labels, &[n]))
}

#[test]
fn classes_may_be_any_i64_numbers() {
    let [a, b] = stratified_split(set(&[-7, i64::MAX, -7, i64::MAX]), [2, 2], 0);
    for part in [a, b] {
        let mut labels = part.labels();
        labels.sort_unstable();
        assert_eq!(labels, [-7, i64::MAX]);
    }
    let [a, b] = stratified_split(set(&[]), [0.5, 0.5], 0);
    assert_eq!((a.indices(), b.indices()), (&[][..], &[][..]));
}

#[test]
#[should_panic(expected = "stratified_split: the lengths [2, 1] must add up to the 4 examples")]
fn lengths_that_do_not_add_up_panic() {
    let _ = stratified_split(set(&[0, 1, 0, 1]), [2, 1], 0);
}

#[test]
#[should_panic(expected = "the fractions [0.5, 0.6] must be at least 0 and add up to 1")]
fn fractions_that_do_not_add_up_panic() {
    let _ = stratified_split(set(&[0, 1, 0, 1]), [0.5, 0.6], 0);
}

#[test]
fn lengths_of_fractions_are_rounded_by_largest_remainders() {
    // The exact shares are 1.6, 3.9 and 4.5. Rounded down, they leave two examples over, which go to the
    // parts with the remainders 0.9 and 0.6.
    let parts = stratified_split(set(&[5; 10]), [0.16, 0.39, 0.45], 0);
    assert_eq!(parts.map(|part| part.indices().len()), [2, 4, 4]);
    // The exact shares are 1.2, 2.4, 3.7 and 2.7.
    let parts = stratified_split(set(&[5; 10]), [0.12, 0.24, 0.37, 0.27], 0);
    assert_eq!(parts.map(|part| part.indices().len()), [1, 2, 4, 3]);
}
