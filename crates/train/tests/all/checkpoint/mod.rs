//! Tests that a run that is interrupted and resumed gives the same results as an uninterrupted run.

mod refused;
mod resumed;

use wengert_data::{
    DataLoader, Dataset, Digits, RandomAffine, Subset, TensorDataset, random_split,
};
use wengert_nn::{BatchNorm1d, Dropout, Flatten, Linear, Sequential, Tanh, sequential, state_dict};
use wengert_optim::{Adam, Optimizer, Sgd};
use wengert_tensor::{NamedTensors, Philox};
use wengert_train::{Criterion, History, TrainError, Trainer};

type Part = Subset<std::sync::Arc<TensorDataset>>;

fn parts() -> [Part; 2] {
    let [train, valid, _] = random_split(Digits::load().dataset(), [330, 200, 1267], 5);
    [train, valid]
}

fn model(rng: &mut Philox) -> Sequential {
    sequential![
        Flatten::new(),
        Linear::new(64, 33, rng),
        BatchNorm1d::new(33),
        Tanh,
        Dropout::new(0.3),
        Linear::new(33, 10, rng)
    ]
}

fn sgd() -> Box<dyn Optimizer> {
    Box::new(Sgd::new(0.1).momentum(0.9).nesterov(true))
}
fn adam() -> Box<dyn Optimizer> {
    Box::new(Adam::new(0.004))
}

/// Runs four epochs of 11 steps, with a trainer that `change` modifies. A resumed run has another
/// seed for the initial weights, since none of them may remain.
fn run(
    seed: u64,
    optimizer: fn() -> Box<dyn Optimizer>,
    change: impl for<'a> FnOnce(Trainer<'a>) -> Trainer<'a>,
) -> (Result<History, TrainError>, NamedTensors, Philox) {
    let [train, valid] = parts();
    // The augmentation is different in each epoch.
    let train = train.augment(RandomAffine::new().degrees(10.0), 4);
    let (train, valid) = (DataLoader::new(&train, 32).shuffle(9), DataLoader::new(&valid, 64));
    let mut rng = Philox::new(seed);
    let mut model = model(&mut rng);
    let mut optimizer = optimizer();
    let base = optimizer.learning_rate();
    let trainer = Trainer::classifier()
        .epochs(4)
        .validate(&valid)
        .keep_best(Criterion::Accuracy)
        .learning_rate(|step| base * (1.0 - step as f64 / 44.0))
        .quiet();
    let history = change(trainer).fit(&mut model, &mut *optimizer, &train, &mut rng);
    (history, state_dict(&model), rng)
}
