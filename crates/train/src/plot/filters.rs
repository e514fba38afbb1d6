//! Plots of the weights and of the outputs of a convolution.

use super::canvas::Image;
use super::grid::{Colours, GridOptions, sheet};
use super::save;
use std::path::Path;
use wengert_tensor::{Element, FileError, Tensor};

/// Writes the weights `[out, in, kh, kw]` of a convolution as a PNG file: zero is white, negative
/// weights are blue, positive weights are red, and the weight with the largest absolute value has the
/// darkest colour. Filters of one input channel stand in rows of eight; filters of several channels
/// have one row for each output channel.
///
/// ```
/// use wengert_nn::Conv2d;
/// use wengert_tensor::Philox;
/// use wengert_train::plot;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("filters.png");
/// let conv1 = Conv2d::new(1, 6, 5, &mut Philox::new(0));
/// plot::filters(conv1.weight.value(), path)?;
/// # Ok::<(), wengert_tensor::FileError>(())
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
        "filters: the weights [out, in, kh, kw] of a convolution wanted, this has shape {shape}"
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
/// use wengert_nn::{Conv2d, Layer};
/// use wengert_tensor::{Philox, Tensor};
/// use wengert_train::plot;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("maps.png");
/// let conv1 = Conv2d::new(1, 6, 5, &mut Philox::new(0));
/// let image = Tensor::uniform(&[1, 1, 28, 28], 0.0, 1.0, &mut Philox::new(1));
/// plot::feature_maps(&conv1.predict(&image), path)?;
/// # Ok::<(), wengert_tensor::FileError>(())
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
            "feature_maps: the maps [c, h, w] or [1, c, h, w] of one image wanted, this has shape {shape}"
        ),
    };
    let columns = shape[shape.rank() - 3].clamp(1, 8);
    let options = GridOptions::new().columns(columns).colours(Colours::Signed).each();
    save(path.as_ref(), &sheet(&Image::all("feature_maps", &maps), &options).to_png())
}
