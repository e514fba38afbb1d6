//! Images with text below them.

use crate::canvas::Colours;
use crate::canvas::{Canvas, Image, Paint};
use crate::save::save;
use crate::svg;
use std::path::Path;
use wengert_tensor::{Element, FileError, Tensor};

/// The minimum width of an image, the height of its text, and the distance between images.
const SIDE: usize = 64;
const WORDS: usize = 22;
const GAP: usize = 10;

/// Writes images as an SVG file, with a line of text below each image. An image is `[h, w]` or
/// `[1 or 3, h, w]`, and has its own scale: without colour, its smallest number is white and its largest is
/// black, as in [`Colours::Ink`]; in colour, as in [`Colours::Light`].
///
/// ```
/// use wengert::tensor::{Philox, Tensor};
/// let path = std::env::temp_dir().join("noise.svg");
/// let mut rng = Philox::new(0);
/// let images = (1..=5).map(|i| {
///     (Tensor::uniform(&[8, 8], 0.0, 1.0, &mut rng), format!("image {i}"))
/// });
/// wengert::plot::captioned(images, path).unwrap();
/// ```
///
/// # Errors
/// If the file cannot be written.
///
/// # Panics
/// If the shape of an image is none of `[h, w]`, `[1, h, w]` and `[3, h, w]`.
#[track_caller]
pub fn captioned<T: Element, S: AsRef<str>>(
    images: impl IntoIterator<Item = (Tensor<T>, S)>,
    path: impl AsRef<Path>,
) -> Result<(), FileError> {
    let (mut pictures, mut captions) = (Vec::new(), Vec::new());
    for (image, caption) in images {
        pictures.push(picture(&image));
        captions.push(caption);
    }
    let height = pictures.iter().map(|image| image.height).max().unwrap_or(1);
    let width = pictures.iter().map(|image| image.width).max().unwrap_or(1);
    let zoom = (SIDE / height.max(width).max(1)).max(1);
    // A letter is about 7 units wide at this font size.
    let longest = captions.iter().map(|text| text.as_ref().chars().count()).max().unwrap_or(0);
    let cell = (width * zoom).max(7 * longest) + GAP;
    let columns = (900 / cell).clamp(1, 10).min(pictures.len().max(1));
    let rows = pictures.len().div_ceil(columns);
    let row = height * zoom + WORDS + GAP;

    let mut out = svg::begin(columns * cell + GAP, rows * row + GAP);
    for (i, (image, caption)) in pictures.iter().zip(&captions).enumerate() {
        let (left, top) = (GAP + i % columns * cell, GAP + i / columns * row);
        let colours = if image.channels() == 3 { Colours::Light } else { Colours::Ink };
        // Enlarges the image here, since some SVG viewers smooth enlarged pixels.
        let size = (image.width * zoom, image.height * zoom);
        let mut canvas = Canvas::new(size.0, size.1, 255);
        canvas.put(image, (0, 0), zoom, &Paint::new(colours, Image::range([image])));
        let middle = left + (cell - GAP) / 2;
        svg::image(&mut out, (middle - size.0 / 2, top), size, &canvas.to_png());
        svg::text(&mut out, (middle, top + height * zoom + 15), 13, caption.as_ref());
    }
    save(path.as_ref(), svg::end(out).as_bytes())
}

#[track_caller]
fn picture<T: Element>(image: &Tensor<T>) -> Image {
    let shape = image.shape();
    assert!(
        matches!(shape[..], [_, _] | [1 | 3, _, _]),
        "captioned: expected an image [h, w], [1, h, w] or [3, h, w], got shape {shape}: convert \
         a row of numbers to an image with `reshape`"
    );
    Image::all("captioned", &image.unsqueeze(0)).remove(0)
}
