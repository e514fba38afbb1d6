//! The element types of `.npy` files.

use wengert_tensor::Dtype;

/// The element types of NumPy that can be read.
#[derive(Clone, Copy)]
pub(super) enum NpyType {
    Bool,
    U8,
    U16,
    U32,
    I8,
    I16,
    I32,
    I64,
    F16,
    F32,
    F64,
}

impl NpyType {
    /// Returns the type with this code, without the byte order.
    pub fn of(code: &str) -> Option<Self> {
        Some(match code {
            "b1" | "?" => NpyType::Bool,
            "u1" | "B" => NpyType::U8,
            "u2" => NpyType::U16,
            "u4" => NpyType::U32,
            "i1" | "b" => NpyType::I8,
            "i2" => NpyType::I16,
            "i4" => NpyType::I32,
            "i8" => NpyType::I64,
            "f2" => NpyType::F16,
            "f4" => NpyType::F32,
            "f8" => NpyType::F64,
            _ => return None,
        })
    }

    /// Returns the number of bytes of an element.
    pub fn size(self) -> usize {
        match self {
            NpyType::Bool | NpyType::U8 | NpyType::I8 => 1,
            NpyType::U16 | NpyType::I16 | NpyType::F16 => 2,
            NpyType::U32 | NpyType::I32 | NpyType::F32 => 4,
            NpyType::I64 | NpyType::F64 => 8,
        }
    }

    /// Returns the code, with the byte order, of the type that represents these elements.
    pub fn descr(dtype: Dtype) -> &'static str {
        match dtype {
            Dtype::F32 => "<f4",
            Dtype::F64 => "<f8",
            Dtype::I64 => "<i8",
            Dtype::U32 => "<u4",
            Dtype::U8 => "|u1",
            Dtype::Bool => "|b1",
            other => unreachable!("`.npy` files: no code for elements of the type {other}"),
        }
    }
}
