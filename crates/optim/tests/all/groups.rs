//! Compares parameter groups with optimizers without groups, and with plain loops over PyTorch's formulas.

use std::panic::{AssertUnwindSafe, catch_unwind};
use wengert_autograd::{Gradients, Param, Tape};
use wengert_nn_derive::Module;
use wengert_optim::{
    Adadelta, Adagrad, Adam, CosineAnnealingLr, Group, LambdaLr, Optimizer, Schedule, Sgd,
    StateProblem,
};
use wengert_tensor::{Philox, Tensor};

#[derive(Module)]
#[module(crate = "wengert_autograd")]
struct Part {
    weight: Param<f64>,
    bias: Param<f64>,
}

#[derive(Module)]
#[module(crate = "wengert_autograd")]
struct Net {
    body: Part,
    head: Part,
}

fn net() -> Net {
    let mut rng = Philox::new(3);
    let mut part = || Part {
        weight: Param::new(Tensor::normal_of(&[2, 3], 0.0, 1.0, &mut rng)),
        bias: Param::new(Tensor::normal_of(&[2], 0.0, 1.0, &mut rng)),
    };
    Net { body: part(), head: part() }
}

impl Net {
    /// Returns the weight and bias of the body, then those of the head.
    fn params(&self) -> [&Param<f64>; 4] {
        [&self.body.weight, &self.body.bias, &self.head.weight, &self.head.bias]
    }

    fn values(&self) -> Vec<Vec<f64>> {
        self.params().map(|param| param.value().to_vec()).into()
    }

    /// Returns the gradients of Σ sin(w + step).
    fn gradients(&self, step: usize) -> Gradients<f64> {
        let tape = Tape::new();
        let sums = self.params().map(|p| (tape.param(p) + step as f64).sin().sum_all());
        let [a, b, c, d] = sums;
        (a + b + c + d).backward()
    }
}

fn advance(optimizer: &mut dyn Optimizer<f64>, model: &mut Net, step: usize) {
    let gradients = model.gradients(step);
    optimizer.step(model, &gradients);
}

/// The derivative of sin(w + step).
fn slope(w: f64, step: usize) -> f64 {
    (w + step as f64).cos()
}

/// Adds two groups: no weight decay for parameters with one axis, and a quarter of the learning
/// rate for the body.
macro_rules! grouped {
    ($optimizer:expr) => {
        $optimizer
            .group(Group::biases_and_norms().weight_decay(0.0))
            .group(Group::matching("body.*").learning_rate_scale(0.25))
    };
}
type Make = fn(f64, f64) -> Box<dyn Optimizer<f64>>;

/// Optimizers with a learning rate and a weight decay, each without and with the groups of `grouped`.
const ALL: [(Make, Make); 5] = [
    (
        |lr, wd| Box::new(Sgd::of(lr).momentum(0.9).weight_decay(wd)),
        |lr, wd| Box::new(grouped!(Sgd::of(lr).momentum(0.9).weight_decay(wd))),
    ),
    (
        |lr, wd| Box::new(Adam::of(lr).weight_decay(wd)),
        |lr, wd| Box::new(grouped!(Adam::of(lr).weight_decay(wd))),
    ),
    (
        |lr, wd| Box::new(Adam::adamw_of(lr).weight_decay(wd)),
        |lr, wd| Box::new(grouped!(Adam::adamw_of(lr).weight_decay(wd))),
    ),
    (
        |lr, wd| Box::new(Adagrad::of(lr).weight_decay(wd)),
        |lr, wd| Box::new(grouped!(Adagrad::of(lr).weight_decay(wd))),
    ),
    (
        |lr, wd| Box::new(Adadelta::of(lr).weight_decay(wd)),
        |lr, wd| Box::new(grouped!(Adadelta::of(lr).weight_decay(wd))),
    ),
];

/// Four optimizers with one parameter each give the same bits as one optimizer with groups.
#[test]
fn groups_give_the_bits_of_separate_optimizers() {
    for (plain, grouped) in ALL {
        for schedule in [
            Box::new(LambdaLr::new(0.05, |_| 1.0)) as Box<dyn Schedule>,
            Box::new(CosineAnnealingLr::new(0.05, 12)),
        ] {
            let (mut one, mut other) = (net(), net());
            let mut whole = grouped(0.05, 0.125);
            // The optimizers of the body's weight and bias, then of the head's.
            let mut parts =
                [plain(1.0, 0.125), plain(1.0, 0.0), plain(1.0, 0.125), plain(1.0, 0.0)];
            for step in 0..10 {
                let gradients = one.gradients(step);
                schedule.apply(&mut *whole, step);
                whole.step(&mut one, &gradients);

                let gradients = other.gradients(step);
                let rate = schedule.learning_rate(step);
                for (i, part) in parts.iter_mut().enumerate() {
                    part.set_learning_rate(if i < 2 { rate * 0.25 } else { rate });
                }
                let [a, b, c, d] = &mut parts;
                a.step(&mut other.body.weight, &gradients);
                b.step(&mut other.body.bias, &gradients);
                c.step(&mut other.head.weight, &gradients);
                d.step(&mut other.head.bias, &gradients);
                assert_eq!(one.values(), other.values(), "step {step}");
            }
        }
    }
}

/// Compares with `torch.optim.AdamW` with four groups, by the algorithm of its documentation.
#[test]
fn adamw_with_groups_agrees_with_pytorch() {
    let (lr, beta1, beta2, eps, decay) = (0.01, 0.9, 0.999, 1e-8, 0.05);
    let mut model = net();
    let mut optimizer = Adam::adamw_of(lr)
        .weight_decay(decay)
        .group(Group::biases_and_norms().weight_decay(0.0))
        .group(Group::matching("body.*").learning_rate(1e-3));
    let mut wanted = model.values();
    let mut memories: Vec<Vec<(f64, f64)>> =
        wanted.iter().map(|values| vec![(0.0, 0.0); values.len()]).collect();
    let groups = [(1e-3, decay), (1e-3, 0.0), (lr, decay), (lr, 0.0)];
    for step in 0..20 {
        advance(&mut optimizer, &mut model, step);
        for ((values, memory), (lr, decay)) in wanted.iter_mut().zip(&mut memories).zip(groups) {
            for (p, (m, v)) in values.iter_mut().zip(memory) {
                let (g, t) = (slope(*p, step), step as i32 + 1);
                *p -= lr * decay * *p;
                *m = beta1 * *m + (1.0 - beta1) * g;
                *v = beta2 * *v + (1.0 - beta2) * g * g;
                let (m, v) = (*m / (1.0 - beta1.powi(t)), *v / (1.0 - beta2.powi(t)));
                *p -= lr * m / (v.sqrt() + eps);
            }
        }
        for (found, wanted) in model.values().concat().iter().zip(wanted.concat()) {
            assert!((found - wanted).abs() < 1e-12, "step {step}: {found} {wanted}");
        }
    }
}

/// A schedule multiplies the learning rate of every group by the same factor, as PyTorch's
/// `LambdaLR` does with the initial learning rates of its groups.
#[test]
fn schedules_keep_the_proportions_of_group_rates() {
    let mut model = net();
    let mut optimizer = Sgd::of(0.1)
        .group(Group::matching("body.*").learning_rate(0.01))
        .group(Group::matching("*.bias").learning_rate_scale(2.0));
    let schedule = LambdaLr::new(0.1, |step| 0.5f64.powi(step as i32));
    for step in 0..6 {
        schedule.apply(&mut optimizer, step);
        let (before, gradients) = (model.values(), model.gradients(step));
        optimizer.step(&mut model, &gradients);
        let factor = 0.5f64.powi(step as i32);
        // The bias of the body is in both groups, and the later group applies.
        for ((before, after), rate) in before.iter().zip(model.values()).zip([0.01, 0.2, 0.1, 0.2])
        {
            for (before, after) in before.iter().zip(after) {
                let wanted = before - rate * factor * slope(*before, step);
                assert!((after - wanted).abs() < 1e-15, "step {step}, rate {rate}");
            }
        }
    }
}

/// Without a schedule, the learning rate of a group is exactly the number given.
#[test]
fn the_learning_rate_of_a_group_is_exactly_the_given_number() {
    let (mut model, before) = (net(), net().values());
    let gradients = model.gradients(0);
    let mut optimizer = Sgd::of(1e-3).group(Group::matching("body.weight").learning_rate(1e-4));
    optimizer.step(&mut model, &gradients);
    for (after, before) in model.values()[0].iter().zip(&before[0]) {
        assert_eq!(*after, before - 1e-4 * slope(*before, 0));
    }
    assert_eq!(optimizer.learning_rate(), 1e-3, "the optimizer's own rate is as it was");
}

/// Only a group has momentum: the other parameters have no buffers.
#[test]
fn only_the_group_with_momentum_has_momentum_buffers() {
    let (mut one, mut other) = (net(), net());
    let mut whole = Sgd::of(0.1).group(Group::matching("head.weight").momentum(0.5));
    let (mut plain, mut with) = (Sgd::of(0.1), Sgd::of(0.1).momentum(0.5));
    for step in 0..5 {
        advance(&mut whole, &mut one, step);
        let gradients = other.gradients(step);
        plain.step(&mut other.body, &gradients);
        plain.step(&mut other.head.bias, &gradients);
        with.step(&mut other.head.weight, &gradients);
    }
    assert_eq!(one.values(), other.values());
    let state = whole.state_dict(&one);
    let names: Vec<_> = state.names().filter(|name| name.starts_with("momentum")).collect();
    assert_eq!(names, ["momentum_buffer.head.weight"]);
}

#[test]
fn a_group_without_parameters_is_refused_with_a_message() {
    let mut model = net();
    let (before, gradients) = (model.values(), model.gradients(0));
    let mut optimizer = Sgd::of(0.1).group(Group::matching("*.bais").weight_decay(0.0));
    for _ in 0..2 {
        let step = catch_unwind(AssertUnwindSafe(|| optimizer.step(&mut model, &gradients)));
        let text = *step.unwrap_err().downcast::<String>().unwrap();
        assert_eq!(
            text,
            "step: the group `*.bais` contains no parameter of the model; the parameters are: body.weight, \
             body.bias, head.weight, head.bias"
        );
        assert_eq!(model.values(), before);
    }
}

#[test]
fn an_option_that_a_group_cannot_set_is_refused_with_a_message() {
    let text = |make: &dyn Fn()| {
        *catch_unwind(AssertUnwindSafe(make)).unwrap_err().downcast::<String>().unwrap()
    };
    for (make, words) in [
        (
            &(|| drop(Sgd::new(0.1).group(Group::matching("a").set("eps", 1.0)))) as &dyn Fn(),
            "Sgd: the group `a` sets eps to 1.0, but a group can only set: momentum (0.0), dampening (0.0), \
             weight_decay (0.0), nesterov (false)",
        ),
        (
            &|| drop(Adam::new(0.1).group(Group::up_to_rank(1).weight_decay(-1.0))),
            "Adam: weight_decay must be finite and at least 0, got -1.0 in the group rank up to 1",
        ),
        (
            &|| {
                drop(
                    Adam::new(0.0).group(Group::matching("a").or_matching("b").learning_rate(0.1)),
                );
            },
            "Adam: the group `a` or `b` sets a learning rate, but the optimizer's learning rate is 0, so that \
             the ratio of the two is undefined; use `learning_rate_scale`",
        ),
        (
            &|| drop(Group::matching("a").learning_rate_scale(f64::NAN)),
            "Group: learning_rate_scale must be finite and at least 0, got NaN",
        ),
    ] {
        assert_eq!(text(make), words);
    }
}

#[test]
fn groups_are_saved_and_refused_when_they_differ() {
    let make = || {
        Adam::of(0.01)
            .weight_decay(0.1)
            .group(Group::biases_and_norms().weight_decay(0.0))
            .group(Group::matching("body.*").learning_rate(1e-3))
    };
    let mut whole = net();
    let mut optimizer = make();
    for step in 0..4 {
        advance(&mut optimizer, &mut whole, step);
    }
    let state = optimizer.state_dict(&whole);
    assert_eq!(
        state.metadata["groups"],
        "rank up to 1: weight_decay 0.0\n`body.*`: lr 0.001 of 0.01"
    );
    // Training continues with the same bits.
    let mut second = net();
    for (to, from) in
        [&mut second.body, &mut second.head].into_iter().zip([&whole.body, &whole.head])
    {
        to.weight.set(from.weight.value().clone());
        to.bias.set(from.bias.value().clone());
    }
    let mut resumed = make();
    resumed.load_state_dict(&second, &state).unwrap();
    for step in 4..8 {
        advance(&mut optimizer, &mut whole, step);
        advance(&mut resumed, &mut second, step);
    }
    assert_eq!(whole.values(), second.values());

    // Optimizers without groups, with other groups, and with the groups in another order.
    let others: [Box<dyn Optimizer<f64>>; 3] = [
        Box::new(Adam::of(0.01)),
        Box::new(make().group(Group::matching("head.*").weight_decay(0.5))),
        Box::new(
            Adam::of(0.01)
                .group(Group::matching("body.*").learning_rate(1e-3))
                .group(Group::biases_and_norms().weight_decay(0.0)),
        ),
    ];
    for mut other in others {
        let before = other.state_dict(&second);
        let error = other.load_state_dict(&second, &state).unwrap_err();
        assert!(matches!(&error.problems[..], [StateProblem::Groups { .. }]), "{error}");
        assert!(
            error.to_string().contains("it has the groups: rank up to 1: weight_decay 0.0; `body")
        );
        assert_eq!(other.state_dict(&second), before);
    }
    // A state without groups, loaded by an optimizer with groups.
    let plain = Adam::<f64>::of(0.01).state_dict(&second);
    let error = make().load_state_dict(&second, &plain).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("it has the groups: none; this optimizer has the groups: rank up")
    );
}
