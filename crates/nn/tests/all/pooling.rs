//! Compares pooling, padding, interpolation and windows with PyTorch: values, gradients and second derivatives.
//! Also tests that models with these layers can be checked without computing anything.

use crate::reference_file::{ReferenceFile, ramp};
use wengert_autograd::Tape;
use wengert_nn::{
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveMaxPool1d, AdaptiveMaxPool2d, AvgPool1d,
    AvgPool2d, CircularPad2d, Fold, Layer, MaxPool1d, MaxPool2d, ReflectionPad2d, ReplicationPad2d,
    Sequential, Unfold, Upsample, ZeroPad2d, sequential,
};
use wengert_tensor::Float;

type Layers<T> = Vec<Box<dyn Layer<T>>>;

macro_rules! layers {
    ($($layer:expr),+ $(,)?) => { vec![$(Box::new($layer) as Box<dyn Layer<T>>),+] };
}

/// Returns the layers in the order of the Python script.
fn tables<T: Float>() -> Vec<(&'static str, &'static str, Layers<T>)> {
    let wide = Upsample::size([5, 23]);
    let odd = Upsample::scales([1.3, 0.6]);
    let ceil = AvgPool2d::new([3, 4]).stride([2, 3]).padding([1, 2]).ceil_mode(true);
    vec![
        (
            "images",
            "max2d",
            layers![
                MaxPool2d::new(2),
                MaxPool2d::new(3).stride(2).padding(1),
                MaxPool2d::new([3, 2]).stride([2, 3]).padding([1, 0]).ceil_mode(true),
                MaxPool2d::new(2).stride(1).dilation([2, 3]),
                MaxPool2d::new([2, 4]).stride([5, 3]).padding([1, 2]).ceil_mode(true),
            ],
        ),
        (
            "images",
            "avg2d",
            layers![
                AvgPool2d::new(2),
                AvgPool2d::new(3).stride(2).padding(1),
                AvgPool2d::new(3).stride(2).padding(1).count_include_pad(false),
                ceil,
                ceil.count_include_pad(false),
            ],
        ),
        (
            "images",
            "adaptive_max2d",
            layers![AdaptiveMaxPool2d::new([3, 4]), AdaptiveMaxPool2d::new([1, 12])],
        ),
        (
            "images",
            "adaptive_avg2d",
            layers![
                AdaptiveAvgPool2d::new([3, 4]),
                AdaptiveAvgPool2d::new([9, 3]),
                AdaptiveAvgPool2d::new(1),
            ],
        ),
        (
            "images",
            "pad2d",
            layers![
                ReflectionPad2d::around([(0, 4), (3, 1)]),
                ReplicationPad2d::around([(0, 9), (3, 1)]),
                CircularPad2d::around([(0, 7), (3, 1)]),
                ZeroPad2d::around([(0, 2), (3, 1)]),
            ],
        ),
        ("images", "nearest", layers![Upsample::scale(2.0), wide, odd, Upsample::size([23, 45])]),
        (
            "images",
            "bilinear",
            layers![
                Upsample::scale(2.0).bilinear(),
                wide.bilinear(),
                odd.bilinear(),
                wide.align_corners(true),
                odd.align_corners(true),
                Upsample::size([1, 4]).align_corners(true),
            ],
        ),
        (
            "images",
            "unfold",
            layers![
                Unfold::new(2),
                Unfold::new([3, 2]).stride([2, 3]).padding([1, 2]).dilation([1, 2]),
            ],
        ),
        (
            "signals",
            "max1d",
            layers![
                MaxPool1d::new(3),
                MaxPool1d::new(4).stride(3).padding(2).ceil_mode(true).dilation(2),
            ],
        ),
        (
            "signals",
            "avg1d",
            layers![
                AvgPool1d::new(3),
                AvgPool1d::new(4).stride(3).padding(2).ceil_mode(true).count_include_pad(false),
            ],
        ),
        ("signals", "adaptive_max1d", layers![AdaptiveMaxPool1d::new(4)]),
        ("signals", "adaptive_avg1d", layers![AdaptiveAvgPool1d::new(4)]),
        (
            "columns",
            "fold",
            layers![Fold::new([4, 5], 2), Fold::new([6, 9], [3, 2]).stride([2, 3]).padding([1, 2]),],
        ),
    ]
}

fn compare<T: Float>(file: &ReferenceFile) {
    for (input, family, layers) in tables::<T>() {
        for (i, layer) in layers.iter().enumerate() {
            let case = format!("{family}/{i}");
            let tape = Tape::<T>::new();
            let x = tape.watch(file.get(input));
            let y = layer.forward(x);
            file.compare(&case, "value", &y.value());
            let weights = tape.constant(ramp(&y.shape()));
            file.compare(&case, "grad", &(y * weights).sum_all().grad_or_zero(&[x])[0].value());
            let slope = (y.sin() * weights).sum_all().grad_or_zero(&[x])[0];
            let along = (slope * tape.constant(ramp(&x.shape()))).sum_all();
            file.compare(&case, "second", &along.grad_or_zero(&[x])[0].value());
        }
    }
}

#[test]
fn pools_agree_with_pytorch() {
    let file = ReferenceFile::load("pooling");
    compare::<f64>(&file);
    file.finish();
}

#[test]
fn pools_in_f32_agree_with_pytorch_to_5_digits() {
    compare::<f32>(&ReferenceFile::with_bounds("pooling", [1e-5; 3]));
}

#[test]
fn shapes_are_checked_before_anything_is_computed() {
    let model: Sequential = sequential![
        MaxPool2d::new(2),
        ReflectionPad2d::new(1),
        Upsample::scale(2.0),
        AvgPool2d::new(3).padding(1),
        AdaptiveAvgPool2d::new(2),
        Unfold::new(2),
        Fold::new(2, 2),
    ];
    assert_eq!(model.summary(&[8, 3, 9, 12]).unwrap().output, [8, 3, 2, 2]);
    let error = model.summary(&[8, 3, 9, 1]).unwrap_err();
    assert_eq!(error.path, "0");
    assert!(error.message.contains("axis 3 of shape [8, 3, 9, 1] has size 1"), "{error}");
    let error = model.summary(&[8, 3, 2, 12]).unwrap_err();
    assert_eq!(error.path, "1");
    assert!(error.message.contains("axis 2 of shape [8, 3, 1, 6] has size 1"), "{error}");
    let flat = |layer: &dyn Layer<f32>| layer.summary(&[64, 784]).unwrap_err().to_string();
    for (layer, op) in [
        (&ZeroPad2d::new(1) as &dyn Layer<f32>, "zero_pad2d: "),
        (&CircularPad2d::new(1), "circular_pad2d: "),
        (&Upsample::size(3), "interpolate: "),
        (&AvgPool2d::new(3), "avg_pool2d: "),
        (&Unfold::new(3), "unfold: "),
    ] {
        let error = flat(layer);
        assert!(error.starts_with(op) && error.contains("[64, 784]"), "{error}");
    }
}
