//! Tests that every function that writes a file keeps the permissions of an existing file and
//! follows a symbolic link.
#![cfg(all(unix, feature = "plots"))]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use wengert_data::idx::{self, IdxArray};
use wengert_data::{DataLoader, Digits};
use wengert_nn::{Flatten, Linear, save, sequential, state_dict};
use wengert_optim::{Adam, Optimizer, Sgd};
use wengert_plot::{self as plot, GridOptions};
use wengert_tensor::{Philox, Tensor};
use wengert_train::{ConfusionMatrix, History, Trainer};

fn checkpoint(path: &Path) {
    let train = DataLoader::new(Digits::load().dataset(), 64);
    let mut rng = Philox::new(0);
    let mut model = sequential![Flatten::new(), Linear::new(64, 10, &mut rng)];
    let trainer = Trainer::classifier().quiet().checkpoint(path).stop_after(1);
    trainer.fit(&mut model, &mut Sgd::new(0.1), &train, &mut rng).unwrap();
}

type Writer<'a> = (&'static str, &'a dyn Fn(&Path));

#[test]
fn every_writer_keeps_permissions_and_links() {
    let model = Linear::new(3, 2, &mut Philox::new(0));
    let images = Tensor::zeros(&[2, 4, 4]);
    let confusion = ConfusionMatrix::new(2);
    let writers: [Writer<'_>; 9] = [
        ("model", &|path| save(&model, path).unwrap()),
        ("state dict", &|path| state_dict(&model).save(path).unwrap()),
        ("optimizer", &|path| Adam::new(0.1).state_dict(&model).save(path).unwrap()),
        ("checkpoint", &checkpoint),
        ("idx", &|path| idx::write(path, &IdxArray::from(&images)).unwrap()),
        ("idx.gz", &|path| idx::write(path, &IdxArray::from(&images)).unwrap()),
        ("curves", &|path| plot::charts(&History::default().charts(), path).unwrap()),
        ("confusion", &|path| plot::confusion(confusion.rows(), &[], path).unwrap()),
        ("grid", &|path| plot::grid(&images, &GridOptions::new(), path).unwrap()),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (name, write) in writers {
        let (link, file) = (folder.path().join(name), folder.path().join("file"));
        fs::write(&file, "before").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        symlink("file", &link).unwrap();
        write(&link);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink(), "{name}");
        let after = fs::symlink_metadata(&file).unwrap();
        assert!(after.is_file() && after.permissions().mode() & 0o7777 == 0o640, "{name}");
        assert_ne!(fs::read(&file).unwrap(), b"before", "{name}");
        fs::remove_file(&link).unwrap();
    }
    // The folder contains only the file, and no temporary file.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Only two functions open files for writing; others would not keep permissions and follow links. One replaces a
/// file. The other writes the part of a download, which it renames when it is complete. One example writes the tables that it
/// reads afterwards.
#[test]
fn only_two_functions_open_files_for_writing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders: Vec<_> = ["src", "crates", "examples"].map(|name| root.join(name)).into();
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                let name = path.file_name().unwrap();
                if name != "tests" && name != "target" {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs")
            {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap();
                if ["fs::write(", "File::create", "OpenOptions"]
                    .iter()
                    .any(|word| code.contains(word))
                {
                    found.push(path);
                }
            }
        }
    }
    found.sort();
    let permitted = [
        "crates/data/src/fetch.rs",
        "crates/tensor/src/files/file.rs",
        "examples/08_csv_regression.rs",
    ];
    assert!(
        found.len() == permitted.len()
            && found.iter().zip(permitted).all(|(path, end)| path.ends_with(end)),
        "{found:?}"
    );
}
