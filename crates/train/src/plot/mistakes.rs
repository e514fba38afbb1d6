//! Images that were taken for something else.

use super::canvas::{Canvas, Image, Paint};
use super::grid::Colours;
use super::{save, svg};
use crate::mistakes::Mistake;
use std::path::Path;
use wengert_tensor::{FileError, Float};

/// How wide an image is at least, and how much room its words have.
const SIDE: usize = 64;
const WORDS: usize = 22;
const GAP: usize = 10;

/// Writes images that a classifier got wrong as an SVG file, each over what it is and what it was
/// taken for. Classes beyond `names` are shown by their numbers. Inputs are `[h, w]` or
/// `[1 or 3, h, w]`; each is shown on a scale of its own.
///
/// ```
/// use wengert_data::{DataLoader, Digits};
/// use wengert_nn::{Flatten, Linear, sequential};
/// use wengert_tensor::Philox;
/// use wengert_train::{mistakes, plot};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("mistakes.svg");
/// let digits = Digits::load().dataset();
/// let untrained = sequential![Flatten::new(), Linear::new(64, 10, &mut Philox::new(0))];
/// let wrong = mistakes(&untrained, &DataLoader::new(&digits, 500), 30);
/// plot::mistakes(&wrong, &[], path)?;
/// # Ok::<(), wengert_tensor::FileError>(())
/// ```
///
/// # Errors
/// If the file cannot be written.
///
/// # Panics
/// If an input is no image.
#[track_caller]
pub fn mistakes<T: Float>(
    mistakes: &[Mistake<T>],
    names: &[&str],
    path: impl AsRef<Path>,
) -> Result<(), FileError> {
    let name = |class: usize| names.get(class).map_or(class.to_string(), ToString::to_string);
    let words = |mistake: &Mistake<T>| {
        let (truth, predicted) = (name(mistake.truth), name(mistake.predicted));
        format!("{truth} → {predicted}")
    };
    let images: Vec<Image> =
        mistakes.iter().flat_map(|mistake| Image::all("mistakes", &as_batch(mistake))).collect();
    let (height, width) = images.first().map_or((1, 1), |image| (image.height, image.width));
    let zoom = (SIDE / height.max(width).max(1)).max(1);
    // Letters are about 7 wide at this size.
    let longest = mistakes.iter().map(|mistake| words(mistake).chars().count()).max().unwrap_or(0);
    let cell = (width * zoom).max(7 * longest) + GAP;
    let columns = (900 / cell).clamp(1, 10).min(images.len().max(1));
    let rows = images.len().div_ceil(columns);
    let row = height * zoom + WORDS + GAP;

    let mut out = svg::begin(columns * cell + GAP, rows * row + GAP);
    for (i, (image, mistake)) in images.iter().zip(mistakes).enumerate() {
        let (left, top) = (GAP + i % columns * cell, GAP + i / columns * row);
        let colours = if image.channels() == 3 { Colours::Light } else { Colours::Ink };
        // Enlarged here: not every reader of SVG leaves pixels as they are.
        let mut canvas = Canvas::new(width * zoom, height * zoom, 255);
        canvas.put(image, (0, 0), zoom, &Paint::new(colours, Image::range([image])));
        let middle = left + (cell - GAP) / 2;
        let size = (width * zoom, height * zoom);
        svg::image(&mut out, (middle - size.0 / 2, top), size, &canvas.to_png());
        svg::text(&mut out, (middle, top + size.1 + 15), 13, &words(mistake));
    }
    save(path.as_ref(), svg::end(out).as_bytes())
}

/// With the axes that a set of images has.
#[track_caller]
fn as_batch<T: Float>(mistake: &Mistake<T>) -> wengert_tensor::Tensor<T> {
    mistake.input.unsqueeze(0)
}
