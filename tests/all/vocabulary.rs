//! Checks that methods of tensors and variables that do the same have the same name and the same
//! number of arguments. Methods that only one of the two types has are listed here, each with the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use syn::{Attribute, FnArg, ImplItem, Item, Type, Visibility};

const BOOLEANS: &str = "of booleans, which on a tape are a `Mask`";
const INTEGERS: &str = "of integers, which on a tape are an `Index`";
const VALUES: &str =
    "the shape of the result depends on values, which a tape knows later than shapes";
const MEMORY: &str = "a variable is not changed and owns no memory: read x.value()";
const NUMBERS: &str = "numbers enter a tape through tape.constant, and leave it through value";
const TAPE: &str = "the tape: what is recorded, gradients, the lifetime of values";
const RANDOM: &str = "the mask's key comes from the tape";

/// The methods of tensors that variables do not have.
const TENSOR_ONLY: &[(&str, &str)] = &[
    ("and", BOOLEANS),
    ("or", BOOLEANS),
    ("xor", BOOLEANS),
    ("not", BOOLEANS),
    ("is_any", BOOLEANS),
    ("is_all", BOOLEANS),
    ("count", BOOLEANS),
    ("contiguous", MEMORY),
    ("copied", MEMORY),
    ("is_contiguous", MEMORY),
    ("make_mut", MEMORY),
    ("as_slice", MEMORY),
    ("shares_storage", MEMORY),
    ("to_vec", MEMORY),
    ("at", MEMORY),
    ("cast", NUMBERS),
    ("scalar", NUMBERS),
    ("scalar_of", NUMBERS),
    ("full", NUMBERS),
    ("full_of", NUMBERS),
    ("zeros", NUMBERS),
    ("zeros_of", NUMBERS),
    ("ones", NUMBERS),
    ("ones_of", NUMBERS),
    ("arange", NUMBERS),
    ("arange_of", NUMBERS),
    ("linspace", NUMBERS),
    ("linspace_of", NUMBERS),
    ("eye", NUMBERS),
    ("eye_of", NUMBERS),
    ("one_hot", INTEGERS),
    ("bincount", VALUES),
    ("masked_select", VALUES),
    ("nonzero", VALUES),
    ("unique", VALUES),
    ("from_vec", NUMBERS),
    ("from_slice", NUMBERS),
    ("from_fn", NUMBERS),
    ("uniform", NUMBERS),
    ("uniform_of", NUMBERS),
    ("normal", NUMBERS),
    ("normal_of", NUMBERS),
    ("permutation", NUMBERS),
    ("integers", NUMBERS),
];

/// The methods of variables that tensors do not have.
const VARIABLE_ONLY: &[(&str, &str)] = &[
    ("value", TAPE),
    ("tape", TAPE),
    ("detach", TAPE),
    ("is_active", TAPE),
    ("is", TAPE),
    ("release", TAPE),
    ("backward", TAPE),
    ("backward_retain", TAPE),
    ("independent_of", TAPE),
    ("backward_from", TAPE),
    ("backward_checked", TAPE),
    ("backward_for", TAPE),
    ("hooks", TAPE),
    ("grad", TAPE),
    ("grad_from", TAPE),
    ("grad_or_zero", TAPE),
    ("dropout", RANDOM),
];

/// The methods of masks that tensors do not have.
const MASK_ONLY: &[(&str, &str)] = &[("tape", TAPE), ("value", TAPE)];

/// Names that are reserved for methods to be added later. No method may use them before.
const RESERVED: &[&str] = &["scan"];

/// Macros whose rows `… as name …` define methods. A row `… as name in programs …` defines none.
pub(super) const ROWS: &[&str] =
    &["unary", "comparisons", "logic", "methods", "rules", "functions"];

/// Macros that contain a table of such rows for other macros, and the type whose methods the rows define.
pub(super) const TABLES: &[(&str, &str)] = &[("unary_operations", "Tensor")];

/// Macros that define public functions of other types, and macros that those of [`ROWS`] call.
const OTHER_MACROS: &[&str] = &["method", "binary", "state", "unary_methods", "binary_methods"];

/// The names of methods, and the number of arguments of each without `self`. The number is `None`
/// for methods that a macro defines.
type Methods = BTreeMap<String, Option<usize>>;

pub(super) fn sources(crate_name: &str) -> Vec<PathBuf> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("tests") {
                continue; // tests of the crate itself
            }
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|it| it == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    collect(&root.join("crates").join(crate_name).join("src"), &mut found);
    assert!(found.len() > 10, "{found:?}");
    found
}

pub(super) fn hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|it| match &it.meta {
        syn::Meta::List(list) => list.path.is_ident("doc") && list.tokens.to_string() == "hidden",
        _ => false,
    })
}

pub(super) fn under_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|it| match &it.meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    })
}

/// Returns the names in a macro's rows: the word after `as`, except in `as name in programs`.
pub(super) fn rows_of_macro(tokens: &str) -> Vec<String> {
    let words: Vec<&str> = tokens.split_whitespace().collect();
    let mut names = Vec::new();
    for (i, word) in words.iter().enumerate() {
        // The words of a doc comment are inside a string, so they are not found here.
        if *word == "as" && words.get(i + 2..i + 4) != Some(&["in", "programs"]) {
            let name = words[i + 1].trim_end_matches([';', ':']);
            if name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
                names.push(name.to_string());
            }
        }
    }
    names
}

/// Returns the tokens as text without attributes, since the text of doc comments is not code.
pub(super) fn text_without_attributes(tokens: proc_macro2::TokenStream) -> String {
    use proc_macro2::{Delimiter, TokenTree};
    let mut text = String::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(it) if it.as_char() == '#' => {
                if let Some(TokenTree::Group(group)) = tokens.peek()
                    && group.delimiter() == Delimiter::Bracket
                {
                    tokens.next();
                }
            }
            TokenTree::Group(group) => {
                text.extend([" ", &text_without_attributes(group.stream()), " "]);
            }
            other => text.extend([" ", &other.to_string(), " "]),
        }
    }
    text
}

/// Returns the public methods of this type in the sources of a crate.
fn methods(crate_name: &str, type_name: &str) -> Methods {
    let mut found = Methods::new();
    for path in sources(crate_name) {
        let text = std::fs::read_to_string(&path).unwrap();
        let file = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for item in file.items {
            match item {
                Item::Impl(block) if block.trait_.is_none() && !under_test(&block.attrs) => {
                    let Type::Path(of) = &*block.self_ty else { continue };
                    if of.path.segments.last().is_none_or(|it| it.ident != type_name) {
                        continue;
                    }
                    for item in block.items {
                        let ImplItem::Fn(method) = item else { continue };
                        if matches!(method.vis, Visibility::Public(_)) && !hidden(&method.attrs) {
                            let inputs = &method.sig.inputs;
                            let takes =
                                inputs.iter().filter(|it| matches!(it, FnArg::Typed(_))).count();
                            found.insert(method.sig.ident.to_string(), Some(takes));
                        }
                    }
                }
                Item::Macro(it) if it.mac.path.is_ident("macro_rules") => {
                    let name = it.ident.unwrap().to_string();
                    if TABLES.contains(&(&*name, type_name)) {
                        let names = rows_of_macro(&text_without_attributes(it.mac.tokens.clone()));
                        found.extend(names.into_iter().map(|name| (name, None)));
                    }
                    let makes_functions = it.mac.tokens.to_string().contains("pub fn");
                    assert!(
                        !makes_functions
                            || ROWS.contains(&&*name)
                            || OTHER_MACROS.contains(&&*name),
                        "{}: the macro {name}! makes public functions, which this test must read",
                        path.display()
                    );
                }
                Item::Macro(it) if ROWS.iter().any(|name| it.mac.path.is_ident(name)) => {
                    let names = rows_of_macro(&text_without_attributes(it.mac.tokens));
                    assert!(!names.is_empty(), "{}: a macro without rows", path.display());
                    found.extend(names.into_iter().map(|name| (name, None)));
                }
                _ => {}
            }
        }
    }
    found
}

/// Returns the public methods of `Tensor`, `Var`, `Mask` or `Index`.
pub(super) fn public_methods(type_name: &str) -> BTreeSet<String> {
    static KNOWN: OnceLock<BTreeMap<&str, BTreeSet<String>>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| {
        let names =
            |part: &str, of: &str| -> BTreeSet<String> { methods(part, of).into_keys().collect() };
        // Methods that macros define for variables do not belong to masks and indices.
        let of_macros = names("autograd", "Nothing");
        let own = |of: &str| &names("autograd", of) - &of_macros;
        [
            ("Tensor", names("tensor", "Tensor")),
            ("Var", names("autograd", "Var")),
            ("Mask", own("Mask")),
            ("Index", own("Index")),
        ]
        .into()
    });
    known[type_name].clone()
}

/// Returns the methods that the trait `Linalg` adds to tensors and variables.
pub(super) fn methods_of_linalg() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("crates/linalg/src/linalg.rs")).unwrap();
    let mut found = BTreeSet::new();
    for item in syn::parse_file(&text).unwrap().items {
        let Item::Trait(item) = item else { continue };
        for item in item.items {
            let syn::TraitItem::Fn(method) = item else { continue };
            found.insert(method.sig.ident.to_string());
        }
    }
    assert!(found.contains("solve") && found.len() > 20, "{found:?}");
    found
}

/// A method of a type would hide that of the trait.
#[test]
fn methods_of_linalg_have_names_of_their_own() {
    let names = methods_of_linalg();
    for of in ["Tensor", "Var"] {
        let both: Vec<_> = names.intersection(&public_methods(of)).cloned().collect();
        assert!(both.is_empty(), "{of}: {both:?}");
    }
}

/// Returns the errors in the list of exceptions of one side.
fn compare(
    side: &str,
    own: &Methods,
    others: &Methods,
    exceptions: &[(&str, &str)],
) -> Vec<String> {
    let mut wrong = Vec::new();
    let excepted: BTreeSet<&str> = exceptions.iter().map(|(name, _)| *name).collect();
    assert_eq!(excepted.len(), exceptions.len(), "a name is listed twice");
    for (name, takes) in own {
        match others.get(name) {
            None if !excepted.contains(&**name) => {
                wrong.push(format!("{name}: only {side} have this method"));
            }
            Some(_) if excepted.contains(&**name) => {
                wrong.push(format!(
                    "{name}: both types have this method: remove it from the list of exceptions"
                ));
            }
            Some(Some(also)) if takes.is_some_and(|takes| takes != *also) => {
                wrong.push(format!("{name}: the method of {side} takes {takes:?} arguments, the other one takes {also}"));
            }
            _ => {}
        }
    }
    for name in excepted {
        if !own.contains_key(name) {
            wrong.push(format!(
                "{name}: {side} do not have this method: remove it from the list of exceptions"
            ));
        }
    }
    wrong
}

#[test]
fn tensors_and_variables_have_the_same_methods() {
    let (tensor, variable) = (methods("tensor", "Tensor"), methods("autograd", "Var"));
    let mut wrong = compare("tensors", &tensor, &variable, TENSOR_ONLY);
    wrong.extend(compare("variables", &variable, &tensor, VARIABLE_ONLY));
    for name in RESERVED {
        if tensor.contains_key(*name) != variable.contains_key(*name) {
            wrong.push(format!(
                "{name}: the name is reserved for a method of both types, but only one type has it"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A mask has the logical methods of a boolean tensor, and its methods have the same names as those
/// of tensors.
#[test]
fn masks_have_the_methods_of_boolean_tensors() {
    let (tensor, mask) = (methods("tensor", "Tensor"), methods("autograd", "Mask"));
    // Methods that macros define for variables and indices do not belong to masks.
    let of_macros = |name: &str| methods("autograd", "Nothing").contains_key(name);
    let own: Methods = mask.into_iter().filter(|(name, _)| !of_macros(name)).collect();
    let wrong = compare("masks", &own, &tensor, MASK_ONLY);
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    for (name, _) in TENSOR_ONLY.iter().filter(|(_, why)| *why == BOOLEANS) {
        assert!(own.contains_key(*name), "{name}: masks do not have this method");
    }
    for name in ["cast", "concat", "reshape", "item", "dtype"] {
        assert!(own.contains_key(name), "{name}");
    }
}

/// The search finds a method of each kind of source.
#[test]
fn methods_are_found_in_impl_blocks_and_macro_rows() {
    let (tensor, variable) = (methods("tensor", "Tensor"), methods("autograd", "Var"));
    for name in ["reshape", "exp", "clamp_min", "powi", "gt", "ne", "maximum", "sum", "softmax"] {
        assert!(tensor.contains_key(name) && variable.contains_key(name), "{name}");
    }
    for name in ["and", "not", "permutation", "uniform"] {
        assert!(tensor.contains_key(name), "{name}");
    }
    for name in ["square", "backward", "dropout"] {
        assert!(variable.contains_key(name), "{name}");
    }
    // Hidden and private methods, those with a suffix for the kernel, and those of programs are not found.
    for name in ["unslice", "unary", "scale", "negative", "indicator_gt", "gt_scalar", "equal"] {
        assert!(!tensor.contains_key(name), "{name}");
    }
    for name in ["steps", "binary", "gt_var", "positions"] {
        assert!(!variable.contains_key(name), "{name}");
    }
    assert!(tensor.len() > 120 && variable.len() > 100, "{} {}", tensor.len(), variable.len());
}

#[test]
fn differences_between_lists_of_methods_are_found() {
    let of = |names: &[(&str, usize)]| -> Methods {
        names.iter().map(|(name, takes)| ((*name).to_string(), Some(*takes))).collect()
    };
    let (a, b) = (of(&[("sum", 2), ("exp", 0), ("sort", 1)]), of(&[("sum", 1), ("exp", 0)]));
    assert_eq!(
        compare("tensors", &a, &b, &[("exp", ""), ("gone", "")]),
        [
            "exp: both types have this method: remove it from the list of exceptions",
            "sort: only tensors have this method",
            "sum: the method of tensors takes Some(2) arguments, the other one takes 1",
            "gone: tensors do not have this method: remove it from the list of exceptions",
        ]
    );
}

/// The type names that several files of the workspace declare, each with the one idea that it stands for.
const SHARED_TYPES: &[(&str, &str)] = &[
    ("Given", "an operand of an operator: a tensor or a variable, or a number"),
    ("Image", "the pixels of an image: augmented by `data`, drawn by `plot`"),
    ("Operand", "what an operator accepts on its right side, of tensors and of variables"),
    ("Sealed", "the usual name of the trait that other crates cannot implement"),
];

/// Returns the names of the types and traits that a file declares, at any depth. Test modules and associated
/// types are left out.
fn declared(tokens: proc_macro2::TokenStream) -> BTreeSet<String> {
    use proc_macro2::{Delimiter, TokenTree};
    /// `members` is whether the tokens lie in a trait, an `impl` block or a macro.
    fn walk(tokens: proc_macro2::TokenStream, members: bool, found: &mut BTreeSet<String>) {
        let mut tokens = tokens.into_iter().peekable();
        // Whether the item is for tests, and whether its types are members.
        let (mut test, mut outer) = (false, false);
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Punct(it) if it.as_char() == '#' => {
                    if let Some(TokenTree::Group(group)) = tokens.peek() {
                        let text = group.stream().to_string().replace(' ', "");
                        test |= text.starts_with("cfg(test)") || text.starts_with("cfg(all(test");
                        tokens.next();
                    }
                }
                TokenTree::Punct(it) if it.as_char() == ';' => (test, outer) = (false, false),
                TokenTree::Group(group) => {
                    let braces = group.delimiter() == Delimiter::Brace;
                    if !test {
                        walk(group.stream(), members || braces && outer, found);
                    }
                    if braces {
                        (test, outer) = (false, false);
                    }
                }
                TokenTree::Ident(it) => {
                    let word = it.to_string();
                    outer |= matches!(&*word, "impl" | "trait" | "macro_rules");
                    let declares = matches!(&*word, "struct" | "enum" | "union" | "trait")
                        || word == "type" && !members;
                    if declares
                        && !test
                        && let Some(TokenTree::Ident(name)) = tokens.peek()
                    {
                        found.insert(name.to_string());
                    }
                }
                _ => {}
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(tokens, false, &mut found);
    found
}

/// A type name has one meaning in the workspace. Two files may declare the same name for one idea.
#[test]
fn a_type_name_has_one_meaning() {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("tests") {
                collect(&path, found);
            } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("tests.rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    for entry in std::fs::read_dir(root.join("crates")).unwrap() {
        collect(&entry.unwrap().path().join("src"), &mut files);
    }
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files {
        let tokens = std::fs::read_to_string(&file).unwrap().parse().unwrap();
        for name in declared(tokens) {
            let place = file.strip_prefix(root).unwrap().display().to_string();
            places.entry(name).or_default().push(place);
        }
    }
    assert!(places.len() > 400, "{}", places.len());
    let permitted: BTreeMap<_, _> = SHARED_TYPES.iter().copied().collect();
    let mut wrong = Vec::new();
    for (name, places) in places.iter().filter(|(_, places)| places.len() > 1) {
        if !permitted.contains_key(&**name) {
            wrong.push(format!(
                "`{name}` is declared in {}: rename one, or list the idea that both share",
                places.join(" and ")
            ));
        }
    }
    for name in permitted.keys() {
        if places.get(*name).is_none_or(|places| places.len() < 2) {
            wrong.push(format!(
                "`{name}`: fewer than two files declare this type: remove it from the list"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn declarations_are_found_at_any_depth() {
    let code = "
        /// struct Comment;
        pub struct A<T>(T);
        impl<T> Iterator for A<T> { type Item = T; fn f() { struct B { x: u8 } enum C { V } } }
        trait D { type Out; }
        macro_rules! rows { () => { type Sum = i64; } }
        mod inner { pub(crate) type E = u8; }
        #[cfg(test)] mod tests { struct Hidden; }
        #[cfg(test)] mod more;
        #[derive(Clone)] struct F;
        fn g() -> &'static str { \"struct Text;\" }";
    let found = declared(code.parse().unwrap());
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["A", "B", "C", "D", "E", "F"]);
}
