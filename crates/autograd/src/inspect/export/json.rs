//! The recorded graph as JSON.

use super::{Attribute, Graph, GraphNode, GraphScope, NodeKind, Source, ValueState};
use crate::inspect::json::Quoted;
use std::fmt::{self, Display, Formatter};

/// The version of the format. Raised by every incompatible change.
const VERSION: u32 = 1;

impl Graph {
    /// Returns the graph as JSON, one line for each scope and node. `docs/graph-json.md` describes the
    /// format.
    ///
    /// Numbers that JSON cannot represent are objects: `{"number": "nan"}`, `"inf"`, `"-inf"`.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([1.0f32, 2.0]));
    /// let _ = x.clamp_min(0.5);
    /// let json = tape.graph().to_json();
    /// assert!(json.starts_with("{\"format\":\"wengert-graph\",\"version\":1,\"dtype\":\"f32\""));
    /// assert!(json.contains("\"attributes\":{\"value\":0.5}"));
    /// ```
    pub fn to_json(&self) -> String {
        let head = format!(
            "{{\"format\":\"wengert-graph\",\"version\":{VERSION},\"dtype\":\"{}\"",
            self.dtype
        );
        let scopes = lines(self.scopes.iter().map(ScopeLine));
        let nodes = lines(self.nodes.iter().enumerate().map(|(id, node)| NodeLine(id, node)));
        format!("{head},\n\"scopes\":{scopes},\n\"nodes\":{nodes}}}\n")
    }
}

fn lines(items: impl Iterator<Item = impl Display>) -> String {
    let items: Vec<String> = items.map(|item| format!("\n{item}")).collect();
    format!("[{}]", items.join(","))
}

struct ScopeLine<'a>(&'a GraphScope);
impl Display for ScopeLine<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let GraphScope { path, parent, nodes } = self.0;
        write!(
            f,
            "{{\"path\":{},\"parent\":{},\"nodes\":[{},{}]}}",
            Quoted(path),
            Or(parent.as_ref()),
            nodes.start,
            nodes.end
        )
    }
}

struct NodeLine<'a>(usize, &'a GraphNode);
impl Display for NodeLine<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let NodeLine(id, node) = self;
        let name = node.name.as_deref().map(Quoted);
        let frozen = node.source == (Source::Parameter { frozen: true });
        write!(f, "{{\"id\":{id},\"op\":{},\"operands\":", Quoted(&node.op))?;
        write_list(f, &node.operands)?;
        write!(f, ",\"output\":{},\"attributes\":{{", node.output)?;
        for (i, (name, value)) in node.attributes.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            write!(f, "{comma}{}:{}", Quoted(name), Value(value))?;
        }
        f.write_str("},\"shape\":")?;
        write_list(f, &node.shape)?;
        write!(f, ",\"kind\":\"{}\",\"source\":\"{}\"", kind(node.kind), source(node.source))?;
        write!(f, ",\"frozen\":{frozen},\"name\":{}", Or(name.as_ref()))?;
        write!(f, ",\"scope\":{}", Or(node.scope.as_ref()))?;
        write!(f, ",\"rule_of\":{}", Or(node.rule_of.as_ref()))?;
        write!(f, ",\"gradient_of\":{}", Or(node.gradient_of.as_ref()))?;
        write!(f, ",\"active\":{},\"read_by_rules\":{}", node.active, node.read_by_rules)?;
        write!(f, ",\"kept\":{},\"state\":\"{}\"}}", node.kept, state(node.state))
    }
}

fn write_list(f: &mut Formatter<'_>, list: &[impl Display]) -> fmt::Result {
    f.write_str("[")?;
    for (i, n) in list.iter().enumerate() {
        write!(f, "{}{n}", if i > 0 { "," } else { "" })?;
    }
    f.write_str("]")
}

fn kind(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Number => "number",
        NodeKind::Index => "index",
        NodeKind::Mask => "mask",
    }
}

fn source(source: Source) -> &'static str {
    match source {
        Source::Constant => "constant",
        Source::Watched => "watched",
        Source::Parameter { .. } => "parameter",
        Source::Buffer => "buffer",
        Source::Computed => "computed",
    }
}

fn state(state: ValueState) -> &'static str {
    match state {
        ValueState::Computed => "computed",
        ValueState::Pending => "pending",
        ValueState::Released => "released",
        ValueState::Freed => "freed",
    }
}

/// Prints `null` for `None`.
struct Or<'a, V>(Option<&'a V>);
impl<V: Display> Display for Or<'_, V> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("null"),
        }
    }
}

struct Value<'a>(&'a Attribute);
impl Display for Value<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            // With a point or an exponent, and with enough digits to read back the same number.
            Attribute::Number(x) if x.is_finite() => write!(f, "{x:?}"),
            Attribute::Number(x) if x.is_nan() => f.write_str("{\"number\":\"nan\"}"),
            Attribute::Number(x) if *x > 0.0 => f.write_str("{\"number\":\"inf\"}"),
            Attribute::Number(_) => f.write_str("{\"number\":\"-inf\"}"),
            Attribute::Integer(n) => n.fmt(f),
            Attribute::List(list) => write_list(f, list),
            Attribute::Switch(on) => on.fmt(f),
            Attribute::Text(words) => Quoted(words).fmt(f),
        }
    }
}
