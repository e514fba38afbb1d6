//! CIFAR-100, and the Python form of CIFAR: pickles that `tests/reference` made, and invalid ones.

use crate::common::reference;
use std::fs;
use std::path::Path;
use wengert_data::{Cifar10, Cifar100, DataError, Dataset, PickleProblem};

fn write_python(folder: &Path, last: &[u8]) {
    let sound = fs::read(reference("cifar10_python2.pickle")).unwrap();
    for i in 1..=5 {
        fs::write(folder.join(format!("data_batch_{i}")), &sound).unwrap();
    }
    fs::write(folder.join("test_batch"), last).unwrap();
}

#[test]
fn the_python_form_of_cifar_10() {
    let sound = fs::read(reference("cifar10_python2.pickle")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("cifar-10-batches-py")).unwrap();
    write_python(&folder.path().join("cifar-10-batches-py"), &sound);
    let cifar = Cifar10::from_folder(folder.path()).unwrap();
    assert_eq!((cifar.train.len(), cifar.test.len()), (10, 2));
    assert_eq!(cifar.test.targets().to_vec(), [6, 9]);
    assert_eq!(cifar.train.inputs().shape(), [10, 3, 32, 32]);
    let pixels: Vec<u8> = (0..6144u32).map(|i| (i * 5 % 251) as u8).collect();
    assert_eq!(cifar.test.inputs().to_vec(), pixels);
}

fn write_100(folder: &Path, bytes: &[u8]) {
    for name in ["train", "test"] {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

#[test]
fn the_python_form_of_cifar_100() {
    for protocol in [2, 4] {
        let name = format!("cifar100_protocol{protocol}.pickle");
        let folder = tempfile::tempdir().unwrap();
        write_100(folder.path(), &fs::read(reference(&name)).unwrap());
        let cifar = Cifar100::from_folder(folder.path()).unwrap();
        assert_eq!(cifar.train.targets().to_vec(), [99, 0]);
        assert_eq!(cifar.test_superclasses.to_vec(), [19, 3]);
        let pixels: Vec<u8> = (0..6144u32).map(|i| (i * 7 % 251) as u8).collect();
        assert_eq!(cifar.test.inputs().to_vec(), pixels, "{name}");
        assert_eq!(Cifar100::CLASSES[99], "worm");
        assert_eq!(Cifar100::SUPERCLASSES[19], "vehicles_2");
    }
}

#[test]
fn the_binary_form_of_cifar_100() {
    let row = |superclass: u8, class: u8| [vec![superclass, class], vec![class; 3072]].concat();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("train.bin"), [row(19, 99), row(0, 5)].concat()).unwrap();
    fs::write(folder.path().join("test.bin"), row(3, 7)).unwrap();
    let cifar = Cifar100::from_folder(folder.path()).unwrap();
    assert_eq!(cifar.train.targets().to_vec(), [99, 5]);
    assert_eq!(cifar.train_superclasses.to_vec(), [19, 0]);
    let (x, y) = cifar.normalize_channels(&Cifar100::MEAN, &Cifar100::STD).test.batch(&[0]);
    assert_eq!((x.shape().to_vec(), y.item()), (vec![1, 3, 32, 32], 7));
    assert_eq!(x.at(&[0, 1, 0, 0]), (7.0 / 255.0 - Cifar100::MEAN[1]) / Cifar100::STD[1]);

    let fails = |bytes: &[u8]| {
        fs::write(folder.path().join("test.bin"), bytes).unwrap();
        Cifar100::from_folder(folder.path()).unwrap_err().to_string()
    };
    let text = fails(&row(3, 100));
    assert!(text.ends_with("label 100 at position 0 is out of range: the labels are from 0 to 99"));
    let text = fails(&[row(3, 1), row(20, 1)].concat());
    assert!(text.ends_with("label 20 at position 1 is out of range: the labels are from 0 to 19"));
    assert!(fails(&row(3, 1)[..3073]).contains("expected rows of 3074 bytes, found 3073 bytes"));
    fs::remove_file(folder.path().join("test.bin")).unwrap();
    let error = Cifar100::from_folder(folder.path()).unwrap_err().to_string();
    assert!(error.starts_with("CIFAR-100 not found"), "{error}");
}

fn problem(bytes: &[u8]) -> PickleProblem {
    let folder = tempfile::tempdir().unwrap();
    write_python(folder.path(), bytes);
    match Cifar10::from_folder(folder.path()).unwrap_err() {
        DataError::Pickle { path, problem } => {
            assert_eq!(path, folder.path().join("test_batch"));
            problem
        }
        error => panic!("{error}"),
    }
}

/// A pickle that would run a program when Python loads it.
#[test]
fn nothing_is_executed() {
    let shell = problem(b"\x80\x02cos\nsystem\nq\x01U\x04truetR.");
    assert!(matches!(&shell, PickleProblem::Object(name) if name == "os.system"), "{shell}");
    let shell = problem(b"\x80\x04\x8c\x02os\x8c\x06system\x93.");
    assert!(matches!(&shell, PickleProblem::Object(name) if name == "os.system"), "{shell}");
    // INST and OBJ call a class, too.
    let inst = problem(b"\x80\x02(ios\nsystem\n.");
    assert!(matches!(inst, PickleProblem::Instruction { code: b'i', at: 3 }), "{inst}");
}

#[test]
fn pickles_that_are_wrong() {
    let sound = fs::read(reference("cifar10_python2.pickle")).unwrap();
    for length in [3, 100, 6000, sound.len() - 1] {
        assert_eq!(problem(&sound[..length]), PickleProblem::Short, "{length}");
    }
    assert!(matches!(problem(b"\x80\x02}q\x01."), PickleProblem::Content(_)));
    assert!(matches!(problem(b"\x80\x02h\x05h\x05."), PickleProblem::Damaged { at: 2, .. }));
    assert!(matches!(problem(b"\x80\x02ttt."), PickleProblem::Damaged { at: 2, .. }));
    assert!(matches!(problem(b"\x80\x02]K\x01s."), PickleProblem::Damaged { at: 5, .. }));
    // A text of 2³² - 1 bytes that does not follow.
    assert_eq!(problem(b"\x80\x02T\xff\xff\xff\xffabc"), PickleProblem::Short);
    // A list that contains itself, and one whose parts are used again and again: 2⁴⁰ numbers if they were copied.
    let mut nested = b"\x80\x02]q\x00h\x00a".to_vec();
    for _ in 0..40 {
        nested.extend(b"]q\x01(h\x01h\x01e");
    }
    nested.push(b'.');
    assert!(matches!(problem(&nested), PickleProblem::Content(_)));
    // The same text converted many times, which would fill the memory.
    let mut copies = b"\x80\x02c_codecs\nencode\nq\x01X\x00\x10\x00\x00".to_vec();
    copies.extend([b'x'; 4096]);
    copies.extend(b"q\x02");
    (0..100_000).for_each(|_| copies.extend(b"h\x01h\x02\x85R"));
    copies.push(b'.');
    assert!(matches!(problem(&copies), PickleProblem::Damaged { .. }));
    let page = "<!DOCTYPE html>".repeat(10);
    let folder = tempfile::tempdir().unwrap();
    write_python(folder.path(), page.as_bytes());
    let error = Cifar10::from_folder(folder.path()).unwrap_err();
    assert!(matches!(error, DataError::Kind { expected: "a Python pickle", .. }), "{error}");
}
