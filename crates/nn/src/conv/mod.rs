//! Convolutional layers, and what they share: initial values, options, how they print.

mod conv1d;
mod conv2d;
mod transpose;

pub use conv1d::Conv1d;
pub use conv2d::Conv2d;
pub use transpose::ConvTranspose2d;

use rand::Rng;
use wengert_autograd::{Outline, Param, Var};
use wengert_tensor::{Conv, Float, PadMode, Padding, Tensor};

/// Weight and bias of a new layer, uniform in ±1/√(connections that come into a unit).
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

/// Cuts the channels of a new layer into groups: each unit keeps the connections to one of them, and
/// as there are fewer, they grow by √groups. So they are spread as if drawn for that number.
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
    // A parameter keeps its shape for life: this is another one, frozen if that was.
    let frozen = weight.frozen();
    *weight = (weight.value().narrow(1, 0, shape[1] / groups) * growth).into();
    if frozen {
        weight.freeze();
    }
    if let Some(bias) = bias {
        bias.update(|b| *b = &*b * growth);
    }
}

/// A name, a value, and whether that is the default.
type Options = Vec<(&'static str, String, bool)>;

/// The layer's fields, then what is not as it is by default.
fn outline(fields: Outline, options: Options) -> Outline {
    let unusual = options.into_iter().filter(|(_, _, usual)| !usual);
    unusual.fold(fields, |outline, (name, value, _)| outline.with(name, Outline::value(value)))
}

/// As a user writes it.
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

/// The images, and how the kernel moves over them, with the padding in numbers: zeros are left to the
/// convolution, another border is put around the images here.
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

/// Parameters are `weight` and `bias`; how the layer prints comes from its own `outline`.
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
