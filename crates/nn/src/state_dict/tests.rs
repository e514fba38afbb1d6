//! Tests of saving and loading: PyTorch's files, misfits, damaged files.

use super::*;
use wengert_autograd::{Buffer, Param};
use wengert_nn_derive::Module;
use wengert_tensor::{Float, Tensor};

#[derive(Module)]
#[module(crate = "wengert_autograd")]
struct Linear<T: Float = f32> {
    weight: Param<T>,
    bias: Param<T>,
}

impl<T: Float> Linear<T> {
    fn filled(inputs: usize, outputs: usize, x: f64) -> Self {
        Linear {
            weight: Tensor::full_of(&[outputs, inputs], T::of(x)).into(),
            bias: Tensor::full_of(&[outputs], T::of(x)).into(),
        }
    }
}

#[derive(Module)]
#[module(crate = "wengert_autograd")]
struct Tanh;

type Mlp<T = f32> = (Linear<T>, Tanh, Linear<T>);

fn mlp<T: Float>(x: f64) -> Mlp<T> {
    (Linear::filled(6, 5, x), Tanh, Linear::filled(5, 3, x))
}

fn reference(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../tests/reference", name].iter().collect()
}

/// Computes `x · weightᵀ + bias` for one row, by the definition.
fn apply<T: Float>(layer: &Linear<T>, x: &[f64]) -> Vec<f64> {
    let (w, b) = (layer.weight.value(), layer.bias.value());
    let row = |j: usize| x.iter().enumerate().map(|(i, x)| x * w.at(&[j, i]).to()).sum::<f64>();
    (0..b.numel()).map(|j| row(j) + b.at(&[j]).to()).collect()
}

fn agrees_with_pytorch<T: Float>() {
    let mut model = mlp::<T>(9.0);
    load(&mut model, reference("mlp.safetensors")).unwrap();
    let io = StateDict::load(reference("mlp_io.safetensors")).unwrap();
    let input = io.get("input").unwrap().cast::<f64>();
    let output = io.get("output").unwrap().cast::<f64>();
    for row in 0..4 {
        let x: Vec<_> = (0..6).map(|i| input.at(&[row, i])).collect();
        let hidden: Vec<_> = apply(&model.0, &x).into_iter().map(f64::tanh).collect();
        for (j, y) in apply(&model.2, &hidden).into_iter().enumerate() {
            assert!((y - output.at(&[row, j])).abs() < 1e-6);
        }
    }
}

#[test]
fn a_model_loaded_from_a_pytorch_file_has_the_outputs_of_pytorch() {
    agrees_with_pytorch::<f32>();
    agrees_with_pytorch::<f64>();
}

#[test]
fn a_loaded_pytorch_file_is_saved_with_the_same_tensors() {
    let mut model = mlp::<f32>(0.0);
    load(&mut model, reference("mlp.safetensors")).unwrap();
    let mut theirs = StateDict::load(reference("mlp.safetensors")).unwrap();
    theirs.metadata.insert("format".into(), "pt".into());
    assert_eq!(state_dict(&model), theirs);
    assert_eq!(
        state_dict(&model).names().collect::<Vec<_>>(),
        ["0.weight", "0.bias", "2.weight", "2.bias"]
    );
}

#[test]
fn writing_a_pytorch_file_again_gives_the_same_bytes() {
    let bytes = std::fs::read(reference("mlp.safetensors")).unwrap();
    assert_eq!(StateDict::from_bytes(&bytes).unwrap().to_bytes(), bytes);
}

#[test]
fn a_saved_model_is_restored_by_loading() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let mut model = (mlp::<f32>(0.25), Buffer::new(Tensor::scalar_of(3i64)), 0.5);
    save(&model, &path).unwrap();
    let saved = state_dict(&model);

    model.0.0.weight.update(|w| w.make_mut().fill(7.0));
    model.1.set(Tensor::scalar_of(4));
    assert_ne!(state_dict(&model), saved, "a state dict does not follow its model");
    save(&model, &path).unwrap();
    load_state_dict(&mut model, &saved).unwrap();
    assert_eq!(state_dict(&model), saved);
    load(&mut model, &path).unwrap();
    assert_eq!(model.0.0.weight.value().at(&[4, 5]), 7.0);
    assert_eq!(model.1.value().item(), 4);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
}

#[test]
fn loading_raises_versions_and_keeps_ids() {
    let mut model = mlp::<f32>(0.0);
    let id = model.0.weight.id();
    load(&mut model, reference("mlp.safetensors")).unwrap();
    assert_eq!(model.0.weight.id(), id);
    assert_eq!(model.0.weight.version(), 1);
}

/// A dict with one missing name, two unexpected names and two misfits.
fn wrong_dict() -> StateDict {
    [
        ("0.weight", Tensor::ones(&[6, 5]).into()),
        ("0.bias", Tensor::<i64>::ones_of(&[5]).into()),
        ("1.weight", Tensor::ones(&[1]).into()),
        ("2.weight", Tensor::ones(&[3, 5]).into()),
        ("head", AnyTensor::from(Tensor::scalar(0.0))),
    ]
    .into_iter()
    .collect()
}

#[test]
fn all_differences_are_reported_at_once_and_nothing_changes() {
    let mut model = mlp::<f32>(0.5);
    let before = state_dict(&model);
    let error = load_state_dict(&mut model, &wrong_dict()).unwrap_err();
    let expected = "the state dict does not fit the model:
  missing: 2.bias
  unexpected: 1.weight, head
  0.weight: expected f32 [5, 6], found f32 [6, 5]
  0.bias: expected f32 [5], found i64 [5]";
    assert_eq!(error.to_string(), expected);
    assert_eq!(state_dict(&model), before);
    assert_eq!(model.2.weight.version(), 0);
}

#[test]
fn lenient_loading_returns_the_names_that_it_skipped() {
    let mut model = mlp::<f32>(0.5);
    let two_of_three = LoadOptions::new().allow_missing().allow_unexpected();
    assert!(two_of_three.load_state_dict(&mut model, &wrong_dict()).is_err());
    assert!(LoadOptions::new().allow_misfits().load_state_dict(&mut model, &wrong_dict()).is_err());
    let passed_over =
        two_of_three.allow_misfits().load_state_dict(&mut model, &wrong_dict()).unwrap();
    assert_eq!(passed_over.missing, ["2.bias"]);
    assert_eq!(passed_over.unexpected, ["1.weight", "head"]);
    assert_eq!(
        passed_over.misfits.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["0.weight", "0.bias"]
    );
    assert_eq!(model.2.weight.value().at(&[0, 0]), 1.0);
    assert_eq!(model.2.bias.value().at(&[0]), 0.5);
    assert_eq!(model.0.weight.value().at(&[0, 0]), 0.5);
    assert!(Mismatch::between(&model, &state_dict(&model)).is_empty());
}

#[test]
fn a_message_names_the_common_prefix_of_the_file() {
    let mut model = mlp::<f32>(0.5);
    let dict: StateDict = state_dict(&mlp::<f32>(2.0))
        .into_iter()
        .map(|(name, x)| (format!("module.{name}"), x))
        .collect();
    let error = load_state_dict(&mut model, &dict).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "hint: each missing name exists with the prefix `module.`: remove the prefix with \
             `StateDict::strip_prefix`"
        ),
        "{error}"
    );
    load_state_dict(&mut model, &dict.strip_prefix("module.")).unwrap();
    assert_eq!(model.2.bias.value().at(&[0]), 2.0);
}

/// Returns the dict under a prefix, together with other tensors.
fn within(prefix: &str, others: &[&str]) -> StateDict {
    let dict = state_dict(&mlp::<f32>(2.0));
    let inner = dict.iter().map(|(name, x)| (format!("{prefix}{name}"), x.clone()));
    let others = others.iter().map(|name| (name.to_string(), Tensor::scalar(0.0).into()));
    inner.chain(others).collect()
}

#[test]
fn a_message_names_the_part_of_the_file_that_fits() {
    let mut model = mlp::<f32>(0.5);
    let mut advice = |dict: &StateDict| {
        let error = load_state_dict(&mut model, dict).unwrap_err().to_string();
        error.lines().last().unwrap().trim().to_string()
    };
    let dict = within("encoder.", &["head.weight"]);
    assert_eq!(
        advice(&dict),
        "hint: each missing name exists with the prefix `encoder.`: select these tensors with \
         `StateDict::part(\"encoder.\")`"
    );
    let mut two = within("a.", &[]);
    two.extend(within("b.", &["c"]));
    assert_eq!(
        advice(&two),
        "hint: each missing name exists with each of the prefixes `a.`, `b.`: select one of them with \
         `StateDict::part`"
    );
    let mut adam = within("step.", &[]);
    adam.extend(within("exp_avg.", &[]));
    assert_eq!(
        advice(&adam),
        "hint: the tensors are the state of an optimizer: load them with `Optimizer::load_state_dict`"
    );
    load_state_dict(&mut model, &dict.part("encoder.")).unwrap();
    assert_eq!(model.2.bias.value().at(&[0]), 2.0);
}

#[test]
fn a_message_names_the_part_of_the_model_that_fits() {
    let mut model = (mlp::<f32>(0.5), Linear::<f32>::filled(3, 2, 0.0));
    let dict = state_dict(&mlp::<f32>(2.0));
    let error = load_state_dict(&mut model, &dict).unwrap_err().to_string();
    let expected = "hint: the model has each unexpected name with the prefix `0.`: load the tensors into \
                    that part of the model";
    assert!(error.ends_with(expected), "{error}");
    load_state_dict(&mut model.0, &dict).unwrap();
}

/// `fn main() -> Result<(), LoadError>` prints `Debug`.
#[test]
fn debug_prints_the_text() {
    let error = load_state_dict(&mut mlp::<f32>(0.5), &wrong_dict()).unwrap_err();
    assert_eq!(format!("{error:?}"), error.to_string());
    assert!(error.to_string().contains("missing: 2.bias"));
    let error = load(&mut mlp::<f32>(0.5), "no/such/file").unwrap_err();
    assert_eq!(format!("{error:?}"), error.to_string());
}

#[test]
fn a_damaged_file_is_named_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.safetensors");
    let bytes = std::fs::read(reference("mlp.safetensors")).unwrap();
    let mut model = mlp::<f32>(0.5);
    let before = state_dict(&model);
    // The tests of the format try every length and every byte in memory. This test checks the path
    // to the message.
    for length in (0..bytes.len()).step_by(13) {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let error = load(&mut model, &path).unwrap_err();
        assert!(matches!(error, LoadError::File(_)), "{error}");
        assert!(error.to_string().contains("damaged.safetensors: "), "{error}");
    }
    // With one byte of the header changed, the file is either unsound or describes another model.
    let header = bytes.len() - 4 * model_size(&before);
    for at in (0..header).step_by(13) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        std::fs::write(&path, &damaged).unwrap();
        let error = load(&mut model, &path).unwrap_err();
        assert!(error.to_string().contains("damaged.safetensors"), "{error}");
        assert_eq!(state_dict(&model), before, "byte {at}: {error}");
    }
}

fn model_size(dict: &StateDict) -> usize {
    dict.iter().map(|(_, tensor)| tensor.numel()).sum()
}

#[test]
#[should_panic(expected = "state_dict: two parameters or buffers are named `0.1`")]
fn two_parameters_with_one_name_are_refused() {
    #[derive(Module)]
    #[module(crate = "wengert_autograd")]
    struct Both {
        #[module(rename = "0")]
        list: Vec<Param>,
        #[module(rename = "0.1")]
        other: Param,
    }
    let param = || Param::new(Tensor::scalar(0.0));
    state_dict(&Both { list: vec![param(), param()], other: param() });
}
