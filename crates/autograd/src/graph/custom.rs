//! The interface of custom operations, and the entry of an applied one in the tape's table.

use super::call::{Call, Reads};
use super::lists::{Cotangents, Outputs};
use std::panic::Location;
use std::sync::Arc;
use wengert_tensor::{Float, Shape, Tensor};

/// A custom operation: a forward computation on tensors, and a rule for its derivatives. An
/// implementation for `T: Float` works for `f32` and `f64`, and can be tested with the functions of
/// [`testing`](crate::testing), which compute in `f64`.
///
/// If the rule reads a value that depends smoothly on the inputs, make that value an output. If the
/// operation stored it internally, second derivatives would be wrong without an error.
///
/// ```
/// use std::sync::Arc;
/// use wengert::autograd::{Call, Cotangents, CustomOp, Outputs, Tape};
/// use wengert::tensor::{Float, Shape, Tensor};
///
/// struct Cube;
/// impl<T: Float> CustomOp<T> for Cube {
///     fn name(&self) -> &str {
///         "cube"
///     }
///     fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
///         Ok([x[0]].into())
///     }
///     fn forward(&self, x: &[Tensor<T>]) -> Outputs<Tensor<T>> {
///         [x[0].powi(3)].into()
///     }
///     fn vjp<'t>(&self, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
///         let x = c.x(0);
///         [Some(3.0 * c.gy() * x * x)].into()
///     }
/// }
///
/// let tape = Tape::new();
/// let x = tape.watch(Tensor::scalar(2.0));
/// let y = tape.custom(Arc::new(Cube), &[x])[0];
/// let dy = y.grad(&[x])[0];
/// assert_eq!(dy.item(), 12.0);
/// assert_eq!(dy.grad(&[x])[0].item(), 12.0); // the second derivative needs no further rule
/// ```
///
/// The next example has two outputs: polar coordinates. The rule of an operation with several outputs
/// calls [`Call::gy_of`] for the cotangent of each output. It is `None` if the output is not used.
///
/// ```
/// use std::sync::Arc;
/// use wengert::autograd::testing::{check_op, spread};
/// use wengert::autograd::{Call, Cotangents, CustomOp, Outputs, Reads, Var};
/// use wengert::tensor::{Element, Float, Shape, Tensor};
///
/// struct Polar;
/// impl<T: Float> CustomOp<T> for Polar {
///     fn name(&self) -> &str {
///         "polar"
///     }
///     fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
///         match x {
///             [x, y] if x == y => Ok([*x, *x].into()),
///             x => Err(format!("expected two values of one shape, got {x:?}")),
///         }
///     }
///     fn forward(&self, x: &[Tensor<T>]) -> Outputs<Tensor<T>> {
///         let (first, second) = (x[0].to_vec(), x[1].to_vec());
///         // Functions of the standard library are applied to f64: `to` and `of` convert.
///         let angle = |i: usize| T::of(second[i].to().atan2(first[i].to()));
///         let radius = (x[0].square() + x[1].square()).sqrt();
///         [radius, Tensor::from_fn(&x[0].shape(), angle)].into()
///     }
///     // ∂r/∂x = x/r, ∂r/∂y = y/r, ∂θ/∂x = -y/r², ∂θ/∂y = x/r².
///     fn vjp<'t>(&self, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
///         let (x, y, r) = (c.x(0), c.x(1), c.y(0));
///         let sum = |parts: [Option<Var<'t, T>>; 2]| parts.into_iter().flatten().reduce(|a, b| a + b);
///         let (by_r, by_angle) = (c.gy_of(0).map(|g| g / r), c.gy_of(1).map(|g| g / r.square()));
///         let by_x = sum([by_r.map(|g| g * x), by_angle.map(|g| -g * y)]);
///         let by_y = sum([by_r.map(|g| g * y), by_angle.map(|g| g * x)]);
///         [by_x, by_y].into()
///     }
///     fn reads(&self, _arg: usize) -> Reads {
///         Reads::X0.and(Reads::X1).and(Reads::Y0) // the angle is not read
///     }
/// }
///
/// let [x, y] = [1, 2].map(|seed| spread(&[3, 4], &[(0.5, 2.0), (-2.0, -0.5)], seed));
/// check_op("polar", &[x, y], |x| x[0].tape().custom(Arc::new(Polar), x).to_vec()).unwrap();
/// ```
///
/// The last example has an output of integers. It returns the sorted vector and, for each of its
/// elements, the position in the input. An output of integers is an [`Index`](super::Index). It has no derivative, and
/// the rule reads it with [`Call::y_index`].
///
/// ```
/// use std::sync::Arc;
/// use wengert::autograd::{Call, Cotangents, CustomOp, Outputs, Reads, Tape};
/// use wengert::tensor::{Float, Shape, Tensor};
///
/// fn positions<T: Float>(x: &Tensor<T>) -> Tensor<i64> {
///     let x = x.to_vec();
///     let mut order: Vec<usize> = (0..x.len()).collect();
///     order.sort_by(|&a, &b| x[a].to().total_cmp(&x[b].to()));
///     Tensor::from_fn(&[x.len()], |i| order[i] as i64)
/// }
///
/// struct Sort;
/// impl<T: Float> CustomOp<T> for Sort {
///     fn name(&self) -> &str {
///         "sort"
///     }
///     fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
///         match x {
///             [x] if x.rank() == 1 => Ok([*x].into()),
///             x => Err(format!("expected one vector, got {x:?}")),
///         }
///     }
///     fn forward(&self, x: &[Tensor<T>]) -> Outputs<Tensor<T>> {
///         [x[0].index_select(0, &positions(&x[0]))].into()
///     }
///     fn index_shapes(&self, x: &[Shape]) -> Outputs<Shape> {
///         [x[0]].into()
///     }
///     fn forward_with_indices(&self, x: &[Tensor<T>]) -> (Outputs<Tensor<T>>, Outputs<Tensor<i64>>) {
///         (self.forward(x), [positions(&x[0])].into())
///     }
///     fn vjp<'t>(&self, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
///         // Each cotangent goes back to the position from which its element came.
///         [Some(c.tape().zeros(&c.x_shape(0)).scatter_add(0, c.y_index(0), c.gy()))].into()
///     }
///     fn reads(&self, _arg: usize) -> Reads {
///         Reads::Y1 // the index outputs follow the others
///     }
/// }
///
/// let tape = Tape::new();
/// let x = tape.watch(Tensor::from([3.0, 1.0, 2.0]));
/// let (sorted, order) = tape.custom_with_indices(Arc::new(Sort), &[x]);
/// assert_eq!(order[0].value().to_vec(), [1, 2, 0]);
/// let loss = (sorted[0] * tape.constant(Tensor::from([10.0, 20.0, 30.0]))).sum_all();
/// assert_eq!(loss.backward().wrt(x).unwrap().to_vec(), [30.0, 10.0, 20.0]);
/// ```
pub trait CustomOp<T: Float>: Send + Sync {
    /// Returns the name of the operation, for messages.
    fn name(&self) -> &str;

    /// Returns the shapes of the outputs. At least one is needed.
    ///
    /// # Errors
    /// If the operation does not accept these shapes. The message should name the shapes and say how to fix
    /// them.
    fn shapes(&self, inputs: &[Shape]) -> Result<Outputs<Shape>, String>;

    /// Computes the outputs. They must depend on the inputs only. The inputs may have any memory
    /// layout ([`Tensor::is_contiguous`]). [`Tensor::to_vec`] returns the elements in row-major order.
    /// [`Element::to`](wengert_tensor::Element::to) converts an element of the generic type to `f64`,
    /// and [`of`](wengert_tensor::Element::of) converts back.
    fn forward(&self, inputs: &[Tensor<T>]) -> Outputs<Tensor<T>>;

    /// Returns the shapes of the index outputs: integers without a derivative, such as positions. The
    /// index outputs follow the outputs of [`shapes`](CustomOp::shapes). This method is called after
    /// `shapes` has accepted the inputs. The default is an empty list: no index outputs.
    fn index_shapes(&self, _inputs: &[Shape]) -> Outputs<Shape> {
        [].into()
    }

    /// Computes the outputs together with the index outputs. This method is called instead of
    /// [`forward`](CustomOp::forward) when an index output is needed. An operation with index outputs
    /// must implement it.
    fn forward_with_indices(
        &self,
        inputs: &[Tensor<T>],
    ) -> (Outputs<Tensor<T>>, Outputs<Tensor<i64>>) {
        (self.forward(inputs), [].into())
    }

    /// Computes the cotangents of the wanted inputs from variables. The rule must be a pure function.
    /// Each derivative that passes the operation calls the rule once. The rule may call
    /// [`grad`](crate::Var::grad) and read parameters. Random numbers are refused. Only the forward pass changes
    /// buffers: changes in a rule have no effect. If the rule requests values (`value()`, `item()`), its
    /// result is valid for these values only: the derivative of the rule may be wrong, and a
    /// [replay](crate::Tape::replay) is refused.
    fn vjp<'t>(&self, call: &Call<'_, 't, T>) -> Cotangents<'t, T>;

    /// Returns the values that [`vjp`](CustomOp::vjp) reads for the gradient of this input. The default is all
    /// inputs and outputs. A value that no rule reads is released early.
    fn reads(&self, _arg: usize) -> Reads {
        Reads::ALL
    }
}

/// A custom operation that was applied: an entry in the tape's table.
pub(crate) struct CustomCall<T: Float> {
    pub op: Arc<dyn CustomOp<T>>,
    /// The number of outputs that are not indices. The index outputs follow them.
    pub numbers: u32,
    /// The place of the first index output in the column of integers.
    pub first_integer: u32,
    /// The line that applied the operation, for messages.
    pub applied_at: &'static Location<'static>,
}

impl<T: Float> Clone for CustomCall<T> {
    fn clone(&self) -> Self {
        CustomCall { op: self.op.clone(), ..*self }
    }
}
