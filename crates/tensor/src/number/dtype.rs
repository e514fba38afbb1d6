//! Element types as values.

use std::fmt::{self, Display};

/// The type of a tensor's elements, as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names say it
#[non_exhaustive]
pub enum Dtype {
    F32,
    F64,
    I64,
    U32,
    U8,
    Bool,
}

impl Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dtype::F32 => "f32",
            Dtype::F64 => "f64",
            Dtype::I64 => "i64",
            Dtype::U32 => "u32",
            Dtype::U8 => "u8",
            Dtype::Bool => "bool",
        })
    }
}
