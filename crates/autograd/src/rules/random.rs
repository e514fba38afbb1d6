//! Random operations. They carry their place in the run's random numbers, so they are pure: the
//! same node gives the same numbers whenever it is computed.

use super::call::Call;
use crate::graph::{Mode, Op, Tape, Var};
use wengert_tensor::{Float, Philox, Program, Sizes, Tensor, keep_mask};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Random {
    /// Linear in its operand, and its own adjoint.
    Dropout { p: Probability, stream: u32 },
}

/// Random numbers of no operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Draw {
    pub from: Distribution,
    pub stream: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Distribution {
    /// Uniform in [0, 1).
    Uniform,
    /// Normal, with mean 0 and variance 1.
    Normal,
}

impl Draw {
    pub fn eval<T: Float>(self, shape: &[usize], key: u64) -> Tensor<T> {
        let rng = &mut Philox::with_stream(key, u64::from(self.stream));
        match self.from {
            Distribution::Uniform => Tensor::uniform_of(shape, 0.0, 1.0, rng),
            Distribution::Normal => Tensor::normal_of(shape, 0.0, 1.0, rng),
        }
    }
}

/// An `f64` in two halves, so that an op stays as small as it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Probability([u32; 2]);

impl Probability {
    pub fn new(p: f64) -> Self {
        let bits = p.to_bits();
        Probability([bits as u32, (bits >> 32) as u32])
    }

    pub fn get(self) -> f64 {
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

impl<T: Float> Tape<T> {
    /// Independent random numbers, uniform in [0, 1), in training and in evaluation: a node of the
    /// tape, whose numbers are a function of the tape's key and of how many draws came before it.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::Philox;
    /// let tape = Tape::<f32>::train(&mut Philox::new(0));
    /// let u = tape.rand([2, 3]).value();
    /// assert!(u.to_vec().iter().all(|u| (0.0..1.0).contains(u)));
    /// ```
    ///
    /// # Panics
    /// On a tape without random numbers: see [`Tape::train`]; and in the rule of an operation.
    #[track_caller]
    pub fn rand(&self, shape: impl Sizes) -> Var<'_, T> {
        self.draw("rand", shape, Distribution::Uniform)
    }

    /// Independent random numbers of the standard normal distribution, as [`rand`](Tape::rand): noise of
    /// a generator, say, or of a variational autoencoder, `mean + std * tape.randn(&mean.shape())`.
    ///
    /// # Panics
    /// As [`rand`](Tape::rand).
    #[track_caller]
    pub fn randn(&self, shape: impl Sizes) -> Var<'_, T> {
        self.draw("randn", shape, Distribution::Normal)
    }

    #[track_caller]
    fn draw(&self, op: &str, shape: impl Sizes, from: Distribution) -> Var<'_, T> {
        let shape = self.fits(shape.shape_for(op));
        let (_, stream) = self.stream();
        self.apply(Op::Draw(Draw { from, stream }), &[], shape)
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
