//! The graph as a picture for Graphviz.

use super::programs;
use std::collections::HashSet;
use wengert_autograd::{Dot, Graph, GraphNode, Param, Tape};
use wengert_tensor::Tensor;

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
fn dot_texts_are_well_formed() {
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
fn dot_texts_omit_the_kinds_of_nodes_that_are_switched_off() {
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
fn names_in_dot_texts_are_escaped() {
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
fn the_dot_text_of_a_small_program_is_as_documented() {
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
