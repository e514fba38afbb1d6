//! Compares losses and softmax with PyTorch: values and gradients in f32 and f64, including rows at ±10⁴.

use safetensors::SafeTensors;
use wengert_autograd::{IntoIndex, Tape, Var};
use wengert_nn::{
    Layer, LogSoftmax, Reduction, Softmax, bce_with_logits_with, cross_entropy_with, mse_with,
    nll_with,
};
use wengert_tensor::{Float, Tensor};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference/losses.safetensors");

struct Reference(Vec<u8>);

impl Reference {
    fn load() -> Self {
        Reference(std::fs::read(FILE).unwrap())
    }

    /// Returns the stored tensor, converted to `f64`.
    fn get(&self, name: &str) -> Tensor<f64> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let view = file.tensor(name).unwrap();
        let bytes = view.data();
        let numbers: Vec<f64> = match view.dtype() {
            safetensors::Dtype::F32 => {
                bytes.as_chunks().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))).collect()
            }
            safetensors::Dtype::F64 => {
                bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect()
            }
            safetensors::Dtype::I64 => {
                bytes.as_chunks().0.iter().map(|&b| i64::from_le_bytes(b) as f64).collect()
            }
            other => panic!("{name} has elements of type {other:?}"),
        };
        Tensor::from_vec(numbers, view.shape())
    }

    fn input<T: Float>(&self, name: &str) -> Tensor<T> {
        self.get(&format!("input/{name}")).cast()
    }

    fn classes(&self) -> Tensor<i64> {
        self.input::<f64>("classes").cast()
    }

    /// Compares the value and the gradient of `f` at `x` with the reference, using the reference's
    /// cotangent.
    fn compare<T: Float>(
        &self,
        name: &str,
        x: &Tensor<T>,
        seed: Option<&str>,
        tolerance: f64,
        f: impl for<'t> Fn(Var<'t, T>) -> Var<'t, T>,
    ) {
        let tape = Tape::new();
        let x = tape.watch(x.clone());
        let y = f(x);
        let value = y.value();
        let gradients = match seed {
            Some(seed) => y.backward_from(self.input(seed)),
            None => y.backward(),
        };
        let gradient = gradients.wrt(x).unwrap();
        let prefix = format!("{}/{name}", T::DTYPE);
        close(
            &format!("{prefix}/value"),
            &value.cast(),
            &self.get(&format!("{prefix}/value")),
            tolerance,
        );
        close(
            &format!("{prefix}/grad"),
            &gradient.cast(),
            &self.get(&format!("{prefix}/grad")),
            tolerance,
        );
    }
}

/// Checks that the difference is within the tolerance, relative to the expected value if it is above 1.
#[track_caller]
fn close(what: &str, got: &Tensor<f64>, wanted: &Tensor<f64>, tolerance: f64) {
    assert_eq!(got.shape(), wanted.shape(), "{what}");
    for (i, (a, b)) in got.to_vec().into_iter().zip(wanted.to_vec()).enumerate() {
        let error = (a - b).abs() / b.abs().max(1.0);
        assert!(error <= tolerance, "{what}: element {i} is {a}, PyTorch has {b}");
    }
}

const REDUCTIONS: [(&str, Reduction); 3] =
    [("mean", Reduction::Mean), ("sum", Reduction::Sum), ("none", Reduction::None)];

fn all<T: Float>(tolerance: f64) {
    let file = Reference::load();
    let classes = file.classes();
    let [logits, predictions, targets, binary_logits, binary_targets] =
        ["logits", "predictions", "targets", "binary_logits", "binary_targets"]
            .map(|name| file.input::<T>(name));
    for (word, reduction) in REDUCTIONS {
        let none = reduction == Reduction::None;
        let (by_row, by_element) = (none.then_some("row_weights"), none.then_some("weights"));

        file.compare(&format!("cross_entropy/{word}"), &logits, by_row, tolerance, |x| {
            cross_entropy_with(x, &classes, reduction)
        });
        file.compare(&format!("nll_loss/{word}"), &logits, by_row, tolerance, |x| {
            nll_with(LogSoftmax(-1).forward(x), &classes, reduction)
        });
        let log_probs = LogSoftmax(-1).predict(&logits);
        file.compare(&format!("nll_loss_direct/{word}"), &log_probs, by_row, tolerance, |x| {
            nll_with(x, classes.clone().into_index(x.tape()), reduction)
        });
        file.compare(&format!("mse_loss/{word}"), &predictions, by_element, tolerance, |x| {
            mse_with(x, x.tape().constant(targets.clone()), reduction)
        });
        let name = format!("binary_cross_entropy_with_logits/{word}");
        file.compare(&name, &binary_logits, by_element, tolerance, |x| {
            bce_with_logits_with(x, x.tape().constant(binary_targets.clone()), reduction)
        });
    }
    file.compare("softmax", &logits, Some("weights"), tolerance, |x| Softmax(-1).forward(x));
    file.compare("log_softmax", &logits, Some("weights"), tolerance, |x| LogSoftmax(-1).forward(x));
}

#[test]
fn layers_and_losses_in_f64_agree_with_pytorch_to_12_digits() {
    all::<f64>(1e-12);
}

#[test]
fn layers_and_losses_in_f32_agree_with_pytorch_to_6_digits() {
    all::<f32>(1e-6);
}
