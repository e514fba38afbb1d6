//! The names of the public interface that pages and tables may use: types, members, functions and constructors.

use super::modules::{exports, functions_in, is_public, modules, parts, text, type_name, used};
use crate::vocabulary::{hidden, rows_of_macro, sources, text_without_attributes};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use syn::{FnArg, ImplItem, Item, TraitItem};

/// Returns the public functions and enums of the file with this name.
pub(crate) fn functions(part: &str, file: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for source in modules(part).iter().filter(|source| source.path.ends_with(file)) {
        for item in &source.file.items {
            match item {
                Item::Fn(item) if is_public(&item.vis) => {
                    names.insert(item.sig.ident.to_string());
                }
                Item::Enum(item) if is_public(&item.vis) => {
                    names.insert(item.ident.to_string());
                }
                _ => {}
            }
        }
    }
    assert!(!names.is_empty(), "{part}: no {file}");
    names
}

/// Returns the constructors of the exported types of a crate, except those named `new`, `of` or `…_of`.
pub(crate) fn constructors(part: &str) -> BTreeSet<String> {
    let exported = exports(part);
    let mut names = BTreeSet::new();
    for source in modules(part) {
        for item in source.file.items {
            let Item::Impl(block) = item else { continue };
            let of = type_name(&block.self_ty).unwrap_or_default();
            if block.trait_.is_some() || !exported.contains(&of) {
                continue;
            }
            for item in block.items {
                let ImplItem::Fn(method) = item else { continue };
                let name = method.sig.ident.to_string();
                let takes_self =
                    method.sig.inputs.iter().any(|it| matches!(it, FnArg::Receiver(_)));
                let makes = text(&method.sig.output).ends_with("Self");
                let plain = name == "new" || name == "of" || name.ends_with("_of");
                if is_public(&method.vis) && !takes_self && makes && !plain {
                    names.insert(name);
                }
            }
        }
    }
    names
}

/// Returns the names in the rows `name(field: type = default) …;` of an optimizer.
fn rows_of_options(tokens: proc_macro2::TokenStream) -> Vec<String> {
    use proc_macro2::{Delimiter, TokenTree};
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let rows = tokens.windows(2).filter_map(|pair| match pair {
        [TokenTree::Ident(name), TokenTree::Group(group)]
            if group.delimiter() == Delimiter::Parenthesis =>
        {
            Some(name.to_string())
        }
        _ => None,
    });
    rows.collect()
}

/// Returns the methods of the exported types of a crate that take a value and return it with another option.
pub(crate) fn builders(part: &str) -> BTreeSet<String> {
    let exported = exports(part);
    let mut names = BTreeSet::new();
    for source in modules(part) {
        for item in source.file.items {
            if let Item::Macro(item) = &item
                && item.mac.path.is_ident("optimizer")
            {
                names.extend(rows_of_options(item.mac.tokens.clone()));
            }
            let Item::Impl(block) = item else { continue };
            let of = type_name(&block.self_ty).unwrap_or_default();
            if block.trait_.is_some() || !exported.contains(&of) {
                continue;
            }
            for item in block.items {
                let ImplItem::Fn(method) = item else { continue };
                let by_value = matches!(
                    method.sig.inputs.first(),
                    Some(FnArg::Receiver(it)) if matches!(it.kind, syn::ReceiverKind::Value)
                );
                let same = text(&method.sig.output).ends_with("Self");
                if is_public(&method.vis) && by_value && same && !hidden(&method.attrs) {
                    names.insert(method.sig.ident.to_string());
                }
            }
        }
    }
    names
}

/// Returns the doc comment of a struct.
pub(crate) fn doc_of(part: &str, name: &str) -> String {
    for source in modules(part) {
        for item in source.file.items {
            let Item::Struct(item) = item else { continue };
            if item.ident != name {
                continue;
            }
            let mut doc = String::new();
            for attribute in &item.attrs {
                if let syn::Meta::NameValue(it) = &attribute.meta
                    && it.path.is_ident("doc")
                    && let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(line), .. }) = &it.value
                {
                    let line = line.value();
                    doc.push_str(line.strip_prefix(' ').unwrap_or(&line));
                    doc.push('\n');
                }
            }
            return doc;
        }
    }
    panic!("{part}: no struct {name}")
}

/// The names of the library that a page may use.
pub(crate) struct Known {
    /// Types, traits, functions, modules, macros.
    pub items: BTreeSet<String>,
    /// Methods, variants, fields.
    pub members: BTreeSet<String>,
    /// The members of each type that no macro defines.
    of: BTreeMap<String, BTreeSet<String>>,
}

impl Known {
    /// Adds a member of a type.
    fn add(&mut self, of: &str, member: &syn::Ident) {
        self.of.entry(of.to_string()).or_default().insert(member.to_string());
        self.members.insert(member.to_string());
    }
}

pub(crate) fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let mut known =
            Known { items: BTreeSet::new(), members: BTreeSet::new(), of: BTreeMap::new() };
        known.items.extend(parts());
        known.items.extend(["models", "prelude", "testing", "wengert"].map(str::to_string));
        for part in parts() {
            let exported = used(&modules(&part));
            known.items.extend(exported);
            for source in modules(&part) {
                for item in &source.file.items {
                    match item {
                        Item::Impl(block) => {
                            let of = type_name(&block.self_ty).unwrap_or_default();
                            for item in &block.items {
                                let name = match item {
                                    ImplItem::Fn(it) if is_public(&it.vis) => &it.sig.ident,
                                    ImplItem::Const(it) if is_public(&it.vis) => &it.ident,
                                    _ => continue,
                                };
                                known.add(&of, name);
                            }
                        }
                        Item::Enum(it) => {
                            for variant in &it.variants {
                                known.add(&it.ident.to_string(), &variant.ident);
                            }
                        }
                        Item::Struct(it) => {
                            let public = it.fields.iter().filter(|field| is_public(&field.vis));
                            known.members.extend(
                                public.filter_map(|field| Some(field.ident.as_ref()?.to_string())),
                            );
                        }
                        Item::Trait(it) => {
                            for item in &it.items {
                                if let TraitItem::Fn(method) = item {
                                    known.add(&it.ident.to_string(), &method.sig.ident);
                                }
                            }
                        }
                        Item::Fn(it) if source.public && is_public(&it.vis) => {
                            known.items.insert(it.sig.ident.to_string());
                        }
                        Item::Mod(it) if source.public && is_public(&it.vis) => {
                            known.items.insert(it.ident.to_string());
                        }
                        Item::Macro(it) => {
                            let tokens = text_without_attributes(it.mac.tokens.clone());
                            known.members.extend(functions_in(&tokens));
                            known.members.extend(rows_of_macro(&tokens));
                            known.members.extend(rows_of_options(it.mac.tokens.clone()));
                            if it.attrs.iter().any(|it| it.path().is_ident("macro_export")) {
                                known.items.insert(it.ident.as_ref().unwrap().to_string());
                            }
                        }
                        _ => {}
                    }
                    if let Item::Enum(syn::ItemEnum { ident, vis, .. })
                    | Item::Struct(syn::ItemStruct { ident, vis, .. })
                    | Item::Trait(syn::ItemTrait { ident, vis, .. }) = item
                        && source.public
                        && is_public(vis)
                    {
                        known.items.insert(ident.to_string());
                    }
                }
            }
        }
        let own = modules("../");
        for source in own {
            for item in source.file.items {
                if let Item::Fn(it) = item
                    && is_public(&it.vis)
                {
                    known.items.insert(it.sig.ident.to_string());
                }
            }
        }
        known
    })
}

/// Returns the public methods, constants and variants of a type that is defined without a macro. If
/// a macro adds methods to the type, its methods are only in [`Known::members`].
pub(crate) fn members(of: &str) -> Option<&'static BTreeSet<String>> {
    static PLAIN: OnceLock<BTreeMap<&str, &BTreeSet<String>>> = OnceLock::new();
    let plain = PLAIN.get_or_init(|| {
        let files = parts().into_iter().flat_map(|part| sources(&part));
        let texts: Vec<String> = files.map(|path| std::fs::read_to_string(path).unwrap()).collect();
        let of_macro = |of: &str| {
            let (definition, row) = (format!("pub struct {of}"), format!("{of}:"));
            texts.iter().any(|text| {
                if text.contains(&definition) {
                    text.contains("! {")
                } else {
                    text.contains(&row) && text.contains("macro_rules!")
                }
            })
        };
        let types = known().of.iter().map(|(of, names)| (&**of, names));
        types.filter(|(of, _)| !of_macro(of)).collect()
    });
    plain.get(of).copied()
}
