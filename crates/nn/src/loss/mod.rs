//! Loss functions.
//!
//! Each loss has one or two forms:
//!
//! - The plain function returns the mean over a batch. The variant whose name ends in `_with` takes
//!   another [`Reduction`]. Both use PyTorch's defaults for everything else.
//! - A loss with further options has a type of the same name: a builder, whose method `loss` computes
//!   it. `CrossEntropy::new().label_smoothing(0.1).loss(logits, &classes)`.
//!
//! A target is a variable or a tensor ([`Target`]); class numbers are an index or a tensor of `i64`.

mod binary;
mod classes;
mod ctc;
mod margin;
mod pairs;
mod regression;

pub use binary::{
    Bce, BceWithLogits, Dice, Focal, bce, bce_with, bce_with_logits, bce_with_logits_with, dice,
    dice_with, focal, focal_with,
};
pub use classes::{
    CrossEntropy, KlDiv, Nll, cross_entropy, cross_entropy_with, kl_div, kl_div_with, nll,
    nll_with, soft_cross_entropy, soft_cross_entropy_with,
};
pub use ctc::{Ctc, ctc, ctc_with};
pub use margin::{
    HingeEmbedding, MarginRanking, MultiMargin, MultilabelSoftMargin, hinge, hinge_embedding,
    hinge_embedding_with, hinge_with, margin_ranking, margin_ranking_with, multi_margin,
    multi_margin_with, multilabel_margin, multilabel_margin_with, multilabel_soft_margin,
    multilabel_soft_margin_with, soft_margin, soft_margin_with, squared_hinge, squared_hinge_with,
};
pub use pairs::{
    CosineEmbedding, InfoNce, TripletMargin, cosine_embedding, cosine_embedding_with, info_nce,
    info_nce_with, triplet_margin, triplet_margin_with,
};
pub use regression::{
    GaussianNll, Huber, PoissonNll, SmoothL1, gaussian_nll, gaussian_nll_with, huber, huber_with,
    l1, l1_with, mse, mse_with, poisson_nll, poisson_nll_with, smooth_l1, smooth_l1_with,
};

use wengert_autograd::{Index, IntoIndex, Tape, Var};
use wengert_tensor::{Float, Shape, Tensor};

/// Selects how the losses of single elements or samples are combined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// Returns the mean of the losses. This is the default.
    #[default]
    Mean,
    /// Returns the sum of the losses.
    Sum,
    /// Returns every loss, without combining them.
    None,
}

impl Reduction {
    fn apply<T: Float>(self, losses: Var<'_, T>) -> Var<'_, T> {
        match self {
            Reduction::Mean => losses.mean_all(),
            Reduction::Sum => losses.sum_all(),
            Reduction::None => losses,
        }
    }
}

/// A value that can serve as the target of a loss: a variable, through which gradients flow, or a
/// tensor.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::nn::l1;
/// use wengert::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.watch(Tensor::from([1.0, 2.0]));
/// let target = Tensor::from([0.0, 4.0]);
/// assert_eq!(l1(x, &target).item(), l1(x, tape.constant(target)).item());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the target of a loss of `{T}`",
    label = "expected a `Var`, `Tensor` or `&Tensor` of `{T}`",
    note = "convert another element type with `target.cast()`"
)]
pub trait Target<'t, T: Float> {
    /// Returns the target as a variable on this tape.
    fn into_var(self, tape: &'t Tape<T>) -> Var<'t, T>;
}

impl<'t, T: Float> Target<'t, T> for Var<'t, T> {
    fn into_var(self, _: &'t Tape<T>) -> Var<'t, T> {
        self
    }
}

impl<'t, T: Float> Target<'t, T> for &Tensor<T> {
    #[track_caller]
    fn into_var(self, tape: &'t Tape<T>) -> Var<'t, T> {
        tape.constant(self.clone())
    }
}

impl<'t, T: Float> Target<'t, T> for Tensor<T> {
    #[track_caller]
    fn into_var(self, tape: &'t Tape<T>) -> Var<'t, T> {
        tape.constant(self)
    }
}

/// Defines the options of a loss: a builder with one method for each option, and one for the
/// reduction. A row holds the documentation, the name, the type and the default of an option.
macro_rules! options {
    (
        $(#[$doc:meta])*
        $Name:ident $(<$T:ident>)? {
            $($(#[$about:meta])* $option:ident: $Option:ident $(<$Inner:ty>)? = $default:expr,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        #[must_use = "options do nothing until `loss` is called"]
        pub struct $Name $(<$T: wengert_tensor::Float = f32>)? {
            $($option: $Option $(<$Inner>)?,)*
            reduction: crate::loss::Reduction,
        }

        impl $(<$T: wengert_tensor::Float>)? $Name $(<$T>)? {
            /// Creates the options with their defaults.
            pub fn new() -> Self {
                $Name { $($option: $default,)* reduction: crate::loss::Reduction::Mean }
            }

            $(
                $(#[$about])*
                pub fn $option(self, $option: options!(@$Option $(<$Inner>)?)) -> Self {
                    $Name { $option: $option.into(), ..self }
                }
            )*

            /// Sets the reduction. The default is [`Reduction::Mean`](crate::Reduction::Mean).
            pub fn reduction(self, reduction: crate::loss::Reduction) -> Self {
                $Name { reduction, ..self }
            }
        }

        impl $(<$T: wengert_tensor::Float>)? Default for $Name $(<$T>)? {
            fn default() -> Self {
                Self::new()
            }
        }
    };
    // The type of the argument that sets an option.
    (@Option<$Inner:ty>) => { impl Into<Option<$Inner>> };
    (@$Option:ident) => { $Option };
}
use options;

/// Defines the plain functions of a loss with options: with the mean, and with another reduction.
macro_rules! plain {
    (
        $(#[$doc:meta])*
        $name:ident, $with:ident: $Options:ident($($arg:ident: $Arg:ty),+)
    ) => {
        $(#[$doc])*
        ///
        #[doc = concat!("The type [`", stringify!($Options), "`](crate::", stringify!($Options), ") has options.")]
        ///
        /// # Panics
        /// If the shapes do not fit.
        #[track_caller]
        pub fn $name<'t, T: wengert_tensor::Float>(
            $($arg: $Arg),+
        ) -> wengert_autograd::Var<'t, T> {
            $Options::new().loss($($arg),+)
        }

        #[doc = concat!("Computes [`", stringify!($name), "`](crate::", stringify!($name), ") with another reduction.")]
        ///
        /// # Panics
        #[doc = concat!("Under the same conditions as [`", stringify!($name), "`](crate::", stringify!($name), ").")]
        #[track_caller]
        pub fn $with<'t, T: wengert_tensor::Float>(
            $($arg: $Arg,)+
            reduction: crate::loss::Reduction,
        ) -> wengert_autograd::Var<'t, T> {
            $Options::new().reduction(reduction).loss($($arg),+)
        }
    };
}
use plain;

/// Defines losses of single elements without options. A row holds the documentation, the names of the
/// two functions, and the formula in the input and the target.
macro_rules! elementwise {
    ($($(#[$doc:meta])* $name:ident, $with:ident: |$input:ident, $target:ident| $loss:expr;)*) => { $(
        $(#[$doc])*
        ///
        /// # Panics
        /// If the shapes differ. (`[n]` and `[n, 1]` would broadcast to n² losses.)
        #[track_caller]
        pub fn $name<'t, T: wengert_tensor::Float>(
            $input: wengert_autograd::Var<'t, T>,
            $target: impl crate::loss::Target<'t, T>,
        ) -> wengert_autograd::Var<'t, T> {
            $with($input, $target, crate::loss::Reduction::Mean)
        }

        #[doc = concat!(
            "Computes [`", stringify!($name), "`](crate::", stringify!($name), ") with another reduction; \
             [`Reduction::None`](crate::Reduction::None) keeps the shape."
        )]
        ///
        /// # Panics
        #[doc = concat!("Under the same conditions as [`", stringify!($name), "`](crate::", stringify!($name), ").")]
        #[track_caller]
        pub fn $with<'t, T: wengert_tensor::Float>(
            $input: wengert_autograd::Var<'t, T>,
            $target: impl crate::loss::Target<'t, T>,
            reduction: crate::loss::Reduction,
        ) -> wengert_autograd::Var<'t, T> {
            crate::loss::of_elements(
                stringify!($name), $input, $target, reduction, |$input, $target| $loss,
            )
        }
    )* };
}
use elementwise;

/// Computes a loss of each element of an input and a target of the same shape, and combines them.
#[track_caller]
fn of_elements<'t, T: Float>(
    op: &'static str,
    input: Var<'t, T>,
    target: impl Target<'t, T>,
    reduction: Reduction,
    loss: impl FnOnce(Var<'t, T>, Var<'t, T>) -> Var<'t, T>,
) -> Var<'t, T> {
    let target = target.into_var(input.tape());
    equal_shapes(op, input, target);
    input.tape().scope(op, || reduction.apply(loss(input, target)))
}

/// Returns the loss multiplied by weights that broadcast to it.
#[track_caller]
fn weighted<'t, T: Float>(op: &str, loss: Var<'t, T>, weights: Option<&Tensor<T>>) -> Var<'t, T> {
    let Some(weights) = weights else { return loss };
    let (tape, shape) = (loss.tape(), loss.shape());
    let got = weights.shape();
    let fits = got.rank() <= shape.rank()
        && got.iter().rev().zip(shape.iter().rev()).all(|(&w, &x)| w == x || w == 1);
    if !fits {
        tape.shape_error(format!("{op}: the weights must broadcast to {shape}, got {got}"))
    }
    loss * tape.constant(weights.clone())
}

#[track_caller]
fn equal_shapes<T: Float>(op: &str, input: Var<'_, T>, target: Var<'_, T>) {
    let (a, b) = (input.shape(), target.shape());
    if a == b {
        return;
    }
    let hint = if a.numel() == b.numel() { " (reshape one of them)" } else { "" };
    input.tape().shape_error(format!(
        "{op}: input and target must have the same shape, got {a} and {b}{hint}"
    ))
}

/// The classes of the samples, checked against scores.
#[derive(Clone, Copy)]
struct Classes<'t, T: Float> {
    /// The axis of the scores on which the classes are.
    axis: isize,
    /// The number of classes.
    count: usize,
    /// The class numbers as given: the shape of the scores without the class axis.
    given: Index<'t, T>,
    /// The class numbers as an index along the class axis. Ignored numbers are class 0.
    index: Index<'t, T>,
}

impl<'t, T: Float> Classes<'t, T> {
    #[track_caller]
    fn of(
        op: &'static str,
        input: Var<'t, T>,
        classes: impl IntoIndex<'t, T>,
        ignored: Option<i64>,
    ) -> Self {
        let tape = input.tape();
        let (shape, given) = (input.shape(), classes.into_index(tape));
        let got = given.shape();
        let axis = usize::from(shape.rank() > 1);
        if shape.rank() == 0 {
            tape.shape_error(format!("{op}: expected [N, C] for N samples and C classes, got []"))
        }
        let expected: Shape = shape[..axis].iter().chain(&shape[axis + 1..]).copied().collect();
        if got != expected {
            let hint = if got == shape {
                " (convert one-hot rows to class numbers with argmax)"
            } else {
                ""
            };
            tape.shape_error(format!(
                "{op}: scores {shape} with classes on axis {axis} require class numbers {expected}, got {got}{hint}"
            ))
        }
        let count = shape[axis];
        let index = match ignored {
            Some(ignored) => given.checked_classes_except(op, axis, count, ignored),
            None => given.checked_classes(op, axis, count),
        };
        Classes { axis: axis as isize, count, given, index }
    }

    /// Returns the element of the class of each sample.
    fn pick(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.gather(self.axis, self.index).squeeze(self.axis)
    }
}

/// Returns one weight per class in the shape [1, C, 1, …] of scores of this rank (\[C\] for rank 1).
#[track_caller]
fn class_weights<'t, T: Float>(
    op: &str,
    scores: Var<'t, T>,
    weights: Option<&Tensor<T>>,
) -> Option<Var<'t, T>> {
    let (tape, shape, weights) = (scores.tape(), scores.shape(), weights?);
    let axis = usize::from(shape.rank() > 1);
    if weights.shape() != [shape[axis]] {
        tape.shape_error(format!(
            "{op}: scores {shape} with classes on axis {axis} require one weight per class, [{}], got {}",
            shape[axis],
            weights.shape()
        ))
    }
    let mut along = vec![1; shape.rank()];
    along[axis] = shape[axis];
    Some(tape.constant(weights.reshape(&along)))
}
