//! What maps one variable to one.

use crate::summary::Summary;
use std::fmt;
use wengert_autograd::{Module, ShapeError, Tape, Var};
use wengert_tensor::{Float, Tensor};

/// A module with one input and one output: what [`Sequential`](crate::Sequential) chains, and what
/// can be asked for predictions and a summary.
///
/// A layer of your own writes [`call`](Layer::call); whoever uses it calls
/// [`forward`](Layer::forward), which opens the layer's scope around it: errors and summaries name the
/// layer by its fields (`blocks.3.fc1`), and what it computed on the way is released at the end.
/// The names are those of the field declarations and stand nowhere else.
///
/// The trait is object safe: `Box<dyn Layer>` is a layer too. `forward` takes `&self`, so a model
/// can serve several threads at once; what differs between training and use lies on the tape. Layers
/// can be cloned, boxed ones too; a clone has parameters of its own.
/// A module with other inputs (indices, states, pairs) has a `forward` of its own instead, which
/// begins with [`Tape::enter`].
///
/// A model of your own is a struct of layers:
///
/// ```
/// use wengert_autograd::Var;
/// use wengert_nn::{Layer, Linear, Module};
/// use wengert_tensor::{Philox, Tensor};
///
/// #[derive(Clone, Module)]
/// # #[module(crate = "wengert_autograd")]
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
/// A tied weight is a field that is used twice. A clone uses its own field twice:
///
/// ```
/// # use wengert_autograd::{Tape, Var};
/// # use wengert_nn::{Layer, Linear, Module};
/// # use wengert_tensor::{Philox, Tensor};
/// #[derive(Clone, Module)]
/// # #[module(crate = "wengert_autograd")]
/// struct Tied {
///     inner: Linear,
/// }
///
/// impl Layer for Tied {
///     fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
///         self.inner.forward(self.inner.forward(x).tanh())
///     }
/// }
/// # let model = Tied { inner: Linear::new(3, 3, &mut Philox::new(0)) };
/// # let tape = Tape::eval();
/// # let loss = model.clone().forward(tape.constant(Tensor::ones(&[1, 3]))).sum_all();
/// # assert_eq!(loss.backward().len(), 2);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer of `{T}`",
    label = "not a `Layer<{T}>`",
    note = "a layer of your own derives `Module` and implements `Layer`; a closure is no layer, since it \
            cannot show its parameters",
    note = "layers have the element type of their model: `Linear::<f64>::of(…)` for `f64`"
)]
pub trait Layer<T: Float = f32>: Module + CloneLayer<T> + Send + Sync + 'static {
    /// The output for this input, on the input's tape: what a layer writes. Layers in it are used by
    /// their [`forward`](Layer::forward); so is this one.
    ///
    /// Layers of this crate return a variable of its own, never `x`: a gradient by the output does
    /// not count other uses of the input. A layer of your own that has nothing to do returns
    /// [`Identity`](crate::Identity)`.forward(x)`.
    ///
    /// # Panics
    /// If the input's shape does not fit. If a layer behaves differently in training and evaluation,
    /// and the tape has no mode ([`Tape::new`]).
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T>;

    /// The output for this input, on the input's tape: [`call`](Layer::call) in the scope of this
    /// layer. [`Tape::enter`] says which path the scope has.
    ///
    /// # Panics
    /// As [`call`](Layer::call).
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let scope = x.tape().open(self);
        scope.close(self.call(x))
    }

    /// The output as numbers, in evaluation mode and without history.
    ///
    /// # Panics
    /// As [`call`](Layer::call).
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
        let run =
            |tape: &Tape<T>| (self.forward(tape.input(input)).shape(), tape.scope_summaries());
        let (output, scopes) = Tape::check(run)?;
        Ok(Summary::new(self, input, output, scopes))
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

/// Lets a boxed layer be cloned. Every layer that is `Clone` has it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not `Clone`, and layers are",
    label = "not `Clone`",
    note = "`#[derive(Clone)]` on the layer; a clone has parameters of its own"
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

/// A layer with the same numbers and parameters of its own.
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
