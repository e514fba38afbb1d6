//! Random numbers: each element has a stream of its own.
//!
//! A call takes a key from the generator of the program. Element i reads the words of stream i of this key, as many
//! as it needs. So it depends on the generator, on i and on its own parameters alone: not on the other elements, on
//! the shape, or on the number of threads.

use crate::quantity::Quantity;
use rand::Rng;
use rand_distr::Distribution as _;
use rayon::prelude::*;
use wengert_tensor::{Element, Float, Philox, Shape, Sizes, Tensor, num_threads, shapes};

/// Number of elements below which a call stays on its thread.
const PARALLEL: usize = 1 << 12;

/// Returns `n` results of `f`, which gets the position and the generator of the element.
pub fn each<R: Copy + Default + Send>(
    n: usize,
    key: u64,
    f: &(dyn Fn(usize, &mut Philox) -> R + Sync),
) -> Vec<R> {
    let mut out = vec![R::default(); n];
    let fill = |start: usize, part: &mut [R]| {
        for (i, to) in part.iter_mut().enumerate() {
            let i = start + i;
            *to = f(i, &mut Philox::with_stream(key, i as u64));
        }
    };
    if n < PARALLEL {
        fill(0, &mut out);
        return out;
    }
    let size = n.div_ceil(num_threads());
    out.par_chunks_mut(size).enumerate().for_each(|(i, part)| fill(i * size, part));
    out
}

/// Returns a tensor of numbers that `f` draws in `f64`.
pub fn tensor<T: Float>(
    shape: &Shape,
    key: u64,
    f: &(dyn Fn(usize, &mut Philox) -> f64 + Sync),
) -> Tensor<T> {
    let numbers = each(shape.numel(), key, f);
    Tensor::from_vec(numbers.into_iter().map(T::of).collect(), shape)
}

/// Returns the elements of a parameter for each element of a result of this shape.
pub fn for_each<P: Quantity>(parameter: &P, shape: &Shape) -> Vec<f64> {
    parameter.numbers().broadcast_to(shape).to_vec().into_iter().map(Element::to).collect()
}

/// Returns the shape of draws: the requested axes, followed by those of the parameters.
#[track_caller]
pub fn shape_of_draws<P: Quantity>(of: &str, shape: &impl Sizes, parameter: &P) -> Shape {
    let shape = shape.shape_for(of).and_then(|lead| {
        let sizes: Vec<usize> = lead.iter().chain(parameter.sizes().iter()).copied().collect();
        shapes::shape_of(of, &sizes)
    });
    match shape {
        Ok(shape) => shape,
        Err(why) => parameter.refuse(why),
    }
}

/// Numbers without parameters, from which a distribution of a location and a scale is made.
#[derive(Clone, Copy)]
pub enum Noise {
    /// Uniform on [0, 1).
    Uniform,
    /// The standard normal distribution.
    Normal,
    /// The exponential distribution of rate 1.
    Exponential,
    /// The Laplace distribution of scale 1.
    Laplace,
    /// The Gumbel distribution of scale 1.
    Gumbel,
}

impl Noise {
    pub fn tensor<T: Float>(self, shape: &Shape, key: u64) -> Tensor<T> {
        match self {
            Noise::Uniform => Tensor::uniform_of(shape, 0.0, 1.0, &mut Philox::new(key)),
            Noise::Normal => Tensor::normal_of(shape, 0.0, 1.0, &mut Philox::new(key)),
            Noise::Exponential => tensor(shape, key, &|_, rng| exponential(rng)),
            Noise::Laplace => tensor(shape, key, &|_, rng| {
                let sign = if rng.next_u32() & 1 == 0 { 1.0 } else { -1.0 };
                sign * exponential(rng)
            }),
            Noise::Gumbel => tensor(shape, key, &|_, rng| -exponential(rng).ln()),
        }
    }
}

/// Returns a number of (0, 1): an odd multiple of 2⁻⁵⁴.
pub fn open_unit(rng: &mut Philox) -> f64 {
    ((rng.next_u64() >> 11) as f64 + 0.5) * 2f64.powi(-53)
}

/// Returns a number of [0, 1): a multiple of 2⁻⁵³.
pub fn unit(rng: &mut Philox) -> f64 {
    (rng.next_u64() >> 11) as f64 * 2f64.powi(-53)
}

pub fn exponential(rng: &mut Philox) -> f64 {
    -open_unit(rng).ln()
}

/// Returns a number of the gamma distribution of rate 1, and its logarithm. G. Marsaglia, W. W. Tsang, "A simple
/// method for generating gamma variables", 2000. Below α = 1 it is the number of α + 1 times u^(1/α), which may be
/// too small for `f64`; its logarithm is not.
pub fn gamma(concentration: f64, rng: &mut Philox) -> [f64; 2] {
    if concentration.is_nan() || concentration <= 0.0 {
        return [f64::NAN; 2];
    }
    if concentration < 1.0 {
        let [_, above] = gamma(concentration + 1.0, rng);
        let log = above + open_unit(rng).ln() / concentration;
        return [log.exp(), log];
    }
    let d = concentration - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x: f64 = rand_distr::StandardNormal.sample(rng);
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && open_unit(rng).ln() < 0.5 * x * x + d * (1.0 - v + v.ln()) {
            let z = d * v;
            return [z, z.ln()];
        }
    }
}

/// Returns a number of the Poisson distribution, or `None` if the rate is above 10¹⁹.
pub fn poisson(rate: f64, rng: &mut Philox) -> Option<f64> {
    if rate == 0.0 {
        return Some(0.0);
    }
    Some(rand_distr::Poisson::new(rate).ok()?.sample(rng))
}

/// Returns a number of the binomial distribution.
pub fn binomial(count: f64, probability: f64, rng: &mut Philox) -> f64 {
    match rand_distr::Binomial::new(count as u64, probability) {
        Ok(binomial) => binomial.sample(rng) as f64,
        Err(_) => f64::NAN,
    }
}

/// Returns the number of failures before the first success, from ln(1 - p).
pub fn geometric(log_of_failure: f64, rng: &mut Philox) -> f64 {
    (open_unit(rng).ln() / log_of_failure).floor()
}
