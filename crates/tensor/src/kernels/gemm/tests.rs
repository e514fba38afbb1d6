use super::*;
use std::fmt::Debug;

/// A number type with all tables of micro-kernels that this machine can run.
pub trait EveryKernel: Gemm + PartialEq + Debug {
    fn every() -> Vec<&'static KernelTable<Self>>;
}

/// The conversions that the tests need.
trait Number: EveryKernel {
    const EPSILON: f64;
    fn of(x: f64) -> Self;
    fn to(self) -> f64;
}
macro_rules! numbers {
    ($($t:ident)*) => { $(
        impl Number for $t {
            const EPSILON: f64 = $t::EPSILON as f64;
            fn of(x: f64) -> Self {
                x as $t
            }
            fn to(self) -> f64 {
                self as f64
            }
        }
    )* };
}
numbers! { f32 f64 }

/// Returns a number in -1..1 with few significant bits, different for each seed.
fn number(seed: &mut u64) -> f64 {
    *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    ((*seed >> 52) as f64 - 2048.0) / 2048.0
}

/// The layout of a test matrix in memory.
#[derive(Clone, Copy, Debug)]
enum Layout {
    Rows,
    Columns,
    /// Rows of a larger matrix.
    Window,
    /// Columns of a larger matrix.
    WindowOfColumns,
    /// Neither rows nor columns contiguous.
    Strided,
    /// Rows in reverse order.
    RowsReversed,
    /// Columns in reverse order.
    ColumnsReversed,
    /// One row, broadcast.
    OneRow,
    /// One column, broadcast.
    OneColumn,
}
use Layout::*;
const LAYOUTS: [Layout; 9] = [
    Rows,
    Columns,
    Window,
    WindowOfColumns,
    Strided,
    RowsReversed,
    ColumnsReversed,
    OneRow,
    OneColumn,
];

/// A matrix whose memory begins with its first element and ends with its last, so that Miri or a sanitizer
/// detects every read outside the matrix.
struct Matrix<T> {
    memory: Vec<T>,
    first: usize,
    rows: usize,
    cols: usize,
    strides: (isize, isize),
}

impl<T: Number> Matrix<T> {
    fn new(rows: usize, cols: usize, layout: Layout, seed: &mut u64) -> Self {
        let (r, c) = (rows as isize, cols as isize);
        let strides = match layout {
            Rows => (c, 1),
            Columns => (1, r),
            Window => (c + 3, 1),
            WindowOfColumns => (1, r + 5),
            Strided => (2 * c + 1, 2),
            RowsReversed => (-c, 1),
            ColumnsReversed => (c, -1),
            OneRow => (0, 1),
            OneColumn => (1, 0),
        };
        let reach = |n: isize, stride: isize| (n - 1).max(0) * stride;
        let (down, right) = (reach(r, strides.0), reach(c, strides.1));
        let first = -(down.min(0) + right.min(0));
        let len = first + down.max(0) + right.max(0) + 1;
        Self {
            memory: (0..len).map(|_| T::of(number(seed))).collect(),
            first: first as usize,
            rows,
            cols,
            strides,
        }
    }

    fn view(&self) -> MatRef<T> {
        MatRef {
            ptr: &raw const self.memory[self.first],
            rows: self.rows,
            cols: self.cols,
            row_stride: self.strides.0,
            col_stride: self.strides.1,
        }
    }

    fn at(&self, i: usize, j: usize) -> f64 {
        self.memory[(self.first as isize
            + i as isize * self.strides.0
            + j as isize * self.strides.1) as usize]
            .to()
    }
}

/// The value around C and between its rows. It must not change.
const CANARY: f64 = -7777.0;
/// Initial value of C where C is to be overwritten. A product that reads it becomes NaN.
const POISON: f64 = f64::NAN;

const GUARD: usize = 19;

/// Compares products with three nested loops in `f64`: every method of every instruction set,
/// overwriting C and adding to it.
fn check<T: Number>((m, n, k): (usize, usize, usize), (la, lb): (Layout, Layout)) {
    let mut seed = (m * 31 + n * 17 + k) as u64;
    let a = Matrix::<T>::new(m, k, la, &mut seed);
    let b = Matrix::<T>::new(k, n, lb, &mut seed);
    let ldc = n + 3;
    let size = 2 * GUARD + m * ldc;
    // The initial contents of C, the expected contents, and the permitted rounding error.
    let mut overwritten = vec![(CANARY, CANARY, 0.0); size];
    let mut added = overwritten.clone();
    for i in 0..m {
        for j in 0..n {
            let (mut sum, mut magnitude) = (0.0, 0.0);
            for p in 0..k {
                let product = a.at(i, p) * b.at(p, j);
                sum += product;
                magnitude += product.abs();
            }
            let before = T::of(number(&mut seed)).to();
            let rounding = (k as f64 + 2.0) * T::EPSILON;
            let at = GUARD + i * ldc + j;
            overwritten[at] = (POISON, sum, magnitude * rounding);
            added[at] = (before, before + sum, (magnitude + before.abs()) * rounding);
        }
    }
    for kernels in T::every() {
        for method in [None, Some(Method::Inner), Some(Method::Outer), Some(Method::Swapped)] {
            for (accumulate, expected) in [(false, &overwritten), (true, &added)] {
                let mut c: Vec<T> = expected.iter().map(|&(before, ..)| T::of(before)).collect();
                let to = c[GUARD..].as_mut_ptr();
                let mut product = Product::new(kernels, a.view(), b.view(), to, ldc, accumulate);
                product.method = method.unwrap_or(product.method);
                // SAFETY: the matrices are as large as they say.
                unsafe { product.run() };
                for (at, (&got, &(_, want, error))) in c.iter().zip(expected).enumerate() {
                    assert!(
                        (got.to() - want).abs() <= error,
                        "{} {:?} {m}x{k}x{n} {la:?} {lb:?} accumulate {accumulate}: {got:?}, not {want}, at {}",
                        kernels.name,
                        product.method,
                        at as isize - GUARD as isize,
                    );
                }
            }
        }
    }
}

fn both(shapes: &[(usize, usize, usize)], layouts: &[(Layout, Layout)]) {
    for &shape in shapes {
        for &layout in layouts {
            check::<f32>(shape, layout);
            check::<f64>(shape, layout);
        }
    }
}

const COMMON: [(Layout, Layout); 4] =
    [(Rows, Rows), (Rows, Columns), (Columns, Rows), (Columns, Columns)];

#[test]
fn products_with_an_empty_axis_are_zero() {
    both(&[(0, 0, 0), (0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 7), (40, 70, 0), (1, 1, 1)], &COMMON);
}

#[test]
fn products_of_every_small_shape_agree_with_loops() {
    let mut shapes = Vec::new();
    for m in 1..=7 {
        for n in 1..=9 {
            for k in [1, 2, 3, 8, 9] {
                shapes.push((m, n, k));
            }
        }
    }
    both(&shapes, &COMMON);
}

#[test]
fn products_around_the_tile_sizes_agree_with_loops() {
    let mut shapes = Vec::new();
    for m in [1, 2, 3, 5, 6, 7, 11, 12, 13, 25] {
        for n in [1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 100] {
            shapes.push((m, n, 37));
        }
    }
    both(&shapes, &COMMON);
}

#[test]
fn products_around_the_block_sizes_agree_with_loops() {
    both(
        &[
            // Two and three blocks of rows and of steps.
            (145, 37, 513),
            (289, 5, 1031),
            // One block of rows: panels of B are packed one by one.
            (144, 131, 513),
            (61, 75, 1030),
            (13, 4111, 3),
            (7, 31, 2111),
            (61, 67, 71),
            (2, 1031, 97),
            (1031, 2, 97),
        ],
        &COMMON,
    );
}

#[test]
fn products_of_every_pair_of_layouts_agree_with_loops() {
    let pairs: Vec<_> = LAYOUTS.iter().flat_map(|&a| LAYOUTS.map(|b| (a, b))).collect();
    both(
        &[(3, 5, 4), (11, 19, 23), (29, 47, 18), (37, 10, 64), (10, 30, 101), (50, 120, 40)],
        &pairs,
    );
}

#[test]
fn the_bits_of_products_do_not_depend_on_the_number_of_threads() {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let pools = [pool(1), pool(2), pool(5)];
    for (m, n, k) in
        [(128, 784, 512), (512, 128, 130), (10, 4000, 300), (4000, 10, 300), (1000, 40, 801)]
    {
        for (la, lb) in COMMON {
            let mut seed = 5;
            let a = Matrix::<f32>::new(m, k, la, &mut seed);
            let b = Matrix::<f32>::new(k, n, lb, &mut seed);
            let [one, two, five] = pools.each_ref().map(|pool| {
                let mut c = vec![0.5; m * n];
                // SAFETY: the matrices are as large as they say.
                pool.install(|| unsafe { gemm(a.view(), b.view(), c.as_mut_ptr(), n, true) });
                c
            });
            assert!(one == two && one == five, "{m}x{k}x{n} {la:?} {lb:?}");
        }
    }
}

/// The product of the rows and the number of threads does not fit addresses of 32 bits.
#[test]
fn shares_of_threads_do_not_overflow_for_long_matrices() {
    assert_eq!(share(1 << 27, 64, 128), 1 << 26);
    assert_eq!(share((1 << 27) - 1, 85, 255), 44_739_243);
    assert_eq!([share(10, 1, 3), share(0, 0, 1), share(1, 0, 1)], [4, 0, 0]);
}
