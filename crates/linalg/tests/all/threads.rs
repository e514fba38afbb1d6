//! The bits of the results do not depend on the number of threads.

use crate::random;
use rayon::ThreadPoolBuilder;
use wengert_linalg::Linalg;
use wengert_tensor::Tensor;

#[test]
fn results_have_the_same_bits_for_any_number_of_threads() {
    let (batch, large) = (random(&[24, 20, 20], 1), random(&[150, 150], 2));
    let all = || -> Vec<u64> {
        let mut parts: Vec<Tensor<f64>> = vec![];
        for a in [&batch, &large] {
            let (values, v) = a.eigh();
            let (u, s, vt) = a.svd();
            let (q, r) = a.qr();
            let positive = a.matmul(&a.t()) + Tensor::eye_of(a.size(-1));
            parts.extend([values, v, u, s, vt, q, r, positive.cholesky(), a.inverse(), a.det()]);
            parts.extend([a.matrix_exp(), a.solve(a.t()), a.lu().2]);
        }
        parts.iter().flat_map(Tensor::to_vec).map(f64::to_bits).collect()
    };
    let [one, three] =
        [1, 3].map(|n| ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(all));
    assert!(one == three);
}
