//! Arithmetic on single numbers, without a loop.
//!
//! In a graph of single numbers, the way to a kernel takes longer than the kernel: the choice of the instruction
//! set, the call through memory, the beginning and the end of a loop over vectors. The operations in this file are
//! one rounded operation of IEEE 754. Its bits are the same on every instruction set, so that no choice is needed.

use super::binary::Binary;
use super::step::{Opcode, Pointwise};
use super::unary::Unary;

/// Applies an operation to single numbers, if it is one of arithmetic with this number of operands; else returns
/// `None`. The result has the bits of the operation's kernel.
#[inline(always)]
pub(crate) fn single<T: Pointwise, const N: usize>(op: Opcode, x: [T; N]) -> Option<T> {
    match (x[..].as_ref(), op) {
        (&[x], Opcode::Unary(op)) => match op {
            Unary::Neg => Some(-x),
            Unary::Scale(c) => Some(x * T::narrow(c)),
            Unary::Shift(c) => Some(x + T::narrow(c)),
            Unary::DivScalar(c) => Some(x / T::narrow(c)),
            Unary::ScalarDiv(c) => Some(T::narrow(c) / x),
            Unary::Powi(2) => Some(x * x),
            _ => None,
        },
        (&[a, b], Opcode::Binary(op)) => match op {
            Binary::Add => Some(a + b),
            Binary::Sub => Some(a - b),
            Binary::Mul => Some(a * b),
            Binary::Div => Some(a / b),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::pointwise::PointwiseStep;
    use crate::testing::{EDGES, bits};

    /// Returns the result of the kernel, and the single result, as bits of `f64`; NaNs are one number.
    fn both<T: Pointwise, const N: usize>(op: Opcode, x: [T; N]) -> Option<(u64, u64)> {
        let mut args = [std::ptr::null(); 3];
        args.iter_mut().zip(&x).for_each(|(arg, x)| *arg = std::ptr::from_ref(x));
        let mut y = T::default();
        // SAFETY: there is one number for each operand and one place for the result.
        unsafe { PointwiseStep { op, args, out: &raw mut y, n: 1 }.run() };
        Some((bits(y), bits(single(op, x)?)))
    }

    fn agree<T: Pointwise>() {
        let (mut unary, mut binary) = (0, 0);
        for a in EDGES.map(T::narrow) {
            let constants = EDGES.into_iter().flat_map(|c| {
                [Unary::Scale(c), Unary::Shift(c), Unary::DivScalar(c), Unary::ScalarDiv(c)]
            });
            for op in Unary::ALL.iter().copied().chain([Unary::Powi(2)]).chain(constants) {
                if let Some((kernel, single)) = both(Opcode::Unary(op), [a]) {
                    assert_eq!(kernel, single, "{op:?} of {}", a.widen());
                    unary += 1;
                }
            }
            for b in EDGES.map(T::narrow) {
                for &op in Binary::ALL {
                    if let Some((kernel, single)) = both(Opcode::Binary(op), [a, b]) {
                        assert_eq!(kernel, single, "{op:?} of {} and {}", a.widen(), b.widen());
                        binary += 1;
                    }
                }
            }
        }
        // Neg, a square, and four operations with the constant of the table and with each of the numbers.
        assert_eq!(unary, EDGES.len() * (2 + 4 * (1 + EDGES.len())));
        assert_eq!(binary, EDGES.len() * EDGES.len() * 4);
    }

    #[test]
    fn a_single_result_has_the_bits_of_the_kernel() {
        agree::<f32>();
        agree::<f64>();
    }

    #[test]
    fn another_number_of_operands_is_left_to_the_kernel() {
        assert_eq!(single(Opcode::Unary(Unary::Neg), [1.0f32, 2.0]), None);
        assert_eq!(single(Opcode::Binary(Binary::Add), [1.0f32]), None);
    }
}
