//! The functions of variables: they check the shapes and combine recorded operations.

use crate::error::LinalgError;
use crate::kernels::triangular::Triangle;
use crate::primitive::{Kind, record};
use wengert_autograd::Var;
use wengert_tensor::{Float, Shape, Tensor, broadcast_shapes};

type LinalgResult<R> = Result<R, LinalgError>;

/// Checks that there are at least two axes. Returns the last two sizes.
fn matrices(operation: &'static str, shape: Shape) -> LinalgResult<[usize; 2]> {
    match *shape {
        [.., m, n] => Ok([m, n]),
        _ => Err(LinalgError::operands(
            operation,
            format!(
                "expected matrices in the last two axes, got shape {shape}: add axes with unsqueeze"
            ),
        )),
    }
}

/// Checks that the matrices are square. Returns their size.
fn square(operation: &'static str, shape: Shape) -> LinalgResult<usize> {
    match matrices(operation, shape)? {
        [m, n] if m == n => Ok(n),
        [m, n] => Err(LinalgError::operands(
            operation,
            format!(
                "expected square matrices in the last two axes, got shape {shape} with {m} rows and {n} \
                 columns{}",
                if operation == "solve" { ": lstsq accepts any number of rows" } else { "" }
            ),
        )),
    }
}

/// Returns both operands with the same leading axes. A vector on the right is a column, and the last result says so.
fn pair<'t, T: Float>(
    operation: &'static str,
    a: Var<'t, T>,
    b: Var<'t, T>,
) -> LinalgResult<(Var<'t, T>, Var<'t, T>, bool)> {
    if !std::ptr::eq(a.tape(), b.tape()) {
        return Err(LinalgError::operands(
            operation,
            "the variables are on different tapes: copy a value to the other tape with \
             tape.constant(x.value())"
                .into(),
        ));
    }
    let shapes = (a.shape(), b.shape());
    let [m, _] = matrices(operation, shapes.0)?;
    let is_vector = shapes.1.rank() == 1;
    let b = if is_vector { b.unsqueeze(-1) } else { b };
    let [rows, k] = matrices(operation, b.shape())?;
    if rows != m {
        return Err(LinalgError::operands(
            operation,
            format!(
                "the matrix of shape {} has {m} rows, and the right side of shape {} has {rows}: both \
                 numbers must be equal; a right side with one axis is a vector",
                shapes.0, shapes.1
            ),
        ));
    }
    let (own, other) = (a.shape(), b.shape());
    let lead = |shape: &Shape| -> Vec<usize> { shape[..shape.rank() - 2].to_vec() };
    let Some(batch) = broadcast_shapes(&lead(&own), &lead(&other)) else {
        return Err(LinalgError::operands(
            operation,
            format!(
                "the leading axes of the shapes {} and {} do not broadcast",
                shapes.0, shapes.1
            ),
        ));
    };
    let to = |x: Var<'t, T>, sizes: [usize; 2]| {
        let shape: Shape = batch.iter().copied().chain(sizes).collect();
        if x.shape() == shape { x } else { x.broadcast_to(shape) }
    };
    let n = own[own.rank() - 1];
    Ok((to(a, [m, n]), to(b, [m, k]), is_vector))
}

fn without_column<T: Float>(x: Var<'_, T>, is_vector: bool) -> Var<'_, T> {
    if is_vector { x.squeeze(-1) } else { x }
}

fn one<'t, T: Float>(
    operation: &'static str,
    kind: Kind,
    x: &[Var<'t, T>],
) -> LinalgResult<Var<'t, T>> {
    Ok(record(operation, kind, x)?[0])
}

pub(crate) fn cholesky<T: Float>(a: Var<'_, T>) -> LinalgResult<[Var<'_, T>; 1]> {
    square("cholesky", a.shape())?;
    Ok([one("cholesky", Kind::Cholesky, &[a])?])
}

pub(crate) fn triangular_solve<'t, T: Float>(
    operation: &'static str,
    a: Var<'t, T>,
    b: Var<'t, T>,
    triangle: Triangle,
) -> LinalgResult<[Var<'t, T>; 1]> {
    square(operation, a.shape())?;
    let (a, b, is_vector) = pair(operation, a, b)?;
    let x = one(operation, Kind::Triangular(triangle), &[a, b])?;
    Ok([without_column(x, is_vector)])
}

pub(crate) fn cholesky_solve<'t, T: Float>(
    b: Var<'t, T>,
    factor: Var<'t, T>,
    upper: bool,
) -> LinalgResult<[Var<'t, T>; 1]> {
    let name = "cholesky_solve";
    square(name, factor.shape())?;
    let [lower, above] = [false, true].map(|upper| Triangle { upper, unit: false });
    let l = if upper { factor.t() } else { factor };
    let [half] = triangular_solve(name, l, b, lower)?;
    triangular_solve(name, l.t(), half, above)
}

pub(crate) fn solve<'t, T: Float>(a: Var<'t, T>, b: Var<'t, T>) -> LinalgResult<[Var<'t, T>; 1]> {
    square("solve", a.shape())?;
    let (a, b, is_vector) = pair("solve", a, b)?;
    Ok([without_column(one("solve", Kind::Solve, &[a, b])?, is_vector)])
}

pub(crate) fn inverse<'t, T: Float>(
    operation: &'static str,
    a: Var<'t, T>,
) -> LinalgResult<[Var<'t, T>; 1]> {
    square(operation, a.shape())?;
    Ok([one(operation, Kind::Inverse, &[a])?])
}

pub(crate) fn det<T: Float>(a: Var<'_, T>) -> LinalgResult<[Var<'_, T>; 1]> {
    square("det", a.shape())?;
    Ok([one("det", Kind::Det, &[a])?])
}

pub(crate) fn slogdet<T: Float>(a: Var<'_, T>) -> LinalgResult<[Var<'_, T>; 2]> {
    square("slogdet", a.shape())?;
    let results = record("slogdet", Kind::Slogdet, &[a])?;
    Ok([results[0], results[1]])
}

/// Returns P, L and U.
pub(crate) fn lu<T: Float>(a: Var<'_, T>) -> LinalgResult<[Var<'_, T>; 3]> {
    matrices("lu", a.shape())?;
    let results = record("lu", Kind::Lu, &[a])?;
    Ok([results[2], results[0], results[1]])
}

pub(crate) fn qr<T: Float>(a: Var<'_, T>) -> LinalgResult<[Var<'_, T>; 2]> {
    matrices("qr", a.shape())?;
    let results = record("qr", Kind::Qr, &[a])?;
    Ok([results[0], results[1]])
}

pub(crate) fn eigh<'t, T: Float>(
    operation: &'static str,
    a: Var<'t, T>,
) -> LinalgResult<[Var<'t, T>; 2]> {
    square(operation, a.shape())?;
    let results = record(operation, Kind::Eigh, &[a])?;
    Ok([results[0], results[1]])
}

pub(crate) fn svd<'t, T: Float>(
    operation: &'static str,
    a: Var<'t, T>,
) -> LinalgResult<[Var<'t, T>; 3]> {
    matrices(operation, a.shape())?;
    let results = record(operation, Kind::Svd, &[a])?;
    Ok([results[0], results[1], results[2]])
}

/// Returns the ratio of the largest and the smallest singular value.
pub(crate) fn cond<T: Float>(a: Var<'_, T>) -> LinalgResult<[Var<'_, T>; 1]> {
    let [m, n] = matrices("cond", a.shape())?;
    if m.min(n) == 0 {
        let why = format!("expected matrices with elements, got shape {}", a.shape());
        return Err(LinalgError::operands("cond", why));
    }
    let [_, s, _] = svd("cond", a)?;
    Ok([s.select(-1, 0) / s.select(-1, -1)])
}

/// Checks a relative tolerance.
pub(crate) fn tolerance(operation: &'static str, rtol: Option<f64>) -> LinalgResult<()> {
    match rtol {
        Some(rtol) if !(0.0..1.0).contains(&rtol) => Err(LinalgError::operands(
            operation,
            format!("expected a relative tolerance of at least 0 and less than 1, got {rtol}"),
        )),
        _ => Ok(()),
    }
}

pub(crate) fn pinv<'t, T: Float>(
    operation: &'static str,
    a: Var<'t, T>,
    rtol: Option<f64>,
) -> LinalgResult<[Var<'t, T>; 1]> {
    tolerance(operation, rtol)?;
    matrices(operation, a.shape())?;
    Ok([one(operation, Kind::Pinv(rtol), &[a])?])
}

pub(crate) fn lstsq<'t, T: Float>(
    a: Var<'t, T>,
    b: Var<'t, T>,
    rtol: Option<f64>,
) -> LinalgResult<[Var<'t, T>; 1]> {
    matrices("lstsq", a.shape())?;
    let inverse = |a| pinv("lstsq", a, rtol);
    let (_, b, is_vector) = pair("lstsq", a, b)?;
    let [p] = inverse(a)?;
    Ok([without_column(p.matmul(b), is_vector)])
}

pub(crate) fn matrix_exp<T: Float>(a: Var<'_, T>) -> LinalgResult<[Var<'_, T>; 1]> {
    square("matrix_exp", a.shape())?;
    Ok([one("matrix_exp", Kind::MatrixExp, &[a])?])
}

/// Multiplies the powers A¹, A², A⁴, … whose bits are set.
pub(crate) fn matrix_power<T: Float>(a: Var<'_, T>, n: i32) -> LinalgResult<[Var<'_, T>; 1]> {
    let size = square("matrix_power", a.shape())?;
    let mut power = if n < 0 { inverse("matrix_power", a)?[0] } else { a };
    let mut left = n.unsigned_abs();
    let mut product: Option<Var<'_, T>> = None;
    while left > 0 {
        if left % 2 == 1 {
            product = Some(product.map_or(power, |product| product.matmul(power)));
        }
        left /= 2;
        if left > 0 {
            power = power.matmul(power);
        }
    }
    let identity = || a.tape().constant(Tensor::eye_of(size)).broadcast_to(a.shape());
    // A¹ is a variable of its own.
    let product = product.map_or_else(identity, |x| if x.is(a) { x.reshape(a.shape()) } else { x });
    Ok([product])
}
