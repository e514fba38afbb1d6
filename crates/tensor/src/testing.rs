//! What the tests of several modules share: the six layouts, naive loops, and panics caught with
//! their place.

use crate::layout::{Shape, Strides};
use crate::number::Real;
use crate::tensor::Tensor;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// Numbers at which the result or the rounding of an operation could differ: zeros, subnormals, overflow, infinities, NaN.
pub const EDGES: [f64; 14] = [
    0.0,
    -0.0,
    1.0,
    -1.5,
    0.1,
    3.3e-39,
    -1e-310,
    1e-45,
    3.0e38,
    -1.7e308,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    7.25,
];

/// The bits of a number as `f64`; NaNs are one number.
pub fn bits<T: Real>(x: T) -> u64 {
    if x.widen().is_nan() { u64::MAX } else { x.widen().to_bits() }
}

/// One tensor of each layout, with distinct elements where the layout allows it.
pub fn layouts() -> Vec<(&'static str, Tensor<f64>)> {
    let numbers = Tensor::<f64>::from_fn(&[240], |i| i as f64 * 0.5 - 30.0);
    // SAFETY: every view below stays within the 240 numbers.
    let view = |shape: &[usize], strides: &[isize], offset| unsafe {
        numbers.view(Shape::new(shape), Strides::new(strides), offset)
    };
    vec![
        ("contiguous", view(&[3, 4, 5], &[20, 5, 1], 0)),
        ("transposed", view(&[5, 4, 3], &[1, 5, 20], 0)),
        ("sliced", view(&[3, 2, 5], &[60, -20, 2], 31)),
        ("broadcast", view(&[3, 4, 2], &[0, 7, 0], 3)),
        ("empty", view(&[3, 0, 2], &[2, 2, 1], 0)),
        ("scalar", view(&[], &[], 17)),
    ]
}

/// The elements in reading order of a tensor of this shape whose element at an index is `f` of it.
pub fn naive<T>(shape: &[usize], mut f: impl FnMut(&[usize]) -> T) -> Vec<T> {
    let mut index = vec![0; shape.len()];
    (0..shape.iter().product())
        .map(|mut position: usize| {
            for (i, &size) in index.iter_mut().zip(shape).rev() {
                *i = position % size;
                position /= size;
            }
            f(&index)
        })
        .collect()
}

/// What a panic said, and where it points.
#[derive(Default)]
pub struct Panic {
    pub message: String,
    pub file: String,
    pub line: u32,
}

thread_local! {
    static CAUGHT: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// Runs what must panic.
#[track_caller]
pub fn panic_of(f: impl FnOnce()) -> Panic {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let awaited = CAUGHT.with_borrow_mut(|caught| {
                if let (Some(caught), Some(place)) = (caught, info.location()) {
                    let payload = info.payload();
                    let text = payload.downcast_ref::<String>().map(String::as_str);
                    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
                    let message = text.unwrap_or_default().to_owned();
                    *caught = Panic { message, file: place.file().to_owned(), line: place.line() };
                    return true;
                }
                false
            });
            if !awaited {
                before(info);
            }
        }));
    });
    CAUGHT.set(Some(Panic::default()));
    let result = catch_unwind(AssertUnwindSafe(f));
    let caught = CAUGHT.take().unwrap_or_default();
    assert!(result.is_err(), "nothing panicked");
    caught
}

/// Checks the message of a panic, and that it points at the statement that calls this function.
#[track_caller]
pub fn panics_here(message: &str, f: impl FnOnce()) {
    let caller = std::panic::Location::caller();
    let panic = panic_of(f);
    assert_eq!(panic.message, message);
    assert_eq!(panic.file, caller.file(), "{message}");
    // A long statement is broken into lines: the call that panics may stand a few below the first.
    let lines = caller.line()..caller.line() + 5;
    assert!(lines.contains(&panic.line), "{message}: points at line {}", panic.line);
}
