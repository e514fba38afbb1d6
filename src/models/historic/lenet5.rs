//! LeNet-5 as published in 1998.

use super::rbf::Rbf;
use super::scaled_tanh::ScaledTanh;
use super::subsampling::Subsampling;
use super::table_conv::TableConv2d;
use crate::models::check_images::check_images;
use crate::prelude::*;
use rand::Rng;
use wengert_nn::init;

/// LeNet-5 as published in 1998: \[N, 1, 32, 32\] → \[N, 10\] scores. (LeCun, Bottou, Bengio,
/// Haffner, "Gradient-Based Learning Applied to Document Recognition", Proc. IEEE 86(11), 1998,
/// section II.B.)
///
/// | layer | maps | size | parameters |
/// |---|---|---|---|
/// | C1: 5×5 convolution | 6 | 28×28 | 156 |
/// | S2: trainable sub-sampling | 6 | 14×14 | 12 |
/// | C3: 5×5 convolution, each map reads some maps of S2 ([`LeNet5::C3`]) | 16 | 10×10 | 1,516 |
/// | S4: trainable sub-sampling | 16 | 5×5 | 32 |
/// | C5: 5×5 convolution | 120 | 1×1 | 48,120 |
/// | F6: linear | 84 | | 10,164 |
/// | radial units with fixed centres: 7×12 bitmaps of the digits | 10 | | 0 |
///
/// The function 1.7159 tanh(2a/3) follows every layer but the last. The score of a class is the
/// negative squared distance between the output of F6 and the bitmap of the class, so the best
/// class has the largest score. [`map_loss`] is the criterion of the paper. Pixels are expected as
/// in the paper: -0.1 for the background, 1.175 for the ink.
///
/// ```
/// use wengert::models::LeNet5;
/// use wengert::prelude::*;
/// let model = LeNet5::new(&mut Philox::new(0));
/// assert_eq!(model.trainable_count(), 156 + 12 + 1_516 + 32 + 48_120 + 10_164);
/// assert_eq!(model.predict(&Tensor::zeros(&[2, 1, 32, 32])).shape(), [2, 10]);
/// ```
#[derive(Debug, Clone, Module)]
#[module(crate = "wengert_autograd")]
pub struct LeNet5<T: Float = f32> {
    /// C1, from 1 to 6 maps.
    pub c1: Conv2d<T>,
    /// S2, from 28×28 to 14×14.
    pub s2: Subsampling<T>,
    /// C3, from 6 to 16 maps.
    pub c3: TableConv2d<T>,
    /// S4, from 10×10 to 5×5.
    pub s4: Subsampling<T>,
    /// C5, from 16 to 120 maps.
    pub c5: Conv2d<T>,
    /// F6, from 120 to 84 units.
    pub f6: Linear<T>,
    /// The output layer: squared distances to the bitmaps.
    pub output: Rbf<T>,
}

/// The printed digits, 7×12 pixels each, side by side, after figure 3 of the paper.
const BITMAPS: [&str; 12] = [
    "....... ....... ....... ####### ....... ....... ..####. ####### .#####. .#####.",
    "....... ...##.. ....... .....## ....... ....... .##.... .....## ##...## ##...##",
    "..###.. ..###.. .#####. ....##. ....... ####### ##..... .....## ##...## ##...##",
    ".##.##. .####.. ##...## ...##.. .##..## ##..... ##..... ....##. ##...## ##...##",
    "##...## ...##.. #....## ..####. .##..## ##..... ######. ...##.. .#####. ##..###",
    "##...## ...##.. ....##. .....## ###..## .####.. ###..## ...##.. ##...## .######",
    "##...## ...##.. ..###.. .....## ##...## ..####. ##...## ..##... ##...## .....##",
    "##...## ...##.. .##.... .....## ##...## .....## ##...## ..##... ##...## .....##",
    ".##.##. ...##.. ##..... ##...## ##..### ##...## ###..## ..##... ##...## ....##.",
    "..###.. .###### ####### .#####. .###### .#####. .#####. ..##... .#####. .####..",
    "....... ....... ....... ....... .....## ....... ....... ....... ....... .......",
    "....... ....... ....... ....... .....## ....... ....... ....... ....... .......",
];

impl LeNet5 {
    /// The maps of S2 that each map of C3 reads: table I of the paper.
    pub const C3: [&[usize]; 16] = [
        &[0, 1, 2],
        &[1, 2, 3],
        &[2, 3, 4],
        &[3, 4, 5],
        &[0, 4, 5],
        &[0, 1, 5],
        &[0, 1, 2, 3],
        &[1, 2, 3, 4],
        &[2, 3, 4, 5],
        &[0, 3, 4, 5],
        &[0, 1, 4, 5],
        &[0, 1, 2, 5],
        &[0, 1, 3, 4],
        &[1, 2, 4, 5],
        &[0, 2, 3, 5],
        &[0, 1, 2, 3, 4, 5],
    ];

    /// Creates a network of `f32` with weights drawn uniformly from ±2.4/F, where F is the number of
    /// inputs of a unit, its bias included. The biases are 0. The sub-sampling layers have other
    /// initial values, see [`Subsampling::new`].
    pub fn new(rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::of(rng)
    }

    /// Returns the centres of the radial units: \[10, 84\], with 1 for ink and -1 for paper.
    pub fn bitmaps() -> Tensor {
        bitmaps_of()
    }
}

/// Returns the bitmaps of [`LeNet5::bitmaps`] in any element type.
fn bitmaps_of<T: Float>() -> Tensor<T> {
    let ink = |(row, digit, column): (usize, usize, usize)| {
        T::of(if BITMAPS[row].as_bytes()[8 * digit + column] == b'#' { 1.0 } else { -1.0 })
    };
    Tensor::from_fn(&[10, 84], |i| ink((i % 84 / 7, i / 84, i % 7)))
}

impl<T: Float> LeNet5<T> {
    /// Creates a network of any element type, as [`LeNet5::new`] does for `f32`:
    /// `LeNet5::<f64>::of(…)`.
    pub fn of(rng: &mut (impl Rng + ?Sized)) -> Self {
        let mut c1 = Conv2d::of(1, 6, 5, rng);
        let s2 = Subsampling::of(6, rng);
        let c3 = TableConv2d::of(6, &LeNet5::<f32>::C3.map(<[usize]>::to_vec), 5, rng);
        let s4 = Subsampling::of(16, rng);
        let mut c5 = Conv2d::of(16, 120, 5, rng);
        let mut f6 = Linear::of(120, 84, rng);
        for (weight, bias, inputs) in [
            (&mut c1.weight, &mut c1.bias, 25),
            (&mut c5.weight, &mut c5.bias, 16 * 25),
            (&mut f6.weight, &mut f6.bias, 120),
        ] {
            let bound = 2.4 / f64::from(inputs + 1);
            init::uniform(weight, -bound, bound, rng);
            bias.iter_mut().for_each(init::zeros);
        }
        LeNet5 { c1, s2, c3, s4, c5, f6, output: Rbf::from_centres(bitmaps_of()).fixed() }
    }
}

impl<T: Float> Layer<T> for LeNet5<T> {
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        check_images("LeNet5", x, 1, Some(32));
        let squash = |x: Var<'t, T>| ScaledTanh.call(x); // `call` opens no scope
        let x = squash(self.c1.forward(x));
        let x = squash(self.s2.forward(x));
        let x = squash(self.c3.forward(x));
        let x = squash(self.s4.forward(x));
        let x = squash(self.c5.forward(x));
        let x = squash(self.f6.forward(x.flatten(1, -1)));
        -self.output.forward(x)
    }
}

/// Computes the "maximum a posteriori" criterion of LeNet-5 (equation 9 of the paper), as a mean
/// over the images: y + ln(e⁻ʲ + Σᵢ e⁻ʸⁱ).
///
/// yᵢ are the penalties (the negative scores), and y is the penalty of the true class. The term
/// e⁻ʲ, with j = 0.1, stands for inputs that are not digits; with this term, the loss no longer
/// pushes away classes that are already far. The scores are \[N, classes\], the classes \[N\].
///
/// ```
/// use wengert::models::map_loss;
/// use wengert::prelude::*;
/// let tape = Tape::new();
/// let scores = tape.constant(Tensor::from([[0.0f32, -50.0]]));
/// let loss = map_loss(scores, &Tensor::from([0i64])).item();
/// assert!((loss - (1.0 + (-0.1f64).exp()).ln()).abs() < 1e-6);
/// ```
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn map_loss<'t, T: Float>(scores: Var<'t, T>, classes: &Tensor<i64>) -> Var<'t, T> {
    const J: f64 = 0.1;
    let n = scores.shape()[0];
    let none = scores.tape().constant(Tensor::full_of(&[n, 1], T::of(-J)));
    let all = Var::concat(&[none, scores], 1).logsumexp(&[1], true);
    let right = scores.gather(1, classes.unsqueeze(1));
    (all - right).mean_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_parameters_is_that_of_the_paper() {
        let model = LeNet5::new(&mut Philox::new(0));
        let count = |module: &dyn Module| module.trainable_count();
        assert_eq!(
            [count(&model.c1), count(&model.s2), count(&model.c3), count(&model.s4)],
            [156, 12, 1_516, 32]
        );
        assert_eq!([count(&model.c5), count(&model.f6), count(&model.output)], [48_120, 10_164, 0]);
    }

    #[test]
    fn all_bitmaps_differ() {
        let bitmaps = LeNet5::bitmaps();
        for (i, row) in BITMAPS.iter().enumerate() {
            assert_eq!(row.len(), 79, "row {i}");
        }
        for a in 0..10 {
            for b in 0..a {
                let d = bitmaps.narrow(0, a, 1) - bitmaps.narrow(0, b, 1);
                assert!((&d * &d).sum_all() > 40.0, "{a} {b}");
            }
        }
    }
}
