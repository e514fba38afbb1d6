//! Masks of AVX2 and of AVX-512.

use super::Lanes;
#[allow(clippy::wildcard_imports)] // several dozen names that begin with _mm
use std::arch::x86_64::*;

impl Lanes for __m256 {
    type Mask = __m256i;

    #[inline(always)]
    unsafe fn range(from: usize, to: usize) -> __m256i {
        // SAFETY: for all methods, the caller promises the instructions, and the lanes of a mask in memory.
        unsafe {
            let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            let before = _mm256_cmpgt_epi32(_mm256_set1_epi32(from as i32), lanes);
            _mm256_andnot_si256(before, _mm256_cmpgt_epi32(_mm256_set1_epi32(to as i32), lanes))
        }
    }
    #[inline(always)]
    unsafe fn load_masked(p: *const f32, mask: __m256i, fill: Self) -> Self {
        unsafe { _mm256_blendv_ps(fill, _mm256_maskload_ps(p, mask), _mm256_castsi256_ps(mask)) }
    }
    #[inline(always)]
    unsafe fn store_masked(self, p: *mut f32, mask: __m256i) {
        unsafe { _mm256_maskstore_ps(p, mask, self) }
    }
    #[inline(always)]
    unsafe fn beats(self, best: Self) -> __m256i {
        unsafe {
            let not_below = _mm256_cmp_ps::<_CMP_NLE_UQ>(self, best);
            _mm256_castps_si256(_mm256_and_ps(not_below, _mm256_cmp_ps::<_CMP_ORD_Q>(best, best)))
        }
    }
    #[inline(always)]
    unsafe fn or(self, mask: __m256i, other: Self) -> Self {
        unsafe { _mm256_blendv_ps(other, self, _mm256_castsi256_ps(mask)) }
    }
    #[inline(always)]
    unsafe fn apart(a: Self, b: Self) -> (Self, Self) {
        unsafe {
            let even = _mm256_castps_pd(_mm256_shuffle_ps::<0b10_00_10_00>(a, b));
            let odd = _mm256_castps_pd(_mm256_shuffle_ps::<0b11_01_11_01>(a, b));
            (
                _mm256_castpd_ps(_mm256_permute4x64_pd::<0b11_01_10_00>(even)),
                _mm256_castpd_ps(_mm256_permute4x64_pd::<0b11_01_10_00>(odd)),
            )
        }
    }
    #[inline(always)]
    unsafe fn paired(even: Self, odd: Self) -> (Self, Self) {
        unsafe {
            let (low, high) = (_mm256_unpacklo_ps(even, odd), _mm256_unpackhi_ps(even, odd));
            (_mm256_permute2f128_ps::<0x20>(low, high), _mm256_permute2f128_ps::<0x31>(low, high))
        }
    }
}

impl Lanes for __m256d {
    type Mask = __m256i;

    #[inline(always)]
    unsafe fn range(from: usize, to: usize) -> __m256i {
        // SAFETY: as for `f32`.
        unsafe {
            let lanes = _mm256_setr_epi64x(0, 1, 2, 3);
            let before = _mm256_cmpgt_epi64(_mm256_set1_epi64x(from as i64), lanes);
            _mm256_andnot_si256(before, _mm256_cmpgt_epi64(_mm256_set1_epi64x(to as i64), lanes))
        }
    }
    #[inline(always)]
    unsafe fn load_masked(p: *const f64, mask: __m256i, fill: Self) -> Self {
        unsafe { _mm256_blendv_pd(fill, _mm256_maskload_pd(p, mask), _mm256_castsi256_pd(mask)) }
    }
    #[inline(always)]
    unsafe fn store_masked(self, p: *mut f64, mask: __m256i) {
        unsafe { _mm256_maskstore_pd(p, mask, self) }
    }
    #[inline(always)]
    unsafe fn beats(self, best: Self) -> __m256i {
        unsafe {
            let not_below = _mm256_cmp_pd::<_CMP_NLE_UQ>(self, best);
            _mm256_castpd_si256(_mm256_and_pd(not_below, _mm256_cmp_pd::<_CMP_ORD_Q>(best, best)))
        }
    }
    #[inline(always)]
    unsafe fn or(self, mask: __m256i, other: Self) -> Self {
        unsafe { _mm256_blendv_pd(other, self, _mm256_castsi256_pd(mask)) }
    }
    #[inline(always)]
    unsafe fn apart(a: Self, b: Self) -> (Self, Self) {
        unsafe {
            (
                _mm256_permute4x64_pd::<0b11_01_10_00>(_mm256_unpacklo_pd(a, b)),
                _mm256_permute4x64_pd::<0b11_01_10_00>(_mm256_unpackhi_pd(a, b)),
            )
        }
    }
    #[inline(always)]
    unsafe fn paired(even: Self, odd: Self) -> (Self, Self) {
        unsafe {
            let (low, high) = (_mm256_unpacklo_pd(even, odd), _mm256_unpackhi_pd(even, odd));
            (_mm256_permute2f128_pd::<0x20>(low, high), _mm256_permute2f128_pd::<0x31>(low, high))
        }
    }
}

impl Lanes for __m512 {
    type Mask = __mmask16;

    #[inline(always)]
    unsafe fn range(from: usize, to: usize) -> __mmask16 {
        (((1u32 << to) - 1) & !((1u32 << from) - 1)) as __mmask16
    }
    #[inline(always)]
    unsafe fn load_masked(p: *const f32, mask: __mmask16, fill: Self) -> Self {
        // SAFETY: for all methods, the caller promises the instructions, and the lanes of a mask in memory.
        unsafe { _mm512_mask_loadu_ps(fill, mask, p) }
    }
    #[inline(always)]
    unsafe fn store_masked(self, p: *mut f32, mask: __mmask16) {
        unsafe { _mm512_mask_storeu_ps(p, mask, self) }
    }
    #[inline(always)]
    unsafe fn beats(self, best: Self) -> __mmask16 {
        unsafe {
            let number = _mm512_cmp_ps_mask::<_CMP_ORD_Q>(best, best);
            _mm512_mask_cmp_ps_mask::<_CMP_NLE_UQ>(number, self, best)
        }
    }
    #[inline(always)]
    unsafe fn or(self, mask: __mmask16, other: Self) -> Self {
        unsafe { _mm512_mask_blend_ps(mask, other, self) }
    }
    #[inline(always)]
    unsafe fn apart(a: Self, b: Self) -> (Self, Self) {
        unsafe {
            let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            let odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
            (_mm512_permutex2var_ps(a, even, b), _mm512_permutex2var_ps(a, odd, b))
        }
    }
    #[inline(always)]
    unsafe fn paired(even: Self, odd: Self) -> (Self, Self) {
        unsafe {
            let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let high =
                _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
            (_mm512_permutex2var_ps(even, low, odd), _mm512_permutex2var_ps(even, high, odd))
        }
    }
}

impl Lanes for __m512d {
    type Mask = __mmask8;

    #[inline(always)]
    unsafe fn range(from: usize, to: usize) -> __mmask8 {
        (((1u32 << to) - 1) & !((1u32 << from) - 1)) as __mmask8
    }
    #[inline(always)]
    unsafe fn load_masked(p: *const f64, mask: __mmask8, fill: Self) -> Self {
        // SAFETY: as for `f32`.
        unsafe { _mm512_mask_loadu_pd(fill, mask, p) }
    }
    #[inline(always)]
    unsafe fn store_masked(self, p: *mut f64, mask: __mmask8) {
        unsafe { _mm512_mask_storeu_pd(p, mask, self) }
    }
    #[inline(always)]
    unsafe fn beats(self, best: Self) -> __mmask8 {
        unsafe {
            let number = _mm512_cmp_pd_mask::<_CMP_ORD_Q>(best, best);
            _mm512_mask_cmp_pd_mask::<_CMP_NLE_UQ>(number, self, best)
        }
    }
    #[inline(always)]
    unsafe fn or(self, mask: __mmask8, other: Self) -> Self {
        unsafe { _mm512_mask_blend_pd(mask, other, self) }
    }
    #[inline(always)]
    unsafe fn apart(a: Self, b: Self) -> (Self, Self) {
        unsafe {
            let even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
            let odd = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
            (_mm512_permutex2var_pd(a, even, b), _mm512_permutex2var_pd(a, odd, b))
        }
    }
    #[inline(always)]
    unsafe fn paired(even: Self, odd: Self) -> (Self, Self) {
        unsafe {
            let low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
            let high = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
            (_mm512_permutex2var_pd(even, low, odd), _mm512_permutex2var_pd(even, high, odd))
        }
    }
}
