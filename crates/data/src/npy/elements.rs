//! The elements of a `.npy` file.

use super::header::NpyHeader;
use super::npy_type::NpyType;
use wengert_tensor::{AnyTensor, Element, Tensor};

/// Converts the bytes to a tensor. There are exactly as many bytes as the shape requires.
pub(super) fn decode(bytes: &[u8], header: &NpyHeader, shape: &[usize]) -> AnyTensor {
    /// The elements with a given conversion from `N` bytes in little-endian order.
    fn tensor<const N: usize, T: Element>(
        bytes: &[u8],
        header: &NpyHeader,
        shape: &[usize],
        of: impl Fn([u8; N]) -> T,
    ) -> AnyTensor {
        let elements = bytes.as_chunks::<N>().0.iter().map(|&bytes| {
            let mut bytes = bytes;
            if header.big_endian {
                bytes.reverse();
            }
            of(bytes)
        });
        let elements: Vec<T> = elements.collect();
        if header.fortran_order && shape.len() > 1 {
            // The first axis varies fastest: the array is the transpose of one in C order.
            let reversed: Vec<usize> = shape.iter().rev().copied().collect();
            let axes: Vec<isize> = (0..shape.len() as isize).rev().collect();
            Tensor::from_vec(elements, &reversed).permute(&axes).contiguous().into()
        } else {
            Tensor::from_vec(elements, shape).into()
        }
    }
    match header.kind {
        NpyType::Bool => tensor(bytes, header, shape, |[byte]| byte != 0),
        NpyType::U8 => tensor(bytes, header, shape, |[byte]| byte),
        NpyType::I8 => tensor(bytes, header, shape, |[byte]| i64::from(byte as i8)),
        NpyType::U16 => tensor(bytes, header, shape, |b| i64::from(u16::from_le_bytes(b))),
        NpyType::I16 => tensor(bytes, header, shape, |b| i64::from(i16::from_le_bytes(b))),
        NpyType::U32 => tensor(bytes, header, shape, u32::from_le_bytes),
        NpyType::I32 => tensor(bytes, header, shape, |b| i64::from(i32::from_le_bytes(b))),
        NpyType::I64 => tensor(bytes, header, shape, i64::from_le_bytes),
        NpyType::F16 => tensor(bytes, header, shape, |b| half(u16::from_le_bytes(b))),
        NpyType::F32 => tensor(bytes, header, shape, f32::from_le_bytes),
        NpyType::F64 => tensor(bytes, header, shape, f64::from_le_bytes),
    }
}

/// Appends the elements in C order, little-endian.
pub(super) fn encode(tensor: &AnyTensor, bytes: &mut Vec<u8>) {
    match tensor {
        AnyTensor::F32(it) => bytes.extend(it.to_vec().into_iter().flat_map(f32::to_le_bytes)),
        AnyTensor::F64(it) => bytes.extend(it.to_vec().into_iter().flat_map(f64::to_le_bytes)),
        AnyTensor::I64(it) => bytes.extend(it.to_vec().into_iter().flat_map(i64::to_le_bytes)),
        AnyTensor::U32(it) => bytes.extend(it.to_vec().into_iter().flat_map(u32::to_le_bytes)),
        AnyTensor::U8(it) => bytes.extend(it.to_vec()),
        AnyTensor::Bool(it) => bytes.extend(it.to_vec().into_iter().map(u8::from)),
        other => unreachable!("`.npy` files: no code for elements of the type {}", other.dtype()),
    }
}

/// Converts a number of IEEE 754 half precision, which `f32` represents exactly.
fn half(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let (exponent, fraction) = (u32::from(bits >> 10 & 0x1f), u32::from(bits & 0x3ff));
    match exponent {
        // Zero, or a subnormal number: a multiple of 2⁻²⁴.
        0 => f32::from_bits(sign | (fraction as f32 * 2f32.powi(-24)).to_bits()),
        0x1f => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}
