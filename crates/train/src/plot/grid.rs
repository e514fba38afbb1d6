//! Images side by side.

use super::canvas::{Canvas, Image, Paint};
use super::save;
use std::path::Path;
use wengert_tensor::{Element, FileError, Tensor};

/// How numbers are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colours {
    /// The smallest number black, the largest white: photographs.
    Light,
    /// The smallest number white, the largest black: handwriting, as on paper. Images of three
    /// channels are shown as [`Light`](Colours::Light) all the same.
    #[default]
    Ink,
    /// Zero white, below it blue, above it red, each the stronger the farther: weights. Of three
    /// channels the first is shown.
    Signed,
}

/// How a [`grid`] is laid out.
///
/// ```
/// use wengert_train::plot::{Colours, GridOptions};
/// let options = GridOptions::new().columns(8).scale(3).colours(Colours::Light).range(0.0, 1.0);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct GridOptions {
    columns: Option<usize>,
    scale: Option<usize>,
    gap: Option<usize>,
    colours: Colours,
    range: Option<(f32, f32)>,
    each: bool,
}

impl GridOptions {
    /// As many columns as make the sheet about square, images about 64 pixels wide, ink on paper.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many images stand in a row.
    ///
    /// # Panics
    /// If none.
    #[track_caller]
    pub fn columns(self, columns: usize) -> Self {
        assert!(columns > 0, "columns: a row has at least one image");
        GridOptions { columns: Some(columns), ..self }
    }

    /// How many pixels of the picture a pixel of an image is wide and high.
    ///
    /// # Panics
    /// If none.
    #[track_caller]
    pub fn scale(self, scale: usize) -> Self {
        assert!(scale > 0, "scale: a pixel is at least one pixel wide");
        GridOptions { scale: Some(scale), ..self }
    }

    /// How many pixels lie between images.
    pub fn gap(self, gap: usize) -> Self {
        GridOptions { gap: Some(gap), ..self }
    }

    /// How numbers are shown.
    pub fn colours(self, colours: Colours) -> Self {
        GridOptions { colours, ..self }
    }

    /// The numbers that get the two extreme colours; by default the smallest and the largest of all
    /// images.
    pub fn range(self, low: f32, high: f32) -> Self {
        GridOptions { range: Some((low, high)), ..self }
    }

    /// The smallest and the largest number of each image get the extreme colours there.
    pub fn each(self) -> Self {
        GridOptions { each: true, ..self }
    }
}

/// Writes images as a PNG file, one beside the other, row by row. They are `[n, h, w]`,
/// `[n, 1, h, w]` or in colours `[n, 3, h, w]`, of numbers of any size.
///
/// ```
/// use wengert_data::Digits;
/// use wengert_train::plot::{self, GridOptions};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("digits.png");
/// let digits = Digits::load();
/// plot::grid(&digits.images.narrow(0, 0, 20), &GridOptions::new().columns(10), path)?;
/// # Ok::<(), wengert_tensor::FileError>(())
/// ```
///
/// # Errors
/// If the file cannot be written.
///
/// # Panics
/// If the tensor is no set of images.
#[track_caller]
pub fn grid<T: Element>(
    images: &Tensor<T>,
    options: &GridOptions,
    path: impl AsRef<Path>,
) -> Result<(), FileError> {
    let images = Image::all("grid", images);
    save(path.as_ref(), &sheet(&images, options).to_png())
}

/// Writes inputs of an autoencoder above its outputs as a PNG file. Both have one shape, as for
/// [`grid`], and are shown on the scale of the inputs. [`GridOptions::columns`] is how many pairs stand side by side.
///
/// # Errors
/// If the file cannot be written.
///
/// # Panics
/// If the shapes differ or are not those of images.
#[track_caller]
pub fn reconstructions<T: Element>(
    inputs: &Tensor<T>,
    outputs: &Tensor<T>,
    options: &GridOptions,
    path: impl AsRef<Path>,
) -> Result<(), FileError> {
    let (a, b) = (inputs.shape(), outputs.shape());
    assert!(a == b, "reconstructions: inputs {a} and outputs {b} differ in shape");
    let op = "reconstructions";
    let (above, below) = (Image::all(op, inputs), Image::all(op, outputs));
    let columns = options.columns.unwrap_or(above.len().clamp(1, 10));
    let mut options = options.clone().columns(columns);
    let range = Image::range(&above);
    if options.range.is_none() && range.0 < range.1 {
        options.range = Some(range);
    }
    // A row of inputs, a row of outputs; what the last ones lack stays white.
    let mut images = Vec::new();
    for (inputs, outputs) in above.chunks(columns).zip(below.chunks(columns)) {
        for row in [inputs, outputs] {
            images.extend(row.iter().map(Some));
            images.resize(images.len().next_multiple_of(columns), None);
        }
    }
    save(path.as_ref(), &lay_out(&images, &options).to_png())
}

/// The images on one sheet.
pub(super) fn sheet(images: &[Image], options: &GridOptions) -> Canvas {
    let images: Vec<_> = images.iter().map(Some).collect();
    lay_out(&images, options)
}

fn lay_out(images: &[Option<&Image>], options: &GridOptions) -> Canvas {
    let there = || images.iter().copied().flatten();
    let (height, width) = there().next().map_or((0, 0), |image| (image.height, image.width));
    let columns = options.columns.unwrap_or((images.len() as f64).sqrt().ceil() as usize).max(1);
    let columns = columns.min(images.len().max(1));
    let rows = images.len().div_ceil(columns);
    let scale = options.scale.unwrap_or((64 / height.max(width).max(1)).max(1));
    let gap = options.gap.unwrap_or(4);

    let sheet = |n: usize, size: usize| n * (size * scale + gap) + gap;
    // Where zero is white, white between the images would hide where one ends.
    let between = if options.colours == Colours::Signed { 225 } else { 255 };
    let mut canvas = Canvas::new(sheet(columns, width), sheet(rows, height), between);
    let range = options.range.unwrap_or_else(|| Image::range(there()));
    for (i, image) in images.iter().enumerate() {
        let Some(image) = image else { continue };
        let range = if options.each { Image::range([*image]) } else { range };
        let colours = match options.colours {
            Colours::Ink if image.channels() == 3 => Colours::Light,
            colours => colours,
        };
        let place = |n: usize, size: usize| gap + n * (size * scale + gap);
        let at = (place(i % columns, width), place(i / columns, height));
        canvas.put(image, at, scale, &Paint::new(colours, range));
    }
    canvas
}
