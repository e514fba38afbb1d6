//! Padding layers.

use crate::layer::Layer;
use wengert_autograd::Var;
use wengert_nn_derive::Module;
use wengert_tensor::{Float, PadMode};

macro_rules! borders {
    ($($(#[$doc:meta])* $Name:ident: $op:literal, $mode:ident;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Module)]
        #[module(crate = "wengert_autograd")]
        pub struct $Name {
            height: (usize, usize),
            width: (usize, usize),
        }

        impl $Name {
            /// Creates a layer that adds `all` pixels on all four sides.
            pub fn new(all: usize) -> Self {
                Self::around([(all, all); 2])
            }

            /// Creates a layer that adds these numbers of pixels along the height (above, below)
            /// and along the width (left, right).
            pub fn around([height, width]: [(usize, usize); 2]) -> Self {
                $Name { height, width }
            }
        }

        impl<T: Float> Layer<T> for $Name {
            #[track_caller]
            fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
                let shape = x.shape();
                let mut padding = [(0, 0); 4];
                match shape.rank() {
                    3 | 4 => padding[shape.rank() - 2..shape.rank()]
                        .copy_from_slice(&[self.height, self.width]),
                    _ => x.tape().shape_error(format!(
                        "{}: expected images [N, C, H, W] or [C, H, W], got shape {shape}",
                        $op
                    )),
                }
                x.pad_mode(&padding[..shape.rank()], PadMode::$mode)
            }
        }
    )* };
}
borders! {
    /// Pads images [N, C, H, W] (or [C, H, W]) with zeros.
    ///
    /// ```
    /// use wengert::nn::{Layer, ZeroPad2d};
    /// use wengert::tensor::Tensor;
    /// let image = Tensor::from([[1.0, 2.0]]).unsqueeze(0);
    /// let layer = ZeroPad2d::around([(0, 1), (2, 0)]);
    /// assert_eq!(layer.predict(&image).to_vec(), [0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.0, 0.0]);
    /// assert_eq!(layer.to_string(), "ZeroPad2d(height: (0, 1), width: (2, 0))");
    /// ```
    ZeroPad2d: "zero_pad2d", Zeros;
    /// Pads images [N, C, H, W] (or [C, H, W]) by mirroring them at their border pixels, which are
    /// not repeated: `c b | a b c d | c b`. The padding must be smaller than the image along each
    /// axis.
    ///
    /// ```
    /// use wengert::nn::{Layer, ReflectionPad2d};
    /// use wengert::tensor::Tensor;
    /// let image = Tensor::from([[1.0, 2.0, 3.0]]).unsqueeze(0);
    /// let layer = ReflectionPad2d::around([(0, 0), (2, 1)]);
    /// assert_eq!(layer.predict(&image).to_vec(), [3.0, 2.0, 1.0, 2.0, 3.0, 2.0]);
    /// assert!(Layer::<f32>::summary(&layer, &[1, 4, 2]).is_err());
    /// ```
    ReflectionPad2d: "reflection_pad2d", Reflect;
    /// Pads images [N, C, H, W] (or [C, H, W]) by repeating their border pixels:
    /// `a a | a b c d | d d`.
    ///
    /// ```
    /// use wengert::nn::{Layer, ReplicationPad2d};
    /// use wengert::tensor::Tensor;
    /// let image = Tensor::from([[1.0, 2.0]]).unsqueeze(0);
    /// let layer = ReplicationPad2d::around([(0, 0), (2, 1)]);
    /// assert_eq!(layer.predict(&image).to_vec(), [1.0, 1.0, 1.0, 2.0, 2.0]);
    /// ```
    ReplicationPad2d: "replication_pad2d", Replicate;
    /// Pads images [N, C, H, W] (or [C, H, W]) by continuing them as on a circle:
    /// `c d | a b c d | a b`. The padding must not be larger than the image along each axis.
    ///
    /// ```
    /// use wengert::nn::{CircularPad2d, Layer};
    /// use wengert::tensor::Tensor;
    /// let image = Tensor::from([[1.0, 2.0, 3.0]]).unsqueeze(0);
    /// let layer = CircularPad2d::around([(0, 0), (2, 1)]);
    /// assert_eq!(layer.predict(&image).to_vec(), [2.0, 3.0, 1.0, 2.0, 3.0, 1.0]);
    /// ```
    CircularPad2d: "circular_pad2d", Circular;
}
