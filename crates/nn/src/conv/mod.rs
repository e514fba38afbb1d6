//! Convolutional layers, and their shared code for initial values, options and printing.

mod conv1d;
mod conv2d;
mod transpose;

pub use conv1d::Conv1d;
pub use conv2d::Conv2d;
pub use transpose::ConvTranspose2d;

use rand::Rng;
use wengert_autograd::{Outline, Param, Var};
use wengert_tensor::{Conv, Float, PadMode, Padding, Tensor};

/// Draws the weight and bias of a new layer uniformly from ±1/√(number of connections into a unit).
#[track_caller]
fn draw<T: Float>(
    layer: &str,
    shape: &[usize],
    outputs: usize,
    rng: &mut (impl Rng + ?Sized),
) -> (Param<T>, Option<Param<T>>) {
    let connections: usize = shape[1..].iter().product();
    assert!(
        connections > 0,
        "{layer}: a weight {shape:?} has no connections to draw its scale from: every size is at \
         least 1"
    );
    let bound = 1.0 / (connections as f64).sqrt();
    let weight = Tensor::uniform_of(shape, -bound, bound, rng);
    let bias = Tensor::uniform_of(&[outputs], -bound, bound, rng);
    (weight.into(), Some(bias.into()))
}

/// Divides the channels of a new layer into groups. Each unit keeps its connections to one group,
/// and weights and biases are multiplied by √groups. The result has the distribution of values
/// drawn for the smaller number of connections.
#[track_caller]
fn regroup<T: Float>(
    layer: &str,
    weight: &mut Param<T>,
    bias: &mut Option<Param<T>>,
    conv: &mut Conv,
    groups: usize,
) {
    let shape = weight.shape();
    assert!(conv.groups == 1, "{layer}: its channels are in {} groups already", conv.groups);
    for channels in &shape[..2] {
        assert!(
            groups > 0 && channels.is_multiple_of(groups),
            "{layer}: {channels} channels do not divide into {groups} groups (weight {shape})"
        );
    }
    conv.groups = groups;
    let growth = (groups as f64).sqrt();
    // The shape of a parameter cannot change, so a new parameter replaces it. It is frozen if the
    // old one was.
    let frozen = weight.frozen();
    *weight = (weight.value().narrow(1, 0, shape[1] / groups) * growth).into();
    if frozen {
        weight.freeze();
    }
    if let Some(bias) = bias {
        bias.update(|b| *b = &*b * growth);
    }
}

/// Name, value, and whether the value is the default.
type Options = Vec<(&'static str, String, bool)>;

/// Returns the layer's fields, then the options that differ from their defaults.
fn outline(fields: Outline, options: Options) -> Outline {
    let unusual = options.into_iter().filter(|(_, _, usual)| !usual);
    unusual.fold(fields, |outline, (name, value, _)| outline.with(name, Outline::value(value)))
}

/// Formats a pair as a user writes it: one number if both are equal.
pub(crate) fn pair([h, w]: [usize; 2]) -> String {
    if h == w { h.to_string() } else { format!("[{h}, {w}]") }
}

fn options(conv: &Conv, padding: Padding, mode: PadMode) -> Options {
    let none = padding == Padding::Valid || padding == Padding::from(0);
    vec![
        ("stride", pair(conv.stride), conv.stride == [1, 1]),
        ("padding", padding.to_string(), none),
        ("dilation", pair(conv.dilation), conv.dilation == [1, 1]),
        ("groups", conv.groups.to_string(), conv.groups == 1),
        ("padding_mode", format!("{mode:?}"), mode == PadMode::Zeros),
    ]
}

/// Resolves the padding into numbers. Zero padding is left to the convolution; for any other mode,
/// the input returned here is already padded and the returned `Conv` has padding 0.
#[track_caller]
fn bordered<'t, T: Float>(
    x: Var<'t, T>,
    conv: &Conv,
    padding: Padding,
    mode: PadMode,
    kernel: [usize; 2],
) -> (Var<'t, T>, Conv) {
    let signals = x.shape().rank() == 3;
    let around = match padding.around(kernel, conv) {
        Ok(around) => around,
        Err(_) if signals => x.tape().shape_error(format!(
            "padding: `Same` keeps the length of a signal, a stride of {} does not; give the padding \
             in numbers",
            conv.stride[1]
        )),
        Err(why) => x.tape().shape_error(why),
    };
    if mode == PadMode::Zeros {
        return (x, Conv { padding: around, ..*conv });
    }
    let mut each = vec![(0, 0); 2];
    each.extend(&around[usize::from(signals)..]);
    (x.pad_mode(&each, mode), conv.padding(0))
}

/// Implements `Module` and `Display` for a layer with the parameters `weight` and `bias`. Printing
/// uses the layer's `shown` method.
macro_rules! module {
    ($Layer:ident) => {
        impl<T: Float> wengert_autograd::Module for $Layer<T> {
            fn visit<'m>(
                &'m self,
                path: &wengert_autograd::Path<'_>,
                see: &mut wengert_autograd::See<'_, 'm>,
            ) {
                self.weight.visit(&path.child("weight"), see);
                self.bias.visit(&path.child("bias"), see);
            }
            fn visit_mut<'m>(
                &'m mut self,
                path: &wengert_autograd::Path<'_>,
                see: &mut wengert_autograd::SeeMut<'_, 'm>,
            ) {
                self.weight.visit_mut(&path.child("weight"), see);
                self.bias.visit_mut(&path.child("bias"), see);
            }
            fn first_state(&self) -> Option<wengert_autograd::FirstState> {
                self.weight.first_state().map(wengert_autograd::FirstState::below)
            }
            fn outline(&self) -> wengert_autograd::Outline {
                self.shown()
            }
        }

        impl<T: Float> std::fmt::Display for $Layer<T> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.shown(), f)
            }
        }
    };
}
use module;
