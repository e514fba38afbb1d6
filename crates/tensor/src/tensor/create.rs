//! Constructors from numbers, functions, vectors and arrays.

use crate::layout::{Shape, Sizes};
use crate::number::Dtype;
use crate::shapes::OrPanic;
use crate::tensor::{Element, Float, Tensor};

/// Constructors for any element type. Those whose arguments do not determine the type have names that end
/// in `_of` (`Tensor::<f64>::zeros_of(&[2])`), so that plain `Tensor::zeros(&[2])` needs no type annotation.
impl<T: Element> Tensor<T> {
    /// Returns a tensor with this shape and these elements, given in row-major order.
    ///
    /// # Panics
    /// If the number of elements differs from the number that the shape has.
    #[track_caller]
    #[allow(clippy::needless_pass_by_value)] // the signature of every other constructor from a Vec
    pub fn from_vec(elements: Vec<T>, shape: impl Sizes) -> Self {
        Self::filled("from_vec", &elements, shape.shape_for("from_vec").or_panic())
    }

    /// Returns a tensor with this shape and these elements, given in row-major order.
    ///
    /// # Panics
    /// If the number of elements differs from the number that the shape has.
    #[track_caller]
    pub fn from_slice(elements: &[T], shape: impl Sizes) -> Self {
        Self::filled("from_slice", elements, shape.shape_for("from_slice").or_panic())
    }

    #[track_caller]
    fn filled(op: &str, elements: &[T], shape: Shape) -> Self {
        let wanted = shape.numel();
        assert!(
            wanted == elements.len(),
            "{op}: shape {shape} requires {wanted} elements, got {}",
            elements.len()
        );
        let mut tensor = Self::empty(shape);
        tensor.fresh_mut().copy_from_slice(elements);
        tensor
    }

    /// Returns a tensor whose element at flat (row-major) position `i` is `f(i)`.
    #[track_caller]
    pub fn from_fn(shape: impl Sizes, mut f: impl FnMut(usize) -> T) -> Self {
        let mut tensor = Self::empty(shape.shape_for("from_fn").or_panic());
        for (i, x) in tensor.fresh_mut().iter_mut().enumerate() {
            *x = f(i);
        }
        tensor
    }

    /// Returns a scalar: a tensor with one element and no axes.
    #[inline]
    pub fn scalar_of(x: T) -> Self {
        let tensor = Self::empty_as(&Shape::SCALAR);
        // SAFETY: a new block with room for one element.
        unsafe { tensor.block.data().cast::<T>().write(x) }
        tensor
    }

    /// Returns a tensor whose elements are all equal to `x`.
    #[track_caller]
    pub fn full_of(shape: impl Sizes, x: T) -> Self {
        let mut tensor = Self::empty(shape.shape_for("full").or_panic());
        tensor.fresh_mut().fill(x);
        tensor
    }

    /// Returns a tensor of zeros.
    #[track_caller]
    pub fn zeros_of(shape: impl Sizes) -> Self {
        Self::full_of(shape.shape_for("zeros").or_panic(), T::default())
    }

    /// Returns a tensor of ones.
    #[track_caller]
    pub fn ones_of(shape: impl Sizes) -> Self {
        Self::full_of(shape.shape_for("ones").or_panic(), T::of(1.0))
    }

    /// Returns a vector of the numbers `start, start + step, …` before `end`, which is excluded. It has
    /// ⌈(end - start) / step⌉ elements. Integers are exact.
    ///
    /// # Panics
    /// If `step` is zero or not finite, or if an element of a tensor of integers or booleans would not
    /// be an integer or would not fit the type.
    #[track_caller]
    pub fn arange_of(start: f64, end: f64, step: f64) -> Self {
        let count = ((end - start) / step).ceil();
        assert!(
            step != 0.0 && count.is_finite(),
            "arange: start, end and step must be finite, and step not 0, got start {start}, end \
             {end} and step {step}"
        );
        if matches!(T::DTYPE, Dtype::F32 | Dtype::F64) {
            let count = count.max(0.0) as usize;
            return Self::from_fn(&[count], |i| T::of(start + i as f64 * step));
        }
        for number in [start, step] {
            assert!(
                number.fract() == 0.0,
                "arange: {number} is not an integer, but the elements are {0}: make a tensor of f64 and cast it, for example Tensor::<f64>::arange_of(…).cast::<{0}>()",
                T::DTYPE
            );
        }
        let end = if step > 0.0 { end.ceil() } else { end.floor() };
        // Numbers that do not fit an `i128` saturate. The saturated number fits no element type.
        let [start, end, step] = [start, end, step].map(|number| number as i128);
        let distance = end.saturating_sub(start);
        let count = if (distance > 0) == (step > 0) && distance != 0 {
            distance.unsigned_abs().div_ceil(step.unsigned_abs())
        } else {
            0
        };
        let last = start.saturating_add(step.saturating_mul(count.saturating_sub(1) as i128));
        for number in [start, last] {
            assert!(
                count == 0 || T::exactly(number).is_some(),
                "arange: {number} does not fit {}: name a wider type",
                T::DTYPE
            );
        }
        // A number that does not fit is too large for any axis.
        Self::from_fn(&[usize::try_from(count).unwrap_or(usize::MAX)], |i| {
            T::exactly(start + i as i128 * step).unwrap_or_default()
        })
    }
}

impl<T: Element> Tensor<T> {
    /// Returns the identity matrix with `n` rows and columns.
    #[track_caller]
    pub fn eye_of(n: usize) -> Self {
        let mut tensor = Self::zeros_of(&[n, n]);
        tensor.fresh_mut().iter_mut().step_by(n + 1).for_each(|x| *x = T::of(1.0));
        tensor
    }
}

impl<T: Float> Tensor<T> {
    /// Returns a vector of `count` numbers at equal distances, from `start` to `end`, both included. Each
    /// number is computed in `f64` and rounded once. A single number is `start`.
    #[track_caller]
    pub fn linspace_of(start: f64, end: f64, count: usize) -> Self {
        let last = count.saturating_sub(1);
        let (steps, span) = (last.max(1) as f64, end - start);
        // The difference of two large numbers overflows.
        let step = if span.is_finite() { span / steps } else { end / steps - start / steps };
        // From both ends, so that both are exact.
        Self::from_fn(&[count], |i| {
            T::of(match i {
                0 => start,
                i if i == last => end,
                i if 2 * i < count => start + i as f64 * step,
                i => end - (last - i) as f64 * step,
            })
        })
    }
}

/// Constructors for `f32`.
impl Tensor {
    /// Returns the identity matrix with `n` rows and columns.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// assert_eq!(Tensor::eye(2).to_vec(), [1.0, 0.0, 0.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn eye(n: usize) -> Self {
        Self::eye_of(n)
    }

    /// Returns a vector of `count` numbers at equal distances, from `start` to `end`, both included. A single
    /// number is `start`.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// assert_eq!(Tensor::linspace(0.0, 1.0, 5).to_vec(), [0.0, 0.25, 0.5, 0.75, 1.0]);
    /// ```
    #[track_caller]
    pub fn linspace(start: f64, end: f64, count: usize) -> Self {
        Self::linspace_of(start, end, count)
    }

    /// Returns a scalar: a tensor with one element and no axes.
    pub fn scalar(x: f64) -> Self {
        Self::scalar_of(x as f32)
    }

    /// Returns a tensor whose elements are all equal to `x`.
    #[track_caller]
    pub fn full(shape: impl Sizes, x: f64) -> Self {
        Self::full_of(shape, x as f32)
    }

    /// Returns a tensor of zeros.
    #[track_caller]
    pub fn zeros(shape: impl Sizes) -> Self {
        Self::zeros_of(shape)
    }

    /// Returns a tensor of ones.
    #[track_caller]
    pub fn ones(shape: impl Sizes) -> Self {
        Self::ones_of(shape)
    }

    /// Returns a vector of the numbers `start, start + step, …` before `end`, which is excluded. It has
    /// ⌈(end - start) / step⌉ elements.
    ///
    /// # Panics
    /// If `step` is zero or not finite.
    #[track_caller]
    pub fn arange(start: f64, end: f64, step: f64) -> Self {
        Self::arange_of(start, end, step)
    }
}

impl<T: Element> From<T> for Tensor<T> {
    fn from(x: T) -> Self {
        Tensor::scalar_of(x)
    }
}

impl<T: Element> From<Vec<T>> for Tensor<T> {
    /// Returns a vector: a tensor with one axis.
    fn from(elements: Vec<T>) -> Self {
        Tensor::from_slice(&elements, &[elements.len()])
    }
}

impl<T: Element, const N: usize> From<[T; N]> for Tensor<T> {
    /// Returns a vector: a tensor with one axis.
    fn from(elements: [T; N]) -> Self {
        Tensor::from_slice(&elements, &[N])
    }
}

impl<T: Element, const M: usize, const N: usize> From<[[T; N]; M]> for Tensor<T> {
    /// Returns a matrix with one row for each inner array.
    fn from(rows: [[T; N]; M]) -> Self {
        Tensor::from_slice(rows.as_flattened(), &[M, N])
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;

    /// The ends are exact, whatever the distance is: also if it overflows, and if an end is infinite.
    #[test]
    fn linspace_ends_exactly() {
        let wide = Tensor::<f64>::linspace_of(-1.6e308, 1.6e308, 5).to_vec();
        assert_eq!(wide, [-1.6e308, -0.8e308, 0.0, 0.8e308, 1.6e308]);
        for (start, end) in [(0.1, 0.7), (-1e-300, 1e300), (0.0, f64::INFINITY), (-f64::MAX, 1.0)] {
            for count in [2, 3, 6, 7] {
                let x = Tensor::<f64>::linspace_of(start, end, count).to_vec();
                assert_eq!((x.len(), x[0], x[count - 1]), (count, start, end));
            }
        }
        assert_eq!(Tensor::<f64>::linspace_of(2.0, f64::MAX, 1).to_vec(), [2.0]);
        assert_eq!(Tensor::<f64>::linspace_of(2.0, 3.0, 0).numel(), 0);
    }
}
