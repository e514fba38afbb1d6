//! The plot of misclassified images.

use super::canvas::{Canvas, Image, Paint};
use super::grid::Colours;
use super::{save, svg};
use crate::mistakes::Mistake;
use std::path::Path;
use wengert_tensor::{FileError, Float};

/// The minimum width of an image, the height of its text, and the distance between images.
const SIDE: usize = 64;
const WORDS: usize = 22;
const GAP: usize = 10;

/// Writes misclassified images as an SVG file, with the true and the predicted class below each image.
/// Classes without a name in `names` are shown by their numbers. Inputs are `[h, w]` or
/// `[1 or 3, h, w]`. Each image has its own scale.
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
/// If the shape of an input is not one of these.
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
    // A letter is about 7 units wide at this font size.
    let longest = mistakes.iter().map(|mistake| words(mistake).chars().count()).max().unwrap_or(0);
    let cell = (width * zoom).max(7 * longest) + GAP;
    let columns = (900 / cell).clamp(1, 10).min(images.len().max(1));
    let rows = images.len().div_ceil(columns);
    let row = height * zoom + WORDS + GAP;

    let mut out = svg::begin(columns * cell + GAP, rows * row + GAP);
    for (i, (image, mistake)) in images.iter().zip(mistakes).enumerate() {
        let (left, top) = (GAP + i % columns * cell, GAP + i / columns * row);
        let colours = if image.channels() == 3 { Colours::Light } else { Colours::Ink };
        // Enlarges the image here, since some SVG viewers smooth enlarged pixels.
        let mut canvas = Canvas::new(width * zoom, height * zoom, 255);
        canvas.put(image, (0, 0), zoom, &Paint::new(colours, Image::range([image])));
        let middle = left + (cell - GAP) / 2;
        let size = (width * zoom, height * zoom);
        svg::image(&mut out, (middle - size.0 / 2, top), size, &canvas.to_png());
        svg::text(&mut out, (middle, top + size.1 + 15), 13, &words(mistake));
    }
    save(path.as_ref(), svg::end(out).as_bytes())
}

/// Returns the input with a batch axis.
#[track_caller]
fn as_batch<T: Float>(mistake: &Mistake<T>) -> wengert_tensor::Tensor<T> {
    mistake.input.unsqueeze(0)
}
