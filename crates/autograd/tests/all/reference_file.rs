//! Comparison with numbers of PyTorch: the files of `tests/reference`, and how close results must be.

#![allow(dead_code)] // each test program uses a part

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use wengert_autograd::{Module, Param, Path, Tape, Var};
use wengert_tensor::{Float, NamedTensors, Tensor};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference");

/// The largest bounds that `README.md` may name: of values, gradients and second derivatives.
const LIMITS: [f64; 3] = [1e-12, 1e-10, 1e-8];

/// The tensors of a file, those that a test has read, and the largest differences that it has found.
pub struct ReferenceFile {
    name: &'static str,
    tensors: NamedTensors,
    read: RefCell<BTreeSet<String>>,
    cases: RefCell<BTreeSet<String>>,
    bounds: [f64; 3],
    /// The number of cases that `README.md` names.
    listed: Option<usize>,
    largest: Cell<[f64; 3]>,
}

impl ReferenceFile {
    /// Returns the file, with the bounds that its row in `tests/reference/README.md` names for `f64`.
    pub fn load(name: &'static str) -> Self {
        let page = std::fs::read_to_string(format!("{FOLDER}/README.md")).unwrap();
        let first = format!("| `{name}` |");
        let row = page.lines().find(|line| line.starts_with(&first));
        let row = row.unwrap_or_else(|| panic!("{name} is not in the table of bounds"));
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [_, cases, bounds @ ..] = &cells[..] else { panic!("{row}") };
        let bounds = [0, 1, 2].map(|kind| bounds[kind].parse().unwrap_or(0.0));
        for (bound, limit) in bounds.into_iter().zip(LIMITS) {
            assert!(bound <= limit, "{name}: {bound:e} is above {limit:e}");
        }
        let listed = Some(cases.parse().unwrap());
        ReferenceFile { listed, ..ReferenceFile::with_bounds(name, bounds) }
    }

    /// Returns the file with bounds of values, gradients and second derivatives.
    pub fn with_bounds(name: &'static str, bounds: [f64; 3]) -> Self {
        ReferenceFile {
            name,
            tensors: NamedTensors::load(format!("{FOLDER}/{name}.safetensors")).unwrap(),
            read: RefCell::default(),
            cases: RefCell::default(),
            bounds,
            listed: None,
            largest: Cell::default(),
        }
    }

    pub fn find<T: Float>(&self, name: &str) -> Option<Tensor<T>> {
        let tensor = self.tensors.get(name)?.cast();
        self.read.borrow_mut().insert(name.to_string());
        Some(tensor)
    }

    pub fn get<T: Float>(&self, name: &str) -> Tensor<T> {
        self.find(name).unwrap_or_else(|| panic!("{name} is not in {}.safetensors", self.name))
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.names()
    }

    /// Returns the tensors `{prefix}0`, `{prefix}1` and so on.
    pub fn list<T: Float>(&self, prefix: &str) -> Vec<Tensor<T>> {
        (0..).map_while(|i| self.find(&format!("{prefix}{i}"))).collect()
    }

    /// Returns the tensors `{prefix}/…` by the rest of their names.
    pub fn group(&self, prefix: &str) -> NamedTensors {
        let prefix = format!("{prefix}/");
        let of_group = self.tensors.names().filter(|name| name.starts_with(&prefix));
        self.read.borrow_mut().extend(of_group.map(String::from));
        self.tensors.part(&prefix)
    }

    /// Compares a result with `{case}/{key}`. The key says which bound holds: `grad…`, `second…` or
    /// `hvp…`, or a value.
    #[track_caller]
    pub fn compare<T: Float>(&self, case: &str, key: &str, got: &Tensor<T>) {
        self.compare_with(case, key, got, &self.get(&format!("{case}/{key}")));
    }

    #[track_caller]
    pub fn compare_with<T: Float>(
        &self,
        case: &str,
        key: &str,
        got: &Tensor<T>,
        wanted: &Tensor<T>,
    ) {
        self.cases.borrow_mut().insert(case.to_string());
        assert_eq!(got.shape(), wanted.shape(), "{case}: {key}");
        for (i, (a, b)) in got.to_vec().into_iter().zip(wanted.to_vec()).enumerate() {
            let (bound, error) = (self.bound(key), error_of(a.to(), b.to()));
            // The condition is not written with `>`, so that NaN fails.
            assert!(
                error <= bound,
                "{} {case}: {key}: element {i} is {a}, PyTorch has {b}: {error:.1e} is above {bound:.1e}",
                T::DTYPE
            );
            self.note(key, error);
        }
    }

    /// Compares a function of `{case}/x0`, `{case}/x1` and so on with `{case}/value`, and its derivatives as
    /// [`compare_products`](Self::compare_products) does.
    pub fn compare_function(
        &self,
        case: &str,
        function: impl for<'t> Fn(&[Var<'t, f64>]) -> Var<'t, f64>,
    ) {
        let tape = Tape::eval();
        let xs = self.list(&format!("{case}/x")).into_iter().map(|x| tape.watch(x));
        let xs: Vec<_> = xs.collect();
        assert!(!xs.is_empty(), "{case} is not in the file");
        self.compare_products(case, function(&xs), &xs);
    }

    /// Compares a result with `{case}/value`, its gradients by `xs` from `{case}/seed` with `{case}/grad0` and so on, and
    /// the products of the Hessian with the directions `{case}/v0` and so on, if there are any, with `{case}/hvp0` and
    /// so on.
    pub fn compare_products<'t>(&self, case: &str, value: Var<'t, f64>, xs: &[Var<'t, f64>]) {
        let constant = |tensor| value.tape().constant(tensor);
        self.compare(case, "value", &value.value());
        let seed = constant(self.get(&format!("{case}/seed")));
        let gradients = (value * seed).sum_all().grad_or_zero(xs);
        for (i, gradient) in gradients.iter().enumerate() {
            self.compare(case, &format!("grad{i}"), &gradient.value());
        }
        let along = self.list(&format!("{case}/v"));
        let slopes = gradients.iter().zip(along).map(|(g, v)| (*g * constant(v)).sum_all());
        let Some(slope) = slopes.reduce(|a, b| a + b) else { return };
        for (i, product) in slope.grad_or_zero(xs).iter().enumerate() {
            self.compare(case, &format!("hvp{i}"), &product.value());
        }
    }

    /// Returns the bound of what has this key.
    pub fn bound(&self, key: &str) -> f64 {
        self.bounds[kind_of(key)]
    }

    /// Takes an error into account that a test has measured itself.
    pub fn note(&self, key: &str, error: f64) {
        let kind = kind_of(key);
        let mut largest = self.largest.get();
        largest[kind] = largest[kind].max(error);
        self.largest.set(largest);
    }

    pub fn note_case(&self, case: &str) {
        self.cases.borrow_mut().insert(case.to_string());
    }

    /// Checks that the test has read the whole file, and prints the number of cases and the largest errors.
    pub fn finish(self) {
        let (read, cases) = (self.read.into_inner(), self.cases.into_inner().len());
        let unread: Vec<&str> = self.tensors.names().filter(|&name| !read.contains(name)).collect();
        assert!(unread.is_empty(), "{}: no comparison has read {unread:?}", self.name);
        let [value, gradient, second] = self.largest.get();
        println!("{}: {cases} cases; {value:.1e}, {gradient:.1e}, {second:.1e}", self.name);
        if let Some(listed) = self.listed {
            assert_eq!(cases, listed, "the number of cases of {} in README.md", self.name);
        }
    }
}

fn kind_of(key: &str) -> usize {
    let is = |kinds: &[&str]| kinds.iter().any(|kind| key.starts_with(kind));
    if is(&["second", "hvp"]) { 2 } else { usize::from(is(&["grad"])) }
}

/// Returns the difference, relative to the wanted number if that is above 1.
pub fn error_of(got: f64, wanted: f64) -> f64 {
    let same = got == wanted || got.is_nan() && wanted.is_nan();
    if same { 0.0 } else { (got - wanted).abs() / wanted.abs().max(1.0) }
}

/// Returns the weights `ramp` of the Python scripts.
pub fn ramp<T: Float>(shape: &[usize]) -> Tensor<T> {
    Tensor::from_fn(shape, |i| T::of((i % 16 + 1) as f64 / 4.0))
}

/// Compares the gradients of a loss by inputs and parameters with `{case}/grad/…`, and the gradients of the sum of the
/// products of all these gradients with `ramp` with `{case}/second/…`.
pub fn compare_derivatives<'t, T: Float>(
    file: &ReferenceFile,
    case: &str,
    loss: Var<'t, T>,
    inputs: Vec<(String, Var<'t, T>)>,
    layer: &(impl Module + ?Sized),
) {
    let tape = loss.tape();
    let (mut names, mut targets): (Vec<_>, Vec<_>) = inputs.into_iter().unzip();
    layer.visit(&Path::root(), &mut |path, state| {
        if let Some(param) = state.downcast_ref::<Param<T>>() {
            names.push(path.to_string());
            targets.push(tape.param(param));
        }
    });
    let slopes = loss.grad_or_zero(&targets);
    let terms = slopes.iter().map(|&g| (g * tape.constant(ramp(&g.shape()))).sum_all());
    let seconds = terms.reduce(|a, b| a + b).unwrap().grad_or_zero(&targets);
    for (part, list) in [("grad", slopes), ("second", seconds)] {
        for (name, derivative) in names.iter().zip(list) {
            file.compare(case, &format!("{part}/{name}"), &derivative.value());
        }
    }
}
