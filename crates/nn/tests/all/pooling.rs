//! Compares pooling, padding, interpolation and windows with PyTorch: values, gradients and second derivatives.
//! Also tests that models with these layers can be checked without computing anything.

use crate::reference_file::{ReferenceFile, ramp};
use wengert_autograd::Tape;
use wengert_nn::{
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AdaptiveMaxPool1d, AdaptiveMaxPool2d,
    AdaptiveMaxPool3d, AvgPool1d, AvgPool2d, AvgPool3d, CircularPad2d, CircularPad3d,
    ConstantPad3d, Fold, Layer, MaxPool1d, MaxPool2d, MaxPool3d, MaxUnpool1d, MaxUnpool2d,
    MaxUnpool3d, ReflectionPad2d, ReflectionPad3d, ReplicationPad2d, ReplicationPad3d, Sequential,
    Unfold, Upsample, ZeroPad2d, ZeroPad3d, sequential,
};
use wengert_tensor::{Float, Tensor};

type Layers<T> = Vec<Box<dyn Layer<T>>>;

macro_rules! layers {
    ($($layer:expr),+ $(,)?) => { vec![$(Box::new($layer) as Box<dyn Layer<T>>),+] };
}

/// Returns the layers in the order of the Python script.
#[allow(clippy::too_many_lines)] // a list
fn tables<T: Float>() -> Vec<(&'static str, &'static str, Layers<T>)> {
    let wide = Upsample::size([5, 23]);
    let odd = Upsample::scales([1.3, 0.6]);
    let ceil = AvgPool2d::new([3, 4]).stride([2, 3]).padding([1, 2]).ceil_mode(true);
    let between = AvgPool3d::new([3, 2, 3]).stride([2, 1, 3]).padding([1, 1, 0]);
    let over = AvgPool3d::new([4, 3, 2]).stride([3, 2, 2]).padding([2, 0, 1]).ceil_mode(true);
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
            "volumes",
            "max3d",
            layers![
                MaxPool3d::new(2),
                MaxPool3d::new([1, 3, 2]).stride([1, 2, 2]).padding([0, 1, 1]),
                MaxPool3d::new([3, 2, 4]).stride([2, 3, 5]).padding([1, 0, 2]).ceil_mode(true),
                MaxPool3d::new(2).stride(1).dilation([3, 1, 2]),
                MaxPool3d::new([5, 6, 7]),
                MaxPool3d::new(1).stride([6, 2, 9]),
            ],
        ),
        (
            "volumes",
            "avg3d",
            layers![
                AvgPool3d::new(2),
                between,
                between.count_include_pad(false),
                over,
                over.count_include_pad(false),
            ],
        ),
        (
            "volumes",
            "adaptive_max3d",
            layers![AdaptiveMaxPool3d::new([2, 4, 3]), AdaptiveMaxPool3d::new([1, 1, 9])],
        ),
        (
            "volumes",
            "adaptive_avg3d",
            layers![
                AdaptiveAvgPool3d::new([2, 4, 3]),
                AdaptiveAvgPool3d::new([7, 1, 2]),
                AdaptiveAvgPool3d::new(1),
            ],
        ),
        (
            "volumes",
            "pad3d",
            layers![
                ReflectionPad3d::around([(2, 0), (0, 4), (3, 1)]),
                ReplicationPad3d::around([(1, 2), (0, 9), (3, 1)]),
                CircularPad3d::around([(0, 5), (0, 6), (3, 1)]),
                ZeroPad3d::around([(1, 0), (0, 2), (3, 1)]),
                ConstantPad3d::around([(1, 1), (2, 0), (0, 1)], 0.5),
            ],
        ),
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
    positions_and_unpooling(&file);
    file.finish();
}

/// Compares maxima with their positions, and max unpooling.
macro_rules! compare_indices {
    ($file:ident: $($name:literal of $input:literal: $pool:expr $(, $unpool:expr, $size:expr)?;)*) => { $(
        let tape = Tape::<f64>::new();
        let x = tape.constant($file.get($input));
        let (y, index) = $pool.forward_with_indices(x);
        $file.compare($name, "value", &y.value());
        let wanted = $file.get::<f64>(concat!($name, "/index")).cast::<i64>();
        assert_eq!(index.value(), wanted, $name);
        assert_eq!(y.value(), $pool.predict(&x.value()));
        $(
            let y = tape.watch(y.value());
            let back = $unpool.forward_to(y, index, $size);
            $file.compare($name, "back", &back.value());
            let loss = (back * tape.constant(ramp(&back.shape()))).sum_all();
            $file.compare($name, "grad_back", &loss.grad(&[y])[0].value());
        )?
    )* };
}

fn positions_and_unpooling(file: &ReferenceFile) {
    compare_indices! { file:
        "indices1d/0" of "signals": MaxPool1d::new(3), MaxUnpool1d::new(3), 11;
        "indices1d/1" of "signals": MaxPool1d::new(2).stride(3).padding(1),
            MaxUnpool1d::new(2).stride(3).padding(1), 11;
        "adaptive_indices1d/0" of "signals": AdaptiveMaxPool1d::new(4);
        "indices2d/0" of "images": MaxPool2d::new([3, 2]), MaxUnpool2d::new([3, 2]), [7, 10];
        "indices2d/1" of "images": MaxPool2d::new([2, 3]).stride([3, 4]).padding([1, 1]),
            MaxUnpool2d::new([2, 3]).stride([3, 4]).padding(1), [7, 10];
        "adaptive_indices2d/0" of "images": AdaptiveMaxPool2d::new([3, 5]);
        "indices3d/0" of "volumes": MaxPool3d::new([2, 3, 2]), MaxUnpool3d::new([2, 3, 2]), [5, 6, 7];
        "indices3d/1" of "volumes": MaxPool3d::new([2, 1, 3]).stride([3, 2, 4]).padding([1, 0, 1]),
            MaxUnpool3d::new([2, 1, 3]).stride([3, 2, 4]).padding([1, 0, 1]), [5, 6, 7];
        "adaptive_indices3d/0" of "volumes": AdaptiveMaxPool3d::new([5, 3, 7]);
    }
}

#[test]
fn unpooling_has_a_default_size_and_accepts_the_sizes_around_it() {
    let tape = Tape::<f32>::new();
    let x = tape.watch(Tensor::arange(0.0, 48.0, 1.0).reshape([1, 3, 4, 4]));
    let (y, index) = MaxPool2d::new(2).forward_with_indices(x);
    let layer = MaxUnpool2d::new(2);
    assert_eq!(layer.forward(y, index).shape(), [1, 3, 4, 4]);
    assert_eq!(layer.forward_to(y, index, [4, 5]).shape(), [1, 3, 4, 5]);
    let wide = MaxUnpool1d::new(3).stride(2).padding(1);
    let signal = tape.watch(Tensor::ones(&[1, 2, 4]));
    let places = Tensor::from_fn(&[1, 2, 4], |i| (i % 4) as i64);
    assert_eq!(wide.forward(signal, &places).shape(), [1, 2, 7]);
    assert_eq!(wide.to_string(), "MaxUnpool1d(kernel: 3, stride: 2, padding: 1)");
    assert_eq!(MaxUnpool3d::new([1, 2, 2]).to_string(), "MaxUnpool3d(kernel: [1, 2, 2])");
    let error = tape.catch(|| _ = layer.forward_to(y, index, 6)).unwrap_err();
    assert_eq!(
        error.message,
        "max_unpool2d: the size of axis 2 must be less than one stride, 2, away from 4 for an input [1, 3, 2, \
         2], got 6"
    );
    let error = tape.catch(|| _ = layer.forward(signal.squeeze(0), &places)).unwrap_err();
    assert!(error.message.starts_with("max_unpool2d: expected images"), "{error}");
    let error = tape.catch(|| _ = layer.forward(y, &places)).unwrap_err();
    assert!(error.message.contains("same shape, got [1, 2, 4] and [1, 3, 2, 2]"), "{error}");
    // Without elements there is nothing to put.
    let none = tape.watch(Tensor::zeros(&[0, 2, 3]));
    let empty = Tensor::zeros_of(&[0, 2, 3]);
    assert_eq!(MaxUnpool1d::new(2).forward(none, &empty).shape(), [0, 2, 6]);
}

/// Elements at the end of an odd axis are a window of their own, as in the functions of tensors.
#[test]
fn pools_pad_one_side_only() {
    let tape = Tape::<f64>::new();
    let signal = Tensor::from([[1.0, 2.0, 3.0]]);
    let x = tape.constant(signal.clone());
    let layer = MaxPool1d::new(2).padding_each((0, 1));
    assert_eq!(layer.forward(x).value().to_vec(), [2.0, 3.0]);
    assert_eq!(layer.to_string(), "MaxPool1d(kernel: 2, padding: (0, 1))");
    assert_eq!(AvgPool1d::new(2).padding_each((1, 0)).forward(x).value().to_vec(), [0.5, 2.5]);
    let image = Tensor::<f64>::from_fn(&[1, 2, 5, 3], |i| (i * 7 % 30) as f64);
    let layer = MaxPool2d::new([2, 3]).padding_each([(1, 0), (0, 1)]);
    let direct = image.max_pool2d(&layer.pool());
    assert_eq!(layer.predict(&image), direct);
    assert_eq!(direct.shape(), [1, 2, 3, 1]);
    assert_eq!(layer.to_string(), "MaxPool2d(kernel: [2, 3], padding: [(1, 0), (0, 1)])");
    let layer = AvgPool3d::new(2).padding_each([(0, 0), (1, 0), (0, 1)]).count_include_pad(false);
    assert_eq!(layer.predict(&image), image.avg_pool3d(&layer.pool()));
    assert_eq!(
        layer.to_string(),
        "AvgPool3d(kernel: 2, padding: [(0, 0), (1, 0), (0, 1)], count_include_pad: false)"
    );
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
