//! The safetensors format: the length of a JSON header, the header, the bytes of the tensors one after
//! the other, everything little-endian (<https://github.com/huggingface/safetensors#format>).
//!
//! Written here because it is small: the reference library brings twenty crates with it.

use crate::any::AnyTensor;
use crate::element::{Dtype, Element};
use crate::file::FileProblem;
use crate::json::{Reader, quoted};
use crate::named::NamedTensors;
use crate::shape::MAX_RANK;
use crate::tensor::Tensor;
use std::fmt::Write as _;
use std::io::{self, Write};

/// The key of the header under which the notes stand.
pub(crate) const METADATA: &str = "__metadata__";

/// The length of the header stands in the first bytes.
const LENGTH: usize = 8;

/// Reads the bytes of a file.
pub(crate) fn read(bytes: &[u8]) -> Result<NamedTensors, FileProblem> {
    let found = bytes.len() as u64;
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH>() else {
        return Err(FileProblem::Length { expected: LENGTH as u64, found });
    };
    let length = u64::from_le_bytes(*length);
    let Some((header, data)) = usize::try_from(length).ok().and_then(|n| rest.split_at_checked(n))
    else {
        return Err(FileProblem::Length { expected: length.saturating_add(LENGTH as u64), found });
    };
    let header = std::str::from_utf8(header).map_err(|error| FileProblem::Header {
        at: LENGTH + error.valid_up_to(),
        expected: "text in UTF-8",
    })?;

    let mut out = NamedTensors::new();
    let mut entries = Vec::new();
    let mut reader = Reader::new(header, LENGTH);
    reader.object(|reader, name| {
        if name == METADATA {
            return reader.object(|reader, key| {
                out.metadata.insert(key, reader.string()?);
                Ok(())
            });
        }
        entries.push(Entry::read(reader, name)?);
        Ok(())
    })?;
    reader.end()?;

    // In the order of the data, each beginning where the one before ends.
    entries.sort_by_key(|entry| entry.place);
    let mut end = 0u64;
    let mut sizes = Vec::with_capacity(entries.len());
    for entry in &entries {
        let size = entry.bytes()?;
        let expected = (end, end.saturating_add(size as u64));
        if entry.place != expected {
            return Err(FileProblem::Place {
                name: entry.name.clone(),
                expected,
                found: entry.place,
            });
        }
        end = expected.1;
        sizes.push(size);
    }
    if end != data.len() as u64 {
        return Err(FileProblem::Length {
            expected: end.saturating_add((bytes.len() - data.len()) as u64),
            found,
        });
    }
    let mut rest = data;
    for (entry, size) in entries.into_iter().zip(sizes) {
        let (bytes, after) = rest.split_at(size);
        rest = after;
        let tensor = entry.decode(bytes)?;
        if out.insert(entry.name.clone(), tensor).is_some() {
            return Err(FileProblem::Duplicate { name: entry.name });
        }
    }
    Ok(out)
}

/// Writes the bytes of a file.
pub(crate) fn write(tensors: &NamedTensors, out: &mut impl Write) -> io::Result<()> {
    // Wide elements first, so that each lies at a multiple of its size for those who map files.
    let mut ordered: Vec<_> = tensors.iter().collect();
    ordered.sort_by_key(|(_, tensor)| std::cmp::Reverse(size_of_dtype(tensor.dtype())));

    let mut entries = Vec::new();
    if !tensors.metadata.is_empty() {
        let notes: Vec<_> = tensors
            .metadata
            .iter()
            .map(|(key, note)| format!("{}:{}", quoted(key), quoted(note)))
            .collect();
        entries.push(format!("\"{METADATA}\":{{{}}}", notes.join(",")));
    }
    let mut begin = 0;
    for (name, tensor) in &ordered {
        let end = begin + tensor.numel() * size_of_dtype(tensor.dtype());
        let mut entry =
            format!("{}:{{\"dtype\":\"{}\",\"shape\":[", quoted(name), name_of(tensor.dtype()));
        for (i, size) in tensor.shape().iter().enumerate() {
            let _ = write!(entry, "{}{size}", if i > 0 { "," } else { "" });
        }
        let _ = write!(entry, "],\"data_offsets\":[{begin},{end}]}}");
        entries.push(entry);
        begin = end;
    }
    let mut header = format!("{{{}}}", entries.join(","));
    header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(LENGTH) - header.len()));

    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(header.as_bytes())?;
    for (_, tensor) in ordered {
        match tensor {
            AnyTensor::F32(tensor) => encode(tensor, f32::to_le_bytes, out)?,
            AnyTensor::F64(tensor) => encode(tensor, f64::to_le_bytes, out)?,
            AnyTensor::I64(tensor) => encode(tensor, i64::to_le_bytes, out)?,
            AnyTensor::U32(tensor) => encode(tensor, u32::to_le_bytes, out)?,
            AnyTensor::U8(tensor) => encode(tensor, u8::to_le_bytes, out)?,
            AnyTensor::Bool(tensor) => encode(tensor, |x| [u8::from(x)], out)?,
        }
    }
    Ok(())
}

/// What the header says about one tensor.
struct Entry {
    name: String,
    dtype: String,
    shape: Vec<u64>,
    /// From, to, in bytes of the data.
    place: (u64, u64),
}

impl Entry {
    fn read(reader: &mut Reader<'_>, name: String) -> Result<Self, FileProblem> {
        let (mut dtype, mut shape, mut place) = (None, None, None);
        reader.object(|reader, key| {
            match key.as_str() {
                "dtype" => dtype = Some(reader.string()?),
                "shape" => shape = Some(reader.numbers()?),
                "data_offsets" => place = Some(reader.numbers()?),
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        match (dtype, shape, place.as_deref()) {
            (Some(dtype), Some(shape), Some(&[from, to])) => {
                Ok(Entry { name, dtype, shape, place: (from, to) })
            }
            _ => reader.fail("the end of an entry with `dtype`, `shape` and two `data_offsets`"),
        }
    }

    /// How many bytes the elements take.
    fn bytes(&self) -> Result<usize, FileProblem> {
        let size = match self.dtype.as_str() {
            "F64" | "I64" => 8,
            "F32" | "U32" | "I32" => 4,
            "F16" | "BF16" | "I16" | "U16" => 2,
            "U8" | "I8" | "BOOL" => 1,
            _ => {
                return Err(FileProblem::Dtype {
                    name: self.name.clone(),
                    dtype: self.dtype.clone(),
                });
            }
        };
        // With the zeros left out: strides are products of the sizes too.
        let room = self
            .shape
            .iter()
            .filter(|&&n| n > 0)
            .try_fold(8, |product: u64, &n| product.checked_mul(n));
        if self.shape.len() > MAX_RANK || room.is_none_or(|room| isize::try_from(room).is_err()) {
            return Err(FileProblem::Shape { name: self.name.clone(), shape: self.shape.clone() });
        }
        Ok(self.shape.iter().product::<u64>() as usize * size)
    }

    fn decode(&self, bytes: &[u8]) -> Result<AnyTensor, FileProblem> {
        let mut shape = [0; MAX_RANK];
        for (to, &from) in shape.iter_mut().zip(&self.shape) {
            *to = from as usize;
        }
        let shape = &shape[..self.shape.len()];
        Ok(match self.dtype.as_str() {
            "F32" => decode(bytes, shape, f32::from_le_bytes),
            "F64" => decode(bytes, shape, f64::from_le_bytes),
            "F16" => decode(bytes, shape, |x| f32_of_half(u16::from_le_bytes(x))),
            "BF16" => {
                decode(bytes, shape, |x| f32::from_bits(u32::from(u16::from_le_bytes(x)) << 16))
            }
            "I64" => decode(bytes, shape, i64::from_le_bytes),
            "I32" => decode(bytes, shape, |x| i64::from(i32::from_le_bytes(x))),
            "I16" => decode(bytes, shape, |x| i64::from(i16::from_le_bytes(x))),
            "U16" => decode(bytes, shape, |x| i64::from(u16::from_le_bytes(x))),
            "I8" => decode(bytes, shape, |x| i64::from(i8::from_le_bytes(x))),
            "U32" => decode(bytes, shape, u32::from_le_bytes),
            "U8" => decode(bytes, shape, u8::from_le_bytes),
            "BOOL" => decode(bytes, shape, |[x]| x != 0),
            _ => {
                return Err(FileProblem::Dtype {
                    name: self.name.clone(),
                    dtype: self.dtype.clone(),
                });
            }
        })
    }
}

fn name_of(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F32 => "F32",
        Dtype::F64 => "F64",
        Dtype::I64 => "I64",
        Dtype::U32 => "U32",
        Dtype::U8 => "U8",
        Dtype::Bool => "BOOL",
    }
}

fn size_of_dtype(dtype: Dtype) -> usize {
    match dtype {
        Dtype::F64 | Dtype::I64 => 8,
        Dtype::F32 | Dtype::U32 => 4,
        Dtype::U8 | Dtype::Bool => 1,
    }
}

fn decode<T: Element, const N: usize>(
    bytes: &[u8],
    shape: &[usize],
    element: impl Fn([u8; N]) -> T,
) -> AnyTensor {
    let (elements, _) = bytes.as_chunks();
    Tensor::from_fn(shape, |i| element(elements[i])).into()
}

fn encode<T: Element, const N: usize>(
    tensor: &Tensor<T>,
    bytes: impl Fn(T) -> [u8; N],
    out: &mut impl Write,
) -> io::Result<()> {
    let tensor = tensor.contiguous();
    let mut buffer = Vec::new();
    for elements in tensor.as_slice().unwrap_or_default().chunks(4096) {
        buffer.clear();
        buffer.extend(elements.iter().flat_map(|&x| bytes(x)));
        out.write_all(&buffer)?;
    }
    Ok(())
}

/// IEEE 754 binary16: sign, five bits of exponent (bias 15), ten of fraction.
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
