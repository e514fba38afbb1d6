//! Tests the summary of every model: the path, type, output shape and parameter count of each layer.

use wengert::models::*;
use wengert::prelude::*;

#[track_caller]
fn check(model: &dyn Layer, input: &[usize], expected: &str) {
    let or_dot = |text: &str| if text.is_empty() { "·".into() } else { text.to_string() };
    let summary = model.summary(input).unwrap();
    let lines = summary.layers.iter().map(|layer| {
        let output = layer.output.expect("every layer ran");
        format!("{} {} {output} {}", or_dot(&layer.path), or_dot(&layer.kind), layer.parameters)
    });
    let expected: Vec<_> = expected.lines().collect();
    assert_eq!(lines.collect::<Vec<_>>(), expected);
    // The parameter counts of the lines add up to that of the model.
    let counted: usize = summary.layers.iter().map(|layer| layer.parameters).sum();
    assert_eq!(counted, model.parameter_count());
}

#[test]
fn the_summary_of_lenet_lists_its_layers() {
    let r = &mut Philox::new(0);
    let model = LeNet::new(r);
    let expected = "\
conv1 Conv2d [2, 6, 28, 28] 156
conv2 Conv2d [2, 16, 10, 10] 2416
fc1 Linear [2, 120] 48120
fc2 Linear [2, 84] 10164
fc3 Linear [2, 10] 850";
    check(&model, &[2, 1, 28, 28], expected);
}

#[test]
fn the_summary_of_lenet5_lists_its_layers() {
    let r = &mut Philox::new(0);
    let model = LeNet5::new(r);
    let expected = "\
c1 Conv2d [2, 6, 28, 28] 156
s2 Subsampling [2, 6, 14, 14] 12
c3 TableConv2d [2, 16, 10, 10] 1516
s4 Subsampling [2, 16, 5, 5] 32
c5 Conv2d [2, 120, 1, 1] 48120
f6 Linear [2, 84] 10164
output Rbf [2, 10] 840";
    check(&model, &[2, 1, 32, 32], expected);
}

#[test]
fn the_summary_of_zipcode_net_lists_its_layers() {
    let r = &mut Philox::new(0);
    let model = ZipcodeNet::new(r);
    let expected = "\
h1 TableConv2d [2, 12, 8, 8] 300
h2 TableConv2d [2, 12, 4, 4] 2400
h3 Linear [2, 30] 5790
output Linear [2, 10] 310
· ZipcodeNet [2, 10] 960";
    check(&model, &[2, 1, 16, 16], expected);
}

#[test]
fn the_summary_of_cnn_lists_its_layers() {
    let r = &mut Philox::new(0);
    let model = Cnn::new(r);
    let expected = "\
conv1 Conv2d [2, 32, 26, 26] 320
conv2 Conv2d [2, 64, 24, 24] 18496
Dropout Dropout [2, 64, 12, 12] 0
fc1 Linear [2, 128] 1179776
Dropout_2 Dropout [2, 128] 0
fc2 Linear [2, 10] 1290";
    check(&model, &[2, 1, 28, 28], expected);
}

#[test]
fn the_summary_of_vgg_lists_its_layers() {
    let r = &mut Philox::new(0);
    let model = Vgg::new(3, 10, &[16, 32], r);
    let expected = "\
stages.0.0 · [2, 16, 16, 16] 0
stages.0.0.0 Conv2d [2, 16, 16, 16] 432
stages.0.0.1 BatchNorm2d [2, 16, 16, 16] 32
stages.0.1 · [2, 16, 16, 16] 0
stages.0.1.0 Conv2d [2, 16, 16, 16] 2304
stages.0.1.1 BatchNorm2d [2, 16, 16, 16] 32
stages.1.0 · [2, 32, 8, 8] 0
stages.1.0.0 Conv2d [2, 32, 8, 8] 4608
stages.1.0.1 BatchNorm2d [2, 32, 8, 8] 64
stages.1.1 · [2, 32, 8, 8] 0
stages.1.1.0 Conv2d [2, 32, 8, 8] 9216
stages.1.1.1 BatchNorm2d [2, 32, 8, 8] 64
Dropout Dropout [2, 32] 0
fc Linear [2, 10] 330";
    check(&model, &[2, 3, 16, 16], expected);
}

#[test]
fn the_summary_of_resnet_lists_its_layers() {
    let r = &mut Philox::new(0);
    let model = ResNet::new(3, 10, 2, &[4, 8], r);
    let expected = "\
conv1 Conv2d [2, 4, 16, 16] 108
bn1 BatchNorm2d [2, 4, 16, 16] 8
stages.0.0 BasicBlock [2, 4, 16, 16] 0
stages.0.0.conv1 Conv2d [2, 4, 16, 16] 144
stages.0.0.bn1 BatchNorm2d [2, 4, 16, 16] 8
stages.0.0.conv2 Conv2d [2, 4, 16, 16] 144
stages.0.0.bn2 BatchNorm2d [2, 4, 16, 16] 8
stages.0.1 BasicBlock [2, 4, 16, 16] 0
stages.0.1.conv1 Conv2d [2, 4, 16, 16] 144
stages.0.1.bn1 BatchNorm2d [2, 4, 16, 16] 8
stages.0.1.conv2 Conv2d [2, 4, 16, 16] 144
stages.0.1.bn2 BatchNorm2d [2, 4, 16, 16] 8
stages.1.0 BasicBlock [2, 8, 8, 8] 0
stages.1.0.conv1 Conv2d [2, 8, 8, 8] 288
stages.1.0.bn1 BatchNorm2d [2, 8, 8, 8] 16
stages.1.0.conv2 Conv2d [2, 8, 8, 8] 576
stages.1.0.bn2 BatchNorm2d [2, 8, 8, 8] 16
stages.1.0.shortcut · [2, 8, 8, 8] 0
stages.1.0.shortcut.0 Conv2d [2, 8, 8, 8] 32
stages.1.0.shortcut.1 BatchNorm2d [2, 8, 8, 8] 16
stages.1.1 BasicBlock [2, 8, 8, 8] 0
stages.1.1.conv1 Conv2d [2, 8, 8, 8] 576
stages.1.1.bn1 BatchNorm2d [2, 8, 8, 8] 16
stages.1.1.conv2 Conv2d [2, 8, 8, 8] 576
stages.1.1.bn2 BatchNorm2d [2, 8, 8, 8] 16
fc Linear [2, 10] 90";
    check(&model, &[2, 3, 16, 16], expected);
}

#[test]
fn the_summary_of_inception_net_lists_its_layers() {
    let r = &mut Philox::new(0);
    let model = InceptionNet::new(1, 10, r);
    let expected = "\
stem ConvUnit [2, 16, 28, 28] 0
stem.conv Conv2d [2, 16, 28, 28] 144
stem.bn BatchNorm2d [2, 16, 28, 28] 32
blocks.0 Inception [2, 48, 28, 28] 0
blocks.0.one ConvUnit [2, 12, 28, 28] 0
blocks.0.one.conv Conv2d [2, 12, 28, 28] 192
blocks.0.one.bn BatchNorm2d [2, 12, 28, 28] 24
blocks.0.three.0 ConvUnit [2, 6, 28, 28] 0
blocks.0.three.0.conv Conv2d [2, 6, 28, 28] 96
blocks.0.three.0.bn BatchNorm2d [2, 6, 28, 28] 12
blocks.0.three.1 ConvUnit [2, 12, 28, 28] 0
blocks.0.three.1.conv Conv2d [2, 12, 28, 28] 648
blocks.0.three.1.bn BatchNorm2d [2, 12, 28, 28] 24
blocks.0.five.0 ConvUnit [2, 6, 28, 28] 0
blocks.0.five.0.conv Conv2d [2, 6, 28, 28] 96
blocks.0.five.0.bn BatchNorm2d [2, 6, 28, 28] 12
blocks.0.five.1 ConvUnit [2, 12, 28, 28] 0
blocks.0.five.1.conv Conv2d [2, 12, 28, 28] 1800
blocks.0.five.1.bn BatchNorm2d [2, 12, 28, 28] 24
blocks.0.pool ConvUnit [2, 12, 28, 28] 0
blocks.0.pool.conv Conv2d [2, 12, 28, 28] 192
blocks.0.pool.bn BatchNorm2d [2, 12, 28, 28] 24
blocks.1 Inception [2, 96, 14, 14] 0
blocks.1.one ConvUnit [2, 24, 14, 14] 0
blocks.1.one.conv Conv2d [2, 24, 14, 14] 1152
blocks.1.one.bn BatchNorm2d [2, 24, 14, 14] 48
blocks.1.three.0 ConvUnit [2, 12, 14, 14] 0
blocks.1.three.0.conv Conv2d [2, 12, 14, 14] 576
blocks.1.three.0.bn BatchNorm2d [2, 12, 14, 14] 24
blocks.1.three.1 ConvUnit [2, 24, 14, 14] 0
blocks.1.three.1.conv Conv2d [2, 24, 14, 14] 2592
blocks.1.three.1.bn BatchNorm2d [2, 24, 14, 14] 48
blocks.1.five.0 ConvUnit [2, 12, 14, 14] 0
blocks.1.five.0.conv Conv2d [2, 12, 14, 14] 576
blocks.1.five.0.bn BatchNorm2d [2, 12, 14, 14] 24
blocks.1.five.1 ConvUnit [2, 24, 14, 14] 0
blocks.1.five.1.conv Conv2d [2, 24, 14, 14] 7200
blocks.1.five.1.bn BatchNorm2d [2, 24, 14, 14] 48
blocks.1.pool ConvUnit [2, 24, 14, 14] 0
blocks.1.pool.conv Conv2d [2, 24, 14, 14] 1152
blocks.1.pool.bn BatchNorm2d [2, 24, 14, 14] 48
fc Linear [2, 10] 970";
    check(&model, &[2, 1, 28, 28], expected);
}

#[test]
fn the_summary_of_autoencoder_lists_its_layers() {
    let r = &mut Philox::new(0);
    let model = Autoencoder::new(16, r);
    let expected = "\
conv1 Conv2d [2, 16, 14, 14] 160
conv2 Conv2d [2, 32, 7, 7] 4640
encode Linear [2, 16] 25104
decode Linear [2, 1568] 26656
deconv1 ConvTranspose2d [2, 16, 14, 14] 8208
deconv2 ConvTranspose2d [2, 1, 28, 28] 257";
    check(&model, &[2, 1, 28, 28], expected);
}

#[test]
fn the_summary_of_a_sequential_lists_its_layers() {
    let r = &mut Philox::new(0);
    let model = {
        let inner = sequential![Linear::new(3, 3, r), Tanh];
        sequential![Flatten::new(), Linear::new(4, 3, r), Relu, inner]
    };
    let expected = "\
0 Flatten [2, 4] 0
1 Linear [2, 3] 15
2 Relu [2, 3] 0
3 Sequential [2, 3] 0
3.0 Linear [2, 3] 12
3.1 Tanh [2, 3] 0";
    check(&model, &[2, 4], expected);
}
