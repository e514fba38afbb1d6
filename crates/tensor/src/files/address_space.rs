//! Valid tensors of a file that are too large for the addresses of a target.

use super::file::FileProblem;
use crate::layout::MAX_SIZE;
use safetensors::tensor::Dtype;
use serde_json::{Map, Value};

/// The width of addresses for which the entries of a file are checked if they do not fit this target.
const WIDEST: u32 = 64;

/// The entry of a tensor in the header of a file, with 64-bit numbers on every target.
pub(super) struct HeaderEntry {
    pub dtype: Dtype,
    pub shape: Vec<u64>,
    /// The first byte of the elements in the data, and the end.
    pub data: [u64; 2],
}

impl HeaderEntry {
    fn read(entry: &Value) -> Option<Self> {
        let numbers = |key: &str| -> Option<Vec<u64>> {
            entry.get(key)?.as_array()?.iter().map(Value::as_u64).collect()
        };
        Some(HeaderEntry {
            dtype: serde_json::from_value(entry.get("dtype")?.clone()).ok()?,
            shape: numbers("shape")?,
            data: numbers("data_offsets")?.try_into().ok()?,
        })
    }

    /// Returns whether the entry is valid, and a target with addresses of `bits` bits can hold the tensor and count
    /// the bytes of the file up to its end.
    fn fits(&self, bits: u32) -> bool {
        let numel = self.shape.iter().fold(1u128, |product, &n| product.saturating_mul(n.into()));
        let bits_of_elements = numel.saturating_mul(self.dtype.bitsize() as u128);
        let [from, to] = self.data.map(u128::from);
        let largest = (1u128 << bits) - 1;
        to.checked_sub(from).is_some_and(|bytes| 8 * bytes == bits_of_elements)
            // The reader of the header counts bits.
            && bits_of_elements <= largest
            && to <= largest
            // The limit of an axis is the same on every target.
            && self.shape.iter().all(|&n| n <= MAX_SIZE as u64)
            && numel <= max_numel(bits)
    }

    /// Returns the error for a tensor that fits targets with wider addresses only: neither damaged nor too large for
    /// every target.
    pub fn problem(self, name: &str, bits: u32) -> Option<FileProblem> {
        (self.fits(WIDEST) && !self.fits(bits)).then(|| FileProblem::AddressSpace {
            name: name.into(),
            shape: self.shape,
            address_bits: bits,
        })
    }
}

/// Returns `layout::MAX_NUMEL` of a target with addresses of `bits` bits.
fn max_numel(bits: u32) -> u128 {
    ((1 << (bits - 1)) - 1) / 16
}

/// Returns the error for the first tensor of a file that is too large for addresses of `bits` bits. Returns `None` if
/// there is none, and if the header is no list of tensors.
pub(super) fn too_large(header: &[u8], bits: u32) -> Option<FileProblem> {
    let header: Map<String, Value> = serde_json::from_slice(header).ok()?;
    let entries = header.iter().filter_map(|(name, entry)| Some((name, HeaderEntry::read(entry)?)));
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by_key(|(_, entry)| entry.data);
    entries.into_iter().find_map(|(name, entry)| entry.problem(name, bits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::MAX_NUMEL;

    /// Returns whether a file with one tensor `w` is refused with the error of the address space.
    fn refused(dtype: &str, shape: &[u64], data: [u64; 2], bits: u32) -> bool {
        let header = format!(
            r#"{{"__metadata__":{{"a":"b"}},"w":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":{data:?}}}}}"#
        );
        match too_large(header.as_bytes(), bits) {
            Some(FileProblem::AddressSpace { name, shape: of, address_bits }) => {
                assert_eq!((&*name, &*of, address_bits), ("w", shape, bits));
                true
            }
            Some(other) => panic!("{other}"),
            None => false,
        }
    }

    #[test]
    fn the_limit_is_that_of_tensors() {
        assert_eq!(max_numel(usize::BITS), MAX_NUMEL as u128);
    }

    /// 512 MiB have 2³² bits.
    #[test]
    fn tensors_of_512_mebibytes_and_more_exceed_32_bits() {
        const MIB: u64 = 1 << 20;
        for (dtype, bytes) in [("U8", 1), ("F16", 2), ("F32", 4), ("F64", 8), ("I64", 8)] {
            for mebibytes in [512, 513, 1000, 5000, 100_000] {
                let data = [0, mebibytes * MIB];
                assert!(refused(dtype, &[mebibytes, MIB / bytes], data, 32), "{dtype} {mebibytes}");
                assert!(
                    !refused(dtype, &[mebibytes, MIB / bytes], data, 64),
                    "{dtype} {mebibytes}"
                );
            }
        }
        // The number of elements is limited too, to 2²⁷ - 1.
        for (mebibytes, exceeds) in [(1, false), (127, false), (128, true), (511, true)] {
            let data = [0, mebibytes * MIB];
            assert_eq!(refused("U8", &[mebibytes, MIB], data, 32), exceeds, "{mebibytes}");
        }
        assert!(!refused("F64", &[511, MIB / 8], [0, 511 * MIB], 32));
    }

    #[test]
    fn a_tensor_whose_end_cannot_be_counted_exceeds_32_bits() {
        let at = |first: u64| [first, first + 12];
        assert!(!refused("F32", &[3], at((1 << 32) - 13), 32));
        assert!(refused("F32", &[3], at((1 << 32) - 12), 32));
        assert!(refused("F32", &[3], at(1 << 40), 32));
        assert!(!refused("F32", &[3], at(1 << 40), 64));
    }

    /// A damaged entry is damaged on every target.
    #[test]
    fn damaged_entries_do_not_exceed_the_address_space() {
        let large = 1u64 << 30;
        assert!(refused("F32", &[large], [0, 4 * large], 32));
        for data in [[0, 4 * large - 1], [4 * large, 0], [1, 4 * large], [0, 0]] {
            assert!(!refused("F32", &[large], data, 32), "{data:?}");
        }
        assert!(!refused("F5", &[large], [0, 4 * large], 32), "an unknown type");
        let never = 1u64 << 60;
        assert!(!refused("U8", &[never], [0, never], 32), "too large for every target");
        assert!(!refused("U8", &[u64::MAX, u64::MAX, u64::MAX], [0, 5], 32));
        for header in ["", "{", "[1]", "{\"w\":1}", "{\"w\":{\"dtype\":\"F32\"}}", "\u{0}"] {
            assert!(too_large(header.as_bytes(), 32).is_none(), "{header}");
        }
    }

    #[test]
    fn the_first_tensor_that_does_not_fit_is_named() {
        let header = r#"{"c":{"dtype":"U8","shape":[4000000000],"data_offsets":[2000000008,6000000008]},
            "b":{"dtype":"U8","shape":[2000000000],"data_offsets":[8,2000000008]},
            "a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}"#;
        let problem = too_large(header.as_bytes(), 32).unwrap();
        assert_eq!(
            problem.to_string(),
            "tensor `b` of shape [2000000000] exceeds the address space of this target, whose addresses have 32 \
             bits: read the file on a target with 64-bit addresses"
        );
    }
}
