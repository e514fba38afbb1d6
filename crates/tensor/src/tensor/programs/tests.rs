//! Pairs of operations, and results in the memory of an operand, against plain loops.

use super::*;
use crate::testing::{EDGES, bits, layouts};
use smallvec::smallvec;

/// Expressions in which one operation or more joins another, and some in which none may, with plain formulas. The
/// constants are c = 0.3 and d = -1.7.
macro_rules! expressions {
    ($T:ident, $c:ident, $d:ident: $(|$a:ident, $b:ident| $e:expr, $plain:expr;)*) => {
        vec![$((
            stringify!($e),
            {
                let ($c, $d) = (0.3, -1.7);
                Program::new(|[$a, $b]| [$e])
            },
            {
                let ($c, $d) = ($T::narrow(0.3), $T::narrow(-1.7));
                Box::new(move |$a: $T, $b: $T| $plain)
            },
        )),*]
    };
}

type Plain<T> = Box<dyn Fn(T, T) -> T>;

#[allow(unused_variables)] // not every expression has both constants
fn pairs<T: Float>() -> Vec<(&'static str, Program, Plain<T>)> {
    expressions! { T, c, d:
        |a, b| a * c + d + 0.0 * b, (a * c + d) + b * T::narrow(0.0);
        |a, b| d - a * b, T::narrow(-1.0) * (a * b) + d;
        |a, b| a + b * c, a + b * c;
        |a, b| b * c + a, b * c + a;
        |a, b| a - b * c, a - b * c;
        |a, b| b * c - a, b * c - a;
        |a, b| a + -b, a - b;
        |a, b| c * a + d * b, a * c + b * d;
        |a, b| a * b * c, (a * b) * c;
        |a, b| a * b * c + d, (a * b) * c + d;
        |a, b| c * (a * (1.0 - b * b)), (a * (T::narrow(1.0) - b * b)) * c;
        |a, b| { let s = a * c; s + (s + d) * b }, { let s = a * c; s + (s + d) * b };
        |a, b| { let s = a * c; s + s - b }, { let s = a * c; (s + s) - b };
        |a, b| { let p = a * b; p * c + p }, { let p = a * b; p * c + p };
        |a, b| ((a * c + d) * c + d) - b, ((a * c + d) * c + d) - b;
    }
}

fn pairs_agree<T: Float>() {
    let of = |n: usize, step: usize| {
        Tensor::<T>::from_fn(&[n], |i| T::narrow(EDGES[(i * step + i / 14) % EDGES.len()]))
    };
    let long = |n: usize, step: f64| {
        Tensor::<T>::from_fn(&[n], |i| T::narrow((i as f64 * step).sin() * 3.0))
    };
    let mut operands: Vec<(Tensor<T>, Tensor<T>)> = vec![];
    for n in [0, 1, 5, 196, 515, 1030] {
        operands.push((of(n, 1), of(n, 3)));
        operands.push((long(n, 0.37), long(n, 0.11)));
    }
    for (_, x) in layouts() {
        let y = x.flip(&[-1][..x.rank().min(1)]);
        operands.push((x.cast(), y.cast()));
    }
    for (name, program, plain) in pairs::<T>() {
        for (a, b) in &operands {
            let shape = a.shape();
            let got = program.map(&[a, b], &shape);
            let wanted: Vec<T> =
                a.to_vec().into_iter().zip(b.to_vec()).map(|(a, b)| plain(a, b)).collect();
            let wanted = Tensor::from_vec(wanted, &shape);
            let [got, wanted] =
                [got, wanted].map(|y| y.to_vec().into_iter().map(bits).collect::<Vec<_>>());
            assert_eq!(got, wanted, "{name} of {shape}");
        }
    }
}

#[test]
fn pairs_of_operations_are_rounded_one_by_one() {
    pairs_agree::<f32>();
    pairs_agree::<f64>();
}

/// An intermediate that is a result is not joined.
#[test]
fn a_result_that_another_step_reads_is_computed() {
    let program = Program::new(|[p, g]| {
        let step = g * 0.5;
        [p - step, step]
    });
    let (mut p, mut g) =
        (Tensor::from_vec(vec![1.0f64; 3], &[3]), Tensor::from_vec(vec![4.0f64; 3], &[3]));
    program.update(&mut [&mut p, &mut g], &[]);
    assert_eq!((p.to_vec(), g.to_vec()), (vec![-1.0; 3], vec![2.0; 3]));
}

/// Steps that add a product write over one of their operands, unless it is read once more.
#[test]
fn updates_in_place_agree_with_loops() {
    fn check<T: Float>() {
        let momentum = Program::new(|[p, v, g]| {
            let v = 0.9 * v + g;
            [p - 0.1 * v, v]
        });
        let again = Program::new(|[p, v, g]| [p - 0.1 * g, v * p + g]);
        let itself = Program::new(|[p, v, g]| [p + 0.5 * p, v + 0.5 * g]);
        let of = T::narrow;
        for n in [0, 1, 77, 512, 1301] {
            let x = |step: f64| Tensor::<T>::from_fn(&[n], |i| of((i as f64 * step).sin()));
            let (p, v, g) = (x(0.37), x(0.11), x(0.73));
            let rows = || p.to_vec().into_iter().zip(v.to_vec()).zip(g.to_vec());
            let run = |program: &Program| {
                let (mut p, mut v) = (p.copied(), v.copied());
                program.update(&mut [&mut p, &mut v], &[&g]);
                p.to_vec().into_iter().zip(v.to_vec()).collect::<Vec<_>>()
            };
            let wanted: Vec<(T, T)> = rows()
                .map(|((p, v), g)| (v * of(0.9) + g, p))
                .map(|(v, p)| (p - v * of(0.1), v))
                .collect();
            assert_eq!(run(&momentum), wanted);
            let wanted: Vec<(T, T)> =
                rows().map(|((p, v), g)| (p - g * of(0.1), v * p + g)).collect();
            assert_eq!(run(&again), wanted);
            let wanted: Vec<(T, T)> =
                rows().map(|((p, v), g)| (p + p * of(0.5), v + g * of(0.5))).collect();
            assert_eq!(run(&itself), wanted);
        }
    }
    check::<f32>();
    check::<f64>();
}

/// The result takes the memory of an operand that no other handle holds, has the shape of the result, and is contiguous.
#[test]
fn a_result_takes_the_memory_of_an_operand() {
    // The last step reads the second operand; the first one is read before.
    let program = Program::new(|[a, b]| [(a * a + 1.0).exp() * b]);
    // The last step reads both.
    let both = Program::new(|[a, b]| [a / b]);
    let x = |n: usize, step: f64| Tensor::<f64>::from_fn(&[n], |i| (i as f64 * step).sin() + 1.5);
    for n in [0, 1, 3, 600, 5000] {
        let copies = n * 8 >= COPIED;
        for (program, first_may) in [(&program, true), (&both, copies)] {
            let [a, b] = [x(n, 0.37), x(n, 0.11)];
            let wanted = program.map(&[&a, &b], &[n]);
            let check = |inputs: [&Tensor<f64>; 2], owned: [bool; 2], place: Option<usize>| {
                // A copy is owned by the call alone.
                let inputs: SmallVec<[Tensor<f64>; 3]> = (inputs.iter().zip(owned))
                    .map(|(&x, owned)| if owned { x.copied() } else { x.clone() })
                    .collect();
                let ids: Vec<usize> = inputs.iter().map(Tensor::storage_id).collect();
                let got = program.map_owned(inputs, &[n]);
                assert_eq!(got, wanted, "{n} numbers, {owned:?}");
                assert_eq!(
                    ids.iter().position(|&id| id == got.storage_id()),
                    place,
                    "{n} {owned:?}"
                );
            };
            check([&a, &b], [false; 2], None);
            check([&a, &b], [true, false], first_may.then_some(0));
            check([&a, &b], [false, true], copies.then_some(1));
            check([&a, &b], [true; 2], first_may.then_some(0));
            assert_eq!(program.map(&[&a, &b], &[n]), wanted, "the operands have changed");
        }
    }
}

#[test]
fn a_result_does_not_take_the_memory_of_a_view() {
    let sum = Program::new(|[a, b]| [(a + 1.0).exp() + b.exp()]);
    let whole = Tensor::<f64>::from_fn(&[6, 4], |i| i as f64);
    let wanted = sum.map(&[&whole.narrow(0, 0, 3), &whole.narrow(0, 3, 3)], &[3, 4]);
    let views: SmallVec<[Tensor<f64>; 3]> = smallvec![whole.narrow(0, 0, 3), whole.narrow(0, 3, 3)];
    drop(whole);
    assert_eq!(sum.map_owned(views, &[3, 4]), wanted);
    // Turned and repeated operands do not have the layout of the result.
    let turned: SmallVec<[Tensor<f64>; 3]> = smallvec![
        Tensor::from_fn(&[4, 3], |i| i as f64).t(),
        Tensor::from_vec(vec![1.0f64; 4], &[4])
    ];
    let wanted = sum.map(&[&turned[0], &turned[1]], &[3, 4]);
    assert_eq!(sum.map_owned(turned, &[3, 4]), wanted);
}
