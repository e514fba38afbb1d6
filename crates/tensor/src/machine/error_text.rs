//! A macro that makes `Debug` of an error print its text.

/// Implements `Debug` for error types so that it prints the same as `Display`, because
/// `fn main() -> Result<(), E>`, `unwrap` and `expect` print `Debug`. The text of an error contains the text
/// of its source.
#[doc(hidden)]
#[macro_export]
macro_rules! debug_is_display {
    ($($Error:ty),* $(,)?) => { $(
        /// Prints the text of the error, so that `main` and `unwrap` show it.
        impl ::std::fmt::Debug for $Error {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(self, f)
            }
        }
    )* };
}
