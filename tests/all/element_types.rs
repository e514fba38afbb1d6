//! Tests the models in `f64`: their derivatives are compared with central differences, which need more digits than
//! `f32` has.

use wengert::models::{
    Autoencoder, BasicBlock, Cnn, Inception, InceptionNet, LeNet, LeNet5, ResNet, TableConv2d, Vgg,
    ZipcodeNet, map_loss,
};
use wengert::prelude::*;

/// Compares the derivative of the squared output in a random direction of the input with a central difference.
fn check(name: &str, model: &dyn Layer<f64>, shape: &[usize]) {
    let rng = &mut Philox::new(7);
    let x = Tensor::<f64>::uniform_of(shape, -1.0, 1.0, rng);
    let direction = Tensor::<f64>::uniform_of(shape, -1.0, 1.0, rng);
    let tape = Tape::eval();
    let leaf = tape.watch(x.clone());
    let gradients = model.forward(leaf).square().mean_all().backward();
    let rules = (gradients.wrt(leaf).unwrap() * &direction).sum_all();
    // So small that hardly any unit changes its side of a kink.
    let h = 1e-6;
    let at = |h: f64| {
        let y = model.predict(&(&x + &direction * h));
        (&y * &y).mean_all()
    };
    let differences = (at(h) - at(-h)) / (2.0 * h);
    assert!(rules.abs() > 1e-9, "{name}: {rules}");
    assert!(
        (rules - differences).abs() < 1e-5 * (1e-3 + rules.abs()),
        "{name}: rules {rules}, differences {differences}"
    );
}

#[test]
fn derivatives_of_models_in_f64_agree_with_differences() {
    let rng = &mut Philox::new(3);
    check("LeNet", &LeNet::<f64>::of(rng), &[1, 1, 28, 28]);
    check("LeNet5", &LeNet5::<f64>::of(rng), &[1, 1, 32, 32]);
    check("ZipcodeNet", &ZipcodeNet::<f64>::of(rng), &[1, 1, 16, 16]);
    check("Cnn", &Cnn::<f64>::of(rng), &[1, 1, 28, 28]);
    check("ResNet", &ResNet::<f64>::of(3, 4, 1, &[4, 8], rng), &[2, 3, 8, 8]);
    check("BasicBlock", &BasicBlock::<f64>::of(3, 4, 2, rng), &[2, 3, 6, 6]);
    check("Vgg", &Vgg::<f64>::of(3, 4, &[4, 8], rng), &[2, 3, 8, 8]);
    check("Inception", &Inception::<f64>::of(3, 4, rng), &[2, 3, 6, 6]);
    check("InceptionNet", &InceptionNet::<f64>::of(3, 4, rng), &[2, 3, 8, 8]);
    check("Autoencoder", &Autoencoder::<f64>::of(4, rng), &[1, 1, 28, 28]);
    let table = [vec![0, 1], vec![2]];
    check("TableConv2d", &TableConv2d::<f64>::of(3, &table, 3, rng), &[2, 3, 6, 6]);
}

/// The criterion of LeNet-5 in `f64`, computed from its formula.
#[test]
fn the_criterion_of_lenet5_has_the_digits_of_f64() {
    let scores = [[-3.0f64, -0.5, -2.0], [-1.0, -4.0, -0.25]];
    let classes = [2usize, 0];
    let tape = Tape::<f64>::new();
    let loss = map_loss(tape.constant(Tensor::from(scores)), &Tensor::from([2i64, 0])).item();
    let each = scores.iter().zip(classes).map(|(scores, class)| {
        -scores[class] + ((-0.1f64).exp() + scores.iter().map(|s| s.exp()).sum::<f64>()).ln()
    });
    let wanted = each.sum::<f64>() / 2.0;
    assert!((loss - wanted).abs() < 1e-14, "{loss} {wanted}");
}
