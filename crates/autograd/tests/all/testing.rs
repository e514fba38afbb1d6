//! The tests of `wengert_autograd::testing` find each kind of mistake, and accept correct operations.

use crate::common::panics;
use std::sync::Arc;
use wengert_autograd::testing::{
    Test, check_adjoint, check_cuts, check_layouts, check_op, check_reads, check_replay, layouts,
    spread,
};
use wengert_autograd::{Call, Cotangents, CustomOp, Outputs, Reads, Var};
use wengert_tensor::{Pool, Shape, Tensor};

/// The mistakes of [`ProductAndSum`], which computes a·b and a + b.
#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    None,
    /// The gradient with respect to a is 1 % too large.
    Scaled,
    /// The gradient with respect to a is 1 % too large if both outputs are used.
    ScaledTogether,
    /// The gradient with respect to a is 1 % too large if the gradient with respect to b is not wanted.
    ScaledAlone,
    /// The rule is not linear in the cotangent.
    Bent,
    /// The rule reads the other input for each gradient, but declares that it reads nothing.
    Undeclared,
    /// The forward computation has another result if the input is not contiguous.
    Layout,
    /// The outputs depend on the number of earlier calls.
    Impure,
}

struct ProductAndSum(Mistake, std::sync::atomic::AtomicUsize);
impl CustomOp<f64> for ProductAndSum {
    fn name(&self) -> &'static str {
        "product_and_sum"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([x[0], x[0]].into())
    }
    fn forward(&self, x: &[Tensor<f64>]) -> Outputs<Tensor<f64>> {
        let calls = self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let a = match self.0 {
            Mistake::Layout if x[0].as_slice().is_none() => &x[0] * 1.5,
            Mistake::Impure => &x[0] * (1.0 + calls as f64),
            _ => x[0].clone(),
        };
        [&a * &x[1], &a + &x[1]].into()
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, f64>) -> Cotangents<'t, f64> {
        let both = c.gy_of(0).is_some() && c.gy_of(1).is_some();
        let off = match self.0 {
            Mistake::Scaled => true,
            Mistake::ScaledTogether => both,
            Mistake::ScaledAlone => !c.wants(1),
            _ => false,
        };
        let by = |arg: usize| {
            let product = c.gy_of(0).map(|g| g * c.x(1 - arg));
            product.into_iter().chain(c.gy_of(1)).reduce(|a, b| a + b)
        };
        let mut by_a = c.wants(0).then(|| by(0)).flatten();
        let by_b = c.wants(1).then(|| by(1)).flatten();
        if off {
            by_a = by_a.map(|g| 1.01 * g);
        }
        if self.0 == Mistake::Bent {
            by_a = by_a.map(|g| g * g.abs());
        }
        [by_a, by_b].into()
    }
    fn reads(&self, arg: usize) -> Reads {
        match self.0 {
            Mistake::Undeclared => Reads::NOTHING,
            _ => [Reads::X1, Reads::X0][arg],
        }
    }
}

fn apply<'t>(mistake: Mistake, x: &[Var<'t, f64>]) -> Vec<Var<'t, f64>> {
    let op = ProductAndSum(mistake, std::sync::atomic::AtomicUsize::new(0));
    x[0].tape().custom(Arc::new(op), x).to_vec()
}

fn inputs() -> Vec<Tensor<f64>> {
    vec![spread(&[3, 5], &[(0.3, 1.2)], 1), spread(&[3, 5], &[(0.3, 1.2)], 2)]
}

#[test]
fn right_operations_pass() {
    check_op("product and sum", &inputs(), |x| apply(Mistake::None, x)).unwrap();
    let one = [spread(&[2, 4, 6], &[(-2.0, -0.1), (0.1, 2.0)], 3)];
    check_op("softmax", &one, |x| vec![x[0].softmax(2)]).unwrap();
    check_op("pool", &one, |x| vec![x[0].max_pool2d(&Pool::new(2))]).unwrap();
    check_op("sums", &one, |x| vec![x[0].sum(&[0], false), x[0].square().mean_all()]).unwrap();
    // Results may depend on one input only, or on none.
    check_op("part", &inputs(), |x| vec![x[0].exp(), x[0].tape().ones(&[3]), x[1].sin()]).unwrap();
}

#[test]
fn each_mistake_is_found_by_its_test() {
    let found = |mistake| {
        let error = check_op("an op", &inputs(), move |x| apply(mistake, x)).unwrap_err();
        assert!(error.to_string().starts_with("an op: "), "{error}");
        error.test
    };
    assert_eq!(found(Mistake::Scaled), Test::Derivatives);
    assert_eq!(found(Mistake::Bent), Test::Derivatives);
    assert_eq!(found(Mistake::ScaledTogether), Test::Derivatives);
    assert_eq!(found(Mistake::ScaledAlone), Test::Cuts);
    assert_eq!(found(Mistake::Layout), Test::Layouts);
    assert_eq!(found(Mistake::Undeclared), Test::Reads);
}

#[test]
fn each_test_finds_only_its_kind_of_mistake() {
    let x = inputs();
    let test = |mistake| {
        [
            check_layouts(&x, move |x| apply(mistake, x)).is_ok(),
            check_cuts(&x, move |x| apply(mistake, x)).is_ok(),
            check_adjoint(&x, move |x| apply(mistake, x)).is_ok(),
            check_reads(&x, move |x| apply(mistake, x)).is_ok(),
            check_replay(&x, move |x| apply(mistake, x)).is_ok(),
        ]
    };
    assert_eq!(test(Mistake::None), [true; 5]);
    assert!(!test(Mistake::Layout)[0]);
    assert!(!test(Mistake::ScaledTogether)[1]);
    assert!(!test(Mistake::ScaledAlone)[1]);
    assert!(!test(Mistake::Bent)[2]);
    assert!(!test(Mistake::Undeclared)[3]);
    // An operation that depends on the number of its calls has other results in a replay.
    assert!(!test(Mistake::Impure)[4]);
    // The function reads a value while it is recorded.
    let error = check_replay(&x, |x| vec![x[0] * x[0].tape().constant(x[0].value())]);
    assert_eq!(error.unwrap_err().test, Test::Replay);
    // The result is the operand itself.
    let error = check_cuts(&x, |x| vec![x[0]]).unwrap_err();
    assert!(error.to_string().contains("result 0 is the same node as an input"), "{error}");
}

#[test]
fn layouts_returns_six_layouts_of_the_same_numbers() {
    let x = spread(&[3, 4], &[(-1.0, 1.0)], 7);
    let all = layouts(&x);
    assert_eq!(all.len(), 6);
    for (name, laid) in &all {
        assert_eq!(laid.shape(), x.shape(), "{name}");
        let row: Vec<f64> = x.to_vec()[..4].repeat(3);
        let wanted = if *name == "repeated" { row } else { x.to_vec() };
        assert_eq!(laid.to_vec(), wanted, "{name}");
        let plain = ["contiguous", "behind others"].contains(name);
        assert_eq!(laid.as_slice().is_some(), plain, "{name}");
    }
    assert_eq!(layouts(&Tensor::scalar_of(1.0f64)).len(), 2);
    assert_eq!(layouts(&Tensor::<i64>::zeros_of(&[0, 3])).len(), 2);
}

/// Returns two results, the second with a wrong derivative.
fn wrong_second<'t>(x: &[Var<'t, f64>]) -> Vec<Var<'t, f64>> {
    let sum = x[0] + x[1];
    vec![x[0] * x[1], sum + 0.5 * (sum.square() - sum.square().detach())]
}

/// Error messages name the result of an operation with several results, and say if it is not a pure function.
#[test]
fn messages_name_the_result_of_an_operation_with_several_results() {
    let [a, b] = [1, 2].map(|seed| spread(&[3, 5], &[(0.5, 1.5)], seed));
    let error = check_op("f", &[a.clone(), b.clone()], wrong_second).unwrap_err();
    assert!(error.message.ends_with("the output element is element 0 of result 1"), "{error}");
    // The second result differs in each call.
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let error = check_op("f", std::slice::from_ref(&a), |x| {
        let n = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        vec![x[0] * 2.0, x[0] + n as f64]
    });
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains(
            "result 1 has different values in two runs on the same inputs: the operation is not"
        ),
        "{error}"
    );
    // The derivative is NaN, but the value is finite.
    let error = check_op("f", &[Tensor::zeros_of(&[9])], |x| vec![(x[0] * 0.0).sqrt() * 0.0]);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("the rules give NaN, differences 0e0"), "{error}");
}

#[test]
fn operations_without_results_are_refused_with_a_message() {
    use wengert_autograd::testing::{
        check_adjoint, check_cuts, check_layouts, check_reads, check_replay,
    };
    fn nothing<'t>(_: &[Var<'t, f64>]) -> Vec<Var<'t, f64>> {
        vec![]
    }
    let x = [spread(&[3, 4], &[(0.5, 2.0)], 1)];
    let error = check_op("nothing", &x, nothing).unwrap_err().to_string();
    assert_eq!(
        error,
        "nothing: derivatives: the function returned no results: return at least one variable"
    );
    for error in [
        check_layouts(&x, nothing),
        check_cuts(&x, nothing),
        check_adjoint(&x, nothing),
        check_reads(&x, nothing),
        check_replay(&x, nothing),
    ] {
        let error = error.unwrap_err().to_string();
        assert!(error.ends_with("the function returned no results: return at least one variable"));
    }
}

#[test]
fn spread_without_an_interval_panics() {
    panics!(spread(&[3], &[], 0), "spread: expected at least one interval (low, high), got none");
    panics!(spread(&[0], &[], 0), "spread: expected at least one interval");
}
