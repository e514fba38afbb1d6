//! Checkpoints that are damaged or do not fit the run. A resumption that fails changes nothing.

use super::{adam, model, parts, run, sgd};
use std::path::Path;
use wengert_data::{DataLoader, Dataset, RandomAffine, TensorDataset};
use wengert_nn::{Linear, sequential, state_dict};
use wengert_optim::{Adam, OneCycleLr, Optimizer, Schedule, Sgd};
use wengert_tensor::{NamedTensors, Philox, Tensor};
use wengert_train::{CheckpointError, TrainError, Trainer};

/// Loading a checkpoint as a model fails, and the message names the part that contains the model.
#[test]
fn loading_a_checkpoint_as_a_model_names_the_part_to_load() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let (_, weights, _) = run(1, adam, |trainer| trainer.epochs(1).checkpoint(&path));
    let mut other = model(&mut Philox::new(2));
    let error = wengert_nn::load(&mut other, &path).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with(&format!("{} does not fit the model:", path.display())), "{text}");
    let advice = "hint: the file is a checkpoint of a training run, in which the names of the model start \
                  with `model.`: load_state_dict(&mut model, &StateDict::load(path)?.part(\"model.\")); \
                  use `best.`";
    assert!(text.contains(advice), "{text}");
    // The advice in the message helps.
    let dict = NamedTensors::load(&path).unwrap();
    wengert_nn::load_state_dict(&mut other, &dict.part("best.")).unwrap();
    wengert_nn::load_state_dict(&mut other, &dict.part("model.")).unwrap();
    assert_eq!(state_dict(&other), weights);
    // The same message is given for the checkpoint of another model.
    let mut stranger = sequential![Linear::new(2, 2, &mut Philox::new(0))];
    let error = wengert_nn::load(&mut stranger, &path).unwrap_err();
    assert!(error.to_string().contains("a checkpoint of a training run"), "{error}");
}

/// A file with replaced bytes in the header or in the numbers is either refused or read, and
/// nothing panics.
#[test]
fn damaged_checkpoints_do_not_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    run(1, sgd, |trainer| trainer.checkpoint(&path).stop_after(12)).0.unwrap();
    let sound = std::fs::read(&path).unwrap();
    let header = u64::from_le_bytes(*sound.first_chunk().unwrap()) as usize + 8;
    let places = (0..header).step_by(header / 60).chain((header..sound.len()).step_by(20_000));
    let mut refused = 0;
    for at in places {
        let mut damaged = sound.clone();
        damaged[at] ^= 0x11;
        std::fs::write(&path, &damaged).unwrap();
        let (history, ..) = run(2, sgd, |trainer| trainer.resume(&path).stop_after(12));
        refused += usize::from(history.is_err());
    }
    assert!(refused > 20, "{refused}");
}

/// Returns the error of a trainer that resumes from a file.
fn refused(path: &Path, optimizer: fn() -> Box<dyn Optimizer>) -> CheckpointError {
    let (result, weights, rng) = run(3, optimizer, |trainer| trainer.resume(path));
    let mut fresh = Philox::new(3);
    assert_eq!(weights, state_dict(&model(&mut fresh)), "the model was changed");
    assert_eq!(rng, fresh, "the generator was changed");
    match result.unwrap_err() {
        TrainError::Checkpoint(error) => error,
        error => panic!("{error}"),
    }
}

#[test]
fn a_checkpoint_that_does_not_fit_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    assert!(matches!(refused(&path, sgd), CheckpointError::File(_)), "no file");

    let (done, ..) = run(1, sgd, |trainer| trainer.checkpoint(&path).stop_after(15));
    done.unwrap();
    let sound = NamedTensors::load(&path).unwrap();

    let error = refused(&path, || Box::new(Adam::new(0.1)));
    assert!(matches!(error, CheckpointError::Optimizer { .. }), "{error}");
    assert!(
        error.to_string().contains("it is the state of sgd") || error.to_string().contains("Sgd"),
        "{error}"
    );

    let error = refused(&path, || Box::new(Sgd::new(0.2).momentum(0.9).nesterov(true)));
    assert!(
        error.to_string().contains(
            "step 1 of the saved run had the learning rate 0.1, but the schedule returns 0.2"
        ),
        "{error}"
    );

    // A file of another model: one name is missing, one is added, and one shape differs.
    let mut other: NamedTensors = sound
        .iter()
        .filter(|(name, _)| *name != "model.1.bias")
        .map(|(n, t)| (n, t.clone()))
        .collect();
    other.metadata = sound.metadata.clone();
    other.insert("model.6.weight", Tensor::zeros(&[2]));
    other.insert("model.5.bias", Tensor::zeros(&[11]));
    other.save(&path).unwrap();
    let error = refused(&path, sgd);
    let CheckpointError::Model { mismatch, .. } = &error else { panic!("{error}") };
    assert_eq!(mismatch.missing, ["1.bias"]);
    assert_eq!(mismatch.unexpected, ["6.weight"]);
    assert_eq!(mismatch.misfits[0].0, "5.bias");

    // A file that contains only a model is not a checkpoint.
    state_dict(&model(&mut Philox::new(0))).save(&path).unwrap();
    let error = refused(&path, sgd);
    assert!(matches!(error, CheckpointError::NoCheckpoint { .. }), "{error}");

    let with_note = |key: &str, note: &str| {
        let mut file = sound.clone();
        file.metadata.insert(key.into(), note.into());
        file.save(&path).unwrap();
        refused(&path, sgd)
    };
    let error = with_note("wengert.checkpoint", "7");
    assert!(
        error.to_string().ends_with(r#"expected a checkpoint of version 2, found version "7""#),
        "{error}"
    );
    let error = with_note("first_batch", "1");
    assert!(matches!(error, CheckpointError::FirstBatch { .. }), "{error}");
    let error = with_note("examples", "60000");
    assert!(
        error.to_string().ends_with(
            "the saved run had 60000 examples in 11 batches, this run has 330 in 11: resume \
                 with the same data and batch size"
        ),
        "{error}"
    );
    for (key, note) in [
        ("epoch", "two"),
        ("epoch", "2"),
        ("epoch", "18446744073709551615"),
        ("step", "-1"),
        ("step", "5"),
        ("rng.key", ""),
        ("history.best", "1"),
    ] {
        let error = with_note(key, note);
        assert!(matches!(error, CheckpointError::Damaged { .. }), "{key} {note}: {error}");
    }
    // The same holds for damaged tensors.
    for name in [
        "history.losses",
        "history.learning_rates",
        "history.epochs",
        "history.logs",
        "running",
        "running.logs",
    ] {
        let mut file = sound.clone();
        file.insert(name, Tensor::<f64>::zeros_of(&[3]));
        file.save(&path).unwrap();
        let error = refused(&path, sgd);
        assert!(matches!(error, CheckpointError::Damaged { .. }), "{name}: {error}");
    }
}

/// A schedule that ends before the step of the checkpoint.
#[test]
fn a_schedule_that_is_shorter_than_the_checkpoint_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    // The learning rate is constant, so that only the ends of the schedules differ.
    let flat = |steps: usize| {
        OneCycleLr::new(0.1, steps).div_factor(1.0).final_div_factor(1.0).cycle_momentum(false)
    };
    let go_on = |schedule: Box<dyn Schedule>, last: usize| {
        let (result, weights, rng) =
            run(3, sgd, |trainer| trainer.resume(&path).schedule(schedule).stop_after(last));
        if result.is_err() {
            let mut fresh = Philox::new(3);
            assert_eq!(weights, state_dict(&model(&mut fresh)), "the model was changed");
            assert_eq!(rng, fresh, "the generator was changed");
        }
        result
    };
    for warmup in [0, 3] {
        let (done, ..) = run(1, sgd, |trainer| {
            trainer.schedule(flat(44).warmup(warmup)).checkpoint(&path).stop_after(15)
        });
        assert_eq!(done.unwrap().steps(), 15);
        // Steps are counted from 0, and the cycle has a learning rate for the step after its last one.
        for steps in [4, 13 - warmup] {
            for schedule in [
                Box::new(flat(steps).warmup(warmup)) as Box<dyn Schedule>,
                Box::new(std::sync::Arc::new(flat(steps).warmup(warmup).warmup(0))),
            ] {
                let error = go_on(schedule, 4).unwrap_err();
                let TrainError::Checkpoint(error @ CheckpointError::Schedule { .. }) = &error
                else {
                    panic!("{error}")
                };
                let text = error.to_string();
                assert!(
                    text.contains(
                        "had the learning rate 0.1, but the schedule ends before this step: \
                         resume"
                    ),
                    "{text}"
                );
            }
        }
        // A schedule that is at least as long as the steps already made.
        for steps in [14 - warmup, 15, 44] {
            assert_eq!(go_on(Box::new(flat(steps).warmup(warmup)), 15).unwrap().steps(), 15);
        }
    }
}

#[test]
fn data_in_another_order_or_changed_in_another_way_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let [train, _] = parts();
    let fit = |seed: u64, degrees: f64, resume: bool| {
        let set = train.clone().augment(RandomAffine::new().degrees(degrees), 4);
        let loader = DataLoader::new(&set, 32).shuffle(seed);
        let mut rng = Philox::new(0);
        let (mut model, mut optimizer) = (model(&mut rng), sgd());
        let trainer = Trainer::classifier().epochs(2).quiet().checkpoint(&path).stop_after(3);
        let trainer = if resume { trainer.resume(&path) } else { trainer };
        trainer.fit(&mut model, &mut *optimizer, &loader, &mut rng)
    };
    fit(1, 5.0, false).unwrap();
    for (seed, degrees) in [(2, 5.0), (1, 6.0)] {
        let error = fit(seed, degrees, true).unwrap_err();
        assert!(
            matches!(error, TrainError::Checkpoint(CheckpointError::FirstBatch { .. })),
            "{error}"
        );
    }
    fit(1, 5.0, true).unwrap();
}

#[test]
fn cut_files_and_flipped_header_bytes_do_not_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let (done, ..) = run(1, sgd, |trainer| trainer.checkpoint(&path).stop_after(15));
    done.unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for length in [0, 1, 7, 8, 100, 1000, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let error = refused(&path, sgd);
        assert!(matches!(error, CheckpointError::File(_)), "{length}: {error}");
    }
    let header = 8 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    for i in (0..header).step_by(23) {
        let mut damaged = bytes.clone();
        damaged[i] ^= 0x11;
        std::fs::write(&path, &damaged).unwrap();
        // The call must return; it may succeed, since some metadata do not affect the run.
        let (result, ..) = run(3, sgd, |trainer| trainer.resume(&path).stop_after(16));
        drop(result);
    }
}

/// All errors of a resumption are found before the saved state replaces the present state.
#[test]
fn a_failed_resumption_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let (done, ..) = run(1, sgd, |trainer| trainer.checkpoint(&path).stop_after(15));
    done.unwrap();
    let sound = NamedTensors::load(&path).unwrap();
    let [train, _] = parts();
    let train = train.augment(RandomAffine::new().degrees(10.0), 4);
    let train = DataLoader::new(&train, 32).shuffle(9);
    let small = TensorDataset::new(Tensor::zeros(&[4, 7, 7]), Tensor::<i64>::zeros_of(&[4]));
    let none = TensorDataset::new(Tensor::zeros(&[0, 8, 8]), Tensor::<i64>::zeros_of(&[0]));
    let (small, none) = (DataLoader::new(&small, 4), DataLoader::new(&none, 4));

    let mut bad: Vec<NamedTensors> = Vec::new();
    for key in sound.metadata.keys() {
        for note in ["", "-7", "x", "NaN"] {
            let mut file = sound.clone();
            file.metadata.insert(key.clone(), note.into());
            bad.push(file);
        }
        let mut file = sound.clone();
        file.metadata.remove(key);
        bad.push(file);
    }
    for name in sound.names() {
        let mut file = sound.clone();
        file.insert(name, Tensor::<f64>::zeros_of(&[7, 9]));
        bad.push(file);
        let rest = sound.iter().filter(|(other, _)| *other != name);
        let mut file: NamedTensors = rest.map(|(n, t)| (n.to_owned(), t.clone())).collect();
        file.metadata = sound.metadata.clone();
        bad.push(file);
    }
    let damaged = folder.path().join("damaged.safetensors");
    let files = bad.iter().map(|file| (Some(file), None));
    let valids = [(None, Some(&small)), (None, Some(&none))];
    let mut refused = 0;
    for (file, valid) in files.chain(valids) {
        let mut rng = Philox::new(3);
        let mut model = model(&mut rng);
        let mut optimizer = Sgd::new(0.375).momentum(0.25);
        let before = (state_dict(&model), optimizer.state_dict(&model), rng.clone());
        let mut trainer = Trainer::classifier()
            .epochs(4)
            .quiet()
            .learning_rate(|step| 0.1 * (1.0 - step as f64 / 44.0));
        trainer = match (file, valid) {
            (Some(file), _) => {
                file.save(&damaged).unwrap();
                trainer.resume(&damaged).stop_after(15)
            }
            (_, Some(valid)) => trainer.resume(&path).validate(valid),
            _ => unreachable!(),
        };
        let result = trainer.fit(&mut model, &mut optimizer, &train, &mut rng);
        let after = (state_dict(&model), optimizer.state_dict(&model), rng);
        if let Err(error) = result {
            assert!(before == after, "something was changed: {error}");
            refused += 1;
        } else {
            // Some metadata do not affect the run, such as that of the best epoch.
            assert!(file.is_some());
        }
    }
    println!("{refused} of {} refused", bad.len() + 2);
    assert!(refused > 100, "{refused} of {}", bad.len() + 2);
}
