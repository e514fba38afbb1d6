//! CIFAR-10: generated files of the same format, and invalid files.

use crate::common::{gzip, real};
use std::fs;
use std::path::Path;
use wengert_data::{Cifar10, DataError, Dataset};

/// Replaces, removes and adds bytes. A damaged file loads or gives an error, without a panic.
#[test]
fn damaged_files_do_not_panic() {
    let folder = tempfile::tempdir().unwrap();
    let mut errors = 0;
    for packed in [false, true] {
        write_set(folder.path());
        let sound = rows(&[3, 7], 0);
        let sound = if packed { gzip(&sound) } else { sound };
        for at in (0..sound.len()).step_by(sound.len() / 40 + 1).chain([sound.len() - 1]) {
            let mut files = [sound.clone(), sound.clone(), sound.clone()];
            files[0][at] ^= 0xff;
            files[1].remove(at);
            files[2].insert(at, 0x55);
            for file in files {
                fs::write(folder.path().join("test_batch.bin"), &file).unwrap();
                errors += usize::from(Cifar10::from_folder(folder.path()).is_err());
            }
        }
    }
    assert!(errors > 100, "{errors}");
}

#[test]
fn a_file_of_another_format_is_named() {
    let folder = tempfile::tempdir().unwrap();
    write_set(folder.path());
    let page = "<!DOCTYPE html>\n<html>".repeat(400);
    for (bytes, words) in [
        (page.as_bytes(), "found a web page (HTML); fetch the file again"),
        (b"version https://git-lfs.github.com/spec/v1\n", "found a pointer of Git LFS"),
        (b"BZh91AY&SY", "found a file compressed with bzip2; unpack it first"),
    ] {
        for bytes in [bytes.to_vec(), gzip(bytes)] {
            fs::write(folder.path().join("test_batch.bin"), bytes).unwrap();
            let error = Cifar10::from_folder(folder.path()).unwrap_err();
            assert!(matches!(error, DataError::Kind { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains("test_batch.bin: expected rows of a label and 3,072"), "{text}");
            assert!(text.contains(words), "{text}");
        }
    }
}

#[test]
fn zeros_after_a_gzip_stream_are_ignored() {
    let folder = tempfile::tempdir().unwrap();
    write_set(folder.path());
    let padded = [gzip(&rows(&[4, 5], 0)), vec![0; 4000]].concat();
    fs::write(folder.path().join("test_batch.bin"), padded).unwrap();
    let cifar = Cifar10::from_folder(folder.path()).unwrap();
    assert_eq!(cifar.test.targets().to_vec(), [4, 5]);
}

#[test]
fn the_original_files_have_the_known_images() {
    let Some(folder) = real("cifar-10-batches-bin") else { return };
    let cifar = Cifar10::from_folder(folder).unwrap();
    assert_eq!(cifar.train.inputs().shape(), [50_000, 3, 32, 32]);
    assert_eq!(cifar.test.inputs().shape(), [10_000, 3, 32, 32]);
    assert_eq!(crate::common::histogram(&cifar.train.targets().to_vec()), [5000; 10]);
    assert_eq!(crate::common::histogram(&cifar.test.targets().to_vec()), [1000; 10]);
    for channel in 0..3 {
        let pixels = cifar.train.inputs().narrow(1, channel, 1).to_vec();
        let n = pixels.len() as f64;
        let mean = pixels.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let variance = pixels.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
        assert!((mean / 255.0 - f64::from(Cifar10::MEAN[channel])).abs() < 1e-6);
        assert!((variance.sqrt() / 255.0 - f64::from(Cifar10::STD[channel])).abs() < 1e-6);
    }
}

/// Returns one row for each label. The pixels of all rows count up from `first` + 1, modulo 256.
fn rows(labels: &[u8], first: u8) -> Vec<u8> {
    let mut next = first;
    let mut bytes = Vec::new();
    for &label in labels {
        bytes.push(label);
        bytes.extend((0..3072).map(|_| {
            next = next.wrapping_add(1);
            next
        }));
    }
    bytes
}

const NAMES: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];

fn write_set(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for (i, name) in NAMES.into_iter().enumerate() {
        let i = i as u8;
        // The second file is compressed, and is longer than the part that is read at a time.
        if i == 1 {
            fs::write(folder.join(format!("{name}.gz")), gzip(&rows(&[1; 300], 0))).unwrap();
        } else {
            fs::write(folder.join(name), rows(&[i, 9], i)).unwrap();
        }
    }
}

#[test]
fn training_batches_are_read_in_order() {
    for under in ["", "cifar-10-batches-bin", "cifar10"] {
        let folder = tempfile::tempdir().unwrap();
        write_set(&folder.path().join(under));
        let cifar = Cifar10::from_folder(folder.path()).unwrap();
        assert_eq!((cifar.train.len(), cifar.test.len()), (308, 2));
        let labels = cifar.train.targets().to_vec();
        assert_eq!(
            (labels[..3].to_vec(), labels[301..].to_vec()),
            (vec![0, 9, 1], vec![1, 2, 9, 3, 9, 4, 9])
        );
        let (x, y) = cifar.test.batch(&[1]);
        assert_eq!((x.shape().to_vec(), y.item()), (vec![1, 3, 32, 32], 9));
        // An image has 3,072 = 12·256 pixels, so the second image begins with 6, as the first does.
        assert_eq!(x.at(&[0, 0, 0, 1]), 7.0 / 255.0);
        assert_eq!(x.at(&[0, 1, 0, 0]), x.at(&[0, 0, 0, 0]));
        let (x, _) = cifar.normalize_channels(&Cifar10::MEAN, &Cifar10::STD).test.batch(&[1]);
        for channel in 0..3 {
            let expected = (7.0 / 255.0 - Cifar10::MEAN[channel]) / Cifar10::STD[channel];
            assert_eq!(x.at(&[0, channel, 0, 1]), expected);
        }
    }
}

/// Returns the error of a set in which one file is replaced.
fn with_file(name: &str, bytes: &[u8]) -> DataError {
    let folder = tempfile::tempdir().unwrap();
    write_set(folder.path());
    fs::write(folder.path().join(name), bytes).unwrap();
    let error = Cifar10::from_folder(folder.path()).unwrap_err();
    assert!(error.to_string().contains(name), "{error}");
    error
}

#[test]
fn files_of_wrong_length_or_label_are_errors() {
    let good = rows(&[3; 300], 0);
    for length in [1, 3072, 3074, 256 * 3073 + 5, 300 * 3073 - 1] {
        let error = with_file("data_batch_4.bin", &good[..length]);
        assert!(matches!(error, DataError::Rows { found, .. } if found == length), "{error}");
    }
    let error = with_file("test_batch.bin", &good[..3080]);
    assert!(
        error.to_string().ends_with(
            ": expected rows of 3073 bytes, found 3080 bytes: the file is cut short, or is of \
             another kind"
        ),
        "{error}"
    );
    let error = with_file("data_batch_5.bin", &rows(&[0, 1, 10], 0));
    assert!(
        error
            .to_string()
            .ends_with("label 10 at position 2 is out of range: the labels are from 0 to 9"),
        "{error}"
    );
    assert!(matches!(with_file("data_batch_3.bin", &[]), DataError::Empty { .. }));
    let packed = gzip(&good);
    let error = with_file("data_batch_1.bin", &packed[..packed.len() - 9]);
    assert!(matches!(error, DataError::Gzip { .. }), "{error}");
    let error = with_file("data_batch_1.bin", &[packed, vec![7; 100]].concat());
    assert!(matches!(error, DataError::Gzip { .. }), "{error}");
}

#[test]
fn missing_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    write_set(folder.path());
    fs::remove_file(folder.path().join("data_batch_3.bin")).unwrap();
    let error = Cifar10::from_folder(folder.path()).unwrap_err().to_string();
    assert!(error.starts_with("CIFAR-10 not found. Looked in:\n"), "{error}");
    assert!(error.contains(": lacks data_batch_3.bin[.gz]\n"), "{error}");
}
