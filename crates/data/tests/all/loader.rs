//! Loaders, subsets and splits. Every example occurs once per epoch. Equal seeds give equal orders.

use std::cell::RefCell;
use wengert_data::{DataLoader, Dataset, Subset, TensorDataset, random_split};
use wengert_tensor::Tensor;

/// A data set whose example `i` is the number `i`. `asked` records the requested indices.
struct Numbers {
    len: usize,
    asked: RefCell<Vec<usize>>,
}
fn numbers(len: usize) -> Numbers {
    Numbers { len, asked: RefCell::default() }
}
impl Dataset for Numbers {
    type Batch = Vec<usize>;
    fn len(&self) -> usize {
        self.len
    }
    fn batch(&self, indices: &[usize]) -> Vec<usize> {
        self.asked.borrow_mut().extend(indices);
        indices.to_vec()
    }
}

#[test]
fn an_epoch_has_every_example_once() {
    for n in [0, 1, 2, 7, 8, 9, 100] {
        for batch_size in [1, 2, 4, 8, 1000, usize::MAX] {
            for seed in [None, Some(3)] {
                let mut loader = DataLoader::new(numbers(n), batch_size);
                if let Some(seed) = seed {
                    loader = loader.shuffle(seed);
                }
                for epoch in 0..3 {
                    let batches: Vec<Vec<usize>> = loader.epoch(epoch).collect();
                    assert_eq!(batches.len(), loader.len());
                    assert_eq!(loader.is_empty(), n == 0);
                    if let Some((last, full)) = batches.split_last() {
                        assert!(full.iter().all(|batch| batch.len() == batch_size));
                        assert!((1..=batch_size).contains(&last.len()));
                    }
                    let mut seen = batches.concat();
                    if seed.is_none() {
                        assert!(seen.is_sorted());
                    }
                    seen.sort_unstable();
                    assert!(seen.into_iter().eq(0..n));
                }
            }
        }
    }
}

#[test]
fn drop_last_drops_an_incomplete_batch() {
    let loader = DataLoader::new(numbers(10), 4).shuffle(1).drop_last(true);
    let batches: Vec<_> = loader.epoch(0).collect();
    assert_eq!((loader.len(), batches.len()), (2, 2));
    assert!(batches.iter().all(|batch| batch.len() == 4));
    // The examples that one epoch leaves out occur in other epochs.
    let mut seen: Vec<usize> = (0..20).flat_map(|epoch| loader.epoch(epoch).flatten()).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 10);
    assert_eq!(DataLoader::new(numbers(3), 4).drop_last(true).len(), 0);
    assert_eq!(DataLoader::new(numbers(8), 4).drop_last(true).len(), 2);
}

#[test]
fn the_order_depends_only_on_seed_and_epoch() {
    let order = |seed, epoch| {
        DataLoader::new(numbers(100), 7).shuffle(seed).epoch(epoch).collect::<Vec<_>>()
    };
    assert_eq!(order(1, 5), order(1, 5));
    assert_ne!(order(1, 5), order(1, 6));
    assert_ne!(order(1, 5), order(2, 5));
    // The order does not depend on earlier epochs or on the batch size.
    let loader = DataLoader::new(numbers(100), 10).shuffle(1);
    let _ = loader.epoch(4).count();
    assert_eq!(loader.epoch(5).collect::<Vec<_>>().concat(), order(1, 5).concat());
}

/// A change of this order would change the training runs of all users. A separate program, written from
/// the papers that `permutation` cites, computed the expected order.
#[test]
fn the_order_has_the_recorded_values() {
    let loader = DataLoader::new(numbers(10), 10).shuffle(42);
    assert_eq!(loader.epoch(1).next().unwrap(), [1, 4, 5, 6, 3, 8, 0, 2, 7, 9]);
}

#[test]
fn skipped_batches_are_not_assembled() {
    let loader = DataLoader::new(numbers(100), 10).shuffle(1);
    let whole: Vec<_> = loader.epoch(2).collect();
    loader.dataset().asked.borrow_mut().clear();
    let rest: Vec<_> = loader.epoch(2).skip(8).collect();
    assert_eq!(rest, whole[8..]);
    assert_eq!(loader.dataset().asked.borrow().len(), 20);
    assert_eq!(loader.epoch(2).nth(10), None);
    assert_eq!(loader.epoch(2).nth(usize::MAX), None);
}

#[test]
fn the_length_counts_down_and_a_finished_epoch_stays_finished() {
    let loader = DataLoader::new(numbers(10), 4);
    let mut epoch = loader.epoch(0);
    for left in [3, 2, 1] {
        assert_eq!(epoch.len(), left);
        assert!(epoch.next().is_some());
    }
    assert_eq!(epoch.len(), 0);
    assert!(epoch.next().is_none() && epoch.next().is_none());
}

#[test]
fn a_loader_that_does_not_shuffle_can_be_iterated_directly() {
    let loader = DataLoader::new(numbers(5), 2);
    let mut seen = Vec::new();
    for batch in &loader {
        seen.extend(batch);
    }
    assert_eq!(seen, [0, 1, 2, 3, 4]);
}

#[test]
#[should_panic(expected = "order of epoch 0: use loader.epoch(epoch)")]
fn direct_iteration_of_a_loader_that_shuffles_panics() {
    let _ = DataLoader::new(numbers(5), 2).shuffle(0).iter();
}

#[test]
#[should_panic(expected = "batch_size must be at least 1, got 0")]
fn a_batch_size_of_zero_panics() {
    let _ = DataLoader::new(numbers(5), 0);
}

fn bytes() -> TensorDataset<u8> {
    let images = (0..=255).collect();
    let labels = (0..64).collect();
    TensorDataset::new(Tensor::from_vec(images, &[64, 2, 2]), Tensor::from_vec(labels, &[64]))
}

#[test]
fn bytes_become_floats_divided_by_255() {
    let set = bytes();
    let (x, y) = set.batch(&[63, 0, 63]);
    assert_eq!((x.shape().to_vec(), y.to_vec()), (vec![3, 2, 2], vec![63, 0, 63]));
    let expected: Vec<f32> = [252u8, 253, 254, 255, 0, 1, 2, 3, 252, 253, 254, 255]
        .iter()
        .map(|&b| f32::from(b) / 255.0)
        .collect();
    assert_eq!(x.to_vec(), expected);

    let (x, _) = set.normalize(0.5, 0.25).batch(&[63]);
    let expected: Vec<f32> =
        [252u8, 253, 254, 255].iter().map(|&b| (f32::from(b) / 255.0 - 0.5) / 0.25).collect();
    assert_eq!(x.to_vec(), expected);
}

#[test]
fn data_sets_of_floats_keep_inputs_and_targets() {
    let x = Tensor::from_vec(vec![1.0f32, 2.0, 3.0, 4.0], &[2, 2]);
    let y = Tensor::from_vec(vec![0.5f32, 1.5], &[2, 1]);
    let set = TensorDataset::new(x, y);
    let (x, y) = set.batch(&[1]);
    assert_eq!((x.to_vec(), y.to_vec(), y.rank()), (vec![3.0, 4.0], vec![1.5], 2));
    let (x, y) = set.normalize(1.0, 2.0).batch(&[0, 1]);
    assert_eq!((x.to_vec(), y.to_vec()), (vec![0.0, 0.5, 1.0, 1.5], vec![0.5, 1.5]));
}

#[test]
fn data_sets_without_examples_or_features_have_empty_batches() {
    let set = TensorDataset::new(
        Tensor::from_vec(vec![0u8; 0], &[0, 3]),
        Tensor::from_vec(vec![0i64; 0], &[0]),
    );
    assert!(set.is_empty() && DataLoader::new(&set, 4).iter().next().is_none());
    assert_eq!(set.batch(&[]).0.shape(), [0, 3]);
    let set = TensorDataset::new(
        Tensor::from_vec(vec![0u8; 0], &[3, 0]),
        Tensor::from_vec(vec![1i64, 2, 3], &[3]),
    );
    let (x, y) = set.batch(&[2]);
    assert_eq!((x.shape().to_vec(), y.to_vec()), (vec![1, 0], vec![3]));
}

#[test]
fn loaders_can_be_sent_and_shared_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<DataLoader<TensorDataset<u8>>>();
    check::<DataLoader<TensorDataset<f32, f32>>>();
}

#[test]
#[should_panic(expected = "must have the same size along axis 0")]
fn different_numbers_of_inputs_and_targets_panic() {
    let _ = TensorDataset::new(
        Tensor::from_vec(vec![0u8; 4], &[2, 2]),
        Tensor::from_vec(vec![0i64; 3], &[3]),
    );
}

#[test]
#[should_panic(expected = "index 64 is out of range for a data set of 64 examples")]
fn a_batch_with_an_index_out_of_range_panics() {
    let _ = bytes().batch(&[0, 64]);
}

#[test]
#[should_panic(expected = "mean must be finite, and std finite and above 0")]
fn a_standard_deviation_of_zero_panics() {
    let _ = bytes().normalize(0.0, 0.0);
}

#[test]
fn normalize_channels_uses_the_mean_and_deviation_of_each_channel() {
    let images = Tensor::from_vec((0..12).map(|i| i * 20).collect(), &[2, 3, 1, 2]);
    let set = TensorDataset::new(images, Tensor::from_vec(vec![0i64, 1], &[2]));
    let (means, stds) = ([0.1, 0.2, 0.3], [1.0, 2.0, 4.0]);
    let (x, _) = set.clone().normalize_channels(&means, &stds).batch(&[1]);
    let expected = (6..12).map(|i: usize| {
        let channel = i / 2 % 3;
        ((i * 20) as f32 / 255.0 - means[channel]) / stds[channel]
    });
    assert_eq!(x.to_vec(), expected.collect::<Vec<_>>());
    // With one channel, `normalize_channels` equals `normalize`.
    let one = bytes().with_channel();
    let (x, _) = one.clone().normalize_channels(&[0.5], &[0.25]).batch(&[7]);
    assert_eq!(x, one.normalize(0.5, 0.25).batch(&[7]).0);
}

#[test]
fn map_inputs_can_change_the_shape_of_images() {
    let set = bytes().with_channel();
    assert_eq!(set.inputs().shape(), [64, 1, 2, 2]);
    assert!(set.inputs().shares_storage(set.clone().map_inputs(|x| x.flatten(1, -1)).inputs()));
    let set = set.map_inputs(|x| x.pad(&[(0, 0), (0, 0), (1, 0), (0, 1)], 255)).normalize(1.0, 1.0);
    let (x, _) = set.batch(&[0]);
    assert_eq!(x.shape(), [1, 1, 3, 3]);
    assert_eq!(x.to_vec()[..4], [0.0, 0.0, 0.0, -1.0]);
}

#[test]
#[should_panic(
    expected = "map_inputs: the number of inputs must not change, got [64, 2, 2] before and [2, 64, 2] \
         after"
)]
fn map_inputs_refuses_a_change_of_the_number_of_inputs() {
    let _ = bytes().map_inputs(|x| x.transpose(0, 1));
}

#[test]
#[should_panic(expected = "the number of channels must not change after normalize_channels")]
fn a_change_of_the_channels_after_normalize_channels_panics() {
    let _ = bytes().normalize_channels(&[0.0; 2], &[1.0; 2]).with_channel();
}

#[test]
#[should_panic(expected = "got 3 means and 2 standard deviations for inputs [64, 2, 2]")]
fn normalize_channels_requires_a_mean_for_each_channel() {
    let _ = bytes().normalize_channels(&[0.0; 3], &[1.0; 2]);
}

#[test]
#[should_panic(expected = "with_channel: expected inputs [n, height, width], got [64, 1, 2, 2]")]
fn with_channel_twice_panics() {
    let _ = bytes().with_channel().with_channel();
}

#[test]
fn a_subset_of_a_subset_has_its_examples() {
    let set = numbers(100);
    let even = Subset::new(&set, (0..100).step_by(2));
    let some = Subset::new(&even, [3, 1, 1]);
    assert_eq!(some.batch(&[0, 1, 2]), [6, 2, 2]);
    assert_eq!((some.len(), some.indices()), (3, &[3, 1, 1][..]));
    let loader = DataLoader::new(some, 2);
    assert_eq!(loader.iter().collect::<Vec<_>>(), [vec![6, 2], vec![2]]);
}

#[test]
#[should_panic(expected = "index 5 is out of range for a data set of 5 examples")]
fn a_subset_with_an_index_out_of_range_panics() {
    let _ = Subset::new(numbers(5), [0, 5]);
}

#[test]
#[should_panic(expected = "index 2 is out of range for a subset of 2 examples")]
fn a_batch_beyond_a_subset_panics() {
    let _ = Subset::new(numbers(5), [0, 1]).batch(&[2]);
}

#[test]
fn a_split_has_every_example_in_one_part() {
    let split =
        |seed| random_split(numbers(20), [12, 5, 3], seed).map(|part| part.indices().to_vec());
    let parts = split(7);
    assert_eq!(parts.clone().map(|part| part.len()), [12, 5, 3]);
    let mut all = parts.concat();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..20));
    assert_eq!(split(7), parts);
    assert_ne!(split(8), parts);
}

#[test]
#[should_panic(expected = "must add up to the 10 examples")]
fn a_split_whose_lengths_do_not_add_up_panics() {
    let _ = random_split(numbers(10), [5, 4], 0);
}

#[test]
fn indices_returns_the_examples_of_a_batch() {
    for drop_last in [false, true] {
        let loader = DataLoader::new(numbers(23), 5).shuffle(4).drop_last(drop_last);
        for epoch in 0..3 {
            for (i, batch) in loader.epoch(epoch).enumerate() {
                assert_eq!(loader.indices(epoch, i), batch);
            }
        }
    }
}

#[test]
fn nth_skips_batches_from_the_current_one() {
    let loader = DataLoader::new(numbers(40), 4);
    let mut epoch = loader.epoch(0);
    assert_eq!(epoch.next().unwrap()[0], 0);
    assert_eq!(epoch.nth(2).unwrap()[0], 12);
    assert_eq!(epoch.nth(1).unwrap()[0], 20);
    let every_third: Vec<usize> = loader.epoch(0).step_by(3).map(|batch| batch[0]).collect();
    assert_eq!(every_third, [0, 12, 24, 36]);
}

#[test]
fn a_split_and_a_shuffled_epoch_of_one_seed_have_different_orders() {
    for seed in 0..4 {
        let [part] = random_split(numbers(50), [50], seed);
        for epoch in 0..4 {
            let order = DataLoader::new(numbers(50), 50).shuffle(seed).epoch(epoch).next().unwrap();
            assert_ne!(part.indices(), order, "seed {seed}, epoch {epoch}");
        }
    }
}
