//! Random affine transformations: rotation, translation, scaling and shear.

use super::angle::sin_cos;
use super::{Augmentation, Image};
use std::ops::RangeInclusive;
use wengert_tensor::Philox;

/// A range from which a number is drawn uniformly. A number `a` is converted to the range from -a to a.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    low: f64,
    high: f64,
}

impl From<f64> for Span {
    fn from(a: f64) -> Self {
        Span { low: -a.abs(), high: a.abs() }
    }
}

impl From<RangeInclusive<f64>> for Span {
    fn from(range: RangeInclusive<f64>) -> Self {
        Span { low: *range.start(), high: *range.end() }
    }
}

impl Span {
    fn draw(self, rng: &mut Philox) -> f64 {
        Image::uniform(self.low, self.high, rng)
    }

    /// Panics if the range is empty or exceeds these limits.
    #[track_caller]
    fn check(self, what: &str, low: f64, high: f64) -> Self {
        assert!(
            low <= self.low && self.low <= self.high && self.high <= high,
            "RandomAffine: {what} must be a range within {low} to {high}, got {} to {}",
            self.low,
            self.high
        );
        self
    }
}

/// A random affine transformation of images about their centre: rotation, translation, scaling and shear.
///
/// It equals torchvision's `RandomAffine`, except that translations need not be whole pixels. Each parameter
/// is drawn uniformly from its range. Parameters that are not set change nothing.
///
/// With θ the angle of rotation, s the scale, φ and ψ the angles of the shears along x and y, c the centre
/// and t the translation, the point p is mapped to
///
/// ```text
/// p' = c + t + s · [cos θ  -sin θ] · [   1     0] · [1  -tan φ] · (p - c)
///                  [sin θ   cos θ]   [-tan ψ   1]   [0     1  ]
/// ```
/// in pixels, with x to the right and y down, so that θ > 0 rotates clockwise. A pixel of the new image is
/// interpolated bilinearly from four pixels of the old image. Pixels outside of the old image have the value
/// [`fill`](RandomAffine::fill).
///
/// ```
/// use wengert::data::RandomAffine;
/// let small = RandomAffine::new().degrees(10.0).translate(0.1, 0.1).scale(0.9..=1.1).shear(5.0);
/// let clockwise = RandomAffine::new().degrees(0.0..=30.0);
/// ```
///
/// Simard, Steinkraus, Platt, "Best practices for convolutional neural networks applied to visual
/// document analysis", 2003.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomAffine {
    degrees: Span,
    translate: [Span; 2],
    scale: Span,
    shear: [Span; 2],
    fill: f32,
}

impl Default for RandomAffine {
    fn default() -> Self {
        Self::new()
    }
}

impl RandomAffine {
    /// Creates the identity transformation. The other methods set the ranges of its parameters.
    pub fn new() -> Self {
        let zero = Span::from(0.0);
        RandomAffine {
            degrees: zero,
            translate: [zero; 2],
            scale: Span::from(1.0..=1.0),
            shear: [zero; 2],
            fill: 0.0,
        }
    }

    /// Sets the range of the angle of rotation, in degrees, clockwise.
    ///
    /// # Panics
    /// If the range is empty or not finite.
    #[track_caller]
    pub fn degrees(self, degrees: impl Into<Span>) -> Self {
        let degrees = degrees.into().check("degrees", -1e6, 1e6);
        RandomAffine { degrees, ..self }
    }

    /// Sets the ranges of the translations to the right and down, as fractions of the width and the height.
    /// For images of 28 × 28 pixels, `2.0 / 28.0` shifts by at most two pixels in each direction.
    ///
    /// # Panics
    /// If a range is empty or exceeds -1 to 1.
    #[track_caller]
    pub fn translate(self, x: impl Into<Span>, y: impl Into<Span>) -> Self {
        let translate =
            [x.into().check("translate", -1.0, 1.0), y.into().check("translate", -1.0, 1.0)];
        RandomAffine { translate, ..self }
    }

    /// Sets the range of the scale. A scale of 2 doubles the size.
    ///
    /// # Panics
    /// If the range is empty or exceeds 0.001 to 1000.
    #[track_caller]
    pub fn scale(self, scale: RangeInclusive<f64>) -> Self {
        RandomAffine { scale: Span::from(scale).check("scale", 1e-3, 1e3), ..self }
    }

    /// Sets the range of the angle of the shear along the rows, in degrees. A positive angle makes upright
    /// strokes lean to the right.
    ///
    /// # Panics
    /// If the range is empty or exceeds -89° to 89°.
    #[track_caller]
    pub fn shear(self, degrees: impl Into<Span>) -> Self {
        let shear = [degrees.into().check("shear", -89.0, 89.0), self.shear[1]];
        RandomAffine { shear, ..self }
    }

    /// Sets the range of the angle of the shear along the columns, in degrees.
    ///
    /// # Panics
    /// If the range is empty or exceeds -89° to 89°.
    #[track_caller]
    pub fn shear_y(self, degrees: impl Into<Span>) -> Self {
        let shear = [self.shear[0], degrees.into().check("shear_y", -89.0, 89.0)];
        RandomAffine { shear, ..self }
    }

    /// Sets the value of pixels outside of the image, before normalisation (bytes are scaled to 0..=1).
    /// The default is 0. The background of the zip-code digits is -1.
    pub fn fill(self, fill: f32) -> Self {
        RandomAffine { fill, ..self }
    }

    /// Draws the parameters. Returns the inverse map `m`: pixel (x, y) of the new image comes from
    /// `u = m[0] x + m[1] y + m[2]`, `v = m[3] x + m[4] y + m[5]`.
    fn draw(&self, [_, height, width]: [usize; 3], rng: &mut Philox) -> [f64; 6] {
        let (sin, cos) = sin_cos(self.degrees.draw(rng));
        let [dx, dy] = self.translate.map(|span| span.draw(rng));
        let scale = self.scale.draw(rng);
        let [tan_x, tan_y] = self.shear.map(|span| {
            let (sin, cos) = sin_cos(span.draw(rng));
            sin / cos
        });
        // The inverse matrices in reverse order: shear along x, shear along y, rotation.
        let slant = [1.0 + tan_x * tan_y, tan_x, tan_y, 1.0];
        let a = (slant[0] * cos - slant[1] * sin) / scale;
        let b = (slant[0] * sin + slant[1] * cos) / scale;
        let c = (slant[2] * cos - slant[3] * sin) / scale;
        let d = (slant[2] * sin + slant[3] * cos) / scale;
        let centre = [(width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0];
        let from = [centre[0] + dx * width as f64, centre[1] + dy * height as f64];
        [
            a,
            b,
            centre[0] - (a * from[0] + b * from[1]),
            c,
            d,
            centre[1] - (c * from[0] + d * from[1]),
        ]
    }
}

impl Augmentation for RandomAffine {
    fn apply(&self, image: &mut Image<'_>, rng: &mut Philox) {
        let shape = image.shape();
        let m = self.draw(shape, rng);
        image.for_channels(1, 2, |old, new| resample(old, new, shape, m));
    }

    fn fill(&self) -> f32 {
        self.fill
    }
}

/// Fills `new` from `old`, which is surrounded by one row and column of fill before and two after. Beyond
/// this border there is only fill, so that points farther out can be clamped to the border.
///
/// Coordinates are fixed-point numbers in units of 2⁻³² pixels: integer and fractional parts are faster to
/// compute than those of floating-point numbers.
fn resample(old: &[f32], new: &mut [f32], [_, height, width]: [usize; 3], m: [f64; 6]) {
    const UNIT: f64 = (1u64 << 32) as f64;
    let stride = width + 3;
    let (last_u, last_v) = ((width as i64 + 1) << 32, (height as i64 + 1) << 32);
    let fixed = |x: f64| (x * UNIT) as i64;
    let fraction = |x: i64| ((x as u32) >> 8) as i32 as f32 * (1.0 / (1 << 24) as f32);
    let (du, dv) = (fixed(m[0]), fixed(m[3]));
    for (y, row) in new.chunks_exact_mut(width).enumerate() {
        let mut u = fixed(m[1] * y as f64 + m[2] + 1.0);
        let mut v = fixed(m[4] * y as f64 + m[5] + 1.0);
        for new in row {
            let (inner_u, inner_v) = (u.clamp(0, last_u), v.clamp(0, last_v));
            let (right, down) = (fraction(inner_u), fraction(inner_v));
            let at = (inner_v >> 32) as usize * stride + (inner_u >> 32) as usize;
            let (above, below) = (&old[at..at + 2], &old[at + stride..at + stride + 2]);
            let above = above[0] + right * (above[1] - above[0]);
            let below = below[0] + right * (below[1] - below[0]);
            *new = above + down * (below - above);
            (u, v) = (u.wrapping_add(du), v.wrapping_add(dv));
        }
    }
}
