//! Applies a kernel to each matrix of a batch.

use crate::error::LinalgProblem;
use rayon::prelude::*;
use wengert_tensor::{Shape, Tensor, num_threads};

/// A function of one matrix for each operand. It returns the elements of each result.
pub(crate) type MatrixKernel<'a> =
    &'a (dyn Fn(&[&[f64]]) -> Result<Vec<Vec<f64>>, LinalgProblem> + Sync);

/// Batches of less work than this number of multiplications stay on one thread.
const PARALLEL: usize = 1 << 17;

/// Calls the kernel for each matrix. `results` are the shapes of the results, whose leading axes are `batch`. `work` is
/// the number of multiplications for one matrix. An error has the flat place of the first matrix that failed.
pub(crate) fn each(
    inputs: &[Tensor<f64>],
    batch: &[usize],
    results: &[Shape],
    work: usize,
    kernel: MatrixKernel<'_>,
) -> Result<Vec<Tensor<f64>>, (usize, LinalgProblem)> {
    let count: usize = batch.iter().product();
    if results.iter().all(|shape| shape.numel() == 0) {
        return Ok(results.iter().map(|shape| Tensor::zeros_of(*shape)).collect());
    }
    let inputs: Vec<Vec<f64>> = inputs.iter().map(Tensor::to_vec).collect();
    let one = |i: usize| {
        let of = |x: &Vec<f64>| -> std::ops::Range<usize> {
            let size = x.len() / count;
            i * size..(i + 1) * size
        };
        let parts: Vec<&[f64]> = inputs.iter().map(|x| &x[of(x)]).collect();
        kernel(&parts)
    };
    let parallel = count > 1 && work.saturating_mul(count) >= PARALLEL && num_threads() > 1;
    let made: Vec<_> = if parallel {
        (0..count).into_par_iter().map(one).collect()
    } else {
        (0..count).map(one).collect()
    };
    let mut elements: Vec<Vec<f64>> =
        results.iter().map(|shape| Vec::with_capacity(shape.numel())).collect();
    for (i, parts) in made.into_iter().enumerate() {
        for (all, part) in elements.iter_mut().zip(parts.map_err(|problem| (i, problem))?) {
            all.extend(part);
        }
    }
    Ok(elements.into_iter().zip(results).map(|(x, shape)| Tensor::from_vec(x, *shape)).collect())
}

/// Returns the index along the leading axes of the matrix with this flat place.
pub(crate) fn index(batch: &[usize], mut flat: usize) -> Vec<usize> {
    let mut index = vec![0; batch.len()];
    for (i, size) in index.iter_mut().zip(batch).rev() {
        *i = flat % size;
        flat /= size;
    }
    index
}
