//! LeNet-5 as published.

use crate::models::{Rbf, ScaledTanh, Subsampling, TableConv2d, check_images};
use crate::prelude::*;
use rand::Rng;
use wengert_nn::init;

/// LeNet-5 (LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document
/// Recognition", Proc. IEEE 86(11), 1998, section II.B): \[N, 1, 32, 32\] → \[N, 10\] scores.
///
/// | layer | maps | size | parameters |
/// |---|---|---|---|
/// | C1: 5×5 convolution | 6 | 28×28 | 156 |
/// | S2: trainable sub-sampling | 6 | 14×14 | 12 |
/// | C3: 5×5 convolution, each map reads some of S2's ([`LeNet5::C3`]) | 16 | 10×10 | 1,516 |
/// | S4: trainable sub-sampling | 16 | 5×5 | 32 |
/// | C5: 5×5 convolution | 120 | 1×1 | 48,120 |
/// | F6: linear | 84 | | 10,164 |
/// | radial units with fixed centres: 7×12 bitmaps of the digits | 10 | | 0 |
///
/// Every layer but the last is squashed by 1.7159 tanh(2a/3). The score of a class is minus the
/// squared distance of F6 from its bitmap, so that the best is the greatest; [`map_loss`] is the
/// paper's criterion. Pixels are expected as there: -0.1 the background, 1.175 the ink.
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
pub struct LeNet5 {
    /// 1 → 6 maps.
    pub c1: Conv2d,
    /// 28×28 → 14×14.
    pub s2: Subsampling,
    /// 6 → 16 maps.
    pub c3: TableConv2d,
    /// 10×10 → 5×5.
    pub s4: Subsampling,
    /// 16 → 120 maps.
    pub c5: Conv2d,
    /// 120 → 84.
    pub f6: Linear,
    /// Squared distances from the bitmaps.
    pub output: Rbf,
}

/// The digits as they are printed: 7×12 pixels each, side by side, after figure 3 of the paper.
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
    /// Which maps of S2 each map of C3 reads: table I of the paper.
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

    /// A network with weights uniform in ±2.4/F, where F counts the inputs of a unit and its bias;
    /// biases are 0. The sub-sampling has initial values of its own, see [`Subsampling::new`].
    pub fn new(rng: &mut (impl Rng + ?Sized)) -> Self {
        let mut c1 = Conv2d::new(1, 6, 5, rng);
        let s2 = Subsampling::new(6, rng);
        let c3 = TableConv2d::new(6, &Self::C3.map(<[usize]>::to_vec), 5, rng);
        let s4 = Subsampling::new(16, rng);
        let mut c5 = Conv2d::new(16, 120, 5, rng);
        let mut f6 = Linear::new(120, 84, rng);
        for (weight, bias, inputs) in [
            (&mut c1.weight, &mut c1.bias, 25),
            (&mut c5.weight, &mut c5.bias, 16 * 25),
            (&mut f6.weight, &mut f6.bias, 120),
        ] {
            let bound = 2.4 / f64::from(inputs + 1);
            init::uniform(weight, -bound, bound, rng);
            bias.iter_mut().for_each(init::zeros);
        }
        LeNet5 { c1, s2, c3, s4, c5, f6, output: Rbf::from_centres(Self::bitmaps()).fixed() }
    }

    /// The centres of the radial units: \[10, 84\], 1 for ink and -1 for paper.
    pub fn bitmaps() -> Tensor {
        let ink = |(row, digit, column): (usize, usize, usize)| {
            if BITMAPS[row].as_bytes()[8 * digit + column] == b'#' { 1.0 } else { -1.0 }
        };
        Tensor::from_fn(&[10, 84], |i| ink((i % 84 / 7, i / 84, i % 7)))
    }
}

impl Layer for LeNet5 {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        check_images("LeNet5", x, 1, Some(32));
        let squash = |x: Var<'t>| ScaledTanh.call(x); // a function here, without a scope
        let x = squash(self.c1.forward(x));
        let x = squash(self.s2.forward(x));
        let x = squash(self.c3.forward(x));
        let x = squash(self.s4.forward(x));
        let x = squash(self.c5.forward(x));
        let x = squash(self.f6.forward(x.flatten(1, -1)));
        -self.output.forward(x)
    }
}

/// The criterion of LeNet-5, "maximum a posteriori" (equation 9 of the paper), as a mean over the
/// images: y + ln(e⁻ʲ + Σᵢ e⁻ʸⁱ), where yᵢ are the penalties (minus the scores), y that of the right
/// class, and e⁻ʲ, with j = 0.1, stands for all that is no digit: it keeps classes from being pushed
/// away that are far enough. Scores \[N, classes\], classes \[N\].
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
pub fn map_loss<'t>(scores: Var<'t>, classes: &Tensor<i64>) -> Var<'t> {
    const J: f64 = 0.1;
    let n = scores.shape()[0];
    let none = scores.tape().constant(Tensor::full(&[n, 1], -J));
    let all = Var::concat(&[none, scores], 1).logsumexp(&[1], true);
    let right = scores.gather(1, classes.unsqueeze(1));
    (all - right).mean_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_those_of_the_paper() {
        let model = LeNet5::new(&mut Philox::new(0));
        let count = |module: &dyn Module| module.trainable_count();
        assert_eq!(
            [count(&model.c1), count(&model.s2), count(&model.c3), count(&model.s4)],
            [156, 12, 1_516, 32]
        );
        assert_eq!([count(&model.c5), count(&model.f6), count(&model.output)], [48_120, 10_164, 0]);
    }

    #[test]
    fn every_bitmap_is_like_no_other() {
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
