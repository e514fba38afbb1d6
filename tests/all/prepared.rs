//! Transforms that are fitted to the training examples are part of a model: they are saved and loaded with it.

use wengert::data::{MinMax, OneHot, Standardize, Wine};
use wengert::nn::{load, save, state_dict};
use wengert::prelude::*;

#[derive(Clone, Module)]
struct Classifier {
    scale: Standardize,
    range: MinMax,
    code: OneHot,
    linear: Linear,
}

impl Classifier {
    /// Standardises raw measurements and applies the layer.
    fn scores<'t>(&self, tape: &'t Tape, raw: &Tensor) -> Var<'t> {
        self.linear.forward(tape.constant(self.scale.transform(raw)))
    }
}

#[test]
fn a_saved_model_contains_its_preparation() {
    let wine = Wine::load();
    let [train, test] = random_split(wine.dataset(), [142, 36], 1);
    let columns = Tensor::from([[3i64, 1], [9, 1]]);
    let mut rng = Philox::new(0);
    let mut model = Classifier {
        scale: Standardize::fit(&train),
        range: MinMax::fit(&train),
        code: OneHot::fit(&columns),
        linear: Linear::new(13, 3, &mut rng),
    };
    let mut optimizer = Sgd::new(0.5);
    let (x, y) = train.batch(&(0..142).collect::<Vec<_>>());
    for _ in 0..50 {
        let tape = Tape::train(&mut rng);
        let loss = cross_entropy(model.scores(&tape, &x), &y);
        optimizer.step(&mut model, &loss.backward());
    }
    let tape = Tape::inference();
    let (x, y) = test.batch(&(0..36).collect::<Vec<_>>());
    let scores = model.scores(&tape, &x).value();
    let right =
        scores.argmax(1, false).to_vec().iter().zip(y.to_vec()).filter(|(a, b)| **a == *b).count();
    assert!(right >= 33, "{right} of 36");

    let names: Vec<String> = state_dict(&model).iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(
        names,
        [
            "scale.mean",
            "scale.std",
            "range.min",
            "range.max",
            "code.categories",
            "code.counts",
            "linear.weight",
            "linear.bias"
        ]
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    save(&model, &path).unwrap();
    // Another program creates the model without the training examples.
    let mut loaded = Classifier {
        scale: Standardize::new(13),
        range: MinMax::new(13),
        code: OneHot::new(&[2, 1]),
        linear: Linear::new(13, 3, &mut Philox::new(7)),
    };
    assert_eq!(loaded.scale.transform(&x), x);
    load(&mut loaded, &path).unwrap();
    assert_eq!(loaded.scores(&tape, &x).value(), scores);
    assert_eq!(loaded.range.transform(&x), model.range.transform(&x));
    assert_eq!(
        loaded.code.transform(&columns),
        Tensor::from([[1.0f32, 0.0, 1.0], [0.0, 1.0, 1.0]])
    );
    // A model for another number of features does not fit.
    let mut other = Classifier { scale: Standardize::new(12), ..loaded };
    let error = load(&mut other, &path).unwrap_err().to_string();
    assert!(error.contains("scale.mean"), "{error}");
}
