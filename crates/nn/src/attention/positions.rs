//! Positions in sequences: added to the inputs, or as rotations of queries and keys.

use crate::layer::Layer;
use rand::Rng;
use wengert_autograd::{Outline, Param, Var};
use wengert_nn_derive::Module;
use wengert_tensor::{Float, Shape, Tensor};

/// The shape of a table [L, D] that broadcasts to an input whose axis `axis` is the sequence.
#[track_caller]
fn sequence_axis<T: Float>(op: &str, x: Var<'_, T>, axis: isize, size: usize) -> (usize, Shape) {
    let shape = x.shape();
    let rank = shape.rank() as isize;
    let at = if axis < 0 { axis + rank } else { axis };
    if at < 0 || at + 1 >= rank || shape.last() != Some(&size) {
        let expected =
            if axis == 0 { format!("[L, …, {size}]") } else { format!("[…, L, {size}]") };
        x.tape().shape_error(format!("{op}: expected {expected}, got {shape}"))
    }
    let mut table = vec![1; rank as usize];
    (table[at as usize], table[rank as usize - 1]) = (shape[at as usize], size);
    (shape[at as usize], Shape::new(&table))
}

/// Adds sines and cosines of the position to sequences \[…, L, D\]. Element 2i of position p gets
/// sin(p / 10000^(2i/D)), and element 2i + 1 gets the cosine of the same angle. (Vaswani et al.,
/// "Attention is all you need", 2017.)
///
/// ```
/// use wengert::nn::{Layer, SinusoidalPositions};
/// use wengert::tensor::Tensor;
/// let y = SinusoidalPositions::new(4).predict(&Tensor::zeros(&[2, 3, 4]));
/// assert_eq!(y.narrow(1, 0, 1).to_vec()[..4], [0.0, 1.0, 0.0, 1.0]);
/// assert_eq!(y.at(&[1, 2, 0]), 2f32.sin());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Module)]
#[module(crate = "wengert_autograd")]
pub struct SinusoidalPositions {
    size: usize,
    #[module(print_with = print_axis)]
    axis: isize,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the derive macro calls it so
fn print_axis(axis: &isize, outline: Outline) -> Outline {
    crate::print::changed(outline, &[("axis", axis.to_string(), "-2")])
}

impl SinusoidalPositions {
    /// Creates a layer for elements of `size` numbers.
    ///
    /// # Panics
    /// If `size` is 0 or odd.
    #[track_caller]
    pub fn new(size: usize) -> Self {
        assert!(
            size > 0 && size.is_multiple_of(2),
            "SinusoidalPositions: size must be even, got {size}"
        );
        SinusoidalPositions { size, axis: -2 }
    }

    /// Makes the sequence the first axis: [L, N, D] instead of \[…, L, D\].
    #[must_use]
    pub fn sequence_first(self) -> Self {
        SinusoidalPositions { axis: 0, ..self }
    }

    /// Returns the table of the positions from `start` on: [len, size].
    pub fn table<T: Float>(self, start: usize, len: usize) -> Tensor<T> {
        let numbers = (start..start + len).flat_map(|p| {
            (0..self.size).map(move |i| {
                let angle = angle(p, i / 2, self.size, 1e4);
                T::of(if i % 2 == 0 { angle.sin() } else { angle.cos() })
            })
        });
        Tensor::from_vec(numbers.collect(), &[len, self.size])
    }

    /// Adds the positions from `start` on.
    ///
    /// # Panics
    /// If the shape does not fit.
    #[track_caller]
    pub fn from<'t, T: Float>(self, x: Var<'t, T>, start: usize) -> Var<'t, T> {
        let (len, shape) = sequence_axis("sinusoidal_positions", x, self.axis, self.size);
        x + x.tape().constant(self.table(start, len).reshape(shape))
    }
}

/// Returns position / base^(2 pair / size).
fn angle(position: usize, pair: usize, size: usize, base: f64) -> f64 {
    position as f64 / base.powf(2.0 * pair as f64 / size as f64)
}

impl<T: Float> Layer<T> for SinusoidalPositions {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        self.from(x, 0)
    }
}

/// Adds a learned vector for each position to sequences \[…, L, D\]. The vectors are drawn from a
/// normal distribution with mean 0 and standard deviation 0.02, as in GPT-2.
///
/// ```
/// use wengert::nn::{Layer, LearnedPositions};
/// use wengert::tensor::{Philox, Tensor};
/// let layer = LearnedPositions::new(100, 4, &mut Philox::new(0));
/// let y = layer.predict(&Tensor::zeros(&[2, 3, 4]));
/// assert_eq!(y.narrow(0, 1, 1).squeeze(0), layer.weight.value().narrow(0, 0, 3));
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "wengert_autograd")]
pub struct LearnedPositions<T: Float = f32> {
    /// The vectors: [positions, size].
    pub weight: Param<T>,
    #[module(print_with = print_axis)]
    axis: isize,
}

impl LearnedPositions {
    /// Creates a layer of `f32` for at most `positions` positions, and elements of `size` numbers.
    pub fn new(positions: usize, size: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::of(positions, size, rng)
    }
}

impl<T: Float> LearnedPositions<T> {
    /// Creates a layer of any element type, as [`LearnedPositions::new`] does for `f32`:
    /// `LearnedPositions::<f64>::of(…)`.
    pub fn of(positions: usize, size: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        let weight = Tensor::normal_of(&[positions, size], 0.0, 0.02, rng);
        LearnedPositions { weight: weight.into(), axis: -2 }
    }

    /// Makes the sequence the first axis: [L, N, D] instead of \[…, L, D\].
    #[must_use]
    pub fn sequence_first(self) -> Self {
        LearnedPositions { axis: 0, ..self }
    }

    /// Adds the vectors of the positions from `start` on.
    ///
    /// # Panics
    /// If the shape does not fit, or there are fewer positions.
    #[track_caller]
    pub fn from<'t>(&self, x: Var<'t, T>, start: usize) -> Var<'t, T> {
        let scope = x.tape().open(self);
        scope.close(self.added(x, start))
    }

    #[track_caller]
    fn added<'t>(&self, x: Var<'t, T>, start: usize) -> Var<'t, T> {
        let [positions, size] = *self.weight.shape() else { unreachable!() };
        let (len, shape) = sequence_axis("learned_positions", x, self.axis, size);
        if start.saturating_add(len) > positions {
            x.tape().shape_error(format!(
                "learned_positions: expected at most {positions} positions, got {len} after {start} in an \
                 input {}",
                x.shape()
            ))
        }
        x + x.tape().param(&self.weight).narrow(0, start, len).reshape(shape)
    }
}

impl<T: Float> Layer<T> for LearnedPositions<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        self.added(x, 0)
    }
}

/// Rotates pairs of elements of queries and keys \[…, L, D\] by angles that grow with the position,
/// so that their product depends on the difference of their positions. The elements 2i and 2i + 1
/// of position p are rotated by `p / 10000^(2i/D)`. (Su, Lu, Pan, Wen, Liu, "`RoFormer`: enhanced
/// transformer with rotary position embedding", 2021.)
///
/// ```
/// use wengert::nn::{Layer, RotaryPositions};
/// use wengert::tensor::Tensor;
/// let y = RotaryPositions::new(2).predict(&Tensor::from([[1.0, 0.0], [1.0, 0.0]]));
/// let expected = [1.0, 0.0, 1f32.cos(), 1f32.sin()];
/// assert!(y.to_vec().iter().zip(expected).all(|(y, expected)| (y - expected).abs() < 1e-6));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
#[module(crate = "wengert_autograd")]
pub struct RotaryPositions {
    size: usize,
    #[module(print_with = print_base)]
    base: f64,
    #[module(print_with = print_halves)]
    halves: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as above
fn print_base(base: &f64, outline: Outline) -> Outline {
    crate::print::changed(outline, &[("base", format!("{base:?}"), "10000.0")])
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as above
fn print_halves(halves: &bool, outline: Outline) -> Outline {
    crate::print::changed(outline, &[("halves", halves.to_string(), "false")])
}

impl RotaryPositions {
    /// Creates rotations of elements of `size` numbers, the size of a head.
    ///
    /// # Panics
    /// If `size` is 0 or odd.
    #[track_caller]
    pub fn new(size: usize) -> Self {
        assert!(
            size > 0 && size.is_multiple_of(2),
            "RotaryPositions: size must be even, got {size}"
        );
        RotaryPositions { size, base: 1e4, halves: false }
    }

    /// Sets the base of the angles. The default is 10000.
    #[must_use]
    pub fn base(self, base: f64) -> Self {
        RotaryPositions { base, ..self }
    }

    /// Makes the elements i and i + D/2 the pairs, instead of 2i and 2i + 1, as the models GPT-NeoX
    /// and Llama do in the library `transformers`.
    #[must_use]
    pub fn halves(self) -> Self {
        RotaryPositions { halves: true, ..self }
    }

    /// Rotates as for the positions from `start` on.
    ///
    /// # Panics
    /// If the shape does not fit.
    #[track_caller]
    pub fn from<'t, T: Float>(self, x: Var<'t, T>, start: usize) -> Var<'t, T> {
        let tape = x.tape();
        let (len, _) = sequence_axis("rotary_positions", x, -2, self.size);
        let pairs = self.size / 2;
        let table = |f: fn(f64) -> f64| {
            let angles = (start..start + len)
                .flat_map(|p| (0..pairs).map(move |i| angle(p, i, self.size, self.base)));
            let numbers: Vec<T> = angles.map(|angle| T::of(f(angle))).collect();
            let shape = if self.halves { [len, 1, pairs] } else { [len, pairs, 1] };
            tape.constant(Tensor::from_vec(numbers, &shape))
        };
        // Axis -1 or -2 of `split` holds the two elements of a pair.
        let (of_pair, pair_shape) = if self.halves { (-2, [2, pairs]) } else { (-1, [pairs, 2]) };
        let shape = x.shape();
        let lead = &shape[..shape.rank() - 1];
        let split: Shape = lead.iter().chain(&pair_shape).copied().collect();
        let split = x.reshape(split);
        let (a, b) = (split.narrow(of_pair, 0, 1), split.narrow(of_pair, 1, 1));
        let (cos, sin) = (table(f64::cos), table(f64::sin));
        Var::concat(&[a * cos - b * sin, a * sin + b * cos], of_pair).reshape(shape)
    }
}

impl<T: Float> Layer<T> for RotaryPositions {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        self.from(x, 0)
    }
}
