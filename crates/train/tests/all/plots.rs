//! Tests the pictures of a short run. `PICTURES=folder cargo test -p wengert-train --test all
//! plots` keeps them in the folder.
#![cfg(feature = "plots")]

use std::path::PathBuf;
use wengert_data::{DataLoader, Digits, TensorDataset, random_split};
use wengert_nn::{Conv2d, Flatten, Layer, Linear, Relu, mse, sequential};
use wengert_optim::Sgd;
use wengert_plot::{self as plot, GridOptions};
use wengert_tensor::{Philox, Tensor};
use wengert_train::{
    Criterion, EpochRecord, History, Objective, Score, Trainer, evaluate, mistakes,
};

/// A folder that is removed at the end, unless `PICTURES` names it.
struct Folder {
    path: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Folder {
    fn new() -> Self {
        if let Some(folder) = std::env::var_os("PICTURES") {
            return Folder { path: folder.into(), _temporary: None };
        }
        let folder = tempfile::tempdir().unwrap();
        Folder { path: folder.path().join("new/pictures"), _temporary: Some(folder) }
    }
    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
    fn svg(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.file(name)).unwrap();
        assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"), "{name}");
        assert_eq!(text.matches("<svg").count(), 1);
        text
    }
    /// Returns the width and height.
    fn png(&self, name: &str) -> (u32, u32) {
        let bytes = std::fs::read(self.file(name)).unwrap();
        assert_eq!(bytes[1..4], *b"PNG", "{name}");
        let size = |at: usize| u32::from_be_bytes(*bytes[at..].first_chunk().unwrap());
        (size(16), size(20))
    }
}

#[test]
fn plots_of_a_run_are_written() {
    let folder = Folder::new();
    let images = Digits::load();
    let set = TensorDataset::new(images.scaled_images().unsqueeze(1), images.labels);
    let [train, valid] = random_split(set, [1200, 597], 0);
    let (train, valid) = (DataLoader::new(&train, 32).shuffle(0), DataLoader::new(&valid, 200));
    let mut rng = Philox::new(0);
    let conv = Conv2d::new(1, 12, 3, &mut rng);
    let mut model = sequential![conv, Relu, Flatten::new(), Linear::new(12 * 36, 10, &mut rng)];
    let history = Trainer::classifier()
        .epochs(8)
        .validate(&valid)
        .keep_best(Criterion::Loss)
        .quiet()
        .fit(&mut model, &mut Sgd::new(0.03).momentum(0.9), &train, &mut rng)
        .unwrap();
    plot::charts(&history.charts(), folder.file("curves.svg")).unwrap();
    let svg = folder.svg("curves.svg");
    assert!(svg.contains("width=\"860\" height=\"320\" viewBox=\"0 0 1720 640\""));
    for word in ["loss", "accuracy, %", "epochs", "held-out data"] {
        assert!(svg.contains(&format!("{word}\n")), "{word}");
    }

    let found = evaluate(&model, &valid);
    plot::confusion(found.confusion().rows(), &[], folder.file("confusion.svg")).unwrap();
    assert!(folder.svg("confusion.svg").contains("true class"));

    let wrong = mistakes(&model, &valid, 30);
    assert_eq!(wrong.len() as u64, found.confusion().total() - found.confusion().correct());
    let names = ["zero", "one & only"];
    let captioned = wrong.iter().map(|mistake| mistake.captioned(&names));
    plot::captioned(captioned, folder.file("mistakes.svg")).unwrap();
    assert_eq!(folder.svg("mistakes.svg").matches("<image").count(), wrong.len());

    let some = images.images.narrow(0, 0, 30);
    plot::grid(&some, &GridOptions::new(), folder.file("grid.png")).unwrap();
    assert_eq!(folder.png("grid.png"), (6 * 68 + 4, 5 * 68 + 4));
    let weight = model[0].named_parameters()[0].1.value().cast::<f32>();
    plot::filters(&weight, folder.file("filters.png")).unwrap();
    // A tile has 3 · 21 pixels per side.
    assert_eq!(folder.png("filters.png"), (8 * 67 + 4, 2 * 67 + 4));
    let maps = model[0].predict(&some.narrow(0, 3, 1).unsqueeze(1));
    plot::feature_maps(&maps, folder.file("maps.png")).unwrap();
    assert_eq!(folder.png("maps.png"), (8 * 64 + 4, 2 * 64 + 4));
}

#[test]
fn reconstructions_are_drawn_below_their_inputs() {
    let folder = Folder::new();
    let digits = Digits::load();
    let set = TensorDataset::new(digits.scaled_images().flatten(1, -1), digits.labels);
    let loader = DataLoader::new(&set, 64).shuffle(0);
    let mut rng = Philox::new(0);
    let mut model = sequential![Linear::new(64, 16, &mut rng), Relu, Linear::new(16, 64, &mut rng)];
    let trainer = Trainer::new(Objective::reconstruction(|outputs, targets| mse(outputs, targets)))
        .epochs(5)
        .quiet();
    let mut optimizer = Sgd::new(1.0).momentum(0.9);
    let history = trainer.fit(&mut model, &mut optimizer, &loader, &mut rng).unwrap();
    plot::charts(&history.charts(), folder.file("autoencoder.svg")).unwrap();
    assert!(!folder.svg("autoencoder.svg").contains("accuracy"));
    let inputs = digits.images.narrow(0, 0, 13);
    let outputs = model.predict(&(&inputs.flatten(1, -1) / &Tensor::scalar(16.0)));
    let outputs = &outputs.reshape(&[13, 8, 8]) * &Tensor::scalar(16.0);
    let options = GridOptions::new();
    plot::reconstructions(&inputs, &outputs, &options, folder.file("again.png")).unwrap();
    // Ten pairs are in the first two rows, three in the next two.
    assert_eq!(folder.png("again.png"), (10 * 68 + 4, 4 * 68 + 4));
}

#[test]
fn curves_of_runs_with_missing_scores_are_drawn() {
    let folder = Folder::new();
    let score = |loss, accuracy| Score { loss, accuracy };
    let epoch = |train, validation| EpochRecord {
        train,
        validation,
        logs: vec![],
        learning_rate: 0.1,
        seconds: 1.0,
        examples: 10,
    };
    let runs = [
        ("no-steps.svg", vec![], vec![]),
        ("one-step.svg", vec![1.0], vec![]),
        ("negative.svg", vec![1.0, -2.0, -3.0, -3.5], vec![epoch(score(-1.0, None), None); 2]),
        (
            "constant.svg",
            vec![1.0; 4],
            vec![epoch(score(1.0, Some(1.0)), Some(score(f64::NAN, Some(1.0)))); 2],
        ),
        (
            "long.svg",
            (0..600).map(|i| 2.3 / (1.0 + f64::from(i)) + 1e-4).collect(),
            (0..30)
                .map(|i| {
                    epoch(
                        score(1.0, Some(0.99 + f64::from(i) * 3e-4)),
                        Some(score(0.05, Some(0.985))),
                    )
                })
                .collect(),
        ),
    ];
    for (name, losses, epochs) in runs {
        let steps_per_epoch = losses.len() / epochs.len().max(1);
        let learning_rates = losses.iter().map(|_| 0.1).collect();
        let history = History {
            losses,
            learning_rates,
            steps_per_epoch,
            epochs,
            best_epoch: None,
            stopped: None,
        };
        plot::charts(&history.charts(), folder.file(name)).unwrap();
        folder.svg(name);
    }
}

/// For losses and accuracies of any size, the number of marks and points in the picture is bounded.
#[test]
fn curves_of_any_numbers_are_drawn() {
    let folder = Folder::new();
    let path = folder.file("any.svg");
    let draw = |losses: &[f64], epochs: Vec<EpochRecord>, best: Option<usize>| {
        let history = History {
            losses: losses.to_vec(),
            learning_rates: vec![0.1; losses.len()],
            steps_per_epoch: losses.len() / epochs.len().max(1),
            epochs,
            best_epoch: best,
            stopped: None,
        };
        plot::charts(&history.charts(), &path).unwrap();
        let svg = folder.svg("any.svg");
        assert!(svg.len() < 100_000, "{} bytes for {losses:?}", svg.len());
        assert!(svg.matches("<text").count() <= 60, "{losses:?}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{losses:?}");
        svg
    };
    let epoch = |loss: f64, accuracy: Option<f64>| {
        let score = Score { loss, accuracy };
        EpochRecord {
            train: score,
            validation: Some(score),
            logs: vec![],
            learning_rate: 0.1,
            seconds: 1.0,
            examples: 10,
        }
    };

    // Drawing did not end for these losses in an earlier version.
    let svg = draw(&[1e-300, 1e300, 1.0], vec![], None);
    assert!(svg.contains("1e-228\n") && svg.contains("1e228\n"));
    let (tiny, most, nan, inf) = (f64::from_bits(1), f64::MAX, f64::NAN, f64::INFINITY);
    let series: &[&[f64]] = &[
        &[],
        &[0.0],
        &[0.0; 5],
        &[-0.0, 0.0],
        &[nan],
        &[inf, -inf, nan],
        &[1.0, nan, inf, 2.0],
        &[tiny],
        &[tiny, tiny, 3.0 * tiny],
        &[tiny, 1.0],
        &[tiny, most],
        &[-most, most],
        &[most, most, most],
        &[1e308, 1e308, -1e308],
        &[1e16, 1e16 + 2.0],
        &[1.0, 1.0 + f64::EPSILON],
        &[-1e-300, 1e300],
        &[-5.0, -5e-5, -5e5],
        &[1e-310, 2e-310, 1e-320],
        &[1e300, 1e300],
        &[-1.0, 0.0, 1e9],
        &[0.0, 1e-300],
    ];
    for losses in series {
        draw(losses, vec![], None);
        let first = losses.first().copied().unwrap_or(0.5);
        // Accuracies may also be any numbers, if a user's code computes them.
        for accuracy in [Some(first), Some(0.5), Some(1e300), Some(-3.0), None] {
            draw(losses, vec![epoch(first, accuracy), epoch(1.0, accuracy)], Some(0));
        }
    }
    // Any bits as numbers, from a multiplicative generator.
    let mut bits = 0x9e37_79b9_7f4a_7c15u64;
    for length in (0..150).map(|i| i % 10 + 1).chain([1000]) {
        let any = || {
            bits = bits.wrapping_mul(0xd134_2543_de82_ef95);
            f64::from_bits(bits)
        };
        let losses: Vec<_> = std::iter::repeat_with(any).take(length).collect();
        draw(&losses, vec![], None);
        let positive: Vec<_> = losses.iter().map(|x| x.abs()).collect();
        draw(&positive, vec![epoch(losses[0], Some(positive[0]))], Some(3));
    }
}
