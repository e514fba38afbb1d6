//! The inner loops: a tile of C that stays in registers while k runs.
//!
//! Two forms. [`outer`] adds one column of A times one row of B per step, vectors lying along the
//! rows of B and C. [`inner`] takes dot products, vectors lying along k: for operands whose k is
//! contiguous on both sides, and too small to be worth packing.

#![allow(clippy::needless_range_loop)] // indices say what is multiplied with what

use super::vector::Vector;

/// A tile for [`outer`]: `MR` rows of `NV` vectors.
pub struct Outer<T> {
    /// Steps.
    pub k: usize,
    /// Element (i, p) of A at `a + i*a_row + p*a_col`.
    pub a: *const T,
    pub a_row: isize,
    pub a_col: isize,
    /// Row p of B at `b + p*b_row`, contiguous and whole vectors long.
    pub b: *const T,
    pub b_row: isize,
    /// Row i of C at `c + i*ldc`.
    pub c: *mut T,
    pub ldc: usize,
    /// How many lanes of a row's last vector belong to C.
    pub last: usize,
    /// Whether to add to C.
    pub accumulate: bool,
}

/// The product of `MR` rows of A with `NV` vectors of columns of B. With `UNIT`, `a_row` is 1.
#[inline(always)]
pub unsafe fn outer<V: Vector, const MR: usize, const NV: usize, const UNIT: bool>(
    t: &Outer<V::Scalar>,
) {
    let Outer { k, mut a, a_row, a_col, mut b, b_row, c, ldc, last, accumulate } = *t;
    let at = |i: usize, j: usize| c.wrapping_add(i * ldc + j * V::LANES);
    // SAFETY: the caller promises the instructions and that the tile's parts of A, B and C exist.
    // Pointers past the last step are made but not read.
    unsafe {
        let mut acc = [[V::zero(); NV]; MR];
        // A pointer for each row: from one pointer the compiler would derive the others one after
        // the other, and the chain takes as long as the products.
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
        // Loops without a branch inside: they unroll, and `acc` stays in registers. One loop with
        // the branches inside keeps `acc` in memory from the start, at a third of the speed.
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

/// A tile for [`inner`]: `MR` rows of A times `NR` columns of B.
pub struct Inner<T> {
    /// Length of the dot products.
    pub k: usize,
    /// Row i of A at `a + i*a_row`, contiguous.
    pub a: *const T,
    pub a_row: isize,
    /// Column j of B at `b + j*b_col`, contiguous.
    pub b: *const T,
    pub b_col: isize,
    /// Element (i, j) of C at `c + i*ldc + j`.
    pub c: *mut T,
    pub ldc: usize,
    /// Whether to add to C.
    pub accumulate: bool,
}

/// `MR` x `NR` dot products.
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

/// Adds a(i)·b(j) to `acc[i][j]`. The vectors of the shorter side are held while the others pass:
/// it needs the fewest registers.
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
