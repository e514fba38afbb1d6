//! Helpers that catch panics with their file and line.

#![allow(dead_code, unused_macros, unused_imports)] // each test program uses a part

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static PLACE: RefCell<Option<(String, u32)>> = const { RefCell::new(None) };
    static QUIET: RefCell<bool> = const { RefCell::new(false) };
}

/// Returns the message, file and line of the panic that `body` must raise.
#[track_caller]
pub fn panic_of(body: impl FnOnce()) -> (String, String, u32) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.with_borrow(|quiet| *quiet) {
                return usual(info);
            }
            let place = info.location().map(|at| (at.file().to_string(), at.line()));
            PLACE.set(place);
        }));
    });
    QUIET.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    QUIET.set(false);
    let cause = result.expect_err("a panic was expected");
    let text = cause.downcast_ref::<String>().cloned();
    let text = text.or_else(|| cause.downcast_ref::<&str>().map(ToString::to_string));
    let (file, line) = PLACE.take().expect("panics have a place");
    (text.expect("panics have a text"), file, line)
}

/// Asserts that an expression panics at this line, and that the message contains these parts.
macro_rules! panics {
    ($call:expr, $($part:expr),+ $(,)?) => {{
        let (text, file, line) = $crate::common::panic_of(|| { let _ = $call; });
        $(assert!(text.contains($part), "{:?} is not in {text:?}", $part);)+
        // In long invocations the expression is on the line after the macro's name.
        assert!(file == file!() && (line!()..=line!() + 1).contains(&line), "{text:?} points at {file}:{line}");
    }};
}
pub(crate) use panics;
