//! Writing at positions, and combining elements at positions. The results select elements of the operand
//! and of the source by computed integers, so that their derivatives are those of `index_select`.

use crate::graph::{Index, IndexOp, IntegerOp, IntoIndex, Part, ScanAlong, Var, View};
use smallvec::SmallVec;
use wengert_tensor::{Float, Grouping, Scan, ScatterReduce, Shape, shapes};

impl<'t, T: Float> Index<'t, T> {
    /// Returns integers about these positions, which are below `size`.
    fn grouped(self, part: Grouping, size: usize) -> Self {
        let n = self.shape().numel();
        let count = match part {
            Grouping::Writers | Grouping::Ends => size,
            Grouping::Targets | Grouping::Order => size + n,
        };
        // A flat tensor has one axis, so its size fits.
        let op = IntegerOp::Group { part, size: size as u32 };
        self.tape.integers(op, &[self.id], Shape::new(&[count]))
    }

    /// Returns the place of a shape in the table of the tape.
    fn shape_in_table(self, shape: Shape) -> u32 {
        let shapes = &mut self.tape.arena.borrow_mut().shapes;
        shapes.push(shape);
        shapes.len() as u32 - 1
    }
}

impl<'t, T: Float> Var<'t, T> {
    #[track_caller]
    fn rows(self, index: Index<'t, T>) -> Self {
        let shape = self.shape().with(0, index.shape()[0]);
        self.indexed(IndexOp::IndexSelect { axis: 0 }, index, shape)
    }

    #[track_caller]
    fn reshaped(self, sizes: &[usize]) -> Self {
        self.view(View::Reshape, Shape::new(sizes))
    }

    /// Returns `self`, seen as `size` rows, with rows replaced: `rows` are written at the positions `at`.
    #[track_caller]
    fn with_rows_at(self, at: Index<'t, T>, rows: Self, [size, inner]: [usize; 2]) -> Self {
        let both = [self.reshaped(&[size, inner]), rows.reshaped(&[at.shape()[0], inner])];
        let from = at.grouped(Grouping::Writers, size);
        Var::concat(&both, 0).rows(from).view(View::Reshape, self.shape())
    }

    /// Checks a scatter. Returns the axis, the positions in the flat operand, and the elements of the source
    /// that the index covers.
    #[track_caller]
    fn scattering(
        self,
        op: &'static str,
        axis: isize,
        index: Index<'t, T>,
        source: Self,
    ) -> (usize, Index<'t, T>, Self) {
        self.tape.same_tape(op, source.tape);
        let (shape, of_index) = (self.shape(), index.shape());
        let rule = shapes::scatter(op, &shape, axis, &of_index, &source.shape());
        let axis = self.fits(rule);
        // A flat view checks that the positions can be counted along one axis.
        self.fits(shapes::flatten(&shape, 0, -1));
        let reduce = op == "scatter_reduce";
        let of = index.shape_in_table(shape);
        let flat = IntegerOp::Flat { axis: axis as u8, reduce, of };
        let at = self.tape.integers(flat, &[index.id], Shape::new(&[of_index.numel()]));
        let mut covered = source;
        for (axis, &size) in of_index.iter().enumerate() {
            if covered.shape()[axis] != size {
                covered = covered.narrow(axis as isize, 0, size);
            }
        }
        (axis, at, covered)
    }

    /// Returns `self` with the elements of `source` written at these indices along an axis:
    /// `y[…, index[…, i, …], …] = source[…, i, …]`. If an index names a position twice, the last element is
    /// written and gets the gradient.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let (x, y) = (tape.watch(Tensor::from([1.0, 2.0])), tape.watch(Tensor::from([7.0, 8.0])));
    /// let z = x.scatter(0, Tensor::from([1i64, 1]), y);
    /// assert_eq!(z.value().to_vec(), [1.0, 8.0]);
    /// let slopes = z.sum_all().grad(&[x, y]);
    /// assert_eq!(slopes[0].value().to_vec(), [1.0, 0.0]);
    /// assert_eq!(slopes[1].value().to_vec(), [0.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit, or an index is out of range.
    #[track_caller]
    pub fn scatter(self, axis: isize, index: impl IntoIndex<'t, T>, source: Self) -> Self {
        let index = index.into_index(self.tape);
        let (_, at, source) = self.scattering("scatter", axis, index, source);
        self.with_rows_at(at, source, [self.shape().numel(), 1])
    }

    /// Combines the elements of `source` with the elements at their indices along an axis, as
    /// [`scatter_add`](Var::scatter_add) does for sums. Without `include_self`, elements of `self` that get
    /// others do not take part. Elements that get none stay as they are. Equal maxima and minima share the
    /// gradient evenly; derivatives of products are exact where elements are zero.
    ///
    /// # Panics
    /// If the shapes do not fit, or an index is out of range.
    #[track_caller]
    pub fn scatter_reduce(
        self,
        axis: isize,
        index: impl IntoIndex<'t, T>,
        source: Self,
        how: ScatterReduce,
        include_self: bool,
    ) -> Self {
        let (tape, shape, size) = (self.tape, self.shape(), self.shape().numel());
        let index = index.into_index(tape);
        let (_, at, source) = self.scattering("scatter_reduce", axis, index, source);
        let (own, n) = (self.reshaped(&[size]), at.shape()[0]);
        // The elements of `self`, without those that do not take part.
        let base = |nothing: f64| {
            if include_self {
                return own;
            }
            let touched = at.grouped(Grouping::Writers, size).ge(size);
            Var::where_(touched, nothing, own)
        };
        let source = source.reshaped(&[n]);
        let entries = |nothing: f64| Var::concat(&[base(nothing), source], 0);
        let out = match how {
            ScatterReduce::Sum => base(0.0).index_add(0, at, source),
            ScatterReduce::Mean => {
                let ones = tape.full([size], if include_self { 1.0 } else { 0.0 });
                let counts = ones.index_add(0, at, tape.full([n], 1.0));
                base(0.0).index_add(0, at, source) / counts.clamp_min(1.0)
            }
            ScatterReduce::Product => {
                // The entries of each place are consecutive, the one of `self` first. There the recurrence
                // starts again, because its factor is 0.
                let order = at.grouped(Grouping::Order, size);
                let (sorted, starts) = (entries(1.0).rows(order), order.lt(size));
                let [factors, summands] =
                    [Var::where_(starts, 0, sorted), Var::where_(starts, sorted, 0)];
                let scan = ScanAlong { op: Scan::Linear, axis: 0, reverse: false };
                let products = factors.scanned(scan, Some(summands));
                products.rows(at.grouped(Grouping::Ends, size))
            }
            _ => {
                let largest = how == ScatterReduce::Max;
                let nothing = if largest { f64::NEG_INFINITY } else { f64::INFINITY };
                let (entries, targets) = (entries(nothing), at.grouped(Grouping::Targets, size));
                let op = IntegerOp::Winner { largest };
                let winner = tape.integers(op, &[entries.id, targets.id], Shape::new(&[size]));
                let chosen = entries.rows(winner);
                // The value, plus the mean of the differences of all equal entries from it: these are 0,
                // and their derivatives are the shares. Infinities have no difference.
                let finite = chosen.abs().lt(f64::INFINITY);
                let value = Var::where_(finite, chosen, 0).detach();
                let equal = entries.eq(chosen.detach().rows(targets));
                let differences = Var::where_(equal, entries - value.rows(targets), 0);
                let zeros = tape.full([size], 0.0);
                let sum = |x: Self| zeros.index_add(0, targets, x);
                let shared = value + sum(differences) / sum(equal.cast()).clamp_min(1.0);
                Var::where_(finite, shared, chosen)
            }
        };
        out.view(View::Reshape, shape)
    }

    /// Returns `self` with the rows of `source` added at these indices of an axis:
    /// `y[…, index[i], …] += source[…, i, …]`. Where an index occurs several times, all its rows are added. If `index` has
    /// several axes, `source` has them in place of the axis.
    ///
    /// # Panics
    /// If the shapes do not fit, or an index is out of range.
    #[track_caller]
    pub fn index_add(self, axis: isize, index: impl IntoIndex<'t, T>, source: Self) -> Self {
        self.tape.same_tape("index_add", source.tape);
        let (shape, index) = (self.shape(), index.into_index(self.tape));
        let at = self.fits(shapes::axis("index_add", axis, &shape));
        let of_source = source.shape();
        let rule = shapes::index_add(&of_source, axis, &index.shape(), shape[at]);
        let (_, wanted) = self.fits(rule);
        self.fits(shapes::part_fits("index_add", &shape, &of_source, &wanted));
        let rows = Part::Rows { axis: at as u8, index: index.id };
        self.tape.assemble(&[(Part::Whole, self.id), (rows, source.id)], shape)
    }

    /// Returns `self` with values written at positions: `y[i, j, …] = values`, where `indices` are the
    /// positions i, j, … along the first axes. The indices broadcast, and the values broadcast to the shape
    /// of the indices, followed by the other axes. With `accumulate` the values are added, else the last
    /// value for a position is written and gets the gradient.
    ///
    /// # Panics
    /// If there is no index or more than axes, the shapes do not broadcast, or a position is out of range.
    #[track_caller]
    pub fn index_put<I: IntoIndex<'t, T> + Clone>(
        self,
        indices: &[I],
        values: Self,
        accumulate: bool,
    ) -> Self {
        self.tape.same_tape("index_put", values.tape);
        let shape = self.shape();
        let mut all = SmallVec::<[Index<'t, T>; 4]>::new();
        for index in indices {
            all.push(index.clone().into_index(self.tape));
        }
        let sizes: SmallVec<[Shape; 4]> = all.iter().map(|index| index.shape()).collect();
        let put = self.fits(shapes::index_put(&shape, &sizes, &values.shape()));
        let of = all[0].shape_in_table(shape);
        let mut parents = SmallVec::<[u32; 2]>::new();
        let mut so_far = Shape::new(&[]);
        for (axis, index) in all.iter().enumerate() {
            so_far = self.fits(shapes::broadcast("index_put", &so_far, &index.shape()));
            parents.push(index.id);
            let op = IntegerOp::Mixed { axis: axis as u8, of };
            parents = SmallVec::from_slice(&[self.tape.integers(op, &parents, so_far).id]);
        }
        let at =
            Index { tape: self.tape, id: parents[0] }.reshaped(Shape::new(&[put.index.numel()]));
        let rows = values.broadcast_shape(put.values).reshaped(&[put.index.numel(), put.size[1]]);
        if accumulate {
            return self.reshaped(&put.size).index_add(0, at, rows).view(View::Reshape, shape);
        }
        self.with_rows_at(at, rows, put.size)
    }
}
