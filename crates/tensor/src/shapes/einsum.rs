//! Contractions: an equation in Einstein's notation becomes a list of steps, each of which is a method that
//! tensors and variables have. The steps depend on shapes alone.
//!
//! An operand loses its repeated indices (a diagonal), its axes of size 1 (they broadcast), and the indices
//! that nothing else names (a sum). Then two operands at a time are multiplied: by a matrix product if
//! indices are summed, else (and for batches of dot products) elementwise.

use super::{ShapeResult, axis, ensure, shape_of};
use crate::layout::{MAX_RANK, Shape};
use smallvec::SmallVec;

/// An index: a letter in the order of ASCII, or an axis of the ellipsis, counted from the last.
type Label = u8;
type Subscripts = SmallVec<[Label; MAX_RANK]>;
/// A set of indices, one bit for each.
type Set = u64;

const LETTERS: u8 = 52;
const LABELS: usize = Set::BITS as usize;

/// Up to this number of operands, all orders of contraction are compared. Their number of products of
/// subsets is 3ⁿ.
const COMPARED: usize = 8;

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

/// Describes an index for messages.
fn named(label: Label) -> String {
    match label {
        0..26 => format!("index {}", (b'A' + label) as char),
        26..LETTERS => format!("index {}", (b'a' + label - 26) as char),
        _ => format!("axis -{} of the ellipsis", label - LETTERS + 1),
    }
}

/// The subscripts of an operand: the letters, and how many of them come before the ellipsis, if there is one.
struct Term {
    letters: SmallVec<[Label; MAX_RANK]>,
    ellipsis: Option<usize>,
}

impl Term {
    fn parse(text: &str) -> ShapeResult<Self> {
        let mut term = Term { letters: SmallVec::new(), ellipsis: None };
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c {
                'A'..='Z' => term.letters.push(c as u8 - b'A'),
                'a'..='z' => term.letters.push(c as u8 - b'a' + 26),
                '.' if rest.next() == Some('.') && rest.next() == Some('.') => {
                    let twice = term.ellipsis.replace(term.letters.len()).is_some();
                    ensure(!twice, || format!("{text:?} has two ellipses"))?;
                }
                ' ' => {}
                c => {
                    return Err(format!(
                        "{c:?} in {text:?} is no subscript: subscripts are letters from a to z and A to Z, and \"...\""
                    ));
                }
            }
        }
        Ok(term)
    }

    /// Returns the indices of all axes if the ellipsis stands for this number of axes.
    fn labels(&self, ellipsis: usize) -> SmallVec<[Label; MAX_RANK]> {
        let (before, after) = self.letters.split_at(self.ellipsis.unwrap_or(0));
        let dots = (0..ellipsis as u8).rev().map(|i| LETTERS + i);
        before.iter().copied().chain(dots).chain(after.iter().copied()).collect()
    }
}

/// Returns the indices of the operands and of the result.
fn parse(equation: &str, shapes: &[Shape]) -> ShapeResult<(Vec<Subscripts>, Subscripts)> {
    let (inputs, output) = match equation.split_once("->") {
        Some((inputs, output)) => (inputs, Some(output)),
        None => (equation, None),
    };
    let terms: Vec<Term> = inputs.split(',').map(Term::parse).collect::<ShapeResult<_>>()?;
    ensure(terms.len() == shapes.len(), || {
        format!("the equation has {} operands, {} are given", terms.len(), shapes.len())
    })?;
    let (mut operands, mut widest) = (Vec::with_capacity(terms.len()), 0);
    for (i, (term, shape)) in terms.iter().zip(shapes).enumerate() {
        let (letters, rank) = (term.letters.len(), shape.rank());
        let fits = letters == rank || letters < rank && term.ellipsis.is_some();
        ensure(fits, || {
            let more = if letters < rank { ": \"...\" stands for further axes" } else { "" };
            format!(
                "operand {i} of shape {shape} has {rank} axes, its subscripts name {letters}{more}"
            )
        })?;
        operands.push(term.labels(rank - letters));
        widest = widest.max(rank - letters);
    }
    let all = operands.iter().fold(0, |all, labels| all | bits(labels));
    let Some(text) = output else {
        // NumPy's implicit form: the ellipsis, then the indices that occur once, in alphabetical order.
        let count = |label: Label| operands.iter().flatten().filter(|&&it| it == label).count();
        let once = (0..LETTERS).filter(|&label| count(label) == 1);
        let dots = (0..widest as u8).rev().map(|i| LETTERS + i);
        return Ok((operands.clone(), dots.chain(once).collect()));
    };
    let term = Term::parse(text)?;
    for (i, &label) in term.letters.iter().enumerate() {
        ensure(all & bit(label) != 0, || {
            format!("{} of the result is in no operand", named(label))
        })?;
        ensure(!term.letters[..i].contains(&label), || {
            format!("{} is named twice in the result", named(label))
        })?;
    }
    let output = term.labels(if term.ellipsis.is_some() { widest } else { 0 });
    Ok((operands, output))
}

/// Returns the size of each index: that of the operands in which it is not 1.
fn sizes_of(operands: &[Subscripts], shapes: &[Shape]) -> ShapeResult<[usize; LABELS]> {
    let (mut sizes, mut from) = ([1; LABELS], [0; LABELS]);
    for (i, (labels, shape)) in operands.iter().zip(shapes).enumerate() {
        for (at, (&label, &size)) in labels.iter().zip(shape.iter()).enumerate() {
            let first = labels.iter().position(|&it| it == label).unwrap_or(at);
            ensure(shape[first] == size, || {
                format!(
                    "{} is repeated in operand {i} of shape {shape} with the sizes {} and {size}: they must be equal",
                    named(label),
                    shape[first]
                )
            })?;
            let known = &mut sizes[label as usize];
            ensure(*known == 1 || size == 1 || *known == size, || {
                let j: usize = from[label as usize];
                format!(
                    "{} has size {known} in operand {j} of shape {} and size {size} in operand {i} of shape {shape}: they must be equal, or one of them 1",
                    named(label),
                    shapes[j]
                )
            })?;
            if size != 1 {
                (*known, from[label as usize]) = (size, i);
            }
        }
    }
    Ok(sizes)
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

/// Returns the product of the sizes of a set of indices.
fn volume(mut set: Set, sizes: &[usize; LABELS]) -> f64 {
    let mut product = 1.0;
    while set != 0 {
        product *= sizes[set.trailing_zeros() as usize] as f64;
        set &= set - 1;
    }
    product
}

/// Returns the pairs of operands to be multiplied, one after the other. The result takes the place of the
/// first of the pair. The cost of a product is the product of the sizes of all indices of both. `None` if an
/// intermediate result would have too many axes.
fn order(values: &[Subscripts], output: Set, sizes: &[usize; LABELS]) -> Option<Vec<[usize; 2]>> {
    let sets: SmallVec<[Set; COMPARED]> = values.iter().map(|labels| bits(labels)).collect();
    match sets.len() {
        0 | 1 => Some(vec![]),
        2 => Some(vec![[0, 1]]),
        3..=COMPARED => cheapest(&sets, output, sizes),
        _ => greedy(sets, output, sizes),
    }
}

fn fits(set: Set) -> bool {
    set.count_ones() as usize <= MAX_RANK
}

/// Returns the order of the least cost. The best order of a set of operands follows from those of its parts.
fn cheapest(sets: &[Set], output: Set, sizes: &[usize; LABELS]) -> Option<Vec<[usize; 2]>> {
    let all = (1usize << sets.len()) - 1;
    let union = |part: usize| {
        (0..sets.len()).filter(|i| part >> i & 1 == 1).fold(0, |set, i| set | sets[i])
    };
    // The indices that the product of each part has.
    let left: Vec<Set> =
        (0..=all).map(|part| union(part) & (output | union(all & !part))).collect();
    // For each part the least cost, and the half that is computed first.
    let mut best = vec![(f64::INFINITY, 0usize); all + 1];
    for part in 1..=all {
        if part.is_power_of_two() {
            best[part] = (0.0, 0);
            continue;
        }
        let lowest = part & part.wrapping_neg();
        let mut half = (part - 1) & part;
        while half > 0 && fits(left[part]) {
            if half & lowest != 0 {
                let rest = part & !half;
                let own = volume(left[half] | left[rest], sizes);
                let cost = best[half].0 + best[rest].0 + own;
                if cost < best[part].0 {
                    best[part] = (cost, half);
                }
            }
            half = (half - 1) & part;
        }
    }
    let mut pairs = vec![];
    (best[all].0 < f64::INFINITY).then(|| {
        written(all, &best, &mut pairs);
        pairs
    })
}

/// Writes the products of a part, and returns the place of the result.
fn written(part: usize, best: &[(f64, usize)], pairs: &mut Vec<[usize; 2]>) -> usize {
    if part.is_power_of_two() {
        return part.trailing_zeros() as usize;
    }
    let half = best[part].1;
    let pair = [written(half, best, pairs), written(part & !half, best, pairs)];
    pairs.push(pair);
    pair[0]
}

/// Multiplies, again and again, the pair whose result is the smallest, compared with the two operands.
fn greedy(
    mut sets: SmallVec<[Set; COMPARED]>,
    output: Set,
    sizes: &[usize; LABELS],
) -> Option<Vec<[usize; 2]>> {
    let mut left: Vec<usize> = (0..sets.len()).collect();
    let mut pairs = vec![];
    while left.len() > 1 {
        let mut best: Option<([f64; 2], [usize; 2], Set)> = None;
        for (i, &a) in left.iter().enumerate() {
            for &b in &left[i + 1..] {
                let others = left.iter().filter(|&&it| it != a && it != b);
                let needed = others.fold(output, |set, &it| set | sets[it]);
                let (all, result) = (sets[a] | sets[b], (sets[a] | sets[b]) & needed);
                let of = |set| volume(set, sizes);
                let cost = [of(result) - of(sets[a]) - of(sets[b]), of(all)];
                if fits(result) && best.is_none_or(|(known, ..)| cost < known) {
                    best = Some((cost, [a, b], result));
                }
            }
        }
        let (_, [a, b], result) = best?;
        sets[a] = result;
        left.retain(|&it| it != b);
        pairs.push([a, b]);
    }
    Some(pairs)
}

#[cfg(test)]
mod tests {
    use super::ContractionStep::{Diagonal, MatMul, Multiply, Permute, Reshape, Sum};
    use super::*;
    use smallvec::smallvec;

    fn steps(equation: &str, shapes: &[&[usize]]) -> Vec<ContractionStep> {
        let shapes: Vec<Shape> = shapes.iter().map(|shape| Shape::new(shape)).collect();
        einsum(equation, &shapes).unwrap().steps
    }

    fn fails(equation: &str, shapes: &[&[usize]], message: &str) {
        let shapes: Vec<Shape> = shapes.iter().map(|shape| Shape::new(shape)).collect();
        assert_eq!(einsum(equation, &shapes).unwrap_err(), message);
    }

    /// What is one call by hand is one step.
    #[test]
    fn plain_products_have_no_other_steps() {
        let plain = |equation, transposed| {
            assert_eq!(steps(equation, &[&[5, 5], &[5, 5]]), [MatMul([0, 1], transposed)]);
        };
        plain("ij,jk->ik", [false, false]);
        plain("ij,kj->ik", [false, true]);
        plain("ji,jk->ik", [true, false]);
        plain("ji,kj", [true, true]);
        assert_eq!(steps("ij,jk->ki", &[&[2, 3], &[3, 4]]), [MatMul([1, 0], [true, true])]);
        let batch: [&[usize]; 2] = [&[2, 7, 3, 4], &[2, 7, 5, 4]];
        assert_eq!(steps("bhid,bhjd->bhij", &batch), [MatMul([0, 1], [false, true])]);
        assert_eq!(steps("i,i->i", &[&[3], &[3]]), [Multiply([0, 1])]);
        let rows: [&[usize]; 2] = [&[2, 3], &[2, 3]];
        assert_eq!(steps("bi,bi->b", &rows), [Multiply([0, 1]), Sum(0, smallvec![1])]);
        assert_eq!(steps("ij,j->ij", &[&[2, 3], &[3]]), [Multiply([0, 1])]);
        assert_eq!(steps("...i->...i", &[&[2, 3]]), []);
        assert_eq!(steps("ij->ji", &[&[2, 3]]), [Permute(0, smallvec![1, 0])]);
        let trace = [Diagonal(0, [0, 1]), Sum(0, smallvec![0])];
        assert_eq!(steps("ii", &[&[3, 3]]), trace);
    }

    #[test]
    fn single_indices_are_summed_before_a_product() {
        let wanted = [Sum(0, smallvec![2]), Sum(1, smallvec![1]), MatMul([0, 1], [false, false])];
        assert_eq!(steps("ijx,jyk->ik", &[&[2, 3, 9], &[3, 8, 4]]), wanted);
        // An axis of size 1 broadcasts, so that the other operand alone has the index.
        let wanted =
            [Reshape(0, Shape::new(&[2])), Sum(1, smallvec![0]), Reshape(0, Shape::new(&[2, 1]))];
        assert_eq!(steps("ij,jk->ik", &[&[2, 1], &[3, 4]])[..3], wanted);
    }

    fn products(equation: &str, shapes: &[&[usize]]) -> Vec<[usize; 2]> {
        let of = |step| match step {
            MatMul(of, _) | Multiply(of) => Some(of),
            _ => None,
        };
        steps(equation, shapes).into_iter().filter_map(of).collect()
    }

    #[test]
    fn the_order_of_products_is_the_cheapest() {
        let chain: [&[usize]; 3] = [&[100, 2], &[2, 100], &[100, 3]];
        assert_eq!(products("ij,jk,kl->il", &chain), [[1, 2], [0, 1]]);
        let chain: [&[usize]; 3] = [&[3, 100], &[100, 2], &[2, 100]];
        assert_eq!(products("ij,jk,kl->il", &chain), [[0, 1], [0, 2]]);
        // Nine operands: the order by size alone.
        let chain: [&[usize]; 9] = [&[9, 9]; 9];
        let long = products("ab,bc,cd,de,ef,fg,gh,hi,ij->aj", &chain);
        assert_eq!(long.len(), 8);
        let vector: [&[usize]; 9] =
            [&[9, 9], &[9, 9], &[9, 9], &[9, 9], &[9, 9], &[9, 9], &[9, 9], &[9, 9], &[9]];
        let from_the_vector: Vec<_> = (0..8).rev().map(|i| [i, i + 1]).collect();
        assert_eq!(products("ab,bc,cd,de,ef,fg,gh,hi,i->a", &vector), from_the_vector);
    }

    #[test]
    fn messages_name_the_equation_the_operand_the_index_and_the_sizes() {
        let two: [&[usize]; 2] = [&[2, 3], &[4, 5]];
        fails(
            "ij,jk->ik",
            &two,
            "einsum: \"ij,jk->ik\": index j has size 3 in operand 0 of shape [2, 3] and size 4 in operand 1 of shape [4, 5]: they must be equal, or one of them 1",
        );
        fails("ij->", &two, "einsum: \"ij->\": the equation has 1 operands, 2 are given");
        fails("", &[], "einsum: \"\": the equation has 1 operands, 0 are given");
        fails(
            "ijk,jk->ik",
            &two,
            "einsum: \"ijk,jk->ik\": operand 0 of shape [2, 3] has 2 axes, its subscripts name 3",
        );
        fails(
            "ij,j->ij",
            &two,
            "einsum: \"ij,j->ij\": operand 1 of shape [4, 5] has 2 axes, its subscripts name 1: \"...\" stands for further axes",
        );
        fails(
            "ii->i",
            &[&[2, 3]],
            "einsum: \"ii->i\": index i is repeated in operand 0 of shape [2, 3] with the sizes 2 and 3: they must be equal",
        );
        fails("ij->ik", &[&[2, 3]], "einsum: \"ij->ik\": index k of the result is in no operand");
        fails("ij->ii", &[&[2, 3]], "einsum: \"ij->ii\": index i is named twice in the result");
        fails(
            "i1->i",
            &[&[2, 3]],
            "einsum: \"i1->i\": '1' in \"i1\" is no subscript: subscripts are letters from a to z and A to Z, and \"...\"",
        );
        fails(
            ". . .i->i",
            &[&[2, 3]],
            "einsum: \". . .i->i\": '.' in \". . .i\" is no subscript: subscripts are letters from a to z and A to Z, and \"...\"",
        );
        fails("...i...", &[&[2, 3]], "einsum: \"...i...\": \"...i...\" has two ellipses");
        fails(
            "i...,...->...",
            &[&[2, 3, 4], &[5]],
            "einsum: \"i...,...->...\": axis -1 of the ellipsis has size 4 in operand 0 of shape [2, 3, 4] and size 5 in operand 1 of shape [5]: they must be equal, or one of them 1",
        );
        let five: [&[usize]; 2] = [&[2; 5], &[2; 5]];
        fails(
            "abcde,fghij",
            &five,
            "einsum: \"abcde,fghij\": the result: shape [2, 2, 2, 2, 2, 2, 2, 2, 2, 2] has 10 axes, a tensor has at most 8",
        );
        let ring: [&[usize]; 3] = [&[2; 7], &[2; 7], &[2; 6]];
        fails(
            "abcpqrs,defpqtu,ghrstu->abcdefgh",
            &ring,
            "einsum: \"abcpqrs,defpqtu,ghrstu->abcdefgh\": the contraction has an intermediate result of more than 8 axes: divide it into several",
        );
    }
}
