//! Models that are known by name, to be trained, taken apart or built upon.
//!
//! | | |
//! |---|---|
//! | [`LeNet`] | the modern form of LeNet-5: ReLU, max-pooling, cross-entropy |
//! | [`LeNet5`] | LeNet-5 as published in 1998: trainable sub-sampling, sparse C3, radial output |
//! | [`ZipcodeNet`] | the network that read zip codes in 1989 |
//! | [`Cnn`] | two convolutions, dropout, two linear layers: PyTorch's MNIST example |
//! | [`ResNet`] | residual networks for small images: [`ResNet::resnet20`] |
//! | [`Vgg`] | stacks of 3×3 convolutions |
//! | [`Inception`] | branches side by side |
//! | [`Autoencoder`] | an image through a narrow code and back |
//!
//! The layers that only the networks of 1989 and 1998 have stand beside them:
//!
//! | | |
//! |---|---|
//! | [`TableConv2d`] | a convolution whose maps read some of the maps before |
//! | [`Subsampling`] | 2×2 sums with a trained coefficient and bias |
//! | [`Rbf`] | squared distances to centres |
//! | [`ScaledTanh`] | 1.7159 tanh(2x/3) |
//!
//! Each is a struct of layers with a `call` to read: branches and shortcuts are plain Rust.

mod autoencoder;
mod cnn;
mod historic;
mod inception;
mod lenet;
mod resnet;
mod vgg;

pub use autoencoder::Autoencoder;
pub use cnn::Cnn;
pub use historic::{LeNet5, Rbf, ScaledTanh, Subsampling, TableConv2d, ZipcodeNet, map_loss};
pub use inception::{Inception, InceptionNet};
pub use lenet::LeNet;
pub use resnet::{BasicBlock, ResNet};
pub use vgg::Vgg;

use crate::prelude::*;

/// Refuses an input that is no batch of such images, before anything is computed; `None` is any
/// size. Strides and pooling drop a row that is too many without a word, so that what a model says
/// of an image of another size is about a part of it.
#[track_caller]
fn check_images<T: Float>(model: &str, x: Var<'_, T>, channels: usize, side: Option<usize>) {
    let fits = |size: usize| side.is_none_or(|side| size == side);
    let shape = x.shape();
    let mend = match *shape {
        [_, c, h, w] if c == channels && fits(h) && fits(w) => return,
        [_, c, _, _] if c == channels => " (resize, pad or crop the images first)",
        [_, h, w, c] if c == channels && fits(h) && fits(w) => {
            " (the channels stand last: move them to axis 1 with permute first)"
        }
        [c, h, w] if c == channels && fits(h) && fits(w) => {
            " (one sample becomes a batch with unsqueeze(0))"
        }
        [_, h, w] if channels == 1 && fits(h) && fits(w) => {
            " (the one channel is an axis with unsqueeze(1))"
        }
        [_, n] if side.is_some_and(|side| n == channels * side * side) => {
            " (flat samples: reshape them first)"
        }
        _ => "",
    };
    let size = side.map_or("H, W".into(), |side| format!("{side}, {side}"));
    x.tape().shape_error(format!("{model}: expected [N, {channels}, {size}], got {shape}{mend}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::state_dict;

    fn refusal(model: &dyn Layer, input: &[usize]) -> String {
        model.summary(input).unwrap_err().to_string()
    }

    /// One more row or column would be dropped by a stride or a pooling, one less be border.
    #[test]
    fn images_of_another_size_are_refused() {
        let rng = &mut Philox::new(0);
        let models: [(&str, usize, Box<dyn Layer>); 5] = [
            ("LeNet", 28, Box::new(LeNet::new(rng))),
            ("LeNet5", 32, Box::new(LeNet5::new(rng))),
            ("ZipcodeNet", 16, Box::new(ZipcodeNet::new(rng))),
            ("Cnn", 28, Box::new(Cnn::new(rng))),
            ("Autoencoder", 28, Box::new(Autoencoder::new(4, rng))),
        ];
        for (name, side, model) in models {
            model.summary(&[2, 1, side, side]).unwrap();
            for [h, w] in [
                [1, 1],
                [2, 2],
                [side, side - 1],
                [side - 1, side - 1],
                [side + 1, side],
                [side + 1, side + 1],
                [side / 2, 2 * side],
            ] {
                assert_eq!(
                    refusal(&*model, &[2, 1, h, w]),
                    format!(
                        "{name}: expected [N, 1, {side}, {side}], got [2, 1, {h}, {w}] (resize, \
                         pad or crop the images first)"
                    )
                );
            }
            for (shape, mend) in [
                (&[2, 3, side, side][..], ""),
                (&[2, side, side, 1], "permute"),
                (&[1, side, side], "unsqueeze(0)"),
                (&[2, side, side], "unsqueeze(1)"),
                (&[2, side * side], "reshape"),
                (&[], ""),
            ] {
                let text = refusal(&*model, shape);
                assert!(text.starts_with(&format!("{name}: expected [N, 1, ")), "{text}");
                assert!(text.contains(mend), "{text}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "ZipcodeNet: expected [N, 1, 16, 16], got [2, 1, 15, 15]")]
    fn images_of_another_size_panic() {
        ZipcodeNet::new(&mut Philox::new(0)).predict(&Tensor::zeros(&[2, 1, 15, 15]));
    }

    /// Trains on one batch: a step changes every parameter and buffer, some steps lower the loss.
    fn learns(mut model: impl Layer, x: &Tensor, loss: impl for<'t> Fn(Var<'t>) -> Var<'t>) {
        let rng = &mut Philox::new(1);
        let mut optimizer = Adam::new(3e-3);
        let before = state_dict(&model);
        let mut losses = vec![];
        for step in 0..10 {
            let tape = Tape::train(rng);
            let loss = loss(model.forward(tape.constant(x.clone())));
            losses.push(loss.item());
            optimizer.step(&mut model, &loss.backward());
            if step == 0 {
                let after = state_dict(&model);
                let same = before.iter().filter(|&(name, value)| after.get(name) == Some(value));
                let same: Vec<_> = same.map(|(name, _)| name).collect();
                assert!(before.iter().len() > 0 && same.is_empty(), "not trained: {same:?}");
            }
        }
        assert!(losses[9] < 0.9 * losses[0], "{losses:?}");
    }

    #[test]
    fn vgg_learns() {
        let rng = &mut Philox::new(0);
        let x = Tensor::normal(&[8, 3, 8, 8], 0.0, 1.0, rng);
        let classes = Tensor::from([0i64, 1, 2, 3, 0, 1, 2, 3]);
        learns(Vgg::new(3, 4, &[8, 16], rng), &x, |y| cross_entropy(y, &classes));
    }

    #[test]
    fn inception_learns() {
        let rng = &mut Philox::new(0);
        let x = Tensor::normal(&[8, 3, 8, 8], 0.0, 1.0, rng);
        let classes = Tensor::from([0i64, 1, 2, 3, 0, 1, 2, 3]);
        learns(InceptionNet::new(3, 4, rng), &x, |y| cross_entropy(y, &classes));
    }

    #[test]
    fn an_autoencoder_learns() {
        let rng = &mut Philox::new(0);
        let x = Tensor::uniform(&[4, 1, 28, 28], 0.0, 0.2, rng);
        learns(Autoencoder::new(4, rng), &x, |y| bce_with_logits(y, y.tape().constant(x.clone())));
    }
}
