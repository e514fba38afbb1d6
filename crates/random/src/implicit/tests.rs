//! Compares the derivatives of gamma draws with mpmath: `tests/reference/distributions.py` describes the numbers.

use super::*;
use wengert_autograd::Tape;
use wengert_tensor::NamedTensors;

const FILE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference/distributions.safetensors");

fn reference(name: &str) -> Vec<f64> {
    let file = NamedTensors::load(FILE).unwrap();
    file.get(&format!("implicit/{name}")).unwrap().cast().to_vec()
}

/// The inputs of the operations: concentration, logarithm, draw.
fn inputs() -> [Tensor<f64>; 3] {
    ["concentration", "y", "z"].map(|name| {
        let numbers = reference(name);
        let shape = [numbers.len()];
        Tensor::from_vec(numbers, &shape)
    })
}

/// Returns the largest relative error, and where it is.
fn worst(got: &[f64], wanted: &[f64], floor: &[f64]) -> (f64, usize) {
    assert_eq!(got.len(), wanted.len());
    let errors = got.iter().zip(wanted).zip(floor);
    let errors = errors.map(|((a, b), floor)| (a - b).abs() / b.abs().max(*floor));
    errors.enumerate().fold((0.0, 0), |(worst, at), (i, error)| {
        if error > worst || error.is_nan() { (error, i) } else { (worst, at) }
    })
}

#[test]
fn slopes_agree_with_mpmath_over_the_whole_range() {
    let x = inputs();
    let slopes = derivative(&x, 0)[0].to_vec();
    let wanted = reference("slope");
    let (error, i) = worst(&slopes, &wanted, &vec![0.0; wanted.len()]);
    let alpha = x[0].to_vec()[i];
    println!("slope: {error:.1e} at concentration {alpha}, {} points", wanted.len());
    assert!(error < 1e-12, "{error} at {i}: {alpha}");
    // Rounding of y = ln z alone costs digits at large concentrations.
    let few: Vec<usize> = (0..wanted.len()).filter(|&i| x[0].to_vec()[i] <= 300.0).collect();
    let part = |list: &[f64]| few.iter().map(|&i| list[i]).collect::<Vec<_>>();
    let (error, _) = worst(&part(&slopes), &part(&wanted), &vec![0.0; few.len()]);
    println!("slope, concentrations up to 300: {error:.1e}");
    assert!(error < 1e-13, "{error}");
}

/// The curvature changes its sign, so its error is relative to ψ′·slope if that is larger.
#[test]
fn curvatures_agree_with_mpmath() {
    let x = inputs();
    let curvatures = derivative(&x, 1)[0].to_vec();
    let wanted = reference("curvature");
    let scale =
        (x[0].polygamma(1) * Tensor::from_vec(reference("slope"), &[wanted.len()])).to_vec();
    let (error, i) = worst(&curvatures, &wanted, &scale);
    println!("curvature: {error:.1e} at concentration {}", x[0].to_vec()[i]);
    assert!(error < 1e-9, "{error} at {i}");
}

#[test]
fn the_second_derivative_is_that_of_the_inverse_of_the_distribution_function() {
    let wanted = reference("second");
    let n = wanted.len();
    let tape = Tape::new();
    let [alpha, log, z] = inputs().map(|x| tape.watch(x.narrow(0, 0, n)));
    let slope = of_three(GammaSlope, [alpha, log, z]);
    let parts = slope.sum_all().grad(&[alpha, log]);
    // y depends on the concentration by the slope.
    let second = (parts[0] + parts[1] * slope).value().to_vec();
    let (error, i) = worst(&second, &wanted, &vec![1e-6; n]);
    println!("second derivative: {error:.1e}, {n} points");
    assert!(error < 1e-8, "{error} at {i}: {} for {}", second[i], wanted[i]);
}

#[test]
fn slopes_of_f32_are_rounded_once() {
    let x = inputs();
    let narrow: [Tensor<f32>; 3] = [0, 1, 2].map(|i| x[i].cast());
    let wide: [Tensor<f64>; 3] = [0, 1, 2].map(|i| narrow[i].cast());
    let (a, b) = (derivative(&narrow, 0)[0].to_vec(), derivative(&wide, 0)[0].to_vec());
    for (i, (a, b)) in a.iter().zip(&b).enumerate() {
        // Draws below 1e-30 are replaced by their logarithms.
        let same = wide[2].to_vec()[i] > 1e-30 || wide[2].to_vec()[i] == 0.0;
        assert!(!same || (f64::from(*a) - b).abs() <= 1e-7 * b.abs(), "{i}: {a} {b}");
    }
}

#[test]
fn the_third_derivative_refuses_in_words() {
    let tape = Tape::new();
    let alpha = tape.watch(Tensor::<f64>::from([2.0]));
    let [z, _] = gamma(alpha, 1);
    let second = z.grad(&[alpha])[0].grad(&[alpha])[0];
    assert!(second.item().is_finite());
    let error = tape.catch(|| second.grad(&[alpha])[0].item()).unwrap_err();
    assert!(error.message.contains("third derivative"), "{error}");
}

/// The rule of Gauss and Legendre with n points is exact for polynomials below the degree 2n.
#[test]
fn the_rule_integrates_polynomials_exactly() {
    for degree in [0, 1, 2, 7, 40, 95] {
        let sum: f64 = rule().iter().map(|[x, weight]| weight * x.powi(degree)).sum();
        assert!((sum * f64::from(degree + 1) - 1.0).abs() < 1e-13, "{degree}: {sum}");
    }
}

/// Draws do not depend on memory layouts, on what is watched, on released values, or on whether the program is replayed.
/// (Differences of draws are no derivatives: another concentration may reject another candidate.)
#[test]
fn draws_pass_the_tests_of_operations() {
    use wengert_autograd::testing::{check_cuts, check_layouts, check_reads, check_replay, spread};
    fn draws<'t>(x: &[Var<'t, f64>]) -> Vec<Var<'t, f64>> {
        gamma(x[0], 5).to_vec()
    }
    let x = [spread(&[4, 5], &[(0.05, 60.0)], 3)];
    check_layouts(&x, draws).unwrap();
    check_cuts(&x, draws).unwrap();
    check_reads(&x, draws).unwrap();
    check_replay(&x, draws).unwrap();
}
