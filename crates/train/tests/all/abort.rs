//! Tests that the error of an operation is printed before the process ends if panics abort. This
//! needs a separate program with all its dependencies: `cargo test -p wengert-train --test abort --
//! --ignored`.

use std::path::Path;
use std::process::Command;

const PROGRAM: &str = r#"
use wengert_autograd::{Tape, Var};
use wengert_data::{DataLoader, TensorDataset};
use wengert_nn::{BatchNorm1d, Linear, Relu, Sequential, cross_entropy, sequential};
use wengert_optim::Sgd;
use wengert_tensor::{Philox, Tensor};
use wengert_train::{Objective, Trainer};

fn fit(width: usize, n: usize, class: i64, objective: Objective) {
    let mut rng = Philox::new(0);
    let x = Tensor::normal(&[n, width], 0.0, 1.0, &mut rng);
    let set = TensorDataset::new(x, Tensor::from_vec(vec![class; n], &[n]));
    let mut model: Sequential = sequential![
        Linear::new(4, 8, &mut rng),
        BatchNorm1d::new(8),
        Relu,
        Linear::new(8, 2, &mut rng)
    ];
    let loader = DataLoader::new(&set, 16);
    let trainer = Trainer::new(objective).quiet();
    let result = trainer.fit(&mut model, &mut Sgd::new(0.1), &loader, &mut rng);
    match result {
        Ok(history) => println!("made {} steps", history.steps()),
        Err(error) => println!("returned: {error}"),
    }
}

fn main() {
    let plain = || Objective::new(|y: Var, c: &Tensor<i64>| cross_entropy(y, c));
    match &*std::env::args().nth(1).unwrap() {
        "check" => {
            let r = Tape::<f32>::check(|t| t.input(&[2, 3]).matmul(t.input(&[4, 5])).shape());
            println!("Result: {r:?}");
        }
        "number" => {
            let r = Tape::<f32>::check(|t| t.input(&[1]).item());
            println!("Result: {r:?}");
        }
        "catch" => {
            let tape = Tape::new();
            let x = tape.watch(Tensor::ones(&[2, 3]));
            println!("Result: {:?}", tape.catch(|| x.matmul(x).shape()));
        }
        "fine" => println!("{:?}", Tape::<f32>::check(|t| t.input(&[2, 3]).shape()).is_ok()),
        "width" => fit(5, 16, 0, plain()),
        "last" => fit(4, 17, 0, plain()),
        "class" => fit(4, 16, 7, plain()),
        "empty" => fit(4, 0, 0, plain()),
        "reads" => fit(4, 32, 0, Objective::new(|y: Var, c: &Tensor<i64>| {
            let loss = cross_entropy(y, c);
            if loss.item() > 1e6 { loss * 0.5 } else { loss }
        })),
        other => panic!("{other}"),
    }
}
"#;

#[test]
#[ignore = "compiles a program with all its dependencies: minutes"]
fn the_error_is_printed_before_the_program_aborts() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let dependency = |name: &str| {
        let features = if name == "train" { ", default-features = false" } else { "" };
        format!("wengert-{name} = {{ path = {:?}{features} }}\n", crates.join(name))
    };
    let dependencies: String =
        ["autograd", "data", "nn", "optim", "tensor", "train"].map(dependency).concat();
    write(
        "Cargo.toml",
        &format!(
            "[package]\nname = \"aborts\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [profile.dev]\npanic = \"abort\"\nopt-level = 1\ndebug = 0\n\n\
             [dependencies]\n{dependencies}\n[workspace]\n"
        ),
    );
    write("src/main.rs", PROGRAM);
    // Uses the versions of the workspace, so that cargo needs no network.
    std::fs::copy(crates.parent().unwrap().join("Cargo.lock"), folder.path().join("Cargo.lock"))
        .unwrap();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--offline"])
        .current_dir(folder.path())
        .env("CARGO_TARGET_DIR", folder.path().join("target"))
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));

    let run = |case: &str| {
        let program = folder.path().join("target/debug/aborts");
        let output = Command::new(program).arg(case).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    };
    for (case, text) in [
        ("check", "matmul: inner dimensions differ: [2, 3]"),
        ("number", "a shape-only run has no values"),
        ("catch", "matmul: inner dimensions differ"),
        ("width", "0: linear"),
        ("last", "1: batch_norm: one value per channel in [1, 8]"),
        ("class", "loss: cross_entropy: class 7 of sample 0 is out of range"),
    ] {
        let (success, out, err) = run(case);
        assert!(!success && out.is_empty(), "{case}: {out}{err}");
        assert!(err.contains(text), "{case}: {err}");
    }
    assert_eq!(run("fine").1, "true\n");
    assert_eq!(run("reads").1, "made 2 steps\n");
    assert_eq!(
        run("empty").1,
        "returned: the training data: expected at least one example, got none\n"
    );
}
