//! Pointwise operations: the opcodes with their loops, and programs of them.

mod binary;
mod kernel;
mod program;
mod sum;
mod unary;

pub use binary::Binary;

pub(crate) use kernel::in_parallel;
pub use kernel::{Opcode, Pointwise, PointwiseStep};
pub use program::{Expr, Instruction, Program, ProgramInput};
pub use sum::Split;
pub use unary::Unary;
#[cfg(test)]
pub(crate) use unary::meaning;
pub(crate) use unary::unary_operations;
