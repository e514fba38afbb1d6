//! The declaration of an optimizer: each hyperparameter is declared once, with its default, its range and
//! its documentation.

use crate::update_rule::{InvalidHyperparameter, UpdateRule};
use wengert_tensor::Float;

/// Returns the rule. Panics if the hyperparameter `name`, which was just set, is out of range.
#[track_caller]
pub(crate) fn checked<T: Float, R: UpdateRule<T>>(rule: R, name: &str) -> R {
    match InvalidHyperparameter::of(&rule) {
        Some(invalid) if invalid.name == name => invalid.panic(&rule),
        _ => rule,
    }
}

/// Defines the type of an optimizer, its constructors `new` and `of`, one builder method for each
/// hyperparameter, and the builder methods that all optimizers have.
///
/// `name(name: f64 = default) in RANGE;` declares a hyperparameter and its builder method. A method may set
/// several hyperparameters of one range. Switches (`bool`) have no range. `with` declares fields that no
/// method sets.
macro_rules! optimizer {
    (
        $(#[$about:meta])*
        $Name:ident, PyTorch lr = $lr:literal $(, with $other:ident: $Other:ty = $initial:expr)*;
        $($(#[$doc:meta])*
        $set:ident($($field:ident: $kind:ident = $default:expr),+) $(in $range:ident)?;)*
    ) => {
        $(#[$about])*
        pub struct $Name<T: wengert_tensor::Float = f32> {
            base: crate::Base<T>,
            $($($field: $kind,)+)*
            $($other: $Other,)*
        }

        impl $Name {
            #[doc = concat!(
                "Creates the optimizer for `f32` models, with learning rate `lr` (PyTorch's default is ",
                $lr, ")."
            )]
            ///
            /// # Panics
            /// If `lr` is negative or not finite.
            #[track_caller]
            pub fn new(lr: f64) -> Self {
                Self::of(lr)
            }
        }

        impl<T: wengert_tensor::Float> $Name<T> {
            #[doc = concat!(
                "Creates the optimizer for models of element type `T`: `", stringify!($Name),
                "::<f64>::of(", $lr, ")`. See [`new`](", stringify!($Name), "::new)."
            )]
            ///
            /// # Panics
            /// If `lr` is negative or not finite.
            #[track_caller]
            pub fn of(lr: f64) -> Self {
                let base = crate::Base::new(lr);
                let made = $Name { base, $($($field: $default,)+)* $($other: $initial,)* };
                crate::hyperparameters::checked(made, "lr")
            }

            $(optimizer!(@setter [$(#[$doc])*] $set($($field: $kind),+) $($range)?);)*

            /// Sets different hyperparameters for some parameters; see [`Group`](crate::Group).
            ///
            /// # Panics
            /// If the group sets a hyperparameter that the optimizer does not have, or a value that is out of
            /// range, or a learning rate while the optimizer's is 0.
            #[track_caller]
            pub fn group(mut self, group: crate::Group) -> Self {
                crate::applied::add(&mut self, group);
                self
            }

            /// Makes `step` skip trainable parameters that have no gradient. By default `step` panics.
            pub fn allow_missing(mut self) -> Self {
                self.base.allow_missing();
                self
            }

            /// Returns the first hyperparameter that is outside of the range of its declaration.
            fn out_of_range(&self) -> Option<crate::InvalidHyperparameter> {
                None$(.or_else(|| optimizer!(@check self $($field),+ $(; $range)?)))*
            }
        }
    };

    (@setter [$(#[$doc:meta])*] $set:ident($($field:ident: $kind:ident),+) $range:ident) => {
        $(#[$doc])*
        ///
        /// # Panics
        #[doc = concat!("If an argument ", optimizer!(@refused $range), ".")]
        #[track_caller]
        pub fn $set(mut self, $($field: $kind),+) -> Self {
            $(self.$field = $field;
            self = crate::hyperparameters::checked(self, stringify!($field));)+
            self
        }
    };
    (@setter [$(#[$doc:meta])*] $set:ident($field:ident: bool)) => {
        $(#[$doc])*
        pub fn $set(self, $field: bool) -> Self {
            Self { $field, ..self }
        }
    };

    (@check $self:ident $($field:ident),+; $range:ident) => {{
        let range = crate::setting::Bounds::$range;
        crate::InvalidHyperparameter::first([
            $((stringify!($field), (range.contains)($self.$field), range.must)),+
        ])
    }};
    (@check $self:ident $($switch:ident),+) => { None };

    (@refused NOT_NEGATIVE) => { "is negative or not finite" };
    (@refused FINITE) => { "is not finite" };
    (@refused UNIT) => { "is not in [0, 1]" };
    (@refused BELOW_ONE) => { "is not in [0, 1)" };
}
pub(crate) use optimizer;

/// Implements the methods of `UpdateRule` that are the same for all optimizers of [`optimizer!`]:
/// `settings` and `set` for the hyperparameters of these names, `base` and `base_mut`.
macro_rules! declared_methods {
    ($($name:ident),*) => {
        fn settings(&self) -> Vec<(&'static str, crate::Setting)> {
            vec![$((stringify!($name), self.$name.into())),*]
        }
        fn set(&mut self, name: &str, to: crate::Setting) {
            match name {
                $(stringify!($name) => to.store(&mut self.$name),)*
                _ => {}
            }
        }
        fn base(&self) -> &crate::Base<T> {
            &self.base
        }
        fn base_mut(&mut self) -> &mut crate::Base<T> {
            &mut self.base
        }
    };
}
pub(crate) use declared_methods;
