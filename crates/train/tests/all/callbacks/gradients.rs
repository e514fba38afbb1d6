//! Callbacks that read or change gradients.

use super::{digits, model};
use crate::common::mlp;
use wengert_autograd::{Anomalies, Cause, value_and_grad};
use wengert_data::{DataLoader, Digits};
use wengert_nn::{Layer, cross_entropy, state_dict};
use wengert_optim::{Adam, Optimizer, Sgd};
use wengert_tensor::Philox;
use wengert_train::{Callback, ClipNorm, ClipValue, Context, Outcome, TrainError, Trainer};

/// Clipped gradients equal those of a hand-written loop, and their norm is logged.
#[test]
fn gradients_are_clipped_before_the_optimizer_uses_them() {
    let set = digits();
    let loader = DataLoader::new(&set, 20).shuffle(1);
    for by_norm in [true, false] {
        let (mut by_hand, mut optimizer) = (model(), Adam::new(0.01));
        let (mut rng, mut norms) = (Philox::new(0), 0.0);
        for epoch in 0..2 {
            norms = 0.0;
            for (x, y) in loader.epoch(epoch) {
                let (_, mut gradients) = value_and_grad(&mut rng, |tape| {
                    cross_entropy(by_hand.forward(tape.constant(x)), &y)
                });
                if by_norm {
                    norms += gradients.clip_norm(0.25);
                } else {
                    gradients.clip_value(0.01);
                }
                optimizer.step(&mut by_hand, &gradients);
            }
        }
        let mut clipped = model();
        let mut trainer = Trainer::classifier().epochs(2).quiet();
        trainer = if by_norm {
            trainer.callback(ClipNorm(0.25))
        } else {
            trainer.callback(ClipValue(0.01))
        };
        let history =
            trainer.fit(&mut clipped, &mut Adam::new(0.01), &loader, &mut Philox::new(0)).unwrap();
        assert_eq!(state_dict(&clipped), state_dict(&by_hand));
        let wanted = by_norm.then_some(norms / 3.0);
        match (history.logged("gradient norm")[1], wanted) {
            (Some(found), Some(wanted)) => assert!((found - wanted).abs() < 1e-12),
            (found, wanted) => assert_eq!(found, wanted),
        }
    }
}

/// Multiplies the gradients by NaN at the third step, as a division by a norm of 0 would.
struct Spoils;
impl Callback for Spoils {
    fn before_update(&mut self, run: &mut Context<'_>) -> Outcome {
        if run.steps() == 2 {
            let (model, gradients) = run.model_and_gradients();
            let gradients = gradients.unwrap();
            assert_eq!(gradients.of(model).len(), 4);
            gradients.scale(f64::NAN);
        }
        Ok(())
    }
}

/// Reads the gradients and does not change them.
struct Looks;
impl Callback for Looks {
    fn before_update(&mut self, run: &mut Context<'_>) -> Outcome {
        assert!(run.gradients().unwrap().not_finite().is_empty());
        Ok(())
    }
}

#[test]
fn gradients_that_a_callback_makes_infinite_are_refused() {
    let train = DataLoader::new(Digits::load().dataset(), 64);
    let [mut spoiled, mut twin] = [0, 0].map(|seed| mlp(&mut Philox::new(seed)));
    let run = |model, trainer: Trainer<'_, _>| {
        trainer.quiet().fit(model, &mut Sgd::new(0.1), &train, &mut Philox::new(1))
    };
    run(&mut twin, Trainer::classifier().callback(Looks).stop_after(2)).unwrap();
    let trainer = Trainer::classifier().callback(Looks).callback(Spoils).callback(Looks);
    let error = run(&mut spoiled, trainer).unwrap_err();
    let text = error.to_string();
    let TrainError::Gradient { step: 3, epoch: 1, callback: Some(name), parameters, loss } = error
    else {
        panic!("{text}")
    };
    assert!(name == "Spoils" && parameters.len() == 4 && loss.is_finite());
    assert!(text.contains("NaN or infinity, because the callback Spoils changed them"), "{text}");
    // The weights are those after the first two steps.
    assert_eq!(state_dict(&spoiled), state_dict(&twin));
}

#[test]
fn anomalies_of_a_run_are_named() {
    let train = DataLoader::new(Digits::load().dataset(), 64);
    let rng = &mut Philox::new(0);
    let run = |which: Option<Anomalies>| {
        let mut model = mlp(&mut Philox::new(0));
        let trainer = Trainer::custom().quiet();
        let trainer = match which {
            Some(which) => trainer.detect_anomalies(which),
            None => trainer,
        };
        let mut optimizer = Sgd::new(0.1);
        trainer.fit(&mut model, &mut optimizer, &train, &mut rng.clone(), |model, step, (x, y)| {
            let y = cross_entropy(model.forward(step.constant(x.clone())), y);
            // At the third step, the derivative of the loss is infinite.
            let zero = if step.number() == 2 { y - y.detach() } else { y };
            y + zero.sqrt()
        })
    };
    let error = run(None).unwrap_err();
    assert!(matches!(error, TrainError::Gradient { step: 3, callback: None, .. }), "{error}");
    assert!(error.to_string().contains("Trainer::detect_anomalies"), "{error}");
    let TrainError::Operation(error) = run(Some(Anomalies::All)).unwrap_err() else { panic!() };
    assert_eq!(error.cause, Cause::NotFinite);
    let text = error.to_string();
    assert!(
        text.contains("sqrt: the derivative rule returned a cotangent of operand 0")
            && text.contains(file!()),
        "{text}"
    );
}

/// A bound that is negative or NaN ends the run with an error that names the callback.
#[test]
fn bounds_that_clip_nothing_are_errors() {
    let digits = Digits::load().dataset();
    let loader = DataLoader::new(&digits, 600);
    let error = |trainer: Trainer| {
        let mut rng = Philox::new(0);
        let run = trainer.quiet().fit(&mut mlp(&mut rng), &mut Sgd::new(0.1), &loader, &mut rng);
        run.unwrap_err().to_string()
    };
    assert_eq!(
        error(Trainer::classifier().callback(ClipNorm(f64::NAN))),
        "ClipNorm: max_norm must be at least 0, got NaN"
    );
    assert_eq!(
        error(Trainer::classifier().callback(ClipValue(-1.0))),
        "ClipValue: max must be at least 0, got -1.0"
    );
}
