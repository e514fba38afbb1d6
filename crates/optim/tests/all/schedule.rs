//! Compares schedules with PyTorch's, from `tests/reference/schedules.py`, and tests the errors of
//! schedules.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use wengert_autograd::{Param, Tape};
use wengert_optim::{
    Adadelta, Adam, ConstantLr, CosineAnnealingLr, ExponentialLr, LambdaLr, LinearLr, MultiStepLr,
    OneCycleLr, Optimizer, Schedule, Sgd, StepLr,
};
use wengert_tensor::{NamedTensors, Tensor};

const FILE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference/schedules.safetensors");

fn all() -> Vec<(&'static str, Box<dyn Schedule>)> {
    let beyond = CosineAnnealingLr::new(0.1, 13).eta_min(0.01);
    let gamma = StepLr::new(0.1, 7).gamma(0.7);
    let odd = OneCycleLr::new(0.4, 37).pct_start(0.21).div_factor(7.0);
    let linear = OneCycleLr::new(0.4, 41).pct_start(0.37).linear();
    vec![
        ("step", Box::new(StepLr::new(0.1, 30))),
        ("step/gamma", Box::new(gamma)),
        ("multi_step", Box::new(MultiStepLr::new(0.1, [80, 30]))),
        ("multi_step/gamma", Box::new(MultiStepLr::new(0.1, [5, 6, 6, 20]).gamma(0.3))),
        ("exponential", Box::new(ExponentialLr::new(0.1, 0.9))),
        ("cosine", Box::new(CosineAnnealingLr::new(0.1, 100))),
        ("cosine/beyond", Box::new(beyond)),
        ("linear", Box::new(LinearLr::new(0.1, 5))),
        ("linear/down", Box::new(LinearLr::new(0.1, 30).start_factor(0.9).end_factor(0.05))),
        ("constant", Box::new(ConstantLr::new(0.1, 5))),
        ("constant/factor", Box::new(ConstantLr::new(0.1, 9).factor(0.7))),
        ("one_cycle", Box::new(OneCycleLr::new(0.1, 100))),
        (
            "one_cycle/odd",
            Box::new(odd.final_div_factor(50.0).base_momentum(0.7).max_momentum(0.99)),
        ),
        ("one_cycle/linear", Box::new(OneCycleLr::new(0.4, 37).pct_start(0.45).linear())),
        ("one_cycle/three_phase", Box::new(OneCycleLr::new(0.4, 50).three_phase(true))),
        ("one_cycle/three_phase_linear", Box::new(linear.three_phase(true))),
        ("one_cycle/keep_momentum", Box::new(OneCycleLr::new(0.4, 20).cycle_momentum(false))),
        ("one_cycle/no_rise", Box::new(OneCycleLr::new(0.4, 20).pct_start(0.0))),
        ("warmup/cosine", Box::new(beyond.warmup(5))),
        ("warmup/step", Box::new(gamma.warmup(10))),
    ]
}

#[test]
fn every_stored_schedule_agrees_with_pytorch() {
    let file = NamedTensors::load(FILE).unwrap();
    let mut compared = 0;
    for (name, schedule) in all() {
        let get = |what| file.get(&format!("{name}/{what}")).map(|t| t.cast::<f64>().to_vec());
        let rates = get("lr").unwrap_or_else(|| panic!("no {name}"));
        let mut worst = 0.0f64;
        for (step, want) in rates.iter().enumerate() {
            worst = worst.max((schedule.learning_rate(step) - want).abs());
        }
        let momenta = get("momentum");
        assert_eq!(schedule.momentum(0).is_some(), momenta.is_some(), "{name}");
        compared += 1 + usize::from(momenta.is_some());
        for (step, want) in momenta.into_iter().flatten().enumerate() {
            worst = worst.max((schedule.momentum(step).unwrap() - want).abs());
        }
        println!("{name}: {worst:.1e} off in {} steps", rates.len());
        assert!(worst <= 1e-12, "{name}: {worst:e} off");
    }
    assert_eq!(compared, file.names().count());
}

#[test]
fn schedules_set_rate_and_momentum_of_optimizers() {
    let schedule = OneCycleLr::new(0.4, 10);
    let mut optimizers: [Box<dyn Optimizer>; 3] =
        [Box::new(Sgd::new(9.0)), Box::new(Adam::new(9.0)), Box::new(Adam::adamw(9.0))];
    for optimizer in &mut optimizers {
        for step in [3, 0, 10] {
            schedule.apply(&mut **optimizer, step);
            assert_eq!(optimizer.learning_rate(), schedule.learning_rate(step));
            let settings = optimizer.state_dict(&()).metadata;
            let momentum = settings.get("momentum").or(settings.get("beta1")).unwrap();
            assert_eq!(momentum.parse().ok(), Schedule::momentum(&schedule, step));
        }
    }
    // An optimizer without momentum accepts a schedule that does not change the momentum.
    let mut adadelta = Adadelta::<f64>::of(1.0);
    schedule.cycle_momentum(false).apply(&mut adadelta, 3);
    assert_eq!(adadelta.learning_rate(), schedule.learning_rate(3));
}

#[test]
fn references_and_boxes_of_schedules_are_schedules() {
    let schedule: Arc<dyn Schedule> = Arc::new(StepLr::new(1.0, 1).gamma(0.5));
    let boxed: Box<dyn Schedule> = Box::new(Arc::clone(&schedule).warmup(1));
    let mut sgd = Sgd::new(9.0);
    boxed.apply(&mut sgd, 3);
    assert_eq!(sgd.learning_rate(), 0.25);
    (&&*schedule).apply(&mut sgd, 3);
    assert_eq!(sgd.learning_rate(), 0.125);
    LambdaLr::new(0.5, |step| step as f64).apply(&mut sgd, 3);
    assert_eq!(sgd.learning_rate(), 1.5);
}

/// If momentum is switched on during training, the buffer starts at that step. Momentum and buffer
/// are saved.
#[test]
fn momentum_can_be_switched_on_during_training() {
    let mut model = Param::new(Tensor::from([1.0f32, 2.0]));
    let mut sgd = Sgd::new(0.25);
    for (momentum, saved) in [(0.0, 1), (0.5, 2)] {
        sgd.set_momentum(momentum);
        let gradients = Tape::new().param(&model).sum_all().backward();
        sgd.step(&mut model, &gradients);
        assert_eq!(sgd.state_dict(&model).names().count(), saved);
    }
    assert_eq!(sgd.state_dict(&model).metadata["momentum"], "0.5");
    assert_eq!(model.value().to_vec(), [0.5, 1.5]);
}

/// A warmup shifts the whole cycle: the momentum is lowest where the learning rate is highest.
#[test]
fn warmup_shifts_the_momentum_with_the_rate() {
    let cycle = OneCycleLr::new(0.4, 20);
    let boxed: Box<dyn Schedule> = Box::new(cycle);
    for schedule in [&cycle.warmup(6) as &dyn Schedule, &boxed.warmup(6)] {
        for step in 0..6 {
            let rate = cycle.learning_rate(0) * (step + 1) as f64 / 7.0;
            assert!((schedule.learning_rate(step) - rate).abs() < 1e-15, "step {step}");
            assert_eq!(schedule.momentum(step), Some(0.95), "step {step}");
        }
        for step in 0..=20 {
            assert_eq!(schedule.learning_rate(6 + step), cycle.learning_rate(step));
            assert_eq!(schedule.momentum(6 + step), Schedule::momentum(&cycle, step));
        }
        // The maximum of the learning rate is at step 0.3 · 20 - 1 of the cycle.
        let close = |a: f64, b: f64| (a - b).abs() < 1e-15;
        assert!(close(schedule.learning_rate(11), 0.4));
        assert!(close(schedule.momentum(11).unwrap(), 0.85));
        assert!(schedule.momentum(5).unwrap() > 0.949 && schedule.momentum(10).unwrap() > 0.85);
    }
    let at = |step| Schedule::momentum(&cycle.warmup(0), step);
    assert_eq!((0..20).map(at).collect::<Vec<_>>(), {
        (0..20).map(|step| Schedule::momentum(&cycle, step)).collect::<Vec<_>>()
    });
    assert_eq!(Schedule::momentum(&StepLr::new(0.1, 3).warmup(2), 1), None);
    let mut sgd = Sgd::new(9.0);
    cycle.warmup(6).apply(&mut sgd, 11);
    assert_eq!(sgd.state_dict(&()).metadata["momentum"].parse::<f64>().ok(), at(5));
}

/// Tests schedules of one step, schedules of no step where they are allowed, and steps far beyond the end.
#[test]
fn schedules_are_right_at_their_first_and_last_steps() {
    let far = usize::MAX;
    let rates = |schedule: &dyn Schedule, steps: &[usize]| -> Vec<f64> {
        steps.iter().map(|&step| schedule.learning_rate(step)).collect()
    };
    assert_eq!(rates(&StepLr::new(1.0, 1).gamma(0.5), &[0, 1, 2, far]), [1.0, 0.5, 0.25, 0.0]);
    assert_eq!(rates(&StepLr::new(1.0, far), &[0, far - 1]), [1.0, 1.0]);
    assert_eq!(rates(&StepLr::new(1.0, 1).gamma(0.0), &[0, 1, far]), [1.0, 0.0, 0.0]);
    assert_eq!(rates(&MultiStepLr::new(1.0, [0]), &[0, 1]), [0.1, 0.1]);
    assert_eq!(rates(&MultiStepLr::new(1.0, []), &[0, far]), [1.0, 1.0]);
    assert_eq!(rates(&ExponentialLr::new(1.0, 0.5), &[0, 1, far]), [1.0, 0.5, 0.0]);
    assert_eq!(rates(&CosineAnnealingLr::new(1.0, 1), &[0, 1, 2, 3]), [1.0, 0.0, 1.0, 0.0]);
    let slow = CosineAnnealingLr::new(1.0, far);
    assert!(rates(&slow, &[0, far / 2, far - 1]).iter().all(|rate| (0.0..=1.0).contains(rate)));
    assert_eq!(rates(&LinearLr::new(1.0, 1).start_factor(0.5), &[0, 1, far]), [0.5, 1.0, 1.0]);
    assert_eq!(rates(&ConstantLr::new(1.0, 0), &[0, far]), [1.0, 1.0]);
    assert_eq!(rates(&ConstantLr::new(1.0, 1).factor(0.5), &[0, 1]), [0.5, 1.0]);
    assert_eq!(rates(&OneCycleLr::new(1.0, 1), &[0, 1]), [1.0 / 25.0 / 1e4; 2]);
    assert_eq!(rates(&StepLr::new(1.0, 1).gamma(0.5).warmup(0), &[0, 1]), [1.0, 0.5]);
    assert_eq!(rates(&StepLr::new(1.0, 1).gamma(0.5).warmup(1), &[0, 1, 2]), [0.5, 1.0, 0.5]);
    // The last step of the warmup gives far/(far + 1) = 1 - 2⁻³² or 1 - 2⁻⁶⁴.
    let almost = 1.0 - 0.5f64.powi(usize::BITS as i32);
    assert_eq!(rates(&StepLr::new(1.0, 1).warmup(far), &[far - 1]), [almost]);
}

#[test]
fn one_cycle_is_right_at_its_last_step_and_for_few_steps() {
    let schedule = OneCycleLr::new(0.4, 10);
    assert_eq!(schedule.learning_rate(10), schedule.learning_rate(9));
    for total in 1..8 {
        for three in [false, true] {
            let schedule = OneCycleLr::new(1.0, total).three_phase(three);
            for step in 0..=total {
                let rate = schedule.learning_rate(step);
                assert!((0.0..=1.0).contains(&rate), "{rate} at {step} of {total}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "the step must be at most total_steps = 10, got 11: set total_steps to")]
fn a_step_after_the_end_of_one_cycle_panics() {
    OneCycleLr::new(0.4, 10).learning_rate(11);
}

#[test]
#[should_panic(expected = "pct_start must be at most 0.5 with three phases, got ")]
fn a_pct_start_above_half_with_three_phases_panics() {
    OneCycleLr::new(0.4, 10).pct_start(0.6).three_phase(true).learning_rate(0);
}

#[test]
#[should_panic(expected = "set_momentum: Adadelta has no momentum; if a `OneCycleLr` schedule")]
fn one_cycle_for_an_optimizer_without_momentum_panics() {
    OneCycleLr::new(0.4, 10).apply(&mut Adadelta::new(1.0), 0);
}

#[test]
#[should_panic(expected = "Adam: beta1 must be at least 0 and below 1, got 1.0")]
fn a_momentum_of_1_panics() {
    Adam::new(0.1).set_momentum(1.0);
}

#[test]
#[should_panic(expected = "StepLr: step_size must be at least 1, got 0")]
fn a_step_size_of_0_panics() {
    let _ = StepLr::new(0.1, 0);
}

#[test]
#[should_panic(expected = "CosineAnnealingLr: lr must be finite and at least 0, got NaN")]
fn a_nan_learning_rate_panics() {
    let _ = CosineAnnealingLr::new(f64::NAN, 10);
}

#[test]
#[should_panic(expected = "OneCycleLr: pct_start must be from 0 to 1, got 30.0")]
fn a_pct_start_above_1_panics() {
    let _ = OneCycleLr::new(0.1, 10).pct_start(30.0);
}

/// The schedule has a learning rate for the last step and none for the step after it.
#[test]
fn schedules_have_no_rate_after_their_last_step() {
    let cycle = OneCycleLr::new(0.4, 20);
    let schedules: [(&dyn Schedule, usize); 5] = [
        (&cycle, 20),
        (&cycle.three_phase(true), 20),
        (&cycle.warmup(7), 27),
        (&cycle.warmup(7).warmup(0).warmup(3), 30),
        (&Arc::new(cycle), 20),
    ];
    for (schedule, last) in schedules {
        assert_eq!(schedule.last_step(), Some(last));
        assert!(schedule.learning_rate(last) > 0.0);
        let beyond = || schedule.learning_rate(last + 1);
        assert!(catch_unwind(AssertUnwindSafe(beyond)).is_err());
    }
    let endless: [&dyn Schedule; 8] = [
        &CosineAnnealingLr::new(0.1, 3),
        &LinearLr::new(0.1, 3),
        &ConstantLr::new(0.1, 3),
        &StepLr::new(0.1, 3),
        &MultiStepLr::new(0.1, [3]),
        &ExponentialLr::new(0.1, 0.5),
        &LambdaLr::new(0.1, |_| 1.0),
        &StepLr::new(0.1, 3).warmup(2),
    ];
    for schedule in endless {
        assert_eq!(schedule.last_step(), None);
        assert!(schedule.learning_rate(1_000_000) >= 0.0);
    }
}
