//! The colours of nodes in a picture, and the legend that explains them.

use crate::inspect::export::{GraphNode, NodeKind, Source};
use std::collections::BTreeSet;
use std::fmt;

/// Colours of border and inside.
pub(super) mod colour {
    pub const OPERATION: [&str; 2] = ["#4a6785", "#ffffff"];
    pub const PARAMETER: [&str; 2] = ["#b58900", "#ffe9a8"];
    pub const BUFFER: [&str; 2] = ["#b5a642", "#faf6dc"];
    pub const INPUT: [&str; 2] = ["#4c8c4a", "#dcefd8"];
    pub const INDEX: [&str; 2] = ["#7a5195", "#ece0f5"];
    pub const MASK: [&str; 2] = ["#777777", "#eeeeee"];
    pub const GRADIENT: [&str; 2] = ["#c0392b", "#fde3e0"];
    pub const RESULT: [&str; 2] = ["#b3541e", "#ffd9bd"];
}

/// An entry of the legend.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Look {
    Input,
    Parameter,
    Buffer,
    Operation,
    Index,
    Mask,
    Gradient,
    Result,
}

impl Look {
    pub fn of(node: &GraphNode, gradient: bool) -> Self {
        match node.source {
            Source::Parameter { .. } => Look::Parameter,
            Source::Buffer => Look::Buffer,
            _ if node.kind == NodeKind::Index => Look::Index,
            Source::Constant | Source::Watched => Look::Input,
            Source::Computed if gradient => Look::Gradient,
            Source::Computed if node.kind == NodeKind::Mask => Look::Mask,
            Source::Computed => Look::Operation,
        }
    }

    pub fn colours(self) -> [&'static str; 2] {
        match self {
            Look::Input => colour::INPUT,
            Look::Parameter => colour::PARAMETER,
            Look::Buffer => colour::BUFFER,
            Look::Operation => colour::OPERATION,
            Look::Index => colour::INDEX,
            Look::Mask => colour::MASK,
            Look::Gradient => colour::GRADIENT,
            Look::Result => colour::RESULT,
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Look::Input => "given",
            Look::Parameter => "parameter",
            Look::Buffer => "buffer",
            Look::Operation => "operation",
            Look::Index => "indices (dashed edges)",
            Look::Mask => "truth values (dotted edges)",
            Look::Gradient => "operation of a gradient",
            Look::Result => "result",
        }
    }
}

pub(super) fn write_legend(f: &mut fmt::Formatter<'_>, looks: &BTreeSet<Look>) -> fmt::Result {
    f.write_str(
        "  legend [shape=plaintext, style=\"\", fontsize=8, label=<\
         <TABLE BORDER=\"0\" CELLBORDER=\"1\" CELLSPACING=\"0\" COLOR=\"#bbbbbb\">",
    )?;
    for look in looks {
        write!(f, "<TR><TD BGCOLOR=\"{}\">{}</TD></TR>", look.colours()[1], look.words())?;
    }
    f.write_str("</TABLE>>];\n")
}
