//! What maps one variable to one.

use crate::summary::Summary;
use std::fmt;
use wengert_autograd::{Module, ShapeError, Tape, Var};
use wengert_tensor::{Float, Tensor};

/// A module with one input and one output: what [`Sequential`](crate::Sequential) chains, and what
/// can be asked for predictions and a summary.
///
/// The trait is object safe: `Box<dyn Layer>` is a layer too. `forward` takes `&self`, so a model
/// can serve several threads at once; what differs between training and use lies on the tape.
/// A module with other inputs (indices, states, pairs) has a `forward` of its own instead.
///
/// A model of your own is a struct of layers:
///
/// ```
/// use wengert_autograd::Var;
/// use wengert_nn::{Layer, Linear, Module};
/// use wengert_tensor::{Philox, Tensor};
///
/// #[derive(Module)]
/// # #[module(crate = "wengert_autograd")]
/// struct Mlp {
///     fc1: Linear,
///     fc2: Linear,
/// }
///
/// impl Layer for Mlp {
///     fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
///         let hidden = self.fc1.forward_as("fc1", x).relu();
///         self.fc2.forward_as("fc2", hidden)
///     }
/// }
///
/// let mut rng = Philox::new(0);
/// let model = Mlp { fc1: Linear::new(64, 32, &mut rng), fc2: Linear::new(32, 10, &mut rng) };
/// assert_eq!(model.predict(&Tensor::zeros(&[5, 64])).shape(), [5, 10]);
///
/// let error = model.summary(&[5, 63]).unwrap_err();
/// assert_eq!(error.path, "fc1");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer of `{T}`",
    label = "not a `Layer<{T}>`",
    note = "a layer of your own derives `Module` and implements `Layer`; a closure is no layer, since it \
            cannot show its parameters",
    note = "layers have the element type of their model: `Linear::<f64>::of(…)` for `f64`"
)]
pub trait Layer<T: Float = f32>: Module + Send + Sync {
    /// The output for this input, on the input's tape.
    ///
    /// Layers of this crate return a variable of its own, never `x`: a gradient by the output does
    /// not count other uses of the input. A layer of your own that has nothing to do returns
    /// [`Identity`](crate::Identity)`.forward(x)`.
    ///
    /// # Panics
    /// If the input's shape does not fit. If a layer behaves differently in training and evaluation,
    /// and the tape has no mode ([`Tape::new`]).
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T>;

    /// [`forward`](Layer::forward) in a scope of this name, so that errors and summaries can say
    /// which layer it was. The summary finds a layer's type and parameters if the name is that of
    /// its field.
    ///
    /// # Panics
    /// As [`forward`](Layer::forward).
    #[track_caller]
    fn forward_as<'t>(&self, name: &str, x: Var<'t, T>) -> Var<'t, T> {
        x.tape().scope(name, || self.forward(x))
    }

    /// The output as numbers, in evaluation mode and without history.
    ///
    /// # Panics
    /// As [`forward`](Layer::forward).
    #[track_caller]
    fn predict(&self, x: &Tensor<T>) -> Tensor<T> {
        let tape = Tape::inference();
        self.forward(tape.constant(x.clone())).value()
    }

    /// As [`predict`](Layer::predict), for inputs of others: what an operation refuses is returned, with
    /// the layer's name, and the program goes on. The model is as it was, and so is every thread that
    /// uses it.
    ///
    /// ```
    /// use wengert_nn::{Layer, Linear, Relu, sequential};
    /// use wengert_tensor::{Philox, Tensor};
    /// let mut rng = Philox::new(0);
    /// let model = sequential![Linear::new(4, 8, &mut rng), Relu, Linear::new(8, 2, &mut rng)];
    /// let error = model.try_predict(&Tensor::zeros(&[5, 3])).unwrap_err();
    /// assert_eq!(error.path, "0");
    /// assert_eq!(model.try_predict(&Tensor::zeros(&[5, 4])).unwrap().shape(), [5, 2]);
    /// ```
    ///
    /// # Errors
    /// The first operation that refuses its operands. The error unwinds to here. Where panics abort
    /// (`panic = "abort"`) it cannot: its text is printed and the process ends, as with
    /// [`predict`](Layer::predict). A server that is built so compares the sizes of an input with
    /// those that it knows to fit, before it calls this; [`summary`](Layer::summary) finds them
    /// out at the start. Panics of a layer of your own that are no refusals pass through.
    fn try_predict(&self, x: &Tensor<T>) -> Result<Tensor<T>, ShapeError> {
        let tape = Tape::inference();
        tape.catch(|| self.forward(tape.constant(x.clone())).value())
    }

    /// Path, type, output shape and parameters of each layer, for an input of this shape (batch
    /// axis included). Nothing is computed. The mode is left open, as in [`Tape::check`].
    ///
    /// # Errors
    /// If the shape does not fit: the same text that the panic of a real run has.
    fn summary(&self, input: &[usize]) -> Result<Summary, ShapeError> {
        let run = |tape: &Tape<T>| (self.forward(tape.input(input)).shape(), tape.traces());
        let (output, traces) = Tape::check(run)?;
        Ok(Summary::new(self, input, output, traces))
    }
}

impl<T: Float, L: Layer<T> + ?Sized> Layer<T> for Box<L> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        (**self).forward(x)
    }
}

impl<T: Float> fmt::Display for dyn Layer<T> + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outline().fmt(f)
    }
}

impl<T: Float> fmt::Debug for dyn Layer<T> + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outline().fmt(f)
    }
}
