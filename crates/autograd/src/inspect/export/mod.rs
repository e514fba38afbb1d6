//! The recorded graph as data. [`Tape::graph`] copies the tape's nodes into a [`Graph`], which stores
//! names and shapes but no values.
//!
//! | file | |
//! |---|---|
//! | `describe.rs` | the name and the attributes of each operation; the only file that knows them |
//! | `attribute.rs` | the types of attributes |
//! | `dot.rs`, `dot/*.rs` | a picture for Graphviz: its text, its layout, its colours and its words |
//! | `json.rs` | the same data for other software; `docs/graph-json.md` describes the format |
//!
//! Pictures and exports use only the public fields of [`GraphNode`] and [`GraphScope`], so that users
//! can write such functions themselves.

mod attribute;
mod describe;
mod dot;
mod json;

pub use attribute::Attribute;
pub use dot::Dot;

use crate::graph::{
    ACTIVE, Arena, Bound, CLOSED, Index, IntegerOp, Mask, Op, RELEASED, RETAINED, SAVED, Tape,
    ValueKind, Var,
};
use crate::module::{Module, Path, StateId};
use std::collections::HashMap;
use std::fmt;
use wengert_tensor::{Dtype, Float, Shape};

/// The recorded graph of a tape. [`Tape::graph`] returns it. It is a copy of names and shapes without values, and
/// does not change when the tape records more.
///
/// Nodes are in the order in which they were recorded: operands come before the nodes that read them.
/// The id of a node is its position in [`nodes`](Graph::nodes). Open scopes are not included.
///
/// [`to_dot`](Graph::to_dot) draws the graph, and [`to_json`](Graph::to_json) exports it.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    nodes: Vec<GraphNode>,
    scopes: Vec<GraphScope>,
    dtype: Dtype,
    /// The nodes of parameters and buffers, with their identities.
    states: Vec<(usize, StateId)>,
}

/// A node of a [`Graph`]: a value, and the operation that computes it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GraphNode {
    /// The name of the operation: the name of the method if there is one, such as `matmul`.
    pub op: String,
    /// The nodes that the operation reads, in order.
    pub operands: Vec<usize>,
    /// The number of this output of the operation, counted from 0. The nodes of further outputs follow
    /// that of the first. They have the same operation, operands and attributes.
    pub output: usize,
    /// Further parameters of the operation, such as `axis`, `stride`, or a number.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// The sizes of the axes.
    pub shape: Shape,
    /// The type of the elements.
    pub kind: NodeKind,
    /// The origin of the value.
    pub source: Source,
    /// The path of the parameter or buffer, such as `conv1.weight`. It is known if a model was entered
    /// on the tape, or if the graph was [named](Graph::named) after one.
    pub name: Option<String>,
    /// The innermost scope that contains the node, as an index into [`Graph::scopes`].
    pub scope: Option<usize>,
    /// The node whose derivative rule recorded this one, for nodes that [`grad`](crate::Var::grad)
    /// recorded.
    pub rule_of: Option<usize>,
    /// The node with respect to which this node is a gradient that [`grad`](crate::Var::grad) returned.
    pub gradient_of: Option<usize>,
    /// Whether gradients flow through the node.
    pub active: bool,
    /// Whether a derivative rule has declared to read its value.
    pub read_by_rules: bool,
    /// Whether the value is kept because it was requested, or because it is tiny.
    pub kept: bool,
    /// The state of the value: computed, pending, released or freed.
    pub state: ValueState,
}

/// The type of the elements of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NodeKind {
    /// Numbers of the tape's type.
    Number,
    /// Integers (`i64`): indices and classes.
    Index,
    /// Booleans.
    Mask,
}

/// The origin of a node's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// Given and not differentiated: [`Tape::constant`], [`Tape::index`].
    Constant,
    /// Given, with a gradient that can be computed: [`Tape::watch`].
    Watched,
    /// A parameter of a model.
    Parameter {
        /// Whether it is frozen: a constant of the run.
        frozen: bool,
    },
    /// A buffer of a model.
    Buffer,
    /// Computed by an operation.
    Computed,
}

/// The state of a node's value: computed, pending, released or freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueState {
    /// The value is stored.
    Computed,
    /// The value is computed when something reads it. The node may be fused with other
    /// operations into one kernel, so that its value is never stored.
    Pending,
    /// The value was computed and dropped. It is computed again if it is requested.
    Released,
    /// [`backward`](crate::Var::backward) ended the history and dropped the value permanently.
    Freed,
}

/// A scope of a [`Graph`]: a module that was entered, or a name of [`Tape::scope`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GraphScope {
    /// The path of the scope, such as `blocks.3.fc1`.
    pub path: String,
    /// The enclosing scope.
    pub parent: Option<usize>,
    /// The nodes that were recorded in the scope, including those in nested scopes.
    pub nodes: std::ops::Range<usize>,
}

/// A handle of a node on a tape: a [`Var`](crate::Var), an [`Index`](crate::Index), or a
/// [`Mask`](crate::Mask).
pub trait Handle {
    /// Returns the position of the node on its tape.
    #[doc(hidden)]
    fn place(&self) -> usize;
}
impl<T: Float> Handle for Var<'_, T> {
    fn place(&self) -> usize {
        self.id as usize
    }
}
impl<T: Float> Handle for Index<'_, T> {
    fn place(&self) -> usize {
        self.id as usize
    }
}
impl<T: Float> Handle for Mask<'_, T> {
    fn place(&self) -> usize {
        self.id as usize
    }
}

impl<T: Float> Tape<T> {
    /// Returns the graph recorded so far, as data. Computes nothing.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::<f32>::ones(&[4, 3]));
    /// let y = tape.scope("norm", || x - x.mean(&[1], true));
    /// let graph = tape.graph();
    /// let last = graph.node(y);
    /// assert_eq!((last.op.as_str(), last.shape), ("sub", y.shape()));
    /// assert_eq!(graph.scopes()[last.scope.unwrap()].path, "norm");
    /// assert_eq!(graph.nodes()[last.operands[0]].op, "watch");
    /// ```
    pub fn graph(&self) -> Graph {
        let arena = self.arena.borrow();
        let mut nodes: Vec<GraphNode> =
            (0..arena.len()).map(|id| Self::described(&arena, id)).collect();
        let scopes = self.ended_scopes(nodes.len());
        for (i, scope) in scopes.iter().enumerate() {
            // Outer scopes come before inner ones, so the innermost scope is written last.
            nodes[scope.nodes.clone()].iter_mut().for_each(|node| node.scope = Some(i));
        }
        for &(first, end, of) in &arena.rules {
            let end = (end as usize).min(nodes.len());
            let range = (first as usize).min(end)..end;
            nodes[range].iter_mut().for_each(|node| node.rule_of = Some(of as usize));
        }
        for &(gradient, of) in &arena.gradients {
            if let Some(node) = nodes.get_mut(gradient as usize) {
                node.gradient_of = Some(of as usize);
            }
        }
        let bound = self.params.borrow();
        let mut states = Vec::new();
        for binding in bound.iter() {
            let (id, state) = (binding.node as usize, binding.of.state());
            let node = &mut nodes[id];
            let (op, source) = match binding.of {
                Bound::Param { frozen, .. } => ("param", Source::Parameter { frozen }),
                Bound::Buffer(_) => ("buffer", Source::Buffer),
            };
            (node.op, node.source) = (op.into(), source);
            node.name = self.scopes.name_of(state);
            states.push((id, state));
        }
        Graph { nodes, scopes, dtype: T::DTYPE, states }
    }

    /// Returns the scopes that have ended, outer scopes before inner ones.
    fn ended_scopes(&self, nodes: usize) -> Vec<GraphScope> {
        let mut scopes: Vec<GraphScope> = Vec::new();
        self.scopes.see_ended(|path, range| {
            let end = (range.end as usize).min(nodes);
            let nodes = (range.start as usize).min(end)..end;
            scopes.push(GraphScope { path: path.into(), parent: None, nodes });
        });
        // Inner scopes ended before outer ones.
        scopes.reverse();
        scopes.sort_by_key(|scope| (scope.nodes.start, std::cmp::Reverse(scope.nodes.end)));
        let mut open: Vec<usize> = Vec::new();
        for i in 0..scopes.len() {
            while open.last().is_some_and(|&o| scopes[o].nodes.end <= scopes[i].nodes.start) {
                open.pop();
            }
            scopes[i].parent = open.last().copied();
            open.push(i);
        }
        scopes
    }

    fn described(arena: &Arena<T>, id: u32) -> GraphNode {
        let first = arena.first_output(id);
        let (node, op) = (&arena.nodes[id as usize], arena.nodes[first as usize].op);
        let state = if arena.is_computed(id) {
            ValueState::Computed
        } else if id < arena.ended {
            ValueState::Freed
        } else if node.has(RELEASED) {
            ValueState::Released
        } else {
            ValueState::Pending
        };
        let source = match op {
            Op::Constant | Op::Integer { op: IntegerOp::Given, .. } => Source::Constant,
            Op::Leaf => Source::Watched,
            _ => Source::Computed,
        };
        let (name, attributes) = describe::operation(arena, op, first);
        GraphNode {
            op: name,
            operands: arena.parents(first).iter().map(|&p| p as usize).collect(),
            output: (id - first) as usize,
            attributes,
            shape: *arena.shape(id),
            kind: match arena.kind(id) {
                ValueKind::Number => NodeKind::Number,
                ValueKind::Integer => NodeKind::Index,
                ValueKind::Mask => NodeKind::Mask,
            },
            source,
            name: None,
            scope: None,
            rule_of: None,
            gradient_of: None,
            active: node.has(ACTIVE),
            read_by_rules: node.has(SAVED),
            kept: node.has(RETAINED) || op.is_given() && !node.has(CLOSED),
            state,
        }
    }
}

impl Graph {
    /// Returns the nodes, in the order in which they were recorded.
    pub fn nodes(&self) -> &[GraphNode] {
        &self.nodes
    }

    /// Returns the scopes, each before the scopes nested in it.
    pub fn scopes(&self) -> &[GraphScope] {
        &self.scopes
    }

    /// Returns the type of the numbers.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Returns the node of a variable, an index or a mask.
    ///
    /// # Panics
    /// If the node was recorded after this graph was made, or on another tape with more nodes.
    #[track_caller]
    pub fn node(&self, x: impl Handle) -> &GraphNode {
        &self.nodes[self.id(x)]
    }

    /// Returns the id of the node of a variable, an index or a mask.
    ///
    /// # Panics
    /// Under the conditions of [`node`](Graph::node).
    #[allow(clippy::needless_pass_by_value)] // handles are `Copy`
    #[track_caller]
    pub fn id(&self, x: impl Handle) -> usize {
        let id = x.place();
        assert!(
            id < self.nodes.len(),
            "graph: the variable was recorded after the graph of {} nodes was made: call graph() \
             again",
            self.nodes.len()
        );
        id
    }

    /// Names the parameters and buffers by their paths in this model.
    #[must_use]
    pub fn named(mut self, model: &dyn Module) -> Self {
        let mut names = HashMap::new();
        model.visit(&Path::root(), &mut |path, state| {
            names.entry(state.id()).or_insert_with(|| path.to_string());
        });
        for (node, state) in &self.states {
            if let Some(name) = names.get(state) {
                self.nodes[*node].name = Some(name.clone());
            }
        }
        self
    }

    /// Returns whether two runs recorded the same graph: the same operations with the same attributes
    /// on the same operands, of the same shapes and kinds, with parameters and buffers at the same
    /// places. Given values, names, scopes, changes of buffers and the state of values are not compared.
    /// Custom operations are compared by name only.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let run = |x: f64| {
    ///     let tape = Tape::new();
    ///     let x = tape.watch(Tensor::scalar_of(x));
    ///     let _ = if x.item() > 0.0 { x.sqrt() } else { -x };
    ///     tape.graph()
    /// };
    /// assert!(run(1.0).same_structure(&run(2.0)));
    /// assert!(!run(1.0).same_structure(&run(-1.0)));
    /// ```
    pub fn same_structure(&self, other: &Graph) -> bool {
        self.difference(other).is_none()
    }

    /// Returns a description of the first node at which the graphs differ; `None` if
    /// [`same_structure`](Graph::same_structure) holds.
    pub fn difference(&self, other: &Graph) -> Option<String> {
        if self.dtype != other.dtype {
            return Some(format!("the element types differ: {} and {}", self.dtype, other.dtype));
        }
        let pairs = self.nodes.iter().zip(&other.nodes);
        for (id, (a, b)) in pairs.enumerate() {
            let differ = |what: &str, a: &dyn fmt::Debug, b: &dyn fmt::Debug| {
                Some(format!("node {id}: the {what} differ: {a:?} and {b:?}"))
            };
            if (&a.op, a.output) != (&b.op, b.output) {
                return differ("operations", &a.op, &b.op);
            }
            if a.operands != b.operands {
                return differ("operands", &a.operands, &b.operands);
            }
            let same =
                |(a, b): (&(&str, Attribute), &(&str, Attribute))| a.0 == b.0 && a.1.is_same(&b.1);
            let mut attributes = a.attributes.iter().zip(&b.attributes);
            if a.attributes.len() != b.attributes.len() || !attributes.all(same) {
                return differ("attributes", &a.attributes, &b.attributes);
            }
            if a.shape != b.shape {
                return differ("shapes", &a.shape, &b.shape);
            }
            if (a.kind, a.source, a.active) != (b.kind, b.source, b.active) {
                return differ("kinds", &(a.kind, a.source), &(b.kind, b.source));
            }
        }
        let [a, b] = [self.nodes.len(), other.nodes.len()];
        (a != b).then(|| format!("the numbers of nodes differ: {a} and {b}"))
    }
}
