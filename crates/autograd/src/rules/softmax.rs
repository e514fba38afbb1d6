//! Softmax, its logarithm, and the gradients of both. The logarithm is an operation of its own, because
//! x - logsumexp(x) loses digits for large inputs. The rules read only the output.
//!
//! A gradient is one operation, too: its kernel reads each line twice while it is in the cache. It is linear in gy.

use crate::graph::{Call, Cotangents, Op, Reads, Softmax, Var, one, two};
use wengert_tensor::{Float, Tensor, shapes};

impl Softmax {
    pub fn eval<T: Float>(self, x: &[Tensor<T>]) -> Tensor<T> {
        match self {
            Softmax::Forward { axis, log: false } => x[0].softmax(axis as isize),
            Softmax::Forward { axis, log: true } => x[0].log_softmax(axis as isize),
            Softmax::Gradient { axis, log } => x[1].softmax_gradient(&x[0], log, axis as usize),
        }
    }

    pub fn reads(self, arg: usize) -> Reads {
        match self {
            Softmax::Forward { .. } => Reads::Y0,
            Softmax::Gradient { .. } => [Reads::X1, Reads::X0.and(Reads::X1)][arg],
        }
    }

    pub fn vjp<'t, T: Float>(self, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
        let g = c.gy();
        match self {
            Softmax::Forward { axis, log } => one(g.softmax_gradient(c.y(0), axis, log)),
            // gx = y ⊙ (gy - Σ gy ⊙ y)
            Softmax::Gradient { axis, log: false } => {
                let (gy, y) = (c.x(0), c.x(1));
                let by_y = || {
                    let [sum, other] = [gy * y, g * y].map(|x| x.sum_along(axis));
                    g * (gy - sum) - gy * other
                };
                let by_gy = || g.softmax_gradient(y, axis, false);
                two(c.wants(0).then(by_gy), c.wants(1).then(by_y))
            }
            // gx = gy - eʸ Σ gy
            Softmax::Gradient { axis, log: true } => {
                let (gy, y) = (c.x(0), c.x(1));
                let by_gy = || g - (g * y.exp()).sum_along(axis);
                let by_y = || -g * y.exp() * gy.sum_along(axis);
                two(c.wants(0).then(by_gy), c.wants(1).then(by_y))
            }
        }
    }
}

impl<T: Float> Var<'_, T> {
    /// Returns ln (eˣ / Σ eˣ) along an axis, exact for inputs of any size.
    ///
    /// # Panics
    /// If the axis does not exist.
    #[track_caller]
    pub fn log_softmax(self, axis: isize) -> Self {
        self.softmax_or_log("log_softmax", axis, true)
    }

    /// Returns eˣ / Σ eˣ along an axis, exact for inputs of any size.
    ///
    /// # Panics
    /// If the axis does not exist.
    #[track_caller]
    pub fn softmax(self, axis: isize) -> Self {
        self.softmax_or_log("softmax", axis, false)
    }

    #[track_caller]
    fn softmax_or_log(self, name: &str, axis: isize, log: bool) -> Self {
        let shape = self.shape();
        let axis = self.fits(shapes::axis(name, axis, &shape)) as u8;
        self.tape.apply(Op::Softmax(Softmax::Forward { axis, log }), &[self], shape)
    }

    /// Returns the gradient of softmax with the result `y`, or of its logarithm, where `self` is the gradient of the
    /// result.
    fn softmax_gradient(self, y: Self, axis: u8, log: bool) -> Self {
        self.tape.apply(Op::Softmax(Softmax::Gradient { axis, log }), &[self, y], self.shape())
    }

    /// Returns the sum along an axis, which keeps size 1.
    fn sum_along(self, axis: u8) -> Self {
        self.sum_shape(self.shape().with(axis as usize, 1))
    }
}
