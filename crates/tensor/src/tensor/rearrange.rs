//! Repeating, rolling, diagonals, triangles, grids: compositions of views, joins and selections.

use super::{Element, Number, Tensor};
use crate::layout::{MAX_RANK, Shape, Sizes, Strides};
use crate::shapes::{self, OrPanic};
use smallvec::SmallVec;
use std::borrow::Borrow;

impl<T: Element> Tensor<T> {
    /// Returns a view of one index of an axis, without the axis. A negative index counts from the end.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.select(1, -1).to_vec(), [2.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no such axis, or the axis has no such index.
    #[track_caller]
    pub fn select(&self, axis: isize, i: isize) -> Self {
        let (at, i, shape) = shapes::select_index(&self.shape(), axis, i).or_panic();
        self.narrow(at as isize, i, 1).with_shape(shape)
    }

    /// Returns a view of each index of an axis, without the axis.
    ///
    /// # Panics
    /// If the tensor has no such axis.
    #[track_caller]
    pub fn unbind(&self, axis: isize) -> Vec<Self> {
        let shape = self.shape();
        let at = shapes::axis("unbind", axis, &shape).or_panic();
        (0..shape[at] as isize).map(|i| self.select(at as isize, i)).collect()
    }

    /// Moves the indices along an axis by `shift` places towards the end; those that leave the end enter at
    /// the front. A negative shift moves them towards the front. Several axes have one shift each:
    /// `roll([0, 1], [2, -1])`.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// assert_eq!(Tensor::from([1, 2, 3, 4]).roll(0, 1).to_vec(), [4i64, 1, 2, 3]);
    /// let x = Tensor::from([[1, 2], [3, 4i64]]);
    /// assert_eq!(x.roll([0, 1], [1, 1]), Tensor::from([[4, 3], [2, 1]]));
    /// ```
    ///
    /// # Panics
    /// If the tensor has no such axis, or the numbers of axes and of shifts differ.
    #[track_caller]
    pub fn roll(&self, axes: impl Sizes, shifts: impl Sizes) -> Self {
        let shape = self.shape();
        let steps = shapes::roll(&shape, &axes.sizes(), &shifts.sizes()).or_panic();
        let rolled = |x: Self, &(at, shift): &(usize, usize)| {
            let (axis, stay) = (at as isize, shape[at] - shift);
            Tensor::concat(&[x.narrow(axis, stay, shift), x.narrow(axis, 0, stay)], axis)
        };
        steps.iter().fold(self.clone(), rolled)
    }

    /// Repeats the whole tensor along each axis: `repeats[i]` times along axis `i`. More numbers than axes
    /// add axes in front. [`broadcast_to`](Tensor::broadcast_to) repeats without a copy.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([1.0, 2.0]);
    /// assert_eq!(x.repeat([2, 2]), Tensor::from([[1.0, 2.0, 1.0, 2.0], [1.0, 2.0, 1.0, 2.0]]));
    /// ```
    ///
    /// # Panics
    /// If there are fewer numbers than axes, a number is negative, or the result has too many axes.
    #[track_caller]
    pub fn repeat(&self, repeats: impl Sizes) -> Self {
        self.repeated("repeat", &repeats.sizes())
    }

    /// [`repeat`](Tensor::repeat), in which missing numbers are ones in front: NumPy's `tile`.
    ///
    /// # Panics
    /// If a number is negative, or the result has too many axes.
    #[track_caller]
    pub fn tile(&self, repeats: impl Sizes) -> Self {
        self.repeated("tile", &repeats.sizes())
    }

    #[track_caller]
    fn repeated(&self, op: &str, repeats: &[isize]) -> Self {
        let (mut shape, times) = shapes::repeat(op, &self.shape(), repeats).or_panic();
        let mut x = self.with_shape(shape);
        for (axis, &n) in times.iter().enumerate().rev().filter(|&(_, &n)| n != 1) {
            let [outer, inner] = [&shape[..axis], &shape[axis..]].map(|part| part.iter().product());
            shape[axis] *= n;
            x = x.reshape([outer, 1, inner]).broadcast_to([outer, n, inner]).with_shape(shape);
        }
        x
    }

    /// Returns a view that repeats axes of size 1: [`broadcast_to`](Tensor::broadcast_to), in which the size
    /// -1 keeps the size of an axis.
    ///
    /// # Panics
    /// If the size of an axis would change that is not 1, or a size is -1 for a new axis.
    #[track_caller]
    pub fn expand(&self, sizes: impl Sizes) -> Self {
        self.broadcast_to(shapes::expand(&self.shape(), &sizes.sizes()).or_panic())
    }

    /// Returns the coordinates of a grid: result `i` has one axis for each of the vectors, and its elements
    /// are those of vector `i` along axis `i`. The results are views. (`indexing="ij"`.)
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let grid = Tensor::meshgrid(&[Tensor::from([1, 2]), Tensor::from([3, 4i64])]);
    /// assert_eq!(grid[0], Tensor::from([[1, 1], [2, 2]]));
    /// assert_eq!(grid[1], Tensor::from([[3, 4], [3, 4]]));
    /// ```
    ///
    /// # Panics
    /// If an operand has more than one axis, or there are too many operands.
    #[track_caller]
    pub fn meshgrid<B: Borrow<Self>>(vectors: &[B]) -> Vec<Self> {
        let sizes: SmallVec<[Shape; 4]> = vectors.iter().map(|x| x.borrow().shape()).collect();
        let shape = shapes::meshgrid(&sizes).or_panic();
        let along = |(axis, x): (usize, &B)| {
            let mut line = Shape::new(&[1; MAX_RANK][..shape.rank()]);
            line[axis] = shape[axis];
            x.borrow().with_shape(line).broadcast_to(&shape)
        };
        vectors.iter().enumerate().map(along).collect()
    }

    /// Returns the matrices in the last two axes with zeros above a diagonal: 0 is the main diagonal, and
    /// positive diagonals lie above it.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.tril(0).to_vec(), [1.0, 0.0, 3.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has fewer than two axes.
    #[track_caller]
    pub fn tril(&self, diagonal: isize) -> Self {
        let size = shapes::matrices("tril", &self.shape()).or_panic();
        Tensor::where_(
            &Tensor::triangle(size, diagonal, false),
            self,
            &Tensor::scalar_of(T::default()),
        )
    }

    /// Returns the matrices in the last two axes with zeros below a diagonal: 0 is the main diagonal, and
    /// positive diagonals lie above it.
    ///
    /// # Panics
    /// If the tensor has fewer than two axes.
    #[track_caller]
    pub fn triu(&self, diagonal: isize) -> Self {
        let size = shapes::matrices("triu", &self.shape()).or_panic();
        Tensor::where_(
            &Tensor::triangle(size, diagonal, true),
            self,
            &Tensor::scalar_of(T::default()),
        )
    }

    /// Returns a view of a diagonal of the matrices that the axes `rows` and `columns` form. The elements of
    /// the diagonal are the last axis of the result. `offset` 0 is the main diagonal, and positive
    /// diagonals lie above it.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// assert_eq!(x.diagonal(0, 0, 1).to_vec(), [1.0, 5.0]);
    /// assert_eq!(x.diagonal(1, 0, 1).to_vec(), [2.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no such axis, or both axes are the same.
    #[track_caller]
    pub fn diagonal(&self, offset: isize, rows: isize, columns: isize) -> Self {
        let found = shapes::diagonal("diagonal", &self.shape(), offset, [rows, columns]).or_panic();
        let ([r, c], own) = (found.axes, self.strides());
        let rest = (0..own.len()).filter(|&axis| axis != r && axis != c).map(|axis| own[axis]);
        let steps: SmallVec<[isize; MAX_RANK]> = rest.chain([own[r] + own[c]]).collect();
        let start = found.first[0] as isize * own[r] + found.first[1] as isize * own[c];
        let start = if found.out.contains(&0) { 0 } else { start };
        // SAFETY: the rule keeps rows and columns within their axes; an empty view reads no element.
        unsafe { self.view(found.out, Strides::new(&steps), start) }
    }

    /// Returns the main diagonal of two axes as [`diagonal`](Tensor::diagonal) does, with the memory layout that it
    /// has on a tape: a slice of the rows, one after the other. The rounding of sums depends on the layout.
    pub(crate) fn diagonal_of_rows(&self, rows: isize, columns: isize) -> Self {
        let shape = self.shape();
        let found = shapes::diagonal("diagonal", &shape, 0, [rows, columns]).or_panic();
        let ([r, c], last) = (found.axes, shape.rank() - 2);
        let rest = (0..shape.rank()).filter(|axis| !found.axes.contains(axis));
        let order: SmallVec<[isize; MAX_RANK]> =
            rest.chain([r, c]).map(|axis| axis as isize).collect();
        let flat = self.permute(&order).with_shape(found.out.with(last, shape[r] * shape[c]));
        let (n, step) = (found.out[last], shape[c] as isize + 1);
        flat.slice_steps(-1, 0, if n < 2 { 1 } else { step }, n)
    }

    /// Returns the square matrix with a vector on its diagonal and zeros elsewhere, or the diagonal of a
    /// matrix. `offset` 0 is the main diagonal, and positive diagonals lie above it.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([1.0, 2.0]).diag(0);
    /// assert_eq!(x, Tensor::from([[1.0, 0.0], [0.0, 2.0]]));
    /// assert_eq!(x.diag(0).to_vec(), [1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has neither one nor two axes.
    #[track_caller]
    pub fn diag(&self, offset: isize) -> Self {
        let shape = self.shape();
        if shape.rank() == 2 {
            return self.diagonal(offset, 0, 1);
        }
        let side = shapes::diagonal_matrix(&shape, offset).or_panic();
        let start = offset.max(0) as usize + offset.min(0).unsigned_abs() * side;
        let flat =
            self.unslice(0, if shape[0] == 0 { 0 } else { start }, side as isize + 1, side * side);
        flat.with_shape(Shape::new(&[side, side]))
    }
}

impl Tensor<bool> {
    /// Returns a matrix that is true on one side of a diagonal and on the diagonal: below it, or above it if
    /// `upper` is true.
    #[doc(hidden)]
    #[track_caller]
    pub fn triangle([rows, columns]: [usize; 2], diagonal: isize, upper: bool) -> Self {
        Tensor::from_fn(&[rows, columns], |i| {
            let above = (i % columns) as isize - (i / columns) as isize;
            if upper { above >= diagonal } else { above <= diagonal }
        })
    }
}

impl<T: Number> Tensor<T> {
    /// Returns the Kronecker product: each element of `self`, multiplied by the whole of `other`. The sizes of
    /// the axes are the products of the sizes; missing axes in front have size 1.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([1.0, 2.0]).kron(&Tensor::from([1.0, 10.0]));
    /// assert_eq!(x.to_vec(), [1.0, 10.0, 2.0, 20.0]);
    /// ```
    ///
    /// # Panics
    /// If an operand has more than four axes, or a product of integers does not fit the type.
    #[track_caller]
    pub fn kron(&self, other: &Self) -> Self {
        let [a, b, out] = shapes::kron(&self.shape(), &other.shape()).or_panic();
        (self.with_shape(a) * other.with_shape(b)).with_shape(out)
    }
}

impl Tensor<i64> {
    /// Returns a new last axis of size `count` that is 1 at the class and 0 elsewhere.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([1i64, 0]).one_hot(3);
    /// assert_eq!(x, Tensor::from([[0, 1, 0], [1, 0, 0]]));
    /// ```
    ///
    /// # Panics
    /// If a class is negative or not below `count`.
    #[track_caller]
    pub fn one_hot(&self, count: usize) -> Self {
        let classes = self.contiguous();
        let all = classes.as_slice().unwrap_or_default();
        shapes::index_range("one_hot", all, -1, &[count]).or_panic();
        self.unsqueeze(-1).eq(&Tensor::from_fn(&[count], |i| i as i64)).cast()
    }

    /// Returns how often each of the numbers 0, 1, … occurs, up to the largest one, and at least for
    /// `minlength` numbers. All axes count as one. To add weights, use
    /// [`index_add`](Tensor::index_add).
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// assert_eq!(Tensor::from([1i64, 3, 1]).bincount(0).to_vec(), [0, 2, 0, 1]);
    /// ```
    ///
    /// # Panics
    /// If a number is negative, or too large for the size of an axis.
    #[track_caller]
    pub fn bincount(&self, minlength: usize) -> Self {
        let x = self.contiguous();
        let numbers = x.as_slice().unwrap_or_default();
        let end = numbers.iter().fold(0, |end, &x| x.max(end).saturating_add(i64::from(x >= end)));
        let len = usize::try_from(end).unwrap_or(usize::MAX).max(minlength);
        shapes::index_range("bincount", numbers, 0, &[len]).or_panic();
        let mut out = Tensor::zeros_of(&[len]);
        let counts: &mut [i64] = out.make_mut();
        for &x in numbers {
            counts[x as usize] += 1;
        }
        out
    }
}
