//! The zip-code digits: the real files, and text that is wrong.

mod common;

use common::{gzip, histogram, real};
use std::fs;
use wengert_data::{DataError, Dataset, LineProblem, Zipcode};

#[test]
fn the_real_digits() {
    let Some(folder) = real("usps") else { return };
    let zipcode = Zipcode::from_folder(folder).unwrap();
    assert_eq!(zipcode.train.inputs().shape(), [7291, 16, 16]);
    assert_eq!(zipcode.test.inputs().shape(), [2007, 16, 16]);
    // As the file that comes with them says.
    let counts = |labels: &wengert_tensor::Tensor<i64>| histogram(&labels.to_vec());
    assert_eq!(
        counts(zipcode.train.targets()),
        [1194, 1005, 731, 658, 652, 556, 664, 645, 542, 644]
    );
    assert_eq!(counts(zipcode.test.targets()), [359, 264, 198, 166, 200, 160, 170, 147, 166, 177]);
    let (x, y) = zipcode.train.batch(&[0]);
    assert_eq!((y.item(), x.at(&[0, 0, 7]), x.at(&[0, 0, 8])), (6, -0.631, 0.862));
    let (x, y) = zipcode.with_channel().test.batch(&[0, 1]);
    assert_eq!((x.shape().to_vec(), y.to_vec()), (vec![2, 1, 16, 16], vec![9, 6]));
}

/// A line: the label, then as many numbers.
fn line(label: &str, pixels: &[&str]) -> String {
    format!("{label} {}\n", pixels.join(" "))
}

fn good() -> String {
    let mut pixels = vec!["-1.0000"; 256];
    (pixels[17], pixels[255]) = ("0.5", "1");
    line("3.0000", &pixels) + &line("9", &["-0.25"; 256])
}

fn load(train: &[u8], test: &[u8]) -> Result<Zipcode, DataError> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("zip.train.gz"), train).unwrap();
    fs::write(folder.path().join("zip.test"), test).unwrap();
    Zipcode::from_folder(folder.path())
}

#[test]
fn plain_and_compressed() {
    let crlf = good().replace('\n', " \r\n");
    for train in [good(), good().trim_end().to_string(), crlf] {
        // The name does not tell whether a file is compressed, its first bytes do.
        for train in [train.as_bytes().to_vec(), gzip(train.as_bytes())] {
            let zipcode = load(&train, good().as_bytes()).unwrap();
            assert_eq!(zipcode.train.targets().to_vec(), [3, 9]);
            let x = zipcode.train.inputs();
            assert_eq!((x.at(&[0, 1, 1]), x.at(&[0, 15, 15]), x.at(&[1, 7, 7])), (0.5, 1.0, -0.25));
        }
    }
}

/// What is wrong with the third line.
fn problem(third: &str) -> LineProblem {
    let text = good() + third;
    let plain = load(text.as_bytes(), good().as_bytes()).unwrap_err();
    let packed = load(&gzip(text.as_bytes()), good().as_bytes()).unwrap_err();
    let [plain, packed] = [plain, packed].map(|error| match error {
        DataError::Line { path, line: 3, problem } if path.ends_with("zip.train.gz") => problem,
        other => panic!("{other}"),
    });
    assert_eq!(plain, packed);
    plain
}

#[test]
fn lines_that_are_wrong() {
    let with = |position: usize, word: &'static str| {
        let mut pixels = ["0"; 256];
        pixels[position - 2] = word;
        problem(&line("1", &pixels))
    };
    assert_eq!(problem("\n"), LineProblem::Count { found: 0, expected: 257 });
    assert_eq!(problem(&line("1", &["0"; 255])), LineProblem::Count { found: 256, expected: 257 });
    assert_eq!(problem(&line("1", &["0"; 257])), LineProblem::Count { found: 258, expected: 257 });
    // A file that was cut short, in the middle of a line.
    assert_eq!(problem("1 0 0 0 0.4"), LineProblem::Count { found: 5, expected: 257 });
    assert_eq!(with(2, "x1"), LineProblem::NotANumber { position: 2, text: "x1".into() });
    assert_eq!(with(257, "0,5"), LineProblem::NotANumber { position: 257, text: "0,5".into() });
    for word in ["1.001", "-2", "inf", "-inf", "NaN", "1e400"] {
        let LineProblem::OutOfRange { position: 5, text, .. } = with(5, word) else { panic!() };
        assert_eq!(text, word);
    }
    for label in ["10", "-1", "2.5", "NaN", "inf"] {
        assert_eq!(
            problem(&line(label, &["0"; 256])),
            LineProblem::Label { text: label.into(), classes: 10 }
        );
    }
    assert_eq!(problem(&"0 ".repeat(5000)), LineProblem::TooLong { limit: 8192 });
}

#[test]
fn messages() {
    let message = |third: &str| {
        let error = load((good() + third).as_bytes(), good().as_bytes()).unwrap_err();
        error.to_string().split_once("zip.train.gz: ").unwrap().1.to_string()
    };
    assert_eq!(message("1 2\n"), "line 3: 2 numbers, expected 257");
    assert_eq!(
        message(&line("12", &["0"; 256])),
        "line 3: the label is 12, expected a whole number from 0 to 9"
    );
    assert_eq!(
        message(&line("1", &["7"; 256])),
        "line 3: word 2 is 7, expected a number from -1 to 1"
    );
    assert_eq!(
        message(&line("1", &["é\u{7}"; 256])),
        "line 3: word 2 is \"é\\u{7}\", expected a number"
    );
}

#[test]
fn files_that_are_wrong() {
    // Wherever it is cut, a compressed file is damaged; nothing panics.
    let packed = gzip(good().as_bytes());
    for length in (2..packed.len()).step_by(3) {
        let error = load(&packed[..length], good().as_bytes()).unwrap_err();
        assert!(matches!(error, DataError::Gzip { .. }), "{length}: {error}");
    }
    // Wherever it is cut, a plain file has a line that is too short, or only whole lines, or has
    // lost the end of a number.
    let text = good();
    let half = text.find('\n').unwrap();
    for length in (1..text.len()).step_by(5) {
        match load(&text.as_bytes()[..length], text.as_bytes()) {
            Ok(zipcode) => assert!(
                length + 5 > text.len() || (half - 1..=half + 1).contains(&length),
                "{length}: {}",
                zipcode.train.len()
            ),
            Err(error) => assert!(matches!(error, DataError::Line { .. }), "{length}: {error}"),
        }
    }
    let garbage = [packed.clone(), b"more".to_vec()].concat();
    let error = load(&garbage, good().as_bytes()).unwrap_err();
    assert!(matches!(error, DataError::Gzip { .. }), "{error}");
    let twice = [packed.clone(), packed].concat();
    assert_eq!(load(&twice, good().as_bytes()).unwrap().train.len(), 4);
    for empty in [vec![], gzip(b"")] {
        let error = load(&empty, good().as_bytes()).unwrap_err();
        assert!(matches!(error, DataError::Empty { .. }), "{error}");
    }
    // Bytes of any kind.
    for seed in 0u8..50 {
        let noise: Vec<u8> =
            (0..3000u32).map(|i| ((i * i * 31 + i * u32::from(seed)) >> 3) as u8).collect();
        assert!(load(&noise, good().as_bytes()).is_err());
    }
}

#[test]
fn missing_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("zip.test"), good()).unwrap();
    let error = Zipcode::from_folder(folder.path()).unwrap_err().to_string();
    assert!(error.starts_with("Zipcode (USPS) not found. Looked in:\n"), "{error}");
    assert!(error.contains(": lacks zip.train[.gz]\n"), "{error}");
}
