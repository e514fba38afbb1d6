//! What stands beyond the ends of an axis.

/// What stands beyond the ends of an axis `a b c d`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum PadMode {
    /// `0 0 | a b c d | 0 0`
    #[default]
    Zeros,
    /// `c b | a b c d | c b`: mirrored at the last element, which is not repeated.
    Reflect,
    /// `a a | a b c d | d d`
    Replicate,
    /// `c d | a b c d | a b`
    Circular,
}

impl PadMode {
    /// Which element of an axis of size `n` stands at `i`, counted from the start of the axis.
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
