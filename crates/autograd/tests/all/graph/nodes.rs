//! The graph as data: nodes, operands, scopes, gradients, names and what is in memory.

use super::{Mlp, ones, programs};
use std::collections::HashSet;
use wengert_autograd::{
    Attribute, Buffer, Graph, GraphNode, NodeKind, Param, Source, Tape, ValueState, Var,
};
use wengert_tensor::{Conv, Philox, Pool, Tensor};

#[test]
fn nodes_have_the_recorded_operations_shapes_and_scopes() {
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
fn operands_come_before_their_readers_and_scopes_nest() {
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
fn the_scopes_of_a_small_program_are_listed_in_order() {
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
fn nodes_of_gradients_name_the_operation_whose_rule_recorded_them() {
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
fn nodes_of_second_derivatives_name_the_first_gradient() {
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
fn nodes_say_whether_their_value_is_stored_pending_or_dropped() {
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
fn nodes_of_parameters_get_their_names_from_the_model() {
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
fn graphs_are_equal_in_structure_if_only_values_differ() {
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
