//! Functions of two elements, and functions that are combinations of others.

use super::each;
use crate::kernels::Binary;
use crate::shapes::{self, OrPanic};
use crate::tensor::{Float, Number, Operand, Tensor};

macro_rules! methods {
    ($Kind:ident: $($(#[$doc:meta])* $Op:ident as $method:ident;)*) => {
        /// Functions of two elements. The other operand is a tensor or a number, and both broadcast.
        impl<T: $Kind> Tensor<T> { $(
            $(#[$doc])*
            #[track_caller]
            #[allow(clippy::needless_pass_by_value)] // numbers and sums are written in place
            pub fn $method(&self, other: impl Operand<T>) -> Self {
                self.with(Binary::$Op, other.operand())
            }
        )* }
    };
}
methods! { Number:
    /// Computes the remainder of a / b, rounded toward zero: it has the sign of a. It is exact. For floats,
    /// the remainder by 0 is NaN.
    ///
    /// # Panics
    /// If the shapes do not broadcast, or an integer is divided by 0.
    Fmod as fmod;
    /// Computes the remainder a - b ⌊a / b⌋, which has the sign of b, as Python's `%`. For integers it is
    /// exact. For floats, the remainder by 0 is NaN.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([-7i64, 7]);
    /// assert_eq!(x.remainder(3).to_vec(), [2, 1]);
    /// assert_eq!(x.fmod(3).to_vec(), [-1, 1]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast, or an integer is divided by 0.
    Remainder as remainder;
}
methods! { Float:
    /// Computes the angle of the point (b, a) in radians, from -π to π: atan(a / b) for b > 0.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    Atan2 as atan2;
    /// Computes √(a² + b²). The squares do not overflow.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    Hypot as hypot;
    /// Returns |a| with the sign of b, also of a zero.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    Copysign as copysign;
    /// Computes a ln b. It is 0 for a = 0, unless b is NaN.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    Xlogy as xlogy;
    /// Computes ln(eᵃ + eᵇ) without overflow.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    Logaddexp as logaddexp;
}

impl<T: Float> Tensor<T> {
    /// Interpolates linearly: a + w (b - a). For w ≥ ½ it is computed as b - (1 - w) (b - a), so that w = 1
    /// gives b. `end` and `weight` are tensors or numbers.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let a = Tensor::from([0.0, 10.0]);
    /// assert_eq!(a.lerp(&Tensor::from([4.0, 20.0]), 0.25).to_vec(), [1.0, 12.5]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    #[allow(clippy::needless_pass_by_value)] // numbers and sums are written in place
    pub fn lerp(&self, end: impl Operand<T>, weight: impl Operand<T>) -> Self {
        let (end, w) = (end.operand().tensor("lerp"), weight.operand().tensor("lerp"));
        let both = shapes::broadcast("lerp", &self.shape(), &end.shape()).or_panic();
        shapes::broadcast("lerp", &both, &w.shape()).or_panic();
        let step = &end - self;
        Self::where_(&w.lt(0.5), self + &w * &step, &end - (1.0 - &w) * &step)
    }

    /// Replaces NaN by `nan`, ∞ by `infinity` and -∞ by `negative_infinity`. `None` is the largest and the
    /// smallest finite number.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 2.0]);
    /// assert_eq!(x.nan_to_num(0.0, None, -1.0).to_vec(), [0.0, f32::MAX, -1.0, 2.0]);
    /// ```
    pub fn nan_to_num(
        &self,
        nan: f64,
        infinity: impl Into<Option<f64>>,
        negative_infinity: impl Into<Option<f64>>,
    ) -> Self {
        let [nan, high, low] = replacements::<T>(nan, infinity.into(), negative_infinity.into());
        each(self, move |x| {
            let x = if x == T::INFINITY { high } else { x };
            let x = if x == T::NEG_INFINITY { low } else { x };
            if x.is_nan_() { nan } else { x }
        })
    }

    /// Returns whether each element is NaN.
    pub fn isnan(&self) -> Tensor<bool> {
        each(self, T::is_nan_)
    }

    /// Returns whether each element is ∞ or -∞.
    pub fn isinf(&self) -> Tensor<bool> {
        each(self, |x| x.abs_() == T::INFINITY)
    }

    /// Returns whether each element is neither infinite nor NaN.
    pub fn isfinite(&self) -> Tensor<bool> {
        each(self, |x| x.abs_() < T::INFINITY)
    }
}

/// Returns what replaces NaN, ∞ and -∞; the default is the largest finite number.
fn replacements<T: Float>(nan: f64, high: Option<f64>, low: Option<f64>) -> [T; 3] {
    [T::of(nan), high.map_or(T::LARGEST, T::of), low.map_or(-T::LARGEST, T::of)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::panics_here;

    /// The order of replacements: NaN that replaces an infinity stays.
    #[test]
    fn replaced_numbers() {
        let x = Tensor::from([f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MAX]);
        assert_eq!(
            x.nan_to_num(1.0, None, None).to_vec(),
            [1.0, f64::MAX, f64::MIN, 0.0, f64::MAX]
        );
        assert_eq!(x.nan_to_num(1.0, 2.0, 3.0).to_vec(), [1.0, 2.0, 3.0, 0.0, f64::MAX]);
        assert_eq!(x.isnan().to_vec(), [true, false, false, false, false]);
        assert_eq!(x.isinf().to_vec(), [false, true, true, false, false]);
        assert_eq!(x.isfinite().to_vec(), [false, false, false, true, true]);
        let single = Tensor::from([f32::NEG_INFINITY, 1.0]);
        assert_eq!(single.nan_to_num(0.0, None, None).to_vec(), [f32::MIN, 1.0]);
    }

    #[test]
    fn interpolation_ends_exactly() {
        let (a, b) = (Tensor::from([0.1f64, 1e16, -3.0]), Tensor::from([0.3, 1.0, 7.0]));
        assert_eq!(a.lerp(&b, 0.0).to_vec(), a.to_vec());
        assert_eq!(a.lerp(&b, 1.0).to_vec(), b.to_vec());
        let w = Tensor::from([[0.25], [0.5]]);
        assert_eq!(Tensor::from([2.0f64]).lerp(6, &w).to_vec(), [3.0, 4.0]);
        let message = "lerp: shapes [3] and [2] do not broadcast: axis -1 has 3 and 2";
        panics_here(message, || drop(a.lerp(&Tensor::from([1.0, 2.0]), 0.5)));
        panics_here(message, || drop(a.lerp(&b, &Tensor::from([1.0, 2.0]))));
    }

    /// PyTorch's documented examples, and the integers beside their limits.
    #[test]
    fn remainders() {
        let x = Tensor::from([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0]);
        assert_eq!(x.remainder(2).to_vec(), [1.0, 0.0, 1.0, 1.0, 0.0, 1.0]);
        assert_eq!(x.fmod(2).to_vec(), [-1.0, -0.0, -1.0, 1.0, 0.0, 1.0]);
        assert_eq!(Tensor::from([5.0f64, -5.0]).remainder(-3).to_vec(), [-1.0, -2.0]);
        assert!(x.remainder(0).isnan().is_all() && x.fmod(0).isnan().is_all());
        let whole = Tensor::from([i64::MIN, -7, 7, i64::MAX]);
        assert_eq!(whole.fmod(-1).to_vec(), [0; 4]);
        assert_eq!(whole.remainder(-1).to_vec(), [0; 4]);
        assert_eq!(whole.fmod(10).to_vec(), [-8, -7, 7, 7]);
        assert_eq!(whole.remainder(10).to_vec(), [2, 3, 7, 7]);
        assert_eq!(whole.remainder(-10).to_vec(), [-8, -7, -3, -3]);
        let by = Tensor::from([[3u8], [200]]);
        assert_eq!(Tensor::from([7u8, 255]).remainder(&by).to_vec(), [1, 0, 7, 55]);
        // A number outside the range of the type: only the result must fit it.
        assert_eq!(Tensor::from([7u8]).fmod(300).to_vec(), [7]);
        panics_here(
            "remainder: the remainder of 7 / -300 does not fit u8 (0 to 255): cast first, for example x.cast::<i64>()",
            || drop(Tensor::from([7u8]).remainder(-300)),
        );
        panics_here("fmod: division by zero: 7 / 0", || drop(Tensor::from([7i64]).fmod(0)));
        panics_here("remainder: division by zero: 7 / 0", || {
            drop(Tensor::from([7u32]).remainder(0));
        });
    }

    /// Zeros keep their signs, halves go to the even number, and large numbers stay.
    #[test]
    fn rounding() {
        let x = [
            -2.5f64,
            -1.5,
            -0.7,
            -0.5,
            -0.2,
            -0.0,
            0.0,
            0.2,
            0.5,
            0.7,
            1.5,
            2.5,
            4503599627370495.5,
            4503599627370497.0,
            -1e300,
            f64::INFINITY,
        ];
        let t = Tensor::from(x.to_vec());
        let bits = |y: Tensor<f64>| y.to_vec().into_iter().map(f64::to_bits).collect::<Vec<_>>();
        let by = |f: fn(f64) -> f64| x.iter().map(|&x| f(x).to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(t.floor()), by(f64::floor));
        assert_eq!(bits(t.ceil()), by(f64::ceil));
        assert_eq!(bits(t.round()), by(f64::round_ties_even));
        assert_eq!(bits(t.trunc()), by(f64::trunc));
        assert_eq!(
            t.frac().to_vec()[..12],
            [-0.5, -0.5, -0.7, -0.5, -0.2, 0.0, 0.0, 0.2, 0.5, 0.7, 0.5, 0.5]
        );
        let single = [-2.5f32, -0.5, 8388607.5, 8388609.0, 1e30, -0.0];
        let t = Tensor::from(single.to_vec());
        let got = t.round().to_vec().into_iter().map(f32::to_bits).collect::<Vec<_>>();
        assert_eq!(got, single.map(|x| x.round_ties_even().to_bits()));
        let got = t.floor().to_vec().into_iter().map(f32::to_bits).collect::<Vec<_>>();
        assert_eq!(got, single.map(|x| x.floor().to_bits()));
    }

    /// Every 4999th `f32`, against the standard library's `f64`: the functions are computed in `f64`, so only
    /// the last rounding is left.
    #[test]
    fn single_precision_is_rounded_once() {
        type Case = (fn(&Tensor) -> Tensor, fn(f64) -> f64);
        let cases: [Case; 9] = [
            (Tensor::log2, f64::log2),
            (Tensor::log10, f64::log10),
            (Tensor::tan, f64::tan),
            (Tensor::asin, f64::asin),
            (Tensor::acos, f64::acos),
            (Tensor::atan, f64::atan),
            (Tensor::sinh, f64::sinh),
            (Tensor::cosh, f64::cosh),
            (Tensor::floor, f64::floor),
        ];
        let x: Vec<f32> = (0..=u32::MAX)
            .step_by(if cfg!(miri) { 1 << 26 } else { 4999 })
            .map(f32::from_bits)
            .collect();
        let t = Tensor::from(x.clone());
        for (i, (f, exact)) in cases.into_iter().enumerate() {
            for (&x, y) in x.iter().zip(f(&t).to_vec()) {
                let want = exact(x.into());
                let ulp = f64::from(f32::from_bits((want as f32).to_bits() & (0xff << 23)))
                    * f64::from(f32::EPSILON);
                let ulp = ulp.max(1.5e-45);
                let close = (f64::from(y) - want).abs() <= 0.5001 * ulp;
                let same = f64::from(y) == f64::from(want as f32) || y.is_nan() && want.is_nan();
                assert!(close || same, "case {i} at {x:e}: {y:e}, not {want:e}");
            }
        }
    }
}
