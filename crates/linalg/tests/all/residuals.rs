//! Tests the equations that define each result, for random matrices of many sizes, well and ill conditioned.

use crate::{conditioned, identity, largest, random};
use wengert_linalg::Linalg;
use wengert_tensor::Tensor;

const SIZES: [usize; 7] = [0, 1, 2, 3, 7, 33, 100];

/// The sizes of rectangular matrices, both ways.
const RECTANGLES: [[usize; 2]; 12] = [
    [0, 3],
    [3, 0],
    [1, 4],
    [4, 1],
    [2, 7],
    [7, 2],
    [3, 3],
    [33, 20],
    [20, 33],
    [100, 33],
    [60, 100],
    [100, 100],
];

/// Returns the shapes of batches of m × n matrices.
fn batches([m, n]: [usize; 2]) -> [Vec<usize>; 3] {
    [vec![m, n], vec![2, 3, m, n], vec![0, m, n]]
}

/// Asserts that two tensors agree, relative to the size of the numbers.
#[track_caller]
fn close(got: &Tensor<f64>, want: &Tensor<f64>, tolerance: f64) {
    assert_eq!(got.shape(), want.shape());
    let error = largest(&(got - want)) / largest(want).max(1.0);
    assert!(error <= tolerance, "shape {}: error {error:e}", got.shape());
}

fn orthonormal(columns: &Tensor<f64>) {
    let gram = columns.t().matmul(columns);
    close(&gram, &identity(&gram.shape()), 1e-13);
}

#[test]
fn solutions_solve_their_equations() {
    for n in SIZES {
        for shape in batches([n, n]) {
            let a = random(&shape, 1) + identity(&shape) * 2.0;
            let mut right = shape.clone();
            *right.last_mut().unwrap() = 3;
            let b = random(&right, 2);
            // The residual of a backward stable method, relative to ‖A‖‖x‖.
            let x = a.solve(&b);
            let scale = 1.0 + largest(&a) * largest(&x) * n as f64;
            close(&(a.matmul(&x) / scale), &(&b / scale), 1e-14);
            let inverse = a.inverse();
            let scale = 1.0 + largest(&a) * largest(&inverse) * n as f64;
            close(&(a.matmul(&inverse) / scale), &(identity(&shape) / scale), 1e-14);
            let vector = random(&[n], 3);
            let x = a.solve(&vector);
            assert_eq!(x.shape(), shape[..shape.len() - 1]);
            close(&x.unsqueeze(-1), &a.solve(vector.unsqueeze(-1)), 0.0);
            for upper in [false, true] {
                let triangle =
                    if upper { a.triu(0) } else { a.tril(0) } + identity(&shape) * n as f64;
                let x = triangle.triangular_solve(&b, upper, false);
                close(&triangle.matmul(&x), &b, 1e-12);
                // The other triangle is not read.
                let full = a.clone() + identity(&shape) * n as f64;
                close(&full.triangular_solve(&b, upper, false), &x, 0.0);
                let small = &triangle * (1.0 / (n as f64 + 1.0));
                let unit = &small - &small * identity(&shape) + identity(&shape);
                let x = small.triangular_solve(&b, upper, true);
                close(&unit.matmul(&x), &b, 1e-12);
            }
        }
    }
}

/// The residual is small although the solution is not precise.
#[test]
fn ill_conditioned_systems_have_small_residuals() {
    for n in [2, 3, 7, 33, 100] {
        for condition in [1e4, 1e10, 1e15] {
            let a = conditioned(n, condition, 5);
            let x = a.solve(random(&[n], 6));
            let residual = largest(&(a.matmul(&x) - random(&[n], 6)));
            assert!(residual <= 1e-14 * n as f64 * largest(&x), "{n} {condition}: {residual:e}");
            let (_, s, _) = a.svd();
            assert!((s.at(&[0]) - 1.0).abs() < 1e-13, "{n} {condition}");
            assert!((s.at(&[n - 1]) - 1.0 / condition).abs() < 1e-14, "{n} {condition}");
            let (u, s, vt) = a.svd();
            close(&(u * s).matmul(&vt), &a, 5e-14);
        }
    }
}

#[test]
fn cholesky_factors_give_the_matrix() {
    for n in SIZES {
        for shape in batches([n, n]) {
            let x = random(&shape, 1);
            let a = x.matmul(&x.t()) + identity(&shape);
            let l = a.cholesky();
            close(&l, &l.tril(0), 0.0);
            close(&l.matmul(&l.t()), &a, 1e-14);
            let b = random(&[n, 2], 2);
            close(&a.matmul(&b.cholesky_solve(&l, false)), &(b.broadcast_to_batch(&shape)), 1e-12);
            close(&b.cholesky_solve(l.t(), true), &b.cholesky_solve(&l, false), 1e-14);
        }
    }
    // The symmetric part is read.
    let a = Tensor::from([[4.0f64, 1.0], [3.0, 5.0]]);
    close(&a.cholesky(), &Tensor::from([[2.0, 0.0], [1.0, 2.0]]), 1e-15);
}

trait Broadcast {
    fn broadcast_to_batch(&self, shape: &[usize]) -> Self;
}
impl Broadcast for Tensor<f64> {
    /// Repeats a matrix for the leading axes of `shape`.
    fn broadcast_to_batch(&self, shape: &[usize]) -> Self {
        let own = self.shape();
        let lead = &shape[..shape.len() - 2];
        self.broadcast_to(lead.iter().chain(&*own).copied().collect::<Vec<_>>())
    }
}

#[test]
fn lu_factors_give_the_matrix() {
    for size in RECTANGLES.into_iter().chain(SIZES.map(|n| [n, n])) {
        for shape in batches(size) {
            let a = random(&shape, 1);
            let (p, l, u) = a.lu();
            close(&p.matmul(&l).matmul(&u), &a, 1e-14);
            close(&u, &u.triu(0), 0.0);
            close(&l, &l.tril(0), 0.0);
            assert!(largest(&l) <= 1.0, "partial pivoting");
            let columns = p.sum(&[-2], false);
            close(&columns, &Tensor::ones_of(columns.shape()), 0.0);
        }
    }
}

#[test]
fn determinants_agree_with_the_expansion() {
    fn expansion(a: &Tensor<f64>) -> f64 {
        let n = a.size(0);
        if n == 0 {
            return 1.0;
        }
        let rest = a.narrow(0, 1, n - 1);
        let minor =
            |j: usize| Tensor::concat(&[rest.narrow(1, 0, j), rest.narrow(1, j + 1, n - j - 1)], 1);
        let sign = |j: usize| if j.is_multiple_of(2) { 1.0 } else { -1.0 };
        (0..n).map(|j| sign(j) * a.at(&[0, j]) * expansion(&minor(j))).sum()
    }
    for n in 0..6 {
        let a = random(&[2, 3, n, n], n as u64);
        let (det, (sign, log)) = (a.det(), a.slogdet());
        assert_eq!(det.shape(), [2, 3]);
        for i in 0..2 {
            for j in 0..3 {
                let want = expansion(&a.select(0, i).select(0, j));
                let at = [i as usize, j as usize];
                assert!((det.at(&at) - want).abs() < 1e-14, "{n}");
                assert!((sign.at(&at) * log.at(&at).exp() - want).abs() < 1e-14, "{n}");
            }
        }
    }
    let singular = Tensor::from([[1.0f64, 2.0], [2.0, 4.0]]);
    assert_eq!(singular.det().item(), 0.0);
    let (sign, log) = singular.slogdet();
    assert_eq!((sign.item(), log.item()), (0.0, f64::NEG_INFINITY));
    assert!((Tensor::<f64>::eye_of(3) * f64::NAN).det().item().is_nan());
    let (_, log) = (Tensor::<f64>::eye_of(2) * 1e300).slogdet();
    assert!((log.item() - 2.0 * 1e300f64.ln()).abs() < 1e-10);
    assert_eq!(Tensor::<f64>::zeros_of([0, 2, 2]).det().shape(), [0]);
}

#[test]
fn qr_factors_give_the_matrix() {
    for size in RECTANGLES.into_iter().chain(SIZES.map(|n| [n, n])) {
        for shape in batches(size) {
            let a = random(&shape, 1);
            let (q, r) = a.qr();
            close(&q.matmul(&r), &a, 1e-14);
            orthonormal(&q);
            close(&r, &r.triu(0), 0.0);
            assert!(r.diagonal(0, -2, -1).to_vec().iter().all(|x| *x >= 0.0));
        }
    }
    // Columns of zeros, and huge and tiny numbers.
    for a in [Tensor::zeros_of([4, 3]), random(&[4, 3], 2) * 1e200, random(&[4, 3], 2) * 1e-200] {
        let (q, r) = a.qr();
        orthonormal(&q);
        close(&(q.matmul(&r) / largest(&a).max(1e-300)), &(&a / largest(&a).max(1e-300)), 1e-14);
    }
}

#[test]
fn eigenvectors_give_the_matrix() {
    for n in SIZES {
        for shape in batches([n, n]) {
            let x = random(&shape, 1);
            let a = &x + &x.t();
            let (values, v) = a.eigh();
            orthonormal(&v);
            close(&(&v * values.unsqueeze(-2)).matmul(&v.t()), &a, 5e-14);
            assert_eq!(a.eigvalsh(), values);
            let (lower, upper) =
                (values.narrow(-1, 0, n.max(1) - 1), values.narrow(-1, n.min(1), n.max(1) - 1));
            assert!((upper - lower).to_vec().iter().all(|gap| *gap >= 0.0), "ascending");
            // The gauge.
            let (largest, place) = (v.abs().max(&[-2], false), v.abs());
            let signed = Tensor::where_(&place.eq(largest.unsqueeze(-2)), &v, -1.0);
            if n > 0 {
                assert!(signed.max(&[-2], false).to_vec().iter().all(|x| *x > 0.0));
            }
        }
    }
}

#[test]
fn eigenvalues_of_special_matrices() {
    // Repeated, zero, clustered, graded, huge and tiny ones.
    let q = random(&[8, 8], 3).qr().0;
    for values in [
        [0.0; 8],
        [1.0; 8],
        [-2.0, -2.0, -2.0, 0.0, 0.0, 1.0, 1.0, 1.0],
        [1.0, 1.0 + 1e-15, 1.0 + 2e-15, 2.0, 2.0, 2.0 + 1e-14, 3.0, 3.0],
        [1e-12, 1e-9, 1e-6, 1e-3, 1.0, 1e3, 1e6, 1e9],
    ] {
        let values = Tensor::from(values);
        let a = (&q * &values).matmul(&q.t());
        for factor in [1.0, 1e250, 1e-250] {
            let (found, v) = (&a * factor).eigh();
            orthonormal(&v);
            let size = largest(&values).max(1.0);
            close(&(found / factor / size), &(&values / size), 1e-14);
        }
    }
    // The second difference: 2 - 2 cos(kπ/(n + 1)).
    let n = 100;
    let a = Tensor::<f64>::eye_of(n) * 2.0
        - Tensor::ones_of([n - 1]).diag(1)
        - Tensor::ones_of([n - 1]).diag(-1);
    let want =
        |i: usize| 2.0 - 2.0 * ((i + 1) as f64 * std::f64::consts::PI / (n + 1) as f64).cos();
    close(&a.eigvalsh(), &Tensor::from_fn([n], want), 1e-13);
}

#[test]
fn singular_vectors_give_the_matrix() {
    for size in RECTANGLES.into_iter().chain(SIZES.map(|n| [n, n])) {
        for shape in batches(size) {
            let a = random(&shape, 1);
            let (u, s, vt) = a.svd();
            orthonormal(&u);
            orthonormal(&vt.t());
            close(&(&u * s.unsqueeze(-2)).matmul(&vt), &a, 5e-14);
            assert_eq!(a.svdvals(), s);
            let k = s.size(-1).max(1) - 1;
            let gaps = s.narrow(-1, 0, k) - s.narrow(-1, s.size(-1).min(1), k);
            assert!(gaps.to_vec().iter().all(|gap| *gap >= 0.0), "descending");
            assert!(s.to_vec().iter().all(|s| *s >= 0.0));
        }
    }
    let q = random(&[8, 5], 3).qr().0;
    let w = random(&[5, 5], 4).qr().0;
    for values in [[0.0; 5], [1.0; 5], [2.0, 2.0, 1.0, 0.0, 0.0], [1e9, 1.0, 1e-3, 1e-6, 1e-12]] {
        let values = Tensor::from(values);
        let a = (&q * &values).matmul(&w);
        for factor in [1.0, 1e250, 1e-250] {
            for turned in [false, true] {
                let a = if turned { a.t() } else { a.clone() } * factor;
                let (u, s, vt) = a.svd();
                orthonormal(&u);
                orthonormal(&vt.t());
                let size = largest(&values).max(1.0);
                close(&(s / factor / size), &(&values / size), 1e-14);
            }
        }
    }
}

/// Singular values and eigenvalues that are equal, 0, or far apart, and sizes of several blocks.
#[test]
fn decompositions_of_extreme_matrices_give_the_matrix() {
    for n in [2, 3, 33, 70, 130] {
        let x = random(&[n, n], 1);
        let steps = |exponent: f64| {
            Tensor::from_fn(&[n], |i| 10f64.powf(exponent * i as f64 / (n - 1) as f64))
        };
        let matrices = [
            Tensor::ones_of([n, n]),
            Tensor::ones_of([n - 1]).diag(1),
            Tensor::ones_of([n - 1]).diag(1) + Tensor::eye_of(n),
            &x * steps(-30.0),
            &x * steps(30.0).unsqueeze(1),
            &x * steps(100.0) * steps(100.0).unsqueeze(1),
            &x * 1e300,
            &x * 1e-300,
        ];
        for (i, a) in matrices.iter().enumerate() {
            let (u, s, vt) = a.svd();
            orthonormal(&u);
            orthonormal(&vt.t());
            // Relative to the largest element, which is divided out first: products of large elements overflow.
            let size = largest(a);
            close(&(u * (s / size)).matmul(&vt), &(a / size), 5e-15 * n as f64);
            let (symmetric, n) = ((a / size + a.t() / size) * 0.5, n as f64);
            let (values, v) = (&symmetric * size).eigh();
            orthonormal(&v);
            let error = (&v * (values / size)).matmul(&v.t()) - &symmetric;
            assert!(largest(&error) <= 5e-15 * n, "{i}, {n}: {:e}", largest(&error));
        }
    }
}

/// The four equations of R. Penrose.
#[test]
fn pseudoinverses_have_their_four_properties() {
    for [m, n] in RECTANGLES {
        for rank in [1, 2, m.min(n)] {
            let rank = rank.min(m).min(n);
            for batch in [vec![], vec![2, 3]] {
                let of = |m, n, seed| {
                    random(&batch.iter().copied().chain([m, n]).collect::<Vec<_>>(), seed)
                };
                let (q, w) = (of(m, rank, 1).qr().0, of(n, rank, 2).qr().0);
                let a = (q * Tensor::from_fn([rank], |i| 1.0 + i as f64 * 0.1)).matmul(&w.t());
                let p = a.pinv(None);
                let (ap, pa) = (a.matmul(&p), p.matmul(&a));
                close(&ap.matmul(&a), &a, 1e-12);
                close(&pa.matmul(&p), &p, 1e-12);
                close(&ap, &ap.t(), 1e-12);
                close(&pa, &pa.t(), 1e-12);
                if m.min(n) > 0 {
                    let found = a.matrix_rank(None);
                    assert!(found.to_vec().iter().all(|r| *r == rank as i64), "{m} {n} {rank}");
                }
            }
        }
    }
    let a = Tensor::from([[1.0f64, 0.0], [0.0, 1e-3]]);
    assert_eq!(a.matrix_rank(Some(1e-2)).item(), 1);
    assert_eq!(a.pinv(Some(1e-2)).at(&[1, 1]), 0.0);
    assert_eq!(Tensor::<f64>::zeros_of([2, 0, 3]).matrix_rank(None).to_vec(), [0, 0]);
}

#[test]
fn least_squares_solutions_have_orthogonal_residuals() {
    for [m, n] in RECTANGLES {
        let (a, b) = (random(&[2, m, n], 1), random(&[m, 2], 2));
        let x = a.lstsq(&b, None);
        assert_eq!(x.shape(), [2, n, 2]);
        let residual = a.matmul(&x) - &b;
        assert!(largest(&a.t().matmul(&residual)) < 1e-10 * (1.0 + largest(&x)), "{m} {n}");
        if m > 0 && m < n {
            assert!(largest(&residual) < 1e-10 * (1.0 + largest(&x)), "{m} {n}");
        }
        let vector = a.lstsq(b.select(1, 0), None);
        assert!(largest(&(vector - x.select(2, 0))) < 1e-12 * (1.0 + largest(&x)));
    }
}

/// exp(V Λ Vᵀ) = V exp(Λ) Vᵀ, and a rotation.
#[test]
fn exponentials_agree_with_eigenvalues() {
    for n in SIZES {
        for (i, size) in [1e-3, 0.1, 0.5, 1.0, 3.0, 20.0].into_iter().enumerate() {
            let x = random(&[n, n], i as u64);
            let a = (&x + &x.t()) * (size / (n as f64 + 1.0));
            let (values, v) = a.eigh();
            close(&a.matrix_exp(), &(&v * values.exp()).matmul(&v.t()), 1e-12);
        }
    }
    let turn = Tensor::from([[0.0f64, -30.0], [30.0, 0.0]]).matrix_exp();
    let (c, s) = (30f64.cos(), 30f64.sin());
    close(&turn, &Tensor::from([[c, -s], [s, c]]), 1e-12);
    let batch = random(&[2, 3, 4, 4], 7);
    let one = batch.select(0, 1).select(0, 2).matrix_exp();
    close(&batch.matrix_exp().select(0, 1).select(0, 2), &one, 0.0);
    let nan = Tensor::from([[f64::NAN, 0.0], [0.0, 1.0]]).matrix_exp();
    assert!(nan.to_vec().iter().all(|x| x.is_nan()));
}

#[test]
fn powers_agree_with_products() {
    let a = random(&[2, 3, 3], 1) + identity(&[2, 3, 3]);
    let mut product = identity(&[2, 3, 3]);
    for n in 0..9 {
        close(&a.matrix_power(n), &product, 1e-13);
        close(&a.matrix_power(-n), &product.inverse(), 1e-10);
        product = product.matmul(&a);
    }
    assert_eq!(Tensor::<f64>::zeros_of([0, 0]).matrix_power(-3).shape(), [0, 0]);
    assert!((conditioned(5, 1e3, 1).cond().item() - 1e3).abs() < 1e-8);
}

/// f32 is computed in f64 and rounded once.
#[test]
fn single_precision_is_rounded_double_precision() {
    let (a, b) = (random(&[2, 6, 6], 1).cast::<f32>(), random(&[2, 6, 2], 2).cast::<f32>());
    let wide = a.cast::<f64>();
    let same = |got: &Tensor<f32>, want: &Tensor<f64>| assert_eq!(*got, want.cast::<f32>());
    same(&a.solve(&b), &wide.solve(b.cast::<f64>()));
    same(&a.inverse(), &wide.inverse());
    same(&a.det(), &wide.det());
    same(&a.svdvals(), &wide.svdvals());
    same(&a.eigh().1, &wide.eigh().1);
    same(&a.qr().0, &wide.qr().0);
    same(&a.lu().2, &wide.lu().2);
    same(&a.matrix_exp(), &wide.matrix_exp());
    assert_eq!(a.matrix_rank(None).to_vec(), [6, 6]);
}
