//! The text of errors, also where Rust asks for `Debug`.

/// Makes `Debug` of error types print what `Display` does: `fn main() -> Result<(), E>`, `unwrap` and
/// `expect` print `Debug`. The text of an error contains that of its source.
#[doc(hidden)]
#[macro_export]
macro_rules! debug_is_display {
    ($($Error:ty),* $(,)?) => { $(
        /// The text of the error: what `main` and `unwrap` print.
        impl ::std::fmt::Debug for $Error {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(self, f)
            }
        }
    )* };
}
