//! Plots of the weights and of the outputs of a convolution.

use crate::canvas::Colours;
use crate::canvas::Image;
use crate::grid::{GridOptions, sheet};
use crate::save::save;
use std::path::Path;
use wengert_tensor::{Element, FileError, Tensor};

/// Writes the weights `[out, in, kh, kw]` of a convolution as a PNG file: zero is white, negative
/// weights are blue, positive weights are red, and the weight with the largest absolute value has the
/// darkest colour. Filters of one input channel stand in rows of eight; filters of several channels
/// have one row for each output channel.
///
/// ```
/// use wengert::tensor::{Philox, Tensor};
/// let path = std::env::temp_dir().join("filters.png");
/// let weight = Tensor::normal(&[6, 1, 5, 5], 0.0, 0.2, &mut Philox::new(0));
/// wengert::plot::filters(&weight, path).unwrap();
/// ```
///
/// # Errors
/// If the file cannot be written.
///
/// # Panics
/// If the weights do not have four axes.
#[track_caller]
pub fn filters<T: Element>(weight: &Tensor<T>, path: impl AsRef<Path>) -> Result<(), FileError> {
    let shape = weight.shape();
    assert!(
        shape.rank() == 4,
        "filters: expected the weights [out, in, kh, kw] of a convolution, got shape {shape}"
    );
    let columns = if shape[1] == 1 { shape[0].clamp(1, 8) } else { shape[1] };
    let options = GridOptions::new().columns(columns.max(1)).colours(Colours::Signed);
    let planes = weight.flatten(0, 1);
    save(path.as_ref(), &sheet(&Image::all("filters", &planes), &options).to_png())
}

/// Writes the output of a layer for one image, `[c, h, w]` or `[1, c, h, w]`, as a PNG file: zero is
/// white, negative numbers are blue, positive numbers are red. Each map has its own scale. A map that is
/// zero everywhere is white.
///
/// ```
/// use wengert::tensor::{Philox, Tensor};
/// let path = std::env::temp_dir().join("maps.png");
/// let output = Tensor::normal(&[1, 6, 24, 24], 0.0, 1.0, &mut Philox::new(0));
/// wengert::plot::feature_maps(&output, path).unwrap();
/// ```
///
/// # Errors
/// If the file cannot be written.
///
/// # Panics
/// If the shape is neither `[c, h, w]` nor `[1, c, h, w]`.
#[track_caller]
pub fn feature_maps<T: Element>(maps: &Tensor<T>, path: impl AsRef<Path>) -> Result<(), FileError> {
    let shape = maps.shape();
    let maps = match shape[..] {
        [_, _, _] => maps.clone(),
        [1, _, _, _] => maps.squeeze(0),
        _ => panic!(
            "feature_maps: expected the output [c, h, w] or [1, c, h, w] for one image, got shape \
             {shape}: select image i of a batch with narrow(0, i, 1)"
        ),
    };
    let columns = shape[shape.rank() - 3].clamp(1, 8);
    let options = GridOptions::new().columns(columns).colours(Colours::Signed).each();
    save(path.as_ref(), &sheet(&Image::all("feature_maps", &maps), &options).to_png())
}
