//! Small tables that are part of the crate.

use crate::dataset::TensorDataset;
use flate2::read::GzDecoder;
use std::io::Read;
use wengert_tensor::Tensor;

/// Decompresses an embedded file.
fn text(file: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).expect("the embedded file is sound");
    text
}

/// Returns the numbers of each line.
fn lines(text: &str, separator: char) -> impl Iterator<Item = Vec<f32>> + '_ {
    text.lines().map(move |line| {
        let numbers = line.split(separator).filter(|word| !word.is_empty());
        numbers.map(|word| word.trim().parse().expect("the embedded file has numbers")).collect()
    })
}

/// Writes a data set of a table whose last column is the class.
macro_rules! classes {
    ($(#[$about:meta])* $Set:ident, $n:literal, $features:literal, $classes:literal, $file:literal,
     $feature_names:expr, $class_names:expr) => {
        $(#[$about])*
        #[derive(Debug, Clone)]
        #[non_exhaustive]
        pub struct $Set {
            #[doc = concat!("The measurements, `[", $n, ", ", $features, "]`, in the units of the source.")]
            pub features: Tensor<f32>,
            #[doc = concat!("The classes, `[", $n, "]`, as indices of [`CLASSES`](Self::CLASSES).")]
            pub labels: Tensor<i64>,
        }

        impl $Set {
            /// The number of examples.
            pub const LEN: usize = $n;
            /// The names of the features.
            pub const FEATURES: [&str; $features] = $feature_names;
            /// The names of the classes.
            pub const CLASSES: [&str; $classes] = $class_names;

            /// Loads the table. Loading cannot fail, because the file is compiled into the program and a test
            /// reads it.
            pub fn load() -> Self {
                let text = text(include_bytes!(concat!("../assets/", $file)));
                let (mut features, mut labels) = (Vec::new(), Vec::new());
                for mut numbers in lines(&text, ',') {
                    labels.extend(numbers.pop().map(|label| label as i64));
                    features.extend(numbers);
                }
                $Set {
                    features: Tensor::from_vec(features, &[$n, $features]),
                    labels: Tensor::from_vec(labels, &[$n]),
                }
            }

            /// Returns features and classes as a data set.
            pub fn dataset(&self) -> TensorDataset<f32> {
                TensorDataset::new(self.features.clone(), self.labels.clone())
            }
        }
    };
}

classes!(
    /// A data set of 150 irises: lengths and widths of sepals and petals in centimetres, and three species of 50
    /// plants each, included in this crate.
    ///
    /// Two of the species cannot be separated by a plane. The table is that of the article. The copy of the UCI
    /// repository differs in two rows. See `assets/README.md` for source and licence.
    ///
    /// ```
    /// use wengert::data::Iris;
    /// let iris = Iris::load();
    /// assert_eq!(iris.features.to_vec()[..4], [5.1, 3.5, 1.4, 0.2]);
    /// assert_eq!(Iris::CLASSES[iris.labels.at(&[0]) as usize], "setosa");
    /// ```
    ///
    /// R. A. Fisher, "The use of multiple measurements in taxonomic problems", Annals of Eugenics 7, 1936.
    Iris, 150, 4, 3, "iris.csv.gz",
    ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"],
    ["setosa", "versicolor", "virginica"]
);

classes!(
    /// A data set of 178 Italian wines of three cultivars, with 13 results of a chemical analysis, included in this
    /// crate.
    ///
    /// There are 59, 71 and 48 wines. The units of the features differ, so
    /// [`Standardize`](crate::Standardize) the features. See `assets/README.md` for source and licence.
    ///
    /// ```
    /// use wengert::data::Wine;
    /// let wine = Wine::load();
    /// assert_eq!(wine.features.shape(), [178, 13]);
    /// assert_eq!((Wine::FEATURES[12], wine.features.at(&[0, 12])), ("proline", 1065.0));
    /// ```
    ///
    /// M. Forina et al., "PARVUS: an extendible package for data exploration, classification and correlation",
    /// 1991; UCI machine learning repository.
    Wine, 178, 13, 3, "wine.csv.gz",
    [
        "alcohol", "malic acid", "ash", "alcalinity of ash", "magnesium", "total phenols",
        "flavanoids", "nonflavanoid phenols", "proanthocyanins", "color intensity", "hue",
        "OD280/OD315 of diluted wines", "proline",
    ],
    ["class 0", "class 1", "class 2"]
);

classes!(
    /// A data set of 569 tumours of the breast, 212 malignant and 357 benign, with 30 measurements of the nuclei of
    /// cells in a digitised image, included in this crate.
    ///
    /// The features are the mean, the standard error and the worst value of ten measurements. Their units differ,
    /// so [`Standardize`](crate::Standardize) the features. See `assets/README.md` for source and licence.
    ///
    /// ```
    /// use wengert::data::BreastCancer;
    /// let cancer = BreastCancer::load();
    /// assert_eq!(cancer.features.shape(), [569, 30]);
    /// assert_eq!(cancer.labels.to_vec().iter().filter(|&&label| label == 1).count(), 357);
    /// ```
    ///
    /// W. N. Street, W. H. Wolberg, O. L. Mangasarian, "Nuclear feature extraction for breast tumor diagnosis",
    /// 1993; UCI machine learning repository, "Breast Cancer Wisconsin (Diagnostic)".
    BreastCancer, 569, 30, 2, "breast_cancer.csv.gz",
    [
        "mean radius", "mean texture", "mean perimeter", "mean area", "mean smoothness",
        "mean compactness", "mean concavity", "mean concave points", "mean symmetry",
        "mean fractal dimension", "radius error", "texture error", "perimeter error", "area error",
        "smoothness error", "compactness error", "concavity error", "concave points error",
        "symmetry error", "fractal dimension error", "worst radius", "worst texture",
        "worst perimeter", "worst area", "worst smoothness", "worst compactness", "worst concavity",
        "worst concave points", "worst symmetry", "worst fractal dimension",
    ],
    ["malignant", "benign"]
);

/// A data set of 442 patients with diabetes: ten measurements, and the progression of the disease one year later,
/// included in this crate.
///
/// The features are as measured. The function `load_diabetes` of scikit-learn centres them and scales them to a
/// sum of squares of 1, unless it is called with `scaled=False`; [`Standardize`](crate::Standardize) centres them
/// and scales them to a mean square of 1. See `assets/README.md` for source and licence.
///
/// ```
/// use wengert::data::Diabetes;
/// let diabetes = Diabetes::load();
/// assert_eq!(diabetes.features.to_vec()[..3], [59.0, 2.0, 32.1]);
/// assert_eq!(diabetes.targets.at(&[0]), 151.0);
/// ```
///
/// B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, "Least angle regression", Annals of Statistics 32, 2004.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Diabetes {
    /// The measurements, `[442, 10]`.
    pub features: Tensor<f32>,
    /// The progression of the disease, `[442]`, from 25 to 346.
    pub targets: Tensor<f32>,
}

impl Diabetes {
    /// The number of examples.
    pub const LEN: usize = 442;
    /// The names of the features: age in years, sex (1 or 2), body mass index, mean blood pressure, and six
    /// measurements of the blood serum: total cholesterol, low-density and high-density lipoproteins, the ratio of
    /// total and high-density, the logarithm of triglycerides (probably), and the sugar.
    pub const FEATURES: [&str; 10] =
        ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"];

    /// Loads the table. Loading cannot fail, because the files are compiled into the program and a test reads
    /// them.
    pub fn load() -> Self {
        let features = text(include_bytes!("../assets/diabetes_data_raw.csv.gz"));
        let targets = text(include_bytes!("../assets/diabetes_target.csv.gz"));
        let flat = |text: &str| lines(text, ' ').flatten().collect();
        Diabetes {
            features: Tensor::from_vec(flat(&features), &[Self::LEN, 10]),
            targets: Tensor::from_vec(flat(&targets), &[Self::LEN]),
        }
    }

    /// Returns features and targets as a data set. The targets have the shape `[442, 1]`, which the output of a
    /// linear layer has.
    pub fn dataset(&self) -> TensorDataset<f32, f32> {
        TensorDataset::new(self.features.clone(), self.targets.unsqueeze(1))
    }
}
