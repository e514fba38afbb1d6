//! Compares accuracies, confusion matrices and mistakes with results computed by hand.

use wengert_autograd::{Param, Var};
use wengert_data::{DataLoader, TensorDataset};
use wengert_nn::{Layer, Module};
use wengert_optim::Sgd;
use wengert_tensor::{Philox, Tensor};
use wengert_train::{Batches, ConfusionMatrix, Trainer, evaluate, mistakes};

/// A model that outputs its input, so that the test determines the logits.
#[derive(Clone, Module)]
#[module(crate = "wengert_autograd")]
struct Gain {
    gain: Param,
}
impl Gain {
    fn new() -> Self {
        Gain { gain: Param::new(Tensor::scalar(1.0)) }
    }
}
impl Layer for Gain {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        x * x.tape().param(&self.gain)
    }
}

/// Three signals with two positions and two classes: four of the six predictions are correct.
#[test]
fn the_accuracy_counts_every_answer_of_an_example() {
    // [sample, class, position]
    let logits = [2.0f32, 0.0, 1.0, 3.0, 0.0, 5.0, 4.0, 1.0, 1.0, 1.0, 0.0, 2.0];
    let logits = Tensor::from_slice(&logits, &[3, 2, 2]);
    // The predictions are (0, 1), (1, 0) and (0, 1).
    let classes = Tensor::from([[0i64, 1], [0, 0], [0, 0]]);
    let loader = DataLoader::new(TensorDataset::new(logits, classes), 2);
    let mut model = Gain::new();
    let found = evaluate(&model, &loader);
    assert_eq!((found.examples, found.confusion().total()), (3, 6));
    assert_eq!(found.accuracy(), 4.0 / 6.0);
    let history = Trainer::classifier()
        .validate(&loader)
        .quiet()
        .fit(&mut model, &mut Sgd::new(0.0), &loader, &mut Philox::new(0))
        .unwrap();
    let epoch = history.last().unwrap();
    assert_eq!(epoch.examples, 3);
    assert_eq!(epoch.train.accuracy, Some(4.0 / 6.0));
    assert_eq!(epoch.validation.unwrap().accuracy, Some(4.0 / 6.0));
}

/// The confusion matrix: a row for each true class, a column for each predicted class.
const COUNTS: [[u64; 4]; 4] = [[3, 1, 1, 0], [0, 2, 4, 0], [2, 0, 1, 0], [0, 0, 0, 0]];

fn counted() -> ConfusionMatrix {
    let mut confusion = ConfusionMatrix::new(4);
    for (truth, row) in COUNTS.iter().enumerate() {
        for (predicted, &n) in row.iter().enumerate() {
            for _ in 0..n {
                let [truth, predicted] = [truth, predicted].map(|c| Tensor::from([c as i64]));
                confusion.record(&truth, &predicted);
            }
        }
    }
    confusion
}

#[test]
fn f1_is_the_harmonic_mean() {
    let confusion = counted();
    let mut sum = 0.0;
    for (class, row) in COUNTS.iter().enumerate() {
        // 2 TP / (2 TP + FP + FN), counted in the matrix.
        let hits = row[class];
        let taken: u64 = COUNTS.iter().map(|row| row[class]).sum();
        let there: u64 = row.iter().sum();
        let wanted =
            if taken + there == 0 { 0.0 } else { 2.0 * hits as f64 / (taken + there) as f64 };
        assert!((confusion.f1(class) - wanted).abs() < 1e-15, "class {class}");
        sum += wanted;
    }
    // Class 0: precision 3/5, recall 3/5. Class 1: 2/3 and 2/6. Class 2: 1/6 and 1/3.
    for (class, wanted) in [(0, 0.6), (1, 4.0 / 9.0), (2, 2.0 / 9.0), (3, 0.0)] {
        assert!((confusion.f1(class) - wanted).abs() < 1e-15, "class {class}");
    }
    assert!((confusion.macro_f1() - sum / 4.0).abs() < 1e-15);
}

#[test]
fn the_most_frequent_confusion_comes_first() {
    assert_eq!(counted().confusions(), [(1, 2, 4), (2, 0, 2), (0, 1, 1), (0, 2, 1)]);
    assert_eq!(ConfusionMatrix::new(3).confusions(), []);
}

/// Eight examples in batches of three. The examples in `WRONG` are predicted as the other class.
#[test]
fn mistakes_are_numbered_by_their_position_in_the_data() {
    const WRONG: [usize; 4] = [1, 3, 4, 7];
    let classes: Vec<i64> = (0..8).map(|i| i % 2).collect();
    // The larger of the two outputs gives the prediction; the smaller output identifies the example.
    let logits = Tensor::from_fn(&[8, 2], |at| {
        let (i, class) = (at / 2, at % 2);
        let answer = if WRONG.contains(&i) { 1 - i % 2 } else { i % 2 };
        if class == answer { 100.0 } else { i as f32 }
    });
    let rows = logits.to_vec();
    let set = TensorDataset::new(logits, Tensor::from_slice(&classes, &[8]));
    let loader = DataLoader::new(&set, 3);
    let check = |data: &dyn Batches, most: usize, wanted: &[usize]| {
        let found = mistakes(&Gain::new(), data, most);
        let indices: Vec<usize> = found.iter().map(|mistake| mistake.index).collect();
        assert_eq!(indices, wanted[..most.min(4)]);
        for mistake in found {
            let i = mistake.index;
            assert_eq!(mistake.input.to_vec(), rows[2 * i..2 * i + 2]);
            assert_eq!((mistake.truth, mistake.predicted), (i % 2, 1 - i % 2));
        }
    };
    // The same holds for shuffled data. The smaller output gives the order of the examples.
    let shuffled = DataLoader::new(&set, 3).shuffle(1);
    let mut order = vec![];
    for (x, _) in shuffled.epoch(0) {
        let x = x.to_vec();
        order.extend(x.chunks(2).map(|logits| logits[0].min(logits[1]) as usize));
    }
    order.retain(|i| WRONG.contains(i));
    assert_ne!(order, WRONG);
    for most in 0..6 {
        check(&loader, most, &WRONG);
        check(&Unnumbered(&loader), most, &WRONG);
        check(&shuffled, most, &order);
    }
}

/// Batches that do not provide the indices of their examples.
struct Unnumbered<'a>(&'a dyn Batches);
impl Batches for Unnumbered<'_> {
    fn batches(
        &self,
        epoch: u64,
        skip: usize,
    ) -> Box<dyn Iterator<Item = (Tensor, Tensor<i64>)> + '_> {
        self.0.batches(epoch, skip)
    }
    fn len(&self) -> usize {
        self.0.len()
    }
    fn examples(&self) -> usize {
        self.0.examples()
    }
}
