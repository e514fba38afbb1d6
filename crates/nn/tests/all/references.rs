//! Compares losses and softmax with PyTorch: values and gradients in f32 and f64, including rows at ±10⁴.

use crate::reference_file::ReferenceFile;
use wengert_autograd::{IntoIndex, Tape, Var};
use wengert_nn::{
    Layer, LogSoftmax, Reduction, Softmax, bce_with_logits_with, cross_entropy_with, mse_with,
    nll_with,
};
use wengert_tensor::{Float, Tensor};

/// Compares the value and the gradient of `f` at `x` with the file, using the file's cotangent.
fn compare<T: Float>(
    file: &ReferenceFile,
    name: &str,
    x: &Tensor<T>,
    seed: Option<&str>,
    f: impl for<'t> Fn(Var<'t, T>) -> Var<'t, T>,
) {
    let tape = Tape::new();
    let x = tape.watch(x.clone());
    let y = f(x);
    let value = y.value();
    let gradients = match seed {
        Some(seed) => y.backward_from(file.get(&format!("input/{seed}"))),
        None => y.backward(),
    };
    let case = format!("{}/{name}", T::DTYPE);
    file.compare(&case, "value", &value);
    file.compare(&case, "grad", gradients.wrt(x).unwrap());
}

const REDUCTIONS: [(&str, Reduction); 3] =
    [("mean", Reduction::Mean), ("sum", Reduction::Sum), ("none", Reduction::None)];

fn all<T: Float>(file: &ReferenceFile) {
    let classes = file.get::<f64>("input/classes").cast::<i64>();
    let [logits, predictions, targets, binary_logits, binary_targets] =
        ["logits", "predictions", "targets", "binary_logits", "binary_targets"]
            .map(|name| file.get::<T>(&format!("input/{name}")));
    for (word, reduction) in REDUCTIONS {
        let none = reduction == Reduction::None;
        let (by_row, by_element) = (none.then_some("row_weights"), none.then_some("weights"));

        compare(file, &format!("cross_entropy/{word}"), &logits, by_row, |x| {
            cross_entropy_with(x, &classes, reduction)
        });
        compare(file, &format!("nll_loss/{word}"), &logits, by_row, |x| {
            nll_with(LogSoftmax(-1).forward(x), &classes, reduction)
        });
        let log_probs = LogSoftmax(-1).predict(&logits);
        compare(file, &format!("nll_loss_direct/{word}"), &log_probs, by_row, |x| {
            nll_with(x, classes.clone().into_index(x.tape()), reduction)
        });
        compare(file, &format!("mse_loss/{word}"), &predictions, by_element, |x| {
            mse_with(x, x.tape().constant(targets.clone()), reduction)
        });
        let name = format!("binary_cross_entropy_with_logits/{word}");
        compare(file, &name, &binary_logits, by_element, |x| {
            bce_with_logits_with(x, x.tape().constant(binary_targets.clone()), reduction)
        });
    }
    compare(file, "softmax", &logits, Some("weights"), |x| Softmax(-1).forward(x));
    compare(file, "log_softmax", &logits, Some("weights"), |x| LogSoftmax(-1).forward(x));
}

#[test]
fn losses_agree_with_pytorch() {
    let file = ReferenceFile::load("losses");
    all::<f64>(&file);
    // The numbers of the other type have their own test.
    file.group("f32");
    file.finish();
}

#[test]
fn losses_in_f32_agree_with_pytorch_to_6_digits() {
    all::<f32>(&ReferenceFile::with_bounds("losses", [1e-6, 1e-6, 0.0]));
}
