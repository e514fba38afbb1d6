//! Compares the page `docs/from-pytorch.md` and the overview tables of `Tensor` and `Var` with the
//! sources. The page and the tables must name each public method, layer, loss, optimizer and
//! schedule, and nothing that does not exist.

use crate::api::modules::exports;
use crate::api::names::{builders, constructors, doc_of, functions, known, members};
use crate::vocabulary::{methods_of_linalg, public_methods};
use std::collections::{BTreeMap, BTreeSet};

/// The types whose methods the page lists, each with its letter in the column "on".
const TYPES: &[(&str, &str)] = &[("T", "Tensor"), ("V", "Var"), ("M", "Mask"), ("I", "Index")];

/// Names of Rust and NumPy that occur in code on the page and do not belong to this library.
const FOREIGN: &[&str] = &[
    "Box",
    "Clone",
    "Copy",
    "From",
    "None",
    "Ok",
    "Option",
    "Result",
    "Rng",
    "Some",
    "String",
    "Vec",
    "RAYON_NUM_THREADS",
    "ThreadPoolBuilder",
];

const ERRORS: &str = "an error, or a part of one: the page of its function says when it occurs";
const PARTS: &str = "a part of a result, which the page of the result explains";
const BOUNDS: &str = "a bound of an argument: which types it accepts";
const KERNELS: &str = "for the other crates of the library";

/// Exported names that have no counterpart in PyTorch and NumPy, and that a reader finds at the item that uses them.
const NOT_ON_THE_PAGE: &[(&str, &str)] = &[
    ("ArchiveProblem", ERRORS),
    ("Cause", ERRORS),
    ("CellProblem", ERRORS),
    ("CheckpointError", ERRORS),
    ("DataError", ERRORS),
    ("DownloadError", ERRORS),
    ("DownloadProblem", ERRORS),
    ("FailedAttempt", ERRORS),
    ("FileError", ERRORS),
    ("FileProblem", ERRORS),
    ("GradcheckError", ERRORS),
    ("GradcheckPlace", ERRORS),
    ("LinalgError", ERRORS),
    ("LinalgProblem", ERRORS),
    ("LineProblem", ERRORS),
    ("Misfit", ERRORS),
    ("NotFinite", ERRORS),
    ("NpyProblem", ERRORS),
    ("PickleProblem", ERRORS),
    ("SearchedFolder", ERRORS),
    ("OperationError", ERRORS),
    ("ThreadsError", ERRORS),
    ("TrainError", ERRORS),
    ("UnknownUnit", ERRORS),
    ("Anomaly", PARTS),
    ("AnomalyPlace", PARTS),
    ("Attribute", PARTS),
    ("Augmented", PARTS),
    ("BufferId", PARTS),
    ("Charged", PARTS),
    ("Corner", PARTS),
    ("Cost", PARTS),
    ("Cotangents", PARTS),
    ("Dot", PARTS),
    ("DownloadProgress", PARTS),
    ("Epoch", PARTS),
    ("EpochRecord", PARTS),
    ("Example", PARTS),
    ("Feature", PARTS),
    ("Fingerprint", PARTS),
    ("FirstState", PARTS),
    ("GradientRow", PARTS),
    ("GraphNode", PARTS),
    ("GraphScope", PARTS),
    ("HookSite", PARTS),
    ("Instruction", PARTS),
    ("LogRecord", PARTS),
    ("Measured", PARTS),
    ("NodeKind", PARTS),
    ("OpenScope", PARTS),
    ("Outline", PARTS),
    ("Outputs", PARTS),
    ("ParamHandle", PARTS),
    ("ParamId", PARTS),
    ("Path", PARTS),
    ("ProfileLine", PARTS),
    ("ProfileRow", PARTS),
    ("Reads", PARTS),
    ("Remark", PARTS),
    ("ScopeSummary", PARTS),
    ("Score", PARTS),
    ("See", PARTS),
    ("SeeMut", PARTS),
    ("Share", PARTS),
    ("Source", PARTS),
    ("Span", PARTS),
    ("StateId", PARTS),
    ("StateKind", PARTS),
    ("Transformed", PARTS),
    ("ValueState", PARTS),
    ("ValueSummary", PARTS),
    ("Batch", BOUNDS),
    ("Batches", BOUNDS),
    ("ColumnKey", BOUNDS),
    ("Combine", BOUNDS),
    ("Function", BOUNDS),
    ("Handle", BOUNDS),
    ("InputBatch", BOUNDS),
    ("IntegerOperand", BOUNDS),
    ("IntoIndex", BOUNDS),
    ("IntoMask", BOUNDS),
    ("Labeled", BOUNDS),
    ("Logged", BOUNDS),
    ("Matrices", BOUNDS),
    ("Number", BOUNDS),
    ("ObjectiveTrainer", BOUNDS),
    ("Quantity", BOUNDS),
    ("Operand", BOUNDS),
    ("ScopeResult", BOUNDS),
    ("SizeList", BOUNDS),
    ("Sizes", BOUNDS),
    ("Size", BOUNDS),
    ("State", BOUNDS),
    ("Binary", KERNELS),
    ("Expr", KERNELS),
    ("Opcode", KERNELS),
    ("Program", KERNELS),
    ("Unary", KERNELS),
    ("binary", KERNELS),
    ("unary", KERNELS),
    ("keep_mask", KERNELS),
    ("fill", KERNELS),
    ("write_atomically", KERNELS),
    ("broadcast_shapes", KERNELS),
    ("of_signals", KERNELS),
];

#[derive(Debug, Default)]
struct Row {
    /// The text of the row, for messages.
    text: String,
    /// The pieces of code in the column "wengert".
    code: Vec<String>,
    /// The pieces of code in this column and those after it.
    mentioned: Vec<String>,
    /// The letters in the column "on", if the table has this column.
    on: Option<BTreeSet<String>>,
}

/// Returns the pieces of code between backticks.
fn spans(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_string).collect()
}

/// Returns the rows of the tables of a page that have a column "wengert".
fn rows(page: &str) -> Vec<Row> {
    let mut found = Vec::new();
    let mut columns: Option<(usize, Option<usize>)> = None;
    for line in page.lines() {
        let Some(line) = line.strip_prefix('|') else {
            columns = None;
            continue;
        };
        let cells: Vec<&str> = line.trim_end().trim_end_matches('|').split(" | ").collect();
        let at = |name: &str| cells.iter().position(|cell| cell.trim() == name);
        match columns {
            None => columns = at("wengert").map(|column| (column, at("on"))),
            Some(_) if line.starts_with("---") => {}
            Some((code, on)) => found.push(Row {
                text: line.to_string(),
                code: spans(cells.get(code).unwrap_or_else(|| panic!("too few columns: {line}"))),
                mentioned: spans(&cells[code..].join(" | ")),
                on: on.map(|on| cells[on].split_whitespace().map(str::to_string).collect()),
            }),
        }
    }
    found
}

/// Returns the identifiers in a piece of code, each with the text before it.
fn identifiers(code: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let (mut word, mut before, mut path) = (String::new(), String::new(), String::new());
    for c in code.chars().chain([' ']) {
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            let start = if before.ends_with("::") { path.clone() } else { String::new() };
            let mark = if before.ends_with("::") {
                start
            } else if before.ends_with('.') && !before.ends_with("..") {
                ".".to_string()
            } else {
                String::new()
            };
            found.push((mark, word.clone()));
            path = std::mem::take(&mut word);
            before.clear();
        }
        before.push(c);
    }
    found
}

/// The names in a piece of code: methods (`.sum`), members of types (`Tensor::zeros`), types and functions.
#[derive(Debug, Default, PartialEq)]
struct Named {
    methods: BTreeSet<String>,
    members: BTreeSet<(String, String)>,
    words: BTreeSet<String>,
}

fn named(code: &str) -> Named {
    let mut named = Named::default();
    for (before, word) in identifiers(code) {
        let is_type = |word: &str| word.starts_with(|c: char| c.is_ascii_uppercase());
        if before == "." && !word.starts_with(|c: char| c.is_ascii_digit()) {
            named.methods.insert(word);
        } else if is_type(&before) && before.len() > 1 {
            named.members.insert((before, word));
        } else if is_type(&word) && word.len() > 1
            || before.is_empty() && code.starts_with(&format!("{word}("))
            || code == word
            || !before.is_empty() && before != "."
        {
            named.words.insert(word);
        }
    }
    named
}

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/from-pytorch.md");
    std::fs::read_to_string(path).unwrap()
}

/// Returns the names that the page must contain: what the crates export, the functions of `init.rs`, the constructors of
/// optimizers that have their own names, and the options of layers, optimizers, schedules, loaders, and of geometries.
fn required() -> BTreeSet<String> {
    let mut names: BTreeSet<String> = functions("nn", "init.rs");
    for part in ["tensor", "autograd", "linalg", "nn", "optim", "data", "random", "train", "plot"] {
        names.extend(exports(part));
    }
    names.extend(constructors("optim"));
    for part in ["tensor", "nn", "optim", "data"] {
        names.extend(builders(part));
    }
    for (name, _) in NOT_ON_THE_PAGE {
        assert!(names.remove(*name), "{name}: remove it from NOT_ON_THE_PAGE");
    }
    names
}

/// Returns the differences between a page and the names that it must contain.
fn faults(
    page: &str,
    methods: &BTreeMap<&str, BTreeSet<String>>,
    required: &BTreeSet<String>,
    exists: &dyn Fn(&Named) -> Vec<String>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut covered: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut words = BTreeSet::new();
    for row in rows(page) {
        for code in &row.mentioned {
            words.extend(identifiers(code).into_iter().map(|(_, word)| word));
        }
        for code in &row.code {
            let named = named(code);
            wrong.extend(
                exists(&named).into_iter().map(|fault| format!("{fault} in: {}", row.text)),
            );
            let Some(on) = &row.on else { continue };
            let of_types = named.members.iter().filter_map(|(of, name)| {
                TYPES.iter().any(|(_, known)| known == of).then_some(name)
            });
            for name in named.methods.iter().chain(of_types) {
                for (letter, of) in TYPES {
                    if on.contains(*letter) {
                        covered.entry(of).or_default().insert(name.clone());
                        if !methods[of].contains(name) {
                            wrong.push(format!(
                                "{of} does not have the method {name} of the row: {}",
                                row.text
                            ));
                        }
                    } else if methods[of].contains(name) {
                        wrong.push(format!(
                            "{of} has the method {name}, but the row says that it does not: {}",
                            row.text
                        ));
                    }
                }
            }
        }
    }
    for (of, all) in methods {
        for name in all {
            if !covered.get(of).is_some_and(|names| names.contains(name)) {
                wrong.push(format!("{of}::{name} is missing in the page"));
            }
        }
    }
    for name in required {
        if !words.contains(name) {
            wrong.push(format!("{name} is missing in the page"));
        }
    }
    wrong
}

fn all_methods() -> BTreeMap<&'static str, BTreeSet<String>> {
    let of = |of: &'static str| {
        let mut names = public_methods(of);
        if ["Tensor", "Var"].contains(&of) {
            names.extend(methods_of_linalg());
        }
        (of, names)
    };
    TYPES.iter().map(|(_, name)| of(name)).collect()
}

/// Returns the names in this code that the library does not have.
fn unknown(named: &Named) -> Vec<String> {
    let known = known();
    let mut wrong = Vec::new();
    for name in &named.methods {
        if !known.members.contains(name) {
            wrong.push(format!("no method {name}"));
        }
    }
    for name in &named.words {
        if !known.items.contains(name) && !FOREIGN.contains(&&**name) {
            wrong.push(format!("no item {name}"));
        }
    }
    for (of, name) in &named.members {
        if FOREIGN.contains(&&**of) {
            continue;
        }
        match members(of) {
            _ if TYPES.iter().any(|(_, it)| it == of) && public_methods(of).contains(name) => {}
            _ if TYPES.iter().any(|(_, it)| it == of) => wrong.push(format!("no {of}::{name}")),
            Some(names) if !names.contains(name) => wrong.push(format!("no {of}::{name}")),
            None if !known.items.contains(of) => wrong.push(format!("no type {of}")),
            // A macro defines this type, so its methods are only in `known.members`.
            None if !known.members.contains(name) => wrong.push(format!("no {of}::{name}")),
            _ => {}
        }
    }
    wrong
}

#[test]
fn the_page_names_exactly_the_public_items() {
    let wrong = faults(&page(), &all_methods(), &required(), &unknown);
    assert!(wrong.is_empty(), "docs/from-pytorch.md:\n{}", wrong.join("\n"));
}

/// The comparison reports a missing row and an additional row of each kind.
#[test]
fn missing_and_extra_items_of_the_page_are_found() {
    let page = page();
    let (methods, required) = (all_methods(), required());
    let kinds = [
        "Tensor::permutation",
        "dropout",
        "xor",
        "Index::checked_classes",
        "Conv2d",
        "cross_entropy",
        "Sgd",
        "CosineAnnealingLr",
        "kaiming_normal",
        "TensorDataset",
        "set_num_threads",
        "Trainer",
        "EarlyStopping",
        "CustomOp",
        "charts",
        "amsgrad",
        "cycle_momentum",
        "without_affine",
        "drop_last",
    ];
    for missing in kinds {
        let name = missing.rsplit("::").next().unwrap();
        let without: String = page
            .lines()
            .filter(|line| {
                let names = rows(&format!("| wengert |\n|---|\n{line}\n"));
                !names.iter().any(|_| {
                    spans(line)
                        .iter()
                        .any(|code| identifiers(code).iter().any(|(_, word)| word == name))
                })
            })
            .flat_map(|line| [line, "\n"])
            .collect();
        let wrong = faults(&without, &methods, &required, &unknown);
        assert!(
            wrong.iter().any(|it| it.contains(name) && it.contains("is missing")),
            "{missing}: {wrong:?}"
        );
    }
    for (row, fault) in [
        ("`.frobnicate()` | T V", "no method frobnicate"),
        ("`Tensor::zeroes(shape)` | T", "no Tensor::zeroes"),
        ("`Conv4d` | T", "no item Conv4d"),
        ("`hinge_loss(x, y)` | T", "no item hinge_loss"),
        ("`Sgd::nesterof(true)` | T", "no Sgd::nesterof"),
        ("`.exp()` | T", "Var has the method exp"),
        ("`.backward()` | T V", "Tensor does not have the method backward"),
    ] {
        let with = format!("{page}\n\n| wengert | on |\n|---|---|\n| {row} |\n");
        let wrong = faults(&with, &methods, &required, &unknown);
        assert!(wrong.iter().any(|it| it.contains(fault)), "{fault}: {wrong:?}");
    }
}

/// Names that the section "Not here" mentions although something of the library has the same name.
const STAND_FOR_OTHERS: &[(&str, &str)] = &[("save", "`torch.save` writes other objects")];

/// What stands before a name of PyTorch or NumPy.
const BEFORE_NAMES: &[&str] = &["F", "nn", "np", "torch", "x"];

/// Returns the names in the first column of the section "Not here" that the library has.
fn here_after_all(page: &str) -> Vec<String> {
    let section = page.split_once("\n## Not here\n").expect("a section `Not here`").1;
    let section = section.split("\n## ").next().unwrap();
    let (known, methods) = (known(), all_methods());
    let has = |name: &str| {
        known.items.contains(name) || ["Tensor", "Var"].iter().any(|of| methods[of].contains(name))
    };
    let mut found = Vec::new();
    for line in section.lines().filter_map(|line| line.strip_prefix('|')) {
        let cell = line.split(" | ").next().unwrap();
        for (_, name) in spans(cell).iter().flat_map(|code| identifiers(code)) {
            let other = STAND_FOR_OTHERS.iter().any(|(it, _)| *it == name);
            if has(&name) && !other && !BEFORE_NAMES.contains(&&*name) {
                found.push(format!("{name} of the row: {}", line.trim()));
            }
        }
    }
    found
}

#[test]
fn nothing_that_is_missing_exists() {
    let found = here_after_all(&page());
    assert!(found.is_empty(), "docs/from-pytorch.md, \"Not here\":\n{}", found.join("\n"));
}

#[test]
fn names_that_exist_are_found_among_the_missing_ones() {
    for (row, name) in [
        ("`sort`, `frobnicate`", "sort"),           // a method of both types
        ("`torch.masked_select`", "masked_select"), // of tensors alone
        ("`x.backward()`", "backward"),             // of variables alone
        ("`nn.Conv2d`", "Conv2d"),                  // a type
        ("`F.cross_entropy`", "cross_entropy"),     // a function
    ] {
        let found =
            here_after_all(&format!("# A\n\n## Not here\n\n| a | b |\n|---|---|\n| {row} | – |\n"));
        assert_eq!(found.len(), 1, "{row}: {found:?}");
        assert!(found[0].starts_with(name), "{found:?}");
    }
    let none = "# A\n\n`sort`\n\n## Not here\n\n| a | b |\n|---|---|\n| `frobnicate` | `sort` |\n\n## B\n\n| `sort` | |\n";
    assert!(here_after_all(none).is_empty());
}

/// Returns the methods in the tables of a doc comment: links whose text is code, except links to
/// other types.
fn in_tables(doc: &str) -> Vec<String> {
    let mut names = Vec::new();
    for line in doc.lines().filter(|line| line.starts_with("| ")) {
        for part in line.split("[`").skip(1) {
            let (name, rest) = part.split_once("`]").unwrap_or_else(|| panic!("no link: {line}"));
            let target = rest.strip_prefix('(').and_then(|rest| rest.split(')').next());
            let own = target.is_some_and(|target| {
                target == format!("Self::{name}")
                    || target.strip_prefix("method@Self::") == Some(name)
            });
            if own {
                names.push(name.to_string());
            }
        }
    }
    names
}

/// Returns the errors in an overview. Each method must be in exactly one row of the section.
fn overview_faults(doc: &str, methods: &BTreeSet<String>) -> Vec<String> {
    let start = doc.find("# Methods by kind").expect("a section `Methods by kind`");
    let section = &doc[start + 1..];
    let section = &section[..section.find("\n# ").unwrap_or(section.len())];
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for name in in_tables(section) {
        *counts.entry(name).or_default() += 1;
    }
    let mut wrong = Vec::new();
    for name in methods {
        match counts.get(name) {
            None => wrong.push(format!("{name} is missing")),
            Some(1) => {}
            Some(n) => wrong.push(format!("{name} stands {n} times")),
        }
    }
    for name in counts.keys().filter(|name| !methods.contains(*name)) {
        wrong.push(format!("{name} does not exist"));
    }
    wrong
}

#[test]
fn the_overviews_of_tensor_and_var_are_complete() {
    for (part, of) in [("tensor", "Tensor"), ("autograd", "Var")] {
        let doc = doc_of(part, of);
        let wrong = overview_faults(&doc, &public_methods(of));
        assert!(wrong.is_empty(), "{of}:\n{}", wrong.join("\n"));
    }
}

#[test]
fn faults_of_an_overview_are_found() {
    let doc = "A type.\n\n# Methods by kind\n| | |\n|---|---|\n\
        | a | [`sum`](Self::sum), [`sum`](Self::sum), [`gone`](Self::gone) |\n\n# More\n\
        | b | [`exp`](Self::exp) |\n";
    let methods = ["sum", "exp"].map(str::to_string).into();
    assert_eq!(
        overview_faults(doc, &methods),
        ["exp is missing", "sum stands 2 times", "gone does not exist"]
    );
}
