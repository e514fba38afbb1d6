//! Compares each step with PyTorch's, from `tests/reference/optimizers.py`.

use wengert_autograd::{Module, Param, Tape};
use wengert_nn_derive::Module;
use wengert_optim::{Adadelta, Adagrad, Adam, Optimizer, Sgd};
use wengert_tensor::{Float, NamedTensors};

const FILE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference/optimizers.safetensors");

#[derive(Module)]
#[module(crate = "wengert_autograd")]
struct Perceptron<T: Float> {
    w1: Param<T>,
    b1: Param<T>,
    w2: Param<T>,
    b2: Param<T>,
}

/// The hyperparameters of a configuration, as JSON: `{"betas": [0.9, 0.999], "lr": 0.1, …}`.
struct Arguments<'a>(&'a str);

impl Arguments<'_> {
    fn text(&self, key: &str) -> &str {
        let key = format!("\"{key}\": ");
        let start = self.0.find(&key).unwrap_or_else(|| panic!("{key} in {}", self.0)) + key.len();
        &self.0[start..]
    }
    fn number(&self, key: &str) -> f64 {
        let text = self.text(key);
        text[..text.find([',', '}']).unwrap()].parse().unwrap()
    }
    fn pair(&self, key: &str) -> (f64, f64) {
        let text = self.text(key).strip_prefix('[').unwrap();
        let (a, b) = text[..text.find(']').unwrap()].split_once(", ").unwrap();
        (a.parse().unwrap(), b.parse().unwrap())
    }
    fn switch(&self, key: &str) -> bool {
        self.text(key).starts_with("true")
    }
}

fn optimizer<T: Float>(name: &str, a: &Arguments) -> Box<dyn Optimizer<T>> {
    let lr = a.number("lr");
    match name {
        "sgd" => Box::new(
            Sgd::of(lr)
                .momentum(a.number("momentum"))
                .dampening(a.number("dampening"))
                .weight_decay(a.number("weight_decay"))
                .nesterov(a.switch("nesterov")),
        ),
        "adadelta" => Box::new(
            Adadelta::of(lr)
                .rho(a.number("rho"))
                .eps(a.number("eps"))
                .weight_decay(a.number("weight_decay")),
        ),
        "adagrad" => Box::new(
            Adagrad::of(lr)
                .lr_decay(a.number("lr_decay"))
                .weight_decay(a.number("weight_decay"))
                .initial_accumulator_value(a.number("initial_accumulator_value"))
                .eps(a.number("eps")),
        ),
        "adam" => {
            let (beta1, beta2) = a.pair("betas");
            let adam = Adam::of(lr).betas(beta1, beta2).eps(a.number("eps"));
            Box::new(adam.weight_decay(a.number("weight_decay")).amsgrad(a.switch("amsgrad")))
        }
        "adamw" => {
            let (beta1, beta2) = a.pair("betas");
            let adam = Adam::adamw_of(lr).betas(beta1, beta2).eps(a.number("eps"));
            Box::new(adam.weight_decay(a.number("weight_decay")).amsgrad(a.switch("amsgrad")))
        }
        _ => panic!("an optimizer named {name}"),
    }
}

/// Returns the optimizers with PyTorch's default hyperparameters.
fn defaults(name: &str, configuration: &str, lr: f64) -> Option<Box<dyn Optimizer<f64>>> {
    Some(match (name, configuration) {
        ("sgd", "plain") => Box::new(Sgd::of(lr)),
        ("adadelta", "default") => Box::new(Adadelta::of(lr)),
        ("adagrad", "default") => Box::new(Adagrad::of(lr)),
        ("adam", "default" | "lr") => Box::new(Adam::of(lr)),
        ("adamw", "default" | "lr") => Box::new(Adam::adamw_of(lr)),
        _ => return None,
    })
}

/// Returns the largest difference of parameters and losses over all steps.
fn difference<T: Float>(
    file: &NamedTensors,
    configuration: &str,
    optimizer: &mut dyn Optimizer<T>,
) -> f64 {
    let get = |name: &str| file.get(name).unwrap_or_else(|| panic!("{name}")).cast::<T>();
    let init = |name: &str| Param::new(get(&format!("init/{name}")));
    let mut model = Perceptron { w1: init("w1"), b1: init("b1"), w2: init("w2"), b2: init("b2") };
    let (x, y) = (get("x"), get("y"));
    let wanted = |name: &str| get(&format!("{}/{configuration}/{name}", T::DTYPE));
    let (losses, names) = (wanted("loss"), ["w1", "b1", "w2", "b2"]);
    let trajectories = names.map(wanted);

    let mut worst = 0.0f64;
    for step in 0..losses.numel() {
        let tape = Tape::new();
        let [w1, b1, w2, b2] =
            [&model.w1, &model.b1, &model.w2, &model.b2].map(|param| tape.param(param));
        let hidden = (tape.constant(x.clone()).matmul_t(w1, false, true) + b1).tanh();
        let output = hidden.matmul_t(w2, false, true) + b2;
        let loss = (output - tape.constant(y.clone())).square().mean_all();
        worst = worst.max((loss.item() - losses.at(&[step]).to()).abs());
        optimizer.step(&mut model, &loss.backward());
        for ((_, state), wanted) in model.named_parameters().into_iter().zip(&trajectories) {
            let wanted = wanted.narrow(0, step, 1).to_vec();
            for (have, want) in state.value().cast::<T>().to_vec().into_iter().zip(wanted) {
                let error = (have.to() - want.to()).abs();
                assert!(error.is_finite());
                worst = worst.max(error);
            }
        }
    }
    worst
}

#[test]
fn every_stored_configuration_agrees_with_pytorch() {
    let file = NamedTensors::load(FILE).unwrap();
    let configurations: Vec<_> =
        file.metadata.iter().filter(|(key, _)| key.contains('/')).collect();
    assert_eq!(configurations.len(), 31);
    let mut worst = (0.0f64, 0.0f64);
    for (key, json) in configurations {
        let ((name, configuration), arguments) = (key.split_once('/').unwrap(), Arguments(json));
        let f32 = difference(&file, key, &mut *optimizer::<f32>(name, &arguments));
        let f64 = difference(&file, key, &mut *optimizer::<f64>(name, &arguments));
        println!("{key}: {f32:.1e} in f32, {f64:.1e} in f64");
        assert!(f32 <= 1e-6, "{key}: {f32:e} off in f32");
        assert!(f64 <= 1e-12, "{key}: {f64:e} off in f64");
        if let Some(mut optimizer) = defaults(name, configuration, arguments.number("lr")) {
            assert_eq!(difference(&file, key, &mut *optimizer), f64, "{key}: other defaults");
        }
        worst = (worst.0.max(f32), worst.1.max(f64));
    }
    println!("worst: {:.1e} in f32, {:.1e} in f64", worst.0, worst.1);
}
