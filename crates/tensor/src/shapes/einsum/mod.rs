//! Contractions: an equation in Einstein's notation becomes a list of steps, each of which is a method that
//! tensors and variables have. The steps depend on shapes alone.
//!
//! An operand loses its repeated indices (a diagonal), its axes of size 1 (they broadcast), and the indices
//! that nothing else names (a sum). Then two operands at a time are multiplied: by a matrix product if
//! indices are summed, else (and for batches of dot products) elementwise.

mod equation;
mod order;

use super::{ShapeResult, axis, ensure, shape_of};
use crate::layout::{MAX_RANK, Shape};
use equation::{parse, sizes_of};
use order::{order, volume};
use smallvec::SmallVec;

/// An index: a letter in the order of ASCII, or an axis of the ellipsis, counted from the last.
type Label = u8;
type Subscripts = SmallVec<[Label; MAX_RANK]>;
/// A set of indices, one bit for each.
type Set = u64;

const LETTERS: u8 = 52;
const LABELS: usize = Set::BITS as usize;

/// A step of a [`Contraction`]. Operands are named by their number. The result of a step takes the place of
/// the (first) operand.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq)]
pub enum ContractionStep {
    /// The diagonal along two axes, which becomes the last axis.
    Diagonal(usize, [isize; 2]),
    /// The sum over axes, which are dropped.
    Sum(usize, SmallVec<[isize; MAX_RANK]>),
    /// The axes in another order.
    Permute(usize, SmallVec<[isize; MAX_RANK]>),
    /// The elements in another shape.
    Reshape(usize, Shape),
    /// The product of the elements of two operands that broadcast. The second is not read again.
    Multiply([usize; 2]),
    /// The matrix product of two operands, each read transposed if its flag is set. The second is not read
    /// again.
    MatMul([usize; 2], [bool; 2]),
}

/// The steps that compute a contraction, and the operand whose place the result has at the end.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq)]
pub struct Contraction {
    /// The steps, in order.
    pub steps: Vec<ContractionStep>,
    /// The place of the result.
    pub result: usize,
}

/// Returns the steps of an equation in Einstein's notation for operands of these shapes.
///
/// # Errors
/// If the equation has another form, does not fit the operands, or needs an intermediate result of too many
/// axes. [`Tensor::einsum`](crate::Tensor::einsum) panics with the same text.
#[doc(hidden)]
pub fn einsum(equation: &str, shapes: &[Shape]) -> ShapeResult<Contraction> {
    let planned = parse(equation, shapes)
        .and_then(|(operands, output)| contraction(&operands, &output, shapes));
    planned.map_err(|why| format!("einsum: \"{equation}\": {why}"))
}

/// Returns the steps of the sum of products over pairs of axes: axis `axes[0][i]` of the first operand with
/// axis `axes[1][i]` of the second. The other axes of the first come before those of the second.
#[doc(hidden)]
pub fn tensordot(a: &[usize], b: &[usize], axes: [&[isize]; 2]) -> ShapeResult<Contraction> {
    let shapes = [shape_of("tensordot", a)?, shape_of("tensordot", b)?];
    ensure(axes[0].len() == axes[1].len(), || {
        format!(
            "tensordot: the axes {:?} of shape {a:?} and {:?} of shape {b:?} must be pairs, but their numbers differ",
            axes[0], axes[1]
        )
    })?;
    let resolved = |side: usize| -> ShapeResult<SmallVec<[usize; MAX_RANK]>> {
        let shape = &shapes[side];
        let mut found = SmallVec::new();
        for &named in axes[side] {
            let at = axis("tensordot", named, shape)?;
            ensure(!found.contains(&at), || {
                format!(
                    "tensordot: axis {named} of shape {shape} is named twice in {:?}",
                    axes[side]
                )
            })?;
            found.push(at);
        }
        Ok(found)
    };
    let [of_a, of_b] = [resolved(0)?, resolved(1)?];
    for (i, (&x, &y)) in of_a.iter().zip(&of_b).enumerate() {
        ensure(a[x] == b[y] || a[x] == 1 || b[y] == 1, || {
            format!(
                "tensordot: axis {} of shape {a:?} has size {}, axis {} of shape {b:?} has size {}: they must be equal",
                axes[0][i], a[x], axes[1][i], b[y]
            )
        })?;
    }
    let left: Subscripts = (0..a.len() as u8).collect();
    let shared = |y: usize| of_b.iter().position(|&at| at == y).map(|i| left[of_a[i]]);
    let right: Subscripts =
        (0..b.len()).map(|y| shared(y).unwrap_or((MAX_RANK + y) as u8)).collect();
    let rest =
        left.iter().chain(&right).filter(|&&label| bits(&left) & bits(&right) & bit(label) == 0);
    let output: SmallVec<[Label; MAX_RANK]> = rest.copied().collect();
    contraction(&[left, right], &output, &shapes).map_err(|why| format!("tensordot: {why}"))
}

fn bit(label: Label) -> Set {
    1 << label
}

fn bits(labels: &[Label]) -> Set {
    labels.iter().fold(0, |set, &label| set | bit(label))
}

/// Returns the labels of a set that holds them.
fn those(labels: &[Label], set: Set) -> Subscripts {
    labels.iter().copied().filter(|&label| set & bit(label) != 0).collect()
}

/// Makes the steps of a contraction.
struct Planner {
    /// The indices of the axes of each operand. Those of an operand that is not read again are no longer used.
    values: Vec<Subscripts>,
    sizes: [usize; LABELS],
    steps: Vec<ContractionStep>,
}

/// Returns the steps for operands with these indices. An index of the result occurs in an operand.
fn contraction(
    operands: &[Subscripts],
    output: &[Label],
    shapes: &[Shape],
) -> ShapeResult<Contraction> {
    let sizes = sizes_of(operands, shapes)?;
    let shape: SmallVec<[usize; MAX_RANK]> =
        output.iter().map(|&label| sizes[label as usize]).collect();
    let shape = shape_of("the result", &shape)?;
    let mut planner = Planner { values: Vec::with_capacity(operands.len()), sizes, steps: vec![] };
    for (labels, own) in operands.iter().zip(shapes) {
        planner.place(labels.clone(), own);
    }
    // Axes of size 1 come back with the last step.
    let long = |&&label: &&Label| sizes[label as usize] != 1;
    let wanted: Subscripts = output.iter().filter(long).copied().collect();
    planner.sum_alone(bits(&wanted));
    let order = order(&planner.values, bits(&wanted), &sizes).ok_or_else(|| {
        format!("the contraction has an intermediate result of more than {MAX_RANK} axes: divide it into several")
    })?;
    let mut result = 0;
    // The places of the operands that are left. The order names a product by its first operand.
    let mut places: Vec<Option<usize>> = (0..operands.len()).map(Some).collect();
    for (i, &[a, b]) in order.iter().enumerate() {
        let [Some(x), Some(y)] = [a, b].map(|it| places[it].take()) else {
            unreachable!("an operand is multiplied once")
        };
        let others = places.iter().flatten();
        let needed = others.fold(bits(&wanted), |set, &it| set | bits(&planner.values[it]));
        let last = i + 1 == order.len();
        result = planner.multiply([x, y], needed, last.then_some(&wanted))?;
        places[a] = Some(result);
    }
    planner.arrange(result, &wanted);
    if wanted.len() != output.len() {
        planner.steps.push(ContractionStep::Reshape(result, shape));
    }
    Ok(Contraction { steps: planner.steps, result })
}

impl Planner {
    fn shape(&self, labels: &[Label]) -> Shape {
        labels.iter().map(|&label| self.sizes[label as usize]).collect()
    }

    fn numel(&self, labels: &[Label]) -> f64 {
        volume(bits(labels), &self.sizes)
    }

    /// Adds an operand. Its repeated indices become diagonals, and its axes of size 1 are removed.
    fn place(&mut self, mut labels: Subscripts, shape: &[usize]) {
        let of = self.values.len();
        let mut own: SmallVec<[usize; MAX_RANK]> = shape.into();
        while let Some(second) = (1..labels.len()).find(|&i| labels[..i].contains(&labels[i])) {
            let first = labels.iter().position(|&it| it == labels[second]).unwrap_or(0);
            self.steps.push(ContractionStep::Diagonal(of, [first as isize, second as isize]));
            let (label, size) = (labels.remove(second), own.remove(second));
            labels.remove(first);
            own.remove(first);
            labels.push(label);
            own.push(size);
        }
        if own.contains(&1) {
            labels =
                labels.iter().zip(&own).filter(|(_, size)| **size != 1).map(|it| *it.0).collect();
            self.steps.push(ContractionStep::Reshape(of, self.shape(&labels)));
        }
        self.values.push(labels);
    }

    /// Sums each operand over the indices that neither another operand nor the result has.
    fn sum_alone(&mut self, output: Set) {
        for of in 0..self.values.len() {
            let others = self.values.iter().enumerate().filter(|&(i, _)| i != of);
            let kept = others.fold(output, |set, (_, labels)| set | bits(labels));
            let labels = &self.values[of];
            let axes = (0..labels.len()).filter(|&axis| kept & bit(labels[axis]) == 0);
            let axes: SmallVec<[isize; MAX_RANK]> = axes.map(|axis| axis as isize).collect();
            if !axes.is_empty() {
                self.steps.push(ContractionStep::Sum(of, axes));
                self.values[of] = those(labels, kept);
            }
        }
    }

    /// Puts the axes of an operand in this order.
    fn arrange(&mut self, of: usize, wanted: &[Label]) {
        let labels = &self.values[of];
        if labels[..] != *wanted {
            let place = |label| labels.iter().position(|it| it == label).unwrap_or(0) as isize;
            let order = wanted.iter().map(place).collect();
            self.steps.push(ContractionStep::Permute(of, order));
            self.values[of] = wanted.into();
        }
    }

    /// Multiplies two operands, and sums over the indices that both have and that are not needed. `wanted` is
    /// the order of the indices of the last product. Returns the place of the result.
    fn multiply(
        &mut self,
        [mut a, mut b]: [usize; 2],
        needed: Set,
        wanted: Option<&Subscripts>,
    ) -> ShapeResult<usize> {
        let shared = bits(&self.values[a]) & bits(&self.values[b]);
        if shared & !needed == 0 {
            return self.multiply_elements([a, b], wanted);
        }
        // The product in the other order is the transpose of the product.
        let first = wanted.and_then(|wanted| wanted.iter().find(|&&it| shared & bit(it) == 0));
        if first.is_some_and(|label| self.values[b].contains(label)) {
            (a, b) = (b, a);
        }
        let [of_a, of_b] = [a, b].map(|it| self.values[it].clone());
        let larger = if self.numel(&of_a) < self.numel(&of_b) { &of_b } else { &of_a };
        let (batch, summed) = (those(larger, shared & needed), those(larger, shared & !needed));
        let (rows, columns) = (those(&of_a, !shared), those(&of_b, !shared));
        if rows.is_empty() && columns.is_empty() && !batch.is_empty() {
            // A batch of dot products: a call of the kernel for each would cost more than the sums.
            let batch = wanted.cloned().unwrap_or(batch);
            let order: Subscripts = batch.iter().chain(&summed).copied().collect();
            let place = self.multiply_elements([a, b], Some(&order))?;
            let axes = (batch.len()..order.len()).map(|axis| axis as isize).collect();
            self.steps.push(ContractionStep::Sum(place, axes));
            self.values[place] = batch;
            return Ok(place);
        }
        let transposed = [
            self.matrices(a, &batch, &rows, &summed)?,
            self.matrices(b, &batch, &summed, &columns)?,
        ];
        self.steps.push(ContractionStep::MatMul([a, b], transposed));
        self.values[a] = [&batch[..], &rows, &columns].concat().into();
        if merges(&batch, &rows, &columns) {
            self.reshape(a, &self.shape(&self.values[a]))?;
        }
        Ok(a)
    }

    /// Makes matrices of an operand, with the axes of `batch` before them. Returns whether their rows and
    /// columns are exchanged: their axes have that order already.
    fn matrices(
        &mut self,
        of: usize,
        batch: &[Label],
        rows: &[Label],
        columns: &[Label],
    ) -> ShapeResult<bool> {
        let (direct, turned) = ([batch, rows, columns].concat(), [batch, columns, rows].concat());
        let transposed = self.values[of][..] != direct && self.values[of][..] == turned;
        let (rows, columns) = if transposed { (columns, rows) } else { (rows, columns) };
        if !transposed {
            self.arrange(of, &direct);
        }
        if merges(batch, rows, columns) {
            // A batch of many axes becomes one axis.
            let batch =
                if batch.len() + 2 > MAX_RANK { vec![batch] } else { batch.chunks(1).collect() };
            let groups = batch.into_iter().chain([rows, columns]);
            let sizes: SmallVec<[usize; MAX_RANK]> =
                groups.map(|group| self.shape(group).iter().product()).collect();
            self.reshape(of, &sizes)?;
        }
        Ok(transposed)
    }

    fn reshape(&mut self, of: usize, shape: &[usize]) -> ShapeResult<()> {
        let shape = shape_of("an intermediate result", shape)?;
        self.steps.push(ContractionStep::Reshape(of, shape));
        Ok(())
    }

    /// Multiplies the elements of two operands, which broadcast.
    fn multiply_elements(
        &mut self,
        [a, b]: [usize; 2],
        wanted: Option<&Subscripts>,
    ) -> ShapeResult<usize> {
        let (of_a, of_b) = (&self.values[a], &self.values[b]);
        let both = || of_a.iter().copied().chain(those(of_b, !bits(of_a))).collect();
        let order: Subscripts = wanted.cloned().unwrap_or_else(both);
        shape_of("an intermediate result", &self.shape(&order))?;
        for of in [a, b] {
            let own = bits(&self.values[of]);
            self.arrange(of, &those(&order, own));
            // Missing axes have size 1, except in front, where they broadcast by themselves.
            let missing = |label: &Label| own & bit(*label) == 0;
            let lead = order.iter().take_while(|label| missing(label)).count();
            if order[lead..].iter().any(missing) {
                let size = |label| if missing(label) { 1 } else { self.sizes[*label as usize] };
                let shape: Shape = order[lead..].iter().map(size).collect();
                self.steps.push(ContractionStep::Reshape(of, shape));
            }
        }
        self.steps.push(ContractionStep::Multiply([a, b]));
        self.values[a] = order;
        Ok(a)
    }
}

/// Returns whether matrices of these groups of axes need another shape than the axes alone.
fn merges(batch: &[Label], rows: &[Label], columns: &[Label]) -> bool {
    rows.len() != 1 || columns.len() != 1 || batch.len() + 2 > MAX_RANK
}

#[cfg(test)]
mod tests;
