//! The notation: subscripts of operands and of the result, and the sizes of the indices.

use super::super::{ShapeResult, ensure};
use super::{LABELS, LETTERS, Label, Subscripts, bit, bits};
use crate::layout::{MAX_RANK, Shape};
use smallvec::SmallVec;

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
pub fn parse(equation: &str, shapes: &[Shape]) -> ShapeResult<(Vec<Subscripts>, Subscripts)> {
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
pub fn sizes_of(operands: &[Subscripts], shapes: &[Shape]) -> ShapeResult<[usize; LABELS]> {
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
