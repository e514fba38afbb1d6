//! Tests layers as parts of a model: names, modes, errors and memory.

use crate::common::panic_of;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use wengert_autograd::{
    Call, Cotangents, CustomOp, FirstState, Outline, Outputs, Path, Policy, Reads, See, SeeMut,
    Tape, Var,
};
use wengert_nn::{
    Conv1d, Conv2d, ConvTranspose2d, Dropout, Dropout2d, Flatten, GroupNorm, Identity, Layer,
    LayerNorm, Linear, LocalResponseNorm, Module, Relu, RmsNorm, Sequential, Sigmoid, Softmax,
    Tanh, bce_with_logits, cross_entropy, mse, nll, sequential,
};
use wengert_tensor::{Conv, Philox, Shape, Tensor};

#[derive(Clone, Module)]
#[module(crate = "wengert_autograd")]
struct Mlp {
    fc1: Linear,
    act: Box<dyn Layer>,
    fc2: Linear,
}

impl Mlp {
    fn new() -> Self {
        let mut rng = Philox::new(0);
        Mlp {
            fc1: Linear::new(784, 16, &mut rng),
            act: Box::new(Relu),
            fc2: Linear::new(16, 10, &mut rng),
        }
    }
}

impl Layer for Mlp {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        let x = self.act.forward(self.fc1.forward(x));
        self.fc2.forward(x)
    }
}

fn perceptron() -> Sequential {
    let mut rng = Philox::new(0);
    let mut linear = |inputs, outputs| Linear::new(inputs, outputs, &mut rng);
    sequential![linear(5, 3), Sigmoid, linear(3, 7), Sigmoid, linear(7, 5), Sigmoid, linear(5, 1),]
}

/// Returns the text of the panic of `f`.
fn panic_text<R>(f: impl FnOnce() -> R) -> String {
    match panic::catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("no panic"),
        Err(cause) => cause.downcast_ref::<String>().cloned().unwrap_or_default(),
    }
}

#[test]
fn models_can_be_shared_between_threads() {
    fn assert_send_sync<M: Send + Sync>() {}
    assert_send_sync::<Mlp>();
    assert_send_sync::<Sequential>();
    assert_send_sync::<Box<dyn Layer<f64>>>();

    let model = perceptron();
    let x = Tensor::uniform(&[4, 5], -1.0, 1.0, &mut Philox::new(1));
    let outputs = std::thread::scope(|threads| {
        let run = || model.predict(&x).to_vec();
        [threads.spawn(run), threads.spawn(run)].map(|thread| thread.join().unwrap())
    });
    assert_eq!(outputs[0], outputs[1]);
}

#[test]
fn the_summary_of_a_perceptron_lists_92_parameters() {
    let model = perceptron();
    let summary = model.summary(&[32, 5]).unwrap();
    assert_eq!((summary.parameters, summary.trainable), (92, 92));
    let expected = "\
Sequential: [32, 5] → [32, 1]
layer      type     output   parameters
0          Linear   [32, 3]          18
1          Sigmoid  [32, 3]           –
2          Linear   [32, 7]          28
3          Sigmoid  [32, 7]           –
4          Linear   [32, 5]          40
5          Sigmoid  [32, 5]           –
6          Linear   [32, 1]           6
total                                92
trainable                            92";
    assert_eq!(summary.to_string(), expected);
}

#[test]
fn a_summary_lists_nested_and_frozen_layers() {
    let mut model = sequential![
        Flatten::new(),
        sequential![Linear::new(784, 100, &mut Philox::new(0)), Tanh],
        Mlp1::new(),
    ];
    model.freeze_under("1");
    let expected = "\
Sequential: [2, 28, 28] → [2, 10]
layer      type        output    parameters
0          Flatten     [2, 784]           –
1          Sequential  [2, 100]           –
1.0        Linear      [2, 100]      frozen 78,500
1.1        Tanh        [2, 100]           –
2          Mlp1        [2, 10]            –
2.fc       Linear      [2, 10]        1,010
total                                79,510
trainable                             1,010";
    let normal = |text: &str| {
        text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    let summary = model.summary(&[2, 28, 28]).unwrap();
    assert_eq!(normal(&summary.to_string()), normal(expected));

    // The model itself has no line in the summary.
    let summary = Mlp1::new().summary(&[1, 100]).unwrap();
    assert_eq!(summary.layers.len(), 1);
    let line = &summary.layers[0];
    assert_eq!(
        (&*line.path, &*line.kind, line.output, line.parameters),
        ("fc", "Linear", Some(Shape::new(&[1, 10])), 1010)
    );

    // A single layer has one line, whose path is empty.
    let linear = Linear::new(3, 2, &mut Philox::new(0));
    let line = &linear.summary(&[1, 3]).unwrap().layers[0];
    assert_eq!((&*line.path, &*line.kind, line.parameters), ("", "Linear", 8));
    assert_eq!(line.output, Some(Shape::new(&[1, 2])));
}

#[derive(Clone, Module)]
#[module(crate = "wengert_autograd")]
struct Mlp1 {
    fc: Linear,
}
impl Mlp1 {
    fn new() -> Self {
        Mlp1 { fc: Linear::new(100, 10, &mut Philox::new(0)) }
    }
}
impl Layer for Mlp1 {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.fc.forward(x)
    }
}

#[test]
fn models_are_printed_as_nested_lines() {
    let expected = "\
Mlp(
  (fc1): Linear(weight: [16, 784], bias: [16])
  (act): Relu
  (fc2): Linear(weight: [10, 16], bias: [10])
)";
    assert_eq!(Mlp::new().to_string(), expected);
    let boxed: Box<dyn Layer> = Box::new(Mlp::new());
    assert_eq!(boxed.to_string(), expected);

    let model: Sequential = sequential![Flatten::new(), Dropout::new(0.5), Softmax(-1)]
        .add_named("head", Linear::new(4, 2, &mut Philox::new(0)).without_bias());
    assert_eq!(
        model.to_string(),
        "\
Sequential(
  (0): Flatten(start: 1, end: -1)
  (1): Dropout(p: 0.5)
  (2): Softmax(-1)
  (head): Linear(weight: [2, 4], bias: None)
)"
    );
    assert_eq!(model.named_parameters()[0].0, "head.weight");
    assert_eq!(model[1].outline().to_string(), "Dropout(p: 0.5)");
    assert_eq!(model.iter().len(), 4);
}

#[test]
fn predict_returns_the_outputs_in_evaluation_mode() {
    let mut rng = Philox::new(5);
    let model = sequential![Linear::new(6, 8, &mut rng), Dropout::new(0.5), Tanh];
    let x = Tensor::normal(&[3, 6], 0.0, 1.0, &mut rng);
    let tape = Tape::eval();
    let y = model.forward(tape.watch(x.clone())).value();
    assert_eq!(model.predict(&x).to_vec(), y.to_vec());
    let dynamic: &dyn Layer = &model;
    assert_eq!(dynamic.predict(&x).to_vec(), y.to_vec());
}

#[test]
fn messages_name_the_layer() {
    let model = Mlp::new();
    let x = Tensor::zeros(&[64, 800]);
    let expected = "fc1: linear: expected […, 784], got [64, 800]";
    assert_eq!(panic_text(|| model.predict(&x)), expected);
    let error = model.summary(&[64, 800]).unwrap_err();
    assert_eq!((error.to_string().as_str(), error.path.as_str()), (expected, "fc1"));

    let model = sequential![sequential![Tanh, Linear::new(784, 10, &mut Philox::new(0))]];
    assert_eq!(
        model.summary(&[64, 28, 28]).unwrap_err().to_string(),
        "0.1: linear: expected […, 784], got [64, 28, 28] (flatten the axes of each sample first)"
    );
    assert_eq!(
        model.summary(&[784, 64]).unwrap_err().to_string(),
        "0.1: linear: expected […, 784], got [784, 64] (another axis has this size: transpose first)"
    );
    assert_eq!(
        model.summary(&[]).unwrap_err().to_string(),
        "0.1: linear: expected […, 784], got []"
    );
}

#[test]
fn losses_of_wrong_shapes_panic_with_the_shapes() {
    let tape = Tape::<f32>::new();
    let [a, b] = [[4, 1], [4, 2]].map(|shape| tape.constant(Tensor::zeros(&shape)));
    let flat = tape.constant(Tensor::zeros(&[4]));
    assert_eq!(
        panic_text(|| mse(a, flat)),
        "mse: input and target must have the same shape, got [4, 1] and [4] (reshape one of them)"
    );
    assert_eq!(
        panic_text(|| bce_with_logits(a, b)),
        "bce_with_logits: input and target must have the same shape, got [4, 1] and [4, 2]"
    );
    assert_eq!(
        panic_text(|| cross_entropy(b, Tensor::from([0i64, 1, 2, 1]))),
        "cross_entropy: class 2 of sample 2 is out of range 0..2"
    );
    assert_eq!(
        panic_text(|| nll(b, Tensor::from([0i64, 1, -100, 1]))),
        "nll: class -100 of sample 2 is out of range 0..2"
    );
    assert_eq!(
        panic_text(|| cross_entropy(b, Tensor::from([0i64, 1]))),
        "cross_entropy: scores [4, 2] with classes on axis 1 require class numbers [4], got [2]"
    );
    assert_eq!(
        panic_text(|| cross_entropy(b, Tensor::<i64>::zeros_of(&[4, 2]))),
        "cross_entropy: scores [4, 2] with classes on axis 1 require class numbers [4], got [4, 2] \
         (convert one-hot rows to class numbers with argmax)"
    );
    let scalar = tape.constant(Tensor::scalar(0.0));
    assert_eq!(
        panic_text(|| cross_entropy(scalar, Tensor::scalar_of(0i64))),
        "cross_entropy: expected [N, C] for N samples and C classes, got []"
    );
}

#[test]
fn losses_can_be_checked_in_shape_only_runs() {
    let model = Mlp::new();
    let classes = Tensor::<i64>::full_of(&[8], 99);
    let shape =
        Tape::check(|tape| cross_entropy(model.forward(tape.input(&[8, 784])), &classes).shape());
    assert_eq!(shape.unwrap().rank(), 0);
    let error =
        Tape::check(|tape| cross_entropy(model.forward(tape.input(&[9, 784])), &classes).shape());
    assert!(error.unwrap_err().message.starts_with("cross_entropy: scores [9, 10] with classes"));
}

#[test]
fn cross_entropy_takes_classes_computed_on_the_tape() {
    let tape = Tape::<f32>::new();
    let x = tape.watch(Tensor::from([[1.0, 3.0], [2.0, 0.0]]));
    let given = cross_entropy(x, Tensor::from([1i64, 0])).item();
    assert_eq!(cross_entropy(x, x.argmax(1, false)).item(), given);
}

#[test]
fn names_in_a_sequential_are_unique() {
    let twice = || Sequential::new().add_named("fc", Relu).add_named("fc", Relu);
    assert_eq!(panic_text(twice), r#"Sequential: a layer named "fc" already exists"#);
    let dotted = || Sequential::new().add_named("a.b", Relu);
    assert_eq!(
        panic_text(dotted),
        r#"Sequential: the name of a layer must not be empty or contain a dot, got "a.b""#
    );
}

#[test]
fn a_sequential_can_be_made_from_boxed_layers() {
    let layers: Vec<Box<dyn Layer>> =
        vec![Box::new(Relu), Box::new(Linear::new(2, 1, &mut Philox::new(0)))];
    let model = Sequential::from(layers);
    assert_eq!(model.named_parameters()[0].0, "1.weight");
    let empty = Sequential::new();
    assert_eq!(empty.predict(&Tensor::from([1.0, 2.0])).to_vec(), [1.0, 2.0]);
}

#[test]
fn dropout_in_evaluation_mode_is_the_identity() {
    let x = Tensor::ones(&[100]);
    assert_eq!(Dropout::new(0.9).predict(&x).to_vec(), x.to_vec());
    let tape = Tape::eval();
    let x = tape.watch(x);
    let y = Dropout::new(0.9).forward(x);
    assert!(
        !y.is(x) && y.value().shares_storage(&x.value()),
        "the result must be a separate variable that shares the memory of x"
    );
}

#[test]
fn dropout_keeps_the_expected_value() {
    let n = 100_000;
    for p in [0.1, 0.5, 0.8] {
        let tape = Tape::train(&mut Philox::new(7));
        let y = Dropout::new(p).forward(tape.constant(Tensor::ones(&[n]))).value().to_vec();
        let dropped = y.iter().filter(|&&y| y == 0.0).count() as f64 / n as f64;
        let mean = y.iter().map(|&y| f64::from(y)).sum::<f64>() / n as f64;
        // The tolerance is five standard deviations of the mean of n Bernoulli variables.
        let deviation = (p * (1.0 - p) / n as f64).sqrt();
        assert!((dropped - p).abs() < 5.0 * deviation, "p = {p}: {dropped} dropped");
        assert!((mean - 1.0).abs() < 5.0 * deviation / (1.0 - p), "p = {p}: mean {mean}");
    }
}

#[test]
fn every_dropout_of_every_step_draws_a_new_mask() {
    let step = |rng: &mut Philox| {
        let tape = Tape::train(rng);
        let x = tape.constant(Tensor::ones(&[64]));
        let masks = [(); 2].map(|()| Dropout::new(0.5).forward(x).value().to_vec());
        assert_ne!(masks[0], masks[1], "two layers of one step");
        masks
    };
    let mut rng = Philox::new(0);
    let (first, second) = (step(&mut rng), step(&mut rng));
    assert_ne!(first, second);
    assert_eq!(step(&mut Philox::new(0)), first);
}

#[test]
fn dropout_requires_a_probability() {
    assert_eq!(panic_text(|| Dropout::new(1.5)), "Dropout: p must be from 0 to 1, got 1.5");
}

/// The arguments that constructors and builder methods refuse. The panic points at the line of the caller.
#[test]
fn constructors_refuse_wrong_arguments_at_the_callers_line() {
    let conv = || Conv2d::new(4, 6, 3, &mut Philox::new(0));
    let zeros = |shape: &[usize]| Tensor::zeros(shape);
    let refusals: [(&dyn Fn(), &str); 13] = [
        (
            &|| drop(Linear::new(0, 2, &mut Philox::new(0))),
            "Linear: inputs must be at least 1, got 0 (the weights are drawn from ±1/√inputs)",
        ),
        (
            &|| drop(Linear::from_tensors(zeros(&[3]), None)),
            "Linear::from_tensors: expected a weight [outputs, inputs], got [3]",
        ),
        (
            &|| drop(Linear::from_tensors(zeros(&[3, 2]), Some(zeros(&[2])))),
            "Linear::from_tensors: a weight [3, 2] requires a bias [3], got [2]",
        ),
        (
            &|| drop(Conv2d::from_tensors(zeros(&[3, 2, 1, 1]), Some(zeros(&[1])), Conv::new())),
            "Conv2d::from_tensors: a weight [3, 2, 1, 1] requires a bias [3], got [1]",
        ),
        (
            &|| drop(Conv2d::from_tensors(zeros(&[3, 2, 1, 1]), None, Conv::new().groups(2))),
            "Conv2d::from_tensors: expected a weight [outputs, inputs / groups, kh, kw] with outputs a multiple of \
             groups, got [3, 2, 1, 1] and 2 groups",
        ),
        (
            &|| drop(Conv1d::new(2, 3, 0, &mut Philox::new(0))),
            "Conv1d: the sizes after the first of the weight must be at least 1, got [3, 2, 0] (they set the \
             range of the initial values)",
        ),
        (
            &|| drop(conv().groups(4)),
            "Conv2d::groups: the number of channels must be a multiple of groups, got 6 channels and 4 groups \
             (weight [6, 4, 3, 3])",
        ),
        (
            &|| drop(conv().groups(2).groups(2)),
            "Conv2d::groups: the layer must not have groups yet, got 2 for a layer with 2 groups: call groups \
             once, on a new layer",
        ),
        (
            &|| drop(ConvTranspose2d::new(3, 2, 1, &mut Philox::new(0)).groups(2)),
            "ConvTranspose2d::groups: the number of channels must be a multiple of groups, got 3 channels and \
             2 groups (weight [3, 2, 1, 1])",
        ),
        (
            &|| drop(GroupNorm::new(4, 6)),
            "GroupNorm: the number of channels must be a multiple of groups, got 6 channels and 4 \
             groups",
        ),
        (
            &|| drop(LayerNorm::new(&[])),
            "LayerNorm: normalized_shape must contain the size of at least one axis, got []",
        ),
        (
            &|| drop(RmsNorm::new(&[])),
            "RmsNorm: normalized_shape must contain the size of at least one axis, got []",
        ),
        (&|| _ = Dropout2d::new(-0.5), "Dropout2d: p must be from 0 to 1, got -0.5"),
    ];
    for (refused, expected) in refusals {
        let (text, file, _) = panic_of(refused);
        assert_eq!(text, expected);
        assert!(file.ends_with("layers.rs"), "{expected}: {file}");
    }
    let size = panic_of(|| _ = LocalResponseNorm::new(0)).0;
    assert_eq!(size, "LocalResponseNorm: size must be at least 1, got 0");
    let layers: Sequential = sequential![Relu, Tanh];
    let (text, file, _) = panic_of(|| _ = layers[2].outline());
    assert_eq!(text, "Sequential: layer 2 does not exist: the number of layers is 2");
    assert!(file.ends_with("layers.rs"), "{file}");
}

/// The options of pooling layers for signals apply to the axis of the signal; the window has height 1.
#[test]
fn pools_of_signals_have_a_window_of_height_1() {
    use wengert_nn::MaxPool1d;
    use wengert_tensor::Pool;
    let pool = MaxPool1d::new(5).stride(3).padding(2).dilation(2).pool();
    let expected = Pool::new([1, 5]).stride([1, 3]).padding([0, 2]).dilation([1, 2]);
    assert_eq!(pool, expected);
}

#[test]
fn initial_values_depend_only_on_the_generator() {
    let make = |seed| Linear::new(3, 2, &mut Philox::new(seed)).weight.value().to_vec();
    assert_eq!(make(1), make(1));
    assert_ne!(make(1), make(2));
    let bound = 1.0 / 100f32.sqrt();
    let layer = Linear::new(100, 1000, &mut Philox::new(1));
    let numbers = layer.weight.value().to_vec();
    assert!(numbers.iter().all(|w| w.abs() <= bound));
    assert!(numbers.iter().any(|w| w.abs() > 0.999 * bound));
    assert!(layer.bias.unwrap().value().to_vec().iter().all(|b| b.abs() <= bound));
}

/// The identity operation. It returns a new tensor and keeps its input.
#[derive(Default)]
struct Spy(Mutex<Option<Tensor>>);

impl CustomOp<f32> for Spy {
    fn name(&self) -> &'static str {
        "spy"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([x[0]].into())
    }
    fn forward(&self, x: &[Tensor]) -> Outputs<Tensor> {
        *self.0.lock().unwrap() = Some(x[0].clone());
        [x[0].copied()].into()
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, f32>) -> Cotangents<'t, f32> {
        [Some(c.gy())].into_iter().collect()
    }
    fn reads(&self, _: usize) -> Reads {
        Reads::NOTHING
    }
}

#[derive(Clone, Module)]
#[module(crate = "wengert_autograd", no_display)]
struct SpyLayer(#[module(skip)] Arc<Spy>);

impl Layer for SpyLayer {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        x.tape().custom(self.0.clone(), &[x])[0]
    }
}

/// Returns whether the spy has the last reference to its input, so that writing to the input copies
/// nothing.
fn released(spy: &Spy) -> bool {
    let mut seen = spy.0.lock().unwrap().take().expect("the spy ran");
    let before = seen.as_slice().unwrap().as_ptr();
    seen.make_mut().as_ptr() == before
}

#[test]
fn preactivations_are_dropped_when_the_next_layer_has_run() {
    for policy in [Policy::Fused, Policy::Eager] {
        let mut rng = Philox::new(0);
        let spy = Arc::new(Spy::default());
        let x = Tensor::normal(&[8, 6], 0.0, 1.0, &mut rng);
        let linear = Linear::new(6, 4, &mut rng);

        let tape = Tape::train(&mut rng).with_policy(policy);
        let model = sequential![
            linear.clone(),
            Identity,
            SpyLayer(spy.clone()),
            Relu,
            Linear::new(4, 2, &mut rng)
        ];
        let y = model.forward(tape.constant(x.clone()));
        y.value();
        assert!(released(&spy), "{policy:?}: no rule reads what the linear layer gave");
        let gradients = y.square().sum_all().backward();
        assert_eq!(gradients.len(), 4);

        // In a loop without scopes, the input is kept.
        let tape = Tape::train(&mut rng).with_policy(policy);
        let h = SpyLayer(spy.clone()).forward(linear.forward(tape.constant(x)));
        h.relu().value();
        assert!(!released(&spy));
    }
}

/// A user's model releases its intermediate values at its end, as a `Sequential` does.
#[test]
fn a_users_model_drops_its_intermediate_values_at_its_end() {
    #[derive(Clone, Module)]
    #[module(crate = "wengert_autograd", no_display)]
    struct Block(Linear, SpyLayer);
    impl Layer for Block {
        fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
            self.1.forward(self.0.forward(x)).relu()
        }
    }
    for policy in [Policy::Fused, Policy::Eager] {
        let mut rng = Philox::new(0);
        let spy = Arc::new(Spy::default());
        let block = Block(Linear::new(6, 4, &mut rng), SpyLayer(spy.clone()));
        for (called, gone) in [(false, true), (true, false)] {
            let tape = Tape::train(&mut rng).with_policy(policy);
            let x = tape.constant(Tensor::ones(&[8, 6]));
            let y = if called { block.call(x) } else { block.forward(x) };
            y.value();
            assert_eq!(released(&spy), gone, "{policy:?}: only `forward` opens the block's scope");
            assert_eq!(y.square().sum_all().backward().len(), 2);
        }
    }
}

#[test]
fn a_sequential_does_not_drop_the_callers_input() {
    let spy = Arc::new(Spy::default());
    let tape = Tape::new();
    let input = tape.watch(Tensor::ones(&[4])) * 2.0;
    let model = sequential![Identity, SpyLayer(spy.clone()), Tanh];
    model.forward(input).value();
    assert!(!released(&spy));
}

/// A linear layer that counts how often its methods of `Module` are called.
#[derive(Clone, Debug)]
struct Counting(Linear);

static CALLS: AtomicUsize = AtomicUsize::new(0);

impl Module for Counting {
    fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
        CALLS.fetch_add(1, Relaxed);
        self.0.visit(path, see);
    }
    fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
        self.0.visit_mut(path, see);
    }
    fn first_state(&self) -> Option<FirstState> {
        CALLS.fetch_add(1, Relaxed);
        self.0.first_state()
    }
    fn type_name(&self) -> &'static str {
        CALLS.fetch_add(1, Relaxed);
        "Counting"
    }
    fn outline(&self) -> Outline {
        CALLS.fetch_add(1, Relaxed);
        self.0.outline()
    }
}

impl Layer for Counting {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.0.call(x)
    }
}

/// `Summary`'s own steps are counted in its unit tests.
#[test]
fn a_summary_asks_each_layer_a_fixed_number_of_times() {
    let calls = |n: usize| {
        let rng = &mut Philox::new(0);
        let layer = |_| Box::new(Counting(Linear::new(2, 2, rng))) as Box<dyn Layer>;
        let model: Sequential = (0..n).map(layer).collect();
        CALLS.store(0, Relaxed);
        assert_eq!(model.summary(&[1, 2]).unwrap().parameters, 6 * n);
        CALLS.load(Relaxed)
    };
    let each = calls(50) / 50;
    assert!((1..10).contains(&each), "{each}");
    for n in [100, 400] {
        assert!(calls(n).abs_diff(n * each) <= each, "{n}: {} calls", calls(n));
    }
}
