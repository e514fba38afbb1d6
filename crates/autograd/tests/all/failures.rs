//! Errors of the user panic at the line of the call. The message names the operation, the shapes and what
//! to do.

use crate::common::{panic_of, panics};
use std::sync::Arc;
use wengert_autograd::{
    Buffer, Call, Cause, Cotangents, CustomOp, Mode, OperationError, Outputs, Param, Tape, Var,
    value_and_grad,
};
use wengert_tensor::{Philox, Shape, Tensor};

fn ones(shape: &[usize]) -> Tensor {
    Tensor::ones(shape)
}

#[test]
fn a_parameter_that_changed_after_it_was_recorded_is_refused() {
    let mut w = Param::new(ones(&[2, 3]));
    let tape = Tape::new();
    tape.param(&w).sum_all().backward();
    w.update(|w| *w = &*w * 0.5);
    panics!(
        tape.param(&w),
        "[2, 3]",
        "changed after this tape bound it",
        "create a new tape for each step"
    );
    assert_eq!(Tape::new().param(&w).sum_all().item(), 3.0);
}

#[test]
fn a_clone_of_a_parameter_has_its_own_gradient() {
    let (w, x) = (Param::new(ones(&[3])), ones(&[3]));
    let copy = w.clone();
    assert_ne!(w.id(), copy.id());
    let tape = Tape::new();
    let x = tape.constant(x);
    let gradients = (tape.param(&w) * x + 2.0 * tape.param(&copy) * x).sum_all().backward();
    assert_eq!(gradients.get(&w).unwrap().to_vec(), [1.0; 3]);
    assert_eq!(gradients.get(&copy).unwrap().to_vec(), [2.0; 3]);

    let tape = Tape::new();
    let tied = (tape.param(&w) + 2.0 * tape.param(&w)).sum_all().backward();
    assert_eq!(tied.get(&w).unwrap().to_vec(), [3.0; 3], "one field twice is one parameter");
}

#[test]
fn two_steps_and_two_layers_draw_different_dropout_masks() {
    let mask = |tape: &Tape| tape.constant(ones(&[64])).dropout(0.5).value().to_vec();
    let mut rng = Philox::new(7);
    let start = rng.state();
    let (first, second) = (mask(&Tape::train(&mut rng)), mask(&Tape::train(&mut rng)));
    assert_ne!(first, second);
    assert_eq!(
        mask(&Tape::train(&mut Philox::from_state(start))),
        first,
        "equal states of the generator must give equal masks"
    );

    let tape = Tape::train(&mut rng);
    assert_ne!(mask(&tape), mask(&tape), "two layers of one step must draw different masks");

    let mut masks = vec![];
    for _ in 0..2 {
        let w = Param::new(ones(&[64]));
        let (_, gradients) = value_and_grad(&mut rng, |tape| tape.param(&w).dropout(0.5).sum_all());
        masks.push(gradients.get(&w).unwrap().to_vec());
    }
    assert_ne!(masks[0], masks[1]);

    let tape = Tape::new().training(&mut rng);
    assert_eq!(tape.mode(), Some(Mode::Train));
    assert!(mask(&tape).contains(&0.0));
    assert_eq!(
        mask(&Tape::train(&mut rng).evaluating()),
        [1.0; 64],
        "dropout must drop nothing in evaluation mode"
    );
    assert_eq!(mask(&Tape::inference()), [1.0; 64]);
}

#[test]
fn operations_on_variables_of_two_tapes_are_refused() {
    let (one, other) = (Tape::<f32>::new(), Tape::<f32>::new());
    let (x, y) = (one.watch(ones(&[2, 2])), other.watch(ones(&[2, 2])));
    panics!(x + y, "add: the variables are on different tapes", "tape.constant(x.value())");
    panics!(x / y, "div: the variables are on different tapes");
    panics!(x.maximum(y), "maximum: the variables are on different tapes");
    panics!(x.matmul(y), "matmul: the variables are on different tapes");
    panics!(Var::where_(x.gt(0.0), x, y), "where_: the variables are on different tapes");
    panics!(Var::where_(y.gt(0.0), x, x), "where_: the variables are on different tapes");
    panics!(x.masked_fill(y.gt(0.0), 0), "masked_fill: the variables are on different tapes");
    let scale = |tape| Tape::constant(tape, ones(&[2]));
    let (here, foreign) = (Some(scale(&one)), Some(scale(&other)));
    let different = "layer_norm: the variables are on different tapes";
    panics!(x.layer_norm(1, foreign, None, 0.0), different);
    panics!(x.layer_norm(1, here, foreign, 0.0), different);
    panics!(Var::concat(&[x, y], 0), "concat: the variables are on different tapes");
    panics!(Var::stack(&[x, y], 0), "stack: the variables are on different tapes");
    panics!(x.sum_all().grad(&[y]), "grad: the variables are on different tapes");
    panics!(x.sum_all().grad_or_zero(&[y]), "grad: the variables are on different tapes");
    panics!(
        x.scatter_add(0, Tensor::from([[0i64]]), y),
        "scatter_add: the variables are on different tapes"
    );
    panics!(
        x.index_select(0, other.index(Tensor::from([0i64]))),
        "index: the variables are on different tapes"
    );
    panics!(one.custom(Arc::new(Refuses), &[y]), "refuses: the variables are on different tapes");
    let gradients = y.sum_all().backward();
    panics!(gradients.wrt(x), "wrt", "on another tape than these gradients");
}

#[test]
fn a_loss_that_is_not_a_scalar_is_refused() {
    let tape = Tape::new();
    let x = tape.watch(ones(&[2, 3]));
    let why = "the value must have one element, got shape [2, 3]";
    panics!(x.tanh().backward(), "backward:", why, "sum_all()", "mean_all()", "backward_from()");
    panics!(x.tanh().backward_retain(), "backward_retain:", why);
    panics!(x.tanh().grad(&[x]), "grad:", why);
    panics!(x.tanh().grad_or_zero(&[x]), "grad:", why);
    panics!(x.item(), "item:", "[2, 3]");
    panics!(
        x.tanh().backward_from(ones(&[3, 2])),
        "the seed and the value must have the same shape, got [3, 2] and [2, 3]"
    );
    assert_eq!(
        x.sum(&[], true).backward().wrt(x).unwrap().to_vec(),
        [1.0; 6],
        "[1, 1] is one number"
    );
}

#[test]
fn variables_on_which_the_loss_does_not_depend_are_refused() {
    let tape = Tape::new();
    let (x, z) = (tape.watch(ones(&[2])), tape.watch(ones(&[3])));
    let loss = x.sum_all();
    panics!(loss.grad(&[x, z]), "does not depend on variable 1 of 2", "grad_or_zero()");
    panics!(loss.grad(&[x.tanh()]), "variable 0 of 1", "grad_or_zero()");
    panics!(x.detach().sum_all().grad(&[x]), "grad_or_zero()");
    panics!(x.gt(0.0).cast().sum_all().grad(&[x]), "grad_or_zero()");
    let found = loss.grad_or_zero(&[x, z]);
    assert_eq!(
        (found[0].value().to_vec(), found[1].value().to_vec()),
        (vec![1.0; 2], vec![0.0; 3])
    );
    panics!(
        tape.constant(ones(&[])).backward(),
        "no trainable parameter and on no watched variable"
    );
    panics!(x.detach().sum_all().backward(), "no trainable parameter and on no watched variable");
}

#[test]
fn backward_ends_the_history() {
    let (w, tape) = (Param::new(ones(&[3, 5])), Tape::new());
    let x = tape.constant(ones(&[2, 3]));
    let hidden = x.matmul(tape.param(&w));
    let (lost, asked) = (hidden.tanh(), hidden.sin());
    asked.value();
    let loss = (lost * asked).sum_all();
    loss.backward();
    loss.value();
    asked.value();
    panics!(lost.value(), "backward() freed this value", "backward_retain()");
    panics!(hidden.value(), "backward() freed this value", "backward_retain()");
    panics!(tape.param(&w).value(), "read the value from the model", "backward_retain()");
    panics!(loss.backward(), "backward() ended the history of this tape", "backward_retain()");
    panics!(loss.backward_retain(), "backward_retain()");
    panics!(loss.grad(&[hidden]), "backward_retain()");
    panics!(loss.grad_or_zero(&[hidden]), "backward_retain()");
}

#[test]
fn gradients_on_inference_and_shape_only_tapes_are_refused() {
    let w = Param::new(ones(&[3]));
    let tape = Tape::inference();
    let loss = tape.param(&w).sum_all();
    assert_eq!(loss.item(), 3.0);
    panics!(loss.backward(), "records no history", "Tape::new()", "Tape::train()");
    panics!(loss.grad(&[tape.param(&w)]), "records no history");
    panics!(tape.input(&[2]), "input: ", "constant()");

    let no_numbers = |f: fn(&Tape)| Tape::check(f).unwrap_err().to_string();
    let asks = [
        no_numbers(|tape| drop(tape.input(&[2]).tanh().value())),
        no_numbers(|tape| _ = tape.input(()).item()),
        no_numbers(|tape| drop(tape.watch(Tensor::scalar(1.0)).backward())),
        no_numbers(|tape| drop(tape.input(&[2]).argmax(0, false).value())),
    ];
    for text in asks {
        assert!(text.contains("a shape-only run has no values"), "{text}");
    }
}

#[test]
fn dropout_checks_p_and_is_the_identity_in_evaluation() {
    let mut rng = Philox::new(1);
    let x = ones(&[3]);
    panics!(Tape::train(&mut rng).watch(x.clone()).dropout(1.5), "dropout", "1.5");
    panics!(Tape::train(&mut rng).watch(x.clone()).dropout(-0.1), "dropout", "-0.1");
    assert_eq!(Tape::eval().watch(x).dropout(0.5).value().to_vec(), [1.0; 3]);
}

#[test]
fn dropout_on_a_tape_without_a_mode_is_refused() {
    let advice = "this layer behaves differently in training and evaluation, and the tape has no mode: \
         create the tape with `Tape::train(&mut rng)` or `Tape::eval()`";
    let tape = Tape::new();
    assert_eq!(tape.mode(), None);
    let x = tape.watch(ones(&[3]));
    // The call is refused for every p, also for 0 and 1.
    for p in [0.0, 0.5, 1.0] {
        panics!(x.dropout(p), &format!("dropout: {advice}"));
    }
    let (text, ..) = panic_of(|| _ = tape.scope("block.drop", || x.dropout(0.5)));
    assert_eq!(text, format!("block.drop: dropout: {advice}"));
    panics!(tape.expect_mode("noise"), &format!("noise: {advice}"));
    let gradients = x.square().sum_all().backward();
    assert_eq!(gradients.wrt(x).unwrap().to_vec(), [2.0; 3], "derivatives need no mode");
}

#[test]
fn every_constructor_gives_the_tape_its_mode() {
    let mut rng = Philox::new(1);
    assert_eq!(Tape::<f32>::eval().mode(), Some(Mode::Eval));
    assert_eq!(Tape::<f32>::inference().mode(), Some(Mode::Eval));
    assert_eq!(Tape::<f32>::train(&mut rng).mode(), Some(Mode::Train));
    assert_eq!(Tape::<f32>::new().training(&mut rng).expect_mode("noise"), Mode::Train);
    assert_eq!(Tape::<f32>::new().evaluating().expect_mode("noise"), Mode::Eval);
    // On a shape-only run the mode may be open, because both modes have the same shapes.
    let asked = |tape: &Tape| (tape.mode(), tape.expect_mode("noise"));
    assert_eq!(Tape::check(asked), Ok((None, Mode::Eval)));
    for mode in [Mode::Train, Mode::Eval] {
        assert_eq!(Tape::check_in(mode, asked), Ok((Some(mode), mode)));
        let dropped = |tape: &Tape| tape.input(&[2, 3]).dropout(0.5).shape();
        assert_eq!(Tape::check_in(mode, dropped).unwrap(), [2, 3]);
        assert_eq!(Tape::check(dropped).unwrap(), [2, 3]);
    }
    let error = Tape::<f32>::check_in(Mode::Train, |tape| {
        tape.scope("fc", || tape.input(&[2, 3]).dropout(0.5).matmul(tape.input(&[4, 5]))).shape()
    });
    assert_eq!(error.unwrap_err().path, "fc");
}

#[test]
fn backward_works_in_evaluation_mode() {
    let w = Param::new(Tensor::from([1.0f32, -2.0]));
    let tape = Tape::eval();
    let gradients = tape.param(&w).dropout(0.9).square().sum_all().backward();
    assert_eq!(gradients.get(&w).unwrap().to_vec(), [2.0, -4.0]);
}

#[test]
fn an_update_of_a_buffer_with_another_shape_is_refused() {
    let (buffer, tape) = (Buffer::new(ones(&[3])), Tape::new());
    let change = tape.watch(ones(&[4]));
    panics!(tape.update_buffer(&buffer, 0.9, change), "update_buffer", "[4]", "[3]");
}

struct Refuses;
impl CustomOp<f32> for Refuses {
    fn name(&self) -> &'static str {
        "refuses"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        if x[0].rank() == 1 {
            Ok([x[0]].into())
        } else {
            Err(format!("a vector wanted, not {}", x[0]))
        }
    }
    fn forward(&self, x: &[Tensor]) -> Outputs<Tensor> {
        [x[0].clone()].into()
    }
    fn vjp<'t>(&self, _: &Call<'_, 't, f32>) -> Cotangents<'t, f32> {
        panic!("no rule")
    }
}

#[test]
fn a_tape_can_be_used_after_a_panic_in_a_rule() {
    let tape = Tape::new();
    let x = tape.watch(ones(&[12]));
    let (good, bad) =
        ((x * x).sum_all(), tape.custom(Arc::new(Refuses), &[x.tanh()])[0].exp().sum_all());
    let nodes = tape.len();
    {
        let text = panic_of(|| drop(bad.backward_retain())).0;
        assert_eq!(text, "no rule");
        assert_eq!(tape.len(), nodes, "nodes that the walk recorded must be dropped");
        assert_eq!(panic_of(|| drop(bad.grad(&[x]))).0, "no rule");
        let y = (3.0 * x).sum_all();
        assert!(y.is_active(), "the tape records");
        assert_eq!(y.backward_retain().wrt(x).unwrap().to_vec(), [3.0; 12]);
        assert_eq!(good.backward_retain().wrt(x).unwrap().to_vec(), [2.0; 12]);
    }
    let text = panic_of(|| _ = tape.scope("a", || x.matmul(x.reshape(&[3, 4])))).0;
    assert!(text.starts_with("a: "), "{text}");
    assert_eq!(tape.path(), "", "the scope is closed");
    assert_eq!(good.grad(&[x])[0].value().to_vec(), [2.0; 12]);
    assert_eq!(good.backward().wrt(x).unwrap().to_vec(), [2.0; 12]);
}

#[test]
fn check_does_not_catch_other_panics() {
    let (text, at, _) = panic_of(|| _ = Tape::<f32>::check(|_| -> () { panic!("something else") }));
    assert_eq!((&text[..], &at[..]), ("something else", file!()));
    let shape = Tape::<f32>::check(|tape| tape.input(&[5, 2]).tanh().shape());
    assert_eq!(shape.unwrap(), [5, 2]);
    let error =
        Tape::<f32>::check(|tape| (tape.input(&[2]) + tape.input(&[3])).shape()).unwrap_err();
    let OperationError { path, message, .. } = error;
    assert_eq!((&path[..], &message[..4]), ("", "add:"));
}

#[test]
fn gradients_with_respect_to_constants_are_refused() {
    let tape = Tape::<f64>::new();
    let (c, x) = (tape.constant(Tensor::from([2.0])), tape.watch(Tensor::from([3.0])));
    // The history contains only active nodes, so a gradient would include only some of the paths.
    for y in [(c * c * c).sum_all(), (x * (c * c) * c).sum_all()] {
        panics!(y.grad(&[c]), "does not depend on variable 0", "watch()");
        panics!(y.grad_or_zero(&[c]), "which is a constant, so that its gradient is unknown");
    }
    let y = (x * x.detach()).sum_all();
    panics!(y.grad(&[c]), "does not depend on variable 0", "watch()");
    assert_eq!(y.grad_or_zero(&[c])[0].item(), 0.0);
    assert_eq!((x * (c * c) * c).sum_all().grad(&[x])[0].item(), 8.0);
}

#[test]
fn a_buffer_update_from_another_tape_is_refused() {
    let (here, there) = (Tape::<f64>::new(), Tape::<f64>::new());
    let buffer = Buffer::new(Tensor::<f64>::zeros_of(&[2]));
    let change = there.constant(Tensor::ones_of(&[2]));
    panics!(here.update_buffer(&buffer, 0.9, change), "different tapes");
}

#[test]
fn an_error_of_check_has_its_cause() {
    let cause = |run: fn(&Tape) -> Shape| Tape::<f32>::check(run).unwrap_err().cause;
    assert_eq!(cause(|t| t.input(&[2, 3]).matmul(t.input(&[4, 5])).shape()), Cause::Operands);
    // Every way to request a value.
    let asks: [fn(&Tape) -> Shape; 6] = [
        |t| t.input(&[2]).value().shape(),
        |t| Shape::new(&[t.input(&[1]).item() as usize]),
        |t| t.input(&[2, 2]).argmax(1, false).value().shape(),
        |t| t.index(Tensor::from([1i64])).value().shape(),
        |t| Shape::new(&[t.watch(ones(&[2])).sum_all().backward().len()]),
        |t| Shape::new(&[usize::from(t.watch(ones(&[2])).sum_all().backward_checked().is_ok())]),
    ];
    for ask in asks {
        assert_eq!(cause(ask), Cause::Number);
    }
    let error = Tape::<f32>::check(|t| -> () { t.sample_error(7, "class 3 does not exist") });
    let OperationError { path, message, cause, .. } = error.unwrap_err();
    assert_eq!((&*path, &*message, cause), ("", "class 3 does not exist", Cause::Sample(7)));
}

#[test]
fn catch_returns_shape_errors_of_a_run_with_values() {
    let tape = Tape::new();
    let x = tape.watch(ones(&[3, 2]));
    let error = tape.catch(|| tape.scope("fc", || x.matmul(x))).unwrap_err();
    assert_eq!((&*error.path, error.cause), ("fc", Cause::Operands));
    assert_eq!(tape.path(), "", "the scope is closed");
    // Calls of `catch` may be nested, on the same tape and on another one.
    let other = Tape::new();
    let y = other.watch(ones(&[3, 2]));
    let nested = tape.catch(|| {
        let inner = tape.catch(|| x.matmul(x).shape());
        let foreign = other.catch(|| y.matmul(y).shape());
        assert!(inner.is_err() && foreign.is_err());
        tape.catch(|| x.sum_all().item()).unwrap()
    });
    assert_eq!(nested, Ok(6.0));
    // Outside `catch`, and on a tape that is not caught, the error is a panic with a text.
    assert!(panic_of(|| _ = x.matmul(x)).0.starts_with("matmul: "));
    assert!(panic_of(|| _ = tape.catch(|| y.matmul(y).shape())).0.starts_with("matmul: "));
    assert!(panic_of(|| _ = x.matmul(x)).0.starts_with("matmul: "));
    let text = panic_of(|| _ = tape.catch(|| -> () { panic!("something else") })).0;
    assert_eq!(text, "something else");
    assert_eq!(x.sum_all().backward().wrt(x).unwrap().to_vec(), [1.0; 6]);
}

/// `backward_checked` checks gradients during the backward pass. Where it is cheaper, it checks the norms of
/// the factors of a matrix product. It must find a value that is not finite at every position, and return
/// the gradients of `backward` if all are finite.
#[test]
fn backward_checked_refuses_gradients_that_are_not_finite() {
    let rng = &mut Philox::new(0);
    // Products with few samples (checked by norms), with many samples (checked by sums), and with one.
    for samples in [1, 2, 40] {
        let w = Param::new(Tensor::normal(&[24, 30], 0.0, 1.0, rng));
        let b = Param::new(Tensor::normal(&[24], 0.0, 1.0, rng));
        let good = Tensor::normal(&[samples, 30], 0.0, 1.0, rng);
        let slopes = Tensor::normal(&[samples, 24], 0.0, 1.0, rng);
        let loss = |tape: &Tape, x: &Tensor, slopes: &Tensor, twice: bool| {
            let w = tape.param(&w);
            let mut y = tape.constant(x.clone()).matmul_t(w, false, true);
            if twice {
                y = y + tape.constant(x.clone()).matmul_t(w, false, true);
            }
            let y = y + tape.param(&b);
            let loss = (y * tape.constant(slopes.clone())).sum_all();
            loss.backward_checked()
        };
        for twice in [false, true] {
            let tape = Tape::new();
            let found = loss(&tape, &good, &slopes, twice).unwrap();
            assert!(found.not_finite().is_empty());
            let factor = if twice { 2.0 } else { 1.0 };
            let wanted = &slopes.transpose(0, 1).matmul(&good) * factor;
            let close = |a: f32, b: f32| (a - b).abs() < 1e-4;
            let pairs = found.get(&w).unwrap().to_vec().into_iter().zip(wanted.to_vec());
            assert!(pairs.into_iter().all(|(a, b)| close(a, b)));

            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                for place in [0, samples * 30 - 1, samples * 15] {
                    let mut x = good.clone();
                    x.make_mut()[place] = bad;
                    let error = loss(&Tape::new(), &x, &slopes, twice).err().unwrap();
                    assert_eq!(error.params, [w.id()]);
                }
                for place in [0, samples * 24 - 1] {
                    let mut slopes = slopes.clone();
                    slopes.make_mut()[place] = bad;
                    let error = loss(&Tape::new(), &good, &slopes, twice).err().unwrap();
                    let mut both = [w.id(), b.id()];
                    both.sort_unstable();
                    assert_eq!(error.params, both);
                }
            }
            // The factors are finite, but their product is not. With `twice`, two products are finite, but
            // their sum is not.
            let mut x = Tensor::zeros(&[samples, 30]);
            x.make_mut()[7] = if twice { 2e38 } else { 1e30 };
            let mut high = Tensor::zeros(&[samples, 24]);
            high.make_mut()[5] = if twice { 1.0 } else { 1e20 };
            let error = loss(&Tape::new(), &x, &high, twice).err().unwrap();
            assert_eq!((error.params, error.watched), (vec![w.id()], 0));
            // The squares of the norms overflow, but the product is finite.
            x.make_mut()[7] = 1e30;
            high.make_mut()[5] = 1.0;
            assert!(loss(&Tape::new(), &x, &high, twice).is_ok());
        }
    }
    let tape = Tape::new();
    let x = tape.watch(Tensor::from([0.0f32, 1.0]));
    let error = x.sqrt().sum_all().backward_checked().err().unwrap();
    assert_eq!((error.params.len(), error.watched), (0, 1));
    assert!(error.to_string().contains("0 parameters and 1 watched variables"));
}
