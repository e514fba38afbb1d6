//! Graphs: the recorded program as data, as a picture and as JSON.

use serde_json::Value;
use std::collections::HashSet;
use wengert_autograd::{
    Attribute, Buffer, Dot, Graph, GraphNode, NodeKind, Param, Source, Tape, ValueState, Var,
};
use wengert_tensor::{Conv, Philox, Pool, Tensor};

fn ones(shape: &[usize]) -> Tensor {
    Tensor::ones(shape)
}

/// Two linear layers without biases, with tanh between them. The input has 5 rows of 3 numbers.
struct Mlp {
    layers: (Param, Param),
}

impl Mlp {
    fn new() -> Self {
        let rng = &mut Philox::new(0);
        let mut weight = |shape: &[usize]| Tensor::normal(shape, 0.0, 1.0, rng).into();
        Mlp { layers: (weight(&[3, 4]), weight(&[4, 6])) }
    }

    /// Records the model and returns the parameters and the loss.
    fn run<'t>(&self, tape: &'t Tape) -> ([Var<'t>; 2], Var<'t>) {
        let x = tape.constant(ones(&[5, 3]));
        let w1 = tape.param(&self.layers.0);
        let h = x.matmul(w1).tanh();
        let w2 = tape.param(&self.layers.1);
        ([w1, w2], h.matmul(w2).sum_all())
    }
}

/// Returns graphs of many kinds, to be drawn and exported.
fn programs() -> Vec<(&'static str, Graph)> {
    let mut all = vec![];
    let mut add = |name, tape: &Tape| all.push((name, tape.graph()));
    add("empty", &Tape::new());

    let tape = Tape::new();
    let (w, loss) = Mlp::new().run(&tape);
    add("mlp", &tape);
    let slopes = loss.grad(&w);
    add("mlp, gradients", &tape);
    // A penalty on the gradient is differentiated again.
    let penalty = slopes[0].square().sum_all() + loss;
    penalty.grad(&w);
    add("mlp, gradients of a penalty on gradients", &tape);
    let rows = slopes[1].square().sum(&[1], false);
    rows.sum_all().grad(&[w[0]])[0].square().sum_all().grad(&[w[0]]);
    add("mlp, third derivatives", &tape);

    let tape = Tape::train(&mut Philox::new(0));
    let x = tape.watch(Tensor::normal(&[2, 3, 8, 8], 0.0, 1.0, &mut Philox::new(1)));
    let k = tape.watch(ones(&[4, 3, 3, 3]));
    let y = tape.scope("block", || {
        let y = tape.scope("conv", || x.conv2d(k, None, &Conv::default().stride(2).padding(1)));
        tape.scope("pool", || y.max_pool2d(&Pool::new(2))).dropout(0.5)
    });
    let class = y.flatten(1, -1).argmax(1, true);
    let loss = y.flatten(1, -1).gather(1, class).sum_all();
    loss.grad(&[x, k]);
    add("convolution, pooling, an index", &tape);

    let tape = Tape::new();
    let x = tape.watch(Tensor::from([1.0, 2.0, 3.0]));
    let buffer = Buffer::new(ones(&[3]));
    tape.scope("a \"quoted\\ \n{name}\" <b>&", || {
        let y = x.clamp_min(f64::NEG_INFINITY) + tape.full(&[3], f64::INFINITY);
        y * tape.full(&[3], f64::NAN) * 0.1 + 1e-5 + tape.buffer(&buffer).detach()
    });
    add("names and numbers that need care", &tape);
    all
}

#[test]
fn nodes_tell_what_was_recorded() {
    let tape = Tape::new();
    let x = tape.watch(ones(&[2, 1, 4, 4]));
    let y = tape.scope("pool", || x.max_pool2d(&Pool::new(2).stride(1)));
    let mask = y.gt(0.5);
    let graph = tape.graph();
    let [watch, pool, positions, gt] = graph.nodes() else { panic!("{graph:?}") };
    assert_eq!((&*watch.op, watch.source, watch.active), ("watch", Source::Watched, true));
    assert_eq!((&*pool.op, &pool.operands[..], pool.output), ("max_pool2d", &[0][..], 0));
    assert_eq!((&*positions.op, &positions.operands[..]), ("max_pool2d", &[0][..]));
    assert_eq!((positions.output, positions.kind), (1, NodeKind::Index));
    assert_eq!(pool.shape, [2, 1, 3, 3]);
    assert_eq!(positions.shape, [2, 1, 3, 3]);
    let list = |a, b| Attribute::List(vec![a, b]);
    let expected = [
        ("kernel", list(2, 2)),
        ("stride", list(1, 1)),
        ("padding", list(0, 0)),
        ("dilation", list(1, 1)),
        ("ceil_mode", Attribute::Switch(false)),
    ];
    assert_eq!(pool.attributes, expected);
    assert_eq!(positions.attributes, expected);
    assert_eq!(gt.kind, NodeKind::Mask);
    assert_eq!([pool.scope, positions.scope, gt.scope], [Some(0), Some(0), None]);
    assert_eq!(graph.scopes()[0].nodes, 1..3);
    assert_eq!((graph.id(mask), graph.id(y)), (3, 1));
}

#[test]
fn operands_precede_and_scopes_nest() {
    for (name, graph) in programs() {
        for (id, node) in graph.nodes().iter().enumerate() {
            assert!(node.operands.iter().all(|&x| x < id), "{name}: node {id} {node:?}");
            assert!(node.rule_of.is_none_or(|of| of < id), "{name}: node {id} {node:?}");
            if let Some(of) = node.gradient_of {
                assert_eq!(node.shape, graph.nodes()[of].shape, "{name}: node {id}");
            }
            // The innermost scope that contains a node is the last one in the list.
            let around = graph.scopes().iter().enumerate();
            let around = around.filter(|(_, scope)| scope.nodes.contains(&id));
            let innermost = around.max_by_key(|(i, _)| *i).map(|(i, _)| i);
            assert_eq!(node.scope, innermost, "{name}: node {id}");
        }
        for scope in graph.scopes() {
            let Some(parent) = scope.parent.map(|parent| &graph.scopes()[parent]) else { continue };
            assert!(parent.nodes.start <= scope.nodes.start, "{name}: {scope:?}");
            assert!(scope.nodes.end <= parent.nodes.end, "{name}: {scope:?}");
            assert!(scope.path.starts_with(&parent.path), "{name}: {scope:?}");
        }
    }
}

#[test]
fn scopes_of_a_hand_written_program() {
    let (_, graph) = programs().into_iter().find(|(name, _)| name.contains("pooling")).unwrap();
    let scopes: Vec<_> = graph
        .scopes()
        .iter()
        .map(|scope| (scope.path.as_str(), scope.parent, scope.nodes.clone()))
        .collect();
    // The nodes are watch, watch, [[conv2d], [max_pool2d and its positions], dropout]; brackets are scopes.
    assert_eq!(
        scopes,
        [("block", None, 2..6), ("block.conv", Some(0), 2..3), ("block.pool", Some(0), 3..5)]
    );
}

/// The operations of the program are constant, param, matmul, tanh, param, matmul, sum.
#[test]
fn gradients_know_the_operation_whose_rule_recorded_them() {
    let tape = Tape::new();
    let (w, loss) = Mlp::new().run(&tape);
    assert_eq!(tape.graph().nodes().len(), 7);
    let slopes = loss.grad(&w);
    let graph = tape.graph();
    let of = |op: usize| -> Vec<&GraphNode> {
        graph.nodes().iter().filter(|node| node.rule_of == Some(op)).collect()
    };
    // No rule recorded the seed. The rules are called from the last operation to the first.
    assert!(graph.nodes()[..8].iter().all(|node| node.rule_of.is_none()));
    assert_eq!(graph.nodes()[7].attributes, [("value", Attribute::Number(1.0))]);
    let mut order: Vec<_> = graph.nodes()[8..].iter().map(|node| node.rule_of).collect();
    order.dedup();
    assert_eq!(order, [Some(6), Some(5), Some(3), Some(2)]);
    // The rule of the sum broadcasts the seed.
    let [repeat] = of(6)[..] else { panic!("{graph:?}") };
    assert_eq!((&*repeat.op, &repeat.operands[..]), ("broadcast_to", &[7][..]));
    // The rule of the second product records g·w₂ᵀ for its left operand and hᵀ·g for w₂.
    let [left, right] = of(5)[..] else { panic!("{graph:?}") };
    assert_eq!((&*left.op, &left.operands[..], left.shape), ("matmul", &[8, 4][..], [5, 4].into()));
    assert_eq!(
        (&*right.op, &right.operands[..], right.shape),
        ("matmul", &[3, 8][..], [4, 6].into())
    );
    let switch = |node: &GraphNode| -> Vec<_> {
        node.attributes.iter().map(|(_, on)| on == &Attribute::Switch(true)).collect()
    };
    assert_eq!([switch(left), switch(right)], [[false, true], [true, false]]);
    // The rule of tanh reads the result of tanh, which is node 3.
    assert!(of(3).iter().any(|node| node.operands.contains(&3)));
    // The rule of the first product records one node: its left operand is a constant without gradient.
    let [first] = of(2)[..] else { panic!("{graph:?}") };
    assert_eq!((first.operands[0], first.shape), (0, [3, 4].into()));
    // The nodes that `grad` returned are marked.
    let gradients: Vec<_> = graph.nodes().iter().filter_map(|node| node.gradient_of).collect();
    assert_eq!(gradients, [4, 1]);
    assert_eq!(graph.node(slopes[0]).gradient_of, Some(graph.id(w[0])));
    assert_eq!(graph.node(slopes[1]).gradient_of, Some(graph.id(w[1])));
}

#[test]
fn gradients_of_gradients_know_the_gradient() {
    let tape = Tape::new();
    let x = tape.watch(ones(&[3, 3]));
    let y = x.powi(3).sum_all();
    let slope = y.grad(&[x])[0];
    let first = tape.graph().nodes().len();
    let total = slope.sum_all();
    let curvature = total.grad(&[x])[0];
    let graph = tape.graph();
    let rules = graph.nodes()[first..].iter().filter_map(|node| node.rule_of);
    let rules: HashSet<usize> = rules.collect();
    assert!(rules.contains(&graph.id(total)) && rules.contains(&graph.id(slope)), "{rules:?}");
    // The rule of x³ recorded the gradient, and the program recorded the sum of the gradient.
    assert_eq!(graph.node(slope).rule_of, Some(1));
    assert_eq!(graph.node(total).rule_of, None);
    assert_eq!(graph.node(curvature).gradient_of, Some(graph.id(x)));
    // `backward` records no nodes.
    let before = tape.graph();
    total.backward_retain();
    assert_eq!(tape.graph().nodes().len(), before.nodes().len());
}

#[test]
fn what_is_in_memory() {
    let tape = Tape::new();
    let x = tape.watch(ones(&[4, 4]));
    let (y, z) = (x.exp(), x.sin());
    let product = tape.scope("product", || x.matmul(x).sum(&[1], false) * 2.0);
    let state = |v: Var<'_>| {
        let graph = tape.graph();
        let node = graph.node(v);
        (node.state, node.kept, node.read_by_rules)
    };
    // The rule of exp reads its result, and the rule of sin reads its operand.
    assert_eq!(state(y), (ValueState::Pending, false, true));
    assert_eq!(state(z), (ValueState::Pending, false, false));
    assert!(tape.graph().node(x).kept && tape.graph().node(x).read_by_rules);
    y.value();
    assert_eq!(state(y), (ValueState::Computed, true, true));
    assert_eq!(state(z), (ValueState::Pending, false, false));
    // The product was computed for the sum. No later operation reads it, so it is released.
    let graph = tape.graph();
    let matmul = graph.nodes().iter().find(|node| node.op == "matmul").unwrap();
    assert_eq!((matmul.state, matmul.kept), (ValueState::Released, false));
    let loss = y.sum_all() + z.sum_all() + product.sum_all();
    assert_eq!(state(loss), (ValueState::Computed, true, false)); // a single element is kept
    loss.backward();
    // Its value was requested before, so it is kept. No rule will read it again.
    assert_eq!(state(y), (ValueState::Computed, true, false));
    assert_eq!(state(z).0, ValueState::Freed);
    assert_eq!(state(loss).0, ValueState::Computed);
    // An earlier graph does not change.
    assert_eq!(graph.node(z).state, ValueState::Pending);
}

#[test]
fn names_come_from_a_model() {
    let model = (Param::new(ones(&[2])), (Buffer::new(ones(&[2])), Param::new(ones(&[2]))));
    let tape = Tape::new();
    let (a, b, c) = (tape.param(&model.0), tape.buffer(&model.1.0), tape.param(&model.1.1));
    let _ = a * b + c;
    let names = |graph: &Graph| -> Vec<Option<String>> {
        graph.nodes().iter().map(|node| node.name.clone()).collect()
    };
    let graph = tape.graph();
    assert_eq!(names(&graph), [None, None, None, None, None]);
    let text = |name: &str| Some(name.to_string());
    let named = graph.clone().named(&model);
    assert_eq!(names(&named), [text("0"), text("1.0"), text("1.1"), None, None]);
    // A part of the model gives names to its own nodes only.
    let part = graph.named(&model.1);
    assert_eq!(names(&part), [None, text("0"), text("1"), None, None]);
    assert_eq!(
        [0, 1, 2].map(|i| part.nodes()[i].source),
        [Source::Parameter { frozen: false }, Source::Buffer, Source::Parameter { frozen: false }]
    );
}

#[test]
fn structure_is_what_was_recorded_and_not_with_which_numbers() {
    let run = |x: Tensor, stride: usize, add: bool, name: &str| {
        let tape = Tape::new();
        let x = tape.watch(x);
        let kernel = tape.constant(ones(&[1, 1, 3, 3]));
        let y = tape.scope(name, || x.conv2d(kernel, None, &Conv::default().stride(stride)));
        let _ = if add { y + y } else { y * y };
        tape.graph()
    };
    let images = |n: usize, seed| Tensor::normal(&[n, 1, 5, 5], 0.0, 1.0, &mut Philox::new(seed));
    let graph = run(images(2, 0), 1, true, "a");
    assert!(graph.same_structure(&run(images(2, 1), 1, true, "b")));
    let differs = |other: Graph, what: &str| {
        assert!(!graph.same_structure(&other));
        let difference = graph.difference(&other).unwrap();
        assert!(difference.contains(what), "{difference:?} and not {what:?}");
    };
    differs(run(images(2, 0), 2, true, "a"), "node 2: the attributes differ: ");
    differs(
        run(images(3, 0), 1, true, "a"),
        "node 0: the shapes differ: [2, 1, 5, 5] and [3, 1, 5, 5]",
    );
    differs(run(images(2, 0), 1, false, "a"), "node 3: the operations differ: \"add\" and \"mul\"");
    let tape = Tape::new();
    tape.watch(images(2, 0));
    differs(tape.graph(), "the numbers of nodes differ: 4 and 1");
    let tape = Tape::new();
    tape.constant(images(2, 0));
    differs(tape.graph(), "operations");
    let tape = Tape::<f64>::new();
    tape.watch(Tensor::from_fn(&[2, 1, 5, 5], |_| 1.0));
    differs(tape.graph(), "the element types differ: f32 and f64");
    // The difference may be the order of two operands of equal shape.
    let swap = |swap: bool| {
        let tape = Tape::<f32>::new();
        let (a, b) = (tape.watch(ones(&[2])), tape.watch(ones(&[2])));
        let _ = if swap { b - a } else { a - b };
        tape.graph()
    };
    assert_eq!(
        swap(false).difference(&swap(true)).unwrap(),
        "node 2: the operands differ: [0, 1] and [1, 0]"
    );
}

/// Returns the tokens of a text for Graphviz. Strings keep their quotes.
fn tokens(text: &str) -> Vec<String> {
    let (mut all, mut chars) = (Vec::new(), text.chars().peekable());
    while let Some(c) = chars.next() {
        let mut token = c.to_string();
        if c == '"' {
            loop {
                let c = chars.next().expect("a string ends");
                assert!(c != '\n', "a string on one line: {token}");
                token.push(c);
                match c {
                    '\\' => token.push(chars.next().expect("something is escaped")),
                    '"' => break,
                    _ => {}
                }
            }
        } else if c == '<' {
            // The table of the legend is one token. Its angle brackets are balanced.
            let mut depth = 1;
            while depth > 0 {
                let c = chars.next().expect("a table ends");
                depth += i32::from(c == '<') - i32::from(c == '>');
                token.push(c);
            }
        } else if c == '-' && chars.peek() == Some(&'>') {
            token.push(chars.next().unwrap());
        } else if c.is_alphanumeric() || c == '_' {
            while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || "_.".contains(*c)) {
                token.push(c);
            }
        } else if c.is_whitespace() {
            continue;
        }
        all.push(token);
    }
    all
}

/// Checks that Graphviz can read a text, and that both ends of each edge are drawn. Returns the drawn nodes.
fn check_dot(name: &str, text: &str) -> HashSet<String> {
    let tokens = tokens(text);
    let count = |c: &str| tokens.iter().filter(|token| *token == c).count();
    assert_eq!(count("{"), count("}"), "{name}");
    assert_eq!(count("["), count("]"), "{name}");
    let (mut declared, mut clusters, mut ends) = (HashSet::new(), HashSet::new(), Vec::new());
    for (i, token) in tokens.iter().enumerate() {
        let before = if i > 0 { tokens[i - 1].as_str() } else { "" };
        if token == "->" {
            ends.extend([tokens[i - 1].clone(), tokens[i + 1].clone()]);
        } else if before == "subgraph" {
            assert!(clusters.insert(token.clone()), "{name}: {token} twice");
        } else if tokens.get(i + 1).is_some_and(|next| next == "[")
            && ["{", "}", ";"].contains(&before)
            && !["graph", "node", "edge"].contains(&token.as_str())
        {
            assert!(declared.insert(token.clone()), "{name}: {token} twice");
        }
    }
    for end in ends {
        assert!(declared.contains(&end), "{name}: {end} is not declared in\n{text}");
    }
    declared
}

#[test]
fn pictures_are_well_formed() {
    for (name, graph) in programs() {
        let default = graph.to_dot();
        assert_eq!(default, graph.clone().to_dot(), "{name}");
        check_dot(name, &default);
        for rules in [true, false] {
            for views in [true, false] {
                for depth in [0, 1, 9] {
                    let dot = Dot::new(&graph).rules(rules).views(views).depth(depth);
                    let drawn = check_dot(name, &dot.attributes(false).legend(false).to_string());
                    // If views are nodes and no scope is folded, each operation is a node.
                    if rules && views && depth == 9 {
                        let first = |node: &&GraphNode| node.output == 0;
                        let operations = graph.nodes().iter().filter(first).count();
                        assert_eq!(drawn.len(), operations, "{name}");
                    }
                }
            }
        }
    }
}

#[test]
fn pictures_leave_out_what_is_not_asked_for() {
    let find = |sought: &str| {
        let found = programs().into_iter().find(|(name, _)| *name == sought);
        found.unwrap_or_else(|| panic!("{sought}")).1
    };
    // Without rules the picture shows the program only.
    let plain = |graph: &Graph| {
        let text = Dot::new(graph).rules(false).to_string();
        text.lines().map(|line| line.split(", tooltip").next().unwrap().to_string()).collect()
    };
    let [before, after]: [Vec<String>; 2] = [plain(&find("mlp")), plain(&find("mlp, gradients"))];
    assert_eq!(before, after);
    // The penalty reads a gradient. The gradient is drawn, but not the nodes from which it is computed.
    let graph = find("mlp, gradients of a penalty on gradients");
    let text = Dot::new(&graph).rules(false).to_string();
    assert_eq!(text.matches("gradient w.r.t. param").count(), 1, "{text}");
    assert!(graph.to_dot().matches("gradient w.r.t. param").count() == 4);
    // A scope that is drawn as one node hides its contents.
    let graph = find("convolution, pooling, an index");
    let text = Dot::new(&graph).depth(0).to_string();
    assert!(text.contains("label=\"block\"") && text.contains("label=\"gradient: block\""));
    assert!(!text.contains("max_pool2d") && !text.contains("cluster"), "{text}");
    let text = Dot::new(&graph).depth(1).to_string();
    assert!(text.contains("label=\"pool\"") && text.contains("cluster_s0"), "{text}");
    assert!(graph.to_dot().contains("stride 2") && graph.to_dot().contains("positions"));
    assert!(!Dot::new(&graph).attributes(false).to_string().contains("stride 2\\n"));
}

#[test]
fn names_in_pictures_are_escaped() {
    let (_, graph) = programs().pop().unwrap();
    let text = graph.to_dot();
    assert!(text.contains(r#"label="a \"quoted\\ \n{name}\" <b>&""#), "{text}");
    assert!(text.contains("inf") && text.contains("NaN"), "{text}");
}

/// The picture of Σ (w·x)² for two elements, with its gradient with respect to w. The gradient is computed
/// from the seed 1, which is broadcast (drawn on the edge). The rule of the square multiplies it by 2 and by
/// w·x, and the rule of the product multiplies it by x. The loss and the gradient have double borders.
/// Edges of gradients point upwards.
const TINY: &str = r##"
  n0 [label="constant\n[2]", color="#4c8c4a", fillcolor="#dcefd8", shape=ellipse, style=filled, tooltip="node 0: constant [2]; in memory"];
  n1 [label="param\n[2]", color="#b58900", fillcolor="#ffe9a8", tooltip="node 1: param [2]; in memory"];
  n4 [label="sum\nscalar", color="#b3541e", fillcolor="#ffd9bd", peripheries=2, tooltip="node 4: sum []; in memory"];
  n5 [label="1", shape=plaintext, style="", fontsize=9, height=0.2, tooltip="node 5: full [], value 1; in memory"];
  subgraph cluster_s0 {
    graph [label="square", style="rounded,filled", color="#9fb0c3", fillcolor="#f4f6f9", fontcolor="#2f4358"];
    n2 [label="mul", color="#4a6785", fillcolor="#ffffff", tooltip="node 2: mul [2]; in memory"];
    n3 [label="powi\nvalue 2", color="#4a6785", fillcolor="#ffffff", tooltip="node 3: powi [2], value 2; in memory"];
    subgraph cluster_g0_1 {
      graph [label="gradient: square", style="rounded,dashed,filled", color="#c0392b", fillcolor="#fff7f6", fontcolor="#c0392b"];
      n7 [label="scale\nvalue 2", color="#c0392b", fillcolor="#fde3e0", tooltip="node 7: scale [2], value 2; in memory"];
      n8 [label="mul", color="#c0392b", fillcolor="#fde3e0", tooltip="node 8: mul [2]; in memory"];
      n9 [label="gradient w.r.t. param\nmul\n[2]", color="#c0392b", fillcolor="#fde3e0", peripheries=2, tooltip="node 9: mul [2]; in memory"];
    }
  }
  n1 -> n2;
  n0 -> n2;
  n2 -> n3 [weight=2, label=" [2]"];
  n3 -> n4 [weight=2, label=" [2]"];
  n7 -> n5 [dir=back, color="#c0392b"];
  n8 -> n7 [dir=back, color="#c0392b", label=" [2]"];
  n2 -> n8 [constraint=false, color="#d0aeaa"];
  n9 -> n8 [dir=back, color="#c0392b", label=" [2]"];
  n0 -> n9 [constraint=false, color="#d0aeaa"];
  n2 -> n9 [style=invis, minlen=0];
  n3 -> n7 [style=invis, minlen=0];
  n3 -> n8 [style=invis, minlen=0];
}
"##;

#[test]
fn a_tiny_picture() {
    let model = Param::new(Tensor::from([1.0f32, 2.0]));
    let tape = Tape::new();
    let x = tape.constant(Tensor::from([3.0, 4.0]));
    let w = tape.param(&model);
    let y = tape.scope("square", || (w * x).square());
    y.sum_all().grad(&[w]);
    let text = Dot::new(&tape.graph()).legend(false).to_string();
    let lines: Vec<&str> = text.lines().skip(4).collect();
    assert_eq!(lines.join("\n"), TINY.trim_matches('\n'), "\n{text}");
}

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
            Attribute::Whole(n) => assert_eq!(value.as_i64().unwrap(), *n),
            Attribute::List(list) => assert_eq!(value, &Value::from(list.clone())),
            Attribute::Switch(on) => assert_eq!(value.as_bool().unwrap(), *on),
            Attribute::Text(words) => assert_eq!(value.as_str().unwrap(), words),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn json_says_what_the_graph_says() {
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
fn json_keeps_every_digit() {
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
fn the_documented_example() {
    let model = Model { w: Param::new(ones(&[2])) };
    let tape = Tape::new();
    let w = tape.param(&model.w);
    tape.scope("loss", || w.sum_all());
    let page = include_str!("../../../../docs/graph-json.md");
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
