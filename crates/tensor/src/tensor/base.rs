//! The type [`Tensor`]: its memory, access to the elements, copy on write.

use crate::kernels::NumberSource;
use crate::layout::{Collapsed, Shape, Strides};
use crate::machine::{Block, each_part};
use crate::number::Dtype;
use crate::shapes::{self, OrPanic};
use crate::tensor::Element;
use std::marker::PhantomData;

/// A dense array of numbers with up to [`MAX_RANK`](crate::MAX_RANK) axes.
///
/// A tensor is a handle of eight bytes. `clone` and views ([`reshape`](Tensor::reshape),
/// [`permute`](Tensor::permute), [`slice`](Tensor::slice), …) share the elements with the original.
/// A method that modifies a tensor copies the elements first if another tensor shares them.
///
/// Constructors such as [`zeros`](Tensor::zeros) make tensors of `f32`. Constructors whose name ends in
/// `_of` make tensors of any [`Element`] type. Constructors such as [`from_vec`](Tensor::from_vec) take the
/// element type from their argument.
///
/// ```
/// use wengert::tensor::Tensor;
/// let x = Tensor::from_vec(vec![1.0, 2.0, 3.0, 4.0], &[2, 2]);
/// let y = x.t().matmul(&x) + 0.5;
/// assert_eq!(y.to_vec(), [10.5, 14.5, 14.5, 20.5]);
/// assert_eq!(Tensor::<f64>::ones_of(&[3]).sum_all(), 3.0);
/// ```
///
/// # Methods by kind
///
/// The operators `+ - * /` and unary `-` take numbers too.
///
/// | | |
/// |---|---|
/// | creation | [`scalar`](Self::scalar), [`full`](Self::full), [`zeros`](Self::zeros), [`ones`](Self::ones), [`arange`](Self::arange), [`linspace`](Self::linspace), [`eye`](Self::eye), [`scalar_of`](Self::scalar_of), [`full_of`](Self::full_of), [`zeros_of`](Self::zeros_of), [`ones_of`](Self::ones_of), [`arange_of`](Self::arange_of), [`linspace_of`](Self::linspace_of), [`eye_of`](Self::eye_of), [`from_vec`](Self::from_vec), [`from_slice`](Self::from_slice), [`from_fn`](Self::from_fn) |
/// | random numbers | [`uniform`](Self::uniform), [`uniform_of`](Self::uniform_of), [`normal`](Self::normal), [`normal_of`](Self::normal_of), [`permutation`](Self::permutation), [`integers`](Self::integers) |
/// | shape and type | [`shape`](Self::shape), [`rank`](Self::rank), [`size`](Self::size), [`numel`](Self::numel), [`dtype`](Self::dtype), [`cast`](Self::cast) |
/// | elements and memory | [`item`](Self::item), [`at`](Self::at), [`to_vec`](Self::to_vec), [`as_slice`](Self::as_slice), [`make_mut`](Self::make_mut), [`is_contiguous`](Self::is_contiguous), [`contiguous`](Self::contiguous), [`copied`](Self::copied), [`shares_storage`](Self::shares_storage) |
/// | views | [`reshape`](Self::reshape), [`flatten`](Self::flatten), [`permute`](Self::permute), [`transpose`](Self::transpose), [`t`](Self::t), [`squeeze`](Self::squeeze), [`unsqueeze`](Self::unsqueeze), [`broadcast_to`](Self::broadcast_to), [`narrow`](Self::narrow), [`slice`](Self::slice), [`flip`](Self::flip), [`select`](Self::select), [`unbind`](Self::unbind), [`expand`](Self::expand), [`diagonal`](Self::diagonal) |
/// | joining, splitting, padding | [`concat`](Self::concat), [`stack`](Self::stack), [`split`](Self::split), [`chunk`](Self::chunk), [`pad`](Self::pad), [`pad_mode`](Self::pad_mode), [`roll`](Self::roll), [`repeat`](Self::repeat), [`tile`](Self::tile), [`meshgrid`](Self::meshgrid), [`kron`](Self::kron) |
/// | indexing | [`index_select`](Self::index_select), [`gather`](Self::gather), [`scatter_add`](Self::scatter_add), [`scatter`](Self::scatter), [`scatter_reduce`](Self::scatter_reduce), [`index_add`](Self::index_add), [`index_put`](Self::index_put), [`searchsorted`](Self::searchsorted), [`one_hot`](Self::one_hot), [`bincount`](Self::bincount), [`nonzero`](Self::nonzero), [`unique`](Self::unique) |
/// | selection by a mask | [`where_`](Self::where_), [`masked_fill`](Self::masked_fill), [`tril`](Self::tril), [`triu`](Self::triu), [`diag`](Self::diag), [`masked_select`](Self::masked_select) |
/// | arithmetic | [`pow`](Self::pow), [`powi`](Self::powi), [`powf`](Self::powf), [`square`](Self::square), [`recip`](Self::recip), [`maximum`](Self::maximum), [`minimum`](Self::minimum), [`clamp`](Self::clamp), [`clamp_min`](Self::clamp_min), [`clamp_max`](Self::clamp_max), [`floor`](Self::floor), [`ceil`](Self::ceil), [`round`](Self::round), [`trunc`](Self::trunc), [`frac`](Self::frac), [`fmod`](Self::fmod), [`remainder`](Self::remainder), [`hypot`](Self::hypot), [`copysign`](Self::copysign), [`lerp`](Self::lerp), [`nan_to_num`](Self::nan_to_num) |
/// | elementary functions | [`abs`](Self::abs), [`sign`](Self::sign), [`exp`](Self::exp), [`expm1`](Self::expm1), [`ln`](Self::ln), [`log1p`](Self::log1p), [`log2`](Self::log2), [`log10`](Self::log10), [`sqrt`](Self::sqrt), [`rsqrt`](Self::rsqrt), [`sin`](Self::sin), [`cos`](Self::cos), [`tan`](Self::tan), [`asin`](Self::asin), [`acos`](Self::acos), [`atan`](Self::atan), [`atan2`](Self::atan2), [`sinh`](Self::sinh), [`cosh`](Self::cosh), [`tanh`](Self::tanh), [`asinh`](Self::asinh), [`acosh`](Self::acosh), [`atanh`](Self::atanh), [`sigmoid`](Self::sigmoid), [`softplus`](Self::softplus), [`erf`](Self::erf), [`erfc`](Self::erfc), [`ndtr`](Self::ndtr), [`erfinv`](Self::erfinv), [`lgamma`](Self::lgamma), [`digamma`](Self::digamma), [`polygamma`](Self::polygamma), [`xlogy`](Self::xlogy), [`logaddexp`](Self::logaddexp), [`relu`](Self::relu), [`softmax`](Self::softmax), [`log_softmax`](Self::log_softmax), [`layer_norm`](Self::layer_norm) |
/// | reductions | [`sum`](Self::sum), [`sum_all`](Self::sum_all), [`mean`](Self::mean), [`mean_all`](Self::mean_all), [`var`](Self::var), [`max`](Self::max), [`min`](Self::min), [`argmax`](Self::argmax), [`argmin`](Self::argmin), [`logsumexp`](Self::logsumexp), [`sum_to`](Self::sum_to), [`prod`](Self::prod), [`std`](Self::std), [`var_mean`](Self::var_mean), [`norm`](Self::norm), [`count_nonzero`](Self::count_nonzero), [`max_with_indices`](Self::max_with_indices), [`min_with_indices`](Self::min_with_indices) |
/// | running results | [`cumsum`](Self::cumsum), [`cumprod`](Self::cumprod), [`logcumsumexp`](Self::logcumsumexp), [`cummax`](Self::cummax), [`cummin`](Self::cummin) |
/// | order | [`sort`](Self::sort), [`argsort`](Self::argsort), [`topk`](Self::topk), [`kthvalue`](Self::kthvalue), [`median`](Self::median), [`mode`](Self::mode), [`quantile`](Self::quantile), [`quantiles`](Self::quantiles) |
/// | comparisons | [`gt`](Self::gt), [`ge`](Self::ge), [`lt`](Self::lt), [`le`](Self::le), [`eq`](Self::eq), [`ne`](Self::ne), [`isnan`](Self::isnan), [`isinf`](Self::isinf), [`isfinite`](Self::isfinite) |
/// | logic of booleans | [`and`](Self::and), [`or`](Self::or), [`xor`](Self::xor), [`not`](Self::not), [`any`](Self::any), [`all`](Self::all), [`is_any`](Self::is_any), [`is_all`](Self::is_all), [`count`](Self::count) |
/// | matrix products | [`matmul`](Self::matmul), [`matmul_t`](Self::matmul_t), [`einsum`](Self::einsum), [`tensordot`](Self::tensordot), [`dot`](Self::dot), [`outer`](Self::outer), [`mv`](Self::mv), [`bmm`](Self::bmm), [`addmm`](Self::addmm), [`baddbmm`](Self::baddbmm), [`trace`](Self::trace) |
/// | convolution | [`conv1d`](Self::conv1d), [`conv2d`](Self::conv2d), [`conv3d`](Self::conv3d), [`conv_transpose1d`](Self::conv_transpose1d), [`conv_transpose2d`](Self::conv_transpose2d), [`conv_transpose3d`](Self::conv_transpose3d), [`unfold`](Self::unfold), [`fold`](Self::fold) |
/// | pooling | [`max_pool1d`](Self::max_pool1d), [`max_pool1d_with_indices`](Self::max_pool1d_with_indices), [`max_pool2d`](Self::max_pool2d), [`max_pool2d_with_indices`](Self::max_pool2d_with_indices), [`max_pool3d`](Self::max_pool3d), [`max_pool3d_with_indices`](Self::max_pool3d_with_indices), [`max_unpool1d`](Self::max_unpool1d), [`max_unpool2d`](Self::max_unpool2d), [`max_unpool3d`](Self::max_unpool3d), [`avg_pool1d`](Self::avg_pool1d), [`avg_pool2d`](Self::avg_pool2d), [`avg_pool3d`](Self::avg_pool3d), [`adaptive_avg_pool1d`](Self::adaptive_avg_pool1d), [`adaptive_avg_pool2d`](Self::adaptive_avg_pool2d), [`adaptive_avg_pool3d`](Self::adaptive_avg_pool3d), [`adaptive_max_pool1d`](Self::adaptive_max_pool1d), [`adaptive_max_pool1d_with_indices`](Self::adaptive_max_pool1d_with_indices), [`adaptive_max_pool2d`](Self::adaptive_max_pool2d), [`adaptive_max_pool2d_with_indices`](Self::adaptive_max_pool2d_with_indices), [`adaptive_max_pool3d`](Self::adaptive_max_pool3d), [`adaptive_max_pool3d_with_indices`](Self::adaptive_max_pool3d_with_indices) |
/// | resampling | [`interpolate`](Self::interpolate), [`map_axis`](Self::map_axis), [`map_axis_transposed`](Self::map_axis_transposed) |
///
/// # Exact results, rounding and panics
///
/// Operations on integers (`i64`, `u32`, `u8`) and `bool` give the exact result or panic with a message,
/// in debug and in release builds. Only [`cast`](Tensor::cast) wraps around.
///
/// | | `f32`, `f64` | `i64`, `u32`, `u8` | `bool` |
/// |---|---|---|---|
/// | `+ - *`, unary `-`, also in place | IEEE 754 | exact; panics if the result does not fit the type | not available: `cast` first |
/// | `/` | IEEE 754 | rounds toward zero, as in Rust; panics for `x / 0` and `i64::MIN / -1` | |
/// | `+ - * /` with a number | the number is rounded to the element type | the number may be an integer of any size, only the result must fit the type; panics for fractions, infinities and NaN | |
/// | [`fmod`](Tensor::fmod), [`remainder`](Tensor::remainder) | NaN for a division by 0 | exact; panics for a division by 0 | |
/// | [`pow`](Tensor::pow) | IEEE 754 | exact for every exponent; panics if the power is not an integer or does not fit the type | |
/// | [`maximum`](Tensor::maximum), [`minimum`](Tensor::minimum), [`max`](Tensor::max), [`min`](Tensor::min) | NaN if an operand is NaN | exact | |
/// | comparisons of two tensors | IEEE 754: every comparison with NaN is false, except `ne` | exact | exact: `false < true` |
/// | comparisons with a number | the number is rounded to the type | exact, for every number | exact, as 0 and 1 |
/// | [`sum`](Tensor::sum), [`sum_all`](Tensor::sum_all) | rounded, of the same type | exact, of type `i64`; panics if the sum does not fit `i64` | exact: the number of true elements, `i64` |
/// | [`scatter_add`](Tensor::scatter_add) | rounded | exact, of the same type; panics if a sum does not fit | |
/// | [`mean`](Tensor::mean), [`var`](Tensor::var), functions such as [`exp`](Tensor::exp), [`clamp`](Tensor::clamp) | rounded | not available: `cast` first | |
/// | [`and`](Tensor::and), [`or`](Tensor::or), [`xor`](Tensor::xor), [`not`](Tensor::not), [`any`](Tensor::any), [`all`](Tensor::all), [`count`](Tensor::count) | | | exact |
/// | [`arange_of`](Tensor::arange_of) | each element rounded once | exact; panics if an element is not an integer or does not fit the type | 0 and 1 only |
/// | [`cast`](Tensor::cast) to … | the nearest float, rounded once | from integers: the low bits (-1 becomes 255 as `u8`); from floats: saturates, NaN becomes 0 | true if the element differs from zero |
pub struct Tensor<T: Element = f32> {
    pub(crate) block: Block,
    element: PhantomData<T>,
}

impl<T: Element> Clone for Tensor<T> {
    #[inline]
    fn clone(&self) -> Self {
        Tensor { block: self.block.clone(), element: PhantomData }
    }
}

impl<T: Element> Tensor<T> {
    /// Returns a tensor with unspecified elements, to be overwritten through [`Tensor::make_mut`].
    #[inline]
    #[track_caller]
    pub(crate) fn empty(shape: Shape) -> Self {
        Self::empty_as(&shape)
    }

    /// Does the same as [`Tensor::empty`] for a shape given by reference, which saves a copy of the shape.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn empty_as(shape: &Shape) -> Self {
        let block = Block::new(shape, size_of::<T>());
        if T::DTYPE == Dtype::Bool {
            // A byte that is neither 0 nor 1 would be an invalid `bool`.
            // SAFETY: the block has room for `numel` elements of one byte.
            unsafe { block.data().write_bytes(0, shape.numel()) }
        }
        Tensor { block, element: PhantomData }
    }
}

/// Properties, and access to the elements.
impl<T: Element> Tensor<T> {
    /// Returns the sizes of the axes.
    #[inline]
    pub fn shape(&self) -> Shape {
        self.block.shape()
    }

    /// Returns the number of axes.
    #[inline]
    pub fn rank(&self) -> usize {
        self.block.rank()
    }

    /// Returns the size of one axis. A negative `axis` counts from the end.
    ///
    /// # Panics
    /// If the tensor has no such axis.
    #[track_caller]
    pub fn size(&self, axis: isize) -> usize {
        let shape = self.block.shape();
        shape[shapes::axis("size", axis, &shape).or_panic()]
    }

    /// Returns the number of elements.
    #[inline]
    pub fn numel(&self) -> usize {
        self.block.numel()
    }

    /// Returns the type of the elements.
    pub fn dtype(&self) -> Dtype {
        T::DTYPE
    }

    /// Returns whether the elements lie in memory one after the other in row-major order.
    #[inline]
    pub fn is_contiguous(&self) -> bool {
        self.block.strides().is_none()
    }

    pub(crate) fn strides(&self) -> Strides {
        self.block.strides().copied().unwrap_or_else(|| Strides::row_major(&self.block.shape()))
    }

    /// Returns the layout with neighbouring axes merged where their strides permit it.
    pub(crate) fn collapsed(&self) -> Collapsed {
        Collapsed::new(&self.shape(), &self.strides())
    }

    /// Returns where the elements are, broadcast to `shape`.
    pub(crate) fn source(&self, shape: &Shape) -> NumberSource<T> {
        let in_order = self.is_contiguous() && self.block.has_shape(shape);
        let layout = || Collapsed::new(shape, &self.broadcast_strides(shape));
        NumberSource::new(self.ptr(), (!in_order).then(layout))
    }

    /// Returns the same elements in an order in which blocks of them are read fast: a large transposed tensor is copied.
    /// Collecting its elements block by block would fetch a cache line for each of them.
    pub(crate) fn near(&self) -> Self {
        const LARGE: usize = 4096;
        let apart = !self.is_contiguous() && self.numel() >= LARGE;
        if apart && self.collapsed().is_transposed() { self.copied() } else { self.clone() }
    }

    #[inline]
    pub(crate) fn ptr(&self) -> *const T {
        self.block.data().cast_const().cast()
    }

    /// Returns the elements in row-major order if the tensor is contiguous, else `None`.
    #[inline]
    pub fn as_slice(&self) -> Option<&[T]> {
        // SAFETY: a block without strides holds `numel` elements of type `T` one after the other
        // (a view is checked when it is made), and all of them are initialised. No code writes to
        // them while `&self` lives, because writing needs exclusive access to the only handle.
        self.is_contiguous()
            .then(|| unsafe { std::slice::from_raw_parts(self.ptr(), self.numel()) })
    }

    /// Returns the elements of a newly allocated tensor, which is contiguous and not shared.
    #[inline]
    pub(crate) fn fresh_mut(&mut self) -> &mut [T] {
        debug_assert!(self.is_contiguous() && self.block.is_unique());
        // SAFETY: no other handle, and the elements lie one after the other.
        unsafe { std::slice::from_raw_parts_mut(self.block.data().cast(), self.numel()) }
    }

    /// Returns a pointer to the first element of a newly allocated tensor.
    #[inline]
    pub(crate) fn fresh_ptr(&mut self) -> *mut T {
        debug_assert!(self.is_contiguous() && self.block.is_unique());
        self.block.data().cast()
    }

    /// Returns whether the tensor is contiguous and its memory belongs to this handle alone: it is no view, and there is
    /// no view of it.
    #[doc(hidden)]
    #[inline]
    pub fn is_owned(&self) -> bool {
        self.block.is_sole()
    }

    /// Returns whether the tensor has this shape and [is owned](Tensor::is_owned).
    #[inline]
    pub(crate) fn is_owned_with(&self, shape: &Shape) -> bool {
        self.is_owned() && self.block.has_shape(shape)
    }

    /// Returns the elements in row-major order, for writing. They are copied first if another tensor shares
    /// them or if the tensor is not contiguous.
    pub fn make_mut(&mut self) -> &mut [T] {
        if !(self.is_contiguous() && self.block.is_unique()) {
            *self = self.copied();
        }
        self.fresh_mut()
    }

    /// Returns a contiguous tensor with the same elements. The elements are copied only if the tensor is not
    /// contiguous.
    pub fn contiguous(&self) -> Self {
        if self.is_contiguous() { self.clone() } else { self.copied() }
    }

    /// Returns a contiguous copy that shares no memory with this tensor.
    pub fn copied(&self) -> Self {
        let mut out = Self::empty(self.shape());
        // SAFETY: the layout is that of `self`.
        unsafe { T::copy(self.ptr(), self.collapsed(), out.fresh_mut()) }
        out
    }

    /// Returns a copy of the elements in row-major order.
    pub fn to_vec(&self) -> Vec<T> {
        match self.as_slice() {
            Some(elements) => elements.to_vec(),
            None => self.copied().fresh_mut().to_vec(),
        }
    }

    /// Returns the element of a tensor that has exactly one element.
    ///
    /// # Panics
    /// If the number of elements is not 1.
    #[inline]
    #[track_caller]
    pub fn item(&self) -> T {
        let n = self.numel();
        assert!(
            n == 1,
            "item: the tensor must have one element, got {} (shape {})",
            n,
            self.shape()
        );
        // SAFETY: the only element lies at the start, whatever the strides are.
        unsafe { self.ptr().read() }
    }

    /// Returns the element at this index, which has one number per axis.
    ///
    /// # Panics
    /// If the index does not have one number per axis, or a number is not below the size of its axis.
    #[track_caller]
    pub fn at(&self, index: &[usize]) -> T {
        let shape = self.block.shape();
        assert!(
            index.len() == shape.rank() && index.iter().zip(shape.iter()).all(|(i, n)| i < n),
            "at: index {index:?} is out of range for shape {shape}"
        );
        let offset: isize =
            index.iter().zip(self.strides().iter()).map(|(&i, &s)| i as isize * s).sum();
        // SAFETY: an index within the shape leads to an element.
        unsafe { self.ptr().offset(offset).read() }
    }

    /// Returns whether both tensors share memory, as a tensor and its view do. Use it to check that no copy
    /// was made.
    pub fn shares_storage<U: Element>(&self, other: &Tensor<U>) -> bool {
        self.storage_id() == other.storage_id()
    }

    /// Returns a number that identifies the memory: two living tensors have the same number exactly if they
    /// share memory.
    #[doc(hidden)]
    pub fn storage_id(&self) -> usize {
        self.block.owner()
    }

    /// Returns a view that shares the elements.
    ///
    /// # Safety
    /// Every element that `shape` and `strides` reach, counted from element `offset`, must be an element
    /// of `self`.
    pub(crate) unsafe fn view(&self, shape: Shape, strides: Strides, offset: isize) -> Self {
        let strides = (!strides.is_row_major(&shape)).then_some(strides);
        // SAFETY: by the contract of this function.
        let block = unsafe { self.block.view(shape, strides, offset * size_of::<T>() as isize) };
        Tensor { block, element: PhantomData }
    }

    /// Converts each element to another type, as Rust's `as` does:
    /// - to the same type: the result shares the memory, nothing is copied;
    /// - between integers: keeps the low bits, so that -1 becomes 255 as `u8`;
    /// - to a float: gives the nearest float, rounded once;
    /// - from a float to an integer: drops the fraction, saturates at the ends of the range, and gives 0
    ///   for NaN;
    /// - to `bool`: gives true if the number differs from zero (NaN does); from `bool`: gives 0 or 1.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from_vec(vec![1.7f32, -2.2, 1e30, f32::NAN], &[4]);
    /// assert_eq!(x.cast::<i64>().to_vec(), [1, -2, i64::MAX, 0]);
    /// assert_eq!(Tensor::from([-1i64, 300]).cast::<u8>().to_vec(), [255, 44]);
    /// ```
    pub fn cast<U: Element>(&self) -> Tensor<U> {
        if T::DTYPE == U::DTYPE {
            return Tensor { block: self.block.clone(), element: PhantomData };
        }
        let source = self.contiguous();
        let from = source.as_slice().unwrap_or_default();
        let mut out = Tensor::<U>::empty(self.shape());
        each_part(out.fresh_mut(), 1, from.len(), 64, |range, to| {
            for (to, &x) in to.iter_mut().zip(&from[range]) {
                *to = x.cast_();
            }
        });
        out
    }
}

impl<T: Element> PartialEq for Tensor<T> {
    /// Returns whether the shapes and all elements are equal. NaN is not equal to itself.
    fn eq(&self, other: &Self) -> bool {
        self.shape() == other.shape()
            && self.contiguous().as_slice() == other.contiguous().as_slice()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::panics_here;

    /// A stride is a product of the sizes of later axes. It must not overflow even if another size is 0.
    /// The largest number of elements is the same for all types, so that a tensor can be cast.
    #[test]
    fn more_elements_than_a_tensor_can_have_are_refused() {
        let most = isize::MAX as usize / 16;
        let bits = usize::BITS / 2;
        let shape = [2, 1usize << (bits - 4), 1 << (bits - 2)];
        assert_eq!(shape.iter().product::<usize>(), most + 1);
        let message = format!(
            "allocation: a tensor of shape {shape:?} is too large: it may have at most {most} elements, and \
             at most 4294967295 along an axis"
        );
        panics_here(&message, || drop(Tensor::<u8>::zeros_of(&shape)));
        panics_here(&message, || drop(Tensor::<f32>::zeros_of(&shape)));
        panics_here(&message, || drop(Tensor::<f64>::zeros_of(&shape)));
    }

    /// Counts that `usize` cannot hold must not be cut to a number that it can hold, such as 0.
    #[test]
    fn a_range_with_more_numbers_than_a_tensor_can_have_is_refused() {
        let message = format!(
            "allocation: a tensor of shape [{}] is too large: it may have at most {} elements, and at most \
             4294967295 along an axis",
            isize::MAX,
            isize::MAX / 16
        );
        let end = -(i64::MIN as f64);
        panics_here(&message, || drop(Tensor::<i64>::arange_of(-end, end, 1.0)));
        panics_here(&message, || drop(Tensor::<f64>::arange_of(-end, end, 1.0)));
        #[cfg(target_pointer_width = "32")]
        panics_here(&message, || drop(Tensor::<i64>::arange_of(0.0, 8_589_934_592.0, 1.0)));
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn empty_tensors_with_uncountable_sizes_are_refused() {
        for shape in [[0, 1usize << 31, 1 << 31, 1 << 31], [1 << 31, 1 << 31, 1 << 31, 0]] {
            let message = format!(
                "allocation: a tensor of shape {shape:?} is too large: it may have at most {} elements, and \
                 at most 4294967295 along an axis",
                isize::MAX / 16
            );
            panics_here(&message, || drop(Tensor::zeros(&shape)));
        }
        assert_eq!(Tensor::zeros(&[0, 1usize << 31, 1 << 20]).numel(), 0);
        panics_here(
            "broadcast_to: shape [0, 4294967296] is too large: no axis has more than 4294967295 \
             indices",
            || drop(Tensor::zeros(&[0, 1]).broadcast_to(&[0, 1usize << 32])),
        );
        let repeated = Tensor::zeros(&[1]).broadcast_to(&[u32::MAX as usize]);
        panics_here(
            "concat: shape [8589934590] is too large: no axis has more than 4294967295 indices",
            || drop(Tensor::concat(&[&repeated, &repeated], 0)),
        );
        panics_here(
            "reshape: shape [4294967296] is too large: no axis has more than 4294967295 indices",
            || drop(Tensor::zeros(&[1, 1]).broadcast_to(&[1 << 16, 1 << 16]).reshape(&[-1])),
        );
        panics_here(
            "numel: shape [4294967296, 4294967296] has more elements than a tensor can have",
            || drop(Tensor::<f32>::from_slice(&[], &[1usize << 32, 1 << 32])),
        );
    }
}
