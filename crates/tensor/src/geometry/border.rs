//! Padding modes: the elements beyond the ends of an axis.

/// A padding mode: the elements beyond the ends of an axis `a b c d`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum PadMode {
    /// `0 0 | a b c d | 0 0`: zeros.
    #[default]
    Zeros,
    /// `c b | a b c d | c b`: mirrored at the first and the last element, which are not repeated.
    Reflect,
    /// `a a | a b c d | d d`: the first and the last element are repeated.
    Replicate,
    /// `c d | a b c d | a b`: the axis is repeated periodically.
    Circular,
}

impl PadMode {
    /// Returns the index of the element of an axis of size `n` that stands at position `i`, counted from
    /// the start of the axis; `None` for a zero.
    pub(crate) fn element(self, i: isize, n: usize) -> Option<usize> {
        let n = n as isize;
        let at = match self {
            PadMode::Zeros => i,
            PadMode::Reflect if i < 0 => -i,
            PadMode::Reflect if i >= n => 2 * (n - 1) - i,
            PadMode::Reflect => i,
            PadMode::Replicate => i.clamp(0, n - 1),
            PadMode::Circular => i.rem_euclid(n),
        };
        (0..n).contains(&at).then_some(at as usize)
    }
}
