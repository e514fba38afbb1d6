//! Well-known models.
//!
//! | model | description |
//! |---|---|
//! | [`LeNet`] | the modern form of LeNet-5: ReLU, max-pooling, cross-entropy |
//! | [`LeNet5`] | LeNet-5 as published in 1998: trainable sub-sampling, sparse C3, radial output units |
//! | [`ZipcodeNet`] | the network of 1989 for reading zip codes |
//! | [`Cnn`] | two convolutions, dropout, two linear layers: PyTorch's MNIST example |
//! | [`ResNet`] | residual networks for small images: [`ResNet::resnet20`] |
//! | [`Vgg`] | stacks of 3×3 convolutions |
//! | [`InceptionNet`] | a small classifier of Inception blocks |
//! | [`Autoencoder`] | a convolutional autoencoder with a short code |
//!
//! Their blocks:
//!
//! | block | description |
//! |---|---|
//! | [`BasicBlock`] | two 3×3 convolutions and a shortcut, in `ResNet` |
//! | [`Inception`] | parallel branches with different kernel sizes, in `InceptionNet` |
//! | [`ConvUnit`] | a convolution, batch normalisation and ReLU, in `Inception` |
//!
//! These layers and this loss are used only by the networks of 1989 and 1998:
//!
//! | item | description |
//! |---|---|
//! | [`TableConv2d`] | a convolution in which each output map reads some of the input maps |
//! | [`Subsampling`] | sums over 2×2 windows, with a trained coefficient and bias |
//! | [`Rbf`] | squared distances to trained or fixed centres |
//! | [`ScaledTanh`] | 1.7159 tanh(2x/3) |
//! | [`map_loss`] | the loss of `LeNet5`: the distance to the right class, with a penalty for the distances to the others |
//!
//! Each model is a struct of layers with a `call` method. The method uses ordinary Rust code for branches
//! and shortcuts.

mod autoencoder;
mod check_images;
mod cnn;
mod historic;
mod inception;
mod lenet;
mod resnet;
mod vgg;

pub use autoencoder::Autoencoder;
pub use cnn::Cnn;
pub use historic::{LeNet5, Rbf, ScaledTanh, Subsampling, TableConv2d, ZipcodeNet, map_loss};
pub use inception::{ConvUnit, Inception, InceptionNet};
pub use lenet::LeNet;
pub use resnet::{BasicBlock, ResNet};
pub use vgg::Vgg;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::state_dict;
    use crate::prelude::*;

    fn refusal(model: &dyn Layer, input: &[usize]) -> String {
        model.summary(input).unwrap_err().to_string()
    }

    /// Checks sizes at which a stride or a pooling would drop a row or column, or would read
    /// padding instead.
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
    fn zipcode_net_panics_on_images_of_another_size() {
        ZipcodeNet::new(&mut Philox::new(0)).predict(&Tensor::zeros(&[2, 1, 15, 15]));
    }

    #[test]
    #[should_panic(
        expected = "ResNet: widths must contain the number of maps of at least one stage"
    )]
    fn a_resnet_without_stages_panics() {
        let _ = ResNet::new(3, 10, 2, &[], &mut Philox::new(0));
    }

    #[test]
    #[should_panic(expected = "Vgg: widths must contain the number of maps of at least one stage")]
    fn a_vgg_without_stages_panics() {
        let _ = Vgg::new(3, 10, &[], &mut Philox::new(0));
    }

    /// Trains on one batch, and checks that one step changes every parameter and buffer, and that
    /// ten steps lower the loss.
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
