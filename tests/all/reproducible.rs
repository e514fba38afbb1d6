//! The same seed gives the same bits.
#![cfg(feature = "train")]

use rayon::ThreadPoolBuilder;
use wengert::prelude::*;

/// Returns the weights after three epochs on the small digits, and the loss of every step, computed
/// with this number of threads. The layers are large enough that convolutions, matrix products,
/// sums and pointwise programs run on several threads.
fn train(threads: usize, seed: u64) -> (Vec<(String, Vec<u32>)>, Vec<u64>) {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let mut rng = Philox::new(seed);
        let mut model = sequential![
            Conv2d::new(1, 16, 3, &mut rng).padding(1),
            BatchNorm2d::new(16),
            Relu,
            MaxPool2d::new(2),
            Flatten::new(),
            Linear::new(256, 512, &mut rng),
            Tanh,
            Dropout::new(0.1),
            Linear::new(512, 10, &mut rng),
        ];
        let mut optimizer = Sgd::new(0.1).momentum(0.9);
        let digits = Digits::load().dataset().with_channel();
        let loader = DataLoader::new(&digits, 256).shuffle(seed);
        let trainer = Trainer::classifier().epochs(3).quiet();
        let history = trainer.fit(&mut model, &mut optimizer, &loader, &mut rng).unwrap();
        let last = history.losses[history.steps() - 1];
        assert!(last < 1.0, "the loss must have fallen, got {last}");
        let dict = state_dict(&model);
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect();
        let weights = dict
            .iter()
            .map(|(name, value)| (name.to_string(), bits(value.cast::<f32>().to_vec())))
            .collect();
        (weights, history.losses.into_iter().map(f64::to_bits).collect())
    })
}

#[test]
fn two_runs_of_one_seed_have_the_same_bits() {
    let first = train(2, 7);
    assert_eq!((first.0.len(), first.1.len()), (11, 24));
    assert!(first == train(2, 7), "two runs of one seed differ");
    assert!(first != train(2, 8), "two seeds must give different runs");
}

#[test]
fn runs_on_one_and_on_two_threads_have_the_same_bits() {
    assert!(train(1, 7) == train(2, 7));
}
