//! The derive macro `Module` of wengert.

mod attributes;
mod expand;

use proc_macro::TokenStream;

/// Derives `Module` and `Display` for a struct or an enum.
///
/// Every field must be a module: a `Param`, a `Buffer`, another module, an `Option`, `Box`, `Vec`,
/// array, tuple or `BTreeMap` of modules, or a number, string or similar value without parameters.
/// The name of a parameter consists of the field names that lead to it (`conv1.weight`). Elements
/// of lists and tuples are named by their numbers (`layers.0.weight`), as in PyTorch. An enum
/// variant adds nothing to the name, and neither does the field of a variant of the form
/// `Variant(module)`: different variants in one place use the same name.
///
/// ```
/// use wengert::autograd::Param;
/// use wengert::nn::Module;
/// use wengert::tensor::Tensor;
///
/// #[derive(Module)]
/// struct Linear {
///     weight: Param,
///     bias: Option<Param>,
/// }
///
/// #[derive(Module)]
/// struct Mlp {
///     layers: Vec<Linear>,
///     dropout: f64,
/// }
///
/// let layer = |inputs, outputs| Linear {
///     weight: Tensor::zeros(&[outputs, inputs]).into(),
///     bias: Some(Tensor::zeros(&[outputs]).into()),
/// };
/// let model = Mlp { layers: vec![layer(784, 32), layer(32, 10)], dropout: 0.1 };
/// assert_eq!(model.parameter_count(), 25_450);
/// assert_eq!(model.named_parameters()[3].0, "layers.1.bias");
/// assert_eq!(model.to_string(), "\
/// Mlp(
///   (layers): [
///     (0): Linear(weight: [32, 784], bias: [32])
///     (1): Linear(weight: [10, 32], bias: [10])
///   ]
///   (dropout): 0.1
/// )");
/// ```
///
/// # Attributes
/// On a field:
/// - `#[module(skip)]`: the field holds nothing to train or save, and is not printed;
/// - `#[module(print_with = path)]`: the field holds nothing to train or save, and the function at
///   this path prints it;
/// - `#[module(rename = "x")]`: sets the name of the field in paths.
///
/// On the type:
/// - `#[module(no_display)]`: does not derive `Display`;
/// - `#[module(crate = "path")]`: sets the path from which `Module` comes. The default is
///   `::wengert::autograd`.
///
/// # Printing the options of a layer
/// A field with `print_with` may have any type. The function has the signature `fn(&Field, Outline)
/// -> Outline`. It receives the printed form of the fields before this field, and adds any number of
/// entries to it. A layer can thus print only the options that differ from their defaults:
///
/// ```
/// use wengert::autograd::{Outline, Param};
/// use wengert::nn::Module;
/// use wengert::tensor::{Conv, Tensor};
///
/// #[derive(Module)]
/// struct Convolution {
///     weight: Param,
///     #[module(print_with = print)]
///     conv: Conv,
/// }
///
/// fn print(conv: &Conv, outline: Outline) -> Outline {
///     match conv.groups {
///         1 => outline,
///         groups => outline.with("groups", Outline::value(groups)),
///     }
/// }
///
/// let weight = Param::new(Tensor::zeros(&[8, 2, 3, 3]));
/// let mut layer = Convolution { weight, conv: Conv::new() };
/// assert_eq!(layer.to_string(), "Convolution(weight: [8, 2, 3, 3])");
/// layer.conv = layer.conv.groups(2);
/// assert_eq!(layer.to_string(), "Convolution(weight: [8, 2, 3, 3], groups: 2)");
/// ```
///
/// # What does not compile
/// A field that is not a module does not compile, so that no parameter is left out silently. The
/// error points at the field and says what to do: "`HashMap<String, Param>` is not a `Module`, so
/// its parameters would be neither trained nor saved".
///
/// ```compile_fail,E0277
/// use wengert::autograd::Param;
/// use wengert::nn::Module;
/// #[derive(Module)]
/// struct Table {
///     rows: std::collections::HashMap<String, Param>,
/// }
/// ```
///
/// A bare tensor does not compile: it would be neither trained nor saved ("a bare tensor goes into
/// a `Param` (trained) or a `Buffer` (only saved)").
///
/// ```compile_fail,E0277
/// use wengert::nn::Module;
/// use wengert::tensor::Tensor;
/// #[derive(Module)]
/// struct Scale {
///     weight: Tensor,
/// }
/// ```
///
/// Two fields with the same name do not compile ("two fields are named `weight`").
///
/// ```compile_fail
/// use wengert::autograd::Param;
/// use wengert::nn::Module;
/// #[derive(Module)]
/// struct Twice {
///     weight: Param,
///     #[module(rename = "weight")]
///     other: Param,
/// }
/// ```
///
/// An unknown attribute does not compile ("unknown attribute `frozen`: a field accepts
/// `skip`, `print_with = path` and `rename = "…"`").
///
/// ```compile_fail
/// use wengert::autograd::Param;
/// use wengert::nn::Module;
/// #[derive(Module)]
/// struct Scale {
///     #[module(frozen)]
///     weight: Param,
/// }
/// ```
///
/// `skip`, `print_with` and `rename` on one field do not compile ("`skip`, `print_with` and
/// `rename` exclude each other").
///
/// ```compile_fail
/// use wengert::autograd::Param;
/// use wengert::nn::Module;
/// #[derive(Module)]
/// struct Scale {
///     weight: Param,
///     #[module(skip, rename = "factor")]
///     by: f64,
/// }
/// ```
///
/// A union does not compile ("`Module` can be derived for structs and enums, not for unions").
///
/// ```compile_fail
/// use wengert::nn::Module;
/// #[derive(Module)]
/// union Bits {
///     float: f32,
///     word: u32,
/// }
/// ```
#[proc_macro_derive(Module, attributes(module))]
pub fn derive_module(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    expand::expand(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}
