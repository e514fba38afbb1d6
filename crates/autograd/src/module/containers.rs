//! Containers of modules, and values that are modules without parameters.

use super::first_state::FirstState;
use super::outline::Outline;
use super::param::{Buffer, Param};
use super::path::{Path, See, SeeMut};
use super::state::State;
use super::visit::Module;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use wengert_tensor::{Dtype, Element, Float, Shape};

macro_rules! states {
    ($($State:ident<T: $Element:ident>)*) => { $(
        impl<T: $Element> Module for $State<T> {
            fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
                see(path, self);
            }
            fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
                see(path, self);
            }
            fn first_state(&self) -> Option<FirstState> {
                Some(FirstState::at(self.id().into(), 0))
            }
            fn outline(&self) -> Outline {
                (self as &dyn State).outline()
            }
        }
    )* };
}
states! { Param<T: Float> Buffer<T: Element> }

impl<M: Module + ?Sized> Module for Box<M> {
    fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
        (**self).visit(path, see);
    }
    fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
        (**self).visit_mut(path, see);
    }
    fn first_state(&self) -> Option<FirstState> {
        (**self).first_state()
    }
    fn type_name(&self) -> &'static str {
        (**self).type_name()
    }
    fn outline(&self) -> Outline {
        (**self).outline()
    }
}

/// The content of an `Option` has the name of the field itself.
impl<M: Module> Module for Option<M> {
    fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
        if let Some(module) = self {
            module.visit(path, see);
        }
    }
    fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
        if let Some(module) = self {
            module.visit_mut(path, see);
        }
    }
    fn first_state(&self) -> Option<FirstState> {
        self.as_ref()?.first_state()
    }
    fn type_name(&self) -> &'static str {
        self.as_ref().map_or("None", Module::type_name)
    }
    fn outline(&self) -> Outline {
        self.as_ref().map_or_else(|| Outline::value("None"), Module::outline)
    }
}

impl<M: Module> Module for [M] {
    fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
        for (i, module) in self.iter().enumerate() {
            module.visit(&path.index(i), see);
        }
    }
    fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
        for (i, module) in self.iter_mut().enumerate() {
            module.visit_mut(&path.index(i), see);
        }
    }
    fn first_state(&self) -> Option<FirstState> {
        self.iter().find_map(Module::first_state).map(FirstState::below)
    }
    fn type_name(&self) -> &'static str {
        "list"
    }
    fn outline(&self) -> Outline {
        self.iter().enumerate().fold(Outline::list(), |list, (i, module)| list.field(i, module))
    }
}

/// Lists are modules as the slices of their elements are.
macro_rules! lists {
    ($([$($parameter:tt)*] $List:ty;)*) => { $(
        impl<M: Module, $($parameter)*> Module for $List {
            fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
                self.as_slice().visit(path, see);
            }
            fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
                self.as_mut_slice().visit_mut(path, see);
            }
            fn first_state(&self) -> Option<FirstState> {
                self.as_slice().first_state()
            }
            fn type_name(&self) -> &'static str {
                self.as_slice().type_name()
            }
            fn outline(&self) -> Outline {
                self.as_slice().outline()
            }
        }
    )* };
}
lists! { [] Vec<M>; [const N: usize] [M; N]; }

/// Elements are named by their keys, in the order of the keys.
impl<M: Module> Module for BTreeMap<String, M> {
    fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
        for (name, module) in self {
            module.visit(&path.child(name), see);
        }
    }
    fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
        for (name, module) in self {
            module.visit_mut(&path.child(name), see);
        }
    }
    fn first_state(&self) -> Option<FirstState> {
        self.values().find_map(Module::first_state).map(FirstState::below)
    }
    fn type_name(&self) -> &'static str {
        "map"
    }
    fn outline(&self) -> Outline {
        self.iter().fold(Outline::map(), |map, (name, module)| map.field(name, module))
    }
}

macro_rules! tuples {
    ($($($M:ident $i:tt),+;)+) => { $(
        impl<$($M: Module),+> Module for ($($M,)+) {
            fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
                $(self.$i.visit(&path.index($i), see);)+
            }
            fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
                $(self.$i.visit_mut(&path.index($i), see);)+
            }
            fn first_state(&self) -> Option<FirstState> {
                None$(.or_else(|| self.$i.first_state()))+.map(FirstState::below)
            }
            fn type_name(&self) -> &'static str {
                "tuple"
            }
            fn outline(&self) -> Outline {
                Outline::tuple()$(.field($i, &self.$i))+
            }
        }
    )+ };
}
tuples! {
    A 0;
    A 0, B 1;
    A 0, B 1, C 2;
    A 0, B 1, C 2, D 3;
    A 0, B 1, C 2, D 3, E 4;
    A 0, B 1, C 2, D 3, E 4, F 5;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7;
}

/// Configuration values: nothing to train and nothing to save.
macro_rules! plain {
    ($($t:ty)*) => { $(
        impl Module for $t {
            fn visit<'m>(&'m self, _: &Path<'_>, _: &mut See<'_, 'm>) {}
            fn visit_mut<'m>(&'m mut self, _: &Path<'_>, _: &mut SeeMut<'_, 'm>) {}
            fn first_state(&self) -> Option<FirstState> {
                None
            }
            fn outline(&self) -> Outline {
                // `Debug` instead of `Display`: it prints 1e-5 instead of 0.00001, and strings in
                // quotes.
                Outline::value(format_args!("{self:?}"))
            }
        }
    )* };
}
plain! { () bool char f32 f64 i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize String &'static str Shape Dtype }

impl<T: ?Sized> Module for PhantomData<T> {
    fn visit<'m>(&'m self, _: &Path<'_>, _: &mut See<'_, 'm>) {}
    fn visit_mut<'m>(&'m mut self, _: &Path<'_>, _: &mut SeeMut<'_, 'm>) {}
    fn first_state(&self) -> Option<FirstState> {
        None
    }
    fn outline(&self) -> Outline {
        Outline::value("_")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tensor::Tensor;

    fn names(module: &mut dyn Module) -> Vec<String> {
        let names: Vec<_> = module.named_state().into_iter().map(|(name, _)| name).collect();
        let mut again = Vec::new();
        module.visit_mut(&Path::root(), &mut |path, _| again.push(path.to_string()));
        assert_eq!(names, again, "both walks meet the same");
        assert_eq!(module.first_state(), Walked(module).first_state(), "what is met first");
        names
    }

    /// A module without its own `first_state`. The default implementation finds the first state by a visit.
    struct Walked<'a>(&'a mut dyn Module);
    impl Module for Walked<'_> {
        fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
            self.0.visit(path, see);
        }
        fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
            self.0.visit_mut(path, see);
        }
    }

    fn param() -> Param<f64> {
        Param::new(Tensor::zeros_of(&[2]))
    }

    #[test]
    fn elements_of_containers_are_named_by_their_index() {
        assert_eq!(names(&mut param()), [""]);
        assert_eq!(names(&mut vec![param(), param()]), ["0", "1"]);
        assert_eq!(names(&mut [param(), param()]), ["0", "1"]);
        assert_eq!(names(&mut (param(), 1.5, Buffer::new(Tensor::scalar(0.0)))), ["0", "2"]);
        assert_eq!(names(&mut vec![Some(param()), None, Some(param())]), ["0", "2"]);
        assert_eq!(
            names(&mut vec![(param(), [param()]), (param(), [param()])]),
            ["0.0", "0.1.0", "1.0", "1.1.0"]
        );
        let mut map =
            BTreeMap::from([("b".to_string(), vec![param()]), ("a".to_string(), vec![param()])]);
        assert_eq!(names(&mut map), ["a.0", "b.0"]);
        let mut boxed: Vec<Box<dyn Module>> =
            vec![Box::new(param()), Box::new("relu"), Box::new((param(),))];
        assert_eq!(names(&mut boxed), ["0", "2.0"]);
        assert_eq!(names(&mut (1.5, Some(vec![Vec::new(), vec![Some(param())]]))), ["1.1.0"]);
        assert_eq!(boxed[0].type_name(), "Param");
        let types = [boxed.type_name(), (1, 2).type_name(), Some(Box::new(param())).type_name()];
        assert_eq!(types, ["list", "tuple", "Param"]);
    }

    #[test]
    fn fields_of_configuration_have_no_state() {
        let mut plain = (1u8, 2.5f32, "a", String::from("b"), true, 'c', (), PhantomData::<str>);
        assert!(names(&mut plain).is_empty());
        assert_eq!(plain.outline().to_string(), r#"(1, 2.5, "a", "b", true, 'c', (), _)"#);
        assert_eq!((Dtype::F32, Shape::from([2]), 1e-5).outline().to_string(), "(F32, [2], 1e-5)");
    }
}
