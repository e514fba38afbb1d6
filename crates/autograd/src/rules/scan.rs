//! Scans: running sums, products and log-sum-exps along an axis. Their adjoints run in the other direction.
//! The rules of products and log-sum-exps are linear recurrences hᵢ = aᵢ·hᵢ₋₁ + bᵢ, whose rule is another
//! one. So no rule divides by an element, and all derivatives are exact where elements are zero.

use crate::graph::{Call, Cotangents, Op, Reads, ScanAlong, Var, View, one, two};
use wengert_tensor::{Float, Scan, Tensor, shapes};

impl ScanAlong {
    pub fn eval<T: Float>(self, x: &[Tensor<T>]) -> Tensor<T> {
        x[0].scan(self.op, self.axis as usize, self.reverse, x.last().unwrap_or(&x[0]))
    }

    pub fn reads(self, arg: usize) -> Reads {
        match self.op {
            Scan::Sum => Reads::NOTHING,
            Scan::Linear if arg == 1 => Reads::X0,
            Scan::Product | Scan::LogSumExp | Scan::Linear => Reads::X0.and(Reads::Y0),
        }
    }

    pub fn vjp<'t, T: Float>(self, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
        let gy = c.gy();
        let back = ScanAlong { reverse: !self.reverse, ..self };
        if let Scan::Sum = self.op {
            return one(gy.scanned(back, None));
        }
        if c.x_shape(0).contains(&0) {
            return (0..c.arity()).map(|arg| c.wants(arg).then_some(gy)).collect();
        }
        // gᵢ = gyᵢ + fᵢ₊₁·gᵢ₊₁, where fᵢ₊₁ is the derivative of yᵢ₊₁ by yᵢ.
        let pulled = |factors: Var<'t, T>| {
            let back = ScanAlong { op: Scan::Linear, ..back };
            factors.scanned(back, Some(gy))
        };
        let (x, y) = (c.x(0), c.y(0));
        match self.op {
            Scan::Sum => unreachable!("returned above"),
            Scan::Product => one(pulled(x.shifted(back, 0.0)) * y.shifted(self, 1.0)),
            Scan::LogSumExp => {
                // Where y is -∞, so are all elements before. Then y is replaced by 0: the factors are
                // e^-∞ = 0 instead of NaN.
                let safe = y.eq(f64::NEG_INFINITY).gate(y);
                let factors = (y.shifted(self, f64::NEG_INFINITY) - safe).exp();
                one(pulled(factors.shifted(back, 0.0)) * (x - safe).exp())
            }
            Scan::Linear => {
                let g = pulled(x.shifted(back, 0.0));
                two(c.wants(0).then(|| g * y.shifted(self, 0.0)), c.wants(1).then_some(g))
            }
        }
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// Records a scan. A linear recurrence reads its factors from `self` and its summands from `other`.
    #[track_caller]
    pub(crate) fn scanned(self, scan: ScanAlong, other: Option<Self>) -> Self {
        let operands = [self, other.unwrap_or(self)];
        self.tape.apply(Op::Scan(scan), &operands[..=usize::from(other.is_some())], self.shape())
    }

    /// Moves the elements one place on, in the direction of a scan. The first place gets `fill`. The axis
    /// has elements.
    #[track_caller]
    fn shifted(self, scan: ScanAlong, fill: f64) -> Self {
        let (axis, shape) = (scan.axis as usize, self.shape());
        let (start, around) = if scan.reverse { (1, (0, 1)) } else { (0, (1, 0)) };
        let mut padding = vec![(0, 0); shape.rank()];
        padding[axis] = around;
        self.narrow(axis as isize, start, shape[axis] - 1).pad(&padding, fill)
    }

    #[track_caller]
    fn running(self, name: &str, op: Scan, axis: isize) -> Self {
        let axis = self.fits(shapes::axis(name, axis, &self.shape())) as u8;
        self.scanned(ScanAlong { op, axis, reverse: false }, None)
    }

    /// Returns the running sums along an axis: yᵢ = x₀ + … + xᵢ.
    ///
    /// # Panics
    /// If the axis does not exist.
    #[track_caller]
    pub fn cumsum(self, axis: isize) -> Self {
        self.running("cumsum", Scan::Sum, axis)
    }

    /// Returns the running products along an axis: yᵢ = x₀ · … · xᵢ. Derivatives of every order are exact
    /// where elements are zero.
    ///
    /// # Panics
    /// If the axis does not exist.
    #[track_caller]
    pub fn cumprod(self, axis: isize) -> Self {
        self.running("cumprod", Scan::Product, axis)
    }

    /// Returns the running log-sum-exp along an axis: yᵢ = ln (exp x₀ + … + exp xᵢ), computed without
    /// overflow.
    ///
    /// # Panics
    /// If the axis does not exist.
    #[track_caller]
    pub fn logcumsumexp(self, axis: isize) -> Self {
        self.running("logcumsumexp", Scan::LogSumExp, axis)
    }

    /// Returns the product over axes. The product of no elements is 1. Derivatives of every order are exact
    /// where elements are zero.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([2.0, 0.0, 3.0]));
    /// let y = x.prod(&[], false);
    /// assert_eq!(y.item(), 0.0);
    /// assert_eq!(y.grad(&[x])[0].value().to_vec(), [0.0, 6.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn prod(self, axes: &[isize], keepdim: bool) -> Self {
        let own = self.shape();
        let reduced = self.fits(shapes::reduce("prod", &own, axes));
        let (order, lines) = shapes::lines(&own, &reduced);
        let n = lines[lines.rank() - 1];
        if n == 0 {
            return self.sum(axes, keepdim) + 1.0;
        }
        let products = self.permute(&order).view(View::Reshape, lines).cumprod(-1);
        let shape = if keepdim { reduced.kept } else { reduced.dropped };
        products.narrow(-1, n - 1, 1).view(View::Reshape, shape)
    }
}
