//! Tests the derivatives against differences: first and second order, cut paths, adjoints, declared reads, layouts and
//! replays. And what happens where there is no derivative.

use crate::common::panic_of;
use crate::random;
use wengert_autograd::testing::check_op;
use wengert_autograd::{Cause, Tape, Var};
use wengert_linalg::Linalg;
use wengert_tensor::Tensor;

fn plus_identity<'t>(x: Var<'t, f64>) -> Var<'t, f64> {
    x + x.tape().constant(Tensor::eye_of(x.size(-1)) * 2.0)
}

fn positive<'t>(x: Var<'t, f64>) -> Var<'t, f64> {
    plus_identity(x.matmul(x.t()))
}

macro_rules! check {
    ($($name:ident: $inputs:expr, |$x:ident| $results:expr;)*) => {$(
        #[test]
        fn $name() {
            check_op(stringify!($name), &$inputs, |$x| $results.into()).unwrap();
        }
    )*};
}

check! {
    cholesky: [random(&[2, 3, 3], 1)], |x| [positive(x[0]).cholesky()];
    cholesky_of_symmetric_parts: [random(&[2, 3, 3], 2) * 0.5], |x| [plus_identity(x[0]).cholesky()];
    cholesky_solve: [random(&[2, 3, 3], 1), random(&[3, 2], 2)], |x| {
        [x[1].cholesky_solve(positive(x[0]).cholesky(), false)]
    };
    solve: [random(&[2, 3, 3], 1), random(&[3, 2], 2)], |x| [plus_identity(x[0]).solve(x[1])];
    solve_vector: [random(&[2, 3, 3], 3), random(&[3], 4)], |x| [plus_identity(x[0]).solve(x[1])];
    lower: [random(&[2, 3, 3], 1), random(&[2, 3, 2], 2)], |x| {
        [plus_identity(x[0]).triangular_solve(x[1], false, false)]
    };
    upper: [random(&[3, 3], 1), random(&[2, 3, 2], 2)], |x| {
        [plus_identity(x[0]).triangular_solve(x[1], true, false)]
    };
    unit: [random(&[2, 3, 3], 1), random(&[3, 2], 2)], |x| {
        [x[0].triangular_solve(x[1], false, true), x[0].triangular_solve(x[1], true, true)]
    };
    inverse: [random(&[2, 3, 3], 1)], |x| [plus_identity(x[0]).inverse()];
    det: [random(&[3, 3, 3], 1)], |x| [plus_identity(x[0]).det()];
    gradient_of_det: [random(&[2, 3, 3], 1)], |x| {
        let x = plus_identity(x[0]);
        [x.det().sum_all().grad(&[x])[0]]
    };
    slogdet: [random(&[3, 3, 3], 1)], |x| <[_; 2]>::from(plus_identity(x[0]).slogdet());
    lu: [random(&[2, 3, 3], 1)], |x| <[_; 3]>::from(x[0].lu());
    lu_tall: [random(&[2, 4, 2], 2)], |x| <[_; 3]>::from(x[0].lu());
    lu_wide: [random(&[2, 2, 4], 3)], |x| <[_; 3]>::from(x[0].lu());
    qr: [random(&[2, 3, 3], 1)], |x| <[_; 2]>::from(plus_identity(x[0]).qr());
    qr_tall: [random(&[2, 4, 2], 2)], |x| <[_; 2]>::from(x[0].qr());
    qr_wide: [random(&[2, 2, 4], 3)], |x| <[_; 2]>::from(x[0].qr());
    eigh: [random(&[2, 3, 3], 1)], |x| <[_; 2]>::from(x[0].eigh());
    eigvalsh: [random(&[2, 3, 3], 4)], |x| [x[0].eigvalsh()];
    svd: [random(&[2, 3, 3], 1)], |x| <[_; 3]>::from(plus_identity(x[0]).svd());
    svd_tall: [random(&[2, 4, 2], 2)], |x| <[_; 3]>::from(x[0].svd());
    svd_wide: [random(&[2, 2, 4], 3)], |x| <[_; 3]>::from(x[0].svd());
    svdvals: [random(&[3, 4], 4)], |x| [x[0].svdvals()];
    pinv: [random(&[2, 3, 3], 1)], |x| [plus_identity(x[0]).pinv(None)];
    pinv_tall: [random(&[2, 4, 2], 2)], |x| [x[0].pinv(None)];
    pinv_wide: [random(&[2, 2, 4], 3)], |x| [x[0].pinv(None)];
    pinv_of_lower_rank: [random(&[4, 2], 4), random(&[2, 3], 5)], |x| {
        [x[0].matmul(x[1]).pinv(Some(1e-10))]
    };
    lstsq: [random(&[2, 4, 2], 1), random(&[4, 2], 2)], |x| [x[0].lstsq(x[1], None)];
    matrix_exp: [random(&[2, 3, 3], 1)], |x| [x[0].matrix_exp()];
    matrix_power: [random(&[2, 3, 3], 1)], |x| {
        let x = plus_identity(x[0]);
        [x.matrix_power(0), x.matrix_power(1), x.matrix_power(3), x.matrix_power(-2)]
    };
    cond: [random(&[2, 4, 3], 1)], |x| [x[0].cond()];
}

/// At a singular matrix, the gradient of the determinant is the matrix of cofactors.
#[test]
fn det_has_a_gradient_at_singular_matrices() {
    for (a, want) in [
        (Tensor::from([[1.0, 2.0], [2.0, 4.0]]), Tensor::from([[4.0, -2.0], [-2.0, 1.0]])),
        (Tensor::from([[0.0, 0.0], [0.0, 0.0]]), Tensor::from([[0.0, 0.0], [0.0, 0.0]])),
        (Tensor::from([[0.0]]), Tensor::from([[1.0]])),
        (
            Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]),
            Tensor::from([[-3.0, 6.0, -3.0], [6.0, -12.0, 6.0], [-3.0, 6.0, -3.0]]),
        ),
    ] {
        let tape = Tape::<f64>::new();
        let x = tape.watch(a);
        let gradient = x.det().grad(&[x])[0].value();
        assert!(crate::largest(&(gradient - want)) < 1e-13);
    }
}

/// Returns the cofactors of a matrix of 3 × 3. They are polynomials of the second degree.
fn cofactors(a: &Tensor<f64>) -> Tensor<f64> {
    let at = |i: usize, j: usize| a.at(&[i % 3, j % 3]);
    Tensor::from_fn([3, 3], |flat| {
        let (i, j) = (flat / 3, flat % 3);
        at(i + 1, j + 1) * at(i + 2, j + 2) - at(i + 1, j + 2) * at(i + 2, j + 1)
    })
}

/// The second derivative of det in a direction is half the difference of the cofactors on both sides, without error: at
/// regular matrices, at singular matrices of every rank, whether rounding hides it or not, and close to them.
#[test]
fn det_has_a_second_derivative_at_singular_matrices() {
    let (u, v) = (random(&[3, 1], 1), random(&[1, 3], 2));
    let rank_1 = u.matmul(&v);
    let rank_2 = random(&[3, 2], 3).matmul(&random(&[2, 3], 4));
    let numbers = Tensor::from_fn([3, 3], |i| i as f64 + 1.0);
    let noise = random(&[3, 3], 5);
    let mut all = vec![Tensor::zeros_of([3, 3]), rank_1.clone(), rank_2.clone(), numbers];
    all.push(noise.clone());
    for size in [1e-3, 1e-5, 1e-9, 1e-14] {
        all.extend([&rank_1 + &noise * size, &rank_2 + &noise * size]);
    }
    let direction = random(&[3, 3], 6);
    for a in &all {
        let want = (cofactors(&(a + &direction)) - cofactors(&(a - &direction))) * 0.5;
        let tape = Tape::<f64>::new();
        let x = tape.watch(a.clone());
        let along = (x.det().grad(&[x])[0] * tape.constant(direction.clone())).sum_all();
        let got = along.grad(&[x])[0].value();
        let error = crate::largest(&(got - &want));
        assert!(error < 1e-11, "{error:e} at {a:?}");
    }
    // A batch with another matrix, of one row, and without rows.
    for n in [0, 1] {
        let tape = Tape::<f64>::new();
        let x = tape.watch(Tensor::zeros_of([2, n, n]));
        let gradient = x.det().sum_all().grad(&[x])[0];
        assert_eq!(gradient.sum_all().grad(&[x])[0].value(), Tensor::zeros_of([2, n, n]));
    }
}

/// The third derivative refuses singular matrices. At a regular one of 3 × 3 it does not depend on the matrix: det is a
/// polynomial of the third degree, which Euler's theorem gives back.
#[test]
fn det_has_a_third_derivative_at_regular_matrices() {
    let tape = Tape::<f64>::new();
    let x = tape.watch(plus_identity(tape.constant(random(&[2, 3, 3], 7))).value());
    let mut along = x.det();
    for _ in 0..3 {
        along = (along.sum_all().grad(&[x])[0] * tape.constant(x.value())).sum(&[-2, -1], false);
    }
    assert!(crate::largest(&(along.value() - x.value().det() * 6.0)) < 1e-11);
    let x = tape.watch(Tensor::zeros_of([2, 2, 2]));
    let second = (x.det().sum_all().grad(&[x])[0]).square().sum_all().grad(&[x])[0];
    let error = tape.catch(|| second.sum_all().grad(&[x])).unwrap_err();
    assert!(
        error.message.contains("the third derivative of det: the matrix [0] of the batch"),
        "{error}"
    );
}

/// The first derivative of values alone exists where values repeat: Σλ² is ‖A‖², and Σσ² too.
#[test]
fn values_alone_have_a_gradient_where_they_repeat() {
    let tape = Tape::<f64>::new();
    let x = tape.watch(Tensor::stack(&[Tensor::eye_of(3), Tensor::zeros_of([3, 3])], 0));
    let by_eigenvalues = x.eigvalsh().square().sum_all().grad(&[x])[0];
    let by_singular_values = x.svdvals().square().sum_all().grad(&[x])[0];
    let twice = x.value() * 2.0;
    assert!(crate::largest(&(by_eigenvalues.value() - &twice)) < 1e-14);
    assert!(crate::largest(&(by_singular_values.value() - &twice)) < 1e-14);
    // The second derivative needs those of the vectors.
    let error = tape.catch(|| by_eigenvalues.sum_all().grad(&[x])).unwrap_err();
    assert_eq!(error.cause, Cause::Sample(0));
    assert!(
        error.message.starts_with(
            "the derivative of eigh: the matrix [0] of the batch has the equal values 1 and 1"
        ),
        "{error}"
    );
}

#[test]
fn vectors_have_no_derivative_where_values_repeat() {
    let tape = Tape::<f64>::new();
    let of = |values: [f64; 3]| Tensor::<f64>::from(values).diag(0);
    let x = tape.watch(Tensor::stack(&[of([1.0, 2.0, 3.0]), of([1.0, 4.0, 4.0])], 0));
    let (values, vectors) = x.eigh();
    assert!(values.sum_all().grad(&[x])[0].value().to_vec().iter().all(|x| x.is_finite()));
    let error = tape.catch(|| vectors.sum_all().grad(&[x])).unwrap_err();
    assert_eq!(
        error.message,
        "the derivative of eigh: the matrix [1] of the batch has the equal values 4 and 4, numbers 1 and 2: the \
         derivative of their vectors does not exist; the first derivative of the values alone does"
    );
    assert_eq!(error.cause, Cause::Sample(1));
    for part in [0, 2] {
        let (u, _, vt) = x.svd();
        let error = tape.catch(|| [u, u, vt][part].sum_all().grad(&[x])).unwrap_err();
        assert!(error.message.starts_with("the derivative of svd: the matrix [1] of"), "{error}");
    }
    // Up to rounding.
    let x = tape.watch(of([1.0, 1.0 + 4e-16, 3.0]));
    let error = tape.catch(|| x.eigh().1.sum_all().grad(&[x])).unwrap_err();
    assert!(error.message.contains("the matrix has the equal values 1 and 1.000"), "{error}");
}

#[test]
fn singular_vectors_have_no_derivative_where_it_divides_by_zero() {
    let tape = Tape::<f64>::new();
    let tall = tape.watch(Tensor::from([[2.0, 0.0], [0.0, 0.0], [0.0, 0.0]]));
    let (u, s, vt) = tall.svd();
    let error = tape.catch(|| u.sum_all().grad(&[tall])).unwrap_err();
    assert!(
        error.message.starts_with(
            "the derivative of svd: the matrix has the singular value 0, number 1, which is 0"
        ),
        "{error}"
    );
    for fine in [s, vt] {
        assert!(fine.sum_all().grad(&[tall])[0].value().to_vec().iter().all(|x| x.is_finite()));
    }
    let wide = tape.watch(tall.value().t());
    let error = tape.catch(|| wide.svd().2.sum_all().grad(&[wide])).unwrap_err();
    assert!(error.message.contains("has the singular value 0, number 1"), "{error}");
}

#[test]
fn factorisations_of_dependent_columns_have_no_derivative() {
    let tape = Tape::<f64>::new();
    let x = tape.watch(Tensor::from([[1.0, 2.0], [2.0, 4.0], [1.0, 2.0]]));
    let error = tape.catch(|| x.qr().1.sum_all().grad(&[x])).unwrap_err();
    assert!(
        error.message.starts_with("the derivative of qr: the matrix is singular: pivot 1"),
        "{error}"
    );
    let error = tape.catch(|| x.lu().2.sum_all().grad(&[x])).unwrap_err();
    assert!(
        error.message.starts_with("the derivative of lu: the matrix is singular: pivot 1"),
        "{error}"
    );
    let x = tape.watch(Tensor::from([[1.0, 2.0], [2.0, 4.0]]));
    let error = tape.catch(|| x.slogdet().1.grad(&[x])).unwrap_err();
    assert!(
        error.message.starts_with("the derivative of slogdet: the matrix is singular"),
        "{error}"
    );
    assert_eq!(x.slogdet().0.grad_or_zero(&[x])[0].value().to_vec(), [0.0; 4]);
}

/// A replay computes the operation for other numbers: an error is a panic with the same text.
#[test]
fn a_replay_with_a_singular_matrix_panics() {
    let tape = Tape::<f64>::new();
    let x = tape.watch(Tensor::eye_of(2));
    let y = x.inverse().sum_all();
    let replay = tape.replay(&()).set(x, Tensor::from([[1.0, 2.0], [2.0, 4.0]]));
    let (text, _, _) = panic_of(|| {
        replay.run();
        y.item();
    });
    assert!(text.starts_with("inverse: the matrix is singular: pivot 1 is 0"), "{text}");
}

/// Zero sizes have derivatives of the same shape.
#[test]
fn empty_matrices_have_gradients() {
    let tape = Tape::<f64>::new();
    for shape in [[0, 3, 3], [2, 0, 0]] {
        let x = tape.watch(Tensor::zeros_of(shape));
        let (values, vectors) = x.eigh();
        let (u, s, vt) = x.svd();
        let ((q, r), (p, l, _)) = (x.qr(), x.lu());
        let results = [
            x.cholesky(),
            x.inverse(),
            x.solve(x),
            x.det(),
            x.slogdet().1,
            values,
            vectors,
            u,
            s,
            vt,
            q,
            r,
            p,
            l,
            x.pinv(None),
            x.matrix_exp(),
            x.matrix_power(2),
            x.lstsq(x, None),
        ];
        for y in results {
            assert_eq!(y.sum_all().grad_or_zero(&[x])[0].value().shape(), shape);
        }
    }
    for shape in [[2, 0, 3], [2, 3, 0]] {
        let x = tape.watch(Tensor::zeros_of(shape));
        let ((q, r), (u, s, vt), p) = (x.qr(), x.svd(), x.lu().0);
        for y in [q, r, u, s, vt, p, x.pinv(None)] {
            assert_eq!(y.sum_all().grad_or_zero(&[x])[0].value().shape(), shape);
        }
    }
}
