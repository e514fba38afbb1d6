//! Profiles: the kernels that ran, the nodes that they computed, and the nodes to which they are charged.
//! No test measures time.

use serde_json::Value;
use std::collections::BTreeMap;
use wengert_autograd::{Cost, Graph, Param, Policy, Profile, ProfileRow, Source, Tape, Var};
use wengert_tensor::{Conv, FileProblem, Philox, Pool, Tensor};

fn filled(shape: &[usize]) -> Tensor {
    Tensor::from_fn(shape, |i| 0.1 + 0.01 * (i % 7) as f32)
}

struct Mlp {
    w1: Tensor,
    b1: Tensor,
    w2: Tensor,
    b2: Tensor,
}

/// The variables of a run of a small MLP with a squared loss. Only the sum and the loss are small enough to
/// be computed at once.
struct Run<'t> {
    product1: Var<'t>,
    bias1: Var<'t>,
    tanh: Var<'t>,
    product2: Var<'t>,
    bias2: Var<'t>,
    square: Var<'t>,
    sum: Var<'t>,
    loss: Var<'t>,
}

impl Mlp {
    fn new() -> Self {
        let [w1, b1] = [filled(&[3, 16]), filled(&[16])];
        Mlp { w1, b1, w2: filled(&[16, 9]), b2: filled(&[9]) }
    }

    fn run<'t>(&self, tape: &'t Tape) -> Run<'t> {
        let [w1, b1, w2, b2] =
            [&self.w1, &self.b1, &self.w2, &self.b2].map(|x| tape.watch(x.clone()));
        let x = tape.constant(filled(&[4, 3]));
        let target = tape.constant(filled(&[4, 9]));
        let product1 = x.matmul(w1);
        let bias1 = b1.broadcast_to([4, 16]);
        let tanh = (product1 + bias1).tanh();
        let product2 = tanh.matmul(w2);
        let bias2 = b2.broadcast_to([4, 9]);
        let square = (product2 + bias2 - target).square();
        let sum = square.sum_all();
        let loss = sum / 36.0;
        Run { product1, bias1, tanh, product2, bias2, square, sum, loss }
    }
}

fn ops(row: &ProfileRow) -> String {
    row.ops.join(" ")
}

/// Returns the nodes that are computed according to the graph.
fn computed(graph: &Graph) -> Vec<usize> {
    let nodes = graph.nodes().iter().enumerate();
    nodes.filter(|(_, node)| node.source == Source::Computed).map(|(id, _)| id).collect()
}

fn nodes_of(profile: &Profile) -> Vec<usize> {
    let mut nodes: Vec<usize> =
        profile.rows().iter().flat_map(|row| row.nodes.iter().copied()).collect();
    nodes.sort_unstable();
    nodes
}

#[test]
fn an_eager_run_has_a_kernel_for_each_operation() {
    let tape = Tape::new().with_policy(Policy::Eager).profiled();
    let run = Mlp::new().run(&tape);
    let profile = tape.profile();
    let wanted = [
        "matmul",
        "broadcast_to",
        "add",
        "tanh",
        "matmul",
        "broadcast_to",
        "add",
        "sub",
        "powi",
        "sum",
        "div_scalar",
    ];
    assert_eq!(profile.rows().iter().map(ops).collect::<Vec<_>>(), wanted);
    assert!(profile.rows().iter().all(|row| row.nodes.len() == 1 && row.charged_to.is_none()));
    assert_eq!(nodes_of(&profile), computed(&tape.graph()));
    run.loss.item();
    assert_eq!(tape.profile().rows().len(), wanted.len(), "reading computes nothing again");
}

#[test]
fn a_fused_run_computes_the_same_nodes_in_fewer_kernels() {
    let tape = Tape::new().profiled();
    Mlp::new().run(&tape).loss.item();
    let profile = tape.profile();
    // The sum of the loss is fused with the elementwise operations before it.
    let wanted = [
        "matmul",
        "broadcast_to",
        "add tanh",
        "matmul",
        "broadcast_to",
        "add sub powi sum",
        "div_scalar",
    ];
    assert_eq!(profile.rows().iter().map(ops).collect::<Vec<_>>(), wanted);
    assert_eq!(nodes_of(&profile), computed(&tape.graph()), "each node once");
    let lines = profile.by_op();
    assert!(lines.iter().any(|line| line.name == "add sub powi sum" && line.forward.calls == 1));
}

#[test]
fn a_profile_changes_no_number() {
    let mlp = Mlp::new();
    let gradient = |tape: &Tape| {
        let w = tape.watch(mlp.w1.clone());
        let loss = (tape.constant(filled(&[4, 3])).matmul(w).tanh() * 0.3).exp().sum_all();
        loss.backward().wrt(w).unwrap().to_vec()
    };
    for policy in [Policy::Eager, Policy::Fused] {
        let tape = || Tape::new().with_policy(policy);
        assert_eq!(gradient(&tape()), gradient(&tape().profiled()));
    }
}

/// Returns the number of backward kernels that are charged to each node.
fn charges(profile: &Profile) -> BTreeMap<usize, usize> {
    let mut charges = BTreeMap::new();
    for charged in profile.rows().iter().filter_map(|row| row.charged_to.as_ref()) {
        *charges.entry(charged.node).or_default() += 1;
    }
    charges
}

#[test]
fn backward_kernels_of_an_mlp_are_charged_to_the_forward_nodes() {
    let tape = Tape::new().with_policy(Policy::Eager).profiled();
    let run = Mlp::new().run(&tape);
    let graph = tape.graph();
    run.loss.backward();
    // The numbers of kernels follow from the derivatives:
    // - y = s/36: g/36. s = Σq: a broadcast. q = d²: 2·g and a product with d.
    // - Differences and sums pass their cotangents on without a kernel.
    // - b₂: a sum. h·w₂: two products.
    // - tanh: y², 1 - y² (a negation and a sum), and a product with g.
    // - b₁: a sum. x·w₁: one product, because x is a constant.
    let wanted = BTreeMap::from([
        (graph.id(run.loss), 1),
        (graph.id(run.sum), 1),
        (graph.id(run.square), 2),
        (graph.id(run.bias2), 1),
        (graph.id(run.product2), 2),
        (graph.id(run.tanh), 4),
        (graph.id(run.bias1), 1),
        (graph.id(run.product1), 1),
    ]);
    let profile = tape.profile();
    assert_eq!(charges(&profile), wanted);
    let lines = profile.by_op();
    let line = |name: &str| lines.iter().find(|line| line.name == name).unwrap();
    let products = line("matmul");
    assert_eq!((products.forward.calls, products.backward.calls), (2, 3));
    // The products are [3, 4]·[4, 16] for w₁, [4, 9]·[9, 16] for h and [16, 4]·[4, 9] for w₂.
    assert_eq!(products.backward.written, 4 * (3 * 16 + 4 * 16 + 16 * 9));
    assert_eq!(
        products.backward.read,
        4 * ((12 + 64) + (36 + 144) + (64 + 36)) // in the same order
    );
    assert_eq!(line("tanh").backward.calls, 4);
}

#[test]
fn fused_backward_kernels_are_charged_to_a_forward_node_too() {
    let tape = Tape::new().profiled();
    let run = Mlp::new().run(&tape);
    let graph = tape.graph();
    run.loss.backward();
    let charges = charges(&tape.profile());
    let forward = [run.product1, run.product2, run.bias1, run.bias2].map(|x| graph.id(x));
    assert_eq!(forward.map(|node| charges[&node]), [1, 2, 1, 1]);
    assert!(charges.keys().all(|&node| node < graph.nodes().len()));
}

#[test]
fn backward_kernels_of_a_convolution_and_a_pool_are_charged_to_them() {
    let tape = Tape::new().with_policy(Policy::Eager).profiled();
    let images = tape.constant(filled(&[2, 1, 8, 8]));
    let (weight, bias) = (tape.watch(filled(&[3, 1, 3, 3])), tape.watch(filled(&[3])));
    let conv = images.conv2d(weight, Some(bias), &Conv::new());
    let relu = conv.relu();
    let pool = relu.max_pool2d(&Pool::new(2));
    let flat = pool.reshape([2, 27]);
    let loss = flat.sum_all();
    let graph = tape.graph();
    let before = tape.profile().rows().len();
    assert_eq!(before, 5, "conv2d, relu, max_pool2d, reshape, sum");
    loss.backward();
    // The sum needs a broadcast, the reshape another reshape, and the pool adds the cotangents at its
    // positions. relu needs a comparison and a gate. The convolution needs a kernel for the weight, and for
    // the bias a sum and a reshape.
    let wanted = BTreeMap::from([
        (graph.id(loss), 1),
        (graph.id(flat), 1),
        (graph.id(pool), 1),
        (graph.id(relu), 2),
        (graph.id(conv), 3),
    ]);
    let profile = tape.profile();
    assert_eq!(charges(&profile), wanted);
    let pooling = &profile.rows()[2];
    assert_eq!(pooling.nodes.len(), 2, "the pool must have two results: values and positions");
    // The pool reads 3 channels of 6×6 in f32. It writes 3×3 results in f32 and their positions in i64.
    assert_eq!((pooling.read, pooling.written), (2 * 3 * 36 * 4, 2 * 3 * 9 * (4 + 8)));
    let back = profile.rows().iter().find(|row| row.ops == ["max_unpool2d"]).unwrap();
    assert_eq!(back.charged_to.as_ref().unwrap().op, "max_pool2d");
    assert_eq!((back.read, back.written), (2 * 3 * 9 * (4 + 8), 2 * 3 * 36 * 4));
}

#[test]
fn bytes_read_and_written_are_those_of_operands_and_results() {
    let tape = Tape::new().profiled();
    let a = tape.constant(filled(&[4, 30]));
    let b = tape.constant(filled(&[30, 5]));
    a.matmul(b).value();
    a.reshape([30, 4]).value(); // shares the memory
    (a + a.exp()).value(); // one pass: a is read once
    a.sum_all().item();
    a.argmax(1, false).value();
    let bytes: Vec<_> =
        tape.profile().rows().iter().map(|row| (ops(row), row.read, row.written)).collect();
    let wanted = [
        ("matmul", 4 * (120 + 150), 4 * 20),
        ("reshape", 0, 0),
        ("exp add", 4 * 120, 4 * 120),
        ("sum", 4 * 120, 4),
        ("argmax", 4 * 120, 8 * 4),
    ];
    assert_eq!(bytes, wanted.map(|(op, read, written)| (op.to_string(), read, written)));
}

#[test]
fn a_sum_of_cotangents_is_charged_to_the_rule_of_the_last_one() {
    let tape = Tape::<f64>::new().with_policy(Policy::Eager).profiled();
    let x = tape.watch(Tensor::from_fn(&[50], |i| i as f64));
    let sin = x.sin();
    let cos = x.cos();
    let loss = (sin * cos).sum_all();
    let id = tape.graph().id(sin);
    loss.backward();
    let profile = tape.profile();
    let additions: Vec<_> = profile.rows().iter().filter(|row| row.accumulates).collect();
    assert_eq!(additions.len(), 1);
    // The walk visits the nodes in reverse order. At the cosine, x gets its first cotangent. The rule of
    // the sine adds the second.
    assert_eq!(additions[0].charged_to.as_ref().unwrap().node, id);
    assert_eq!((additions[0].read, additions[0].written), (2 * 50 * 8, 50 * 8));
    assert!(additions[0].nodes.is_empty());
}

#[test]
fn operations_on_single_numbers_are_profiled() {
    let tape = Tape::<f64>::new().profiled();
    let x = tape.watch(Tensor::scalar_of(0.5));
    let y = (x * x).sin();
    assert_eq!(tape.profile().rows().iter().map(ops).collect::<Vec<_>>(), ["mul", "sin"]);
    // The rule of sin has 2 kernels, the cosine and a product with g. The rule of x·x has 3, two
    // products with x and a sum in place.
    y.backward();
    assert_eq!(tape.profile().rows().iter().filter(|row| row.charged_to.is_some()).count(), 5);
}

#[test]
fn recomputed_values_are_profiled_again() {
    let tape = Tape::new().profiled();
    let x = tape.watch(filled(&[20]));
    let mut inner = None;
    let y = tape.scope("block", || {
        let a = x.rescaled();
        inner = Some(a);
        a.relu()
    });
    y.value();
    let a = inner.unwrap();
    let id = tape.graph().id(a);
    let times = |profile: &Profile| {
        let rows = profile.rows().iter().filter(|row| row.nodes.contains(&id));
        rows.map(|row| row.again).collect::<Vec<_>>()
    };
    assert_eq!(times(&tape.profile()), [false]);
    a.value();
    assert_eq!(times(&tape.profile()), [false, true]);
}

/// An operation that is not fused with others, and whose result no rule reads.
trait Rescale {
    fn rescaled(self) -> Self;
}
impl Rescale for Var<'_> {
    fn rescaled(self) -> Self {
        let n = self.numel();
        self.reshape([n, 1]).matmul(self.tape().constant(filled(&[1, 1]))).reshape([n])
    }
}

#[test]
fn scopes_have_the_kernels_of_the_nodes_recorded_in_them() {
    let tape = Tape::new().with_policy(Policy::Eager).profiled();
    let x = tape.watch(filled(&[4, 4]));
    let y = tape.scope("outer", || {
        let h = x.exp();
        let h = tape.scope("inner", || h.matmul(h));
        h.sin()
    });
    y.sum_all().backward();
    let profile = tape.profile();
    let lines = profile.by_scope();
    let calls = |name: &str| {
        let line = lines.iter().find(|line| line.name == name).unwrap();
        (line.forward.calls, line.backward.calls)
    };
    assert_eq!(lines.len(), 3);
    assert_eq!(calls(""), (1, 1), "the sum");
    // Forward: exp and sin. Backward: one product for exp, and a cosine and a product for sin.
    assert_eq!(calls("outer"), (2, 3));
    assert_eq!(calls("outer.inner"), (1, 3), "two products, and their sum");
}

#[test]
fn the_lines_of_a_profile_add_up_to_its_total() {
    let tape = Tape::new().profiled();
    tape.scope("mlp", || Mlp::new().run(&tape).loss).backward();
    let profile = tape.profile();
    let total = profile.total();
    assert_eq!(total.calls, profile.rows().len());
    assert_eq!(total.time, profile.rows().iter().map(|row| row.time).sum());
    assert_eq!(total.read, profile.rows().iter().map(|row| row.read).sum::<u64>());
    assert_eq!(total.written, profile.rows().iter().map(|row| row.written).sum::<u64>());
    for lines in [profile.by_op(), profile.by_scope()] {
        let sum = lines
            .iter()
            .map(wengert_autograd::ProfileLine::both)
            .fold(Cost::default(), |a, b| a + b);
        assert_eq!(sum, total);
        let share: f64 = lines.iter().map(|line| line.share).sum();
        assert!((share - 1.0).abs() < 1e-9);
        assert!(lines.is_sorted_by_key(|line| std::cmp::Reverse(line.both().time)));
    }
    assert!(profile.wall() >= total.time);
    assert!((0.0..=1.0).contains(&profile.coverage()));
    // The kernels do not overlap in time.
    assert!(profile.rows().windows(2).all(|pair| pair[0].start + pair[0].time <= pair[1].start));
}

#[test]
fn the_table_fits_100_columns() {
    let tape = Tape::new().profiled();
    let mut x = tape.watch(filled(&[64]));
    for depth in 0..40 {
        let name = format!("a.rather.long.name.of.a.scope.in.some.model.{depth}");
        x = tape.scope(&name, || (x.sin().cos().exp().tanh().sigmoid().sin() + x).tanh());
        x.value();
    }
    x.sum_all().backward();
    let table = tape.profile().to_string();
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    assert!(table.contains("more)"), "long tables are cut: {table}");
    let wide = table.lines().filter(|line| line.contains("tanh"));
    assert!(wide.count() > 0, "{table}");
}

#[test]
fn a_replay_is_profiled_like_the_first_run() {
    let w = Param::new(filled(&[3, 16]));
    let tape = Tape::new().profiled();
    let x = tape.constant(filled(&[4, 3]));
    let loss = x.matmul(tape.param(&w)).square().sum_all();
    loss.item();
    let first = tape.profile().rows().len();
    tape.replay(&w).set(x, filled(&[4, 3])).run();
    loss.item();
    assert_eq!(tape.profile().rows().len(), 2 * first);
}

#[test]
fn kernels_of_recorded_gradients_are_charged_to_the_forward_nodes() {
    let tape = Tape::<f64>::new().profiled();
    let x = tape.watch(Tensor::from_fn(&[10], |i| i as f64));
    let y = x.exp();
    let slope = y.sum_all().grad(&[x])[0];
    let before = tape.profile().rows().len();
    slope.value(); // fused: computed after the walk has ended
    let profile = tape.profile();
    let later = &profile.rows()[before..];
    assert!(!later.is_empty());
    let id = tape.graph().id(y);
    assert_eq!(later.last().unwrap().charged_to.as_ref().unwrap().node, id);
}

#[test]
#[should_panic(expected = "create the tape with profiled()")]
fn profile_of_a_tape_without_profiling_panics() {
    Tape::<f32>::new().profile();
}

/// Returns the events of a trace, and checks that they have the fields that the format requires:
/// <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>.
fn events(json: &str) -> Vec<Value> {
    let trace: Value = serde_json::from_str(json).expect("JSON");
    assert!(trace["displayTimeUnit"] == "ms" || trace["displayTimeUnit"] == "ns");
    let events = trace["traceEvents"].as_array().expect("an array of events").clone();
    for event in &events {
        assert!(event["name"].is_string() && event["args"].is_object(), "{event}");
        assert!(event["pid"].is_u64() && event["tid"].is_u64(), "{event}");
        match event["ph"].as_str().expect("a phase") {
            "X" => {
                assert!(event["cat"].is_string(), "{event}");
                assert!(event["ts"].as_f64().unwrap() >= 0.0, "{event}");
                assert!(event["dur"].as_f64().unwrap() >= 0.0, "{event}");
            }
            "M" => assert_eq!(event["name"], "process_name"),
            other => panic!("phase {other}"),
        }
    }
    events
}

/// Returns start and end of an event in nanoseconds, as integers, which can be compared exactly.
fn span(event: &Value) -> (i64, i64) {
    let [start, length] = ["ts", "dur"].map(|key| (1e3 * event[key].as_f64().unwrap()).round());
    (start as i64, (start + length) as i64)
}

#[test]
fn a_trace_has_the_format_of_chrome_and_perfetto() {
    let tape = Tape::new().profiled();
    let mlp = Mlp::new();
    tape.scope("net", || tape.scope("a \"quoted\\ name\"\n", || mlp.run(&tape).loss)).backward();
    let profile = tape.profile();
    let events = events(&profile.to_trace_json());
    let of = |category: &str| -> Vec<&Value> {
        events.iter().filter(|event| event["cat"] == category).collect()
    };
    let (forward, backward) = (of("forward"), of("backward"));
    assert_eq!(forward.len() + backward.len(), profile.rows().len());
    for (event, row) in events
        .iter()
        .filter(|event| event["cat"] == "forward" || event["cat"] == "backward")
        .zip(profile.rows())
    {
        let (start, end) = span(event);
        assert_eq!(start, row.start.as_nanos() as i64);
        assert_eq!(end - start, row.time.as_nanos() as i64);
        assert_eq!(event["args"]["read_bytes"], row.read);
        assert_eq!(event["args"]["scope"], row.scope);
        assert_eq!(event["args"]["ops"].as_array().unwrap().len(), row.ops.len());
    }
    assert!(of("scope").iter().any(|event| event["name"] == "a \"quoted\\ name\"\n"));
    assert_eq!(of("pass")[0]["name"], "forward");
    assert_eq!(of("pass").last().unwrap()["name"], "backward");
    // Two bars of one thread are disjoint or nested. An outer bar comes before the bars in it.
    let mut open: Vec<(i64, i64)> = vec![];
    for event in events.iter().filter(|event| event["ph"] == "X") {
        let (start, end) = span(event);
        while open.last().is_some_and(|&(_, until)| until <= start && until < end) {
            open.pop();
        }
        assert!(open.iter().all(|&(from, until)| from <= start && end <= until), "{event}");
        open.push((start, end));
    }
}

#[test]
fn a_trace_file_is_written_completely_or_not_at_all() {
    let tape = Tape::new().profiled();
    tape.watch(filled(&[9])).sin().value();
    let profile = tape.profile();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.json");
    profile.write_chrome_trace(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), profile.to_trace_json());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
    let nowhere = folder.path().join("missing").join("trace.json");
    let error = profile.write_chrome_trace(&nowhere).unwrap_err();
    assert_eq!(error.path, nowhere);
    assert!(matches!(error.problem, FileProblem::Io(_)));
}

#[test]
fn profiles_of_steps_are_appended() {
    let mut rng = Philox::new(0);
    let mut step = || {
        let tape = Tape::train(&mut rng).profiled();
        tape.scope("fc", || Mlp::new().run(&tape).loss).backward();
        tape.profile()
    };
    let (first, second) = (step(), step());
    let mut all = first.clone();
    all.append(&second);
    assert_eq!(all.total(), first.total() + second.total());
    let mut other_way = second.clone();
    other_way.append(&first);
    assert_eq!(all.rows(), other_way.rows(), "in the order of time");
    assert_eq!(events(&all.to_trace_json()).len(), events(&other_way.to_trace_json()).len());
}
