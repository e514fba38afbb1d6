//! Summaries of models as tables.

use std::fmt;
use wengert_autograd::{Kind, Outline, ScopeSummary, State};
use wengert_tensor::Shape;

/// The layers of a model in the order in which they run, with shapes and numbers of parameters.
/// [`Layer::summary`](crate::Layer::summary) returns it, and `Display` prints it as a table.
///
/// ```
/// use wengert::nn::{Layer, Linear, Tanh, sequential};
/// use wengert::tensor::Philox;
/// let mut rng = Philox::new(0);
/// let model = sequential![Linear::new(5, 3, &mut rng), Tanh, Linear::new(3, 1, &mut rng)];
/// let summary = model.summary(&[8, 5]).unwrap();
/// assert_eq!(summary.to_string(), "\
/// Sequential: [8, 5] → [8, 1]
/// layer      type    output  parameters
/// 0          Linear  [8, 3]          18
/// 1          Tanh    [8, 3]           –
/// 2          Linear  [8, 1]           4
/// total                              22
/// trainable                          22");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// The type of the model.
    pub kind: String,
    /// The shape of the input.
    pub input: Shape,
    /// The shape of the output.
    pub output: Shape,
    /// The layers in the order in which they run; an outer layer comes before the layers in it.
    pub layers: Vec<LayerSummary>,
    /// The total number of values in the parameters. A tied parameter counts once.
    pub parameters: usize,
    /// The number of these values that are not frozen.
    pub trainable: usize,
}

/// One line of a [`Summary`]: a layer that ran, a named scope, or parameters that belong to
/// neither.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LayerSummary {
    /// The path: field names joined by dots. It is empty for the model itself.
    pub path: String,
    /// The type of the layer. It is empty for a [`Tape::scope`](wengert_autograd::Tape::scope)
    /// whose name is not that of a field.
    pub kind: String,
    /// The shape of the output; `None` for parameters whose layer opened no scope.
    pub output: Option<Shape>,
    /// The number of values in the layer's parameters, without those of layers inside it. If a
    /// layer runs several times, its first line counts them.
    pub parameters: usize,
    /// The number of these values that are not frozen.
    pub trainable: usize,
}

/// Returns whether the module at `module_path` contains the parameter `name`.
fn holds(module_path: &str, name: &str) -> bool {
    let rest = name.strip_prefix(module_path);
    rest.is_some_and(|rest| module_path.is_empty() || rest.starts_with('.') || rest.is_empty())
}

impl Summary {
    pub(crate) fn new(
        outline: &Outline,
        states: Vec<(String, &dyn State)>,
        input: &[usize],
        output: Shape,
        scopes: Vec<ScopeSummary>,
    ) -> Self {
        let kind = |path: &str| match path {
            "" => Some(outline.name()),
            path => outline.at(path).map(Outline::name),
        };
        let line = |path: String, kind: &str, output| LayerSummary {
            path,
            kind: kind.to_string(),
            output,
            parameters: 0,
            trainable: 0,
        };
        // Each line with the path of its module in the model, where that differs from the path of
        // its scope.
        let mut layers: Vec<(Option<String>, LayerSummary)> = Vec::new();
        for ScopeSummary { path, shape, kind: entered, module_path, .. } in outer_first(scopes) {
            let kind = kind(module_path.as_ref().unwrap_or(&path)).unwrap_or(entered);
            layers.push((module_path, line(path, kind, shape)));
        }
        let (mut parameters, mut trainable) = (0, 0);
        for (name, state) in states {
            if state.kind() != Kind::Param {
                continue;
            }
            let numel = state.shape().numel();
            parameters += numel;
            trainable += if state.frozen() { 0 } else { numel };
            let mut owner: Option<(usize, usize)> = None;
            for (i, (module_path, layer)) in layers.iter().enumerate() {
                let module_path = module_path.as_ref().unwrap_or(&layer.path);
                if holds(module_path, &name)
                    && owner.is_none_or(|(best, _)| module_path.len() > best)
                {
                    owner = Some((module_path.len(), i));
                }
            }
            let owner = owner.map_or_else(
                || {
                    let path = name.rsplit_once('.').map_or("", |(path, _)| path);
                    let output = path.is_empty().then_some(output);
                    layers.push((None, line(path.into(), kind(path).unwrap_or(""), output)));
                    layers.len() - 1
                },
                |(_, owner)| owner,
            );
            let layer = &mut layers[owner].1;
            layer.parameters += numel;
            layer.trainable += if state.frozen() { 0 } else { numel };
        }
        Summary {
            kind: outline.name().to_string(),
            input: Shape::new(input),
            output,
            layers: layers.into_iter().map(|(_, layer)| layer).collect(),
            parameters,
            trainable,
        }
    }
}

/// Puts each scope before the scopes in it. The input is in the order in which scopes ended, inner
/// scopes first.
fn outer_first(scopes: Vec<ScopeSummary>) -> Vec<ScopeSummary> {
    // Scopes whose enclosing scope has not ended yet, each followed by the scopes in it.
    let mut open: Vec<Vec<ScopeSummary>> = Vec::new();
    for scope in scopes {
        let inner =
            open.iter().rposition(|group| group[0].depth <= scope.depth).map_or(0, |i| i + 1);
        let within = open.split_off(inner).into_iter().flatten();
        open.push(std::iter::once(scope).chain(within).collect());
    }
    open.into_iter().flatten().collect()
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows: Vec<[String; 4]> =
            vec![["layer", "type", "output", "parameters"].map(String::from)];
        for layer in &self.layers {
            let output = layer.output.map_or("?".into(), |shape| shape.to_string());
            let parameters = match layer.parameters {
                0 => "–".into(),
                n if layer.trainable == 0 => format!("frozen {}", grouped(n)),
                n => grouped(n),
            };
            rows.push([layer.path.clone(), layer.kind.clone(), output, parameters]);
        }
        for (name, count) in [("total", self.parameters), ("trainable", self.trainable)] {
            rows.push([name.into(), String::new(), String::new(), grouped(count)]);
        }
        let width = |i: usize| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0);
        let [path, kind, output, parameters] = [0, 1, 2, 3].map(width);
        write!(f, "{}: {} → {}", self.kind, self.input, self.output)?;
        rows.iter().try_for_each(|[a, b, c, d]| {
            write!(f, "\n{a:path$}  {b:kind$}  {c:output$}  {d:>parameters$}")
        })
    }
}

/// Formats 1234567 as 1,234,567.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let numbers = [0, 92, 407_050, 1_234_567].map(grouped);
        assert_eq!(numbers, ["0", "92", "407,050", "1,234,567"]);
    }

    #[test]
    fn inner_scopes_are_listed_after_their_outer_scope() {
        let scope = |path: &str| ScopeSummary {
            path: path.into(),
            depth: path.matches('.').count(),
            shape: None,
            kind: "",
            module_path: None,
        };
        let ended = ["a.x", "a.y.z", "a.y", "a", "b", "c.x", "c"].map(scope);
        let paths: Vec<_> = outer_first(ended.into()).into_iter().map(|scope| scope.path).collect();
        assert_eq!(paths, ["a", "a.x", "a.y", "a.y.z", "b", "c", "c.x"]);
    }
}
