//! The micro-kernels: they accumulate a tile of C in registers over all steps of k.
//!
//! There are two forms. [`outer`] adds the product of one column of A and one row of B per step;
//! vectors lie along the rows of B and C. [`inner`] computes dot products; vectors lie along k. It
//! is for operands whose k is contiguous on both sides and that are too small to be worth packing.

#![allow(clippy::needless_range_loop)] // the indices show which elements are multiplied

use super::vector::Vector;
use crate::machine::prefetch;

/// The arguments of [`outer`]: a tile of `MR` rows of `NV` vectors.
pub struct Outer<T> {
    /// Number of steps.
    pub k: usize,
    /// Element (i, p) of A is at `a + i*a_row + p*a_col`.
    pub a: *const T,
    pub a_row: isize,
    pub a_col: isize,
    /// Row p of B is at `b + p*b_row`, contiguous and as long as a number of full vectors.
    pub b: *const T,
    pub b_row: isize,
    /// Row i of C is at `c + i*ldc`.
    pub c: *mut T,
    pub ldc: usize,
    /// Number of lanes of a row's last vector that belong to C.
    pub last: usize,
    /// Whether the product is added to C.
    pub accumulate: bool,
    /// Whether C is fetched into the cache while the products are computed.
    pub fetch: bool,
}

/// Computes the product of `MR` rows of A and `NV` vectors of columns of B. With `UNIT`, `a_row`
/// must be 1.
#[inline(always)]
pub unsafe fn outer<V: Vector, const MR: usize, const NV: usize, const UNIT: bool>(
    t: &Outer<V::Scalar>,
) {
    let Outer { k, mut a, a_row, a_col, mut b, b_row, c, ldc, last, accumulate, fetch } = *t;
    let at = |i: usize, j: usize| c.wrapping_add(i * ldc + j * V::LANES);
    // SAFETY: the caller promises the instructions and that the tile's parts of A, B and C exist.
    // Pointers past the last step are made but not read.
    unsafe {
        if fetch {
            for i in 0..MR {
                prefetch(at(i, 0), NV * V::LANES);
            }
        }
        let mut acc = [[V::zero(); NV]; MR];
        // Keep one pointer for each row. From a single pointer the compiler would derive the others
        // one after the other, and this chain of dependent additions takes as long as the products.
        let mut rows = [a; MR];
        for i in 0..MR {
            rows[i] = a.wrapping_offset(i as isize * a_row);
        }
        let mut step = 0;
        for _ in 0..k {
            let mut row = [V::zero(); NV];
            for j in 0..NV {
                row[j] = V::load(b.add(j * V::LANES));
            }
            for i in 0..MR {
                let x = V::splat(if UNIT { a.add(i) } else { rows[i].offset(step) });
                for j in 0..NV {
                    acc[i][j] = acc[i][j].add_product(x, row[j]);
                }
            }
            a = a.wrapping_offset(a_col);
            step += a_col;
            b = b.wrapping_offset(b_row);
        }
        // These loops have no branch inside, so they unroll, and `acc` stays in registers. One loop
        // with the branches inside keeps `acc` in memory from the start and runs at a third of the
        // speed.
        if last == V::LANES {
            if accumulate {
                for i in 0..MR {
                    for j in 0..NV {
                        acc[i][j] = V::load(at(i, j)).plus(acc[i][j]);
                    }
                }
            }
            for i in 0..MR {
                for j in 0..NV {
                    acc[i][j].store(at(i, j));
                }
            }
        } else {
            if accumulate {
                for i in 0..MR {
                    for j in 0..NV - 1 {
                        acc[i][j] = V::load(at(i, j)).plus(acc[i][j]);
                    }
                    acc[i][NV - 1] = V::load_first(at(i, NV - 1), last).plus(acc[i][NV - 1]);
                }
            }
            for i in 0..MR {
                for j in 0..NV - 1 {
                    acc[i][j].store(at(i, j));
                }
                acc[i][NV - 1].store_first(at(i, NV - 1), last);
            }
        }
    }
}

/// The arguments of [`inner`]: a tile of `MR` rows of A times `NR` columns of B.
pub struct Inner<T> {
    /// Length of the dot products.
    pub k: usize,
    /// Row i of A is at `a + i*a_row`, contiguous.
    pub a: *const T,
    pub a_row: isize,
    /// Column j of B is at `b + j*b_col`, contiguous.
    pub b: *const T,
    pub b_col: isize,
    /// Element (i, j) of C is at `c + i*ldc + j`.
    pub c: *mut T,
    pub ldc: usize,
    /// Whether the dot products are added to C.
    pub accumulate: bool,
}

/// Computes `MR` x `NR` dot products.
#[inline(always)]
pub unsafe fn inner<V: Vector, const MR: usize, const NR: usize>(t: &Inner<V::Scalar>) {
    let Inner { k, mut a, a_row, mut b, b_col, c, ldc, accumulate } = *t;
    // SAFETY: as for `outer`.
    unsafe {
        let mut acc = [[V::zero(); NR]; MR];
        for _ in 0..k / V::LANES {
            add_products(
                &mut acc,
                #[inline(always)]
                |i| V::load(a.offset(i as isize * a_row)),
                #[inline(always)]
                |j| V::load(b.offset(j as isize * b_col)),
            );
            a = a.wrapping_add(V::LANES);
            b = b.wrapping_add(V::LANES);
        }
        let rest = k % V::LANES;
        if rest > 0 {
            add_products(
                &mut acc,
                #[inline(always)]
                |i| V::load_first(a.offset(i as isize * a_row), rest),
                #[inline(always)]
                |j| V::load_first(b.offset(j as isize * b_col), rest),
            );
        }
        let mut sums = [[V::Scalar::default(); 4]; MR];
        for i in 0..MR {
            let mut row = [V::zero(); 4];
            row[..NR].copy_from_slice(&acc[i]);
            sums[i] = V::sums(row);
        }
        if accumulate {
            for i in 0..MR {
                for j in 0..NR {
                    sums[i][j] = *c.add(i * ldc + j) + sums[i][j];
                }
            }
        }
        for i in 0..MR {
            for j in 0..NR {
                *c.add(i * ldc + j) = sums[i][j];
            }
        }
    }
}

/// Adds a(i)·b(j) to `acc[i][j]`. The vectors of the shorter side stay in registers while those of
/// the longer side are loaded one by one, which needs the fewest registers.
#[inline(always)]
unsafe fn add_products<V: Vector, const MR: usize, const NR: usize>(
    acc: &mut [[V; NR]; MR],
    a: impl Fn(usize) -> V,
    b: impl Fn(usize) -> V,
) {
    // SAFETY: the caller promises the instructions.
    unsafe {
        if MR < NR {
            let mut held = [V::zero(); MR];
            for i in 0..MR {
                held[i] = a(i);
            }
            for j in 0..NR {
                let y = b(j);
                for i in 0..MR {
                    acc[i][j] = acc[i][j].add_product(held[i], y);
                }
            }
        } else {
            let mut held = [V::zero(); NR];
            for j in 0..NR {
                held[j] = b(j);
            }
            for i in 0..MR {
                let x = a(i);
                for j in 0..NR {
                    acc[i][j] = acc[i][j].add_product(x, held[j]);
                }
            }
        }
    }
}
