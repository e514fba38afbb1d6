//! Generates the code of the derive macro.

use crate::attributes::{FieldAttributes, TypeAttributes, none_on_variant};
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use std::collections::HashSet;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Data, DeriveInput, Error, Fields, GenericParam, Index, LitStr, Member, Result, Type, Variant,
};

/// A struct, or one variant of an enum.
struct Shape<'a> {
    /// The pattern of the match arm: `Self` or `Self::Variant`.
    pattern: TokenStream,
    name: String,
    fields: Vec<Field<'a>>,
}

/// A field that is not skipped.
struct Field<'a> {
    member: Member,
    /// The variable to which the pattern binds the field.
    binding: Ident,
    ty: &'a Type,
    place: Place,
}

/// The part of the path that a field adds.
enum Place {
    Child(LitStr),
    Index(usize),
    /// No part: the only field of a variant.
    Same,
}

pub fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let TypeAttributes { krate, display } = TypeAttributes::parse(&input.attrs)?;
    let shapes = shapes(input)?;
    let name = &input.ident;

    let walk = |method: &str| {
        let method = Ident::new(method, Span::call_site());
        arms(&shapes, |shape| {
            let visits = shape.fields.iter().map(|Field { binding, ty, place, .. }| {
                let path = match place {
                    Place::Child(name) => quote!(&__path.child(#name)),
                    Place::Index(index) => quote!(&__path.index(#index)),
                    Place::Same => quote!(__path),
                };
                quote!(<#ty as #krate::Module>::#method(#binding, #path, __see);)
            });
            quote!({ let _ = (__path, &__see); #(#visits)* })
        })
    };
    let (visit, visit_mut) = (walk("visit"), walk("visit_mut"));
    let first_state = arms(&shapes, |shape| {
        let asked = shape.fields.iter().map(|Field { binding, ty, place, .. }| {
            let first = quote!(<#ty as #krate::Module>::first_state(#binding));
            match place {
                Place::Child(_) | Place::Index(_) => {
                    quote!(.or_else(|| #first.map(#krate::FirstState::below)))
                }
                Place::Same => quote!(.or_else(|| #first)),
            }
        });
        quote!(::core::option::Option::None #(#asked)*)
    });
    let outline = arms(&shapes, |shape| match &shape.fields[..] {
        [Field { binding, ty, place: Place::Same, .. }] => {
            quote!(<#ty as #krate::Module>::outline(#binding))
        }
        fields => {
            let name = &shape.name;
            let fields = fields.iter().map(|Field { binding, ty, place, .. }| match place {
                Place::Child(name) => {
                    quote!(.with(#name, <#ty as #krate::Module>::outline(#binding)))
                }
                Place::Index(index) => {
                    quote!(.with(#index, <#ty as #krate::Module>::outline(#binding)))
                }
                Place::Same => unreachable!("only a single field stands in place of its variant"),
            });
            quote!(#krate::Outline::new(#name)#(#fields)*)
        }
    });

    let (params, arguments, own) = input.generics.split_for_impl();
    let own = own.iter().flat_map(|clause| &clause.predicates);
    let found = bounds(input, &shapes);
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

/// Generates a `match` with one arm for each variant.
fn arms(shapes: &[Shape<'_>], body: impl Fn(&Shape<'_>) -> TokenStream) -> TokenStream {
    if shapes.is_empty() {
        return quote!(match *self {});
    }
    let arms = shapes.iter().map(|shape| {
        let pattern = &shape.pattern;
        let (members, bindings) = (
            shape.fields.iter().map(|field| &field.member),
            shape.fields.iter().map(|field| &field.binding),
        );
        let body = body(shape);
        // The syntax with braces is valid for tuple and unit variants too.
        quote!(#pattern { #(#members: #bindings,)* .. } => #body)
    });
    quote!(match self { #(#arms),* })
}

fn shapes(input: &DeriveInput) -> Result<Vec<Shape<'_>>> {
    match &input.data {
        Data::Struct(data) => Ok(vec![Shape {
            pattern: quote!(Self),
            name: input.ident.unraw().to_string(),
            fields: fields(&data.fields, false)?,
        }]),
        Data::Enum(data) => data.variants.iter().map(variant).collect(),
        Data::Union(data) => Err(Error::new(
            data.union_token.span(),
            "`Module` is derived for structs and enums; unions have no fields of their own to visit",
        )),
    }
}

fn variant(variant: &Variant) -> Result<Shape<'_>> {
    none_on_variant(&variant.attrs)?;
    let ident = &variant.ident;
    Ok(Shape {
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
        let place = match (attributes.rename, &field.ident) {
            (Some(name), _) => Place::Child(name),
            (None, Some(ident)) => {
                Place::Child(LitStr::new(&ident.unraw().to_string(), ident.span()))
            }
            (None, None) if alone => Place::Same,
            (None, None) => Place::Index(i),
        };
        let name = match &place {
            Place::Child(name) => name.value(),
            Place::Index(index) => index.to_string(),
            Place::Same => String::new(),
        };
        if !seen.insert(name.clone()) {
            let message = format!("two fields are named `{name}`: give one of them another name");
            return Err(Error::new(field.span(), message));
        }
        let member =
            field.ident.clone().map_or_else(|| Member::Unnamed(Index::from(i)), Member::Named);
        out.push(Field { member, binding: format_ident!("__field{i}"), ty: &field.ty, place });
    }
    Ok(out)
}

/// Returns the field types that become bounds of the impl: those that mention a type parameter. A
/// field type that mentions the type itself is left out, because its bound would require the impl
/// that it belongs to.
fn bounds<'a>(input: &DeriveInput, shapes: &[Shape<'a>]) -> Vec<&'a Type> {
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
        shapes.iter().flat_map(|shape| &shape.fields).map(|field| field.ty).collect();
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
