//! One source, several instruction sets.
//!
//! A kernel is written once as plain Rust. [`dispatch`] holds a copy of it compiled for each
//! instruction set and picks one at run time, so nobody needs `-C target-cpu=native` to be fast.
//!
//! Everything a kernel calls must be `#[inline(always)]`: a call that stays a call is baseline
//! code. A kernel captures pointers and slices by value (`move`): through a reference the compiler
//! assumes that a store may change the pointer, and gives up on vectors.

/// What a kernel may know about the instructions it is compiled for.
pub trait Isa: Copy + 'static {
    /// Whether a fused multiply-add is one instruction; without, `mul_add` is a slow library call.
    const FMA: bool;
    /// For messages and benchmarks.
    const NAME: &'static str;
}

macro_rules! isas {
    ($($(#[$about:meta])* $name:ident $fma:expr;)*) => { $(
        $(#[$about])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;
        impl Isa for $name {
            const FMA: bool = $fma;
            const NAME: &'static str = stringify!($name);
        }
    )* };
}
isas! {
    #[cfg_attr(target_arch = "aarch64", allow(dead_code))]
    /// What every processor of the target has.
    Baseline cfg!(target_feature = "fma");
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    /// AVX2 with FMA: 256-bit vectors.
    Avx2 true;
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    /// AVX-512 F, VL, BW, DQ: 512-bit vectors.
    Avx512 true;
    #[cfg_attr(not(target_arch = "aarch64"), allow(dead_code))]
    /// 128-bit vectors, part of every aarch64.
    Neon true;
}

/// A computation to be compiled once per instruction set; `run` is `#[inline(always)]`.
pub trait Kernel {
    /// What it returns.
    type Output;
    /// The computation.
    fn run<I: Isa>(self) -> Self::Output;
}

/// Runs the copy of the kernel for the best instruction set this processor has.
#[inline(always)]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        match x86::level() {
            // SAFETY: `level` says so only where the processor has these instructions.
            x86::AVX512 => unsafe { x86::avx512(kernel) },
            // SAFETY: as above.
            x86::AVX2 => unsafe { x86::avx2(kernel) },
            _ => kernel.run::<Baseline>(),
        }
    }
    #[cfg(target_arch = "aarch64")]
    {
        kernel.run::<Neon>()
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        kernel.run::<Baseline>()
    }
}

/// [`dispatch`] for a closure, where the loop needs to know nothing about the instruction set.
#[inline(always)]
pub fn simd<R>(loops: impl FnOnce() -> R) -> R {
    struct Closure<F>(F);
    impl<R, F: FnOnce() -> R> Kernel for Closure<F> {
        type Output = R;
        #[inline(always)]
        fn run<I: Isa>(self) -> R {
            (self.0)()
        }
    }
    dispatch(Closure(loops))
}

/// The name of the instruction set that [`dispatch`] picks here.
#[cfg(test)]
pub fn isa_name() -> &'static str {
    struct Name;
    impl Kernel for Name {
        type Output = &'static str;
        #[inline(always)]
        fn run<I: Isa>(self) -> &'static str {
            I::NAME
        }
    }
    dispatch(Name)
}

#[cfg(target_arch = "x86_64")]
pub(crate) mod x86 {
    use super::{Avx2, Avx512, Kernel};
    use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

    pub const AVX512: u8 = 3;
    pub const AVX2: u8 = 2;
    const BASELINE: u8 = 1;
    static LEVEL: AtomicU8 = AtomicU8::new(0);

    #[inline]
    pub fn level() -> u8 {
        match LEVEL.load(Relaxed) {
            0 => detect(),
            known => known,
        }
    }

    /// `WENGERT_ISA=baseline|avx2` asks for less than the processor has: for tests and comparisons.
    #[cold]
    fn detect() -> u8 {
        let most = if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("fma")
        {
            AVX512
        } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            AVX2
        } else {
            BASELINE
        };
        let level = match std::env::var("WENGERT_ISA").as_deref() {
            Ok("baseline") => BASELINE,
            Ok("avx2") => most.min(AVX2),
            _ => most,
        };
        LEVEL.store(level, Relaxed);
        level
    }

    /// # Safety
    /// The processor has the instructions that are named here.
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
    pub unsafe fn avx512<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<Avx512>()
    }

    /// # Safety
    /// The processor has the instructions that are named here.
    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn avx2<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<Avx2>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_and_a_closure_run() {
        let x: Vec<f32> = (0..1000u16).map(f32::from).collect();
        let sum = simd(
            #[inline(always)]
            || x.iter().sum::<f32>(),
        );
        assert_eq!(sum, 499_500.0);
        assert!(["Baseline", "Avx2", "Avx512", "Neon"].contains(&isa_name()));
    }
}
