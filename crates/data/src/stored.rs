//! A tensor that is saved with a model.

/// With the feature `module`, a [`Buffer`](wengert_autograd::Buffer). Else a tensor.
#[cfg(feature = "module")]
pub(crate) use wengert_autograd::Buffer as Stored;

#[cfg(not(feature = "module"))]
mod plain {
    use wengert_tensor::{Element, Tensor};

    #[derive(Clone, Debug)]
    pub(crate) struct Stored<T: Element = f32>(Tensor<T>);

    impl<T: Element> Stored<T> {
        pub fn new(value: Tensor<T>) -> Self {
            Stored(value)
        }

        pub fn value(&self) -> &Tensor<T> {
            &self.0
        }
    }
}
#[cfg(not(feature = "module"))]
pub(crate) use plain::Stored;

/// Implements `Module` for a type: its buffers, under their names.
macro_rules! stored {
    ($Type:ident: $($field:ident),*) => {
        #[cfg(feature = "module")]
        impl wengert_autograd::Module for $Type {
            fn visit<'m>(
                &'m self,
                path: &wengert_autograd::Path<'_>,
                see: &mut wengert_autograd::See<'_, 'm>,
            ) {
                $(self.$field.visit(&path.child(stringify!($field)), see);)*
            }

            fn visit_mut<'m>(
                &'m mut self,
                path: &wengert_autograd::Path<'_>,
                see: &mut wengert_autograd::SeeMut<'_, 'm>,
            ) {
                $(self.$field.visit_mut(&path.child(stringify!($field)), see);)*
            }
        }
    };
}
pub(crate) use stored;
