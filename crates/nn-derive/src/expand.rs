//! Generates the code of the derive macro.

use crate::attributes::{FieldAttributes, TypeAttributes, none_on_variant};
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use std::collections::HashSet;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Data, DeriveInput, Error, Fields, GenericParam, Index, LitStr, Member, Path, Result, Type,
    Variant,
};

/// An arm of the generated `match` expressions: a struct, or one variant of an enum.
struct Arm<'a> {
    /// The pattern: `Self` or `Self::Variant`.
    pattern: TokenStream,
    name: String,
    fields: Vec<Field<'a>>,
}

/// A field without the attribute `skip`.
struct Field<'a> {
    member: Member,
    /// The variable to which the pattern binds the field.
    binding: Ident,
    content: Content<'a>,
}

enum Content<'a> {
    /// A module of this type.
    Module(&'a Type, Naming),
    /// A value that holds no parameters, and the path of the function that prints it.
    Printed(Path),
}

/// The name that a field adds to the path of its parameters.
enum Naming {
    Child(LitStr),
    Index(usize),
    /// No name: the only field of a variant.
    Same,
}

impl<'a> Field<'a> {
    /// Returns the type and the naming of a field that is a module.
    fn module(&self) -> Option<(&'a Type, &Naming)> {
        match &self.content {
            Content::Module(ty, naming) => Some((ty, naming)),
            Content::Printed(_) => None,
        }
    }
}

impl<'a> Arm<'a> {
    /// Returns the binding, type and naming of each field that is a module.
    fn modules(&self) -> impl Iterator<Item = (&Ident, &'a Type, &Naming)> {
        self.fields
            .iter()
            .filter_map(|field| field.module().map(|(ty, naming)| (&field.binding, ty, naming)))
    }

    /// Generates the arm. The pattern binds the fields that `is_read` selects.
    fn expand(&self, is_read: impl Fn(&Field<'_>) -> bool, body: &TokenStream) -> TokenStream {
        let pattern = &self.pattern;
        let fields = self.fields.iter().filter(|field| is_read(field));
        let bound = fields.map(|Field { member, binding, .. }| quote!(#member: #binding));
        // The syntax with braces is valid for tuple and unit variants too.
        quote!(#pattern { #(#bound,)* .. } => #body)
    }
}

pub fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let TypeAttributes { krate, display } = TypeAttributes::parse(&input.attrs)?;
    let arms = arms(input)?;
    let name = &input.ident;
    let is_module = |field: &Field<'_>| field.module().is_some();

    let walk = |method: &str| {
        let method = Ident::new(method, Span::call_site());
        match_self(arms.iter().map(|arm| {
            let visits = arm.modules().map(|(binding, ty, naming)| {
                let path = match naming {
                    Naming::Child(name) => quote!(&__path.child(#name)),
                    Naming::Index(index) => quote!(&__path.index(#index)),
                    Naming::Same => quote!(__path),
                };
                quote!(<#ty as #krate::Module>::#method(#binding, #path, __see);)
            });
            arm.expand(is_module, &quote!({ let _ = (__path, &__see); #(#visits)* }))
        }))
    };
    let (visit, visit_mut) = (walk("visit"), walk("visit_mut"));
    let first_state = match_self(arms.iter().map(|arm| {
        let asked = arm.modules().map(|(binding, ty, naming)| {
            let first = quote!(<#ty as #krate::Module>::first_state(#binding));
            match naming {
                Naming::Child(_) | Naming::Index(_) => {
                    quote!(.or_else(|| #first.map(#krate::FirstState::below)))
                }
                Naming::Same => quote!(.or_else(|| #first)),
            }
        });
        arm.expand(is_module, &quote!(::core::option::Option::None #(#asked)*))
    }));
    let outline = match_self(arms.iter().map(|arm| {
        let name = &arm.name;
        let fields =
            arm.fields.iter().fold(quote!(#krate::Outline::new(#name)), |outline, field| {
                let binding = &field.binding;
                match &field.content {
                    Content::Module(ty, naming) => {
                        let printed = quote!(<#ty as #krate::Module>::outline(#binding));
                        match naming {
                            Naming::Child(name) => quote!(#outline.with(#name, #printed)),
                            Naming::Index(index) => quote!(#outline.with(#index, #printed)),
                            Naming::Same => printed,
                        }
                    }
                    Content::Printed(function) => quote!(#function(#binding, #outline)),
                }
            });
        arm.expand(|_| true, &fields)
    }));

    let (params, arguments, own) = input.generics.split_for_impl();
    let own = own.iter().flat_map(|clause| &clause.predicates);
    let found = bounds(input, &arms);
    let bounds = quote!(where #(#own,)* #(#found: #krate::Module,)*);
    let display = display.then(|| {
        quote! {
            #[automatically_derived]
            impl #params ::core::fmt::Display for #name #arguments #bounds {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    ::core::fmt::Display::fmt(&#krate::Module::outline(self), f)
                }
            }
        }
    });
    Ok(quote! {
        #[automatically_derived]
        impl #params #krate::Module for #name #arguments #bounds {
            fn visit<'__model>(
                &'__model self,
                __path: &#krate::Path<'_>,
                __see: &mut #krate::See<'_, '__model>,
            ) {
                #visit
            }
            fn visit_mut<'__model>(
                &'__model mut self,
                __path: &#krate::Path<'_>,
                __see: &mut #krate::SeeMut<'_, '__model>,
            ) {
                #visit_mut
            }
            fn first_state(&self) -> ::core::option::Option<#krate::FirstState> {
                #first_state
            }
            fn outline(&self) -> #krate::Outline {
                #outline
            }
        }
        #display
    })
}

/// Generates a `match` with these arms.
fn match_self(arms: impl ExactSizeIterator<Item = TokenStream>) -> TokenStream {
    if arms.len() == 0 { quote!(match *self {}) } else { quote!(match self { #(#arms),* }) }
}

fn arms(input: &DeriveInput) -> Result<Vec<Arm<'_>>> {
    match &input.data {
        Data::Struct(data) => Ok(vec![Arm {
            pattern: quote!(Self),
            name: input.ident.unraw().to_string(),
            fields: fields(&data.fields, false)?,
        }]),
        Data::Enum(data) => data.variants.iter().map(variant).collect(),
        Data::Union(data) => Err(Error::new(
            data.union_token.span(),
            "`Module` can be derived for structs and enums, not for unions: the fields of a union \
             cannot be visited",
        )),
    }
}

fn variant(variant: &Variant) -> Result<Arm<'_>> {
    none_on_variant(&variant.attrs)?;
    let ident = &variant.ident;
    Ok(Arm {
        pattern: quote!(Self::#ident),
        name: ident.unraw().to_string(),
        fields: fields(&variant.fields, true)?,
    })
}

fn fields(fields: &Fields, in_variant: bool) -> Result<Vec<Field<'_>>> {
    let alone =
        in_variant && matches!(fields, Fields::Unnamed(fields) if fields.unnamed.len() == 1);
    let mut seen = HashSet::new();
    let mut out = Vec::new();
    for (i, field) in fields.iter().enumerate() {
        let attributes = FieldAttributes::parse(&field.attrs)?;
        if attributes.skip {
            continue;
        }
        let content = if let Some(function) = attributes.print_with {
            Content::Printed(function)
        } else {
            let naming = naming(field, i, attributes.rename, alone);
            let name = match &naming {
                Naming::Child(name) => name.value(),
                Naming::Index(index) => index.to_string(),
                Naming::Same => String::new(),
            };
            if !seen.insert(name.clone()) {
                let message = format!(
                    "two fields are named `{name}`: give one of them another name with \
                     `#[module(rename = \"…\")]`"
                );
                return Err(Error::new(field.span(), message));
            }
            Content::Module(&field.ty, naming)
        };
        let member =
            field.ident.clone().map_or_else(|| Member::Unnamed(Index::from(i)), Member::Named);
        out.push(Field { member, binding: format_ident!("__field{i}"), content });
    }
    Ok(out)
}

/// Returns the name that the field with number `i` adds to a path. `alone` says whether it is the
/// only field of a variant.
fn naming(field: &syn::Field, i: usize, rename: Option<LitStr>, alone: bool) -> Naming {
    match (rename, &field.ident) {
        (Some(name), _) => Naming::Child(name),
        (None, Some(ident)) => Naming::Child(LitStr::new(&ident.unraw().to_string(), ident.span())),
        (None, None) if alone => Naming::Same,
        (None, None) => Naming::Index(i),
    }
}

/// Returns the field types that become bounds of the impl: those that mention a type parameter. A
/// field type that mentions the type itself is left out, because its bound would require the impl
/// that it belongs to.
fn bounds<'a>(input: &DeriveInput, arms: &[Arm<'a>]) -> Vec<&'a Type> {
    let is_parameter = |ident: &Ident| {
        input
            .generics
            .params
            .iter()
            .any(|p| matches!(p, GenericParam::Type(p) if p.ident == *ident))
    };
    let is_self = |ident: &Ident| *ident == input.ident || *ident == "Self";
    let mut seen = HashSet::new();
    let mut types: Vec<_> =
        arms.iter().flat_map(|arm| arm.modules().map(|(_, ty, _)| ty)).collect();
    types.retain(|ty| {
        let tokens = ty.to_token_stream();
        mentions(&tokens, &is_parameter)
            && !mentions(&tokens, &is_self)
            && seen.insert(tokens.to_string())
    });
    types
}

fn mentions(tokens: &TokenStream, wanted: &dyn Fn(&Ident) -> bool) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => wanted(&ident),
        TokenTree::Group(group) => mentions(&group.stream(), wanted),
        _ => false,
    })
}
