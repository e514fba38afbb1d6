//! Grids of images.

use crate::canvas::{Canvas, Colours, Image, Paint};
use crate::save::save;
use std::path::Path;
use wengert_tensor::{Element, FileError, Tensor};

/// The layout and the colours of a [`grid`].
///
/// ```
/// use wengert::plot::{Colours, GridOptions};
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
    /// Creates the default options: an approximately square grid, images about 64 pixels wide,
    /// [`Colours::Ink`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the number of images in a row.
    ///
    /// # Panics
    /// If `columns` is 0.
    #[track_caller]
    pub fn columns(self, columns: usize) -> Self {
        assert!(columns > 0, "GridOptions::columns: columns must be at least 1, got 0");
        GridOptions { columns: Some(columns), ..self }
    }

    /// Sets the magnification: a pixel of an image becomes `scale` × `scale` pixels of the file.
    ///
    /// # Panics
    /// If `scale` is 0.
    #[track_caller]
    pub fn scale(self, scale: usize) -> Self {
        assert!(scale > 0, "GridOptions::scale: scale must be at least 1, got 0");
        GridOptions { scale: Some(scale), ..self }
    }

    /// Sets the distance between images in pixels.
    pub fn gap(self, gap: usize) -> Self {
        GridOptions { gap: Some(gap), ..self }
    }

    /// Sets the map from numbers to colours.
    pub fn colours(self, colours: Colours) -> Self {
        GridOptions { colours, ..self }
    }

    /// Sets the numbers that get the two extreme colours. The defaults are the smallest and the largest number of
    /// all images.
    pub fn range(self, low: f32, high: f32) -> Self {
        GridOptions { range: Some((low, high)), ..self }
    }

    /// Gives each image its own scale: its smallest and its largest number get the extreme colours.
    pub fn each(self) -> Self {
        GridOptions { each: true, ..self }
    }
}

/// Writes images as a PNG file, side by side, row by row. The shape is `[n, h, w]`, `[n, 1, h, w]` or,
/// for images in colour, `[n, 3, h, w]`. Numbers of any range are scaled to the colours.
///
/// ```
/// use wengert::plot::GridOptions;
/// use wengert::tensor::{Philox, Tensor};
/// let path = std::env::temp_dir().join("digits.png");
/// let images = Tensor::uniform(&[20, 8, 8], 0.0, 1.0, &mut Philox::new(0));
/// wengert::plot::grid(&images, &GridOptions::new().columns(10), path).unwrap();
/// ```
///
/// # Errors
/// If the file cannot be written.
///
/// # Panics
/// If the shape is none of `[n, h, w]`, `[n, 1, h, w]` and `[n, 3, h, w]`.
#[track_caller]
pub fn grid<T: Element>(
    images: &Tensor<T>,
    options: &GridOptions,
    path: impl AsRef<Path>,
) -> Result<(), FileError> {
    let images = Image::all("grid", images);
    save(path.as_ref(), &sheet(&images, options).to_png())
}

/// Writes inputs of an autoencoder above its outputs as a PNG file. Inputs and outputs have the same
/// shape: `[n, h, w]`, `[n, 1, h, w]` or `[n, 3, h, w]`. The smallest and the largest number of the inputs
/// get the extreme colours. [`GridOptions::columns`] is the number of pairs in a row.
///
/// # Errors
/// If the file cannot be written.
///
/// # Panics
/// If the shapes differ, or if they are none of the three shapes above.
#[track_caller]
pub fn reconstructions<T: Element>(
    inputs: &Tensor<T>,
    outputs: &Tensor<T>,
    options: &GridOptions,
    path: impl AsRef<Path>,
) -> Result<(), FileError> {
    let (a, b) = (inputs.shape(), outputs.shape());
    assert!(
        a == b,
        "reconstructions: inputs and outputs must have the same shape, got {a} and {b}: convert \
         the outputs to images with `reshape`"
    );
    let op = "reconstructions";
    let (above, below) = (Image::all(op, inputs), Image::all(op, outputs));
    let columns = options.columns.unwrap_or(above.len().clamp(1, 10));
    let mut options = options.clone().columns(columns);
    let range = Image::range(&above);
    if options.range.is_none() && range.0 < range.1 {
        options.range = Some(range);
    }
    // Alternates rows of inputs and of outputs. The last two rows are filled with empty cells.
    let mut images = Vec::new();
    for (inputs, outputs) in above.chunks(columns).zip(below.chunks(columns)) {
        for row in [inputs, outputs] {
            images.extend(row.iter().map(Some));
            images.resize(images.len().next_multiple_of(columns), None);
        }
    }
    save(path.as_ref(), &lay_out(&images, &options).to_png())
}

/// Draws the images on one bitmap.
pub(crate) fn sheet(images: &[Image], options: &GridOptions) -> Canvas {
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
    // Grey gaps for signed colours: zero is white there, and white gaps would hide the image borders.
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
