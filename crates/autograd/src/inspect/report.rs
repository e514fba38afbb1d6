//! Reports gradients that look wrong: missing, zero, not finite, or far from the others.

use crate::engine::{Gradients, norm};
use crate::module::{Module, each_param, is_finite};
use std::fmt::{self, Write};
use wengert_tensor::{Float, Shape, Tensor};

/// A remark on the gradient of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Remark {
    /// The parameter was frozen in the run: it has no gradient, on purpose.
    Frozen,
    /// The loss does not depend on the parameter. Possible causes are a layer that was not called, and a
    /// detached value.
    Missing,
    /// Each element is 0. Possible causes are dead units, a saturated activation, and a product with
    /// zero.
    Zero,
    /// The gradient contains a NaN or an infinity.
    NotFinite,
    /// The ratio ‖g‖/‖w‖ is this many times the median. For a parameter of zeros, the root mean square
    /// of g is compared instead.
    Large(f64),
    /// As `Large`, with a number below 1.
    Small(f64),
}

/// The gradient of one parameter in a [`GradientReport`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GradientRow {
    /// The path of the parameter.
    pub name: String,
    /// The shape of the parameter.
    pub shape: Shape,
    /// ‖w‖, the root of the sum of squares of the parameter.
    pub weight_norm: f64,
    /// ‖g‖, the root of the sum of squares of the gradient; `None` if there is none.
    pub gradient_norm: Option<f64>,
    /// ‖g‖/‖w‖; `None` if there is no gradient or the parameter is 0.
    pub ratio: Option<f64>,
    /// The share of elements of the gradient that are 0; `None` if there is no gradient.
    pub zeros: Option<f64>,
    /// The remark, if there is one.
    pub remark: Option<Remark>,
}

/// The gradients of a model's parameters in a table. [`Gradients::report`] returns it, and its `Display`
/// prints it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GradientReport {
    /// One row for each parameter, in the order of the model.
    pub rows: Vec<GradientRow>,
    /// The median of the ratios ‖g‖/‖w‖ of the gradients that are finite and not 0; `None` if there are none.
    pub median_ratio: Option<f64>,
}

impl GradientReport {
    /// Returns the rows with a remark, except those of frozen parameters.
    pub fn remarkable(&self) -> impl Iterator<Item = &GradientRow> {
        let told = |row: &&GradientRow| !matches!(row.remark, None | Some(Remark::Frozen));
        self.rows.iter().filter(told)
    }
}

impl<T: Float> Gradients<T> {
    /// Returns the size of the gradient of each parameter of a model. A [remark](Remark) marks gradients
    /// that are missing, 0, not finite, or far from the others: the ratio ‖g‖/‖w‖ is more than 1000
    /// times the median of the ratios, or less than a thousandth of it.
    /// [`report_within`](Gradients::report_within) takes another factor. Weights are the present values
    /// of the model.
    ///
    /// ```
    /// use wengert::autograd::{Param, Remark, Tape};
    /// use wengert::tensor::Tensor;
    /// let model = [Param::new(Tensor::from([3.0f32, 4.0])), Param::new(Tensor::from([1.0f32]))];
    /// let tape = Tape::new();
    /// let report = tape.param(&model[0]).square().sum_all().backward().report(&model);
    /// assert_eq!(report.rows[0].ratio, Some(2.0));
    /// assert_eq!(report.rows[1].remark, Some(Remark::Missing)); // a layer that is not called
    /// println!("{report}");
    /// ```
    pub fn report(&self, model: &dyn Module) -> GradientReport {
        self.report_within(model, 1000.0)
    }

    /// Returns a report as [`report`](Gradients::report), with another factor from the median.
    ///
    /// # Panics
    /// If the factor is less than 1 or NaN.
    #[track_caller]
    pub fn report_within(&self, model: &dyn Module, factor: f64) -> GradientReport {
        assert!(factor >= 1.0, "report_within: the factor must be at least 1, got {factor}");
        let mut rows = Vec::new();
        each_param::<T>(model, |path, param| {
            let gradient = self.get(param);
            let weight_norm = norm(&[param.value()]);
            let gradient_norm = gradient.map(|g| norm(&[g]));
            let remark = match gradient {
                None if self.was_frozen(param) || param.frozen() => Some(Remark::Frozen),
                None => Some(Remark::Missing),
                Some(g) if !is_finite(g) => Some(Remark::NotFinite),
                Some(g) if share_of_zeros(g) == 1.0 => Some(Remark::Zero),
                Some(_) => None,
            };
            rows.push(GradientRow {
                name: path.name_or("the parameter itself"),
                shape: param.shape(),
                weight_norm,
                gradient_norm,
                ratio: gradient_norm.filter(|_| weight_norm > 0.0).map(|norm| norm / weight_norm),
                zeros: gradient.map(share_of_zeros),
                remark,
            });
        });
        let sound = || rows.iter().filter(|row| row.remark.is_none());
        let median_ratio = median(sound().filter_map(|row| row.ratio).collect());
        let median_size = median(sound().filter_map(GradientRow::size).collect());
        for row in rows.iter_mut().filter(|row| row.remark.is_none()) {
            let (own, median) = match row.ratio {
                Some(ratio) => (Some(ratio), median_ratio),
                None => (row.size(), median_size),
            };
            let Some(times) = own.zip(median).map(|(own, median)| own / median) else { continue };
            row.remark = match times {
                _ if times > factor => Some(Remark::Large(times)),
                _ if times < 1.0 / factor => Some(Remark::Small(times)),
                _ => None,
            };
        }
        GradientReport { rows, median_ratio }
    }
}

impl GradientRow {
    /// Returns the root mean square of the gradient.
    fn size(&self) -> Option<f64> {
        let n = self.shape.numel();
        self.gradient_norm.filter(|_| n > 0).map(|norm| norm / (n as f64).sqrt())
    }
}

fn share_of_zeros<T: Float>(x: &Tensor<T>) -> f64 {
    let zeros = x.to_vec().into_iter().filter(|x| x.to() == 0.0).count();
    zeros as f64 / x.numel().max(1) as f64
}

/// Returns the median. For an even number of values it is the geometric mean of the two in the middle.
fn median(mut x: Vec<f64>) -> Option<f64> {
    x.sort_unstable_by(f64::total_cmp);
    let n = x.len();
    match n {
        0 => None,
        _ if n % 2 == 1 => Some(x[n / 2]),
        _ => Some((x[n / 2 - 1] * x[n / 2]).sqrt()),
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remark::Frozen => f.write_str("frozen"),
            Remark::Missing => f.write_str("missing: the loss does not depend on it"),
            Remark::Zero => f.write_str("all zero"),
            Remark::NotFinite => f.write_str("not finite"),
            Remark::Large(times) => write!(f, "large: {times:.1e} times the median"),
            Remark::Small(times) => write!(f, "small: {times:.1e} times the median"),
        }
    }
}

impl fmt::Display for GradientReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |x: Option<f64>| x.map_or("-".into(), |x| format!("{x:.2e}"));
        let mut table = vec![
            ["parameter", "shape", "‖w‖", "‖g‖", "‖g‖/‖w‖", "zeros", "remark"].map(String::from),
        ];
        for row in &self.rows {
            table.push([
                row.name.clone(),
                row.shape.to_string(),
                number(Some(row.weight_norm)),
                number(row.gradient_norm),
                number(row.ratio),
                row.zeros.map_or("-".into(), |share| format!("{:.0} %", 100.0 * share)),
                row.remark.map_or(String::new(), |remark| remark.to_string()),
            ]);
        }
        let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max();
        let widths: Vec<usize> = (0..7).map(|column| width(column).unwrap_or(0)).collect();
        for (i, row) in table.iter().enumerate() {
            let mut line = String::new();
            for (column, text) in row.iter().enumerate() {
                let width = widths[column];
                // Names are aligned left, numbers right.
                let _ = match column {
                    0 => write!(line, "{text:width$}"),
                    6 => write!(line, "  {text}"),
                    _ => write!(line, "  {text:>width$}"),
                };
            }
            if i > 0 {
                f.write_str("\n")?;
            }
            f.write_str(line.trim_end())?;
        }
        Ok(())
    }
}
