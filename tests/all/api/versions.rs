//! Compares the public types with the table of `#[non_exhaustive]` in CONTRIBUTING.md.
//!
//! A new variant of an enum breaks programs that match all variants. A new field of a struct whose
//! fields are all public breaks programs that build it. Such a type is therefore `#[non_exhaustive]`,
//! or the table names it as open, or it is a module (a layer or a model).

use super::modules::{Source, is_public, modules, parts, text, used};
use crate::vocabulary::hidden;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use syn::{Attribute, Fields, Item, Visibility};

/// A public type to which a program could react wrongly when it gets another member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Promise {
    /// Is `#[non_exhaustive]`.
    Grows,
    /// Derives `Module`.
    Module,
    /// Programs can match all variants, or build the struct from its fields.
    Open,
    /// A struct with a private field: other programs can neither build it nor match all fields.
    Private,
}

fn of_attributes(attributes: &[Attribute], otherwise: Promise) -> Promise {
    if attributes.iter().any(|it| it.path().is_ident("non_exhaustive")) {
        return Promise::Grows;
    }
    let derives = |it: &Attribute| {
        it.path().is_ident("derive") && text(&it.meta).contains("Module") // derive(Clone, Module)
    };
    if attributes.iter().any(derives) { Promise::Module } else { otherwise }
}

fn of_fields(fields: &Fields) -> Promise {
    if fields.iter().all(|field| is_public(&field.vis)) { Promise::Open } else { Promise::Private }
}

/// Finds the `pub enum` and `pub struct` items in the tokens of a macro, and calls `found` with the name
/// and the promise of each. The name of an item that takes its name from an argument is `$Name`.
fn items_of_macro(tokens: TokenStream, found: &mut impl FnMut(String, Promise)) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let ident = |at: usize| match tokens.get(at) {
        Some(TokenTree::Ident(it)) => it.to_string(),
        _ => String::new(),
    };
    let mut attributes = String::new();
    for (i, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => {
                let of_attribute =
                    matches!(&tokens[..i], [.., TokenTree::Punct(it)] if it.as_char() == '#');
                if of_attribute {
                    attributes += &group.to_string();
                } else {
                    items_of_macro(group.stream(), found);
                }
            }
            TokenTree::Punct(it) if matches!(it.as_char(), ';' | ',') => attributes.clear(),
            TokenTree::Ident(it) if *it == "pub" && matches!(&*ident(i + 1), "enum" | "struct") => {
                let (dollar, at) = match tokens.get(i + 2) {
                    Some(TokenTree::Punct(it)) if it.as_char() == '$' => ("$", i + 3),
                    _ => ("", i + 2),
                };
                let name = format!("{dollar}{}", ident(at));
                let end = |token: &&TokenTree| !matches!(token, TokenTree::Punct(it) if it.as_char() == ';');
                let body = tokens[at..].iter().take_while(end).find_map(|token| match token {
                    TokenTree::Group(it) if it.delimiter() != Delimiter::Bracket => {
                        Some(it.stream())
                    }
                    _ => None,
                });
                // A field is private if its colon does not come after `pub NAME`.
                let body = body.map(|it| it.to_string()).unwrap_or_default();
                let words: Vec<&str> = body.split_whitespace().collect();
                let private = words.windows(3).any(|it| it[2] == ":" && it[0] != "pub");
                let promise = if attributes.contains("non_exhaustive") {
                    Promise::Grows
                } else if attributes.contains("Module") {
                    Promise::Module
                } else if ident(i + 1) == "struct" && private {
                    Promise::Private
                } else {
                    Promise::Open
                };
                found(name, promise);
                attributes.clear();
            }
            _ => {}
        }
    }
}

/// Returns the words of tokens, also those in groups.
fn words(tokens: TokenStream) -> Vec<String> {
    tokens
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Ident(it) => vec![it.to_string()],
            TokenTree::Group(it) => words(it.stream()),
            _ => vec![],
        })
        .collect()
}

/// Returns the public types of all crates, by name, with the crate.
fn types() -> BTreeMap<(String, String), Promise> {
    let mut types = BTreeMap::new();
    for part in parts().into_iter().chain(["..".to_string()]) {
        let sources = modules(&part);
        let used = used(&sources);
        // The module `check::testing` is public by `pub use`.
        let public = |source: &Source| source.public || source.path.ends_with("check/testing.rs");
        // Whether calls of this macro define types that are exported. If no item is a call, another macro
        // calls it, and the names come from the calls of that one.
        let exports = |definition: &syn::ItemMacro| {
            let items = sources.iter().flat_map(|source| &source.file.items);
            let names: Vec<String> = items
                .filter_map(|item| match item {
                    Item::Macro(it) if it.ident.is_none() => Some(&it.mac),
                    _ => None,
                })
                .filter(|it| {
                    it.path.segments.last().map(|it| &it.ident) == definition.ident.as_ref()
                })
                .flat_map(|it| words(it.tokens.clone()))
                .collect();
            names.is_empty() || names.iter().any(|name| used.contains(name))
        };
        for source in &sources {
            let visible = |name: &syn::Ident, vis: &Visibility, attributes: &[Attribute]| {
                let named = used.contains(&name.to_string()) || public(source);
                is_public(vis) && named && !hidden(attributes)
            };
            let mut add = |name: String, promise| {
                types.insert((part.clone(), name), promise);
            };
            for item in &source.file.items {
                match item {
                    Item::Enum(it) if visible(&it.ident, &it.vis, &it.attrs) => {
                        add(it.ident.to_string(), of_attributes(&it.attrs, Promise::Open));
                    }
                    Item::Struct(it) if visible(&it.ident, &it.vis, &it.attrs) => {
                        add(it.ident.to_string(), of_attributes(&it.attrs, of_fields(&it.fields)));
                    }
                    Item::Macro(it) => {
                        items_of_macro(it.mac.tokens.clone(), &mut |name, promise| {
                            if used.contains(&name) || public(source) {
                                add(name, promise);
                            } else if name.starts_with('$') && exports(it) {
                                // The name is an argument: all types of the macro have the same promise.
                                add(format!("{name} of {}", text(&it.ident)), promise);
                            }
                        });
                    }
                    _ => {}
                }
            }
        }
    }
    types
}

/// The rows of the table: the names in the first cell, and the second cell.
fn table() -> Vec<(BTreeSet<String>, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("CONTRIBUTING.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (_, table) = page.split_once("| kind of type | policy |").expect("the table of versions");
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|')).skip(1);
    rows.map(|row| {
        let [_, kinds, policy, _] = row.split('|').collect::<Vec<_>>()[..] else {
            panic!("two cells: {row}")
        };
        // `Module` is the derive macro.
        let names = kinds.split('`').skip(1).step_by(2).filter(|name| *name != "Module");
        (names.map(str::to_string).collect(), policy.trim().to_string())
    })
    .collect()
}

#[test]
fn the_table_of_versions_names_every_open_type() {
    let (types, table) = (types(), table());
    assert!(table.len() > 5, "{table:?}");
    let mut open = BTreeSet::new();
    let mut wrong = Vec::new();
    for (names, policy) in &table {
        for name in names {
            let found: Vec<Promise> = types
                .iter()
                .filter(|((_, it), _)| it == name)
                .map(|(_, promise)| *promise)
                .collect();
            let expected = match &**policy {
                it if it.starts_with("open") => {
                    open.insert(name.clone());
                    Promise::Open
                }
                it if it.starts_with("private") => Promise::Private,
                "`#[non_exhaustive]`" => Promise::Grows,
                _ => Promise::Module,
            };
            if found != [expected] {
                wrong.push(format!("`{name}`: {policy}, but it is {found:?}"));
            }
        }
    }
    for ((part, name), promise) in &types {
        if *promise == Promise::Open && !open.contains(name) {
            wrong.push(format!("{part}: `{name}` is neither #[non_exhaustive] nor in the table"));
        }
    }
    assert!(wrong.is_empty(), "CONTRIBUTING.md, Versions:\n{}", wrong.join("\n"));
}

/// The walk finds types of each kind, also those that macros define.
#[test]
fn the_walk_sees_every_kind_of_type() {
    let types = types();
    for (part, name, promise) in [
        ("autograd", "Mode", Promise::Open),
        ("autograd", "OperationError", Promise::Grows),
        ("autograd", "Test", Promise::Grows), // of the module `testing`
        ("autograd", "Tape", Promise::Private),
        ("nn", "Linear", Promise::Module),
        ("nn", "$Layer of channel_norm", Promise::Module),
        ("train", "ClipNorm", Promise::Open),
        ("..", "LeNet", Promise::Module),
    ] {
        let found = types.get(&(part.to_string(), name.to_string()));
        assert_eq!(found, Some(&promise), "{part}: {name}");
    }
    assert!(!types.keys().any(|(_, name)| name == "Given"), "a hidden type");
    let mut found = Vec::new();
    let tokens = "#[doc = \"\"] #[non_exhaustive] pub enum A { X } pub enum B { X } pub struct C { pub x: u8 } \
                  pub struct D { pub x: u8, y: u8 } #[derive(Module)] pub struct $E { pub x: u8 } \
                  pub struct F; impl F { fn f(x: u8) {} }";
    items_of_macro(tokens.parse().unwrap(), &mut |name, promise| found.push((name, promise)));
    let expected = [
        ("A", Promise::Grows),
        ("B", Promise::Open),
        ("C", Promise::Open),
        ("D", Promise::Private),
        ("$E", Promise::Module),
        ("F", Promise::Open),
    ];
    assert_eq!(found, expected.map(|(name, promise)| (name.to_string(), promise)));
}
