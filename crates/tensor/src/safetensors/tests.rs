//! There and back, every element type, and every way a file can be wrong.

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
fn there_and_back() {
    let tensors = some_of_everything();
    let bytes = tensors.to_bytes();
    let again = NamedTensors::from_bytes(&bytes).unwrap();
    assert_eq!(again, tensors);
    let mut noteless = again;
    noteless.metadata.clear();
    let bytes = noteless.to_bytes();
    let again = NamedTensors::from_bytes(&bytes).unwrap();
    assert_eq!(again.to_bytes(), bytes, "and the same bytes once more");
    assert_eq!(
        NamedTensors::from_bytes(&NamedTensors::new().to_bytes()).unwrap(),
        NamedTensors::new()
    );
}

#[test]
fn a_file_has_an_order_of_its_own() {
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
fn every_truncation_and_every_trailing_byte_is_noticed() {
    let bytes = some_of_everything().to_bytes();
    for length in 0..bytes.len() {
        assert!(NamedTensors::from_bytes(&bytes[..length]).is_err(), "{length} bytes");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(matches!(NamedTensors::from_bytes(&longer), Err(FileProblem::Length { .. })));
}

#[test]
fn no_damage_makes_it_panic() {
    let bytes = some_of_everything().to_bytes();
    let header = 8 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    for at in 0..header {
        for damage in [0, 1, 0x20, 0x22, 0x2c, 0x39, 0x5b, 0x5d, 0x7d, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] = damage;
            // Some damage gives another sound file: a letter of a name.
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
fn lies_in_the_header() {
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
    fails(one("F32", "[1]", "[0,4]"), "bytes expected");
    fails(one("F32", "[2]", "[8,0]"), "invalid offset for tensor `x`");
    fails(one("F32", "[2]", "[0,8,9]"), "invalid length 3");
    fails(one("F32", "[-2]", "[0,8]"), "expected usize");
    fails(one("F32", "[2.0]", "[0,8]"), "expected usize");
    fails(one("F33", "[2]", "[0,8]"), "`F33`");
    fails(one("F32", "[18446744073709551615]", "[0,8]"), "overflow");
    fails(one("F32", "[4611686018427387904,4]", "[0,0]"), "overflow");
    fails(one("F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]"), "more axes or elements");
    fails(one("F32", "[99999999999999999999]", "[0,8]"), "expected usize");

    // No elements, but strides beyond all numbers.
    let vast = r#"{"x":{"dtype":"F32","shape":[0,9223372036854775808,4],"data_offsets":[0,0]}}"#;
    assert!(matches!(with_header(vast, 0), Err(FileProblem::Shape { .. })));
    // No elements, but an axis longer than any tensor has.
    for shape in ["[0,8589934592]", "[8589934592,0]", "[4294967296,0,1]"] {
        let long = format!(r#"{{"x":{{"dtype":"F32","shape":{shape},"data_offsets":[0,0]}}}}"#);
        let problem = with_header(&long, 0).unwrap_err();
        assert!(matches!(problem, FileProblem::Shape { .. }), "{problem}");
    }
    let longest = r#"{"x":{"dtype":"F32","shape":[0,4294967295],"data_offsets":[0,0]}}"#;
    assert_eq!(with_header(longest, 0).unwrap().get("x").unwrap().shape(), [0, u32::MAX as usize]);

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
fn a_length_beyond_all_memory_allocates_nothing() {
    for length in [1u64 << 40, u64::MAX, u64::MAX - 8] {
        let bytes = [&length.to_le_bytes()[..], b"{}"].concat();
        assert!(matches!(
            NamedTensors::from_bytes(&bytes),
            Err(FileProblem::Length { found: 10, .. })
        ));
    }
}

#[test]
fn sizes_whose_sum_is_just_below_all_numbers() {
    // The most bytes whose bits can be counted; eight times that and the length of the header overflow.
    let size = (1u64 << 61) - 1;
    let entry = |i| {
        let (from, to) = (size * i, size * (i + 1));
        format!("\"{i}\":{{\"dtype\":\"U8\",\"shape\":[{size}],\"data_offsets\":[{from},{to}]}}")
    };
    let entries: Vec<_> = (0..8).map(entry).collect();
    let wrong = with_header(&format!("{{{}}}", entries.join(",")), 8).unwrap_err();
    assert!(matches!(wrong, FileProblem::Length { expected: u64::MAX, .. }), "{wrong}");
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
    assert!(wrong.to_string().contains("model.safetensors: cut short or damaged"), "{wrong}");
    assert!(tensors.save(folder.path().join("no/such/folder")).is_err());
}

#[test]
#[should_panic(expected = "reserved")]
fn the_reserved_name_is_refused() {
    NamedTensors::new().insert("__metadata__", Tensor::scalar(0.0));
}
