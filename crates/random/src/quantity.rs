//! What a parameter of a distribution can be: a number, a tensor or a variable, and their combinations.

use wengert_autograd::{Tape, Var};
use wengert_tensor::{Float, Shape, Tensor};

mod sealed {
    pub trait Sealed {}
}

/// A formula on variables. It serves tensors too: they are put on a tape without history.
pub type Formula<'f, T> = dyn for<'s> Fn(&[Var<'s, T>]) -> Var<'s, T> + 'f;

/// The type of the results of a distribution: a [`Tensor`], or a [`Var`] if a parameter is a variable.
pub trait Quantity: Clone + sealed::Sealed {
    /// The type of the elements.
    type Float: Float;

    #[doc(hidden)]
    fn sizes(&self) -> Shape;

    /// Returns the numbers without a derivative.
    #[doc(hidden)]
    fn numbers(&self) -> Tensor<Self::Float>;

    /// Returns whether the numbers are known: a shape-only run has none.
    #[doc(hidden)]
    fn has_numbers(&self) -> bool;

    /// Returns a constant beside `self`: on the same tape.
    #[doc(hidden)]
    fn beside(&self, numbers: Tensor<Self::Float>) -> Self;

    #[doc(hidden)]
    fn stretched(&self, shape: &Shape) -> Self;

    #[doc(hidden)]
    fn refuse(&self, message: String) -> !;

    /// Computes a formula of quantities of one kind. There is at least one.
    #[doc(hidden)]
    fn apply(inputs: &[Self], formula: &Formula<Self::Float>) -> Self;
}

impl<T: Float> sealed::Sealed for Tensor<T> {}
impl<T: Float> Quantity for Tensor<T> {
    type Float = T;

    fn sizes(&self) -> Shape {
        self.shape()
    }
    fn numbers(&self) -> Tensor<T> {
        self.clone()
    }
    fn has_numbers(&self) -> bool {
        true
    }
    fn beside(&self, numbers: Tensor<T>) -> Self {
        numbers
    }
    #[track_caller]
    fn stretched(&self, shape: &Shape) -> Self {
        self.broadcast_to(shape)
    }
    #[track_caller]
    fn refuse(&self, message: String) -> ! {
        panic!("{message}")
    }
    #[track_caller]
    fn apply(inputs: &[Self], formula: &Formula<T>) -> Self {
        let tape = Tape::inference();
        let inputs: Vec<Var<'_, T>> = inputs.iter().map(|x| tape.constant(x.clone())).collect();
        formula(&inputs).value()
    }
}

impl<T: Float> sealed::Sealed for Var<'_, T> {}
impl<T: Float> Quantity for Var<'_, T> {
    type Float = T;

    fn sizes(&self) -> Shape {
        self.shape()
    }
    #[track_caller]
    fn numbers(&self) -> Tensor<T> {
        self.value()
    }
    fn has_numbers(&self) -> bool {
        !self.tape().is_shape_only()
    }
    #[track_caller]
    fn beside(&self, numbers: Tensor<T>) -> Self {
        self.tape().constant(numbers)
    }
    #[track_caller]
    fn stretched(&self, shape: &Shape) -> Self {
        if self.shape() == *shape { *self } else { self.broadcast_to(shape) }
    }
    #[track_caller]
    fn refuse(&self, message: String) -> ! {
        self.tape().shape_error(message)
    }
    #[track_caller]
    fn apply(inputs: &[Self], formula: &Formula<T>) -> Self {
        formula(inputs)
    }
}

/// One number, tensor or variable.
pub enum Held<'t, T: Float> {
    Number(f64),
    Tensor(Tensor<T>),
    Variable(Var<'t, T>),
}

trait Hold<'t, T: Float> {
    fn held(&self) -> Held<'t, T>;
}
impl<'t, T: Float> Hold<'t, T> for f64 {
    fn held(&self) -> Held<'t, T> {
        Held::Number(*self)
    }
}
impl<'t, T: Float> Hold<'t, T> for Tensor<T> {
    fn held(&self) -> Held<'t, T> {
        Held::Tensor(self.clone())
    }
}
impl<'t, T: Float> Hold<'t, T> for &Tensor<T> {
    fn held(&self) -> Held<'t, T> {
        Held::Tensor((*self).clone())
    }
}
impl<'t, T: Float> Hold<'t, T> for Var<'t, T> {
    fn held(&self) -> Held<'t, T> {
        Held::Variable(*self)
    }
}

fn tensors<T: Float>(list: Vec<Held<'_, T>>) -> Vec<Tensor<T>> {
    let tensor = |held| match held {
        Held::Number(x) => Tensor::scalar_of(T::of(x)),
        Held::Tensor(x) => x,
        Held::Variable(x) => x.value(),
    };
    list.into_iter().map(tensor).collect()
}

#[track_caller]
fn variables<T: Float>(list: Vec<Held<'_, T>>) -> Vec<Var<'_, T>> {
    let tape = list.iter().find_map(|held| match held {
        Held::Variable(x) => Some(x.tape()),
        _ => None,
    });
    let tape = tape.expect("this combination has a variable");
    let mut found = Vec::with_capacity(list.len());
    for held in list {
        found.push(match held {
            Held::Number(x) => tape.constant(Tensor::scalar_of(T::of(x))),
            Held::Tensor(x) => tape.constant(x),
            Held::Variable(x) => x,
        });
    }
    found
}

/// Parameters or values that can be used together: numbers (`f64`), tensors and variables of one element type.
/// The result is a variable if one of them is a variable, else a tensor. Two numbers make a tensor of `f32`; for
/// another type write `Tensor::<f64>::scalar_of(1.0)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be combined with `{B}` in a distribution",
    note = "parameters and values are `f64`, `Tensor`, `&Tensor` or `Var`, all of one element type: write `1.0` for \
         `1`, and convert a tensor with `x.cast()`"
)]
pub trait Combine<B>: Sized {
    /// The type of the results.
    type Out: Quantity;

    #[doc(hidden)]
    fn joined(these: &[Self], others: &[B]) -> Vec<Self::Out>;
}

macro_rules! combine {
    ($([$($generics:tt)*] $A:ty, $B:ty => $Out:ty, $join:ident;)*) => { $(
        impl<$($generics)*> Combine<$B> for $A {
            type Out = $Out;
            #[track_caller]
            fn joined(these: &[$A], others: &[$B]) -> Vec<$Out> {
                let others = others.iter().map(Hold::held);
                $join(these.iter().map(Hold::held).chain(others).collect())
            }
        }
    )* };
}
combine! {
    [] f64, f64 => Tensor<f32>, tensors;
    [T: Float] f64, Tensor<T> => Tensor<T>, tensors;
    [T: Float] f64, &Tensor<T> => Tensor<T>, tensors;
    [T: Float] Tensor<T>, f64 => Tensor<T>, tensors;
    [T: Float] &Tensor<T>, f64 => Tensor<T>, tensors;
    [T: Float] Tensor<T>, Tensor<T> => Tensor<T>, tensors;
    [T: Float] Tensor<T>, &Tensor<T> => Tensor<T>, tensors;
    [T: Float] &Tensor<T>, Tensor<T> => Tensor<T>, tensors;
    [T: Float] &Tensor<T>, &Tensor<T> => Tensor<T>, tensors;
    ['t, T: Float] f64, Var<'t, T> => Var<'t, T>, variables;
    ['t, T: Float] Var<'t, T>, f64 => Var<'t, T>, variables;
    ['t, T: Float] Tensor<T>, Var<'t, T> => Var<'t, T>, variables;
    ['t, T: Float] Var<'t, T>, Tensor<T> => Var<'t, T>, variables;
    ['t, T: Float] &Tensor<T>, Var<'t, T> => Var<'t, T>, variables;
    ['t, T: Float] Var<'t, T>, &Tensor<T> => Var<'t, T>, variables;
    ['t, T: Float] Var<'t, T>, Var<'t, T> => Var<'t, T>, variables;
}

/// Refuses values whose shape does not broadcast with the shape of the parameters. The last `event` axes must be equal.
#[track_caller]
pub fn fits<P: Quantity>(of: &str, method: &str, value: &P, parameter: &P, event: usize) {
    let [a, b] = [value.sizes(), parameter.sizes()];
    let last = |shape: &Shape| shape.len().checked_sub(event).map(|at| Shape::new(&shape[at..]));
    if last(&a).is_none() || last(&a) != last(&b) {
        value.refuse(format!(
            "{of}: {method}: the last axis of shape {a} must have the size of the last axis of the parameters, of \
             shape {b}: its elements belong to one value"
        ))
    }
    if wengert_tensor::broadcast_shapes(&a, &b).is_none() {
        value.refuse(format!(
            "{of}: {method}: the shape {a} does not broadcast with the shape {b} of the parameters: from the last \
             axis on, sizes must be equal or 1"
        ))
    }
}
