//! Pointwise operations: the opcodes with their loops, and programs of them.

mod binary;
mod expr;
mod far;
mod pair;
mod program;
mod single;
mod step;
mod sum;
mod unary;

pub use binary::Binary;

pub use expr::Expr;
pub use program::Program;
pub(crate) use single::single;
pub(crate) use step::in_parallel;
pub use step::{Instruction, Opcode, Pointwise, PointwiseStep};
pub use sum::Split;
pub use unary::Unary;
#[cfg(test)]
pub(crate) use unary::meaning;
pub(crate) use unary::unary_operations;
