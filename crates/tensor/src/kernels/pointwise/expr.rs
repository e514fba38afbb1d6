//! Expressions: the notation in which a program is written.

use super::binary::{Binary, binary_operations};
use super::step::{Instruction, Opcode};
use super::unary::{Unary, unary_operations};
use smallvec::SmallVec;
use std::cell::RefCell;
use std::ops;

struct Builder {
    inputs: usize,
    steps: RefCell<SmallVec<[Instruction; 8]>>,
}

/// A value inside a [`Program`](super::Program) under construction. Expressions are written with operators and
/// methods.
#[derive(Clone, Copy)]
pub struct Expr<'b> {
    builder: &'b Builder,
    id: u8,
}

impl Expr<'_> {
    fn push(self, op: Opcode, b: u8, c: u8) -> Self {
        let mut steps = self.builder.steps.borrow_mut();
        let id = self.builder.inputs + steps.len();
        assert!(id < 255, "a program has at most 255 inputs and steps");
        steps.push(Instruction { op, args: [self.id, b, c] });
        Expr { id: id as u8, ..self }
    }

    /// Applies an operation of one operand.
    pub fn unary(self, op: Unary) -> Self {
        self.push(Opcode::Unary(op), 0, 0)
    }

    /// Applies an operation of two operands.
    pub fn binary(self, op: Binary, other: Self) -> Self {
        self.push(Opcode::Binary(op), other.id, 0)
    }

    /// Returns `a` where `self` is not zero, else `b`.
    pub fn select(self, a: Self, b: Self) -> Self {
        self.push(Opcode::Select, a.id, b.id)
    }
}

/// Returns the steps of an expression, and the operand numbers of its results.
pub(super) fn steps_of<const N: usize, const M: usize>(
    expression: impl for<'b> FnOnce([Expr<'b>; N]) -> [Expr<'b>; M],
) -> (SmallVec<[Instruction; 8]>, SmallVec<[u8; 4]>) {
    let builder = Builder { inputs: N, steps: RefCell::default() };
    let inputs = std::array::from_fn(|i| Expr { builder: &builder, id: i as u8 });
    let results = expression(inputs).iter().map(|e| e.id).collect();
    (builder.steps.into_inner(), results)
}

macro_rules! unary_methods {
    ($($(#[$doc:meta])* $Op:ident $(($c:ident: $C:ty = $example:expr))? as $method:ident $(in $programs:ident)?: |$x:ident| $y:expr;)*) => {
        impl Expr<'_> { $(
            $(#[$doc])*
            pub fn $method(self $(, $c: $C)?) -> Self {
                self.unary(Unary::$Op $(($c))?)
            }
        )* }
    };
}
unary_operations! { unary_methods }

macro_rules! binary_methods {
    ($($(#[$doc:meta])* $Op:ident as $method:ident $(in $marker:ident)?: |$a:ident, $b:ident| $y:expr;)*) => {
        impl Expr<'_> { $(
            $(#[$doc])*
            #[allow(clippy::should_implement_trait)] // the operators exist as well
            pub fn $method(self, other: Self) -> Self {
                self.binary(Binary::$Op, other)
            }
        )* }
    };
}
binary_operations! { binary_methods }

macro_rules! expression_operators {
    ($($Trait:ident $method:ident: |$x:ident, $c:ident| $right:expr, $left:expr;)*) => { $(
        impl<'b> ops::$Trait for Expr<'b> {
            type Output = Expr<'b>;
            fn $method(self, other: Expr<'b>) -> Expr<'b> {
                self.binary(Binary::$Trait, other)
            }
        }
        impl<'b> ops::$Trait<f64> for Expr<'b> {
            type Output = Expr<'b>;
            fn $method(self, $c: f64) -> Expr<'b> {
                let $x = self;
                $right
            }
        }
        impl<'b> ops::$Trait<Expr<'b>> for f64 {
            type Output = Expr<'b>;
            fn $method(self, $x: Expr<'b>) -> Expr<'b> {
                let $c = self;
                $left
            }
        }
    )* };
}
expression_operators! {
    Add add: |x, c| x.unary(Unary::Shift(c)), x.unary(Unary::Shift(c));
    Sub sub: |x, c| x.unary(Unary::Shift(-c)), (-x).unary(Unary::Shift(c));
    Mul mul: |x, c| x.unary(Unary::Scale(c)), x.unary(Unary::Scale(c));
    Div div: |x, c| x.unary(Unary::DivScalar(c)), x.unary(Unary::ScalarDiv(c));
}
impl<'b> ops::Neg for Expr<'b> {
    type Output = Expr<'b>;
    fn neg(self) -> Expr<'b> {
        self.unary(Unary::Neg)
    }
}
