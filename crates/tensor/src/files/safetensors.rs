//! Named tensors as safetensors files (<https://github.com/huggingface/safetensors#format>). A file consists
//! of eight bytes with the length of a JSON header, the header, and the elements of all tensors,
//! little-endian.
//!
//! The `safetensors` crate reads and checks the header, and writes files. This module converts its tensors.

use super::address_space::{self, HeaderEntry};
use super::file::{FileError, FileProblem, write_atomically};
use super::named::NamedTensors;
use crate::layout::Shape;
use crate::number::Dtype;
use crate::shapes;
use crate::tensor::AnyTensor;
use crate::tensor::Element;
use crate::tensor::Tensor;
use ::safetensors::tensor::{Dtype as FileDtype, Metadata, SafeTensorError, TensorInfo, View};
use std::borrow::Cow;
use std::io::{self, Write as _};
use std::path::Path;

/// The number of bytes, at the start of the file, that hold the length of the header.
const LENGTH: usize = 8;

impl NamedTensors {
    /// Reads a safetensors file.
    ///
    /// # Errors
    /// If the file cannot be read or is not a valid safetensors file. The error names the kind of the file if
    /// it is another known one: a file of `torch.save`, a web page, and others of
    /// [`FileKind`](crate::FileKind).
    pub fn load(path: impl AsRef<Path>) -> Result<Self, FileError> {
        let path = path.as_ref();
        let read = || Self::from_bytes(&std::fs::read(path)?);
        read().map_err(|problem: FileProblem| problem.at(path))
    }

    /// Writes a safetensors file, as [`write_atomically`] does.
    ///
    /// # Errors
    /// If the system returns an error, or names and notes together exceed the 100 MB that the format allows.
    /// An existing file then remains unchanged.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        let path = path.as_ref();
        let save = || {
            let bytes = write(self).map_err(io::Error::other)?;
            write_atomically(path, |out| out.write_all(&bytes))
        };
        save().map_err(|error| FileProblem::from(error).at(path))
    }

    /// Returns the bytes of a safetensors file. Equal tensors give equal bytes, except that the order of
    /// several notes is not specified.
    ///
    /// # Panics
    /// If names and notes together exceed the 100 MB that the format allows.
    #[track_caller]
    pub fn to_bytes(&self) -> Vec<u8> {
        match write(self) {
            Ok(bytes) => bytes,
            Err(error) => panic!("to_bytes: {error}"),
        }
    }

    /// Reads the bytes of a safetensors file. Half-precision floats become `f32`. Integer types of 8, 16 and
    /// 32 bits that tensors do not support become `i64`. These conversions are exact.
    ///
    /// # Errors
    /// If the bytes are not a valid safetensors file, or a tensor in it exceeds the address space of this target
    /// ([`FileProblem::AddressSpace`]).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FileProblem> {
        read(bytes).map_err(|problem| problem.explained_by(bytes))
    }
}

/// Reads the bytes of a file.
///
/// The file is split into header and data here, because `SafeTensors::deserialize` (0.8) adds the length
/// of the header to that of the data. With a damaged header the sum can overflow, which panics in builds
/// with overflow checks.
fn read(bytes: &[u8]) -> Result<NamedTensors, FileProblem> {
    let found = bytes.len() as u64;
    let cut_short = |expected| FileProblem::Length { expected, found };
    let (length, rest) =
        bytes.split_first_chunk::<LENGTH>().ok_or_else(|| cut_short(LENGTH as u64))?;
    let length = u64::from_le_bytes(*length);
    let (header, data) = usize::try_from(length)
        .ok()
        .and_then(|length| rest.split_at_checked(length))
        .ok_or_else(|| cut_short(length.saturating_add(LENGTH as u64)))?;

    // `Metadata` checks that each tensor has the length of its shape and begins at the end of the one
    // before. The check that the last tensor ends at the end of the data follows below.
    let header: Metadata = serde_json::from_slice(header).map_err(|error| {
        address_space::too_large(header, usize::BITS)
            .unwrap_or_else(|| FileProblem::Header(error.into()))
    })?;
    if header.data_len() != data.len() {
        let before = LENGTH as u64 + length;
        return Err(cut_short(before.saturating_add(header.data_len() as u64)));
    }

    // Sort by the position in the data, then by name, because tensors without elements share a position.
    let mut entries: Vec<_> = header.tensors().into_iter().collect();
    entries.sort_by(|(a, x), (b, y)| (x.data_offsets, a).cmp(&(y.data_offsets, b)));
    let mut out = NamedTensors::new();
    for (name, info) in entries {
        let (from, to) = info.data_offsets;
        let tensor = decode(&name, info, &data[from..to])?;
        out.insert(name, tensor);
    }
    let notes = header.metadata().iter().flatten();
    out.metadata.extend(notes.map(|(key, note)| (key.clone(), note.clone())));
    Ok(out)
}

/// Returns the bytes of a file. Fails if names and notes exceed the 100 MB that the format allows.
fn write(tensors: &NamedTensors) -> Result<Vec<u8>, SafeTensorError> {
    let entries = tensors.iter().map(|(name, tensor)| (name, FileEntry::of(tensor)));
    let notes = (!tensors.metadata.is_empty())
        .then(|| tensors.metadata.iter().map(|(key, note)| (key.clone(), note.clone())).collect());
    ::safetensors::serialize(entries, notes)
}

/// A tensor to be written to a file.
struct FileEntry<'a> {
    tensor: &'a AnyTensor,
    shape: Shape,
}

impl<'a> FileEntry<'a> {
    fn of(tensor: &'a AnyTensor) -> Self {
        FileEntry { tensor, shape: tensor.shape() }
    }
}

impl View for FileEntry<'_> {
    fn dtype(&self) -> FileDtype {
        match self.tensor.dtype() {
            Dtype::F32 => FileDtype::F32,
            Dtype::F64 => FileDtype::F64,
            Dtype::I64 => FileDtype::I64,
            Dtype::U32 => FileDtype::U32,
            Dtype::U8 => FileDtype::U8,
            Dtype::Bool => FileDtype::BOOL,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self.tensor {
            AnyTensor::F32(tensor) => to_bytes(tensor, f32::to_le_bytes),
            AnyTensor::F64(tensor) => to_bytes(tensor, f64::to_le_bytes),
            AnyTensor::I64(tensor) => to_bytes(tensor, i64::to_le_bytes),
            AnyTensor::U32(tensor) => to_bytes(tensor, u32::to_le_bytes),
            AnyTensor::U8(tensor) => to_bytes(tensor, u8::to_le_bytes),
            AnyTensor::Bool(tensor) => to_bytes(tensor, |x| [u8::from(x)]),
        }
        .into()
    }

    fn data_len(&self) -> usize {
        self.shape.numel() * (self.dtype().bitsize() / 8)
    }
}

/// Returns the bytes of the elements in row-major order.
fn to_bytes<T: Element, const N: usize>(
    tensor: &Tensor<T>,
    bytes: impl Fn(T) -> [u8; N],
) -> Vec<u8> {
    let tensor = tensor.contiguous();
    let elements = tensor.as_slice().expect("contiguous");
    let mut out = Vec::with_capacity(elements.len() * N);
    out.extend(elements.iter().flat_map(|&x| bytes(x)));
    out
}

fn decode(name: &str, info: &TensorInfo, bytes: &[u8]) -> Result<AnyTensor, FileProblem> {
    let shape = &info.shape;
    if shapes::shape_of("read", shape).is_err() {
        let (from, to) = info.data_offsets;
        let entry = HeaderEntry {
            dtype: info.dtype,
            shape: shape.iter().map(|&n| n as u64).collect(),
            data: [from as u64, to as u64],
        };
        return Err(entry
            .problem(name, usize::BITS)
            .unwrap_or_else(|| FileProblem::Shape { name: name.into(), shape: shape.clone() }));
    }
    Ok(match info.dtype {
        FileDtype::F32 => from_bytes(bytes, shape, f32::from_le_bytes),
        FileDtype::F64 => from_bytes(bytes, shape, f64::from_le_bytes),
        FileDtype::F16 => from_bytes(bytes, shape, |x| f32_of_half(u16::from_le_bytes(x))),
        // A bfloat16 number has the upper 16 bits of an `f32`.
        FileDtype::BF16 => {
            from_bytes(bytes, shape, |x| f32::from_bits(u32::from(u16::from_le_bytes(x)) << 16))
        }
        FileDtype::I64 => from_bytes(bytes, shape, i64::from_le_bytes),
        FileDtype::I32 => from_bytes(bytes, shape, |x| i64::from(i32::from_le_bytes(x))),
        FileDtype::I16 => from_bytes(bytes, shape, |x| i64::from(i16::from_le_bytes(x))),
        FileDtype::U16 => from_bytes(bytes, shape, |x| i64::from(u16::from_le_bytes(x))),
        FileDtype::I8 => from_bytes(bytes, shape, |x| i64::from(i8::from_le_bytes(x))),
        FileDtype::U32 => from_bytes(bytes, shape, u32::from_le_bytes),
        FileDtype::U8 => from_bytes(bytes, shape, u8::from_le_bytes),
        FileDtype::BOOL => from_bytes(bytes, shape, |[x]| x != 0),
        other => {
            return Err(FileProblem::Dtype { name: name.into(), dtype: other.to_string() });
        }
    })
}

fn from_bytes<T: Element, const N: usize>(
    bytes: &[u8],
    shape: &[usize],
    element: impl Fn([u8; N]) -> T,
) -> AnyTensor {
    let (elements, _) = bytes.as_chunks();
    Tensor::from_fn(shape, |i| element(elements[i])).into()
}

/// Converts an IEEE 754 binary16 number: a sign bit, five bits of exponent (bias 15), ten bits of fraction.
fn f32_of_half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    match exponent {
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        0 => sign * fraction * 2f32.powi(-24),
        _ => sign * (1024.0 + fraction) * 2f32.powi(exponent - 25),
    }
}

#[cfg(test)]
mod tests;
