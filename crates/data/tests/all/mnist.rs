//! MNIST: the real files, files with other names, and invalid files.

use crate::common::{histogram, real};
use std::fs;
use std::path::{Path, PathBuf};
use wengert_data::idx::{self, IdxArray, IdxData};
use wengert_data::{DataError, DataLoader, Dataset, Digits, FashionMnist, Mnist, TensorDataset};

/// Returns the folder `data/mnist` of the repository, or `None` in a published crate, which has no data.
fn repository() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    root.join("crates/data/Cargo.toml").is_file().then(|| root.join("data/mnist"))
}

fn mean_and_std(set: &TensorDataset<u8>) -> (f64, f64) {
    let (mut sum, mut squares, mut n) = (0.0, 0.0, 0);
    for (images, _) in &DataLoader::new(set, 1000) {
        for x in images.to_vec() {
            sum += f64::from(x);
            squares += f64::from(x).powi(2);
            n += 1;
        }
    }
    let mean = sum / f64::from(n);
    (mean, (squares / f64::from(n) - mean * mean).sqrt())
}

#[test]
fn the_original_digits_have_the_known_images() {
    let Some(folder) = repository() else { return };
    let mnist = Mnist::from_folder(folder).unwrap();
    assert_eq!(mnist.train.inputs().shape(), [60_000, 28, 28]);
    assert_eq!(mnist.test.inputs().shape(), [10_000, 28, 28]);
    let (train, test) = (mnist.train.targets().to_vec(), mnist.test.targets().to_vec());
    assert_eq!(train[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    assert_eq!(test[..10], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    assert_eq!(histogram(&train), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    assert_eq!(histogram(&test), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);

    let (mean, std) = mean_and_std(&mnist.train);
    assert!((mean - 0.130660).abs() < 5e-7 && (std - 0.308108).abs() < 5e-7, "{mean} {std}");
    assert!((mean as f32 - Mnist::MEAN).abs() < 1e-6 && (std as f32 - Mnist::STD).abs() < 1e-6);

    let (x, _) = mnist.normalize(Mnist::MEAN, Mnist::STD).test.batch(&[0]);
    assert_eq!(x.to_vec()[0], -Mnist::MEAN / Mnist::STD);
}

#[test]
fn the_original_clothes_have_the_known_images() {
    let Some(folder) = real("fashion-mnist") else { return };
    let fashion = FashionMnist::from_folder(folder).unwrap();
    assert_eq!(fashion.train.inputs().shape(), [60_000, 28, 28]);
    assert_eq!(histogram(&fashion.train.targets().to_vec()), [6000; 10]);
    assert_eq!(histogram(&fashion.test.targets().to_vec()), [1000; 10]);
    let (mean, std) = mean_and_std(&fashion.train);
    assert!((mean as f32 - FashionMnist::MEAN).abs() < 1e-6, "{mean}");
    assert!((std as f32 - FashionMnist::STD).abs() < 1e-6, "{std}");
    // The first image shows an ankle boot.
    let label = fashion.train.targets().at(&[0]);
    assert_eq!(FashionMnist::CLASSES[label as usize], "Ankle boot");
}

#[test]
fn fashion_mnist_is_read_from_its_folders() {
    let folder = tempfile::tempdir().unwrap();
    write_set(&folder.path().join("FashionMNIST/raw"), str::to_string);
    assert_eq!(FashionMnist::from_folder(folder.path()).unwrap().train.len(), 3);
    let folder = tempfile::tempdir().unwrap();
    write_set(&folder.path().join("fashion-mnist"), str::to_string);
    let fashion = FashionMnist::from_folder(folder.path()).unwrap();
    let fashion = fashion.normalize(0.5, 0.5).with_channel();
    let (x, y) = fashion.train.batch(&[1, 2]);
    assert_eq!((x.shape().to_vec(), y.to_vec()), (vec![2, 1, 28, 28], vec![1, 2]));
    assert_eq!(x.at(&[0, 0, 3, 4]), (3.0 / 255.0 - 0.5) / 0.5);
    let error = FashionMnist::from_folder(folder.path().join("mnist")).unwrap_err().to_string();
    assert!(error.starts_with("Fashion-MNIST not found. Looked in:\n"), "{error}");
}

#[test]
fn the_digits_in_the_crate_have_the_known_images() {
    let digits = Digits::load();
    assert_eq!(digits.images.shape(), [Digits::LEN, 8, 8]);
    let labels = digits.labels.to_vec();
    assert_eq!(histogram(&labels), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    assert_eq!(labels[..12], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
    let pixels = digits.images.to_vec();
    assert_eq!(pixels[..8], [0.0, 0.0, 5.0, 13.0, 9.0, 1.0, 0.0, 0.0]);
    assert!(pixels.iter().all(|&x| (0.0..=16.0).contains(&x) && x.fract() == 0.0));
    assert!(pixels.contains(&16.0));
    let (x, y) = digits.dataset().batch(&[0]);
    assert_eq!((x.to_vec()[3], y.to_vec()), (13.0 / 16.0, vec![0]));
}

/// Writes a small set in the format of MNIST: 3 training images and 2 test images.
fn write_set(folder: &Path, rename: impl Fn(&str) -> String) {
    fs::create_dir_all(folder).unwrap();
    for (part, n) in [("train", 3), ("t10k", 2)] {
        let images = IdxArray::new(IdxData::U8(vec![n as u8; n * 784]), &[n, 28, 28]);
        let labels = IdxArray::new(IdxData::U8((0..n as u8).collect()), &[n]);
        idx::write(folder.join(rename(&format!("{part}-images-idx3-ubyte"))), &images).unwrap();
        idx::write(folder.join(rename(&format!("{part}-labels-idx1-ubyte"))), &labels).unwrap();
    }
}

#[test]
fn files_are_found_under_all_spellings_and_sub_folders() {
    let spellings: [fn(&str) -> String; 4] = [
        str::to_string,
        |name| name.replace("-idx", ".idx"),
        |name| format!("{name}.gz"),
        |name| format!("{}.gz", name.replace("-idx", ".idx")),
    ];
    for rename in spellings {
        for under in ["", "mnist", "MNIST/raw"] {
            let folder = tempfile::tempdir().unwrap();
            write_set(&folder.path().join(under), rename);
            let mnist = Mnist::from_folder(folder.path()).unwrap();
            assert_eq!((mnist.train.len(), mnist.test.len()), (3, 2));
            assert_eq!(mnist.test.targets().to_vec(), [0, 1]);
        }
    }
}

#[test]
fn missing_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent");
    let error = Mnist::from_folder(&absent).unwrap_err();
    assert!(error.to_string().contains("absent: no such folder"), "{error}");

    write_set(folder.path(), str::to_string);
    fs::remove_file(folder.path().join("t10k-labels-idx1-ubyte")).unwrap();
    let error = Mnist::from_folder(folder.path()).unwrap_err();
    assert!(error.to_string().starts_with("MNIST not found. Looked in:\n"), "{error}");
    assert!(error.to_string().contains(": lacks t10k-labels-idx1-ubyte[.gz]\n"), "{error}");
    let DataError::NotFound { looked, .. } = error else { panic!("{error}") };
    assert_eq!((looked.len(), looked[0].folder.as_path()), (1, folder.path()));
}

/// Returns the error of a set in which one file is replaced.
fn with_file(name: &str, array: &IdxArray) -> DataError {
    let folder = tempfile::tempdir().unwrap();
    write_set(folder.path(), str::to_string);
    idx::write(folder.path().join(name), array).unwrap();
    let error = Mnist::from_folder(folder.path()).unwrap_err();
    assert!(error.to_string().contains(name), "{error}");
    error
}

#[test]
fn files_without_images_are_errors() {
    let images = IdxArray::new(IdxData::U8(vec![]), &[0, 28, 28]);
    let labels = IdxArray::new(IdxData::U8(vec![]), &[0]);
    // A file without images gives the same error, whether its label file is empty or not.
    for part in ["train", "t10k"] {
        let name = format!("{part}-images-idx3-ubyte");
        assert!(matches!(with_file(&name, &images), DataError::Empty { .. }));
        let folder = tempfile::tempdir().unwrap();
        write_set(folder.path(), str::to_string);
        idx::write(folder.path().join(&name), &images).unwrap();
        idx::write(folder.path().join(format!("{part}-labels-idx1-ubyte")), &labels).unwrap();
        for error in [
            Mnist::from_folder(folder.path()).unwrap_err(),
            FashionMnist::from_folder(folder.path()).unwrap_err(),
        ] {
            assert!(matches!(error, DataError::Empty { .. }), "{error}");
            assert!(error.to_string().contains(&name), "{error}");
        }
    }
    // Images with an empty label file give another error.
    let error = with_file("t10k-labels-idx1-ubyte", &labels);
    assert!(matches!(error, DataError::CountMismatch { labels: 0, images: 2, .. }), "{error}");
}

#[test]
fn wrong_shapes_types_labels_and_counts_are_errors() {
    let error = with_file(
        "train-images-idx3-ubyte",
        &IdxArray::new(IdxData::U8(vec![0; 3 * 784]), &[3, 784]),
    );
    assert!(
        error.to_string().ends_with("expected images of shape [n, 28, 28], found shape [3, 784]"),
        "{error}"
    );

    let error =
        with_file("t10k-labels-idx1-ubyte", &IdxArray::new(IdxData::U8(vec![0; 2]), &[2, 1]));
    assert!(
        matches!(error, DataError::WrongShape { expected: "labels of shape [n]", .. }),
        "{error}"
    );

    let error =
        with_file("train-labels-idx1-ubyte", &IdxArray::new(IdxData::I32(vec![0; 3]), &[3]));
    assert!(matches!(error, DataError::ElementType { wanted: "u8", .. }), "{error}");

    let error =
        with_file("train-labels-idx1-ubyte", &IdxArray::new(IdxData::U8(vec![0, 10, 11]), &[3]));
    assert!(
        error
            .to_string()
            .ends_with("label 10 at position 1 is out of range: the labels are from 0 to 9"),
        "{error}"
    );

    let error = with_file("t10k-labels-idx1-ubyte", &IdxArray::new(IdxData::U8(vec![0; 3]), &[3]));
    assert!(matches!(error, DataError::CountMismatch { labels: 3, images: 2, .. }), "{error}");
    assert!(
        error.to_string().contains("expected one label for each of the 2 images in "),
        "{error}"
    );
}
