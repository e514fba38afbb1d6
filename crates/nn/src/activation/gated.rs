//! Gated units, which multiply one half of their input by a function of the other half, and the
//! maximum of groups.

use super::activations;
use super::rectifier::{gelu, relu, silu};
use super::sigmoid::sigmoid;
use wengert_autograd::Var;
use wengert_tensor::Float;

activations! {
    /// Computes a · σ(b), where a and b are the first and the second half of x along an axis (-1: the
    /// last). (Dauphin, Fan, Auli, Grangier, "Language modeling with gated convolutional networks",
    /// 2016.)
    ///
    /// ```
    /// use wengert::nn::{Glu, Layer};
    /// use wengert::tensor::Tensor;
    /// let y = Glu(-1).predict(&Tensor::from([[2.0, 3.0, 0.0, 1e4]]));
    /// assert_eq!(y.to_vec(), [1.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the size of the axis is odd.
    #[derive(Eq)]
    Glu(axis: isize) as glu: |x| gated("glu", x, axis, sigmoid);
    /// Computes a · gelu(b), where a and b are the halves of x along an axis (-1: the last). (Shazeer,
    /// "GLU variants improve transformer", 2020; as in [`Glu`], the second half is the gate.)
    ///
    /// # Panics
    /// If the size of the axis is odd.
    #[derive(Eq)]
    Geglu(axis: isize) as geglu: |x| gated("geglu", x, axis, gelu);
    /// Computes a · silu(b), where a and b are the halves of x along an axis (-1: the last). (Shazeer,
    /// "GLU variants improve transformer", 2020; as in [`Glu`], the second half is the gate.)
    ///
    /// # Panics
    /// If the size of the axis is odd.
    #[derive(Eq)]
    Swiglu(axis: isize) as swiglu: |x| gated("swiglu", x, axis, silu);
    /// Computes a · max(b, 0), where a and b are the halves of x along an axis (-1: the last).
    /// (Shazeer, "GLU variants improve transformer", 2020; as in [`Glu`], the second half is the gate.)
    ///
    /// # Panics
    /// If the size of the axis is odd.
    #[derive(Eq)]
    Reglu(axis: isize) as reglu: |x| gated("reglu", x, axis, relu);
}

#[track_caller]
fn gated<'t, T: Float>(
    op: &str,
    x: Var<'t, T>,
    axis: isize,
    gate: impl FnOnce(Var<'t, T>) -> Var<'t, T>,
) -> Var<'t, T> {
    let size = x.size(axis);
    if !size.is_multiple_of(2) {
        x.tape().shape_error(format!(
            "{op}: the size of axis {axis} must be even, because one half is the gate of the other, got {}",
            x.shape()
        ))
    }
    let half = size / 2;
    x.narrow(axis, 0, half) * gate(x.narrow(axis, half, half))
}

/// Returns the maximum of each group of `pieces` consecutive elements of the last axis:
/// […, n · pieces] → […, n]. Equal maxima get equal shares of the gradient. The layer
/// [`Maxout`](crate::Maxout) applies it to an affine map.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::nn::functional::maxout;
/// use wengert::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.watch(Tensor::from([[1.0, 4.0, -2.0, -3.0]]));
/// assert_eq!(maxout(x, 2).value().to_vec(), [4.0, -2.0]);
/// ```
///
/// # Panics
/// If the size of the last axis is not a multiple of `pieces`, or `pieces` is 0.
#[track_caller]
pub fn maxout<T: Float>(x: Var<'_, T>, pieces: usize) -> Var<'_, T> {
    let shape = x.shape();
    let Some((&size, rest)) =
        shape.split_last().filter(|(size, _)| pieces > 0 && size.is_multiple_of(pieces))
    else {
        x.tape().shape_error(format!(
            "maxout: the size of the last axis must be a multiple of the number of pieces, got {shape} and \
             {pieces} pieces"
        ))
    };
    let mut groups = rest.to_vec();
    groups.extend([size / pieces, pieces]);
    x.reshape(&groups).max(&[-1], false)
}
