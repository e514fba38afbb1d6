//! The choices that are made when a tape is created.

/// The mode of a tape: training or evaluation. Layers such as dropout and batch norm follow it. The mode is
/// always explicit: a tape of [`Tape::new`](crate::Tape::new) has no mode, and such layers panic on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Training: dropout drops elements, batch norm normalises by the statistics of the batch.
    Train,
    /// Evaluation: dropout does nothing, batch norm normalises by its running statistics.
    Eval,
}

/// Selects when a tape computes values. The policy does not change the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Each operation is computed when it is recorded.
    Eager,
    /// Pointwise operations stay pending until an operation reads them, and are computed with it in one pass over
    /// memory.
    Fused,
}

/// The data that a tape stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunKind {
    /// Values and history: gradients can be computed.
    Recording,
    /// Values without history: nothing can be differentiated.
    Inference,
    /// Shapes without values.
    ShapeOnly,
}
