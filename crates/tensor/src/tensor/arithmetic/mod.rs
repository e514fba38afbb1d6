//! Pointwise operators and methods of [`Tensor`].

mod functions;
mod integers;
mod literals;
mod logic;
#[cfg(test)]
mod tests;
mod unary;

use crate::kernels::pointwise::{PointwiseStep, in_parallel, single};
use crate::kernels::{Binary, Comparison, Instruction, NumberSource, Opcode, Program, Unary};
use crate::layout::{Collapsed, Shape, broadcasts_to};
use crate::machine::{PARALLEL, each_part};
use crate::shapes::{self, OrPanic};
use crate::tensor::{Element, Figure, Float, Given, Number, Operand, Tensor};
use smallvec::smallvec;
use std::cmp::Ordering::{Equal, Greater, Less};
use std::ops;

/// Arithmetic on whole tensors of one element type. Floats run compiled programs. Integers run loops
/// that give the exact result or panic.
pub trait Arithmetic: Sized {
    #[doc(hidden)]
    #[track_caller]
    fn binary(op: Binary, a: &Tensor<Self>, b: &Tensor<Self>, shape: Shape) -> Tensor<Self>
    where
        Self: Element;
    /// Computes `x op c` for the four operators.
    #[doc(hidden)]
    #[track_caller]
    fn with_number(op: Binary, x: &Tensor<Self>, c: f64) -> Tensor<Self>
    where
        Self: Element;
    /// Computes `x op c` for any operation.
    #[doc(hidden)]
    #[track_caller]
    fn with_figure(op: Binary, x: &Tensor<Self>, c: Figure) -> Tensor<Self>
    where
        Self: Element;
    /// Computes `c op x` for the four operators.
    #[doc(hidden)]
    #[track_caller]
    fn of_number(op: Binary, c: f64, x: &Tensor<Self>) -> Tensor<Self>
    where
        Self: Element;
    #[doc(hidden)]
    #[track_caller]
    fn negate(x: &Tensor<Self>) -> Tensor<Self>
    where
        Self: Element;
    #[doc(hidden)]
    #[track_caller]
    fn assign(op: Binary, a: &mut Tensor<Self>, b: &Tensor<Self>)
    where
        Self: Element;
    /// Computes `x op= c` for the four operators.
    #[doc(hidden)]
    #[track_caller]
    fn assign_number(op: Binary, x: &mut Tensor<Self>, c: f64)
    where
        Self: Element;
}

/// Returns the shape of `a`. Panics if `b` does not broadcast to it.
#[track_caller]
fn target_shape<T: Element>(op: Binary, a: &Tensor<T>, b: &Tensor<T>) -> Shape {
    let shape = a.shape();
    shapes::in_place(op.name(), &shape, &b.shape()).or_panic();
    shape
}

macro_rules! float_arithmetic {
    ($($t:ident)*) => { $(
        impl Arithmetic for $t {
            #[inline]
            fn binary(op: Binary, a: &Tensor<Self>, b: &Tensor<Self>, shape: Shape) -> Tensor<Self> {
                apply(Opcode::Binary(op), [a, b], shape)
            }
            #[inline]
            fn with_number(op: Binary, x: &Tensor<Self>, c: f64) -> Tensor<Self> {
                match op {
                    Binary::Add => x.unary(Unary::Shift(c)),
                    Binary::Sub => x.unary(Unary::Shift(-c)),
                    Binary::Mul => x.unary(Unary::Scale(c)),
                    Binary::Div => x.unary(Unary::DivScalar(c)),
                    _ => Self::binary(op, x, &Tensor::scalar_of(Self::of(c)), x.shape()),
                }
            }
            fn with_figure(op: Binary, x: &Tensor<Self>, c: Figure) -> Tensor<Self> {
                match (op, c) {
                    (Binary::Pow, Figure::Float(p)) => x.unary(Unary::Powf(p)),
                    (Binary::Pow, Figure::Integer(n)) => match i32::try_from(n) {
                        Ok(n) => x.unary(Unary::Powi(n)),
                        Err(_) => x.unary(Unary::Powf(n as f64)),
                    },
                    _ => {
                        let c = Tensor::scalar_of(c.element::<$t>(op.name()));
                        Self::binary(op, x, &c, x.shape())
                    }
                }
            }
            #[inline]
            fn of_number(op: Binary, c: f64, x: &Tensor<Self>) -> Tensor<Self> {
                match op {
                    Binary::Add => x.unary(Unary::Shift(c)),
                    Binary::Sub => x.unary(Unary::Neg).unary(Unary::Shift(c)),
                    Binary::Mul => x.unary(Unary::Scale(c)),
                    Binary::Div => x.unary(Unary::ScalarDiv(c)),
                    _ => Self::binary(op, &Tensor::scalar_of(Self::of(c)), x, x.shape()),
                }
            }
            #[inline]
            fn negate(x: &Tensor<Self>) -> Tensor<Self> {
                x.unary(Unary::Neg)
            }
            fn assign(op: Binary, a: &mut Tensor<Self>, b: &Tensor<Self>) {
                target_shape(op, a, b);
                Program::new(|[a, b]| [a.binary(op, b)]).update(&mut [a], &[b]);
            }
            fn assign_number(op: Binary, x: &mut Tensor<Self>, c: f64) {
                Self::assign(op, x, &Tensor::scalar_of(Self::of(c)));
            }
        }
    )* };
}
float_arithmetic! { f32 f64 }

/// Applies `f` to each element. `f` is moved to the loop: if it were captured by reference, the compiler would
/// assume that a store may change what it has captured.
fn each<T: Element, U: Element>(x: &Tensor<T>, f: impl Fn(T) -> U + Sync) -> Tensor<U> {
    let x = x.contiguous();
    let from = x.as_slice().unwrap_or_default();
    let mut out = Tensor::<U>::empty(x.shape());
    each_part(out.fresh_mut(), 1, from.len(), 64, move |range, to| {
        for (to, &x) in to.iter_mut().zip(&from[range]) {
            *to = f(x);
        }
    });
    out
}

/// Compares the elements of two operands, both broadcast to `shape`.
fn compare<T: Element>(op: Comparison, a: &Tensor<T>, b: &Tensor<T>, shape: Shape) -> Tensor<bool> {
    let mut out = Tensor::empty(shape);
    let (a, b) = (a.near(), b.near());
    let (a, b) = (a.source(&shape), b.source(&shape));
    // SAFETY: each source has the elements of its tensor, broadcast to `shape`.
    unsafe { T::compare(op, [&a, &b], out.fresh_mut()) }
    out
}

/// Compares the elements of a tensor with an element.
fn compare_with<T: Element>(op: Comparison, x: &Tensor<T>, c: T) -> Tensor<bool> {
    let mut out = Tensor::empty(x.shape());
    let (a, b) = (x.source(&x.shape()), NumberSource::repeated(&c, x.numel()));
    // SAFETY: both sources have as many elements as `x`.
    unsafe { T::compare(op, [&a, &b], out.fresh_mut()) }
    out
}

/// Applies one opcode to operands that broadcast to `shape`.
#[inline]
#[track_caller]
pub(crate) fn apply<T: Float, const N: usize>(
    op: Opcode,
    x: [&Tensor<T>; N],
    shape: Shape,
) -> Tensor<T> {
    Tensor::pointwise(op, x, &shape)
}

/// Results up to this many numbers are computed from contiguous copies of the operands.
const COPIED: usize = 1024;

/// Applies one opcode to operands of any layout that broadcast to `shape`.
#[inline(never)]
#[track_caller]
fn collected<T: Float, const N: usize>(op: Opcode, x: [&Tensor<T>; N], shape: &Shape) -> Tensor<T> {
    // Copies of a few numbers cost less than a program.
    if shape.numel() <= COPIED && x.iter().all(|x| broadcasts_to(&x.shape(), shape)) {
        let copies = x.map(|x| {
            if x.is_contiguous() && x.block.has_shape(shape) {
                return x.clone();
            }
            let mut copy = Tensor::empty_as(shape);
            let layout = Collapsed::new(shape, &x.broadcast_strides(shape));
            // SAFETY: the layout is that of `x`, broadcast to the shape of the copy.
            unsafe { T::copy(x.ptr(), layout, copy.fresh_mut()) }
            copy
        });
        // SAFETY: just made.
        return unsafe { in_order(op, copies.each_ref(), shape) };
    }
    let instruction = Instruction { op, args: [0, 1, 2] };
    Program::assemble(N, smallvec![instruction], smallvec![N as u8]).map(&x, shape)
}

/// Applies one opcode to contiguous operands of equal shape.
///
/// # Safety
/// The operands must be contiguous and have this shape.
#[inline]
unsafe fn in_order<T: Float, const N: usize>(
    op: Opcode,
    x: [&Tensor<T>; N],
    shape: &Shape,
) -> Tensor<T> {
    if op.arity() > N {
        too_few(op, N)
    }
    let mut out = Tensor::empty_as(shape);
    let n = out.numel();
    let mut args = [std::ptr::null(); 3];
    for (arg, x) in args.iter_mut().zip(x) {
        *arg = x.ptr();
    }
    let out_ptr = out.fresh_ptr();
    if n < PARALLEL {
        // SAFETY: all operands and the new result have `n` numbers.
        unsafe { PointwiseStep { op, args, out: out_ptr, n }.run() };
    } else {
        // SAFETY: as above.
        unsafe { in_parallel(op, args, out_ptr, n) };
    }
    out
}

#[cold]
fn too_few(op: Opcode, given: usize) -> ! {
    panic!("{op:?} reads {} operands, {given} are given", op.arity())
}

/// Returns the shape to which two operands broadcast.
///
/// # Panics
/// If the shapes do not broadcast.
#[inline]
#[track_caller]
fn common<T: Element>(op: &str, a: &Tensor<T>, b: &Tensor<T>) -> Shape {
    let (a, b) = (a.shape(), b.shape());
    if a == b {
        return a;
    }
    shapes::broadcast(op, &a, &b).or_panic()
}

impl<T: Float> Tensor<T> {
    /// Applies a pointwise operation of one operand.
    #[doc(hidden)]
    #[inline]
    pub fn unary(&self, op: Unary) -> Self {
        Self::pointwise(Opcode::Unary(op), [self], &self.shape())
    }

    /// Applies a pointwise operation of two operands, with broadcasting.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[doc(hidden)]
    #[inline]
    #[track_caller]
    pub fn binary(&self, op: Binary, other: &Self) -> Self {
        apply(Opcode::Binary(op), [self, other], common(op.name(), self, other))
    }

    /// Applies a pointwise operation to operands that broadcast to this shape.
    ///
    /// # Panics
    /// If an operand does not broadcast to this shape, or the number of operands is not the one that the
    /// operation reads.
    #[doc(hidden)]
    #[inline]
    #[track_caller]
    pub fn pointwise<const N: usize>(op: Opcode, operands: [&Self; N], shape: &Shape) -> Self {
        if shape.rank() == 0
            && operands.iter().all(|x| x.rank() == 0)
            // SAFETY: a tensor without axes has one element.
            && let Some(y) = single(op, operands.map(|x| unsafe { x.ptr().read() }))
        {
            return Tensor::scalar_of(y);
        }
        Self::pointwise_by_kernel(op, operands, shape)
    }

    /// Does the same as [`pointwise`](Tensor::pointwise) for operands of any shape.
    #[inline(never)]
    #[track_caller]
    fn pointwise_by_kernel<const N: usize>(
        op: Opcode,
        operands: [&Self; N],
        shape: &Shape,
    ) -> Self {
        if operands.iter().all(|x| x.is_contiguous() && x.block.has_shape(shape)) {
            // SAFETY: just checked.
            return unsafe { in_order(op, operands, shape) };
        }
        collected(op, operands, shape)
    }
}

impl<T: Float> Tensor<T> {
    /// Returns each element limited to the range from `low` to `high`: min(max(x, low), high).
    ///
    /// # Panics
    /// If `low > high`.
    #[track_caller]
    pub fn clamp(&self, low: f64, high: f64) -> Self {
        assert!(low <= high, "clamp: the lower bound {low} is greater than the upper bound {high}");
        self.clamp_min(low).clamp_max(high)
    }
}

impl<T: Number> Tensor<T> {
    #[track_caller]
    fn with(&self, op: Binary, other: Given<'_, T>) -> Self {
        match other {
            Given::Tensor(other) => T::binary(op, self, other, common(op.name(), self, other)),
            Given::Number(c) => T::with_figure(op, self, c),
        }
    }

    /// Returns the greater of two elements, element by element; NaN if either is NaN. `other` is a tensor or
    /// a number.
    ///
    /// # Panics
    /// If the shapes do not broadcast, or the result contains the number and the integer type cannot hold it.
    #[track_caller]
    #[allow(clippy::needless_pass_by_value)] // numbers and sums are written in place
    pub fn maximum(&self, other: impl Operand<T>) -> Self {
        self.with(Binary::Maximum, other.operand())
    }

    /// Returns the lesser of two elements, element by element; NaN if either is NaN. `other` is a tensor or
    /// a number.
    ///
    /// # Panics
    /// If the shapes do not broadcast, or the result contains the number and the integer type cannot hold it.
    #[track_caller]
    #[allow(clippy::needless_pass_by_value)] // numbers and sums are written in place
    pub fn minimum(&self, other: impl Operand<T>) -> Self {
        self.with(Binary::Minimum, other.operand())
    }

    /// Computes aᵇ, element by element. The exponent is a tensor or a number. Powers of integers are exact:
    /// 2⁻¹ is not an integer and panics.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([4.0, 9.0]);
    /// assert_eq!(x.pow(2).to_vec(), [16.0, 81.0]);
    /// assert_eq!(x.pow(0.5).to_vec(), [2.0, 3.0]);
    /// assert_eq!(x.pow(&Tensor::from([1.0, -1.0])).to_vec(), [4.0, 1.0 / 9.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast, or a power of integers is not an integer or does not fit the
    /// type.
    #[track_caller]
    #[allow(clippy::needless_pass_by_value)] // numbers and sums are written in place
    pub fn pow(&self, exponent: impl Operand<T>) -> Self {
        self.with(Binary::Pow, exponent.operand())
    }

    /// Computes x², element by element. Squares of integers are exact.
    ///
    /// # Panics
    /// If the square of an integer does not fit the type.
    #[track_caller]
    pub fn square(&self) -> Self {
        T::with_figure(Binary::Pow, self, Figure::Integer(2))
    }
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $Op:ident as $name:ident: ($orders:pat);)*) => {
        /// Comparisons with a tensor or a number. Every comparison with NaN is false, except `ne`.
        ///
        /// Integers and booleans (as 0 and 1) are compared with a number exactly. If the elements are
        /// floats, the number is first rounded to the element type.
        ///
        /// ```
        /// use wengert::tensor::Tensor;
        /// let labels = Tensor::from([2i64, 0, 1]);
        /// let predicted = Tensor::from([2i64, 1, 1]);
        /// assert_eq!(labels.eq(&predicted).to_vec(), [true, false, true]);
        /// assert_eq!(labels.gt(0).to_vec(), [true, false, true]);
        /// assert_eq!(labels.lt(1.5).to_vec(), [false, true, true]);
        /// ```
        impl<T: Element> Tensor<T> { $(
            $(#[$doc])*
            ///
            /// # Panics
            /// If the shapes do not broadcast.
            #[track_caller]
            #[allow(clippy::needless_pass_by_value)] // numbers and sums are written in place
            pub fn $name(&self, other: impl Operand<T>) -> Tensor<bool> {
                match other.operand() {
                    Given::Tensor(other) => {
                        let shape = common(stringify!($name), self, other);
                        compare(Comparison::$Op, self, other, shape)
                    }
                    Given::Number(c) => match T::number(c) {
                        Some(c) => compare_with(Comparison::$Op, self, c),
                        // No element has this value.
                        None => each(self, move |x| matches!(c.order(x), $orders)),
                    },
                }
            }
        )* }
    };
}
comparisons! {
    /// Returns a > b, element by element.
    Gt as gt: (Some(Greater));
    /// Returns a ≥ b, element by element.
    Ge as ge: (Some(Greater | Equal));
    /// Returns a < b, element by element.
    Lt as lt: (Some(Less));
    /// Returns a ≤ b, element by element.
    Le as le: (Some(Less | Equal));
    /// Returns a = b, element by element. The operator `==` compares whole tensors instead.
    Eq as eq: (Some(Equal));
    /// Returns a ≠ b, element by element. The operator `!=` compares whole tensors instead.
    Ne as ne: (None | Some(Less | Greater));
}

macro_rules! operators {
    ($($Trait:ident $method:ident $Assign:ident $assign:ident;)*) => { $(
        impl<T: Number> ops::$Trait<&Tensor<T>> for &Tensor<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, other: &Tensor<T>) -> Tensor<T> {
                T::binary(Binary::$Trait, self, other, common(stringify!($method), self, other))
            }
        }
        impl<T: Number> ops::$Trait<Tensor<T>> for &Tensor<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, other: Tensor<T>) -> Tensor<T> {
                self.$method(&other)
            }
        }
        impl<T: Number> ops::$Trait<&Tensor<T>> for Tensor<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, other: &Tensor<T>) -> Tensor<T> {
                (&self).$method(other)
            }
        }
        impl<T: Number> ops::$Trait<Tensor<T>> for Tensor<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, other: Tensor<T>) -> Tensor<T> {
                (&self).$method(&other)
            }
        }
        impl<T: Number> ops::$Trait<f64> for &Tensor<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, c: f64) -> Tensor<T> {
                T::with_number(Binary::$Trait, self, c)
            }
        }
        impl<T: Number> ops::$Trait<f64> for Tensor<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, c: f64) -> Tensor<T> {
                (&self).$method(c)
            }
        }
        impl<T: Number> ops::$Trait<&Tensor<T>> for f64 {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, x: &Tensor<T>) -> Tensor<T> {
                T::of_number(Binary::$Trait, self, x)
            }
        }
        impl<T: Number> ops::$Trait<Tensor<T>> for f64 {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, x: Tensor<T>) -> Tensor<T> {
                self.$method(&x)
            }
        }
        /// If the operation panics, the tensor is unchanged.
        impl<T: Number> ops::$Assign<&Tensor<T>> for Tensor<T> {
            #[track_caller]
            fn $assign(&mut self, other: &Tensor<T>) {
                T::assign(Binary::$Trait, self, other);
            }
        }
        /// If the operation panics, the tensor is unchanged.
        impl<T: Number> ops::$Assign<f64> for Tensor<T> {
            #[track_caller]
            fn $assign(&mut self, c: f64) {
                T::assign_number(Binary::$Trait, self, c);
            }
        }
    )* };
}
operators! {
    Add add AddAssign add_assign;
    Sub sub SubAssign sub_assign;
    Mul mul MulAssign mul_assign;
    Div div DivAssign div_assign;
}

impl<T: Number> ops::Neg for &Tensor<T> {
    type Output = Tensor<T>;
    #[track_caller]
    fn neg(self) -> Tensor<T> {
        T::negate(self)
    }
}
impl<T: Number> ops::Neg for Tensor<T> {
    type Output = Tensor<T>;
    #[track_caller]
    fn neg(self) -> Tensor<T> {
        -&self
    }
}
