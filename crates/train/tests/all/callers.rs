//! Wrong arguments panic at the caller's line. The message begins with the name of the function that was called
//! or of the type that was to be made.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use wengert_autograd::{Param, Tape};
use wengert_data::{
    DataLoader, Dataset, Digits, RandomAffine, RandomHorizontalFlip, Subset, TensorDataset, idx,
    random_split, stratified_split,
};
use wengert_nn::{
    AdaptiveAvgPool2d, BatchNorm2d, Conv1d, Conv2d, ConvTranspose2d, Dropout, Dropout2d, Flatten,
    GroupNorm, Layer, LayerNorm, Linear, LocalResponseNorm, MaxPool2d, Relu, RmsNorm, Sequential,
    Softmax, Unfold, Upsample, ZeroPad2d, cross_entropy, init, mse, sequential,
};
use wengert_optim::{
    Adagrad, Adam, Group, LambdaLr, OneCycleLr, Optimizer, ReduceLrOnPlateau, Schedule, Sgd, StepLr,
};
use wengert_tensor::{Conv, Philox, Tensor};
use wengert_train::{ConfusionMatrix, EarlyStopping, Objective, Trainer, evaluate, mistakes};

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<(String, u32)> = const { RefCell::new((String::new(), 0)) };
}

/// Returns the message of a panic, its file and its line.
#[track_caller]
fn panic_of(body: impl FnOnce()) -> (String, String, u32) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                return usual(info);
            }
            if let Some(at) = info.location() {
                PLACE.replace((at.file().into(), at.line()));
            }
        }));
    });
    QUIET.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    QUIET.set(false);
    let cause = result.expect_err("a panic was expected");
    let text = cause.downcast_ref::<String>().cloned();
    let text = text.or_else(|| cause.downcast_ref::<&str>().map(ToString::to_string));
    let (file, line) = PLACE.take();
    (text.expect("panics have a text"), file, line)
}

/// Adds the call to a list if it does not panic at its line, or if its message has another beginning. A use
/// must be on one line.
macro_rules! check {
    ($wrong:ident, $call:expr => $start:literal) => {
        let (text, file, line) = panic_of(|| {
            let _ = $call;
        });
        if file != file!() || line != line!() || !text.starts_with($start) {
            let (call, called) = (stringify!($call), line!());
            $wrong.push(format!("{call}\n  at {file}:{line}, called at {called}: {text}"));
        }
    };
}

#[track_caller]
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} calls:\n{}", wrong.len(), wrong.join("\n"));
}

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::zeros(shape)
}

#[test]
#[rustfmt::skip] // each call on one line
fn layers() {
    let mut wrong = Vec::new();
    let rng = &mut Philox::new(0);
    let mut vector = Param::new(zeros(&[3]));
    let mut matrix = Param::new(zeros(&[3, 2]));
    check!(wrong, Linear::new(0, 3, rng) => "Linear: inputs must be at least 1, got 0");
    check!(wrong, Linear::from_tensors(zeros(&[3]), None) => "Linear::from_tensors: ");
    check!(wrong, Linear::from_tensors(zeros(&[3, 2]), Some(zeros(&[2]))) => "Linear::from_tensors: ");
    check!(wrong, Conv2d::new(0, 3, 5, rng) => "Conv2d: ");
    check!(wrong, Conv2d::new(3, 6, 0, rng) => "Conv2d: ");
    check!(wrong, Conv2d::new(3, 6, 5, rng).groups(2) => "Conv2d::groups: ");
    check!(wrong, Conv2d::new(4, 4, 5, rng).groups(2).groups(2) => "Conv2d::groups: ");
    check!(wrong, Conv2d::from_tensors(zeros(&[3, 2]), None, Conv::new()) => "Conv2d::from_tensors: ");
    check!(wrong, Conv1d::new(4, 4, 3, rng).groups(0) => "Conv1d::groups: ");
    check!(wrong, ConvTranspose2d::new(3, 0, 2, rng) => "ConvTranspose2d: ");
    check!(wrong, Dropout::new(1.5) => "Dropout: ");
    check!(wrong, Dropout2d::new(f64::NAN) => "Dropout2d: ");
    check!(wrong, GroupNorm::new(4, 6) => "GroupNorm: ");
    check!(wrong, LayerNorm::new(&[]) => "LayerNorm: ");
    check!(wrong, RmsNorm::new(&[]) => "RmsNorm: ");
    check!(wrong, LocalResponseNorm::new(0) => "LocalResponseNorm: ");
    check!(wrong, init::fans(&[3]) => "fans: ");
    check!(wrong, init::xavier_uniform(&mut vector, 1.0, rng) => "xavier_uniform: expected a weight");
    check!(wrong, init::xavier_normal(&mut matrix, f64::NAN, rng) => "xavier_normal: gain must be");
    check!(wrong, init::xavier_uniform(&mut matrix, -1.0, rng) => "xavier_uniform: gain must be");
    check!(wrong, init::kaiming_uniform(&mut matrix, init::Fan::In, f64::INFINITY, rng) => "kaiming_uniform: gain must be");
    check!(wrong, init::kaiming_normal(&mut vector, init::Fan::In, 1.0, rng) => "kaiming_normal: expected a weight");
    check!(wrong, init::uniform(&mut vector, 1.0, 0.0, rng) => "uniform: ");
    check!(wrong, init::normal(&mut vector, 0.0, -1.0, rng) => "normal: ");
    check!(wrong, Sequential::new().add_named("", Relu) => "Sequential: ");
    check!(wrong, Sequential::new().add(Relu).add_named("0", Relu) => "Sequential: ");
    check!(wrong, &Sequential::new()[1] => "Sequential: ");
    assert_none(&wrong);
}

/// The message begins with the path of the layer, if it has one.
#[test]
#[rustfmt::skip]
fn inputs_of_layers_and_losses() {
    let mut wrong = Vec::new();
    let rng = &mut Philox::new(0);
    let linear = Linear::new(4, 2, rng);
    let nested = sequential![sequential![Linear::new(4, 2, rng), Relu], Linear::new(3, 1, rng)];
    let boxed: Box<dyn Layer> = Box::new(Linear::new(4, 2, rng));
    let model = sequential![Flatten::new(), boxed];
    let tape = Tape::new();
    let x = |shape: &[usize]| tape.constant(zeros(shape));
    check!(wrong, linear.predict(&zeros(&[5, 3])) => "linear: expected […, 4], got [5, 3]");
    check!(wrong, linear.forward(x(&[5, 3])) => "linear: expected");
    check!(wrong, Relu.forward(Softmax(3).forward(x(&[5, 3]))) => "");
    check!(wrong, MaxPool2d::new(0).forward(x(&[1, 1, 4, 4])) => "");
    check!(wrong, AdaptiveAvgPool2d::new(0).forward(x(&[4, 4])) => "");
    check!(wrong, Flatten::axes(3, 1).forward(x(&[5, 3])) => "");
    check!(wrong, Upsample::scale(-1.0).forward(x(&[1, 1, 4, 4])) => "");
    check!(wrong, Unfold::new(9).forward(x(&[1, 1, 4, 4])) => "");
    check!(wrong, ZeroPad2d::new(1).forward(x(&[4, 4])) => "");
    check!(wrong, BatchNorm2d::new(3).forward(x(&[1, 2, 4, 4])) => "");
    check!(wrong, Conv2d::new(3, 3, 3, &mut Philox::new(0)).stride(0).forward(x(&[1, 3, 4, 4])) => "");
    check!(wrong, Dropout::new(0.5).forward(x(&[1])) => "");
    check!(wrong, GroupNorm::new(1, 2).forward(x(&[4])) => "");
    check!(wrong, mse(x(&[3]), x(&[3, 1])) => "mse: ");
    check!(wrong, cross_entropy(x(&[3, 2]), &Tensor::from([0i64, 1])) => "cross_entropy: ");
    check!(wrong, cross_entropy(x(&[1, 2]), &Tensor::from([2i64])).value() => "cross_entropy: class 2");
    // Rust does not pass the caller's line to boxed layers. The message has the path of the layer instead.
    for (call, start) in [
        (&|| nested.predict(&zeros(&[5, 3])) as Tensor, "0.0: linear: expected […, 4], got [5, 3]"),
        (&|| nested.predict(&zeros(&[5, 4])), "1: linear: expected […, 3], got [5, 2]"),
        (&|| model.predict(&zeros(&[5, 3])), "1: linear: expected […, 4], got [5, 3]"),
    ] as [(&dyn Fn() -> Tensor, &str); 3] {
        let (text, ..) = panic_of(|| drop(call()));
        assert!(text.starts_with(start), "{text}");
    }
    assert_none(&wrong);
}

#[test]
#[rustfmt::skip]
fn optimizers_and_schedules() {
    let mut wrong = Vec::new();
    let (mut sgd, mut adagrad) = (Sgd::new(0.1), Adagrad::new(0.1));
    let mut w = Param::new(zeros(&[2]));
    let tape = Tape::new();
    let none = tape.watch(zeros(&[2])).sum_all().backward();
    check!(wrong, Sgd::new(-1.0) => "Sgd: lr must be");
    check!(wrong, Adam::adamw(f64::NAN) => "AdamW: lr must be");
    check!(wrong, Sgd::<f64>::of(0.1).momentum(f64::NAN) => "Sgd: momentum must be");
    check!(wrong, Adam::new(0.1).betas(0.9, 1.0) => "Adam: beta2 must be");
    check!(wrong, sgd.set_learning_rate(-1.0) => "Sgd: lr must be");
    check!(wrong, sgd.set_momentum(-1.0) => "Sgd: momentum must be");
    check!(wrong, adagrad.set_momentum(0.9) => "set_momentum: Adagrad has no momentum");
    check!(wrong, Sgd::new(0.1).group(Group::matching("*").set("no_such", 1.0)) => "Sgd: the group `*` sets no_such");
    check!(wrong, Sgd::new(0.0).group(Group::matching("*").learning_rate(1.0)) => "Sgd: the group `*` sets a learning rate");
    check!(wrong, Group::matching("*").learning_rate(-1.0) => "Group: learning_rate must be");
    check!(wrong, sgd.step(&mut w, &none) => "step: no gradient for");
    check!(wrong, StepLr::new(0.1, 0) => "StepLr: step_size must be");
    check!(wrong, OneCycleLr::new(0.1, 10).pct_start(1.5) => "OneCycleLr: pct_start must be");
    check!(wrong, OneCycleLr::new(0.1, 10).div_factor(0.0) => "OneCycleLr: div_factor must be");
    check!(wrong, OneCycleLr::new(0.1, 10).learning_rate(11) => "OneCycleLr: the step must be at most");
    check!(wrong, OneCycleLr::new(0.1, 10).warmup(3).learning_rate(14) => "OneCycleLr: the step must be at most");
    check!(wrong, LambdaLr::new(1.0, |_| -1.0).apply(&mut sgd, 0) => "Sgd: lr must be");
    check!(wrong, ReduceLrOnPlateau::new().factor(1.0) => "ReduceLrOnPlateau: factor must be");
    check!(wrong, ReduceLrOnPlateau::new().absolute_threshold(-1.0) => "ReduceLrOnPlateau: absolute_threshold must be");
    assert_none(&wrong);
}

#[test]
#[rustfmt::skip]
fn data_sets() {
    let mut wrong = Vec::new();
    let digits = || Digits::load().dataset();
    let loader = DataLoader::new(digits(), 100).shuffle(0);
    let flat = digits().map_inputs(|x| x.flatten(1, -1)).augment(RandomHorizontalFlip::new(0.5), 0);
    check!(wrong, DataLoader::new(digits(), 0) => "DataLoader::new: ");
    check!(wrong, DataLoader::new((zeros(&[2]), zeros(&[3])), 1) => "a data set of tensors: ");
    check!(wrong, loader.indices(0, 18) => "indices: ");
    check!(wrong, loader.iter() => "DataLoader::iter: ");
    check!(wrong, Subset::new(digits(), [1797]) => "Subset::new: ");
    check!(wrong, random_split(digits(), [1000, 1000], 0) => "random_split: ");
    check!(wrong, stratified_split(digits(), [0.5, 0.4], 0) => "stratified_split: ");
    check!(wrong, TensorDataset::new(zeros(&[2, 3]), Tensor::from([1i64])) => "TensorDataset::new: ");
    check!(wrong, digits().normalize(0.0, 0.0) => "normalize: ");
    check!(wrong, digits().normalize_channels(&[0.0], &[1.0]) => "normalize_channels: ");
    check!(wrong, digits().map_inputs(|x| x.narrow(0, 0, 3)) => "map_inputs: ");
    check!(wrong, digits().with_channel().with_channel() => "with_channel: ");
    check!(wrong, digits().batch(&[1797]) => "batch: ");
    check!(wrong, flat.batch(&[0]) => "augment: ");
    check!(wrong, RandomAffine::new().degrees(f64::NAN) => "RandomAffine: degrees must be");
    check!(wrong, RandomAffine::new().shear_y(90.0) => "RandomAffine: shear_y must be");
    check!(wrong, RandomHorizontalFlip::new(-0.5) => "RandomHorizontalFlip: p must be");
    check!(wrong, idx::IdxArray::new(idx::IdxData::U8(vec![0; 3]), &[2, 2]) => "IdxArray::new: ");
    assert_none(&wrong);
}

#[cfg(feature = "plots")]
#[test]
#[rustfmt::skip]
fn pictures() {
    use wengert_plot::{self as plot, GridOptions};
    let mut wrong = Vec::new();
    let options = GridOptions::new();
    check!(wrong, GridOptions::new().columns(0) => "GridOptions::columns: ");
    check!(wrong, GridOptions::new().scale(0) => "GridOptions::scale: ");
    check!(wrong, plot::grid(&zeros(&[3]), &options, "unused") => "grid: ");
    check!(wrong, plot::grid(&zeros(&[1, 2, 3, 3]), &options, "unused") => "grid: ");
    check!(wrong, plot::filters(&zeros(&[3, 3]), "unused") => "filters: ");
    check!(wrong, plot::feature_maps(&zeros(&[2, 3, 4, 4]), "unused") => "feature_maps: ");
    check!(wrong, plot::reconstructions(&zeros(&[2, 4, 4]), &zeros(&[2, 16]), &options, "unused") => "reconstructions: ");
    check!(wrong, plot::confusion([[1, 2]], &[], "unused") => "confusion: ");
    check!(wrong, plot::captioned([(zeros(&[16]), "")], "unused") => "captioned: ");
    assert_none(&wrong);
}

#[test]
#[rustfmt::skip]
fn training() {
    let mut wrong = Vec::new();
    let rng = &mut Philox::new(0);
    let mut model = sequential![Flatten::new(), Linear::new(64, 10, rng)];
    let digits = DataLoader::new(Digits::load().dataset(), 600);
    let (x, _) = Digits::load().dataset().batch(&[0, 1, 2]);
    let odd = DataLoader::new((x, Tensor::from([3i64, -1, 2])), 3);
    let scores = Objective::new(|y, labels: &Tensor<i64>| cross_entropy(y, labels));
    let found = scores.evaluate(&model, &digits);
    let trainer = || Trainer::classifier().quiet();
    let mut sgd = Sgd::new(0.1);
    check!(wrong, ConfusionMatrix::new(40_000) => "ConfusionMatrix::new: the number of classes must be at most 32768, got");
    check!(wrong, ConfusionMatrix::new(3).record(&Tensor::from([1i64]), &Tensor::from([1i64, 2])) => "ConfusionMatrix::record: ");
    check!(wrong, ConfusionMatrix::new(3).record(&Tensor::from([-1i64]), &Tensor::from([1i64])) => "ConfusionMatrix::record: class -1");
    check!(wrong, EarlyStopping::new(3).min_delta(f64::NAN) => "EarlyStopping::min_delta: ");
    check!(wrong, trainer().checkpoint_every(0).fit(&mut model, &mut sgd, &digits, rng) => "checkpoint_every: ");
    check!(wrong, found.accuracy() => "Evaluation::accuracy: ");
    check!(wrong, found.confusion() => "Evaluation::confusion: ");
    check!(wrong, scores.mistakes(&model, &digits, 1) => "mistakes: the objective does not classify");
    check!(wrong, mistakes(&model, &odd, 1) => "mistakes: example 1 of the data");
    check!(wrong, evaluate(&model, &odd) => "evaluate: ");
    check!(wrong, evaluate(&Linear::new(3, 2, rng), &digits) => "evaluate: ");
    check!(wrong, trainer().schedule(OneCycleLr::new(0.1, 1)).fit(&mut model, &mut sgd, &digits, rng) => "OneCycleLr: ");
    assert_none(&wrong);
}
