//! Folders of pictures, compared with what Pillow decodes.

use crate::common::reference;
use std::fs;
use std::path::Path;
use wengert_data::{DataError, Dataset, ImageFolder, Labeled};

fn copy(name: &str, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(reference(name), to).unwrap();
}

/// Returns the values that Pillow computed: grey, the JPEG file, and the picture resized to 5×7.
fn pillow() -> [Vec<u8>; 3] {
    let text = fs::read_to_string(reference("pillow.txt")).unwrap();
    let lines: Vec<Vec<u8>> = text
        .lines()
        .map(|line| line.split(' ').map(|number| number.parse().unwrap()).collect())
        .collect();
    lines.try_into().unwrap()
}

/// Returns the pixels of the picture, `[3, 10, 14]`.
fn rgb() -> Vec<u8> {
    let mut pixels = Vec::new();
    for channel in 0..3 {
        for y in 0..10 {
            pixels.extend((0..14).map(|x| [x * 18, y * 25, 99][channel] as u8));
        }
    }
    pixels
}

fn bytes(x: &wengert_tensor::Tensor) -> Vec<u8> {
    x.to_vec().into_iter().map(|x| (x * 255.0).round() as u8).collect()
}

#[test]
fn classes_of_torchvision() {
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path);
    copy("rgb.png", &at("b/2.PNG"));
    copy("rgba.png", &at("b/deep/er/1.png"));
    copy("photo.jpg", &at("a/x.jpeg"));
    copy("pillow.txt", &at("a/notes.txt"));
    copy("rgb.png", &at("a/.hidden.png"));
    copy("rgb.png", &at("stray.png"));
    let set = ImageFolder::open(root.path()).unwrap();
    assert_eq!(set.classes(), ["a", "b"]);
    assert_eq!(set.labels(), [0, 1, 1]);
    let names: Vec<_> =
        set.files().iter().map(|it| it.strip_prefix(root.path()).unwrap()).collect();
    assert_eq!(names, ["a/x.jpeg", "b/2.PNG", "b/deep/er/1.png"].map(Path::new));
    let (x, y) = set.batch(&[2, 1]);
    assert_eq!((x.shape().to_vec(), y.to_vec()), (vec![2, 3, 10, 14], vec![1, 1]));
    assert_eq!(bytes(&x), [rgb(), rgb()].concat());
    set.verify().unwrap();
    let loaded = set.load().unwrap();
    assert_eq!(loaded.batch(&[2, 1]).0, x);
    // Decoders of JPEG may round differently.
    let (x, _) = set.batch(&[0]);
    let [_, photo, _] = pillow();
    let ours = bytes(&x);
    for y in 0..10 {
        for x in 0..14 {
            for channel in 0..3 {
                let (a, b) = (ours[(channel * 10 + y) * 14 + x], photo[(y * 14 + x) * 3 + channel]);
                assert!(a.abs_diff(b) <= 6, "{y} {x} {channel}: {a} {b}");
            }
        }
    }
    let empty = ImageFolder::unlabeled(root.path()).unwrap();
    assert_eq!((empty.len(), empty.labels()), (4, vec![0; 4]));
}

#[test]
fn gray_crop_and_size() {
    let root = tempfile::tempdir().unwrap();
    copy("rgb.png", &root.path().join("a/1.png"));
    copy("gray.png", &root.path().join("a/2.png"));
    let set = ImageFolder::open(root.path()).unwrap().gray();
    let (x, _) = set.batch(&[0, 1]);
    let [gray, _, small] = pillow();
    assert_eq!(x.shape(), [2, 1, 10, 14]);
    assert_eq!(bytes(&x), [gray.clone(), gray].concat());

    // torchvision: the crop begins at round((10 - 5) / 2) = 2 and round((14 - 5) / 2) = 4, halves to the even number.
    let colour = ImageFolder::open(root.path()).unwrap();
    let (x, _) = colour.clone().center_crop(5).batch(&[0]);
    assert_eq!(x.shape(), [1, 3, 5, 5]);
    let x = bytes(&x);
    assert_eq!((x[0], x[25]), (4 * 18, 2 * 25));
    // A smaller picture gets a border: 2 rows above, 14 + 0 columns.
    let (x, _) = colour.clone().center_crop(14).batch(&[0]);
    let x = bytes(&x);
    assert_eq!(x[..28], [0; 28]);
    assert_eq!(x[2 * 14..][..14], rgb()[..14]);

    let (x, _) = colour.clone().resize(5).batch(&[0]);
    assert_eq!(x.shape(), [1, 3, 5, 7]);
    let ours = bytes(&x);
    for y in 0..5 {
        for x in 0..7 {
            for channel in 0..3 {
                let (a, b) = (ours[(channel * 5 + y) * 7 + x], small[(y * 7 + x) * 3 + channel]);
                assert!(a.abs_diff(b) <= 1, "{y} {x} {channel}: {a} {b}");
            }
        }
    }
    assert_eq!(colour.resize_to(3, 9).batch(&[0, 1]).0.shape(), [2, 3, 3, 9]);
}

#[test]
fn a_picture_beside_the_folder_is_prepared_as_those_in_it() {
    let root = tempfile::tempdir().unwrap();
    let other = root.path().join("other.png");
    copy("rgb.png", &root.path().join("set/a/1.png"));
    copy("rgb.png", &other);
    let set = ImageFolder::open(root.path().join("set")).unwrap();
    for set in [set.clone(), set.clone().resize(5).center_crop(4), set.gray().resize_to(3, 9)] {
        assert_eq!(set.read(&other).unwrap(), set.batch(&[0]).0);
    }
    let set = ImageFolder::unlabeled(root.path()).unwrap();
    let error = set.read(root.path().join("none.png")).unwrap_err();
    assert!(matches!(&error, DataError::Io { path, .. } if path.ends_with("none.png")), "{error}");
    fs::write(&other, "no picture").unwrap();
    let error = set.read(&other).unwrap_err();
    assert!(
        matches!(&error, DataError::Picture { path, .. } if path.ends_with("other.png")),
        "{error}"
    );
}

#[test]
fn palettes_are_colours() {
    let root = tempfile::tempdir().unwrap();
    copy("palette.png", &root.path().join("a/1.png"));
    let (x, _) = ImageFolder::open(root.path()).unwrap().batch(&[0]);
    assert_eq!(x.shape(), [1, 3, 10, 14]);
}

/// The camera was turned: the first column of the file is the first row, from right to left.
#[test]
fn pictures_are_turned_as_their_camera_recorded() {
    let root = tempfile::tempdir().unwrap();
    copy("photo.jpg", &root.path().join("a/1.jpg"));
    copy("turned.jpg", &root.path().join("a/2.jpg"));
    let set = ImageFolder::unlabeled(root.path()).unwrap();
    let (plain, turned) = (set.batch(&[0]).0, set.batch(&[1]).0);
    assert_eq!(turned.shape(), [1, 3, 14, 10]);
    for (y, x) in [(0, 0), (9, 0), (4, 13)] {
        assert_eq!(turned.at(&[0, 1, x, 9 - y]), plain.at(&[0, 1, y, x]));
    }
}

#[test]
fn the_layout_of_kaggle() {
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path);
    copy("rgb.png", &at("train/0b.png"));
    copy("rgb.png", &at("train/07.jpg"));
    copy("rgb.png", &at("train/unused.png"));
    fs::write(at("labels.csv"), "id,breed\n0b,poodle\n07,beagle\n0b,poodle\n").unwrap();
    let set = ImageFolder::with_labels(at("train"), at("labels.csv"), "id", "breed").unwrap();
    assert_eq!(set.classes(), ["beagle", "poodle"]);
    assert_eq!(set.labels(), [1, 0, 1]);
    // The format is that of the content, not that of the name.
    assert_eq!(set.batch(&[1]).0.shape(), [1, 3, 10, 14]);
    fs::write(at("labels.csv"), "id,breed\n0b,poodle\n08,beagle\n").unwrap();
    let error = ImageFolder::with_labels(at("train"), at("labels.csv"), "id", 1).unwrap_err();
    assert!(
        error.to_string().contains("08: the table names this picture, but there is no such"),
        "{error}"
    );
    let error = ImageFolder::with_labels(at("train"), at("labels.csv"), "id", "kind").unwrap_err();
    assert!(matches!(error, DataError::NoColumn { .. }), "{error}");
}

#[test]
fn errors_name_the_file() {
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path);
    let error = ImageFolder::open(at("none")).unwrap_err();
    assert!(matches!(error, DataError::Io { .. }), "{error}");
    let error = ImageFolder::open(root.path()).unwrap_err().to_string();
    assert!(
        error.ends_with("expected a folder with a sub-folder for each class, found none"),
        "{error}"
    );
    copy("rgb.png", &at("a/1.png"));
    fs::create_dir(at("b")).unwrap();
    let error = ImageFolder::open(root.path()).unwrap_err().to_string();
    assert!(error.ends_with("b: expected PNG or JPEG pictures of a class, found none"), "{error}");

    fs::write(at("b/2.png"), &fs::read(reference("rgb.png")).unwrap()[..60]).unwrap();
    let set = ImageFolder::open(root.path()).unwrap();
    let error = set.try_batch(&[0, 1]).unwrap_err();
    assert!(
        matches!(&error, DataError::Picture { path, .. } if path.ends_with("b/2.png")),
        "{error}"
    );
    assert!(set.verify().is_err() && set.load().is_err() && set.try_batch(&[0]).is_ok());
    fs::write(at("b/2.png"), "<!DOCTYPE html>").unwrap();
    assert!(set.verify().unwrap_err().to_string().contains("b/2.png: "));

    fs::remove_file(at("b/2.png")).unwrap();
    assert!(matches!(set.verify().unwrap_err(), DataError::Io { .. }));
    copy("rgb.png", &at("b/2.png"));
    let set = ImageFolder::open(root.path()).unwrap();
    assert!(set.verify().is_ok());
    let mixed = ImageFolder::unlabeled(root.path()).unwrap().resize(5);
    assert!(mixed.verify().is_ok());
}

/// The headers of these files claim 3.6 billion and 4.6·10¹⁸ pixels.
#[test]
fn claimed_sizes_take_no_memory() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a/1.png");
    copy("rgb.png", &path);
    let sound = fs::read(&path).unwrap();
    for size in [60_000u32, i32::MAX as u32] {
        let mut bytes = sound.clone();
        // Width and height, and the checksum of the header.
        bytes[16..20].copy_from_slice(&size.to_be_bytes());
        bytes[20..24].copy_from_slice(&size.to_be_bytes());
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        fs::write(&path, bytes).unwrap();
        let set = ImageFolder::unlabeled(root.path()).unwrap();
        let error = set.try_batch(&[0]).unwrap_err();
        assert!(matches!(error, DataError::Picture { .. }), "{error}");
    }
    // A picture of one row would become too long.
    image::RgbImage::new(3000, 1).save(&path).unwrap();
    let error =
        ImageFolder::unlabeled(root.path()).unwrap().resize(224).try_batch(&[0]).unwrap_err();
    assert!(
        error.to_string().ends_with("a picture of 1×3000 pixels would become too large"),
        "{error}"
    );
}

#[test]
fn pictures_of_other_sizes() {
    let root = tempfile::tempdir().unwrap();
    copy("rgb.png", &root.path().join("a/1.png"));
    let mut other = image::RgbImage::new(3, 2);
    other.fill(7);
    other.save(root.path().join("a/2.png")).unwrap();
    let set = ImageFolder::open(root.path()).unwrap();
    let error = set.try_batch(&[0, 1]).unwrap_err().to_string();
    assert!(error.contains("a/2.png: expected a picture of 10×14 pixels as "), "{error}");
    assert!(error.ends_with("found 2×3: call resize_to, or resize and center_crop"), "{error}");
    assert!(set.verify().is_err());
    assert_eq!(set.resize(8).center_crop(8).batch(&[0, 1]).0.shape(), [2, 3, 8, 8]);
}

#[test]
#[should_panic(expected = "ImageFolder: ")]
fn a_batch_of_a_loader_panics_with_the_message() {
    let root = tempfile::tempdir().unwrap();
    copy("pillow.txt", &root.path().join("a/1.png"));
    ImageFolder::open(root.path()).unwrap().batch(&[0]);
}
