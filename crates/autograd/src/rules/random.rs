//! Random operations. They are pure: each holds the number of its random stream, so a node always gives
//! the same values when it is computed again.

use crate::graph::{Call, Distribution, Draw, Mode, Op, PackedF64, Random, Tape, Var};
use wengert_tensor::{Float, Philox, Program, Sizes, Tensor, keep_mask};

impl Draw {
    pub fn eval<T: Float>(self, shape: &[usize], key: u64) -> Tensor<T> {
        let rng = &mut Philox::with_stream(key, u64::from(self.stream));
        match self.from {
            Distribution::Uniform => Tensor::uniform_of(shape, 0.0, 1.0, rng),
            Distribution::Normal => Tensor::normal_of(shape, 0.0, 1.0, rng),
        }
    }
}

impl Random {
    pub fn eval<T: Float>(self, x: &Tensor<T>, key: u64) -> Tensor<T> {
        let Random::Dropout { p, stream } = self;
        let (shape, keep) = (x.shape(), 1.0 - p.get());
        let mask = keep_mask::<T>(&shape, key, u64::from(stream), keep);
        // Dropped elements are selected, not multiplied by 0, so that a dropped infinity becomes 0.
        let kept = Program::new(|[mask, x]| [mask.indicator_eq(0.0).gate(x / keep)]);
        kept.map(&[&mask, x], &shape)
    }

    pub fn vjp<'t, T: Float>(self, c: &Call<'_, 't, T>) -> Var<'t, T> {
        let gy = c.gy();
        gy.tape.apply(Op::Random(self), &[gy], gy.shape())
    }
}

impl<T: Float> Tape<T> {
    /// Returns independent random numbers, uniform in [0, 1), in training and in evaluation. The values
    /// depend only on the tape's key and on how many random operations the tape recorded before.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Philox;
    /// let tape = Tape::<f32>::train(&mut Philox::new(0));
    /// let u = tape.rand([2, 3]).value();
    /// assert!(u.to_vec().iter().all(|u| (0.0..1.0).contains(u)));
    /// ```
    ///
    /// # Panics
    /// If the tape has no random numbers (see [`Tape::train`]), or in the rule of an operation.
    #[track_caller]
    pub fn rand(&self, shape: impl Sizes) -> Var<'_, T> {
        self.draw("rand", shape, Distribution::Uniform)
    }

    /// Returns independent random numbers of the standard normal distribution, as [`rand`](Tape::rand)
    /// does for the uniform distribution. They serve, for example, as the noise of a generator, or of a
    /// variational autoencoder: `mean + std * tape.randn(&mean.shape())`.
    ///
    /// # Panics
    /// Under the conditions of [`rand`](Tape::rand).
    #[track_caller]
    pub fn randn(&self, shape: impl Sizes) -> Var<'_, T> {
        self.draw("randn", shape, Distribution::Normal)
    }

    /// Returns a generator of random numbers, for a function that takes one. The generator depends only on the tape's key and on
    /// how many random operations the tape recorded before. Numbers that are drawn from it are constants of the tape.
    ///
    /// ```
    /// use wengert::autograd::{Tape, Var};
    /// use wengert::tensor::{Philox, Tensor};
    /// /// Adds noise of the uniform distribution, in training and in evaluation.
    /// fn noisy<'t>(x: Var<'t>) -> Var<'t> {
    ///     let tape = x.tape();
    ///     x + tape.constant(Tensor::uniform(x.shape(), -0.1, 0.1, &mut tape.rng()))
    /// }
    /// let tape = Tape::train(&mut Philox::new(0));
    /// let x = tape.constant(Tensor::zeros(&[3]));
    /// assert!(noisy(x).value() != noisy(x).value());
    /// ```
    ///
    /// # Panics
    /// Under the conditions of [`rand`](Tape::rand).
    #[track_caller]
    pub fn rng(&self) -> Philox {
        let (key, stream) = self.stream();
        Philox::with_stream(key, u64::from(stream))
    }

    #[track_caller]
    fn draw(&self, op: &str, shape: impl Sizes, from: Distribution) -> Var<'_, T> {
        let shape = self.fits(shape.shape_for(op));
        let (_, stream) = self.stream();
        self.apply(Op::Draw(Draw { from, stream }), &[], shape)
    }
}

impl<T: Float> Var<'_, T> {
    /// Sets elements to zero at random on a tape in training mode. Each element is zero with probability
    /// `p` and is otherwise divided by 1 - p, so that its expected value does not change. In evaluation
    /// mode the result equals the input. (Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov,
    /// 2014.)
    ///
    /// # Panics
    /// If `p` is not between 0 and 1, or if the tape has no mode, for every `p` (use
    /// [`Tape::train`](crate::Tape::train) or [`Tape::eval`](crate::Tape::eval)).
    #[track_caller]
    pub fn dropout(self, p: f64) -> Self {
        assert!((0.0..=1.0).contains(&p), "dropout: p must be from 0 to 1, got {p}");
        if self.tape.expect_mode("dropout") == Mode::Eval || p == 0.0 {
            return self.same();
        }
        let (_, stream) = self.tape.stream();
        self.tape.apply(
            Op::Random(Random::Dropout { p: PackedF64::new(p), stream }),
            &[self],
            self.shape(),
        )
    }
}
