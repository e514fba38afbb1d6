//! Functions that are computed in `f64` for both types: a block of `f32` is widened first, so that the
//! code exists once and the results of `f32` are rounded correctly up to some 2⁻²⁰ ulp.
//!
//! The functions are plain arithmetic without branches, as the other functions of this module. Where a
//! rounding error would grow, the algorithm keeps it as the second number of a [`pair`]. Polynomials
//! interpolate at Chebyshev nodes, which is near the minimax polynomial.
//!
//! The error bounds are in ulp and hold with and without fused multiply-add; the tests measure them
//! against values of mpmath.

mod angle;
mod error;
mod exp;
mod gamma;
mod ln;
mod pair;

pub use angle::{acos, asin, atan, atan2, tan_far, tan_near};
pub use error::{erfc, erfinv, ndtr};
pub use exp::{cosh, sinh};
pub use gamma::{digamma, lgamma, polygamma};
pub use ln::{acosh, asinh, atanh, hypot, log2, log10, logaddexp, xlogy};
