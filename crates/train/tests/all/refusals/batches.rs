//! Batches of other shapes, epochs of another length, and a counter of batches that is full.

use super::{classifier, fit, linear, normed, points, refused};
use wengert_data::DataLoader;
use wengert_nn::{StateDict, state_dict};
use wengert_tensor::{Philox, Tensor};
use wengert_train::{Batches, Objective, TrainError};

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
fn batches_of_different_shapes_are_an_error() {
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
        assert!(matches!(error, TrainError::Operation(_)), "{first:?}: {error}");
        let (train, trainer) = (Given::new(&[good]), classifier());
        let error = refused(&mut linear(rng), &trainer.validate(&data), &train);
        assert!(matches!(error, TrainError::Operation(_)), "{first:?}: {error}");
        assert!(Objective::classification().try_evaluate(&linear(rng), &data).is_err());
    }
    // A faulty last batch is also found before the first step if its size is different.
    for (last, shape) in
        [((&[2, 4], &[3]), false), ((&[3, 5], &[3]), false), ((&[6, 5], &[6]), true)]
            as [((&[usize], &[usize]), bool); 3]
    {
        let error = refused(&mut linear(rng), &classifier(), &Given::new(&[good, good, last]));
        let known = if shape {
            matches!(error, TrainError::Operation(_))
        } else {
            matches!(error, TrainError::LastBatch { .. })
        };
        assert!(known, "{last:?}: {error}");
    }
    // A faulty batch in the middle is found before its own step, whether its shape is new or not.
    for middle in [(&[4, 4], &[3]), (&[4, 5], &[4]), (&[3, 4], &[4])] as [(&[usize], &[usize]); 3] {
        let data = Given::new(&[good, middle, good]);
        let error = fit(&mut linear(rng), &classifier(), &data).0.unwrap_err();
        assert!(matches!(error, TrainError::Operation(_)), "{middle:?}: {error}");
        let (train, trainer) = (Given::new(&[good]), classifier());
        let error = fit(&mut linear(rng), &trainer.validate(&data), &train).0.unwrap_err();
        assert!(matches!(error, TrainError::Operation(_)), "{middle:?}: {error}");
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
fn an_epoch_that_ends_too_early_is_an_error() {
    let rng = &mut Philox::new(0);
    let good: (&[usize], &[usize]) = (&[4, 4], &[4]);
    let data = Given { len: 4, ..Given::new(&[good, good]) };
    let error = refused(&mut linear(rng), &classifier(), &data);
    assert!(matches!(error, TrainError::TooFewBatches { epoch: 1, batches: 4, .. }), "{error}");
    let data = Given { len: 1, ..Given::new(&[]) };
    let error = refused(&mut linear(rng), &classifier(), &data);
    assert!(matches!(error, TrainError::TooFewBatches { .. }), "{error}");
    let error = fit(&mut linear(rng), &classifier(), &Once(Given::new(&[good, good])));
    let text = error.0.unwrap_err().to_string();
    assert_eq!(
        text,
        "the training data: epoch 2 ended before batch 2, but Batches::len returned 2: return the \
         number of batches of every epoch from Batches::len"
    );
}

/// A counter of batches that is at its maximum, as a file may contain it, is an error. The states
/// of model and optimizer are those after the last complete step.
#[test]
fn a_batch_counter_that_would_overflow_is_an_error() {
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
