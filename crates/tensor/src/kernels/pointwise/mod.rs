//! Pointwise operations: the opcodes with their loops, programs over them, and the tensor's
//! operators and methods, which are programs of one step.

mod binary;
mod kernel;
mod literals;
mod logic;
mod ops;
mod program;
mod sum;
#[cfg(test)]
mod tests;
mod unary;
mod whole;

pub use binary::Binary;
pub use kernel::{Opcode, Step};
pub use ops::Arithmetic;
pub use program::{Expr, Instruction, Program, Source};
pub use sum::Split;
pub use unary::Unary;
