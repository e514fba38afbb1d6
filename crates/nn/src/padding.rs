//! Padding layers.

use crate::layer::Layer;
use wengert_autograd::Var;
use wengert_nn_derive::Module;
use wengert_tensor::{Float, PadMode};

macro_rules! borders {
    ($(
        $(#[$doc:meta])*
        $Name:ident $(($value:ident))?: $op:literal, [$($side:ident),+] $sides:literal of $of:literal
        $(, $mode:ident)?;
    )*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Module)]
        #[module(crate = "wengert_autograd")]
        pub struct $Name {
            $($side: (usize, usize),)+
            $($value: f64,)?
        }

        impl $Name {
            /// Creates a layer that adds `all` elements on all sides.
            pub fn new(all: usize $(, $value: f64)?) -> Self {
                $Name { $($side: (all, all),)+ $($value,)? }
            }

            #[doc = concat!("Creates a layer that adds these numbers of elements ", $sides, ".")]
            pub fn around(
                [$($side),+]: [(usize, usize); [$(stringify!($side)),+].len()]
                $(, $value: f64)?
            ) -> Self {
                $Name { $($side,)+ $($value,)? }
            }
        }

        impl<T: Float> Layer<T> for $Name {
            #[track_caller]
            fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
                let padding = around($op, $of, x, &[$(self.$side),+]);
                borders!(@pad x, &padding $(, self.$value)? $(, mode PadMode::$mode)?)
            }
        }
    )* };
    (@pad $x:ident, $padding:expr, mode $mode:path) => {
        $x.pad_mode($padding, $mode)
    };
    (@pad $x:ident, $padding:expr, $value:expr) => {
        $x.pad($padding, $value)
    };
}

/// Returns the padding of every axis of the input, which has one or two axes before the last ones.
#[track_caller]
fn around<T: Float>(
    op: &str,
    axes: &str,
    x: Var<'_, T>,
    sides: &[(usize, usize)],
) -> Vec<(usize, usize)> {
    let (shape, last) = (x.shape(), sides.len());
    if !(last + 1..=last + 2).contains(&shape.rank()) {
        x.tape().shape_error(format!("{op}: expected {axes}, got shape {shape}"))
    }
    let mut padding = vec![(0, 0); shape.rank() - last];
    padding.extend(sides);
    padding
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
    ZeroPad2d: "zero_pad2d", [height, width]
        "along the height (above, below) and along the width (left, right)"
        of "images [N, C, H, W] or [C, H, W]", Zeros;
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
    ReflectionPad2d: "reflection_pad2d", [height, width]
        "along the height (above, below) and along the width (left, right)"
        of "images [N, C, H, W] or [C, H, W]", Reflect;
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
    ReplicationPad2d: "replication_pad2d", [height, width]
        "along the height (above, below) and along the width (left, right)"
        of "images [N, C, H, W] or [C, H, W]", Replicate;
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
    CircularPad2d: "circular_pad2d", [height, width]
        "along the height (above, below) and along the width (left, right)"
        of "images [N, C, H, W] or [C, H, W]", Circular;
    /// Pads signals [N, C, L] (or [C, L]) with zeros.
    ZeroPad1d: "zero_pad1d", [length] "before and after the signal"
        of "signals [N, C, L] or [C, L]", Zeros;
    /// Pads volumes [N, C, D, H, W] (or [C, D, H, W]) with zeros.
    ZeroPad3d: "zero_pad3d", [depth, height, width]
        "along the depth, the height and the width, each before and after"
        of "volumes [N, C, D, H, W] or [C, D, H, W]", Zeros;
    /// Pads signals [N, C, L] (or [C, L]) by mirroring them at their border elements, which are not repeated. The
    /// padding must be smaller than the input along each axis.
    ReflectionPad1d: "reflection_pad1d", [length] "before and after the signal"
        of "signals [N, C, L] or [C, L]", Reflect;
    /// Pads volumes [N, C, D, H, W] (or [C, D, H, W]) by mirroring them at their border elements, which are not repeated. The
    /// padding must be smaller than the input along each axis.
    ReflectionPad3d: "reflection_pad3d", [depth, height, width]
        "along the depth, the height and the width, each before and after"
        of "volumes [N, C, D, H, W] or [C, D, H, W]", Reflect;
    /// Pads signals [N, C, L] (or [C, L]) by repeating their border elements.
    ReplicationPad1d: "replication_pad1d", [length] "before and after the signal"
        of "signals [N, C, L] or [C, L]", Replicate;
    /// Pads volumes [N, C, D, H, W] (or [C, D, H, W]) by repeating their border elements.
    ReplicationPad3d: "replication_pad3d", [depth, height, width]
        "along the depth, the height and the width, each before and after"
        of "volumes [N, C, D, H, W] or [C, D, H, W]", Replicate;
    /// Pads signals [N, C, L] (or [C, L]) by continuing them as on a circle. The padding must not be larger than
    /// the input along each axis.
    CircularPad1d: "circular_pad1d", [length] "before and after the signal"
        of "signals [N, C, L] or [C, L]", Circular;
    /// Pads volumes [N, C, D, H, W] (or [C, D, H, W]) by continuing them as on a circle. The padding must not be larger than
    /// the input along each axis.
    CircularPad3d: "circular_pad3d", [depth, height, width]
        "along the depth, the height and the width, each before and after"
        of "volumes [N, C, D, H, W] or [C, D, H, W]", Circular;
    /// Pads signals [N, C, L] (or [C, L]) with a value.
    ///
    /// ```
    /// use wengert::nn::{ConstantPad1d, Layer};
    /// use wengert::tensor::Tensor;
    /// let layer = ConstantPad1d::around([(1, 2)], -1.0);
    /// assert_eq!(layer.predict(&Tensor::from([[5.0, 6.0]])).to_vec(), [-1.0, 5.0, 6.0, -1.0, -1.0]);
    /// ```
    ConstantPad1d (value): "constant_pad1d", [length] "before and after the signal"
        of "signals [N, C, L] or [C, L]";
    /// Pads images [N, C, H, W] (or [C, H, W]) with a value.
    ConstantPad2d (value): "constant_pad2d", [height, width]
        "along the height (above, below) and along the width (left, right)"
        of "images [N, C, H, W] or [C, H, W]";
    /// Pads volumes [N, C, D, H, W] (or [C, D, H, W]) with a value.
    ConstantPad3d (value): "constant_pad3d", [depth, height, width]
        "along the depth, the height and the width, each before and after"
        of "volumes [N, C, D, H, W] or [C, D, H, W]";
}
