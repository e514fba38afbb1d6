//! Recycles the arrays of finished tapes, per thread and element type. A new tape would otherwise pay
//! for page faults while its arrays grow.

use super::arena::Arena;
use std::any::{Any, TypeId};
use std::cell::RefCell;
use wengert_tensor::Float;

/// The maximal number of recycled arenas: more tapes are rarely alive at once.
const MAX_RECYCLED: usize = 4;

thread_local! {
    static RECYCLED: RefCell<Vec<(TypeId, Box<dyn Any>)>> = const { RefCell::new(Vec::new()) };
}

/// Returns an empty arena, a recycled one if there is one.
pub(crate) fn acquire<T: Float>() -> Arena<T> {
    RECYCLED
        .try_with(|recycled| {
            let mut recycled = recycled.borrow_mut();
            let i = recycled.iter().position(|entry| entry.0 == TypeId::of::<T>())?;
            recycled.swap_remove(i).1.downcast().ok().map(|arena| *arena)
        })
        .ok()
        .flatten()
        .unwrap_or_default()
}

/// Stores an arena, which must be empty, for a later tape.
pub(crate) fn recycle<T: Float>(arena: Arena<T>) {
    let _ = RECYCLED.try_with(|recycled| {
        let mut recycled = recycled.borrow_mut();
        if recycled.len() < MAX_RECYCLED {
            recycled.push((TypeId::of::<T>(), Box::new(arena)));
        }
    });
}
