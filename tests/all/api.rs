//! Compares the public interface of each crate with its list in `tests/api`, so that every change
//! is noticed.
//!
//! `WENGERT_RENEW_API=1 cargo test -p wengert --test all api::` rewrites the lists; `git diff` then
//! shows the change. Methods that a macro defines are listed with the name of the macro and without
//! signatures.

use crate::vocabulary::{
    ROWS, TABLES, hidden, rows_of_macro, sources, text_without_attributes, under_test,
};
use quote::ToTokens;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use syn::{Fields, FnArg, ImplItem, Item, TraitItem, Type, UseTree, Visibility};

/// Returns the names of the folders in `crates`.
pub(super) fn parts() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let mut names: Vec<String> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "nn-derive")
        .collect();
    names.sort();
    names
}

fn parsed(path: &Path) -> syn::File {
    let text = std::fs::read_to_string(path).unwrap();
    syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn is_public(vis: &Visibility) -> bool {
    matches!(vis, Visibility::Public(_))
}

/// Returns the tokens as text, with spaces as in formatted code.
fn text(tokens: impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (from, to) in [
        (" :: ", "::"),
        (" < ", "<"),
        (" >", ">"),
        ("< ", "<"),
        (" ,", ","),
        (" ;", ";"),
        ("& ", "&"),
        (" (", "("),
        ("( ", "("),
        (" )", ")"),
        ("[ ", "["),
        (" ]", "]"),
        (" : ", ": "),
        ("' ", "'"),
        (":: ", "::"),
        (" ::", "::"),
        (" :", ":"),
        ("- >", "->"),
        (" .", "."),
        (",)", ")"),
        (",>", ">"),
    ] {
        text = text.replace(from, to);
    }
    text.replace("->", " -> ").replace("  ", " ")
}

fn names_of(tree: &UseTree, found: &mut BTreeSet<String>) {
    match tree {
        UseTree::Path(path) => names_of(&path.tree, found),
        UseTree::Name(name) => {
            found.insert(name.ident.to_string());
        }
        UseTree::Rename(rename) => {
            found.insert(rename.rename.to_string());
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| names_of(tree, found)),
        UseTree::Glob(_) => panic!("a glob hides what is public"),
    }
}

/// One source file of a crate, found by following the modules from `lib.rs`. `public` says whether
/// its module is public.
struct Source {
    path: PathBuf,
    file: syn::File,
    public: bool,
}

fn modules(part: &str) -> Vec<Source> {
    fn follow(path: PathBuf, public: bool, found: &mut Vec<Source>) {
        let file = parsed(&path);
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let folder = path.parent().unwrap();
        let below = match stem {
            "lib" | "mod" => folder.to_path_buf(),
            stem => folder.join(stem),
        };
        for item in &file.items {
            let Item::Mod(module) = item else { continue };
            if module.content.is_some() || under_test(&module.attrs) {
                continue;
            }
            let name = module.ident.to_string();
            let next = [below.join(format!("{name}.rs")), below.join(&name).join("mod.rs")];
            let Some(next) = next.into_iter().find(|path| path.exists()) else {
                panic!("{}: where is module {name}?", path.display())
            };
            let visible = public && is_public(&module.vis) && !hidden(&module.attrs);
            follow(next, visible, found);
        }
        found.push(Source { path, file, public });
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates").join(part).join("src/lib.rs");
    let mut found = Vec::new();
    follow(root, true, &mut found);
    found
}

/// Returns the names that `lib.rs` and public modules export with `pub use`.
fn used(sources: &[Source]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for source in sources.iter().filter(|source| source.public) {
        for item in &source.file.items {
            if let Item::Use(item) = item
                && is_public(&item.vis)
                && !hidden(&item.attrs)
            {
                names_of(&item.tree, &mut names);
            }
        }
    }
    names
}

/// Returns the names that `lib.rs` exports with `pub use`.
pub(super) fn exports(part: &str) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates").join(part).join("src/lib.rs");
    used(&[Source { file: parsed(&root), path: root, public: true }])
}

/// Returns the public functions and enums of the file with this name.
pub(super) fn functions(part: &str, file: &str) -> BTreeSet<String> {
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

fn type_name(of: &Type) -> Option<String> {
    match of {
        Type::Path(path) => path.path.segments.last().map(|it| it.ident.to_string()),
        _ => None,
    }
}

/// Returns the constructors of the exported types of a crate, except those named `new`, `of` or `…_of`.
pub(super) fn constructors(part: &str) -> BTreeSet<String> {
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

/// Returns the doc comment of a struct.
pub(super) fn doc_of(part: &str, name: &str) -> String {
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

/// Returns the functions that the text of a macro defines with `pub fn name`.
fn functions_in(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    words
        .windows(3)
        .filter(|it| it[0] == "pub" && it[1] == "fn")
        .map(|it| it[2].split(['(', '<']).next().unwrap().to_string())
        .filter(|name| !name.is_empty() && !name.starts_with('$'))
        .collect()
}

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

/// The names of the library that a page may use.
pub(super) struct Known {
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

pub(super) fn known() -> &'static Known {
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
pub(super) fn members(of: &str) -> Option<&'static BTreeSet<String>> {
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

#[test]
fn no_change_of_the_interface_goes_unnoticed() {
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
fn the_lists_see_every_kind_of_item() {
    let [tensor, autograd, nn, optim] = ["tensor", "autograd", "nn", "optim"].map(listing);
    for (list, line) in [
        (&tensor, "struct Tensor"),
        (&tensor, "Tensor<T>: fn reshape(&self, shape: impl Sizes)"),
        (&tensor, "PadMode::Reflect"),
        (&tensor, "mod shapes"),
        (&tensor, "!: exp"),
        (&autograd, "trait Module"),
        (&autograd, "mod transforms"),
        (&nn, "fn cross_entropy"),
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
fn the_paths_of_the_examples_are_those_of_wengert() {
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
    assert_eq!(examples.len(), 7, "{examples:?}");
}
