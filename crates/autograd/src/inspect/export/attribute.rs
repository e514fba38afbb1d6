//! Parameters of operations.

use std::fmt;

/// A parameter of an operation besides its operands: a number, an axis, sizes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Attribute {
    /// A number.
    Number(f64),
    /// An integer: an axis, a step.
    Integer(i64),
    /// Integers: an order of axes, a stride in each direction.
    List(Vec<i64>),
    /// A boolean.
    Switch(bool),
    /// A text.
    Text(String),
}

impl Attribute {
    /// Returns whether the two are equal. A NaN equals itself.
    pub(super) fn is_same(&self, other: &Attribute) -> bool {
        match (self, other) {
            (Attribute::Number(a), Attribute::Number(b)) => a.to_bits() == b.to_bits(),
            (a, b) => a == b,
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Attribute::Number(x) => x.fmt(f),
            Attribute::Integer(n) => n.fmt(f),
            Attribute::List(list) => {
                f.write_str("[")?;
                for (i, n) in list.iter().enumerate() {
                    write!(f, "{}{n}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str("]")
            }
            Attribute::Switch(on) => on.fmt(f),
            Attribute::Text(words) => words.fmt(f),
        }
    }
}

impl From<f64> for Attribute {
    fn from(x: f64) -> Self {
        Attribute::Number(x)
    }
}
impl From<u8> for Attribute {
    fn from(n: u8) -> Self {
        Attribute::Integer(n.into())
    }
}
impl From<u32> for Attribute {
    fn from(n: u32) -> Self {
        Attribute::Integer(n.into())
    }
}
impl From<i32> for Attribute {
    fn from(n: i32) -> Self {
        Attribute::Integer(n.into())
    }
}
impl From<i64> for Attribute {
    fn from(n: i64) -> Self {
        Attribute::Integer(n)
    }
}
impl From<usize> for Attribute {
    fn from(n: usize) -> Self {
        Attribute::Integer(n as i64)
    }
}
impl From<bool> for Attribute {
    fn from(on: bool) -> Self {
        Attribute::Switch(on)
    }
}
impl From<[usize; 2]> for Attribute {
    fn from(pair: [usize; 2]) -> Self {
        Attribute::List(pair.map(|n| n as i64).into())
    }
}
impl From<&[isize]> for Attribute {
    fn from(list: &[isize]) -> Self {
        Attribute::List(list.iter().map(|&n| n as i64).collect())
    }
}
impl From<&str> for Attribute {
    fn from(words: &str) -> Self {
        Attribute::Text(words.into())
    }
}
