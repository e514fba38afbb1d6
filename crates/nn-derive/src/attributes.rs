//! Parses the attributes `#[module(…)]`.

use syn::meta::ParseNestedMeta;
use syn::parse::Parse;
use syn::{Attribute, LitStr, Path, Result, parse_quote};

/// The attributes of a type.
pub struct TypeAttributes {
    /// The path of the crate or module that contains the trait.
    pub krate: Path,
    pub display: bool,
}

/// The attributes of a field.
#[derive(Default)]
pub struct FieldAttributes {
    pub skip: bool,
    /// The path of the function that prints the field.
    pub print_with: Option<Path>,
    pub rename: Option<LitStr>,
}

impl TypeAttributes {
    pub fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut this = TypeAttributes { krate: parse_quote!(::wengert::autograd), display: true };
        each(attributes, |meta| {
            if meta.path.is_ident("crate") {
                this.krate = path(meta)?;
            } else if meta.path.is_ident("no_display") {
                this.display = false;
            } else {
                return Err(unknown(meta, "a type accepts `crate = \"path\"` and `no_display`"));
            }
            Ok(())
        })?;
        Ok(this)
    }
}

impl FieldAttributes {
    pub fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut this = FieldAttributes::default();
        each(attributes, |meta| {
            if meta.path.is_ident("skip") {
                this.skip = true;
            } else if meta.path.is_ident("print_with") {
                this.print_with = Some(path(meta)?);
            } else if meta.path.is_ident("rename") {
                let name: LitStr = meta.value()?.parse()?;
                if name.value().is_empty() {
                    return Err(syn::Error::new(
                        name.span(),
                        "`rename`: the name must not be empty",
                    ));
                }
                this.rename = Some(name);
            } else {
                return Err(unknown(
                    meta,
                    "a field accepts `skip`, `print_with = path` and `rename = \"…\"`",
                ));
            }
            let chosen = [this.skip, this.print_with.is_some(), this.rename.is_some()];
            if chosen.into_iter().filter(|&chosen| chosen).count() > 1 {
                return Err(meta.error(
                    "`skip`, `print_with` and `rename` exclude each other: a field with `skip` or \
                     `print_with` holds no parameters, so it has no name in paths",
                ));
            }
            Ok(())
        })?;
        Ok(this)
    }
}

/// Refuses all attributes on a variant: a variant adds nothing to a path.
pub fn none_on_variant(attributes: &[Attribute]) -> Result<()> {
    each(attributes, |meta| {
        Err(unknown(meta, "a variant accepts no attributes: put them on its fields"))
    })
}

fn each(
    attributes: &[Attribute],
    mut read: impl FnMut(&ParseNestedMeta<'_>) -> Result<()>,
) -> Result<()> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("module"))
        .try_for_each(|attribute| attribute.parse_nested_meta(|meta| read(&meta)))
}

/// Parses a path, with or without quotes.
fn path(meta: &ParseNestedMeta<'_>) -> Result<Path> {
    let value = meta.value()?;
    if value.peek(LitStr) { value.parse::<LitStr>()?.parse() } else { Path::parse(value) }
}

fn unknown(meta: &ParseNestedMeta<'_>, accepted: &str) -> syn::Error {
    let name = meta.path.get_ident().map_or_else(String::new, |name| format!(" `{name}`"));
    meta.error(format!("unknown attribute{name}: {accepted}"))
}
