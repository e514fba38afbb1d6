//! EMNIST: generated files of the same format.

use std::fs;
use std::path::Path;
use wengert_data::idx::{self, IdxArray, IdxData};
use wengert_data::{DataError, Emnist, EmnistSplit};

fn write(folder: &Path, split: &str, labels: &[u8]) {
    fs::create_dir_all(folder).unwrap();
    for part in ["train", "test"] {
        let n = labels.len();
        let pixels = (0..n * 784).map(|i| (i % 251) as u8).collect();
        let at = |kind: &str| folder.join(format!("emnist-{split}-{part}-{kind}-ubyte.gz"));
        idx::write(at("images-idx3"), &IdxArray::new(IdxData::U8(pixels), &[n, 28, 28])).unwrap();
        idx::write(at("labels-idx1"), &IdxArray::new(IdxData::U8(labels.to_vec()), &[n])).unwrap();
    }
}

#[test]
fn images_are_upright_and_letters_begin_at_zero() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("EMNIST/raw"), "letters", &[1, 26]);
    let letters = Emnist::from_folder(EmnistSplit::Letters, folder.path()).unwrap();
    assert_eq!(letters.train.targets().to_vec(), [0, 25]);
    let classes = EmnistSplit::Letters.classes();
    assert_eq!((classes[0], classes[25], classes.len()), ('a', 'z', 26));
    for (row, column) in [(0, 1), (5, 27), (13, 2)] {
        // The files have columns where other sets have rows.
        let expected = ((784 + column * 28 + row) % 251) as u8;
        assert_eq!(letters.test.inputs().at(&[1, row, column]), expected);
    }
    let error = Emnist::from_folder(EmnistSplit::Balanced, folder.path()).unwrap_err();
    assert!(matches!(error, DataError::NotFound { set: "EMNIST", .. }), "{error}");
}

#[test]
fn classes_and_labels_of_each_split() {
    for (split, name, classes, first) in [
        (EmnistSplit::ByClass, "byclass", 62, 0),
        (EmnistSplit::ByMerge, "bymerge", 47, 0),
        (EmnistSplit::Balanced, "balanced", 47, 0),
        (EmnistSplit::Letters, "letters", 26, 1),
        (EmnistSplit::Digits, "digits", 10, 0),
        (EmnistSplit::Mnist, "mnist", 10, 0),
    ] {
        assert_eq!(split.classes().len(), classes);
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), name, &[first, first + classes as u8 - 1]);
        let set = Emnist::from_folder(split, folder.path()).unwrap();
        assert_eq!(set.test.targets().to_vec(), [0, classes as i64 - 1]);
        for wrong in [first + classes as u8, first.wrapping_sub(1)] {
            write(folder.path(), name, &[first, wrong]);
            let error = Emnist::from_folder(split, folder.path()).unwrap_err();
            assert!(matches!(error, DataError::LabelOutOfRange { position: 1, .. }), "{error}");
        }
    }
    // The letters that have a class of their own beside their capitals: those of the article.
    let merged: String = EmnistSplit::ByMerge.classes()[36..].iter().collect();
    assert_eq!(merged, "abdefghnqrt");
}
