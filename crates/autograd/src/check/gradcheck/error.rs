//! The error of a check of derivatives, and its text.

use std::fmt;

/// A derivative that differs from the finite difference.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct GradcheckError {
    /// The name of the checked function, if it was [named](crate::Gradcheck::named).
    pub name: String,
    /// The order of the wrong derivative. 1: the gradient of the function is wrong; 2: the gradient of
    /// its gradient; …
    pub order: usize,
    /// The place of the wrong derivative.
    pub at: GradcheckPlace,
    /// The derivative by the rules. At a kink: the slope on the left. At an edge of the domain: the
    /// function's value at the point.
    pub analytic: f64,
    /// The finite difference. At a kink: the slope on the right. At an edge of the domain: the
    /// function's value next to the point. Where the function is not finite: its value.
    pub numeric: f64,
    /// The largest permitted difference of the two.
    pub bound: f64,
    /// The number of inputs of the function. The gradient of order n - 1, which is checked at order n,
    /// has more inputs: the cotangents of the lower orders.
    pub inputs: usize,
}

/// The place of a wrong derivative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GradcheckPlace {
    /// Along a random direction through all inputs at once.
    Direction,
    /// The derivative of one element of the output with respect to one element of an input.
    Entry {
        /// The number of the input.
        input: usize,
        /// The element of the input, counted row by row.
        element: usize,
        /// The element of the output.
        output: usize,
    },
    /// The point is next to a kink or a jump. The derivative does not exist there, or finite differences
    /// cannot compute it. The rules may be right: choose another point.
    Kink {
        /// The number of the input.
        input: usize,
        /// The element of the input, counted row by row.
        element: usize,
        /// The element of the output that has the kink.
        output: usize,
    },
    /// The function is finite at the point, and NaN or infinite next to it. The point is at the edge of
    /// the domain, and finite differences cannot be computed. The rules may be right.
    Edge {
        /// The number of the input.
        input: usize,
        /// The element of the input, counted row by row.
        element: usize,
        /// The element of the output that is not finite.
        output: usize,
    },
    /// The point is so large that a step is lost in rounding: no differences can be taken. The rules may
    /// be right.
    Step {
        /// The number of the input.
        input: usize,
        /// The element of the input, counted row by row.
        element: usize,
    },
    /// The function is NaN or infinite at the point. The rules may be right.
    Value {
        /// The element of the output that is not finite.
        output: usize,
    },
    /// Two ways to compute the gradient differ: as tensors (`backward`) and as variables (`grad`), or
    /// with the eager and the fusing policy.
    Paths {
        /// The number of the input.
        input: usize,
    },
}

impl GradcheckError {
    /// Returns the element of the output that the error is about, if there is one.
    pub(crate) fn output_element(&self) -> Option<usize> {
        match self.at {
            GradcheckPlace::Entry { output, .. }
            | GradcheckPlace::Kink { output, .. }
            | GradcheckPlace::Edge { output, .. }
            | GradcheckPlace::Value { output } => Some(output),
            GradcheckPlace::Direction
            | GradcheckPlace::Paths { .. }
            | GradcheckPlace::Step { .. } => None,
        }
    }
}

impl fmt::Display for GradcheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GradcheckError { name, order, at, analytic, numeric, bound, inputs } = self;
        if !name.is_empty() {
            write!(f, "{name}: ")?;
        }
        let argument = |input: usize| match input.checked_sub(*inputs) {
            None => format!("input {input}"),
            Some(0) => "the cotangent".into(),
            Some(i) => format!("the cotangent of order {}", i + 1),
        };
        write!(f, "derivative of order {order} ")?;
        match *at {
            GradcheckPlace::Direction => write!(f, "along a random direction")?,
            GradcheckPlace::Entry { input, element, output } => {
                let input = argument(input);
                write!(f, "of output element {output} by element {element} of {input}")?;
            }
            GradcheckPlace::Kink { input, element, output } => {
                let input = argument(input);
                return write!(
                    f,
                    "of output element {output} by element {element} of {input}: the function has a kink \
                     or a jump next to this point, its slope is {analytic:e} on the left and {numeric:e} on \
                     the right: choose a point farther away"
                );
            }
            GradcheckPlace::Edge { input, element, output } => {
                let input = argument(input);
                return write!(
                    f,
                    "of output element {output} by element {element} of {input}: the function is {analytic:e} \
                     at this point and {numeric} next to it: choose a point farther from the edge of the \
                     function's domain, or smaller steps"
                );
            }
            GradcheckPlace::Step { input, element } => {
                let input = argument(input);
                return write!(
                    f,
                    "by element {element} of {input}: a step of {numeric:e} from {analytic:e} is lost in \
                     rounding: choose a point nearer to 0, or a larger step"
                );
            }
            GradcheckPlace::Value { output } => {
                return write!(
                    f,
                    "of output element {output}: the function is {numeric} at this point: choose a point in \
                     the function's domain"
                );
            }
            GradcheckPlace::Paths { input } => {
                let input = argument(input);
                if analytic.is_nan() && numeric.is_nan() {
                    return write!(f, "by {input}: the rules give NaN");
                }
                return write!(
                    f,
                    "by {input}: {analytic:e} one way and {numeric:e} another (backward or grad, eager or \
                     fused), more than {bound:.1e} apart"
                );
            }
        }
        write!(
            f,
            ": the rules give {analytic:e}, differences {numeric:e}, more than {bound:.1e} apart"
        )
    }
}
impl std::error::Error for GradcheckError {}
wengert_tensor::debug_is_display!(GradcheckError);
