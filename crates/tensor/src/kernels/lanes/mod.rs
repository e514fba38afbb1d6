//! Vectors with masks, for kernels that read rows of images in place.
//!
//! A row of an image is seldom a multiple of a vector, and a window may reach beyond its edges. Both are a mask: the
//! lanes of a load that lie outside the image are not read, and the lanes of a store that lie outside the result
//! are not written. Therefore short rows need neither a loop over single elements nor a padded copy.
//!
//! This module imports `gemm` for its vectors. `batch_norm`, `conv`, `pool` and `map_axis` import it.
#![allow(clippy::needless_range_loop)] // the indices are the numbers of lanes

#[cfg(target_arch = "x86_64")]
mod x86;

use super::gemm::Vector;

/// A vector with masks. As with [`Vector`], every method is inlined into a function that is compiled for the
/// instruction set, and the caller promises the instructions.
pub trait Lanes: Vector {
    /// A set of lanes.
    type Mask: Copy;

    /// Returns the lanes from `from` to before `to`, where `from <= to <= LANES`.
    unsafe fn range(from: usize, to: usize) -> Self::Mask;
    /// Loads the lanes of the mask, lane i from `p + i`, and takes the other lanes from `fill`.
    unsafe fn load_masked(p: *const Self::Scalar, mask: Self::Mask, fill: Self) -> Self;
    /// Stores the lanes of the mask, lane i to `p + i`.
    unsafe fn store_masked(self, p: *mut Self::Scalar, mask: Self::Mask);
    /// Returns the lanes in which `self` is greater than `best`, or is NaN while `best` is a number.
    unsafe fn beats(self, best: Self) -> Self::Mask;
    /// Stores the first `n` lanes, `n <= LANES`. A store of all lanes has no mask, which AVX2 is slow with on some processors.
    #[inline(always)]
    unsafe fn store_used(self, p: *mut Self::Scalar, n: usize) {
        // SAFETY: the caller promises the lanes and the instructions.
        unsafe {
            if n == Self::LANES {
                self.store(p);
            } else {
                self.store_masked(p, Self::range(0, n));
            }
        }
    }
    /// Returns the lanes of the mask from `self`, and the others from `other`.
    unsafe fn or(self, mask: Self::Mask, other: Self) -> Self;
    /// Returns the elements with even and those with odd indices of `a` followed by `b`.
    unsafe fn apart(a: Self, b: Self) -> (Self, Self);
    /// Returns the inverse of [`apart`](Lanes::apart): `LANES` pairs in two vectors.
    unsafe fn paired(even: Self, odd: Self) -> (Self, Self);
}

/// Integers in the bits of a floating-point number, so that vectors of numbers can carry them.
pub trait Bits {
    /// Returns the number whose bits are this integer.
    fn of_bits(bits: u32) -> Self;
    /// Returns the lower bits of a number.
    fn bits(self) -> u32;
}

impl Bits for f32 {
    #[inline(always)]
    fn of_bits(bits: u32) -> f32 {
        f32::from_bits(bits)
    }
    #[inline(always)]
    fn bits(self) -> u32 {
        self.to_bits()
    }
}

impl Bits for f64 {
    #[inline(always)]
    fn of_bits(bits: u32) -> f64 {
        f64::from_bits(u64::from(bits))
    }
    #[inline(always)]
    fn bits(self) -> u32 {
        self.to_bits() as u32
    }
}

macro_rules! arrays {
    ($($t:ident)*) => { $(
        impl<const N: usize> Lanes for [$t; N] {
            type Mask = [bool; N];

            #[inline(always)]
            unsafe fn range(from: usize, to: usize) -> [bool; N] {
                let mut mask = [false; N];
                for i in 0..N {
                    mask[i] = from <= i && i < to;
                }
                mask
            }
            #[inline(always)]
            unsafe fn load_masked(p: *const $t, mask: [bool; N], fill: Self) -> Self {
                let mut lanes = fill;
                for i in 0..N {
                    if mask[i] {
                        // SAFETY: the caller promises the lanes of the mask.
                        lanes[i] = unsafe { *p.wrapping_add(i) };
                    }
                }
                lanes
            }
            #[inline(always)]
            unsafe fn store_masked(self, p: *mut $t, mask: [bool; N]) {
                for i in 0..N {
                    if mask[i] {
                        // SAFETY: as `load_masked`.
                        unsafe { *p.wrapping_add(i) = self[i] };
                    }
                }
            }
            #[inline(always)]
            unsafe fn beats(self, best: Self) -> [bool; N] {
                let mut mask = [false; N];
                for i in 0..N {
                    mask[i] = (self[i] > best[i]) | (self[i].is_nan() & !best[i].is_nan());
                }
                mask
            }
            #[inline(always)]
            unsafe fn or(self, mask: [bool; N], other: Self) -> Self {
                let mut lanes = other;
                for i in 0..N {
                    // The bits are chosen, because they may be those of an integer.
                    let bits = if mask[i] { self[i].to_bits() } else { other[i].to_bits() };
                    lanes[i] = $t::from_bits(bits);
                }
                lanes
            }
            #[inline(always)]
            unsafe fn apart(a: Self, b: Self) -> (Self, Self) {
                let (mut even, mut odd) = (a, b);
                for i in 0..N / 2 {
                    (even[i], odd[i]) = (a[2 * i], a[2 * i + 1]);
                    (even[N / 2 + i], odd[N / 2 + i]) = (b[2 * i], b[2 * i + 1]);
                }
                (even, odd)
            }
            #[inline(always)]
            unsafe fn paired(even: Self, odd: Self) -> (Self, Self) {
                let (mut a, mut b) = (even, odd);
                for i in 0..N / 2 {
                    (a[2 * i], a[2 * i + 1]) = (even[i], odd[i]);
                    (b[2 * i], b[2 * i + 1]) = (even[N / 2 + i], odd[N / 2 + i]);
                }
                (a, b)
            }
        }
    )* };
}
arrays! { f32 f64 }

/// One vector of every `S`th element of a row, S = 1 or 2, from the column `at` of the row on. Columns outside the
/// row are not read.
#[derive(Clone, Copy)]
pub struct StepVector<V: Lanes, const S: usize> {
    at: isize,
    /// Whether all columns are inside the row.
    inside: bool,
    masks: [V::Mask; S],
}

impl<V: Lanes, const S: usize> StepVector<V, S> {
    /// Returns the columns from `at` on, which may be negative, of a row of `width` elements.
    #[inline(always)]
    pub unsafe fn new(at: isize, width: usize) -> Self {
        let lanes = V::LANES as isize;
        let count = lanes * S as isize;
        let (from, to) = ((-at).clamp(0, count), (width as isize - at).clamp(0, count));
        let (from, to) = (from.min(to), to);
        // SAFETY: the caller promises the instructions; the lanes are limited.
        unsafe {
            let mut masks = [V::range(0, 0); S];
            for s in 0..S {
                let lane = |column: isize| (column - s as isize * lanes).clamp(0, lanes) as usize;
                masks[s] = V::range(lane(from), lane(to));
            }
            StepVector { at, inside: from == 0 && to == count, masks }
        }
    }

    /// Returns the columns from `at` on. If `INSIDE`, the caller promises that all are inside the row.
    #[inline(always)]
    pub unsafe fn of<const INSIDE: bool>(at: isize, width: usize) -> Self {
        // SAFETY: the same contract.
        unsafe {
            if INSIDE {
                return StepVector { at, inside: true, masks: [V::range(0, 0); S] };
            }
            Self::new(at, width)
        }
    }

    /// Loads the elements of a row: with S = 1, the elements of the columns; with S = 2, those of the even and those
    /// of the odd columns, counted from the first. `fill` stands for the columns outside.
    #[inline(always)]
    pub unsafe fn load(&self, row: *const V::Scalar, fill: V) -> [V; S] {
        let mut parts = [fill; S];
        // SAFETY: the caller promises the row, and the instructions.
        unsafe {
            for s in 0..S {
                let p = row.wrapping_offset(self.at + (s * V::LANES) as isize);
                parts[s] =
                    if self.inside { V::load(p) } else { V::load_masked(p, self.masks[s], fill) };
            }
            if S == 2 {
                (parts[0], parts[1]) = V::apart(parts[0], parts[1]);
            }
        }
        parts
    }
}

/// Returns the length in bytes of the vectors that [`for_vectors`] selects.
pub fn vector_bytes() -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        use crate::machine::x86;
        match x86::level() {
            x86::AVX512 => return 64,
            x86::AVX2 => return 32,
            _ => {}
        }
    }
    16
}

/// Defines a trait with one method, implemented for `f32` and `f64`. The method calls `$body::<V>`, compiled for the
/// best instruction set that the processor has, with its vectors as V, or with `narrow` with vectors of at most 256
/// bits.
macro_rules! for_vectors {
    ($(#[$about:meta])* $trait:ident: $name:ident($job:ident) = $body:ident) => {
        for_vectors!(@trait [$(#[$about])*] $trait $name $job);
        for_vectors!(@type $trait $name $job $body f32 __m256 __m512 4);
        for_vectors!(@type $trait $name $job $body f64 __m256d __m512d 2);
    };
    ($(#[$about:meta])* $trait:ident: $name:ident($job:ident) = $body:ident, narrow) => {
        for_vectors!(@trait [$(#[$about])*] $trait $name $job);
        for_vectors!(@type $trait $name $job $body f32 __m256 __m256 4);
        for_vectors!(@type $trait $name $job $body f64 __m256d __m256d 2);
    };
    (@trait [$(#[$about:meta])*] $trait:ident $name:ident $job:ident) => {
        $(#[$about])*
        pub trait $trait: $crate::number::Real + $crate::kernels::lanes::Bits {
            /// # Safety
            /// As the function that is compiled.
            unsafe fn $name(job: &$job<Self>);
        }
    };
    (@type $trait:ident $name:ident $job:ident $body:ident $t:ident $v256:ident $v512:ident $n:literal) => {
        impl $trait for $t {
            unsafe fn $name(job: &$job<Self>) {
                #[cfg(target_arch = "x86_64")]
                {
                    use $crate::machine::x86;
                    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
                    unsafe fn avx512(job: &$job<$t>) {
                        // SAFETY: the same contract.
                        unsafe { $body::<std::arch::x86_64::$v512>(job) }
                    }
                    #[target_feature(enable = "avx2,fma")]
                    unsafe fn avx2(job: &$job<$t>) {
                        // SAFETY: the same contract.
                        unsafe { $body::<std::arch::x86_64::$v256>(job) }
                    }
                    // SAFETY: `level` returns these values only if the processor has the instructions.
                    match x86::level() {
                        x86::AVX512 => return unsafe { avx512(job) },
                        x86::AVX2 => return unsafe { avx2(job) },
                        _ => {}
                    }
                }
                // SAFETY: the same contract.
                unsafe { $body::<[$t; $n]>(job) }
            }
        }
    };
}
pub(crate) use for_vectors;
