//! The logarithm of softmax. It is an operation of its own, because x - logsumexp(x) loses digits for
//! large inputs. Its rule reads only the output.

use crate::graph::{Call, LogSoftmax, Op, Reads, Var};
use wengert_tensor::{Float, Tensor, shapes};

impl LogSoftmax {
    pub fn eval<T: Float>(self, x: &Tensor<T>) -> Tensor<T> {
        x.log_softmax(self.axis as isize)
    }

    pub const READS: Reads = Reads::Y0;

    pub fn vjp<'t, T: Float>(self, c: &Call<'_, 't, T>) -> Var<'t, T> {
        let (gy, y) = (c.gy(), c.y(0));
        gy - y.exp() * gy.sum_shape(gy.shape().with(self.axis as usize, 1))
    }
}

impl<T: Float> Var<'_, T> {
    /// Returns ln (eˣ / Σ eˣ) along an axis, exact for inputs of any size.
    ///
    /// # Panics
    /// If the axis does not exist.
    #[track_caller]
    pub fn log_softmax(self, axis: isize) -> Self {
        let shape = self.shape();
        let axis = self.fits(shapes::axis("log_softmax", axis, &shape)) as u8;
        self.tape.apply(Op::LogSoftmax(LogSoftmax { axis }), &[self], shape)
    }

    /// Returns eˣ / Σ eˣ along an axis, exact for inputs of any size.
    ///
    /// # Panics
    /// If the axis does not exist.
    #[track_caller]
    pub fn softmax(self, axis: isize) -> Self {
        self.fits(shapes::axis("softmax", axis, &self.shape()));
        self.log_softmax(axis).exp()
    }
}
