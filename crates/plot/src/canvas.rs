//! A bitmap on which images are drawn.

use crate::png;
use wengert_tensor::{Element, Tensor};

/// An RGB bitmap.
pub(crate) struct Canvas {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Canvas {
    /// Creates a bitmap filled with `grey`: 0 is black, 255 is white.
    pub fn new(width: usize, height: usize, grey: u8) -> Self {
        Canvas { width, height, rgb: vec![grey; 3 * width * height] }
    }

    /// Draws an image with its upper left corner at `(x, y)`. Each pixel of the image becomes a square
    /// of `scale` × `scale` pixels.
    pub fn put(&mut self, image: &Image, (x, y): (usize, usize), scale: usize, paint: &Paint) {
        for row in 0..image.height * scale {
            for column in 0..image.width * scale {
                let colour = paint.colour(image.pixel(row / scale, column / scale));
                let at = 3 * ((y + row) * self.width + x + column);
                self.rgb[at..at + 3].copy_from_slice(&colour);
            }
        }
    }

    pub fn to_png(&self) -> Vec<u8> {
        png::encode(self.width, self.height, &self.rgb)
    }
}

/// An image of one or three channels.
pub(crate) struct Image {
    pub height: usize,
    pub width: usize,
    /// The pixels, channel by channel.
    numbers: Vec<f32>,
}

impl Image {
    /// Returns the images of a tensor `[n, h, w]`, `[n, 1, h, w]` or `[n, 3, h, w]`.
    #[track_caller]
    pub fn all<T: Element>(op: &str, images: &Tensor<T>) -> Vec<Self> {
        let shape = images.shape();
        let (height, width) = match shape[..] {
            [_, h, w] | [_, 1 | 3, h, w] => (h, w),
            [_, c, _, _] => panic!(
                "{op}: expected images of 1 channel (grey) or 3 channels (red, green, blue), got \
                 {c} channels, shape {shape}: flatten(0, 1) makes each channel an image of its own"
            ),
            _ => panic!("{op}: expected images [n, h, w] or [n, c, h, w], got shape {shape}"),
        };
        let size = shape[1..].iter().product::<usize>().max(1);
        let numbers = images.cast::<f32>().to_vec();
        numbers.chunks(size).map(|part| Image { height, width, numbers: part.to_vec() }).collect()
    }

    pub fn channels(&self) -> usize {
        self.numbers.len() / (self.height * self.width).max(1)
    }

    fn pixel(&self, row: usize, column: usize) -> [f32; 3] {
        let plane = self.height * self.width;
        let at = row * self.width + column;
        if self.channels() == 1 {
            [self.numbers[at]; 3]
        } else {
            [0, 1, 2].map(|channel| self.numbers[channel * plane + at])
        }
    }

    /// Returns the smallest and the largest finite number.
    pub fn range<'i>(images: impl IntoIterator<Item = &'i Image>) -> (f32, f32) {
        let numbers = images.into_iter().flat_map(|image| &image.numbers);
        let none = (f32::INFINITY, f32::NEG_INFINITY);
        let finite = numbers.filter(|x| x.is_finite());
        finite.fold(none, |(low, high), &x| (low.min(x), high.max(x)))
    }
}

/// A map from numbers to colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Colours {
    /// The smallest number is black, the largest is white. For photographs.
    Light,
    /// The smallest number is white, the largest is black. For handwriting, as on paper. Images of three
    /// channels are shown as with [`Light`](Colours::Light).
    #[default]
    Ink,
    /// Zero is white, negative numbers are blue, positive numbers are red; larger absolute values are
    /// darker. For weights. An image of three channels shows its first channel only.
    Signed,
}

/// A map from numbers to colours.
pub(crate) struct Paint {
    colours: Colours,
    low: f32,
    high: f32,
}

/// The colours of the most negative and the most positive numbers in [`Colours::Signed`].
const NEGATIVE: [f32; 3] = [33.0, 102.0, 172.0];
const POSITIVE: [f32; 3] = [178.0, 24.0, 43.0];

impl Paint {
    pub fn new(colours: Colours, (low, high): (f32, f32)) -> Self {
        Paint { colours, low, high }
    }

    fn colour(&self, pixel: [f32; 3]) -> [u8; 3] {
        // In f64, since the difference of two f32 may overflow.
        let [low, high] = [self.low, self.high].map(f64::from);
        let width = high - low;
        let unit = |x: f32| {
            if width > 0.0 { ((f64::from(x) - low) / width).clamp(0.0, 1.0) as f32 } else { 0.5 }
        };
        match self.colours {
            Colours::Light => pixel.map(|x| (255.0 * unit(x)).round() as u8),
            Colours::Ink => pixel.map(|x| (255.0 * (1.0 - unit(x))).round() as u8),
            Colours::Signed => {
                let reach = self.low.abs().max(self.high.abs());
                let part = if reach > 0.0 { (pixel[0] / reach).clamp(-1.0, 1.0) } else { 0.0 };
                let full = if part < 0.0 { NEGATIVE } else { POSITIVE };
                full.map(|x| (255.0 + (x - 255.0) * part.abs()).round() as u8)
            }
        }
    }
}
