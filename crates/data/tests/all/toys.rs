//! The embedded tables: numbers of the descriptions that come with them.

use wengert_data::{BreastCancer, Diabetes, Iris, Wine};
use wengert_tensor::Tensor;

/// Returns minimum, maximum and mean of a column.
fn summary(features: &Tensor, column: usize) -> [f32; 3] {
    let numbers = features.narrow(1, column, 1).to_vec();
    let sum: f64 = numbers.iter().map(|&x| f64::from(x)).sum();
    [
        numbers.iter().copied().fold(f32::INFINITY, f32::min),
        numbers.iter().copied().fold(f32::NEG_INFINITY, f32::max),
        (sum / numbers.len() as f64) as f32,
    ]
}

fn counts(labels: &Tensor<i64>) -> Vec<usize> {
    let labels = labels.to_vec();
    (0..3).map(|class| labels.iter().filter(|&&label| label == class).count()).collect()
}

#[test]
fn iris() {
    let iris = Iris::load();
    assert_eq!(counts(&iris.labels), [50, 50, 50]);
    for (column, [low, high, mean]) in
        [[4.3, 7.9, 5.84], [2.0, 4.4, 3.05], [1.0, 6.9, 3.76], [0.1, 2.5, 1.20]]
            .into_iter()
            .enumerate()
    {
        let found = summary(&iris.features, column);
        assert_eq!(found[..2], [low, high]);
        assert!((found[2] - mean).abs() < 0.0101, "{found:?}");
    }
    assert_eq!(iris.dataset().len(), Iris::LEN);
}

#[test]
fn wine() {
    let wine = Wine::load();
    assert_eq!(counts(&wine.labels), [59, 71, 48]);
    assert_eq!(summary(&wine.features, 0)[..2], [11.03, 14.83]);
    assert!((summary(&wine.features, 12)[2] - 746.0).abs() < 1.0);
}

#[test]
fn breast_cancer() {
    let cancer = BreastCancer::load();
    assert_eq!(counts(&cancer.labels), [212, 357, 0]);
    assert_eq!(summary(&cancer.features, 0)[..2], [6.981, 28.11]);
    let [low, high, _] = summary(&cancer.features, 29);
    // The description rounds to three digits.
    assert!((low - 0.055).abs() < 5e-4 && (high - 0.208).abs() < 5.1e-4, "{low} {high}");
}

#[test]
fn diabetes() {
    let diabetes = Diabetes::load();
    assert_eq!(diabetes.features.shape(), [442, 10]);
    let [low, high, mean] = summary(&diabetes.targets.unsqueeze(1), 0);
    assert_eq!((low, high), (25.0, 346.0));
    assert!((mean - 152.13).abs() < 0.01);
    assert_eq!(summary(&diabetes.features, 1)[..2], [1.0, 2.0]);
    assert_eq!(diabetes.dataset().targets().shape(), [442, 1]);
}
