//! Round trips, every element type, and invalid files of every kind.

use super::*;
use ::safetensors::tensor::TensorView;

fn some_of_everything() -> NamedTensors {
    let mut tensors = NamedTensors::new();
    tensors.insert("flags", Tensor::from([true, false, true]));
    tensors.insert("bytes", Tensor::from([7u8, 255]));
    tensors
        .insert("conv1.weight", Tensor::from([[1.5f32, -0.0], [f32::MIN_POSITIVE, f32::INFINITY]]));
    tensors.insert("words", Tensor::from([u32::MAX]));
    tensors.insert("steps", Tensor::scalar_of(i64::MIN));
    tensors.insert("wide", Tensor::from([std::f64::consts::PI]));
    tensors.insert("empty", Tensor::<f32>::zeros_of(&[3, 0, 2]));
    tensors.insert("odd \"name\"\\\n\u{1}é😀", Tensor::scalar(1.0));
    tensors.metadata = [("format", "pt"), ("note", "\"quoted\"\n"), ("a", "")]
        .map(|(key, note)| (key.to_string(), note.to_string()))
        .into();
    tensors
}

#[test]
fn tensors_are_equal_after_writing_and_reading() {
    let tensors = some_of_everything();
    let bytes = tensors.to_bytes();
    let again = NamedTensors::from_bytes(&bytes).unwrap();
    assert_eq!(again, tensors);
    let mut noteless = again;
    noteless.metadata.clear();
    let bytes = noteless.to_bytes();
    let again = NamedTensors::from_bytes(&bytes).unwrap();
    assert_eq!(again.to_bytes(), bytes, "writing again must give the same bytes");
    assert_eq!(
        NamedTensors::from_bytes(&NamedTensors::new().to_bytes()).unwrap(),
        NamedTensors::new()
    );
}

#[test]
fn tensors_are_read_in_the_order_of_the_file() {
    let mut tensors = NamedTensors::new();
    tensors.insert("bytes", Tensor::from([1u8]));
    tensors.extend(["z", "a", "m"].map(|name| (name, Tensor::scalar(0.0))));
    tensors.extend(["none", "no"].map(|name| (name, Tensor::zeros(&[0]))));
    let again = NamedTensors::from_bytes(&tensors.to_bytes()).unwrap();
    assert_eq!(again.names().collect::<Vec<_>>(), ["a", "m", "no", "none", "z", "bytes"]);
}

#[test]
fn a_tensor_that_is_a_view_is_written_in_reading_order() {
    let mut tensors = NamedTensors::new();
    let x = Tensor::from([[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    tensors.insert("t", x.t());
    let again = NamedTensors::from_bytes(&tensors.to_bytes()).unwrap();
    assert_eq!(again.get("t").unwrap().cast::<f32>().to_vec(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
}

/// Reads a file with one tensor `x`.
fn one(dtype: FileDtype, shape: &[usize], data: &[u8]) -> Result<NamedTensors, FileProblem> {
    let view = TensorView::new(dtype, shape.to_vec(), data).unwrap();
    NamedTensors::from_bytes(&::safetensors::serialize([("x", view)], None).unwrap())
}

#[test]
fn every_element_type_that_can_be_read() {
    let read = |dtype, data: &[u8]| one(dtype, &[2], data).unwrap().get("x").unwrap().clone();
    let two = |a: &[u8], b: &[u8]| [a, b].concat();
    assert_eq!(
        read(FileDtype::F32, &two(&1.5f32.to_le_bytes(), &f32::MAX.to_le_bytes())),
        Tensor::from([1.5, f32::MAX]).into()
    );
    assert_eq!(
        read(FileDtype::BF16, &[0xc0, 0x3f, 0x80, 0xff]),
        Tensor::from([1.5, f32::NEG_INFINITY]).into()
    );
    assert_eq!(
        read(FileDtype::F16, &[0x00, 0x3e, 0xff, 0x7b]),
        Tensor::from([1.5f32, 65504.0]).into()
    );
    assert_eq!(
        read(FileDtype::I32, &two(&i32::MIN.to_le_bytes(), &7i32.to_le_bytes())),
        Tensor::from([i64::from(i32::MIN), 7]).into()
    );
    assert_eq!(
        read(FileDtype::I16, &two(&i16::MIN.to_le_bytes(), &7i16.to_le_bytes())),
        Tensor::from([i64::from(i16::MIN), 7]).into()
    );
    assert_eq!(read(FileDtype::U16, &[255, 255, 0, 1]), Tensor::from([65535i64, 256]).into());
    assert_eq!(read(FileDtype::I8, &[128, 127]), Tensor::from([-128i64, 127]).into());
    assert_eq!(read(FileDtype::BOOL, &[0, 1]), Tensor::from([false, true]).into());
    let wrong = one(FileDtype::U64, &[1], &[0; 8]).unwrap_err();
    assert_eq!(wrong.to_string(), "tensor `x` has elements of type \"U64\", which cannot be read");
    let wrong = one(FileDtype::U8, &[1; 9], &[0]).unwrap_err();
    assert!(matches!(wrong, FileProblem::Shape { .. }), "{wrong}");
}

#[test]
fn half_precision_is_read_exactly() {
    let values = [
        (0x0000, 0.0),
        (0x0001, 5.960_464_5e-8),
        (0x03ff, 6.097_555e-5),
        (0x0400, 6.103_515_6e-5),
        (0x3555, 0.333_251_95),
        (0x3c00, 1.0),
        (0xc000, -2.0),
        (0x7c00, f32::INFINITY),
        (0xfc00, f32::NEG_INFINITY),
    ];
    for (bits, value) in values {
        assert_eq!(f32_of_half(bits), value);
    }
    assert!(f32_of_half(0x8000).is_sign_negative());
    assert!(f32_of_half(0x7e00).is_nan());
}

#[test]
fn every_truncation_and_every_trailing_byte_is_an_error() {
    let bytes = some_of_everything().to_bytes();
    for length in 0..bytes.len() {
        assert!(NamedTensors::from_bytes(&bytes[..length]).is_err(), "{length} bytes");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(matches!(NamedTensors::from_bytes(&longer), Err(FileProblem::Length { .. })));
}

#[test]
fn damaged_files_do_not_panic() {
    let bytes = some_of_everything().to_bytes();
    let header = 8 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    for at in 0..header {
        for damage in [0, 1, 0x20, 0x22, 0x2c, 0x39, 0x5b, 0x5d, 0x7d, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] = damage;
            // Some damage gives another valid file, for example in a letter of a name.
            let _ = NamedTensors::from_bytes(&damaged);
            damaged[at] = bytes[at] ^ damage;
            let _ = NamedTensors::from_bytes(&damaged);
        }
    }
}

fn with_header(header: &str, data: usize) -> Result<NamedTensors, FileProblem> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    NamedTensors::from_bytes(&bytes)
}

#[test]
fn wrong_headers_are_errors() {
    let one = |dtype: &str, shape: &str, offsets: &str| {
        with_header(
            &format!(
                "{{\"x\":{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":{offsets}}}}}"
            ),
            8,
        )
        .map(|_| ())
        .map_err(|problem| problem.to_string())
    };
    let fails = |result: Result<(), String>, expected: &str| {
        let message = result.unwrap_err();
        assert!(message.contains(expected), "{message}");
    };
    assert_eq!(one("F32", "[2]", "[0,8]"), Ok(()));
    assert_eq!(one("F32", " [ 2 , 1 ] ", "[ 0, 8 ]"), Ok(()));
    fails(one("F32", "[3]", "[0,8]"), "invalid shape, data type, or offset");
    fails(one("F32", "[1]", "[4,8]"), "invalid offset for tensor `x`");
    fails(one("F32", "[1]", "[0,4]"), "bytes, found");
    fails(one("F32", "[2]", "[8,0]"), "invalid offset for tensor `x`");
    fails(one("F32", "[2]", "[0,8,9]"), "invalid length 3");
    fails(one("F32", "[-2]", "[0,8]"), "expected usize");
    fails(one("F32", "[2.0]", "[0,8]"), "expected usize");
    fails(one("F33", "[2]", "[0,8]"), "`F33`");
    fails(one("F32", &format!("[{}]", usize::MAX), "[0,8]"), "overflow");
    let quarter = 1usize << (usize::BITS - 2);
    fails(one("F32", &format!("[{quarter},4]"), "[0,0]"), "overflow");
    fails(one("F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]"), "more axes or elements");
    fails(one("F32", "[99999999999999999999]", "[0,8]"), "expected usize");

    // No elements, but strides that overflow.
    let empty = |shape: &str| {
        let x = format!(r#"{{"x":{{"dtype":"F32","shape":{shape},"data_offsets":[0,0]}}}}"#);
        with_header(&x, 0)
    };
    let half = 1usize << (usize::BITS - 1);
    assert!(matches!(empty(&format!("[0,{half},4]")), Err(FileProblem::Shape { .. })));
    // No elements, but an axis longer than any tensor has. Addresses of 32 bits cannot count these sizes.
    for shape in ["[0,8589934592]", "[8589934592,0]", "[4294967296,0,1]"] {
        let problem = empty(shape).unwrap_err();
        let expected = match usize::BITS {
            64 => matches!(problem, FileProblem::Shape { .. }),
            _ => matches!(problem, FileProblem::Header(_)),
        };
        assert!(expected, "{problem}");
    }
    let longest = (isize::MAX as usize / 16).min(u32::MAX as usize);
    let x = empty(&format!("[0,{longest}]")).unwrap();
    assert_eq!(x.get("x").unwrap().shape(), [0, longest]);

    let x = r#"{"dtype":"U8","shape":[4],"data_offsets":[0,4]}"#;
    let y = r#"{"dtype":"U8","shape":[4],"data_offsets":[4,8]}"#;
    assert!(with_header(&format!("{{\"x\":{x},\"y\":{y}}}"), 8).is_ok());
    assert!(with_header(&format!("{{\"y\":{y},\"x\":{x}, \"__metadata__\": {{}} }}  "), 8).is_ok());
    assert!(matches!(
        with_header(&format!("{{\"x\":{x},\"x\":{y}}}"), 8),
        Err(FileProblem::Header(_))
    ));
    assert!(matches!(
        with_header(&format!("{{\"x\":{x},\"y\":{x}}}"), 8),
        Err(FileProblem::Header(_))
    ));
    assert!(matches!(with_header(&format!("{{\"x\":{x}}}x"), 4), Err(FileProblem::Header(_))));
    assert!(matches!(with_header(r#"{"__metadata__":{"n":1}}"#, 0), Err(FileProblem::Header(_))));
    assert!(matches!(with_header("[]", 0), Err(FileProblem::Header(_))));
    assert!(matches!(with_header("", 0), Err(FileProblem::Header(_))));
}

#[test]
fn a_length_beyond_the_memory_is_an_error_without_allocation() {
    for length in [1u64 << 40, u64::MAX, u64::MAX - 8] {
        let bytes = [&length.to_le_bytes()[..], b"{}"].concat();
        let wrong = NamedTensors::from_bytes(&bytes).unwrap_err();
        assert!(matches!(wrong, FileProblem::Unknown(_)), "{wrong}");
        assert!(
            wrong.to_string().starts_with("not a safetensors file: it begins with the bytes [")
        );
    }
    // The format allows a header of this length, so the file may have been cut short.
    let bytes = [&100_000_000u64.to_le_bytes()[..], b"{}"].concat();
    assert!(matches!(
        NamedTensors::from_bytes(&bytes),
        Err(FileProblem::Length { expected: 100_000_008, found: 10 })
    ));
}

/// Files that users give in place of a safetensors file, each with a word of the advice in the error.
#[test]
fn a_file_of_another_format_is_named() {
    let zip = |name: &str| {
        let mut bytes = b"PK\x03\x04\0\0\x08\x08".to_vec();
        bytes.resize(26, 0);
        bytes.extend([name.len() as u8, 0, 0, 0]);
        bytes.extend(name.as_bytes());
        bytes.resize(2000, 1);
        bytes
    };
    let old_torch =
        b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}q\0(X".to_vec();
    let files: Vec<(&str, Vec<u8>, &str, &str)> = vec![
        ("model.pt", zip("archive/data.pkl"), "torch.save", "save_file(torch.load("),
        ("old.pth", old_torch, "torch.save", "state_dict()"),
        (
            "pointer.safetensors",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935\nsize 12345\n".into(),
            "a pointer of Git LFS",
            "git lfs pull",
        ),
        (
            "page.safetensors",
            b"<!DOCTYPE html>\n<html><head><title>Sign in</title>".into(),
            "a web page",
            "fetch the file again",
        ),
        ("gone.safetensors", b"<?xml version=\"1.0\"?><Error><Code>NoSuchKey".into(), "XML", "again"),
        // Flags and time are zero, so that the first 8 bytes are a possible length.
        ("model.gz", b"\x1f\x8b\x08\0\0\0\0\0\x02\xff{".into(), "compressed with gzip", "unpack"),
        ("model.pkl", b"\x80\x04\x95\x1c\0\0\0\0\0\0\0}\x94\x8c".into(), "a Python pickle", "trust"),
        ("model.h5", b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0".into(), "an HDF5 file", "h5py"),
        ("x.npy", b"\x93NUMPY\x01\0v\0{'descr': '<f4'".into(), "NumPy (npy)", "numpy.load"),
        ("x.npz", zip("w.npy"), "NumPy (npz)", "numpy.load"),
        ("model.keras", zip("metadata.json"), "a zip archive", "unpack it first"),
        ("model.onnx", b"\x08\x08\x12\x07pytorch\x1a\x052.1.0".into(), "ONNX", "initializers"),
        (
            "model.safetensors.index.json",
            b"{\"metadata\": {\"total_size\": 9}, \"weight_map\": {}}".into(),
            "a text in JSON",
            "in several files",
        ),
        ("brace.json", b"{\"abcdef{".into(), "a text in JSON", ""),
        ("note.txt", b"not a model".into(), "a text", ""),
        ("short.txt", b"hi".into(), "a text", ""),
        ("empty.safetensors", vec![], "an empty file", "fetch the file again"),
        ("zeros.safetensors", vec![0; 4096], "begins with zeros", "fetch the file again"),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes, what, advice) in files {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let error = NamedTensors::load(&path).unwrap_err();
        assert!(matches!(error.problem, FileProblem::Kind(_)), "{error}");
        let text = error.to_string();
        let (_, text) = text.split_once(&format!("{name}: not a safetensors file, but ")).unwrap();
        assert!(text.contains(what) && text.contains(advice), "{text}");
        // The text does not interpret the first bytes as a length.
        assert!(!text.contains("bytes"), "{text}");
    }
}

#[test]
fn a_safetensors_file_that_is_cut_short_is_recognised() {
    let bytes = some_of_everything().to_bytes();
    // Files of fewer than 8 bytes are left out: they may be text.
    for length in 8..bytes.len() {
        let wrong = NamedTensors::from_bytes(&bytes[..length]).unwrap_err();
        let FileProblem::Length { expected, found } = wrong else { panic!("{length}: {wrong}") };
        assert!(found == length as u64 && found < expected && expected <= bytes.len() as u64);
    }
}

#[test]
fn sizes_near_the_largest_number_do_not_overflow() {
    // The largest number of bytes whose number of bits fits `usize`. Eight times this number plus the length
    // of the header overflows `usize`. If that has 64 bits, the expected length saturates.
    let size = (1u64 << (usize::BITS - 3)) - 1;
    let entry = |i| {
        let (from, to) = (size * i, size * (i + 1));
        format!("\"{i}\":{{\"dtype\":\"U8\",\"shape\":[{size}],\"data_offsets\":[{from},{to}]}}")
    };
    let entries: Vec<_> = (0..8).map(entry).collect();
    let header = format!("{{{}}}", entries.join(","));
    let total = 8 + header.len() as u128 + 8 * u128::from(size);
    let wrong = with_header(&header, 8).unwrap_err();
    let FileProblem::Length { expected, .. } = wrong else { panic!("{wrong}") };
    assert_eq!(u128::from(expected), total.min(u64::MAX.into()));
}

/// The header is intact. The data is missing, which only a target that can count its bytes can tell.
#[test]
fn a_tensor_of_512_mebibytes_is_not_damaged() {
    for (dtype, size) in [("F32", 1u64 << 27), ("U8", 1 << 29), ("F64", 1 << 30)] {
        let bytes = if dtype == "U8" {
            size
        } else if dtype == "F32" {
            4 * size
        } else {
            8 * size
        };
        let header = format!(
            "{{\"w\":{{\"dtype\":\"{dtype}\",\"shape\":[{size}],\"data_offsets\":[0,{bytes}]}}}}"
        );
        match with_header(&header, 8).unwrap_err() {
            FileProblem::AddressSpace { name, shape, address_bits: 32 } => {
                assert_eq!((usize::BITS, &*name, &*shape), (32, "w", &[size][..]));
            }
            FileProblem::Length { expected, .. } => {
                assert_eq!((usize::BITS, expected), (64, 8 + header.len() as u64 + bytes));
            }
            other => panic!("{dtype}: {other}"),
        }
    }
}

#[test]
fn errors_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let missing = NamedTensors::load(&path).unwrap_err();
    assert!(missing.to_string().contains("model.safetensors: "), "{missing}");
    let tensors = some_of_everything();
    tensors.save(&path).unwrap();
    assert_eq!(NamedTensors::load(&path).unwrap(), tensors);
    std::fs::write(&path, b"not a model").unwrap();
    let wrong = NamedTensors::load(&path).unwrap_err();
    assert!(
        wrong.to_string().contains("model.safetensors: not a safetensors file, but a text"),
        "{wrong}"
    );
    assert!(tensors.save(folder.path().join("no/such/folder")).is_err());
}

/// `fn main() -> Result<(), FileError>` prints `Debug`.
#[test]
fn debug_prints_the_text() {
    let wrong = NamedTensors::load("no/such/file").unwrap_err();
    assert_eq!(format!("{wrong:?}"), wrong.to_string());
    assert_eq!(format!("{:?}", wrong.problem), wrong.problem.to_string());
    assert!(wrong.to_string().contains(&io::Error::from_raw_os_error(2).to_string()));
}

#[test]
fn a_part_of_named_tensors_has_its_tensors_and_metadata() {
    let mut all = NamedTensors::new();
    all.extend(
        [("model.w", 1.0), ("model", 2.0), ("models.w", 3.0), ("model.model.b", 4.0)]
            .map(|(name, x)| (name, Tensor::scalar(x))),
    );
    all.metadata.insert("model.format".into(), "pt".into());
    all.metadata.insert("epoch".into(), "3".into());
    let part = all.part("model.");
    assert_eq!(part.names().collect::<Vec<_>>(), ["w", "model.b"]);
    assert_eq!(part.get("model.b"), all.get("model.model.b"));
    assert_eq!(part.metadata.into_iter().collect::<Vec<_>>(), [("format".into(), "pt".into())]);
    assert_eq!(all.part(""), all);
}

#[test]
#[should_panic(expected = "reserved")]
fn the_reserved_name_is_refused() {
    NamedTensors::new().insert("__metadata__", Tensor::scalar(0.0));
}

/// Each size alone is valid for a tensor, but the product of the sizes is too large.
#[test]
fn sizes_beside_an_empty_axis_are_checked() {
    for dtype in ["BOOL", "U8", "F16", "I32", "F64"] {
        // 2³⁰ if addresses have 64 bits, 2¹⁴ if they have 32.
        let size = 1usize << (usize::BITS / 2 - 2);
        for shape in [[0, size, size], [size, 0, size], [size, size, 0]] {
            let entry =
                format!(r#"{{"x":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[0,0]}}}}"#);
            let problem = with_header(&entry, 0).unwrap_err();
            assert!(matches!(problem, FileProblem::Shape { .. }), "{problem}");
        }
        let fits = [0, size / 2, size / 2];
        let entry =
            format!(r#"{{"x":{{"dtype":"{dtype}","shape":{fits:?},"data_offsets":[0,0]}}}}"#);
        assert_eq!(with_header(&entry, 0).unwrap().get("x").unwrap().numel(), 0);
    }
}
