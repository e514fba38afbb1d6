//! The zip-code digits: the real files, and invalid text.

use crate::common::{gzip, histogram, real};
use std::fs;
use wengert_data::{DataError, Dataset, LineProblem, Zipcode};

#[test]
fn the_original_files_have_the_known_digits() {
    let Some(folder) = real("usps") else { return };
    let zipcode = Zipcode::from_folder(folder).unwrap();
    assert_eq!(zipcode.train.inputs().shape(), [7291, 16, 16]);
    assert_eq!(zipcode.test.inputs().shape(), [2007, 16, 16]);
    // The description that comes with the files states these counts.
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

/// Returns a line of a file: the label, then the pixels.
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
fn plain_and_compressed_files_with_any_line_ends_are_read() {
    let crlf = good().replace('\n', " \r\n");
    for train in [good(), good().trim_end().to_string(), crlf] {
        // The first bytes of a file, not its name, show whether it is compressed.
        for train in [train.as_bytes().to_vec(), gzip(train.as_bytes())] {
            let zipcode = load(&train, good().as_bytes()).unwrap();
            assert_eq!(zipcode.train.targets().to_vec(), [3, 9]);
            let x = zipcode.train.inputs();
            assert_eq!((x.at(&[0, 1, 1]), x.at(&[0, 15, 15]), x.at(&[1, 7, 7])), (0.5, 1.0, -0.25));
        }
    }
}

#[test]
fn blank_lines_and_byte_order_marks_are_skipped() {
    let windows = good().replace('\n', "\r\n");
    let mark = "\u{feff}";
    let texts = [
        good() + "\n",
        good() + "\n \n\t\r\n\n",
        good() + "  ",
        windows.clone(),
        windows.clone() + "\r\n",
        format!("{mark}{}", good()),
        format!("{mark}{windows}\r\n"),
        format!("{mark}\n{}", good().replace('\n', "\n\n")),
    ];
    for text in texts {
        for train in [text.as_bytes().to_vec(), gzip(text.as_bytes())] {
            let zipcode = load(&train, good().as_bytes()).unwrap();
            assert_eq!(zipcode.train.targets().to_vec(), [3, 9], "{text:?}");
            assert_eq!(zipcode.train.inputs().to_vec(), zipcode.test.inputs().to_vec());
        }
    }
    // The line number in an error counts blank lines. A file of blank lines only is empty.
    let error = load(format!("{}\n\n1 2\n", good()).as_bytes(), good().as_bytes()).unwrap_err();
    assert!(matches!(error, DataError::Line { line: 5, .. }), "{error}");
    let error = load(b"\xef\xbb\xbf\r\n\n", good().as_bytes()).unwrap_err();
    assert!(matches!(error, DataError::Empty { .. }), "{error}");
    // A byte order mark that is not at the start of the file is an error.
    let error = load((good() + mark + &good()).as_bytes(), good().as_bytes()).unwrap_err();
    assert!(matches!(error, DataError::Line { line: 3, .. }), "{error}");
}

#[test]
fn zeros_after_a_gzip_stream_are_ignored() {
    for zeros in [1, 7, 512, 100_000] {
        let packed = [gzip(good().as_bytes()), vec![0; zeros]].concat();
        assert_eq!(load(&packed, &packed).unwrap().train.targets().to_vec(), [3, 9]);
        // Padding may also stand between two gzip streams. The stream after the padding is read.
        let twice = [packed.clone(), gzip(good().as_bytes()), vec![0; 3]].concat();
        assert_eq!(load(&twice, &packed).unwrap().train.targets().to_vec(), [3, 9, 3, 9]);
        let error = load(&[packed, vec![1]].concat(), good().as_bytes()).unwrap_err();
        assert!(matches!(error, DataError::Gzip { .. }), "{error}");
    }
}

#[test]
fn a_file_of_another_format_is_named() {
    let utf16: Vec<u8> =
        std::iter::once(0xfeff).chain(good().encode_utf16()).flat_map(u16::to_le_bytes).collect();
    for (bytes, words) in [
        (b"<!DOCTYPE html>\n<html>Not found</html>".to_vec(), "found a web page (HTML); fetch"),
        (b"version https://git-lfs.github.com/spec/v1\noid".to_vec(), "git lfs pull"),
        (b"PK\x03\x04 and so on".to_vec(), "found a zip archive; unpack it first"),
        (utf16, "found a text in UTF-16; save it as UTF-8"),
    ] {
        for train in [bytes.clone(), gzip(&bytes)] {
            let error = load(&train, good().as_bytes()).unwrap_err();
            assert!(matches!(error, DataError::Kind { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains("zip.train.gz: expected lines of a label"), "{text}");
            assert!(text.contains(words), "{text}");
        }
    }
}

/// Returns the problem that is reported for a third line.
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
fn a_wrong_line_is_an_error_with_its_number() {
    let with = |position: usize, word: &'static str| {
        let mut pixels = ["0"; 256];
        pixels[position - 2] = word;
        problem(&line("1", &pixels))
    };
    assert_eq!(problem(&line("1", &["0"; 255])), LineProblem::Count { found: 256, expected: 257 });
    assert_eq!(problem(&line("1", &["0"; 257])), LineProblem::Count { found: 258, expected: 257 });
    // The file was cut short in the middle of a line.
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
fn messages_name_the_line_and_what_was_found() {
    let message = |third: &str| {
        let error = load((good() + third).as_bytes(), good().as_bytes()).unwrap_err();
        error.to_string().split_once("zip.train.gz: ").unwrap().1.to_string()
    };
    assert_eq!(message("1 2\n"), "line 3: expected 257 numbers, found 2");
    assert_eq!(
        message(&line("12", &["0"; 256])),
        "line 3: expected an integer from 0 to 9 as the label, found 12"
    );
    assert_eq!(
        message(&line("1", &["7"; 256])),
        "line 3: expected a number from -1 to 1 as word 2, found 7"
    );
    assert_eq!(
        message(&line("1", &["é\u{7}"; 256])),
        "line 3: expected a number as word 2, found \"é\\u{7}\""
    );
}

#[test]
fn files_that_are_cut_empty_or_too_long_are_errors() {
    // A compressed file that is cut at any place gives an error, without a panic.
    let packed = gzip(good().as_bytes());
    for length in (2..packed.len()).step_by(3) {
        let error = load(&packed[..length], good().as_bytes()).unwrap_err();
        assert!(matches!(error, DataError::Gzip { .. }), "{length}: {error}");
    }
    // A plain file that is cut gives an error, unless the cut is at the end of a line or in the last number
    // of a line.
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
    // Arbitrary bytes give an error.
    for seed in 0u8..50 {
        let noise: Vec<u8> =
            (0..3000u32).map(|i| ((i * i * 31 + i * u32::from(seed)) >> 3) as u8).collect();
        assert!(load(&noise, good().as_bytes()).is_err());
    }
}

/// Replaces, removes and adds bytes. A damaged file loads or gives an error, without a panic.
#[test]
fn damaged_files_do_not_panic() {
    let mut errors = 0;
    for sound in [good().into_bytes(), gzip(good().as_bytes())] {
        for at in (0..sound.len()).step_by(sound.len() / 60 + 1) {
            for byte in [0, b'\n', 0x80, 0xff] {
                let mut files = [sound.clone(), sound.clone(), sound.clone()];
                files[0][at] = byte;
                files[1].insert(at, byte);
                files[2].truncate(at);
                files[2].push(byte);
                for file in files {
                    errors += usize::from(load(&file, good().as_bytes()).is_err());
                }
            }
        }
    }
    assert!(errors > 400, "{errors}");
}

/// `fn main() -> Result<(), DataError>` prints `Debug`.
#[test]
fn debug_prints_the_text() {
    let error = load(b"1 2\n", good().as_bytes()).unwrap_err();
    assert_eq!(format!("{error:?}"), error.to_string());
    let DataError::Line { problem, .. } = error else { panic!("{error}") };
    assert_eq!(format!("{problem:?}"), problem.to_string());
}

#[test]
fn missing_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("zip.test"), good()).unwrap();
    let error = Zipcode::from_folder(folder.path()).unwrap_err().to_string();
    assert!(error.starts_with("Zipcode (USPS) not found. Looked in:\n"), "{error}");
    assert!(error.contains(": lacks zip.train[.gz]\n"), "{error}");
}
