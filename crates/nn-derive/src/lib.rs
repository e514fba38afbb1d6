//! The derive macro `Module` of wengert.

mod attributes;
mod expand;

use proc_macro::TokenStream;

#[doc = include_str!("module.md")]
#[proc_macro_derive(Module, attributes(module))]
pub fn derive_module(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    expand::expand(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}
