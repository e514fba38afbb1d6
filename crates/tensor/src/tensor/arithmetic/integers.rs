//! Arithmetic of integers. The result is exact, or the operation panics with a message that says what does
//! not fit and how to correct it.

use super::{Arithmetic, target_shape};
use crate::kernels::{Binary, IntegerKernels};
use crate::layout::Shape;
use crate::machine::each_part;
use crate::number::Dtype;
use crate::tensor::{Element, Figure, Number, Tensor};
use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};

/// The operations on two elements; `None` if the result does not fit the type.
mod formula {
    use super::{Binary, floats_only, power, remainder};

    macro_rules! formulas {
        ($($t:ident)*) => { $(
            pub(super) fn $t(op: Binary) -> fn($t, $t) -> Option<$t> {
                match op {
                    Binary::Add => $t::checked_add,
                    Binary::Sub => $t::checked_sub,
                    Binary::Mul => $t::checked_mul,
                    Binary::Div => $t::checked_div,
                    Binary::Pow => |a, b| power(a.into(), b.into())?.try_into().ok(),
                    Binary::Maximum => |a, b| Some(a.max(b)),
                    Binary::Minimum => |a, b| Some(a.min(b)),
                    Binary::Gt => |a, b| Some((a > b).into()),
                    Binary::Ge => |a, b| Some((a >= b).into()),
                    Binary::Lt => |a, b| Some((a < b).into()),
                    Binary::Le => |a, b| Some((a <= b).into()),
                    Binary::Eq => |a, b| Some((a == b).into()),
                    Binary::Ne => |a, b| Some((a != b).into()),
                    Binary::Gate => |a, b| Some(if a == 0 { b } else { 0 }),
                    Binary::Fmod => |a, b| (b != 0).then(|| a.wrapping_rem(b)),
                    Binary::Remainder => |a, b| remainder(a.into(), b.into())?.try_into().ok(),
                    Binary::Atan2 | Binary::Hypot | Binary::Copysign => floats_only(op),
                    Binary::Xlogy | Binary::Logaddexp => floats_only(op),
                }
            }
        )* };
    }
    formulas! { i64 u32 u8 }
}

/// Computes an operation one element at a time, and panics at the first result that does not fit.
#[track_caller]
fn one_by_one<T: IntegerRange>(
    op: Binary,
    operands: [&Tensor<T>; 2],
    shape: Shape,
    out: &mut [T],
    f: fn(T, T) -> Option<T>,
) {
    let [a, b] = operands.map(|x| x.broadcast_to(&shape).contiguous());
    let (a, b) = (numbers(&a), numbers(&b));
    let (n, fits) = (out.len(), AtomicBool::new(true));
    each_part(out, 1, n, 64, |range, to| {
        for ((to, &a), &b) in to.iter_mut().zip(&a[range.clone()]).zip(&b[range]) {
            let Some(exact) = f(a, b) else { return fits.store(false, Ordering::Relaxed) };
            *to = exact;
        }
    });
    if !fits.into_inner()
        && let Some((&a, &b)) = a.iter().zip(b).find(|&(&a, &b)| f(a, b).is_none())
    {
        refuse::<T>(op, [a.into(), b.into()], [&a, &b]);
    }
}

macro_rules! integer_arithmetic {
    ($($t:ident)*) => { $(
        impl Arithmetic for $t {
            fn binary(op: Binary, a: &Tensor<Self>, b: &Tensor<Self>, shape: Shape) -> Tensor<Self> {
                let mut out = Tensor::empty(shape);
                let (a, b) = (a.near(), b.near());
                let sources = [&a.source(&shape), &b.source(&shape)];
                // SAFETY: each source has the elements of its tensor, broadcast to `shape`.
                let fits = unsafe { $t::zip(op, sources, out.fresh_mut()) };
                if fits != Some(true) {
                    one_by_one(op, [&a, &b], shape, out.fresh_mut(), formula::$t(op));
                }
                out
            }
            fn with_number(op: Binary, x: &Tensor<Self>, c: f64) -> Tensor<Self> {
                Self::with_figure(op, x, c.into())
            }
            fn with_figure(op: Binary, x: &Tensor<Self>, c: Figure) -> Tensor<Self> {
                let integer = integer::<$t>(op, c);
                if let Ok(c) = Self::try_from(integer) {
                    return Self::binary(op, x, &Tensor::scalar_of(c), x.shape());
                }
                outside(op, x, |x| [x, integer], |x| [x, c.to_string()])
            }
            fn of_number(op: Binary, c: f64, x: &Tensor<Self>) -> Tensor<Self> {
                let c = Figure::Float(c);
                let integer = integer::<$t>(op, c);
                if let Ok(c) = Self::try_from(integer) {
                    return Self::binary(op, &Tensor::scalar_of(c), x, x.shape());
                }
                outside(op, x, |x| [integer, x], |x| [c.to_string(), x])
            }
            fn negate(x: &Tensor<Self>) -> Tensor<Self> {
                let x = x.contiguous();
                let mut out = Tensor::empty(x.shape());
                for (y, &x) in out.fresh_mut().iter_mut().zip(numbers(&x)) {
                    match x.checked_neg() {
                        Some(exact) => *y = exact,
                        None => does_not_fit::<$t>("neg", &format!("the negative of {x}")),
                    }
                }
                out
            }
            fn assign(op: Binary, a: &mut Tensor<Self>, b: &Tensor<Self>) {
                *a = Self::binary(op, a, b, target_shape(op, a, b));
            }
            fn assign_number(op: Binary, x: &mut Tensor<Self>, c: f64) {
                *x = Self::with_number(op, x, c);
            }
        }
        impl IntegerRange for $t {
            const RANGE: [i128; 2] = [$t::MIN as i128, $t::MAX as i128];
        }
    )* };
}
integer_arithmetic! { i64 u32 u8 }

/// The smallest and the largest number of an integer type.
trait IntegerRange: Number + Into<i128> {
    const RANGE: [i128; 2];
}

fn numbers<T: Element>(x: &Tensor<T>) -> &[T] {
    x.as_slice().unwrap_or_default()
}

/// Computes with a number outside the range of the type. Only the results must fit the type.
#[track_caller]
fn outside<T: IntegerRange>(
    op: Binary,
    x: &Tensor<T>,
    operands: impl Fn(i128) -> [i128; 2],
    texts: impl Fn(String) -> [String; 2],
) -> Tensor<T> {
    let x = x.contiguous();
    let mut out = Tensor::empty(x.shape());
    for (y, &x) in out.fresh_mut().iter_mut().zip(numbers(&x)) {
        let [a, b] = operands(x.into());
        if let Some(exact) = exact(op, a, b).and_then(T::exactly) {
            *y = exact;
        } else {
            let [text_a, text_b] = texts(x.to_string());
            refuse::<T>(op, [a, b], [&text_a, &text_b]);
        }
    }
    out
}

/// Computes an operation exactly in `i128`; `None` if the result does not fit, and for `Gate` and
/// comparisons.
fn exact(op: Binary, a: i128, b: i128) -> Option<i128> {
    match op {
        Binary::Add => a.checked_add(b),
        Binary::Sub => a.checked_sub(b),
        Binary::Mul => a.checked_mul(b),
        Binary::Div => a.checked_div(b),
        Binary::Pow => power(a, b),
        Binary::Maximum => Some(a.max(b)),
        Binary::Minimum => Some(a.min(b)),
        Binary::Fmod => a.checked_rem(b),
        Binary::Remainder => remainder(a, b),
        _ => None,
    }
}

/// Returns aᵇ if it is an integer and fits `i128`.
fn power(a: i128, b: i128) -> Option<i128> {
    match (a, b) {
        (1, _) => Some(1),
        (-1, _) => Some(if b % 2 == 0 { 1 } else { -1 }),
        (0, 1..) => Some(0),
        // With |a| ≥ 2 the power overflows long before the exponent exceeds `u32`. A negative
        // exponent gives `None`.
        _ => a.checked_pow(b.try_into().ok()?),
    }
}

/// Returns the remainder of a / b with the sign of b; `None` for b = 0.
fn remainder(a: i128, b: i128) -> Option<i128> {
    let r = a.checked_rem(b)?;
    Some(if r != 0 && (r < 0) != (b < 0) { r + b } else { r })
}

fn floats_only(op: Binary) -> ! {
    unreachable!("{} has no method for integers", op.name())
}

/// Returns the number as an `i128`. Panics if it is not an integer. A number outside the range of
/// `i128` gives the nearest even `i128`.
#[track_caller]
fn integer<T: IntegerRange>(op: Binary, c: Figure) -> i128 {
    match c.integer() {
        Some(integer) => integer,
        None => panic!(
            "{}: {c} is not an integer, and the tensor holds {}: cast first, for example \
             x.cast::<f64>()",
            op.name(),
            T::DTYPE
        ),
    }
}

/// Panics with the reason why an operation on integers has no result.
#[cold]
#[track_caller]
fn refuse<T: IntegerRange>(
    op: Binary,
    [a, b]: [i128; 2],
    [text_a, text_b]: [&dyn Display; 2],
) -> ! {
    let sign = match op {
        Binary::Div | Binary::Fmod | Binary::Remainder if b == 0 => {
            panic!("{}: division by zero: {text_a} / 0", op.name())
        }
        Binary::Pow if b < 0 && a == 0 => panic!("pow: 0 to the power of {text_b} divides by zero"),
        Binary::Pow if b < 0 => panic!(
            "pow: {text_a} to the power of {text_b} is not an integer: cast first, for example \
             x.cast::<f64>()"
        ),
        Binary::Pow => "to the power of",
        Binary::Maximum | Binary::Minimum => {
            let first = (a > b) == (op == Binary::Maximum);
            does_not_fit::<T>(op.name(), &(if first { text_a } else { text_b }).to_string())
        }
        Binary::Add => "+",
        Binary::Sub => "-",
        Binary::Mul => "*",
        Binary::Fmod | Binary::Remainder => {
            does_not_fit::<T>(op.name(), &format!("the remainder of {text_a} / {text_b}"))
        }
        _ => "/",
    };
    does_not_fit::<T>(op.name(), &format!("{text_a} {sign} {text_b}"))
}

#[cold]
#[track_caller]
fn does_not_fit<T: IntegerRange>(op: &str, what: &str) -> ! {
    let (dtype, [least, largest]) = (T::DTYPE, T::RANGE);
    let wider = if dtype == Dtype::I64 { Dtype::F64 } else { Dtype::I64 };
    panic!(
        "{op}: {what} does not fit {dtype} ({least} to {largest}): cast first, for example \
         x.cast::<{wider}>()"
    )
}

#[cfg(test)]
mod tests;
