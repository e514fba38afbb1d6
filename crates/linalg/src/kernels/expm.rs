//! The exponential of a matrix by scaling, a Padé approximation, and squaring (N. J. Higham, "The scaling and squaring
//! method for the matrix exponential revisited", 2005).

use super::lu::lu;
use super::vectors::{add_scaled, identity, product};

/// The coefficients of the Padé approximations, each with the largest norm for which it is precise.
const PADE: &[(f64, &[f64])] = &[
    (1.495585217958292e-2, &[120.0, 60.0, 12.0, 1.0]),
    (2.53939833006323e-1, &[30240.0, 15120.0, 3360.0, 420.0, 30.0, 1.0]),
    (
        9.504178996162932e-1,
        &[17297280.0, 8648640.0, 1995840.0, 277200.0, 25200.0, 1512.0, 56.0, 1.0],
    ),
    (
        2.097847961257068,
        &[
            17643225600.0,
            8821612800.0,
            2075673600.0,
            302702400.0,
            30270240.0,
            2162160.0,
            110880.0,
            3960.0,
            90.0,
            1.0,
        ],
    ),
    (
        5.371920351148152,
        &[
            64764752532480000.0,
            32382376266240000.0,
            7771770303897600.0,
            1187353796428800.0,
            129060195264000.0,
            10559470521600.0,
            670442572800.0,
            33522128640.0,
            1323241920.0,
            40840800.0,
            960960.0,
            16380.0,
            182.0,
            1.0,
        ],
    ),
];

/// Returns exp A. If A contains a NaN or an infinity, all elements are NaN.
pub(crate) fn exp(a: &[f64], n: usize) -> Vec<f64> {
    if !a.iter().all(|x| x.is_finite()) {
        return vec![f64::NAN; n * n];
    }
    let sums = (0..n).map(|j| (0..n).map(|i| a[i * n + j].abs()).sum());
    let norm: f64 = sums.fold(0.0, f64::max);
    let (limit, coefficients) =
        *PADE.iter().find(|(limit, _)| norm <= *limit).unwrap_or(&PADE[PADE.len() - 1]);
    let squarings = if norm > limit { (norm / limit).log2().ceil() as i32 } else { 0 };
    let a: Vec<f64> = a.iter().map(|x| x * 2f64.powi(-squarings)).collect();
    let mut x = pade(&a, n, coefficients);
    for _ in 0..squarings {
        x = product(&x, &x, [n, n, n]);
    }
    x
}

/// Returns (V - U)⁻¹ (V + U), where U has the odd powers of A and V the even ones.
fn pade(a: &[f64], n: usize, coefficients: &[f64]) -> Vec<f64> {
    let square = product(a, a, [n, n, n]);
    let mut power = identity(n);
    let (mut odd, mut even) = (vec![0.0; n * n], vec![0.0; n * n]);
    for (i, pair) in coefficients.chunks_exact(2).enumerate() {
        if i > 0 {
            power = product(&power, &square, [n, n, n]);
        }
        add_scaled(&mut even, pair[0], &power);
        add_scaled(&mut odd, pair[1], &power);
    }
    let odd = product(a, &odd, [n, n, n]);
    let difference: Vec<f64> = even.iter().zip(&odd).map(|(v, u)| v - u).collect();
    let sum: Vec<f64> = even.iter().zip(&odd).map(|(v, u)| v + u).collect();
    lu(&difference, [n, n]).solve(&sum, n)
}
