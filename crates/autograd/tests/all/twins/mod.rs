//! Methods of variables and methods of tensors with the same name return the same bits: for several memory
//! layouts, in f32 and f64, with both policies.

mod axes;
mod elements;
mod others;
mod products;
mod reductions;

use wengert_autograd::{Policy, Tape, Var};
use wengert_tensor::{Float, Tensor};

/// Returns numbers of both signs that need rounding, among them zeros of both signs, small and large ones.
fn numbers<T: Float>(shape: &[usize], seed: usize) -> Tensor<T> {
    let special = [0.0, -0.0, 1.0, -1.0, 1e30, 1e-30, 49.0, 0.1, 1e4, -1e4];
    Tensor::from_fn(shape, |i| {
        let k = (i * 7919 + seed * 104729 + 13) % 1009;
        T::of(if k < special.len() { special[k] } else { k as f64 / 97.3 - 5.2 })
    })
}

/// Returns tensors in these layouts: contiguous, transposed, sliced with an offset and a step, reversed along
/// the first axis, and broadcast.
fn layouts_of<T: Float>(shape: &[usize], seed: usize) -> Vec<(&'static str, Tensor<T>)> {
    let x = numbers::<T>(shape, seed);
    let mut layouts = vec![("contiguous", x.clone())];
    if shape.is_empty() {
        return layouts;
    }
    let order: Vec<isize> = (0..shape.len() as isize).rev().collect();
    let turned: Vec<usize> = shape.iter().rev().copied().collect();
    layouts.push(("transposed", numbers::<T>(&turned, seed + 1).permute(&order)));
    let mut wide = shape.to_vec();
    wide[shape.len() - 1] = 2 * wide[shape.len() - 1] + 3;
    let sliced = numbers::<T>(&wide, seed + 2);
    let last = shape[shape.len() - 1] as isize;
    layouts.push(("sliced", sliced.slice(-1, 2, 2 + 2 * last, 2)));
    layouts.push(("backwards", x.flip(0).contiguous().flip(0)));
    let mut row = shape.to_vec();
    if row[0] > 0 {
        row[0] = 1;
        layouts.push(("repeated", numbers::<T>(&row, seed + 3).broadcast_to(shape)));
    }
    layouts
}

/// Returns the bits of all elements, with the same bits for every NaN.
fn bits<T: Float>(x: &Tensor<T>) -> Vec<u64> {
    let of = |x: T| if x.to().is_nan() { u64::MAX } else { x.to().to_bits() };
    x.to_vec().into_iter().map(of).collect()
}

#[track_caller]
fn assert_same<T: Float>(name: &str, about: &str, tensor: &Tensor<T>, var: &Tensor<T>) {
    assert_eq!(tensor.shape(), var.shape(), "{name} of {about}");
    let (a, b) = (bits(tensor), bits(var));
    if let Some(i) = (0..a.len()).find(|&i| a[i] != b[i]) {
        let (x, y) = (tensor.to_vec()[i].to(), var.to_vec()[i].to());
        panic!("{name} of {about}, element {i}: the tensor's {x:e}, the variable's {y:e}")
    }
}

/// A test that compares each expression on tensors and on variables.
macro_rules! twins {
    ($run:ident on $shapes:expr, $operands:literal: $($name:ident |$($x:ident),+| $y:expr;)*) => {
        #[test]
        fn $run() {
            fn run<T: $crate::twins::Float>(compared: &mut usize) { $({
                                fn tensor<T: $crate::twins::Float>(x: &[$crate::twins::Tensor<T>]) -> $crate::twins::Tensor<T> {
                    let mut rest = x.iter();
                    $(let $x = rest.next().expect("the number of operands must be the number of names");)+
                    $y
                }
                fn var<'t, T: $crate::twins::Float>(x: &[$crate::twins::Var<'t, T>]) -> $crate::twins::Var<'t, T> {
                    let mut rest = x.iter().copied();
                    $(let $x = rest.next().expect("the number of operands must be the number of names");)+
                    $y
                }
                $crate::twins::compare::<T>(stringify!($name), $shapes, $operands, tensor, var, compared);
            })* }
            let mut compared = 0;
            run::<f32>(&mut compared);
            run::<f64>(&mut compared);
            assert!(compared > 0);
            println!("{compared} comparisons");
        }
    };
}
use twins;

fn compare<T: Float>(
    name: &str,
    shapes: &[&[&[usize]]],
    operands: usize,
    tensor: fn(&[Tensor<T>]) -> Tensor<T>,
    var: for<'t> fn(&[Var<'t, T>]) -> Var<'t, T>,
    compared: &mut usize,
) {
    for case in shapes {
        assert_eq!(case.len(), operands, "{name}");
        let layouts: Vec<_> =
            case.iter().enumerate().map(|(i, shape)| layouts_of::<T>(shape, 10 * i)).collect();
        let ways = layouts.iter().map(Vec::len).max().unwrap_or(0);
        for way in 0..ways {
            // Each operand has each of its layouts, together with other layouts of the other operands.
            let chosen: Vec<_> =
                layouts.iter().enumerate().map(|(i, ways)| &ways[(way + i) % ways.len()]).collect();
            let x: Vec<Tensor<T>> = chosen.iter().map(|(_, x)| x.clone()).collect();
            let about = format!("{case:?} {:?}", chosen.iter().map(|c| c.0).collect::<Vec<_>>());
            let wanted = tensor(&x);
            for policy in [Policy::Eager, Policy::Fused] {
                for watched in [false, true] {
                    let tape = Tape::<T>::new().with_policy(policy);
                    let put = |x: &Tensor<T>| {
                        if watched { tape.watch(x.clone()) } else { tape.constant(x.clone()) }
                    };
                    let v: Vec<_> = x.iter().map(put).collect();
                    let about = format!("{about} ({policy:?}, {})", std::any::type_name::<T>());
                    assert_same(name, &about, &wanted, &var(&v).value());
                    *compared += 1;
                }
            }
        }
    }
}

/// Converts a reference to an operand: tensors are borrowed, variables are copied.
trait Other {
    type As;
    fn operand(self) -> Self::As;
}
impl<'a, T: Float> Other for &'a &'a Tensor<T> {
    type As = &'a Tensor<T>;
    fn operand(self) -> &'a Tensor<T> {
        self
    }
}
impl<'a, T: Float> Other for &'a Tensor<T> {
    type As = &'a Tensor<T>;
    fn operand(self) -> &'a Tensor<T> {
        self
    }
}
impl<'t, T: Float> Other for &Var<'t, T> {
    type As = Var<'t, T>;
    fn operand(self) -> Var<'t, T> {
        *self
    }
}
fn other<X: Other>(x: X) -> X::As {
    x.operand()
}
