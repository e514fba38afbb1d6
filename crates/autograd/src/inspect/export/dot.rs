//! A picture of the recorded graph, in the language of Graphviz.

mod drawing;
mod look;
mod words;

use super::{Attribute, Graph, GraphNode, NodeKind, Source};
use drawing::{Drawing, DrawnNode, Edge, Flow};
use look::{Look, colour, write_legend};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use words::{Escaped, Tip, digits, operand_name, sizes, told};

impl Graph {
    /// Returns the picture of the graph in the language of Graphviz, as [`Dot`] draws it by default.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::<f32>::ones(&[4, 3]));
    /// let _ = tape.scope("norm", || x - x.mean(&[1], true));
    /// let dot = tape.graph().to_dot();
    /// assert!(dot.starts_with("digraph program {"));
    /// assert!(dot.contains("label=\"norm\""));
    /// ```
    pub fn to_dot(&self) -> String {
        Dot::new(self).to_string()
    }
}

/// Draws a [`Graph`] in the language of Graphviz: its [`Display`](fmt::Display) text is the input of
/// `dot -Tsvg`.
///
/// | in the picture | is |
/// |---|---|
/// | a box with a title | a scope; scopes are nested |
/// | a yellow node | a parameter, by its name; a buffer is paler, a frozen parameter is labelled as such |
/// | a green ellipse | a given tensor; the node of an index is violet |
/// | a number without a border | a filled constant |
/// | a white node | an operation, with the attributes that differ from the common values |
/// | an orange node with a double border | a result: a value that no operation reads, such as a loss |
/// | a red node, in a dashed red box | an operation that [`grad`](crate::Var::grad) recorded, beside the scope of the operation whose derivative rule recorded it |
/// | a solid edge | numbers; the label is their shape |
/// | a dashed violet edge | indices |
/// | a dotted grey edge | booleans |
/// | a word or a number in brackets on an edge | the operand, if the order of the operands matters: `[left]`, `[right]`, or its number counted from 0 |
///
/// The forward pass flows downwards, and the gradients flow upwards beside it. Reshaping, permuting
/// and broadcasting are written on the edges ([`views`](Dot::views) draws them as nodes). Further
/// outputs of an operation are edges from its node.
///
/// The text depends only on the graph.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::tensor::Tensor;
/// use wengert::autograd::Dot;
/// let tape = Tape::new();
/// let x = tape.watch(Tensor::<f32>::ones(&[4, 3]));
/// let loss = x.square().sum_all();
/// loss.grad(&[x]);
/// let graph = tape.graph();
/// let forward = Dot::new(&graph).rules(false).legend(false).to_string();
/// assert!(forward.len() < graph.to_dot().len());
/// ```
#[allow(clippy::struct_excessive_bools)] // each is a switch of its own
#[derive(Clone, Debug)]
#[must_use = "the text is what Display writes: dot.to_string()"]
pub struct Dot<'g> {
    graph: &'g Graph,
    rules: bool,
    views: bool,
    attributes: bool,
    legend: bool,
    depth: usize,
}

impl<'g> Dot<'g> {
    /// Makes a picture of the whole graph.
    pub fn new(graph: &'g Graph) -> Self {
        Dot { graph, rules: true, views: false, attributes: true, legend: true, depth: usize::MAX }
    }

    /// Sets whether to draw the nodes that [`grad`](crate::Var::grad) recorded. The default is true. If false,
    /// a gradient that the forward pass uses is a node without operands.
    pub fn rules(self, rules: bool) -> Self {
        Dot { rules, ..self }
    }

    /// Sets whether `reshape`, `permute` and `broadcast_to` are drawn as nodes. The default is false: they are
    /// written on the edges.
    pub fn views(self, views: bool) -> Self {
        Dot { views, ..self }
    }

    /// Sets whether nodes show their attributes, such as `stride 2`. The default is true. Common values (a
    /// stride of 1, one group) and random streams are never shown.
    pub fn attributes(self, attributes: bool) -> Self {
        Dot { attributes, ..self }
    }

    /// Sets whether a table explains the colours and lines that occur. The default is true.
    pub fn legend(self, legend: bool) -> Self {
        Dot { legend, ..self }
    }

    /// Draws each scope that is nested in this many scopes as one node. With 0, each outermost scope is a node.
    /// The default is no limit: scopes of any depth are boxes.
    pub fn depth(self, depth: usize) -> Self {
        Dot { depth, ..self }
    }
}

impl fmt::Display for Dot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let drawing = Drawing::of(self.graph, self.rules, self.views, self.depth);
        f.write_str(
            "digraph program {\n  \
             graph [fontname=\"Helvetica\", fontsize=11, labeljust=l, nodesep=0.3, ranksep=0.35, \
             newrank=true];\n  \
             node [fontname=\"Helvetica\", fontsize=10, shape=box, style=\"rounded,filled\", \
             margin=\"0.1,0.05\", height=0.3];\n  \
             edge [fontname=\"Helvetica\", fontsize=8, color=\"#444444\", arrowsize=0.6];\n",
        )?;
        let picture = Picture { dot: self, drawing: &drawing };
        let mut looks = BTreeSet::new();
        picture.write_boxes(f, &mut looks)?;
        for edge in &drawing.edges {
            picture.write_edge(f, edge)?;
        }
        for [above, below] in &drawing.beside {
            writeln!(f, "  {above} -> {below} [style=invis, minlen=0];")?;
        }
        if self.legend && !looks.is_empty() {
            write_legend(f, &looks)?;
        }
        f.write_str("}\n")
    }
}

/// A graph and the settings of its picture.
struct Picture<'p> {
    dot: &'p Dot<'p>,
    drawing: &'p Drawing,
}

/// The content of each box, by the scope and the level of derivation.
type Boxes = BTreeMap<(Option<usize>, usize), Vec<DrawnNode>>;

impl Picture<'_> {
    fn write_boxes(&self, f: &mut fmt::Formatter<'_>, looks: &mut BTreeSet<Look>) -> fmt::Result {
        let mut boxes = Boxes::new();
        for &item in &self.drawing.items {
            boxes.entry(self.drawing.place(self.dot.graph, item)).or_default().push(item);
        }
        self.write_box(f, &boxes, None, 1, looks)
    }

    /// Writes the content of a scope: its nodes, the gradients of its operations, and nested scopes.
    fn write_box(
        &self,
        f: &mut fmt::Formatter<'_>,
        boxes: &Boxes,
        scope: Option<usize>,
        indent: usize,
        looks: &mut BTreeSet<Look>,
    ) -> fmt::Result {
        let graph = self.dot.graph;
        let space = "  ".repeat(indent);
        for (&(_, level), items) in boxes.range((scope, 0)..=(scope, usize::MAX)) {
            // Gradients of nodes outside all scopes need no box.
            let boxed = scope.filter(|_| level > 0);
            if let Some(scope) = boxed {
                let name = Escaped(self.name(scope));
                let title = match level {
                    1 => "gradient",
                    2 => "second gradient",
                    _ => "further gradient",
                };
                writeln!(
                    f,
                    "{space}subgraph cluster_g{scope}_{level} {{\n{space}  graph [label=\"{title}: {name}\", \
                     style=\"rounded,dashed,filled\", color=\"{}\", fillcolor=\"#fff7f6\", \
                     fontcolor=\"{0}\"];",
                    colour::GRADIENT[0]
                )?;
            }
            let inside = if boxed.is_some() { "  " } else { "" };
            for &item in items {
                write!(f, "{space}{inside}")?;
                self.write_item(f, item, looks)?;
            }
            if boxed.is_some() {
                writeln!(f, "{space}}}")?;
            }
        }
        for inner in (0..graph.scopes().len()).filter(|&s| graph.scopes()[s].parent == scope) {
            if !self.drawing.shown[inner] {
                continue;
            }
            let name = Escaped(self.name(inner));
            let fill = if indent % 2 == 1 { "#f4f6f9" } else { "#e9edf3" };
            writeln!(
                f,
                "{space}subgraph cluster_s{inner} {{\n{space}  graph [label=\"{name}\", \
                 style=\"rounded,filled\", color=\"#9fb0c3\", fillcolor=\"{fill}\", \
                 fontcolor=\"#2f4358\"];"
            )?;
            self.write_box(f, boxes, Some(inner), indent + 1, looks)?;
            writeln!(f, "{space}}}")?;
        }
        Ok(())
    }

    /// Returns the path of a scope relative to the enclosing scope.
    fn name(&self, scope: usize) -> &str {
        let scopes = self.dot.graph.scopes();
        let path = scopes[scope].path.as_str();
        let outer = scopes[scope].parent.map_or("", |parent| scopes[parent].path.as_str());
        match path.strip_prefix(outer) {
            Some(rest) if !outer.is_empty() && rest.starts_with('.') => &rest[1..],
            _ => path,
        }
    }

    fn write_item(
        &self,
        f: &mut fmt::Formatter<'_>,
        item: DrawnNode,
        looks: &mut BTreeSet<Look>,
    ) -> fmt::Result {
        let graph = self.dot.graph;
        let (id, node) = match item {
            DrawnNode::Node(id) => (id, &graph.nodes()[id]),
            DrawnNode::Scope { scope, level } => {
                let [border, fill] = if level > 0 { colour::GRADIENT } else { colour::OPERATION };
                looks.insert(if level > 0 { Look::Gradient } else { Look::Operation });
                let of = if level > 0 { "gradient: " } else { "" };
                return writeln!(
                    f,
                    "{item} [label=\"{of}{}\", shape=box3d, style=filled, color=\"{border}\", \
                     fillcolor=\"{fill}\"];",
                    Escaped(self.name(scope))
                );
            }
        };
        if node.op == "full" {
            let number = match node.attributes.first() {
                Some((_, Attribute::Number(x))) => digits(*x),
                _ => String::new(),
            };
            let shape =
                if node.shape.is_empty() { String::new() } else { format!("\\n{}", node.shape) };
            return writeln!(
                f,
                "{item} [label=\"{}{shape}\", shape=plaintext, style=\"\", fontsize=9, height=0.2, \
                 tooltip=\"{}\"];",
                Escaped(&number),
                Tip(id, node)
            );
        }
        let gradient = self.drawing.level[id] > 0;
        let result = self.drawing.is_result(graph, id);
        let look = match Look::of(node, gradient) {
            Look::Operation if result => Look::Result,
            look => look,
        };
        looks.insert(look);
        let label = Escaped(&self.label(node, result)).to_string();
        let given = node.source != Source::Computed;
        let [border, fill] = look.colours();
        write!(f, "{item} [label=\"{label}\", color=\"{border}\", fillcolor=\"{fill}\"")?;
        if matches!(look, Look::Input) || look == Look::Index && given {
            f.write_str(", shape=ellipse, style=filled")?;
        }
        if result {
            f.write_str(", peripheries=2")?;
        }
        writeln!(f, ", tooltip=\"{}\"];", Tip(id, node))
    }

    /// Returns the label of a node, line by line.
    fn label(&self, node: &GraphNode, result: bool) -> String {
        let mut lines = Vec::new();
        if let Some(of) = node.gradient_of {
            let of = &self.dot.graph.nodes()[of];
            lines.push(format!("gradient w.r.t. {}", of.name.as_deref().unwrap_or(&of.op)));
        }
        let frozen = node.source == (Source::Parameter { frozen: true });
        let name = node.name.as_deref().unwrap_or(&node.op);
        lines.push(format!("{name}{}", if frozen { " (frozen)" } else { "" }));
        if self.dot.attributes {
            lines.extend(node.attributes.iter().filter_map(|(name, value)| told(name, value)));
        }
        let given = node.source != Source::Computed;
        if given || result || node.gradient_of.is_some() {
            lines.push(sizes(&node.shape));
        }
        lines.join("\n")
    }

    fn write_edge(&self, f: &mut fmt::Formatter<'_>, edge: &Edge) -> fmt::Result {
        let nodes = self.dot.graph.nodes();
        let (source, value) = (&nodes[edge.source], &nodes[edge.value]);
        let mut words: Vec<String> = Vec::new();
        if let DrawnNode::Node(_) = edge.to {
            words.extend(operand_name(&nodes[edge.reader], edge.operand));
        }
        if source.output > 0 {
            words.push(match source.kind {
                NodeKind::Index if source.op.contains("max_pool") => "positions".into(),
                _ => format!("output {}", source.output),
            });
        }
        if edge.flow != Flow::Across {
            let views = edge.views.iter().map(|&view| &*nodes[view].op);
            words.extend(views.filter(|&op| op != "broadcast_to").map(str::to_string));
            // A given value shows its shape in its node.
            let given = source.source != Source::Computed || source.op == "full";
            if !given || words.iter().any(|word| !word.starts_with('[')) {
                words.push(sizes(&value.shape));
            }
        }
        let mut says: Vec<String> = Vec::new();
        let (mut from, mut to) = (edge.from, edge.to);
        match edge.flow {
            // Edges of computed values are drawn straighter than edges of parameters.
            Flow::Down if source.source == Source::Computed => {
                says.push("weight=2".into());
                // Leaves a rank for the parameters in the box that the edge enters. Otherwise they push
                // the node above to the side.
                if self.enters(from, to) {
                    says.push("minlen=2".into());
                }
            }
            Flow::Down => {}
            Flow::Up => {
                // The reader is above the value that it reads.
                (from, to) = (to, from);
                says.push("dir=back".into());
            }
            Flow::Across => says.push("constraint=false".into()),
        }
        says.extend(match (value.kind, edge.flow) {
            (NodeKind::Number, Flow::Down) => None,
            (NodeKind::Number, Flow::Up) => Some("color=\"#c0392b\"".into()),
            (NodeKind::Number, Flow::Across) => Some("color=\"#d0aeaa\"".into()),
            (NodeKind::Index, _) => Some("style=dashed, color=\"#7a5195\"".into()),
            (NodeKind::Mask, _) => Some("style=dotted, color=\"#777777\"".into()),
        });
        if !words.is_empty() {
            // The blank separates the label from the line.
            says.push(format!("label=\" {}\"", Escaped(&words.join("\n"))));
        }
        let says = if says.is_empty() { String::new() } else { format!(" [{}]", says.join(", ")) };
        writeln!(f, "  {from} -> {to}{says};")
    }

    /// Returns whether an edge leads into a box.
    fn enters(&self, from: DrawnNode, to: DrawnNode) -> bool {
        let graph = self.dot.graph;
        let [outer, inner] = [from, to].map(|item| self.drawing.place(graph, item).0);
        let mut around = outer;
        while around.is_some() && around != inner {
            around = around.and_then(|scope| graph.scopes()[scope].parent);
        }
        around != inner
    }
}
