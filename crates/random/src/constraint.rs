//! The values and the shapes that parameters may have.

use crate::quantity::Quantity;
use wengert_tensor::{Element, Shape};

/// A condition on each element of a parameter. NaN fulfils none.
#[derive(Clone, Copy, Debug)]
pub enum Constraint {
    /// A finite number.
    Real,
    /// A finite number above 0.
    Positive,
    /// A finite number, 0 or above.
    NonNegative,
    /// From 0 to 1.
    Probability,
    /// Above 0, up to 1.
    PositiveProbability,
    /// A whole number, 0 or above.
    Count,
    /// A finite number or −∞.
    LogWeight,
}

impl Constraint {
    fn holds(self, x: f64) -> bool {
        match self {
            Constraint::Real => x.is_finite(),
            Constraint::Positive => x > 0.0 && x.is_finite(),
            Constraint::NonNegative => x >= 0.0 && x.is_finite(),
            Constraint::Probability => (0.0..=1.0).contains(&x),
            Constraint::PositiveProbability => x > 0.0 && x <= 1.0,
            Constraint::Count => x >= 0.0 && x.is_finite() && x.fract() == 0.0,
            Constraint::LogWeight => x < f64::INFINITY,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Constraint::Real => "finite",
            Constraint::Positive => "positive and finite",
            Constraint::NonNegative => "at least 0 and finite",
            Constraint::Probability => "from 0 to 1",
            Constraint::PositiveProbability => "above 0 and at most 1",
            Constraint::Count => "a whole number from 0 on",
            Constraint::LogWeight => "a number below infinity",
        }
    }

    /// Refuses a parameter with an element outside of the condition.
    #[track_caller]
    pub fn check<P: Quantity>(self, of: &str, name: &str, parameter: &P) {
        let shape = parameter.sizes();
        let numbers = parameter.numbers().to_vec();
        if let Some(i) = numbers.iter().position(|x| !self.holds(x.to())) {
            parameter.refuse(format!(
                "{of}: {name} must be {}, got {} at position {i} of shape {shape} (in row-major order)",
                self.text(),
                numbers[i]
            ))
        }
    }
}

/// Stretches parameters to their common shape, after a check of their numbers.
#[track_caller]
pub fn parameters<P: Quantity, const N: usize>(
    of: &str,
    names: [&str; N],
    constraints: [Constraint; N],
    given: &[P],
) -> [P; N] {
    let mut shape = given[0].sizes();
    for x in &given[1..] {
        let Some(both) = wengert_tensor::broadcast_shapes(&shape, &x.sizes()) else {
            let shapes: Vec<Shape> = given.iter().map(P::sizes).collect();
            given[0].refuse(format!(
                "{of}: the shapes {shapes:?} of {} do not broadcast: from the last axis on, sizes must be equal or 1",
                names.join(", ")
            ))
        };
        shape = both;
    }
    for i in 0..N {
        if given[i].has_numbers() {
            constraints[i].check(of, names[i], &given[i]);
        }
    }
    std::array::from_fn(|i| given[i].stretched(&shape))
}
