//! Printing the options of layers.

use wengert_autograd::Outline;

/// Adds the options that differ from their defaults. An option is given by its name, its value and
/// its default value.
pub(crate) fn changed(outline: Outline, options: &[(&'static str, String, &str)]) -> Outline {
    options
        .iter()
        .filter(|(_, value, default)| value != default)
        .fold(outline, |outline, (name, value, _)| outline.with(*name, Outline::value(value)))
}

/// Formats one number for each axis as a user writes them: one number if all are equal.
pub(crate) fn sizes(each: &[usize]) -> String {
    if each.iter().all(|n| *n == each[0]) { each[0].to_string() } else { format!("{each:?}") }
}

/// Formats the padding before and after each axis as a user writes it.
pub(crate) fn sides(each: &[(usize, usize)]) -> String {
    if each.iter().all(|(before, after)| before == after) {
        return sizes(&each.iter().map(|&(n, _)| n).collect::<Vec<_>>());
    }
    match each {
        [one] => format!("{one:?}"),
        _ => format!("{each:?}"),
    }
}
