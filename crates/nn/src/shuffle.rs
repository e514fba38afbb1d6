//! Layers that move elements between channels and pixels.

use crate::layer::Layer;
use wengert_autograd::Var;
use wengert_nn_derive::Module;
use wengert_tensor::Float;

/// Enlarges images by a factor r, with the elements of r² channels as the pixels of one:
/// [N, C · r², H, W] → [N, C, H · r, W · r], or without the batch axis. (Shi and others, "Real-time
/// single image and video super-resolution using an efficient sub-pixel convolutional neural network",
/// 2016.)
///
/// ```
/// use wengert::nn::{Layer, PixelShuffle};
/// use wengert::tensor::Tensor;
/// let x = Tensor::arange(0.0, 4.0, 1.0).reshape(&[1, 4, 1, 1]);
/// let y = PixelShuffle(2).predict(&x);
/// assert_eq!(y.shape(), [1, 1, 2, 2]);
/// assert_eq!(y.to_vec(), [0.0, 1.0, 2.0, 3.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Module)]
#[module(crate = "wengert_autograd")]
pub struct PixelShuffle(pub usize);

impl<T: Float> Layer<T> for PixelShuffle {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let (shape, r) = (x.shape(), self.0);
        let fits = (3..=4).contains(&shape.rank())
            && r > 0
            && shape[shape.rank() - 3].is_multiple_of(r * r);
        if !fits {
            x.tape().shape_error(format!(
                "pixel_shuffle: expected [N, C, H, W] or [C, H, W] with a multiple of {r}² channels, got {shape}"
            ))
        }
        let (n, [c, h, w]) = split(&shape);
        let c = c / (r * r);
        let y = x.reshape(&[n, c, r, r, h, w]).permute(&[0, 1, 4, 2, 5, 3]);
        y.reshape(&joined(&shape, [c, h * r, w * r]))
    }
}

/// Reduces images by a factor r, with every pixel of r × r as a channel: the inverse of
/// [`PixelShuffle`], [N, C, H · r, W · r] → [N, C · r², H, W], or without the batch axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Module)]
#[module(crate = "wengert_autograd")]
pub struct PixelUnshuffle(pub usize);

impl<T: Float> Layer<T> for PixelUnshuffle {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let (shape, r) = (x.shape(), self.0);
        let fits = (3..=4).contains(&shape.rank())
            && r > 0
            && shape[shape.rank() - 2..].iter().all(|size| size.is_multiple_of(r));
        if !fits {
            x.tape().shape_error(format!(
                "pixel_unshuffle: expected [N, C, H, W] or [C, H, W] with multiples of {r} as height and \
                 width, got {shape}"
            ))
        }
        let (n, [c, h, w]) = split(&shape);
        let (h, w) = (h / r, w / r);
        let y = x.reshape(&[n, c, h, r, w, r]).permute(&[0, 1, 3, 5, 2, 4]);
        y.reshape(&joined(&shape, [c * r * r, h, w]))
    }
}

/// Returns the size of the batch, which is 1 without a batch axis, and the last three sizes.
fn split(shape: &[usize]) -> (usize, [usize; 3]) {
    let (batch, image) = shape.split_at(shape.len() - 3);
    (batch.first().copied().unwrap_or(1), [image[0], image[1], image[2]])
}

/// Returns the shape with other last three sizes.
fn joined(shape: &[usize], image: [usize; 3]) -> Vec<usize> {
    [&shape[..shape.len() - 3], &image].concat()
}
