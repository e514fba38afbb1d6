//! Double-double arithmetic (Dekker, "A floating-point technique for extending the available
//! precision", 1971): about 100 bits, as a reference for 53 bits.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// The unevaluated sum of two numbers. The first is the rounded value of the whole.
#[derive(Clone, Copy, Debug)]
pub struct Wide(f64, f64);

/// ln 2 and π/2 as sums of three numbers.
const LN_2: [f64; 3] = [std::f64::consts::LN_2, 2.3190468138462996e-17, 5.707708438416212e-34];
const FRAC_PI_2: [f64; 3] =
    [std::f64::consts::FRAC_PI_2, 6.123233995736766e-17, -1.4973849048591833e-33];

/// ln(2π)/2
const HALF_LN_2_PI: Wide = Wide(0.9189385332046728, -3.8782941580672414e-17);

/// 2/√π
const FRAC_2_SQRT_PI: Wide = Wide(std::f64::consts::FRAC_2_SQRT_PI, 1.533545961316588e-17);

fn sum(a: f64, b: f64) -> Wide {
    let s = a + b;
    let t = s - a;
    Wide(s, (a - (s - t)) + (b - t))
}

fn product(a: f64, b: f64) -> Wide {
    let p = a * b;
    Wide(p, a.mul_add(b, -p))
}

impl From<f64> for Wide {
    fn from(x: f64) -> Wide {
        Wide(x, 0.0)
    }
}

impl Add for Wide {
    type Output = Wide;
    fn add(self, b: Wide) -> Wide {
        let (high, low) = (sum(self.0, b.0), sum(self.1, b.1));
        let mid = sum(high.0, high.1 + low.0);
        sum(mid.0, mid.1 + low.1)
    }
}

impl Neg for Wide {
    type Output = Wide;
    fn neg(self) -> Wide {
        Wide(-self.0, -self.1)
    }
}

impl Sub for Wide {
    type Output = Wide;
    fn sub(self, b: Wide) -> Wide {
        self + -b
    }
}

impl Mul for Wide {
    type Output = Wide;
    fn mul(self, b: Wide) -> Wide {
        let p = product(self.0, b.0);
        sum(p.0, p.1 + self.0.mul_add(b.1, self.1 * b.0))
    }
}

impl Div for Wide {
    type Output = Wide;
    fn div(self, b: Wide) -> Wide {
        let mut q = Wide::from(self.0 / b.0);
        for _ in 0..2 {
            let rest = self - q * b;
            q = q + Wide::from(rest.0 / b.0);
        }
        q
    }
}

impl Wide {
    /// Multiplies by a power of two or its negative.
    pub fn scale(self, by: f64) -> Wide {
        Wide(self.0 * by, self.1 * by)
    }

    /// Returns x - n c without loss of precision by cancellation.
    fn less(x: Wide, n: f64, c: [f64; 3]) -> Wide {
        c.iter().fold(x, |r, &c| r - product(n, c))
    }

    /// Returns 2ᵏ (1 + p) - 1, where p = eʳ - 1 is (1 + q)²⁵⁶ - 1 and q is the Taylor series of eʳ
    /// - 1 at r / 256.
    pub fn exp_m1(x: Wide) -> Wide {
        let (p, k) = Wide::exp_parts(x);
        p.scale(2f64.powi(k)) + Wide::from(2f64.powi(k)) - Wide::from(1.0)
    }

    fn exp_parts(x: Wide) -> (Wide, i32) {
        let n = (x.0 / LN_2[0]).round();
        let r = Wide::less(x, n, LN_2).scale(1.0 / 256.0);
        let mut p = Wide::from(0.0);
        for i in (1..=14).rev() {
            p = (p + Wide::from(1.0)) * r / Wide::from(f64::from(i));
        }
        for _ in 0..8 {
            p = p * (p + Wide::from(2.0));
        }
        (p, n as i32)
    }

    pub fn exp(x: f64) -> Wide {
        let (p, k) = Wide::exp_parts(Wide::from(x));
        (Wide::from(1.0) + p).scale(2f64.powi(k))
    }

    /// One Newton step from the result in `f64`: y + δ - δ²/2 with δ = (1 + x) e⁻ʸ - 1.
    pub fn ln_1p(x: Wide) -> Wide {
        if x.0 > 1e3 {
            let scale = 2f64.powi(-(x.0.log2() as i32));
            let log = (x.0.log2() as i32) as f64;
            let m = (x.scale(scale) + Wide::from(scale)) - Wide::from(1.0);
            return Wide::less(Wide::ln_1p(m), -log, LN_2);
        }
        let y = x.0.ln_1p();
        let e = Wide::exp_m1(Wide::from(-y));
        let d = x + e + x * e;
        Wide::from(y) + d - (d * d).scale(0.5)
    }

    pub fn ln(x: f64) -> Wide {
        let k = x.log2().round();
        // In two steps, because 2⁻ᵏ may be infinite.
        let (half, rest) = ((-k / 2.0).floor(), -k - (-k / 2.0).floor());
        let m = x * 2f64.powf(half) * 2f64.powf(rest);
        Wide::less(Wide::ln_1p(Wide::from(m) - Wide::from(1.0)), -k, LN_2)
    }

    /// Sums a series of positive terms: 2/√π exp(-x²) Σ 2ⁿ x²ⁿ⁺¹ / (1 · 3 · … · (2n + 1)).
    pub fn erf(x: f64) -> Wide {
        if x == 0.0 || x.is_nan() {
            return Wide::from(x);
        }
        if x.abs() > 7.0 {
            return Wide::from(x.signum()); // erfc 7 is below 2⁻⁷⁴
        }
        let square = product(x, x);
        let (mut term, mut series, mut n) = (Wide::from(x), Wide::from(x), 1.0);
        while term.0.abs() > 1e-34 * series.0.abs() {
            term = term * square.scale(2.0) / Wide::from(2.0 * n + 1.0);
            series = series + term;
            n += 1.0;
        }
        let falling = Wide::exp_m1(-square) + Wide::from(1.0);
        FRAC_2_SQRT_PI * falling * series
    }

    /// Returns z = x + n ≥ 40 and the n numbers from x to z - 1.
    fn shifted(x: f64) -> (Wide, Vec<Wide>) {
        let (mut z, mut below) = (Wide::from(x), vec![]);
        while z.0 < 40.0 {
            below.push(z);
            z = z + Wide::from(1.0);
        }
        (z, below)
    }

    /// Computes Σ c z⁻ᵐ⁻²ᵏ over the Bernoulli numbers B of index 2 k from 2 on, with c = B times `factor(2 k)`.
    fn bernoulli(z: Wide, m: i32, factor: impl Fn(f64) -> Wide) -> Wide {
        let numbers =
            [(1, 6), (-1, 30), (1, 42), (-1, 30), (5, 66), (-691, 2730), (7, 6), (-3617, 510)];
        let one = Wide::from(1.0);
        let power = |n: i32| (0..n).fold(one, |p, _| p / z);
        let term = |(k, (a, b)): (i32, (i32, i32))| {
            let number = Wide::from(f64::from(a)) / Wide::from(f64::from(b));
            number * factor(f64::from(2 * k)) * power(2 * k + m)
        };
        (1..).zip(numbers).map(term).fold(Wide::from(0.0), Add::add)
    }

    fn log(self) -> Wide {
        Wide::ln_1p(self - Wide::from(1.0))
    }

    /// Shifts x by the functional equation, then uses Stirling's series.
    pub fn lgamma(x: f64) -> Wide {
        let (z, below) = Wide::shifted(x);
        let one = Wide::from(1.0);
        let product = below.into_iter().fold(one, Mul::mul);
        let series = Wide::bernoulli(z, -1, |n| one / Wide::from(n * (n - 1.0)));
        let main = (z - Wide::from(0.5)) * z.log() - z + HALF_LN_2_PI + series;
        main - product.scale(product.0.signum()).log()
    }

    /// The derivative of [`lgamma`](Wide::lgamma).
    pub fn digamma(x: f64) -> Wide {
        let (z, below) = Wide::shifted(x);
        let one = Wide::from(1.0);
        let series = Wide::bernoulli(z, 0, |n| one / Wide::from(n));
        let main = z.log() - one / z.scale(2.0) - series;
        below.into_iter().fold(main, |sum, t| sum - one / t)
    }

    /// The derivative of [`digamma`](Wide::digamma).
    pub fn trigamma(x: f64) -> Wide {
        let (z, below) = Wide::shifted(x);
        let one = Wide::from(1.0);
        let main = one / z + one / (z * z).scale(2.0) + Wide::bernoulli(z, 1, |_| one);
        below.into_iter().fold(main, |sum, t| sum + one / (t * t))
    }

    /// erfc, by the error function below 3 and by a continued fraction from 3 on.
    pub fn erfc(x: f64) -> Wide {
        if x < 3.0 {
            return Wide::from(1.0) - Wide::erf(x);
        }
        let mut tail = Wide::from(x);
        for n in (1..200).rev() {
            tail = Wide::from(x) + Wide::from(0.5 * f64::from(n)) / tail;
        }
        let (p, k) = Wide::exp_parts(-product(x, x));
        let falling = (Wide::from(1.0) + p).scale(2f64.powi(k));
        FRAC_2_SQRT_PI.scale(0.5) * falling / tail
    }

    /// Newton's method for erf y = x.
    pub fn erfinv(x: f64) -> Wide {
        let mut y = Wide::from(0.0);
        for _ in 0..60 {
            let slope = FRAC_2_SQRT_PI * (Wide::exp_m1(-product(y.0, y.0)) + Wide::from(1.0));
            let rest = Wide::from(x) - Wide::erf(y.0);
            // The part of y that erf does not see.
            y = Wide::from(y.0) + rest / slope;
        }
        y
    }

    /// Returns both numbers of the sum.
    pub fn parts(self) -> (f64, f64) {
        (self.0, self.1)
    }

    /// Returns the nearest number.
    pub fn nearest(self) -> f64 {
        self.0
    }

    /// Subtracts a multiple of π/2, then evaluates the Taylor series.
    pub fn sin_cos(x: f64) -> (Wide, Wide) {
        let n = (x / FRAC_PI_2[0]).round();
        let r = Wide::less(Wide::from(x), n, FRAC_PI_2);
        let z = -(r * r);
        let series = |first: i32| {
            let mut y = Wide::from(1.0);
            for i in (0..15).rev() {
                let a = f64::from(2 * i + first);
                y = Wide::from(1.0) + y * z / Wide::from(a * (a + 1.0));
            }
            y
        };
        let (sin, cos) = (r * series(2), series(1));
        match (n as i64).rem_euclid(4) {
            0 => (sin, cos),
            1 => (cos, -sin),
            2 => (-sin, -cos),
            _ => (-cos, sin),
        }
    }

    /// Returns the error of `y` in units of the distance between neighbouring numbers.
    pub fn ulps(self, y: f64) -> f64 {
        if self.0 == 0.0 {
            return if y == 0.0 { 0.0 } else { f64::INFINITY };
        }
        let exponent = f64::from_bits(self.0.abs().to_bits() & (!0 << 52));
        ((y - self.0) - self.1).abs() / (exponent * f64::EPSILON)
    }
}
