//! The [`Sequential`] container: layers that run one after the other.

use crate::activation::Identity;
use crate::layer::Layer;
use std::fmt;
use std::ops::{Index, IndexMut};
use wengert_autograd::{FirstState, Module, Outline, Path, See, SeeMut, Var};
use wengert_tensor::Float;

/// Runs layers one after the other, each on the output of the previous layer.
///
/// The layers are named by their positions (`0.weight`), as in PyTorch, or by the names given to
/// [`add_named`](Sequential::add_named). The output of a layer is released as soon as the next
/// layer has run, unless a derivative rule reads it.
///
/// If the input of a layer does not fit, the message begins with the path of the layer, such as `0.0`. The
/// line of the panic is in this library, because Rust does not pass the caller's line to boxed layers.
///
/// ```
/// use wengert::nn::{Layer, Linear, Relu, Sequential};
/// use wengert::tensor::{Philox, Tensor};
/// let mut rng = Philox::new(0);
/// let model = Sequential::new()
///     .add(Linear::new(784, 128, &mut rng))
///     .add(Relu)
///     .add(Linear::new(128, 10, &mut rng));
/// assert_eq!(model.predict(&Tensor::zeros(&[32, 784])).shape(), [32, 10]);
/// assert_eq!(model.to_string(), "\
/// Sequential(
///   (0): Linear(weight: [128, 784], bias: [128])
///   (1): Relu
///   (2): Linear(weight: [10, 128], bias: [10])
/// )");
/// ```
#[derive(Clone)]
pub struct Sequential<T: Float = f32> {
    layers: Vec<(String, Box<dyn Layer<T>>)>,
}

/// Creates a [`Sequential`] of these layers. Its element type is that of the layers. If no layer
/// has parameters, name the type: `let model: Sequential = sequential![Flatten::new(), Relu];`
///
/// ```
/// use wengert::nn::{Linear, Relu, sequential};
/// use wengert::tensor::Philox;
/// let mut rng = Philox::new(0);
/// let model = sequential![Linear::new(4, 8, &mut rng), Relu, Linear::new(8, 1, &mut rng)];
/// assert_eq!(model.len(), 3);
/// ```
#[macro_export]
macro_rules! sequential {
    ($($layer:expr),* $(,)?) => { $crate::Sequential::of()$(.add($layer))* };
}

impl Sequential {
    /// Creates an empty container of `f32` layers.
    pub fn new() -> Self {
        Self::of()
    }
}

impl<T: Float> Sequential<T> {
    /// Creates an empty container of layers of any element type, as [`Sequential::new`] does for
    /// `f32`: `Sequential::<f64>::of()`.
    pub fn of() -> Self {
        Sequential { layers: Vec::new() }
    }

    /// Appends a layer, named by its position.
    #[allow(clippy::should_implement_trait)] // PyTorch's `add_module`; `+` would say nothing
    #[must_use]
    #[track_caller]
    pub fn add(self, layer: impl Layer<T>) -> Self {
        let name = self.len().to_string();
        self.add_named(&name, layer)
    }

    /// Appends a layer with this name.
    ///
    /// # Panics
    /// If another layer has this name, or the name is empty or contains a dot.
    #[must_use]
    #[track_caller]
    pub fn add_named(mut self, name: &str, layer: impl Layer<T>) -> Self {
        assert!(
            !name.is_empty() && !name.contains('.'),
            "Sequential: the name of a layer must not be empty or contain a dot, got {name:?}"
        );
        assert!(self.get(name).is_none(), "Sequential: a layer named {name:?} already exists");
        self.layers.push((name.to_string(), Box::new(layer)));
        self
    }

    /// Returns the number of layers.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Returns whether there are no layers. The output of an empty container has the values of its
    /// input.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Returns the layer with this name.
    pub fn get(&self, name: &str) -> Option<&dyn Layer<T>> {
        self.layers.iter().find(|(other, _)| other == name).map(|(_, layer)| &**layer)
    }

    /// Iterates over the layers in the order in which they run.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &dyn Layer<T>> {
        self.layers.iter().map(|(_, layer)| &**layer)
    }
}

impl<T: Float> Layer<T> for Sequential<T> {
    #[track_caller]
    fn call<'t>(&self, input: Var<'t, T>) -> Var<'t, T> {
        let mut x = input;
        for (name, layer) in &self.layers {
            let y = x.tape().enter_as(name, layer, || layer.call(x));
            // `x` is private to this loop unless it is the caller's input or the layer returned it
            // unchanged.
            if !x.is(input) && !x.is(y) {
                x.release();
            }
            x = y;
        }
        // Without layers, too, the result must be a new variable.
        if x.is(input) { Identity.call(x) } else { x }
    }
}

impl<T: Float> Module for Sequential<T> {
    fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
        for (name, layer) in &self.layers {
            layer.visit(&path.child(name), see);
        }
    }
    fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
        for (name, layer) in &mut self.layers {
            layer.visit_mut(&path.child(name), see);
        }
    }
    fn first_state(&self) -> Option<FirstState> {
        self.layers.iter().find_map(|(_, layer)| layer.first_state()).map(FirstState::below)
    }
    fn outline(&self) -> Outline {
        let outline = Outline::new("Sequential");
        self.layers.iter().fold(outline, |outline, (name, layer)| outline.field(name, layer))
    }
}

impl<T: Float> Default for Sequential<T> {
    fn default() -> Self {
        Self::of()
    }
}

impl<T: Float> From<Vec<Box<dyn Layer<T>>>> for Sequential<T> {
    fn from(layers: Vec<Box<dyn Layer<T>>>) -> Self {
        layers.into_iter().collect()
    }
}

impl<T: Float> FromIterator<Box<dyn Layer<T>>> for Sequential<T> {
    fn from_iter<I: IntoIterator<Item = Box<dyn Layer<T>>>>(layers: I) -> Self {
        let named = |(i, layer): (usize, _)| (i.to_string(), layer);
        Sequential { layers: layers.into_iter().enumerate().map(named).collect() }
    }
}

impl<T: Float> Index<usize> for Sequential<T> {
    type Output = dyn Layer<T>;
    /// Returns the layer at position `i`.
    ///
    /// # Panics
    /// If there are not more than `i` layers.
    #[track_caller]
    fn index(&self, i: usize) -> &Self::Output {
        check_position(i, self.len());
        &*self.layers[i].1
    }
}

impl<T: Float> IndexMut<usize> for Sequential<T> {
    #[track_caller]
    fn index_mut(&mut self, i: usize) -> &mut Self::Output {
        check_position(i, self.len());
        &mut *self.layers[i].1
    }
}

#[track_caller]
fn check_position(i: usize, layers: usize) {
    assert!(i < layers, "Sequential: layer {i} does not exist: the number of layers is {layers}");
}

impl<T: Float> fmt::Display for Sequential<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outline().fmt(f)
    }
}

impl<T: Float> fmt::Debug for Sequential<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outline().fmt(f)
    }
}
