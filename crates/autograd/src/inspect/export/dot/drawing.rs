//! The layout of a picture, computed before its text is written.

use crate::inspect::export::Graph;
use std::collections::{BTreeSet, HashSet};
use std::fmt;

/// The element of the picture that represents a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum DrawnNode {
    /// The node, with further outputs of its operation.
    Node(usize),
    /// A scope that is drawn as one node, or the gradients of its operations.
    Scope { scope: usize, level: usize },
}

impl fmt::Display for DrawnNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DrawnNode::Node(id) => write!(f, "n{id}"),
            DrawnNode::Scope { scope, level: 0 } => write!(f, "s{scope}"),
            DrawnNode::Scope { scope, level } => write!(f, "g{scope}_{level}"),
        }
    }
}

/// The direction of an edge in the picture.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Down,
    /// Among gradients.
    Up,
    /// Between the forward pass and its gradients. Such an edge does not influence the layout.
    Across,
}

pub(super) struct Edge {
    pub from: DrawnNode,
    pub to: DrawnNode,
    /// The node that computed the value. `value` is the node that is read: the last of the views after
    /// `source`.
    pub source: usize,
    pub value: usize,
    /// The views that are written on the edge, in the order in which they are applied.
    pub views: Vec<usize>,
    pub flow: Flow,
    /// The operation that reads the value, and the number of the operand.
    pub reader: usize,
    pub operand: usize,
}

pub(super) struct Drawing {
    /// How often the node was derived: 0 in the forward pass, 1 in its gradients, 2 in gradients of
    /// gradients.
    pub level: Vec<usize>,
    /// The scope in which each node is drawn.
    home: Vec<Option<usize>>,
    /// The number of the `grad` run that recorded each node; 0 for the forward pass.
    walk: Vec<usize>,
    /// The operations that read each node.
    readers: Vec<Vec<usize>>,
    hidden: Vec<bool>,
    /// Views that are written on edges.
    folded: Vec<bool>,
    /// The number of scopes around each scope.
    depths: Vec<usize>,
    deepest: usize,
    /// Whether a scope contains anything that is drawn.
    pub shown: Vec<bool>,
    pub items: Vec<DrawnNode>,
    pub edges: Vec<Edge>,
    /// Pairs of gradients and the operations whose rules recorded them. They are placed side by side, or
    /// one below the other.
    pub beside: Vec<[DrawnNode; 2]>,
}

impl Drawing {
    pub fn of(graph: &Graph, rules: bool, views: bool, deepest: usize) -> Self {
        let n = graph.nodes().len();
        let mut depths: Vec<usize> = Vec::new();
        for scope in graph.scopes() {
            depths.push(scope.parent.map_or(0, |parent| depths[parent] + 1));
        }
        let mut drawing = Drawing {
            level: vec![0; n],
            home: vec![None; n],
            walk: vec![0; n],
            readers: readers(graph),
            hidden: vec![false; n],
            folded: vec![false; n],
            depths,
            deepest,
            shown: vec![false; graph.scopes().len()],
            items: Vec::new(),
            edges: Vec::new(),
            beside: Vec::new(),
        };
        drawing.derive(graph);
        if !rules {
            // A gradient that the forward pass uses is kept, as a node without operands.
            for id in 0..n {
                let read_on = drawing.readers[id].iter().any(|&reader| drawing.level[reader] == 0);
                drawing.hidden[id] = drawing.level[id] > 0 && !read_on;
            }
        }
        if !views {
            drawing.fold(graph);
        }
        drawing.collect(graph, rules);
        drawing
    }

    /// Finds the level, the run of `grad` and the home of each node.
    fn derive(&mut self, graph: &Graph) {
        let nodes = graph.nodes();
        // Within one walk, nodes are recorded for ever earlier nodes.
        let (mut walks, mut last) = (0, None);
        for (id, node) in nodes.iter().enumerate() {
            self.home[id] = node.scope;
            if let Some(of) = node.rule_of {
                if last.is_none_or(|last| last < of) {
                    walks += 1;
                }
                self.walk[id] = walks;
                self.level[id] = self.level[of] + 1;
                self.home[id] = self.home[of];
            }
            last = node.rule_of;
        }
        // A filled constant that only gradients read, such as a seed, belongs to the gradients.
        for (id, node) in nodes.iter().enumerate() {
            let Some(&first) = self.readers[id].first() else { continue };
            let gradients = self.readers[id].iter().all(|&reader| self.level[reader] > 0);
            if node.op == "full" && node.rule_of.is_none() && gradients {
                self.level[id] = self.level[first];
                self.walk[id] = self.walk[first];
                self.home[id] = self.home[first];
            }
        }
    }

    /// Finds the views that an operation reads and that are not results.
    fn fold(&mut self, graph: &Graph) {
        for (id, node) in graph.nodes().iter().enumerate() {
            let view = matches!(&*node.op, "reshape" | "permute" | "broadcast_to");
            let read = !self.readers[id].is_empty() && node.gradient_of.is_none();
            let whole = node.operands.first().is_some_and(|&x| !self.hidden[x]);
            self.folded[id] = view && read && whole;
        }
    }

    /// Returns the element that represents a node.
    fn item(&self, graph: &Graph, id: usize) -> DrawnNode {
        let id = id - graph.nodes()[id].output;
        let mut scope = self.home[id];
        while let Some(s) = scope {
            if self.depths[s] == self.deepest {
                return DrawnNode::Scope { scope: s, level: self.level[id] };
            }
            scope = graph.scopes()[s].parent;
        }
        DrawnNode::Node(id)
    }

    /// Returns the box that contains an element: the scope and the level of derivation.
    pub fn place(&self, graph: &Graph, item: DrawnNode) -> (Option<usize>, usize) {
        match item {
            DrawnNode::Node(id) => (self.home[id], self.level[id]),
            DrawnNode::Scope { scope, .. } => (graph.scopes()[scope].parent, 0),
        }
    }

    fn collect(&mut self, graph: &Graph, rules: bool) {
        let nodes = graph.nodes();
        let (mut items, mut edges, mut beside) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
        let mut merged = HashSet::new();
        for (id, node) in nodes.iter().enumerate() {
            if self.hidden[id] || self.folded[id] || node.output > 0 {
                continue;
            }
            let item = self.item(graph, id);
            if items.insert(item) {
                self.items.push(item);
            }
            if !rules && self.level[id] > 0 {
                continue;
            }
            for arg in 0..node.operands.len() {
                let edge = self.edge(graph, arg, item, id);
                if edge.from == edge.to {
                    continue;
                }
                // A scope that is drawn as one node hides which of its nodes reads a value, and which
                // node a gradient reads.
                let single =
                    matches!((edge.from, edge.to), (DrawnNode::Node(_), DrawnNode::Node(_)));
                let value = (edge.flow != Flow::Across).then_some(edge.value);
                let kind = nodes[edge.value].kind;
                if single || merged.insert((edge.from, edge.to, value, kind)) {
                    edges.push(edge);
                }
            }
            if let Some(of) = node.rule_of.filter(|&of| !self.folded[of] && !self.hidden[of]) {
                let of = self.item(graph, of);
                if of != item {
                    beside.insert([of, item]);
                }
            }
        }
        for &item in &self.items {
            let mut scope = self.place(graph, item).0;
            while let Some(s) = scope {
                self.shown[s] = true;
                scope = graph.scopes()[s].parent;
            }
        }
        self.edges = edges;
        self.beside = beside.into_iter().collect();
    }

    fn edge(&self, graph: &Graph, arg: usize, to: DrawnNode, reader: usize) -> Edge {
        let operand = graph.nodes()[reader].operands[arg];
        let (mut source, mut views) = (operand, Vec::new());
        while self.folded[source] {
            views.push(source);
            source = graph.nodes()[source].operands[0];
        }
        views.reverse();
        let [above, below] = [source, reader].map(|id| (self.level[id], self.walk[id]));
        let flow = if above == below {
            if above.0 % 2 == 0 { Flow::Down } else { Flow::Up }
        } else if below.0 == 0 {
            Flow::Down // the forward pass uses a gradient
        } else {
            Flow::Across
        };
        let from = self.item(graph, source);
        Edge { from, to, source, value: operand, views, flow, reader, operand: arg }
    }

    /// Returns whether no operation reads the result of an operation. Derivative rules do not count.
    pub fn is_result(&self, graph: &Graph, id: usize) -> bool {
        let further = graph.nodes()[id + 1..].iter().take_while(|node| node.output > 0).count();
        let mut readers = self.readers[id..=id + further].iter().flatten();
        readers.all(|&reader| self.level[reader] > self.level[id])
    }
}

/// Returns the operations that read each node.
fn readers(graph: &Graph) -> Vec<Vec<usize>> {
    let mut readers = vec![Vec::new(); graph.nodes().len()];
    for (id, node) in graph.nodes().iter().enumerate().filter(|(_, node)| node.output == 0) {
        for &operand in &node.operands {
            readers[operand].push(id);
        }
    }
    readers
}
