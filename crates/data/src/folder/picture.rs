//! Decoding and preparing a picture.

use crate::error::DataError;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits};
use std::io::BufRead;
use std::path::Path;

/// How pictures are prepared.
#[derive(Clone, Debug, Default)]
pub(super) struct Preparation {
    pub resize: Option<Resize>,
    pub crop: Option<usize>,
    pub gray: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Resize {
    /// The length of the shorter side.
    Shorter(usize),
    /// Height and width.
    Exact(usize, usize),
}

/// The most memory that a decoder may use: a picture of 100 million pixels fits.
const MOST: u64 = 512 << 20;
/// The largest height and width, also of a resized picture.
const LONGEST: u32 = 1 << 16;

impl Preparation {
    pub fn channels(&self) -> usize {
        if self.gray { 1 } else { 3 }
    }

    /// Returns the bytes of a picture, channel by channel and row by row, and its height and width.
    pub fn read(&self, path: &Path) -> Result<(Vec<u8>, [usize; 2]), DataError> {
        let reader = ImageReader::open(path)
            .and_then(ImageReader::with_guessed_format)
            .map_err(|source| DataError::Io { path: path.into(), source })?;
        let picture = decode(reader).map_err(|error| match error {
            ImageError::IoError(source) if source.raw_os_error().is_some() => {
                DataError::Io { path: path.into(), source }
            }
            error => DataError::Picture { path: path.into(), source: error.into() },
        })?;
        let (height, width) = (picture.height(), picture.width());
        let too_large = || DataError::Layout {
            path: path.into(),
            expected: format!("a picture of {height}×{width} pixels would become too large"),
        };
        let picture = self.resized(picture).ok_or_else(too_large)?;
        Ok(self.planes(&picture))
    }

    /// Resizes a picture, or returns `None` if it would be too large.
    fn resized(&self, picture: DynamicImage) -> Option<DynamicImage> {
        let (height, width) = (u64::from(picture.height()), u64::from(picture.width()));
        let (h, w) = match self.resize {
            None => return Some(picture),
            Some(Resize::Exact(h, w)) => (h as u64, w as u64),
            Some(Resize::Shorter(to)) => {
                let (to, shorter) = (to as u64, height.min(width).max(1));
                // The longer side is rounded down, as torchvision does.
                let side = |length: u64| if length == shorter { to } else { to * length / shorter };
                (side(height), side(width))
            }
        };
        let fits = |length: u64| u32::try_from(length).ok().filter(|&length| length <= LONGEST);
        let (h, w) = (fits(h)?, fits(w)?);
        if (u64::from(h), u64::from(w)) == (height, width) {
            return Some(picture);
        }
        (u64::from(h) * u64::from(w) * 4 <= MOST)
            .then(|| picture.resize_exact(w, h, FilterType::Triangle))
    }

    /// Cuts out the middle, and separates the channels.
    fn planes(&self, picture: &DynamicImage) -> (Vec<u8>, [usize; 2]) {
        let (height, width) = (picture.height() as usize, picture.width() as usize);
        let (pixels, channels) = match (self.gray, picture.color().has_color()) {
            (true, false) => (picture.to_luma8().into_raw(), 1),
            (true, true) => (gray(&picture.to_rgb8().into_raw()), 1),
            (false, _) => (picture.to_rgb8().into_raw(), 3),
        };
        let (h, w) = self.crop.map_or((height, width), |size| (size, size));
        let mut planes = vec![0; channels * h * w];
        // The middle of the result is the middle of the picture, rounded as by torchvision.
        let start = |from: usize, to: usize| half(from as isize - to as isize);
        let (top, left) = (start(height, h), start(width, w));
        for y in 0..h {
            let Some(from_y) = inside(y, top, height) else { continue };
            for x in 0..w {
                let Some(from_x) = inside(x, left, width) else { continue };
                for channel in 0..channels {
                    planes[(channel * h + y) * w + x] =
                        pixels[(from_y * width + from_x) * channels + channel];
                }
            }
        }
        (planes, [h, w])
    }
}

/// Returns 0.299 R + 0.587 G + 0.114 B, in the fixed-point arithmetic of Pillow.
fn gray(pixels: &[u8]) -> Vec<u8> {
    let gray = |&[r, g, b]: &[u8; 3]| {
        (u32::from(r) * 19595 + u32::from(g) * 38470 + u32::from(b) * 7471 + 0x8000) >> 16
    };
    pixels.as_chunks::<3>().0.iter().map(|pixel| gray(pixel) as u8).collect()
}

/// Returns half of a number: a positive one rounded to the nearest integer, and to the even one if both are as near,
/// a negative one rounded towards 0.
fn half(n: isize) -> isize {
    if n < 0 {
        return n / 2;
    }
    let down = n.div_euclid(2);
    if n.rem_euclid(2) == 1 && down % 2 != 0 { down + 1 } else { down }
}

fn inside(at: usize, offset: isize, length: usize) -> Option<usize> {
    at.checked_add_signed(offset).filter(|&at| at < length)
}

/// Decodes a picture and turns it as its camera says.
fn decode<R: BufRead + std::io::Seek>(reader: ImageReader<R>) -> Result<DynamicImage, ImageError> {
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(LONGEST), Some(LONGEST));
    limits.max_alloc = Some(MOST);
    let mut decoder = reader.into_decoder()?;
    decoder.set_limits(limits.clone())?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    // The pixels themselves are not part of the limit of a decoder.
    limits.reserve(decoder.total_bytes())?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}
