//! What a model consists of, as a table.

use std::fmt;
use wengert_autograd::{Kind, Module, Outline, ScopeSummary};
use wengert_tensor::Shape;

/// The layers of a model in the order they run; from [`Layer::summary`](crate::Layer::summary).
///
/// ```
/// use wengert_nn::{Layer, Linear, Tanh, sequential};
/// use wengert_tensor::Philox;
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
pub struct Summary {
    /// The model's type.
    pub kind: String,
    /// The shape that was given.
    pub input: Shape,
    /// The shape that comes out.
    pub output: Shape,
    /// The layers: an outer one before those in it, otherwise in the order they run.
    pub layers: Vec<LayerSummary>,
    /// How many numbers the parameters hold together. Tied ones count once.
    pub parameters: usize,
    /// How many of them are not frozen.
    pub trainable: usize,
}

/// A line of a [`Summary`]: a layer that ran, a named scope of the run, or parameters that belong to none.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerSummary {
    /// The names that lead to it, joined by dots; empty for the model itself.
    pub path: String,
    /// The layer's type; empty for a scope of [`Tape::scope`](wengert_autograd::Tape::scope) whose name
    /// is not that of a field.
    pub kind: String,
    /// The shape that comes out; `None` for parameters whose layer opened no scope.
    pub output: Option<Shape>,
    /// How many numbers its parameters hold, without those of layers inside it. A layer that runs
    /// several times has them in its first line.
    pub parameters: usize,
    /// How many of them are not frozen.
    pub trainable: usize,
}

/// Whether a parameter of this name lies in the module at this place.
fn holds(place: &str, name: &str) -> bool {
    let rest = name.strip_prefix(place);
    rest.is_some_and(|rest| place.is_empty() || rest.starts_with('.') || rest.is_empty())
}

impl Summary {
    pub(crate) fn new(
        model: &(impl Module + ?Sized),
        input: &[usize],
        output: Shape,
        scopes: Vec<ScopeSummary>,
    ) -> Self {
        let outline = model.outline();
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
        // Each with its place in the model, where that is not its path.
        let mut layers: Vec<(Option<String>, LayerSummary)> = Vec::new();
        for ScopeSummary { path, shape, kind: entered, module_path: place, .. } in
            outer_first(scopes)
        {
            let kind = kind(place.as_ref().unwrap_or(&path)).unwrap_or(entered);
            layers.push((place, line(path, kind, shape)));
        }
        for (name, state) in model.named_state() {
            if state.kind() != Kind::Param {
                continue;
            }
            let mut owner: Option<(usize, usize)> = None;
            for (i, (place, layer)) in layers.iter().enumerate() {
                let place = place.as_ref().unwrap_or(&layer.path);
                if holds(place, &name) && owner.is_none_or(|(best, _)| place.len() > best) {
                    owner = Some((place.len(), i));
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
            layer.parameters += state.shape().numel();
            layer.trainable += if state.frozen() { 0 } else { state.shape().numel() };
        }
        Summary {
            kind: outline.name().to_string(),
            input: Shape::new(input),
            output,
            layers: layers.into_iter().map(|(_, layer)| layer).collect(),
            parameters: model.parameter_count(),
            trainable: model.trainable_count(),
        }
    }
}

/// Puts each scope before the scopes within it: they come in the order in which they ended, inner ones first.
fn outer_first(scopes: Vec<ScopeSummary>) -> Vec<ScopeSummary> {
    // Scopes whose outer one has not ended yet, each with what lies in it.
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

/// 1234567 as 1,234,567.
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
    fn thousands() {
        let numbers = [0, 92, 407_050, 1_234_567].map(grouped);
        assert_eq!(numbers, ["0", "92", "407,050", "1,234,567"]);
    }

    #[test]
    fn inner_scopes_follow_their_outer_one() {
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
