//! The printed form of a model.

use std::fmt;

/// The printed form of a module, as a tree. A module that contains only values is printed on one line. A
/// module that contains named modules prints each on a line of its own. Equal consecutive elements of a
/// list are printed once, with their number.
///
/// ```
/// use wengert::autograd::Outline;
///
/// let linear = |shape| Outline::new("Linear").field("weight", &shape);
/// let model = Outline::new("Mlp").with("fc", linear([512, 784])).with("act", Outline::new("Relu"));
/// assert_eq!(linear([512, 784]).to_string(), "Linear(weight: [512, 784])");
/// assert_eq!(model.to_string(), "\
/// Mlp(
///   (fc): Linear(weight: [512, 784])
///   (act): Relu
/// )");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// The text of a value, or the text before the bracket.
    name: String,
    brackets: Option<(&'static str, &'static str)>,
    fields: Vec<(String, Outline)>,
}

impl Outline {
    fn group(name: String, open: &'static str, close: &'static str) -> Self {
        Outline { name, brackets: Some((open, close)), fields: Vec::new() }
    }

    /// Makes the outline of a module with this name: `Relu`, or `Linear(…)` once fields are added.
    pub fn new(name: &str) -> Self {
        Self::group(name.to_string(), "(", ")")
    }

    /// Makes the outline of a value on one line, such as a number or a shape.
    pub fn value(value: impl fmt::Display) -> Self {
        Outline { name: value.to_string(), brackets: None, fields: Vec::new() }
    }

    /// Makes an outline with its elements in square brackets.
    pub fn list() -> Self {
        Self::group(String::new(), "[", "]")
    }

    /// Makes an outline with its elements in parentheses.
    pub fn tuple() -> Self {
        Self::group(String::new(), "(", ")")
    }

    /// Makes an outline with its named entries in braces.
    pub fn map() -> Self {
        Self::group(String::new(), "{", "}")
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: impl fmt::Display, outline: Outline) -> Self {
        self.push(name.to_string(), outline);
        self
    }

    /// Returns the type of a module, or the text of a value; empty for lists and tuples.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the outline at a path of field names, such as `layers.0`. An element of a list is found
    /// without a search.
    pub fn at(&self, path: &str) -> Option<&Outline> {
        path.split('.').try_fold(self, |outline, step| {
            let fields = &outline.fields;
            let element = step.parse().ok().and_then(|position: usize| fields.get(position));
            let element = element.filter(|(name, _)| name == step);
            let named = || fields.iter().find(|(name, _)| name == step);
            element.or_else(named).map(|(_, field)| field)
        })
    }

    pub(crate) fn push(&mut self, name: String, outline: Outline) {
        self.fields.push((name, outline));
    }

    /// Returns whether it contains only values, at any depth.
    fn is_flat(&self) -> bool {
        let named = |outline: &Outline| outline.brackets.is_some() && !outline.name.is_empty();
        self.fields.iter().all(|(_, field)| !named(field) && field.is_flat())
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        f.write_str(&self.name)?;
        let Some((open, close)) = self.brackets else { return Ok(()) };
        if self.fields.is_empty() && !self.name.is_empty() {
            return Ok(());
        }
        f.write_str(open)?;
        if self.is_flat() {
            for (i, (name, field)) in self.fields.iter().enumerate() {
                f.write_str(if i > 0 { ", " } else { "" })?;
                if !is_number(name) {
                    write!(f, "{name}: ")?;
                }
                field.write(f, depth)?;
            }
        } else {
            let mut rest = &self.fields[..];
            while let Some((name, field)) = rest.first() {
                let run =
                    rest.iter().take_while(|(n, other)| is_number(n) && field == other).count();
                let indent = 2 * (depth + 1);
                if run >= 3 {
                    let last = &rest[run - 1].0;
                    write!(f, "\n{:indent$}({name}-{last}): {run} × ", "")?;
                    rest = &rest[run..];
                } else {
                    write!(f, "\n{:indent$}({name}): ", "")?;
                    rest = &rest[1..];
                }
                field.write(f, depth + 1)?;
            }
            write!(f, "\n{:1$}", "", 2 * depth)?;
        }
        f.write_str(close)
    }
}

/// Returns whether a field's name is its position, which is not printed on one line.
fn is_number(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for Outline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::{Module, Param};
    use wengert_tensor::Tensor;

    fn linear(inputs: usize, outputs: usize) -> Outline {
        let mut weight = Param::new(Tensor::zeros(&[outputs, inputs]));
        if inputs == 512 {
            weight.freeze();
        }
        Outline::new("Linear").field("weight", &weight).field("bias", &None::<Param>)
    }

    #[test]
    fn an_outline_of_values_is_one_line() {
        assert_eq!(Outline::new("Relu").to_string(), "Relu");
        assert_eq!(Outline::new("Dropout").field("p", &0.5).to_string(), "Dropout(p: 0.5)");
        assert_eq!(linear(784, 512).to_string(), "Linear(weight: [512, 784], bias: None)");
        assert_eq!(linear(512, 10).to_string(), "Linear(weight: [10, 512] frozen, bias: None)");
        assert_eq!(Outline::new("Scale").field(0, &[1, 2]).to_string(), "Scale([1, 2])");
        assert_eq!(Vec::<f32>::new().outline().to_string(), "[]");
    }

    #[test]
    fn each_module_has_its_own_line_in_an_outline() {
        let block =
            Outline::new("Block").with("fc", linear(8, 8)).with("act", Outline::new("Relu"));
        let blocks = (0..4).fold(Outline::list(), |list, i| list.with(i, block.clone()));
        let model = Outline::new("Net")
            .with("blocks", blocks)
            .with(
                "head",
                Outline::new("Sequential").with(0, linear(8, 1)).with(1, Outline::new("Tanh")),
            )
            .field("p", &0.25);
        let expected = "\
Net(
  (blocks): [
    (0-3): 4 × Block(
      (fc): Linear(weight: [8, 8], bias: None)
      (act): Relu
    )
  ]
  (head): Sequential(
    (0): Linear(weight: [1, 8], bias: None)
    (1): Tanh
  )
  (p): 0.25
)";
        assert_eq!(model.to_string(), expected);
    }
}
