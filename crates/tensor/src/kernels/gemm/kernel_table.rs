//! Tables of the micro-kernels compiled for each instruction set, and the selection of a table.

use super::microkernel::{self, Inner, Outer};
use super::pack::{self, Panel};
use super::tiles::{self, LineMap, Results, TileTransform, TileTransforms, Unpack};
use super::vector::Vector;
use super::window::{self, Correlate, Dots, Gather, Weigh};

type OuterFn<T> = unsafe fn(&Outer<T>);
type InnerFn<T> = unsafe fn(&Inner<T>);
type PackFn<T> = unsafe fn(&Panel<T>, *mut T);
type CorrelateFn<T> = unsafe fn(&Correlate<T>);
type GatherFn<T> = unsafe fn(&Gather<T>);
type WeighFn<T> = unsafe fn(&Weigh<T>);
type DotsFn<T> = unsafe fn(&Dots<T>);

/// The micro-kernels of one instruction set for one element type.
pub struct KernelTable<T: 'static> {
    /// The name of the instruction set, for messages and benchmarks.
    #[allow(dead_code)] // for the messages of tests
    pub name: &'static str,
    /// Elements in a vector.
    pub lanes: usize,
    /// The kernels with vectors of half the length, for results that do not fill longer ones.
    pub half: Option<&'static KernelTable<T>>,
    /// Vectors in a row of a register tile of full size.
    pub vectors: usize,
    /// Micro-kernels of outer products, indexed by whether A's elements of a step are contiguous (0
    /// or 1), by vectors - 1, and by rows - 1. There are as many rows as the registers hold.
    pub outer: [[&'static [OuterFn<T>]; 4]; 2],
    /// Micro-kernels of dot products, indexed by rows - 1 and columns - 1.
    pub inner: [[InnerFn<T>; 4]; 4],
    /// Rows and columns of the largest tile of dot products whose accumulators fit in the
    /// registers.
    pub inner_tile: (usize, usize),
    /// Packs a panel.
    pub pack: PackFn<T>,
    /// Correlations, indexed by whether vectors are joined (0 or 1), vectors - 1, and rows - 1.
    pub correlate: [[&'static [CorrelateFn<T>]; 4]; 2],
    /// Products of pixels and gradients, indexed by vectors - 1 and taps - 1, for at most `vectors`
    /// vectors.
    pub weigh: [&'static [WeighFn<T>]; 4],
    /// Dot products of pixels and gradients, indexed by channels - 1 and taps - 1, for at most
    /// `vectors` channels.
    pub dots: [&'static [DotsFn<T>]; 4],
    /// Copies runs of pixels.
    pub gather: GatherFn<T>,
    /// The transforms of Winograd's convolution, for the types that have it.
    pub winograd: Option<TileTransforms<T>>,
}

/// The micro-kernels of one form, for these numbers of rows with 1, 2, 3 and 4 vectors. Some forms take one
/// more constant.
macro_rules! table {
    ($form:ident $v:ty, $flag:tt: [$($one:literal)*] [$($two:literal)*] [$($three:literal)*] [$($four:literal)*]) => {
        [
            &[$(heights!($form $v, 1, $flag: $one)),*],
            &[$(heights!($form $v, 2, $flag: $two)),*],
            &[$(heights!($form $v, 3, $flag: $three)),*],
            &[$(heights!($form $v, 4, $flag: $four)),*],
        ]
    };
}
macro_rules! heights {
    ($form:ident $v:ty, $nv:literal, [$flag:literal]: $rows:literal) => {
        $form::<$v, $rows, $nv, $flag>
    };
    ($form:ident $v:ty, $nv:literal, []: $rows:literal) => {
        $form::<$v, $rows, $nv>
    };
}
macro_rules! inner {
    ($v:ty: $($rows:literal)*) => {
        [$([inner::<$v, $rows, 1>, inner::<$v, $rows, 2>, inner::<$v, $rows, 3>, inner::<$v, $rows, 4>]),*]
    };
}
// The tables below contain the tiles that are used. A correlation cuts its maps into panels that are as high
// as the registers hold for the number of vectors of a full tile, also where a tile has fewer vectors. Sums
// (`weigh`, `dots`) have at most as many vectors as a full tile. Outer products use the height of the widest
// tile that the result fills.

/// For 16 vector registers: up to 12 accumulators, the vectors of B and one vector of A. With 3
/// vectors of B, 12 accumulators would need all 16 registers, and some would be spilled.
#[cfg(target_arch = "x86_64")]
macro_rules! narrow {
    (outer $v:ty, $flag:literal) => {
        table!(outer $v, [$flag]: [1 2 3 4 5 6 7 8 9 10 11 12] [1 2 3 4 5 6] [1 2 3] [1 2])
    };
    (correlate $v:ty, $flag:literal) => { table!(correlate $v, [$flag]: [1 2 3 4 5 6] [1 2 3 4 5 6] [1 2] [1 2]) };
    ($sums:ident $v:ty) => { table!($sums $v, []: [1 2 3 4 5 6 7 8 9 10 11 12] [1 2 3 4 5 6] [] []) };
}
/// For 16 vector registers of 128 bits, without a fused multiply-add: a product and its sum are two
/// instructions, so that 8 accumulators suffice to hide the latency. A short table saves build time: arrays
/// in the place of vectors take long to compile.
macro_rules! short {
    (outer $v:ty, $flag:literal) => { table!(outer $v, [$flag]: [1 2 3 4 5 6 7 8] [1 2 3 4] [1 2] [1]) };
    (correlate $v:ty, $flag:literal) => { table!(correlate $v, [$flag]: [1 2 3 4] [1 2 3 4] [1] [1]) };
    ($sums:ident $v:ty) => { table!($sums $v, []: [1 2 3 4 5 6 7 8] [1 2 3 4] [] []) };
}
/// For 32 vector registers. With 1 or 2 vectors, 8 rows have enough accumulators to hide the latency.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! wide {
    (correlate $v:ty, $flag:literal) => {
        table!(correlate $v, [$flag]: [1 2 3 4 5 6] [1 2 3 4 5 6] [1 2 3 4 5 6] [1 2 3 4 5 6])
    };
    ($form:ident $v:ty $(, $flag:literal)?) => {
        table!($form $v, [$($flag)?]: [1 2 3 4 5 6 7 8] [1 2 3 4 5 6 7 8] [1 2 3 4 5 6 7 8] [1 2 3 4 5 6])
    };
}

/// Defines a module with the tables of one instruction set.
macro_rules! instruction_set {
    ($module:ident $name:literal $outer:ident $vectors:literal $inner:expr, $f32:ty, $f64:ty, pack $p32:ty, $p64:ty,
        half $half32:expr, $half64:expr $(, #[$features:meta])?) => {
        #[cfg_attr(target_arch = "aarch64", allow(dead_code))] // aarch64 does not use the baseline
        mod $module {
            use super::*;
            #[allow(unused_imports)]
            use std::arch::*;

            // SAFETY: for all of them, as the functions that they call: the caller keeps the promises.
            $(#[$features])?
            unsafe fn outer<V: Vector, const MR: usize, const NV: usize, const UNIT: bool>(tile: &Outer<V::Scalar>) {
                unsafe { microkernel::outer::<V, MR, NV, UNIT>(tile) }
            }
            $(#[$features])?
            unsafe fn inner<V: Vector, const MR: usize, const NR: usize>(tile: &Inner<V::Scalar>) {
                unsafe { microkernel::inner::<V, MR, NR>(tile) }
            }
            $(#[$features])?
            unsafe fn correlate<V: Vector, const MR: usize, const NV: usize, const JOIN: bool>(tile: &Correlate<V::Scalar>) {
                unsafe { window::correlate::<V, MR, NV, JOIN>(tile) }
            }
            $(#[$features])?
            unsafe fn weigh<V: Vector, const MR: usize, const NV: usize>(tile: &Weigh<V::Scalar>) {
                unsafe { window::weigh::<V, MR, NV>(tile) }
            }
            $(#[$features])?
            unsafe fn dots<V: Vector, const MR: usize, const NV: usize>(tile: &Dots<V::Scalar>) {
                unsafe { window::dots::<V, MR, NV>(tile) }
            }
            $(#[$features])?
            unsafe fn gather<V: Vector>(pixels: &Gather<V::Scalar>) {
                unsafe { window::gather::<V>(pixels) }
            }
            $(#[$features])?
            unsafe fn transform<V: Vector, L: LineMap<I, O>, const I: usize, const O: usize>(tiles: &TileTransform<V::Scalar>) {
                unsafe { tiles::transform::<V, L, I, O>(tiles) }
            }
            $(#[$features])?
            unsafe fn results<V: Vector>(sums: &Results<V::Scalar>) -> bool
            where
                V::Scalar: PartialEq,
            {
                unsafe { tiles::results::<V>(sums) }
            }
            $(#[$features])?
            unsafe fn unpack<V: Vector>(pixels: &Unpack<V::Scalar>) {
                unsafe { tiles::unpack::<V>(pixels) }
            }
            $(#[$features])?
            unsafe fn pack<V: Vector>(panel: &Panel<V::Scalar>, dst: *mut V::Scalar) {
                unsafe { pack::pack::<V>(panel, dst) }
            }

            pub static F32: KernelTable<f32> = KernelTable {
                name: $name,
                lanes: <$f32>::LANES,
                half: $half32,
                vectors: $vectors,
                outer: [$outer!(outer $f32, false), $outer!(outer $f32, true)],
                inner: inner!($f32: 1 2 3 4),
                inner_tile: $inner,
                pack: pack::<$p32>,
                correlate: [$outer!(correlate $f32, false), $outer!(correlate $f32, true)],
                weigh: $outer!(weigh $f32),
                dots: $outer!(dots $f32),
                gather: gather::<$f32>,
                winograd: Some(TileTransforms {
                    pixels: transform::<$f32, tiles::PixelLine, 4, 4>,
                    gradient: transform::<$f32, tiles::GradientLine, 2, 4>,
                    results: results::<$f32>,
                    weight: transform::<$f32, tiles::WeightLine, 3, 4>,
                    weight_gradient: transform::<$f32, tiles::WeightGradientLine, 4, 3>,
                    unpack: unpack::<$p32>,
                    half: 0.5,
                }),
            };
            pub static F64: KernelTable<f64> = KernelTable {
                name: $name,
                lanes: <$f64>::LANES,
                half: $half64,
                vectors: $vectors,
                outer: [$outer!(outer $f64, false), $outer!(outer $f64, true)],
                inner: inner!($f64: 1 2 3 4),
                inner_tile: $inner,
                pack: pack::<$p64>,
                correlate: [$outer!(correlate $f64, false), $outer!(correlate $f64, true)],
                weigh: $outer!(weigh $f64),
                dots: $outer!(dots $f64),
                gather: gather::<$f64>,
                winograd: None,
            };
        }
    };
}

instruction_set!(baseline "baseline" short 2 (3, 4), [f32; 4], [f64; 2], pack [f32; 4], [f64; 2],
    half None, None);
#[cfg(target_arch = "x86_64")]
instruction_set!(avx2 "avx2" narrow 2 (3, 4), x86_64::__m256, x86_64::__m256d, pack x86_64::__m256, x86_64::__m256d,
    half None, None, #[target_feature(enable = "avx2,fma")]);
// Packing is memory-bound, so 256-bit vectors are enough.
#[cfg(target_arch = "x86_64")]
instruction_set!(avx512 "avx512" wide 4 (4, 4), x86_64::__m512, x86_64::__m512d, pack x86_64::__m256, x86_64::__m256d,
    half Some(&avx2::F32), Some(&avx2::F64),
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]);
#[cfg(target_arch = "aarch64")]
instruction_set!(neon "neon" wide 4 (4, 4), aarch64::float32x4_t, aarch64::float64x2_t,
    pack aarch64::float32x4_t, aarch64::float64x2_t, half None, None);

macro_rules! gemm_types {
    ($($t:ident $table:ident)*) => { $(
        impl super::Gemm for $t {
            #[inline]
            fn kernels() -> &'static KernelTable<$t> {
                #[cfg(target_arch = "x86_64")]
                match crate::machine::x86::level() {
                    crate::machine::x86::AVX512 => &avx512::$table,
                    crate::machine::x86::AVX2 => &avx2::$table,
                    _ => &baseline::$table,
                }
                #[cfg(target_arch = "aarch64")]
                {
                    &neon::$table
                }
                #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
                {
                    &baseline::$table
                }
            }
        }

        #[cfg(test)]
        impl super::tests::EveryKernel for $t {
            fn every() -> Vec<&'static KernelTable<$t>> {
                #[cfg_attr(
                    not(any(target_arch = "x86_64", target_arch = "aarch64")),
                    allow(unused_mut)
                )]
                let mut all = vec![&baseline::$table];
                #[cfg(target_arch = "x86_64")]
                {
                    if crate::machine::x86::level() >= crate::machine::x86::AVX2 {
                        all.push(&avx2::$table);
                    }
                    if crate::machine::x86::level() >= crate::machine::x86::AVX512 {
                        all.push(&avx512::$table);
                    }
                }
                #[cfg(target_arch = "aarch64")]
                all.push(&neon::$table);
                all
            }
        }
    )* };
}
gemm_types! { f32 F32 f64 F64 }
