//! Tests that faults in the data are errors and never panics. Before the first step, nothing changes.

mod batches;
mod examples;
mod numbers;

use wengert_autograd::Var;
use wengert_data::TensorDataset;
use wengert_nn::{
    BatchNorm1d, Layer, Linear, Relu, Sequential, StateDict, cross_entropy, sequential, state_dict,
};
use wengert_optim::{Optimizer, Sgd};
use wengert_tensor::{NamedTensors, Philox, Tensor};
use wengert_train::{Batch, Batches, History, ObjectiveTrainer, TrainError, Trainer};

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

fn loss<'t>(y: Var<'t>, labels: &Tensor<i64>) -> Var<'t> {
    cross_entropy(y, labels)
}
