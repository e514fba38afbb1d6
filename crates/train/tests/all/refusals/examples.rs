//! Examples, classes and targets that a run or an evaluation cannot use.

use super::{classifier, fit, linear, loss, normed, points, refused, with_class};
use wengert_autograd::Var;
use wengert_data::{DataLoader, Dataset, TensorDataset};
use wengert_nn::{
    BatchNorm1d, BatchNorm2d, Conv2d, Flatten, Layer, Linear, mse, sequential, state_dict,
};
use wengert_tensor::{Philox, Tensor};
use wengert_train::{Batches, Objective, TrainError, Trainer, evaluate, mistakes};

#[test]
fn a_last_batch_of_one_sample_with_batch_norm_is_an_error() {
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
fn batches_of_one_sample_and_validation_without_statistics_are_errors() {
    let rng = &mut Philox::new(0);
    let set = points(6);
    // Here every batch is too small, so the error is not about the last one.
    let error = refused(&mut normed(rng), &classifier(), &DataLoader::new(&set, 1));
    assert!(matches!(&error, TrainError::Operation(error) if error.path == "1"), "{error}");
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
fn a_class_out_of_range_is_an_error() {
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
fn a_class_out_of_range_is_an_error_in_every_loss_and_in_validation() {
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
fn training_without_data_is_an_error() {
    let rng = &mut Philox::new(0);
    let (empty, few) = (points(0), points(5));
    let error = refused(&mut linear(rng), &classifier(), &DataLoader::new(&empty, 4));
    assert_eq!(error.to_string(), "the training data: expected at least one example, got none");
    // The batch size is larger than the data set, and incomplete batches are dropped.
    let none = DataLoader::new(&few, 8).drop_last(true);
    let error = refused(&mut linear(rng), &classifier(), &none);
    assert!(matches!(error, TrainError::NoBatches { examples: 5, .. }), "{error}");
    assert!(error.to_string().contains("drop_last(false)"), "{error}");
    assert!(fit(&mut linear(rng), &classifier(), &none.clone().drop_last(false)).0.is_ok());

    let train = DataLoader::new(&few, 4);
    for set in [&empty, &few] {
        let valid = DataLoader::new(set, 6).drop_last(true);
        let error = refused(&mut linear(rng), &classifier().validate(&valid), &train);
        assert!(matches!(error, TrainError::NoBatches { .. }), "{error}");
        assert!(error.to_string().starts_with("the validation data `valid`: "), "{error}");
        let objective = Objective::classification();
        let error = objective.try_evaluate(&linear(rng), &valid).unwrap_err();
        assert!(matches!(error, TrainError::NoBatches { .. }), "{error}");
        assert!(mistakes(&linear(rng), &valid, 3).is_empty());
    }
}

#[test]
#[should_panic(expected = "evaluate: the data: expected at least one example, got none")]
fn an_evaluation_without_data_panics() {
    let set = points(0);
    evaluate(&linear(&mut Philox::new(0)), &DataLoader::new(&set, 4));
}

#[test]
#[should_panic(expected = "evaluate: example 3 of the data")]
fn an_evaluation_with_a_class_out_of_range_panics() {
    let set = with_class(5, 3, 9);
    evaluate(&linear(&mut Philox::new(0)), &DataLoader::new(&set, 2));
}

#[test]
fn outputs_and_classes_that_do_not_fit_the_rule_are_errors() {
    let rng = &mut Philox::new(0);
    let set = points(8);
    let loader = DataLoader::new(&set, 4);
    // Comparing [N, 1] with [N] would compare each prediction with each label.
    let columns = || Objective::new(loss).predict(|y| y.argmax(1, true));
    let trainer = Trainer::new(columns()).quiet();
    let (result, before, after) = fit(&mut linear(rng), &trainer, &loader);
    let error = result.unwrap_err();
    assert!(matches!(error, TrainError::Predictions { .. }), "{error}");
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
    assert!(matches!(error, TrainError::ClassOutOfRange { class: -1, .. }), "{error}");
    let many = Objective::new(loss).predict(|y| &y.argmax(1, false) + &Tensor::scalar_of(32768));
    let error = many.try_evaluate(&linear(rng), &DataLoader::new(&set, 4)).unwrap_err();
    assert!(matches!(error, TrainError::ClassOutOfRange { class: 32768.., .. }), "{error}");
}

#[test]
fn targets_of_another_shape_are_an_error() {
    let rng = &mut Philox::new(0);
    let x = Tensor::normal(&[6, 4], 0.0, 1.0, rng);
    let set = TensorDataset::new(x, Tensor::<f32>::zeros_of(&[6]));
    let trainer =
        Trainer::new(Objective::regression(|outputs, targets| mse(outputs, targets))).quiet();
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
fn messages_number_examples_like_the_loader() {
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
