//! Vectors of AVX2 with FMA and of AVX-512.
#![allow(clippy::needless_range_loop)] // the indices are the numbers of lanes and rows

use super::vector::{Vector, intrinsics};
#[allow(clippy::wildcard_imports)] // two dozen names that begin with _mm
use std::arch::x86_64::*;

/// Masks for `maskload` and `maskstore`: of the eight numbers from `8 - n` on, the first n are -1.
static MASK32: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
/// The same for four lanes of 64 bits.
static MASK64: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];

/// Returns a mask whose first n <= 8 lanes are set, read from `MASK32`.
#[inline(always)]
unsafe fn mask32(n: usize) -> __m256i {
    // SAFETY: n <= 8, and the caller promises the instructions.
    unsafe { _mm256_loadu_si256(MASK32.as_ptr().add(8 - n).cast()) }
}

/// Returns a mask whose first n <= 4 lanes are set, read from `MASK64`.
#[inline(always)]
unsafe fn mask64(n: usize) -> __m256i {
    // SAFETY: n <= 4, and the caller promises the instructions.
    unsafe { _mm256_loadu_si256(MASK64.as_ptr().add(4 - n).cast()) }
}

impl Vector for __m256 {
    type Scalar = f32;
    const LANES: usize = 8;
    intrinsics!(f32: _mm256_setzero_ps(), _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps, _mm256_sub_ps,
        |c, a, b| _mm256_fmadd_ps(a, b, c));

    #[inline(always)]
    unsafe fn load_first(p: *const f32, n: usize) -> Self {
        // SAFETY: lanes outside the mask are not accessed.
        unsafe { _mm256_maskload_ps(p, mask32(n)) }
    }
    #[inline(always)]
    unsafe fn join(p: *const f32, q: *const f32, n: usize) -> Self {
        // SAFETY: the caller promises the instructions and the elements.
        unsafe { _mm256_blendv_ps(Self::load(q), Self::load(p), _mm256_castsi256_ps(mask32(n))) }
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, n: usize) {
        // SAFETY: lanes outside the mask are not accessed.
        unsafe { _mm256_maskstore_ps(p, mask32(n), self) }
    }
    #[inline(always)]
    unsafe fn sums([a, b, c, d]: [Self; 4]) -> [f32; 4] {
        // SAFETY: the caller promises the instructions.
        unsafe {
            // Each half holds partial sums of a, b, a, b; then of a, b, c, d.
            let ab = _mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            let cd = _mm256_add_ps(_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
            let low = _mm256_shuffle_ps::<0b01_00_01_00>(ab, cd);
            let halves = _mm256_add_ps(low, _mm256_shuffle_ps::<0b11_10_11_10>(ab, cd));
            let four =
                _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps::<1>(halves));
            let mut sums = [0.0; 4];
            _mm_storeu_ps(sums.as_mut_ptr(), four);
            sums
        }
    }
    #[inline(always)]
    unsafe fn transpose(
        src: *const f32,
        src_stride: isize,
        rows: usize,
        dst: *mut f32,
        dst_stride: usize,
    ) {
        // SAFETY: the caller promises the instructions, 8 elements in each row that is read, and
        // 8 rows of 8 elements at `dst`.
        unsafe {
            let mut r = [Self::zero(); 8];
            if rows >= 8 {
                for i in 0..8 {
                    r[i] = Self::load(src.offset(i as isize * src_stride));
                }
            } else {
                for i in 0..7 {
                    if i < rows {
                        r[i] = Self::load(src.offset(i as isize * src_stride));
                    }
                }
            }
            // Interleave pairs of rows, then groups of four, within each half of the register.
            let mut t = r;
            for i in 0..4 {
                t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
                t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
            }
            for h in [0, 4] {
                r[h] = _mm256_shuffle_ps::<0b01_00_01_00>(t[h], t[h + 2]);
                r[h + 1] = _mm256_shuffle_ps::<0b11_10_11_10>(t[h], t[h + 2]);
                r[h + 2] = _mm256_shuffle_ps::<0b01_00_01_00>(t[h + 1], t[h + 3]);
                r[h + 3] = _mm256_shuffle_ps::<0b11_10_11_10>(t[h + 1], t[h + 3]);
            }
            for q in 0..4 {
                _mm256_permute2f128_ps::<0x20>(r[q], r[q + 4]).store(dst.add(q * dst_stride));
            }
            for q in 0..4 {
                _mm256_permute2f128_ps::<0x31>(r[q], r[q + 4]).store(dst.add((q + 4) * dst_stride));
            }
        }
    }
}

impl Vector for __m256d {
    type Scalar = f64;
    const LANES: usize = 4;
    intrinsics!(f64: _mm256_setzero_pd(), _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_add_pd, _mm256_sub_pd,
        |c, a, b| _mm256_fmadd_pd(a, b, c));

    #[inline(always)]
    unsafe fn load_first(p: *const f64, n: usize) -> Self {
        // SAFETY: lanes outside the mask are not accessed.
        unsafe { _mm256_maskload_pd(p, mask64(n)) }
    }
    #[inline(always)]
    unsafe fn join(p: *const f64, q: *const f64, n: usize) -> Self {
        // SAFETY: the caller promises the instructions and the elements.
        unsafe { _mm256_blendv_pd(Self::load(q), Self::load(p), _mm256_castsi256_pd(mask64(n))) }
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f64, n: usize) {
        // SAFETY: lanes outside the mask are not accessed.
        unsafe { _mm256_maskstore_pd(p, mask64(n), self) }
    }
    #[inline(always)]
    unsafe fn sums([a, b, c, d]: [Self; 4]) -> [f64; 4] {
        // SAFETY: the caller promises the instructions.
        unsafe {
            // Each half holds partial sums of a and b.
            let ab = _mm256_add_pd(_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
            let cd = _mm256_add_pd(_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
            let low = _mm256_permute2f128_pd::<0x20>(ab, cd);
            let mut sums = [0.0; 4];
            _mm256_add_pd(low, _mm256_permute2f128_pd::<0x31>(ab, cd)).store(sums.as_mut_ptr());
            sums
        }
    }
    #[inline(always)]
    unsafe fn transpose(
        src: *const f64,
        src_stride: isize,
        rows: usize,
        dst: *mut f64,
        dst_stride: usize,
    ) {
        // SAFETY: as for f32, with 4 rows of 4 elements.
        unsafe {
            let mut r = [Self::zero(); 4];
            for i in 0..4 {
                if i < rows {
                    r[i] = Self::load(src.offset(i as isize * src_stride));
                }
            }
            let even = [_mm256_unpacklo_pd(r[0], r[1]), _mm256_unpacklo_pd(r[2], r[3])];
            let odd = [_mm256_unpackhi_pd(r[0], r[1]), _mm256_unpackhi_pd(r[2], r[3])];
            _mm256_permute2f128_pd::<0x20>(even[0], even[1]).store(dst);
            _mm256_permute2f128_pd::<0x20>(odd[0], odd[1]).store(dst.add(dst_stride));
            _mm256_permute2f128_pd::<0x31>(even[0], even[1]).store(dst.add(2 * dst_stride));
            _mm256_permute2f128_pd::<0x31>(odd[0], odd[1]).store(dst.add(3 * dst_stride));
        }
    }
}

/// Returns the sum of both halves.
#[inline(always)]
unsafe fn halves_ps(v: __m512) -> __m256 {
    // SAFETY: the caller promises the instructions.
    unsafe { _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps::<1>(v)) }
}

/// Returns the sum of both halves.
#[inline(always)]
unsafe fn halves_pd(v: __m512d) -> __m256d {
    // SAFETY: the caller promises the instructions.
    unsafe { _mm256_add_pd(_mm512_castpd512_pd256(v), _mm512_extractf64x4_pd::<1>(v)) }
}

impl Vector for __m512 {
    type Scalar = f32;
    const LANES: usize = 16;
    intrinsics!(f32: _mm512_setzero_ps(), _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps, _mm512_sub_ps,
        |c, a, b| _mm512_fmadd_ps(a, b, c));

    #[inline(always)]
    unsafe fn load_first(p: *const f32, n: usize) -> Self {
        // SAFETY: lanes outside the mask are not accessed.
        unsafe { _mm512_maskz_loadu_ps(((1u32 << n) - 1) as u16, p) }
    }
    #[inline(always)]
    unsafe fn join(p: *const f32, q: *const f32, n: usize) -> Self {
        // SAFETY: the caller promises the instructions and the elements.
        unsafe { _mm512_mask_loadu_ps(Self::load(q), ((1u32 << n) - 1) as u16, p) }
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, n: usize) {
        // SAFETY: lanes outside the mask are not accessed.
        unsafe { _mm512_mask_storeu_ps(p, ((1u32 << n) - 1) as u16, self) }
    }
    #[inline(always)]
    unsafe fn sums([a, b, c, d]: [Self; 4]) -> [f32; 4] {
        // SAFETY: the caller promises the instructions.
        unsafe { __m256::sums([halves_ps(a), halves_ps(b), halves_ps(c), halves_ps(d)]) }
    }
}

impl Vector for __m512d {
    type Scalar = f64;
    const LANES: usize = 8;
    intrinsics!(f64: _mm512_setzero_pd(), _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_add_pd, _mm512_sub_pd,
        |c, a, b| _mm512_fmadd_pd(a, b, c));

    #[inline(always)]
    unsafe fn load_first(p: *const f64, n: usize) -> Self {
        // SAFETY: lanes outside the mask are not accessed.
        unsafe { _mm512_maskz_loadu_pd(((1u32 << n) - 1) as u8, p) }
    }
    #[inline(always)]
    unsafe fn join(p: *const f64, q: *const f64, n: usize) -> Self {
        // SAFETY: the caller promises the instructions and the elements.
        unsafe { _mm512_mask_loadu_pd(Self::load(q), ((1u32 << n) - 1) as u8, p) }
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f64, n: usize) {
        // SAFETY: lanes outside the mask are not accessed.
        unsafe { _mm512_mask_storeu_pd(p, ((1u32 << n) - 1) as u8, self) }
    }
    #[inline(always)]
    unsafe fn sums([a, b, c, d]: [Self; 4]) -> [f64; 4] {
        // SAFETY: the caller promises the instructions.
        unsafe { __m256d::sums([halves_pd(a), halves_pd(b), halves_pd(c), halves_pd(d)]) }
    }
}
