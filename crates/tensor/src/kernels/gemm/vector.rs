//! The vector operations that the micro-kernels need, for each instruction set.
//!
//! Every method is `#[inline(always)]` and must be inlined into a function that is compiled with
//! the `#[target_feature]` of the instruction set. The caller promises that the processor has the
//! instructions, and that the pointers are valid for the elements that each method names.
//!
//! An intrinsic becomes an instruction only inside such a function. A closure is a separate
//! function, compiled without the target feature, unless it is inlined: passed to `array::map`,
//! `array::from_fn` or an iterator it may stay a call, and so does every intrinsic in it. Therefore
//! the code of this module and of the micro-kernels uses loops, and its closures are
//! `#[inline(always)]`. `.ci/run` searches a release binary for intrinsics that were not inlined.
#![allow(clippy::needless_range_loop)] // the indices are the numbers of lanes and vectors

use std::ops::{Add, Mul};

/// A vector register of [`Vector::LANES`] elements.
pub trait Vector: Copy {
    /// The type of one element.
    type Scalar: Copy + Default + Add<Output = Self::Scalar> + Mul<Output = Self::Scalar>;
    /// The number of elements.
    const LANES: usize;

    /// Returns zero in every lane.
    unsafe fn zero() -> Self;
    /// Returns the element at `p` in every lane.
    unsafe fn splat(p: *const Self::Scalar) -> Self;
    /// Loads the `LANES` elements from `p` on.
    unsafe fn load(p: *const Self::Scalar) -> Self;
    /// Stores all lanes from `p` on.
    unsafe fn store(self, p: *mut Self::Scalar);
    /// Returns self + a·b, rounded once if the instruction set has a fused multiply-add.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    /// Returns self + other.
    unsafe fn plus(self, other: Self) -> Self;
    /// Returns self - other.
    unsafe fn minus(self, other: Self) -> Self;

    /// Loads the first `n <= LANES` elements from `p` on, and zero into the other lanes.
    #[inline(always)]
    unsafe fn load_first(p: *const Self::Scalar, n: usize) -> Self {
        // SAFETY: the caller promises n elements at `p`; `lanes` has LANES.
        unsafe {
            let mut lanes = [Self::Scalar::default(); 16];
            for (i, lane) in lanes.iter_mut().enumerate().take(n) {
                *lane = *p.add(i);
            }
            Self::load(lanes.as_ptr())
        }
    }

    /// Loads the first `n <= LANES` lanes from `p` on, and the other lanes from `q` on: lane i from
    /// `q + i`. All `LANES` elements must exist at both addresses.
    unsafe fn join(p: *const Self::Scalar, q: *const Self::Scalar, n: usize) -> Self;

    /// Stores the first `n <= LANES` lanes from `p` on.
    #[inline(always)]
    unsafe fn store_first(self, p: *mut Self::Scalar, n: usize) {
        // SAFETY: as `load_first`.
        unsafe {
            let mut lanes = [Self::Scalar::default(); 16];
            self.store(lanes.as_mut_ptr());
            for (i, &lane) in lanes.iter().enumerate().take(n) {
                *p.add(i) = lane;
            }
        }
    }

    /// Returns the sum of the lanes of each of four vectors.
    #[inline(always)]
    unsafe fn sums(vectors: [Self; 4]) -> [Self::Scalar; 4] {
        let mut sums = [Self::Scalar::default(); 4];
        for j in 0..4 {
            let mut lanes = [Self::Scalar::default(); 16];
            // SAFETY: no vector has more than 16 lanes.
            unsafe { vectors[j].store(lanes.as_mut_ptr()) };
            let mut n = Self::LANES;
            while n > 1 {
                n /= 2;
                for i in 0..n {
                    lanes[i] = lanes[i] + lanes[i + n];
                }
            }
            sums[j] = lanes[0];
        }
        sums
    }

    /// Transposes a block of `LANES` x `LANES` elements: element i of output row q is element q of
    /// input row i. Rows are contiguous, with strides `src_stride` and `dst_stride`. Input rows
    /// from `rows` on are not read and count as zero. Output rows are written whole and in
    /// ascending order, so they may overlap.
    #[inline(always)]
    unsafe fn transpose(
        src: *const Self::Scalar,
        src_stride: isize,
        rows: usize,
        dst: *mut Self::Scalar,
        dst_stride: usize,
    ) {
        for q in 0..Self::LANES {
            for i in 0..Self::LANES {
                // SAFETY: the caller promises `rows` rows of LANES at `src`, and LANES at `dst`.
                unsafe {
                    *dst.add(q * dst_stride + i) = if i < rows {
                        *src.offset(i as isize * src_stride).add(q)
                    } else {
                        Self::Scalar::default()
                    };
                }
            }
        }
    }
}

macro_rules! array_methods {
    ($t:ident) => {
        #[inline(always)]
        unsafe fn zero() -> Self {
            [0.0; N]
        }
        #[inline(always)]
        unsafe fn splat(p: *const $t) -> Self {
            // SAFETY: the caller promises one element.
            [unsafe { *p }; N]
        }
        #[inline(always)]
        unsafe fn load(p: *const $t) -> Self {
            // SAFETY: the caller promises N elements; they need not be aligned to more than one.
            unsafe { p.cast::<Self>().read_unaligned() }
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut $t) {
            // SAFETY: as `load`.
            unsafe { p.cast::<Self>().write_unaligned(self) }
        }
        #[inline(always)]
        unsafe fn add_product(mut self, a: Self, b: Self) -> Self {
            for i in 0..N {
                // Without the instruction, `mul_add` is a call into the mathematical library.
                self[i] = if cfg!(target_feature = "fma") {
                    a[i].mul_add(b[i], self[i])
                } else {
                    self[i] + a[i] * b[i]
                };
            }
            self
        }
        #[inline(always)]
        unsafe fn plus(mut self, other: Self) -> Self {
            for i in 0..N {
                self[i] += other[i];
            }
            self
        }
        #[inline(always)]
        unsafe fn minus(mut self, other: Self) -> Self {
            for i in 0..N {
                self[i] -= other[i];
            }
            self
        }
        #[inline(always)]
        unsafe fn join(p: *const $t, q: *const $t, n: usize) -> Self {
            // SAFETY: as `load`, on both sides.
            let (first, second) = unsafe { (Self::load(p), Self::load(q)) };
            let mut lanes = first;
            for i in 0..N {
                lanes[i] = if i < n { first[i] } else { second[i] };
            }
            lanes
        }
    };
}
/// The baseline: an array, which the compiler vectorises as the target allows.
impl<const N: usize> Vector for [f32; N] {
    type Scalar = f32;
    const LANES: usize = N;
    array_methods!(f32);
}

impl<const N: usize> Vector for [f64; N] {
    type Scalar = f64;
    const LANES: usize = N;
    array_methods!(f64);
}

/// Defines the methods whose intrinsics differ only in their names.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! intrinsics {
    ($t:ident: $zero:expr, $splat:ident, $load:ident, $store:ident, $add:ident, $subtract:ident, |$c:ident, $a:ident, $b:ident| $fma:expr) => {
        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: the caller promises the instructions.
            unsafe { $zero }
        }
        #[inline(always)]
        unsafe fn splat(p: *const $t) -> Self {
            // SAFETY: the caller promises the instructions and one element.
            unsafe { $splat(*p) }
        }
        #[inline(always)]
        unsafe fn load(p: *const $t) -> Self {
            // SAFETY: the caller promises the instructions and LANES elements.
            unsafe { $load(p) }
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut $t) {
            // SAFETY: as `load`.
            unsafe { $store(p, self) }
        }
        #[inline(always)]
        unsafe fn add_product(self, $a: Self, $b: Self) -> Self {
            let $c = self;
            // SAFETY: the caller promises the instructions.
            unsafe { $fma }
        }
        #[inline(always)]
        unsafe fn plus(self, other: Self) -> Self {
            // SAFETY: the caller promises the instructions.
            unsafe { $add(self, other) }
        }
        #[inline(always)]
        unsafe fn minus(self, other: Self) -> Self {
            // SAFETY: the caller promises the instructions.
            unsafe { $subtract(self, other) }
        }
    };
}
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) use intrinsics;
