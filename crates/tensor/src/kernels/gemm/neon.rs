//! Vectors of NEON.
#![allow(unused_unsafe)] // the arithmetic intrinsics are safe where every processor has them

use super::vector::{Vector, intrinsics};
use std::arch::aarch64::{
    float32x4_t, float64x2_t, vaddq_f32, vaddq_f64, vaddvq_f32, vaddvq_f64, vbslq_f32, vbslq_f64,
    vcltq_u32, vcltq_u64, vdupq_n_f32, vdupq_n_f64, vdupq_n_u32, vdupq_n_u64, vfmaq_f32, vfmaq_f64,
    vld1q_f32, vld1q_f64, vld1q_u32, vld1q_u64, vst1q_f32, vst1q_f64, vsubq_f32, vsubq_f64,
};

/// The index of each lane.
static LANES32: [u32; 4] = [0, 1, 2, 3];
static LANES64: [u64; 2] = [0, 1];

impl Vector for float32x4_t {
    type Scalar = f32;
    const LANES: usize = 4;
    intrinsics!(f32: vdupq_n_f32(0.0), vdupq_n_f32, vld1q_f32, vst1q_f32, vaddq_f32, vsubq_f32, |c, a, b| vfmaq_f32(c, a, b));

    #[inline(always)]
    unsafe fn join(p: *const f32, q: *const f32, n: usize) -> Self {
        // SAFETY: NEON is part of every aarch64; the caller promises the elements.
        unsafe {
            let first = vcltq_u32(vld1q_u32(LANES32.as_ptr()), vdupq_n_u32(n as u32));
            vbslq_f32(first, Self::load(p), Self::load(q))
        }
    }
    #[inline(always)]
    unsafe fn sums([a, b, c, d]: [Self; 4]) -> [f32; 4] {
        // SAFETY: NEON is part of every aarch64.
        unsafe { [vaddvq_f32(a), vaddvq_f32(b), vaddvq_f32(c), vaddvq_f32(d)] }
    }
}

impl Vector for float64x2_t {
    type Scalar = f64;
    const LANES: usize = 2;
    intrinsics!(f64: vdupq_n_f64(0.0), vdupq_n_f64, vld1q_f64, vst1q_f64, vaddq_f64, vsubq_f64, |c, a, b| vfmaq_f64(c, a, b));

    #[inline(always)]
    unsafe fn join(p: *const f64, q: *const f64, n: usize) -> Self {
        // SAFETY: NEON is part of every aarch64; the caller promises the elements.
        unsafe {
            let first = vcltq_u64(vld1q_u64(LANES64.as_ptr()), vdupq_n_u64(n as u64));
            vbslq_f64(first, Self::load(p), Self::load(q))
        }
    }
    #[inline(always)]
    unsafe fn sums([a, b, c, d]: [Self; 4]) -> [f64; 4] {
        // SAFETY: NEON is part of every aarch64.
        unsafe { [vaddvq_f64(a), vaddvq_f64(b), vaddvq_f64(c), vaddvq_f64(d)] }
    }
}
