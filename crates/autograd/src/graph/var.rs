//! Variables: `Copy` handles to nodes of a tape.

use super::arena::{ACTIVE, RETAINED};
use super::op::Op;
use super::tape::Tape;
use std::fmt;
use wengert_tensor::{Dtype, Float, Shape, Tensor, shapes};

/// A value on a [`Tape`]. Compute with it as with a number: with operators, methods and `f64` scalars. A
/// `Var` is `Copy`, so no `clone()` is needed, and operations return no `Result`. Shapes broadcast as in
/// NumPy.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.watch(Tensor::from([0.5, -1.0]));
/// let y = (2.0 * x + 1.0).tanh() * x;
/// assert_eq!(y.shape(), [2]);
/// ```
///
/// # Methods by kind
///
/// The operators `+ - * /` and unary `-` take numbers too.
///
/// | | |
/// |---|---|
/// | random numbers | [`dropout`](Self::dropout) |
/// | shape and type | [`shape`](Self::shape), [`rank`](Self::rank), [`size`](Self::size), [`numel`](Self::numel), [`dtype`](Self::dtype) |
/// | value and tape | [`value`](Self::value), [`item`](Self::item), [`tape`](Self::tape), [`is`](Self::is), [`is_active`](Self::is_active), [`detach`](Self::detach), [`release`](Self::release) |
/// | gradients | [`backward`](Self::backward), [`backward_retain`](Self::backward_retain), [`backward_from`](Self::backward_from), [`backward_for`](Self::backward_for), [`backward_checked`](Self::backward_checked), [`hooks`](Self::hooks), [`grad`](Self::grad), [`grad_from`](Self::grad_from), [`grad_or_zero`](Self::grad_or_zero), [`independent_of`](Self::independent_of) |
/// | views | [`reshape`](Self::reshape), [`flatten`](Self::flatten), [`permute`](Self::permute), [`transpose`](Self::transpose), [`t`](Self::t), [`squeeze`](Self::squeeze), [`unsqueeze`](Self::unsqueeze), [`broadcast_to`](Self::broadcast_to), [`narrow`](Self::narrow), [`slice`](Self::slice), [`flip`](Self::flip), [`select`](Self::select), [`unbind`](Self::unbind), [`expand`](Self::expand), [`diagonal`](Self::diagonal) |
/// | joining, splitting, padding | [`concat`](Self::concat), [`stack`](Self::stack), [`split`](Self::split), [`chunk`](Self::chunk), [`pad`](Self::pad), [`pad_mode`](Self::pad_mode), [`roll`](Self::roll), [`repeat`](Self::repeat), [`tile`](Self::tile), [`meshgrid`](Self::meshgrid), [`kron`](Self::kron) |
/// | indexing | [`index_select`](Self::index_select), [`gather`](Self::gather), [`scatter_add`](Self::scatter_add), [`scatter`](Self::scatter), [`scatter_reduce`](Self::scatter_reduce), [`index_add`](Self::index_add), [`index_put`](Self::index_put), [`searchsorted`](Self::searchsorted) |
/// | selection by a mask | [`where_`](Self::where_), [`masked_fill`](Self::masked_fill), [`tril`](Self::tril), [`triu`](Self::triu), [`diag`](Self::diag) |
/// | arithmetic | [`pow`](Self::pow), [`powi`](Self::powi), [`powf`](Self::powf), [`square`](Self::square), [`recip`](Self::recip), [`maximum`](Self::maximum), [`minimum`](Self::minimum), [`clamp`](Self::clamp), [`clamp_min`](Self::clamp_min), [`clamp_max`](Self::clamp_max), [`floor`](Self::floor), [`ceil`](Self::ceil), [`round`](Self::round), [`trunc`](Self::trunc), [`frac`](Self::frac), [`fmod`](Self::fmod), [`remainder`](Self::remainder), [`hypot`](Self::hypot), [`copysign`](Self::copysign), [`lerp`](Self::lerp), [`nan_to_num`](Self::nan_to_num) |
/// | elementary functions | [`abs`](Self::abs), [`sign`](Self::sign), [`exp`](Self::exp), [`expm1`](Self::expm1), [`ln`](Self::ln), [`log1p`](Self::log1p), [`log2`](Self::log2), [`log10`](Self::log10), [`sqrt`](Self::sqrt), [`rsqrt`](Self::rsqrt), [`sin`](Self::sin), [`cos`](Self::cos), [`tan`](Self::tan), [`asin`](Self::asin), [`acos`](Self::acos), [`atan`](Self::atan), [`atan2`](Self::atan2), [`sinh`](Self::sinh), [`cosh`](Self::cosh), [`tanh`](Self::tanh), [`asinh`](Self::asinh), [`acosh`](Self::acosh), [`atanh`](Self::atanh), [`sigmoid`](Self::sigmoid), [`softplus`](Self::softplus), [`erf`](Self::erf), [`erfc`](Self::erfc), [`ndtr`](Self::ndtr), [`erfinv`](Self::erfinv), [`lgamma`](Self::lgamma), [`digamma`](Self::digamma), [`polygamma`](Self::polygamma), [`xlogy`](Self::xlogy), [`logaddexp`](Self::logaddexp), [`relu`](Self::relu), [`softmax`](Self::softmax), [`log_softmax`](Self::log_softmax), [`layer_norm`](Self::layer_norm) |
/// | reductions | [`sum`](Self::sum), [`sum_all`](Self::sum_all), [`mean`](Self::mean), [`mean_all`](Self::mean_all), [`var`](Self::var), [`max`](Self::max), [`min`](Self::min), [`argmax`](Self::argmax), [`argmin`](Self::argmin), [`logsumexp`](Self::logsumexp), [`sum_to`](Self::sum_to), [`prod`](Self::prod), [`std`](Self::std), [`var_mean`](Self::var_mean), [`norm`](Self::norm), [`count_nonzero`](Self::count_nonzero), [`max_with_indices`](Self::max_with_indices), [`min_with_indices`](Self::min_with_indices), [`any`](Self::any), [`all`](Self::all) |
/// | running results | [`cumsum`](Self::cumsum), [`cumprod`](Self::cumprod), [`logcumsumexp`](Self::logcumsumexp), [`cummax`](Self::cummax), [`cummin`](Self::cummin) |
/// | order | [`sort`](Self::sort), [`argsort`](Self::argsort), [`topk`](Self::topk), [`kthvalue`](Self::kthvalue), [`median`](Self::median), [`mode`](Self::mode), [`quantile`](Self::quantile), [`quantiles`](Self::quantiles) |
/// | comparisons | [`gt`](Self::gt), [`ge`](Self::ge), [`lt`](Self::lt), [`le`](Self::le), [`eq`](Self::eq), [`ne`](Self::ne), [`isnan`](Self::isnan), [`isinf`](Self::isinf), [`isfinite`](Self::isfinite) |
/// | matrix products | [`matmul`](Self::matmul), [`matmul_t`](Self::matmul_t), [`einsum`](Self::einsum), [`tensordot`](Self::tensordot), [`dot`](Self::dot), [`outer`](Self::outer), [`mv`](Self::mv), [`bmm`](Self::bmm), [`addmm`](Self::addmm), [`baddbmm`](Self::baddbmm), [`trace`](Self::trace) |
/// | convolution | [`conv1d`](Self::conv1d), [`conv2d`](Self::conv2d), [`conv3d`](Self::conv3d), [`conv_transpose1d`](Self::conv_transpose1d), [`conv_transpose2d`](Self::conv_transpose2d), [`conv_transpose3d`](Self::conv_transpose3d), [`unfold`](Self::unfold), [`fold`](Self::fold) |
/// | pooling | [`max_pool1d`](Self::max_pool1d), [`max_pool1d_with_indices`](Self::max_pool1d_with_indices), [`max_pool2d`](Self::max_pool2d), [`max_pool2d_with_indices`](Self::max_pool2d_with_indices), [`max_pool3d`](Self::max_pool3d), [`max_pool3d_with_indices`](Self::max_pool3d_with_indices), [`max_unpool1d`](Self::max_unpool1d), [`max_unpool2d`](Self::max_unpool2d), [`max_unpool3d`](Self::max_unpool3d), [`avg_pool1d`](Self::avg_pool1d), [`avg_pool2d`](Self::avg_pool2d), [`avg_pool3d`](Self::avg_pool3d), [`adaptive_avg_pool1d`](Self::adaptive_avg_pool1d), [`adaptive_avg_pool2d`](Self::adaptive_avg_pool2d), [`adaptive_avg_pool3d`](Self::adaptive_avg_pool3d), [`adaptive_max_pool1d`](Self::adaptive_max_pool1d), [`adaptive_max_pool1d_with_indices`](Self::adaptive_max_pool1d_with_indices), [`adaptive_max_pool2d`](Self::adaptive_max_pool2d), [`adaptive_max_pool2d_with_indices`](Self::adaptive_max_pool2d_with_indices), [`adaptive_max_pool3d`](Self::adaptive_max_pool3d), [`adaptive_max_pool3d_with_indices`](Self::adaptive_max_pool3d_with_indices) |
/// | resampling | [`interpolate`](Self::interpolate), [`map_axis`](Self::map_axis), [`map_axis_transposed`](Self::map_axis_transposed) |
pub struct Var<'t, T: Float = f32> {
    pub(crate) tape: &'t Tape<T>,
    pub(crate) id: u32,
}

impl<T: Float> Clone for Var<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T: Float> Copy for Var<'_, T> {}

impl<'t, T: Float> Var<'t, T> {
    /// Returns the tape of this variable.
    pub fn tape(self) -> &'t Tape<T> {
        self.tape
    }

    /// Returns the sizes of the axes. Computes nothing.
    #[inline]
    pub fn shape(self) -> Shape {
        *self.tape.arena.borrow().shape(self.id)
    }

    /// Returns the number of axes. Computes nothing.
    pub fn rank(self) -> usize {
        self.shape().rank()
    }

    /// Returns the size of one axis. A negative `axis` counts from the end. Computes nothing.
    ///
    /// # Panics
    /// If the axis does not exist.
    #[track_caller]
    pub fn size(self, axis: isize) -> usize {
        let shape = self.shape();
        shape[self.fits(shapes::axis("size", axis, &shape))]
    }

    /// Returns the number of elements. Computes nothing.
    pub fn numel(self) -> usize {
        self.shape().numel()
    }

    /// Returns the type of the elements, which is that of the tape. Computes nothing.
    pub fn dtype(self) -> Dtype {
        T::DTYPE
    }

    /// Returns the value as a tensor, and computes it if necessary.
    ///
    /// After [`backward`](Var::backward) the following values can still be read: the loss, constants and
    /// watched variables, every variable of at most eight elements, and every variable whose value was
    /// requested before. Read a parameter, or a view of one, from the model.
    ///
    /// # Panics
    /// On a shape-only run, or if `backward` has dropped the value.
    #[track_caller]
    pub fn value(self) -> Tensor<T> {
        self.tape.note_read();
        self.retained_value()
    }

    /// Returns the value and keeps it readable. Does not count as a read by the program: the engine uses
    /// it.
    #[track_caller]
    pub(crate) fn retained_value(self) -> Tensor<T> {
        let value = self.tape.force(self.id);
        self.tape.arena.borrow_mut().nodes[self.id as usize].flags |= RETAINED;
        value
    }

    /// Returns the number in a variable of one element.
    ///
    /// # Panics
    /// If the variable has several elements, or under the conditions of [`value`](Var::value).
    #[track_caller]
    pub fn item(self) -> f64 {
        let shape = self.shape();
        if shape.numel() != 1 {
            self.tape.fail(format!("item: the tensor must have one element, got shape {shape}"))
        }
        self.value().item().to()
    }

    /// Returns whether gradients flow through this variable: it depends on a watched value or a
    /// trainable parameter.
    pub fn is_active(self) -> bool {
        self.tape.arena.borrow().nodes[self.id as usize].has(ACTIVE)
    }

    /// Returns whether the two are the same node of the same tape. Does not compare values.
    pub fn is(self, other: Self) -> bool {
        std::ptr::eq(self.tape, other.tape) && self.id == other.id
    }

    /// Releases the value: it is dropped as soon as no pending operation reads it, unless a derivative rule reads it
    /// or it was requested with [`value`](Var::value). If something new reads it, it is computed again.
    pub fn release(self) {
        self.tape.arena.borrow_mut().close(self.id);
    }

    /// Returns the result of a shape rule, or panics with its message.
    #[inline]
    #[track_caller]
    pub(crate) fn fits<R>(self, rule: Result<R, String>) -> R {
        self.tape.fits(rule)
    }

    pub(crate) fn op(self) -> Op {
        self.tape.arena.borrow().nodes[self.id as usize].op
    }
}

impl<T: Float> fmt::Debug for Var<'_, T> {
    /// Writes the operation, the shape, and the value if it is computed. Computes nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Var({:?}, {}", self.op(), self.shape())?;
        match &self.tape.arena.borrow().values[self.id as usize] {
            Some(value) => write!(f, ", {value})"),
            None => f.write_str(", pending)"),
        }
    }
}
