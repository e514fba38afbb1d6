//! The origin of the first NaN or infinity of a run, as data. `detect.rs` finds it.

use std::fmt;
use std::panic::Location;
use wengert_tensor::{Float, Shape, Tensor};

/// The values that [`Tape::detecting_anomalies`](crate::Tape::detecting_anomalies) refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Anomalies {
    /// NaN and infinities, in given and computed values.
    All,
    /// As [`All`](Anomalies::All), but given values may be infinite, and so may results of infinite
    /// operands. Use it for programs that mask with -∞. An operation is refused if it returns an infinity for
    /// finite operands.
    NewInfinities,
    /// NaN only.
    NanOnly,
}

/// A NaN or an infinity, and its origin. [`Tape::anomaly`](crate::Tape::anomaly) returns it. Its `Display`
/// is the message of the panic.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Anomaly {
    /// The operation that computed it: the name of a method such as `div`, or of a custom operation. For
    /// a given value: `constant`, `watch`, `param` or `buffer`. In the backward pass: the forward
    /// operation.
    pub op: String,
    /// The id of the operation's node.
    pub node: usize,
    /// The scope in which the operation was recorded, such as `blocks.3.fc1`.
    pub scope: String,
    /// The line that recorded the operation. For an operation that a derivative rule has recorded: the
    /// line of the forward operation.
    pub location: Option<&'static Location<'static>>,
    /// The path of the parameter or buffer, if the value is one and its model was entered on the tape.
    pub name: Option<String>,
    /// The operation whose derivative rule has recorded this operation, if a rule did. This occurs when
    /// a gradient is differentiated again.
    pub rule_of: Option<String>,
    /// The value of the operation in which it was found.
    pub place: AnomalyPlace,
    /// A summary of that value.
    pub found: ValueSummary,
    /// Summaries of the operands, without indices.
    pub operands: Vec<ValueSummary>,
    /// In the backward pass: summaries of the cotangents of the outputs. `None` is zero.
    pub cotangents: Vec<Option<ValueSummary>>,
}

/// The value of an operation in which an [`Anomaly`] was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnomalyPlace {
    /// A given value: a constant, a watched value, a parameter, a buffer.
    Given,
    /// An output, counted from 0.
    Output(usize),
    /// The cotangent that the derivative rule returned for this operand, counted from 0.
    Cotangent(usize),
    /// The cotangent of the output. It is a sum of finite cotangents, or a given seed.
    Sum,
    /// The tangent of the output, in forward mode.
    Tangent,
    /// The cotangent that a [hook](crate::Hooks) has returned in place of that of its output.
    Hook,
}

/// A summary of the elements of a tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct ValueSummary {
    /// The sizes of the axes.
    pub shape: Shape,
    /// The smallest finite element; `None` if there is none.
    pub min: Option<f64>,
    /// The largest finite element; `None` if there is none.
    pub max: Option<f64>,
    /// The number of NaN elements.
    pub nan: usize,
    /// The number of elements that are +∞.
    pub positive_infinite: usize,
    /// The number of elements that are -∞.
    pub negative_infinite: usize,
}

impl ValueSummary {
    /// Summarises the elements of a tensor.
    pub fn of<T: Float>(x: &Tensor<T>) -> Self {
        let (shape, min, max) = (x.shape(), None, None);
        let (nan, positive_infinite, negative_infinite) = (0, 0, 0);
        let mut all = ValueSummary { shape, min, max, nan, positive_infinite, negative_infinite };
        for x in x.to_vec().into_iter().map(wengert_tensor::Element::to) {
            if x.is_nan() {
                all.nan += 1;
            } else if x == f64::INFINITY {
                all.positive_infinite += 1;
            } else if x == f64::NEG_INFINITY {
                all.negative_infinite += 1;
            } else {
                all.min = Some(all.min.map_or(x, |min: f64| min.min(x)));
                all.max = Some(all.max.map_or(x, |max: f64| max.max(x)));
            }
        }
        all
    }

    /// Returns the number of infinite elements.
    pub fn infinite(&self) -> usize {
        self.positive_infinite + self.negative_infinite
    }

    /// Returns whether all elements are finite.
    pub fn is_finite(&self) -> bool {
        self.nan + self.infinite() == 0
    }

    /// Returns the counts of each kind of element that is not finite.
    fn special(&self) -> String {
        let kinds =
            [(self.nan, "NaN"), (self.positive_infinite, "+∞"), (self.negative_infinite, "-∞")];
        let some = kinds.iter().filter(|(n, _)| *n > 0).map(|(n, kind)| format!("{n} {kind}"));
        some.collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for ValueSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shape {}", self.shape)?;
        if let (Some(min), Some(max)) = (self.min, self.max) {
            write!(f, ", minimum {min:?}, maximum {max:?}")?;
        }
        let special = self.special();
        write!(f, ", {}", if special.is_empty() { "all finite" } else { &special })
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (op, found) = (&self.op, &self.found);
        let count = format!("{} among {} numbers", found.special(), found.shape.numel());
        match self.place {
            AnomalyPlace::Given => {
                let name = self.name.as_ref().map(|name| format!(" `{name}`")).unwrap_or_default();
                write!(f, "{op}{name}: the given value contains {count}")?;
            }
            AnomalyPlace::Output(0) => write!(f, "{op}: the result contains {count}")?,
            AnomalyPlace::Output(i) => write!(f, "{op}: output {i} contains {count}")?,
            AnomalyPlace::Cotangent(arg) => {
                write!(
                    f,
                    "{op}: the derivative rule returned a cotangent of operand {arg} that \
                     contains {count}"
                )?;
            }
            AnomalyPlace::Sum => {
                write!(f, "{op}: the sum of the cotangents of the result contains {count}")?;
            }
            AnomalyPlace::Tangent => write!(f, "{op}: the tangent of the result contains {count}")?,
            AnomalyPlace::Hook => {
                write!(
                    f,
                    "{op}: a hook replaced the cotangent of the result by one that contains \
                     {count}"
                )?;
            }
        }
        if let Some(rule_of) = &self.rule_of {
            write!(f, "; the derivative rule of {rule_of} recorded this operation")?;
        }
        if let Some(location) = self.location {
            write!(f, "\n  recorded at {location}")?;
        }
        if self.place == AnomalyPlace::Given {
            write!(f, "\n  {found}")?;
        }
        for (i, operand) in self.operands.iter().enumerate() {
            write!(f, "\n  operand {i}: {operand}")?;
        }
        let several = self.cotangents.len() > 1;
        for (i, cotangent) in self.cotangents.iter().enumerate() {
            write!(f, "\n  cotangent of the result")?;
            if several {
                write!(f, " {i}")?;
            }
            match cotangent {
                Some(numbers) => write!(f, ": {numbers}")?,
                None => write!(f, ": none")?,
            }
        }
        if self.found.nan == 0 && self.place == AnomalyPlace::Given {
            write!(
                f,
                "\n  if the value is intended, for example as a mask, use \
                 Anomalies::NewInfinities"
            )?;
        }
        Ok(())
    }
}

impl Anomalies {
    /// Returns whether these values are refused. `operands` are summaries of the operands, and `own` is
    /// a number of the operation itself.
    pub(super) fn refuses(
        self,
        found: &ValueSummary,
        operands: &[ValueSummary],
        own: Option<f64>,
    ) -> bool {
        let infinite = match self {
            Anomalies::All => found.infinite() > 0,
            Anomalies::NewInfinities => {
                let given =
                    operands.iter().any(|x| x.infinite() > 0) || own.is_some_and(f64::is_infinite);
                found.infinite() > 0 && !given
            }
            Anomalies::NanOnly => false,
        };
        found.nan > 0 || infinite
    }

    /// Returns whether these values, whose operands are not known, are refused. `permitted`: an infinity
    /// was permitted before, and may be their cause.
    pub(super) fn refuses_after(self, found: &ValueSummary, permitted: bool) -> bool {
        match self {
            Anomalies::All => true,
            Anomalies::NewInfinities => found.nan > 0 || !permitted,
            Anomalies::NanOnly => found.nan > 0,
        }
    }
}
