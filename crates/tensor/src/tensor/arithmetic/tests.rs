use super::*;
use crate::kernels::pointwise::meaning;
use crate::testing::{EDGES, panic_of, panics_here};
use smallvec::smallvec;

/// Computes each operation with the standard library.
fn meaning2(op: Binary, a: f64, b: f64) -> f64 {
    let one_if = |yes: bool| f64::from(u8::from(yes));
    let nan = a.is_nan() || b.is_nan();
    match op {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Pow => a.powf(b),
        Binary::Maximum => {
            if nan {
                f64::NAN
            } else {
                a.max(b)
            }
        }
        Binary::Minimum => {
            if nan {
                f64::NAN
            } else {
                a.min(b)
            }
        }
        Binary::Atan2 => a.atan2(b),
        Binary::Hypot => a.hypot(b),
        Binary::Fmod => a % b,
        Binary::Remainder => {
            let r = a % b;
            if r != 0.0 && (r < 0.0) != (b < 0.0) { r + b } else { r }
        }
        Binary::Copysign => a.copysign(b),
        Binary::Xlogy if a == 0.0 && !b.is_nan() => 0.0,
        Binary::Xlogy => a * b.ln(),
        Binary::Logaddexp => {
            a.max(b) + (-(a - b).abs()).exp().ln_1p() + if nan { f64::NAN } else { 0.0 }
        }
        Binary::Gt => one_if(a > b),
        Binary::Ge => one_if(a >= b),
        Binary::Lt => one_if(a < b),
        Binary::Le => one_if(a <= b),
        Binary::Eq => one_if(a == b),
        Binary::Ne => one_if(a != b),
        Binary::Gate => {
            if a == 0.0 {
                b
            } else {
                0.0
            }
        }
    }
}

#[track_caller]
fn close<T: Float>(got: T, wanted: f64, what: &str) {
    let wanted = T::of(wanted);
    let ok = got == wanted
        || (got.is_nan_() && wanted.is_nan_())
        || (got.to() - wanted.to()).abs() <= 8.0 * T::EPSILON * wanted.to().abs();
    assert!(ok, "{what}: {got} for {wanted}");
}

/// Returns a [3, 5] tensor in six layouts with the same elements, a scalar and an empty tensor.
fn layouts<T: Float>(seed: usize) -> Vec<Tensor<T>> {
    let numbers =
        [0.3, -1.2, 0.25, 2.0, -0.0, 0.0, 1.0, -3.5, 0.75, f64::NAN, 5.0, 1e-3, -0.4, 8.0, 0.5];
    let at = |i: usize| T::of(numbers[(i * (seed + 1) + seed) % numbers.len()]);
    let x = Tensor::from_fn(&[3, 5], at);
    let wide = Tensor::concat(&[&x, &x, &x], 1);
    vec![
        x.clone(),
        x.t().contiguous().t(),
        wide.narrow(1, 5, 5),
        x.flip(0).contiguous().flip(0),
        x.narrow(0, 1, 1).broadcast_to(&[3, 5]),
        x.narrow(1, 2, 1).broadcast_to(&[3, 5]),
        Tensor::from_fn(&[3, 0], at),
        Tensor::from_fn((), at),
        Tensor::from_fn(&[700], at),
    ]
}

fn every_operation_on_every_layout<T: Float>() {
    for &op in Unary::ALL {
        for x in layouts::<T>(0) {
            let y = x.unary(op);
            assert_eq!(y.shape(), x.shape());
            for (got, x) in y.to_vec().into_iter().zip(x.to_vec()) {
                close(got, meaning(op, x.to()), &format!("{op:?} {x}"));
            }
        }
    }
    for &op in Binary::ALL {
        for a in layouts::<T>(0) {
            for b in layouts::<T>(1).into_iter().filter(|b| b.shape() == a.shape()) {
                let y = a.binary(op, &b);
                for ((got, a), b) in y.to_vec().into_iter().zip(a.to_vec()).zip(b.to_vec()) {
                    close(got, meaning2(op, a.to(), b.to()), &format!("{op:?} {a} {b}"));
                }
            }
        }
    }
}

#[test]
fn every_operation_on_every_layout_agrees_with_loops_f32() {
    every_operation_on_every_layout::<f32>();
}

#[test]
fn every_operation_on_every_layout_agrees_with_loops_f64() {
    every_operation_on_every_layout::<f64>();
}

#[test]
fn operators_broadcast_their_operands() {
    let column = Tensor::from([[1.0f32], [2.0]]);
    let row = Tensor::from([10.0f32, 20.0, 30.0]);
    let sum = &column + &row;
    assert_eq!(sum, Tensor::from([[11.0, 21.0, 31.0], [12.0, 22.0, 32.0]]));
    assert_eq!((2.0 - &row * 0.1).to_vec(), [1.0, 0.0, -1.0]);
    assert_eq!((6.0 / Tensor::from([2.0f64, 3.0])).to_vec(), [3.0, 2.0]);
    let labels = Tensor::from([1i64, 2, 3]);
    assert_eq!((&labels * 2.0 - &labels + 1.0).to_vec(), [2, 3, 4]);
    assert_eq!(row.gt(&Tensor::scalar(15.0)).to_vec(), [false, true, true]);
}

#[test]
fn in_place_operators_write_to_unshared_memory() {
    let mut x = Tensor::<f32>::from_fn(&[1000], |i| i as f32);
    let before = x.as_slice().unwrap().as_ptr();
    x += &Tensor::scalar(1.0);
    x *= &Tensor::full(&[1000], 2.0);
    assert_eq!((x.at(&[999]), x.as_slice().unwrap().as_ptr()), (2000.0, before));
    let other = x.clone();
    x -= &other;
    assert_eq!((x.at(&[7]), other.at(&[7])), (0.0, 16.0));
}

/// Compares a program of several steps with the same steps run one by one, for several layouts and lengths.
#[test]
fn programs_have_the_bits_of_single_operations() {
    let program = Program::new(|[a, b, c]| {
        let s = (a * b + 0.5).tanh();
        let t = s.select(s - c, c * 2.0);
        [t / (1.0 + s * s) - a.maximum(b)]
    });
    for n in [0, 1, 511, 512, 513, 1000, 300_000] {
        let a = Tensor::<f64>::from_fn(&[n], |i| (i as f64 * 0.37).sin());
        let b = Tensor::<f64>::from_fn(&[2, n], |i| (i as f64 * 0.11).cos()).narrow(0, 1, 1);
        let c = Tensor::<f64>::scalar_of(0.25);
        let y = program.map(&[&a, &b, &c], &[1, n]);
        let s = (&a * &b + 0.5).tanh();
        let t = &s - &c;
        let wanted = &t / &(1.0 + &s * &s) - a.maximum(&b);
        for (y, w) in y.to_vec().iter().zip(wanted.to_vec()) {
            assert!((y - w).abs() < 1e-12, "{n}: {y} {w}");
        }
        let sum = program.sum(&[&a, &b, &c], &[1, n]);
        assert!((sum - wanted.sum_all()).abs() < 1e-9, "{n}");
    }
}

/// One operand has one number per row. The lengths of rows are such that blocks lie within a row, cross rows,
/// or begin at the start of a row again.
#[test]
fn programs_take_one_number_for_each_row() {
    let program = Program::new(|[x, s]| [x * s + s]);
    for row in [1, 100, 511, 512, 513, 1024, 1500, 5000] {
        let x = Tensor::<f64>::from_fn(&[3, 4, row], |i| (i % 97) as f64);
        let s = Tensor::<f64>::from_fn(&[4, 1], |i| i as f64 + 1.0);
        let y = program.map(&[&x, &s], &[3, 4, row]).to_vec();
        for (i, y) in y.into_iter().enumerate() {
            let s = (i / row % 4) as f64 + 1.0;
            assert_eq!(y, (i % 97) as f64 * s + s, "rows of {row}, number {i}");
        }
    }
}

/// Sums have the bits of the sum of the stored result, on one thread and on several. The cases are whole
/// and partial runs, several outer indices per piece, few and many columns, axes of size 1, rows too long
/// for a piece, and empty tensors.
#[test]
fn sums_of_programs_have_the_bits_of_sums_of_the_stored_result() {
    let program = Program::new(|[x, y]| [x * y + 0.5]);
    let threads = |n: usize| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    let (one, three) = (threads(1), threads(3));
    for (over, to) in [
        (&[4, 6, 9, 7][..], &[6, 1, 1][..]),
        (&[4, 6, 9, 7], &[1, 6, 1, 1]),
        (&[3, 5, 150, 130], &[5, 1, 1]),
        (&[700, 90], &[90]),
        (&[700, 90], &[700, 1]),
        (&[2, 300, 1, 90], &[2, 1, 1, 90]),
        (&[5, 1, 3], &[1, 3]),
        (&[3, 20_000], &[20_000]),
        (&[3, 20_000], &[]),
        (&[3, 4], &[3, 4]),
        (&[1, 4], &[4]),
        (&[0, 4], &[4]),
        (&[40_000, 1], &[1]),
        (&[70_001], &[]),
        (&[1001, 40], &[40]),
        (&[3000, 31], &[31]),
        (&[33, 31, 40], &[33, 1, 40]),
        (&[9000, 3, 5], &[9000, 1, 5]),
        (&[300, 1100], &[1100]),
        (&[2001, 17], &[2001, 1]),
        (&[5, 70_001], &[5, 1]),
    ] {
        let x = Tensor::<f64>::from_fn(over, |i| (i * 7 % 23) as f64 / 3.0 - 11.0);
        let y = Tensor::<f64>::from_fn(&over[over.len() - 1..], |i| (i % 5) as f64);
        let wanted = program.map(&[&x, &y], over).sum_to(to);
        let sum = one.install(|| program.sum_to(&[&x, &y], over, to));
        assert_eq!(sum.shape(), *to, "{over:?}");
        let bits = |x: &Tensor<f64>| x.to_vec().into_iter().map(f64::to_bits).collect::<Vec<_>>();
        assert_eq!(bits(&sum), bits(&wanted), "{over:?} to {to:?}");
        let again = three.install(|| program.sum_to(&[&x, &y], over, to));
        assert_eq!(sum.to_vec(), again.to_vec(), "{over:?} to {to:?}");
    }
}

#[test]
fn programs_update_several_targets() {
    // Results that are old values of other targets: a swap, and an input returned unchanged.
    let swap = Program::new(|[a, b]| [b, a]);
    let (mut a, mut b) = (Tensor::full(&[500], 1.0), Tensor::full(&[500], 2.0));
    swap.update(&mut [&mut a, &mut b], &[]);
    assert_eq!((a.at(&[499]), b.at(&[499])), (2.0, 1.0));
    let rule = Program::new(|[p, v, g]| {
        let v = 0.5 * v + g;
        [p - v, v]
    });
    rule.update(&mut [&mut a, &mut b], &[&Tensor::scalar(3.0)]);
    assert_eq!((a.at(&[0]), b.at(&[0])), (-1.5, 3.5));
}

#[test]
fn programs_of_200_steps_reuse_registers() {
    let steps: smallvec::SmallVec<[Instruction; 8]> = (0..200u8)
        .map(|i| Instruction { op: Opcode::Unary(Unary::Shift(1.0)), args: [i, 0, 0] })
        .collect();
    let program = Program::assemble(1, steps, smallvec![200]);
    assert_eq!(program.map(&[&Tensor::zeros(&[3])], &[3]).to_vec(), [200.0; 3]);
}

#[test]
#[should_panic(
    expected = "add: shapes [2, 3] and [2] do not broadcast: axis -1 has 3 and 2 (to align with axis 0, reshape to [2, 1])"
)]
fn shapes_that_do_not_broadcast_panic() {
    let _ = Tensor::ones(&[2, 3]) + Tensor::ones(&[2]);
}

#[test]
#[should_panic(expected = "add: in place, [3] does not broadcast to [2]")]
fn an_in_place_operator_that_would_enlarge_its_target_panics() {
    let mut x = Tensor::ones(&[2]);
    x += &Tensor::ones(&[3]);
}

#[test]
#[should_panic(expected = "program: expected 2 inputs, got 1")]
fn a_program_with_a_missing_input_panics() {
    Program::new(|[a, b]| [a + b]).map(&[&Tensor::ones(&[1])], &[1]);
}

#[test]
#[should_panic(expected = "clamp: the lower bound 2 is greater than the upper bound 1")]
fn clamp_with_a_reversed_interval_panics() {
    Tensor::ones(&[1]).clamp(2.0, 1.0);
}

/// The hidden functions for the tape check shapes and operands too.
#[test]
fn hidden_functions_for_tapes_check_shapes() {
    let (neg, add) = (Opcode::Unary(Unary::Neg), Opcode::Binary(Binary::Add));
    let x = Tensor::from([1.0, 2.0]);
    assert_eq!(Tensor::pointwise(neg, [&x], &[2].into()).to_vec(), [-1.0, -2.0]);
    assert_eq!(Tensor::pointwise(neg, [&x], &[2, 2].into()).to_vec(), [-1.0, -2.0, -1.0, -2.0]);
    panics_here("program: an input of shape [2] does not broadcast to [1]", || {
        drop(Tensor::pointwise(neg, [&x], &[1].into()));
    });
    panics_here("program: an input of shape [2] does not broadcast to [67108864]", || {
        drop(Tensor::pointwise(neg, [&x], &[1 << 26].into()));
    });
    let missing = panic_of(|| drop(Tensor::pointwise(add, [&x], &[2].into())));
    assert!(missing.message.contains("reads 2 operands, 1 are given"), "{}", missing.message);
    let missing = panic_of(|| drop(Tensor::pointwise(Opcode::Select, [&x, &x], &[3].into())));
    assert!(
        missing.message.contains("reads an operand that is not computed before it"),
        "{}",
        missing.message
    );
}

#[test]
fn programs_over_shapes_with_too_many_elements_panic() {
    let program = Program::new(|[x]| [x.exp()]);
    let x = Tensor::scalar(0.0);
    panics_here(
        "program: shape [4294967295, 4294967295] has more elements than a tensor can have",
        || {
            let _: f32 = program.sum(&[&x], &[u32::MAX as usize; 2]);
        },
    );
    panics_here(
        "sum_to: shape [2, 3] does not reduce to [2]: matched from the last axis, sizes must \
                 be equal or 1",
        || drop(program.sum_to(&[&x], &[2, 3], &[2])),
    );
    let nothing = Program::assemble(1, smallvec![], smallvec![]);
    panics_here("program: the program must have at least one result", || {
        drop(nothing.map(&[&x], &[]));
    });
    Program::assemble(0, smallvec![], smallvec![]).update::<f32>(&mut [], &[]);
}

/// Returns matrices of many blocks, of one shape, in six layouts.
fn large<T: Element>(of: impl Fn(usize) -> T) -> Vec<Tensor<T>> {
    let (rows, columns) = (70, 66);
    let x = Tensor::from_fn(&[rows, columns], |i| of(i * 7 + i / 5));
    let wide = Tensor::concat(&[&x, &x], 1);
    let shape = [rows, columns];
    vec![
        x.clone(),
        x.t().contiguous().t(),
        wide.narrow(1, 3, columns),
        x.flip(1),
        x.narrow(0, 2, 1).broadcast_to(shape),
        x.narrow(1, 5, 1).broadcast_to(shape),
        x.narrow(1, 5, 1).narrow(0, 7, 1).broadcast_to(shape),
    ]
}

#[test]
fn comparisons_and_choices_of_large_tensors_agree_with_loops() {
    fn check<T: Element>(of: impl Fn(usize) -> T + Copy, c: f64) {
        let masks = large(|i| i % 3 == 0);
        let pairs = |f: fn(T, T) -> bool, a: &Tensor<T>, b: &Tensor<T>| -> Vec<bool> {
            a.to_vec().into_iter().zip(b.to_vec()).map(|(a, b)| f(a, b)).collect()
        };
        for a in large(of) {
            for b in large(|i| of(i * 3 + 1)) {
                assert_eq!(a.gt(&b).to_vec(), pairs(|a, b| a > b, &a, &b));
                assert_eq!(a.ge(&b).to_vec(), pairs(|a, b| a >= b, &a, &b));
                assert_eq!(a.lt(&b).to_vec(), pairs(|a, b| a < b, &a, &b));
                assert_eq!(a.le(&b).to_vec(), pairs(|a, b| a <= b, &a, &b));
                assert_eq!(a.eq(&b).to_vec(), pairs(|a, b| a == b, &a, &b));
                assert_eq!(a.ne(&b).to_vec(), pairs(|a, b| a != b, &a, &b));
                for mask in &masks {
                    let wanted = mask.to_vec().into_iter().zip(a.to_vec()).zip(b.to_vec());
                    let wanted = wanted.map(|((which, a), b)| if which { a } else { b });
                    let got = Tensor::where_(mask, &a, &b).to_vec();
                    let same = |(x, y): (T, T)| x == y || x.is_nan_() && y.is_nan_();
                    assert!(got.into_iter().zip(wanted).all(same));
                }
            }
            let with = |f: fn(T, T) -> bool| pairs(f, &a, &Tensor::full_of(&a.shape(), T::of(c)));
            assert_eq!(a.gt(c).to_vec(), with(|a, b| a > b));
            assert_eq!(a.le(c).to_vec(), with(|a, b| a <= b));
            assert_eq!(a.ne(c).to_vec(), with(|a, b| a != b));
        }
    }
    check(|i| if i % 11 == 0 { f32::NAN } else { (i % 5) as f32 }, 2.0);
    check(|i| if i % 11 == 0 { f64::NEG_INFINITY } else { (i % 5) as f64 }, 2.0);
    check(|i| (i % 5) as i64 - 2, 1.0);
    check(|i| (i % 5) as u32, 2.0);
    check(|i| (i % 5) as u8, 2.0);
    check(|i| i % 2 == 0, 1.0);
}

#[test]
fn programs_over_large_tensors_agree_with_loops() {
    fn check<T: Float>() {
        for a in large(|i| T::of((i % 13) as f64 - 6.0)) {
            for b in large(|i| T::of((i % 7) as f64 * 0.5)) {
                let pairs = || a.to_vec().into_iter().zip(b.to_vec());
                assert_eq!((&a - &b).to_vec(), pairs().map(|(a, b)| a - b).collect::<Vec<T>>());
                let program = Program::new(|[a, b]| [a * b, a + b]);
                let product = program.map(&[&a, &b], &a.shape());
                assert_eq!(product.to_vec(), pairs().map(|(a, b)| a * b).collect::<Vec<T>>());
                let mut sum = a.clone();
                sum += &b;
                assert_eq!(sum.to_vec(), pairs().map(|(a, b)| a + b).collect::<Vec<T>>());
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn division_by_a_number_is_rounded_once() {
    let x = Tensor::from_fn(&[3000], |i| i as f32 * 0.1 - 70.0);
    let by_loop = |f: fn(f32) -> f32| x.to_vec().into_iter().map(f).collect::<Vec<_>>();
    assert_eq!((&x / 3.0).to_vec(), by_loop(|x| x / 3.0));
    assert_eq!((3.0 / &x).to_vec(), by_loop(|x| 3.0 / x));
    assert_eq!((&x / 0.1).to_vec(), by_loop(|x| x / 0.1));
}

/// The standard library's powers in `f64`, rounded once. Spans with negative numbers, zeros of both signs and infinite
/// numbers lie beside plain ones.
#[test]
fn powers_of_single_precision_are_rounded_once() {
    let mut numbers: Vec<f32> = (1..2000).map(|i| (i as f32 * 0.0137).powi(3)).collect();
    numbers.extend([0.0, 1.0, 1e-45, f32::MIN_POSITIVE, f32::MAX, 1e-20, 1e20]);
    numbers.extend((0..300).map(|i| i as f32 - 20.0));
    numbers.extend([-0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN]);
    let x = Tensor::from(numbers.clone());
    let exponents = [
        0.0,
        -0.0,
        1.0,
        2.0,
        3.0,
        -1.0,
        0.5,
        -0.5,
        1.7,
        40.0,
        -40.0,
        1e-3,
        1e30,
        -1e30,
        f32::INFINITY,
        f32::NAN,
    ];
    for p in exponents {
        let [unary, binary] =
            [x.powf(f64::from(p)), x.pow(&Tensor::full(&[numbers.len()], f64::from(p)))];
        assert!(
            unary
                .to_vec()
                .iter()
                .zip(binary.to_vec())
                .all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan())
        );
        for (&x, y) in numbers.iter().zip(unary.to_vec()) {
            let want = f64::from(x).powf(f64::from(p));
            let next = f64::from((want as f32).abs().next_up()) - f64::from((want as f32).abs());
            let close = (f64::from(y) - want).abs() <= 0.501 * next;
            let same = f64::from(y) == f64::from(want as f32) || y.is_nan() && want.is_nan();
            assert!(close || same, "{x:e} to the power of {p}: {y:e}, not {want:e}");
        }
    }
}

/// The results of one pass have the bits of two passes.
#[test]
fn a_program_that_keeps_its_numbers_sums_them_with_the_same_bits() {
    fn check<T: Float>() {
        let program = Program::new(|[a, b]| [(a * b).sin()]);
        for (over, shape) in [
            ([300, 700], vec![]),
            ([300, 700], vec![700]),
            ([300, 700], vec![300, 1]),
            ([3, 5], vec![1, 5]),
            ([1, 5], vec![1, 5]),
            ([0, 5], vec![1, 5]),
        ] {
            let a = Tensor::<T>::from_fn(&over, |i| T::of((i as f64 * 0.37).sin()));
            let b = Tensor::<T>::from_fn(&[over[1]], |i| T::of(i as f64 * 0.01));
            let [numbers, sum] = program.map_and_sum_to(&[&a, &b], &over, &shape);
            assert_eq!(numbers, program.map(&[&a, &b], &over));
            assert_eq!(sum, program.sum_to(&[&a, &b], &over, &shape));
            assert_eq!(sum, numbers.sum_to(&shape[..]));
        }
    }
    check::<f32>();
    check::<f64>();
}

/// A number whose power takes another way changes nothing for its neighbours, wherever a range of numbers begins.
#[test]
fn powers_have_the_same_bits_on_any_number_of_threads_and_beside_any_number() {
    let special = [-1.5f32, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    let plain = Tensor::from_fn(&[200_000], |i| 1.0 + i as f32 * 1e-4);
    let x = Tensor::from_fn(&[200_000], |i| {
        if i % 1000 == 7 { special[i / 1000 % special.len()] } else { 1.0 + i as f32 * 1e-4 }
    });
    let bits = |x: &Tensor| x.powf(12.5).to_vec().iter().map(|y| y.to_bits()).collect::<Vec<_>>();
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| bits(&x))
    };
    let wanted = on(1);
    for threads in [2, 3, 5] {
        assert!(on(threads) == wanted, "{threads} threads");
    }
    for (i, (a, b)) in wanted.into_iter().zip(bits(&plain)).enumerate() {
        assert!(i % 1000 == 7 || a == b, "power {i}");
    }
}

#[test]
fn powers_of_one_operation_agree_with_std() {
    let near = |got: f64, wanted: f64, unit: u64| {
        let distance = (got.to_bits() as i64).abs_diff(wanted.to_bits() as i64);
        (got.is_nan() && wanted.is_nan()) || distance <= unit
    };
    for p in [2.0, -1.0, 0.5] {
        for x in EDGES {
            let got = Tensor::<f64>::from([x, x]).pow(p).to_vec()[0];
            assert!(near(got, x.powf(p), 1), "{x} to the power of {p}: {got}");
            // A unit in the last place of an `f32` is 2²⁹ units of an `f64`.
            let (x, got) = (x as f32, Tensor::<f32>::from([x as f32; 2]).pow(p).to_vec()[0]);
            let wanted = x.powf(p as f32);
            assert!(near(got.into(), wanted.into(), 1 << 29), "{x} to the power of {p}: {got}");
        }
    }
}
