//! Pooling layers. They have no parameters, so one type serves every element type.

mod adaptive;
mod average;
mod max;

pub use adaptive::{AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveMaxPool1d, AdaptiveMaxPool2d};
pub use average::{AvgPool1d, AvgPool2d};
pub use max::{MaxPool1d, MaxPool2d};

use crate::print::{along, changed, pair};
use wengert_autograd::Outline;
use wengert_tensor::Pool;

/// Adds the options of a layer of images to its printed form.
fn print_images(pool: &Pool, outline: Outline) -> Outline {
    print(pool, outline, pair)
}

/// Adds the options of a layer of signals to its printed form.
fn print_signals(pool: &Pool, outline: Outline) -> Outline {
    print(pool, outline, along)
}

fn print(pool: &Pool, outline: Outline, show: fn([usize; 2]) -> String) -> Outline {
    let kernel = show(pool.kernel);
    let sides = pool.padding;
    let padding = if sides.iter().all(|(before, after)| before == after) {
        show(sides.map(|(before, _)| before))
    } else {
        format!("{sides:?}")
    };
    let options = [
        ("stride", show(pool.stride), &*kernel),
        ("padding", padding, "0"),
        ("dilation", show(pool.dilation), "1"),
        ("ceil_mode", pool.ceil_mode.to_string(), "false"),
        ("count_include_pad", pool.count_include_pad.to_string(), "true"),
    ];
    changed(outline.with("kernel", Outline::value(&kernel)), &options)
}

/// Defines a pooling layer: its type, constructor, shared builder methods and `Layer`.
///
/// The arguments are: the documentation and the name of the layer; the documentation of a size, with
/// its type; the operation; the function that prints the options; and for layers of signals, the
/// method of `Pool` that sets the height to 1.
macro_rules! pooling {
    (
        $(#[$doc:meta])*
        $Layer:ident($(#[$size:meta])* $Size:ty): $op:ident, $print:ident $(, .$of_signals:ident())?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, wengert_nn_derive::Module)]
        #[module(crate = "wengert_autograd")]
        pub struct $Layer {
            #[module(print_with = super::$print)]
            pool: Pool,
        }

        impl $Layer {
            /// Creates a layer with windows of this size, side by side.
            $(#[$size])*
            pub fn new(kernel: $Size) -> Self {
                $Layer { pool: Pool::new(kernel)$(.$of_signals())? }
            }

            /// Sets the stride: the distance between neighbouring windows. The default is the
            /// kernel size.
            $(#[$size])*
            #[must_use]
            pub fn stride(self, stride: $Size) -> Self {
                $Layer { pool: self.pool.stride(stride)$(.$of_signals())? }
            }

            /// Sets the padding on both sides: at most half the kernel size. The default is 0.
            $(#[$size])*
            #[must_use]
            pub fn padding(self, padding: $Size) -> Self {
                $Layer { pool: self.pool.padding(padding)$(.$of_signals())? }
            }

            /// Sets the ceil mode. If `true`, the last window may extend beyond the end of the
            /// input. The default is `false`.
            #[must_use]
            pub fn ceil_mode(self, ceil_mode: bool) -> Self {
                $Layer { pool: self.pool.ceil_mode(ceil_mode) }
            }

            /// Returns the options of the pooling: kernel, stride, padding and so on.
            pub fn pool(&self) -> Pool {
                self.pool
            }
        }

        impl<T: wengert_tensor::Float> crate::layer::Layer<T> for $Layer {
            #[track_caller]
            fn call<'t>(&self, x: wengert_autograd::Var<'t, T>) -> wengert_autograd::Var<'t, T> {
                x.$op(&self.pool)
            }
        }
    };
}
use pooling;
