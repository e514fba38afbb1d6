//! Pooling layers. They have no parameters, so one type serves every element type.

mod adaptive;
mod average;
mod max;

pub use adaptive::{AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveMaxPool1d, AdaptiveMaxPool2d};
pub use average::{AvgPool1d, AvgPool2d};
pub use max::{MaxPool1d, MaxPool2d};

use crate::conv::pair;
use wengert_autograd::Outline;
use wengert_tensor::Pool;

/// Returns the kernel and the options that differ from their defaults. For signals, only the second
/// number of each pair is shown.
fn outline(name: &str, pool: &Pool, signals: bool) -> Outline {
    let show = |pair_of: [usize; 2]| pair(if signals { [pair_of[1]; 2] } else { pair_of });
    let usual = Pool::new(pool.kernel);
    let of_pair = |name, own, usual| (name, show(own), show(own) == show(usual));
    let options = [
        of_pair("stride", pool.stride, usual.stride),
        of_pair("padding", pool.padding, usual.padding),
        of_pair("dilation", pool.dilation, usual.dilation),
        ("ceil_mode", "true".into(), !pool.ceil_mode),
        ("count_include_pad", "false".into(), pool.count_include_pad),
    ];
    let kernel = Outline::new(name).with("kernel", Outline::value(show(pool.kernel)));
    let unusual = options.into_iter().filter(|&(_, _, usual)| !usual);
    unusual.fold(kernel, |outline, (name, value, _)| outline.with(name, Outline::value(value)))
}

/// Implements `Module`, `Display` and `Layer` for a layer around a [`Pool`].
macro_rules! layer {
    ($Layer:ident, $signals:literal, $op:ident) => {
        impl wengert_autograd::Module for $Layer {
            fn visit<'m>(
                &'m self,
                _: &wengert_autograd::Path<'_>,
                _: &mut wengert_autograd::See<'_, 'm>,
            ) {
            }
            fn visit_mut<'m>(
                &'m mut self,
                _: &wengert_autograd::Path<'_>,
                _: &mut wengert_autograd::SeeMut<'_, 'm>,
            ) {
            }
            fn first_state(&self) -> Option<wengert_autograd::FirstState> {
                None
            }
            fn outline(&self) -> wengert_autograd::Outline {
                super::outline(stringify!($Layer), &self.pool, $signals)
            }
        }

        impl std::fmt::Display for $Layer {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&wengert_autograd::Module::outline(self), f)
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
use layer;

/// Adds the options of a [`Pool`] as methods of the layer. Layers of signals take one number where
/// layers of images take a pair.
macro_rules! options {
    ($Layer:ident, $Sizes:ty, $some:ident => $pool:expr) => {
        impl $Layer {
            /// Sets the stride: the distance between neighbouring windows. The default is the
            /// kernel size.
            #[must_use]
            pub fn stride(mut self, $some: $Sizes) -> Self {
                self.pool = self.pool.stride($pool);
                self
            }

            /// Sets the padding on both sides: at most half the kernel size. The default is 0.
            #[must_use]
            pub fn padding(mut self, $some: $Sizes) -> Self {
                self.pool = self.pool.padding($pool);
                self
            }

            /// Sets the ceil mode. If `true`, the last window may extend beyond the end of the
            /// input. The default is `false`.
            #[must_use]
            pub fn ceil_mode(mut self, ceil_mode: bool) -> Self {
                self.pool = self.pool.ceil_mode(ceil_mode);
                self
            }

            /// Returns the options of the pooling: kernel, stride, padding and so on.
            pub fn pool(&self) -> Pool {
                self.pool
            }
        }
    };
}
use options;
