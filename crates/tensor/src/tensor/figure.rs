//! A number as the caller wrote it.

use std::fmt;

/// A number as the caller wrote it: a float or an integer.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Figure {
    Float(f64),
    Integer(i128),
}

impl Figure {
    /// Returns the exact value if the number is an integer. A float outside the range of `i128` becomes the
    /// nearest even `i128`, because all floats from 2⁵³ on are even.
    pub(crate) fn integer(self) -> Option<i128> {
        match self {
            Figure::Integer(c) => Some(c),
            Figure::Float(c) if c.fract() != 0.0 => None,
            Figure::Float(c) if c >= i128::MAX as f64 => Some(i128::MAX - 1),
            Figure::Float(c) => Some(c as i128),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Figure::Integer(c) => write!(f, "{c}"),
            Figure::Float(c) if c.abs() < 1e16 => write!(f, "{c}"),
            // Scientific notation, which avoids hundreds of zeros.
            Figure::Float(c) => write!(f, "{c:e}"),
        }
    }
}

impl From<f64> for Figure {
    fn from(c: f64) -> Self {
        Figure::Float(c)
    }
}

macro_rules! integers {
    ($($t:ident)*) => { $(
        impl From<$t> for Figure {
            fn from(c: $t) -> Self {
                Figure::Integer(c as i128)
            }
        }
    )* };
}
integers! { i32 i64 usize u8 u32 }
