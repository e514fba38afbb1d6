//! Tests that faults in the data are errors and never panics. Before the first step, nothing changes.

use std::cell::Cell;
use wengert_autograd::{Param, Path, See, SeeMut, Var};
use wengert_data::{DataLoader, Dataset, TensorDataset};
use wengert_nn::{
    BatchNorm1d, BatchNorm2d, Conv2d, Flatten, Layer, Linear, Module, Relu, Sequential, StateDict,
    cross_entropy, mse, sequential, state_dict,
};
use wengert_optim::{Adam, Optimizer, Sgd};
use wengert_tensor::{NamedTensors, Philox, Tensor};
use wengert_train::{
    Batch, Batches, History, Objective, ObjectiveTrainer, TrainError, Trainer, evaluate, mistakes,
};

type Set = TensorDataset<f32, i64>;

/// Returns `n` points in four dimensions, of two classes in turn.
fn points(n: usize) -> Set {
    let x = Tensor::normal(&[n, 4], 0.0, 1.0, &mut Philox::new(1));
    TensorDataset::new(x, Tensor::from_fn(&[n], |i| (i % 2) as i64))
}

fn with_class(n: usize, at: usize, class: i64) -> Set {
    let set = points(n);
    let mut targets = set.targets().clone();
    targets.make_mut()[at] = class;
    TensorDataset::new(set.inputs().clone(), targets)
}

fn with_input(n: usize, at: usize, x: f32) -> Set {
    let set = points(n);
    let mut inputs = set.inputs().clone();
    inputs.make_mut()[at * 4 + 2] = x;
    TensorDataset::new(inputs, set.targets().clone())
}

fn normed(rng: &mut Philox) -> Sequential {
    sequential![Linear::new(4, 8, rng), BatchNorm1d::new(8), Relu, Linear::new(8, 2, rng)]
}

fn linear(rng: &mut Philox) -> Sequential {
    sequential![Linear::new(4, 2, rng)]
}

/// Everything that a run changes: model, optimizer and generator.
type Traces = (StateDict, NamedTensors, Philox);

/// Runs `fit`. Returns its result, and the state before and after it.
fn fit<Y: Batch>(
    model: &mut dyn Layer,
    trainer: &ObjectiveTrainer<'_, f32, Y>,
    train: &dyn Batches<(Tensor, Y)>,
) -> (Result<History, TrainError>, Traces, Traces) {
    let (mut optimizer, mut rng) = (Sgd::new(0.125).momentum(0.5), Philox::new(7));
    let before = (state_dict(model), optimizer.state_dict(model), rng.clone());
    let result = trainer.fit(model, &mut optimizer, train, &mut rng);
    let after = (state_dict(model), optimizer.state_dict(model), rng);
    (result, before, after)
}

/// Returns the error of a run. Panics if the run changed anything.
#[track_caller]
fn refused<Y: Batch>(
    model: &mut dyn Layer,
    trainer: &ObjectiveTrainer<'_, f32, Y>,
    train: &dyn Batches<(Tensor, Y)>,
) -> TrainError {
    let (result, before, after) = fit(model, trainer, train);
    let error = result.expect_err("refused");
    assert!(before == after, "something was changed before: {error}");
    error
}

fn classifier<'a>() -> Trainer<'a> {
    Trainer::classifier().epochs(2).quiet()
}

#[test]
fn a_last_batch_of_one_sample_under_batch_norm() {
    let rng = &mut Philox::new(0);
    for (n, batch) in [(17, 16), (33, 32)] {
        let set = points(n);
        let loader = DataLoader::new(&set, batch).shuffle(0);
        let error = refused(&mut normed(rng), &classifier(), &loader);
        let text = error.to_string();
        let TrainError::LastBatch { data, size, usual, error } = error else { panic!("{text}") };
        assert_eq!((&*data, size, usual), ("the training data", 1, batch));
        assert_eq!(error.path, "1", "the layer is named");
        assert!(text.contains("one value per channel is undefined, got [1, 8]"), "{text}");
        assert!(text.contains("drop_last(true)"), "{text}");

        // The advice in the message helps.
        let whole = loader.clone().drop_last(true);
        assert!(fit(&mut normed(rng), &classifier(), &whole).0.is_ok());
        let other = DataLoader::new(&set, batch - 1);
        assert!(fit(&mut normed(rng), &classifier(), &other).0.is_ok());
        // Without batch normalisation, a batch of one sample is valid.
        assert!(fit(&mut linear(rng), &classifier(), &loader).0.is_ok());
        // It is also valid in evaluation.
        let training = DataLoader::new(&set, n);
        let trainer = classifier().validate(&loader);
        assert!(fit(&mut normed(rng), &trainer, &training).0.is_ok());
    }
    // Images of one pixel are refused; images of four pixels have four values per channel.
    for (pixels, fits) in [(1, false), (2, true)] {
        let x = Tensor::normal(&[5, 1, pixels, pixels], 0.0, 1.0, rng);
        let set = TensorDataset::new(x, Tensor::<i64>::zeros_of(&[5]));
        let mut model = sequential![
            Conv2d::new(1, 3, 1, rng),
            BatchNorm2d::new(3),
            Flatten::new(),
            Linear::new(3 * pixels * pixels, 2, rng)
        ];
        let (result, ..) = fit(&mut model, &classifier(), &DataLoader::new(&set, 2));
        assert_eq!(result.is_ok(), fits);
        assert!(fits || matches!(result, Err(TrainError::LastBatch { .. })));
    }
}

#[test]
fn every_batch_of_one_sample_and_validation_without_running_statistics() {
    let rng = &mut Philox::new(0);
    let set = points(6);
    // Here every batch is too small, so the error is not about the last one.
    let error = refused(&mut normed(rng), &classifier(), &DataLoader::new(&set, 1));
    assert!(matches!(&error, TrainError::Shape(error) if error.path == "1"), "{error}");
    assert!(error.to_string().contains("at least 2 samples"), "{error}");

    let mut model = sequential![
        Linear::new(4, 3, rng),
        BatchNorm1d::new(3).without_running_statistics(),
        Linear::new(3, 2, rng)
    ];
    let (train, valid) = (DataLoader::new(&set, 3), DataLoader::new(&set, 5));
    let error = refused(&mut model, &classifier().validate_as("test", &valid), &train);
    let TrainError::LastBatch { data, size: 1, usual: 5, .. } = &error else { panic!("{error}") };
    assert_eq!(data, "the validation data `test`");
}

#[test]
fn a_class_that_does_not_exist() {
    for (class, at, seed) in [(2, 0, 3), (-1, 13, 4), (-100, 31, 5), (i64::MAX, 20, 6)] {
        let set = with_class(32, at, class);
        let loader = DataLoader::new(&set, 8).shuffle(seed);
        let error = fit(&mut linear(&mut Philox::new(0)), &classifier(), &loader).0.unwrap_err();
        let text = error.to_string();
        let TrainError::Example { example, error } = error else { panic!("{text}") };
        assert_eq!((example.index, example.epoch), (Some(at), 1));
        // Looks for the example in the batches, to compare its place in the shuffled epoch.
        let (batch, (_, y)) =
            loader.epoch(0).enumerate().find(|(_, (_, y))| y.to_vec().contains(&class)).unwrap();
        let sample = y.to_vec().iter().position(|&y| y == class).unwrap();
        assert_eq!((example.batch, example.sample), (batch + 1, sample));
        assert_eq!(error.path, "loss");
        assert!(text.starts_with(&format!("example {at} of the training data")), "{text}");
        assert!(text.contains(&format!("class {class} of sample {sample}")), "{text}");
        assert!(text.contains("is out of range 0..2"), "{text}");
    }
    // If the fault is in the first batch, nothing has changed; in a later one, the steps before it remain.
    let rng = &mut Philox::new(0);
    let set = with_class(32, 3, 7);
    let (result, before, after) = fit(&mut linear(rng), &classifier(), &DataLoader::new(&set, 8));
    assert!(matches!(result, Err(TrainError::Example { .. })));
    assert_eq!((before.0, before.1), (after.0, after.1));
    let set = with_class(32, 17, 7);
    let mut model = linear(rng);
    let two_steps = classifier().stop_after(2);
    let start = state_dict(&model);
    let (_, _, after) = fit(&mut model, &classifier(), &DataLoader::new(&set, 8));
    wengert_nn::load_state_dict(&mut model, &start).unwrap();
    let (whole, _, twin) = fit(&mut model, &two_steps, &DataLoader::new(&set, 8));
    assert_eq!(whole.unwrap().steps(), 2);
    assert_eq!((after.0, after.1), (twin.0, twin.1));
}

#[test]
fn a_class_that_does_not_exist_in_other_losses_shapes_and_in_validation() {
    let rng = &mut Philox::new(0);
    // There is a class for each of five positions of a signal. The first index of the labels is the sample.
    let x = Tensor::normal(&[6, 2, 5], 0.0, 1.0, rng);
    let mut y = Tensor::<i64>::zeros_of(&[6, 5]);
    y.make_mut()[4 * 5 + 3] = 2;
    let set = TensorDataset::new(x, y);
    let mut model = BatchNorm1d::new(2);
    let error = refused_after_forward(&mut model, &classifier(), &DataLoader::new(&set, 6));
    assert_eq!(error.0, Some(4));

    let set = with_class(12, 9, 2);
    let objective =
        Objective::new(|y: Var, labels: &Tensor<i64>| wengert_nn::nll(y.log_softmax(1), labels));
    let trainer = Trainer::new(objective).quiet();
    let error = refused_after_forward(&mut linear(rng), &trainer, &DataLoader::new(&set, 12));
    assert_eq!(error.0, Some(9));
    assert!(error.1.contains("nll: class 2 of sample 9 is out of range"), "{}", error.1);

    let good = points(12);
    let (train, valid) = (DataLoader::new(&good, 4), DataLoader::new(&set, 4));
    let trainer = classifier().validate(&valid);
    let error = fit(&mut linear(rng), &trainer, &train).0.unwrap_err();
    let TrainError::Example { example, .. } = &error else { panic!("{error}") };
    assert_eq!((example.index, example.batch, example.sample), (Some(9), 3, 1));
    assert_eq!(example.data, "the validation data `valid`");
}

/// Returns the index of the faulty example and the message. Checks that weights, buffers and
/// optimizer have not changed.
fn refused_after_forward(
    model: &mut dyn Layer,
    trainer: &Trainer<'_>,
    train: &dyn Batches,
) -> (Option<usize>, String) {
    let (result, before, after) = fit(model, trainer, train);
    assert_eq!((before.0, before.1), (after.0, after.1));
    let error = result.unwrap_err();
    let TrainError::Example { example, .. } = &error else { panic!("{error}") };
    (example.index, error.to_string())
}

#[test]
fn no_data() {
    let rng = &mut Philox::new(0);
    let (empty, few) = (points(0), points(5));
    let error = refused(&mut linear(rng), &classifier(), &DataLoader::new(&empty, 4));
    assert_eq!(error.to_string(), "the training data: expected at least one example, got none");
    // The batch size is larger than the data set, and incomplete batches are dropped.
    let none = DataLoader::new(&few, 8).drop_last(true);
    let error = refused(&mut linear(rng), &classifier(), &none);
    assert!(matches!(error, TrainError::Empty { examples: 5, .. }), "{error}");
    assert!(error.to_string().contains("drop_last(false)"), "{error}");
    assert!(fit(&mut linear(rng), &classifier(), &none.clone().drop_last(false)).0.is_ok());

    let train = DataLoader::new(&few, 4);
    for set in [&empty, &few] {
        let valid = DataLoader::new(set, 6).drop_last(true);
        let error = refused(&mut linear(rng), &classifier().validate(&valid), &train);
        assert!(matches!(error, TrainError::Empty { .. }), "{error}");
        assert!(error.to_string().starts_with("the validation data `valid`: "), "{error}");
        let objective = Objective::classification();
        let error = objective.try_evaluate(&linear(rng), &valid).unwrap_err();
        assert!(matches!(error, TrainError::Empty { .. }), "{error}");
        assert!(mistakes(&linear(rng), &valid, 3).is_empty());
    }
}

#[test]
#[should_panic(expected = "evaluate: the data: expected at least one example, got none")]
fn an_evaluation_of_nothing() {
    let set = points(0);
    evaluate(&linear(&mut Philox::new(0)), &DataLoader::new(&set, 4));
}

#[test]
#[should_panic(expected = "evaluate: example 3 of the data")]
fn an_evaluation_with_a_class_that_does_not_exist() {
    let set = with_class(5, 3, 9);
    evaluate(&linear(&mut Philox::new(0)), &DataLoader::new(&set, 2));
}

/// Provides the batches that it was given, valid or not.
struct Given {
    batches: Vec<(Tensor, Tensor<i64>)>,
    len: usize,
}

impl Given {
    fn new(shapes: &[(&[usize], &[usize])]) -> Self {
        let batch = |&(x, y): &(&[usize], &[usize])| {
            (Tensor::normal(x, 0.0, 1.0, &mut Philox::new(2)), Tensor::zeros_of(y))
        };
        let batches: Vec<_> = shapes.iter().map(batch).collect();
        Given { len: batches.len(), batches }
    }
}

impl Batches for Given {
    fn batches(&self, _: u64, skip: usize) -> Box<dyn Iterator<Item = (Tensor, Tensor<i64>)> + '_> {
        Box::new(self.batches.iter().skip(skip).cloned())
    }
    fn len(&self) -> usize {
        self.len
    }
    fn examples(&self) -> usize {
        self.batches.iter().map(|(x, _)| x.shape().first().copied().unwrap_or(1)).sum()
    }
}

#[test]
fn batches_of_other_shapes() {
    let rng = &mut Philox::new(0);
    let good: (&[usize], &[usize]) = (&[4, 4], &[4]);
    // Faults in the first batch are found before the first step.
    for first in [
        (&[4, 4], &[3]),
        (&[4, 4], &[4, 1]),
        (&[4, 4], &[]),
        (&[4, 5], &[4]),
        (&[4], &[4]),
        (&[4, 4, 1], &[4]),
        (&[], &[]),
    ] as [(&[usize], &[usize]); 7]
    {
        let data = Given::new(&[first, good]);
        let error = refused(&mut linear(rng), &classifier(), &data);
        assert!(matches!(error, TrainError::Shape(_)), "{first:?}: {error}");
        let (train, trainer) = (Given::new(&[good]), classifier());
        let error = refused(&mut linear(rng), &trainer.validate(&data), &train);
        assert!(matches!(error, TrainError::Shape(_)), "{first:?}: {error}");
        assert!(Objective::classification().try_evaluate(&linear(rng), &data).is_err());
    }
    // A faulty last batch is also found before the first step if its size is different.
    for (last, shape) in
        [((&[2, 4], &[3]), false), ((&[3, 5], &[3]), false), ((&[6, 5], &[6]), true)]
            as [((&[usize], &[usize]), bool); 3]
    {
        let error = refused(&mut linear(rng), &classifier(), &Given::new(&[good, good, last]));
        let known = if shape {
            matches!(error, TrainError::Shape(_))
        } else {
            matches!(error, TrainError::LastBatch { .. })
        };
        assert!(known, "{last:?}: {error}");
    }
    // A faulty batch in the middle is found before its own step, whether its shape is new or not.
    for middle in [(&[4, 4], &[3]), (&[4, 5], &[4]), (&[3, 4], &[4])] as [(&[usize], &[usize]); 3] {
        let data = Given::new(&[good, middle, good]);
        let error = fit(&mut linear(rng), &classifier(), &data).0.unwrap_err();
        assert!(matches!(error, TrainError::Shape(_)), "{middle:?}: {error}");
        let (train, trainer) = (Given::new(&[good]), classifier());
        let error = fit(&mut linear(rng), &trainer.validate(&data), &train).0.unwrap_err();
        assert!(matches!(error, TrainError::Shape(_)), "{middle:?}: {error}");
    }
    // An empty batch has no mean loss.
    let error = fit(&mut linear(rng), &classifier(), &Given::new(&[good, (&[0, 4], &[0]), good]));
    assert!(matches!(error.0, Err(TrainError::NotFinite { step: 2, .. })));
}

/// Batches that do not have a second epoch.
struct Once(Given);
impl Batches for Once {
    fn batches(
        &self,
        epoch: u64,
        skip: usize,
    ) -> Box<dyn Iterator<Item = (Tensor, Tensor<i64>)> + '_> {
        self.0.batches(epoch, if epoch == 0 { skip } else { 1 })
    }
    fn len(&self) -> usize {
        2
    }
    fn examples(&self) -> usize {
        8
    }
}

#[test]
fn an_epoch_that_ends_too_early() {
    let rng = &mut Philox::new(0);
    let good: (&[usize], &[usize]) = (&[4, 4], &[4]);
    let data = Given { len: 4, ..Given::new(&[good, good]) };
    let error = refused(&mut linear(rng), &classifier(), &data);
    assert!(matches!(error, TrainError::Batches { epoch: 1, batches: 4, .. }), "{error}");
    let data = Given { len: 1, ..Given::new(&[]) };
    let error = refused(&mut linear(rng), &classifier(), &data);
    assert!(matches!(error, TrainError::Batches { .. }), "{error}");
    let error = fit(&mut linear(rng), &classifier(), &Once(Given::new(&[good, good])));
    let text = error.0.unwrap_err().to_string();
    assert_eq!(
        text,
        "the training data: epoch 2 ended before batch 2, but Batches::len returned 2: return the \
         number of batches of every epoch from Batches::len"
    );
}

/// A model whose `call` branches on a computed value.
#[derive(Clone, Module)]
#[module(crate = "wengert_autograd")]
struct Early {
    a: Linear,
    b: Linear,
}
impl Layer for Early {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        let y = self.a.forward(x);
        if y.square().mean_all().item() > 0.0 { self.b.forward(y) } else { y }
    }
}

#[test]
fn models_and_losses_that_read_numbers_train() {
    let rng = &mut Philox::new(0);
    let mut early = |hidden: usize| Early {
        a: Linear::new(4, 3, &mut *rng),
        b: Linear::new(hidden, 2, &mut *rng),
    };
    let set = points(30);
    let (train, valid) = (DataLoader::new(&set, 8), DataLoader::new(&set, 7));
    let trainer = classifier().validate(&valid);
    let history = fit(&mut early(3), &trainer, &train).0.unwrap();
    assert_eq!((history.steps(), history.epochs.len()), (8, 2));

    // The layers up to the read value are checked before the first step, and the layers after it in the
    // first step.
    let narrow = TensorDataset::new(Tensor::zeros(&[6, 3]), Tensor::<i64>::zeros_of(&[6]));
    let error = refused(&mut early(3), &classifier(), &DataLoader::new(&narrow, 3));
    assert!(matches!(&error, TrainError::Shape(error) if error.path == "a"), "{error}");
    let (result, before, after) = fit(&mut early(5), &classifier(), &train);
    let error = result.unwrap_err();
    assert!(matches!(&error, TrainError::Shape(error) if error.path == "b"), "{error}");
    assert_eq!((before.0, before.1), (after.0, after.1));

    // A loss that prints, a loss that reads values of its outputs, and a loss that reads a class.
    let seen = Cell::new(0.0);
    let prints = Objective::new(|y: Var<'_>, labels: &Tensor<i64>| {
        let loss = cross_entropy(y, labels);
        println!("{y:?}: {}", loss.item());
        seen.set(loss.item());
        if loss.item() > 1e6 { loss * 0.5 } else { loss }
    });
    let weighted = Objective::new(|y: Var<'_>, labels: &Tensor<i64>| {
        let weight = 1.0 / (1.0 + f64::from(y.value().to_vec()[0]).abs());
        cross_entropy(y, labels) * weight
    });
    let surest = Objective::new(|y: Var<'_>, labels: &Tensor<i64>| {
        let class = y.argmax(1, false).value().to_vec()[0];
        cross_entropy(y, labels) * (1.0 + class as f64)
    });
    let objectives = [prints, weighted, surest];
    for objective in objectives {
        let trainer = Trainer::new(objective).quiet().validate(&valid);
        let history = fit(&mut linear(&mut Philox::new(3)), &trainer, &train).0.unwrap();
        assert_eq!(history.steps(), 4);
    }
    assert!(seen.get() > 0.0);
    // A loss that is not a scalar is refused, even if it reads values.
    let vector = Objective::new(|y: Var<'_>, _: &Tensor<i64>| {
        assert!(y.value().numel() > 0);
        y.square()
    });
    let error = fit(&mut linear(&mut Philox::new(3)), &Trainer::new(vector).quiet(), &train);
    assert!(error.0.unwrap_err().to_string().starts_with("loss: the loss must have one element"));
}

#[test]
fn inputs_that_are_no_numbers_are_named() {
    for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let set = with_input(24, 11, x);
        let loader = DataLoader::new(&set, 8).shuffle(2);
        let (error, ..) = fit(&mut linear(&mut Philox::new(0)), &classifier(), &loader);
        let error = error.unwrap_err();
        let TrainError::NotFinite { input: Some(input), epoch: 1, step, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!((input.index, input.batch), (Some(11), *step));
        assert!(error.to_string().contains("example 11 of the training data"), "{error}");
    }
    // If the inputs are finite, a loss that is not finite comes from the weights.
    let mut model = linear(&mut Philox::new(0));
    let mut rates =
        Trainer::new(Objective::new(|y: Var<'_>, _: &Tensor<i64>| y.square().mean_all()));
    rates = rates.epochs(50).learning_rate(|_| 1e20).quiet();
    let error = fit(&mut model, &rates, &DataLoader::new(&points(8), 4)).0.unwrap_err();
    assert!(
        matches!(error, TrainError::NotFinite { input: None, .. } | TrainError::Gradient { .. }),
        "{error}"
    );
}

#[derive(Clone, Module)]
#[module(crate = "wengert_autograd")]
struct Scale {
    norm: BatchNorm1d,
    good: Param,
    bad: Param,
}
impl Scale {
    fn new(bad: [f32; 2]) -> Self {
        let bad = Tensor::from([bad[0], bad[1], 1.0, 1.0]);
        Scale {
            norm: BatchNorm1d::new(4),
            good: Param::new(Tensor::ones(&[4])),
            bad: Param::new(bad),
        }
    }
}
impl Layer for Scale {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        let [good, bad] = [&self.good, &self.bad].map(|param| x.tape().param(param));
        // At 0, the square root has a finite value and an infinite derivative.
        self.norm.forward(x) * good + bad.sqrt()
    }
}

#[test]
fn gradients_that_are_not_finite_do_not_reach_the_weights() {
    let set = points(12);
    let loader = DataLoader::new(&set, 4);
    let trainer = || {
        Trainer::new(Objective::new(|y: Var<'_>, _: &Tensor<i64>| y.square().sum_all()))
            .epochs(3)
            .quiet()
    };
    let optimizers: [fn() -> Box<dyn Optimizer>; 2] =
        [|| Box::new(Sgd::new(0.01).momentum(0.9)), || Box::new(Adam::new(0.01))];
    for make in optimizers {
        let (mut model, mut optimizer) = (Scale::new([0.0, 4.0]), make());
        let before = (state_dict(&model), optimizer.state_dict(&model));
        let error =
            trainer().fit(&mut model, &mut *optimizer, &loader, &mut Philox::new(0)).unwrap_err();
        let TrainError::Gradient { epoch: 1, step: 1, loss, parameters, callback: None } = &error
        else {
            panic!("{error}")
        };
        assert!(loss.is_finite());
        assert_eq!(parameters, &["bad"]);
        assert!(
            error.to_string().contains("the gradients of bad contain NaN or infinity"),
            "{error}"
        );
        assert_eq!((state_dict(&model), optimizer.state_dict(&model)), before);

        // Two steps are applied and the third is refused, so that only the first two remain.
        let run = |stop: usize| {
            let (mut model, mut optimizer) = (Scale::new([1.0, 1.0]), make());
            let calls = Cell::new(0);
            let objective = Objective::new(|y: Var<'_>, _: &Tensor<i64>| {
                let tape = y.tape();
                let loss = y.square().sum_all();
                calls.set(calls.get() + usize::from(!tape.is_abstract()));
                // The value √0² · 0 is 0, and its derivative is ∞ · 0.
                let gate = if calls.get() == 3 && !tape.is_abstract() { 0.0 } else { 1.0 };
                loss + (y * gate).square().sqrt().sum_all() * gate
            });
            let result = Trainer::new(objective).quiet().stop_after(stop).fit(
                &mut model,
                &mut *optimizer,
                &loader,
                &mut Philox::new(0),
            );
            let state = optimizer.state_dict(&model);
            (result, state_dict(&model), state)
        };
        let (refused, weights, state) = run(9);
        let error = refused.unwrap_err();
        let TrainError::Gradient { step: 3, parameters, .. } = &error else { panic!("{error}") };
        assert_eq!(parameters, &["norm.weight", "norm.bias", "good", "bad"]);
        let (whole, wanted, wanted_state) = run(2);
        assert_eq!(whole.unwrap().steps(), 2);
        assert!(weights == wanted && state == wanted_state);
    }
    // The gradient overflows: the loss is about 1, but the sum over the samples exceeds the largest `f32`.
    let x = Tensor::full(&[4, 4], 1e38);
    let set = TensorDataset::new(x, Tensor::<i64>::zeros_of(&[4]));
    let mut model = Linear::new(4, 1, &mut Philox::new(0)).without_bias();
    model.weight.set(Tensor::full(&[1, 4], 1e-38));
    let objective = Objective::new(|y: Var<'_>, _: &Tensor<i64>| y.sum_all());
    let trainer = Trainer::new(objective).quiet();
    let error = refused_gradients(&mut model, &trainer, &DataLoader::new(&set, 4));
    assert_eq!(error, ["weight"]);
    // Large finite gradients are valid, even if their sum overflows.
    let x = Tensor::full(&[1, 4], 2e38);
    let set = TensorDataset::new(x, Tensor::<i64>::zeros_of(&[1]));
    model.weight.set(Tensor::zeros(&[1, 4]));
    let mut optimizer = Sgd::new(1e-38);
    trainer
        .fit(&mut model, &mut optimizer, &DataLoader::new(&set, 1), &mut Philox::new(0))
        .unwrap();
    assert!(model.weight.value().to_vec().iter().all(|w| (w + 2.0).abs() < 1e-5));
}

fn refused_gradients(
    model: &mut dyn Layer,
    trainer: &Trainer<'_>,
    train: &dyn Batches,
) -> Vec<String> {
    let (result, before, after) = fit(model, trainer, train);
    assert_eq!((before.0, before.1), (after.0, after.1));
    match result.unwrap_err() {
        TrainError::Gradient { parameters, .. } => parameters,
        error => panic!("{error}"),
    }
}

fn loss<'t>(y: Var<'t>, labels: &Tensor<i64>) -> Var<'t> {
    cross_entropy(y, labels)
}

#[test]
fn rules_and_classes_that_cannot_be_counted() {
    let rng = &mut Philox::new(0);
    let set = points(8);
    let loader = DataLoader::new(&set, 4);
    // Comparing [N, 1] with [N] would compare each prediction with each label.
    let columns = || Objective::new(loss).predict(|y| y.argmax(1, true));
    let trainer = Trainer::new(columns()).quiet();
    let (result, before, after) = fit(&mut linear(rng), &trainer, &loader);
    let error = result.unwrap_err();
    assert!(matches!(error, TrainError::Rule { .. }), "{error}");
    assert!(error.to_string().contains("[4, 1]") && error.to_string().contains("[4]"), "{error}");
    assert_eq!((before.0, before.1), (after.0, after.1));
    assert!(columns().try_evaluate(&linear(rng), &loader).is_err());

    // Labels -1 and 1 have an accuracy, but no confusion matrix.
    let signs =
        TensorDataset::new(set.inputs().clone(), Tensor::from_fn(&[8], |i| 2 * (i % 2) as i64 - 1));
    let loader = DataLoader::new(&signs, 4);
    let hinge = || {
        Objective::new(|y: Var<'_>, labels: &Tensor<i64>| {
            let labels = y.tape().constant(labels.cast::<f32>().unsqueeze(1));
            (1.0 - y.narrow(1, 0, 1) * labels).relu().mean_all()
        })
        .predict(|y| y.narrow(1, 0, 1).squeeze(1).sign().cast::<i64>())
    };
    let history = fit(&mut linear(rng), &Trainer::new(hinge()).quiet(), &loader).0.unwrap();
    assert!(history.last().unwrap().train.accuracy.is_some());
    let trainer = Trainer::new(hinge()).quiet().validate(&loader);
    let (result, before, after) = fit(&mut linear(rng), &trainer, &loader);
    let error = result.unwrap_err();
    assert_eq!(
        error.to_string(),
        "example 0 of the training data (epoch 1, batch 1, sample 0): class -1 is out of range: a \
         confusion matrix counts classes from 0 to 32767"
    );
    assert_eq!((before.0, before.1), (after.0, after.1));
    let error = hinge().try_evaluate(&linear(rng), &loader).unwrap_err();
    assert!(matches!(error, TrainError::Class { class: -1, .. }), "{error}");
    let many = Objective::new(loss).predict(|y| &y.argmax(1, false) + &Tensor::scalar_of(32768));
    let error = many.try_evaluate(&linear(rng), &DataLoader::new(&set, 4)).unwrap_err();
    assert!(matches!(error, TrainError::Class { class: 32768.., .. }), "{error}");
}

#[test]
fn values_to_hit_of_another_shape() {
    let rng = &mut Philox::new(0);
    let x = Tensor::normal(&[6, 4], 0.0, 1.0, rng);
    let set = TensorDataset::new(x, Tensor::<f32>::zeros_of(&[6]));
    let trainer = Trainer::new(Objective::regression(mse)).quiet();
    let error = refused(&mut Linear::new(4, 1, rng), &trainer, &DataLoader::new(&set, 3));
    assert!(
        error.to_string().contains("input and target must have the same shape, got [3, 1] and [3]")
    );
    // If a target is NaN, the loss is NaN.
    let y = Tensor::full(&[6, 1], f64::NAN);
    let set = TensorDataset::new(set.inputs().clone(), y);
    let (result, ..) = fit(&mut Linear::new(4, 1, rng), &trainer, &DataLoader::new(&set, 3));
    let error = result.unwrap_err();
    let TrainError::NotFinite { input: Some(input), step: 1, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(input.index, Some(0), "a target that is no number is named");
}

#[test]
fn examples_are_numbered_as_the_loader_numbers_them() {
    let set = points(23);
    for loader in [DataLoader::new(&set, 5), DataLoader::new(&set, 5).shuffle(9)] {
        for epoch in [0, 3] {
            for (batch, (x, _)) in loader.epoch(epoch).enumerate() {
                let indices = loader.indices(epoch, batch);
                assert_eq!(set.batch(&indices).0, x);
                for (sample, &index) in indices.iter().enumerate() {
                    assert_eq!(Batches::index(&loader, epoch, batch, sample), Some(index));
                }
                assert_eq!(Batches::index(&loader, epoch, batch, indices.len()), None);
            }
            assert_eq!(Batches::index(&loader, epoch, 5, 0), None);
        }
    }
}

/// A counter of batches that is at its maximum, as a file may contain it, is an error. The states
/// of model and optimizer are those after the last complete step.
#[test]
fn a_counter_of_batches_at_its_end() {
    let set = points(16);
    let loader = DataLoader::new(&set, 4);
    for made in [0, 1, 3, 5] {
        let start = |at: i64| {
            let mut model = normed(&mut Philox::new(3));
            let mut state = state_dict(&model);
            state.insert("1.num_batches_tracked", Tensor::scalar_of(at));
            wengert_nn::load_state_dict(&mut model, &state).unwrap();
            model
        };
        let mut model = start(i64::MAX - made as i64);
        let (result, _, after) = fit(&mut model, &classifier(), &loader);
        let error = result.expect_err("refused");
        assert_eq!(
            error.to_string(),
            format!(
                "epoch {}, step {}: 1.num_batches_tracked: the counter has the value \
                 9223372036854775807, and adding 1 would exceed i64: set it to a lower number. The \
                 weights are as before the step",
                made / 4 + 1,
                made % 4 + 1
            )
        );
        // A run of the same number of steps whose counter does not overflow.
        let mut other = start(0);
        let (result, _, wanted) = fit(&mut other, &classifier().stop_after(made), &loader);
        assert_eq!(result.unwrap().steps(), made);
        assert!(after.1 == wanted.1, "the state of the optimizer");
        let weights = |state: &StateDict| {
            let mut state = state.clone();
            state.insert("1.num_batches_tracked", Tensor::scalar_of(0i64));
            state
        };
        assert!(weights(&after.0) == weights(&wanted.0), "weights and running statistics");
    }
}

/// Returns four samples that are finite in `f32` and whose squares are not.
fn large(size: f32) -> Set {
    let x = Tensor::from_fn(&[4, 4], |at| if (at / 4 + at) % 2 == 0 { size } else { -size });
    TensorDataset::new(x, Tensor::from([0i64, 1, 2, 0]))
}

/// The variance of these inputs is infinite, so the normalised values are 0 and the loss and the
/// gradients are finite.
#[test]
fn running_statistics_that_are_not_finite_end_the_run() {
    let rng = &mut Philox::new(0);
    let set = large(1e25);
    let loader = DataLoader::new(&set, 2);
    for norm in [BatchNorm1d::new(4), BatchNorm1d::new(4).momentum(None)] {
        let mut model = sequential![norm, Linear::new(4, 3, rng)];
        let (result, before, after) = fit(&mut model, &classifier(), &loader);
        assert_eq!((before.0, before.1), (after.0, after.1), "something was changed");
        let error = result.expect_err("refused");
        let text = error.to_string();
        let TrainError::Buffer { epoch: 1, step: 1, loss, buffer } = error else {
            panic!("{text}")
        };
        assert!(loss.is_finite());
        assert!(buffer.starts_with(
            "0.running_var: the update would set an element of the buffer to inf, because"
        ));
        assert!(text.starts_with("epoch 1, step 1: 0.running_var: "), "{text}");
        assert!(text.contains("too large for f32") && text.contains("smaller inputs"), "{text}");
        assert!(text.ends_with("; the weights are as before the step"), "{text}");
    }
    // Inputs with finite squares are valid. Layers without running statistics accept the large inputs too.
    let sound = large(1e15);
    let mut model = sequential![BatchNorm1d::new(4), Linear::new(4, 3, rng)];
    fit(&mut model, &classifier(), &DataLoader::new(&sound, 2)).0.unwrap();
    let norm = BatchNorm1d::new(4).without_running_statistics();
    fit(&mut sequential![norm, Linear::new(4, 3, rng)], &classifier(), &loader).0.unwrap();

    // If a later step fails, the changes of the earlier steps remain.
    let start = || {
        let rng = &mut Philox::new(5);
        sequential![Linear::new(4, 4, rng), BatchNorm1d::new(4), Linear::new(4, 2, rng)]
    };
    let spoilt = with_input(24, 17, 1e25);
    let loader = DataLoader::new(&spoilt, 8);
    let mut model = start();
    let (result, _, after) = fit(&mut model, &classifier(), &loader);
    let error = result.expect_err("refused");
    assert!(matches!(error, TrainError::Buffer { epoch: 1, step: 3, .. }), "{error}");
    assert!(error.to_string().starts_with("epoch 1, step 3: 1.running_var: "), "{error}");
    let (result, _, twin) = fit(&mut start(), &classifier().stop_after(2), &loader);
    assert_eq!(result.unwrap().steps(), 2);
    assert!(after.0 == twin.0 && after.1 == twin.1);

    // If the file that was loaded contains NaN, the message does not blame the data.
    let mut state = state_dict(&start());
    state.insert("1.running_mean", Tensor::from([0.0, f32::NAN, 0.0, 0.0]));
    let mut model = start();
    wengert_nn::load_state_dict(&mut model, &state).unwrap();
    let (result, ..) = fit(&mut model, &classifier(), &DataLoader::new(&points(8), 4));
    assert_eq!(
        result.unwrap_err().to_string().split_once(". The loss").unwrap().0,
        "epoch 1, step 1: 1.running_mean: the buffer contained NaN or infinity before the update: \
         set it to finite numbers"
    );
}

/// A module that consists of one parameter, without a name for it.
#[derive(Clone)]
struct Alone(Param);
impl Module for Alone {
    fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
        self.0.visit(path, see);
    }
    fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
        self.0.visit_mut(path, see);
    }
}
impl Layer for Alone {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        x * x.tape().param(&self.0).sqrt()
    }
}

#[test]
fn the_gradient_of_a_parameter_without_a_name() {
    let mut model = Alone(Param::new(Tensor::from([0.0f32, 1.0, 1.0, 1.0])));
    let error = refused_gradients(&mut model, &classifier(), &DataLoader::new(&points(8), 4));
    assert_eq!(error, ["the parameter itself"]);
}
