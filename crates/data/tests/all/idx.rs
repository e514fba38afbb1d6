//! The IDX reader on valid and on invalid files.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{Read, Write};
use wengert_data::DataError;
use wengert_data::idx::{self, IdxArray, IdxData, IdxType};
use wengert_tensor::Tensor;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Returns a header. The sizes are not checked.
fn header(code: u8, sizes: &[u32]) -> Vec<u8> {
    let mut bytes = vec![0, 0, code, sizes.len() as u8];
    bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    bytes
}

/// Returns the error of reading the bytes. It is of the same kind for plain and for compressed bytes.
fn error(bytes: &[u8]) -> DataError {
    let packed = idx::parse(&gzip(bytes), "file").unwrap_err();
    let plain = idx::parse(bytes, "file").unwrap_err();
    assert_eq!(
        std::mem::discriminant(&plain),
        std::mem::discriminant(&packed),
        "{plain} / {packed}"
    );
    assert!(plain.to_string().starts_with("file: "), "{plain}");
    plain
}

fn samples() -> Vec<IdxArray> {
    vec![
        IdxArray::new(IdxData::U8(vec![0, 1, 127, 128, 254, 255]), &[2, 3]),
        IdxArray::new(IdxData::I8(vec![-128, -1, 0, 127]), &[4]),
        IdxArray::new(IdxData::I16(vec![i16::MIN, -1, 258, i16::MAX]), &[2, 1, 2]),
        IdxArray::new(IdxData::I32(vec![i32::MIN, -1, 0x01020304, i32::MAX]), &[1, 2, 1, 2]),
        IdxArray::new(IdxData::F32(vec![-0.0, 1.5, f32::MIN_POSITIVE, f32::INFINITY]), &[4, 1]),
        IdxArray::new(IdxData::F64(vec![-1.0, std::f64::consts::PI]), &[1, 1, 1, 1, 1, 1, 1, 2]),
        IdxArray::new(IdxData::F64(vec![2.5]), &[]),
        IdxArray::new(IdxData::I16(vec![]), &[3, 0, 2]),
    ]
}

#[test]
fn arrays_of_every_type_and_rank_are_written_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    for (i, array) in samples().into_iter().enumerate() {
        for (name, gzip) in [(format!("{i}.idx"), false), (format!("{i}.gz"), true)] {
            let path = folder.path().join(&name);
            idx::write(&path, &array).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(bytes.starts_with(&[0x1f, 0x8b]), gzip);
            assert_eq!(idx::read(&path).unwrap(), array);
            assert_eq!(idx::parse(&bytes, &path).unwrap(), array);
        }
    }
}

/// A file is replaced atomically. A program that has opened the old file still reads the old contents.
#[test]
fn a_file_is_replaced_atomically() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.idx", "a.idx.gz"] {
        let path = folder.path().join(name);
        idx::write(&path, &samples()[0]).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let mut old = std::fs::File::open(&path).unwrap();
        idx::write(&path, &samples()[3]).unwrap();
        let mut read = vec![];
        old.read_to_end(&mut read).unwrap();
        assert_eq!(read, bytes);
        assert_eq!(idx::read(&path).unwrap(), samples()[3]);
    }
    // If a folder has the name of the file, writing fails. The folder stays, and no temporary file is left.
    let taken = folder.path().join("b.idx");
    std::fs::create_dir(&taken).unwrap();
    let error = idx::write(&taken, &samples()[0]).unwrap_err();
    assert!(matches!(&error, DataError::Io { path, .. } if *path == taken), "{error}");
    let mut names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["a.idx", "a.idx.gz", "b.idx"]);
}

#[test]
fn bytes_are_big_endian() {
    let mut bytes = header(0x0b, &[2]);
    bytes.extend([0x01, 0x02, 0xff, 0xfe]);
    let array = idx::parse(&bytes, "file").unwrap();
    assert_eq!(array.data(), &IdxData::I16(vec![0x0102, -2]));
    assert_eq!(array.element(), IdxType::I16);
    assert_eq!(array.to_bytes(), bytes);
}

#[test]
fn an_array_becomes_a_tensor_of_a_type_that_holds_its_elements() {
    let as_i64 = |i: usize| samples().swap_remove(i).into_tensor::<i64>();
    assert_eq!(as_i64(0).unwrap().to_vec(), [0, 1, 127, 128, 254, 255]);
    assert_eq!(as_i64(1).unwrap().to_vec(), [-128, -1, 0, 127]);
    assert_eq!(
        as_i64(3).unwrap().to_vec(),
        [i64::from(i32::MIN), -1, 0x01020304, i64::from(i32::MAX)]
    );
    assert!(as_i64(4).is_none());
    let ok = |i: usize| {
        let array = || samples().swap_remove(i);
        (
            array().into_tensor::<u8>().is_some(),
            array().into_tensor::<f32>().is_some(),
            array().into_tensor::<f64>().is_some(),
        )
    };
    let expected = [
        (true, true, true),
        (false, true, true),
        (false, true, true),
        (false, false, true), // f32 holds 24 bits, i32 has 32
        (false, true, true),
        (false, false, true),
    ];
    for (i, expected) in expected.into_iter().enumerate() {
        assert_eq!(ok(i), expected, "{i}");
    }
    assert_eq!(samples().swap_remove(2).into_tensor::<f32>().unwrap().shape(), [2, 1, 2]);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ints");
    idx::write(&path, &samples()[3]).unwrap();
    let error = idx::read_tensor::<f32>(&path).unwrap_err();
    assert!(matches!(error, DataError::ElementType { wanted: "f32", found: IdxType::I32, .. }));
    assert!(
        error
            .to_string()
            .ends_with("ints: the elements are i32, which f32 cannot represent exactly")
    );
}

#[test]
fn a_tensor_becomes_an_array_and_back() {
    let tensor = Tensor::from_vec(vec![1.5f64, -2.0], &[2, 1]);
    let array = IdxArray::from(&tensor);
    assert_eq!(array.into_tensor::<f64>().unwrap().to_vec(), tensor.to_vec());
}

#[test]
fn a_missing_file_and_a_folder_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let error = idx::read(folder.path().join("absent")).unwrap_err();
    assert!(matches!(error, DataError::Io { .. }) && error.to_string().contains("absent"));
    assert!(matches!(idx::read(folder.path()), Err(DataError::Io { .. })));
}

#[test]
fn empty_and_short_headers_are_errors() {
    assert!(matches!(error(&[]), DataError::ShortHeader { expected: 4, found: 0, .. }));
    assert!(matches!(error(&[0, 0, 8]), DataError::ShortHeader { expected: 4, found: 3, .. }));
    assert!(matches!(
        error(&[0, 0, 8, 2, 0, 0, 0, 1, 0]),
        DataError::ShortHeader { expected: 12, found: 9, .. }
    ));
}

#[test]
fn a_wrong_magic_number_type_or_rank_is_an_error() {
    assert!(matches!(
        error(b"\x89PNG\r\n"),
        DataError::NotIdx { found: [0x89, b'P', b'N', b'G'], .. }
    ));
    assert!(matches!(error(b"<html>"), DataError::Kind { .. }));
    assert!(matches!(error(&[0, 1, 8, 1]), DataError::NotIdx { .. }));
    assert!(matches!(error(&header(0x0a, &[1])), DataError::UnknownType { code: 0x0a, .. }));
    assert!(matches!(error(&header(0, &[])), DataError::UnknownType { code: 0, .. }));
    assert!(matches!(error(&header(8, &[1; 9])), DataError::TooManyAxes { rank: 9, max: 8, .. }));
    assert!(matches!(error(&[0, 0, 8, 255]), DataError::TooManyAxes { rank: 255, .. }));
}

/// The limits where addresses have 32 bits: a tensor has at most 2²⁷ - 1 elements.
#[test]
#[cfg(target_pointer_width = "32")]
fn sizes_beyond_32_bit_addresses_are_errors() {
    for element in [8, 9, 0x0b, 0x0c, 0x0d, 0x0e] {
        let most = (1 << 27) - 1;
        assert!(matches!(error(&header(element, &[most])), DataError::Truncated { found: 0, .. }));
        for sizes in [[1, 1, 1 << 27], [0, 1 << 14, 1 << 14], [1 << 14, 1 << 14, 0], [u32::MAX; 3]]
        {
            let error = error(&header(element, &sizes));
            assert!(matches!(error, DataError::TooLarge { .. }), "{element} {sizes:?}: {error}");
        }
        let array = idx::parse(&header(element, &[0, 1 << 13, 1 << 13]), "file").unwrap();
        assert_eq!(array.into_tensor::<f64>().unwrap().shape(), [0, 1 << 13, 1 << 13]);
    }
}

/// The limits where addresses have 64 bits.
#[test]
#[cfg(target_pointer_width = "64")]
fn sizes_beyond_the_memory_are_errors() {
    // The header states 2⁵⁸ elements, but the file has none.
    let sizes = [1 << 20, 1 << 20, 1 << 18];
    assert!(matches!(error(&header(8, &sizes)), DataError::Truncated { found: 0, .. }));
    let truncated = error(&header(0x0e, &[u32::MAX]));
    assert_eq!(
        truncated.to_string(),
        "file: the file is cut short: shape [4294967295] of f64 requires 34359738360 bytes after \
         the header, found 0; fetch the file again"
    );
    // More bytes than there are addresses, even if an axis of size 0 makes the product zero.
    assert!(matches!(error(&header(8, &[u32::MAX; 3])), DataError::TooLarge { .. }));
    assert!(matches!(
        error(&header(8, &[u32::MAX, u32::MAX, u32::MAX, 0])),
        DataError::TooLarge { .. }
    ));
    assert!(matches!(error(&header(0x0e, &[0, u32::MAX, 1 << 30])), DataError::TooLarge { .. }));
    // Fewer than 2⁶⁴ bytes, but more than 2⁶³.
    assert!(matches!(error(&header(8, &[0, u32::MAX, u32::MAX])), DataError::TooLarge { .. }));
    assert!(matches!(error(&header(0x0e, &[0, u32::MAX, 1 << 29])), DataError::TooLarge { .. }));
    // At most 2⁶³ bytes, but more elements than a tensor can have. An axis of size 0 counts as 1 here.
    for element in [8, 9, 0x0b, 0x0c, 0x0d, 0x0e] {
        for sizes in [[0, 1 << 30, 1 << 30], [1 << 30, 0, 1 << 30], [1 << 30, 1 << 30, 0]] {
            let error = error(&header(element, &sizes));
            assert!(matches!(error, DataError::TooLarge { .. }), "{element} {sizes:?}: {error}");
        }
        assert!(matches!(error(&header(element, &[1 << 29; 2])), DataError::Truncated { .. }));
        assert!(matches!(error(&header(element, &[1 << 20; 3])), DataError::TooLarge { .. }));
        // A tensor has at most 2⁵⁹ - 1 elements. The largest product of powers of two below is 2⁵⁸.
        let array = idx::parse(&header(element, &[0, 1 << 29, 1 << 29]), "file").unwrap();
        assert_eq!(array.into_tensor::<f64>().unwrap().shape(), [0, 1 << 29, 1 << 29]);
    }
    // Axes may be long if another axis has size 0.
    let array = idx::parse(&header(8, &[u32::MAX, 0, 7]), "file").unwrap();
    assert_eq!(array.shape(), [u32::MAX as usize, 0, 7]);
    assert_eq!(array.into_tensor::<u8>().unwrap().numel(), 0);
}

#[test]
fn too_few_and_too_many_bytes_are_errors() {
    let mut bytes = header(0x0c, &[2, 2]);
    bytes.extend([0; 15]);
    assert!(matches!(error(&bytes), DataError::Truncated { expected: 16, found: 15, .. }));
    bytes.push(0);
    assert!(idx::parse(&bytes, "file").is_ok() && idx::parse(&gzip(&bytes), "file").is_ok());
    bytes.push(0);
    assert!(matches!(error(&bytes), DataError::TrailingBytes { expected: 16, .. }));
}

#[test]
fn a_gzip_bomb_is_refused_without_filling_the_memory() {
    let mut bytes = header(8, &[10]);
    bytes.resize(100 << 20, 0);
    assert!(matches!(
        idx::parse(&gzip(&bytes), "bomb"),
        Err(DataError::TrailingBytes { expected: 10, .. })
    ));
}

#[test]
fn gzip_members_are_joined_and_trailing_garbage_is_an_error() {
    let array = samples().swap_remove(0);
    let bytes = array.to_bytes();
    let mut parts = gzip(&bytes[..7]);
    parts.extend(gzip(&bytes[7..]));
    assert_eq!(idx::parse(&parts, "parts").unwrap(), array);

    let mut garbage = gzip(&bytes);
    garbage.extend(b"garbage");
    assert!(matches!(idx::parse(&garbage, "file"), Err(DataError::Gzip { .. })));
    let mut twice = gzip(&bytes);
    twice.extend(gzip(&bytes));
    assert!(matches!(idx::parse(&twice, "file"), Err(DataError::TrailingBytes { .. })));
}

#[test]
fn zeros_after_a_gzip_stream_are_ignored() {
    let array = samples().swap_remove(0);
    let bytes = array.to_bytes();
    for zeros in [1, 511, 1 << 17] {
        let padding = vec![0; zeros];
        let padded = [gzip(&bytes), padding.clone()].concat();
        assert_eq!(idx::parse(&padded, "file").unwrap(), array);
        let parts = [gzip(&bytes[..5]), padding.clone(), gzip(&bytes[5..]), padding].concat();
        assert_eq!(idx::parse(&parts, "file").unwrap(), array);
        let garbage = [padded.clone(), b"more".to_vec()].concat();
        assert!(matches!(idx::parse(&garbage, "file"), Err(DataError::Gzip { .. })));
        let twice = [padded.clone(), padded].concat();
        assert!(matches!(idx::parse(&twice, "file"), Err(DataError::TrailingBytes { .. })));
    }
    // Padding is allowed after a gzip stream only. Plain bytes after the array are an error.
    let longer = [bytes, vec![0]].concat();
    assert!(matches!(idx::parse(&longer, "file"), Err(DataError::TrailingBytes { .. })));
}

#[test]
fn a_file_of_another_format_is_named() {
    for (bytes, words) in [
        (
            &b"<html><body>404</body></html>"[..],
            "file: expected an IDX file, found a web page (HTML); fetch",
        ),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS; fetch the file"),
        (b"\x93NUMPY\x01\0v\0{'descr'", "found an array of NumPy (npy)"),
        (b"PK\x05\x06", "found a zip archive; unpack it first"),
    ] {
        for error in [idx::parse(bytes, "file"), idx::parse(&gzip(bytes), "file")] {
            let error = error.unwrap_err();
            assert!(matches!(error, DataError::Kind { .. }), "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}

#[test]
fn a_wrong_gzip_checksum_is_an_error() {
    let packed = gzip(&samples()[0].to_bytes());
    for from_end in 1..=8 {
        let mut damaged = packed.clone();
        let at = damaged.len() - from_end;
        damaged[at] ^= 1;
        let error = idx::parse(&damaged, "file").unwrap_err();
        assert!(matches!(error, DataError::Gzip { .. }), "{error}");
        assert!(error.to_string().contains("gzip stream is damaged"));
    }
}

/// Every proper prefix of a valid file gives an error of a suitable kind.
#[test]
fn a_file_cut_at_any_byte_is_an_error() {
    for array in samples() {
        let bytes = array.to_bytes();
        for cut in 0..bytes.len() {
            let error = error(&bytes[..cut]);
            assert!(
                matches!(error, DataError::ShortHeader { .. } | DataError::Truncated { .. }),
                "{array:?} cut at {cut}: {error}"
            );
        }
        let packed = gzip(&bytes);
        for cut in 0..packed.len() {
            let error = idx::parse(&packed[..cut], "file").unwrap_err();
            assert!(
                matches!(
                    error,
                    DataError::Gzip { .. }
                        | DataError::ShortHeader { .. }
                        | DataError::NotIdx { .. }
                ),
                "{array:?} compressed, cut at {cut}: {error}"
            );
        }
    }
}

/// Replaces each byte of a file by every value. Reading does not panic, and an array that is read has as
/// many elements as its shape.
#[test]
fn a_file_with_any_byte_replaced_does_not_panic() {
    for array in samples() {
        let bytes = array.to_bytes();
        let packed = gzip(&bytes);
        for (valid, original) in [(&bytes, &bytes), (&packed, &bytes)] {
            for at in 0..valid.len() {
                for value in 0..=255 {
                    let mut changed = valid.clone();
                    changed[at] = value;
                    if let Ok(read) = idx::parse(&changed, "file") {
                        assert_eq!(read.data().len(), read.shape().iter().product::<usize>());
                        assert_eq!(read.to_bytes().len(), original.len());
                    }
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "shape [2, 3] requires 6 elements, got 5")]
fn an_array_with_too_few_elements_panics() {
    let _ = IdxArray::new(IdxData::U8(vec![0; 5]), &[2, 3]);
}

/// A header with an axis of size 0 gives a tensor, or the error `TooLarge` if its shape is too large for a
/// tensor.
#[test]
fn every_header_gives_a_tensor_or_an_error() {
    // 2²⁹ if addresses have 64 bits, 2¹³ if they have 32.
    let half = 1u32 << (usize::BITS / 2 - 3);
    let sizes = [0, 1, half, 2 * half, u32::MAX];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut tensors = 0;
    for a in sizes {
        for b in sizes {
            for c in sizes {
                if [a, b, c].iter().all(|&size| size != 0) {
                    continue;
                }
                std::fs::write(&path, header(8, &[a, b, c])).unwrap();
                let fits = [a, b, c].iter().map(|&n| u128::from(n.max(1))).product::<u128>()
                    <= isize::MAX as u128 / 16;
                match idx::read_tensor::<i64>(&path) {
                    Ok(tensor) => assert_eq!(tensor.numel(), 0),
                    Err(DataError::TooLarge { .. }) => assert!(!fits, "{a} {b} {c}"),
                    Err(error) => panic!("{error}"),
                }
                tensors += usize::from(fits);
            }
        }
    }
    assert!(tensors > 20, "{tensors}");
}

#[test]
#[should_panic(
    expected = "IdxArray::new: shape [0, 1073741824, 1073741824] has more elements than"
)]
fn an_array_with_too_many_elements_for_a_tensor_panics() {
    drop(IdxArray::new(IdxData::U8(Vec::new()), &[0, 1 << 30, 1 << 30]));
}
