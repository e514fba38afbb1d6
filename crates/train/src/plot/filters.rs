//! What a convolution looks for, and what it finds.

use super::canvas::Image;
use super::grid::{Colours, GridOptions, sheet};
use super::save;
use std::path::Path;
use wengert_tensor::{Element, FileError, Tensor};

/// Writes the weights `[out, in, kh, kw]` of a convolution as a PNG file: zero is white, below it
/// blue, above it red. Filters of one or several channels stand in rows of eight or one row for
/// each output; the strongest weight of all has the strongest colour.
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
/// If the weights have another number of axes.
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

/// Writes what a layer gives for one image, `[c, h, w]` or `[1, c, h, w]`, as a PNG file: zero is
/// white, below it blue, above it red, each map on a scale of its own. A map that is white all over is
/// silent.
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
/// If these are not the maps of one image.
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
