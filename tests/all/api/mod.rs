//! Compares the public interface of each crate with its list in `tests/api`, so that every change
//! is noticed.
//!
//! `WENGERT_RENEW_API=1 cargo test -p wengert --test all api::` rewrites the lists; `git diff` then
//! shows the change. Methods that a macro defines are listed with the name of the macro and without
//! signatures.

pub(crate) mod modules;
pub(crate) mod names;
mod versions;

use crate::vocabulary::{ROWS, TABLES, hidden, rows_of_macro, text_without_attributes, under_test};
use modules::{functions_in, is_public, modules, parsed, parts, text, type_name, used};
use std::collections::BTreeSet;
use std::path::Path;
use syn::{Fields, ImplItem, Item, TraitItem, Visibility};

/// Returns the public interface of a crate: one line for each public item.
#[allow(clippy::too_many_lines)] // a case for each kind of item
fn listing(part: &str) -> BTreeSet<String> {
    let sources = modules(part);
    let used = used(&sources);
    let mut lines = BTreeSet::new();
    let mut defined = BTreeSet::new();
    for source in &sources {
        let visible = |name: &syn::Ident, vis: &Visibility| {
            is_public(vis) && (used.contains(&name.to_string()) || source.public)
        };
        for item in &source.file.items {
            match item {
                Item::Struct(it) if visible(&it.ident, &it.vis) && !hidden(&it.attrs) => {
                    defined.insert(it.ident.to_string());
                    lines.insert(format!("struct {}{}", it.ident, text(&it.generics)));
                    if let Fields::Named(fields) = &it.fields {
                        for field in fields.named.iter().filter(|field| is_public(&field.vis)) {
                            let name = field.ident.as_ref().unwrap();
                            lines.insert(format!("{}.{name}: {}", it.ident, text(&field.ty)));
                        }
                    }
                }
                Item::Enum(it) if visible(&it.ident, &it.vis) && !hidden(&it.attrs) => {
                    defined.insert(it.ident.to_string());
                    lines.insert(format!("enum {}{}", it.ident, text(&it.generics)));
                    for variant in &it.variants {
                        lines.insert(format!(
                            "{}::{}{}",
                            it.ident,
                            variant.ident,
                            text(&variant.fields).split('#').next().unwrap()
                        ));
                    }
                }
                Item::Trait(it) if visible(&it.ident, &it.vis) && !hidden(&it.attrs) => {
                    defined.insert(it.ident.to_string());
                    lines.insert(format!(
                        "trait {}{}: {}",
                        it.ident,
                        text(&it.generics),
                        text(&it.supertraits)
                    ));
                    for item in &it.items {
                        if let TraitItem::Fn(method) = item
                            && !hidden(&method.attrs)
                        {
                            lines.insert(format!("{}: {}", it.ident, text(&method.sig)));
                        }
                    }
                }
                Item::Fn(it) if visible(&it.sig.ident, &it.vis) && !hidden(&it.attrs) => {
                    defined.insert(it.sig.ident.to_string());
                    lines.insert(text(&it.sig));
                }
                Item::Type(it) if visible(&it.ident, &it.vis) => {
                    defined.insert(it.ident.to_string());
                    lines.insert(format!("type {} = {}", it.ident, text(&it.ty)));
                }
                Item::Const(it) if visible(&it.ident, &it.vis) => {
                    defined.insert(it.ident.to_string());
                    lines.insert(format!("const {}: {}", it.ident, text(&it.ty)));
                }
                Item::Mod(it) if source.public && is_public(&it.vis) && !hidden(&it.attrs) => {
                    lines.insert(format!("mod {}", it.ident));
                }
                _ => {}
            }
        }
    }
    for source in &sources {
        for item in &source.file.items {
            match item {
                Item::Impl(block) if block.trait_.is_none() && !under_test(&block.attrs) => {
                    let of = type_name(&block.self_ty).unwrap_or_default();
                    if !defined.contains(&of) && !used.contains(&of) {
                        continue;
                    }
                    for item in &block.items {
                        match item {
                            ImplItem::Fn(it) if is_public(&it.vis) && !hidden(&it.attrs) => {
                                lines.insert(format!(
                                    "{}: {}",
                                    text(&block.self_ty),
                                    text(&it.sig)
                                ));
                            }
                            ImplItem::Const(it) if is_public(&it.vis) => {
                                lines.insert(format!("{of}::{}: {}", it.ident, text(&it.ty)));
                            }
                            _ => {}
                        }
                    }
                }
                Item::Macro(it) if it.mac.path.is_ident("macro_rules") => {
                    let name = it.ident.as_ref().unwrap();
                    let exported = it.attrs.iter().any(|it| it.path().is_ident("macro_export"));
                    if exported {
                        lines.insert(format!("macro {name}!"));
                    }
                    for function in functions_in(&text_without_attributes(it.mac.tokens.clone())) {
                        lines.insert(format!("macro {name}! writes: {function}"));
                    }
                    if TABLES.iter().any(|(table, _)| name == table) {
                        for row in rows_of_macro(&text_without_attributes(it.mac.tokens.clone())) {
                            lines.insert(format!("{name}!: {row}"));
                        }
                    }
                }
                Item::Macro(it) => {
                    let tokens = text_without_attributes(it.mac.tokens.clone());
                    let name = text(&it.mac.path);
                    if ROWS.contains(&&*name) {
                        for row in rows_of_macro(&tokens) {
                            lines.insert(format!("{name}!: {row}"));
                        }
                    }
                    let words: Vec<&str> = tokens.split_whitespace().collect();
                    for named in used.iter().filter(|named| !defined.contains(*named)) {
                        if words.iter().any(|word| word == named) {
                            lines.insert(format!("{name}!: {named}"));
                            // Each declaration of a hyperparameter defines a builder method of the
                            // same name.
                            if name == "optimizer" {
                                for pair in words.windows(2).filter(|pair| pair[0] == ";") {
                                    lines.insert(format!("{name}!: {named}: {}", pair[1]));
                                }
                            }
                        }
                    }
                }
                _ => {}
            }
        }
    }
    lines.extend(used.iter().map(|name| format!("use {name}")));
    lines
}

#[test]
fn the_public_items_are_those_of_the_lists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api");
    let mut wrong = Vec::new();
    for part in parts() {
        let path = folder.join(format!("{part}.txt"));
        let now = listing(&part);
        if std::env::var_os("WENGERT_RENEW_API").is_some() {
            let text: String = now.iter().flat_map(|line| [line, "\n"]).collect();
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, text).unwrap();
            continue;
        }
        let listed = std::fs::read_to_string(&path).unwrap_or_default();
        let listed: BTreeSet<String> = listed.lines().map(str::to_string).collect();
        wrong.extend(now.difference(&listed).map(|line| format!("{part}: + {line}")));
        wrong.extend(listed.difference(&now).map(|line| format!("{part}: - {line}")));
    }
    assert!(
        wrong.is_empty(),
        "the public interface differs from tests/api:\n{}\nIf that is meant, run \
         WENGERT_RENEW_API=1 cargo test -p wengert --test all api:: and note it in CHANGELOG.md",
        wrong.join("\n")
    );
}

/// The lists contain an item of each kind.
#[test]
fn every_kind_of_public_item_is_listed() {
    let [tensor, autograd, nn, optim] = ["tensor", "autograd", "nn", "optim"].map(listing);
    for (list, line) in [
        (&tensor, "struct Tensor"),
        (&tensor, "Tensor<T>: fn reshape(&self, shape: impl Sizes)"),
        (&tensor, "PadMode::Reflect"),
        (&tensor, "mod shapes"),
        (&tensor, "!: exp"),
        (&autograd, "trait Module"),
        (&autograd, "mod transforms"),
        (&nn, "fn soft_cross_entropy"),
        (&nn, "Linear.weight: Param<T>"),
        (&nn, "macro sequential!"),
        (&nn, "BatchNorm1d"),
        (&optim, "Adam: fn adamw"),
        (&optim, "optimizer!: Sgd: momentum"),
    ] {
        assert!(list.iter().any(|it| it.contains(line)), "{line}");
    }
    // Private and hidden items are not listed.
    for (list, name) in
        [(&tensor, "Tensor<T>: fn unslice"), (&tensor, "fn fresh_mut"), (&nn, "trait CloneLayer")]
    {
        assert!(!list.iter().any(|it| it.contains(name)), "{name}");
    }
}

/// The paths in the examples of the crates exist in `wengert`.
#[test]
fn examples_use_paths_of_wengert() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let paths = |file: &str| -> BTreeSet<String> {
        let items = parsed(&root.join(file)).items;
        let uses = items.into_iter().filter_map(|item| match item {
            Item::Use(item) => Some(text(&item.tree)),
            _ => None,
        });
        uses.filter(|path| path.starts_with("wengert_") && path.contains(" as ")).collect()
    };
    let (facade, examples) = (paths("src/lib.rs"), paths("tests/facade/src/lib.rs"));
    assert_eq!(facade, examples);
    assert_eq!(examples.len(), 9, "{examples:?}");
}
