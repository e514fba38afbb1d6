//! The operations of nodes, as data: what an operation is, without the computation of its value and without its
//! derivative. Both are in `rules`, in one file per family.

use smallvec::SmallVec;
use wengert_tensor::{Binary, Grouping, LinePick, MAX_RANK, Opcode, Pool, Scan, Unary, VolumePool};

/// The operation of a node. Payloads are small and `Copy`. The target shape is the shape of the node,
/// and larger payloads are in a table of the tape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Op {
    /// A given value, not differentiated.
    Constant,
    /// A given value whose gradient can be computed: a watched tensor or a parameter.
    Leaf,
    /// A constant with all elements equal to this number.
    Fill(f64),
    /// The value of its operand, through which no gradient flows.
    Detach,
    /// A further output of an operation. The number is the distance to the node of the first output.
    Output(u32),
    /// Integers; `place` is their place in the column of integers.
    Integer {
        op: IntegerOp,
        place: u32,
    },
    /// A comparison of two tensors of integers.
    Compare(Binary),
    Unary(Unary),
    Binary(Binary),
    /// The second operand where the first is not zero, otherwise the third.
    Select,
    View(View),
    Assemble(Assemble),
    Reduce(Reduce),
    Softmax(Softmax),
    Normalize(Normalize),
    Lstm(Lstm),
    Scan(ScanAlong),
    MatMul(MatMul),
    Conv(ConvOp),
    Index(IndexOp),
    MaxPool(MaxPool),
    MapAxis(MapAxis),
    Random(Random),
    Draw(Draw),
    /// A custom operation: an entry in the tape's table.
    Custom(u32),
}

/// Every node contains an `Op`, and tapes may have millions of nodes.
const _: () = assert!(size_of::<Op>() == 16);

impl Op {
    /// Returns the instruction of this operation in a pointwise program.
    #[inline]
    pub fn opcode(self) -> Option<Opcode> {
        match self {
            Op::Unary(op) => Some(Opcode::Unary(op)),
            Op::Binary(op) => Some(Opcode::Binary(op)),
            Op::Select => Some(Opcode::Select),
            _ => None,
        }
    }

    /// Returns whether the node's value was given and cannot be computed again.
    #[inline]
    pub fn is_given(self) -> bool {
        matches!(
            self,
            Op::Constant | Op::Leaf | Op::Fill(_) | Op::Integer { op: IntegerOp::Given, .. }
        )
    }

    /// Returns whether the operation may have further outputs.
    #[inline]
    pub fn has_outputs(self) -> bool {
        matches!(self, Op::Custom(_) | Op::MaxPool(_) | Op::Normalize(_) | Op::Lstm(_))
    }
}

/// Another arrangement of the same elements. The shape of the node is the target shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum View {
    BroadcastTo,
    Reshape,
    Permute(Order),
    /// Elements `start, start + step, …` along one axis. The node's shape gives their number.
    Slice {
        axis: u8,
        start: u32,
        step: i32,
    },
    /// Zeros with the operand's elements at these positions: the adjoint of `Slice`.
    Unslice {
        axis: u8,
        start: u32,
        step: i32,
    },
    Concat {
        axis: u8,
    },
}

/// Axis i of the result is axis `self.0[i]` of the operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Order(pub [u8; MAX_RANK]);

impl Order {
    pub fn inverse(self, rank: usize) -> Order {
        let mut inverse = Order([0; _]);
        for (to, &from) in self.0[..rank].iter().enumerate() {
            inverse.0[from as usize] = to as u8;
        }
        inverse
    }

    /// Returns the axis of the operand that becomes this axis of the result.
    pub fn shown_by(self, axis: u8) -> u8 {
        self.0[axis as usize]
    }

    pub fn axes(self, rank: usize) -> SmallVec<[isize; MAX_RANK]> {
        self.0[..rank].iter().map(|&axis| axis as isize).collect()
    }

    /// Returns whether the order exchanges the last two axes and changes nothing else.
    pub fn swaps_last_two(self, rank: usize) -> bool {
        let at = |i: usize| self.0[i] as usize;
        rank >= 2
            && (0..rank - 2).all(|i| at(i) == i)
            && (at(rank - 2), at(rank - 1)) == (rank - 1, rank - 2)
    }
}

/// The positions of an operand in the sum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part {
    /// All positions: the operand has the shape of the result.
    Whole,
    /// The elements `start, start + step, …` along one axis.
    Slice { axis: u8, start: u32, step: i32 },
    /// The rows along an axis that an index selects; `index` is its node.
    Rows { axis: u8, index: u32 },
    /// For each element of the operand, the element along an axis that an index selects; `index` is its
    /// node.
    Elements { axis: u8, index: u32 },
}

/// y = Σᵢ Aᵢ·xᵢ, where Aᵢ puts the elements of xᵢ at the positions of part i, and zeros elsewhere. The
/// parts are an entry in a table of the tape. The operands of the node are first the xᵢ, then the
/// indices of the parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Assemble(pub u32);

/// A reduction to the shape of the node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reduce {
    /// The sum: the adjoint of broadcasting.
    Sum,
    Max,
    Min,
    LogSumExp,
}

/// Softmax or its logarithm along an axis, or the gradient of one of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Softmax {
    /// y = eˣ / Σ eˣ, or its logarithm
    Forward { axis: u8, log: bool },
    /// gx from gy and y
    Gradient { axis: u8, log: bool },
}

/// Normalisations with fused kernels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Normalize {
    /// Mean and variance over the axes with a bit. Two outputs of the same shape.
    Moments { axes: u8, correction: u32 },
    /// Layer normalisation over the last axes, `axes` in number: of x, and of a weight and a bias, if there are such
    /// operands. The outputs are y, the mean and the inverse deviation.
    Layer { axes: u8, eps: PackedF64 },
    /// The gradient of layer normalisation: of x, the mean, the inverse deviation, gy, and a weight, if there is one.
    /// The outputs are the gradients of x and, with a weight, of weight and bias.
    LayerGradient { axes: u8 },
    /// Batch normalisation over all axes except axis 1: of x, the mean and the variance of x, and a weight and a
    /// bias, if there are such operands. Mean and variance are detached: the rule counts them as functions of x.
    Batch { eps: PackedF64 },
    /// The gradient of batch normalisation: of x, the mean, the variance, gy, and a weight, if there is one. The
    /// outputs are the gradients of x, weight and bias. A weight that is no operand is 1.
    BatchGradient { eps: PackedF64 },
}

/// The pointwise part of a step of a long short-term memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Lstm {
    /// The step: of two contributions to the gates and the state c. The outputs are h', c' and the activated gates i, f,
    /// g, o, one block after the other.
    Step,
    /// Its gradient: of the activated gates, c, c' and the gradients of h' and c'. The outputs are the gradients of the
    /// sum of the contributions and of c.
    Gradient,
}

/// Running results along this axis. [`Scan::Linear`] has two operands, other scans have one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ScanAlong {
    pub op: Scan,
    pub axis: u8,
    /// Whether the scan runs from the last index to the first.
    pub reverse: bool,
}

/// A product of matrices. Both operands have at least two axes, and their batch axes are equal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MatMul {
    pub ta: bool,
    pub tb: bool,
    /// Whether the result is stored column by column.
    pub by_columns: bool,
}

/// A convolution, or one of its adjoints. The number is the place of the geometry in a table of the tape. The node's shape gives the size of
/// the image or kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ConvOp {
    /// The convolution of x with w and, if there is a third operand, a bias per output channel.
    Forward(u32),
    /// The cotangent of x from gy and w. This is also the transposed convolution.
    Input(u32),
    /// The cotangent of w from x and gy.
    Weight(u32),
}

/// A selection by index, or its adjoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum IndexOp {
    /// y[…, i, …] = x[…, index[i], …]; i stands for all axes of the index
    IndexSelect { axis: u8 },
    /// y[…, index[i], …] += x[…, i, …], where y is zero at first; i stands for all axes of the index
    IndexAdd { axis: u8 },
    /// y[…, i, …] = x[…, index[…, i, …], …]
    Gather { axis: u8 },
    /// y[…, index[…, i, …], …] += x[…, i, …], where y is zero at first
    ScatterAdd { axis: u8 },
    /// y[…, o] = x[…, index[…, o]], where the last two axes of x, y and the index are flattened into one
    Pick,
    /// y[…, index[…, o]] += x[…, o], where y is zero at first and the last two axes of x, y and the
    /// index are flattened into one
    Unpool,
}

/// The windows of a pool, an entry in a table of the tape.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum PoolWindows {
    Sliding(Pool),
    /// The node's shape gives the number of windows.
    Adaptive,
    /// Windows of volumes: the height and the width of a plane are one axis of the operand, and those of the
    /// result one axis of the result. The numbers are the height and the width of the operand.
    Volumes(VolumePool, [usize; 2]),
    /// The same for windows whose number is given: the depth, the height and the width of the result.
    AdaptiveVolumes([usize; 3], [usize; 2]),
}

/// The maximum of each window, and its position as a second output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MaxPool {
    /// The place of the windows in the tape's table.
    pub windows: u32,
    /// The place of the positions in the column of integers.
    pub positions: u32,
}

/// A linear map along one axis, or its transpose:
/// y[…, o, …] = Σ weight · x[…, i, …] over the entries of row o of the map, or of its transpose
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MapAxis {
    pub axis: u8,
    pub transposed: bool,
    pub map: u32,
}

/// A random operation on an operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Random {
    /// Dropout is linear in its operand and is its own adjoint.
    Dropout { p: PackedF64, stream: u32 },
}

/// Random numbers without an operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Draw {
    pub from: Distribution,
    pub stream: u32,
}

/// The distribution of random numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Distribution {
    /// Uniform in [0, 1).
    Uniform,
    /// Normal, with mean 0 and variance 1.
    Normal,
}

/// An `f64` as two `u32`: an aligned `f64` would make `Op` larger.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PackedF64([u32; 2]);

impl PackedF64 {
    pub fn new(number: f64) -> Self {
        let bits = number.to_bits();
        PackedF64([bits as u32, (bits >> 32) as u32])
    }

    pub fn get(self) -> f64 {
        f64::from_bits(u64::from(self.0[0]) | u64::from(self.0[1]) << 32)
    }
}

/// The source of the integers of a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum IntegerOp {
    /// Given by the user.
    Given,
    /// The position of the maximum along an axis. The node's shape tells whether the axis is kept.
    ArgMax { axis: u8 },
    /// The position of the minimum along an axis.
    ArgMin { axis: u8 },
    /// The positions of elements along an axis, by their order.
    Positions { axis: u8, by: LinePick, k: u32 },
    /// The number of elements that are not zero, over the axes with a bit. The node's shape tells whether
    /// the axes are kept.
    CountNonzero { axes: u8 },
    /// The places of the second operand's elements among the sorted elements of the first.
    SearchSorted { right: bool },
    /// Another index with an additional axis of size 1.
    Unsqueeze { axis: u8 },
    /// Another index with the shape of the node.
    Reshape,
    /// The flat positions in a tensor that an index along an axis names. `of` is the place of the tensor's
    /// shape in the table of shapes. `reduce`: for `scatter_reduce`, else for `scatter`.
    Flat { axis: u8, reduce: bool, of: u32 },
    /// The flat positions that indices along the first axes name together: the positions along the axes
    /// before this one, if there are any, and an index along this one.
    Mixed { axis: u8, of: u32 },
    /// Integers about elements at positions below `size`.
    Group { part: Grouping, size: u32 },
    /// For each position, the largest or smallest of the elements there: the first operand holds the elements,
    /// the second their positions.
    Winner { largest: bool },
    /// The classes of samples as an index along an axis. An entry of the tape's table holds the name of
    /// the loss and the number of classes.
    Classes { axis: u8, of: u32 },
    /// Another index, multiplied by a number, plus a number. An entry of the tape's table holds the two
    /// numbers.
    Affine { of: u32 },
}
