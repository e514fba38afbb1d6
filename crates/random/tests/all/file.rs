//! The file of reference numbers. `tests/reference/distributions.py` describes it.

use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use wengert_tensor::Tensor;

const FILE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference/distributions.safetensors");

pub struct File {
    numbers: BTreeMap<String, Tensor<f64>>,
    classes: BTreeMap<String, Tensor<i64>>,
}

impl File {
    pub fn load() -> Self {
        let bytes = std::fs::read(FILE).unwrap();
        let (mut numbers, mut classes) = (BTreeMap::new(), BTreeMap::new());
        for (name, view) in SafeTensors::deserialize(&bytes).unwrap().tensors() {
            let eights = view.data().as_chunks().0.iter();
            if view.dtype() == Dtype::I64 {
                let list = eights.map(|&b| i64::from_le_bytes(b)).collect();
                classes.insert(name, Tensor::from_vec(list, view.shape()));
            } else {
                let list = eights.map(|&b| f64::from_le_bytes(b)).collect();
                numbers.insert(name, Tensor::from_vec(list, view.shape()));
            }
        }
        File { numbers, classes }
    }

    pub fn get(&self, name: &str) -> &Tensor<f64> {
        self.numbers.get(name).unwrap_or_else(|| panic!("{name} is not in the file"))
    }

    pub fn classes(&self, name: &str) -> &Tensor<i64> {
        &self.classes[name]
    }

    pub fn list(&self, case: &str, of: &str) -> Vec<Tensor<f64>> {
        (0..).map_while(|i| self.numbers.get(&format!("{case}/{of}{i}")).cloned()).collect()
    }

    /// Returns the names of the cases of functions, and of those of bins.
    pub fn cases(&self, suffix: &str) -> Vec<String> {
        let names = self.numbers.keys().filter_map(|name| name.strip_suffix(suffix));
        names.map(str::to_string).collect()
    }
}
