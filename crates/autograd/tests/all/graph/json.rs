//! The graph as JSON.

use super::{ones, programs};
use serde_json::Value;
use wengert_autograd::{Attribute, GraphNode, Param, Source, Tape};

/// Checks a node of the JSON against the node of the graph.
fn check_node(json: &Value, id: usize, node: &GraphNode) {
    let whole = |n: usize| Value::from(n);
    let or = |n: Option<usize>| n.map_or(Value::Null, Value::from);
    let object = json.as_object().expect("an object");
    let fields = [
        ("id", whole(id)),
        ("op", node.op.as_str().into()),
        ("operands", node.operands.clone().into()),
        ("output", whole(node.output)),
        ("shape", node.shape.to_vec().into()),
        ("kind", format!("{:?}", node.kind).to_lowercase().into()),
        (
            "source",
            match node.source {
                Source::Parameter { .. } => "parameter".into(),
                source => format!("{source:?}").to_lowercase().into(),
            },
        ),
        ("frozen", (node.source == Source::Parameter { frozen: true }).into()),
        ("name", node.name.clone().map_or(Value::Null, Value::from)),
        ("scope", or(node.scope)),
        ("rule_of", or(node.rule_of)),
        ("gradient_of", or(node.gradient_of)),
        ("active", node.active.into()),
        ("read_by_rules", node.read_by_rules.into()),
        ("kept", node.kept.into()),
        ("state", format!("{:?}", node.state).to_lowercase().into()),
    ];
    for (key, value) in &fields {
        assert_eq!(&object[*key], value, "{key} of node {id}");
    }
    assert_eq!(object.len(), fields.len() + 1, "{object:?}");
    let attributes = object["attributes"].as_object().expect("an object");
    assert_eq!(attributes.len(), node.attributes.len());
    for (name, attribute) in &node.attributes {
        let value = &attributes[*name];
        match attribute {
            Attribute::Number(x) if x.is_finite() => {
                assert!(value.is_f64(), "{value}");
                let read = value.as_f64().unwrap();
                // `serde_json` rounds some numbers to a neighbouring float.
                assert!((read - x).abs() <= f64::EPSILON * x.abs(), "{read} {x}");
            }
            Attribute::Number(x) => {
                let text = format!("{x}").to_lowercase();
                assert_eq!(value["number"].as_str().unwrap(), text);
                assert_eq!(value.as_object().unwrap().len(), 1);
            }
            Attribute::Integer(n) => assert_eq!(value.as_i64().unwrap(), *n),
            Attribute::List(list) => assert_eq!(value, &Value::from(list.clone())),
            Attribute::Switch(on) => assert_eq!(value.as_bool().unwrap(), *on),
            Attribute::Text(words) => assert_eq!(value.as_str().unwrap(), words),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn json_has_the_same_nodes_as_the_graph() {
    for (name, graph) in programs() {
        let text = graph.to_json();
        let json: Value =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}\n{text}"));
        assert_eq!(json["format"], "wengert-graph");
        assert_eq!(json["version"], 1);
        assert_eq!(json["dtype"], graph.dtype().to_string());
        assert_eq!(json.as_object().unwrap().len(), 5);
        let nodes = json["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), graph.nodes().len());
        for (id, (json, node)) in nodes.iter().zip(graph.nodes()).enumerate() {
            check_node(json, id, node);
        }
        let scopes = json["scopes"].as_array().unwrap();
        assert_eq!(scopes.len(), graph.scopes().len());
        for (json, scope) in scopes.iter().zip(graph.scopes()) {
            assert_eq!(json["path"], *scope.path);
            assert_eq!(json["parent"], scope.parent.map_or(Value::Null, Value::from));
            assert_eq!(json["nodes"], Value::from(vec![scope.nodes.start, scope.nodes.end]));
            assert_eq!(json.as_object().unwrap().len(), 3);
        }
    }
}

/// Each number is written with enough digits to distinguish it from the neighbouring floats.
#[test]
fn json_keeps_every_digit_of_numbers() {
    for x in [0.1, 1.0 / 3.0, -0.0, 1e300, 5e-324, f64::MAX, 16_777_217.0, 1e16, -2.5e-7] {
        let tape = Tape::<f64>::new();
        let _ = tape.full(&[2], x);
        let json = tape.graph().to_json();
        let (_, rest) = json.split_once("\"attributes\":{\"value\":").unwrap();
        let (digits, _) = rest.split_once('}').unwrap();
        assert_eq!(digits.parse::<f64>().unwrap().to_bits(), x.to_bits(), "{digits}");
        assert!(digits.contains(['.', 'e']), "{digits}");
    }
}

/// Checks the example of `docs/graph-json.md`.
#[test]
fn the_json_of_the_documented_example_is_as_documented() {
    let model = Model { w: Param::new(ones(&[2])) };
    let tape = Tape::new();
    let w = tape.param(&model.w);
    tape.scope("loss", || w.sum_all());
    let page = include_str!("../../../../../docs/graph-json.md");
    let (_, example) = page.split_once("```json\n").expect("an example");
    let (example, _) = example.split_once("```").unwrap();
    assert_eq!(tape.graph().named(&model).to_json(), example);
}

struct Model {
    w: Param,
}
impl wengert_autograd::Module for Model {
    fn visit<'m>(
        &'m self,
        path: &wengert_autograd::Path<'_>,
        see: &mut wengert_autograd::See<'_, 'm>,
    ) {
        self.w.visit(&path.child("w"), see);
    }
    fn visit_mut<'m>(
        &'m mut self,
        path: &wengert_autograd::Path<'_>,
        see: &mut wengert_autograd::SeeMut<'_, 'm>,
    ) {
        self.w.visit_mut(&path.child("w"), see);
    }
}
