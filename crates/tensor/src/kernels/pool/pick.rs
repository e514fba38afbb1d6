//! Reads elements of images by their positions; the adjoint adds elements to images of zeros.

use crate::machine::each_part;
use crate::number::Real;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Computes `out[…, o] = x[…, index[…, o]]` for images of `size` elements with `area` positions
/// each. Returns whether all positions are within their images.
pub(crate) fn pick<T: Real>(
    x: &[T],
    size: usize,
    index: &[i64],
    area: usize,
    out: &mut [T],
) -> bool {
    let (n, outside) = (out.len(), AtomicBool::new(false));
    each_part(out, area, n, 1, |range, out| {
        let images = x[range.start * size..range.end * size].chunks_exact(size);
        let index = index[range.start * area..range.end * area].chunks_exact(area);
        for ((out, index), x) in out.chunks_exact_mut(area).zip(index).zip(images) {
            for (y, &i) in out.iter_mut().zip(index) {
                match usize::try_from(i).ok().and_then(|i| x.get(i)) {
                    Some(&x) => *y = x,
                    None => outside.store(true, Relaxed),
                }
            }
        }
    });
    !outside.into_inner()
}

/// Computes `out[…, index[…, o]] += x[…, o]`, starting from zero. Returns whether all positions are
/// within their images.
pub(crate) fn unpool<T: Real>(
    x: &[T],
    area: usize,
    index: &[i64],
    size: usize,
    out: &mut [T],
) -> bool {
    let (n, outside) = (out.len(), AtomicBool::new(false));
    each_part(out, size, n, 1, |range, out| {
        let part = range.start * area..range.end * area;
        let (x, index) = (x[part.clone()].chunks_exact(area), index[part].chunks_exact(area));
        for ((out, x), index) in out.chunks_exact_mut(size).zip(x).zip(index) {
            out.fill(T::default());
            for (&x, &i) in x.iter().zip(index) {
                match usize::try_from(i).ok().and_then(|i| out.get_mut(i)) {
                    Some(y) => *y = y.add_(x),
                    None => outside.store(true, Relaxed),
                }
            }
        }
    });
    !outside.into_inner()
}
