//! The [`Layer`] trait: a module with one input and one output.

use crate::summary::Summary;
use std::fmt;
use wengert_autograd::{Module, OperationError, Tape, Var};
use wengert_tensor::{Float, Tensor};

/// A module with one input and one output.
///
/// [`Sequential`](crate::Sequential) chains layers. Every layer has [`predict`](Layer::predict) and
/// [`summary`](Layer::summary).
///
/// To define a layer, implement [`call`](Layer::call). To use a layer, call
/// [`forward`](Layer::forward): it opens the layer's scope around `call`. Error messages and
/// summaries then name the layer by its field path (`blocks.3.fc1`), and intermediate values are
/// released when the scope closes. The names come from the field declarations and are not repeated
/// anywhere else.
///
/// The trait is object safe: `Box<dyn Layer>` is a layer too. `forward` takes `&self`, so several
/// threads can use one model at once; the mode (training or evaluation) belongs to the tape. Every
/// layer can be cloned, boxed layers included; the clone has parameters of its own. A module with
/// other inputs (indices, states, pairs) defines its own `forward` method instead, which begins
/// with [`Tape::enter`].
///
/// A model is a struct of layers:
///
/// ```
/// use wengert::autograd::Var;
/// use wengert::nn::{Layer, Linear, Module};
/// use wengert::tensor::{Philox, Tensor};
///
/// #[derive(Clone, Module)]
/// struct Mlp {
///     fc1: Linear,
///     fc2: Linear,
/// }
///
/// impl Layer for Mlp {
///     fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
///         self.fc2.forward(self.fc1.forward(x).relu())
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
///
/// To tie weights, use one field twice. In a clone, both uses share the clone's field:
///
/// ```
/// use wengert::autograd::{Tape, Var};
/// use wengert::nn::{Layer, Linear, Module};
/// use wengert::tensor::{Philox, Tensor};
/// #[derive(Clone, Module)]
/// struct Tied {
///     inner: Linear,
/// }
///
/// impl Layer for Tied {
///     fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
///         self.inner.forward(self.inner.forward(x).tanh())
///     }
/// }
///
/// let model = Tied { inner: Linear::new(3, 3, &mut Philox::new(0)) };
/// let tape = Tape::eval();
/// let loss = model.clone().forward(tape.constant(Tensor::ones(&[1, 3]))).sum_all();
/// assert_eq!(loss.backward().len(), 2);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer of `{T}`",
    label = "not a `Layer<{T}>`",
    note = "to define a layer, implement `Layer` for a type with `#[derive(Clone, Module)]`; a closure \
            cannot be a layer, because its parameters cannot be visited: wrap one without parameters, \
            `Lambda::new(|x| …)`",
    note = "all layers of a model have one element type: for `f64`, create them with \
            `Linear::<f64>::of(…)`"
)]
pub trait Layer<T: Float = f32>: Module + CloneLayer<T> + Send + Sync + 'static {
    /// Computes the output for `x`, on the tape of `x`. Every layer implements this method.
    ///
    /// To use a layer, also inside another layer's `call`, use [`forward`](Layer::forward), which
    /// calls this method.
    ///
    /// Layers of this crate always return a new variable, never `x` itself. The gradient with
    /// respect to the output then excludes other uses of the input. A layer of your own that has
    /// nothing to compute returns [`Identity`](crate::Identity)`.forward(x)`.
    ///
    /// # Panics
    /// - If the shape of the input does not fit.
    /// - If the layer behaves differently in training and evaluation, and the tape has no mode
    ///   ([`Tape::new`]).
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T>;

    /// Computes the output for `x`, on the tape of `x`: runs [`call`](Layer::call) in the scope of
    /// this layer. [`Tape::enter`] describes the path of the scope.
    ///
    /// # Panics
    /// Under the same conditions as [`call`](Layer::call).
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let scope = x.tape().open(self);
        scope.close(self.call(x))
    }

    /// Returns the output as a tensor, computed in evaluation mode and without recording history.
    ///
    /// # Panics
    /// Under the same conditions as [`call`](Layer::call).
    #[track_caller]
    fn predict(&self, x: &Tensor<T>) -> Tensor<T> {
        let tape = Tape::inference();
        self.forward(tape.constant(x.clone())).value()
    }

    /// Computes the same as [`predict`](Layer::predict), but returns an [`OperationError`] instead of
    /// panicking. Use it for inputs that you do not control.
    ///
    /// The error contains the path of the layer. After an error, the model is unchanged and every
    /// thread can go on using it.
    ///
    /// ```
    /// use wengert::nn::{Layer, Linear, Relu, sequential};
    /// use wengert::tensor::{Philox, Tensor};
    /// let mut rng = Philox::new(0);
    /// let model = sequential![Linear::new(4, 8, &mut rng), Relu, Linear::new(8, 2, &mut rng)];
    /// let error = model.try_predict(&Tensor::zeros(&[5, 3])).unwrap_err();
    /// assert_eq!(error.path, "0");
    /// assert_eq!(model.try_predict(&Tensor::zeros(&[5, 4])).unwrap().shape(), [5, 2]);
    /// ```
    ///
    /// # Errors
    /// Returns the error of the first operation whose operands do not fit. Other panics, such as
    /// those of your own layers, pass through.
    ///
    /// The error travels to this method as a panic. In a program built with `panic = "abort"`, the
    /// message is printed and the process ends, as with [`predict`](Layer::predict). In such a
    /// program, find the accepted sizes at the start with [`summary`](Layer::summary), and compare
    /// the sizes of each input with them before calling this method.
    fn try_predict(&self, x: &Tensor<T>) -> Result<Tensor<T>, OperationError> {
        let tape = Tape::inference();
        tape.catch(|| self.forward(tape.constant(x.clone())).value())
    }

    /// Returns the path, type, output shape and number of parameters of each layer, for an input of
    /// this shape (batch axis included). The run is shape-only: it computes no values, and it needs
    /// no mode, as in [`Tape::check`].
    ///
    /// # Errors
    /// If the shape does not fit. The message is the same as that of the panic in a real run.
    fn summary(&self, input: &[usize]) -> Result<Summary, OperationError> {
        let run =
            |tape: &Tape<T>| (self.forward(tape.input(input)).shape(), tape.scope_summaries());
        let (output, scopes) = Tape::check(run)?;
        Ok(Summary::new(&self.outline(), self.named_state(), input, output, scopes))
    }
}

impl<T: Float, L: Layer<T> + ?Sized> Layer<T> for Box<L>
where
    Box<L>: Clone,
{
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        (**self).call(x)
    }
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        (**self).forward(x)
    }
}

/// Clones a layer into a box. Every [`Layer`] that is `Clone` implements it, so that boxed layers
/// can be cloned.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is a layer, and layers must implement `Clone`",
    label = "does not implement `Clone`",
    note = "add `#[derive(Clone)]` to the layer; a clone has parameters of its own"
)]
pub trait CloneLayer<T: Float> {
    #[doc(hidden)]
    fn clone_layer(&self) -> Box<dyn Layer<T>>;
}

impl<T: Float, L: Layer<T> + Clone> CloneLayer<T> for L {
    fn clone_layer(&self) -> Box<dyn Layer<T>> {
        Box::new(self.clone())
    }
}

/// The clone holds the same values, in parameters of its own.
impl<T: Float> Clone for Box<dyn Layer<T>> {
    fn clone(&self) -> Self {
        (**self).clone_layer()
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
