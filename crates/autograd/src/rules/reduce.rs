//! Reductions. The node's shape is the shape of the result. The reduced axes follow from it.

use crate::graph::{Call, Op, Reads, Reduce, Var};
use wengert_tensor::{Float, Shape, Sizes, Tensor, shapes};

impl Reduce {
    pub fn eval<T: Float>(self, x: &Tensor<T>, shape: Shape) -> Tensor<T> {
        match self {
            Reduce::Sum => x.sum_to(&shape),
            Reduce::Max => x.max_to(&shape),
            Reduce::Min => x.min_to(&shape),
            Reduce::LogSumExp => x.logsumexp_to(&shape),
        }
    }

    pub fn reads(self) -> Reads {
        match self {
            Reduce::Sum => Reads::NOTHING,
            Reduce::Max | Reduce::Min | Reduce::LogSumExp => Reads::X0.and(Reads::Y0),
        }
    }

    pub fn vjp<'t, T: Float>(self, c: &Call<'_, 't, T>) -> Var<'t, T> {
        let (gy, shape) = (c.gy(), c.x_shape(0));
        match self {
            Reduce::Sum => gy.broadcast_shape(shape),
            Reduce::Max | Reduce::Min => {
                // Equal elements share the gradient evenly. Where the result is NaN, the NaNs among the
                // elements share it. `others` marks the elements without a share: x ≠ y and x is not
                // NaN.
                let (x, y) = (c.x(0), c.y(0));
                let others = x.ne(y).and_not(x.ne(x));
                let count = others.not().numbers().sum_shape(y.shape());
                others.gate(gy / count)
            }
            Reduce::LogSumExp => {
                // If all elements are -∞, so is y. Then y is replaced by 0: the factor is e^x = 0
                // instead of NaN.
                let y = c.y(0);
                let y = y.eq(f64::NEG_INFINITY).gate(y);
                gy * (c.x(0) - y).exp()
            }
        }
    }
}

/// Reductions. An empty list of axes means all axes. Negative axes count from the end. With `keepdim`
/// the reduced axes are kept with size 1.
impl<T: Float> Var<'_, T> {
    /// Returns the reduction, and the number of elements that each result combines.
    #[track_caller]
    fn reduce(self, op: Reduce, axes: &[isize], keepdim: bool, name: &str) -> (Self, usize) {
        let shape = self.shape();
        let rule = match op {
            Reduce::Max | Reduce::Min => shapes::extreme(name, &shape, axes),
            Reduce::Sum | Reduce::LogSumExp => shapes::reduce(name, &shape, axes),
        };
        let shapes::Reduced { chosen, kept, dropped } = self.fits(rule);
        let reduced =
            if kept == shape { self } else { self.tape.apply(Op::Reduce(op), &[self], kept) };
        let reduced = if keepdim || kept == dropped { reduced } else { reduced.reshape(dropped) };
        let count =
            shape.iter().zip(chosen).filter(|&(_, chosen)| chosen).map(|(n, _)| n).product();
        (reduced.apart_from(self), count)
    }

    /// Returns the sum over axes.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn sum(self, axes: &[isize], keepdim: bool) -> Self {
        self.reduce(Reduce::Sum, axes, keepdim, "sum").0
    }

    /// Returns the sum of all elements, as a scalar.
    #[inline]
    #[track_caller]
    pub fn sum_all(self) -> Self {
        self.sum_shape(Shape::new(&[])).apart_from(self)
    }

    /// Returns the mean over axes.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn mean(self, axes: &[isize], keepdim: bool) -> Self {
        let (sum, count) = self.reduce(Reduce::Sum, axes, keepdim, "mean");
        sum / count as f64
    }

    /// Returns the mean of all elements, as a scalar.
    #[track_caller]
    pub fn mean_all(self) -> Self {
        self.sum_shape(Shape::new(&[])) / self.shape().numel() as f64
    }

    /// Returns the maximum over axes. Equal maxima share the gradient evenly.
    ///
    /// # Panics
    /// If an axis does not exist, is named twice, or is empty.
    #[track_caller]
    pub fn max(self, axes: &[isize], keepdim: bool) -> Self {
        self.reduce(Reduce::Max, axes, keepdim, "max").0
    }

    /// Returns the minimum over axes. Equal minima share the gradient evenly.
    ///
    /// # Panics
    /// If an axis does not exist, is named twice, or is empty.
    #[track_caller]
    pub fn min(self, axes: &[isize], keepdim: bool) -> Self {
        self.reduce(Reduce::Min, axes, keepdim, "min").0
    }

    /// Returns the variance over axes, Σ(x - mean)² / (n - correction). `correction` = 1 (Bessel's
    /// correction) estimates the variance of a population from a sample. `correction` = 0 gives the
    /// variance of the elements themselves.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn var(self, axes: &[isize], keepdim: bool, correction: usize) -> Self {
        self.fits(shapes::reduce("var", &self.shape(), axes));
        let centred = self - self.mean(axes, true);
        let (sum, count) = centred.square().reduce(Reduce::Sum, axes, keepdim, "var");
        sum / count.saturating_sub(correction) as f64
    }

    /// Returns ln Σ eˣ over axes, computed without overflow.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn logsumexp(self, axes: &[isize], keepdim: bool) -> Self {
        self.reduce(Reduce::LogSumExp, axes, keepdim, "logsumexp").0
    }

    /// Sums to a smaller shape. This is the adjoint of [`broadcast_to`](Var::broadcast_to).
    ///
    /// # Panics
    /// If `shape` does not broadcast to the shape of this variable.
    #[inline]
    #[track_caller]
    pub fn sum_to(self, shape: impl Sizes) -> Self {
        let shape = self.fits(shape.shape_for("sum_to"));
        let shape = self.fits(shapes::reduce_to("sum_to", &self.shape(), &shape));
        self.sum_shape(shape).apart_from(self)
    }

    /// Sums to a smaller shape, which the caller has checked. Returns the operand itself if the shapes
    /// are equal. For rules, not for results.
    #[inline]
    #[track_caller]
    pub(crate) fn sum_shape(self, shape: Shape) -> Self {
        if self.shape() == shape {
            return self;
        }
        self.tape.apply(Op::Reduce(Reduce::Sum), &[self], shape)
    }
}
