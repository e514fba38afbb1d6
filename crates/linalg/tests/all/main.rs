//! Tests of the public interface. All files form one program. `cargo test -p wengert-linalg --test all FILE::` runs
//! the tests of one file.

#[path = "../../../autograd/tests/all/common.rs"]
mod common;
mod derivatives;
mod errors;
mod modules;
#[path = "../../../autograd/tests/all/reference_file.rs"]
mod reference_file;
mod references;
mod residuals;
#[path = "../../../tensor/tests/all/scan/mod.rs"]
mod scan;
mod threads;

use wengert_autograd::testing::spread;
use wengert_linalg::Linalg;
use wengert_tensor::{Float, Tensor};

/// Returns random matrices with elements between -1 and 1.
fn random(shape: &[usize], seed: u64) -> Tensor<f64> {
    spread(shape, &[(-1.0, 1.0)], seed)
}

/// Returns the identity for a batch of square matrices of this shape.
fn identity(shape: &[usize]) -> Tensor<f64> {
    Tensor::eye_of(shape[shape.len() - 1]).broadcast_to(shape)
}

/// Returns the largest absolute value, or 0 if there are no elements. A NaN is an infinite value.
fn largest<T: Float>(x: &Tensor<T>) -> f64 {
    x.to_vec().iter().fold(
        0.0,
        |m: f64, x| {
            if x.to().is_nan() { f64::INFINITY } else { m.max(x.to().abs()) }
        },
    )
}

/// Returns a square matrix with singular values from 1 to `1/condition`.
fn conditioned(n: usize, condition: f64, seed: u64) -> Tensor<f64> {
    let (u, _) = random(&[n, n], seed).qr();
    let (v, _) = random(&[n, n], seed + 1).qr();
    let step = |i: usize| condition.powf(-(i as f64) / (n.max(2) - 1) as f64);
    (u * Tensor::from_fn(&[n], step)).matmul(&v)
}
