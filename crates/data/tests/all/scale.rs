//! Fitted transforms, compared with plain loops in `f64`.

use wengert_data::{
    DataLoader, Dataset, Digits, Iris, MinMax, OneHot, RandomCrop, Standardize, Subset,
    random_split, stratified_split,
};
use wengert_tensor::Tensor;

/// Returns mean and standard deviation of each column, in two passes.
fn moments(rows: &[Vec<f32>]) -> Vec<(f64, f64)> {
    let n = rows.len() as f64;
    let columns = 0..rows[0].len();
    columns
        .map(|column| {
            let numbers = || rows.iter().map(|row| f64::from(row[column]));
            let mean = numbers().sum::<f64>() / n;
            (mean, (numbers().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt())
        })
        .collect()
}

#[test]
fn statistics_are_those_of_the_training_part_alone() {
    let set = Iris::load().dataset();
    let [train, test] = random_split(&set, [100, 50], 3);
    let scale = Standardize::fit(&train);
    let all = set.inputs().to_vec();
    let rows: Vec<Vec<f32>> = train.indices().iter().map(|&i| all[i * 4..][..4].to_vec()).collect();
    for (column, (mean, std)) in moments(&rows).into_iter().enumerate() {
        assert!((f64::from(scale.mean().at(&[column])) - mean).abs() < 1e-6);
        assert!((f64::from(scale.std().at(&[column])) - std).abs() < 1e-6);
        let (x, y) = scale.on(&test).batch(&[7]);
        let (raw, label) = test.batch(&[7]);
        let expected = (f64::from(raw.at(&[0, column])) - mean) / std;
        assert!((f64::from(x.at(&[0, column])) - expected).abs() < 1e-5);
        assert_eq!(y, label);
    }
}

/// A thousand examples and more are read in several batches. A large mean does not spoil the deviation.
#[test]
fn large_numbers_and_many_batches() {
    let x = Tensor::<f32>::from_fn(&[3000, 2], |i| {
        if i % 2 == 0 { 2000.0 + (i / 2 % 3) as f32 } else { 7.0 }
    });
    let scale = Standardize::fit(&x);
    assert_eq!(scale.mean().to_vec(), [2001.0, 7.0]);
    assert!((f64::from(scale.std().at(&[0])) - (2.0f64 / 3.0).sqrt()).abs() < 1e-7);
    // A constant feature is only shifted.
    assert_eq!(scale.std().at(&[1]), 1.0);
    let y = scale.transform(&x);
    assert_eq!((y.at(&[5, 1]), y.at(&[1, 0])), (0.0, 0.0));
}

#[test]
fn channels_of_images() {
    let digits = Digits::load().dataset().with_channel();
    let scale = Standardize::fit(&digits);
    assert_eq!(scale.mean().shape(), [1]);
    let pixels = digits.inputs().to_vec();
    let rows: Vec<Vec<f32>> = pixels.into_iter().map(|x| vec![x]).collect();
    let [(mean, std)] = moments(&rows)[..] else { panic!() };
    assert!((f64::from(scale.mean().item()) - mean).abs() < 1e-6);
    assert!((f64::from(scale.std().item()) - std).abs() < 1e-6);
    let loader = DataLoader::new(scale.on(&digits), 100);
    let (x, _) = loader.iter().next().unwrap();
    assert_eq!(x.shape(), [100, 1, 8, 8]);
    // The background of an augmented image is transformed, too.
    let shifted = scale.on(&digits).augment(RandomCrop::padding(8), 0);
    let background = scale.transform(&Tensor::zeros(&[1, 1, 1, 1])).item();
    let (x, _) = shifted.batch(&(0..20).collect::<Vec<_>>());
    assert!(x.to_vec().contains(&background) && !x.to_vec().contains(&0.0));
    // The classes of a transformed data set are known, and so are its parts.
    let [part, _] = stratified_split(scale.on(&digits), [0.5, 0.5], 0);
    assert!(part.len() > 890);
}

#[test]
fn minimum_and_maximum() {
    let train = Tensor::from([[-1.0f32, 5.0, 2.0], [3.0, 5.0, 4.0], [1.0, 5.0, 8.0]]);
    let scale = MinMax::fit(&train);
    assert_eq!(
        (scale.min().to_vec(), scale.max().to_vec()),
        (vec![-1.0, 5.0, 2.0], vec![3.0, 5.0, 8.0])
    );
    let y = scale.transform(&train);
    assert_eq!(y.narrow(1, 0, 1).to_vec(), [0.0, 1.0, 0.5]);
    assert_eq!(y.narrow(1, 1, 1).to_vec(), [0.0; 3]);
    assert_eq!(scale.inverse(&y), train);
    let first = Subset::new(&train, [0, 2]);
    assert_eq!(MinMax::fit(&first).max().to_vec(), [1.0, 5.0, 8.0]);
    let (x,) = (scale.on(&train).batch(&[1]),);
    assert_eq!(x, scale.transform(&train.narrow(0, 1, 1)));
}

#[test]
fn one_hot_codes() {
    let train = Tensor::from([[5i64, -1], [2, 0], [5, 0]]);
    let code = OneHot::fit(&train);
    assert_eq!(code.categories(), [vec![2, 5], vec![-1, 0]]);
    let codes = code.transform(&train);
    assert_eq!(
        codes,
        Tensor::from([[0.0f32, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0]])
    );
    assert_eq!(code.inverse(&codes), train);
    // Outputs of a network in place of zeros and ones.
    let soft = Tensor::from([[0.1f32, 0.7, -3.0, -2.0]]);
    assert_eq!(code.inverse(&soft), Tensor::from([[5i64, 0]]));
    let other = Tensor::from([[9i64, 0]]);
    let zeros = code.unknown_as_zeros(true).transform(&other);
    assert_eq!(zeros.to_vec(), [0.0, 0.0, 0.0, 1.0]);
    assert_eq!(OneHot::new(&[3]).transform(&Tensor::from([2i64])).to_vec(), [0.0, 0.0, 1.0]);
}

#[test]
#[should_panic(
    expected = "OneHot::transform: category 9 in column 1 of row 0 is not among the 2 of the training"
)]
fn an_unknown_category() {
    OneHot::fit(&Tensor::from([[5i64, -1], [2, 0]])).transform(&Tensor::from([[5i64, 9]]));
}

#[test]
#[should_panic(
    expected = "Standardize::transform: expected inputs [n, 2, …] with the 2 features of the training"
)]
fn another_number_of_features() {
    Standardize::fit(&Tensor::zeros(&[3, 2])).transform(&Tensor::zeros(&[3, 4]));
}

#[test]
#[should_panic(
    expected = "MinMax::fit: feature 1 of example 2 is NaN: replace missing values first"
)]
fn a_missing_value() {
    let mut x = Tensor::zeros(&[3, 2]);
    x.make_mut()[5] = f32::NAN;
    MinMax::fit(&x);
}

#[test]
#[should_panic(
    expected = "Standardize::fit: the data set must have at least one example, got none"
)]
fn no_examples() {
    Standardize::fit(&Tensor::zeros(&[0, 2]));
}
