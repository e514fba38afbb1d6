//! The tensor's pointwise operators and methods.

use super::kernel::Step;
use super::{Binary, Instruction, Opcode, Program, Unary};
use crate::element::{Element, Float, Number};
use crate::parallel::{PARALLEL, Shared, ranges};
use crate::shape::Shape;
use crate::shapes::{self, OrPanic};
use crate::tensor::Tensor;
use smallvec::smallvec;
use std::ops;

/// How a type of numbers does arithmetic on whole tensors: floats by programs, integers by loops.
pub trait Arithmetic: Sized {
    #[doc(hidden)]
    fn binary(op: Binary, a: &Tensor<Self>, b: &Tensor<Self>, shape: Shape) -> Tensor<Self>
    where
        Self: Element;
    #[doc(hidden)]
    fn unary(op: Unary, x: &Tensor<Self>) -> Tensor<Self>
    where
        Self: Element;
    #[doc(hidden)]
    #[track_caller]
    fn assign(op: Binary, a: &mut Tensor<Self>, b: &Tensor<Self>)
    where
        Self: Element;
}

/// The shape of `a`, to which `b` must broadcast.
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
            fn unary(op: Unary, x: &Tensor<Self>) -> Tensor<Self> {
                x.unary(op)
            }
            fn assign(op: Binary, a: &mut Tensor<Self>, b: &Tensor<Self>) {
                target_shape(op, a, b);
                Program::new(|[a, b]| [a.binary(op, b)]).update(&mut [a], &[b]);
            }
        }
    )* };
}
float_arithmetic! { f32 f64 }

macro_rules! integer_arithmetic {
    ($($t:ident)*) => { $(
        impl Arithmetic for $t {
            fn binary(op: Binary, a: &Tensor<Self>, b: &Tensor<Self>, shape: Shape) -> Tensor<Self> {
                let f: fn($t, $t) -> $t = match op {
                    Binary::Add => $t::wrapping_add,
                    Binary::Sub => $t::wrapping_sub,
                    Binary::Mul => $t::wrapping_mul,
                    Binary::Div => |a, b| a / b,
                    Binary::Pow => |a, b| a.wrapping_pow(u32::try_from(b).unwrap_or(0)),
                    Binary::Maximum => Ord::max,
                    Binary::Minimum => Ord::min,
                    Binary::Gt => |a, b| (a > b).into(),
                    Binary::Ge => |a, b| (a >= b).into(),
                    Binary::Lt => |a, b| (a < b).into(),
                    Binary::Le => |a, b| (a <= b).into(),
                    Binary::Eq => |a, b| (a == b).into(),
                    Binary::Ne => |a, b| (a != b).into(),
                };
                zip(a, b, shape, f)
            }
            fn unary(op: Unary, x: &Tensor<Self>) -> Tensor<Self> {
                let with = |op, c: f64| Self::binary(op, x, &Tensor::scalar_of(Self::of(c)), x.shape());
                match op {
                    // Through f64 only where the constant is one: 2⁵³ and more stay exact.
                    Unary::Shift(c) if c < 0.0 => with(Binary::Sub, -c),
                    Unary::Shift(c) => with(Binary::Add, c),
                    Unary::Scale(c) if c == c.trunc() => with(Binary::Mul, c),
                    Unary::Neg => zip(&Tensor::scalar_of(0), x, x.shape(), $t::wrapping_sub),
                    _ => x.cast::<f64>().unary(op).cast(),
                }
            }
            fn assign(op: Binary, a: &mut Tensor<Self>, b: &Tensor<Self>) {
                *a = Self::binary(op, a, b, target_shape(op, a, b));
            }
        }
    )* };
}
integer_arithmetic! { i64 u32 u8 }

/// Element by element over operands that broadcast to `shape`.
fn zip<T: Element, U: Element>(
    a: &Tensor<T>,
    b: &Tensor<T>,
    shape: Shape,
    f: impl Fn(T, T) -> U,
) -> Tensor<U> {
    let [a, b] = [a, b].map(|x| x.broadcast_to(&shape).contiguous());
    let mut out = Tensor::empty(shape);
    let pairs = a.as_slice().unwrap_or_default().iter().zip(b.as_slice().unwrap_or_default());
    for (y, (&a, &b)) in out.fresh_mut().iter_mut().zip(pairs) {
        *y = f(a, b);
    }
    out
}

/// One opcode over operands that broadcast to `shape`.
#[inline]
#[track_caller]
pub(crate) fn apply<T: Float, const N: usize>(
    op: Opcode,
    x: [&Tensor<T>; N],
    shape: Shape,
) -> Tensor<T> {
    Tensor::pointwise(op, x, &shape)
}

/// The same where they do not lie in order, or have other shapes.
#[inline(never)]
#[track_caller]
fn collected<T: Float, const N: usize>(op: Opcode, x: [&Tensor<T>; N], shape: &Shape) -> Tensor<T> {
    let instruction = Instruction { op, args: [0, 1, 2] };
    Program::assemble(N, smallvec![instruction], smallvec![N as u8]).map(&x, shape)
}

/// One opcode over contiguous operands of equal shape.
///
/// # Safety
/// The operands are contiguous and have this shape.
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
        unsafe { Step { op, args, out: out_ptr, n }.run() };
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

#[cold]
unsafe fn in_parallel<T: Float>(op: Opcode, args: [*const T; 3], out: *mut T, n: usize) {
    let (args, out) = (args.map(|p| Shared(p.cast_mut())), Shared(out));
    ranges(n, n, 64, |range| {
        let args = args.map(|p| p.get().cast_const().wrapping_add(range.start));
        // SAFETY: as in `in_order`; ranges are disjoint.
        unsafe { Step { op, args, out: out.get().add(range.start), n: range.len() }.run() };
    });
}

/// The shape two operands broadcast to.
///
/// # Panics
/// If they do not.
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
    /// Any pointwise operation of one operand.
    #[inline]
    pub fn unary(&self, op: Unary) -> Self {
        Self::pointwise(Opcode::Unary(op), [self], &self.shape())
    }

    /// Any pointwise operation of two operands, with broadcasting.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[inline]
    #[track_caller]
    pub fn binary(&self, op: Binary, other: &Self) -> Self {
        apply(Opcode::Binary(op), [self, other], common(op.name(), self, other))
    }

    /// Any pointwise operation on operands that broadcast to this shape.
    ///
    /// # Panics
    /// If one does not, or the operation has another number of operands.
    #[doc(hidden)]
    #[inline]
    #[track_caller]
    pub fn pointwise<const N: usize>(op: Opcode, operands: [&Self; N], shape: &Shape) -> Self {
        if operands.iter().all(|x| x.is_contiguous() && x.block.has_shape(shape)) {
            // SAFETY: just checked.
            return unsafe { in_order(op, operands, shape) };
        }
        collected(op, operands, shape)
    }
}

impl<T: Float> Tensor<T> {
    /// min(max(x, low), high)
    ///
    /// # Panics
    /// If `low > high`.
    #[track_caller]
    pub fn clamp(&self, low: f64, high: f64) -> Self {
        assert!(low <= high, "clamp: {low} is greater than {high}");
        self.clamp_min(low).clamp_max(high)
    }
}

impl<T: Number> Tensor<T> {
    /// The greater of two, element by element.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn maximum(&self, other: &Self) -> Self {
        T::binary(Binary::Maximum, self, other, common("maximum", self, other))
    }

    /// The lesser of two, element by element.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn minimum(&self, other: &Self) -> Self {
        T::binary(Binary::Minimum, self, other, common("minimum", self, other))
    }

    /// aᵇ, element by element.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn pow(&self, other: &Self) -> Self {
        T::binary(Binary::Pow, self, other, common("pow", self, other))
    }
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident $scalar:ident $op:tt;)*) => {
        /// Comparisons.
        impl<T: Element> Tensor<T> { $(
            $(#[$doc])*
            ///
            /// # Panics
            /// If the shapes do not broadcast.
            #[track_caller]
            pub fn $name(&self, other: &Self) -> Tensor<bool> {
                zip(self, other, common(stringify!($name), self, other), |a, b| a $op b)
            }
            /// The same with a number.
            pub fn $scalar(&self, c: f64) -> Tensor<bool> {
                self.$name(&Tensor::scalar_of(T::of(c)))
            }
        )* }
    };
}
comparisons! {
    /// a > b
    gt gt_scalar >;
    /// a ≥ b
    ge ge_scalar >=;
    /// a < b
    lt lt_scalar <;
    /// a ≤ b
    le le_scalar <=;
    /// a = b
    equal equal_scalar ==;
    /// a ≠ b
    not_equal not_equal_scalar !=;
}

macro_rules! operators {
    ($($Trait:ident $method:ident $Assign:ident $assign:ident: |$x:ident, $c:ident| $right:expr, $left:expr;)*) => { $(
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
            fn $method(self, $c: f64) -> Tensor<T> {
                let $x = self;
                $right
            }
        }
        impl<T: Number> ops::$Trait<f64> for Tensor<T> {
            type Output = Tensor<T>;
            fn $method(self, c: f64) -> Tensor<T> {
                (&self).$method(c)
            }
        }
        impl<T: Number> ops::$Trait<&Tensor<T>> for f64 {
            type Output = Tensor<T>;
            fn $method(self, $x: &Tensor<T>) -> Tensor<T> {
                let $c = self;
                $left
            }
        }
        impl<T: Number> ops::$Trait<Tensor<T>> for f64 {
            type Output = Tensor<T>;
            fn $method(self, x: Tensor<T>) -> Tensor<T> {
                self.$method(&x)
            }
        }
        impl<T: Number> ops::$Assign<&Tensor<T>> for Tensor<T> {
            #[track_caller]
            fn $assign(&mut self, other: &Tensor<T>) {
                T::assign(Binary::$Trait, self, other);
            }
        }
    )* };
}
operators! {
    Add add AddAssign add_assign: |x, c| T::unary(Unary::Shift(c), x), T::unary(Unary::Shift(c), x);
    Sub sub SubAssign sub_assign: |x, c| T::unary(Unary::Shift(-c), x), T::unary(Unary::Shift(c), &T::unary(Unary::Neg, x));
    Mul mul MulAssign mul_assign: |x, c| T::unary(Unary::Scale(c), x), T::unary(Unary::Scale(c), x);
    Div div DivAssign div_assign: |x, c| x / &Tensor::scalar_of(T::of(c)), &Tensor::scalar_of(T::of(c)) / x;
}

impl<T: Number> ops::Neg for &Tensor<T> {
    type Output = Tensor<T>;
    fn neg(self) -> Tensor<T> {
        T::unary(Unary::Neg, self)
    }
}
impl<T: Number> ops::Neg for Tensor<T> {
    type Output = Tensor<T>;
    fn neg(self) -> Tensor<T> {
        -&self
    }
}
