//! The words in a picture: names of operands, attributes, numbers, shapes and tooltips.

use crate::inspect::export::{Attribute, GraphNode, ValueState};
use std::fmt;
use wengert_tensor::Shape;

/// Returns the name of an operand in brackets, or its number; `None` if the operation has one operand or
/// gives the same result for any order of its operands.
pub(super) fn operand_name(reader: &GraphNode, arg: usize) -> Option<String> {
    if reader.operands.len() < 2 {
        return None;
    }
    let names: &[&str] = match &*reader.op {
        "add" | "mul" | "maximum" | "minimum" | "eq" | "ne" | "sum_of_parts" => return None,
        "sub" | "div" | "matmul" | "gt" | "ge" | "lt" | "le" => &["left", "right"],
        "pow" => &["base", "exponent"],
        "where_" => &["condition", "if true", "if false"],
        "conv2d" | "conv_transpose2d" => &["input", "weight", "bias"],
        _ => &[],
    };
    Some(names.get(arg).map_or_else(|| format!("[{arg}]"), |name| format!("[{name}]")))
}

/// Returns the text of an attribute in a node; `None` for a common value.
pub(super) fn told(name: &str, value: &Attribute) -> Option<String> {
    let all = |list: &[i64], n: i64| list.iter().all(|&x| x == n);
    let usual = match (name, value) {
        ("stream" | "map", _) | (_, Attribute::Switch(false)) => true,
        ("groups", Attribute::Integer(1)) => true,
        ("stride" | "dilation", Attribute::List(list)) => all(list, 1),
        ("padding", Attribute::List(list)) => all(list, 0),
        _ => false,
    };
    if usual {
        return None;
    }
    Some(match value {
        Attribute::Switch(true) => name.replace('_', " "),
        Attribute::List(list) if list.len() > 1 && all(list, list[0]) && name != "axes" => {
            format!("{name} {}", list[0])
        }
        Attribute::Text(words) if words.chars().count() > 60 => {
            let begin: String = words.chars().take(57).collect();
            format!("{name} {begin}…")
        }
        Attribute::Number(x) => format!("{name} {}", digits(*x)),
        value => format!("{name} {value}"),
    })
}

/// Returns a number with six digits, or with all digits if it is an integer.
pub(super) fn digits(x: f64) -> String {
    let short = if x.fract() == 0.0 { x } else { format!("{x:.5e}").parse().unwrap_or(x) };
    if short == 0.0 || (1e-3..1e9).contains(&short.abs()) {
        short.to_string()
    } else {
        format!("{short:e}")
    }
}

/// Prints text inside a quoted string. Backslashes are doubled, because Graphviz interprets them. Line
/// breaks are kept.
pub(super) struct Escaped<'a>(pub &'a str);
impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                c if c.is_control() => f.write_str(" ")?,
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

/// Returns the text of a shape.
pub(super) fn sizes(shape: &Shape) -> String {
    if shape.is_empty() { "scalar".into() } else { shape.to_string() }
}

/// The tooltip of a node in a browser.
pub(super) struct Tip<'a>(pub usize, pub &'a GraphNode);
impl fmt::Display for Tip<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tip(id, node) = self;
        write!(f, "node {id}: {} {}", Escaped(&node.op), node.shape)?;
        for (name, value) in &node.attributes {
            write!(f, ", {name} {}", Escaped(&value.to_string()))?;
        }
        f.write_str(match node.state {
            ValueState::Computed => "; in memory",
            ValueState::Pending => "; not yet computed",
            ValueState::Released => "; released",
            ValueState::Freed => "; history freed",
        })
    }
}
