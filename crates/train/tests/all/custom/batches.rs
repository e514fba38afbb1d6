//! Batches of user-defined types, and the examples and batches that errors name.

use std::cell::Cell;
use wengert_autograd::{Param, Var};
use wengert_data::{DataLoader, Dataset, TensorDataset};
use wengert_nn::{BatchNorm1d, Layer, Linear, Module, cross_entropy, mse, sequential};
use wengert_optim::{Adam, Sgd};
use wengert_tensor::{Philox, Tensor};
use wengert_train::{Batch, Batches, Step, TrainError, Trainer};

/// A table of logits for each pair of characters. The inputs and the targets are characters.
#[derive(Module)]
#[module(crate = "wengert_autograd")]
struct Bigram {
    table: Param,
}

struct Text(Vec<i64>);
impl Dataset for Text {
    type Batch = (Tensor<i64>, Tensor<i64>);
    fn len(&self) -> usize {
        self.0.len() - 1
    }
    fn batch(&self, indices: &[usize]) -> Self::Batch {
        let [from, to] =
            [0, 1].map(|by| Tensor::from_fn(&[indices.len()], |i| self.0[indices[i] + by]));
        (from, to)
    }
}

#[test]
fn a_model_of_integers_learns_the_frequencies() {
    // 0 is followed by 1 or 2 equally often; 1 and 2 are followed by 0.
    let text = Text((0..401).map(|i| if i % 2 == 0 { 0 } else { 1 + (i / 2 % 2) }).collect());
    let train = DataLoader::new(&text, 40).shuffle(0);
    let mut model = Bigram { table: Param::new(Tensor::zeros(&[3, 3])) };
    let history = Trainer::custom()
        .epochs(60)
        .validate(&train)
        .quiet()
        .fit(&mut model, &mut Adam::new(0.2), &train, &mut Philox::new(0), |model, step, (x, y)| {
            cross_entropy(step.param(&model.table).index_select(0, x), y)
        })
        .unwrap();
    // Half of the characters are certain, and the others have a loss of ln 2.
    let loss = history.last().unwrap().validation.unwrap().loss;
    assert!((loss - 0.5 * 2f64.ln()).abs() < 0.01, "{loss}");
    assert_eq!(history.last().unwrap().train.accuracy, None);
}

/// Counts the batches that are created.
struct Counted<'a>(TensorDataset, &'a Cell<usize>);
impl Dataset for Counted<'_> {
    type Batch = (Tensor, Tensor<i64>);
    fn len(&self) -> usize {
        self.0.len()
    }
    fn batch(&self, indices: &[usize]) -> Self::Batch {
        self.1.set(self.1.get() + 1);
        self.0.batch(indices)
    }
}

/// The size of the last batch is known, and a part of the first batch is used in its place.
#[test]
fn the_size_of_the_last_batch_is_checked_without_assembling_it() {
    for (n, fits) in [(17, false), (18, true), (32, true)] {
        let made = Cell::new(0);
        let x = Tensor::normal(&[n, 3], 0.0, 1.0, &mut Philox::new(0));
        let set = Counted(TensorDataset::new(x, Tensor::<i64>::zeros_of(&[n])), &made);
        let loader = DataLoader::new(&set, 16);
        assert_eq!(Batches::last_batch(&loader), Some(if n == 32 { 16 } else { n - 16 }));
        // Batch normalisation has no variance for one sample.
        let mut rng = Philox::new(0);
        let mut model = sequential![BatchNorm1d::new(3), Linear::new(3, 2, &mut rng)];
        let result = Trainer::custom().quiet().stop_after(0).fit(
            &mut model,
            &mut Sgd::new(0.1),
            &loader,
            &mut rng,
            |model, step, (x, y)| cross_entropy(model.forward(step.constant(x.clone())), y),
        );
        assert_eq!(made.get(), 1);
        match result {
            Ok(history) => assert!(fits && history.steps() == 0),
            Err(TrainError::LastBatch { size: 1, usual: 16, .. }) => assert!(!fits),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Batches of three tensors. Errors name the faulty example.
struct Triples(Tensor, Tensor, Tensor<i64>);
impl Dataset for Triples {
    type Batch = (Tensor, Tensor, Tensor<i64>);
    fn len(&self) -> usize {
        self.0.shape()[0]
    }
    fn batch(&self, indices: &[usize]) -> Self::Batch {
        let at = Tensor::from_fn(&[indices.len()], |i| indices[i] as i64);
        let [a, b] = [&self.0, &self.1].map(|x| x.index_select(0, &at));
        (a, b, self.2.index_select(0, &at))
    }
}

#[derive(Module)]
#[module(crate = "wengert_autograd")]
struct Two {
    left: Linear,
    right: Linear,
}
fn two<'t>(model: &Two, step: &'t Step, (a, b, y): &(Tensor, Tensor, Tensor<i64>)) -> Var<'t> {
    let [a, b] = [a, b].map(|x| step.constant(x.clone()));
    cross_entropy(model.left.forward(a) * model.right.forward(b), y)
}

#[test]
fn errors_name_examples_of_any_batch() {
    let data = |change: &dyn Fn(&mut Triples)| {
        let [a, b] = [0, 1].map(|i| Tensor::normal(&[12, 2], 0.0, 1.0, &mut Philox::new(i)));
        let mut all = Triples(a, b, Tensor::from_fn(&[12], |i| (i % 3) as i64));
        change(&mut all);
        all
    };
    let run = |data: Triples| {
        let rng = &mut Philox::new(0);
        let mut model = Two { left: Linear::new(2, 3, rng), right: Linear::new(2, 3, rng) };
        let loader = DataLoader::new(data, 4).shuffle(5);
        Trainer::custom().quiet().fit(&mut model, &mut Sgd::new(0.1), &loader, rng, two)
    };
    assert_eq!(run(data(&|_| {})).unwrap().steps(), 3);
    let error = run(data(&|all| all.1.make_mut()[2 * 7 + 1] = f32::NAN)).unwrap_err();
    let TrainError::NotFinite { input: Some(input), .. } = &error else { panic!("{error}") };
    assert_eq!(input.index, Some(7));
    let error = run(data(&|all| all.2.make_mut()[5] = 3)).unwrap_err();
    let TrainError::Example { example, .. } = &error else { panic!("{error}") };
    assert_eq!(example.index, Some(5));
}

/// A batch of a user's type is checked on shapes once, and its parts are not compared.
#[test]
fn a_batch_of_a_user_defined_type_trains() {
    struct Number(f64);
    impl Batch for Number {
        fn examples(&self) -> usize {
            2
        }
    }
    struct Numbers;
    impl Batches<Number> for Numbers {
        fn batches(&self, _: u64, skip: usize) -> Box<dyn Iterator<Item = Number> + '_> {
            Box::new([1.0, 2.0, 3.0].into_iter().map(Number).skip(skip))
        }
        fn len(&self) -> usize {
            3
        }
        fn examples(&self) -> usize {
            6
        }
    }
    let mut w = Param::new(Tensor::scalar(0.0));
    let shapes = Cell::new(0);
    let trainer = Trainer::custom().epochs(2).quiet();
    let history = trainer
        .fit(&mut w, &mut Sgd::new(0.5), &Numbers, &mut Philox::new(0), |w, step, x| {
            shapes.set(shapes.get() + usize::from(step.is_shape_only()));
            mse(step.param(w), step.constant(Tensor::scalar(x.0)))
        })
        .unwrap();
    assert_eq!(shapes.get(), 1);
    // A step of 0.5 · 2 · (w - x) moves w to x.
    assert_eq!(history.losses, [1.0, 1.0, 1.0, 4.0, 1.0, 1.0]);
    assert_eq!((w.value().item(), history.last().unwrap().examples), (3.0, 6));
}
