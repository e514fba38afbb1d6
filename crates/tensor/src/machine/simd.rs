//! Compiles one kernel for several instruction sets.
//!
//! A kernel is written once as plain Rust. [`dispatch`] contains one copy of it compiled for each
//! instruction set and selects a copy at run time, so the user does not need
//! `-C target-cpu=native`.
//!
//! Every function that a kernel calls must be `#[inline(always)]`: a function that is not inlined
//! is compiled for the baseline. A kernel captures pointers and slices by value (`move`): if it
//! captured them by reference, the compiler would assume that a store may change the pointer, and
//! would not vectorise the loop.

/// Properties of the instruction set that a kernel is compiled for.
pub trait Isa: Copy + 'static {
    /// Whether a fused multiply-add is one instruction. If not, `mul_add` is a slow library call.
    const FMA: bool;
    /// The name of the instruction set, for messages and benchmarks.
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
    /// The instructions that every processor of the target has.
    Baseline cfg!(target_feature = "fma");
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    /// AVX2 with FMA: 256-bit vectors.
    Avx2 true;
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    /// AVX-512 F, VL, BW, DQ: 512-bit vectors.
    Avx512 true;
    #[cfg_attr(not(target_arch = "aarch64"), allow(dead_code))]
    /// NEON: 128-bit vectors, part of every aarch64.
    Neon true;
}

/// The functions without fused operations, inside a kernel for any instruction set: the same bits on every processor.
#[derive(Clone, Copy, Debug)]
pub struct Unfused;
impl Isa for Unfused {
    const FMA: bool = false;
    const NAME: &'static str = "Unfused";
}

/// A computation that is compiled once per instruction set. `run` must be `#[inline(always)]`.
pub trait Kernel {
    /// The type of the result.
    type Output;
    /// Runs the computation, compiled for the instruction set `I`.
    fn run<I: Isa>(self) -> Self::Output;
}

/// Runs the copy of the kernel for the best instruction set that this processor has.
#[inline(always)]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        match x86::level() {
            // SAFETY: `level` returns this value only if the processor has these instructions.
            x86::AVX512 => unsafe { x86::avx512(kernel) },
            // SAFETY: as above.
            x86::AVX2 => unsafe { x86::avx2(kernel) },
            _ => baseline(kernel),
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

/// Runs the copy for every processor. Not inlined, so that a function with several calls of [`dispatch`]
/// does not contain several copies.
#[cfg(target_arch = "x86_64")]
#[inline(never)]
fn baseline<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Baseline>()
}

/// Runs a closure through `dispatch`, for loops that do not depend on the instruction set.
#[inline(always)]
pub fn simd<R>(loops: impl FnOnce() -> R) -> R {
    dispatch(Closure(loops))
}

/// A closure as a kernel.
struct Closure<F>(F);
impl<R, F: FnOnce() -> R> Kernel for Closure<F> {
    type Output = R;
    #[inline(always)]
    fn run<I: Isa>(self) -> R {
        (self.0)()
    }
}

/// Runs a closure as [`simd`], but with vectors of at most 256 bits: for loops over rows so short that longer vectors leave
/// most elements to the loop over single ones.
#[inline(always)]
pub fn simd_short<R>(loops: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if x86::level() == x86::AVX512 {
        // SAFETY: a processor with AVX-512 has AVX2 and FMA, which were tested or are implied.
        return unsafe { x86::avx2(Closure(loops)) };
    }
    simd(loops)
}

/// Returns the name of the instruction set that [`dispatch`] selects on this machine.
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

    /// Detects the instruction set. The environment variable `WENGERT_ISA=baseline|avx2` selects a
    /// smaller one than the processor has, for tests and comparisons.
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

    /// Runs a kernel that is compiled for AVX-512.
    ///
    /// # Safety
    /// The processor has the instructions that are named in the attribute.
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
    pub unsafe fn avx512<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<Avx512>()
    }

    /// Runs a kernel that is compiled for AVX2 and FMA.
    ///
    /// # Safety
    /// The processor has the instructions that are named in the attribute.
    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn avx2<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<Avx2>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_and_a_closure_run_with_every_instruction_set() {
        let x: Vec<f32> = (0..1000u16).map(f32::from).collect();
        let sum = simd(
            #[inline(always)]
            || x.iter().sum::<f32>(),
        );
        assert_eq!(sum, 499_500.0);
        assert!(["Baseline", "Avx2", "Avx512", "Neon"].contains(&isa_name()));
    }
}
