//! Saving and loading what optimizers remember.

use wengert_autograd::{Module, Param, Tape};
use wengert_nn_derive::Module;
use wengert_optim::{Adadelta, Adagrad, Adam, AdamW, Optimizer, Sgd, StateProblem};
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
    to.visit_mut(&wengert_autograd::Path::root(), &mut |_, state| {
        state.set(values.next().unwrap()).unwrap();
    });
}

/// Makes an optimizer as configured, and one of the same kind with nothing configured.
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
    (|| Box::new(AdamW::new(0.01).weight_decay(0.3)), || Box::new(AdamW::new(9.0))),
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
fn names_are_slots_before_paths_in_visiting_order() {
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
    // A later step leaves what was saved alone.
    let saved = NamedTensors::from_bytes(&state.to_bytes()).unwrap();
    train(&mut model, &mut adam, 2..3);
    assert_eq!(state, saved);
}

#[test]
fn all_problems_at_once_and_nothing_changed() {
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
        "the state does not fit this Sgd and its model:\n  \
         lr is \"fast\", it must be a number\n  \
         the metadata lacks dampening\n  \
         nesterov is \"1\", it must be true or false\n  \
         step.fc1.weight counts -3 steps\n  \
         momentum_buffer.fc1.weight: wanted f32 [8, 4], found f32 [4, 8]\n  \
         step.fc1.bias: wanted i64 [], found f32 []\n  \
         missing: momentum_buffer.fc2.weight\n  \
         missing: step.fc2.bias\n  \
         unexpected: momentum_buffer.fc3.weight"
    );
    assert_eq!(sgd.state_dict(&model), before);
}

#[test]
fn hyperparameters_from_a_file_are_checked_too() {
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
    // With amsgrad there is more to remember.
    assert_eq!(
        error.problems[1],
        StateProblem::Missing { name: "max_exp_avg_sq.fc1.weight".into() }
    );
    assert_eq!(error.problems.len(), 5);
    assert_eq!(adam.state_dict(&model), before);
}

#[test]
fn the_state_of_another_optimizer() {
    let model = mlp();
    let state = Adam::new(0.1).state_dict(&model);
    let error = AdamW::new(0.1).load_state_dict(&model, &state).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the state does not fit this AdamW and its model:\n  it is the state of Adam"
    );
    let error = Sgd::new(0.1).load_state_dict(&model, &NamedTensors::new()).unwrap_err();
    assert_eq!(error.problems, [StateProblem::Optimizer { found: None }]);
}

#[test]
fn a_model_that_is_a_parameter_and_a_state_of_the_other_width() {
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
