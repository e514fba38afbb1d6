//! Repeating, rolling, diagonals, triangles, grids: compositions of views, joins and selections.

use crate::graph::{Index, Order, Var, View};
use smallvec::SmallVec;
use wengert_tensor::{Float, MAX_RANK, Shape, Sizes, Tensor, shapes};

impl<'t, T: Float> Var<'t, T> {
    /// Returns one index of an axis, without the axis. A negative index counts from the end.
    ///
    /// # Panics
    /// If the axis does not exist, or has no such index.
    #[track_caller]
    pub fn select(self, axis: isize, i: isize) -> Self {
        let (at, i, shape) = self.fits(shapes::select_index(&self.shape(), axis, i));
        self.narrow(at as isize, i, 1).view(View::Reshape, shape)
    }

    /// Returns each index of an axis, without the axis.
    ///
    /// # Panics
    /// If the axis does not exist.
    #[track_caller]
    pub fn unbind(self, axis: isize) -> Vec<Self> {
        let shape = self.shape();
        let at = self.fits(shapes::axis("unbind", axis, &shape));
        (0..shape[at] as isize).map(|i| self.select(at as isize, i)).collect()
    }

    /// Moves the indices along an axis by `shift` places towards the end; those that leave the end enter at
    /// the front. A negative shift moves them towards the front. Several axes have one shift each:
    /// `roll([0, 1], [2, -1])`.
    ///
    /// # Panics
    /// If an axis does not exist, or the numbers of axes and of shifts differ.
    #[track_caller]
    pub fn roll(self, axes: impl Sizes, shifts: impl Sizes) -> Self {
        let shape = self.shape();
        let mut x = self;
        for (at, shift) in self.fits(shapes::roll(&shape, &axes.sizes(), &shifts.sizes())) {
            let (axis, stay) = (at as isize, shape[at] - shift);
            x = Var::concat(&[x.narrow(axis, stay, shift), x.narrow(axis, 0, stay)], axis);
        }
        x.apart_from(self)
    }

    /// Repeats the whole value along each axis: `repeats[i]` times along axis `i`. More numbers than axes add
    /// axes in front.
    ///
    /// # Panics
    /// If there are fewer numbers than axes, a number is negative, or the result has too many axes.
    #[track_caller]
    pub fn repeat(self, repeats: impl Sizes) -> Self {
        self.repeated("repeat", &repeats.sizes())
    }

    /// [`repeat`](Var::repeat), in which missing numbers are ones in front: NumPy's `tile`.
    ///
    /// # Panics
    /// If a number is negative, or the result has too many axes.
    #[track_caller]
    pub fn tile(self, repeats: impl Sizes) -> Self {
        self.repeated("tile", &repeats.sizes())
    }

    #[track_caller]
    fn repeated(self, op: &str, repeats: &[isize]) -> Self {
        let (mut shape, times) = self.fits(shapes::repeat(op, &self.shape(), repeats));
        let mut x = self.view(View::Reshape, shape);
        for (axis, &n) in times.iter().enumerate().rev().filter(|&(_, &n)| n != 1) {
            let [outer, inner] = [&shape[..axis], &shape[axis..]].map(|part| part.iter().product());
            let rows = x.view(View::Reshape, Shape::new(&[outer, 1, inner]));
            shape[axis] *= n;
            x = rows.broadcast_shape(Shape::new(&[outer, n, inner])).view(View::Reshape, shape);
        }
        x
    }

    /// Repeats axes of size 1: [`broadcast_to`](Var::broadcast_to), in which the size -1 keeps the size of an
    /// axis.
    ///
    /// # Panics
    /// If the size of an axis would change that is not 1, or a size is -1 for a new axis.
    #[track_caller]
    pub fn expand(self, sizes: impl Sizes) -> Self {
        let shape = self.fits(shapes::expand(&self.shape(), &sizes.sizes()));
        self.broadcast_shape(shape).apart_from(self)
    }

    /// Returns the coordinates of a grid: result `i` has one axis for each of the vectors, and its elements
    /// are those of vector `i` along axis `i`.
    ///
    /// # Panics
    /// If an operand has more than one axis, or there are too many operands.
    #[track_caller]
    pub fn meshgrid(parts: &[Self]) -> Vec<Self> {
        let Some(first) = parts.first() else { return vec![] };
        let sizes: SmallVec<[Shape; 4]> = parts.iter().map(|x| x.shape()).collect();
        let shape = first.fits(shapes::meshgrid(&sizes));
        let along = |(axis, x): (usize, &Self)| {
            let mut line = Shape::new(&[1; MAX_RANK][..shape.rank()]);
            line[axis] = shape[axis];
            x.view(View::Reshape, line).broadcast_shape(shape)
        };
        parts.iter().enumerate().map(along).collect()
    }

    /// Returns the matrices in the last two axes with zeros above a diagonal: 0 is the main diagonal, and
    /// positive diagonals lie above it.
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn tril(self, diagonal: isize) -> Self {
        let size = self.fits(shapes::matrices("tril", &self.shape()));
        Var::where_(Tensor::triangle(size, diagonal, false), self, 0)
    }

    /// Returns the matrices in the last two axes with zeros below a diagonal: 0 is the main diagonal, and
    /// positive diagonals lie above it.
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn triu(self, diagonal: isize) -> Self {
        let size = self.fits(shapes::matrices("triu", &self.shape()));
        Var::where_(Tensor::triangle(size, diagonal, true), self, 0)
    }

    /// Returns a diagonal of the matrices that the axes `rows` and `columns` form. The elements of the
    /// diagonal are the last axis of the result. `offset` 0 is the main diagonal, and positive diagonals lie
    /// above it.
    ///
    /// # Panics
    /// If an axis does not exist, or both axes are the same.
    #[track_caller]
    pub fn diagonal(self, offset: isize, rows: isize, columns: isize) -> Self {
        let own = self.shape();
        let found = self.fits(shapes::diagonal("diagonal", &own, offset, [rows, columns]));
        // In the flat matrix of c columns the diagonal is a slice with step c + 1.
        let ([r, c], rank) = (found.axes, own.rank());
        let mut order = [0; MAX_RANK];
        let axes = (0..rank).filter(|axis| !found.axes.contains(axis)).chain([r, c]);
        order.iter_mut().zip(axes).for_each(|(to, axis)| *to = axis as u8);
        let permuted: Shape = order[..rank].iter().map(|&axis| own[axis as usize]).collect();
        let flat = self.view(View::Permute(Order(order)), permuted);
        let flat = flat.view(View::Reshape, found.out.with(rank - 2, own[r] * own[c]));
        let start = found.first[0] * own[c] + found.first[1];
        flat.steps("diagonal", rank - 2, start, own[c] as isize + 1, found.out)
    }

    /// Returns the square matrix with a vector on its diagonal and zeros elsewhere, or the diagonal of a
    /// matrix. `offset` 0 is the main diagonal, and positive diagonals lie above it.
    ///
    /// # Panics
    /// If there are neither one nor two axes.
    #[track_caller]
    pub fn diag(self, offset: isize) -> Self {
        let shape = self.shape();
        if shape.rank() == 2 {
            return self.diagonal(offset, 0, 1);
        }
        let side = self.fits(shapes::diagonal_matrix(&shape, offset));
        let start = offset.max(0) as usize + offset.min(0).unsigned_abs() * side;
        // A vector without elements puts none.
        let start = if shape[0] == 0 { 0 } else { start as u32 };
        let flat = View::Unslice { axis: 0, start, step: side as i32 + 1 };
        let flat = self.view(flat, Shape::new(&[side * side]));
        flat.view(View::Reshape, Shape::new(&[side, side]))
    }

    /// Returns the Kronecker product: each element of `self`, multiplied by the whole of `other`. The sizes of
    /// the axes are the products of the sizes; missing axes in front have size 1.
    ///
    /// # Panics
    /// If an operand has more than four axes, or the variables are on different tapes.
    #[track_caller]
    pub fn kron(self, other: Self) -> Self {
        self.tape.same_tape("kron", other.tape);
        let [a, b, out] = self.fits(shapes::kron(&self.shape(), &other.shape()));
        (self.view(View::Reshape, a) * other.view(View::Reshape, b)).view(View::Reshape, out)
    }
}

impl<'t, T: Float> Index<'t, T> {
    /// Returns a variable with a new last axis of size `count` that is 1 at the class and 0 elsewhere.
    ///
    /// # Panics
    /// If a class is negative or not below `count`: when the value is computed.
    #[track_caller]
    pub fn one_hot(self, count: usize) -> Var<'t, T> {
        let classes = self.checked_classes("one_hot", self.shape().rank(), count);
        classes.eq(&Tensor::from_fn(&[count], |i| i as i64)).cast()
    }
}
