//! What the rule of a user's operation may do beside returning cotangents: it binds parameters, draws
//! random numbers, changes buffers, or stops with a message.

use crate::common::{panic_of, panics};
use std::sync::Arc;
use wengert_autograd::{Buffer, Call, Cotangents, CustomOp, Outputs, Param, Policy, Tape, Var};
use wengert_tensor::{Philox, Shape, Tensor};

/// 5 x, whose rule does what is asked for: with `p` = 5 it is right.
struct Times<F> {
    rule: F,
}
impl<F> CustomOp<f64> for Times<F>
where
    F: for<'a, 't> Fn(&'a Call<'_, 't, f64>) -> Var<'t, f64> + Send + Sync,
{
    fn name(&self) -> &'static str {
        "times"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([x[0]].into_iter().collect())
    }
    fn forward(&self, x: &[Tensor<f64>]) -> Outputs<Tensor<f64>> {
        [&x[0] * 5.0].into_iter().collect()
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, f64>) -> Cotangents<'t, f64> {
        std::iter::once(Some((self.rule)(c))).collect()
    }
}

fn times<'t, F>(x: Var<'t, f64>, rule: F) -> Var<'t, f64>
where
    F: for<'a, 's> Fn(&'a Call<'_, 's, f64>) -> Var<'s, f64> + Send + Sync + 'static,
{
    x.tape().custom(Arc::new(Times { rule }), &[x])[0]
}

/// By a parameter.
fn by(p: Arc<Param<f64>>) -> impl for<'a, 's> Fn(&'a Call<'_, 's, f64>) -> Var<'s, f64> {
    move |c| c.gy() * c.tape().param(&p)
}

/// A parameter that a rule was the first to read belongs to the tape no longer than the rule's variables.
#[test]
fn a_rule_binds_a_parameter() {
    for policy in [Policy::Eager, Policy::Fused] {
        for n in [1, 12] {
            let p = Arc::new(Param::new(Tensor::full_of(&[n], 5.0)));
            let tape = Tape::<f64>::new().with_policy(policy);
            let x = tape.watch(Tensor::full_of(&[n], 2.0));
            let loss = times(x, by(p.clone())).sum_all();
            for _ in 0..2 {
                let gradients = loss.backward_retain();
                assert_eq!(gradients.wrt(x).unwrap().to_vec(), vec![5.0; n]);
                assert!(gradients.get(&p).is_none());
            }
            // What comes next on the tape is not the parameter.
            let others: Vec<_> =
                (0..6).map(|i| tape.watch(Tensor::full_of(&[n], 100.0 + f64::from(i)))).collect();
            let sum = others.iter().fold(tape.zeros(&[n]), |sum, v| sum + *v * 7.0).sum_all();
            let gradients = sum.backward_retain();
            assert_eq!(gradients.len(), 0);
            assert!(gradients.get(&p).is_none());
            assert_eq!(tape.param(&p).value().to_vec(), vec![5.0; n]);
            assert_eq!(loss.grad(&[x])[0].value().to_vec(), vec![5.0; n]);
            assert_eq!(loss.backward().wrt(x).unwrap().to_vec(), vec![5.0; n]);
            // And with nothing before.
            let tape = Tape::<f64>::new().with_policy(policy);
            let x = tape.watch(Tensor::full_of(&[n], 2.0));
            let loss = times(times(x, by(p.clone())), by(p.clone())).sum_all();
            assert_eq!(loss.backward().wrt(x).unwrap().to_vec(), vec![25.0; n]);
        }
    }
}

#[test]
fn a_rule_binds_a_parameter_and_stops() {
    let p = Arc::new(Param::new(Tensor::scalar_of(5.0)));
    let of_rule = p.clone();
    let tape = Tape::<f64>::new();
    let x = tape.watch(Tensor::scalar_of(2.0));
    let loss = times(x, move |c| {
        let _ = c.tape().param(&of_rule);
        c.tape().shape_error("no further".to_string())
    });
    assert!(tape.catch(|| loss.backward_retain()).is_err());
    let _others: Vec<_> = (0..6).map(|i| tape.full((), 100.0 + f64::from(i))).collect();
    assert_eq!(tape.param(&p).item(), 5.0);
}

#[test]
fn a_rule_draws_no_random_numbers() {
    let tape = Tape::<f64>::train(&mut Philox::new(0));
    let x = tape.watch(Tensor::ones_of(&[12]));
    let loss = times(x, |c| (c.x(0) * 5.0 * c.gy()).dropout(0.5)).sum_all();
    let drawn = "random numbers in the rule of an operation";
    for _ in 0..2 {
        let text = panic_of(|| drop(loss.backward_retain())).0;
        assert!(text.contains(drawn), "{text}");
        let text = panic_of(|| drop(loss.grad(&[x]))).0;
        assert!(text.contains(drawn), "{text}");
    }
    // The tape goes on.
    assert_eq!(x.dropout(0.5).shape(), [12]);
}

/// What a layer says about its statistics when a rule evaluates it again is known already.
#[test]
fn a_rule_changes_no_buffers() {
    let mut buffer = Buffer::new(Tensor::scalar_of(0.0f64));
    let again = Arc::new(Buffer::new(Tensor::scalar_of(0.0f64)));
    let tape = Tape::<f64>::new();
    let x = tape.watch(Tensor::scalar_of(2.0));
    tape.update_buffer(&buffer, 0.0, tape.full((), 3.0));
    let of_rule = again.clone();
    let loss = times(x, move |c| {
        c.tape().update_buffer(&of_rule, 0.0, c.tape().full((), 7.0));
        c.gy() * 5.0
    });
    let gradients = loss.backward();
    let mut again = Arc::try_unwrap(again);
    gradients.apply_updates(&mut buffer);
    assert_eq!(buffer.value().item(), 3.0);
    if let Ok(again) = &mut again {
        assert!(!gradients.apply_to(again));
    }
}

#[test]
fn variables_of_another_tape_leave_no_scope() {
    let (tape, other) = (Tape::<f64>::new(), Tape::<f64>::new());
    let v = other.full((), 1.0);
    panics!(tape.scope("outer", || v), "scope: variables of two tapes meet");
}

/// x + y and x - y, whose rule is what is asked for.
struct Both<F> {
    rule: F,
}
impl<F> CustomOp<f64> for Both<F>
where
    F: for<'a, 't> Fn(&'a Call<'_, 't, f64>) -> Cotangents<'t, f64> + Send + Sync,
{
    fn name(&self) -> &'static str {
        "both"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([x[0], x[0]].into_iter().collect())
    }
    fn forward(&self, x: &[Tensor<f64>]) -> Outputs<Tensor<f64>> {
        [&x[0] + &x[1], &x[0] - &x[1]].into_iter().collect()
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, f64>) -> Cotangents<'t, f64> {
        (self.rule)(c)
    }
}

/// What a rule with two inputs and two outputs asks for, and what there is not.
#[test]
fn a_rule_asks_for_what_is_there() {
    fn check<F>(rule: F, line: u32, text: &str)
    where
        F: for<'a, 's> Fn(&'a Call<'_, 's, f64>) -> Cotangents<'s, f64> + Send + Sync + 'static,
    {
        let rule = Arc::new(Both { rule });
        for outputs in [&[0, 1][..], &[0], &[1]] {
            let tape = Tape::new();
            let [x, y] = [2.0, 3.0].map(|x| tape.watch(Tensor::full_of(&[9], x)));
            let all = tape.custom(rule.clone(), &[x, y]);
            let sums = outputs.iter().map(|&i| all[i].sum_all());
            let loss = sums.reduce(|a, b| a + b).unwrap();
            for _ in 0..2 {
                let (message, file, at) = panic_of(|| drop(loss.backward_retain()));
                assert!(message.contains(text), "{message}");
                if line > 0 {
                    assert_eq!((&*file, at), (file!(), line), "{message}");
                }
            }
        }
    }
    let several = "Call::gy: the operation has 2 outputs: use gy_of(0), gy_of(1)";
    check(|c| [Some(c.gy()), Some(c.gy())].into_iter().collect(), line!(), several);
    let output = "the rule asks for output 2, counted from 0, of an operation with 2";
    check(|c| [c.gy_of(2), None].into_iter().collect(), line!(), output);
    check(|c| [Some(c.y(2)), None].into_iter().collect(), line!(), output);
    let input = "the rule asks for input 2, counted from 0, of an operation with 2";
    check(|c| [Some(c.x(2)), None].into_iter().collect(), line!(), input);
    check(|c| [Some(c.tape().zeros(&c.x_shape(2))), None].into_iter().collect(), line!(), input);
    check(|c| c.wants(2).then_some(None).into_iter().collect(), line!(), input);
    let three = "both: its rule must return a cotangent for each of its 2 inputs, it returned 3";
    check(|c| std::iter::repeat_n(Some(c.x(0)), 3).collect(), 0, three);
    let none = "both: its rule must return a cotangent of shape [9] for input 1, it returned none";
    check(|c| [Some(c.x(0))].into_iter().collect(), 0, none);
}
