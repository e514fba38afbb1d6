//! Tests that `Debug` of every public error prints its text, as `fn main() -> Result<(), E>` uses `Debug`.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::Path;
use wengert_data::{DataError, DataLoader, Digits, Zipcode, idx};
use wengert_nn::{Layer, Linear, LoadError, Sequential, load, load_state_dict, state_dict};
use wengert_optim::{Adam, Optimizer, Sgd};
use wengert_tensor::{FileError, NamedTensors, Philox};
use wengert_train::Trainer;

/// Checks that `Debug` prints the text of the error, and that it contains the texts of all its sources.
fn check(error: &dyn Error) {
    let text = error.to_string();
    assert_eq!(format!("{error:?}"), text);
    let mut source = error.source();
    while let Some(error) = source {
        assert!(text.contains(&error.to_string()), "{text} hides {error}");
        source = error.source();
    }
}

#[test]
fn an_error_returned_from_main_is_printed_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let mut model = Linear::new(2, 3, &mut Philox::new(0));
    let file: FileError = NamedTensors::load("no/such/file").unwrap_err();
    check(&file);
    let header = at("header", b"\x02\0\0\0\0\0\0\0{]");
    let mut errors: Vec<Box<dyn Error>> = vec![Box::new(NamedTensors::load(&header).unwrap_err())];
    let load_error: LoadError = load(&mut model, &header).unwrap_err();
    errors.push(Box::new(load_error));
    let other = state_dict(&Linear::new(5, 3, &mut Philox::new(0)));
    errors.push(Box::new(load_state_dict(&mut model, &other).unwrap_err()));
    errors.push(Box::new(Adam::new(0.1).load_state_dict(&model, &other).unwrap_err()));
    let data: DataError = idx::read("no/such/file").unwrap_err();
    errors.push(Box::new(data));
    errors.push(Box::new(idx::read(at("gz", b"\x1f\x8b\x08\0")).unwrap_err()));
    errors.push(Box::new(Zipcode::from_folder(folder.path()).unwrap_err()));
    errors.push(Box::new(model.summary(&[7, 5]).unwrap_err()));
    let train = DataLoader::new(Digits::load().dataset(), 32);
    let mut rng = Philox::new(0);
    let trainer = Trainer::classifier().quiet().resume(&header);
    let run = trainer.fit(&mut Sequential::new(), &mut Sgd::new(0.1), &train, &mut rng);
    errors.push(Box::new(run.unwrap_err()));
    for error in &errors {
        check(&**error);
    }
}

/// Every error type is tested. A derived `Debug` would print the fields instead of the text.
#[test]
fn every_error_type_prints_its_text() {
    let (mut errors, mut printed) = (BTreeSet::new(), BTreeSet::new());
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders: Vec<_> =
        fs::read_dir(crates).unwrap().map(|entry| entry.unwrap().path().join("src")).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|end| end != "rs") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for part in text.split("thiserror::Error").skip(1) {
                let name =
                    part.split_once("pub enum ").into_iter().chain(part.split_once("pub struct "));
                let (_, rest) = name.min_by_key(|(before, _)| before.len()).unwrap();
                errors.insert(word(rest));
            }
            for part in text.split("impl std::error::Error for ").skip(1) {
                errors.insert(word(part));
            }
            for part in text.split("debug_is_display!(").skip(1) {
                let list = part.split_once(')').unwrap().0;
                printed.extend(list.split(',').map(|name| word(name.trim())));
            }
        }
    }
    assert!(errors.len() >= 12, "{errors:?}");
    assert_eq!(errors, printed);
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric()).collect()
}
