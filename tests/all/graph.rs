//! Tests the graphs that the models record.

use std::fmt::Write;
use wengert::autograd::{Graph, Path};
use wengert::models::{
    Autoencoder, BasicBlock, Cnn, InceptionNet, LeNet, LeNet5, ResNet, Vgg, ZipcodeNet,
};
use wengert::prelude::*;
use wengert::tensor::AnyTensor;

/// Returns the graph of a forward pass in training mode on random images.
fn recorded(model: &dyn Layer, shape: &[usize], seed: u64) -> Graph {
    let rng = &mut Philox::new(seed);
    let tape = Tape::train(rng);
    let y = model.forward(tape.constant(Tensor::normal(shape, 0.0, 1.0, rng)));
    let _ = y.square().mean_all();
    tape.graph()
}

/// Returns one line for each scope: its path, indented by its depth, and the number of its own operations.
fn tree(graph: &Graph) -> String {
    let mut text = String::new();
    for (i, scope) in graph.scopes().iter().enumerate() {
        let mut depth = 0;
        let mut outer = scope.parent;
        while let Some(parent) = outer {
            depth += 1;
            outer = graph.scopes()[parent].parent;
        }
        let ops = graph.nodes().iter().filter(|node| node.scope == Some(i));
        let ops = ops.filter(|node| !["param", "buffer"].contains(&&*node.op)).count();
        writeln!(text, "{}{}: {ops}", "  ".repeat(depth), scope.path).unwrap();
    }
    text
}

#[test]
fn lenet_has_the_scopes_of_its_layers() {
    let graph = recorded(&LeNet::new(&mut Philox::new(0)), &[2, 1, 28, 28], 1);
    // A linear layer records a matrix product, the broadcast bias, and a sum.
    assert_eq!(tree(&graph), "conv1: 1\nconv2: 1\nfc1: 3\nfc2: 3\nfc3: 3\n");
    let of = |path: &str| -> Vec<String> {
        let scope = graph.scopes().iter().position(|scope| scope.path == path);
        let inside = graph.nodes().iter().filter(|node| node.scope == scope);
        inside.map(|node| node.name.clone().unwrap_or(node.op.clone())).collect()
    };
    assert_eq!(of("conv1"), ["conv1.bias", "conv1.weight", "conv2d"]);
    assert_eq!(of("fc2"), ["fc2.weight", "matmul", "fc2.bias", "broadcast_to", "add"]);
}

#[test]
fn a_residual_block_has_the_scopes_of_its_layers() {
    let rng = &mut Philox::new(0);
    let paths = |graph: &Graph| -> Vec<(String, Option<usize>)> {
        graph.scopes().iter().map(|scope| (scope.path.clone(), scope.parent)).collect()
    };
    let scope = |path: &str, parent| (path.to_string(), parent);
    let graph = recorded(&BasicBlock::new(4, 4, 1, rng), &[2, 4, 8, 8], 1);
    let plain = ["conv1", "bn1", "conv2", "bn2"].map(|path| scope(path, None));
    assert_eq!(paths(&graph), plain);
    // A block with stride 2 has a convolution in its shortcut.
    let graph = recorded(&BasicBlock::new(4, 8, 2, rng), &[2, 4, 8, 8], 1);
    let mut expected = plain.to_vec();
    expected.extend([
        scope("shortcut", None),
        scope("shortcut.0", Some(4)),
        scope("shortcut.1", Some(4)),
    ]);
    assert_eq!(paths(&graph), expected);
    // Inside a network, the paths start with the fields of the network.
    let graph = recorded(&ResNet::new(3, 5, 1, &[4, 8], rng), &[2, 3, 8, 8], 1);
    let names: Vec<String> = paths(&graph).into_iter().map(|(path, _)| path).collect();
    assert_eq!(
        names,
        [
            "conv1",
            "bn1",
            "stages.0.0",
            "stages.0.0.conv1",
            "stages.0.0.bn1",
            "stages.0.0.conv2",
            "stages.0.0.bn2",
            "stages.1.0",
            "stages.1.0.conv1",
            "stages.1.0.bn1",
            "stages.1.0.conv2",
            "stages.1.0.bn2",
            "stages.1.0.shortcut",
            "stages.1.0.shortcut.0",
            "stages.1.0.shortcut.1",
            "fc",
        ]
    );
}

/// Returns every model of the library with the shape of one sample.
fn models() -> [(&'static str, Box<dyn Layer>, [usize; 3]); 9] {
    let rng = &mut Philox::new(0);
    [
        ("LeNet", Box::new(LeNet::new(rng)), [1, 28, 28]),
        ("LeNet5", Box::new(LeNet5::new(rng)), [1, 32, 32]),
        ("ZipcodeNet", Box::new(ZipcodeNet::new(rng)), [1, 16, 16]),
        ("Cnn", Box::new(Cnn::new(rng)), [1, 28, 28]),
        ("ResNet-20", Box::new(ResNet::resnet20(3, 10, rng)), [3, 8, 8]),
        ("BasicBlock", Box::new(BasicBlock::new(4, 8, 2, rng)), [4, 8, 8]),
        ("Vgg", Box::new(Vgg::new(3, 4, &[8, 16], rng)), [3, 8, 8]),
        ("InceptionNet", Box::new(InceptionNet::new(3, 4, rng)), [3, 8, 8]),
        ("Autoencoder", Box::new(Autoencoder::new(4, rng)), [1, 28, 28]),
    ]
}

#[test]
fn models_record_the_same_program_for_other_data() {
    let mut graphs: Vec<(&str, Graph)> = vec![];
    let models = models();
    for (name, model, [c, h, w]) in &models {
        let run = |n, seed| recorded(&**model, &[n, *c, *h, *w], seed);
        let graph = run(2, 1);
        assert_eq!(graph.difference(&run(2, 7)), None, "{name}");
        assert!(!graph.same_structure(&run(3, 1)), "{name}: another batch size");
        for (id, node) in graph.nodes().iter().enumerate() {
            assert!(node.operands.iter().all(|&x| x < id), "{name}: node {id} {node:?}");
        }
        // Parameters and buffers have the same names as in the model.
        let named: Vec<_> = graph.nodes().iter().map(|node| node.name.clone()).collect();
        let again = graph.clone().named(&**model);
        let again: Vec<_> = again.nodes().iter().map(|node| node.name.clone()).collect();
        assert_eq!(named, again, "{name}");
        let params = graph.nodes().iter().filter(|node| node.op == "param");
        assert!(params.clone().all(|node| node.name.is_some()), "{name}");
        assert_eq!(params.count(), model.named_parameters().len(), "{name}");
        for (other, earlier) in &graphs {
            assert!(!graph.same_structure(earlier), "{name} and {other}");
        }
        graphs.push((name, graph));
    }
}

/// Returns the output, the gradients and the updated buffers, as bits. The model is not changed.
fn results(model: &mut Box<dyn Layer>, [x, y, loss]: [Var<'_>; 3]) -> Vec<(String, Vec<u32>)> {
    let bits = |x: &Tensor| x.to_vec().into_iter().map(f32::to_bits).collect();
    let mut all = vec![("value".into(), bits(&y.value()))];
    let gradients = loss.backward();
    all.push(("input".into(), bits(gradients.wrt(x).unwrap())));
    all.extend(gradients.of(&*model).into_iter().map(|(name, _, gradient)| (name, bits(gradient))));
    let before = state_dict(model);
    gradients.apply_updates(model);
    let after = state_dict(model);
    all.extend(after.iter().map(|(name, x)| (format!("state {name}"), bits(&x.cast::<f32>()))));
    load_state_dict(model, &before).unwrap();
    all
}

fn scored<'t>(model: &dyn Layer, x: Var<'t>) -> [Var<'t>; 3] {
    let y = model.forward(x);
    [x, y, y.square().mean_all()]
}

/// After a change of inputs, parameters, buffers and random numbers, replaying a model gives the
/// same bits as a new forward pass.
#[test]
fn every_model_can_be_replayed() {
    for (name, mut model, [c, h, w]) in models() {
        for training in [true, false] {
            let tape_of = |seed: u64| {
                if training { Tape::train(&mut Philox::new(seed)) } else { Tape::eval() }
            };
            let input = |seed| Tensor::normal(&[2, c, h, w], 0.0, 1.0, &mut Philox::new(seed));
            let tape = tape_of(1);
            let run = scored(&*model, tape.watch(input(1)));
            let mut earlier = results(&mut model, run);
            for seed in 2..4 {
                model.visit_mut(&Path::root(), &mut |_, state| {
                    let value = match state.value() {
                        AnyTensor::F32(value) => AnyTensor::F32(value * 0.9 + 0.01),
                        AnyTensor::I64(value) => AnyTensor::I64(value + 3),
                        other => other,
                    };
                    state.set(&value).unwrap();
                });
                tape.replay(&*model).set(run[0], input(seed)).rng(&mut Philox::new(seed)).run();
                let replayed = results(&mut model, run);
                let fresh = tape_of(seed);
                let anew = scored(&*model, fresh.watch(input(seed)));
                let anew = results(&mut model, anew);
                for (old, new) in replayed.iter().zip(&anew) {
                    assert!(old == new, "{name}, training: {training}: {} differs", old.0);
                }
                assert_eq!(replayed.len(), anew.len());
                // Every compared value differs from that of the earlier round.
                for (old, new) in earlier.iter().zip(&replayed) {
                    assert!(old != new, "{name}, training: {training}: {} is the same", old.0);
                }
                earlier = replayed;
            }
        }
    }
}

#[test]
fn other_models_record_other_programs() {
    let rng = &mut Philox::new(0);
    let difference = |a: &dyn Layer, b: &dyn Layer| {
        let shape = [2, 3, 8, 8];
        recorded(a, &shape, 1).difference(&recorded(b, &shape, 1)).expect("another program")
    };
    let conv = Conv2d::new(3, 4, 3, rng).padding(1);
    let text = difference(&conv, &conv.clone().stride(2));
    assert!(text.contains("attributes") && text.contains("stride"), "{text}");
    let (one, two) = (ResNet::new(3, 5, 1, &[4], rng), ResNet::new(3, 5, 2, &[4], rng));
    let text = difference(&one, &two);
    assert!(text.starts_with("node "), "{text}");
    let (bias, none) = (conv.clone(), conv.clone().without_bias());
    assert!(difference(&bias, &none).contains("shapes"));
}

#[test]
fn nodes_of_a_layer_that_ran_alone_can_be_named_by_a_model() {
    let model = LeNet::new(&mut Philox::new(0));
    let tape = Tape::new();
    let x = tape.constant(Tensor::zeros(&[1, 400]));
    model.fc2.forward(model.fc1.forward(x));
    let names = |graph: &Graph| -> Vec<String> {
        graph.nodes().iter().filter_map(|node| node.name.clone()).collect()
    };
    let expected = ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"];
    assert_ne!(names(&tape.graph()), expected);
    assert_eq!(names(&tape.graph().named(&model)), expected);
}

/// Each parameter has a gradient on the tape, and the picture contains it.
#[test]
fn the_dot_text_of_lenet_contains_its_layers_and_gradients() {
    let rng = &mut Philox::new(0);
    let model = LeNet::new(rng);
    let tape = Tape::train(rng);
    let x = tape.constant(Tensor::normal(&[2, 1, 28, 28], 0.0, 1.0, rng));
    let loss = cross_entropy(model.forward(x), &Tensor::from([3i64, 1]));
    loss.grad(&tape.params(&model));
    let graph = tape.graph();
    let text = graph.to_dot();
    let mut names = vec![];
    for node in graph.nodes() {
        let Some(name) = &node.name else { continue };
        assert_eq!(text.matches(&format!("[label=\"{name}\\n")).count(), 1, "{name}");
        assert_eq!(text.matches(&format!("\"gradient w.r.t. {name}\\n")).count(), 1, "{name}");
        names.push(name.clone());
    }
    assert_eq!(names.len(), 10);
    for (i, scope) in graph.scopes().iter().enumerate() {
        assert!(text.contains(&format!("subgraph cluster_s{i} {{")), "{scope:?}");
        assert!(text.contains(&format!("[label=\"gradient: {}\"", scope.path)), "{scope:?}");
    }
    // The additional outputs, the positions of the maxima, are drawn as edges and have no nodes.
    assert_eq!(text.matches("positions\"];").count(), 2);
    assert_eq!(text.matches("label=\"max_pool2d").count(), 2);
}
