//! Random operations. They carry their place in the run's random numbers, so they are pure: the
//! same node gives the same numbers whenever it is computed.

use crate::op::{Call, Op};
use crate::tape::Mode;
use crate::var::Var;
use wengert_tensor::{Float, Program, Tensor, keep_mask};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Random {
    /// Linear in its operand, and its own adjoint.
    Dropout { p: Probability, stream: u32 },
}

/// An `f64` in two halves, so that an op stays as small as it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Probability([u32; 2]);

impl Probability {
    pub fn new(p: f64) -> Self {
        let bits = p.to_bits();
        Probability([bits as u32, (bits >> 32) as u32])
    }

    fn get(self) -> f64 {
        f64::from_bits(u64::from(self.0[0]) | u64::from(self.0[1]) << 32)
    }
}

impl Random {
    pub fn eval<T: Float>(self, x: &Tensor<T>, key: u64) -> Tensor<T> {
        let Random::Dropout { p, stream } = self;
        let (shape, keep) = (x.shape(), 1.0 - p.get());
        let mask = keep_mask::<T>(&shape, key, u64::from(stream), keep);
        // Selected, not multiplied: an infinity that is dropped is zero, too.
        let kept = Program::new(|[mask, x]| [mask.indicator_eq(0.0).gate(x / keep)]);
        kept.map(&[&mask, x], &shape)
    }

    pub fn vjp<'t, T: Float>(self, c: &Call<'_, 't, T>) -> Var<'t, T> {
        let gy = c.gy();
        gy.tape.apply(Op::Random(self), &[gy], gy.shape())
    }
}

impl<T: Float> Var<'_, T> {
    /// On a tape in training mode, each element is zero with probability `p` and otherwise divided
    /// by 1 - p, so that the expected value stays; in evaluation mode it stays.
    /// (Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, 2014.)
    ///
    /// # Panics
    /// If `p` is not within 0 to 1, or the tape has no mode ([`Tape::train`](crate::Tape::train) or
    /// [`Tape::eval`](crate::Tape::eval)), whatever `p` is.
    #[track_caller]
    pub fn dropout(self, p: f64) -> Self {
        assert!((0.0..=1.0).contains(&p), "dropout: p is a probability, this is {p}");
        if self.tape.expect_mode("dropout") == Mode::Eval || p == 0.0 {
            return self.same();
        }
        let (_, stream) = self.tape.stream();
        self.tape.apply(
            Op::Random(Random::Dropout { p: Probability::new(p), stream }),
            &[self],
            self.shape(),
        )
    }
}
