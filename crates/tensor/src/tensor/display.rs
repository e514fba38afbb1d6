//! Printing of tensors, in the layout of NumPy.

use crate::number::Dtype;
use crate::tensor::Element;
use crate::tensor::Tensor;
use std::fmt::{self, Write};

/// Tensors with more elements are shortened to [`EDGE`] indices at each end of every long axis.
const THRESHOLD: usize = 1000;
const EDGE: usize = 3;
/// Rows with more characters are broken into several lines.
const LINE: usize = 75;
/// The largest number of digits after the decimal point, unless the format string gives another.
const PRECISION: usize = 4;

/// Prints the tensor in the layout of NumPy: brackets for axes, aligned columns, and no more digits than
/// are needed.
///
/// There are at most four digits after the decimal point, as in PyTorch (with the eight digits of NumPy,
/// ten numbers do not fit a row). `{:.2}` sets another number of digits. Scientific notation is used if the
/// largest number is at least 10⁸, the smallest is below 10⁻⁴, or their ratio is above 1000. A tensor with
/// more than 1000 elements shows only the first and the last three indices of each long axis. A scalar
/// prints as a plain number with all its digits.
///
/// ```
/// use wengert::tensor::Tensor;
/// let x = Tensor::from([[1.0, -2.5], [0.25, 10.0]]);
/// assert_eq!(x.to_string(), "[[ 1.   -2.5 ]\n [ 0.25 10.  ]]");
/// assert_eq!(format!("{:.1}", Tensor::scalar(0.125).reshape(&[1])), "[0.1]");
/// ```
impl<T: Element> fmt::Display for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(self, f.precision(), 0))
    }
}

/// Prints the text of [`Display`](fmt::Display), the shape and the element type.
impl<T: Element> fmt::Debug for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = "Tensor(";
        let text = text(self, f.precision(), open.len());
        write!(f, "{open}{text}, shape={}, dtype={})", self.shape(), self.dtype())
    }
}

/// Returns the text of the whole tensor, whose first line starts at column `indent`.
fn text<T: Element>(tensor: &Tensor<T>, precision: Option<usize>, indent: usize) -> String {
    if tensor.rank() == 0 {
        return scalar(tensor.item(), precision);
    }
    if tensor.numel() == 0 {
        return "[]".to_owned();
    }
    let shorten = tensor.numel() > THRESHOLD;
    let shown: Vec<Vec<Option<usize>>> =
        tensor.shape().iter().map(|&size| indices(size, shorten)).collect();
    let mut elements = Vec::new();
    collect(tensor, &shown, &mut Vec::new(), &mut elements);
    let words = match T::DTYPE {
        Dtype::F32 | Dtype::F64 => {
            let numbers: Vec<f64> = elements.iter().map(|x| x.to()).collect();
            align(float_words(&numbers, precision.unwrap_or(PRECISION)))
        }
        _ => align(elements.iter().map(ToString::to_string).collect()),
    };
    let mut out = String::new();
    write_axis(&mut out, &shown, 0, indent, &mut words.iter());
    out
}

/// Returns the indices of an axis that are shown; `None` stands for the omitted ones.
fn indices(size: usize, shorten: bool) -> Vec<Option<usize>> {
    if shorten && size > 2 * EDGE {
        (0..EDGE).map(Some).chain([None]).chain((size - EDGE..size).map(Some)).collect()
    } else {
        (0..size).map(Some).collect()
    }
}

/// Collects the elements at all combinations of shown indices, in row-major order.
fn collect<T: Element>(
    tensor: &Tensor<T>,
    shown: &[Vec<Option<usize>>],
    index: &mut Vec<usize>,
    out: &mut Vec<T>,
) {
    let Some(axis) = shown.get(index.len()) else {
        out.push(tensor.at(index));
        return;
    };
    for i in axis.iter().flatten() {
        index.push(*i);
        collect(tensor, shown, index, out);
        index.pop();
    }
}

/// Writes one pair of brackets and its contents.
fn write_axis<'a>(
    out: &mut String,
    shown: &[Vec<Option<usize>>],
    axis: usize,
    indent: usize,
    words: &mut impl Iterator<Item = &'a String>,
) {
    let rank = shown.len();
    let inner = axis + 1 == rank;
    let margin = indent + axis + 1;
    let mut column = margin;
    out.push('[');
    for (i, index) in shown[axis].iter().enumerate() {
        let word = match index {
            None => "…",
            Some(_) if inner => words.next().map_or("", String::as_str),
            Some(_) => "",
        };
        let width = word.chars().count();
        // The closing brackets of all axes may follow the last word.
        let full = inner && column + 1 + width + rank > LINE && i > 0;
        if full || (!inner && i > 0) {
            // An empty line separates matrices; two empty lines separate stacks of matrices.
            let lines = if inner { 1 } else { rank - axis - 1 };
            out.extend(std::iter::repeat_n('\n', lines));
            out.extend(std::iter::repeat_n(' ', margin));
            column = margin;
        } else if i > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
        if !inner && index.is_some() {
            write_axis(out, shown, axis + 1, indent, words);
        }
    }
    out.push(']');
}

/// Pads the words on the left to the width of the longest word.
fn align(mut words: Vec<String>) -> Vec<String> {
    let width = words.iter().map(String::len).max().unwrap_or(0);
    for word in &mut words {
        *word = format!("{word:>width$}");
    }
    words
}

fn scalar<T: Element>(x: T, precision: Option<usize>) -> String {
    let number = x.to();
    match (T::DTYPE, precision) {
        (Dtype::F32 | Dtype::F64, _) if !number.is_finite() => special(number),
        (Dtype::F32 | Dtype::F64, Some(precision)) => format!("{number:.precision$}"),
        // Debug writes the shortest digits that read back as the same number, and "3.0" for 3.
        _ => format!("{x:?}"),
    }
}

fn special(x: f64) -> String {
    let name = if x.is_nan() {
        "nan"
    } else if x > 0.0 {
        "inf"
    } else {
        "-inf"
    };
    name.to_owned()
}

/// Formats numbers so that their decimal points are in one column after alignment on the right.
fn float_words(numbers: &[f64], precision: usize) -> Vec<String> {
    let sizes = || numbers.iter().map(|x| x.abs()).filter(|&x| x.is_finite() && x != 0.0);
    let largest = sizes().fold(0.0, f64::max);
    let smallest = sizes().fold(f64::INFINITY, f64::min);
    let scientific = largest >= 1e8 || smallest < 1e-4 || largest > 1000.0 * smallest;
    let fraction = |x: f64| -> usize {
        let text =
            if scientific { format!("{x:.precision$e}") } else { format!("{x:.precision$}") };
        let digits = text.split('e').next().and_then(|mantissa| mantissa.split_once('.'));
        digits.map_or(0, |(_, digits)| digits.trim_end_matches('0').len())
    };
    let finite = || numbers.iter().copied().filter(|x| x.is_finite());
    let places = finite().map(fraction).max().unwrap_or(0);
    let word = |&x: &f64| {
        if !x.is_finite() {
            special(x)
        } else if scientific {
            scientific_word(x, places)
        } else {
            fixed_word(x, precision, places)
        }
    };
    numbers.iter().map(word).collect()
}

/// Formats a number like `2.5 `: rounded to `precision` digits, with trailing zeros replaced by spaces up to
/// `places` digits.
fn fixed_word(x: f64, precision: usize, places: usize) -> String {
    let text = format!("{x:.precision$}");
    let (integer, digits) = text.split_once('.').unwrap_or((&text, ""));
    let digits = digits.trim_end_matches('0');
    format!("{integer}.{digits:places$}")
}

/// Formats a number like `2.50e-07`: `places` digits after the decimal point, at least two in the exponent.
fn scientific_word(x: f64, places: usize) -> String {
    let text = format!("{x:.places$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, size) = exponent.strip_prefix('-').map_or(('+', exponent), |size| ('-', size));
    let mut word = mantissa.to_owned();
    if places == 0 {
        word.push('.');
    }
    // Writing to a string cannot fail.
    let _ = write!(word, "e{sign}{size:0>2}");
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show<T: Element>(tensor: &Tensor<T>) -> String {
        tensor.to_string()
    }

    #[test]
    fn scalars_are_printed_with_all_digits() {
        assert_eq!(show(&Tensor::scalar(3.0)), "3.0");
        assert_eq!(show(&Tensor::scalar_of(1.0f64 / 3.0)), "0.3333333333333333");
        assert_eq!(show(&Tensor::scalar_of(7u8)), "7");
        assert_eq!(show(&Tensor::scalar_of(true)), "true");
        assert_eq!(show(&Tensor::scalar_of(f32::NAN)), "nan");
        assert_eq!(format!("{:.2}", Tensor::scalar(0.98765)), "0.99");
    }

    #[test]
    fn vectors_are_printed_in_columns_of_equal_width() {
        assert_eq!(show(&Tensor::from([1.0f32, 2.0, 3.0])), "[1. 2. 3.]");
        assert_eq!(show(&Tensor::from([0.1f32, 2.25, -3.0])), "[ 0.1   2.25 -3.  ]");
        assert_eq!(show(&Tensor::from([std::f32::consts::PI, 0.0])), "[3.1416 0.    ]");
        assert_eq!(show(&Tensor::from([1i64, -20, 300])), "[  1 -20 300]");
        assert_eq!(
            show(&Tensor::from([i64::MAX, i64::MIN])),
            "[ 9223372036854775807 -9223372036854775808]"
        );
        assert_eq!(show(&Tensor::from([true, false])), "[ true false]");
        assert_eq!(show(&Tensor::from([0.0f64, -0.0])), "[ 0. -0.]");
    }

    #[test]
    fn numbers_of_different_magnitude_are_printed_in_scientific_notation() {
        assert_eq!(show(&Tensor::from([0.001f32, 5.0])), "[1.e-03 5.e+00]");
        assert_eq!(show(&Tensor::from([0.0012f32, -5000.0])), "[ 1.2e-03 -5.0e+03]");
        assert_eq!(show(&Tensor::from([1e8f64, 1e5])), "[1.e+08 1.e+05]");
        assert_eq!(show(&Tensor::from([1e-5f64, 0.0])), "[1.e-05 0.e+00]");
        assert_eq!(show(&Tensor::from([1e-120f64, f64::INFINITY])), "[1.e-120     inf]");
        assert_eq!(show(&Tensor::from([1.0f64, 1000.0])), "[   1. 1000.]");
    }

    #[test]
    fn nan_and_infinities_are_printed() {
        assert_eq!(show(&Tensor::from([f32::NAN, 1.5, f32::NEG_INFINITY])), "[ nan  1.5 -inf]");
        assert_eq!(show(&Tensor::from([f64::NAN, f64::INFINITY])), "[nan inf]");
    }

    #[test]
    fn axes_are_printed_as_nested_brackets() {
        let x = Tensor::<i64>::arange_of(0.0, 12.0, 1.0);
        assert_eq!(show(&x.reshape(&[3, 4])), "[[ 0  1  2  3]\n [ 4  5  6  7]\n [ 8  9 10 11]]");
        assert_eq!(
            show(&x.reshape(&[2, 3, 2])),
            "[[[ 0  1]\n  [ 2  3]\n  [ 4  5]]\n\n [[ 6  7]\n  [ 8  9]\n  [10 11]]]"
        );
        assert_eq!(
            show(&x.reshape(&[2, 1, 3, 2])),
            "[[[[ 0  1]\n   [ 2  3]\n   [ 4  5]]]\n\n\n [[[ 6  7]\n   [ 8  9]\n   [10 11]]]]"
        );
        assert_eq!(show(&x.reshape(&[3, 4]).t().narrow(0, 1, 2)), "[[ 1  5  9]\n [ 2  6 10]]");
        assert_eq!(show(&Tensor::zeros(&[2, 0])), "[]");
    }

    #[test]
    fn large_tensors_are_shortened() {
        let x = Tensor::<i64>::arange_of(0.0, 1001.0, 1.0);
        assert_eq!(show(&x), "[   0    1    2 …  998  999 1000]");
        let x = Tensor::<i64>::arange_of(0.0, 4000.0, 1.0).reshape(&[1000, 4]);
        assert_eq!(
            show(&x),
            "[[   0    1    2    3]\n [   4    5    6    7]\n [   8    9   10   11]\n …\n \
             [3988 3989 3990 3991]\n [3992 3993 3994 3995]\n [3996 3997 3998 3999]]"
        );
        assert!(!show(&x.narrow(0, 0, 250)).contains('…'));
    }

    #[test]
    fn long_rows_are_broken_into_lines() {
        let x = Tensor::<i64>::arange_of(0.0, 30.0, 1.0);
        assert_eq!(
            show(&x),
            "[ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23\n 24 25 26 27 28 29]"
        );
        let longest = |text: &str| text.lines().map(|line| line.chars().count()).max();
        assert!(longest(&show(&x.broadcast_to(&[2, 3, 30]))) <= Some(LINE));
    }

    #[test]
    fn debug_adds_shape_and_type() {
        let x = Tensor::from([[1.0f64, 2.0], [3.0, 4.0]]);
        assert_eq!(format!("{x:?}"), "Tensor([[1. 2.]\n        [3. 4.]], shape=[2, 2], dtype=f64)");
        assert_eq!(format!("{:?}", Tensor::scalar(0.5)), "Tensor(0.5, shape=[], dtype=f32)");
        assert_eq!(
            format!("{:?}", Tensor::<u8>::zeros_of(&[0, 3])),
            "Tensor([], shape=[0, 3], dtype=u8)"
        );
        assert_eq!(
            format!("{:.1?}", Tensor::from([0.125f32])),
            "Tensor([0.1], shape=[1], dtype=f32)"
        );
    }
}
