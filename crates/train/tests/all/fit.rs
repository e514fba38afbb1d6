//! Tests the training loop: results, records and errors.

use crate::common::mlp;
use wengert_autograd::{Param, Tape, Var, value_and_grad_with};
use wengert_data::{DataLoader, Dataset, Digits, Subset, TensorDataset, random_split};
use wengert_nn::{
    Flatten, Layer, Linear, Module, Relu, cross_entropy, mse, sequential, state_dict,
};
use wengert_optim::{OneCycleLr, Optimizer, Schedule, Sgd, StepLr};
use wengert_tensor::{Float, Philox, Tensor};
use wengert_train::{
    Callback, ClipNorm, Context, Criterion, Objective, Outcome, TrainError, Trainer, evaluate,
    mistakes,
};

#[test]
fn fit_has_the_bits_of_a_handwritten_loop() {
    let digits = Digits::load().dataset();
    let loader = DataLoader::new(&digits, 100).shuffle(3);

    let mut rng = Philox::new(1);
    let mut by_hand = mlp(&mut rng);
    let mut optimizer = Sgd::new(0.1).momentum(0.9);
    let (mut losses, mut right) = (vec![], 0.0);
    for epoch in 0..2 {
        right = 0.0;
        for (x, y) in loader.epoch(epoch) {
            optimizer.set_learning_rate(0.1 / (1.0 + losses.len() as f64));
            let (loss, logits, gradients) = value_and_grad_with(&mut rng, |tape| {
                let logits = by_hand.forward(tape.constant(x));
                (cross_entropy(logits, &y), logits.value())
            });
            optimizer.step(&mut by_hand, &gradients);
            losses.push(loss);
            right += logits.argmax(1, false).eq(&y).cast::<f64>().sum_all();
        }
    }

    let mut rng = Philox::new(1);
    let mut model = mlp(&mut rng);
    let mut optimizer = Sgd::new(0.7).momentum(0.9);
    let history = Trainer::classifier()
        .epochs(2)
        .learning_rate(|step| 0.1 / (1.0 + step as f64))
        .quiet()
        .fit(&mut model, &mut optimizer, &loader, &mut rng)
        .unwrap();
    assert_eq!(history.losses, losses);
    assert_eq!(state_dict(&model), state_dict(&by_hand));
    assert_eq!(history.steps(), 36);
    assert_eq!((history.learning_rates[0], history.learning_rates[35]), (0.1, 0.1 / 36.0));
    let last = history.last().unwrap();
    assert_eq!(last.train.accuracy, Some(right / 1797.0));
    assert_eq!((last.examples, last.validation, last.learning_rate), (1797, None, 0.1 / 36.0));
    assert!(last.seconds > 0.0 && history.best().is_none());
    // The mean over examples, not over steps: the last of the 18 batches has 97 examples.
    let sum: f64 = losses[18..]
        .iter()
        .enumerate()
        .map(|(i, x)| if i == 17 { 97.0 * x } else { 100.0 * x })
        .sum();
    assert!((last.train.loss - sum / 1797.0).abs() < 1e-12);
}

#[test]
fn keep_best_restores_the_weights_of_the_best_epoch() {
    let [train, valid] = random_split(Digits::load().dataset(), [1000, 797], 0);
    let (train, valid) = (DataLoader::new(&train, 50).shuffle(0), DataLoader::new(&valid, 300));
    for criterion in [Criterion::Accuracy, Criterion::Loss] {
        let mut rng = Philox::new(0);
        let mut model = mlp(&mut rng);
        // The learning rate is so large at the end that the last epoch is not the best.
        let history = Trainer::classifier()
            .epochs(5)
            .learning_rate(|step| if step < 60 { 0.1 } else { 3.0 })
            .validate(&valid)
            .keep_best(criterion)
            .quiet()
            .fit(&mut model, &mut Sgd::new(0.1), &train, &mut rng)
            .unwrap();
        let best = history.best_epoch.unwrap();
        assert!(best < 4, "{best}");
        let score = history.epochs[best].validation.unwrap();
        for other in history.epochs.iter().map(|epoch| epoch.validation.unwrap()) {
            match criterion {
                Criterion::Accuracy => assert!(other.accuracy <= score.accuracy),
                Criterion::Loss => assert!(other.loss >= score.loss),
                _ => unreachable!("{criterion:?}"),
            }
        }
        let now = evaluate(&model, &valid);
        assert_eq!((Some(now.accuracy()), now.loss), (score.accuracy, score.loss));
    }
}

#[test]
fn an_autoencoder_learns_to_reconstruct() {
    let digits = Digits::load();
    let set = TensorDataset::new(digits.scaled_images().flatten(1, -1), digits.labels);
    let loader = DataLoader::new(&set, 100).shuffle(0);
    let mut rng = Philox::new(0);
    let mut model = sequential![Linear::new(64, 16, &mut rng), Relu, Linear::new(16, 64, &mut rng)];
    let objective = || Objective::reconstruction(|outputs, targets| mse(outputs, targets));
    let before = objective().evaluate(&model, &loader);
    let history = Trainer::new(objective())
        .epochs(3)
        .validate_as("same", &loader)
        .quiet()
        .fit(&mut model, &mut Sgd::new(1.0).momentum(0.9), &loader, &mut rng)
        .unwrap();
    let last = history.last().unwrap();
    assert!(last.validation.unwrap().loss < 0.5 * before.loss);
    assert_eq!((last.train.accuracy, before.confusion_matrix), (None, None));
}

#[test]
fn regressions_and_user_defined_losses_train() {
    let x = Tensor::from_fn(&[60, 1], |i| i as f32 / 30.0 - 1.0);
    let y = Tensor::from_fn(&[60, 1], |i| 3.0 * (i as f32 / 30.0 - 1.0) + 0.5);
    let set = TensorDataset::new(x, y);
    let loader = DataLoader::new(&set, 20).shuffle(0);
    let mut rng = Philox::new(0);
    let mut model = Linear::new(1, 1, &mut rng);
    let trainer = Trainer::new(Objective::regression(|outputs, targets| mse(outputs, targets)))
        .epochs(60)
        .quiet();
    trainer.fit(&mut model, &mut Sgd::new(0.3), &loader, &mut rng).unwrap();
    assert!((model.weight.value().item() - 3.0).abs() < 1e-3);

    // The model returns distances to the classes; the prediction is the class with the smallest distance.
    let digits = Digits::load().dataset();
    let loader = DataLoader::new(&digits, 100).shuffle(0);
    let objective =
        Objective::new(|distances: Var, labels: &Tensor<i64>| cross_entropy(-distances, labels))
            .predict(|distances| distances.argmin(1, false));
    let mut model = mlp(&mut rng);
    let trainer = Trainer::new(objective).epochs(3).quiet();
    let history = trainer.fit(&mut model, &mut Sgd::new(0.5), &loader, &mut rng).unwrap();
    assert!(history.last().unwrap().train.accuracy.unwrap() > 0.9);
    assert!(evaluate(&model, &loader_in_order(&digits)).accuracy() < 0.1);
}

fn loader_in_order<D: Dataset>(set: D) -> DataLoader<D> {
    DataLoader::new(set, 500)
}

#[derive(Clone, Module)]
#[module(crate = "wengert_autograd")]
struct Net {
    fc1: Linear,
    fc2: Linear,
}
impl Layer for Net {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        let x = self.fc1.forward(x.flatten(1, -1)).relu();
        self.fc2.forward(x)
    }
}

#[test]
fn a_wrong_image_size_names_the_layer_before_anything_is_computed() {
    let mut rng = Philox::new(0);
    let mut model = Net { fc1: Linear::new(100, 20, &mut rng), fc2: Linear::new(20, 10, &mut rng) };
    let (before, start) = (state_dict(&model), rng.clone());
    let digits = Digits::load().dataset();
    let loader = DataLoader::new(&digits, 32);
    let mut optimizer = Sgd::new(0.1);
    let error = Trainer::classifier().quiet().fit(&mut model, &mut optimizer, &loader, &mut rng);
    let TrainError::Operation(error) = error.unwrap_err() else { panic!() };
    assert_eq!(error.path, "fc1");
    let text = error.to_string();
    assert!(text.contains("[32, 64]") && text.contains("100"), "{text}");
    assert_eq!((state_dict(&model), rng), (before, start));
}

#[test]
fn validation_images_are_checked_at_the_start() {
    let mut rng = Philox::new(0);
    let mut model = Net { fc1: Linear::new(64, 20, &mut rng), fc2: Linear::new(20, 10, &mut rng) };
    let digits = Digits::load().dataset();
    let wrong = TensorDataset::new(Tensor::zeros(&[5, 9, 9]), Tensor::<i64>::zeros_of(&[5]));
    let (train, wrong) = (DataLoader::new(&digits, 32), DataLoader::new(&wrong, 5));
    let before = state_dict(&model);
    let error = Trainer::classifier()
        .validate(&wrong)
        .quiet()
        .fit(&mut model, &mut Sgd::new(0.1), &train, &mut rng)
        .unwrap_err();
    assert!(error.to_string().starts_with("fc1: "), "{error}");
    assert_eq!(state_dict(&model), before);
}

#[test]
fn a_loss_that_is_no_scalar_and_labels_of_another_shape_are_errors() {
    let digits = Digits::load().dataset();
    let loader = DataLoader::new(&digits, 32);
    let mut rng = Philox::new(0);
    let mut model = mlp(&mut rng);
    let vector = Objective::new(|y: Var, _: &Tensor<i64>| y.square().mean(&[1], false));
    let trainer = Trainer::new(vector).quiet();
    let error = trainer.fit(&mut model, &mut Sgd::new(0.1), &loader, &mut rng).unwrap_err();
    assert!(
        error.to_string().starts_with("loss: the loss must have one element, got shape [32]"),
        "{error}"
    );

    let labels = Tensor::<i64>::zeros_of(&[1797, 10]);
    let one_hot = TensorDataset::new(Digits::load().images, labels);
    let loader = DataLoader::new(&one_hot, 32);
    let trainer = Trainer::classifier().quiet();
    let error = trainer.fit(&mut model, &mut Sgd::new(0.1), &loader, &mut rng).unwrap_err();
    assert!(
        error.to_string().starts_with("loss: cross_entropy: scores [32, 10] with classes on axis 1 require class numbers [32], got [32, 10]"),
        "{error}"
    );
}

#[derive(Clone, Module)]
#[module(crate = "wengert_autograd")]
struct Weight {
    w: Param,
}
impl Layer for Weight {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        x.tape().param(&self.w).square()
    }
}

#[test]
fn a_run_that_diverges_is_an_error_that_names_the_step() {
    let digits = Digits::load().dataset();
    let few = Subset::new(&digits, 0..200);
    let loader = DataLoader::new(&few, 20);
    // The loss is w², whatever the data. With this learning rate, each step multiplies w by a large factor.
    let mut model = Weight { w: Param::new(Tensor::from([1.0f32])) };
    let trainer =
        Trainer::new(Objective::new(|y: Var, _: &Tensor<i64>| y.sum_all())).epochs(3).quiet();
    let mut rng = Philox::new(0);
    let error = trainer.fit(&mut model, &mut Sgd::new(1e4), &loader, &mut rng).unwrap_err();
    let TrainError::NotFinite { epoch, step, .. } = error else { panic!("{error}") };
    assert_eq!((epoch, step), (1, 6));
    assert!(error.to_string().starts_with("epoch 1, step 6: the loss is inf"), "{error}");
}

/// Points on a line through zero, in double precision.
struct Line(Tensor<f64>);
impl Dataset for Line {
    type Batch = (Tensor<f64>, Tensor<f64>);
    fn len(&self) -> usize {
        30
    }
    fn batch(&self, indices: &[usize]) -> Self::Batch {
        let index = Tensor::from_fn(&[indices.len()], |i| indices[i] as i64);
        let x = self.0.index_select(0, &index);
        (x.clone(), &x * &Tensor::scalar_of(2.0))
    }
}

#[test]
fn training_in_f64_works() {
    let x = Tensor::<f64>::from_fn(&[30, 1], |i| i as f64);
    let mut rng = Philox::new(0);
    let mut model = Linear::<f64>::of(1, 1, &mut rng);
    let loader = DataLoader::new(Line(x), 30);
    let history = Trainer::new(Objective::regression(|outputs, targets| mse(outputs, targets)))
        .epochs(4)
        .quiet()
        .fit(&mut model, &mut Sgd::<f64>::of(1e-3), &loader, &mut rng)
        .unwrap();
    assert!(history.losses[3] < history.losses[0]);
}

/// The digits as a data set of `f64`.
fn digits_in_double_precision() -> (Tensor<f64>, Tensor<i64>) {
    let digits = Digits::load().dataset();
    let (x, y) = digits.batch(&(0..400).collect::<Vec<_>>());
    (x.flatten(1, -1).cast(), y)
}

/// A classifier of `f64` is trained by the same lines as one of `f32`: the model and the optimizer determine
/// the number type of trainer and objective. The result is compared with a loop without a trainer.
#[test]
fn a_classifier_in_double_precision() {
    let data = digits_in_double_precision();
    let loader = DataLoader::new(&data, 100);
    let mut rng = Philox::new(3);
    let mut model = sequential![Linear::<f64>::of(64, 10, &mut rng)];
    let mut twin = model.clone();
    let mut optimizer = Sgd::<f64>::of(0.05);
    let trainer = Trainer::classifier().epochs(2).validate(&loader).quiet();
    let trainer = trainer.keep_best(Criterion::Accuracy).callback(ClipNorm(1e9));
    let history = trainer.fit(&mut model, &mut optimizer, &loader, &mut rng).unwrap();

    let mut losses = Vec::new();
    for (x, y) in [0, 1].into_iter().flat_map(|epoch| loader.epoch(epoch)) {
        let tape = Tape::train(&mut rng);
        let loss = cross_entropy(twin.forward(tape.constant(x)), &y);
        losses.push(loss.item());
        let gradients = loss.backward();
        drop(tape);
        Sgd::<f64>::of(0.05).step(&mut twin, &gradients);
    }
    assert_eq!(history.losses, losses);
    assert_eq!(model.predict(&data.0), twin.predict(&data.0));

    let found = evaluate(&model, &loader);
    let (total, right) = (found.confusion().total(), found.confusion().correct());
    let percent = 100.0 * right as f64 / total as f64;
    assert_eq!(
        found.to_string(),
        format!(
            "accuracy {percent:.2}% ({} of {total} wrong), loss {:.4}",
            total - right,
            found.loss
        )
    );
    assert_eq!(trainer.objective().evaluate(&model, &loader), found);
    assert_eq!(Some(found.accuracy()), history.best().unwrap().validation.unwrap().accuracy);
    let wrong = mistakes(&model, &loader, usize::MAX);
    assert_eq!(wrong.len() as u64, found.confusion().total() - found.confusion().correct());
    let answers = twin.predict(&data.0).argmax(1, false);
    let right = answers.eq(&data.1).cast::<i64>().sum_all();
    assert_eq!(found.confusion().correct(), right as u64);
}

/// Every objective trains models of `f64`, without a word about the number type.
#[test]
fn objectives_in_double_precision() {
    let (x, y) = digits_in_double_precision();
    let mut rng = Philox::new(3);
    let data = (x.clone(), y);
    let loader = DataLoader::new(&data, 100);

    let mut model = Linear::<f64>::of(64, 64, &mut rng);
    let trainer = Trainer::new(Objective::reconstruction(|outputs, targets| mse(outputs, targets)))
        .epochs(3)
        .quiet();
    let history = trainer.fit(&mut model, &mut Sgd::of(1e-3), &loader, &mut rng).unwrap();
    assert!(history.losses[11] < history.losses[0]);
    let found = trainer.objective().evaluate(&model, &loader);
    assert_eq!(found.to_string(), format!("loss {:.4}", found.loss));

    let mut model = Linear::<f64>::of(64, 10, &mut rng);
    let nearest = Objective::new(|distances, labels| cross_entropy(-distances, labels))
        .predict(|distances| distances.argmin(1, false));
    let trainer = Trainer::new(nearest).epochs(3).quiet();
    let history = trainer.fit(&mut model, &mut Sgd::of(1e-2), &loader, &mut rng).unwrap();
    assert!(history.losses[11] < history.losses[0]);
    assert!(history.last().unwrap().train.accuracy > history.epochs[0].train.accuracy);

    let pairs = (x.clone(), x);
    let loader = DataLoader::new(&pairs, 100);
    let mut model = Linear::<f64>::of(64, 64, &mut rng);
    let trainer = Trainer::new(Objective::regression(|outputs, targets| mse(outputs, targets)))
        .epochs(3)
        .quiet();
    let history = trainer.fit(&mut model, &mut Sgd::of(1e-3), &loader, &mut rng).unwrap();
    assert!(history.losses[11] < history.losses[0]);
}

#[test]
#[should_panic(
    expected = "keep_best: expected validation data to compare the epochs, got none: set them with \
         Trainer::validate"
)]
fn keep_best_without_validation_data_panics() {
    let digits = Digits::load().dataset();
    let mut rng = Philox::new(0);
    let _ = Trainer::classifier().keep_best(Criterion::Loss).quiet().fit(
        &mut mlp(&mut rng),
        &mut Sgd::new(0.1),
        &DataLoader::new(&digits, 100),
        &mut rng,
    );
}

#[test]
fn schedules_count_steps_or_epochs() {
    let digits = Digits::load().dataset();
    let loader = DataLoader::new(&digits, 600).shuffle(0);
    let rates = |trainer: Trainer| {
        let mut rng = Philox::new(0);
        let (mut model, mut optimizer) = (mlp(&mut rng), Sgd::new(9.0).momentum(0.5));
        let trainer = trainer.epochs(3).quiet();
        trainer.fit(&mut model, &mut optimizer, &loader, &mut rng).unwrap().learning_rates
    };
    let halved = || StepLr::new(0.1, 1).gamma(0.5);
    let steps: Vec<f64> = (0..9).map(|step| 0.1 * 0.5f64.powi(step)).collect();
    assert_eq!(rates(Trainer::classifier().schedule(halved())), steps);
    let epochs: Vec<f64> = (0..9).map(|step| 0.1 * 0.5f64.powi(step / 3)).collect();
    assert_eq!(rates(Trainer::classifier().schedule_by_epoch(halved())), epochs);
    assert_eq!(rates(Trainer::classifier()), [9.0; 9]);
}

#[test]
#[should_panic(expected = "OneCycleLr")]
fn a_schedule_that_is_too_short_panics_at_the_start() {
    let digits = Digits::load().dataset();
    let mut rng = Philox::new(0);
    let mut model = mlp(&mut rng);
    let loader = DataLoader::new(&digits, 600);
    let trainer = Trainer::classifier().epochs(2).schedule(OneCycleLr::new(0.1, 4)).quiet();
    let _ = trainer.fit(&mut model, &mut Sgd::new(0.1).momentum(0.9), &loader, &mut rng);
}

/// The schedule is checked before the first step. 2³² epochs are more than addresses of 32 bits can count.
#[test]
#[should_panic(expected = "OneCycleLr")]
fn a_run_of_2_to_the_32_epochs_with_a_schedule_panics_at_the_start() {
    struct NoStep;
    impl<T: Float> Callback<T> for NoStep {
        fn before_step(&mut self, _: &mut Context<'_, T>) -> Outcome {
            panic!("a step began");
        }
    }
    let digits = Digits::load().dataset();
    let mut rng = Philox::new(0);
    let mut model = mlp(&mut rng);
    let loader = DataLoader::new(&digits, 600);
    let trainer = Trainer::classifier().epochs(1 << 32).schedule(OneCycleLr::new(0.1, 4));
    let trainer = trainer.callback(NoStep).quiet();
    let _ = trainer.fit(&mut model, &mut Sgd::new(0.1).momentum(0.9), &loader, &mut rng);
}

#[test]
#[should_panic(
    expected = "Evaluation::accuracy: the objective does not classify: set a rule that maps outputs to classes with \
     Objective::predict"
)]
fn there_is_no_accuracy_without_classes() {
    let digits = Digits::load().dataset();
    let model = mlp(&mut Philox::new(0));
    let objective = Objective::new(|y: Var, _: &Tensor<i64>| y.mean_all());
    objective.evaluate(&model, &DataLoader::new(&digits, 100)).accuracy();
}

#[test]
fn evaluation_is_the_mean_over_examples_whatever_the_batches() {
    let digits = Digits::load().dataset();
    let model = mlp(&mut Philox::new(0));
    let [small, whole] = [7, 1797].map(|n| evaluate(&model, &DataLoader::new(&digits, n)));
    assert!((small.loss - whole.loss).abs() < 1e-6);
    assert_eq!(small.confusion_matrix, whole.confusion_matrix);
    let logits = model.predict(&digits.batch(&(0..1797).collect::<Vec<_>>()).0);
    let tape = Tape::inference();
    let loss = cross_entropy(tape.constant(logits), digits.targets()).item();
    assert_eq!(whole.loss, loss);
}

/// If several epochs have the same score, the weights of the earliest are kept.
#[test]
fn keep_best_keeps_the_earlier_of_two_equal_epochs() {
    let digits = Digits::load().dataset();
    let few = Subset::new(&digits, 0..200);
    let train = DataLoader::new(&few, 50).shuffle(1);
    // The outputs for zeros are zeros, whatever the weights, so the loss is always ln 10.
    let zeros = TensorDataset::new(Tensor::zeros(&[20, 64]), Tensor::<i64>::zeros_of(&[20]));
    let valid = DataLoader::new(&zeros, 20);
    let run = |epochs: u64, criterion: Option<Criterion>| {
        let mut rng = Philox::new(4);
        let mut model = sequential![Flatten::new(), Linear::new(64, 10, &mut rng).without_bias()];
        let trainer = Trainer::classifier().epochs(epochs).validate(&valid).quiet();
        let trainer = match criterion {
            Some(criterion) => trainer.keep_best(criterion),
            None => trainer,
        };
        let history = trainer.fit(&mut model, &mut Sgd::new(0.1), &train, &mut rng).unwrap();
        (history, state_dict(&model))
    };
    let (_, after_one) = run(1, None);
    let (_, after_three) = run(3, None);
    assert!(after_one != after_three);
    for criterion in [Criterion::Loss, Criterion::Accuracy] {
        let (history, weights) = run(3, Some(criterion));
        let scores: Vec<_> = history.epochs.iter().map(|epoch| epoch.validation).collect();
        assert!(scores.iter().all(|score| *score == scores[0]), "{scores:?}");
        assert_eq!(history.best_epoch, Some(0));
        assert!(weights == after_one, "{criterion:?}: the weights of the first epoch");
    }
}

/// An epoch whose score is NaN or infinite is never the best epoch.
#[test]
fn a_nan_score_is_never_the_best() {
    let x = Tensor::ones(&[4, 1]);
    // A target of 1 marks the training data, 0 the validation data.
    let set = |y: f32| TensorDataset::new(x.clone(), Tensor::full(&[4, 1], f64::from(y)));
    let (train, valid) = (DataLoader::new(set(1.0), 4), DataLoader::new(set(0.0), 4));
    for (losses, best, kept) in [
        ([f64::NAN, 5.0, 5.0, f64::NAN], Some(1), 2.0),
        ([f64::INFINITY, f64::NAN, 7.0, 6.0], Some(3), 4.0),
        ([3.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY], Some(0), 1.0),
        ([f64::NAN, f64::INFINITY, f64::NAN, f64::NEG_INFINITY], None, 4.0),
    ] {
        let mut model = Linear::new(1, 1, &mut Philox::new(0)).without_bias();
        model.weight.set(Tensor::zeros(&[1, 1]));
        let epoch = std::cell::Cell::new(0);
        // Each step adds 1 to the weight.
        let objective = Objective::new(|y: Var, target: &Tensor| {
            if target.to_vec()[0] == 1.0 {
                return -y.mean_all();
            }
            if y.tape().is_shape_only() {
                return y.mean_all();
            }
            epoch.set(epoch.get() + 1);
            y.mean_all() * 0.0 + losses[epoch.get() - 1]
        });
        let history = Trainer::new(objective)
            .epochs(4)
            .validate(&valid)
            .keep_best(Criterion::Loss)
            .quiet()
            .fit(&mut model, &mut Sgd::new(1.0), &train, &mut Philox::new(0))
            .unwrap();
        assert_eq!(history.best_epoch, best, "{losses:?}");
        assert_eq!(model.weight.value().item(), kept, "{losses:?}");
    }
}

/// The learning rate and the momentum of a cycle start together, after the warmup.
#[test]
fn rate_and_momentum_of_a_cycle_start_after_the_warmup() {
    let digits = Digits::load().dataset();
    let loader = DataLoader::new(&digits, 300);
    let cycle = OneCycleLr::new(0.4, 12);
    let mut rng = Philox::new(0);
    let (mut model, mut optimizer) = (mlp(&mut rng), Sgd::new(9.0).momentum(0.5));
    let trainer = Trainer::classifier().epochs(3).schedule(cycle.warmup(6)).quiet();
    let history = trainer.stop_after(9).fit(&mut model, &mut optimizer, &loader, &mut rng).unwrap();
    let wanted: Vec<f64> = (0..6).map(|t| 0.4 / 25.0 * f64::from(t + 1) / 7.0).collect();
    for (rate, wanted) in history.learning_rates[..6].iter().zip(wanted) {
        assert!((rate - wanted).abs() < 1e-15);
    }
    // Step 8 is step 2 of the cycle, whose maximum is at 0.3 · 12 - 1.
    assert_eq!(history.learning_rates[8], cycle.learning_rate(2));
    let momentum: f64 = optimizer.state_dict(&model).metadata["momentum"].parse().unwrap();
    let done = 2.0 / 2.6;
    let cosine = 0.85 + (0.95 - 0.85) / 2.0 * (1.0 + (std::f64::consts::PI * done).cos());
    assert!((momentum - cosine).abs() < 1e-12, "{momentum} {cosine}");
}

/// A setting that is an option of a program is set only if it has a value.
#[test]
fn optional_settings() {
    let digits = Digits::load().dataset();
    let loader = DataLoader::new(&digits, 600);
    let steps = |most: Option<usize>| {
        let mut rng = Philox::new(0);
        let trainer = Trainer::classifier().quiet().optionally(most, Trainer::stop_after);
        trainer.fit(&mut mlp(&mut rng), &mut Sgd::new(0.1), &loader, &mut rng).unwrap().steps()
    };
    assert_eq!((steps(None), steps(Some(2))), (3, 2));
}
