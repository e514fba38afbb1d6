//! Summaries of models as tables.

use std::collections::HashMap;
use std::fmt;
use wengert_autograd::{Outline, ScopeSummary, State, StateKind};
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

/// Counts a step of [`Summary::new`], for the test that the number of steps is linear.
fn count_step() {
    #[cfg(test)]
    tests::STEPS.set(tests::STEPS.get() + 1);
}

/// The lines of a summary while it is made, found by the paths of their modules.
#[derive(Default)]
struct SummaryLines {
    lines: Vec<LayerSummary>,
    /// The first line of each module, by the path of the module in the model.
    by_module: HashMap<String, usize>,
}

impl SummaryLines {
    fn push(
        &mut self,
        module_path: String,
        path: String,
        kind: &str,
        output: Option<Shape>,
    ) -> usize {
        let at = self.lines.len();
        self.by_module.entry(module_path).or_insert(at);
        let kind = kind.to_string();
        self.lines.push(LayerSummary { path, kind, output, parameters: 0, trainable: 0 });
        at
    }

    /// Returns the line of the innermost module that contains the parameter `name`.
    fn owner(&self, name: &str) -> Option<usize> {
        let mut module_path = name;
        loop {
            count_step();
            if let Some(&at) = self.by_module.get(module_path) {
                return Some(at);
            }
            if module_path.is_empty() {
                return None;
            }
            module_path = module_path.rsplit_once('.').map_or("", |(outer, _)| outer);
        }
    }
}

impl Summary {
    /// Makes the table of a run. The number of steps is linear in the number of layers.
    pub(crate) fn new(
        outline: &Outline,
        states: Vec<(String, &dyn State)>,
        input: &[usize],
        output: Shape,
        scopes: Vec<ScopeSummary>,
    ) -> Self {
        let kind_of = |path: &str| {
            count_step();
            if path.is_empty() { Some(outline.name()) } else { outline.at(path).map(Outline::name) }
        };
        let mut lines = SummaryLines::default();
        for ScopeSummary { path, shape, kind: entered, module_path, .. } in outer_first(scopes) {
            let module_path = module_path.unwrap_or_else(|| path.clone());
            let kind = kind_of(&module_path).unwrap_or(entered);
            lines.push(module_path, path, kind, shape);
        }
        let (mut parameters, mut trainable) = (0, 0);
        for (name, state) in states {
            if state.kind() != StateKind::Param {
                continue;
            }
            let numel = state.shape().numel();
            let not_frozen = if state.frozen() { 0 } else { numel };
            parameters += numel;
            trainable += not_frozen;
            let owner = lines.owner(&name).unwrap_or_else(|| {
                let path = name.rsplit_once('.').map_or("", |(path, _)| path);
                let kind = kind_of(path).unwrap_or("");
                lines.push(path.into(), path.into(), kind, path.is_empty().then_some(output))
            });
            let line = &mut lines.lines[owner];
            line.parameters += numel;
            line.trainable += not_frozen;
        }
        Summary {
            kind: outline.name().to_string(),
            input: Shape::new(input),
            output,
            layers: lines.lines,
            parameters,
            trainable,
        }
    }
}

/// Puts each scope before the scopes in it. The input is in the order in which scopes ended, inner
/// scopes first.
fn outer_first(scopes: Vec<ScopeSummary>) -> Vec<ScopeSummary> {
    // The ended scopes whose enclosing scope has not ended yet, and the scopes directly inside each
    // scope: those that ended before it and are deeper.
    let mut inner: Vec<Vec<usize>> = Vec::with_capacity(scopes.len());
    let mut open: Vec<usize> = Vec::new();
    for (at, scope) in scopes.iter().enumerate() {
        let first = open.iter().rposition(|&other| {
            count_step();
            scopes[other].depth <= scope.depth
        });
        let first = first.map_or(0, |last_outside| last_outside + 1);
        inner.push(open.split_off(first));
        open.push(at);
    }
    let mut scopes: Vec<Option<ScopeSummary>> = scopes.into_iter().map(Some).collect();
    let mut sorted = Vec::with_capacity(scopes.len());
    let mut next: Vec<usize> = open.into_iter().rev().collect();
    while let Some(at) = next.pop() {
        count_step();
        sorted.extend(scopes[at].take());
        next.extend(inner[at].iter().rev());
    }
    sorted
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
    use crate::{Layer, Linear, Sequential, Tanh};
    use std::cell::Cell;
    use wengert_tensor::Philox;

    thread_local! {
        /// The number of steps that [`Summary::new`] has made in this thread.
        pub(super) static STEPS: Cell<usize> = const { Cell::new(0) };
    }

    /// Returns the number of steps of the summary of `blocks` blocks, each of `layers` pairs of layers.
    fn steps(blocks: usize, layers: usize) -> usize {
        let rng = &mut Philox::new(0);
        let mut model = Sequential::new();
        for _ in 0..blocks {
            let block = (0..layers)
                .fold(Sequential::new(), |block, _| block.add(Linear::new(1, 1, rng)).add(Tanh));
            model = model.add(block);
        }
        STEPS.set(0);
        let summary = model.summary(&[1, 1]).unwrap();
        assert_eq!(summary.layers.len(), blocks * (2 * layers + 1));
        assert_eq!(summary.parameters, 2 * blocks * layers);
        STEPS.get()
    }

    #[test]
    fn twice_the_layers_take_twice_the_steps() {
        let few = steps(4, 8);
        assert!(few >= 4 * 8 * 2);
        for (blocks, layers) in [(8, 8), (4, 16), (1, 64)] {
            let many = steps(blocks, layers);
            let factor = (blocks * layers) as f64 / 32.0;
            assert!(many as f64 <= 1.1 * factor * few as f64, "{blocks}×{layers}: {many}, {few}");
        }
    }

    /// In a chain of containers, each scope has one scope in it.
    #[test]
    fn the_steps_of_nested_scopes_are_linear() {
        let chain = |depth: usize| {
            let scope = |depth| ScopeSummary {
                path: String::new(),
                depth,
                shape: None,
                kind: "",
                module_path: None,
            };
            STEPS.set(0);
            let sorted = outer_first((0..depth).rev().map(scope).collect());
            assert!(sorted.iter().map(|scope| scope.depth).eq(0..depth));
            STEPS.get()
        };
        assert!(chain(400) <= 2 * chain(200) + 1);
    }

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
