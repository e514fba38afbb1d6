//! The arrays of finished tapes, emptied but not given back: one set per number type and thread.
//! Without them a fresh tape pays for page faults as its arrays grow.

use super::arena::Arena;
use std::any::{Any, TypeId};
use std::cell::RefCell;
use wengert_tensor::Float;

/// More than a few tapes alive at once are rare.
const MOST: usize = 4;

thread_local! {
    static SPARE: RefCell<Vec<(TypeId, Box<dyn Any>)>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn take<T: Float>() -> Arena<T> {
    SPARE
        .try_with(|spare| {
            let mut spare = spare.borrow_mut();
            let i = spare.iter().position(|entry| entry.0 == TypeId::of::<T>())?;
            spare.swap_remove(i).1.downcast().ok().map(|arena| *arena)
        })
        .ok()
        .flatten()
        .unwrap_or_default()
}

pub(crate) fn put<T: Float>(arena: Arena<T>) {
    let _ = SPARE.try_with(|spare| {
        let mut spare = spare.borrow_mut();
        if spare.len() < MOST {
            spare.push((TypeId::of::<T>(), Box::new(arena)));
        }
    });
}
