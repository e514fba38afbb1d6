//! Printing the options of layers.

use wengert_autograd::Outline;

/// Adds the options that differ from their defaults. An option is given by its name, its value and
/// its default value.
pub(crate) fn changed(outline: Outline, options: &[(&'static str, String, &str)]) -> Outline {
    options
        .iter()
        .filter(|(_, value, default)| value != default)
        .fold(outline, |outline, (name, value, _)| outline.with(*name, Outline::value(value)))
}

/// Formats a pair for a layer of images as a user writes it: one number if both are equal.
pub(crate) fn pair([h, w]: [usize; 2]) -> String {
    if h == w { h.to_string() } else { format!("[{h}, {w}]") }
}

/// Formats a pair for a layer of signals, which are images of height 1: the second number.
pub(crate) fn along([_, along]: [usize; 2]) -> String {
    along.to_string()
}
