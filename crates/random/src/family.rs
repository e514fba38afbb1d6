//! The macros that make distributions from their formulas.

/// Writes the constructor of a distribution of one, two or three parameters. The block may check the parameters together.
macro_rules! constructor {
    ($Name:ident, |$new:ident| $check:block, [$($Bounds:tt)*] $Out:ty,
        ($($param:ident: $Type:ident $Constraint:ident),+), $joined:expr, [$($where:tt)*]) => {
        /// Creates the distribution. The parameters are numbers, tensors or variables, and broadcast with each other.
        ///
        /// # Panics
        /// If a parameter is out of its range or NaN, or if the shapes do not broadcast. The values of variables are
        /// computed for this check.
        #[track_caller]
        pub fn new<$($Bounds)*>($($param: $Type),+) -> $Name<$Out> $($where)* {
            let [$($param),+] = crate::constraint::parameters(
                stringify!($Name),
                [$(stringify!($param)),+],
                [$(crate::constraint::Constraint::$Constraint),+],
                &$joined,
            );
            let $new = $Name { $($param),+ };
            $check;
            $new
        }
    };
    ($Name:ident, |$new:ident| $check:block, $a:ident: $Ca:ident) => {
        crate::family::constructor! {
            $Name, |$new| $check, [A: crate::quantity::Combine<f64>] A::Out,
            ($a: A $Ca), A::joined(&[$a], &[]), []
        }
    };
    ($Name:ident, |$new:ident| $check:block, $a:ident: $Ca:ident, $b:ident: $Cb:ident) => {
        crate::family::constructor! {
            $Name, |$new| $check, [A: crate::quantity::Combine<B>, B] A::Out,
            ($a: A $Ca, $b: B $Cb), A::joined(&[$a], &[$b]), []
        }
    };
    ($Name:ident, |$new:ident| $check:block, $a:ident: $Ca:ident, $b:ident: $Cb:ident, $c:ident: $Cc:ident) => {
        crate::family::constructor! {
            $Name, |$new| $check, [A: crate::quantity::Combine<B>, B, C]
            <A::Out as crate::quantity::Combine<C>>::Out,
            ($a: A $Ca, $b: B $Cb, $c: C $Cc),
            crate::quantity::Combine::joined(&A::joined(&[$a], &[$b]), &[$c]),
            [where A::Out: crate::quantity::Combine<C>]
        }
    };
}
pub(crate) use constructor;

/// Writes methods that are functions of the parameters.
macro_rules! methods {
    ($Name:ident, $params:tt, $($(#[$doc:meta])* fn $method:ident = $formula:expr;)*) => {
        impl<P: crate::quantity::Quantity> $Name<P> { $(
            $(#[$doc])*
            #[track_caller]
            pub fn $method(&self) -> P {
                #[allow(unused_variables)] // a formula may need a part of the parameters
                fn formula<'t, T: wengert_tensor::Float>(
                    p: &[wengert_autograd::Var<'t, T>],
                ) -> wengert_autograd::Var<'t, T> {
                    let $params = *p else { unreachable!("as many as the type has") };
                    $formula
                }
                P::apply(&self.parameters(), &formula)
            }
        )* }
    };
}
pub(crate) use methods;

/// Makes a distribution from its formulas: the type, its constructor, the accessors of the parameters, and the methods whose
/// formulas are given. `event` axes of the parameters, the last ones, belong to one value.
macro_rules! distribution {
    (
        $(#[$doc:meta])*
        $Name:ident, event $event:literal {
            $($(#[$about:meta])* $param:ident: $Constraint:ident),+
        }
        check |$new:ident| $check:block
        $($(#[$method_doc:meta])* fn $method:ident = $formula:expr;)*
        log_prob |$x:ident| $log_prob:expr;
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $Name<P = wengert_tensor::Tensor> {
            $($param: P),+
        }

        impl $Name {
            crate::family::constructor! { $Name, |$new| $check, $($param: $Constraint),+ }
        }

        crate::family::methods! {
            $Name, [$($param),+], $($(#[$method_doc])* fn $method = $formula;)*
        }

        impl<P: crate::quantity::Quantity> $Name<P> {
            $(
                $(#[$about])*
                pub fn $param(&self) -> P {
                    self.$param.clone()
                }
            )+

            /// Returns the shape of the distributions: that of the parameters, without the axes of one value.
            pub fn batch_shape(&self) -> wengert_tensor::Shape {
                let [shape, ..] = [$(self.$param.sizes()),+];
                wengert_tensor::Shape::new(&shape[..shape.len() - $event])
            }

            #[allow(dead_code)] // for those that use it
            pub(crate) fn parameters(&self) -> Vec<P> {
                vec![$(self.$param.clone()),+]
            }

            /// The distribution of the numbers of the parameters, without derivatives.
            #[allow(dead_code)]
            #[track_caller]
            pub(crate) fn detached(&self) -> $Name<wengert_tensor::Tensor<P::Float>> {
                $Name { $($param: self.$param.numbers()),+ }
            }

            /// Returns the logarithm of the density, or of the probability, at `x`. `x` broadcasts with the
            /// parameters. Outside of the support the result is −∞, and its derivative 0; at NaN it is NaN.
            ///
            /// # Panics
            /// If the shapes do not broadcast.
            #[track_caller]
            pub fn log_prob<A: crate::quantity::Combine<P>>(&self, x: A) -> A::Out {
                fn formula<'t, T: wengert_tensor::Float>(
                    p: &[wengert_autograd::Var<'t, T>],
                ) -> wengert_autograd::Var<'t, T> {
                    let [$x, $($param),+] = *p else { unreachable!("as many as the type has") };
                    $log_prob
                }
                let given = A::joined(&[x], &self.parameters());
                crate::quantity::fits(stringify!($Name), "log_prob", &given[0], &given[1], $event);
                <A::Out as crate::quantity::Quantity>::apply(&given, &formula)
            }
        }
    };
}
pub(crate) use distribution;

/// Adds `rsample` and `sample` to a distribution that is a function of its parameters and of noise without parameters.
macro_rules! reparametrised {
    ($Name:ident($($param:ident),+), $Noise:ident, |$noise:ident| $formula:expr) => {
        impl<P: crate::quantity::Quantity> $Name<P> {
            /// Returns draws that are differentiable in the parameters, as the formula of the type says. The shape of the result is
            /// `shape` followed by that of the parameters; `()` gives one draw for each of them.
            ///
            /// # Panics
            /// If the result would have too many axes or elements.
            #[track_caller]
            pub fn rsample(
                &self,
                shape: impl wengert_tensor::Sizes,
                rng: &mut (impl rand::Rng + ?Sized),
            ) -> P {
                fn formula<'t, T: wengert_tensor::Float>(
                    p: &[wengert_autograd::Var<'t, T>],
                ) -> wengert_autograd::Var<'t, T> {
                    let [$($param),+, $noise] = *p else { unreachable!("as many as the type has") };
                    $formula
                }
                let mut given = self.parameters();
                let shape = crate::draw::shape_of_draws(
                    concat!(stringify!($Name), ": rsample"),
                    &shape,
                    &given[0],
                );
                let noise = crate::draw::Noise::$Noise.tensor(&shape, rng.next_u64());
                given.push(given[0].beside(noise));
                P::apply(&given, &formula)
            }
        }
        crate::family::sampled! { $Name }
    };
}
pub(crate) use reparametrised;

/// Adds `sample`, which is `rsample` without derivatives.
macro_rules! sampled {
    ($Name:ident) => {
        impl<P: crate::quantity::Quantity> $Name<P> {
            /// Returns the numbers of [`rsample`](Self::rsample), as a tensor without derivatives.
            ///
            /// # Panics
            /// If the result would have too many axes or elements.
            #[track_caller]
            pub fn sample(
                &self,
                shape: impl wengert_tensor::Sizes,
                rng: &mut (impl rand::Rng + ?Sized),
            ) -> wengert_tensor::Tensor<P::Float> {
                self.detached().rsample(shape, rng)
            }
        }
    };
}
pub(crate) use sampled;
