//! Pooling layers. They have no parameters, so one type serves every element type.

mod adaptive;
mod average;
mod max;
mod unpool;

pub use adaptive::{
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AdaptiveMaxPool1d, AdaptiveMaxPool2d,
    AdaptiveMaxPool3d,
};
pub use average::{AvgPool1d, AvgPool2d, AvgPool3d};
pub use max::{MaxPool1d, MaxPool2d, MaxPool3d};
pub use unpool::{MaxUnpool1d, MaxUnpool2d, MaxUnpool3d};

use crate::print::{changed, sides, sizes};
use wengert_autograd::Outline;
use wengert_tensor::{Pool, VolumePool};

/// Adds the options of a layer of images to its printed form.
fn print_images(pool: &Pool, outline: Outline) -> Outline {
    print(&(*pool).into(), outline, 2)
}

/// Adds the options of a layer of signals to its printed form.
fn print_signals(pool: &Pool, outline: Outline) -> Outline {
    print(&(*pool).into(), outline, 1)
}

/// Adds the options of an unpooling layer of images to its printed form.
fn print_unpooled_images(pool: &VolumePool, outline: Outline) -> Outline {
    print(pool, outline, 2)
}

/// Adds the options of an unpooling layer of signals to its printed form.
fn print_unpooled_signals(pool: &VolumePool, outline: Outline) -> Outline {
    print(pool, outline, 1)
}

/// Adds the options of a layer of volumes to its printed form.
fn print_volumes(pool: &VolumePool, outline: Outline) -> Outline {
    print(pool, outline, 3)
}

/// Adds the options along the last axes.
fn print(pool: &VolumePool, outline: Outline, axes: usize) -> Outline {
    let show = |numbers: [usize; 3]| sizes(&numbers[3 - axes..]);
    let kernel = show(pool.kernel);
    let options = [
        ("stride", show(pool.stride), &*kernel),
        ("padding", sides(&pool.padding[3 - axes..]), "0"),
        ("dilation", show(pool.dilation), "1"),
        ("ceil_mode", pool.ceil_mode.to_string(), "false"),
        ("count_include_pad", pool.count_include_pad.to_string(), "true"),
    ];
    changed(outline.with("kernel", Outline::value(&kernel)), &options)
}

/// Defines a pooling layer: its type, constructor, shared builder methods and `Layer`.
///
/// The arguments are: the documentation and the name of the layer; the documentation of a size, with
/// its type; the operation; the function that prints the options; the type of the options, with that of the
/// padding before and after each axis; and for layers of signals, the method of `Pool` that sets the height
/// to 1.
macro_rules! pooling {
    (
        $(#[$doc:meta])*
        $Layer:ident($(#[$size:meta])* $Size:ty): $op:ident, $print:ident, $Pool:ident,
        |$sides:ident: $Sides:ty| $each:expr $(, .$of_signals:ident())?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, wengert_nn_derive::Module)]
        #[module(crate = "wengert_autograd")]
        pub struct $Layer {
            #[module(print_with = super::$print)]
            pool: $Pool,
        }

        impl $Layer {
            /// Creates a layer with windows of this size, side by side.
            $(#[$size])*
            pub fn new(kernel: $Size) -> Self {
                $Layer { pool: $Pool::new(kernel)$(.$of_signals())? }
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

            /// Sets the padding before and after each axis: at most half the kernel size. The default is 0.
            #[must_use]
            pub fn padding_each(self, $sides: $Sides) -> Self {
                $Layer { pool: self.pool.padding_each($each) }
            }

            /// Sets the ceil mode. If `true`, the last window may extend beyond the end of the
            /// input. The default is `false`.
            #[must_use]
            pub fn ceil_mode(self, ceil_mode: bool) -> Self {
                $Layer { pool: self.pool.ceil_mode(ceil_mode) }
            }

            /// Returns the options of the pooling: kernel, stride, padding and so on.
            pub fn pool(&self) -> $Pool {
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

/// Adds the method that also returns positions. The arguments are the layer, the operation with its argument, the whole
/// in which positions count, and the layer that takes the positions.
macro_rules! with_indices {
    ($($Layer:ident: $op:ident, |$layer:ident| $argument:expr, $whole:literal, $Unpool:ident;)*) => { $(
        impl $Layer {
            #[doc = concat!(
                "Computes the output as [`forward`](crate::Layer::forward) does, and the position of each maximum \
                 in its ", $whole, ", as [`", stringify!($Unpool), "`](crate::", stringify!($Unpool), ") expects \
                 them. PyTorch: `return_indices=True`."
            )]
            #[track_caller]
            pub fn forward_with_indices<'t, T: wengert_tensor::Float>(
                &self,
                x: wengert_autograd::Var<'t, T>,
            ) -> (wengert_autograd::Var<'t, T>, wengert_autograd::Index<'t, T>) {
                let scope = x.tape().open(self);
                let $layer = self;
                scope.close(x.$op($argument))
            }
        }
    )* };
}
use with_indices;
