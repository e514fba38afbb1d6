//! Tests the code that `derive(Module)` generates for every form of type.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use wengert_autograd::{Buffer, Module, Outline, Param, Path, See, SeeMut};
use wengert_nn_derive::Module;
use wengert_tensor::{Float, Tensor};

fn param(shape: &[usize]) -> Param {
    Param::new(Tensor::zeros(shape))
}

/// Returns the names that both walks visit. The two walks must agree.
fn names(module: &mut dyn Module) -> Vec<String> {
    let names: Vec<_> = module.named_state().into_iter().map(|(name, _)| name).collect();
    let mut again = Vec::new();
    module.visit_mut(&Path::root(), &mut |path, _| again.push(path.to_string()));
    assert_eq!(names, again);
    assert_eq!(
        module.first_state(),
        Walked(module).first_state(),
        "the derived first_state must be the first state that a walk meets"
    );
    names
}

/// A module that does not define `first_state`, so that a walk finds its first state.
struct Walked<'a>(&'a mut dyn Module);
impl Module for Walked<'_> {
    fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
        self.0.visit(path, see);
    }
    fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
        self.0.visit_mut(path, see);
    }
}

#[derive(Module, Clone)]
#[module(crate = "wengert_autograd")]
struct Linear<T: Float = f32> {
    weight: Param<T>,
    bias: Option<Param<T>>,
}

impl<T: Float> Linear<T> {
    fn new(inputs: usize, outputs: usize) -> Self {
        Linear {
            weight: Param::new(Tensor::zeros_of(&[outputs, inputs])),
            bias: Some(Param::new(Tensor::zeros_of(&[outputs]))),
        }
    }
}

#[derive(Module, Clone, Copy)]
#[module(crate = "wengert_autograd")]
struct Relu;

#[derive(Module)]
#[module(crate = "wengert_autograd")]
struct Perceptron(Linear, Relu, Linear, Relu, Linear, Relu, Linear);

#[test]
fn fields_of_a_tuple_struct_are_named_by_their_index() {
    let mut model = Perceptron(
        Linear::new(5, 3),
        Relu,
        Linear::new(3, 7),
        Relu,
        Linear::new(7, 5),
        Relu,
        Linear::new(5, 1),
    );
    assert_eq!(model.parameter_count(), 92);
    assert_eq!(
        names(&mut model),
        ["0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias", "6.weight", "6.bias"]
    );
    model.freeze_under("0");
    assert_eq!(model.trainable_count(), 92 - 18);
}

#[test]
fn a_clone_of_a_module_has_separate_parameters() {
    let model = Linear::<f64>::new(2, 2);
    let copy = model.clone();
    assert_ne!(model.weight.id(), copy.weight.id());
    assert_eq!(names(&mut model.clone()), ["weight", "bias"]);
}

/// A type that is not a module.
#[derive(Default)]
struct Cache(#[allow(dead_code)] Vec<Tensor>);

#[derive(Module)]
#[module(crate = wengert_autograd)]
struct Everything<'a, M: ?Sized, T = f32, const N: usize = 2>
where
    T: Float,
{
    r#type: &'static str,
    pair: (Linear<T>, Buffer<i64>),
    many: Vec<Linear<T>>,
    fixed: [Option<Linear>; N],
    map: BTreeMap<String, Param<T>>,
    #[module(rename = "inner")]
    boxed: Box<M>,
    p: f64,
    marker: PhantomData<T>,
    #[module(skip)]
    cache: Cache,
    #[module(skip)]
    _borrowed: &'a Cache,
}

#[test]
fn every_kind_of_field_is_visited_by_its_name() {
    let outside = Cache::default();
    let mut model = Everything::<dyn Module, f64> {
        r#type: "all",
        pair: (Linear::new(1, 2), Buffer::new(Tensor::scalar_of(0))),
        many: vec![Linear::new(2, 2), Linear { bias: None, ..Linear::new(2, 2) }],
        fixed: [None, Some(Linear::new(1, 1))],
        map: BTreeMap::from([("z".to_string(), Param::new(Tensor::zeros_of(&[3])))]),
        boxed: Box::new(vec![Linear::<f32>::new(1, 1)]),
        p: 1e-5,
        marker: PhantomData,
        cache: Cache::default(),
        _borrowed: &outside,
    };
    assert!(model.cache.0.is_empty());
    assert_eq!(
        names(&mut model),
        [
            "pair.0.weight",
            "pair.0.bias",
            "pair.1",
            "many.0.weight",
            "many.0.bias",
            "many.1.weight",
            "fixed.1.weight",
            "fixed.1.bias",
            "map.z",
            "inner.0.weight",
            "inner.0.bias"
        ]
    );
    let expected = r#"Everything(
  (type): "all"
  (pair): (
    (0): Linear(weight: [2, 1], bias: [2])
    (1): []
  )
  (many): [
    (0): Linear(weight: [2, 2], bias: [2])
    (1): Linear(weight: [2, 2], bias: None)
  ]
  (fixed): [
    (0): None
    (1): Linear(weight: [1, 1], bias: [1])
  ]
  (map): {z: [3]}
  (inner): [
    (0): Linear(weight: [1, 1], bias: [1])
  ]
  (p): 1e-5
  (marker): _
)"#;
    assert_eq!(model.to_string(), expected);
}

#[derive(Module)]
#[module(crate = "wengert_autograd")]
enum Norm {
    Identity,
    Scale(Param),
    Affine { weight: Param, bias: Param },
    Both(Param, #[module(rename = "shift")] Param),
    Named(#[module(rename = "scale")] Param),
}

#[test]
fn a_variant_adds_nothing_to_the_path() {
    let p = || param(&[4]);
    let mut norms = vec![
        Norm::Identity,
        Norm::Scale(p()),
        Norm::Affine { weight: p(), bias: p() },
        Norm::Both(p(), p()),
        Norm::Named(p()),
    ];
    assert_eq!(names(&mut norms), ["1", "2.weight", "2.bias", "3.0", "3.shift", "4.scale"]);
    let shown: Vec<_> = norms.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "Identity",
            "[4]",
            "Affine(weight: [4], bias: [4])",
            "Both([4], shift: [4])",
            "Named(scale: [4])"
        ]
    );
}

/// Options of a type that is not a module. Only the options that are set are printed.
#[derive(Clone, Copy, Default)]
struct Options {
    stride: Option<usize>,
    groups: Option<usize>,
}

impl Options {
    fn print(&self, outline: Outline) -> Outline {
        let options = [("stride", self.stride), ("groups", self.groups)];
        options.into_iter().fold(outline, |outline, (name, value)| match value {
            Some(value) => outline.with(name, Outline::value(value)),
            None => outline,
        })
    }
}

#[derive(Module)]
#[module(crate = "wengert_autograd")]
struct Convolution<T: Float = f32> {
    weight: Param<T>,
    #[module(print_with = Options::print)]
    options: Options,
    bias: Option<Param<T>>,
}

#[derive(Module)]
#[module(crate = "wengert_autograd")]
enum Window {
    Pool(#[module(print_with = "Options::print")] Options),
    Conv(Param, #[module(print_with = Options::print)] Options),
}

#[test]
fn a_field_can_be_printed_by_a_function() {
    let none = Options::default();
    let mut conv = Convolution { weight: param(&[4, 2]), options: none, bias: None };
    assert_eq!(names(&mut conv), ["weight"]);
    assert_eq!(conv.to_string(), "Convolution(weight: [4, 2], bias: None)");
    conv.options = Options { stride: Some(2), groups: Some(3) };
    conv.bias = Some(param(&[4]));
    assert_eq!(names(&mut conv), ["weight", "bias"]);
    assert_eq!(conv.to_string(), "Convolution(weight: [4, 2], stride: 2, groups: 3, bias: [4])");

    let groups = Options { groups: Some(3), ..none };
    let mut windows =
        [Window::Pool(groups), Window::Conv(param(&[1]), none), Window::Conv(param(&[1]), groups)];
    assert_eq!(names(&mut windows), ["1.0", "2.0"]);
    let shown = windows.map(|window| window.to_string());
    assert_eq!(shown, ["Pool(groups: 3)", "Conv([1])", "Conv([1], groups: 3)"]);
}

#[derive(Module)]
#[module(crate = "wengert_autograd")]
enum Never {}

#[test]
fn an_enum_without_variants_can_derive_module() {
    assert!(names(&mut None::<Never>).is_empty());
}

/// A type that is generic over the module in it. The derive adds the bound.
#[derive(Module)]
#[module(crate = "wengert_autograd", no_display)]
struct Residual<M> {
    body: M,
}

impl<M: Module> std::fmt::Display for Residual<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "x + {}", self.body.outline())
    }
}

#[test]
fn display_can_be_written_by_hand() {
    let mut model = Residual { body: Relu };
    assert!(names(&mut model).is_empty());
    assert_eq!(model.to_string(), "x + Relu");
}

/// A recursive type. It needs no bound on itself.
#[derive(Module)]
#[module(crate = "wengert_autograd")]
struct Tree<M> {
    leaf: M,
    children: Vec<Tree<M>>,
    next: Option<Box<Other>>,
}

#[derive(Module)]
#[module(crate = "wengert_autograd")]
struct Other {
    back: Vec<Tree<Param>>,
}

#[test]
fn recursive_types_can_derive_module() {
    let leaf = || Tree { leaf: param(&[1]), children: vec![], next: None };
    let mut tree = Tree {
        leaf: param(&[2]),
        children: vec![leaf(), leaf()],
        next: Some(Box::new(Other { back: vec![leaf()] })),
    };
    assert_eq!(
        names(&mut tree),
        ["leaf", "children.0.leaf", "children.1.leaf", "next.back.0.leaf"]
    );
}

/// A private type in a field of a public generic type does not become a private bound.
mod visibility {
    use super::{Module, Param};
    use wengert_tensor::Float;

    #[derive(Module)]
    #[module(crate = "wengert_autograd")]
    struct Private<T: Float>(Param<T>);

    #[derive(Module)]
    #[module(crate = "wengert_autograd")]
    pub struct Public<T: Float> {
        inner: Private<T>,
    }

    impl<T: Float> Public<T> {
        pub fn new(param: Param<T>) -> Self {
            Public { inner: Private(param) }
        }
    }
}

#[test]
fn private_types_inside_public_ones_can_derive_module() {
    /// Only the bound of the type itself is needed.
    fn count<T: Float>(model: &visibility::Public<T>) -> usize {
        model.parameter_count()
    }
    assert_eq!(count(&visibility::Public::new(param(&[3]))), 3);
}
