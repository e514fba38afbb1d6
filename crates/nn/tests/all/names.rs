//! Tests the paths of scopes, which are found by the identities of parameters.

use crate::common::panic_of;
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use wengert_autograd::{Buffer, Param, Path, See, SeeMut, Tape, Var};
use wengert_nn::{
    Dropout, Flatten, Layer, Linear, MaxPool2d, Module, Relu, Sequential, Softmax, Tanh, sequential,
};
use wengert_tensor::{Philox, Tensor};

fn linear(inputs: usize, outputs: usize) -> Linear {
    Linear::new(inputs, outputs, &mut Philox::new(0))
}

/// Returns the paths of the scopes of `run`, in the order in which they end.
fn paths(run: impl FnOnce(&Tape)) -> Vec<String> {
    let scopes = Tape::<f32>::check(|tape| {
        run(tape);
        assert_eq!(tape.path(), "", "every scope has ended");
        tape.scope_summaries()
    });
    scopes.unwrap().into_iter().map(|scope| scope.path).collect()
}

/// Returns the path of the error with which `run` ends.
fn error_path<'a>(run: impl FnOnce(&Tape) + 'a) -> String {
    Tape::<f32>::check(run).unwrap_err().path
}

fn forward(model: &dyn Layer) -> Vec<String> {
    paths(|tape| _ = model.forward(tape.input(&[2, 4])))
}

#[derive(Clone, Module)]
#[module(crate = "wengert_autograd")]
struct Block {
    fc1: Linear,
    fc2: Linear,
}

fn block() -> Block {
    Block { fc1: linear(4, 4), fc2: linear(4, 4) }
}

impl Layer for Block {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        x.tape().scope("attention", || self.fc2.forward(self.fc1.forward(x).tanh()))
    }
}

#[derive(Clone, Module)]
#[module(crate = "wengert_autograd")]
struct Net {
    stem: Box<dyn Layer>,
    blocks: Vec<Block>,
    head: Option<Linear>,
}

fn net() -> Net {
    Net { stem: Box::new(linear(4, 4)), blocks: vec![block(), block()], head: Some(linear(4, 2)) }
}

impl Layer for Net {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        let x = self.blocks.iter().fold(self.stem.forward(x), |x, block| block.forward(x));
        self.head.as_ref().map_or(x, |head| head.forward(x))
    }
}

const NET: [&str; 10] = [
    "stem",
    "blocks.0.attention.fc1",
    "blocks.0.attention.fc2",
    "blocks.0.attention",
    "blocks.0",
    "blocks.1.attention.fc1",
    "blocks.1.attention.fc2",
    "blocks.1.attention",
    "blocks.1",
    "head",
];

#[test]
fn a_layer_is_named_by_its_path_of_fields_lists_and_scopes() {
    assert_eq!(forward(&net()), NET);
    let boxed: Box<dyn Layer> = Box::new(net());
    assert_eq!(forward(&boxed), NET);
    let error = error_path(|tape| _ = net().forward(tape.input(&[2, 3])));
    assert_eq!(error, "stem");
    let mut model = net();
    model.blocks[1].fc2 = linear(5, 4);
    assert_eq!(model.summary(&[2, 4]).unwrap_err().path, "blocks.1.attention.fc2");
    let text = panic::catch_unwind(AssertUnwindSafe(|| model.predict(&Tensor::zeros(&[2, 4]))));
    let text = *text.unwrap_err().downcast::<String>().unwrap();
    assert!(text.starts_with("blocks.1.attention.fc2: linear: expected […, 5]"), "{text}");
}

#[test]
fn names_are_right_after_a_model_is_moved_or_copied() {
    let model = net();
    assert_eq!(forward(&model), NET);
    let mut moved = Box::new(model);
    assert_eq!(forward(&*moved), NET);
    moved.blocks.insert(0, block());
    moved.blocks.swap(0, 2);
    moved.blocks.remove(0);
    assert_eq!(forward(&*moved), NET, "a new tape must find the names again");
    assert_eq!(forward(&moved.clone()), NET);
    moved.freeze();
    assert_eq!(forward(&*moved), NET);
}

#[test]
fn names_are_right_after_training_and_moving_a_model() {
    let train = |model: &mut Net, rng: &mut Philox| {
        let tape = Tape::train(rng);
        let gradients =
            model.forward(tape.constant(Tensor::ones(&[2, 4]))).square().sum_all().backward();
        model.visit_mut(&Path::root(), &mut |_, state| {
            let param = state.downcast_mut::<Param>().unwrap();
            let change = gradients.get(param).unwrap() * -0.01;
            param.update(|w| *w += &change);
        });
    };
    let (mut rng, mut model) = (Philox::new(0), net());
    train(&mut model, &mut rng);
    let mut models = vec![model];
    models.reserve(100);
    train(&mut models[0], &mut rng);
    assert_eq!(forward(&models[0]), NET);
}

#[test]
fn a_part_is_named_by_its_path_within_the_entered_model() {
    let model = net();
    // Used alone, the part is a model of its own.
    let alone = |tape: &Tape| _ = model.blocks[1].forward(tape.input(&[2, 4]));
    assert_eq!(paths(alone), ["attention.fc1", "attention.fc2", "attention"]);
    // A training loop enters the model and calls its parts.
    let parts = paths(|tape| {
        _ = tape.enter(&model, || {
            let x = tape.scope("student", || model.blocks[1].fc1.forward(tape.input(&[2, 4])));
            model.head.as_ref().unwrap().forward(x)
        });
    });
    assert_eq!(parts, ["student.blocks.1.fc1", "student", "head"]);
    // The same holds for a part that runs after the whole model.
    let after = paths(|tape| {
        model.forward(tape.input(&[2, 4]));
        model.blocks[1].fc1.forward(tape.input(&[2, 4]));
        tape.scope("again", || model.blocks[1].fc1.forward(tape.input(&[2, 4])));
    });
    assert_eq!(after[..10], NET);
    assert_eq!(after[10..], ["blocks.1.fc1", "again.blocks.1.fc1", "again"]);
    // And for a part that runs before it: its path is that within the whole model.
    let before = paths(|tape| {
        model.blocks[1].fc1.forward(tape.input(&[2, 4]));
        model.forward(tape.input(&[2, 4]));
        model.blocks[1].fc1.forward(tape.input(&[2, 4]));
    });
    assert_eq!(before[..10], NET);
    assert_eq!(before[10..], ["blocks.1.fc1"]);
    // If no whole model runs, each part is a model of its own.
    let parts = paths(|tape| {
        let x = model.blocks[0].fc1.forward(tape.input(&[2, 4]));
        let x = model.blocks[0].fc2.forward(x);
        let x = model.blocks[1].fc1.forward(x);
        model.blocks[0].fc2.forward(x);
    });
    assert_eq!(parts, ["Linear", "Linear_2", "Linear"]);
}

#[test]
fn layers_without_parameters_are_named_by_type_and_number() {
    #[derive(Clone, Module)]
    #[module(crate = "wengert_autograd")]
    struct Cnn {
        conv: Linear,
        pool: MaxPool2d,
        act: Relu,
        drop: Dropout,
    }
    impl Layer for Cnn {
        fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
            let x = self.act.forward(self.conv.forward(x));
            let x = self.pool.forward(x.reshape(&[1, 1, 4, 4]));
            let x = self.act.forward(self.pool.forward(x));
            let x = self.drop.forward(Flatten::new().forward(x));
            x.tape().scope("act", || self.act.forward(Softmax(-1).forward(self.act.forward(x))))
        }
    }
    let model =
        Cnn { conv: linear(4, 4), pool: MaxPool2d::new(2), act: Relu, drop: Dropout::new(0.5) };
    let expected = [
        "conv",
        "Relu",
        "MaxPool2d",
        "MaxPool2d_2",
        "Relu_2",
        "Flatten",
        "Dropout",
        "act.Relu",
        "act.Softmax",
        "act.Relu_2",
        "act",
    ];
    let run = |tape: &Tape| _ = model.forward(tape.input(&[4, 4]));
    assert_eq!(paths(run), expected);
    // Two forward passes record the same names.
    let twice = paths(|tape| {
        model.forward(tape.input(&[4, 4]));
        model.forward(tape.input(&[4, 4]));
    });
    assert_eq!(twice, [expected, expected].concat());

    // In a loop without a model, layers without parameters have a name as soon as a model runs too.
    let model = sequential![linear(4, 4), Tanh];
    let beside = paths(|tape| {
        let x = Relu.forward(Flatten::new().forward(tape.input(&[2, 2, 2])));
        let x = model.forward(x);
        Softmax(1).forward(Relu.forward(Relu.forward(x)));
    });
    assert_eq!(beside, ["0", "1", "Relu", "Relu_2", "Softmax"]);
    assert_eq!(error_path(|tape| _ = Flatten::axes(3, 4).forward(tape.input(&[2, 2]))), "");
}

#[derive(Clone, Module)]
#[module(crate = "wengert_autograd")]
struct Holder {
    body: Sequential,
}
impl Layer for Holder {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.body.forward(x)
    }
}

#[test]
fn a_sequential_names_all_its_layers() {
    let inner = Sequential::new().add_named("drop", Dropout::new(0.1)).add(Tanh).add(linear(4, 4));
    let model = sequential![Relu, linear(4, 4), Relu, inner, Box::new(block()) as Box<dyn Layer>];
    let expected = [
        "0",
        "1",
        "2",
        "3.drop",
        "3.1",
        "3.2",
        "3",
        "4.attention.fc1",
        "4.attention.fc2",
        "4.attention",
        "4",
    ];
    assert_eq!(forward(&model), expected);
    assert_eq!(forward(&sequential![Relu, sequential![Tanh], Relu]), ["0", "1.0", "1", "2"]);
    let inside = |outer: &str| expected.map(|name| format!("{outer}.{name}"));
    let nested = sequential![model.clone()];
    assert_eq!(forward(&nested)[..11], inside("0"));
    assert_eq!(forward(&Holder { body: model })[..11], inside("body"));
}

#[derive(Clone, Module)]
#[module(crate = "wengert_autograd")]
struct Wrapper<L: Layer> {
    inner: L,
}
impl<L: Layer + Clone> Layer for Wrapper<L> {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.inner.forward(x)
    }
}

#[derive(Clone, Module)]
#[module(crate = "wengert_autograd")]
enum Either {
    Plain(Linear),
    Wrapped(Wrapper<Linear>),
    Nothing,
}
impl Layer for Either {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        match self {
            Either::Plain(layer) => layer.forward(x),
            Either::Wrapped(layer) => layer.forward(x),
            Either::Nothing => x.relu(),
        }
    }
}
#[derive(Clone, Module)]
#[module(crate = "wengert_autograd")]
struct Each {
    each: Vec<Either>,
}
impl Layer for Each {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.each.iter().fold(x, |x, layer| layer.forward(x))
    }
}

/// The first parameter of a wrapper is that of the wrapped module.
#[test]
fn nested_modules_with_the_same_first_parameter_have_their_own_names() {
    let wrap = |inner| Wrapper { inner };
    let model = Wrapper { inner: wrap(linear(4, 4)) };
    assert_eq!(forward(&model), ["inner.inner", "inner"]);
    assert_eq!(forward(&sequential![model]), ["0.inner.inner", "0.inner", "0"]);

    // An enum's variant and the module in it have the same path, so they have one name and one line.
    let each =
        vec![Either::Plain(linear(4, 4)), Either::Nothing, Either::Wrapped(wrap(linear(4, 4)))];
    assert_eq!(forward(&Each { each }), ["each.0", "Either", "each.2.inner", "each.2"]);
}

#[test]
fn modules_in_every_container_are_named() {
    #[derive(Clone, Module)]
    #[module(crate = "wengert_autograd")]
    struct All {
        scale: f64,
        first: Option<Linear>,
        none: Option<Linear>,
        array: [Linear; 2],
        pair: (Relu, Linear),
        map: BTreeMap<String, Box<Linear>>,
        #[module(rename = "with.dots")]
        renamed: Vec<Option<Linear>>,
    }
    impl Layer for All {
        fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
            assert!(self.none.is_none());
            let layers = self.first.iter().chain(&self.array).chain([&self.pair.1]);
            let x = layers.fold(x * self.scale, |x, layer| layer.forward(x));
            let x = self.map.values().fold(x, |x, layer| layer.forward(x));
            let tape = x.tape();
            tape.enter(&self.renamed, || {
                self.renamed.iter().flatten().fold(x, |x, layer| layer.forward(x))
            })
        }
    }
    let layer = || linear(4, 4);
    let model = All {
        scale: 2.0,
        first: Some(layer()),
        none: None,
        array: [layer(), layer()],
        pair: (Relu, layer()),
        map: BTreeMap::from([("b".into(), Box::new(layer())), ("a.x".into(), Box::new(layer()))]),
        renamed: vec![None, Some(layer())],
    };
    let expected =
        ["first", "array.0", "array.1", "pair.1", "map.a.x", "map.b", "with.dots.1", "with.dots"];
    assert_eq!(forward(&model), expected);
}

/// A module with a hand-written `visit` and without `first_state`, whose first state is a buffer.
#[test]
fn modules_without_derive_are_named() {
    #[derive(Clone)]
    struct Hand {
        count: Buffer<i64>,
        fc: Linear,
    }
    impl Module for Hand {
        fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
            self.count.visit(&path.child("deep").child("count"), see);
            self.fc.visit(&path.child("fc"), see);
        }
        fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
            self.count.visit_mut(&path.child("deep").child("count"), see);
            self.fc.visit_mut(&path.child("fc"), see);
        }
    }
    impl Layer for Hand {
        fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
            self.fc.forward(x)
        }
    }
    let hand = Hand { count: Buffer::new(Tensor::scalar_of(0i64)), fc: linear(4, 4) };
    assert_eq!(forward(&hand), ["fc"]);
    assert_eq!(forward(&sequential![Relu, hand]), ["0", "1.fc", "1"]);
}

#[test]
fn two_models_on_one_tape_are_named_apart() {
    #[derive(Clone, Module)]
    #[module(crate = "wengert_autograd")]
    struct Discriminator(Linear, Linear);
    impl Layer for Discriminator {
        fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
            self.1.forward(self.0.forward(x))
        }
    }
    let generator = block();
    let judge = Discriminator(linear(4, 4), linear(4, 1));
    let names = paths(|tape| {
        let fake = generator.forward(tape.input(&[2, 4]));
        judge.forward(fake);
        judge.forward(tape.input(&[2, 4]));
    });
    let judged = ["Discriminator.0", "Discriminator.1", "Discriminator"];
    assert_eq!(names[..3], ["attention.fc1", "attention.fc2", "attention"]);
    assert_eq!(names[3..], [judged, judged].concat());

    let names = paths(|tape| {
        let fake = tape.scope("generator", || generator.forward(tape.input(&[2, 4])));
        tape.scope("discriminator", || judge.forward(fake));
        tape.scope("discriminator", || judge.forward(tape.input(&[2, 4])));
    });
    let judged = ["discriminator.0", "discriminator.1", "discriminator"];
    let made =
        ["attention.fc1", "attention.fc2", "attention"].map(|name| format!("generator.{name}"));
    assert_eq!(names[..3], made);
    assert_eq!(names[3..], [&["generator"][..], &judged, &judged].concat());

    // Two models of one type, and a clone together with the original.
    let twins = paths(|tape| {
        let x = linear(4, 4).forward(tape.input(&[2, 4]));
        let model = sequential![linear(4, 4)];
        model.clone().forward(model.forward(x));
    });
    assert_eq!(twins, ["Sequential.0", "Sequential", "Sequential_2.0", "Sequential_2"]);
}

/// A model holds a teacher that its `visit` does not contain.
#[test]
fn a_skipped_model_is_named_by_its_own_fields() {
    #[derive(Clone, Module)]
    #[module(crate = "wengert_autograd", no_display)]
    struct Student {
        fc: Linear,
        #[module(skip)]
        teacher: Arc<Block>,
    }
    impl Layer for Student {
        fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
            let taught = self.teacher.forward(x);
            let named = x.tape().scope("named", || self.teacher.forward(x));
            self.fc.forward(x) - taught - named
        }
    }
    let model = Student { fc: linear(4, 4), teacher: Arc::new(block()) };
    let inside = |outer: &str| {
        ["attention.fc1", "attention.fc2", "attention"].map(|name| format!("{outer}.{name}"))
    };
    let names = forward(&model);
    assert_eq!(names[..3], inside("Block"));
    assert_eq!(names[3], "Block");
    assert_eq!(names[4..7], inside("named.Block"));
    assert_eq!(names[7..], ["named.Block", "named", "fc"]);
    // The parameters of the teacher do not belong to the model.
    let summary = model.summary(&[1, 4]).unwrap();
    let counts = summary.layers.iter().map(|layer| (&*layer.path, layer.parameters));
    assert_eq!(counts.filter(|layer| layer.1 > 0).collect::<Vec<_>>(), [("fc", 20)]);
}

/// A decoder reads the weight of the encoder's embedding, as in language models.
#[test]
fn a_module_used_within_a_sibling_keeps_its_own_path() {
    #[derive(Clone, Module)]
    #[module(crate = "wengert_autograd")]
    struct Model {
        embedding: Linear,
        decoder: Block,
    }
    impl Layer for Model {
        fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
            let x = self.embedding.forward(x);
            let tape = x.tape();
            tape.enter(&self.decoder, || self.decoder.fc1.forward(self.embedding.forward(x)))
        }
    }
    let model = Model { embedding: linear(4, 4), decoder: block() };
    assert_eq!(forward(&model), ["embedding", "embedding", "decoder.fc1", "decoder"]);
    let around = paths(|tape| _ = tape.scope("a", || model.forward(tape.input(&[2, 4]))));
    assert_eq!(around, ["a.embedding", "a.embedding", "a.decoder.fc1", "a.decoder", "a"]);
    // If only the decoder is entered, the path is still that within the model.
    let part = paths(|tape| {
        model.forward(tape.input(&[2, 4]));
        tape.enter(&model.decoder, || model.embedding.forward(tape.input(&[2, 4])));
    });
    assert_eq!(part[4..], ["embedding", "decoder"]);
}

#[test]
fn a_module_with_two_inputs_is_named() {
    #[derive(Clone, Module)]
    #[module(crate = "wengert_autograd")]
    struct Bilinear {
        left: Linear,
        right: Linear,
    }
    impl Bilinear {
        fn forward<'t>(&self, x: Var<'t>, y: Var<'t>) -> (Var<'t>, Var<'t>) {
            x.tape().enter(self, || (self.left.forward(x), self.right.forward(y)))
        }
    }
    let heads = vec![Bilinear { left: linear(4, 2), right: linear(3, 2) }];
    let names = paths(|tape| {
        let (x, y) = (tape.input(&[2, 4]), tape.input(&[2, 3]));
        _ = tape.enter(&heads, || heads[0].forward(x, y));
    });
    assert_eq!(names, ["0.left", "0.right", "0"]);
}

#[test]
fn a_panic_ends_the_open_scopes() {
    let model = net();
    let tape = Tape::new();
    let bad = || _ = model.forward(tape.constant(Tensor::zeros(&[2, 3])));
    assert!(panic::catch_unwind(AssertUnwindSafe(bad)).is_err());
    assert_eq!(tape.path(), "");
    assert_eq!(tape.catch(bad).unwrap_err().path, "stem");
    assert_eq!(tape.path(), "");
}

/// The error of a layer points at the line of the model's code that calls the layer.
#[test]
fn a_refusal_points_at_the_line_of_the_call() {
    #[derive(Clone, Module)]
    #[module(crate = "wengert_autograd")]
    struct Model {
        fc1: Linear,
        fc2: Linear,
    }
    const LINE: u32 = line!() + 4;
    impl Layer for Model {
        fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
            let x = self.fc1.forward(x);
            self.fc2.forward(x)
        }
    }
    let model = Model { fc1: linear(4, 4), fc2: linear(3, 3) };
    let (_, file, line) = panic_of(|| drop(model.predict(&Tensor::zeros(&[2, 4]))));
    assert!(file.ends_with("names.rs"), "{file}");
    assert_eq!(line, LINE);
}
