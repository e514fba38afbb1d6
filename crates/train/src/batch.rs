//! Batches: the values that the training loop passes to a loss.

use wengert_tensor::{Element, Tensor};

/// A batch that a model can be trained on in one step.
///
/// Implemented for tensors, numbers, `bool`, `String` and `()`, and for containers of batches:
///
/// | | examples |
/// |---|---|
/// | `Tensor<E>` | the size of the first axis; 1 for a tensor without axes |
/// | `(A,)` to `(A, B, C, D)`, `[A; N]` | those of the first part: all parts describe the same examples |
/// | `Vec<A>` | the number of elements: each element is one example |
///
/// A type of your own must implement [`examples`](Batch::examples). The other methods are optional;
/// each says what the loop cannot do with the default.
///
/// ```
/// use wengert::train::{Batch, Fingerprint};
/// use wengert::tensor::Tensor;
///
/// /// Sentences of several lengths.
/// struct Sentences {
///     words: Vec<Tensor<i64>>,
///     languages: Tensor<i64>,
/// }
///
/// impl Batch for Sentences {
///     fn examples(&self) -> usize {
///         self.words.len()
///     }
///     fn fingerprint(&self, to: &mut Fingerprint) {
///         self.words.fingerprint(to);
///         self.languages.fingerprint(to);
///     }
///     fn shapes(&self, see: &mut dyn FnMut(&[usize])) {
///         self.words.shapes(see);
///         self.languages.shapes(see);
///     }
/// }
///
/// let (a, b) = (Tensor::from([3i64, 1, 2]), Tensor::from([5i64, 5]));
/// let batch = Sentences { words: vec![a, b], languages: Tensor::from([0i64, 1]) };
/// assert_eq!(batch.examples(), 2);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a batch that a `Trainer` can train on",
    label = "not a `Batch`",
    note = "tensors, tuples, arrays and `Vec`s of batches are batches; for a type of your own, \
            implement the method that counts its examples: \
            `impl Batch for … {{ fn examples(&self) -> usize {{ … }} }}`"
)]
pub trait Batch {
    /// Returns the number of examples, which is the weight of the batch in the mean loss of an epoch.
    fn examples(&self) -> usize;

    /// Adds the contents of the batch to a fingerprint. A checkpoint stores the fingerprint of the first
    /// batch; a run that is resumed on other data, or in another order, is then refused. The default
    /// adds nothing, and other data are not detected.
    fn fingerprint(&self, _to: &mut Fingerprint) {}

    /// Returns the index of the first example that holds a NaN or an infinity, counted from 0. If the
    /// loss is not finite, the error names this example. The default is `None`.
    fn not_finite(&self) -> Option<usize> {
        None
    }

    /// Calls `see` with the shape of each tensor. A batch whose shapes are new is run on shapes alone
    /// before its step. The default is no shapes, so that only the first batch is run on shapes.
    fn shapes(&self, _see: &mut dyn FnMut(&[usize])) {}

    /// Returns the first `n` examples as a batch. The loop uses it to check the last, smaller batch of an
    /// epoch without loading that batch. The default is `None`, so that the last batch is loaded.
    fn first(&self, _n: usize) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }
}

/// A hash that distinguishes batches, computed from their bytes (FNV-1a: Fowler, Noll, Vo, 1991).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(u64);

impl Default for Fingerprint {
    fn default() -> Self {
        Fingerprint(0xcbf2_9ce4_8422_2325)
    }
}

impl Fingerprint {
    /// Adds bytes to the hash.
    pub fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Returns the hash.
    pub fn number(&self) -> u64 {
        self.0
    }

    pub(crate) fn of(batch: &impl Batch) -> u64 {
        let mut fingerprint = Self::default();
        batch.fingerprint(&mut fingerprint);
        fingerprint.number()
    }
}

impl<E: Element> Batch for Tensor<E> {
    fn examples(&self) -> usize {
        self.shape().first().copied().unwrap_or(1)
    }

    fn fingerprint(&self, to: &mut Fingerprint) {
        self.shape().iter().for_each(|&size| to.add(&(size as u64).to_le_bytes()));
        self.to_vec().into_iter().for_each(|x| to.add(&x.to().to_le_bytes()));
    }

    fn not_finite(&self) -> Option<usize> {
        let at = self.to_vec().into_iter().position(|x| !x.to().is_finite())?;
        Some(at / (self.numel() / self.examples().max(1)))
    }

    fn shapes(&self, see: &mut dyn FnMut(&[usize])) {
        see(&self.shape());
    }

    fn first(&self, n: usize) -> Option<Self> {
        (self.rank() > 0 && n <= self.examples()).then(|| self.narrow(0, 0, n))
    }
}

/// Returns the first `n` of `all` examples of a part of a batch; `None` if the part has another number
/// of examples, since it is then not known which elements belong to which example.
fn part<B: Batch>(part: &B, all: usize, n: usize) -> Option<B> {
    if part.examples() == all { part.first(n) } else { None }
}

macro_rules! tuples {
    ($($first:ident $(, $rest:ident)*;)*) => {
        $(impl<$first: Batch $(, $rest: Batch)*> Batch for ($first, $($rest,)*) {
            fn examples(&self) -> usize {
                self.0.examples()
            }

            fn fingerprint(&self, to: &mut Fingerprint) {
                #[allow(non_snake_case)]
                let ($first, $($rest,)*) = self;
                $first.fingerprint(to);
                $($rest.fingerprint(to);)*
            }

            fn not_finite(&self) -> Option<usize> {
                #[allow(non_snake_case)]
                let ($first, $($rest,)*) = self;
                $first.not_finite()$(.or_else(|| $rest.not_finite()))*
            }

            fn shapes(&self, see: &mut dyn FnMut(&[usize])) {
                #[allow(non_snake_case)]
                let ($first, $($rest,)*) = self;
                $first.shapes(see);
                $($rest.shapes(see);)*
            }

            fn first(&self, n: usize) -> Option<Self> {
                #[allow(non_snake_case)]
                let ($first, $($rest,)*) = self;
                let all = $first.examples();
                Some((part($first, all, n)?, $(part($rest, all, n)?,)*))
            }
        })*
    };
}
tuples! {
    A;
    A, B;
    A, B, C;
    A, B, C, D;
}

impl<B: Batch, const N: usize> Batch for [B; N] {
    fn examples(&self) -> usize {
        // `Batch::first` would hide the slice's method.
        <[B]>::first(self).map_or(0, Batch::examples)
    }

    fn fingerprint(&self, to: &mut Fingerprint) {
        for part in self {
            part.fingerprint(to);
        }
    }

    fn not_finite(&self) -> Option<usize> {
        self.iter().find_map(Batch::not_finite)
    }

    fn shapes(&self, see: &mut dyn FnMut(&[usize])) {
        for part in self {
            part.shapes(see);
        }
    }

    fn first(&self, n: usize) -> Option<Self> {
        let all = self.examples();
        let parts: Option<Vec<B>> = self.iter().map(|of| part(of, all, n)).collect();
        parts?.try_into().ok()
    }
}

impl<B: Batch + Clone> Batch for Vec<B> {
    fn examples(&self) -> usize {
        self.len()
    }

    fn fingerprint(&self, to: &mut Fingerprint) {
        to.add(&(self.len() as u64).to_le_bytes());
        for example in self {
            example.fingerprint(to);
        }
    }

    fn not_finite(&self) -> Option<usize> {
        self.iter().position(|example| example.not_finite().is_some())
    }

    fn shapes(&self, see: &mut dyn FnMut(&[usize])) {
        see(&[self.len()]);
        for example in self {
            example.shapes(see);
        }
    }

    fn first(&self, n: usize) -> Option<Self> {
        self.get(..n).map(<[B]>::to_vec)
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {
        $(impl Batch for $number {
            fn examples(&self) -> usize {
                1
            }
            fn fingerprint(&self, to: &mut Fingerprint) {
                to.add(&self.to_le_bytes());
            }
            fn not_finite(&self) -> Option<usize> {
                #[allow(clippy::cast_lossless)]
                let finite = (*self as f64).is_finite();
                (!finite).then_some(0)
            }
        })*
    };
}
numbers!(f32, f64, u8, i16, i32, i64, u32, u64, usize);

impl Batch for bool {
    fn examples(&self) -> usize {
        1
    }
    fn fingerprint(&self, to: &mut Fingerprint) {
        to.add(&[u8::from(*self)]);
    }
}

impl Batch for String {
    fn examples(&self) -> usize {
        1
    }
    fn fingerprint(&self, to: &mut Fingerprint) {
        to.add(self.as_bytes());
        to.add(&[0xff]);
    }
}

/// An empty part of a batch, for a part that is not used.
impl Batch for () {
    fn examples(&self) -> usize {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_have_the_number_of_examples_of_their_parts() {
        let x = Tensor::zeros(&[5, 2]);
        assert_eq!((x.examples(), Tensor::scalar(1.0).examples()), (5, 1));
        assert_eq!((x.clone(), 3i64).examples(), 5);
        assert_eq!([x.clone(), x.clone()].examples(), 5);
        assert_eq!((Tensor::from([1i64, 2]), x.clone(), ()).examples(), 2);
        assert_eq!(vec![x.clone(); 3].examples(), 3);
        assert_eq!(vec![String::from("a"), String::from("bc")].examples(), 2);
    }

    #[test]
    fn a_number_that_is_not_finite_is_found_with_its_example() {
        let mut x = Tensor::zeros(&[4, 3]);
        assert_eq!((x.clone(), x.clone()).not_finite(), None);
        x.make_mut()[7] = f32::NAN;
        assert_eq!(x.not_finite(), Some(2));
        assert_eq!((Tensor::zeros(&[4]), x.clone()).not_finite(), Some(2));
        assert_eq!([Tensor::zeros(&[4, 3]), x.clone()].not_finite(), Some(2));
        assert_eq!(vec![Tensor::zeros(&[1]), x].not_finite(), Some(1));
        assert_eq!(vec![1.0, f64::INFINITY].not_finite(), Some(1));
        assert_eq!(Tensor::from([1i64, 2]).not_finite(), None);
    }

    #[test]
    fn fingerprints_of_different_batches_differ() {
        let of = |batch: &dyn Fn(&mut Fingerprint)| {
            let mut fingerprint = Fingerprint::default();
            batch(&mut fingerprint);
            fingerprint.number()
        };
        let (a, b) = (Tensor::from([1.0f32, 2.0]), Tensor::from([1i64, 2]));
        let pair = (a.clone(), b.clone());
        let first = of(&|to| pair.fingerprint(to));
        assert_eq!(first, of(&|to| pair.clone().fingerprint(to)));
        let others = [
            of(&|to| (a.clone(), Tensor::from([1i64, 3])).fingerprint(to)),
            of(&|to| (Tensor::from([2.0f32, 1.0]), b.clone()).fingerprint(to)),
            of(&|to| (a.reshape(&[1, 2]), b.clone()).fingerprint(to)),
            of(&|to| a.fingerprint(to)),
        ];
        assert!(!others.contains(&first));
        assert_ne!(
            Fingerprint::of(&vec![String::from("ab"), String::from("c")]),
            Fingerprint::of(&vec![String::from("a"), String::from("bc")])
        );
    }

    /// A batch that implements only the required method.
    struct Own;
    impl Batch for Own {
        fn examples(&self) -> usize {
            3
        }
    }

    #[test]
    fn first_cuts_a_batch_to_its_first_examples() {
        let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        let y = Tensor::from([7i64, 8, 9]);
        let (cut, classes) = (x.clone(), y.clone()).first(1).unwrap();
        assert_eq!((cut.to_vec(), classes.to_vec()), (vec![1.0, 2.0], vec![7]));
        assert!((x.clone(), Tensor::ones(&[2, 2])).first(1).is_none());
        assert_eq!([y.clone(), y.clone()].first(2).unwrap()[1].to_vec(), [7, 8]);
        assert_eq!(vec![1i64, 2, 3].first(2), Some(vec![1, 2]));
        assert_eq!(vec![1i64].first(2), None);
        assert!(y.first(4).is_none() && Tensor::scalar(1.0).first(1).is_none());
        assert!(Own.first(2).is_none() && Own.not_finite().is_none());
    }
}
