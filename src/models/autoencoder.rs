//! A convolutional autoencoder.

use super::check_images::check_images;
use crate::prelude::*;
use rand::Rng;

/// A convolutional autoencoder of 28×28 images: \[N, 1, 28, 28\] → \[N, 1, 28, 28\] logits of the
/// pixels.
///
/// Two convolutions with stride 2 and a linear layer encode the image. A linear layer and two
/// transposed convolutions decode it. The sigmoid of the logits is the image.
///
/// ```
/// use wengert::models::Autoencoder;
/// use wengert::prelude::*;
/// let model = Autoencoder::new(16, &mut Philox::new(0));
/// assert_eq!(model.parameter_count(), 65_025);
/// let digits = Tensor::zeros(&[2, 1, 28, 28]);
/// assert_eq!(model.predict(&digits).shape(), [2, 1, 28, 28]);
/// let tape = Tape::inference();
/// assert_eq!(model.code(tape.constant(digits)).shape(), [2, 16]);
/// ```
#[derive(Debug, Clone, Module)]
#[module(crate = "wengert_autograd")]
pub struct Autoencoder<T: Float = f32> {
    /// The first convolution: 28×28 → 14×14.
    pub conv1: Conv2d<T>,
    /// The second convolution: 14×14 → 7×7.
    pub conv2: Conv2d<T>,
    /// The linear layer to the code.
    pub encode: Linear<T>,
    /// The linear layer from the code.
    pub decode: Linear<T>,
    /// The first transposed convolution: 7×7 → 14×14.
    pub deconv1: ConvTranspose2d<T>,
    /// The second transposed convolution: 14×14 → 28×28.
    pub deconv2: ConvTranspose2d<T>,
}

impl Autoencoder {
    /// Creates an autoencoder of `f32` with a code of `code` numbers.
    pub fn new(code: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::of(code, rng)
    }
}

impl<T: Float> Autoencoder<T> {
    /// Creates a model of any element type, as [`Autoencoder::new`] does for `f32`:
    /// `Autoencoder::<f64>::of(…)`.
    pub fn of(code: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        Autoencoder {
            conv1: Conv2d::of(1, 16, 3, rng).stride(2).padding(1),
            conv2: Conv2d::of(16, 32, 3, rng).stride(2).padding(1),
            encode: Linear::of(32 * 7 * 7, code, rng),
            decode: Linear::of(code, 32 * 7 * 7, rng),
            deconv1: ConvTranspose2d::of(32, 16, 4, rng).stride(2).padding(1),
            deconv2: ConvTranspose2d::of(16, 1, 4, rng).stride(2).padding(1),
        }
    }

    /// Returns the codes of images: \[N, 1, 28, 28\] → \[N, code\].
    ///
    /// # Panics
    /// If the images do not have the shape \[N, 1, 28, 28\].
    #[track_caller]
    pub fn code<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        check_images("Autoencoder", x, 1, Some(28));
        x.tape().enter(self, || {
            let x = self.conv1.forward(x).relu();
            let x = self.conv2.forward(x).relu();
            self.encode.forward(x.flatten(1, -1))
        })
    }

    /// Returns the logits of the pixels of the images with these codes: \[N, code\] → \[N, 1, 28,
    /// 28\].
    pub fn image<'t>(&self, code: Var<'t, T>) -> Var<'t, T> {
        code.tape().enter(self, || {
            let x = self.decode.forward(code).relu().reshape(&[-1, 32, 7, 7]);
            let x = self.deconv1.forward(x).relu();
            self.deconv2.forward(x)
        })
    }
}

impl<T: Float> Layer<T> for Autoencoder<T> {
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        self.image(self.code(x))
    }
}
