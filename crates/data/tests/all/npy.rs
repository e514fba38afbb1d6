//! Files of NumPy: those that `tests/reference/make.py` wrote, both ways, and invalid ones.

use crate::common::{gzip, reference};
use std::fs;
use wengert_data::{ArchiveProblem, DataError, NpyProblem, npy};
use wengert_tensor::{AnyTensor, Dtype, NamedTensors, Tensor};

#[test]
fn every_type_of_numpy() {
    for (name, dtype) in [
        ("float64", Dtype::F64),
        ("float32", Dtype::F32),
        ("float16", Dtype::F32),
        ("int64", Dtype::I64),
        ("int32", Dtype::I64),
        ("int16", Dtype::I64),
        ("int8", Dtype::I64),
        ("uint32", Dtype::U32),
        ("uint16", Dtype::I64),
        ("uint8", Dtype::U8),
    ] {
        let any = npy::read(reference(&format!("{name}.npy"))).unwrap();
        assert_eq!((any.dtype(), any.shape().to_vec()), (dtype, vec![2, 3]), "{name}");
        let shift = if name.starts_with('u') { 0.0 } else { 4.0 };
        let expected = (0..6).map(|i| {
            let x = f64::from(i) * 1.5 - shift;
            if name.starts_with("float") { x } else { x.trunc() }
        });
        assert_eq!(any.cast::<f64>().to_vec(), expected.collect::<Vec<_>>(), "{name}");
    }
    let flags = npy::read_tensor::<bool>(reference("bool.npy")).unwrap();
    assert_eq!(flags.to_vec(), [false, true, false, true, false, true]);
}

#[test]
fn orders_versions_and_shapes() {
    let big = npy::read_tensor::<f64>(reference("big_endian.npy")).unwrap();
    assert_eq!(big, Tensor::from([[0.0, 0.25, 0.5], [0.75, 1.0, 1.25]]));
    let fortran = npy::read_tensor::<i64>(reference("fortran.npy")).unwrap();
    assert_eq!(fortran, Tensor::<i64>::from_fn(&[2, 3, 4], |i| i as i64));
    assert!(fortran.is_contiguous());
    let scalar = npy::read_tensor::<f64>(reference("scalar.npy")).unwrap();
    assert_eq!((scalar.rank(), scalar.item()), (0, 2.5));
    assert_eq!(npy::read(reference("empty.npy")).unwrap().shape(), [0, 3]);
    let second = npy::read_tensor::<f64>(reference("version_2.npy")).unwrap();
    assert_eq!(second.to_vec(), [0.0, 1.0, 2.0]);
    let half = npy::read_tensor::<f32>(reference("half_limits.npy")).unwrap().to_vec();
    // The nearest multiples of 2⁻²⁴ to 6e-8 and 1e-5.
    assert_eq!(half[..3], [0.0, 2f32.powi(-24), 168.0 * 2f32.powi(-24)]);
    assert_eq!(half[3..5], [65504.0, f32::NEG_INFINITY]);
    assert!(half[5].is_nan() && half[6] == 0.0 && half[6].is_sign_negative());
}

/// The bytes are those that NumPy writes for the same array.
#[test]
fn writes_the_bytes_of_numpy() {
    let bytes = |name: &str| fs::read(reference(name)).unwrap();
    for name in ["float64", "float32", "int64", "uint32", "uint8", "bool", "scalar", "empty"] {
        let name = format!("{name}.npy");
        assert_eq!(npy::to_bytes(npy::read(reference(&name)).unwrap()), bytes(&name), "{name}");
    }
    // A view is written in the order of its axes.
    let x = Tensor::<f64>::from_fn(&[2, 3], |i| i as f64);
    let transposed = npy::to_bytes(x.t());
    assert_eq!(npy::parse(&transposed, "t").unwrap(), AnyTensor::from(x.t().contiguous()));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    npy::write(&path, x.clone()).unwrap();
    assert_eq!(npy::read_tensor::<f64>(&path).unwrap(), x);
    fs::write(&path, gzip(&npy::to_bytes(x.clone()))).unwrap();
    assert_eq!(npy::read_tensor::<f64>(&path).unwrap(), x);
}

#[test]
fn archives_both_ways() {
    let stored = npy::read_archive(reference("stored.npz")).unwrap();
    assert_eq!(stored.names().collect::<Vec<_>>(), ["x", "y"]);
    assert_eq!(stored.get("x").unwrap().cast::<f64>().to_vec(), [0.0, 1.0, 2.0]);
    assert_eq!(stored.get("y").unwrap(), &Tensor::<i64>::from_fn(&[2, 3], |i| i as i64).into());
    let packed = npy::read_archive(reference("compressed.npz")).unwrap();
    let sevens = packed.get("x").unwrap().cast::<i64>().to_vec();
    assert!(sevens.iter().enumerate().all(|(i, &x)| x == i as i64 % 7) && sevens.len() == 1000);
    assert_eq!(packed.get("layer.weight").unwrap(), &Tensor::ones(&[2, 2]).into());

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.npz");
    npy::write_archive(&path, &packed).unwrap();
    assert_eq!(npy::read_archive(&path).unwrap(), packed);
    let none = npy::archive_to_bytes(&NamedTensors::new());
    assert!(npy::parse_archive(&none, "none").unwrap().is_empty());
}

fn problem(bytes: &[u8]) -> NpyProblem {
    match npy::parse(bytes, "array.npy").unwrap_err() {
        DataError::Npy { path, problem } => {
            assert_eq!(path.to_str(), Some("array.npy"));
            problem
        }
        error => panic!("{error}"),
    }
}

/// Returns a file with this header and these elements.
fn with_header(header: &str, elements: &[u8]) -> Vec<u8> {
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00".as_slice(), &length, header.as_bytes(), elements].concat()
}

#[test]
fn files_that_are_wrong() {
    for name in ["uint64", "text", "record"] {
        let error = npy::read(reference(&format!("{name}.npy"))).unwrap_err();
        assert!(error.to_string().contains("cannot be read: expected bool, a float"), "{error}");
    }
    let error = npy::read_tensor::<f32>(reference("float64.npy")).unwrap_err().to_string();
    assert!(error.contains("float64.npy: the elements are f64, expected f32"), "{error}");
    let sound = fs::read(reference("float64.npy")).unwrap();
    for length in 1..6 {
        let problem = problem(&sound[..length]);
        assert!(matches!(problem, NpyProblem::NotNpy { .. }), "{length}: {problem}");
    }
    for length in [6, 9, 50, 127] {
        assert!(matches!(problem(&sound[..length]), NpyProblem::ShortHeader { .. }), "{length}");
    }
    let short = problem(&sound[..sound.len() - 1]);
    assert!(matches!(short, NpyProblem::Length { expected: 48, found: 47, .. }), "{short}");
    let long = problem(&[sound.as_slice(), &[0; 9]].concat());
    assert!(matches!(long, NpyProblem::Length { expected: 48, found: 49, .. }), "{long}");
    let mut version = sound.clone();
    version[6] = 9;
    assert!(matches!(problem(&version), NpyProblem::Version { major: 9, minor: 0 }));
    let error = npy::parse(b"<!DOCTYPE html><html>", "page").unwrap_err();
    assert!(matches!(error, DataError::Kind { .. }), "{error}");

    let header =
        |shape: &str| format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
    // The sizes of Python 2 are accepted.
    assert_eq!(npy::parse(&with_header(&header("(1L,)"), &[0; 8]), "x").unwrap().shape(), [1]);
    for shape in
        ["(1152921504606846976,)", "(4294967296, 4294967296)", "(0, 4294967296, 4294967296)"]
    {
        let problem = problem(&with_header(&header(shape), &[0; 8]));
        assert!(
            matches!(problem, NpyProblem::Shape { .. } | NpyProblem::Length { found: 8, .. }),
            "{problem}"
        );
    }
    let many = format!("({})", "1, ".repeat(200));
    assert!(matches!(problem(&with_header(&header(&many), &[0; 8])), NpyProblem::Shape { .. }));
    for header in [
        "",
        "{",
        "{'descr': '<f8', 'fortran_order': False}",
        "{'descr': <f8, 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f8', 'fortran_order': 1, 'shape': (1,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': [1]}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'more': 1}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,)} x",
    ] {
        let problem = problem(&with_header(header, &[0; 8]));
        assert!(matches!(problem, NpyProblem::Header { .. }), "{header}: {problem}");
    }
}

#[test]
fn archives_that_are_wrong() {
    let sound = fs::read(reference("compressed.npz")).unwrap();
    let parse = |bytes: &[u8]| npy::parse_archive(bytes, "a.npz").unwrap_err();
    let error = parse(b"PK\x03\x04 no end");
    assert!(matches!(error, DataError::Archive { problem: ArchiveProblem::Format("zip"), .. }));
    let error = parse(&sound[100..]);
    assert!(
        matches!(&error, DataError::Archive { problem: ArchiveProblem::Bounds { .. }, .. }),
        "{error}"
    );
    // A changed byte of the compressed data is noticed, at the latest by the checksum.
    for at in [60, 80, 120] {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x10;
        let error = parse(&bytes);
        assert!(error.to_string().starts_with("a.npz"), "{error}");
    }
    // Without compression, only the checksum can notice it.
    let mut bytes = fs::read(reference("stored.npz")).unwrap();
    let start = bytes.windows(6).position(|it| it == b"\x93NUMPY").unwrap();
    bytes[start + 128 + 3] ^= 1;
    let error = parse(&bytes).to_string();
    assert!(error.ends_with("its checksum is not that of the directory"), "{error}");
    let mut twice = fs::read(reference("stored.npz")).unwrap();
    for at in 0..twice.len() - 5 {
        if twice[at..].starts_with(b"y.npy") {
            twice[at] = b'x';
        }
    }
    let error = parse(&twice);
    assert!(error.to_string().contains("the name `x` occurs twice"), "{error}");
}
