//! The recorded program as data: [`Tape::graph`] copies the tape's nodes into a [`Graph`], which knows names
//! and shapes and no numbers.
//!
//! | file | |
//! |---|---|
//! | `describe.rs` | the name and the attributes of each operation; the only place that knows them |
//! | `attribute.rs` | what an attribute may be |
//! | `dot.rs`, `dot/plan.rs` | a picture: what stands where, and the text for Graphviz |
//! | `json.rs` | the same as data for other programs; `docs/graph-json.md` describes the format |
//!
//! What is drawn and exported reads the public fields of [`GraphNode`] and [`GraphScope`] alone: users can
//! write such functions of their own.

mod attribute;
mod describe;
mod dot;
mod json;

pub use attribute::Attribute;
pub use dot::Dot;

use crate::graph::{
    ACTIVE, Arena, Bound, CLOSED, Index, Mask, Op, RELEASED, RETAINED, SAVED, Tape, ValueKind, Var,
};
use crate::module::{Module, Path, StateId};
use crate::rules::WholeOp;
use std::collections::HashMap;
use std::fmt;
use wengert_tensor::{Dtype, Float, Shape};

/// A recorded program: what [`Tape::graph`] returns. It is a copy, of names and shapes and not of
/// numbers, and knows nothing of what the tape records later.
///
/// Nodes are in the order in which they were recorded: operands come before what is computed from them.
/// The id of a node is its place in [`nodes`](Graph::nodes). Scopes that have not ended are not in it.
///
/// [`to_dot`](Graph::to_dot) draws it, [`to_json`](Graph::to_json) exports it.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    nodes: Vec<GraphNode>,
    scopes: Vec<GraphScope>,
    dtype: Dtype,
    /// The parameters and buffers that are nodes, by node.
    states: Vec<(usize, StateId)>,
}

/// A node of a [`Graph`]: a value, and how it comes about.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphNode {
    /// The name of the operation: that of the method where there is one, such as `matmul`.
    pub op: String,
    /// The nodes that the operation reads, in order.
    pub operands: Vec<usize>,
    /// Which output of the operation this is, counted from 0. The nodes of further outputs follow that of
    /// the first; they have its operation, operands and attributes.
    pub output: usize,
    /// What else the operation depends on: `axis`, `stride`, a number.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// The sizes of the axes.
    pub shape: Shape,
    /// What the elements are.
    pub kind: NodeKind,
    /// Where the value comes from.
    pub source: Source,
    /// The path of the parameter or buffer, such as `conv1.weight`: where a model was entered on the tape,
    /// or the graph was [named](Graph::named) after one.
    pub name: Option<String>,
    /// The innermost scope around it, in [`Graph::scopes`].
    pub scope: Option<usize>,
    /// The node whose derivative rule recorded this one: what [`grad`](crate::Var::grad) records.
    pub rule_of: Option<usize>,
    /// The node with respect to which this is a gradient: [`grad`](crate::Var::grad) returned it.
    pub gradient_of: Option<usize>,
    /// Whether gradients flow through it.
    pub active: bool,
    /// Whether a derivative rule has declared to read its value.
    pub read_by_rules: bool,
    /// Whether the value stays because somebody asked for it, or because it is small.
    pub kept: bool,
    /// Whether the value is there.
    pub state: ValueState,
}

/// What the elements of a node are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// Numbers of the tape's type.
    Number,
    /// Whole numbers (`i64`): indices and classes.
    Index,
    /// Truth values.
    Mask,
}

/// Where the value of a node comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Given and not differentiated: [`Tape::constant`], [`Tape::index`].
    Constant,
    /// Given, with a gradient that may be asked for: [`Tape::watch`].
    Watched,
    /// A parameter of a model; frozen, or not.
    Parameter {
        /// Whether it is a constant of the run.
        frozen: bool,
    },
    /// A buffer of a model.
    Buffer,
    /// An operation.
    Computed,
}

/// Whether the value of a node is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueState {
    /// It is there.
    Computed,
    /// It is computed when something reads it. It may be fused into a program of several operations, and never be
    /// stored.
    Pending,
    /// It was computed and dropped; it is computed again if it is asked for.
    Released,
    /// [`backward`](crate::Var::backward) ended the history, and dropped it for good.
    Freed,
}

/// A scope of a [`Graph`]: a module that was entered, or a name of [`Tape::scope`].
#[derive(Clone, Debug, PartialEq)]
pub struct GraphScope {
    /// Its path, such as `blocks.3.fc1`.
    pub path: String,
    /// The scope around it.
    pub parent: Option<usize>,
    /// The nodes that were recorded in it, those of scopes in it included.
    pub nodes: std::ops::Range<usize>,
}

/// What stands for a node of a tape: a [`Var`](crate::Var), an [`Index`](crate::Index), a
/// [`Mask`](crate::Mask).
pub trait Handle {
    /// The place of the node on its tape.
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
    /// The program recorded so far, as data. Nothing is computed.
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_tensor::Tensor;
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
            // Scopes around others stand before them.
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

    /// The scopes that have ended, those around others before them.
    fn ended_scopes(&self, nodes: usize) -> Vec<GraphScope> {
        let mut scopes: Vec<GraphScope> = Vec::new();
        self.scopes.see_ended(|path, range| {
            let end = (range.end as usize).min(nodes);
            let nodes = (range.start as usize).min(end)..end;
            scopes.push(GraphScope { path: path.into(), parent: None, nodes });
        });
        // Inner ones ended before outer ones.
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
            Op::Constant | Op::Whole { op: WholeOp::Given, .. } => Source::Constant,
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
                ValueKind::Whole => NodeKind::Index,
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
    /// The nodes, in the order in which they were recorded.
    pub fn nodes(&self) -> &[GraphNode] {
        &self.nodes
    }

    /// The scopes, each before those that lie in it.
    pub fn scopes(&self) -> &[GraphScope] {
        &self.scopes
    }

    /// The type of the numbers.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The node of a variable, an index or a mask.
    ///
    /// # Panics
    /// If it was recorded after this graph was made, or on another tape with more nodes.
    #[track_caller]
    pub fn node(&self, x: impl Handle) -> &GraphNode {
        &self.nodes[self.id(x)]
    }

    /// The id of the node of a variable, an index or a mask.
    ///
    /// # Panics
    /// As [`node`](Graph::node).
    #[allow(clippy::needless_pass_by_value)] // handles are `Copy`
    #[track_caller]
    pub fn id(&self, x: impl Handle) -> usize {
        let id = x.place();
        assert!(
            id < self.nodes.len(),
            "graph: this variable was recorded after the graph of {} nodes was made",
            self.nodes.len()
        );
        id
    }

    /// With the names that the parameters and buffers have in this model.
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

    /// Whether two runs recorded the same program: the same operations with the same attributes on the
    /// same operands, of the same shapes and kinds, with parameters and buffers at the same places. Numbers
    /// that were given, names, scopes, changes of buffers and what is in memory at present do not count. Of
    /// operations of users' own only the name is known.
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_tensor::Tensor;
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

    /// The first node at which the programs differ, and in what; `None` if they are the same in the sense of
    /// [`same_structure`](Graph::same_structure).
    pub fn difference(&self, other: &Graph) -> Option<String> {
        if self.dtype != other.dtype {
            return Some(format!("numbers of {} and of {}", self.dtype, other.dtype));
        }
        let pairs = self.nodes.iter().zip(&other.nodes);
        for (id, (a, b)) in pairs.enumerate() {
            let differ = |what: &str, a: &dyn fmt::Debug, b: &dyn fmt::Debug| {
                Some(format!("node {id}: {what} {a:?} and {b:?}"))
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
        (a != b).then(|| format!("{a} nodes and {b}"))
    }
}
