//! Tests saving and loading the state of optimizers.

use crate::common::panic_of;
use wengert_autograd::{Module, Param, Path, See, SeeMut, Tape};
use wengert_nn_derive::Module;
use wengert_optim::{Adadelta, Adagrad, Adam, Optimizer, Setting, Sgd, StateProblem, UpdateRule};
use wengert_tensor::{NamedTensors, Philox, Tensor};

#[derive(Module)]
#[module(crate = "wengert_autograd")]
struct Linear {
    weight: Param,
    bias: Param,
}

#[derive(Module)]
#[module(crate = "wengert_autograd")]
struct Mlp {
    fc1: Linear,
    fc2: Linear,
}

fn mlp() -> Mlp {
    let mut rng = Philox::new(7);
    let mut linear = |inputs, outputs| Linear {
        weight: Param::new(Tensor::uniform(&[outputs, inputs], -0.5, 0.5, &mut rng)),
        bias: Param::new(Tensor::zeros(&[outputs])),
    };
    Mlp { fc1: linear(4, 8), fc2: linear(8, 3) }
}

fn train(model: &mut Mlp, optimizer: &mut dyn Optimizer, steps: std::ops::Range<u64>) {
    for step in steps {
        let mut rng = Philox::new(step);
        let tape = Tape::train(&mut rng);
        let [w1, b1, w2, b2] =
            [&model.fc1.weight, &model.fc1.bias, &model.fc2.weight, &model.fc2.bias]
                .map(|param| tape.param(param));
        let x = tape.constant(Tensor::normal(&[5, 4], 0.0, 1.0, &mut rng));
        let hidden = (x.matmul_t(w1, false, true) + b1).tanh();
        let loss = (hidden.matmul_t(w2, false, true) + b2 - 1.0).square().mean_all();
        optimizer.step(model, &loss.backward());
    }
}

fn bits(model: &Mlp) -> Vec<u32> {
    let params = model.named_parameters().into_iter();
    params.flat_map(|(_, p)| p.value().cast::<f32>().to_vec()).map(f32::to_bits).collect()
}

fn copy(from: &Mlp, to: &mut Mlp) {
    let values: Vec<_> = from.named_state().into_iter().map(|(_, state)| state.value()).collect();
    let mut values = values.iter();
    to.visit_mut(&Path::root(), &mut |_, state| {
        state.set(values.next().unwrap()).unwrap();
    });
}

/// Functions that create an optimizer: one with settings, and one of the same type without settings.
type Makers = (fn() -> Box<dyn Optimizer>, fn() -> Box<dyn Optimizer>);
const ALL: [Makers; 7] = [
    (|| Box::new(Sgd::new(0.1)), || Box::new(Sgd::new(9.0))),
    (
        || Box::new(Sgd::new(0.1).momentum(0.9).nesterov(true).weight_decay(0.01)),
        || Box::new(Sgd::new(9.0)),
    ),
    (|| Box::new(Adadelta::new(0.5).rho(0.8).eps(1e-4)), || Box::new(Adadelta::new(9.0))),
    (|| Box::new(Adagrad::new(0.1).lr_decay(0.1).eps(1e-7)), || Box::new(Adagrad::new(9.0))),
    (|| Box::new(Adam::new(0.01).betas(0.8, 0.9)), || Box::new(Adam::new(9.0).amsgrad(true))),
    (|| Box::new(Adam::new(0.01).amsgrad(true)), || Box::new(Adam::new(9.0))),
    (|| Box::new(Adam::adamw(0.01).weight_decay(0.3)), || Box::new(Adam::adamw(9.0))),
];

#[test]
fn resumed_training_gives_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("optimizer.safetensors");
    for (configured, blank) in ALL {
        let (mut whole, mut optimizer) = (mlp(), configured());
        train(&mut whole, &mut *optimizer, 0..12);

        let (mut first, mut optimizer) = (mlp(), configured());
        train(&mut first, &mut *optimizer, 0..5);
        optimizer.state_dict(&first).save(&path).unwrap();
        let mut second = mlp();
        copy(&first, &mut second);
        let mut resumed = blank();
        resumed.load_state_dict(&second, &NamedTensors::load(&path).unwrap()).unwrap();
        assert_eq!(resumed.learning_rate(), optimizer.learning_rate());
        assert_eq!(resumed.state_dict(&second), optimizer.state_dict(&first));
        train(&mut second, &mut *resumed, 5..12);
        assert_eq!(bits(&second), bits(&whole));
        assert_eq!(
            resumed.state_dict(&second).get("step.fc1.bias"),
            Some(&Tensor::scalar_of(12i64).into())
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    for (configured, _) in ALL {
        let run = || {
            let (mut model, mut optimizer) = (mlp(), configured());
            train(&mut model, &mut *optimizer, 0..8);
            bits(&model)
        };
        assert_eq!(run(), run());
    }
}

#[test]
fn names_in_a_state_are_slot_and_path_in_visiting_order() {
    let (mut model, mut adam) = (mlp(), Adam::new(1e-10));
    model.fc1.bias.freeze();
    train(&mut model, &mut adam, 0..2);
    let state = adam.state_dict(&model);
    assert_eq!(
        state.names().collect::<Vec<_>>(),
        [
            "step.fc1.weight",
            "exp_avg.fc1.weight",
            "exp_avg_sq.fc1.weight",
            "step.fc1.bias",
            "step.fc2.weight",
            "exp_avg.fc2.weight",
            "exp_avg_sq.fc2.weight",
            "step.fc2.bias",
            "exp_avg.fc2.bias",
            "exp_avg_sq.fc2.bias",
        ]
    );
    let notes: Vec<_> = state.metadata.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(
        notes,
        [
            "amsgrad=false",
            "beta1=0.9",
            "beta2=0.999",
            "eps=1e-8",
            "lr=1e-10",
            "optimizer=Adam",
            "weight_decay=0.0",
        ]
    );
    // A later step does not change the saved state.
    let saved = NamedTensors::from_bytes(&state.to_bytes()).unwrap();
    train(&mut model, &mut adam, 2..3);
    assert_eq!(state, saved);
}

#[test]
fn all_problems_of_a_state_are_reported_at_once_and_nothing_changes() {
    let (mut model, mut sgd) = (mlp(), Sgd::new(0.1).momentum(0.9));
    train(&mut model, &mut sgd, 0..3);
    let before = sgd.state_dict(&model);
    let mut bad = NamedTensors::new();
    bad.metadata = before.metadata.clone();
    bad.metadata.remove("dampening");
    bad.metadata.insert("lr".into(), "fast".into());
    bad.metadata.insert("nesterov".into(), "1".into());
    for (name, tensor) in before.iter() {
        match name {
            "step.fc1.weight" => bad.insert(name, Tensor::scalar_of(-3i64)),
            "momentum_buffer.fc1.weight" => bad.insert(name, Tensor::zeros(&[4, 8])),
            "step.fc1.bias" => bad.insert(name, Tensor::scalar(3.0)),
            "momentum_buffer.fc2.weight" => {
                bad.insert("momentum_buffer.fc3.weight", tensor.clone())
            }
            "step.fc2.bias" => None,
            _ => bad.insert(name, tensor.clone()),
        };
    }
    let error = sgd.load_state_dict(&model, &bad).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the saved state does not fit this Sgd optimizer and its model:\n  hyperparameter lr: \
         must be a number, found \"fast\"\n  hyperparameter dampening: missing in the metadata\n  \
         hyperparameter nesterov: must be true or false, found \"1\"\n  step.fc1.weight: the \
         number of steps must be at least 0, found -3\n  momentum_buffer.fc1.weight: expected f32 \
         [8, 4], found f32 [4, 8]\n  step.fc1.bias: expected i64 [], found f32 []\n  missing \
         tensor: momentum_buffer.fc2.weight\n  missing tensor: step.fc2.bias\n  unexpected tensor: \
         momentum_buffer.fc3.weight"
    );
    assert_eq!(sgd.state_dict(&model), before);
}

#[test]
fn hyperparameters_from_a_file_are_checked() {
    let (mut model, mut adam) = (mlp(), Adam::new(0.1));
    train(&mut model, &mut adam, 0..1);
    let before = adam.state_dict(&model);
    let mut bad = before.clone();
    bad.metadata.insert("beta1".into(), "1.5".into());
    bad.metadata.insert("amsgrad".into(), "true".into());
    let error = adam.load_state_dict(&model, &bad).unwrap_err();
    assert_eq!(
        error.problems[0],
        StateProblem::Setting {
            name: "beta1",
            found: "1.5".into(),
            must: "at least 0 and below 1"
        }
    );
    // With amsgrad, the state has an additional tensor per parameter.
    assert_eq!(
        error.problems[1],
        StateProblem::Missing { name: "max_exp_avg_sq.fc1.weight".into() }
    );
    assert_eq!(error.problems.len(), 5);
    assert_eq!(adam.state_dict(&model), before);
}

/// A module with two parameters of the same name.
struct SameName([Param; 2]);
impl Module for SameName {
    fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
        self.0.iter().for_each(|param| param.visit(&path.child("w"), see));
    }
    fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
        self.0.iter_mut().for_each(|param| param.visit_mut(&path.child("w"), see));
    }
}

#[test]
fn the_state_of_another_optimizer_is_refused() {
    let model = mlp();
    let state = Adam::new(0.1).state_dict(&model);
    let error = Adam::adamw(0.1).load_state_dict(&model, &state).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the saved state does not fit this AdamW optimizer and its model:\n  it was saved by Adam"
    );
    let state = Adam::adamw(0.1).state_dict(&model);
    let error = Adam::new(0.1).load_state_dict(&model, &state).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the saved state does not fit this Adam optimizer and its model:\n  it was saved by AdamW"
    );
    let error = Sgd::new(0.1).load_state_dict(&model, &NamedTensors::new()).unwrap_err();
    assert_eq!(error.problems, [StateProblem::Optimizer { found: None }]);
    assert!(error.to_string().ends_with("\n  it was saved by something that is not an optimizer"));
    // Two parameters with the same name cannot be saved.
    let (message, ..) = panic_of(|| {
        let same = SameName([Tensor::ones(&[1]).into(), Tensor::ones(&[1]).into()]);
        Sgd::new(0.1).state_dict(&same);
    });
    assert_eq!(message, "state_dict: two parameters have the same name: `w`; names must be unique");
}

#[test]
fn a_state_of_another_float_type_is_loaded() {
    let mut model = Param::new(Tensor::from([1.0f32, 2.0]));
    let mut sgd = Sgd::new(0.5).momentum(0.5);
    let gradients = Tape::new().param(&model).sum_all().backward();
    sgd.step(&mut model, &gradients);
    let state = sgd.state_dict(&model);
    assert_eq!(state.names().collect::<Vec<_>>(), ["step", "momentum_buffer"]);

    let mut wide = Param::new(Tensor::<f64>::from([1.0, 2.0]));
    let mut optimizer = Sgd::<f64>::of(0.1);
    optimizer.load_state_dict(&wide, &state).unwrap();
    let gradients = Tape::new().param(&wide).sum_all().backward();
    optimizer.step(&mut wide, &gradients);
    assert_eq!(wide.value().to_vec(), [0.25, 1.25]);
}

/// Damages a state in every way, for every optimizer. A refused state changes neither the
/// optimizer's state nor its learning rate nor the following steps.
#[test]
fn a_refused_state_changes_nothing() {
    let mut refused = 0;
    for (configured, blank) in ALL {
        let (mut model, mut optimizer) = (mlp(), configured());
        train(&mut model, &mut *optimizer, 0..3);
        // A valid state that differs in every number, so that any value taken from it would be noticed.
        let (mut other, mut source) = (mlp(), configured());
        train(&mut other, &mut *source, 5..9);
        source.set_learning_rate(0.0625);
        let mut sound = source.state_dict(&other);
        for (name, note) in &mut sound.metadata {
            if name != "lr" && note.parse::<f64>().is_ok_and(|x| x != 0.0) {
                *note = "0.4375".into();
            }
        }

        let mut bad: Vec<NamedTensors> = Vec::new();
        let mut damage = |change: &dyn Fn(&mut NamedTensors)| {
            let mut state = sound.clone();
            change(&mut state);
            bad.push(state);
        };
        for key in sound.metadata.keys() {
            damage(&|state| drop(state.metadata.remove(key)));
            // A negative dampening is valid.
            let negative = if key == "dampening" { "no" } else { "-1" };
            for note in ["", "fast", negative, "-inf", "NaN", "inf"] {
                damage(&|state| drop(state.metadata.insert(key.clone(), note.into())));
            }
        }
        for name in sound.names() {
            damage(&|state| {
                let notes = std::mem::take(&mut state.metadata);
                let rest = state.iter().filter(|(other, _)| *other != name);
                *state = rest.map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect();
                state.metadata = notes;
            });
            damage(&|state| drop(state.insert(name, Tensor::scalar_of(-1i64))));
            damage(&|state| drop(state.insert(name, Tensor::zeros(&[7, 7]))));
            damage(&|state| drop(state.insert(format!("{name}.more"), Tensor::zeros(&[1]))));
        }

        let (before, rate) = (optimizer.state_dict(&model), optimizer.learning_rate());
        for state in bad {
            let error = optimizer.load_state_dict(&model, &state);
            assert!(error.is_err(), "taken: {:?}", state.metadata);
            assert_eq!(optimizer.state_dict(&model), before);
            assert_eq!(optimizer.learning_rate(), rate);
            refused += 1;
        }
        // The following steps equal those of an undisturbed run.
        let (mut twin, mut undisturbed) = (mlp(), configured());
        train(&mut twin, &mut *undisturbed, 0..8);
        train(&mut model, &mut *optimizer, 3..8);
        assert_eq!(bits(&model), bits(&twin));

        // The undamaged state can be loaded by a new optimizer and by this one.
        blank().load_state_dict(&model, &sound).unwrap();
        optimizer.load_state_dict(&model, &sound).unwrap();
        assert_eq!(optimizer.state_dict(&model), sound);
        assert_eq!(optimizer.learning_rate(), 0.0625);
    }
    println!("{refused} damaged states");
    assert!(refused > 500, "{refused}");
}

/// Returns p and v after each step, by PyTorch's documentation: the first step with momentum
/// creates the buffer as a copy of the gradient; while the momentum is 0, the buffer does not change.
fn by_hand(momenta: &[f64], dampening: f64, nesterov: bool) -> Vec<f64> {
    let (mut p, mut buffer, mut out) = (1.0f64, None, Vec::new());
    for &momentum in momenta {
        let mut g = 3.0 * p * p + 0.125 * p;
        if momentum != 0.0 {
            let v = buffer.map_or(g, |v: f64| momentum * v + (1.0 - dampening) * g);
            buffer = Some(v);
            g = if nesterov { g + momentum * v } else { v };
        }
        p -= 0.0625 * g;
        out.push(p);
    }
    out
}

#[test]
fn momentum_can_be_switched_on_and_off_between_steps() {
    let step = |sgd: &mut Sgd<f64>, p: &mut Param<f64>| {
        let tape = Tape::new();
        let w = tape.param(p);
        let gradients = (w * w * w).sum_all().backward();
        sgd.step(p, &gradients);
        p.value().item()
    };
    for momenta in [
        &[0.9; 5][..],
        &[0.0, 0.9, 0.9, 0.9],
        &[0.0, 0.0, 0.5, 0.0, 0.0, 0.75, 0.75],
        &[0.9, 0.0, 0.9, 0.0, 0.9],
    ] {
        for (dampening, nesterov) in [(0.0, false), (0.5, false), (0.0, true)] {
            let set = |sgd: &mut Sgd<f64>, momentum: f64| {
                sgd.set_momentum(momentum);
                let nesterov = Setting::Switch(nesterov && momentum != 0.0);
                UpdateRule::set(sgd, "nesterov", nesterov);
            };
            let new = || Sgd::<f64>::of(0.0625).dampening(dampening).weight_decay(0.125);
            let wanted = by_hand(momenta, dampening, nesterov);
            // The state is saved and loaded before each step (0), between each change and its step
            // (1), or never (2).
            for save in 0..3 {
                let mut p = Param::new(Tensor::scalar_of(1.0));
                let mut sgd = new();
                let reload = |sgd: &mut Sgd<f64>, p: &Param<f64>| {
                    let mut fresh = Sgd::<f64>::of(7.0);
                    fresh.load_state_dict(p, &sgd.state_dict(p)).unwrap();
                    *sgd = fresh;
                };
                for (&momentum, wanted) in momenta.iter().zip(&wanted) {
                    if save == 0 {
                        reload(&mut sgd, &p);
                    }
                    set(&mut sgd, momentum);
                    if save == 1 {
                        reload(&mut sgd, &p);
                    }
                    let found = step(&mut sgd, &mut p);
                    assert!((found - wanted).abs() < 1e-14, "{momenta:?}: {found} {wanted}");
                }
            }
        }
    }
    // The first value of the buffer is g, also with dampening: the step is lr · g = 0.1.
    let mut p = Param::new(Tensor::from([1.0f32]));
    let mut sgd = Sgd::new(0.1).dampening(0.5);
    let mut step = |sgd: &mut Sgd| {
        let gradients = Tape::new().param(&p).sum_all().backward();
        sgd.step(&mut p, &gradients);
        p.value().item()
    };
    let before = step(&mut sgd);
    sgd.set_momentum(0.9);
    assert!((before - step(&mut sgd) - 0.1).abs() < 1e-7);
}

/// A parameter that was frozen when the momentum was switched on has steps and no buffer. Its state
/// can be saved and loaded. A buffer is missing if a file lacks it without saying so.
#[test]
fn a_parameter_without_a_momentum_buffer_is_saved_and_loaded() {
    let mut model = mlp();
    let mut sgd = Sgd::new(0.1);
    train(&mut model, &mut sgd, 0..2);
    model.fc1.bias.freeze();
    sgd.set_momentum(0.5);
    train(&mut model, &mut sgd, 2..3);
    let state = NamedTensors::from_bytes(&sgd.state_dict(&model).to_bytes()).unwrap();
    assert_eq!(state.metadata["unused"], "momentum_buffer.fc1.bias");
    let mut resumed = Sgd::new(9.0);
    resumed.load_state_dict(&model, &state).unwrap();
    assert_eq!(resumed.state_dict(&model), state);

    let mut silent = state.clone();
    silent.metadata.remove("unused");
    let error = resumed.load_state_dict(&model, &silent).unwrap_err();
    let name = String::from("momentum_buffer.fc1.bias");
    assert_eq!(error.problems, [StateProblem::Missing { name }]);
    assert_eq!(resumed.state_dict(&model), state);

    model.unfreeze();
    let mut twin = mlp();
    copy(&model, &mut twin);
    train(&mut model, &mut sgd, 3..5);
    // The state belongs to the parameters, so the twin's parameters get their own copy.
    let mut other = Sgd::new(9.0);
    other.load_state_dict(&twin, &state).unwrap();
    train(&mut twin, &mut other, 3..5);
    assert_eq!(bits(&model), bits(&twin));
}

/// If amsgrad is switched on late, the maximum starts with the average of that step. If it is
/// switched off, the maximum is kept and saved.
#[test]
fn amsgrad_can_be_switched_on_and_off_between_steps() {
    let (beta1, beta2, lr, eps) = (0.5f64, 0.75f64, 0.125, 1e-8);
    let gradient = [1.0f64, 4.0, 2.0, 0.5, 0.25, 3.0, 0.5];
    let amsgrad = [false, false, true, true, false, true, true];
    let (mut p, mut m, mut v, mut max) = (1.0f64, 0.0, 0.0, 0.0f64);
    let mut param = Param::new(Tensor::<f64>::scalar_of(1.0));
    let mut adam = Adam::<f64>::of(lr).betas(beta1, beta2).eps(eps);
    for (t, (g, on)) in gradient.into_iter().zip(amsgrad).enumerate() {
        m = beta1 * m + (1.0 - beta1) * g;
        v = beta2 * v + (1.0 - beta2) * g * g;
        max = if on { max.max(v) } else { max };
        let correction = |beta: f64| 1.0 - beta.powi(t as i32 + 1);
        let seen = if on { max } else { v };
        p -= lr / correction(beta1) * m / ((seen / correction(beta2)).sqrt() + eps);

        adam = adam.amsgrad(on);
        let gradients = (Tape::new().param(&param) * g).sum_all().backward();
        adam.step(&mut param, &gradients);
        let found = param.value().item();
        assert!((found - p).abs() < 1e-14, "step {t}: {found} {p}");
        let mut fresh = Adam::of(9.0);
        fresh.load_state_dict(&param, &adam.state_dict(&param)).unwrap();
        assert_eq!(fresh.state_dict(&param), adam.state_dict(&param));
        adam = fresh;
    }
}
