//! The name of each operation, and its attributes.

use super::Attribute;
use crate::graph::{
    Arena, ConvOp, Distribution, IndexOp, IntegerOp, Lstm, MapAxis, MatMul, MaxPool, Normalize, Op,
    Part, PoolWindows, Random, Reduce, ScanAlong, Softmax, View,
};
use wengert_tensor::{Conv, Float, Grouping, LinePick, Pool, Scan, Unary, VolumePool};

type Attributes = Vec<(&'static str, Attribute)>;

/// Returns the name and the attributes of the operation whose first output is this node.
pub(super) fn operation<T: Float>(arena: &Arena<T>, op: Op, id: u32) -> (String, Attributes) {
    let axis = |axis: u8| vec![("axis", axis.into())];
    let (name, attributes) = match op {
        Op::Constant => ("constant", vec![]),
        Op::Leaf => ("watch", vec![]),
        Op::Fill(number) => ("full", vec![("value", number.into())]),
        Op::Detach => ("detach", vec![]),
        Op::Output(_) => unreachable!("described by its operation"),
        Op::Integer { op, .. } => integer(arena, op),
        Op::Unary(op) => unary(op),
        Op::Binary(op) | Op::Compare(op) => (op.name(), vec![]),
        Op::Select => ("where_", vec![]),
        Op::View(view) => self::view(view, arena.shape(id).rank()),
        Op::Assemble(sum) => {
            let parts = arena.parts[sum.0 as usize].iter().map(|part| self::part(*part));
            let parts = parts.collect::<Vec<_>>().join("; ");
            ("sum_of_parts", vec![("parts", Attribute::Text(parts))])
        }
        Op::Reduce(Reduce::Sum) => ("sum", vec![]),
        Op::Reduce(Reduce::Max) => ("max", vec![]),
        Op::Reduce(Reduce::Min) => ("min", vec![]),
        Op::Reduce(Reduce::LogSumExp) => ("logsumexp", vec![]),
        Op::Softmax(op) => match op {
            Softmax::Forward { axis: at, log: false } => ("softmax", axis(at)),
            Softmax::Forward { axis: at, log: true } => ("log_softmax", axis(at)),
            Softmax::Gradient { axis: at, log: false } => ("softmax_gradient", axis(at)),
            Softmax::Gradient { axis: at, log: true } => ("log_softmax_gradient", axis(at)),
        },
        Op::Lstm(Lstm::Step) => ("lstm_step", vec![]),
        Op::Lstm(Lstm::Gradient) => ("lstm_step_gradient", vec![]),
        Op::Normalize(op) => match op {
            Normalize::Moments { correction, .. } => {
                ("var_mean", vec![("correction", correction.into())])
            }
            Normalize::Layer { axes, eps } => {
                ("layer_norm", vec![("axes", axes.into()), ("eps", eps.get().into())])
            }
            Normalize::Batch { eps } => ("batch_norm", vec![("eps", eps.get().into())]),
            Normalize::BatchGradient { eps } => {
                ("batch_norm_gradient", vec![("eps", eps.get().into())])
            }
            Normalize::LayerGradient { axes } => {
                ("layer_norm_gradient", vec![("axes", axes.into())])
            }
        },
        Op::Scan(ScanAlong { op, axis, reverse }) => {
            let name = match op {
                Scan::Sum => "cumsum",
                Scan::Product => "cumprod",
                Scan::LogSumExp => "logcumsumexp",
                Scan::Linear => "recurrence",
            };
            (name, vec![("axis", axis.into()), ("reverse", reverse.into())])
        }
        Op::MatMul(MatMul { ta, tb, .. }) => {
            ("matmul", vec![("transposed_left", ta.into()), ("transposed_right", tb.into())])
        }
        Op::Conv(op) => {
            let name = match op {
                ConvOp::Forward(_) => "conv2d",
                ConvOp::Input(_) => "conv_transpose2d",
                ConvOp::Weight(_) => "conv2d_weight",
            };
            (name, conv(&arena.convs[op.place() as usize]))
        }
        Op::Index(op) => index(op),
        Op::MaxPool(MaxPool { windows, .. }) => match arena.pools[windows as usize] {
            PoolWindows::Sliding(pool) => ("max_pool2d", self::pool(&pool)),
            PoolWindows::Adaptive => ("adaptive_max_pool2d", vec![]),
            PoolWindows::Volumes(pool, plane) => {
                let mut attributes = volume_pool(&pool);
                attributes.push(("plane", plane.into()));
                ("max_pool3d", attributes)
            }
            PoolWindows::AdaptiveVolumes(size, plane) => {
                ("adaptive_max_pool3d", vec![("size", list(size)), ("plane", plane.into())])
            }
        },
        Op::MapAxis(MapAxis { axis, transposed, map }) => {
            let map = &arena.maps[map as usize];
            let name = if transposed { "map_axis_transposed" } else { "map_axis" };
            let entries = Attribute::Text(format!("{map:?} {:016x}", map.fingerprint()));
            (name, vec![("axis", axis.into()), ("map", entries)])
        }
        Op::Random(Random::Dropout { p, stream }) => {
            ("dropout", vec![("p", p.get().into()), ("stream", stream.into())])
        }
        Op::Draw(draw) => {
            let name = match draw.from {
                Distribution::Uniform => "rand",
                Distribution::Normal => "randn",
            };
            (name, vec![("stream", draw.stream.into())])
        }
        Op::Custom(place) => return (arena.customs[place as usize].op.name().to_string(), vec![]),
    };
    (name.to_string(), attributes)
}

impl<T: Float> Arena<T> {
    /// Returns the name of the operation of a node.
    pub(crate) fn op_name(&self, id: u32) -> String {
        let first = self.first_output(id);
        operation(self, self.nodes[first as usize].op, first).0
    }
}

fn unary(op: Unary) -> (&'static str, Attributes) {
    let constant = op.constant().map(|number| ("value", number.into()));
    (op.name(), constant.into_iter().collect())
}

fn integer<T: Float>(arena: &Arena<T>, op: IntegerOp) -> (&'static str, Attributes) {
    match op {
        IntegerOp::Given => ("index", vec![]),
        IntegerOp::ArgMax { axis } => ("argmax", vec![("axis", axis.into())]),
        IntegerOp::ArgMin { axis } => ("argmin", vec![("axis", axis.into())]),
        IntegerOp::Positions { axis, by, k } => {
            let name = match by {
                LinePick::Ascending | LinePick::Descending => "argsort",
                LinePick::Kth => "kthvalue",
                LinePick::Median => "median",
                LinePick::Mode => "mode",
                LinePick::RunningMax => "cummax",
                LinePick::RunningMin => "cummin",
            };
            let descending = (by == LinePick::Descending).into();
            (name, vec![("axis", axis.into()), ("k", k.into()), ("descending", descending)])
        }
        IntegerOp::CountNonzero { .. } => ("count_nonzero", vec![]),
        IntegerOp::SearchSorted { right } => ("searchsorted", vec![("right", right.into())]),
        IntegerOp::Reshape => ("reshape", vec![]),
        IntegerOp::Flat { axis, .. } => ("flat_positions", vec![("axis", axis.into())]),
        IntegerOp::Mixed { axis, .. } => ("mixed_positions", vec![("axis", axis.into())]),
        IntegerOp::Group { part, size } => {
            let name = match part {
                Grouping::Writers => "last_writers",
                Grouping::Targets => "targets",
                Grouping::Order => "order_by_target",
                Grouping::Ends => "ends_of_targets",
            };
            (name, vec![("size", size.into())])
        }
        IntegerOp::Winner { largest } => ("winners", vec![("largest", largest.into())]),
        IntegerOp::Unsqueeze { axis } => ("unsqueeze", vec![("axis", axis.into())]),
        IntegerOp::Classes { axis, of } => {
            let (_, count, ignored) = arena.classes[of as usize];
            let mut attributes = vec![("axis", axis.into()), ("count", count.into())];
            attributes.extend(ignored.map(|number| ("ignored", number.into())));
            ("classes", attributes)
        }
        IntegerOp::Affine { of } => {
            let (by, add) = arena.affine[of as usize];
            ("affine", vec![("times", by.into()), ("plus", add.into())])
        }
    }
}

fn view(view: View, rank: usize) -> (&'static str, Attributes) {
    let sliced = |axis: u8, start: u32, step: i32| {
        vec![("axis", axis.into()), ("start", start.into()), ("step", step.into())]
    };
    match view {
        View::BroadcastTo => ("broadcast_to", vec![]),
        View::Reshape => ("reshape", vec![]),
        View::Permute(order) => ("permute", vec![("axes", (&order.axes(rank)[..]).into())]),
        View::Slice { axis, start, step } => ("slice", sliced(axis, start, step)),
        View::Unslice { axis, start, step } => ("unslice", sliced(axis, start, step)),
        View::Concat { axis } => ("concat", vec![("axis", axis.into())]),
    }
}

fn part(part: Part) -> String {
    match part {
        Part::Whole => "all".into(),
        Part::Slice { axis, start, step } => format!("axis {axis} from {start} by {step}"),
        Part::Rows { axis, .. } => format!("rows of axis {axis}"),
        Part::Elements { axis, .. } => format!("elements along axis {axis}"),
    }
}

fn index(op: IndexOp) -> (&'static str, Attributes) {
    let axis = |axis: u8| vec![("axis", axis.into())];
    match op {
        IndexOp::IndexSelect { axis: at } => ("index_select", axis(at)),
        IndexOp::IndexAdd { axis: at } => ("index_add", axis(at)),
        IndexOp::Gather { axis: at } => ("gather", axis(at)),
        IndexOp::ScatterAdd { axis: at } => ("scatter_add", axis(at)),
        IndexOp::Pick => ("pick2d", vec![]),
        IndexOp::Unpool => ("max_unpool2d", vec![]),
    }
}

fn conv(conv: &Conv) -> Attributes {
    let [(top, bottom), (left, right)] = conv.padding.map(|(a, b)| (a as i64, b as i64));
    vec![
        ("stride", conv.stride.into()),
        ("padding", Attribute::List(vec![top, bottom, left, right])),
        ("dilation", conv.dilation.into()),
        ("groups", conv.groups.into()),
    ]
}

fn list(sizes: [usize; 3]) -> Attribute {
    Attribute::List(sizes.map(|n| n as i64).into())
}

fn volume_pool(pool: &VolumePool) -> Attributes {
    let sides = pool.padding.iter().flat_map(|&(before, after)| [before as i64, after as i64]);
    vec![
        ("kernel", list(pool.kernel)),
        ("stride", list(pool.stride)),
        ("padding", Attribute::List(sides.collect())),
        ("dilation", list(pool.dilation)),
        ("ceil_mode", pool.ceil_mode.into()),
    ]
}

fn pool(pool: &Pool) -> Attributes {
    let sides = pool.padding;
    let padding = if sides.iter().all(|(before, after)| before == after) {
        sides.map(|(before, _)| before).into()
    } else {
        let [(top, bottom), (left, right)] = sides.map(|(a, b)| (a as i64, b as i64));
        Attribute::List(vec![top, bottom, left, right])
    };
    vec![
        ("kernel", pool.kernel.into()),
        ("stride", pool.stride.into()),
        ("padding", padding),
        ("dilation", pool.dilation.into()),
        ("ceil_mode", pool.ceil_mode.into()),
    ]
}
