//! Layers whose weight is computed: names of parameters, files of PyTorch, and scopes.

use crate::reference_file::ReferenceFile;
use wengert_autograd::Module;
use wengert_nn::{
    Conv1d, Conv3d, ConvTranspose2d, Flatten, Layer, Linear, LoadError, Sequential, SpectralNorm,
    StateDict, WeightNorm, load_state_dict, sequential, state_dict,
};
use wengert_tensor::{AnyTensor, NamedTensors, Philox, Tensor};

/// Returns the models of the Python script.
fn models() -> Vec<(&'static str, Box<dyn Layer<f64>>)> {
    let rng = &mut Philox::new(0);
    vec![
        ("weight", Box::new(WeightNorm::new(Linear::of(4, 3, rng)))),
        ("weight_transposed", Box::new(WeightNorm::along(ConvTranspose2d::of(3, 2, 2, rng), 1))),
        ("spectral", Box::new(SpectralNorm::new(Conv1d::of(2, 3, 3, rng).padding(1), rng))),
        (
            "nested",
            Box::new(sequential![
                WeightNorm::new(Conv3d::of(2, 3, 2, rng)),
                Flatten::new(),
                SpectralNorm::new(Linear::of(24, 2, rng).without_bias(), rng),
            ]),
        ),
    ]
}

#[test]
fn models_of_pytorch_with_old_and_new_names_can_be_loaded() {
    let file = ReferenceFile::load("wrappers");
    for prefix in ["", "old_"] {
        for (name, mut model) in models() {
            let case = format!("{prefix}{name}");
            let state: StateDict = file.group(&format!("{case}/state"));
            load_state_dict(&mut model, &state).unwrap_or_else(|error| panic!("{case}: {error}"));
            file.compare(&case, "y", &model.predict(&file.get(&format!("{case}/x"))));
            if prefix.is_empty() {
                let ours = state_dict(&model);
                let [mut ours, mut theirs] =
                    [&ours, &state].map(|dict| dict.names().collect::<Vec<_>>());
                ours.sort_unstable();
                theirs.sort_unstable();
                assert_eq!(ours, theirs, "{case}");
            }
        }
    }
    file.finish();
}

/// Writes the file for the opposite direction: `python wrappers.py FILE` loads these state dicts into
/// PyTorch's models.
#[test]
#[ignore = "writes a file for PyTorch"]
fn writes_a_file_for_pytorch() {
    let theirs = ReferenceFile::load("wrappers");
    let mut file = NamedTensors::new();
    for (name, model) in models() {
        let x = theirs.get::<f64>(&format!("{name}/x"));
        file.insert(format!("{name}/y"), model.predict(&x));
        file.insert(format!("{name}/x"), x);
        for (key, value) in state_dict(&model).iter() {
            file.insert(format!("{name}/state/{key}"), value.clone());
        }
    }
    let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/wrappers.safetensors");
    file.save(path).unwrap();
    println!("{path}");
}

/// An older name counts only where the name of today is missing, and only for these wrappers.
#[test]
fn older_names_stand_for_those_of_today_only() {
    let rng = &mut Philox::new(1);
    let mut layer = WeightNorm::new(Linear::new(2, 1, rng));
    let old = |names: [&str; 3]| -> StateDict {
        let values = [Tensor::from([[2.0f32]]), Tensor::from([[3.0, 4.0]]), Tensor::from([1.0])];
        names.into_iter().map(String::from).zip(values.map(AnyTensor::from)).collect()
    };
    load_state_dict(&mut layer, &old(["weight_g", "weight_v", "bias"])).unwrap();
    assert_eq!(layer.predict(&Tensor::from([5.0, 10.0])).to_vec(), [23.0]);
    let mixed = old(["weight_g", "parametrizations.weight.original1", "bias"]);
    load_state_dict(&mut layer, &mixed).unwrap();
    // A name of today and its older name: the older one is unexpected.
    let mut both = state_dict(&layer);
    both.insert("weight_g", Tensor::from([[9.0f32]]));
    let Err(LoadError::Mismatch { mismatch, .. }) = load_state_dict(&mut layer, &both) else {
        panic!("loaded")
    };
    assert_eq!((mismatch.missing.len(), &*mismatch.unexpected), (0, &["weight_g".to_string()][..]));
    // A layer without a wrapper has no older names.
    let mut plain = Linear::new(2, 1, rng);
    let error = load_state_dict(&mut plain, &old(["weight_g", "weight_v", "bias"])).unwrap_err();
    assert!(error.to_string().contains("missing: weight\n"), "{error}");
    // Wrong shapes are named by the name of today.
    let error = load_state_dict(&mut layer, &old(["weight_v", "weight_g", "bias"])).unwrap_err();
    assert!(error.to_string().contains("parametrizations.weight.original1: "), "{error}");
}

#[test]
fn a_wrapped_layer_is_named_as_the_wrapper() {
    let rng = &mut Philox::new(2);
    let model: Sequential = sequential![
        WeightNorm::new(Linear::new(3, 4, rng)),
        SpectralNorm::new(Linear::new(4, 2, rng), rng),
    ];
    let names: Vec<String> = state_dict(&model).names().map(String::from).collect();
    assert_eq!(
        names,
        [
            "0.parametrizations.weight.original1",
            "0.bias",
            "0.parametrizations.weight.original0",
            "1.parametrizations.weight.original",
            "1.bias",
            "1.parametrizations.weight.0._u",
            "1.parametrizations.weight.0._v",
        ]
    );
    assert_eq!(model.summary(&[5, 3]).unwrap().output, [5, 2]);
    assert_eq!(model.summary(&[5, 2]).unwrap_err().path, "0");
    let layer = WeightNorm::along(Linear::new(3, 4, rng), 1);
    assert_eq!(
        layer.to_string(),
        "WeightNorm(\n  (layer): Linear(weight: [4, 3], bias: [4])\n  (weight_g): [1, 3]\n  (axis): 1\n)"
    );
    assert_eq!(layer.type_name(), "WeightNorm");
}
